// The histories of a Runner's runs: rows of `runs`, `commits` and `payloads`. Writes and reads them; knows nothing of what
// a run does next, and holds nothing in memory. Every method is synchronous, so a commit is one turn (R3).
//
// Rows written (tried): a run's first commit 1, or 2 when it stays live (the index on due_at); each later commit 1; its end 1,
// or 2 when it was live. `head` holds the commits of a run up to HEAD_BYTES, then they move to a row of `commits`.

import { accept, apply } from '../src/workflow/apply.ts'
import type { CompiledWorkflow } from '../src/workflow/definition.ts'
import { decodeCommit, encodeCommit, isAccepted, isLater } from '../src/workflow/encoding.ts'
import type { PayloadRef, RunEvent } from '../src/workflow/event.ts'
import type { Json } from '../src/workflow/json.ts'
import type { Run, RunStatus } from '../src/workflow/run.ts'
import type { Rows } from './rows.ts'
import { inParts } from './runner-tables.ts'

/** Commits that share the run's own row, in characters. */
const HEAD_LENGTH = 16 * 1024

/** What is kept of a run beside its events; the row's own figures, which no fold gives. */
export interface RunRecord {
  run: Run
  /** Text of the commits in the run's own row. */
  head: string
  /** How often the head was moved to `commits`. */
  spilled: number
  /** Payloads so far; the next one's number. */
  payloads: number
  /** The whole history, in characters, and all payloads, in bytes. */
  historyLength: number
  payloadBytes: number
  dueAt: number | null
  inFlight: boolean
}

interface RunRow {
  [column: string]: SqlStorageValue
  id: string
  workflow: string
  version: number
  status: string
  due_at: number | null
  in_flight: number
  spilled: number
  payloads: number
  history_length: number
  payload_bytes: number
  summary: string
  head: string
}

export class History {
  readonly #rows: Rows

  constructor(rows: Rows) {
    this.#rows = rows
  }

