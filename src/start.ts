// startRun: the one way a run begins, for the API and for every trigger to come.
// It mints the run's id, finds the Runner that the id belongs to, and never leaves open whether there is a run: it says
// what became of the start, or names the id to ask for.

import { monotonicFactory } from 'ulid'
import type {
  RetryAnswer,
  RetryRefused,
  RetryRequest,
  StartAnswer,
  StartRequest,
} from '../durable/runner/runner-rpc.ts'
import type { Env } from './env.ts'
import { runnerOf } from './objects.ts'
import { hash32 } from './workflow/hash.ts'
import { runIdOf, SHARDS } from './workflow/run-id.ts'

/** How often a start that broke off is repeated. */
const MAX_REPEATS = 2

/** Longest wait before a repeat, in ms; the wait is spread, so that starts do not come back all at once. */
const REPEAT_WITHIN_MS = 50

/** A start before it has an id. */
export type Start = Omit<StartRequest, 'runId'>

/** A retry before the new run has an id. */
export type Retry = Omit<RetryRequest, 'runId'>

/** What became of a start. */
export type Started =
  | StartAnswer
  /** The Runner has too much to do, or cannot be told what to start, and did not take the start: nothing was recorded. */
  | { kind: 'overloaded' }
  /** Whether the run began is not known. It has this id if it did. */
  | { kind: 'start_unconfirmed'; runId: string }

/**
 * Starts a run, or finds the one that its idempotency key has started, and waits for its end as long as asked.
 * Throws nothing: a Runner that breaks (a deploy, a crash) is asked again with the same id, which starts nothing twice.
 */
export async function startRun(env: Env, tenant: string, start: Start): Promise<Started> {
  const ulid = mintUlid()
  // A key always leads to the same Runner, which alone can tell whether it has seen it.
  const shard = hash32(start.idempotency?.key ?? ulid) % SHARDS
  const runId = runIdOf(shard, ulid)
  const waitUntil = Date.now() + start.waitMs
  return beginRun(env, tenant, shard, runId, (runner) => {
    return runner.start({ ...start, runId, waitMs: Math.max(0, waitUntil - Date.now()) }) as Promise<StartAnswer>
  })
}

/**
 * Makes a run again. The new run lives on the shard of the one before, where the outputs are that it takes over; so does
 * its Idempotency-Key.
 * @param shard of the run that is made again
 */
export async function retryRun(env: Env, tenant: string, shard: number, retry: Retry): Promise<Started | RetryRefused> {
  const runId = runIdOf(shard, mintUlid())
  return beginRun(env, tenant, shard, runId, (runner) => runner.retry({ ...retry, runId }) as Promise<RetryAnswer>)
}

/** Asks a Runner for a new run, again with the same id if it breaks. */
async function beginRun<Answer>(
  env: Env,
  tenant: string,
  shard: number,
  runId: string,
  ask: (runner: ReturnType<typeof runnerOf>) => Promise<Answer>,
): Promise<Answer | Started> {
  for (let repeats = 0; ; repeats++) {
    try {
      return await ask(runnerOf(env, tenant, shard))
    } catch (error) {
      if (isOverloaded(error) && repeats === 0) return { kind: 'overloaded' }
      if (!isRetryable(error) || repeats === MAX_REPEATS) break
      await scheduler.wait(Math.random() * REPEAT_WITHIN_MS)
    }
  }
  return confirm(env, tenant, shard, runId)
}

/** The start broke off for good: if the run is there nevertheless, it is the answer. */
async function confirm(env: Env, tenant: string, shard: number, runId: string): Promise<Started> {
  try {
    const answer = await runnerOf(env, tenant, shard).get(runId, 0)
    if (answer.kind === 'run') return { ...answer, replayed: false }
  } catch {
    // The caller is told that nothing is known, which is what this failure says.
  }
  return { kind: 'start_unconfirmed', runId }
}

/** Whether the platform says that the same call may succeed (the object was reset, moved or cut off). */
export function isRetryable(error: unknown): boolean {
  return (error as { retryable?: unknown } | null)?.retryable === true && !isOverloaded(error)
}

/** Whether an object refused the call because too many wait for it already; repeating would make it worse. */
export function isOverloaded(error: unknown): boolean {
  return (error as { overloaded?: unknown } | null)?.overloaded === true
}

/** Within this isolate each is greater than the one before, also within a millisecond, so that lists have starts in order. */
const mintUlid = monotonicFactory(randomFraction)

let random = new Uint8Array(0)
let used = 0

/** A uniform fraction with 8 random bits: ulid takes 16 an id, and asking the platform for each would cost more than all else here. */
function randomFraction(): number {
  if (used === random.length) {
    random = crypto.getRandomValues(new Uint8Array(256))
    used = 0
  }
  return random[used++]! / 256
}
