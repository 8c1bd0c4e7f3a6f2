// The circuits of a tenant that have ever opened, as their Gates told last: what is listed and what is scraped. Bounded, since
// authors of workflows name the targets: circuits that have been closed the longest are forgotten first.

import type { CircuitRecord } from '../gate/gate-rpc.ts'
import type { Rows } from '../rows.ts'

/** Circuits that are remembered. */
const MAX_CIRCUITS = 1_000

/** How long a circuit that has closed is still listed, in ms. */
const CLOSED_FOR_MS = 24 * 3_600_000

export const CIRCUIT_LIST_TABLE = `CREATE TABLE circuits (
  name TEXT PRIMARY KEY, is_closed INTEGER NOT NULL, changed_at INTEGER NOT NULL, revision INTEGER NOT NULL, data TEXT NOT NULL
) WITHOUT ROWID`

/** The table of a tenant's circuits, in the Metrics object. */
export class CircuitList {
  readonly #rows: Rows

  constructor(rows: Rows) {
    this.#rows = rows
  }

  /** A repeat, or news that an older message overtook, changes nothing. */
  put(circuit: CircuitRecord, now: number): void {
    const { name, state, changedAt, revision } = circuit
    const known = this.#rows.one<{ revision: number }>('SELECT revision FROM circuits WHERE name = ?', name)
    if (known !== null && known.revision >= revision) return
    this.#rows.run(
      'INSERT OR REPLACE INTO circuits (name, is_closed, changed_at, revision, data) VALUES (?, ?, ?, ?, ?)',
      name,
      state === 'closed' ? 1 : 0,
      changedAt,
      revision,
      JSON.stringify(circuit),
    )
    this.#rows.run('DELETE FROM circuits WHERE is_closed = 1 AND changed_at < ?', now - CLOSED_FOR_MS)
    this.#rows.run(
      'DELETE FROM circuits WHERE name IN (SELECT name FROM circuits ORDER BY is_closed, changed_at DESC LIMIT -1 OFFSET ?)',
      MAX_CIRCUITS,
    )
  }

  /** Whether a circuit of this name is listed. */
  has(name: string): boolean {
    return this.#rows.one('SELECT 1 AS found FROM circuits WHERE name = ?', name) !== null
  }

  /** A page of the circuits, by name, from the one after `after`. */
  page(after: string, limit: number): CircuitRecord[] {
    return this.#parsed('SELECT data FROM circuits WHERE name > ? ORDER BY name LIMIT ?', after, limit)
  }

  /** All of them, those that are not closed first. */
  all(): CircuitRecord[] {
    return this.#parsed('SELECT data FROM circuits ORDER BY is_closed, name LIMIT ?', MAX_CIRCUITS)
  }

  #parsed(query: string, ...bindings: (string | number)[]): CircuitRecord[] {
    return this.#rows.all<{ data: string }>(query, ...bindings).map(({ data }) => JSON.parse(data) as CircuitRecord)
  }
}
