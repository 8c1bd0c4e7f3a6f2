// Maskings of this isolate, by the values that they hide: the calls of a map, and attempts one after another, share one. A
// masking of large secrets takes a tenth of a second and many megabytes to build.

import { utf8Length } from '../../bytes.ts'
import { MAX_SECRETS_BYTES, Masking } from './masking.ts'

const MAX_KEPT = 16

interface Kept {
  masking: Masking
  bytes: number
  until: number
}

/** By the values, the one used last at the end. */
const kept = new Map<string, Kept>()

/**
 * What hides these values. All that is kept holds no more secrets than one call may have.
 * @param values at most `MAX_SECRETS_BYTES` together
 * @param until when the values are no longer lent, in ms since 1970; the masking is let go at a later call
 */
export function maskingOf(values: Iterable<string>, until: number): Masking {
  const distinct = [...new Set(values)].sort()
  const key = JSON.stringify(distinct)
  const known = kept.get(key)
  const bytes = known?.bytes ?? distinct.reduce((sum, value) => sum + utf8Length(value), 0)
  const masking = known?.masking ?? new Masking(distinct)
  kept.delete(key)
  kept.set(key, { masking, bytes, until })
  forget(Date.now())
  return masking
}

/** Lets go of what is no longer lent, and then of what was used least recently; never of the last. */
function forget(now: number): void {
  for (const [key, { until }] of kept) if (until <= now && kept.size > 1) kept.delete(key)
  let bytes = [...kept.values()].reduce((sum, one) => sum + one.bytes, 0)
  for (const [key, one] of kept) {
    if (kept.size <= 1 || (kept.size <= MAX_KEPT && bytes <= MAX_SECRETS_BYTES)) return
    kept.delete(key)
    bytes -= one.bytes
  }
}
