// How many texts fit into one answer. A page ends where the next text would make it too large, so what a page shows it shows whole.

import type { TextPage } from './runner-rpc.ts'

/** The largest answer, in bytes of JSON text. */
export const MAX_ANSWER = 8 * 1024 * 1024

/** What a page has around its texts: names, the cursor, a comma for each. */
const FRAME = 1024

const encoder = new TextEncoder()

/** Whether a text may be an answer. */
export function fits(text: string): boolean {
  // A character takes three bytes at most, so most answers need not be measured.
  return text.length * 3 <= MAX_ANSWER || encoder.encode(text).byteLength <= MAX_ANSWER
}

/**
 * A page of at most `limit` texts, and of fewer where they are long; the first is always there, so a reader always gets on.
 * @param positions of all that is left to show, as many as `limit` and one are enough
 * @param textOf makes the text of a position; not asked for more than stand in the page, and one
 */
export function pageOf(positions: readonly number[], limit: number, textOf: (position: number) => string): TextPage {
  const items: string[] = []
  let room = MAX_ANSWER - FRAME
  for (const position of positions.slice(0, limit)) {
    const text = textOf(position)
    room -= encoder.encode(text).byteLength
    if (room < 0 && items.length > 0) break
    items.push(text)
  }
  return { kind: 'page', items, next: positions[items.length] ?? null }
}
