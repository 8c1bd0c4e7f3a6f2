// The retries that hosts get from this Runner: what its own calls have earned it gives by itself; beyond that it asks the
// host's Gate, which shares ten a minute out among the tenant's Runners. Asked only after a failure, never before a call.

import { countCall, type EarnedRetries, NO_CALLS, takeEarned } from '../../src/workflow/decide/retry-budget.ts'
import type { Gate } from '../gate/gate.ts'

/** A Gate that takes longer is not waited for: the retry is granted, since a broken budget must not fail runs. */
const MAX_ANSWER_MS = 1_000

/** Hosts that are counted at a time; the one that was called the longest ago is forgotten first. */
const MAX_HOSTS = 1_000

interface Budget {
  earned: EarnedRetries
  /** The Gate has said that it gives none before. */
  refusedUntil: number
}

/** The retry budgets of the hosts that this Runner calls. In memory alone: a new instance begins without earned retries. */
export class RetryBudgets {
  readonly #gateOf: (host: string) => Pick<DurableObjectStub<Gate>, 'giveRetry'>
  readonly #fault: (error: unknown) => void
  readonly #budgets = new Map<string, Budget>()

  constructor(gateOf: (host: string) => Pick<DurableObjectStub<Gate>, 'giveRetry'>, fault: (error: unknown) => void) {
    this.#gateOf = gateOf
    this.#fault = fault
  }

  /** Counts a call that is not a retry: it earns a part of a later retry. */
  countCall(host: string, now: number): void {
    const budget = this.#of(host)
    budget.earned = countCall(budget.earned, now)
  }

  /** Whether the host may be called once more; a promise if its Gate has to be asked. Never rejects. */
  take(host: string, now: number): boolean | Promise<boolean> {
    const budget = this.#of(host)
    const earned = takeEarned(budget.earned, now)
    if (earned !== null) {
      budget.earned = earned
      return true
    }
    return budget.refusedUntil > now ? false : this.#ask(host, budget)
  }

  async #ask(host: string, budget: Budget): Promise<boolean> {
    try {
      const late = scheduler.wait(MAX_ANSWER_MS).then(() => null)
      const answer = await Promise.race([this.#gateOf(host).giveRetry(), late])
      if (answer === null) return true
      if (!answer.isGranted) budget.refusedUntil = answer.freeAt
      return answer.isGranted
    } catch (error) {
      this.#fault(error)
      return true
    }
  }

  #of(host: string): Budget {
    const budget = this.#budgets.get(host) ?? { earned: NO_CALLS, refusedUntil: 0 }
    this.#budgets.delete(host)
    this.#budgets.set(host, budget)
    if (this.#budgets.size > MAX_HOSTS) this.#budgets.delete(this.#budgets.keys().next().value!)
    return budget
  }
}
