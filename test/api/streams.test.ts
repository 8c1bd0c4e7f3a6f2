// Histories as Server-Sent Events: from the start, live, again after a break, to the end.

import { abortAllDurableObjects, evictDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { EventPage } from '../../durable/runner/runner-rpc.ts'
import { ApiProblem } from '../../src/api/http/problem.ts'
import { socketResponse } from '../../src/api/runs/event-socket.ts'
import { eventStream } from '../../src/api/runs/event-stream.ts'
import { sourceOf, Watch, type WatchSource } from '../../src/api/runs/watch.ts'
import { runnerOf } from '../../src/objects.ts'
import { newsText, partialText } from '../../src/watch-protocol.ts'
import { parseRunId } from '../../src/workflow/run-id.ts'
import { aCallingWorkflow, aWorkflow, call, fetchRaw, get, post } from './client.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

interface Frame {
  id?: number
  event?: string
  data?: { [field: string]: unknown }
  comment?: true
}

/** Reads a stream frame by frame, as a browser does. */
class Reader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #decoder = new TextDecoder()
  #text = ''

  constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.getReader()
  }

  /** The next frame; null at the end. The first one only says how soon to come again. */
  async next(): Promise<Frame | null> {
    for (;;) {
      const end = this.#text.indexOf('\n\n')
      if (end !== -1) {
        const lines = this.#text.slice(0, end).split('\n')
        this.#text = this.#text.slice(end + 2)
        if (lines[0]!.startsWith('retry: ')) continue
        return frameOf(lines)
      }
      const { done, value } = await this.#reader.read()
      if (done) {
        expect(this.#text).toBe('')
        return null
      }
      this.#text += this.#decoder.decode(value, { stream: true })
    }
  }

  async rest(): Promise<Frame[]> {
    const frames: Frame[] = []
    for (let frame = await this.next(); frame !== null; frame = await this.next()) frames.push(frame)
    return frames
  }

  /** Frames up to the one of this name. */
  async until(event: string): Promise<Frame[]> {
    const frames: Frame[] = []
    for (;;) {
      const frame = await this.next()
      if (frame === null) throw new Error(`the stream has ended without ${event}`)
      frames.push(frame)
      if (frame.event === event) return frames
    }
  }

  cancel(): Promise<void> {
    return this.#reader.cancel()
  }
}

function frameOf(lines: string[]): Frame {
  const frame: Frame = {}
  for (const line of lines) {
    const [name, value] = [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trimStart()]
    if (name === '') frame.comment = true
    else if (name === 'id') frame.id = Number(value)
    else if (name === 'event') frame.event = value
    else if (name === 'data') frame.data = JSON.parse(value)
    else throw new Error(`a stream has no field ${name}`)
  }
  return frame
}

async function watch(path: string, headers: Record<string, string> = {}): Promise<Reader> {
  const response = await fetchRaw('GET', path, { headers: { Accept: 'text/event-stream', ...headers } })
  expect(response.status).toBe(200)
  expect(response.headers.get('Content-Type')).toBe('text/event-stream')
  expect(response.headers.get('Cache-Control')).toContain('no-store')
  expect(response.headers.get('X-Request-Id')).not.toBeNull()
  return new Reader(response.body!)
}

/** Stands in for the server that tasks call: holds each call until it is let go. */
function aSlowServer(): { letGo: () => void; calls: () => number } {
  const gate = Promise.withResolvers<void>()
  let calls = 0
  vi.spyOn(globalThis, 'fetch').mockImplementation(async () => {
    calls++
    await gate.promise
    return Response.json({ text: 'a\nb\r\n\u2028"' })
  })
  return { letGo: gate.resolve, calls: () => calls }
}

async function aRunUnderWay(rest: object = {}): Promise<{ id: string; letGo: () => void }> {
  const workflow = await aCallingWorkflow({ timeout: '1m', ...rest })
  const { letGo, calls } = aSlowServer()
  const { body } = await post('/v1/run', { workflow }, { Prefer: 'respond-async' })
  // Looked for again and again: who awaits a promise that the executor resolves goes on in the executor's place.
  await vi.waitFor(() => expect(calls()).toBe(1), { interval: 2 })
  return { id: body.id, letGo }
}

