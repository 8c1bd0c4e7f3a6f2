// Instants as definitions and expressions write them: RFC 3339, "2027-01-31T09:00:00Z".

/** With an offset or Z: a time without one would mean something else on every machine. */
const TIME_PATTERN = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/

/** Whether the text is an instant in RFC 3339 with an offset or Z, and names a time that exists. */
export function isTime(text: string): boolean {
  return TIME_PATTERN.test(text) && !Number.isNaN(timeMs(text))
}

/**
 * Reads an instant.
 * @returns ms since the epoch; NaN if the text is not a time
 */
export function timeMs(text: string): number {
  // biome-ignore lint/style/noRestrictedGlobals: reads a text that says its offset, and no clock: the same everywhere (R2).
  return Date.parse(text)
}

/** Writes an instant (ms since the epoch) as the API shows it: RFC 3339, UTC, with milliseconds. */
export function timeText(at: number): string {
  // biome-ignore lint/style/noRestrictedGlobals: writes an instant that it is given, and reads no clock (R2).
  return new Date(at).toISOString()
}
