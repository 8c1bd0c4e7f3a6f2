// Calls to Durable Objects that may be repeated: reads, and writes that find what an earlier try did.

import { isRetryable } from '../../start.ts'

/** How often a call that the platform broke off is made again. */
const MAX_REPEATS = 2

/**
 * Makes a call, and again when an object was reset or moved under it (a deploy).
 * @param call takes a new stub each time, since one that broke stays broken
 */
export async function withRepeats<Answer extends PromiseLike<unknown>>(call: () => Answer): Promise<Awaited<Answer>> {
  for (let repeats = 0; ; repeats++) {
    try {
      return await call()
    } catch (error) {
      if (!isRetryable(error) || repeats === MAX_REPEATS) throw error
    }
  }
}