async function aRunThatEnded(shape: Record<string, string[]> = { a: [], b: ['a'] }): Promise<string> {
  return (await post('/v1/run', { workflow: await aWorkflow(shape) })).body.id
}

const historyOf = async (id: string): Promise<Frame[]> => (await get(`/v1/runs/${id}/history?limit=200`)).body.items
const runnerOfRun = (id: string) => runnerOf(env, 'default', parseRunId(id)!.shard)

describe('a stream of a run that has ended', () => {
  test.each(['history', 'events'])('gives its whole history and ends (/%s)', async (name) => {
    const id = await aRunThatEnded()
    const frames = await (await watch(`/v1/runs/${id}/${name}`)).rest()
    expect(frames).toEqual(await historyOf(id))
    expect(frames.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  test('goes on after the last event that the client has', async () => {
    const id = await aRunThatEnded()
    const history = await historyOf(id)
    const path = `/v1/runs/${id}/history`
    expect(await (await watch(path, { 'Last-Event-ID': '5' })).rest()).toEqual(history.slice(5))
    expect(await (await watch(`${path}?after=5`)).rest()).toEqual(history.slice(5))
    expect(await (await watch(`${path}?after=2`, { 'Last-Event-ID': '5' })).rest()).toEqual(history.slice(5))
  })

  test.each(['8', '999999999999999', '0', '-1', '5.5', 'x', '', '0x5', '9'.repeat(400)])(
    'starts from the beginning after an event that it does not have (%s)',
    async (last) => {
      const id = await aRunThatEnded()
      const frames = await (await watch(`/v1/runs/${id}/history`, { 'Last-Event-ID': last })).rest()
      expect(frames).toHaveLength(7)
    },
  )

  test('is 204 for who has all of it, so that a browser stops', async () => {
    const id = await aRunThatEnded()
    const headers = { Accept: 'text/event-stream', 'Last-Event-ID': '7' }
    const { status, text, headers: answered } = await get(`/v1/runs/${id}/history`, { headers })
    expect([status, text, answered.get('Cache-Control')]).toEqual([204, '', 'no-store'])
    expect((await get(`/v1/runs/${id}/history?after=7`, { headers: { Accept: 'text/event-stream' } })).status).toBe(204)
  })

  test('comes in pages of which none is lost, however long', async () => {
    const shape = Object.fromEntries(Array.from({ length: 700 }, (_, n) => [`t${n}`, []]))
    const id = await aRunThatEnded(shape)
    const frames = await (await watch(`/v1/runs/${id}/history`)).rest()
    expect(frames.map(({ id }) => id)).toEqual(Array.from({ length: 1_403 }, (_, index) => index + 1))
    expect(frames.at(-1)!.event).toBe('run.finished')
  })
})

describe('a stream of a run that goes on', () => {
  test('gives what has happened, then each event as it happens, and ends with the run', async () => {
    const { id, letGo } = await aRunUnderWay()
    const stream = await watch(`/v1/runs/${id}/history`)
    const before = await stream.until('attempt.started')
    expect(before.map(({ event }) => event)).toEqual(['run.accepted', 'run.started', 'attempt.started'])
    const next = stream.next()
    letGo()
    const after = [(await next)!, ...(await stream.rest())]
    expect([...before, ...after]).toEqual(await historyOf(id))
    expect(after.map(({ event }) => event)).toEqual(['attempt.succeeded', 'run.finished'])
    expect(after[0]!.data).toMatchObject({ output: { body: { text: 'a\nb\r\n\u2028"' } } })
  })

  test('waits for the next event when the client has all so far', async () => {
    const { id, letGo } = await aRunUnderWay()
    const stream = await watch(`/v1/runs/${id}/history`, { 'Last-Event-ID': '3' })
    const next = stream.next()
    letGo()
    expect(await next).toMatchObject({ id: 4, event: 'attempt.succeeded' })
    expect(await stream.rest()).toMatchObject([{ id: 5, event: 'run.finished' }])
  })

  test('gives each of many who watch the same', async () => {
    const { id, letGo } = await aRunUnderWay()
    const streams = await Promise.all(Array.from({ length: 30 }, () => watch(`/v1/runs/${id}/history`)))
    const read = streams.map((stream) => stream.rest())
    letGo()
    const all = await Promise.all(read)
    const history = await historyOf(id)
    for (const frames of all) expect(frames).toEqual(history)
  })

  test('ends with a run that is cancelled', async () => {
    const { id } = await aRunUnderWay()
    const stream = await watch(`/v1/runs/${id}/history`)
    await stream.until('attempt.started')
    await post(`/v1/runs/${id}/cancel`)
    expect((await stream.rest()).at(-1)).toMatchObject({ event: 'run.finished', data: { status: 'cancelled' } })
  })

  test('goes on without a gap or a repeat when the Runner is evicted in between', async () => {
    const workflow = await aCallingWorkflow({ timeout: '1m' })
    vi.spyOn(globalThis, 'fetch').mockImplementation(
      async () => new Response('later', { status: 503, headers: { 'Retry-After': '30' } }),
    )
    const tasks = [{ id: 'call', type: 'http', retry: { max_attempts: 3 }, with: { url: 'https://upstream.test/x' } }]
    await post('/v1/workflows', { name: workflow, tasks, timeout: '2m' })
    const { id } = (await post('/v1/run', { workflow }, { Prefer: 'respond-async' })).body
    const stream = await watch(`/v1/runs/${id}/history`)
    const before = await stream.until('task.waiting')
    await evictDurableObject(runnerOfRun(id))
    const next = stream.next()
    await post(`/v1/runs/${id}/cancel`)
    const after = [(await next)!, ...(await stream.rest())]
    expect([...before, ...after]).toEqual(await historyOf(id))
  })

  test('goes on without a gap or a repeat when the Runner crashes in between', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {})
    const { id, letGo } = await aRunUnderWay()
    const stream = await watch(`/v1/runs/${id}/history`)
    const before = await stream.until('attempt.started')
    const rest = stream.rest()
    await abortAllDurableObjects()
    await post(`/v1/runs/${id}/cancel`)
    expect([...before, ...(await rest)]).toEqual(await historyOf(id))
    letGo()
  })

  test.each(['history', 'events'])('of %s in a form that there is not is refused', async (name) => {
    const id = await aRunThatEnded()
    const refused = await get(`/v1/runs/${id}/${name}`, { headers: { Accept: 'application/xml' } })
    expect(refused).toMatchObject({ status: 406, body: { code: 'not_acceptable' } })
    expect((await get(`/v1/runs/${id}/${name}`, { headers: { Accept: 'application/*' } })).status).toBe(200)
  })

  test('frees its place when its client leaves', async () => {
    const { id, letGo } = await aRunUnderWay()
    const stream = await watch(`/v1/runs/${id}/history`)
    await stream.until('attempt.started')
    // It has the last place but those of 255 others.
    const others: Watch[] = []
    for (let n = 0; n < 255; n++) {
      const other = await Watch.after(sourceOf(env, 'default', id), 0)
      await other.join()
      others.push(other)
    }
    const next = () => fetchRaw('GET', `/v1/runs/${id}/history`, { headers: { Accept: 'text/event-stream' } })
    expect((await next()).status).toBe(429)
    await stream.cancel()
    await vi.waitFor(async () => {
      const response = await next()
      expect(response.status).toBe(200)
      await response.body!.cancel()
    })
    for (const other of others) other.close()
    letGo()
  })
})

/** A client's end of a WebSocket: what came, and how it closed. */
class Listener {
  // biome-ignore lint/suspicious/noExplicitAny: messages are data
  readonly messages: any[] = []
  closed: { code: number; reason: string } | null = null
  readonly socket: WebSocket

  constructor(socket: WebSocket) {
    this.socket = socket
    socket.addEventListener('message', ({ data }) => this.messages.push(JSON.parse(data as string)))
    socket.addEventListener('close', ({ code, reason }) => {
      this.closed = { code, reason }
    })
    socket.accept()
  }

  async received(count: number): Promise<void> {
    await vi.waitFor(() => expect(this.messages.length).toBeGreaterThanOrEqual(count), { interval: 2, timeout: 5_000 })
  }

  async close(): Promise<{ code: number; reason: string }> {
    await vi.waitFor(() => expect(this.closed).not.toBeNull(), { interval: 2, timeout: 5_000 })
    return this.closed!
  }
}

async function connect(path: string, headers: Record<string, string> = {}): Promise<Listener> {
  const response = await fetchRaw('GET', path, { headers: { Upgrade: 'websocket', ...headers } })
  expect(response.status).toBe(101)
  return new Listener(response.webSocket!)
}

describe('a WebSocket', () => {
  test('of a run that has ended gives its whole history and closes with 1000', async () => {
    const id = await aRunThatEnded()
    const listener = await connect(`/v1/runs/${id}/history`)
    expect((await listener.close()).code).toBe(1000)
    expect(listener.messages).toEqual(await historyOf(id))
  })

  test('goes on after the last event that the client has, and gives nothing to who has all', async () => {
    const id = await aRunThatEnded()
    const history = await historyOf(id)
    for (const [path, headers] of [
      [`/v1/runs/${id}/events?after=5`, {}],
      [`/v1/runs/${id}/events`, { 'Last-Event-ID': '5' }],
    ] as const) {
      const listener = await connect(path, headers)
      await listener.close()
      expect(listener.messages).toEqual(history.slice(5))
    }
    const nothing = await connect(`/v1/runs/${id}/events?after=7`)
    expect((await nothing.close()).code).toBe(1000)
    expect(nothing.messages).toEqual([])
  })

  test('gives each event of a run as it happens', async () => {
    const { id, letGo } = await aRunUnderWay()
    const listener = await connect(`/v1/runs/${id}/history`)
    await listener.received(3)
    letGo()
    expect(await listener.close()).toEqual({ code: 1000, reason: 'the run has ended' })
    expect(listener.messages).toEqual(await historyOf(id))
  })

  test('takes no messages', async () => {
    const { id, letGo } = await aRunUnderWay()
    const listener = await connect(`/v1/runs/${id}/history`)
    listener.socket.send('hello')
    expect((await listener.close()).code).toBe(1003)
    letGo()
  })

  test('of a run that is not there, or with pages, is a problem', async () => {
    const headers = { Upgrade: 'websocket' }
    expect(await get('/v1/runs/nobody/history', { headers })).toMatchObject({ status: 404 })
    const id = await aRunThatEnded()
    expect(await get(`/v1/runs/${id}/history?limit=2`, { headers })).toMatchObject({ status: 400 })
    expect((await get(`/v1/runs/${id}/history`, { headers, env: { AUTH: 'required', ADMIN_KEY: 'x' } })).status).toBe(
      401,
    )
  })

  const bounds = { heartbeatMs: 1_000, maxLength: 1_000_000 }
  const listenTo = async (source: ScriptedSource, rest = {}) => {
    const watched = await Watch.after(source, 0)
    await watched.join()
    return new Listener(socketResponse(watched, { ...bounds, ...rest }).webSocket!)
  }

  test('carries so much and no more, and says where to go on', async () => {
    const source = new ScriptedSource()
    source.add(1_000, 2_000)
    const listener = await listenTo(source)
    expect(await listener.close()).toEqual({ code: 1013, reason: 'go on with ?after=600' })
    expect(listener.messages).toHaveLength(600)
    expect(source.reads).toBe(3)
  })

  test('is never silent for longer than a heartbeat', async () => {
    const source = new ScriptedSource()
    const listener = await listenTo(source, { heartbeatMs: 5 })
    await listener.received(3)
    expect(listener.messages[2]).toEqual({ event: 'heartbeat', data: {} })
    listener.socket.close()
  })

  test('of a run that is purged says so and closes', async () => {
    const source = new ScriptedSource()
    source.add(1)
    const listener = await listenTo(source)
    await listener.received(1)
    source.isGone = true
    source.add(1)
    expect(await listener.close()).toEqual({ code: 1000, reason: 'the run was deleted' })
    expect(listener.messages.at(-1)).toEqual({ event: 'purged', data: {} })
  })

  test('whose Runner stays away closes with 1012', async () => {
    const source = new ScriptedSource()
    source.add(1)
    const listener = await listenTo(source)
    await listener.received(1)
    source.refuse = new ApiProblem('unavailable', 'away')
    source.sockets[0]!.close(1012)
    expect(await listener.close()).toEqual({ code: 1012, reason: 'go on with ?after=1' })
  })
})

test('a stream of a run that is deleted while it is read ends with that', async () => {
  const id = await aRunThatEnded(Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`t${n}`, []])))
  const stream = new Reader(eventStream(await Watch.after(sourceOf(env, 'default', id), 0)))
  await stream.next()
  expect((await call('DELETE', `/v1/runs/${id}`)).status).toBe(204)
  const rest = await stream.rest()
  expect(rest).toHaveLength(200)
  expect(rest.at(-1)).toEqual({ event: 'purged', data: {} })
})

