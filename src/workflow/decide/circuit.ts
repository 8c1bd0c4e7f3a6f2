// The circuit breaker of one target: whether tasks may call it, by how the last calls ended. Pure data and pure transitions;
// durable/gate/gate.ts keeps a circuit, and durable/runner/circuits.ts asks it and is told of its changes.
//
//   closed --too many of the last calls failed--> open --time is up, somebody asks--> half_open
//   half_open --three trials succeeded--> closed        half_open --a trial failed--> open, for twice as long
//
// A trial is a lease: one that is never reported (its Runner died) runs out, so a crash cannot keep a circuit half-open.

import { isRetryableStatus } from '../codes.ts'
import { type BreakerPolicy, MAX_WINDOW } from '../definition/breaker.ts'
import { spanMs } from '../span.ts'

/** The longest time that a circuit stays open before it is tried again. */
export const MAX_OPEN_MS = 300_000

/** A call says nothing about a server any more after this time. */
export const MAX_OUTCOME_AGE_MS = 60_000

/** Trials that a half-open circuit lets through; all must succeed. */
export const TRIALS = 3

/** How a call that counts has ended, and when, ms since the epoch. */
export interface Outcome {
  at: number
  isFailure: boolean
}

/** The right to make one call through a half-open circuit. */
export interface Trial {
  id: number
  expiresAt: number
}

export type Circuit =
  | { state: 'closed'; outcomes: readonly Outcome[] }
  | { state: 'open'; openings: number; openForMs: number; retryAt: number }
  | {
      state: 'half_open'
      openings: number
      openForMs: number
      passed: number
      nextTrial: number
      trials: readonly Trial[]
    }

export const CLOSED: Circuit = { state: 'closed', outcomes: [] }

/** What the end of a call says about its server: nothing, if no call was made or the caller itself was at fault. */
export type Verdict = 'success' | 'failure' | 'none'

const FAILURES: ReadonlySet<string> = new Set([
  'http_network',
  'timeout',
  // What gRPC has for no answer and for 5xx.
  'grpc_unavailable',
  'grpc_deadline_exceeded',
  'grpc_internal',
  'grpc_unknown',
  'grpc_data_loss',
])

/** Ends that come before any call, or from this service itself. */
const NO_CALLS: ReadonlySet<string> = new Set([
  'egress_denied',
  'invalid_with',
  'expression_error',
  'expression_limit',
  'executor_error',
  'binding_missing',
])

/**
 * What an attempt that ended with this code says about its server: no answer, a time-out and 5xx are failures; 4xx is the
 * caller's own fault and says nothing, and neither do the gRPC statuses of the same meaning; any other answer is a success,
 * even if the task failed over it.
 * @param code of the attempt's error; null if it succeeded
 */
export function verdictOf(code: string | null): Verdict {
  if (code === null) return 'success'
  if (FAILURES.has(code) || /^http_5\d\d$/.test(code)) return 'failure'
  return NO_CALLS.has(code) || /^http_4\d\d$|^grpc_/.test(code) ? 'none' : 'success'
}

/**
 * What an attempt that ended with this code says about its server if the call was a trial. A trial asks whether the server answers at all, and a 4xx does; without that a
 * server which is back and refuses this caller would stay half-open for ever. A server that is busy (408, 425, 429, and
 * RESOURCE_EXHAUSTED of gRPC) is not back.
 */
export function trialVerdictOf(code: string | null): Verdict {
  const verdict = verdictOf(code)
  if (verdict === 'none' && code?.startsWith('grpc_') === true && code !== 'grpc_resource_exhausted') return 'success'
  const status = /^http_(4\d\d)$/.exec(code ?? '')?.[1]
  return status !== undefined && !isRetryableStatus(Number(status)) ? 'success' : verdict
}

/** A call has ended. What calls say that began before the circuit opened comes too late and changes nothing. */
export function afterCall(circuit: Circuit, outcome: Outcome, policy: BreakerPolicy): Circuit {
  if (circuit.state !== 'closed') return circuit
  // In order of time: outcomes of several Runners are put together here.
  const sorted = [...circuit.outcomes, outcome].sort((a, b) => a.at - b.at)
  const newest = sorted.at(-1)!.at
  const outcomes = sorted.filter(({ at }) => at > newest - MAX_OUTCOME_AGE_MS).slice(-MAX_WINDOW)
  return isTripped(outcomes, policy) ? openState(0, spanMs(policy.open_for), newest) : { state: 'closed', outcomes }
}

