// What the Runners have stored, read from their files on disk: the one way to see a run end that is sure to have asked nobody for it.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as later } from 'node:timers/promises'

export interface StoredRun {
  id: string
  status: string
  /** When something is due, ms since the epoch; null when the run has ended. */
  dueAt: number | null
}

/** Databases stay open while they are watched: what an SQLite file costs its other reader is opening it. */
export class Disk {
  readonly #folder: string
  readonly #databases = new Map<string, DatabaseSync>()

  /** @param folder the server's storage */
  constructor(folder: string) {
    this.#folder = folder
  }

  runs(): StoredRun[] {
    return this.#files().flatMap((file) => {
      const database = this.#databases.get(file) ?? new DatabaseSync(file, { readOnly: true, timeout: 1_000 })
      this.#databases.set(file, database)
      return database.prepare('SELECT id, status, due_at AS dueAt FROM runs').all() as unknown as StoredRun[]
    })
  }

  /**
   * Waits until every stored run has ended, without asking the server anything.
   * @returns those that have not ended in time
   */
  async allEnded(withinMs: number): Promise<StoredRun[]> {
    for (const until = Date.now() + withinMs; ; await later(100)) {
      const live = this.runs().filter(({ dueAt }) => dueAt !== null)
      if (live.length === 0 || Date.now() > until) return live
    }
  }

  close(): void {
    for (const database of this.#databases.values()) database.close()
    this.#databases.clear()
  }

  #files(): string[] {
    const folders = readdirSync(this.#folder, { recursive: true, withFileTypes: true })
    return folders
      .filter(
        ({ name, parentPath }) => /Runner$/.test(parentPath) && name.endsWith('.sqlite') && name !== 'metadata.sqlite',
      )
      .map(({ name, parentPath }) => join(parentPath, name))
  }
}
