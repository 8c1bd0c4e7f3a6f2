// How long maps take: of ten thousand expressions, which is the engine alone, and of a thousand calls, which should be the
// called server's pace: one that answers at once, and one that takes its time. Beside the calls, in turns, the same calls made
// by a Worker that keeps nothing, as many at once.

import type { Aim } from './aims.ts'
import type { Bench } from './cases.ts'
import { call, median, quantile } from './drive.ts'

const EXPRESSIONS = 10_000
const CALLS = 1_000
const AT_ONCE = 64

/** How long a server takes that does some work, in ms. */
const WORK_MS = 50

/** What an item of a map costs beyond its call. */
export async function mapAims(bench: Bench): Promise<Aim[]> {
  const { orchestrator, upstreamUrl } = bench
  const mapping = (name: string, items: number, task: object) => {
    const config = { items: Array.from({ length: items }, (_, index) => index), task, max_parallel: AT_ONCE }
    const tasks = [{ id: 'each', type: 'map', with: config }]
    return { name, timeout: '5m', max_parallel: AT_ONCE, output: 'done', tasks }
  }
  const value = `\${{ item % 2 == 0 ? item : index }}`
  await orchestrator.register(mapping('map-expressions', EXPRESSIONS, { type: 'transform', with: { value } }))
  const aims: Aim[] = []
  for (const [workflow, url, what] of [
    ['map-calls', upstreamUrl, 'a server that answers at once'],
    ['map-slow-calls', `${upstreamUrl}/?delay=${WORK_MS}`, `a server that takes ${WORK_MS} ms`],
  ] as const) {
    await orchestrator.register(mapping(workflow, CALLS, { type: 'http', with: { url } }))
    aims.push(await callsAim(bench, workflow, url, what))
  }
  const expressions = await timesOf(bench, 'map-expressions')
  return [
    {
      figure: `map of ${EXPRESSIONS.toLocaleString('en-US')} expressions`,
      aim: '<= 5 s',
      measured: `${median(expressions.ms).toFixed(0)} ms, ${expressions.rows} rows written (worst ${quantile(expressions.ms, 1).toFixed(0)} ms)`,
      isReached: median(expressions.ms) <= 5_000,
      how: 'median time as the client sees it, of a start that waits',
    },
    ...aims,
  ]
}

async function callsAim(bench: Bench, workflow: string, url: string, what: string): Promise<Aim> {
  const calls: number[] = []
  const direct: number[] = []
  let rows = 0
  for (let round = 0; round < bench.form.rounds; round++) {
    direct.push(await directly(bench.floorUrl, url))
    const { ms, rows: written } = await timesOf(bench, workflow, 1)
    calls.push(...ms)
    rows = written
  }
  const perItem = (median(calls) - median(direct)) / CALLS
  return {
    figure: `map of ${CALLS.toLocaleString('en-US')} calls of ${what}, ${AT_ONCE} at once`,
    aim: "the called server's pace, not the engine's: reported",
    measured: `${median(calls).toFixed(0)} ms, ${rows} rows written; a bare Worker ${median(direct).toFixed(0)} ms; ${perItem.toFixed(2)} ms more an item`,
    isReached: true,
    how: `median of ${bench.form.rounds} rounds, in turns with ${CALLS.toLocaleString('en-US')} calls of the same server by a Worker that keeps nothing, ${AT_ONCE} at once`,
  }
}

/** Times of some runs in ms, and the rows that the last one wrote. */
async function timesOf({ orchestrator, form }: Bench, workflow: string, rounds = form.rounds) {
  const ms: number[] = []
  let rows = 0
  for (let round = 0; round < rounds; round++) {
    const before = await orchestrator.rows()
    const at = performance.now()
    await orchestrator.run(workflow)
    ms.push(performance.now() - at)
    rows = (await orchestrator.rows()).written - before.written
  }
  return { ms, rows }
}

async function directly(floorUrl: string, url: string): Promise<number> {
  const at = performance.now()
  const { text } = await call(
    'GET',
    `${floorUrl}/direct?url=${encodeURIComponent(url)}&calls=${CALLS}&at_once=${AT_ONCE}`,
  )
  if (JSON.parse(text).status !== 'succeeded') throw new Error(`the bare Worker's calls ended as ${text}`)
  return performance.now() - at
}
