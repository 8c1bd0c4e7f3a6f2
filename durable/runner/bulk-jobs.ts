// Bulk jobs: one action on all runs that a filter finds. Every Runner does its own part, page by page from its alarm; where it
// stands is a row, written in the turn that acted, so after a crash it goes on from there and acts on no run twice.
//
// One Runner (the one that was asked, "home") has the job first and tells the others until all have it: a job that was
// accepted is done everywhere, and one whose acceptance broke off nowhere.

import type { Rows } from '../rows.ts'
import type { BoundedFilter } from './listing.ts'
import type { BulkJob, BulkProgress, RunPage } from './runner-rpc.ts'

/** Jobs that a tenant may have under way. */
const MAX_UNDER_WAY = 20

/** Finished jobs whose figures are kept. */
const MAX_KEPT = 100

/** How long a job stands still whose step broke, in ms. */
const PAUSE_MS = 60_000

/** Runs of one page at most; a cancel reads and commits each, a deletion is one statement, a retry is a start. */
const PAGE = { cancel: 50, delete: 500, retry: 20 } as const

/** What was done with a page. */
export interface Acted {
  /** How many of its runs have had their turn, from the first; the rest is another page. */
  count: number
  /** On how many of them it could not act. */
  failed: number
}

interface JobRow {
  id: string
  job: string
  position: string | null
  matched: number
  done: number
  failed: number
  finished_at: number | null
  /** Shards that have not been told, as JSON. */
  untold: string
}

/** The bulk jobs of a Runner: which there are, and how far this shard is with each. */
export class BulkJobs {
  readonly #rows: Rows
  #isWorking: boolean
  #notBefore = 0
  #hasUntold: boolean

  constructor(rows: Rows) {
    this.#rows = rows
    this.#isWorking = this.#next() !== null
    this.#hasUntold = this.#untold().length > 0
  }

  /** When a step would do something, ms since the epoch; Infinity when there is no job. */
  get nextAt(): number {
    return this.#isWorking ? this.#notBefore : Number.POSITIVE_INFINITY
  }

  /** A step broke: the next is made after a while, and not at once, for ever. */
  postpone(now: number): void {
    this.#notBefore = now + PAUSE_MS
  }

  /** Whether a job is still to be told to other shards. */
  get hasUntold(): boolean {
    return this.#hasUntold
  }

  /**
   * Takes a job, or finds that it has it already.
   * @param untold the shards that have to be told of it
   */
  accept(job: BulkJob, untold: readonly number[]): 'accepted' | 'too_many' {
    if (this.#row(job.id) !== null) return 'accepted'
    const { n } = this.#rows.one<{ n: number }>('SELECT COUNT(*) AS n FROM bulk WHERE finished_at IS NULL')!
    // Only home refuses: what home has taken the others have to take.
    if (untold.length > 0 && n >= MAX_UNDER_WAY) return 'too_many'
    this.#rows.run(
      'INSERT INTO bulk (id, job, matched, done, failed, untold) VALUES (?, ?, 0, 0, 0, ?)',
      job.id,
      JSON.stringify(job),
      JSON.stringify(untold),
    )
    this.#rows.run(
      `DELETE FROM bulk WHERE finished_at IS NOT NULL AND untold = '[]'
       AND id NOT IN (SELECT id FROM bulk ORDER BY id DESC LIMIT ${MAX_KEPT})`,
    )
    this.#isWorking = true
    this.#hasUntold ||= untold.length > 0
    return 'accepted'
  }

  /** How far this shard is with a job; null if it does not have it, or has forgotten it. */
  progress(id: string): BulkProgress | null {
    const row = this.#row(id)
    if (row === null) return null
    const { matched, done, failed, finished_at, untold } = row
    const job = JSON.parse(row.job) as BulkJob
    return { job, matched, done, failed, finishedAt: finished_at, untold: JSON.parse(untold) as number[] }
  }

  /**
   * Acts on one page of the oldest job. What acts at once is one turn with what is written of it; what takes longer may be
   * cut off by a crash in between and is asked again, so it has to find what it did.
   * @param page runs that the filter finds below a position
   * @param act acts on them, or on the first of them
   */
  async step(
    now: number,
    page: (filter: BoundedFilter, before: string | null, limit: number) => RunPage,
    act: (action: BulkJob['action'], ulids: readonly string[], now: number, jobId: string) => Acted | Promise<Acted>,
  ): Promise<void> {
    const row = this.#next()
    if (row === null) {
      this.#isWorking = false
      return
    }
    const job = JSON.parse(row.job) as BulkJob
    const { items, horizon } = page(boundedFilter(job), row.position, PAGE[job.action])
    const ulids = items.map(({ ulid }) => ulid)
    const outcome = act(job.action, ulids, now, job.id)
    // What acts at once is not awaited, or it would be two turns.
    const { count, failed } = outcome instanceof Promise ? await outcome : outcome
    const position = count < ulids.length ? ulids[count - 1]! : horizon
    this.#rows.run(
      'UPDATE bulk SET position = ?, matched = matched + ?, done = done + ?, failed = failed + ?, finished_at = ? WHERE id = ?',
      position,
      count,
      count - failed,
      failed,
      position === null ? now : null,
      job.id,
    )
  }

  /** The jobs that other shards still have to be told of, each with those shards. */
  untoldJobs(): { job: BulkJob; shards: number[] }[] {
    return this.#untold().map(({ job, untold }) => ({
      job: JSON.parse(job) as BulkJob,
      shards: JSON.parse(untold) as number[],
    }))
  }

  /** These shards of a job have not been told yet; the others have. */
  setUntold(id: string, shards: readonly number[]): void {
    this.#rows.run('UPDATE bulk SET untold = ? WHERE id = ?', JSON.stringify(shards), id)
    this.#hasUntold = this.#untold().length > 0
  }

  #row(id: string): JobRow | null {
    return this.#rows.one('SELECT * FROM bulk WHERE id = ?', id)
  }

  #next(): JobRow | null {
    return this.#rows.one('SELECT * FROM bulk WHERE finished_at IS NULL ORDER BY id LIMIT 1')
  }

  #untold(): JobRow[] {
    return this.#rows.all(`SELECT * FROM bulk WHERE untold <> '[]'`)
  }
}

/** The job's filter, and what its action and the time of the request leave of it: a run that begins later is left alone. */
export function boundedFilter({ id, action, filter, requestedAt }: BulkJob): BoundedFilter {
  const bounded = { ...filter, until: Math.min(filter.until ?? Number.POSITIVE_INFINITY, requestedAt + 1) }
  switch (action) {
    case 'delete':
      return { ...bounded, isLive: false }
    case 'cancel':
      // A child that is cancelled before its parent is a failure to it, so the parent would end failed, or try again.
      return { ...bounded, isLive: true, spares: 'children_of_found' }
    case 'retry':
      // What has succeeded has nothing to be made again, and neither has what a later run makes again. A parent makes
      // its children again by itself: a run for each of them besides would do their work twice.
      return {
        ...bounded,
        isLive: false,
        statusNot: 'succeeded',
        unlessRetried: { butBy: retryKey(id, '') },
        ...(filter.parent === undefined ? { spares: 'children' } : {}),
      }
  }
}

/** The key of the run with which a job makes run `of` again: after a crash it finds the run that was begun. No caller can send it: it holds blanks. */
export function retryKey(jobId: string, of: string): string {
  return `bulk ${jobId} ${of}`
}
