// When an attempt is made again. Pure: jitter is a hash of what is made again, so a replay waits as long (R2).

import type { TaskError } from '../event.ts'
import { hash32 } from '../hash.ts'
import { spanMs } from '../span.ts'

/** How often and when a task is tried again. Spans are texts ("1s"), as definitions write them. */
export interface RetryPolicy {
  /** 1 to 100; the first attempt counts. */
  max_attempts: number
  initial_interval: string
  multiplier: number
  max_interval: string
  jitter: 'full' | 'none'
  /** Codes worth another attempt, instead of those that are by themselves; `http_5xx` and `*` are patterns. */
  retry_on?: string[]
  never_retry_on?: string[]
}

/** The most waits that a server may ask for with Retry-After without spending an attempt. */
export const MAX_PUT_OFFS = 20

/** Whether this error is worth another attempt, the number of attempts aside. */
export function isRetried(policy: RetryPolicy, error: TaskError): boolean {
  if (policy.never_retry_on?.some((pattern) => matchesCode(pattern, error.code))) return false
  return policy.retry_on?.some((pattern) => matchesCode(pattern, error.code)) ?? error.retryable
}

function matchesCode(pattern: string, code: string): boolean {
  if (pattern === '*') return true
  // `http_5xx` is every status of its hundred.
  return pattern.endsWith('xx')
    ? code.length === pattern.length && code.startsWith(pattern.slice(0, -2))
    : code === pattern
}

/**
 * Wait before the attempt after this one: exponential, capped, with full jitter (uniform from 0 to the capped wait).
 * @param attempt the attempt that failed, from 1
 * @param seed what is tried again: equal seeds wait as long
 * @returns whole milliseconds, 0 to `max_interval`
 * @see "Exponential Backoff and Jitter", AWS Architecture Blog ("full jitter")
 */
export function retryDelayMs(policy: RetryPolicy, attempt: number, seed: string): number {
  const backoff = spanMs(policy.initial_interval) * policy.multiplier ** (attempt - 1)
  const capped = Math.min(backoff, spanMs(policy.max_interval))
  return policy.jitter === 'none' ? Math.round(capped) : Math.floor((capped + 1) * (hash32(seed) / 2 ** 32))
}

/** The longest wait before an interrupted attempt is made again, in ms. */
const RESTART_JITTER_MS = 1_000

/** The fifth interruption fails the task: what falls over five times would take its shard down for ever. */
export const MAX_INTERRUPTIONS = 5

/**
 * Wait before an attempt that a crash or a deploy cut off is made again. Spread over a second, so that the attempts of a
 * whole shard do not storm the servers that they call in the moment it returns.
 * @returns whole milliseconds, 0 to 999
 */
export function restartDelayMs(runId: string, task: number, interruption: number): number {
  return hash32(`${runId}/${task}/${interruption}`) % RESTART_JITTER_MS
}

/** The longest wait before what did not answer is asked again, in ms, and the first. */
const MAX_REACH_DELAY_MS = 60_000
const MIN_REACH_DELAY_MS = 1_000

/** So often in a row an attempt may not be made: the waits come to three quarters of an hour. */
export const MAX_UNREACHED = 60

/**
 * Wait before an attempt is tried again that could not be made, since the part of this service that makes it did not answer: 1 s, 2 s,
 * 4 s ... 60 s, each spread over its second half. No longer than half of what its run has left, though, so that what comes back just before
 * the deadline is still found.
 * @param times how often in a row, from 1
 * @param leftMs what the run has left; Infinity without a deadline
 * @returns whole milliseconds, at least 500
 */
export function reachDelayMs(seed: string, times: number, leftMs: number): number {
  const backoff = Math.min(MIN_REACH_DELAY_MS * 2 ** (times - 1), MAX_REACH_DELAY_MS)
  const longest = Math.max(MIN_REACH_DELAY_MS, Math.min(backoff, leftMs / 2))
  return Math.floor(longest / 2 + (longest / 2) * (hash32(seed) / 2 ** 32))
}
