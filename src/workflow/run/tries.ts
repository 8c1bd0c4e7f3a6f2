// What a task and an item of a map have in common: attempts, one after the other, and what the next one waits for.

import type { LaterEvent, TaskError } from '../event.ts'
import type { AttemptStatus, Run, Task } from './run.ts'
import type { Spot } from './spot.ts'

/** The part of a task that is about its attempts. */
export type Tries = Pick<
  Task,
  | 'startedAt'
  | 'attempts'
  | 'token'
  | 'interruptions'
  | 'unreached'
  | 'putOffs'
  | 'polls'
  | 'retryAfterMs'
  | 'isRetryRefused'
  | 'logs'
  | 'circuit'
  | 'circuitWaits'
  | 'waitingFor'
  | 'wakeAt'
  | 'childRun'
>

/** The state of a task or item that was never tried. */
export function noTries(): Tries {
  return {
    startedAt: null,
    attempts: [],
    token: 0,
    interruptions: 0,
    unreached: 0,
    putOffs: 0,
    polls: 0,
    retryAfterMs: null,
    isRetryRefused: false,
    logs: null,
    circuit: null,
    circuitWaits: 0,
    waitingFor: null,
    wakeAt: null,
    childRun: null,
  }
}

/** Forgets what only a wait needed that is over. */
export function endWait(tries: Tries): void {
  tries.wakeAt = null
  tries.circuit = null
  tries.waitingFor = null
}

/** The attempts of a spot; an item that has not begun has none. */
export function triesOf(run: Run, { task, item }: Spot): Tries {
  if (item === undefined) return run.tasks[task]!
  return run.tasks[task]!.items!.begun.get(item) ?? noTries()
}

/**
 * Begins an attempt.
 * @param token number of the event that says so
 */
export function beginAttempt(tries: Tries, token: number, { attempt, at }: { attempt: number; at: number }): void {
  tries.token = token
  tries.startedAt ??= at
  tries.circuitWaits = 0
  tries.attempts.push({ number: attempt, status: 'running', startedAt: at, finishedAt: null, error: null })
}

/** Ends the attempt that is executing, if one is: a task can be cancelled or timed out while none is. */
export function endAttempt(tries: Tries, status: AttemptStatus, at: number, error: TaskError | null): void {
  tries.token = 0
  // Every other end shows that the attempt was made, so the row of failures to make one is broken.
  if (status !== 'interrupted') tries.unreached = 0
  const attempt = tries.attempts.at(-1)
  if (attempt?.status !== 'running') return
  attempt.status = status
  attempt.finishedAt = at
  attempt.error = error
}

/** Events that end an attempt by what it reported. */
export type AttemptEnd = Extract<LaterEvent, { type: keyof typeof END_STATUS }>

const END_STATUS = {
  AttemptSucceeded: 'succeeded',
  AttemptFailed: 'failed',
  AttemptTimedOut: 'timed_out',
  AttemptSnoozed: 'snoozed',
  AttemptInterrupted: 'interrupted',
} as const

/** An attempt has ended: how, what it printed and took, and what its end says of the next one. */
export function recordEnd(tries: Tries, event: AttemptEnd): void {
  endAttempt(tries, END_STATUS[event.type], event.at, 'error' in event ? event.error : null)
  if (event.type === 'AttemptInterrupted') {
    endInterrupted(tries, event)
    return
  }
  tries.logs = event.logs ?? null
  if (event.type === 'AttemptSnoozed') {
    endPoll(tries, event.afterMs)
    return
  }
  const attempt = tries.attempts.at(-1)
  if (event.usage !== undefined && attempt !== undefined) attempt.usage = event.usage
  if (event.type === 'AttemptSucceeded') return
  tries.isRetryRefused = event.isRetryRefused === true
  if (event.type === 'AttemptTimedOut') return
  tries.retryAfterMs = event.retryAfterMs ?? null
  if (event.wasRefusedStart) tries.childRun = null
}

/** The answer was not the one waited for: what went wrong before it is over, and the next call is another. */
function endPoll(tries: Tries, afterMs: number): void {
  tries.polls++
  tries.putOffs = 0
  tries.interruptions = 0
  tries.unreached = 0
  tries.retryAfterMs = afterMs
  tries.isRetryRefused = false
}

/** An attempt was cut off, or could not be made. */
function endInterrupted(tries: Tries, { isUnreached }: { isUnreached?: true }): void {
  if (isUnreached) {
    tries.unreached++
    const attempt = tries.attempts.at(-1)
    if (attempt !== undefined) attempt.isUnreached = true
  } else {
    tries.interruptions++
    tries.unreached = 0
  }
}

/** Whether an attempt has ended with an answer that is not the one waited for: it was a call of a poll, and no failure. */
export function wasPoll({ status, error }: Tries['attempts'][number]): boolean {
  return status === 'snoozed' && error === null
}

/** Waits begin: for another attempt, a circuit, or what the task itself waits for. */
export function beginWaiting(
  tries: Tries,
  {
    for: what,
    until,
    target,
    isPutOff,
  }: { for: Task['waitingFor']; until: number | null; target?: string; isPutOff: boolean },
): void {
  tries.waitingFor = what
  tries.wakeAt = until
  tries.retryAfterMs = null
  if (what === 'circuit') {
    tries.circuit = target ?? null
    tries.circuitWaits++
  }
  if (!isPutOff) return
  tries.putOffs++
  tries.attempts.at(-1)!.status = 'snoozed'
}

/** An attempt that failed or timed out counts; one that was interrupted or snoozed shares its number with the next. */
export function nextAttempt(run: Run, spot: Spot): number {
  const counted = triesOf(run, spot).attempts.filter(({ status }) => status === 'failed' || status === 'timed_out')
  return counted.length + 1
}
