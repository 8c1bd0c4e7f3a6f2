// What a Runner forgets with time: runs whose retention is over, keys that are no longer kept, definitions that no run has any
// more, and notes that a circuit holds a run back which has ended. One pass over the rows at a time, in windows, from the alarm. Nothing is written for it when a run ends: when it may go follows from what its row says already.
//
// `upkeep` holds when the next pass is worth it, in one row that moves when something has to go sooner than all before, and after
// each pass. So an object that sleeps is woken for it, and about once a day while nothing is kept for less than ten.

import type { Rows } from '../rows.ts'
import type { Circuits, HeldRun } from './circuits.ts'
import type { IdempotencyKeys } from './idempotency-keys.ts'
import { type Version, versionKey, type Workflows } from './workflows.ts'

/** Rows that one step looks at, and so the most that it removes. */
const WINDOW = 500

/** Definitions that one step reads, of up to a megabyte each. */
const MAX_DEFINITIONS = 20

/** What has to go waits for a tenth of the time that it was kept, within these bounds in ms, so that much goes in one pass. */
const MIN_PAUSE_MS = 60_000
const MAX_PAUSE_MS = 24 * 3_600_000

/** And so long for each row that the last pass saw, so that passes over a full shard stay a small part of its work. */
const PAUSE_MS_PER_ROW = 10

/** Counts for the pause as if keys were kept for ten days: one that is over is not found, so its row can wait for a day. */
const KEY_PAUSED_MS = 10 * MAX_PAUSE_MS

/** How long a pass that had to spare a definition leaves it, should no other pass come before. */
const DEFINITION_KEPT_MS = 30 * MAX_PAUSE_MS

const NEVER = Number.POSITIVE_INFINITY
const LONG_AGO = 1

interface Pass {
  phase: 'runs' | 'definitions' | 'waits' | 'keys'
  /** The last row that was looked at, of runs and keys. */
  after: string
  /** The last that was looked at, of definitions. */
  afterVersion: Version | null
  /** The last that was looked at, of what circuits hold back. */
  afterWait: HeldRun | null
  /** Versions of the runs that stay, by `versionKey`. */
  used: Set<string>
  seen: number
  /** When the first of what stays has to go. */
  earliest: number
  /** How long runs are kept, by name and version: what the pass has read of definitions. */
  kept: Map<string, number>
}

interface EndedRow {
  id: string
  workflow: string
  version: number
  due_at: number | null
  finished_at: string | null
}

/** Finds what has been kept long enough, in passes over the rows; says when the next pass is due. */
export class Retention {
  readonly #rows: Rows
  readonly #keys: IdempotencyKeys
  readonly #workflows: Pick<Workflows, 'retentionMs' | 'beginSweep' | 'sweep'>
  readonly #circuits: Pick<Circuits, 'sweep'>
  #nextAt: number
  /** When the last pass of this instance ended, and how many rows it saw. */
  #last = { at: Number.NEGATIVE_INFINITY, seen: 0 }
  /** Kept in memory alone: after a crash a pass begins anew, and finds what is left. */
  #pass: Pass | null = null

  /** @param workflows says how long runs of a version are kept, in ms */
  constructor(
    rows: Rows,
    keys: IdempotencyKeys,
    workflows: Pick<Workflows, 'retentionMs' | 'beginSweep' | 'sweep'>,
    circuits: Pick<Circuits, 'sweep'>,
  ) {
    this.#rows = rows
    this.#keys = keys
    this.#workflows = workflows
    this.#circuits = circuits
    this.#nextAt = this.#stored()
  }

  /** When the next pass is due, ms since the epoch; Infinity if nothing will ever have to go. */
  get nextAt(): number {
    return this.#nextAt
  }

  /**
   * A run has ended. Belongs into the transaction that ends it; one row, if this run has to go sooner than all before.
   * @param keptMs the retention of its definition
   */
  expectRun(finishedAt: number, keptMs: number): void {
    this.#expect(finishedAt + keptMs, keptMs)
  }

  /** A key is over at that time. Belongs into the transaction that saves it. */
  expectKey(expiresAt: number): void {
    this.#expect(expiresAt, KEY_PAUSED_MS)
  }

