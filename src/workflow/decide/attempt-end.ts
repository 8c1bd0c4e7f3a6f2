// What follows an attempt that ended without success, of a task or of an item of a map: another one, when, or the end. Pure.

import type { LaterEvent, TaskError } from '../event.ts'
import { mayGoOn, type Run } from '../run/run.ts'
import { configOf, planOf, type Spot } from '../run/spot.ts'
import { triesOf } from '../run/tries.ts'
import { SPAN_PATTERN, spanMs } from '../span.ts'
import { countText } from '../wording.ts'
import {
  isRetried,
  MAX_INTERRUPTIONS,
  MAX_PUT_OFFS,
  MAX_UNREACHED,
  reachDelayMs,
  restartDelayMs,
  retryDelayMs,
} from './retry.ts'

/** The longest that a server which a compensation calls may ask it to wait, in ms. */
const MAX_ASKED_WHILE_UNDOING_MS = 3_600_000

/** Statuses with which a server puts a caller off rather than failing it; with Retry-After, or gRPC's RetryInfo, they spend no attempt. */
const PUT_OFF: ReadonlySet<string> = new Set(['http_429', 'http_503', 'grpc_resource_exhausted', 'grpc_unavailable'])

/** What follows each attempt that ended without success and about which nothing is decided yet, in tasks and items that may go on. */
export function endedAttempts(run: Run, at: number): LaterEvent[] {
  const events: LaterEvent[] = []
  for (const task of run.undecided) if (mayGoOn(run, task)) events.push(afterAttempt(run, { task }, at))
  for (const task of run.maps) {
    if (!mayGoOn(run, task)) continue
    for (const item of run.tasks[task]!.items!.undecided) events.push(afterAttempt(run, { task, item }, at))
  }
  return events
}

/** An attempt ended without success: its task waits for another, or ends as the attempt did. */
function afterAttempt(run: Run, spot: Spot, at: number): LaterEvent {
  const { status, error } = triesOf(run, spot).attempts.at(-1)!
  if (status === 'interrupted') return afterInterruption(run, spot, at)
  if (status === 'snoozed') return afterPoll(run, spot, at)
  const again = retry(run, spot, error!, at)
  if (again !== null) return again
  return status === 'timed_out'
    ? { type: 'TaskTimedOut', at, ...spot }
    : { type: 'TaskFailed', at, ...spot, error: error! }
}

/** What is waited for is not there yet: the next call, unless it would come too late. A run that undoes what it did has no deadline. */
function afterPoll(run: Run, spot: Spot, at: number): LaterEvent {
  const { retryAfterMs, polls } = triesOf(run, spot)
  const until = at + (run.compensation === null ? retryAfterMs! : Math.min(retryAfterMs!, longestPoll(run, spot)))
  if (until < (run.deadlineAt ?? Number.POSITIVE_INFINITY)) {
    return { type: 'TaskWaiting', at, ...spot, for: 'poll', until, isPutOff: false }
  }
  const message = `What is waited for had not come after ${countText(polls, 'call')}; the next would be due in ${until - at} ms, after the run's deadline`
  return { type: 'TaskFailed', at, ...spot, error: { code: 'poll_exhausted', message, retryable: false } }
}

/** While a run undoes what it did nobody can cancel it: a server is waited for as long as the task itself says, or an hour. */
function longestPoll(run: Run, spot: Spot): number {
  const { every } = (configOf(run, spot).with.poll ?? {}) as { every?: unknown }
  const ownMs = typeof every === 'string' && SPAN_PATTERN.test(every) ? spanMs(every) : 0
  return Math.max(ownMs, MAX_ASKED_WHILE_UNDOING_MS)
}

