// Runs whose task or item has ended without them, so that they are to be cancelled: a run has children, those have maps of runs, and
// one cancel or time-out at the top ends all that is below. Each turn cancels a bounded number of runs: the first ones in the turn that finds them, the
// rest stand in `cut_offs`, written in that turn, so a crash forgets none, and go a page a turn while requests are answered.

import type { Rows } from '../rows.ts'

/** Runs that are cancelled in one turn: some tens of milliseconds of it. */
const MAX_A_TURN = 256

export interface CutOffActions {
  /** Cancels a run now, unless it has ended. What is below it comes back here. */
  cancel(runId: string): void
  /** `step` has to be called soon. */
  wake(): void
}

/** Cancels runs that nothing needs any more, a bounded number in each turn. */
export class CutOffs {
  readonly #rows: Rows
  readonly #actions: CutOffActions
  readonly #limit: number
  #hasMore: boolean
  #left: number
  #isTurnOpen = false

  constructor(rows: Rows, actions: CutOffActions, limit = MAX_A_TURN) {
    this.#rows = rows
    this.#actions = actions
    this.#limit = limit
    this.#left = limit
    this.#hasMore = rows.one('SELECT run_id FROM cut_offs LIMIT 1') !== null
  }

  /** Whether runs are left that are to be cancelled: then `step` has to be called. */
  get hasMore(): boolean {
    return this.#hasMore
  }

  /** Cancels a run in this turn, or remembers in this turn that it is to be cancelled. */
  add(runId: string): void {
    if (this.#takePlace()) {
      this.#actions.cancel(runId)
      return
    }
    this.#rows.run('INSERT OR IGNORE INTO cut_offs (run_id) VALUES (?)', runId)
    this.#hasMore = true
    this.#actions.wake()
  }

  /** Cancels as many of those that are left as this turn bears. */
  step(): void {
    while (this.#hasMore && this.#takePlace()) {
      const next = this.#rows.one<{ run_id: string }>('SELECT run_id FROM cut_offs LIMIT 1')
      if (next === null) {
        this.#hasMore = false
        return
      }
      // In one turn with the cancel: both are on disk or neither is.
      this.#rows.run('DELETE FROM cut_offs WHERE run_id = ?', next.run_id)
      this.#actions.cancel(next.run_id)
    }
  }

  /** Whether this turn bears another one. What runs to its end without waiting is a turn, and the microtask behind it the next. */
  #takePlace(): boolean {
    if (!this.#isTurnOpen) {
      this.#isTurnOpen = true
      this.#left = this.#limit
      queueMicrotask(() => {
        this.#isTurnOpen = false
      })
    }
    return this.#left-- > 0
  }
}
