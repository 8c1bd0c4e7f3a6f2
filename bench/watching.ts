// How soon watchers of a run have an event: from the time that its commit is recorded with (the event's `at`) to the moment
// that its bytes have reached the client, both by this machine's clock.

import { request } from 'node:http'
import type { Aim } from './aims.ts'
import type { Bench } from './cases.ts'
import { call, quantile } from './drive.ts'

const WATCHERS = 100

/** Tasks of the run that is watched, one after another, and how long each of their calls takes, in ms. */
const TASKS = 20
const CALL_MS = 60

/** How long the streams of the floor have to open before the first event, in ms. */
const OPENING_MS = 400

/** SSE with a hundred watchers of one run; beside it, in turns, one watcher, which is what the way itself takes. */
export async function watchingAim(bench: Bench): Promise<Aim> {
  const { orchestrator, orchestratorUrl, floorUrl, upstreamUrl, form } = bench
  const tasks = Array.from({ length: TASKS }, (_, n) => ({
    id: `t${n}`,
    type: 'http',
    depends_on: n === 0 ? [] : [`t${n - 1}`],
    with: { url: `${upstreamUrl}/?delay=${CALL_MS}` },
  }))
  await orchestrator.register({ name: 'watched', timeout: '1m', tasks } as { name: string })
  const one: number[] = []
  const many: number[] = []
  const opening: number[] = []
  const least: number[] = []
  for (let round = 0; round <= form.rounds; round++) {
    const alone = await watchRun(orchestratorUrl, 1)
    const together = await watchRun(orchestratorUrl, WATCHERS)
    const bare = await watchFloor(floorUrl, WATCHERS)
    if (round === 0) continue // The first runs have to learn the workflow.
    one.push(...alone.watched)
    many.push(...together.watched)
    opening.push(...together.opening)
    least.push(...bare.watched)
  }
  const p99 = quantile(many, 0.99)
  const ratio = p99 / quantile(least, 0.99)
  const of = (delays: readonly number[]) =>
    `${quantile(delays, 0.5).toFixed(1)} / ${quantile(delays, 0.99).toFixed(1)} ms`
  return {
    figure: `event at the client after its commit, ${WATCHERS} watchers of one run`,
    aim: 'p99 <= 20 ms',
    measured: `p50 / p99 ${of(many)}, p99 ${ratio.toFixed(1)} x that of a bare Worker's ${WATCHERS} streams (${of(least)}); while the streams open ${of(opening)}; one watcher ${of(one)}; ${many.length} events`,
    isReached: p99 <= 20,
    how: `Server-Sent Events of a chain of ${TASKS} calls of ${CALL_MS} ms; the client's clock when the bytes are there - the event's \`at\`, in whole ms, once all streams are open; a bare Worker writes as many bytes at set times to the same client`,
  }
}

/** Delays of every event at every watcher, in ms. */
interface Delays {
  /** Delays of events that were committed when all streams were open. */
  watched: number[]
  /** Delays of earlier events, which the server sent while it was still opening other streams. */
  opening: number[]
}

interface Arrival {
  committedAt: number
  delay: number
}

async function watchRun(url: string, watchers: number): Promise<Delays> {
  const started = await call('POST', `${url}/v1/run`, '{"workflow":"watched"}', { prefer: 'respond-async' })
  const { id } = JSON.parse(started.text) as { id: string }
  return delaysOfAll(`${url}/v1/runs/${id}/events`, watchers, 2 * TASKS + 3)
}

/** Watches streams that a bare Worker writes by the clock: what this number of streams and their client cost the machine. */
async function watchFloor(url: string, watchers: number): Promise<Delays> {
  const from = Date.now() + OPENING_MS
  return delaysOfAll(`${url}/stream?from=${from}&every=${CALL_MS}&times=${TASKS}`, watchers, 2 * TASKS)
}

async function delaysOfAll(url: string, watchers: number, events: number): Promise<Delays> {
  const streams = await Promise.all(Array.from({ length: watchers }, () => arrivalsOf(url, events)))
  const allOpenAt = Math.max(...streams.map(({ openAt }) => openAt))
  const delays: Delays = { watched: [], opening: [] }
  for (const { openAt, arrivals } of streams) {
    for (const { committedAt, delay } of arrivals) {
      if (committedAt > allOpenAt) delays.watched.push(delay)
      else if (committedAt > openAt) delays.opening.push(delay)
    }
  }
  return delays
}

function arrivalsOf(url: string, expected: number): Promise<{ openAt: number; arrivals: Arrival[] }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ openAt: number; arrivals: Arrival[] }>()
  const sent = request(url, { headers: { accept: 'text/event-stream' }, agent: false }, (response) => {
    const openAt = Date.now()
    const arrivals: Arrival[] = []
    let text = ''
    let events = 0
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      const now = Date.now()
      text += chunk
      const frames = text.split('\n\n')
      text = frames.pop()!
      for (const frame of frames) {
        const at = /^data: \{"at":"([^"]+)"/m.exec(frame)?.[1]
        if (at === undefined) continue
        events++
        const committedAt = Date.parse(at)
        arrivals.push({ committedAt, delay: now - committedAt })
      }
    })
    response.on('error', reject)
    response.on('end', () => {
      if (response.statusCode === 200 && events === expected) resolve({ openAt, arrivals })
      else reject(new Error(`a watcher was answered ${response.statusCode} and got ${events} events`))
    })
  })
  sent.on('error', reject)
  sent.end()
  return promise
}
