// Pure. What a server of models says about when it will take the next call: its rate limits have headers of their own beside
// Retry-After.

import { MAX_RETRY_AFTER_MS, parseRetryAfter } from '../retry-after.ts'

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 }

/** What is counted: calls, and the tokens of their questions and answers. */
const COUNTED = ['requests', 'tokens'] as const

/**
 * How long a server that refused a call wants to be left alone, in ms; null if it does not say.
 * `retry-after-ms` is the finest and goes first, then Retry-After. Without them, after a 429, the limit that is used up says
 * when it is whole again; where none says that it is used up, the call was larger than what is left, and the longest counts.
 */
export function requestedWaitMs(status: number, headers: Headers, now: number): number | null {
  const exact = /^\d{1,15}(\.\d+)?$/.exec(headers.get('retry-after-ms')?.trim() ?? '')?.[0]
  if (exact !== undefined) return Math.min(Math.ceil(Number(exact)), MAX_RETRY_AFTER_MS)
  const after = parseRetryAfter(headers.get('retry-after'), now) ?? parseDecimalSeconds(headers.get('retry-after'))
  if (after !== null) return after
  if (status !== 429) return null

  const resets = COUNTED.flatMap((what) => {
    const ms = parseGoDuration(headers.get(`x-ratelimit-reset-${what}`))
    return ms === null ? [] : [{ ms, isUsedUp: headers.get(`x-ratelimit-remaining-${what}`)?.trim() === '0' }]
  })
  const usedUp = resets.filter(({ isUsedUp }) => isUsedUp)
  const counted = usedUp.length > 0 ? usedUp : resets
  return counted.length === 0 ? null : Math.max(...counted.map(({ ms }) => ms))
}

/** A span as Go writes it ("1s", "6m0s", "120ms", "7.66s"), in whole ms, rounded up; null if the text is not a span. */
export function parseGoDuration(text: string | null): number | null {
  const told = text?.trim() ?? ''
  if (told.length > 40 || !/^(\d+(\.\d+)?(ms|h|m|s))+$/.test(told)) return null
  const ms = [...told.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * UNITS[unit!]!,
    0,
  )
  return Math.min(Math.ceil(ms), MAX_RETRY_AFTER_MS)
}

/** Some servers write parts of seconds into Retry-After, which HTTP does not have. Whole ms, rounded up; null for anything else. */
function parseDecimalSeconds(header: string | null): number | null {
  const text = header?.trim() ?? ''
  return /^\d{1,12}\.\d{1,9}$/.test(text) ? Math.min(Math.ceil(Number(text) * 1_000), MAX_RETRY_AFTER_MS) : null
}