describe('who asks for a stream', () => {
  test('of a run that is not there gets a problem', async () => {
    for (const id of ['nobody', 'run_0b01K7ZB3V9QJ4X5Y6Z7A8B9C0D1']) {
      const refused = await get(`/v1/runs/${id}/history`, { headers: { Accept: 'text/event-stream' } })
      expect(refused).toMatchObject({ status: 404, body: { code: 'run_not_found' } })
    }
  })

  test('with HEAD gets the headers of it', async () => {
    const { id, letGo } = await aRunUnderWay()
    const { status, headers } = await call('HEAD', `/v1/runs/${id}/history`, {
      headers: { Accept: 'text/event-stream' },
    })
    expect([status, headers.get('Content-Type')]).toEqual([200, 'text/event-stream'])
    letGo()
  })

  test.each(['limit=5', 'cursor=abc', 'limit=5&cursor=abc', 'after=x', 'after=-1'])(
    'with %s is refused',
    async (query) => {
      const id = await aRunThatEnded()
      const refused = await get(`/v1/runs/${id}/history?${query}`, { headers: { Accept: 'text/event-stream' } })
      expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_parameter' } })
    },
  )

  test('by Accept gets one; everybody else gets pages', async () => {
    const id = await aRunThatEnded()
    const typeFor = async (headers: Record<string, string>) => {
      const response = await fetchRaw('GET', `/v1/runs/${id}/events`, { headers })
      await response.text()
      expect(response.headers.get('Vary')).toContain('Accept')
      return response.headers.get('Content-Type')
    }
    for (const Accept of ['application/json, text/event-stream', '*/*', 'application/json', 'text/html, */*;q=0.8']) {
      expect(await typeFor({ Accept })).toBe('application/json')
    }
    expect(await typeFor({})).toBe('application/json')
    for (const Accept of ['text/event-stream', 'text/event-stream, application/json;q=0.9', 'text/*']) {
      expect(await typeFor({ Accept })).toBe('text/event-stream')
    }
  })

  test('is let in as everybody else', async () => {
    const id = await aRunThatEnded()
    const headers = { Accept: 'text/event-stream' }
    const closed = { AUTH: 'required', ADMIN_KEY: 'secret' }
    expect((await get(`/v1/runs/${id}/history`, { headers, env: closed })).status).toBe(401)
    const foreign = { ...headers, Origin: 'https://evil.test' }
    expect((await get(`/v1/runs/${id}/history`, { headers: foreign })).status).toBe(403)
    const page = { ...headers, Origin: 'https://page.test' }
    const response = await fetchRaw('GET', `/v1/runs/${id}/history`, {
      headers: { ...page, Authorization: 'Bearer secret' },
      env: { ...closed, CORS_ORIGINS: 'https://page.test' },
    })
    expect(response.headers.get('Access-Control-Allow-Origin')).toBe('https://page.test')
    expect(await new Reader(response.body!).rest()).toHaveLength(7)
  })
})

