// The `grpc` task against real servers of other makes, over real connections, in each protocol.

import type { ServerHttp2Stream } from 'node:http2'
import { connect, createServer, type Socket, type Server as TcpServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EMPTY_REPLY, SAY } from '../support/echo-service.ts'
import { Client, type RunView, soon } from './client.ts'
import { type GrpcServer, pythonWithGrpc, startCCore, startConnectNode, startHttp2 } from './grpc-servers.ts'
import { Server } from './harness.ts'

const STATUSES = [
  'cancelled',
  'unknown',
  'invalid_argument',
  'deadline_exceeded',
  'not_found',
  'already_exists',
  'permission_denied',
  'resource_exhausted',
  'failed_precondition',
  'aborted',
  'out_of_range',
  'unimplemented',
  'internal',
  'unavailable',
  'data_loss',
  'unauthenticated',
]
const RETRYABLE = new Set(['deadline_exceeded', 'resource_exhausted', 'aborted', 'unavailable'])

const python = pythonWithGrpc()
if (python === null) {
  console.log(
    'grpcio is not there (Debian: apt-get install python3-grpcio python3-protobuf): calls of its server are skipped',
  )
}

let server: Server
let client: Client
let node: GrpcServer
let core: GrpcServer
let names = 0

beforeAll(async () => {
  server = await Server.start()
  client = new Client(server.url)
  node = await startConnectNode()
  if (python !== null) core = await startCCore(python)
})

afterAll(async () => {
  await server.end()
  await node.stop()
  if (python !== null) await core.stop()
})

const VARIANTS = [
  { protocol: 'connect', make: 'connect-node', urlOf: () => node.web! },
  { protocol: 'grpc_web', make: 'connect-node', urlOf: () => node.web! },
  { protocol: 'grpc_h2c', make: 'connect-node', urlOf: () => node.h2c },
  ...(python === null ? [] : [{ protocol: 'grpc_h2c', make: 'the C core', urlOf: () => core.h2c }]),
]

function called(
  config: Record<string, unknown>,
  task: object = {},
  rest: Record<string, unknown> = {},
): Promise<RunView> {
  const call = { id: 'call', type: 'grpc', with: { ...SAY, ...config }, breaker: false, ...task }
  return client.runTasks(`grpc-${++names}`, [call], rest)
}

interface Output {
  message: Record<string, unknown> & { seen: Record<string, string> }
  headers: Record<string, string>
  trailers: Record<string, string>
}

function outputOf(run: RunView): Output {
  expect(run.error).toBeNull()
  return (run.output as { call: Output }).call
}

