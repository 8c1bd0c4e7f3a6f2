// The servers that tasks call, as one that counts: every call is remembered with its Idempotency-Key and how its connection ended.
// What it answers is asked for in the path, so that a definition alone says what its tasks will meet.

import { EventEmitter, once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'

export interface Call {
  method: string
  /** Path and query. */
  path: string
  headers: IncomingHttpHeaders
  key: string
  body: string
  /** When it arrived, ms since the epoch. */
  at: number
  /** The connection that it came by, numbered from 1. */
  connection: number
  /** Settled when the answer was sent whole (`answered`) or the other side went away first (`aborted`). */
  ended: Promise<'answered' | 'aborted'>
}

/** How often each key has failed with `flaky`. */
const failed = new Map<string, number>()

/** How often each task has been asked whether it is `ready`, by its key without the number of the call. */
const asked = new Map<string, number>()

/** How to answer each first part of the path; `query` holds what the definition asked for. */
const ANSWERS: Record<string, (response: ServerResponse, query: URLSearchParams, request: IncomingMessage) => void> = {
  /** `?ms=200` later, with the query as JSON, `?bytes=N` of it filling. */
  ok: (response, query) => {
    const filling = 'x'.repeat(Number(query.get('bytes') ?? 0))
    const body = JSON.stringify({ ok: true, ...Object.fromEntries(query), ...(filling === '' ? {} : { filling }) })
    const send = () => response.writeHead(200, { 'content-type': 'application/json' }).end(body)
    const ms = Number(query.get('ms') ?? 0)
    if (ms === 0) send()
    else setTimeout(send, ms)
  },
  echo: async (response, _query, request) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method, headers } = request
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ method, headers, body: Buffer.concat(chunks).toString() }))
  },
  status: (response, query) => void response.writeHead(Number(query.get('code'))).end('said so '.repeat(30)),
  redirect: (response, query) => {
    response.writeHead(Number(query.get('code') ?? 302), { location: query.get('to')! }).end('look there')
  },
  loop: (response) => void response.writeHead(302, { location: '/loop' }).end(),
  hang: () => {},
  /** The first `?fails=N` calls with a key are answered 500, then all are well. */
  flaky: (response, query, request) => {
    const key = String(request.headers['idempotency-key'])
    const failures = failed.get(key) ?? 0
    failed.set(key, failures + 1)
    response.writeHead(failures < Number(query.get('fails')) ? 500 : 200, { 'content-type': 'application/json' })
    response.end('{"flaky":true}')
  },
  /** The head, and nothing of the body that it promises. */
  mute: (response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '10' }).flushHeaders()
  },
  drip: (response, query) => {
    let left = Number(query.get('chunks'))
    response.writeHead(200, { 'content-type': 'text/plain' })
    const timer = setInterval(
      () => {
        if (left-- > 0) return response.write('drop ')
        clearInterval(timer)
        return response.end()
      },
      Number(query.get('ms')),
    )
    response.once('close', () => clearInterval(timer))
  },
  /** As fast as it is taken, without end. */
  flood: (response) => {
    response.writeHead(200, { 'content-type': 'text/plain' })
    const chunk = 'y'.repeat(65_536)
    const pour = () => {
      while (!response.destroyed && response.write(chunk));
    }
    response.on('drain', pour)
    pour()
  },
  /** Says that its body has 5 bytes and sends it in chunks, which count (RFC 9112, 6.3): `?chunks=N` of 1 KiB, or without end. */
  understated: ({ socket }, query) => {
    const chunk = `400\r\n${'x'.repeat(1_024)}\r\n`
    const head =
      'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n'
    socket!.write(head)
    const chunks = query.get('chunks')
    if (chunks !== null) return void socket!.end(`${chunk.repeat(Number(chunks))}0\r\n\r\n`)
    const pour = () => {
      while (!socket!.destroyed && socket!.write(chunk.repeat(64)));
    }
    socket!.on('drain', pour)
    pour()
  },
  half: (response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '1000' })
    response.write('z'.repeat(500), () => response.destroy())
  },
  /** The connection ends before anything was said. */
  slam: (response) => void response.destroy(),
  /** Page `?at=1` of `?of=3`, which links to the next. */
  page: (response, query) => {
    const [at, of] = [Number(query.get('at')), Number(query.get('of'))]
    const link =
      at < of ? { link: `</page?at=${at + 1}&of=${of}>; rel="next", </page?at=${of}&of=${of}>; rel="last"` } : {}
    response.writeHead(200, { 'content-type': 'application/json', ...link }).end(JSON.stringify([at]))
  },
  /** Not the first `?after=N` times that a task asks. */
  ready: (response, query, request) => {
    const task = String(request.headers['idempotency-key']).replace(/\/p\d+$/, '')
    const before = asked.get(task) ?? 0
    asked.set(task, before + 1)
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ ready: before >= Number(query.get('after')) }))
  },
  /** So many bytes, as fast as they are taken; with `&declared` their number is said before. */
  large: (response, query) => {
    let left = Number(query.get('bytes'))
    const chunk = Buffer.alloc(65_536, 'w')
    const pour = () => {
      while (!response.destroyed && left > 0) {
        const size = Math.min(left, chunk.length)
        left -= size
        if (!response.write(chunk.subarray(0, size)) && left > 0) return void response.once('drain', pour)
      }
      response.end()
    }
    const length = query.has('declared') ? { 'content-length': left } : {}
    response.writeHead(200, { 'content-type': 'application/octet-stream', ...length })
    pour()
  },
  /** The form that was sent, as another implementation reads it. */
  form: async (response, _query, request) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const headers = { 'content-type': String(request.headers['content-type']) }
    const form = await new Response(Buffer.concat(chunks), { headers }).formData()
    const parts = [...form].map(async ([name, value]) =>
      typeof value === 'string'
        ? { name, value }
        : { name, file: value.name, type: value.type, bytes: [...(await value.bytes())] },
    )
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(await Promise.all(parts)))
  },
  gzip: (response) => {
    response
      .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
      .end(gzipSync('{"packed":true}'))
  },
  /** A small body by its length, a large one once it is unpacked. */
  bomb: (response) => {
    const body = gzipSync('0'.repeat(4 * 1024 * 1024))
    response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip', 'content-length': body.length })
    response.end(body)
  },
}