describe('pages', () => {
  test('begin after an event, and their cursors belong to that', async () => {
    const id = await aRunThatEnded()
    const history = await historyOf(id)
    const first = (await get(`/v1/runs/${id}/history?after=2&limit=3`)).body
    expect(first.items).toEqual(history.slice(2, 5))
    const second = (await get(`/v1/runs/${id}/history?after=2&cursor=${first.next_cursor}`)).body
    expect(second).toEqual({ items: history.slice(5), next_cursor: null })
    expect((await get(`/v1/runs/${id}/history?cursor=${first.next_cursor}`)).body.code).toBe('bad_cursor')
    expect((await get(`/v1/runs/${id}/history?after=7`)).body).toEqual({ items: [], next_cursor: null })
    expect((await get(`/v1/runs/${id}/history?after=70`)).body).toEqual({ items: [], next_cursor: null })
  })
})

/** A history that tests make up, read through a socket pair of its own. */
class ScriptedSource implements WatchSource {
  readonly items: string[] = []
  hasEnded = false
  isGone = false
  reads = 0
  refuse: Error | null = null
  readonly sockets: WebSocket[] = []

  /** Tells their number only, as for events that are long. */
  add(count: number, size = 10): void {
    for (let n = 0; n < count; n++) this.items.push(this.itemAfter(size))
    for (const socket of this.sockets) socket.send(String(this.items.length))
  }

