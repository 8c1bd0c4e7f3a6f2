// The one row of a Gate. The table is made at the first write, since most Gates never have anything to remember.

import type { Circuit } from '../../src/workflow/decide/circuit.ts'
import type { GivenRetries } from '../../src/workflow/decide/retry-budget.ts'
import { migrate } from '../migrate.ts'
import { Rows } from '../rows.ts'

export interface Stored {
  circuit: Circuit
  given: GivenRetries
  revision: number
  changedAt: number
  cause: string | null
  /** Shards of the Runners that believe the circuit not closed. */
  told: number[]
}

const MIGRATIONS = [
  'CREATE TABLE gate (one INTEGER PRIMARY KEY CHECK (one = 1), data TEXT NOT NULL, is_untold INTEGER NOT NULL)',
] as const

/** What a Gate remembers, as one row; the object has no table before the first `save`. */
export class GateState {
  readonly #sql: SqlStorage
  readonly #rows: Rows
  #hasTable: boolean
  #isUntold = false

  constructor(sql: SqlStorage) {
    this.#sql = sql
    this.#rows = new Rows(sql)
    this.#hasTable = this.#rows.one("SELECT name FROM sqlite_master WHERE name = 'gate'") !== null
    if (this.#hasTable) migrate(sql, MIGRATIONS)
  }

  /** What was saved last; null if nothing ever was. */
  load(): Stored | null {
    if (!this.#hasTable) return null
    const row = this.#rows.one<{ data: string; is_untold: number }>('SELECT data, is_untold FROM gate')
    if (row === null) return null
    this.#isUntold = row.is_untold === 1
    return JSON.parse(row.data) as Stored
  }

  /** Whether there is a transition that not everybody concerned has heard of. */
  get isUntold(): boolean {
    return this.#isUntold
  }

  /** Written with the next `save`. */
  setUntold(isUntold: boolean): void {
    this.#isUntold = isUntold
  }

  /** Writes the row, and makes the table before that if there is none. Writes 1 row. */
  save(stored: Stored): void {
    if (!this.#hasTable) migrate(this.#sql, MIGRATIONS)
    this.#hasTable = true
    this.#rows.run(
      'INSERT OR REPLACE INTO gate (one, data, is_untold) VALUES (1, ?, ?)',
      JSON.stringify(stored),
      this.#isUntold ? 1 : 0,
    )
  }
}
