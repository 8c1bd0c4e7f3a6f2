// Pure. What a server says with Retry-After.

/** The longest wait that a server can ask for, in ms. No run lasts as long, so a server that asks for more is not waited for either way. */
export const MAX_RETRY_AFTER_MS = 400 * 86_400_000

/**
 * Milliseconds to wait; null if the header is absent or says nothing that can be read.
 * @see RFC 9110, section 10.2.3: seconds, or a date
 */
export function parseRetryAfter(header: string | null, now: number): number | null {
  const text = header?.trim() ?? ''
  if (/^\d{1,12}$/.test(text)) return Math.min(Number(text) * 1_000, MAX_RETRY_AFTER_MS)
  // A date has letters; Date.parse alone would take "-1" or "1.5" for years.
  const date = /^[A-Za-z]/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(date) ? null : Math.min(Math.max(0, date - now), MAX_RETRY_AFTER_MS)
}
