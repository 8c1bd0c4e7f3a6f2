// What is measured: every graph, with placeholders and with calls, one at a time and sixteen at once; and how one row is measured.

import { DAGS, type Dag, definitionOf, realGraphs } from './dags.ts'
import { type Burst, call, inTurns, latenciesOf, quantile, rateOf, ratioOf, type Work } from './drive.ts'
import type { Orchestrator } from './orchestrator.ts'
import { type Usage, watchUsage } from './usage.ts'

/** How long it may take. */
export interface Form {
  rounds: number
  ms: number
  floorMs: number
  /** Runs of more tasks than this that call out are left out. */
  maxCalls: number
  /** Past runs that a shard is filled with. */
  pastRuns: number
  /** Runs that sleep in one shard. */
  sleepers: number
  /** Runs of the shard whose lists are measured. */
  listedRuns: number
}

/** What a full bench does. */
export const FULL: Form = {
  rounds: 5,
  ms: 400,
  floorMs: 250,
  maxCalls: 10_000,
  pastRuns: 10_000,
  sleepers: 10_000,
  listedRuns: 100_000,
}
/** What `--quick` does: enough to see that the bench works. */
export const QUICK: Form = {
  rounds: 3,
  ms: 100,
  floorMs: 70,
  maxCalls: 60,
  pastRuns: 2_000,
  sleepers: 2_000,
  listedRuns: 6_000,
}

/** What is measured, and against what. */
export interface Bench {
  form: Form
  orchestrator: Orchestrator
  orchestratorUrl: string
  orchestratorPid: number
  floorUrl: string
  upstreamUrl: string
  /** Folder of the built Worker: what a deployment uploads, and the build's notes. */
  workerFolder: string
  /** From the start of its process to its first answer, in ms. */
  workerStartMs: number
}

/** A graph to be measured, with tasks that call out or with placeholders. */
export interface Case {
  workflow: string
  dag: Dag
  calls: boolean
}

/** What was measured of a case at one concurrency. */
export interface Row {
  workflow: string
  calls: boolean
  tasks: number
  concurrency: number
  runs: number
  runsPerSecond: number
  p50Ms: number
  p99Ms: number
  msPerTask: number
  /** Runs per second over the floor's requests per second. */
  toFloor: number
  floorPerSecond: number
  rowsWritten: number
  rowsRead: number
  /** Processor time of the runtime per run, in ms. */
  cpuMs: number | null
  memory: Usage['memory']
}

/** Growth is about deciding, so its graphs have placeholders only. */
const PLACEHOLDERS_ONLY: ReadonlySet<string> = new Set(['grow10', 'grow1000', 'grow10000'])

/**
 * The cases of a form, and what it leaves out and why.
 * @param graphs folder of the real graphs, which need not exist
 */
export function casesOf(form: Form, graphs: string): { cases: Case[]; leftOut: string[] } {
  const leftOut: string[] = []
  const real = realGraphs(graphs)
  if (real === null) leftOut.push(`the real graphs: ${graphs} is not there`)
  const cases = Object.entries<Dag>({ ...DAGS, ...real }).flatMap(([name, dag]): Case[] => {
    const placeholders = { workflow: name, dag, calls: false }
    if (PLACEHOLDERS_ONLY.has(name)) return [placeholders]
    if (dag.length > form.maxCalls) {
      leftOut.push(`${name} with calls: too long for the short form`)
      return [placeholders]
    }
    return [placeholders, { workflow: `${name}-calls`, dag, calls: true }]
  })
  return { cases, leftOut }
}

/** Registers the case's workflow and measures it, at each concurrency that it is not too large for. */
export async function measure(bench: Bench, { workflow, dag, calls }: Case): Promise<Row[]> {
  const { form, orchestrator } = bench
  await orchestrator.register(definitionOf(workflow, dag, calls ? `${bench.upstreamUrl}/` : null))
  await orchestrator.warm(workflow, dag.length)
  const rows: Row[] = []
  for (const concurrency of [1, 16]) {
    const weight = dag.length * (calls ? 10 : 1) * concurrency
    if (concurrency > 1 && dag.length >= 10_000) continue // One takes all of a Runner for a while; sixteen would only wait in line.
    const rounds = weight > 20_000 ? 1 : form.rounds
    rows.push(await measureRow(bench, { workflow, dag, calls }, concurrency, rounds))
  }
  return rows
}

async function measureRow(
  bench: Bench,
  { workflow, dag, calls }: Case,
  concurrency: number,
  rounds: number,
): Promise<Row> {
  const { form, orchestrator } = bench
  const usage = watchUsage(bench.orchestratorPid)
  const before = await orchestrator.rows()
  const floor: Burst[] = []
  const runs: Burst[] = []
  // In turns, so that both have the same machine; the floor's share of the time is smaller, since it is quick.
  for (let round = 0; round < rounds; round++) {
    const pace = { concurrency, rounds: 1, atLeast: concurrency }
    floor.push(...(await inTurns([floorWork(bench, workflow)], { ...pace, ms: form.floorMs }))[0]!)
    runs.push(...(await inTurns([() => orchestrator.run(workflow)], { ...pace, ms: form.ms }))[0]!)
  }
  const { cpuMs, memory } = usage()
  const after = await orchestrator.rows()
  const ended = after.runs - before.runs
  const latencies = latenciesOf(runs)
  if (ended !== latencies.length)
    throw new Error(`${latencies.length} runs of ${workflow} were made, /metrics counts ${ended}`)
  return {
    workflow: workflow.replace('-calls', ''),
    calls,
    tasks: dag.length,
    concurrency,
    runs: ended,
    runsPerSecond: rateOf(runs),
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    msPerTask: quantile(latencies, 0.5) / dag.length,
    toFloor: ratioOf(runs, floor),
    floorPerSecond: rateOf(floor),
    rowsWritten: (after.written - before.written) / ended,
    rowsRead: (after.read - before.read) / ended,
    cpuMs: cpuMs === null ? null : cpuMs / ended,
    memory,
  }
}

function floorWork({ floorUrl }: Bench, workflow: string): Work {
  return async () => {
    const answer = await call('POST', `${floorUrl}/`, `{"workflow":"${workflow}"}`)
    if (answer.status !== 200) throw new Error(`the floor answered ${answer.status} ${answer.text.slice(0, 500)}`)
  }
}
