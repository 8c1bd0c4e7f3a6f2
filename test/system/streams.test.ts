// Watching a run of the served Worker over real connections: live, by many, across a kill, by who leaves.

import { describe, expect, test, vi } from 'vitest'
import { type HistoryEvent, soon } from './client.ts'
import { withServer } from './harness.ts'

const { server, client, upstream } = await withServer()

interface Stream {
  /** What has come, and how the stream ended: null while it goes on. */
  readonly events: HistoryEvent[]
  readonly ended: Promise<'end' | 'broken'>
  leave(): void
}

/** Reads Server-Sent Events as a browser does: whole frames only. */
async function open(runId: string, lastEventId?: number): Promise<Stream & { status: number }> {
  const left = new AbortController()
  const headers: Record<string, string> = { accept: 'text/event-stream' }
  if (lastEventId !== undefined) headers['last-event-id'] = String(lastEventId)
  const response = await fetch(`${server.url}/v1/runs/${runId}/events`, { headers, signal: left.signal })
  const events: HistoryEvent[] = []
  return { status: response.status, events, ended: read(response, events), leave: () => left.abort() }
}

async function read(response: Response, events: HistoryEvent[]): Promise<'end' | 'broken'> {
  const decoder = new TextDecoder()
  let text = ''
  try {
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true })
      const frames = text.split('\n\n')
      text = frames.pop()!
      events.push(...frames.flatMap(eventOf))
    }
    return 'end'
  } catch {
    return 'broken' // The server died, or the test has left; it knows which.
  }
}

function eventOf(frame: string): HistoryEvent[] {
  const [, id, event, data] = /^id: (\d+)\nevent: (\S+)\ndata: (.*)$/.exec(frame) ?? []
  return id === undefined ? [] : [{ id: Number(id), event: event!, data: JSON.parse(data!) }]
}

/** A chain of calls, each of so many ms, which answer with so many bytes of filling, in turns. */
async function aChain(name: string, length: number, ms: number, bytes = [0]): Promise<string> {
  const tasks = Array.from({ length }, (_, n) => ({
    id: `t${n}`,
    type: 'http',
    depends_on: n === 0 ? [] : [`t${n - 1}`],
    with: { url: upstream.at(`ok?ms=${ms}&bytes=${bytes[n % bytes.length]}`) },
  }))
  await client.register({ name, timeout: '1m', tasks })
  const { body } = await client.start({ workflow: name }, { prefer: 'respond-async' })
  return body.id
}

describe('a stream', () => {
  test('gives every event as it happens, to many at once', async () => {
    const id = await aChain('many', 5, 50)
    const streams = await Promise.all(Array.from({ length: 40 }, () => open(id)))
    const ends = await soon('the end of all streams', 20_000, Promise.all(streams.map(({ ended }) => ended)))
    expect(new Set(ends)).toEqual(new Set(['end']))
    const history = await client.history(id)
    for (const { events } of streams) expect(events).toEqual(history)
    expect((await open(id, history.length)).status).toBe(204)
  })

  test('gives short events, which are sent, and long ones, which are read, in order and each once', async () => {
    const id = await aChain('mixed', 12, 30, [0, 20_000, 100, 10_000])
    const streams = await Promise.all(Array.from({ length: 20 }, () => open(id)))
    await soon('the end of all streams', 20_000, Promise.all(streams.map(({ ended }) => ended)))
    const history = await client.history(id)
    for (const { events } of streams) expect(events).toEqual(history)
    const lengths = history.map(({ data }) => JSON.stringify(data).length)
    expect([Math.min(...lengths) < 1_000, Math.max(...lengths) > 16 * 1024]).toEqual([true, true])
  })

  test('that a kill cut off is taken up where it was: every event once', async () => {
    const id = await aChain('killed', 12, 150)
    const before = await open(id)
    await vi.waitFor(() => expect(before.events.length).toBeGreaterThan(6), { timeout: 10_000, interval: 5 })
    await server.kill()
    expect(await soon('the end of the stream', 5_000, before.ended)).toBe('broken')
    await server.start()
    const after = await open(id, before.events.at(-1)!.id)
    expect(await soon('the end of the run', 40_000, after.ended)).toBe('end')
    const seen = [...before.events, ...after.events]
    expect(seen).toEqual(await client.history(id))
    expect(seen.map((event) => event.id)).toEqual(seen.map((_, index) => index + 1))
    expect(seen.at(-1)).toMatchObject({ event: 'run.finished', data: { status: 'succeeded' } })
    expect(seen.some(({ event }) => event === 'attempt.interrupted')).toBe(true)
  })

  test('that is left gives its place to others with its next heartbeat', async () => {
    const id = await aChain('left', 1, 55_000)
    const streams = await Promise.all(Array.from({ length: 256 }, () => open(id)))
    expect(streams.every(({ status }) => status === 200)).toBe(true)
    const refused = await open(id)
    expect(refused.status).toBe(429)
    for (const { leave } of streams) leave()
    await vi.waitFor(
      async () => {
        const stream = await open(id)
        stream.leave()
        expect(stream.status).toBe(200)
      },
      { timeout: 25_000, interval: 200 },
    )
    await client.request('POST', `/v1/runs/${id}/cancel`)
  })
})

test('a WebSocket gives every event as it happens and closes with 1000', async () => {
  const id = await aChain('socket', 4, 50)
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/runs/${id}/events?after=2`)
  const events: HistoryEvent[] = []
  socket.addEventListener('message', ({ data }) => events.push(JSON.parse(String(data))))
  const closed = new Promise<number>((resolve) => socket.addEventListener('close', ({ code }) => resolve(code)))
  expect(await soon('the close', 20_000, closed)).toBe(1000)
  expect(events).toEqual((await client.history(id)).slice(2))
})