/** Whether so many of the last calls failed that the server is to be left alone. */
function isTripped(outcomes: readonly Outcome[], { failure_rate, minimum_calls, window }: BreakerPolicy): boolean {
  const last = outcomes.slice(-window)
  if (last.length < minimum_calls) return false
  return last.filter(({ isFailure }) => isFailure).length >= failure_rate * last.length
}

/** Opens a closed circuit without asking its window: the caller knows of failures that this circuit has not seen. Others stay as they are. */
export function openCircuit(circuit: Circuit, policy: BreakerPolicy, at: number): Circuit {
  return circuit.state === 'closed' ? openState(0, spanMs(policy.open_for), at) : circuit
}

function openState(openings: number, openForMs: number, at: number): Circuit {
  const lasts = Math.min(openForMs * 2 ** openings, MAX_OPEN_MS)
  return { state: 'open', openings: openings + 1, openForMs, retryAt: at + lasts }
}

/** The answer to a task that would call now. */
export type Permission =
  | { kind: 'free' }
  | { kind: 'trial'; trial: Trial }
  /** Held back; asking again makes sense from `until` on, ms since the epoch. */
  | { kind: 'held'; until: number }

/**
 * Whether a call may be made now, and the circuit after that question.
 * @param leaseMs how long a trial may take at most, before it is given to another
 */
export function admit(circuit: Circuit, at: number, leaseMs: number): { circuit: Circuit; permission: Permission } {
  switch (circuit.state) {
    case 'closed':
      return { circuit, permission: { kind: 'free' } }
    case 'open': {
      const { openings, openForMs, retryAt } = circuit
      if (at < retryAt) return { circuit, permission: { kind: 'held', until: retryAt } }
      return admit({ state: 'half_open', openings, openForMs, passed: 0, nextTrial: 1, trials: [] }, at, leaseMs)
    }
    case 'half_open': {
      const trials = circuit.trials.filter(({ expiresAt }) => expiresAt > at)
      if (circuit.passed + trials.length >= TRIALS) {
        const until = Math.min(...trials.map(({ expiresAt }) => expiresAt))
        return { circuit: { ...circuit, trials }, permission: { kind: 'held', until } }
      }
      const trial = { id: circuit.nextTrial, expiresAt: at + leaseMs }
      const granted = { ...circuit, nextTrial: circuit.nextTrial + 1, trials: [...trials, trial] }
      return { circuit: granted, permission: { kind: 'trial', trial } }
    }
    default:
      return circuit satisfies never
  }
}

/**
 * A trial has ended, or its right was given back unused (`none`). A trial whose lease has run out says nothing any more.
 * @returns the same circuit if this changed nothing
 */
export function afterTrial(circuit: Circuit, id: number, verdict: Verdict, at: number): Circuit {
  if (circuit.state !== 'half_open') return circuit
  if (!circuit.trials.some((trial) => trial.id === id && trial.expiresAt > at)) return circuit
  const trials = circuit.trials.filter((trial) => trial.id !== id)
  switch (verdict) {
    case 'failure':
      return openState(circuit.openings, circuit.openForMs, at)
    case 'success':
      return circuit.passed + 1 >= TRIALS ? CLOSED : { ...circuit, trials, passed: circuit.passed + 1 }
    case 'none':
      return { ...circuit, trials }
    default:
      return verdict satisfies never
  }
}

/** The longest time after which a task that a circuit holds back looks again by itself. */
const MAX_PATIENCE_MS = 3_600_000

/**
 * The shortest wait of a task that a circuit has held back `waits` times in a row. It doubles each time, so that a run which
 * waits a year for a server does not fill its history. A circuit that closes wakes the tasks that it held before that.
 * @returns milliseconds, 1,000 to MAX_PATIENCE_MS
 */
export function patienceMs(waits: number): number {
  return Math.min(1_000 * 2 ** waits, MAX_PATIENCE_MS)
}
