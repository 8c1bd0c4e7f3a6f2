// What a bulk job does to the runs of this shard, page by page, and how the other shards come to know of it. Where a job
// stands is kept by bulk-jobs.ts.

import { ulid } from 'ulid'
import { logFault } from '../fault-log.ts'
import type { Rows } from '../rows.ts'
import { type Acted, type BulkJobs, boundedFilter, retryKey } from './bulk-jobs.ts'
import { type IdempotencyKeys, KEY_LIFETIME_MS } from './idempotency-keys.ts'
import { countRuns, listRuns } from './listing.ts'
import type { Removal } from './removal.ts'
import type { Retention } from './retention.ts'
import type { Retries } from './retries.ts'
import type { BulkAnswer, BulkJob, StartRequest } from './runner-rpc.ts'
import type { Steps } from './steps.ts'

/** Runs that are made again copy so many bytes of outputs in one step, or take so long; then others have their turn. */
const MAX_RETRIED_BYTES = 4 * 1024 * 1024
const MAX_RETRYING_MS = 200

/** What this Runner does for bulk jobs: takes them, acts on its own runs, and tells the other shards. */
export class BulkWork {
  readonly #jobs: BulkJobs
  readonly #keys: IdempotencyKeys
  readonly #retention: Retention
  readonly #rows: Rows
  readonly #prefix: () => string
  readonly #steps: Steps
  readonly #retries: Retries
  readonly #removal: Removal
  readonly #tellShard: (shard: number, job: BulkJob) => Promise<unknown>
  #isTelling = false

  /**
   * @param prefix what the ids of this shard's runs begin with
   * @param tellShard hands a job to another shard
   */
  constructor(
    jobs: BulkJobs,
    keys: IdempotencyKeys,
    retention: Retention,
    rows: Rows,
    prefix: () => string,
    steps: Steps,
    retries: Retries,
    removal: Removal,
    tellShard: (shard: number, job: BulkJob) => Promise<unknown>,
  ) {
    this.#jobs = jobs
    this.#keys = keys
    this.#retention = retention
    this.#rows = rows
    this.#prefix = prefix
    this.#steps = steps
    this.#retries = retries
    this.#removal = removal
    this.#tellShard = tellShard
  }

  /** Takes a job, or finds the one that its id or its key has begun. What it writes is one turn with it. */
  accept(job: BulkJob, others: readonly number[], idempotency: StartRequest['idempotency']): BulkAnswer {
    if (idempotency === null) return this.#jobs.accept(job, others)
    // Keys of starts hold no blank, so none of them can be this one.
    const key = `bulk ${idempotency.key}`
    const now = Date.now()
    const known = this.#keys.find(key, now)
    if (known !== null && known.bodyHash !== idempotency.bodyHash) return 'idempotency_key_reused'
    // The same call asks again, since the platform broke the first one off: that is not a replay.
    if (known !== null) return known.runId === job.id ? 'accepted' : { kind: 'replayed', id: known.runId }
    const outcome = this.#jobs.accept(job, others)
    if (outcome === 'accepted') {
      this.#keys.save(key, idempotency.bodyHash, job.id, now)
      this.#retention.expectKey(now + KEY_LIFETIME_MS)
    }
    return outcome
  }

  /** How many runs a job would act on now. */
  async count(job: BulkJob): Promise<number> {
    let sum = 0
    for (let before: string | null = null; ; ) {
      const { count, horizon } = countRuns(this.#rows, boundedFilter(job), this.#prefix(), before)
      sum += count
      if (horizon === null) return sum
      before = horizon
      await scheduler.wait(0)
    }
  }

  /** Acts on a page of the oldest job. Rejects if it broke; the next step is made after a while then. */
  async step(now: number): Promise<void> {
    try {
      await this.#jobs.step(
        now,
        (filter, before, limit) => listRuns(this.#rows, filter, this.#prefix(), before, limit),
        (action, ulids, at, jobId) => this.#act(action, ulids, at, jobId),
      )
    } catch (error) {
      this.#jobs.postpone(now)
      throw error
    }
  }

  /** Tells other shards of the jobs that this one has to tell them of. Not to be awaited by the alarm: one that hangs would hold it. */
  async tell(): Promise<void> {
    if (this.#isTelling) return
    this.#isTelling = true
    try {
      for (const { job, shards } of this.#jobs.untoldJobs()) {
        const told = await Promise.allSettled(shards.map((shard) => this.#tellShard(shard, job)))
        for (const outcome of told) if (outcome.status === 'rejected') logFault('bulk', outcome.reason)
        this.#jobs.setUntold(
          job.id,
          shards.filter((_, index) => told[index]!.status === 'rejected'),
        )
      }
    } finally {
      this.#isTelling = false
    }
  }

  #act(action: BulkJob['action'], ulids: readonly string[], now: number, jobId: string): Acted | Promise<Acted> {
    const runIds = ulids.map((id) => `${this.#prefix()}${id}`)
    const count = runIds.length
    switch (action) {
      case 'delete':
        this.#removal.remove(runIds)
        return { count, failed: 0 }
      case 'retry':
        return this.#retryFirst(runIds, jobId)
      case 'cancel':
        return { count, failed: runIds.filter((runId) => !this.#steps.requestCancel(runId, now)).length }
    }
  }

  /**
   * Makes runs again, each once for a job: its key finds what was begun before a crash. One after the other, at least one of them,
   * until so much was copied that whatever else this shard has to do should come first. A run that cannot be made again now, since
   * nobody could say in time what its workflow is, is the first of the next step.
   * @throws if that is the first of this one
   */
  async #retryFirst(runIds: readonly string[], jobId: string): Promise<Acted> {
    const begunAt = Date.now()
    const acted = { count: 0, failed: 0 }
    let bytes = 0
    for (const of of runIds) {
      if (acted.count > 0 && (bytes > MAX_RETRIED_BYTES || Date.now() - begunAt > MAX_RETRYING_MS)) break
      bytes += this.#payloadBytes(of)
      const outcome = await this.#retry(of, jobId)
      if (outcome === 'later' && acted.count === 0) throw new Error('the Registry did not answer in time')
      if (outcome === 'later') break
      acted.count++
      if (outcome === 'failed') acted.failed++
    }
    return acted
  }

  async #retry(of: string, jobId: string): Promise<'made' | 'failed' | 'later'> {
    try {
      const { kind } = await this.#retries.accept({
        runId: `${this.#prefix()}${ulid()}`,
        of,
        from: 'failed',
        version: null,
        idempotency: { key: retryKey(jobId, of), bodyHash: '' },
      })
      if (kind === 'overloaded') return 'later'
      return kind === 'accepted' ? 'made' : 'failed'
    } catch (error) {
      logFault('bulk', error, of)
      return 'failed'
    }
  }

  #payloadBytes(runId: string): number {
    const row = this.#rows.one<{ payload_bytes: number }>('SELECT payload_bytes FROM runs WHERE id = ?', runId)
    return row?.payload_bytes ?? 0
  }
}