describe.each(VARIANTS)('$protocol, with a server of $make', ({ protocol, urlOf }) => {
  const say = (message: object, config: object = {}, task: object = {}, rest = {}) =>
    called({ url: urlOf(), protocol, message, ...config }, task, rest)

  test('carries a message there and back, exactly', async () => {
    const message = {
      text: 'grüße 🙂 %41',
      big: '9007199254740993',
      raw: 'AP8H',
      kind: 'KIND_A_NAME_THAT_IS_MUCH_LONGER_THAN_THE_ONE_BYTE_THAT_IT_TAKES_WHEN_IT_IS_SENT_OVER_A_WIRE',
      at: '2026-01-02T03:04:05.123456789Z',
      tags: ['a', '', 'b'],
    }
    const { seen, ...echoed } = outputOf(await say(message)).message
    const { seen: _, ...empty } = EMPTY_REPLY
    expect(echoed).toEqual({ ...empty, ...message, count: expect.any(Number) })
    expect(seen['idempotency-key']).toMatch(/^run_\w+\/call$/)
  })

  test('writes out what holds its default, so that expressions find it', async () => {
    expect(outputOf(await say({})).message).toMatchObject({ ...EMPTY_REPLY, seen: expect.any(Object) })
  })

  test('sends metadata, bytes too, and hands on what the server sent', async () => {
    const metadata = { 'X-Key': ['1', '2'], 'x-key-bin': 'AP8H', 'idempotency-key': 'mine', 'user-agent': 'tester/1' }
    const { message, headers, trailers } = outputOf(await say({}, { metadata }))
    expect(message.seen).toMatchObject({ 'x-key-bin': 'bytes 00ff07', 'idempotency-key': 'mine' })
    expect(message.seen['x-key']).toMatch(/^(1, ?)?2$/) // A map keeps the last of two entries.
    expect(message.seen['user-agent']).toContain('tester/1')
    expect(headers).toMatchObject({ 'x-answer': 'yes' })
    expect(headers['x-raw-bin']!.replace(/=+$/, '')).toBe('AP8H')
    expect(trailers).toEqual({ 'x-late': 'a, b' })
    expect(Object.keys({ ...headers, ...trailers }).filter((name) => /^(grpc-|:|content-type)/.test(name))).toEqual([])
  })

  test('tells the server how long it has', async () => {
    const { seen } = outputOf(await say({}, {}, { timeout: '4s' })).message
    expect(Number(seen.deadline)).toBeGreaterThan(2_500)
    expect(Number(seen.deadline)).toBeLessThanOrEqual(4_000)
  })

  test('ends with the code of each status, its message and its details', async () => {
    for (const [index, status] of STATUSES.entries()) {
      const run = await say({ status: index + 1, reason: 'nö, 50% of it' })
      expect(run.tasks[0]!.error, status).toMatchObject({
        code: `grpc_${status}`,
        retryable: RETRYABLE.has(status),
        message: expect.stringContaining(
          `ended with ${status.toUpperCase()}: nö, 50% of it: BadRequest {"fieldViolations"`,
        ),
      })
    }
  })

  test('takes a wait that the server asks for, which spends no attempt', async () => {
    const task = { retry: { max_attempts: 2, initial_interval: '1ms', jitter: 'none' } }
    const message = { status: 14, reason: 'busy', retry_ms: 300 }
    const run = await say(message, {}, task, { timeout: '2s' })
    const { attempts } = run.tasks[0]!
    expect(attempts[0]).toMatchObject({ status: 'snoozed', number: 1 })
    expect(attempts[1]!.number).toBe(1)
    expect(Date.parse(attempts[1]!.started_at) - Date.parse(attempts[0]!.finished_at!)).toBeGreaterThanOrEqual(295)
  })

  test('carries large messages, more than a window of HTTP/2', async () => {
    const text = 'x'.repeat(700_000)
    const { message } = outputOf(await say({ text }, {}, {}, { timeout: '20s' }))
    expect(message.count).toBe(700_000)
  })

  test('gives up an answer that is too large, soon', async () => {
    const run = await say({ length: 3_000_000 }, {}, {}, { timeout: '20s' })
    expect(run.error).toMatchObject({ code: 'response_too_large', retryable: false })
    expect(run.duration_ms).toBeLessThan(5_000)
  })

  test('times out, and is cut off by the deadline of its run', async () => {
    const run = await say({ delay_ms: 3_000 }, {}, { timeout: '200ms' })
    expect(['timeout', 'grpc_deadline_exceeded']).toContain(run.error!.code)
    expect(run.duration_ms).toBeLessThan(2_000)
    expect(await say({ delay_ms: 3_000 }, {}, {}, { timeout: '200ms' })).toMatchObject({ status: 'timed_out' })
  })

  test('answers UNIMPLEMENTED for a service or path that is not there', async () => {
    const run = await called({ url: `${urlOf()}/elsewhere`, protocol })
    expect(run.error).toMatchObject({ code: 'grpc_unimplemented', retryable: false })
  })

  test('calls many times at once', async () => {
    const tasks = Array.from({ length: 40 }, (_, n) => ({
      id: `t${n}`,
      type: 'grpc',
      with: { ...SAY, url: urlOf(), protocol, message: { text: String(n) } },
    }))
    const run = await client.runTasks(`grpc-${++names}`, tasks, { max_parallel: 20, timeout: '20s' })
    expect(run.status).toBe('succeeded')
    const output = run.output as Record<string, Output>
    const texts = Object.fromEntries(Object.entries(output).map(([id, { message }]) => [id, message.text]))
    expect(texts).toEqual(Object.fromEntries(tasks.map(({ id }, n) => [id, String(n)])))
  })
})

test('a registration tells what the descriptors say against it', async () => {
  const call = (id: string, config: object) => ({ id, type: 'grpc', with: { url: node.web, ...SAY, ...config } })
  const tasks = [
    call('service', { service: 'echo.v1.Ecco' }),
    call('stream', { method: 'Watch' }),
    call('message', { message: { text: 'x', texts: 1 } }),
    call('later', { message: { text: '${{ input }}' } }),
    { id: 'items', type: 'map', with: { items: [1], task: { type: 'grpc', with: call('', { method: 'Sai' }).with } } },
  ]
  const { status, body } = await client.request('POST', '/v1/workflows', { name: 'wrong', tasks })
  const faults = (body as { errors: { path: string }[] }).errors.map(({ path }) => path)
  expect([status, faults]).toEqual([
    422,
    ['/tasks/0/with/service', '/tasks/1/with/method', '/tasks/2/with/message', '/tasks/4/with/task/with/method'],
  ])
})

