// The histories of a Runner's runs: rows of `runs`, `commits` and `payloads`. Writes and reads them; knows nothing of what
// a run does next, and holds nothing in memory. Every method is synchronous, so a commit is one turn (R3).
//
// Rows written (tried): a run's first commit 1, or 2 when it stays live (the index on due_at); each later commit 1; its end 1,
// or 2 when it was live. `head` holds the commits of a run up to HEAD_BYTES, then they move to a row of `commits`.

import type { CompiledWorkflow } from '../../src/workflow/definition/definition.ts'
import type { PayloadRef, RunEvent } from '../../src/workflow/event.ts'
import type { Json } from '../../src/workflow/json.ts'
import { accept, apply } from '../../src/workflow/run/apply.ts'
import { decodeCommit, encodeCommit, isAccepted, isLater, type Restored } from '../../src/workflow/run/encoding.ts'
import type { Run, RunStatus } from '../../src/workflow/run/run.ts'
import type { Rows } from '../rows.ts'
import { inParts } from '../text-parts.ts'

/** Commits that share the run's own row, in characters. */
const HEAD_LENGTH = 16 * 1024

/** What is kept of a run beside its events; the row's own figures, which no fold gives. */
export interface RunRecord {
  run: Run
  /** Text of the commits in the run's own row. */
  head: string
  /** Number of the first event in that text, or of the next one while it is empty. */
  headFrom: number
  /** Rows of `commits`. */
  spilled: number
  /** Those of them that a commit begins, in order, each with the number of its first event: where reading may begin. */
  rowStarts: RowStart[]
  /** Payloads so far; the next one's number. */
  payloads: number
  /** The whole history, in characters, and all payloads, in bytes. */
  historyLength: number
  payloadBytes: number
  dueAt: number | null
  inFlight: boolean
}

interface RowStart {
  seq: number
  event: number
}

interface RunRow {
  [column: string]: SqlStorageValue
  id: string
  workflow: string
  version: number
  status: string
  due_at: number | null
  in_flight: number
  is_unreadable: number
  spilled: number
  payloads: number
  history_length: number
  payload_bytes: number
  summary: string
  head: string
}

/** What stands in the row of a run. */
export type RunBrief = Pick<RunRow, 'workflow' | 'due_at' | 'in_flight' | 'is_unreadable' | 'summary'> & {
  status: RunStatus
}

