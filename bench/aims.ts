// What the project has set itself to reach, beside what was measured. A figure is reported, never asserted: the machine is shared.

import type { Bench, Row } from './cases.ts'
import { DAGS, definitionOf } from './dags.ts'
import { type Burst, call, inTurns, latenciesOf, median, quantile, rateOf, ratioOf, type Work } from './drive.ts'
import { keysOf } from './orchestrator.ts'

/** A figure that the project wants to reach, and what was measured. */
export interface Aim {
  figure: string
  aim: string
  measured: string
  isReached: boolean
  how: string
}

/** The rows of one graph: one for each concurrency that it was measured at. */
function rowsOf(rows: readonly Row[], workflow: string, calls: boolean): Row[] {
  return rows.filter((row) => row.workflow === workflow && row.calls === calls)
}

/** How many runs a second the orchestrator makes, against the requests a second of the floor Worker. */
export function floorAims(rows: readonly Row[]): Aim[] {
  const against = (workflow: string, least: number) =>
    rowsOf(rows, workflow, false).map(
      (row): Aim => ({
        figure: `runs/s of ${workflow} against the floor, ${row.concurrency} at once`,
        aim: `>= ${least} x`,
        measured: `${row.toFloor.toFixed(2)} x (${row.runsPerSecond.toFixed(0)}/s, floor ${row.floorPerSecond.toFixed(0)}/s)`,
        isReached: row.toFloor >= least,
        how: 'placeholders, synchronous answer; median over rounds of run rate / floor rate',
      }),
    )
  return [...against('one', 0.5), ...against('layers50', 0.2)]
}

/** How many rows a run writes, against the budget for its kind of tasks. */
export function rowAims(rows: readonly Row[]): Aim[] {
  const callers = rows.filter(({ calls }) => calls)
  const placeholders = rows.filter(({ calls, tasks }) => !calls && tasks <= 100)
  return [
    worst(callers, 'rows written per run, tasks that call out', '<= 3 + 1.2 x tasks', ({ tasks }) => 3 + 1.2 * tasks),
    worst(placeholders, 'rows written per run, placeholders up to 100 tasks', '<= 4', () => 4),
  ]
}

/** The row that comes closest to its budget, or goes furthest beyond. */
function worst(rows: readonly Row[], figure: string, aim: string, budget: (row: Row) => number): Aim {
  const [first] = rows.toSorted((a, b) => b.rowsWritten / budget(b) - a.rowsWritten / budget(a))
  const over = rows.filter((row) => row.rowsWritten > budget(row))
  const { workflow, concurrency, rowsWritten } = first!
  return {
    figure,
    aim,
    measured: `worst of ${rows.length}: ${rowsWritten.toFixed(1)} of ${budget(first!).toFixed(1)} (${workflow}, ${concurrency} at once)`,
    isReached: over.length === 0,
    how: 'difference of orchestrator_rows_written_total over the runs of the table, each row of it',
  }
}

/** How much a task costs more in a large run than in a small one. */
export function growthAims(rows: readonly Row[]): Aim[] {
  const perTask = (workflow: string) =>
    rowsOf(rows, workflow, false).find(({ concurrency }) => concurrency === 1)!.msPerTask
  const small = perTask('grow10')
  return [['grow1000', 1.5] as const, ['grow10000', 3] as const].map(([workflow, most]): Aim => {
    const growth = perTask(workflow) / small
    return {
      figure: `ms per task of ${workflow} against grow10`,
      aim: `<= ${most} x`,
      measured: `${growth.toFixed(2)} x (${perTask(workflow).toFixed(4)} ms, of 10 tasks ${small.toFixed(4)} ms)`,
      isReached: growth <= most,
      how: 'median time of a run as its client sees it / tasks, placeholders, one at a time, same surroundings of each task',
    }
  })
}

/** What a task that calls out costs beyond its call: ten of them one after another, against ten calls that a Worker makes itself. */
export async function overheadAim(bench: Bench): Promise<Aim> {
  const { form, orchestrator } = bench
  const direct: Work = async () => {
    const answer = await call(
      'GET',
      `${bench.floorUrl}/direct?calls=10&url=${encodeURIComponent(`${bench.upstreamUrl}/`)}`,
    )
    if (!answer.text.includes('succeeded')) throw new Error(`direct calls answered ${answer.status} ${answer.text}`)
  }
  const pace = { concurrency: 1, rounds: form.rounds, ms: form.ms, atLeast: 10 }
  const [calls, runs] = await inTurns([direct, () => orchestrator.run('chain10-calls')], pace)
  const each = runs!.map((burst, round) => (median(burst.latencies) - median(calls![round]!.latencies)) / 10)
  const of = (bursts: typeof runs) => (median(latenciesOf(bursts!)) / 10).toFixed(2)
  const overhead = median(each)
  return {
    figure: 'overhead per http task of chain10, one at a time',
    aim: '< 1.5 ms',
    measured: `${overhead.toFixed(2)} ms (a task ${of(runs)} ms, a direct call ${of(calls)} ms)`,
    isReached: overhead < 1.5,
    how: '(run of ten tasks - request whose Worker makes the ten calls itself) / 10; median over rounds',
  }
}

