// How a text that is too long for a row is cut into some that are not.

/** A part of a payload or definition: a row may hold 2 MB in production, and every character may take 3 bytes of UTF-8. */
const PART_LENGTH = 170 * 1024

/** Cuts a text into parts that fit a row, never between the halves of a surrogate pair: SQLite keeps UTF-8. */
export function inParts(text: string): string[] {
  const parts: string[] = []
  for (let from = 0; from < text.length || from === 0; ) {
    let to = from + PART_LENGTH
    const last = text.charCodeAt(to - 1)
    if (last >= 0xd800 && last <= 0xdbff) to--
    parts.push(text.slice(from, to))
    from = to
  }
  return parts
}
