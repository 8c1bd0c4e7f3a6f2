// Pages of live histories that watchers in one isolate share. When a run moves, all who watch it want the same page at the
// same time: one reads it, the others take what it got. Holds texts only, for a moment; never a promise, since what one request
// waits for another one must not depend on.

import type { EventPage } from '../../../durable/runner/runner-rpc.ts'

/** How long a page may be taken, and how long the others wait for who reads it, in ms. */
const FRESH_MS = 1_000
const PATIENCE_MS = 50

/** For how many runs a page is held, and how long a page may be, in characters. */
const MAX_RUNS = 64
const MAX_LENGTH = 128 * 1024

interface Entry {
  after: number
  /** When the read began, ms since the epoch. */
  at: number
  /** Null while it is being read. */
  page: EventPage | null
}

const entries = new Map<string, Entry>()

/**
 * The page after an event: what another watcher has read or is reading, else what `read` gives.
 * @param key tenant and run
 * @param known number of an event that the page must not be older than
 */
export async function sharedPage(
  key: string,
  after: number,
  known: number,
  read: () => Promise<EventPage>,
): Promise<EventPage> {
  for (;;) {
    const entry = entries.get(key)
    const age = entry === undefined ? Number.POSITIVE_INFINITY : Date.now() - entry.at
    if (entry === undefined || entry.after !== after || age > FRESH_MS) break
    if (entry.page !== null) {
      if (entry.page.last >= known) return entry.page
      break
    }
    if (age > PATIENCE_MS) break
    await scheduler.wait(1)
  }
  return readFor(key, after, read)
}

async function readFor(key: string, after: number, read: () => Promise<EventPage>): Promise<EventPage> {
  const mine: Entry = { after, at: Date.now(), page: null }
  entries.delete(key)
  entries.set(key, mine)
  for (const oldest of entries.keys()) {
    if (entries.size <= MAX_RUNS) break
    entries.delete(oldest)
  }
  try {
    const page = await read()
    const length = page.items.reduce((sum, item) => sum + item.length, 0)
    if (length <= MAX_LENGTH) mine.page = page
    return page
  } finally {
    // Who waits for a page that did not come, or is too large to be held, reads for itself.
    if (mine.page === null && entries.get(key) === mine) entries.delete(key)
  }
}
