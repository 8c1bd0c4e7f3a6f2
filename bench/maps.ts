// How long maps take: of ten thousand expressions, which is the engine alone, and of a thousand calls, which should be the
// called server's pace. Beside the calls, in turns, the same calls made by the client itself, as many at once.

import type { Aim } from './aims.ts'
import type { Bench } from './cases.ts'
import { call, median, quantile } from './drive.ts'

const EXPRESSIONS = 10_000
const CALLS = 1_000
const AT_ONCE = 64

export async function mapAims(bench: Bench): Promise<Aim[]> {
  const { orchestrator, upstreamUrl, form } = bench
  const mapping = (name: string, items: number, task: object) => {
    const config = { items: Array.from({ length: items }, (_, index) => index), task, max_parallel: AT_ONCE }
    const tasks = [{ id: 'each', type: 'map', with: config }]
    return { name, timeout: '5m', max_parallel: AT_ONCE, output: 'done', tasks }
  }
  const value = `\${{ item % 2 == 0 ? item : index }}`
  await orchestrator.register(mapping('map-expressions', EXPRESSIONS, { type: 'transform', with: { value } }))
  await orchestrator.register(mapping('map-calls', CALLS, { type: 'http', with: { url: upstreamUrl } }))
  const expressions = await timesOf(bench, 'map-expressions')
  const calls: number[] = []
  const direct: number[] = []
  for (let round = 0; round < form.rounds; round++) {
    direct.push(await directly(upstreamUrl))
    calls.push(...(await timesOf(bench, 'map-calls', 1)).ms)
  }
  const rows = (await timesOf(bench, 'map-calls', 1)).rows
  const perItem = median(calls) / CALLS
  return [
    {
      figure: `map of ${EXPRESSIONS.toLocaleString('en-US')} expressions`,
      aim: '<= 5 s',
      measured: `${median(expressions.ms).toFixed(0)} ms, ${expressions.rows} rows written (worst ${quantile(expressions.ms, 1).toFixed(0)} ms)`,
      isReached: median(expressions.ms) <= 5_000,
      how: 'median time as the client sees it, of a start that waits',
    },
    {
      figure: `map of ${CALLS.toLocaleString('en-US')} calls, ${AT_ONCE} at once`,
      aim: "the called server's pace, not the engine's: reported",
      measured: `${median(calls).toFixed(0)} ms, ${perItem.toFixed(2)} ms an item, ${rows} rows written; the client alone ${median(direct).toFixed(0)} ms`,
      isReached: true,
      how: `median of ${form.rounds} rounds, in turns with ${CALLS.toLocaleString('en-US')} calls of the same server by the client, ${AT_ONCE} at once`,
    },
  ]
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

async function directly(url: string): Promise<number> {
  const at = performance.now()
  let left = CALLS
  const callOn = async () => {
    while (left-- > 0) {
      const { status } = await call('GET', url)
      if (status !== 200) throw new Error(`the called server answered ${status}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, callOn))
  return performance.now() - at
}