  /** Tells the events, as those that are short are. */
  push(count: number, size = 10): void {
    for (let n = 0; n < count; n++) this.items.push(this.itemAfter(size))
    const text = newsText({ last: this.items.length, hasEnded: this.hasEnded, items: this.items.slice(-count) })
    for (const socket of this.sockets) socket.send(text)
  }

  itemAfter(size = 10): string {
    const id = this.items.length + 1
    return JSON.stringify({ id, event: 'attempt.started', data: { text: 'x'.repeat(size) } })
  }

  async page(after: number): Promise<EventPage> {
    this.reads++
    if (this.isGone) throw new ApiProblem('run_not_found', 'gone')
    if (this.refuse !== null) throw this.refuse
    const items = this.items.slice(after, after + 200)
    const shown = after + items.length
    const last = this.items.length
    return { kind: 'page', items, next: shown < last ? shown : null, last, hasEnded: this.hasEnded }
  }

  async socket(): Promise<WebSocket> {
    if (this.refuse !== null) throw this.refuse
    const { 0: theirs, 1: ours } = new WebSocketPair()
    ours.accept()
    ours.addEventListener('message', ({ data }) => ours.send(data === 'ping' ? 'pong' : ''))
    ours.send(String(this.items.length))
    this.sockets.push(ours)
    return theirs
  }

