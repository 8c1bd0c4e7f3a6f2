// The Registry's tables: workflows, their immutable versions, and the texts of large ones in parts.
// Synchronous throughout, so what is read here is still true when something is written because of it: no caller can come between.
//
// A deleted workflow keeps its row in `workflows` with `live` NULL, because a version number is never given twice.

import { Rows } from '../rows.ts'

export const MIGRATIONS = [
  `CREATE TABLE workflows (name TEXT PRIMARY KEY, latest INTEGER NOT NULL, live INTEGER, paused INTEGER NOT NULL,
    description TEXT, updated_at INTEGER NOT NULL) WITHOUT ROWID`,
  // definition is NULL where the text stands in version_parts. fingerprint: equal for equal definitions.
  `CREATE TABLE versions (name TEXT NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, fingerprint TEXT NOT NULL,
    definition TEXT, PRIMARY KEY (name, version)) WITHOUT ROWID`,
  `CREATE TABLE version_parts (name TEXT NOT NULL, version INTEGER NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL,
    PRIMARY KEY (name, version, part)) WITHOUT ROWID`,
] as const

/** A row may hold 2 MB at most, and what is larger than a page is slow to step over. */
const PART_BYTES = 512 * 1024

export interface WorkflowRow {
  name: string
  latest: number
  live: number
  paused: 0 | 1
  description: string | null
  updated_at: number
}

export interface VersionRow {
  version: number
  created_at: number
  fingerprint: string
}

export interface NewVersion {
  name: string
  definition: string
  description: string | null
  fingerprint: string
}

/** The rows of a Registry. Every method is synchronous. */
export class Versions {
  readonly #storage: DurableObjectStorage
  readonly #rows: Rows

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
    this.#rows = new Rows(storage.sql)
  }

  /** Whether no workflow was ever registered here. */
  get isEmpty(): boolean {
    return this.#rows.one('SELECT 1 FROM workflows LIMIT 1') === null
  }

  /** Whether the name ever had a version; it may be deleted. */
  hadVersions(name: string): boolean {
    return this.#rows.one('SELECT 1 FROM workflows WHERE name = ?', name) !== null
  }

  /** The number of the version that would be added next. Deleted ones keep theirs. */
  nextVersion(name: string): number {
    const known = this.#rows.one<{ latest: number }>('SELECT latest FROM workflows WHERE name = ?', name)
    return (known?.latest ?? 0) + 1
  }

  /** The row of a workflow; null if there never was one of this name, or if it was deleted. */
  workflow(name: string): WorkflowRow | null {
    return this.#rows.one<WorkflowRow>('SELECT * FROM workflows WHERE name = ? AND live IS NOT NULL', name)
  }

  /** A page of the workflows, by name, from the one after `after`. Rows of deleted workflows are stepped over, so many deletions make a page cost more. */
  workflows(after: string, limit: number): WorkflowRow[] {
    const query = 'SELECT * FROM workflows WHERE name > ? AND live IS NOT NULL ORDER BY name LIMIT ?'
    return this.#rows.all<WorkflowRow>(query, after, limit)
  }

  /** The row of a version; null if there is no such version, or the workflow was deleted. The definition is read by `definition`. */
  version(name: string, version: number): VersionRow | null {
    const query = 'SELECT version, created_at, fingerprint FROM versions WHERE name = ? AND version = ?'
    return this.#rows.one<VersionRow>(query, name, version)
  }

  /** Rows of the versions of a name, newest first, from the one before `before`. */
  versions(name: string, before: number, limit: number): VersionRow[] {
    const query = `SELECT version, created_at, fingerprint FROM versions WHERE name = ? AND version < ?
      ORDER BY version DESC LIMIT ?`
    return this.#rows.all<VersionRow>(query, name, before, limit)
  }

  /** The text of a version that there is. */
  definition(name: string, version: number): string {
    const query = 'SELECT definition FROM versions WHERE name = ? AND version = ?'
    const row = this.#rows.one<{ definition: string | null }>(query, name, version)
    if (row === null) throw new Error(`there is no ${name}@${version} to read`)
    if (row.definition !== null) return row.definition
    const parts = 'SELECT bytes FROM version_parts WHERE name = ? AND version = ? ORDER BY part'
    const decoder = new TextDecoder()
    const texts = this.#rows
      .all<{ bytes: ArrayBuffer }>(parts, name, version)
      .map(({ bytes }) => decoder.decode(bytes, { stream: true }))
    return texts.join('') + decoder.decode()
  }

  /** Adds the next version and makes it live. Writes 2 rows, and one for each 512 KB of a definition that is larger. */
  add({ name, definition, description, fingerprint }: NewVersion, now: number): number {
    return this.#storage.transactionSync(() => {
      const version = this.nextVersion(name)
      const bytes = new TextEncoder().encode(definition)
      const isLarge = bytes.length > PART_BYTES
      this.#rows.run(
        `INSERT INTO workflows (name, latest, live, paused, description, updated_at) VALUES (?1, ?2, ?2, 0, ?3, ?4)
          ON CONFLICT (name) DO UPDATE SET latest = ?2, live = ?2, description = ?3, updated_at = ?4`,
        ...[name, version, description, now],
      )
      this.#rows.run(
        'INSERT INTO versions (name, version, created_at, fingerprint, definition) VALUES (?, ?, ?, ?, ?)',
        ...[name, version, now, fingerprint, isLarge ? null : definition],
      )
      for (let part = 0; isLarge && part * PART_BYTES < bytes.length; part++) {
        const slice = bytes.slice(part * PART_BYTES, (part + 1) * PART_BYTES)
        const insert = 'INSERT INTO version_parts (name, version, part, bytes) VALUES (?, ?, ?, ?)'
        this.#rows.run(insert, name, version, part, slice.buffer)
      }
      return version
    })
  }

  /** Writes 1 row. */
  setPaused(name: string, paused: boolean, now: number): void {
    this.#rows.run('UPDATE workflows SET paused = ?, updated_at = ? WHERE name = ?', paused ? 1 : 0, now, name)
  }

  /** Writes 1 row, and one for each version and part. */
  remove(name: string, now: number): void {
    this.#storage.transactionSync(() => {
      const clear = 'UPDATE workflows SET live = NULL, paused = 0, description = NULL, updated_at = ? WHERE name = ?'
      this.#rows.run(clear, now, name)
      this.#rows.run('DELETE FROM versions WHERE name = ?', name)
      this.#rows.run('DELETE FROM version_parts WHERE name = ?', name)
    })
  }
}