/** The wait for another attempt, or the failure of a task whose next attempt would come after the deadline; null if there is no next attempt. */
function retry(run: Run, spot: Spot, error: TaskError, at: number): LaterEvent | null {
  const policy = planOf(run, spot).retry
  if (policy === null || policy.max_attempts === 1 || !isRetried(policy, error)) return null
  const { attempts, putOffs, retryAfterMs, isRetryRefused } = triesOf(run, spot)
  const attempt = attempts.at(-1)!.number
  const isPutOff = retryAfterMs !== null && PUT_OFF.has(error.code) && putOffs < MAX_PUT_OFFS
  if (attempt >= policy.max_attempts && !isPutOff) return null
  if (isRetryRefused && !isPutOff) {
    const message = `The host called has used up its budget of retries; attempt ${attempt} of ${policy.max_attempts} ended with ${error.code}`
    const refused: TaskError = { code: 'retry_budget_exhausted', message, retryable: true, cause: error }
    return { type: 'TaskFailed', at, ...spot, error: refused }
  }
  const backoffMs = retryDelayMs(policy, attempt, `${seedOf(run, spot)}/${spot.task}/${attempt}/${putOffs}`)
  // Never sooner than the server asked.
  const until = at + Math.max(backoffMs, retryAfterMs ?? 0)
  if (until < latestRetry(run, at + backoffMs, at)) {
    return { type: 'TaskWaiting', at, ...spot, for: 'retry', until, isPutOff }
  }
  const code = retryAfterMs !== null && retryAfterMs > backoffMs ? 'retry_after_too_long' : 'deadline_before_retry'
  const bound = run.compensation === null ? "after the run's deadline" : 'longer than a compensation waits for a server'
  const message = `The next attempt would be due in ${until - at} ms, ${bound}; ${error.code} before`
  return { type: 'TaskFailed', at, ...spot, error: { code, message, retryable: false, cause: error } }
}

/**
 * Until when a retry has to be due. A paused run has no deadline, and one that undoes what it did never will have: then its
 * policy bounds the wait, and what a server asks for is bounded here, since nobody could cancel it.
 */
function latestRetry({ deadlineAt, compensation }: Run, byPolicy: number, at: number): number {
  if (compensation !== null) return Math.max(byPolicy, at + MAX_ASKED_WHILE_UNDOING_MS) + 1
  return deadlineAt ?? Number.POSITIVE_INFINITY
}

/**
 * Whether a report of this error would lead to a retry that a budget has to grant: not what ends the task anyway, and not
 * what a server put off itself, since a caller that comes back when it was told to is no storm.
 */
export function wantsRetry(run: Run, spot: Spot, error: TaskError, retryAfterMs: number | null): boolean {
  const policy = planOf(run, spot).retry
  if (policy === null || !isRetried(policy, error)) return false
  const { attempts, putOffs } = triesOf(run, spot)
  const isPutOff = retryAfterMs !== null && PUT_OFF.has(error.code) && putOffs < MAX_PUT_OFFS
  return !isPutOff && (attempts.at(-1)?.number ?? policy.max_attempts) < policy.max_attempts
}

/** An interruption is this service's own fault, so it spends no attempt of the task. It is bounded all the same, or it could go on for ever. */
function afterInterruption(run: Run, spot: Spot, at: number): LaterEvent {
  const { interruptions, unreached } = triesOf(run, spot)
  if (unreached > 0) return afterUnreached(run, spot, unreached, at)
  if (interruptions < MAX_INTERRUPTIONS) {
    const until = at + restartDelayMs(seedOf(run, spot), spot.task, interruptions)
    return { type: 'TaskWaiting', at, ...spot, for: 'retry', until, isPutOff: false }
  }
  const message = `${MAX_INTERRUPTIONS} attempts of this task were cut off by a crash or a deploy`
  const error: TaskError = { code: 'interrupted_too_often', message, retryable: false }
  return { type: 'TaskFailed', at, ...spot, error }
}

/** Nothing has executed that could have brought anything down, so it is tried for longer than what crashes, and less and less often. */
function afterUnreached(run: Run, spot: Spot, times: number, at: number): LaterEvent {
  if (times < MAX_UNREACHED) {
    const leftMs = (run.deadlineAt ?? Number.POSITIVE_INFINITY) - at
    const until = at + reachDelayMs(`${seedOf(run, spot)}/${spot.task}/${times}`, times, leftMs)
    return { type: 'TaskWaiting', at, ...spot, for: 'retry', until, isPutOff: false }
  }
  const message = `What makes the attempts of this task did not answer ${MAX_UNREACHED} times in a row`
  return { type: 'TaskFailed', at, ...spot, error: { code: 'interrupted_too_often', message, retryable: false } }
}

/** The seed of the random delays of a task or item. A task's seed has no item part, as in histories that were written before maps existed. */
function seedOf(run: Run, { item }: Spot): string {
  return item === undefined ? run.id : `${run.id}/${item}`
}