/** The rows of a Runner's runs. It keeps nothing in memory; records.ts does. */
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
    record.rowStarts.push({ seq: record.spilled, event: record.headFrom })
    record.headFrom = record.run.events + 1
    // A commit is bounded (MAX_STEP_EVENTS, MAX_INLINE), a row in production is too: long heads go in parts.
    for (const part of inParts(`${record.head}\n`)) {
      this.#rows.run('INSERT INTO commits (run_id, seq, lines) VALUES (?, ?, ?)', record.run.id, record.spilled++, part)
    }
    record.head = ''
  }

  /**
   * The run as its history makes it (R1). Null if there is no such run, or if it was ended unread: its history may be what
   * killed two instances, and a run that was shown as failed must never go on.
   * @param workflowOf finds the definition of a version that this Runner has
   * @throws if the history cannot be folded; the caller charges that to the run (R7)
   */
  load(runId: string, workflowOf: (name: string, version: number) => CompiledWorkflow): RunRecord | null {
    const row = this.#row(runId)
    if (row === null || row.is_unreadable === 1) return null
    const restored = { runId, workflow: workflowOf(row.workflow, row.version) }
    const rowStarts: RowStart[] = []
    const inHead = decodeLines(row.head, restored)
    const run = foldEvents(
      runId,
      chain(
        this.#spilledEvents(restored, 0, (start) => rowStarts.push(start)),
        inHead,
      ),
    )
    return {
      run,
      head: row.head,
      headFrom: run.events - inHead.length + 1,
      spilled: row.spilled,
      rowStarts,
      payloads: row.payloads,
      historyLength: row.history_length,
      payloadBytes: row.payload_bytes,
      dueAt: row.due_at,
      inFlight: row.in_flight === 1,
    }
  }

  /** The run as its first `count` events make it; there have to be so many. */
  past(runId: string, workflow: CompiledWorkflow, count: number): Run {
    return foldEvents(runId, first(this.events(runId, workflow), count))
  }

  /** Every event of a run, in order, read row by row; null stands for one that this release does not know. */
  *events(runId: string, workflow: CompiledWorkflow): Generator<RunEvent | null, void> {
    const row = this.#row(runId)
    if (row === null) return
    const restored = { runId, workflow }
    yield* this.#spilledEvents(restored, 0)
    yield* decodeLines(row.head, restored)
  }

  /**
   * The events of a run after number `after`, read as they are asked for, so a caller that stops early has read little more. New
   * events stand in the text that memory holds, so following a run reads no rows; each page of a long history begins at the
   * row that holds its first event. Nothing may be written in between.
   */
  *eventsAfter({ run, head, headFrom, rowStarts }: RunRecord, after: number): Generator<RunEvent | null, void> {
    const restored = { runId: run.id, workflow: run.workflow }
    const begin = rowStarts.findLast(({ event }) => event <= after + 1)
    if (begin !== undefined && after + 1 < headFrom) {
      let number = begin.event
      for (const event of this.#spilledEvents(restored, begin.seq)) if (number++ > after) yield event
    }
    yield* lastEvents(head, Math.max(0, run.events - Math.max(after, headFrom - 1)), restored)
  }

  #row(runId: string): RunRow | null {
    return this.#rows.one<RunRow>('SELECT * FROM runs WHERE id = ?', runId)
  }

  /**
   * Events in rows of `commits`, one row in memory at a time: a long history as one text would be more than an isolate holds.
   * @param from number of the first row, which a commit has to begin
   * @param hear hears of each row that a commit begins, when its first event is about to come
   */
  *#spilledEvents(
    restored: Restored,
    from: number,
    hear?: (start: RowStart) => void,
  ): Generator<RunEvent | null, void> {
    const rows = this.#rows.each<{ seq: number; lines: string }>(
      'SELECT seq, lines FROM commits WHERE run_id = ? AND seq >= ? ORDER BY seq',
      restored.runId,
      from,
    )
    let event = 1
    // The line that the rows so far have begun and not ended.
    let open = ''
    for (const { seq, lines } of rows) {
      if (open === '') hear?.({ seq, event })
      const end = lines.lastIndexOf('\n') + 1
      const events = end === 0 ? [] : decodeLines(open + lines.slice(0, end), restored)
      open = end === 0 ? open + lines : lines.slice(end)
      event += events.length
      yield* events
    }
  }

  /** What the row says of a run, without folding it. */
  brief(runId: string): RunBrief | null {
    return this.#rows.one<RunBrief>(
      'SELECT status, workflow, due_at, in_flight, is_unreadable, summary FROM runs WHERE id = ?',
      runId,
    )
  }

  /** Another run makes this one again. Belongs into the transaction that records that run; one row, once. */
  markRetried(runId: string): void {
    this.#rows.run('INSERT OR IGNORE INTO retried (run_id) VALUES (?)', runId)
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

  /** How many runs have not ended. Reads the index of live runs. */
  liveRuns(): number {
    return this.#rows.one<{ live: number }>('SELECT COUNT(*) AS live FROM runs WHERE due_at IS NOT NULL')!.live
  }

  /** Ids of all live runs that have an attempt or a child in flight, those first that are due first. Reads every live row. */
  inFlight(): string[] {
    return this.#rows
      .all<{ id: string }>('SELECT id FROM runs WHERE due_at IS NOT NULL AND in_flight = 1 ORDER BY due_at')
      .map(({ id }) => id)
  }

  /** Writes a value that is kept outside the history: payload `n` of the run, as JSON text. One row for each part. */
  savePayload(runId: string, n: number, text: string): void {
    inParts(text).forEach((part, index) => {
      this.#rows.run('INSERT INTO payloads (run_id, n, part, data) VALUES (?, ?, ?, ?)', runId, n, index, part)
    })
  }

  /** Reads a payload of a run back. Throws if it is not there. */
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

  /** The run that the last instance was loading when it ended, and how many instances in a row have tried; null if there is no such run. */
  suspect(): { run_id: string; starts: number } | null {
    return this.#rows.one('SELECT run_id, starts FROM suspect')
  }

  /** Names the run that is about to be loaded, so that the next instance knows what may have ended this one. */
  setSuspect(runId: string, starts: number): void {
    this.#rows.run('INSERT OR REPLACE INTO suspect (one, run_id, starts) VALUES (1, ?, ?)', runId, starts)
  }

  /** Recovery has loaded every run, and this instance still lives. */
  clearSuspect(): void {
    this.#rows.run('DELETE FROM suspect')
  }
}

/** The events of whole lines. */
function decodeLines(text: string, restored: Restored): (RunEvent | null)[] {
  return text.split('\n').flatMap((line) => (line === '' ? [] : decodeCommit(line, restored)))
}

/** The last `count` events of whole lines; the lines before them are not looked into. */
function lastEvents(text: string, count: number, restored: Restored): (RunEvent | null)[] {
  let events: (RunEvent | null)[] = []
  for (let to = text.length; to > 0 && events.length < count; ) {
    const from = text.lastIndexOf('\n', to - 1) + 1
    events = [...decodeCommit(text.slice(from, to), restored), ...events]
    to = from - 1
  }
  return count === 0 ? [] : events.slice(-count)
}

function* chain<T>(...parts: Iterable<T>[]): Generator<T, void> {
  for (const part of parts) yield* part
}

function* first<T>(all: Iterable<T>, count: number): Generator<T, void> {
  let left = count
  for (const one of all) {
    if (left-- <= 0) return
    yield one
  }
}

function foldEvents(runId: string, events: Iterable<RunEvent | null>): Run {
  let run: Run | null = null
  for (const event of events) {
    if (run !== null) {
      if (isLater(event)) apply(run, event)
      else run.events++
    } else if (isAccepted(event)) run = accept(event)
    else break
  }
  if (run === null) throw new Error(`the history of ${runId} does not begin with RunAccepted`)
  return run
}
