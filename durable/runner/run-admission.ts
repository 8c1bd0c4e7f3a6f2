// What the circuits of a Runner let through and hold back in one commit of one run. Pure but for reading what the Runner knows of
// them (circuits.ts); what it took counts only once the commit stands.

import type { Admission, Hold } from '../../src/workflow/decide/admission.ts'
import type { Trial } from '../../src/workflow/decide/circuit.ts'
import type { LoadPayload } from '../../src/workflow/event.ts'
import type { StepBudget } from '../../src/workflow/expression/step-budget.ts'
import type { Run } from '../../src/workflow/run/run.ts'
import { type Spot, spotKey } from '../../src/workflow/run/spot.ts'
import { triesOf } from '../../src/workflow/run/tries.ts'
import { circuitOf, type Right } from './outgoing.ts'

/** Until when a task is held back while the Gate is asked: the answer comes sooner and wakes it. */
const ASK_MS = 500

/** The longest that a trial may take before its right is given to another, in ms. */
export const MAX_LEASE_MS = 60_000

/** A circuit that is not closed, as its Gate told last. */
export interface Barrier {
  state: 'open' | 'half_open'
  askAt: number
  /** Trials that this Runner was given and has not used. */
  trials: Trial[]
}

/** The answers of one commit. What they take counts only once the commit stands (`settle`). */
export class RunAdmission implements Admission {
  readonly #run: Run
  readonly #load: LoadPayload
  readonly #budget: StepBudget
  readonly #barrierOf: (target: string) => Barrier | null
  readonly #now: number
  readonly #free = new Map<string, Set<number>>()
  /** Trials that tasks and items of this commit were let through with, by `spotKey`. */
  readonly trials = new Map<number, Right>()
  /** Targets that hold tasks of this run, with the longest time in ms that an attempt may take. */
  readonly held = new Map<string, number>()

  /** @param budget pays for finding out which server a task would call */
  constructor(
    run: Run,
    load: LoadPayload,
    now: number,
    budget: StepBudget,
    barrierOf: (target: string) => Barrier | null,
  ) {
    this.#run = run
    this.#load = load
    this.#budget = budget
    this.#now = now
    this.#barrierOf = barrierOf
  }

  /** What holds a task or item back that would call out now; null lets it, and takes a trial if its circuit needs one. */
  hold(spot: Spot): Hold | null {
    const known = triesOf(this.#run, spot).circuit
    const target = known ?? circuitOf(this.#run, spot, this.#load, this.#budget)?.target ?? null
    const barrier = target === null ? null : this.#barrierOf(target)
    if (target === null || barrier === null) return null
    const trial = this.#spare(target, barrier)[0]
    if (trial !== undefined) {
      this.trials.set(spotKey(spot), { target, trial })
      return null
    }
    this.held.set(target, Math.min(MAX_LEASE_MS, (this.#run.deadlineAt ?? Number.POSITIVE_INFINITY) - this.#now))
    return { target, until: Math.max(barrier.askAt, this.#now + ASK_MS) }
  }

  /** Whether a waiting task or item need not wait for its circuit any more: it is closed, or there is a trial to spare. */
  isFree(spot: Spot): boolean {
    const target = triesOf(this.#run, spot).circuit
    const barrier = target === null ? null : this.#barrierOf(target)
    if (target === null || barrier === null) return true
    // As many tasks as there are trials: a task that is woken and finds no trial would be recorded as waiting once more.
    const free = this.#free.get(target) ?? new Set()
    this.#free.set(target, free)
    const key = spotKey(spot)
    if (free.size < this.#spare(target, barrier).length) free.add(key)
    return free.has(key) && this.#spare(target, barrier).length > 0
  }

  #spare(target: string, { trials }: Barrier): Trial[] {
    const taken = [...this.trials.values()].filter((one) => one.target === target).map(({ trial }) => trial.id)
    return trials.filter(({ id, expiresAt }) => expiresAt > this.#now && !taken.includes(id))
  }
}
