// What an object has counted, as absolute figures: a figure that is reported twice changes nothing. One row a workflow,
// written in the transaction that ends the run it counts, so the figures are exact across restarts.

import { isPlaceholder } from '../../src/workflow/definition/definition.ts'
import type { Attempt, Run } from '../../src/workflow/run/run.ts'
import type { Rows } from '../rows.ts'

/** Upper bounds of the histograms' buckets, in seconds. A run takes from a millisecond (placeholders) to an hour and more. */
export const BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600,
] as const

/** Names that get a series of their own; the others share one, so that names cannot flood a monitoring system. */
export const MAX_WORKFLOWS = 200
export const OTHER = '_other'

/** Counts per bucket (not cumulative, the last one is beyond every bound). */
export interface Histogram {
  buckets: number[]
  /** In ms, so that adding stays exact. */
  sumMs: number
}

export interface WorkflowCounts {
  /** Ended runs by status. */
  runs: Record<string, number>
  /** Runs that ended failed or timed out, by the code of their error. */
  errors: Record<string, number>
  duration: Histogram
  /** Durations of tasks that began, by type. */
  tasks: Record<string, Histogram>
  /** Attempts by `type/outcome`. */
  attempts: Record<string, number>
  /** Attempts after which another was made, by `type/code` of their error. */
  retries: Record<string, number>
  /** Tokens that models took, by direction; absent of a row that a release before wrote. */
  tokens: { input: number; output: number }
  rows: { read: number; written: number }
}

export type Counts = Record<string, WorkflowCounts>

/** The figures of one Runner. */
export interface SourceFigures {
  counts: Counts
  runsActive: number
  tasksRunning: number
}

/** One answer of the API. */
export interface RequestCount {
  /** The route's template, so that ids make no series. */
  route: string
  status: number
  durationMs: number
}

/** Answers of one route: by status, and how long they took. */
export interface RouteCounts {
  codes: Record<string, number>
  duration: Histogram
}

/** The counts of a workflow before any of its runs has ended. */
export function noCounts(): WorkflowCounts {
  return {
    runs: {},
    errors: {},
    duration: emptyHistogram(),
    tasks: {},
    attempts: {},
    retries: {},
    tokens: { input: 0, output: 0 },
    rows: { read: 0, written: 0 },
  }
}

/** A histogram that has counted nothing. */
export function emptyHistogram(): Histogram {
  return { buckets: new Array(BUCKETS.length + 1).fill(0), sumMs: 0 }
}

/** Counts one duration, in ms. Changes the histogram. */
export function observe(histogram: Histogram, milliseconds: number): void {
  const seconds = milliseconds / 1_000
  const bucket = BUCKETS.findIndex((bound) => seconds <= bound)
  histogram.buckets[bucket === -1 ? BUCKETS.length : bucket]!++
  histogram.sumMs += milliseconds
}

/** Adds one to the figure of this key. Changes `counts`. */
export function increment(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1
}

function countAttempts(counts: WorkflowCounts, type: string, attempts: readonly Attempt[]): void {
  for (const { status } of attempts) increment(counts.attempts, `${type}/${status}`)
  for (const { error } of attempts.slice(0, -1)) {
    if (error !== null) increment(counts.retries, `${type}/${error.code}`)
  }
  for (const { usage } of attempts) {
    counts.tokens.input += usage?.input_tokens ?? 0
    counts.tokens.output += usage?.output_tokens ?? 0
  }
}

/** The counts of one Runner: in memory, and in the table `counts`. */
export class RunCounts {
  readonly #rows: Rows
  #counts: Map<string, WorkflowCounts>

  constructor(rows: Rows) {
    this.#rows = rows
    this.#counts = this.#stored()
  }

  /** Counts a run that has just ended, and writes its workflow's row. Belongs into the transaction that ends the run. */
  countEnd(run: Run): void {
    const { key, counts } = this.#of(run.workflow.definition.name)
    increment(counts.runs, run.status)
    if (run.error !== null) increment(counts.errors, run.error.code)
    // A run that was cancelled before its start has taken no time.
    if (run.startedAt !== null) observe(counts.duration, run.finishedAt! - run.startedAt)
    run.tasks.forEach((task, index) => {
      const definition = run.workflow.definition.tasks[index]!
      if (task.startedAt === null) return
      if (!isPlaceholder(definition)) {
        counts.tasks[definition.type] ??= emptyHistogram()
        observe(counts.tasks[definition.type]!, task.finishedAt! - task.startedAt)
      }
      countAttempts(counts, isPlaceholder(definition) ? 'placeholder' : definition.type, task.attempts)
      const { type = '' } = run.workflow.plans[index]!.items ?? {}
      for (const item of task.items?.begun.values() ?? []) countAttempts(counts, type, item.attempts)
    })
    this.#save(key, counts)
  }

  /** Counts a run that was ended without being read. Belongs into the transaction that ends it. */
  countCondemned(workflow: string, code: string): void {
    const { key, counts } = this.#of(workflow)
    increment(counts.runs, 'failed')
    increment(counts.errors, code)
    this.#save(key, counts)
  }

  #of(workflow: string): { key: string; counts: WorkflowCounts } {
    const key = this.#counts.has(workflow) || this.#counts.size < MAX_WORKFLOWS ? workflow : OTHER
    const counts = this.#counts.get(key) ?? noCounts()
    this.#counts.set(key, counts)
    return { key, counts }
  }

  #save(key: string, counts: WorkflowCounts): void {
    const { read, written } = this.#rows.take()
    counts.rows.read += read
    counts.rows.written += written
    this.#rows.run('INSERT OR REPLACE INTO counts (key, data) VALUES (?, ?)', key, JSON.stringify(counts))
  }

  /** A transaction that had counted was undone: what is stored is the truth. */
  forget(): void {
    this.#counts = this.#stored()
  }

  /** The figures of all workflows of this Runner, by name; those beyond MAX_WORKFLOWS share the name OTHER. */
  all(): Counts {
    return Object.fromEntries(this.#counts)
  }

  #stored(): Map<string, WorkflowCounts> {
    const rows = this.#rows.all<{ key: string; data: string }>('SELECT key, data FROM counts')
    return new Map(rows.map(({ key, data }) => [key, { ...noCounts(), ...(JSON.parse(data) as WorkflowCounts) }]))
  }
}