  async stream(heartbeatMs: number, after = 0): Promise<Reader> {
    const watch = await Watch.after(this, after)
    await watch.join()
    return new Reader(eventStream(watch, heartbeatMs))
  }
}

describe('a stream', () => {
  test('of which nothing is read costs one page, whatever happens', async () => {
    const source = new ScriptedSource()
    source.add(3)
    const stream = await source.stream(1)
    for (let n = 0; n < 50; n++) {
      source.add(100, 1_000)
      await scheduler.wait(1)
    }
    expect(source.reads).toBe(1)
    expect((await stream.next())!.id).toBe(1)
    await scheduler.wait(20)
    expect(source.reads).toBe(1)
    source.hasEnded = true
    const rest = await stream.rest()
    expect(rest.filter(({ id }) => id !== undefined).map(({ id }) => id)).toEqual(
      Array.from({ length: 5_002 }, (_, index) => index + 2),
    )
  })

  test('is never silent for longer than a heartbeat', async () => {
    const source = new ScriptedSource()
    source.add(1)
    const stream = await source.stream(5)
    expect((await stream.next())!.id).toBe(1)
    for (let n = 0; n < 5; n++) expect(await stream.next()).toEqual({ comment: true })
    source.add(1)
    let frame = await stream.next()
    while (frame?.comment === true) frame = await stream.next()
    expect(frame!.id).toBe(2)
    await stream.cancel()
  })

  test('of a run that is purged says so and ends', async () => {
    const source = new ScriptedSource()
    source.add(250)
    source.hasEnded = true
    const stream = await source.stream(1_000)
    await stream.next()
    source.isGone = true
    const rest = await stream.rest()
    expect(rest).toHaveLength(200)
    expect(rest.at(-1)).toEqual({ event: 'purged', data: {} })
  })

  test('whose Runner stays away ends, so that its client comes again', async () => {
    const source = new ScriptedSource()
    source.add(2)
    const stream = await source.stream(1_000)
    await stream.next()
    await stream.next()
    const rest = stream.rest()
    source.refuse = new ApiProblem('unavailable', 'away')
    source.sockets[0]!.close(1012)
    expect(await rest).toEqual([])
    expect(source.reads).toBe(1 + 7)
  })

  test('whose Runner comes back goes on, with a new socket', async () => {
    const source = new ScriptedSource()
    source.add(2)
    const stream = await source.stream(1_000)
    await stream.next()
    await stream.next()
    const next = stream.next()
    source.refuse = Object.assign(new Error('reset'), { retryable: true })
    source.sockets[0]!.close(1012)
    source.sockets.length = 0
    await scheduler.wait(10)
    source.refuse = null
    source.add(1)
    expect((await next)!.id).toBe(3)
    expect(source.sockets).toHaveLength(1)
    await stream.cancel()
  })

  test('whose socket is dead and does not say so gets another', async () => {
    const source = new ScriptedSource()
    source.add(1)
    const { 0: deaf, 1: ours } = new WebSocketPair()
    ours.accept()
    const open = vi.spyOn(source, 'socket').mockImplementationOnce(async () => deaf)
    const stream = await source.stream(5)
    await stream.next()
    while (open.mock.calls.length < 2) expect(await stream.next()).toEqual({ comment: true })
    source.add(1)
    let frame = await stream.next()
    while (frame?.comment === true) frame = await stream.next()
    expect(frame!.id).toBe(2)
    await stream.cancel()
  })

  test('ends before its request has made all calls that it may, and can be taken up again', async () => {
    const source = new ScriptedSource()
    source.add(200 * 950)
    source.hasEnded = true
    const ids = (await (await source.stream(1_000)).rest()).map(({ id }) => id)
    expect(ids).toHaveLength(200 * 900)
    const rest = (await (await source.stream(1_000, ids.at(-1)!)).rest()).map(({ id }) => id)
    expect([...ids, ...rest]).toEqual(Array.from({ length: 200 * 950 }, (_, index) => index + 1))
  })

  test('that is left while it waits stops waiting', async () => {
    const source = new ScriptedSource()
    const watched = await Watch.after(source, 0)
    await watched.join()
    const next = watched.next(60_000)
    watched.close()
    expect(await next).toEqual({ kind: 'lost' })
  })
})

