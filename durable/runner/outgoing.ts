// Which server an attempt calls, and what is heard of that call: the circuit of its target learns how it ended, and the budget of its
// host says whether it may be made again. Sits between the attempts and what this Runner knows of the world outside.

import { TASK_TYPES } from '../../src/tasks/schemas.ts'
import { wantsRetry } from '../../src/workflow/decide/attempt-end.ts'
import type { Trial } from '../../src/workflow/decide/circuit.ts'
import { type TaskTypes, taskType } from '../../src/workflow/definition/task-types.ts'
import type { LoadPayload } from '../../src/workflow/event.ts'
import { renderTemplate } from '../../src/workflow/expression/expression.ts'
import { paidLoad, runScope, spotScope } from '../../src/workflow/expression/scope.ts'
import { SecretMarks } from '../../src/workflow/expression/secret-marks.ts'
import type { StepBudget } from '../../src/workflow/expression/step-budget.ts'
import type { Json, JsonObject } from '../../src/workflow/json.ts'
import type { Fact } from '../../src/workflow/run/fact.ts'
import type { Run } from '../../src/workflow/run/run.ts'
import { configOf, type Spot } from '../../src/workflow/run/spot.ts'
import { type Tries, triesOf, wasPoll } from '../../src/workflow/run/tries.ts'
import type { CircuitCall, Circuits } from './circuits.ts'
import type { RetryBudgets } from './retry-budgets.ts'

/** An attempt that the run's own deadline cuts off says something about its server only if it had this long, at most. */
const FAIR_TIME_MS = 10_000

/** A call that an attempt makes. */
export interface OutgoingCall {
  /** Origin of the host called. */
  host: string
  circuit: CircuitCall | null
  startedAt: number
}

/** The call that a task makes, and the circuit that it goes through; null if the task calls no server, or none that can be named. */
function callOf(run: Run, spot: Spot, config: Json, trial: Trial | null, now: number): OutgoingCall | null {
  const types: TaskTypes = TASK_TYPES
  const host = types[configOf(run, spot).type]?.hostOf?.(config as JsonObject) ?? null
  if (host === null) return null
  const policy = run.workflow.plans[spot.task]!.breaker
  const circuit = policy === null ? null : { target: policy.name ?? host, policy, trial }
  return { host, circuit, startedAt: now }
}

/** The right to call through a circuit that is not closed. */
export interface Right {
  target: string
  trial: Trial
}

/**
 * The circuit that a task, or an item of it, would call through now. What names its host is filled in for that, and nothing else:
 * hundreds of tasks may ask in a row.
 * @param budget pays for it
 */
export function circuitOf(run: Run, spot: Spot, load: LoadPayload, budget: StepBudget): CircuitCall | null {
  const { type, with: config } = configOf(run, spot)
  const known = taskType(TASK_TYPES, type)
  const names = known?.hostFields ?? []
  const template = Object.fromEntries(Object.entries(config).filter(([name]) => names.includes(name)))
  // Nobody is called by what is rendered here, so it does not matter that everybody knows the nonce.
  const marks = new SecretMarks(() => '')
  const scope = { ...runScope(run, load, budget), secret: (name: string) => marks.mark(name) }
  const rendered = renderTemplate(template, spotScope(scope, run, spot, paidLoad(load, budget)))
  // What cannot be filled in fails when the attempt starts, and calls nobody.
  return rendered.ok ? (callOf(run, spot, rendered.value, null, 0)?.circuit ?? null) : null
}

/** Whether the call does not repeat one that failed: a task's first call, and in a poll each call after an answer. */
function isFirstCall({ attempts }: Pick<Tries, 'attempts'>): boolean {
  const before = attempts.at(-2)
  return before === undefined || wasPoll(before)
}

/** Follows the calls of attempts for the circuits of their targets and the retry budgets of their hosts. */
export class Outgoing {
  readonly #circuits: Circuits
  readonly #budgets: RetryBudgets

  constructor(circuits: Circuits, budgets: RetryBudgets) {
    this.#circuits = circuits
    this.#budgets = budgets
  }

  /** An attempt starts: the call that it will make. */
  begin(run: Run, spot: Spot, config: Json, trial: Trial | null, now: number): OutgoingCall | null {
    const call = callOf(run, spot, config, trial, now)
    if (call === null) return null
    if (isFirstCall(triesOf(run, spot))) this.#budgets.countCall(call.host, now)
    if (call.circuit !== null) this.#circuits.recordStart(call.circuit)
    return call
  }

  /**
   * An attempt has ended by itself.
   * @returns the fact to be reported: with a mark if it would lead to a retry that the budget refuses
   */
  end(run: Run, spot: Spot, call: OutgoingCall | null, fact: Fact): Fact | Promise<Fact> {
    if (call === null) return fact
    const now = Date.now()
    if (call.circuit !== null) this.#circuits.recordEnd(call.circuit, codeOf(fact), now)
    if (fact.type !== 'AttemptFailed' && fact.type !== 'AttemptTimedOut') return fact
    const retryAfterMs = fact.type === 'AttemptFailed' ? (fact.retryAfterMs ?? null) : null
    if (!wantsRetry(run, spot, fact.error, retryAfterMs)) return fact
    const taken = this.#budgets.take(call.host, now)
    const marked = (isGranted: boolean): Fact => (isGranted ? fact : { ...fact, isRetryRefused: true })
    return typeof taken === 'boolean' ? marked(taken) : taken.then(marked)
  }

  /** An attempt was not made: another may call with its right. */
  giveBack(run: Run, { task }: Spot, right: Right | null): void {
    const policy = run.workflow.plans[task]!.breaker
    if (right !== null && policy !== null) this.#circuits.recordEnd({ ...right, policy }, 'executor_error', Date.now())
  }

  /**
   * An attempt was given up. One that the deadline of its run cut off, although it had had half of the run's
   * time, counts as a call without an answer: else a server that never answers would never be left alone.
   */
  drop(run: Run, call: OutgoingCall | null, why: 'cancelled' | 'timed_out', now: number): void {
    if (call?.circuit == null) return
    const hadTime = now - call.startedAt >= Math.min(FAIR_TIME_MS, run.timeoutMs / 2)
    this.#circuits.recordEnd(call.circuit, why === 'timed_out' && hadTime ? 'timeout' : 'executor_error', now)
  }
}

/** What the attempt says about its server: an attempt that a crash cut off says as little as one that was never made. */
function codeOf(fact: Fact): string | null {
  switch (fact.type) {
    case 'AttemptSucceeded':
    case 'AttemptSnoozed':
      return null
    case 'AttemptFailed':
    case 'AttemptTimedOut':
      return fact.error.code
    default:
      return 'executor_error'
  }
}
