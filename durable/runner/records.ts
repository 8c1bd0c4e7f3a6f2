// The runs that a Runner holds in memory: a cache of what their histories say, bounded, least recently used out first.
// A run with an attempt under way or somebody waiting for it stays; a run that sleeps costs its row only.

import type { CompiledWorkflow } from '../../src/workflow/definition/definition.ts'
import type { History, RunRecord } from './history.ts'

/** Size of all runs in memory, as `sizeOf` estimates it: the isolate's 128 MB are shared with definitions and answers. */
const MAX_SIZE = 16 * 1024 * 1024

/** What a run costs in memory beside its history and tasks: measured 3 to 4 KB for one of a single placeholder. */
const RUN_SIZE = 3_000

/** What a task costs in memory beside its part of the history. */
const TASK_SIZE = 600

/** What a definition takes in memory for each character of it: measured 5.6 for 10,000 small tasks. */
const WORKFLOW_PER_CHARACTER = 6

/** What an item of a map that has begun costs beside its part of the history. */
const ITEM_SIZE = 350

/** The cache of runs in memory. Its size stays below MAX_SIZE, as far as the busy runs let it. */
export class Records {
  readonly #history: History
  readonly #workflowOf: (name: string, version: number) => CompiledWorkflow
  readonly #isBusy: (runId: string) => boolean
  readonly #records = new Map<string, { record: RunRecord; size: number }>()
  /** Definitions of the runs in memory, which keep them there however many others were compiled since; each counts once. */
  readonly #workflows = new Map<CompiledWorkflow, { runs: number; size: number }>()
  #size = 0

  constructor(
    history: History,
    workflowOf: (name: string, version: number) => CompiledWorkflow,
    isBusy: (runId: string) => boolean,
  ) {
    this.#history = history
    this.#workflowOf = workflowOf
    this.#isBusy = isBusy
  }

  /** The run, if it is in memory. */
  cached(runId: string): RunRecord | null {
    return this.#records.get(runId)?.record ?? null
  }

  /** The run, folded from its history if it is not in memory; null if there is no such run, or if it was ended unread. */
  get(runId: string): RunRecord | null {
    const cached = this.#records.get(runId)
    if (cached !== undefined) {
      this.#records.delete(runId)
      this.#records.set(runId, cached)
      return cached.record
    }
    const record = this.#history.load(runId, this.#workflowOf)
    if (record !== null) this.keep(record)
    return record
  }

  /** Holds a record that is new or has grown. */
  keep(record: RunRecord): void {
    this.drop(record.run.id)
    const size = sizeOf(record)
    this.#records.set(record.run.id, { record, size })
    this.#size += size
    this.#hold(record.run.workflow)
    if (this.#size > MAX_SIZE) this.#evict(record.run.id)
  }

  /** Forgets what memory says; the history is the truth. */
  drop(runId: string): void {
    const cached = this.#records.get(runId)
    if (cached === undefined) return
    this.#records.delete(runId)
    this.#size -= cached.size
    this.#release(cached.record.run.workflow)
  }

  #hold(workflow: CompiledWorkflow): void {
    const held = this.#workflows.get(workflow)
    if (held !== undefined) {
      held.runs++
      return
    }
    const size = workflowSize(workflow)
    this.#workflows.set(workflow, { runs: 1, size })
    this.#size += size
  }

  #release(workflow: CompiledWorkflow): void {
    const held = this.#workflows.get(workflow)!
    if (--held.runs > 0) return
    this.#workflows.delete(workflow)
    this.#size -= held.size
  }

  /** @param latest the run that was just loaded stays: most likely it is asked for again in this turn */
  #evict(latest: string): void {
    for (const runId of this.#records.keys()) {
      if (this.#size <= MAX_SIZE) return
      if (runId !== latest && !this.#isBusy(runId)) this.drop(runId)
    }
  }
}

function sizeOf({ run, historyLength }: RunRecord): number {
  return RUN_SIZE + historyLength + TASK_SIZE * run.tasks.length + ITEM_SIZE * run.begunItems
}

/** Measuring a definition means writing it down, so it is done once for each. */
const workflowSizes = new WeakMap<CompiledWorkflow, number>()

function workflowSize(workflow: CompiledWorkflow): number {
  const known = workflowSizes.get(workflow)
  if (known !== undefined) return known
  const size = WORKFLOW_PER_CHARACTER * JSON.stringify(workflow.definition).length
  workflowSizes.set(workflow, size)
  return size
}