  /** Writes the first commit of a run. The record's `head` is made here. */
  insert(record: RunRecord, events: readonly RunEvent[], summary: string): void {
    const { run } = record
    record.head = encodeCommit(run.at, events)
    record.historyLength += record.head.length
    this.#spill(record)
    this.#rows.run(
      'INSERT INTO runs (id, workflow, version, status, created_at, due_at, in_flight, spilled, payloads, history_length, payload_bytes, summary, head) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      run.id,
      run.workflow.definition.name,
      run.version,
      run.status,
      run.createdAt,
      record.dueAt,
      record.inFlight ? 1 : 0,
      record.spilled,
      record.payloads,
      record.historyLength,
      record.payloadBytes,
      summary,
      record.head,
    )
  }

  /** Adds a commit to a run: one row, two when `dueAt` moved to another time. */
  append(record: RunRecord, events: readonly RunEvent[], summary: string, hasNewDue: boolean): void {
    const { run } = record
    const line = encodeCommit(run.at, events)
    record.historyLength += line.length
    record.head = record.head === '' ? line : `${record.head}\n${line}`
    this.#spill(record)
    // A statement that names `due_at` writes its index too, even if the time is the same (tried), so most do not name it.
    this.#rows.run(
      `UPDATE runs SET ${hasNewDue ? 'due_at = ?9,' : ''} status = ?1, in_flight = ?2, spilled = ?3, payloads = ?4,
       history_length = ?5, payload_bytes = ?6, summary = ?7, head = ?8 WHERE id = ?${hasNewDue ? 10 : 9}`,
      run.status,
      record.inFlight ? 1 : 0,
      record.spilled,
      record.payloads,
      record.historyLength,
      record.payloadBytes,
      summary,
      record.head,
      ...(hasNewDue ? [record.dueAt, run.id] : [run.id]),
    )
  }

  /** Moves the due time of a run about which nothing else has to be written. */
  setDue(record: RunRecord): void {
    this.#rows.run('UPDATE runs SET due_at = ? WHERE id = ?', record.dueAt, record.run.id)
  }

  #spill(record: RunRecord): void {
    if (record.head.length <= HEAD_LENGTH) return
    // A commit is bounded (MAX_STEP_EVENTS, MAX_INLINE), a row in production is too: long heads go in parts.
    for (const part of inParts(`${record.head}\n`)) {
      this.#rows.run('INSERT INTO commits (run_id, seq, lines) VALUES (?, ?, ?)', record.run.id, record.spilled++, part)
    }
    record.head = ''
  }

  /**
   * The run as its history makes it (R1); null when there is none.
   * @param workflowOf finds the definition of a version that this Runner has
   * @throws if the history cannot be folded; whoever loads charges that to the run (R7)
   */
  load(runId: string, workflowOf: (name: string, version: number) => CompiledWorkflow): RunRecord | null {
    const row = this.#row(runId)
    if (row === null) return null
    return {
      run: folded(runId, this.#events(row, workflowOf(row.workflow, row.version))),
      head: row.head,
      spilled: row.spilled,
      payloads: row.payloads,
      historyLength: row.history_length,
      payloadBytes: row.payload_bytes,
      dueAt: row.due_at,
      inFlight: row.in_flight === 1,
    }
  }

  /** The run as its first `count` events make it; there have to be so many. */
  past(runId: string, workflow: CompiledWorkflow, count: number): Run {
    return folded(runId, this.events(runId, workflow).slice(0, count))
  }

  /** Every event of a run, in order; null stands for one that this release does not know. */
  events(runId: string, workflow: CompiledWorkflow): (RunEvent | null)[] {
    const row = this.#row(runId)
    return row === null ? [] : this.#events(row, workflow)
  }

  /**
   * The events of a run after number `after`. Those that are new stand in the text that memory holds, at its end, so
   * whoever follows a run reads neither rows nor what it has seen.
   */
  eventsAfter(record: RunRecord, after: number): (RunEvent | null)[] {
    const { run, head } = record
    const wanted = Math.max(0, run.events - after)
    const restored = { runId: run.id, workflow: run.workflow }
    let events: (RunEvent | null)[] = []
    for (let to = head.length; to > 0 && events.length < wanted; ) {
      const from = head.lastIndexOf('\n', to - 1) + 1
      events = [...decodeCommit(head.slice(from, to), restored), ...events]
      to = from - 1
    }
    if (events.length < wanted) events = this.events(run.id, run.workflow)
    return wanted === 0 ? [] : events.slice(-wanted)
  }

  #row(runId: string): RunRow | null {
    return this.#rows.one<RunRow>('SELECT * FROM runs WHERE id = ?', runId)
  }

  #events(row: RunRow, workflow: CompiledWorkflow): (RunEvent | null)[] {
    const spilled = this.#rows.all<{ lines: string }>('SELECT lines FROM commits WHERE run_id = ? ORDER BY seq', row.id)
    return `${spilled.map(({ lines }) => lines).join('')}${row.head}`
      .split('\n')
      .filter((line) => line !== '')
      .flatMap((line) => decodeCommit(line, { runId: row.id, workflow }))
  }

  /** What the row says of a run, without folding it. */
  brief(runId: string): { status: RunStatus; workflow: string; summary: string; is_unreadable: number } | null {
    return this.#rows.one('SELECT status, workflow, summary, is_unreadable FROM runs WHERE id = ?', runId)
  }

  /** Live runs that are tasks of this one. Looks at every live row: only for a run whose own history cannot tell. */
  liveChildren(runId: string): string[] {
    return this.#rows
      .all<{ id: string }>(`SELECT id FROM runs WHERE due_at IS NOT NULL AND summary ->> '$.parent.run_id' = ?`, runId)
      .map(({ id }) => id)
  }

  /** Ends a run without looking into its history: the last resort for one that cannot be loaded (R7). */
  condemn(runId: string, summary: string): void {
    this.#rows.run(
      `UPDATE runs SET status = 'failed', due_at = NULL, in_flight = 0, is_unreadable = 1, summary = ? WHERE id = ?`,
      summary,
      runId,
    )
  }

  /** Ids of runs that are due, earliest first. */
  due(now: number, limit: number): string[] {
    return this.#rows
      .all<{ id: string }>('SELECT id FROM runs WHERE due_at <= ? ORDER BY due_at LIMIT ?', now, limit)
      .map(({ id }) => id)
  }

  /** The earliest time at which a run is due; null when none is live. */
  earliestDue(): number | null {
    return (
      this.#rows.one<{ due_at: number }>('SELECT due_at FROM runs WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1')
        ?.due_at ?? null
    )
  }

  liveRuns(): number {
    return this.#rows.one<{ live: number }>('SELECT COUNT(*) AS live FROM runs WHERE due_at IS NOT NULL')!.live
  }

  /** Live runs, whether or not they have an attempt in flight, a page at a time in the order of (due_at, id). */
  live(after: { dueAt: number; id: string }, limit: number): { id: string; due_at: number; in_flight: number }[] {
    return this.#rows.all(
      'SELECT id, due_at, in_flight FROM runs WHERE due_at IS NOT NULL AND (due_at, id) > (?, ?) ORDER BY due_at, id LIMIT ?',
      after.dueAt,
      after.id,
      limit,
    )
  }

  savePayload(runId: string, n: number, text: string): void {
    inParts(text).forEach((part, index) => {
      this.#rows.run('INSERT INTO payloads (run_id, n, part, data) VALUES (?, ?, ?, ?)', runId, n, index, part)
    })
  }

  loadPayload(runId: string, ref: PayloadRef): Json {
    const parts = this.#rows.all<{ data: string }>(
      'SELECT data FROM payloads WHERE run_id = ? AND n = ? ORDER BY part',
      runId,
      ref.n,
    )
    if (parts.length === 0) throw new Error(`payload ${ref.n} of ${runId} is missing`)
    return JSON.parse(parts.map(({ data }) => data).join('')) as Json
  }

  /** Copies a payload to another run, unread. */
  copyPayload(from: { runId: string; n: number }, to: { runId: string; n: number }): void {
    this.#rows.run(
      'INSERT INTO payloads (run_id, n, part, data) SELECT ?1, ?2, part, data FROM payloads WHERE run_id = ?3 AND n = ?4',
      to.runId,
      to.n,
      from.runId,
      from.n,
    )
  }

  suspect(): { run_id: string; starts: number } | null {
    return this.#rows.one('SELECT run_id, starts FROM suspect')
  }

  setSuspect(runId: string, starts: number): void {
    this.#rows.run('INSERT OR REPLACE INTO suspect (one, run_id, starts) VALUES (1, ?, ?)', runId, starts)
  }

  clearSuspect(): void {
    this.#rows.run('DELETE FROM suspect')
  }
}

function folded(runId: string, events: readonly (RunEvent | null)[]): Run {
  const [first] = events
  if (!isAccepted(first)) throw new Error(`the history of ${runId} does not begin with RunAccepted`)
  const run = accept(first)
  for (const event of events.slice(1)) {
    if (isLater(event)) apply(run, event)
    else run.events++
  }
  return run
}
