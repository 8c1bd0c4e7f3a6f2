// What the Runners have stored, read from their files on disk: the one way to see a run end that is sure to have asked nobody for it.

import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as later } from 'node:timers/promises'

export interface StoredRun {
  id: string
  status: string
  /** When something is due, ms since the epoch; null when the run has ended. */
  dueAt: number | null
}

/**
 * Reads copies. Whoever opens the database of a killed server first has to recover it, and keeps the other out meanwhile
 * (SQLITE_BUSY_RECOVERY): the server that has just started must never be the other.
 */
export class Disk {
  readonly #folder: string
  readonly #copies = mkdtempSync(join(tmpdir(), 'orchestrator-disk-'))
  /** What each file held when its database and its log were as old as this. */
  readonly #seen = new Map<string, { age: string; runs: StoredRun[] }>()

  /** @param folder the server's storage */
  constructor(folder: string) {
    this.#folder = folder
  }

  /** What is stored now; null while a file changes under the copying hand. */
  runs(): StoredRun[] | null {
    const all = this.#files().map((file) => this.#runsOf(file))
    return all.includes(null) ? null : all.flatMap((runs) => runs ?? [])
  }

  /**
   * Waits until every stored run has ended, without asking the server anything.
   * @returns those that have not ended in time
   */
  async allEnded(withinMs: number): Promise<StoredRun[]> {
    for (const until = Date.now() + withinMs; ; await later(100)) {
      const live = this.runs()?.filter(({ dueAt }) => dueAt !== null)
      if (live?.length === 0) return live
      if (Date.now() > until) {
        if (live !== undefined) return live
        throw new Error('the stored runs could not be read: their files never stood still')
      }
    }
  }

  close(): void {
    rmSync(this.#copies, { recursive: true, force: true })
  }

  #runsOf(file: string): StoredRun[] | null {
    const age = ageOf(file)
    const seen = this.#seen.get(file)
    if (seen?.age === age) return seen.runs
    const copy = join(this.#copies, 'copy.sqlite')
    for (const ending of ['', '-wal', '-shm']) rmSync(`${copy}${ending}`, { force: true })
    copyFileSync(file, copy)
    if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, `${copy}-wal`)
    if (ageOf(file) !== age) return null // Between the two copies: they may not belong together.
    const database = new DatabaseSync(copy)
    const runs = database.prepare('SELECT id, status, due_at AS dueAt FROM runs').all() as unknown as StoredRun[]
    database.close()
    this.#seen.set(file, { age, runs })
    return runs
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

/** Changes with every write to the database or its log. */
function ageOf(file: string): string {
  return [file, `${file}-wal`]
    .map((path) => statSync(path, { bigint: true, throwIfNoEntry: false }))
    .map((found) => (found === undefined ? '-' : `${found.mtimeNs}/${found.size}`))
    .join(' ')
}
