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

/** SSE with a hundred watchers of one run; beside it, in turns, one watcher, which is what the way itself takes. */
export async function watchingAim(bench: Bench): Promise<Aim> {
  const { orchestrator, orchestratorUrl, upstreamUrl, form } = bench
  const tasks = Array.from({ length: TASKS }, (_, n) => ({
    id: `t${n}`,
    type: 'http',
    depends_on: n === 0 ? [] : [`t${n - 1}`],
    with: { url: `${upstreamUrl}/?delay=${CALL_MS}` },
  }))
  await orchestrator.register({ name: 'watched', timeout: '1m', tasks } as { name: string })
  const one: number[] = []
  const many: number[] = []
  for (let round = 0; round <= form.rounds; round++) {
    const alone = await watchRun(orchestratorUrl, 1)
    const together = await watchRun(orchestratorUrl, WATCHERS)
    if (round === 0) continue // The first runs have to learn the workflow.
    one.push(...alone)
    many.push(...together)
  }
  const p99 = quantile(many, 0.99)
  const of = (delays: readonly number[]) =>
    `${quantile(delays, 0.5).toFixed(1)} / ${quantile(delays, 0.99).toFixed(1)} ms`
  return {
    figure: `event at the client after its commit, ${WATCHERS} watchers of one run`,
    aim: 'p99 <= 20 ms',
    measured: `p50 / p99 ${of(many)} (one watcher ${of(one)}; ${many.length} events)`,
    isReached: p99 <= 20,
    how: `Server-Sent Events of a chain of ${TASKS} calls of ${CALL_MS} ms; the client's clock when the bytes are there - the event's \`at\`, in whole ms; events before the stream was open left out`,
  }
}

/** Delays of every event at every watcher, in ms. */
async function watchRun(url: string, watchers: number): Promise<number[]> {
  const started = await call('POST', `${url}/v1/run`, '{"workflow":"watched"}', { prefer: 'respond-async' })
  const { id } = JSON.parse(started.text) as { id: string }
  const delays = await Promise.all(Array.from({ length: watchers }, () => delaysOf(`${url}/v1/runs/${id}/events`)))
  return delays.flat()
}

function delaysOf(url: string): Promise<number[]> {
  const { promise, resolve, reject } = Promise.withResolvers<number[]>()
  const sent = request(url, { headers: { accept: 'text/event-stream' }, agent: false }, (response) => {
    const openAt = Date.now()
    const delays: number[] = []
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
        if (committedAt > openAt) delays.push(now - committedAt)
      }
    })
    response.on('error', reject)
    response.on('end', () => {
      if (response.statusCode === 200 && events === 2 * TASKS + 3) resolve(delays)
      else reject(new Error(`a watcher was answered ${response.statusCode} and got ${events} events`))
    })
  })
  sent.on('error', reject)
  sent.end()
  return promise
}
