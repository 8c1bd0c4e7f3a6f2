// How much one answer of the scheduler may hold, and how long a history may grow.

import type { Run } from '../run/run.ts'

/** Events of one answer, so that a run of 10,000 tasks can be settled in slices. */
export const MAX_DECISIONS = 500

/** A history may not grow for ever (api.md "Codes", `history_limit`). */
export const HISTORY_LIMIT = 50_000

/** How long the history may grow. What a run undoes has as much room again, so that one which has grown too long is undone. */
export function historyLimit({ compensation }: Run): number {
  return compensation === null ? HISTORY_LIMIT : 2 * HISTORY_LIMIT
}
