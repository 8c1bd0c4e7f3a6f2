// When what a commit has started is made: filling in its expressions costs time, and a commit may start hundreds of attempts. One
// turn of a Runner has a budget for all its runs; what is left comes in later turns, in which the runs take turns, each
// for about the same cost: so no run keeps the others waiting. Nothing here is durable: what a crash cuts off, recovery finds in the history.

import { STEPS_OF_A_TURN, StepBudget } from '../../src/workflow/expression/step-budget.ts'

/** A budget that still has this much need not be filled up, so that what costs little plans no turn. */
const FULL_ENOUGH = 0.9 * STEPS_OF_A_TURN

/** What a run may cost until the next has its share. */
const SHARE = STEPS_OF_A_TURN / 16

/** Something to be made; it pays for what it evaluates, and catches what it throws. */
type Work = (budget: StepBudget) => void

/** Shares the turns of a Runner out among its runs, in rotation. */
export class Turns {
  /** Work that waits: runs in rotation, and the work of each run in order. */
  readonly #waiting = new Map<string, Work[]>()
  #budget = new StepBudget()
  #isNextPlanned = false

  /** Does it at once, if this turn has something left and nothing of the run waits; else in a later turn. */
  do(runId: string, work: Work): void {
    const before = this.#waiting.get(runId)
    if (before !== undefined) before.push(work)
    else if (this.#budget.isSpent) this.#waiting.set(runId, [work])
    else work(this.#budget)
    this.#planNext()
  }

  #planNext(): void {
    if (this.#isNextPlanned || (this.#waiting.size === 0 && this.#budget.left >= FULL_ENOUGH)) return
    this.#isNextPlanned = true
    setTimeout(() => this.#begin(), 0)
  }

  #begin(): void {
    this.#isNextPlanned = false
    this.#budget = new StepBudget()
    // A map goes on through what is added while it is walked: a run that has more stands behind the others then.
    for (const [runId, works] of this.#waiting) {
      if (this.#budget.isSpent) break
      this.#waiting.delete(runId)
      this.#doShare(works)
      // What has come meanwhile comes after what was there.
      const later = this.#waiting.get(runId) ?? []
      this.#waiting.delete(runId)
      if (works.length + later.length > 0) this.#waiting.set(runId, [...works, ...later])
    }
    this.#planNext()
  }

  #doShare(works: Work[]): void {
    const enough = Math.max(0, this.#budget.left - SHARE)
    while (works.length > 0 && this.#budget.left > enough) works.shift()!(this.#budget)
  }
}
