// What the expressions of one step of a run, of what one turn sends, or those that one signal is tried against, may cost together. Each is bounded by
// itself, but a thousand of them would keep every other run of the shard waiting for a minute.

/** Steps of one turn: as many as one template may take (tried: a tenth of a second to half a second). */
export const STEPS_OF_A_TURN = 1_000_000

/** Steps of evaluation that are left. Spending more than that is allowed; the caller looks at `isSpent` between two expressions. */
export class StepBudget {
  #left: number

  constructor(steps = STEPS_OF_A_TURN) {
    this.#left = steps
  }

  /** Whether the step has to be cut. What is being evaluated then is evaluated to its end, so a budget is never too small. */
  get isSpent(): boolean {
    return this.#left <= 0
  }

  /** Steps that are left; negative if the last expression took more. */
  get left(): number {
    return this.#left
  }

  /** Takes steps off the budget. */
  spend(steps: number): void {
    this.#left -= steps
  }
}
