// An object's SQL, with the figures that Durable Objects are billed by: how many rows were read and written.

type Bindings = SqlStorageValue[]
type Row = Record<string, SqlStorageValue>

/** The SQL of one object. Each method adds to the rows read and written, which `take` gives. */
export class Rows {
  readonly #sql: SqlStorage
  #read = 0
  #written = 0

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** Runs a statement whose rows nobody needs. */
  run(query: string, ...bindings: Bindings): void {
    this.#count(this.#sql.exec(query, ...bindings))
  }

  /** All rows of a query, in memory at once. */
  all<R extends object>(query: string, ...bindings: Bindings): R[] {
    const cursor = this.#sql.exec<Row>(query, ...bindings)
    const rows = cursor.toArray()
    this.#count(cursor)
    return rows as R[]
  }

  /** The first row, or null. */
  one<R extends object>(query: string, ...bindings: Bindings): R | null {
    return this.all<R>(query, ...bindings)[0] ?? null
  }

  /** One row at a time: a caller that stops early has read no more than that. Nothing may be written in between. */
  *each<R extends object>(query: string, ...bindings: Bindings): Generator<R, void> {
    const cursor = this.#sql.exec<Row>(query, ...bindings)
    try {
      for (const row of cursor) yield row as R
    } finally {
      this.#count(cursor)
    }
  }

  /** Rows read and written since the last time that this was asked. */
  take(): { read: number; written: number } {
    const figures = { read: this.#read, written: this.#written }
    this.#read = 0
    this.#written = 0
    return figures
  }

  /** A row that was written by other means than SQL: the alarm. */
  countWritten(rows: number): void {
    this.#written += rows
  }

  #count(cursor: SqlStorageCursor<Row>): void {
    this.#read += cursor.rowsRead
    this.#written += cursor.rowsWritten
  }
}