describe('what tasks have so far', () => {
  const partial = (offset: number, text = 'x') => ({ task: 'ask', attempt: 1, offset, text })
  const say = (source: ScriptedSource, ...said: ReturnType<typeof partial>[]) => {
    for (const one of said) for (const socket of source.sockets) socket.send(partialText(one))
  }

  test('is shown between events, without an id, and read from nowhere', async () => {
    const source = new ScriptedSource()
    source.add(1)
    const stream = await source.stream(60_000)
    await stream.next()
    say(source, partial(0, 'line\n\nbreaks'), partial(13))
    expect(await stream.next()).toEqual({ event: 'task.partial', data: partial(0, 'line\n\nbreaks') })
    expect(await stream.next()).toEqual({ event: 'task.partial', data: partial(13) })
    source.push(1)
    expect((await stream.next())!.id).toBe(2)
    expect(source.reads).toBe(1)
    await stream.cancel()
  })

  test('is bounded for a client that does not read, and forgotten at the next commit', async () => {
    const source = new ScriptedSource()
    source.add(1)
    const stream = await source.stream(60_000)
    await stream.next()
    for (let n = 0; n < 100; n++) say(source, partial(n * 1_000, 'x'.repeat(1_000)))
    await scheduler.wait(20)
    const offsets: unknown[] = []
    while (offsets.at(-1) !== 99_000) offsets.push((await stream.next())!.data!.offset)
    expect(offsets.length).toBeLessThan(40)
    for (let n = 0; n < 100; n++) say(source, partial(n))
    source.push(1)
    await scheduler.wait(20)
    expect((await stream.next())!.id).toBe(2)
    await stream.cancel()
  })

  test('is a message without an id over a WebSocket', async () => {
    const source = new ScriptedSource()
    source.add(1)
    const watched = await Watch.after(source, 0)
    await watched.join()
    const { webSocket } = socketResponse(watched)
    const messages: string[] = []
    webSocket!.addEventListener('message', ({ data }) => void messages.push(String(data)))
    webSocket!.accept()
    say(source, partial(0))
    await vi.waitFor(() => expect(messages).toHaveLength(2))
    expect(JSON.parse(messages[1]!)).toEqual({ event: 'task.partial', data: partial(0) })
    webSocket!.close()
  })
})

