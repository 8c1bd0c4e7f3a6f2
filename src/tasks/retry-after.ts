// PURE. What a server says with Retry-After.

/** Longer than any run may last: a server that asks for more is not waited for either way. */
const MAX_MS = 400 * 86_400_000

/**
 * Milliseconds to wait; null if the header is absent or says nothing that can be read.
 * @see RFC 9110, section 10.2.3: seconds, or a date
 */
export function parseRetryAfter(header: string | null, now: number): number | null {
  const text = header?.trim() ?? ''
  if (/^\d{1,12}$/.test(text)) return Math.min(Number(text) * 1_000, MAX_MS)
  // A date has letters; Date.parse alone would take "-1" or "1.5" for years.
  const date = /^[A-Za-z]/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(date) ? null : Math.min(Math.max(0, date - now), MAX_MS)
}