describe.skipIf(python === null)('without descriptors the server is asked', () => {
  const { descriptors: _, ...say } = SAY
  const asked = (config: object) =>
    client.runTasks(`grpc-${++names}`, [
      { id: 'call', type: 'grpc', with: { ...say, protocol: 'grpc_h2c', ...config } },
    ])

  test('what the service is, what it imports, and again only after a while', async () => {
    const run = await asked({ url: core.h2c, message: { text: 'x', at: '2026-01-02T03:04:05Z' } })
    expect(outputOf(run).message).toMatchObject({ text: 'x', at: '2026-01-02T03:04:05Z', count: 1 })
    const failing = await asked({ url: core.h2c, message: { status: 3, reason: 'no' } })
    expect(failing.error!.message).toContain('no: BadRequest {"fieldViolations"')
  })

  test('and what does not fit ends the task', async () => {
    expect((await asked({ url: core.h2c, message: { texts: 'x' } })).error).toMatchObject({
      code: 'invalid_with',
      message: '/with/message has a key "texts", which echo.v1.SayRequest does not have',
    })
    expect((await asked({ url: core.h2c, method: 'Sai' })).error).toMatchObject({ code: 'invalid_with' })
  })

  test('and a server that does not know the service, or no reflection, says so', async () => {
    expect((await asked({ url: core.h2c, service: 'echo.v1.Ecco' })).error).toMatchObject({
      code: 'grpc_not_found',
      message: expect.stringContaining('its reflection said: Symbol not found: echo.v1.Ecco'),
    })
    expect((await asked({ url: node.h2c })).error).toMatchObject({
      code: 'grpc_unimplemented',
      message: expect.stringContaining('its reflection said'),
    })
  })
})

describe('servers of HTTP/2 that break the rules of gRPC', () => {
  const GRPC = { ':status': 200, 'content-type': 'application/grpc' }
  const OK = { 'grpc-status': '0' }
  const frame = (bytes: Uint8Array) => Buffer.from([0, 0, 0, bytes.length >> 8, bytes.length & 255, ...bytes])

  /** An answer of headers, these bytes and these trailers. */
  const whole =
    (bytes: Uint8Array, trailers: Record<string, string> = OK, headers: Record<string, string | number> = GRPC) =>
    (stream: ServerHttp2Stream) => {
      stream.respond(headers, { waitForTrailers: true })
      stream.once('wantTrailers', () => stream.sendTrailers(trailers))
      stream.end(bytes)
    }

  async function answered(answer: (stream: ServerHttp2Stream) => void, config: object = {}): Promise<RunView> {
    const one = await startHttp2(answer)
    const run = await called({ url: one.url, protocol: 'grpc_h2c', ...config })
    one.stop()
    return run
  }

  test.each<[string, (stream: ServerHttp2Stream) => void, string]>([
    ['no status', whole(frame(new Uint8Array()), { 'x-other': '1' }), 'grpc_internal'],
    ['OK without a message', whole(Buffer.alloc(0)), 'grpc_internal'],
    ['OK with two messages', whole(Buffer.concat([frame(Buffer.alloc(0)), frame(Buffer.alloc(0))])), 'grpc_internal'],
    ['a message cut short', whole(frame(Buffer.alloc(9)).subarray(0, -1)), 'grpc_internal'],
    ['a message that is compressed', whole(Buffer.from([1, 0, 0, 0, 0])), 'grpc_internal'],
    ['a message of another type', whole(frame(Buffer.from([0xff, 0xff, 1]))), 'invalid_response'],
    ['a length of four billion', whole(Buffer.from([0, 255, 255, 255, 255])), 'response_too_large'],
    ['a status that gRPC does not have', whole(Buffer.alloc(0), { 'grpc-status': '99' }), 'grpc_unknown'],
    [
      'a page of HTML',
      whole(Buffer.from('<html>'), {}, { ':status': 200, 'content-type': 'text/html' }),
      'grpc_unknown',
    ],
    ['503 of a proxy', whole(Buffer.from('busy'), {}, { ':status': 503 }), 'grpc_unavailable'],
    [
      'status in its headers alone',
      (stream) => stream.respond({ ...GRPC, 'grpc-status': '5' }, { endStream: true }),
      'grpc_not_found',
    ],
    [
      'no end',
      (stream) => {
        stream.respond(GRPC)
        setTimeout(() => stream.session!.destroy(), 50)
      },
      'grpc_unavailable',
    ],
    ['a reset, refused', (stream) => stream.close(7), 'grpc_unavailable'],
    ['a reset, cancelled', (stream) => stream.close(8), 'grpc_cancelled'],
    ['a reset, too many', (stream) => stream.close(11), 'grpc_resource_exhausted'],
    ['a reset, broken', (stream) => stream.close(2), 'grpc_internal'],
    [
      'headers that are too large',
      (stream) =>
        stream.respond({
          ...GRPC,
          ...Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`x-${n}`, 'v'.repeat(8_000)])),
        }),
      'grpc_internal',
    ],
  ])('by %s end the attempt', async (_, answer, code) => {
    expect((await answered(answer)).error!.code).toBe(code)
  })

  test('by a description of the service that is none, or never whole, end the attempt', async () => {
    const field = (number: number, bytes: Uint8Array) => Buffer.from([(number << 3) | 2, bytes.length, ...bytes])
    const importing = (name: string) =>
      field(4, field(1, Buffer.concat([field(1, Buffer.from('a')), field(3, Buffer.from(name))])))
    let files = 0
    for (const [bytes, said] of [
      [() => Buffer.alloc(0), 'answered reflection with nothing'],
      [() => field(4, field(1, Buffer.from([0xff]))), 'no descriptors'],
      [() => importing('b'), 'leaves out files'],
      [() => importing(`b${++files}`), 'in more than 50 answers'],
    ] as [() => Buffer, string][]) {
      const run = await answered((stream) => whole(frame(bytes()))(stream), { descriptors: undefined })
      expect(run.error).toMatchObject({ code: 'grpc_internal', message: expect.stringContaining(said) })
    }
    const unknown = await answered(whole(frame(field(7, Buffer.from([0xff])))), { descriptors: undefined })
    expect(unknown.error).toMatchObject({
      code: 'grpc_unknown',
      message: expect.stringContaining('its reflection said'),
    })
    // What it describes does not have the service.
    const other = await answered(whole(frame(field(4, field(1, field(1, Buffer.from('a')))))), {
      descriptors: undefined,
    })
    expect(other.error).toMatchObject({ code: 'invalid_with', message: expect.stringContaining('/with/service') })
  })
})

