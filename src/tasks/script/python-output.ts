// What a Python script writes: lines, which are logged, and at the end the answer, once the host has asked for it. The bytes that
// are given lie in the script's memory and change with it; what is kept is copied, and is never more than a bound.

import type { ScriptLogs } from './logs.ts'

/** The longest line that is taken in; the rest of it is dropped. */
const MAX_LINE_BYTES = 64 * 1_024

const FIRST_BYTES = 1_024

const NEWLINE = 0x0a

/** The answer is larger than it may be. */
export class AnswerTooLarge extends Error {}

/** Takes the bytes that a script writes. */
export class PythonOutput {
  readonly #logs: ScriptLogs
  readonly #maxAnswerBytes: number
  readonly #onLine: () => void
  #held = new Uint8Array(FIRST_BYTES)
  #length = 0
  #isAnswer = false

  /**
   * @param maxAnswerBytes of the answer
   * @param onLine called before each line that is logged
   */
  constructor(logs: ScriptLogs, maxAnswerBytes: number, onLine: () => void) {
    this.#logs = logs
    this.#maxAnswerBytes = maxAnswerBytes
    this.#onLine = onLine
  }

  /**
   * Takes the next bytes: logs each line that is whole, or keeps them for the answer.
   * @throws AnswerTooLarge, and what `onLine` throws
   */
  write(bytes: Uint8Array): void {
    if (this.#isAnswer) {
      if (this.#length + bytes.length > this.#maxAnswerBytes) throw new AnswerTooLarge()
      this.#keep(bytes)
      return
    }
    let from = 0
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, from)) {
      this.#keepOfLine(bytes.subarray(from, at))
      this.#onLine()
      this.#log()
      from = at + 1
    }
    this.#keepOfLine(bytes.subarray(from))
  }

  /** Logs what was written last without a newline. */
  flush(): void {
    if (!this.#isAnswer && this.#length > 0) this.#log()
  }

  /** What is written from now on is the answer. */
  beginAnswer(): void {
    this.flush()
    this.#isAnswer = true
  }

  /** The answer as text; null if its bytes are not UTF-8. */
  answer(): string | null {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.#held.subarray(0, this.#length))
    } catch {
      return null
    }
  }

  #keepOfLine(part: Uint8Array): void {
    this.#keep(part.subarray(0, MAX_LINE_BYTES - this.#length))
  }

  #keep(part: Uint8Array): void {
    const length = this.#length + part.length
    if (length > this.#held.length) {
      const longer = new Uint8Array(Math.max(length, 2 * this.#held.length))
      longer.set(this.#held.subarray(0, this.#length))
      this.#held = longer
    }
    this.#held.set(part, this.#length)
    this.#length = length
  }

  #log(): void {
    this.#logs.add('info', new TextDecoder().decode(this.#held.subarray(0, this.#length)))
    this.#length = 0
  }
}
