// Instants as definitions and expressions write them: RFC 3339, "2027-01-31T09:00:00Z".

/** With an offset or Z: a time without one would mean something else on every machine. */
const TIME_PATTERN = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/

export function isTime(text: string): boolean {
  return TIME_PATTERN.test(text) && !Number.isNaN(timeMs(text))
}

/** @returns ms since the epoch; NaN if the text is no time */
export function timeMs(text: string): number {
  // biome-ignore lint/style/noRestrictedGlobals: reads a text that says its offset, and no clock: the same everywhere (R2).
  return Date.parse(text)
}

/** @returns an instant as the API shows it: RFC 3339, UTC, milliseconds */
export function timeText(at: number): string {
  // biome-ignore lint/style/noRestrictedGlobals: writes an instant that it is given, and reads no clock (R2).
  return new Date(at).toISOString()
}
