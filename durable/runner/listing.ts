// Pages of a Runner's runs, newest first. Ids are in the order of time, so the primary key is the index; filters look at
// rows as they pass, and no index has to be written for them.
//
// A filter is SQL over a window of rows, since five times as many rows pass there as in a loop of ours. The window names only the
// columns that the filter needs: those in front of the row cost no page beside their own, `summary` may cost one more. Bounds on
// the id would stand outside the window: comparing a key makes SQLite read the whole row, history and all (tried).

import type { Rows } from '../rows.ts'
import type { ListFilter, RunPage } from './runner-rpc.ts'

/** By how much the clocks of two machines may differ, in ms. */
const CLOCK_SLACK_MS = 60_000

/** Rows that one page of a list may look at. */
const MAX_SCANNED = 5_000

/** A filter, and what a bulk job leaves out of what it finds. */
export interface BoundedFilter extends ListFilter {
  /** Runs that are tasks of others are not found: none of them, or none whose parent is found itself. */
  spares?: 'children' | 'children_of_found'
  /** Runs that later runs make again are not found, but where the key of such a run begins so: the bulk job's own. */
  unlessRetried?: { butBy: string }
}

/** A filter as SQL over the columns of `runs`. */
interface Conditions {
  sql: string
  bindings: SqlStorageValue[]
  needsSummary: boolean
}

/** Newest first. Looks at no more than MAX_SCANNED rows, so a page can be short and still not be the last. */
export function listRuns(
  rows: Rows,
  filter: BoundedFilter,
  prefix: string,
  before: string | null,
  limit: number,
): RunPage {
  const from = before === null ? `${prefix}~` : `${prefix}${before}`
  const { sql, bindings, needsSummary } = conditionsOf(filter)
  // The window hands its rows on as it finds them; asked for an order once more, SQLite would gather all of them first (tried).
  const found = rows.all<{ id: string; summary: string }>(
    `SELECT id, (SELECT summary FROM runs WHERE id = seen.id) AS summary
     FROM (${windowOf(needsSummary)}) AS seen WHERE ${sql} LIMIT ?`,
    from,
    MAX_SCANNED,
    ...bindings,
    limit,
  )
  const items = found.map(({ id, summary }) => ({ ulid: id.slice(prefix.length), body: summary }))
  if (items.length === limit) return { items, horizon: items.at(-1)!.ulid }
  return { items, horizon: horizonOf(rows, filter, prefix, from) }
}

/** How many runs a filter finds in the next window, and down to where that is. */
export function countRuns(
  rows: Rows,
  filter: BoundedFilter,
  prefix: string,
  before: string | null,
): { count: number; horizon: string | null } {
  const from = before === null ? `${prefix}~` : `${prefix}${before}`
  const { sql, bindings, needsSummary } = conditionsOf(filter)
  const query = `SELECT COUNT(*) AS count FROM (${windowOf(needsSummary)}) AS seen WHERE ${sql}`
  const { count } = rows.one<{ count: number }>(query, from, MAX_SCANNED, ...bindings)!
  return { count, horizon: horizonOf(rows, filter, prefix, from) }
}

/** Down to where a window that held too few was searched; null when nothing can come after it. */
function horizonOf(rows: Rows, filter: ListFilter, prefix: string, from: string): string | null {
  const { seen, last, createdAt } = rows.one<{ seen: number; last: string | null; createdAt: number }>(
    `SELECT COUNT(*) AS seen, MIN(id) AS last, MIN(created_at) AS createdAt FROM (${windowOf(false)})`,
    from,
    MAX_SCANNED,
  )!
  if (last === null || seen < MAX_SCANNED) return null
  // Ids follow the clock of the Worker that minted them, so rows are nearly, not strictly, in the order of `created_at`.
  if (filter.since !== undefined && createdAt < filter.since - CLOCK_SLACK_MS) return null
  return last.slice(prefix.length)
}

function windowOf(withSummary: boolean): string {
  const columns = `id, workflow, version, status, created_at, due_at${withSummary ? ', summary' : ''}`
  return `SELECT ${columns} FROM runs WHERE id < ? ORDER BY id DESC LIMIT ?`
}

function conditionsOf(filter: BoundedFilter): Conditions {
  const narrow = narrowTerms(filter, 'seen')
  const wide = [...wideTerms(filter, 'seen'), ...sparingTerms(filter)]
  const terms = [...narrow, ...wide]
  return {
    sql: conjunctionOf(terms),
    bindings: terms.flatMap(({ bindings }) => bindings),
    needsSummary: wide.length > 0,
  }
}

/** What the columns in front of a row tell. */
function narrowTerms(filter: ListFilter, row: string): Term[] {
  const { workflow, version, status, since, until, isLive, statusNot } = filter
  return [
    ...term(workflow, `${row}.workflow = ?`),
    ...term(version, `${row}.version = ?`),
    ...term(status, `${row}.status = ?`),
    ...term(statusNot, `${row}.status <> ?`),
    ...term(since, `${row}.created_at >= ?`),
    ...term(until, `${row}.created_at < ?`),
    ...term(isLive === undefined ? undefined : Number(isLive), `(${row}.due_at IS NOT NULL) = ?`),
  ]
}

/** What a run shows in lists stands in its summary, so a column of its own would say it twice. */
function wideTerms({ trigger, parent, tag }: ListFilter, row: string): Term[] {
  return [
    ...term(trigger, `${row}.summary ->> '$.trigger.type' = ?`),
    ...term(parent, `${row}.summary ->> '$.parent.run_id' = ?`),
    // Most runs are told apart by their text, without reading it as JSON; within a text no quote stands without a backslash.
    ...term(tag === undefined ? undefined : JSON.stringify(tag), `instr(${row}.summary, ?) > 0`),
    ...term(tag, `EXISTS (SELECT 1 FROM json_each(${row}.summary, '$.tags') WHERE value = ?)`),
  ]
}

/** What of the runs that were found is left out; looked at last, since it asks for other rows. */
function sparingTerms(filter: BoundedFilter): Term[] {
  const { spares, unlessRetried } = filter
  const terms: Term[] = []
  if (spares === 'children') terms.push({ sql: `seen.summary ->> '$.parent' IS NULL`, bindings: [] })
  if (spares === 'children_of_found') {
    const found = [...narrowTerms(filter, 'above'), ...wideTerms(filter, 'above')]
    terms.push({
      sql: `NOT EXISTS (SELECT 1 FROM runs AS above WHERE above.id = seen.summary ->> '$.parent.run_id' AND ${conjunctionOf(found)})`,
      bindings: found.flatMap(({ bindings }) => bindings),
    })
  }
  if (unlessRetried !== undefined) {
    terms.push({
      sql: '(NOT EXISTS (SELECT 1 FROM retried WHERE run_id = seen.id) OR EXISTS (SELECT 1 FROM idempotency WHERE key = ? || seen.id))',
      bindings: [unlessRetried.butBy],
    })
  }
  return terms
}

interface Term {
  sql: string
  bindings: SqlStorageValue[]
}

/** No term if there is nothing to compare with. */
function term(value: string | number | undefined, sql: string): Term[] {
  return value === undefined ? [] : [{ sql, bindings: [value] }]
}

function conjunctionOf(terms: readonly Term[]): string {
  return terms.length === 0 ? 'TRUE' : terms.map(({ sql }) => sql).join(' AND ')
}