  #expect(at: number, keptMs: number): void {
    if (this.#pass !== null) this.#pass.earliest = Math.min(this.#pass.earliest, at)
    const due = Math.max(at, this.#last.at + pauseMs(keptMs, this.#last.seen))
    if (due < this.#nextAt) this.#save(due)
  }

  /** Whether a pass is under way: then the next one is not known yet. */
  get isPassing(): boolean {
    return this.#pass !== null
  }

  /** The pass broke off: it begins anew after a while, and not at once, for ever. */
  postpone(now: number): void {
    this.#pass = null
    this.#nextAt = now + MIN_PAUSE_MS
  }

  /** A transaction that had expected something was undone: what is stored is the truth. */
  forget(): void {
    this.#nextAt = this.#stored()
  }

  /**
   * One step of the pass that is due.
   * @returns runs that have to go now, or null when no pass is due
   */
  step(now: number): string[] | null {
    if (this.#pass === null && now < this.#nextAt) return null
    this.#pass ??= this.#beginPass()
    switch (this.#pass.phase) {
      case 'runs':
        return this.#runs(this.#pass, now)
      case 'definitions':
        this.#sweepDefinitions(this.#pass, now)
        return []
      case 'waits':
        this.#sweepWaits(this.#pass)
        return []
      case 'keys':
        this.#expireKeys(this.#pass, now)
        return []
    }
  }

  #beginPass(): Pass {
    this.#workflows.beginSweep()
    return {
      phase: 'runs',
      after: '',
      afterVersion: null,
      afterWait: null,
      used: new Set(),
      seen: 0,
      earliest: NEVER,
      kept: new Map(),
    }
  }

  #runs(pass: Pass, now: number): string[] {
    // The end is read from the summary and not from the history behind it, which may be long.
    const rows = this.#rows.all<EndedRow>(
      `SELECT id, workflow, version, due_at, summary ->> '$.finished_at' AS finished_at
       FROM runs WHERE id > ? ORDER BY id LIMIT ?`,
      pass.after,
      WINDOW,
    )
    const over: string[] = []
    const known = pass.kept.size
    let isCut = false
    for (const { id, workflow, version, due_at, finished_at } of rows) {
      const key = versionKey({ name: workflow, version })
      isCut = !pass.kept.has(key) && pass.kept.size - known === MAX_DEFINITIONS
      if (isCut) break
      pass.seen++
      pass.after = id
      if (due_at !== null || finished_at === null) {
        pass.used.add(key)
        continue
      }
      const keptMs = pass.kept.get(key) ?? this.#workflows.retentionMs(workflow, version)
      pass.kept.set(key, keptMs)
      const at = Date.parse(finished_at) + keptMs
      if (at <= now) {
        over.push(id)
        continue
      }
      pass.used.add(key)
      pass.earliest = Math.min(pass.earliest, Math.max(at, now + pauseMs(keptMs, 0)))
    }
    if (!isCut && rows.length < WINDOW) pass.phase = 'definitions'
    return over
  }

  #sweepDefinitions(pass: Pass, now: number): void {
    const { last, hasSpared } = this.#workflows.sweep(pass.afterVersion, (key) => pass.used.has(key), now)
    // What could not go now has nothing else that would bring it a pass: its last run may be gone.
    if (hasSpared) pass.earliest = Math.min(pass.earliest, now + pauseMs(DEFINITION_KEPT_MS, 0))
    pass.afterVersion = last
    if (last === null) pass.phase = 'waits'
  }

  #sweepWaits(pass: Pass): void {
    pass.afterWait = this.#circuits.sweep(pass.afterWait)
    if (pass.afterWait === null) Object.assign(pass, { phase: 'keys', after: '' } satisfies Partial<Pass>)
  }

  #expireKeys(pass: Pass, now: number): void {
    const { seen, last, earliest } = this.#keys.expire(pass.after, now, WINDOW)
    pass.seen += seen
    if (earliest !== null) pass.earliest = Math.min(pass.earliest, Math.max(earliest, now + pauseMs(KEY_PAUSED_MS, 0)))
    if (last !== null && seen === WINDOW) pass.after = last
    else this.#end(pass, now)
  }

  #end(pass: Pass, now: number): void {
    this.#last = { at: now, seen: pass.seen }
    this.#pass = null
    this.#save(Math.max(pass.earliest, now + pauseMs(0, pass.seen)))
  }

  #save(at: number): void {
    this.#nextAt = at
    this.#rows.run('INSERT OR REPLACE INTO upkeep (one, next_at) VALUES (1, ?)', at === NEVER ? null : Math.ceil(at))
  }

  #stored(): number {
    const stored = this.#rows.one<{ next_at: number | null }>('SELECT next_at FROM upkeep')
    if (stored !== null) return stored.next_at ?? NEVER
    // Runs that ended under a release without retention have told nobody: a first pass finds out.
    return this.#rows.one('SELECT id FROM runs WHERE due_at IS NULL LIMIT 1') === null ? NEVER : LONG_AGO
  }
}

/** How long after a pass the next one comes for something that was kept for so long. */
function pauseMs(keptMs: number, seen: number): number {
  return Math.max(Math.min(MAX_PAUSE_MS, keptMs / 10), MIN_PAUSE_MS, seen * PAUSE_MS_PER_ROW)
}
