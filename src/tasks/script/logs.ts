// Pure. What a script prints: the first and the last of it are kept, since the beginning tells what it was given and the end why
// it stopped.

import { MAX_LOG_CHARACTERS } from './limits.ts'

/** How urgent a line is; Python prints at `info`. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** A line, or how many were left out in its place. */
export type LogEntry = { level: LogLevel; text: string } | { omitted: number }

/** The longest line, in characters; the rest of it is cut off. */
const MAX_LINE_CHARACTERS = 8_192

const HALF = MAX_LOG_CHARACTERS / 2

/** What a line weighs beside its text, so that many empty ones are bounded too. */
const LINE_WEIGHT = 16

/** The log of one call, bounded in size however much is printed. */
export class ScriptLogs {
  readonly #first: { level: LogLevel; text: string }[] = []
  readonly #last: { level: LogLevel; text: string }[] = []
  #firstWeight = 0
  #lastWeight = 0
  #omitted = 0

  /** Adds a line; one from the middle is dropped when the log is full. */
  add(level: LogLevel, text: string): void {
    const line = {
      level,
      // Half a surrogate pair is no text: it would not be the same once it has been stored.
      text: (text.length > MAX_LINE_CHARACTERS ? `${text.slice(0, MAX_LINE_CHARACTERS)}…` : text).toWellFormed(),
    }
    const weight = weightOf(line)
    if (this.#last.length === 0 && this.#omitted === 0 && this.#firstWeight + weight <= HALF) {
      this.#first.push(line)
      this.#firstWeight += weight
      return
    }
    this.#last.push(line)
    this.#lastWeight += weight
    while (this.#lastWeight > HALF) {
      this.#lastWeight -= weightOf(this.#last.shift()!)
      this.#omitted++
    }
  }

  /** The lines that were kept, in order, with the gap where lines were dropped. */
  all(): LogEntry[] {
    const gap = this.#omitted === 0 ? [] : [{ omitted: this.#omitted }]
    return [...this.#first, ...gap, ...this.#last]
  }
}

function weightOf({ text }: { text: string }): number {
  return text.length + LINE_WEIGHT
}
