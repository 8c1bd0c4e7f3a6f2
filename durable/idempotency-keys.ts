// Which run an Idempotency-Key has started. A Runner's own: the key decides the shard, so all its requests meet here.

import type { Rows } from './rows.ts'

/** How long a key is remembered, in ms (api.md, 24 h). */
const LIFETIME_MS = 24 * 3_600_000

/** How often keys whose time is over are deleted, in ms. */
const CLEANING_MS = 3_600_000

export class IdempotencyKeys {
  readonly #rows: Rows
  #cleanedAt = 0

  constructor(rows: Rows) {
    this.#rows = rows
  }

  find(key: string, now: number): { bodyHash: string; runId: string } | null {
    return this.#rows.one(
      'SELECT body_hash AS bodyHash, run_id AS runId FROM idempotency WHERE key = ? AND expires_at > ?',
      key,
      now,
    )
  }

  /** Belongs into the transaction that records the run. One row. */
  save(key: string, bodyHash: string, runId: string, now: number): void {
    this.#rows.run(
      'INSERT OR REPLACE INTO idempotency (key, body_hash, run_id, expires_at) VALUES (?, ?, ?, ?)',
      key,
      bodyHash,
      runId,
      now + LIFETIME_MS,
    )
    if (now - this.#cleanedAt < CLEANING_MS) return
    this.#cleanedAt = now
    this.#rows.run('DELETE FROM idempotency WHERE expires_at <= ?', now)
  }
}
