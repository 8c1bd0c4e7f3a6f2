// What a new instance does first: an instance has started none of the attempts that it finds in flight, since the crash,
// deploy or eviction that ended the one before cut them off. They are recorded as interrupted, and made again.
//
// Runs are loaded one at a time, each named durably before, so that a run which kills its instance can't keep its shard down.

import type { Fact } from '../../src/workflow/run/fact.ts'
import type { Run } from '../../src/workflow/run/run.ts'
import { spotOf } from '../../src/workflow/run/spot.ts'
import { triesOf } from '../../src/workflow/run/tries.ts'
import type { Attempts } from './attempts.ts'
import type { History, RunRecord } from './history.ts'
import type { Records } from './records.ts'

/** Loads of a run that may kill the instance, before the run is ended unread. */
const MAX_SUSPECT_STARTS = 2

/** What the Runner does with what is found. */
export interface RecoveryActions {
  commit(runId: string, facts: readonly Fact[]): void
  /** Sees to the runs that are tasks of this one. */
  recoverChildren(run: Run): void
  condemn(runId: string, code: 'run_poisoned' | 'run_internal_error', message: string): void
  fault(error: unknown, runId: string): void
}

/** Makes a new instance take up what the one before left in flight. */
export class Recovery {
  readonly #storage: DurableObjectStorage
  readonly #history: History
  readonly #records: Records
  readonly #attempts: Attempts
  readonly #actions: RecoveryActions
  #isDone = false

  constructor(
    storage: DurableObjectStorage,
    history: History,
    records: Records,
    attempts: Attempts,
    actions: RecoveryActions,
  ) {
    this.#storage = storage
    this.#history = history
    this.#records = records
    this.#attempts = attempts
    this.#actions = actions
  }

  /** Runs once an instance; a repeat does nothing. */
  async run(): Promise<void> {
    if (this.#isDone) return
    const before = this.#history.suspect()
    if (before !== null && before.starts >= MAX_SUSPECT_STARTS) {
      this.#actions.condemn(before.run_id, 'run_poisoned', 'The run could not be loaded at two starts in a row')
    }
    // All of them at once, before anybody else has a turn: requests are answered in between, and what they do moves runs in
    // any order that their rows could be read in page by page.
    for (const id of this.#history.inFlight()) {
      // It may have ended meanwhile, or been looked after with another.
      if (this.#history.brief(id)?.in_flight !== 1) continue
      this.#history.setSuspect(id, (before?.run_id === id ? before.starts : 0) + 1)
      await this.#storage.sync()
      this.#interrupt(id)
    }
    if (this.#history.suspect() !== null) this.#history.clearSuspect()
    this.#isDone = true
  }

  #interrupt(runId: string): void {
    const record = this.#load(runId)
    if (record === null) return
    const { run } = record
    const executing = [...run.slots.holders].map((key) => {
      const spot = spotOf(key)
      return { ...spot, token: triesOf(run, spot).token }
    })
    // What this instance has started meanwhile goes on.
    const cutOff = executing.filter(({ token }) => !this.#attempts.isUnderWay(runId, token))
    const facts = cutOff.map((spot): Fact => ({ type: 'AttemptInterrupted', ...spot }))
    if (facts.length > 0) this.#actions.commit(runId, facts)
    if (run.nesting.size > 0) this.#actions.recoverChildren(run)
  }

  #load(runId: string): RunRecord | null {
    try {
      return this.#records.get(runId)
    } catch (error) {
      this.#actions.fault(error, runId)
      this.#actions.condemn(runId, 'run_internal_error', 'The history of the run cannot be read')
      return null
    }
  }
}