describe('events that the Runner sends', () => {
  const idsOf = (frames: readonly (Frame | null)[]) => frames.map((frame) => frame?.id)
  const numbers = (to: number) => Array.from({ length: to }, (_, index) => index + 1)

  /** A stream that has its first event and waits for more. */
  async function waiting(): Promise<{ source: ScriptedSource; stream: Reader }> {
    const source = new ScriptedSource()
    source.add(1)
    const stream = await source.stream(60_000)
    expect((await stream.next())!.id).toBe(1)
    return { source, stream }
  }

  test('are handed out without a page, the end of the run too', async () => {
    const { source, stream } = await waiting()
    const rest = stream.rest()
    for (let n = 0; n < 20; n++) {
      source.push(1 + (n % 3))
      await scheduler.wait(1)
    }
    source.hasEnded = true
    source.push(1)
    expect(idsOf(await rest)).toEqual(numbers(source.items.length).slice(1))
    expect(source.reads).toBe(1)
  })

  test('are read where only their number came, or none did, in order and once', async () => {
    const { source, stream } = await waiting()
    const rest = stream.rest()
    for (let n = 0; n < 60; n++) {
      if (n % 4 === 1)
        source.add(2) // An older release, or too long.
      else if (n % 7 === 3)
        source.items.push(source.itemAfter()) // A message that got lost.
      else source.push(1 + (n % 2))
      if (n % 5 === 0) await scheduler.wait(1)
    }
    source.hasEnded = true
    source.push(1)
    expect(idsOf(await rest)).toEqual(numbers(source.items.length).slice(1))
    expect(source.reads).toBeGreaterThan(1)
  })

  test('wait for a client that does not read in a bounded place, and none is lost', async () => {
    const { source, stream } = await waiting()
    for (let n = 0; n < 100; n++) source.push(1, 8_000)
    await scheduler.wait(20)
    expect(source.reads).toBe(1)
    source.hasEnded = true
    source.push(1)
    const rest = await stream.rest()
    expect(idsOf(rest)).toEqual(numbers(102).slice(1))
    expect(source.reads).toBe(2)
  })

  test('come of a run to whoever watches it, and a page is read at the beginning only', async () => {
    const { id, letGo } = await aRunUnderWay()
    const source = sourceOf(env, 'default', id)
    const page = vi.spyOn(source, 'page')
    const watched = await Watch.after(source, 0)
    await watched.join()
    const stream = new Reader(eventStream(watched))
    const before = await stream.until('attempt.started')
    const rest = stream.rest()
    letGo()
    expect([...before, ...(await rest)]).toEqual(await historyOf(id))
    expect(page).toHaveBeenCalledTimes(1)
  })

  test('are too long for a message when an output is, and come as a page', async () => {
    const workflow = await aCallingWorkflow({ timeout: '1m' })
    const gate = Promise.withResolvers<void>()
    const called = vi.spyOn(globalThis, 'fetch').mockImplementation(async () => {
      await gate.promise
      return Response.json({ text: 'x'.repeat(40_000) })
    })
    const { id } = (await post('/v1/run', { workflow }, { Prefer: 'respond-async' })).body
    await vi.waitFor(() => expect(called).toHaveBeenCalledTimes(1), { interval: 2 })
    const source = sourceOf(env, 'default', id)
    const page = vi.spyOn(source, 'page')
    const watched = await Watch.after(source, 0)
    await watched.join()
    const stream = new Reader(eventStream(watched))
    const before = await stream.until('attempt.started')
    const rest = stream.rest()
    gate.resolve()
    expect([...before, ...(await rest)]).toEqual(await historyOf(id))
    expect(page).toHaveBeenCalledTimes(2)
  })
})

describe('watchers', () => {
  test('of a run are bounded, and who leaves makes room', async () => {
    const { id, letGo } = await aRunUnderWay()
    const source = sourceOf(env, 'default', id)
    const watches: Watch[] = []
    for (let n = 0; n < 256; n++) {
      const watched = await Watch.after(source, 0)
      await watched.join()
      watches.push(watched)
    }
    const headers = { Accept: 'text/event-stream' }
    const refused = await get(`/v1/runs/${id}/history`, { headers })
    expect(refused).toMatchObject({ status: 429, body: { code: 'too_many_watchers' } })
    expect(refused.headers.get('Retry-After')).toBe('15')
    expect((await get(`/v1/runs/${id}/history`)).status).toBe(200)
    watches.pop()!.close()
    await vi.waitFor(async () => {
      const response = await fetchRaw('GET', `/v1/runs/${id}/history`, { headers })
      expect(response.status).toBe(200)
      await response.body!.cancel()
    })
    for (const watched of watches) watched.close()
    letGo()
  })
})
