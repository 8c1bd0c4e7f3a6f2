// Serves a built Worker with the runtime itself: no dev proxy, storage on disk in a folder of its own, loopback only.
// The runtime's configuration is made from the Worker's wrangler.toml, so that both say the same.

import { type ChildProcess, execFile, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join, parse } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { unstable_readConfig } from 'wrangler'

const QUIET = { WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true' }

/** A Worker that is being served. */
export interface Served {
  url: string
  /** From the start of the process to its first answer, in ms. */
  startMs: number
  pid: number
  /** What it has written to stderr; bounded. */
  complaints(): string
  /** Rejects when the process ends by itself. */
  died: Promise<never>
  stop(): Promise<void>
  /** Ends it without waiting. */
  abandon(): void
}

/**
 * Builds a Worker and serves it.
 * @param config path of its wrangler.toml
 * @param folder where its bundle, configuration and storage go
 * @param variables text bindings that the local scripts add (AUTH, EGRESS_ALLOW)
 */
export async function serve(config: string, folder: string, variables: Record<string, string>): Promise<Served> {
  mkdirSync(join(folder, 'storage'), { recursive: true })
  await build(config, join(folder, 'dist'))
  const port = await freePort()
  writeFileSync(join(folder, 'config.capnp'), capnpOf(config, folder, port, variables))
  const startedAt = performance.now()
  const workerd = spawn(
    'node_modules/.bin/workerd',
    ['serve', join(folder, 'config.capnp'), '--experimental', '--control-fd=3'],
    {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    },
  )
  const served = supervised(workerd, `http://127.0.0.1:${port}`, 'workerd')
  await Promise.race([isListening(workerd), served.died])
  await Promise.race([fetch(served.url).then((answer) => answer.body?.cancel()), served.died])
  return { ...served, startMs: performance.now() - startedAt }
}

/** Starts the server that tasks call. */
export async function serveUpstream(): Promise<Served> {
  const startedAt = performance.now()
  const upstream = fork('bench/upstream.ts', { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  const [port] = (await once(upstream, 'message')) as [number]
  return { ...supervised(upstream, `http://127.0.0.1:${port}`, 'upstream'), startMs: performance.now() - startedAt }
}

async function build(config: string, outdir: string): Promise<void> {
  const args = ['node_modules/wrangler/bin/wrangler.js', 'deploy', '--dry-run', '--config', config, '--outdir', outdir]
  await promisify(execFile)(process.execPath, args, { env: { ...process.env, ...QUIET } })
}

function supervised(child: ChildProcess, url: string, name: string): Omit<Served, 'startMs'> {
  let text = ''
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    if (text.length < 100_000) text += chunk
  })
  let isStopping = false
  const exited = once(child, 'exit')
  const died = exited.then(([code, signal]): Promise<never> => {
    if (isStopping) return new Promise(() => {})
    throw new Error(`${name} ended by itself (${code ?? signal}): ${text.slice(-2_000)}`)
  })
  died.catch(() => {}) // Whoever waits for an answer races with it; nobody has to.
  return {
    url,
    pid: child.pid!,
    complaints: () => text,
    died,
    abandon: () => void child.kill('SIGKILL'),
    stop: async () => {
      isStopping = true
      child.kill()
      await exited
    },
  }
}

/** workerd tells on its control channel when a socket listens. */
async function isListening(workerd: ChildProcess): Promise<void> {
  for await (const line of createInterface({ input: workerd.stdio[3] as NodeJS.ReadableStream })) {
    if (line.includes('"listen"')) return
  }
  throw new Error('workerd closed its control channel before it listened')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** What is read of a wrangler.toml; wrangler's own type of it comes from a package that it does not ship. */
interface WorkerConfig {
  main: string
  compatibility_date: string
  compatibility_flags: string[]
  durable_objects: { bindings: { name: string; class_name: string }[] }
  migrations: { new_sqlite_classes?: string[] }[]
}

/** @see workerd's own `workerd.capnp` for the form */
function capnpOf(configPath: string, folder: string, port: number, variables: Record<string, string>): string {
  const config = unstable_readConfig({ config: configPath }) as WorkerConfig
  // Relative to the configuration's folder: an absolute path would be looked for among the runtime's own schemas.
  const main = `${parse(config.main).name}.js`
  const files = readdirSync(join(folder, 'dist'))
  const embedded = (kind: string, ending: RegExp) =>
    files
      .filter((name) => ending.test(name))
      .map((name) => `(name = ${text(name)}, ${kind} = embed ${text(`dist/${name}`)})`)
  const modules = [
    `(name = ${text(main)}, esModule = embed ${text(`dist/${main}`)})`,
    ...embedded('text', /\.(html|py|qjs)$/),
    ...embedded('wasm', /\.wasm$/),
  ]
  const objects = config.durable_objects.bindings
  const sqlite = new Set(config.migrations.flatMap(({ new_sqlite_classes }) => new_sqlite_classes ?? []))
  const classes = [...new Set(objects.map(({ class_name }) => class_name))]
  const bindings = [
    ...objects.map(({ name, class_name }) => `(name = ${text(name)}, durableObjectNamespace = ${text(class_name)})`),
    ...Object.entries(variables).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`),
  ]
  const namespaces = classes.map(
    (name) => `(className = ${text(name)}, uniqueKey = ${text(name)}, enableSql = ${sqlite.has(name)})`,
  )
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "disk", disk = (path = ${text(join(folder, 'storage'))}, writable = true)),
    (name = "network", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [${modules.join(', ')}],
  compatibilityDate = ${text(config.compatibility_date)},
  compatibilityFlags = [${config.compatibility_flags.map(text).join(', ')}],
  bindings = [${bindings.join(', ')}],
  durableObjectNamespaces = [${namespaces.join(', ')}],
  durableObjectStorage = (localDisk = "disk"),
  globalOutbound = "network",
);
`
}

/** A text as Cap'n Proto spells it: as JSON does, for what stands here. */
function text(value: string): string {
  return JSON.stringify(value)
}
