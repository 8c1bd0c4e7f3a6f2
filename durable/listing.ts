// Pages of a Runner's runs, newest first. Ids are in the order of time, so the primary key is the index; filters look at
// rows as they pass, and no index has to be written for them.
//
// A filter is SQL over a window of rows, since five times as many rows pass there as in a loop of ours. The window names only the
// columns that the filter needs: those in front of the row cost no page beside their own, `summary` may cost one more. Bounds on
// the id would stand outside the window: comparing a key makes SQLite read the whole row, history and all (tried).

import type { Rows } from './rows.ts'
import type { ListFilter, RunPage } from './runner-rpc.ts'

/** By how much the clocks of two machines may differ, in ms. */
const CLOCK_SLACK_MS = 60_000

/** Rows that one page of a list may look at. */
const MAX_SCANNED = 5_000

/** A filter as SQL over the columns of `runs`. */
interface Conditions {
  sql: string
  bindings: SqlStorageValue[]
  needsSummary: boolean
}

/** Newest first. Looks at no more than MAX_SCANNED rows, so a page can be short and still not be the last. */
export function listRuns(
  rows: Rows,
  filter: ListFilter,
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
  filter: ListFilter,
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
  // Ids follow the clock of whoever minted them, so rows are nearly, not strictly, in the order of `created_at`.
  if (filter.since !== undefined && createdAt < filter.since - CLOCK_SLACK_MS) return null
  return last.slice(prefix.length)
}

function windowOf(withSummary: boolean): string {
  const columns = `id, workflow, version, status, created_at, due_at${withSummary ? ', summary' : ''}`
  return `SELECT ${columns} FROM runs WHERE id < ? ORDER BY id DESC LIMIT ?`
}

function conditionsOf(filter: ListFilter): Conditions {
  const { workflow, version, status, since, until, trigger, tag, parent, isLive, statusNot } = filter
  const narrow: Term[] = [
    term(workflow, 'workflow = ?'),
    term(version, 'version = ?'),
    term(status, 'status = ?'),
    term(statusNot, 'status <> ?'),
    term(since, 'created_at >= ?'),
    term(until, 'created_at < ?'),
    term(isLive === undefined ? undefined : Number(isLive), '(due_at IS NOT NULL) = ?'),
  ]
  // What a run shows in lists stands in its summary, so a column of its own would say it twice.
  const wide: Term[] = [
    term(trigger, `seen.summary ->> '$.trigger.type' = ?`),
    term(parent, `seen.summary ->> '$.parent.run_id' = ?`),
    // Most runs are told apart by their text, without reading it as JSON; within a text no quote stands without a backslash.
    term(tag === undefined ? undefined : JSON.stringify(tag), 'instr(seen.summary, ?) > 0'),
    term(tag, `EXISTS (SELECT 1 FROM json_each(seen.summary, '$.tags') WHERE value = ?)`),
  ]
  const terms = [...narrow, ...wide].filter((one) => one !== null)
  return {
    sql: terms.length === 0 ? 'TRUE' : terms.map(({ sql }) => sql).join(' AND '),
    bindings: terms.map(({ binding }) => binding),
    needsSummary: wide.some((one) => one !== null),
  }
}

type Term = { sql: string; binding: SqlStorageValue } | null

function term(value: string | number | undefined, sql: string): Term {
  return value === undefined ? null : { sql, binding: value }
}
