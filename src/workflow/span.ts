// Spans of time as definitions write them: a number and a unit, "500ms", "5s", "10m", "24h", "30d".

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** The form of a span: whole or decimal number, then its unit. */
export const SPAN_PATTERN = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/

/** Whether the text is a span: at most 9 digits, at most 3 decimals, and a unit. */
export function isSpan(text: string): boolean {
  return SPAN_PATTERN.test(text)
}

/**
 * Milliseconds of a span, rounded to a whole number.
 * @returns NaN if the text is not a span; check spans from outside with `isSpan` first
 */
export function spanMs(span: string): number {
  const match = SPAN_PATTERN.exec(span)
  if (match === null) return Number.NaN
  return Math.round(Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS])
}