export class Upstream {
  readonly calls: Call[] = []
  readonly #server: Server
  readonly #events = new EventEmitter()
  #connections = 0
  #port = 0

  private constructor(idleMs: number | null) {
    const numbers = new WeakMap<object, number>()
    // Node's own time limit would close connections in the middle of tests that are about something else.
    this.#server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
      const url = new URL(request.url ?? '/', 'http://upstream')
      const { promise, resolve } = Promise.withResolvers<'answered' | 'aborted'>()
      response.once('finish', () => resolve('answered')).once('close', () => resolve('aborted'))
      const call: Call = {
        method: request.method ?? '',
        path: `${url.pathname}${url.search}`,
        headers: request.headers,
        key: String(request.headers['idempotency-key'] ?? ''),
        body: '',
        at: Date.now(),
        connection: numbers.get(request.socket)!,
        ended: promise,
      }
      this.calls.push(call)
      this.#events.emit('call', call)
      if (idleMs !== null) response.once('finish', () => setTimeout(() => request.socket.end(), idleMs))
      ANSWERS[url.pathname.split('/')[1]!]!(response, url.searchParams, request)
    })
    this.#server.on('connection', (socket) => void numbers.set(socket, ++this.#connections))
    this.#events.setMaxListeners(0)
  }

  /** @param idleMs how long after an answer the server closes a connection that has brought nothing new; never by default */
  static async start({ idleMs = null }: { idleMs?: number | null } = {}): Promise<Upstream> {
    const upstream = new Upstream(idleMs)
    upstream.#server.listen(0, '127.0.0.1')
    await once(upstream.#server, 'listening')
    upstream.#port = (upstream.#server.address() as AddressInfo).port
    return upstream
  }

  get port(): number {
    return this.#port
  }

  /** @param path such as `ok?ms=100` */
  at(path: string): string {
    return `http://127.0.0.1:${this.port}/${path}`
  }

  /** The next call that fits, or one that has come already since `from` calls. */
  async nextCall(fits: (call: Call) => boolean = () => true, from = this.calls.length): Promise<Call> {
    const seen = this.calls.slice(from).find(fits)
    if (seen !== undefined) return seen
    for (;;) {
      const [call] = (await once(this.#events, 'call')) as [Call]
      if (fits(call)) return call
    }
  }

  async stop(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    if (this.#server.listening) await once(this.#server, 'close')
  }
}
