// How a run's rows go: the row of `runs` first, so that from then on nobody finds the run; what else there is of it in batches,
// since a run may have hundreds of large rows and a turn keeps every request of the shard waiting. A run whose other rows are
// still there stands in `removals`, written in the same turn, so a crash leaves nothing behind.

import type { Rows } from '../rows.ts'

/** Rows of `commits` and `payloads` that go in one turn; each has up to half a megabyte. */
const BATCH = 100

export interface RemovalActions {
  /** A run is gone, and has to be dropped from memory. */
  drop(runId: string): void
  /** `step` has to be called soon. */
  wake(): void
}

/** Deletes the rows of runs, a bounded number in each turn. */
export class Removal {
  readonly #rows: Rows
  readonly #actions: RemovalActions
  #hasMore: boolean

  constructor(rows: Rows, actions: RemovalActions) {
    this.#rows = rows
    this.#actions = actions
    this.#hasMore = rows.one('SELECT run_id FROM removals LIMIT 1') !== null
  }

  /** Whether rows of removed runs are left: then `step` has to be called. */
  get hasMore(): boolean {
    return this.#hasMore
  }

  /** Removes runs that have ended. */
  remove(runIds: readonly string[]): void {
    for (const runId of runIds) {
      const gone = this.#rows.one<{ spilled: number; payloads: number; retry_of: string | null }>(
        `DELETE FROM runs WHERE id = ? RETURNING spilled, payloads, summary ->> '$.retry_of' AS retry_of`,
        runId,
      )
      this.#rows.run('DELETE FROM retried WHERE run_id = ?', runId)
      // The run that this one made again is made again by nobody any more.
      if (gone?.retry_of != null) this.#rows.run('DELETE FROM retried WHERE run_id = ?', gone.retry_of)
      this.#actions.drop(runId)
      if (gone === null || (gone.spilled === 0 && gone.payloads === 0)) continue
      this.#rows.run('INSERT OR IGNORE INTO removals (run_id) VALUES (?)', runId)
      this.#hasMore = true
    }
    if (this.#hasMore) this.#actions.wake()
  }

  /** Deletes what one turn may. The name of a run goes after the last of its rows. */
  step(): void {
    for (let left = BATCH; left > 0; ) {
      const next = this.#rows.one<{ run_id: string }>('SELECT run_id FROM removals LIMIT 1')
      if (next === null) {
        this.#hasMore = false
        return
      }
      left -= this.#delete('commits', 'seq', next.run_id, left)
      if (left > 0) left -= this.#delete('payloads', 'n, part', next.run_id, left)
      if (left > 0) this.#rows.run('DELETE FROM removals WHERE run_id = ?', next.run_id)
    }
  }

  /** @returns how many rows it deleted */
  #delete(table: 'commits' | 'payloads', key: string, runId: string, limit: number): number {
    return this.#rows.all(
      `DELETE FROM ${table} WHERE run_id = ?1
       AND (${key}) IN (SELECT ${key} FROM ${table} WHERE run_id = ?1 LIMIT ?2) RETURNING run_id`,
      runId,
      limit,
    ).length
  }
}
