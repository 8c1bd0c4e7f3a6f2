// The built Worker, served by Miniflare with the bindings of wrangler.toml and its storage in a folder; killed as a power cut
// would, and started again on the same folder and port. Knows nothing of workflows.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, inject } from 'vitest'
import { unstable_getMiniflareWorkerOptions } from 'wrangler'
import { Client } from './client.ts'
import { Upstream } from './upstream.ts'

export class Server {
  readonly folder = mkdtempSync(join(tmpdir(), 'orchestrator-system-'))
  /** What the Worker has logged, over all its lives. */
  readonly logs: string[] = []
  #miniflare: Miniflare | null = null
  #pid = 0
  #url = ''

  static async start(): Promise<Server> {
    const server = new Server()
    await server.start()
    return server
  }

  /** Stays the same when the Worker is started again. */
  get url(): string {
    return this.#url
  }

  async start(): Promise<void> {
    const { workerOptions } = unstable_getMiniflareWorkerOptions('wrangler.toml')
    const before = new Set(runtimes())
    this.#miniflare = new Miniflare(
      convertV4MiniflareOptions({
        host: '127.0.0.1',
        port: this.#url === '' ? 0 : Number(new URL(this.#url).port),
        cf: false, // No look-up of Request.cf on the network.
        resourcePersistencePath: this.folder,
        handleStructuredLogs: ({ message }) => void this.logs.push(message),
        workers: [
          {
            ...workerOptions,
            name: 'edge-orchestrator',
            rootPath: process.cwd(),
            modules: builtModules(),
            bindings: { AUTH: 'none', EGRESS_ALLOW: '127.0.0.1' }, // wrangler.toml has no variables of its own.
          },
        ],
      }),
    )
    this.#url = (await this.#miniflare.ready).origin
    const [pid, ...others] = runtimes().filter((one) => !before.has(one))
    if (pid === undefined || others.length > 0) throw new Error('it is not clear which process serves the Worker')
    this.#pid = pid
  }

  /** kill -9 of the runtime: no goodbye, whatever it was doing. */
  async kill(): Promise<void> {
    process.kill(this.#pid, 'SIGKILL')
    await this.#miniflare?.dispose()
    this.#miniflare = null
  }

  /** Ends the server for good, and its storage. */
  async end(): Promise<void> {
    await this.#miniflare?.dispose()
    this.#miniflare = null
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Serves the Worker to the tests of the file that calls this at its top, with a client and a server that tasks can call; ends with them. */
export async function withServer(): Promise<{ server: Server; client: Client; upstream: Upstream }> {
  const [server, upstream] = await Promise.all([Server.start(), Upstream.start()])
  afterAll(async () => {
    await server.end()
    await upstream.stop()
  })
  return { server, client: new Client(server.url), upstream }
}

/** What the build has left: the Worker, and the texts and interpreters that it imports. */
function builtModules() {
  const folder = inject('builtWorker')
  const files = readdirSync(folder)
  const texts = files.filter((name) => /\.(html|py|qjs)$/.test(name))
  const wasms = files.filter((name) => name.endsWith('.wasm'))
  return [
    { type: 'ESModule' as const, path: 'index.js', contents: readFileSync(join(folder, 'index.js'), 'utf8') },
    ...texts.map((path) => ({ type: 'Text' as const, path, contents: readFileSync(join(folder, path), 'utf8') })),
    ...wasms.map((path) => ({ type: 'CompiledWasm' as const, path, contents: readFileSync(join(folder, path)) })),
  ]
}

/** Runtimes that this process has started. */
function runtimes(): number[] {
  try {
    const pids = execFileSync('pgrep', ['-P', String(process.pid), 'workerd']).toString()
    return pids.trim().split('\n').map(Number)
  } catch {
    return [] // pgrep says "none" by its exit code.
  }
}
