// How explanations and errors put things into words: names, spans, instants, errors.

import type { TaskError } from './event.ts'

/** Names that a sentence holds; the others are counted. */
const MAX_NAMES = 10

/** Characters of an error's message that a sentence holds. */
const MAX_MESSAGE = 300

/** "a", "a and b", "a, b and 3 more". */
export function joinWithAnd(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES)
  const rest = names.length - shown.length
  const last = rest > 0 ? `${rest} more` : shown.pop()
  return shown.length === 0 ? `${last}` : `${shown.join(', ')} and ${last}`
}

/** "1 task", "3 tasks". */
export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const

/** A span, measured or set: to the millisecond below 10 s, then in its two largest units. */
export function spanText(ms: number): string {
  if (ms < 10_000) return `${ms} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`
  const at = UNITS.findIndex(([, size]) => ms >= size)
  const [unit, size] = UNITS[at]!
  const [smaller, smallerSize] = UNITS[at + 1]!
  const rest = Math.floor((ms % size) / smallerSize)
  return `${Math.floor(ms / size)} ${unit}${rest === 0 ? '' : ` ${rest} ${smaller}`}`
}

/** "http_503 (GET api.example.com answered 503)", with what it was about. */
export function errorText({ code, message, cause }: TaskError): string {
  const shown = message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}...` : message
  return `${code} (${shown})${cause === undefined ? '' : `, after ${errorText(cause)}`}`
}

/** A share of a whole, in percent. */
export function percent(part: number, whole: number): string {
  return whole === 0 ? '0 %' : `${Math.round((100 * part) / whole)} %`
}