/** Ten calls of 100 ms between a head and a tail, on 4 slots: 1 + 3 + 1 rounds. */
export async function slotsAim(bench: Bench): Promise<Aim> {
  const { form, orchestrator } = bench
  await orchestrator.register(definitionOf('fan10-slow', DAGS.fan10, `${bench.upstreamUrl}/?delay=100`))
  const took: number[] = []
  const recorded: number[] = []
  for (let round = 0; round <= form.rounds; round++) {
    const at = performance.now()
    const { duration_ms } = await orchestrator.checkedRun('fan10-slow', 12)
    if (round === 0) continue // Its shard had to learn the workflow.
    took.push(performance.now() - at)
    recorded.push(duration_ms)
  }
  return {
    figure: 'fan10 of 100 ms calls with 4 slots',
    aim: '<= 550 ms (ideal 500 ms)',
    measured: `${median(took).toFixed(0)} ms (recorded ${median(recorded)} ms; worst of ${took.length}: ${quantile(took, 1).toFixed(0)} ms)`,
    isReached: median(took) <= 550,
    how: 'median time as the client sees it; the server itself answers after 100 ms and its own latency',
  }
}

/**
 * What a shard's past costs. Another shard that stays young is measured in turns with it, since a machine is not the same
 * after the half minute that filling takes.
 */
export async function pastAim(bench: Bench): Promise<Aim> {
  const { form, orchestrator } = bench
  const pace = { concurrency: 16, rounds: 1, ms: form.ms, atLeast: 16 }
  const fill = starterOn(bench, 0, 'past')
  const measured = async (name: string) => {
    const works = [starterOn(bench, 0, name), starterOn(bench, 1, name)] as const
    const old: Burst[] = []
    const young: Burst[] = []
    // Now the one first, now the other: a disk that falls behind does so during the second.
    for (let round = 0; round < 2 * form.rounds; round++) {
      const isTurned = round % 2 === 1
      const [first, second] = await inTurns(isTurned ? [works[1], works[0]] : works, pace)
      old.push(...(isTurned ? second! : first!))
      young.push(...(isTurned ? first! : second!))
    }
    return { old: rateOf(old), ratio: ratioOf(old, young) }
  }
  const before = await measured('before')
  const { runs } = await orchestrator.rows()
  await inTurns([fill], { ...pace, rounds: 1, ms: 0, atLeast: form.pastRuns })
  const added = (await orchestrator.rows()).runs - runs
  const after = await measured('after')
  const change = after.ratio / before.ratio - 1
  const percent = (share: number) => `${share < 0 ? '' : '+'}${(share * 100).toFixed(1)} %`
  return {
    figure: `runs/s of a shard with ${added.toLocaleString('en-US')} more past runs`,
    aim: 'change < 10 %',
    measured: `${percent(change)} (${before.old.toFixed(0)}/s, then ${after.old.toFixed(0)}/s: ${percent(after.old / before.old - 1)} as read)`,
    isReached: change > -0.1,
    how: `one with a key that goes to that shard, 16 at once; change of its rate over that of a shard without them${form.pastRuns < 10_000 ? '; the short form adds fewer' : ''}`,
  }
}

/** What a page of a list costs where a shard holds very many runs, by filter, beside the page that no filter narrows. */
export async function searchAim(bench: Bench): Promise<Aim> {
  const { form, orchestrator } = bench
  const before = (await orchestrator.rows()).runs
  await inTurns([starterOn(bench, 0, 'listed')], { concurrency: 16, rounds: 1, ms: 0, atLeast: form.listedRuns })
  const added = (await orchestrator.rows()).runs - before
  const queries = {
    'no filter': '',
    'status, found at once': 'status=succeeded',
    'status, found nowhere': 'status=paused',
    'workflow, found nowhere': 'workflow=nobody',
    'tag, found nowhere': 'tag=nothing',
    'trigger, found at once': 'trigger=api',
    'parent, found nowhere': 'parent=run_0001K7ZB3V9QJ4X5Y6Z7A8B9C0D1',
  }
  const works = Object.values(queries).map(
    (query): Work =>
      () =>
        orchestrator.page(query),
  )
  const measured = await inTurns(works, { concurrency: 1, rounds: form.rounds, ms: form.ms, atLeast: 20 })
  const figures = Object.keys(queries).map((name, index) => {
    const latencies = latenciesOf(measured[index]!)
    return { name, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) }
  })
  const worstP99 = Math.max(...figures.map(({ p99 }) => p99))
  return {
    figure: `page of a list with a shard of ${added.toLocaleString('en-US')} more runs, p99 of the slowest filter`,
    aim: '< 100 ms',
    measured: `${worstP99.toFixed(1)} ms (p50/p99 in ms: ${figures.map(({ name, p50, p99 }) => `${name} ${p50.toFixed(1)}/${p99.toFixed(1)}`).join('; ')})`,
    isReached: worstP99 < 100,
    how: 'GET /v1/runs?limit=50 as its client sees it, one at a time; a filter that finds nothing looks at 5,000 runs of each shard that has them',
  }
}

function starterOn({ orchestrator }: Bench, shard: number, name: string): Work {
  let keys: string[] = []
  let batch = 0
  return () => {
    if (keys.length === 0) keys = keysOf(shard, 1_000, `${name}-${batch++}`)
    return orchestrator.run('one', keys.pop())
  }
}
