// Pages of a Runner's runs, newest first. Ids are in the order of time, so the primary key is the index; filters look at
// rows as they pass, and no index has to be written for them.

import type { Rows } from './rows.ts'
import type { ListFilter, RunPage } from './runner-rpc.ts'

/** By how much the clocks of two machines may differ, in ms. */
const CLOCK_SLACK_MS = 60_000

/** Rows that one page of a list may look at. */
const MAX_SCANNED = 5_000

/** Newest first. Looks at no more than MAX_SCANNED rows, so a page can be short and still not be the last. */
export function listRuns(
  rows: Rows,
  filter: ListFilter,
  prefix: string,
  before: string | null,
  limit: number,
): RunPage {
  const cursor = rows.each<{
    id: string
    workflow: string
    version: number
    status: string
    created_at: number
    summary: string
  }>(
    'SELECT id, workflow, version, status, created_at, summary FROM runs WHERE id < ? ORDER BY id DESC LIMIT ?',
    before === null ? `${prefix}~` : `${prefix}${before}`,
    MAX_SCANNED,
  )
  const items: RunPage['items'] = []
  let scanned = 0
  let last = ''
  for (const row of cursor) {
    // Ids follow the clock of whoever minted them, so rows are nearly, not strictly, in the order of `created_at`.
    if (filter.since !== undefined && row.created_at < filter.since - CLOCK_SLACK_MS) break
    scanned++
    last = row.id.slice(prefix.length)
    if (matches(row, filter)) items.push({ ulid: last, body: row.summary })
    if (items.length === limit) break
  }
  const isExhausted = scanned < MAX_SCANNED && items.length < limit
  return { items, horizon: isExhausted ? null : last }
}

function matches(
  row: { workflow: string; version: number; status: string; created_at: number },
  filter: ListFilter,
): boolean {
  if (filter.workflow !== undefined && row.workflow !== filter.workflow) return false
  if (filter.version !== undefined && row.version !== filter.version) return false
  if (filter.status !== undefined && row.status !== filter.status) return false
  if (filter.since !== undefined && row.created_at < filter.since) return false
  return filter.until === undefined || row.created_at < filter.until
}