describe('servers that are none', () => {
  const servers: TcpServer[] = []
  const sockets = new Set<Socket>()
  afterAll(() => {
    for (const socket of sockets) socket.destroy()
    for (const one of servers) one.close()
  })

  async function serving(answer: (socket: Socket) => void): Promise<string> {
    const one = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {}) // Clients that hang up are what some of these tests want.
      answer(socket)
    })
    servers.push(one)
    await new Promise<void>((done) => one.listen(0, '127.0.0.1', done))
    return `http://127.0.0.1:${(one.address() as { port: number }).port}`
  }

  test.each(['connect', 'grpc_web', 'grpc_h2c'])('that are gone are UNAVAILABLE (%s)', async (protocol) => {
    const url = await serving(() => {})
    await new Promise((done) => servers.pop()!.close(done))
    expect((await called({ url, protocol })).error).toMatchObject({ code: 'grpc_unavailable', retryable: true })
  })

  test.each(['connect', 'grpc_web', 'grpc_h2c'])('that hang up are UNAVAILABLE (%s)', async (protocol) => {
    const url = await serving((socket) => socket.once('data', () => socket.destroy()))
    expect((await called({ url, protocol })).error).toMatchObject({ code: 'grpc_unavailable', retryable: true })
  })

  test('that speak HTTP/1 are told from those of HTTP/2, and the other way round', async () => {
    const plain = await called({ url: node.web!, protocol: 'grpc_h2c' })
    expect(['grpc_internal', 'grpc_unavailable']).toContain(plain.error!.code)
    const h2 = await called({ url: node.h2c, protocol: 'connect' })
    expect(h2.error!.code).toMatch(/^grpc_(unavailable|unknown|internal)$/)
  })

  test.each(['connect', 'grpc_web', 'grpc_h2c'])('that never answer are left at once (%s)', async (protocol) => {
    let left = () => {}
    const isLeft = new Promise<void>((done) => {
      left = done
    })
    const url = await serving((socket) => {
      socket.resume()
      socket.once('close', left)
      socket.once('end', left)
    })
    const run = await called({ url, protocol }, {}, { timeout: '300ms' })
    expect(run.status).toBe('timed_out')
    await soon('the end of the connection', 2_000, isLeft)
  })

  test('behind addresses that are not allowed are never reached', async () => {
    for (const protocol of ['connect', 'grpc_web', 'grpc_h2c']) {
      for (const url of ['http://169.254.169.254', 'http://[::1]:1', 'http://metadata.internal']) {
        const run = await called({ url, protocol })
        expect(run.error).toMatchObject({ code: 'egress_denied', retryable: false })
      }
    }
  })

  test('are reached over one connection a call of gRPC itself, which is closed after it', async () => {
    const ended: Promise<void>[] = []
    const url = await serving((socket) => {
      const upstream = connect(Number(new URL(node.h2c).port), '127.0.0.1')
      socket.pipe(upstream).pipe(socket)
      upstream.on('error', () => {}) // Ends with its socket.
      ended.push(new Promise((done) => socket.once('close', () => done())))
    })
    await called({ url, protocol: 'grpc_h2c' })
    await called({ url, protocol: 'grpc_h2c' })
    expect(ended).toHaveLength(2)
    await soon('the end of both connections', 2_000, Promise.all(ended))
  })
})
