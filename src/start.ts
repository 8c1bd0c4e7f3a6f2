// startRun: the one way a run begins, whoever asks (the API now; webhooks, queues, cron and streams later).
// It mints the run's id, finds the Runner that the id belongs to, and never leaves open whether there is a run: it says
// what became of the start, or names the id to ask for.

import { monotonicFactory } from 'ulid'
import type { RetryAnswer, RetryRefused, RetryRequest, StartAnswer, StartRequest } from '../durable/runner-rpc.ts'
import type { Env } from './env.ts'
import { hash32 } from './workflow/retry.ts'

/** Runners of a tenant. Part of every run id, so it can only be changed together with a way to find older runs. */
export const SHARDS = 16

/** How often a start that broke off is repeated. */
const MAX_REPEATS = 2

/** Longest wait before a repeat, in ms; the wait is spread, so that starts do not come back all at once. */
const REPEAT_WITHIN_MS = 50

/** `run_`, two hex digits of the shard, a ULID. */
const RUN_ID = /^run_([0-9a-f]{2})([0-7][0-9A-HJKMNP-TV-Z]{25})$/

/** A start before it has an id. */
export type Start = Omit<StartRequest, 'runId'>

/** The same of a run that is to be made again. */
export type Retry = Omit<RetryRequest, 'runId'>

export type Started =
  | StartAnswer
  /** The Runner has too much to do and did not take the start: nothing was recorded. */
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
  const runId = `run_${shardCode(shard)}${ulid}`
  const waitUntil = Date.now() + start.waitMs
  return begun(env, tenant, shard, runId, (runner) => {
    return runner.start({ ...start, runId, waitMs: Math.max(0, waitUntil - Date.now()) }) as Promise<StartAnswer>
  })
}

/**
 * Makes a run again. The new run lives on the shard of the one before, where the outputs are that it takes over; so does
 * its Idempotency-Key.
 * @param shard of the run that is made again
 */
export async function retryRun(env: Env, tenant: string, shard: number, retry: Retry): Promise<Started | RetryRefused> {
  const runId = `run_${shardCode(shard)}${mintUlid()}`
  return begun(env, tenant, shard, runId, (runner) => runner.retry({ ...retry, runId }) as Promise<RetryAnswer>)
}

/** Asks a Runner for a new run, again with the same id if it breaks. */
async function begun<Answer>(
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

/** The parts of a run id; null if it can be none: another form, or a shard that this deployment does not have. */
export function parseRunId(id: string): { shard: number; ulid: string } | null {
  const match = RUN_ID.exec(id)
  if (match === null) return null
  const shard = Number.parseInt(match[1]!, 16)
  return shard < SHARDS ? { shard, ulid: match[2]! } : null
}

/** The Runner of a shard. A stub that broke stays broken, so each call takes a new one. */
export function runnerOf(env: Env, tenant: string, shard: number) {
  return env.RUNNER.get(env.RUNNER.idFromName(`${tenant}:${shard}`))
}

/** Whether the platform says that the same call may succeed (the object was reset, moved or cut off). */
export function isRetryable(error: unknown): boolean {
  return (error as { retryable?: unknown } | null)?.retryable === true && !isOverloaded(error)
}

/** Whether an object refused the call because too many wait for it already; repeating would make it worse. */
export function isOverloaded(error: unknown): boolean {
  return (error as { overloaded?: unknown } | null)?.overloaded === true
}

function shardCode(shard: number): string {
  return shard.toString(16).padStart(2, '0')
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
