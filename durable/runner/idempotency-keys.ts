// Which run, or which bulk job, an Idempotency-Key has started. A Runner's own: the key decides the shard, so all its requests meet here.
// A key that is over is not found; its row goes with the next pass of retention.ts, not on the path of a start.

import type { Rows } from '../rows.ts'

/** How long a key is remembered, in ms (api.md, 24 h). */
export const KEY_LIFETIME_MS = 24 * 3_600_000

/** The keys that this Runner's starts and bulk jobs were made with. */
export class IdempotencyKeys {
  readonly #rows: Rows

  constructor(rows: Rows) {
    this.#rows = rows
  }

  /** What was started with this key, and the hash of that request's body; null if the key is unknown or its time is over. */
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
      now + KEY_LIFETIME_MS,
    )
  }

  /**
   * Deletes keys whose time is over, of a window of them in their own order.
   * @param after the last key of the window before, '' at the beginning
   * @returns how many keys the window had, the last of them, and when the first of those that stay is over
   */
  expire(after: string, now: number, window: number): { seen: number; last: string | null; earliest: number | null } {
    const rows = this.#rows.all<{ key: string; expires_at: number }>(
      'SELECT key, expires_at FROM idempotency WHERE key > ? ORDER BY key LIMIT ?',
      after,
      window,
    )
    let earliest: number | null = null
    for (const { key, expires_at } of rows) {
      if (expires_at <= now) this.#rows.run('DELETE FROM idempotency WHERE key = ?', key)
      else earliest = Math.min(earliest ?? expires_at, expires_at)
    }
    return { seen: rows.length, last: rows.at(-1)?.key ?? null, earliest }
  }
}
