// What JSON.parse does not tell: where a text stops being JSON (its messages quote the text, which may hold secrets, and
// differ from engine to engine), and how deep it goes before memory is spent on it. Iterative: no text ends the stack.

const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /true|false|null/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y

/** Offset at which lists and objects first stand within each other deeper than `levels`; -1 if nowhere. */
export function offsetDeeperThan(text: string, levels: number): number {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === QUOTE) {
      for (at++; at < text.length && text.charCodeAt(at) !== QUOTE; at++) {
        if (text.charCodeAt(at) === BACKSLASH) at++
      }
    } else if (char === OPEN_LIST || char === OPEN_OBJECT) {
      if (++depth > levels) return at
    } else if (char === CLOSE_LIST || char === CLOSE_OBJECT) depth--
  }
  return -1
}

/** What may come next. `first...` also takes the end of what was just opened. */
type Expected = 'value' | 'firstValue' | 'key' | 'firstKey' | 'colon' | 'separator'

/**
 * Offset of the first character that cannot stand where it does; the text's length if it breaks off. Only for text that
 * JSON.parse refused.
 * @see RFC 8259
 */
export function offsetOfSyntaxFault(text: string): number {
  const open: number[] = []
  let expected = 'value' as Expected
  for (let at = 0; at < text.length; ) {
    const char = text.charCodeAt(at)
    if (char === 0x20 || char === 0x0a || char === 0x0d || char === 0x09) {
      at++
      continue
    }
    const isEnd = char === open.at(-1) && (expected === 'separator' || expected.startsWith('first'))
    if (isEnd) {
      open.pop()
      expected = 'separator'
      at++
    } else if (expected === 'colon') {
      if (char !== COLON) return at
      expected = 'value'
      at++
    } else if (expected === 'separator') {
      if (char !== COMMA || open.length === 0) return at
      expected = open.at(-1) === CLOSE_OBJECT ? 'key' : 'value'
      at++
    } else if (char === QUOTE) {
      const { end, isWhole } = scanString(text, at)
      if (!isWhole) return end
      expected = expected === 'key' || expected === 'firstKey' ? 'colon' : 'separator'
      at = end
    } else if (expected === 'key' || expected === 'firstKey') {
      return at
    } else if (char === OPEN_LIST || char === OPEN_OBJECT) {
      open.push(char === OPEN_LIST ? CLOSE_LIST : CLOSE_OBJECT)
      expected = char === OPEN_LIST ? 'firstValue' : 'firstKey'
      at++
    } else {
      const end = endOf(NUMBER, text, at) ?? endOf(WORD, text, at)
      if (end === null) return at
      expected = 'separator'
      at = end
    }
  }
  return text.length
}

/** The end of a string that begins at `from`; if it is not whole, where it stops being one. */
function scanString(text: string, from: number): { end: number; isWhole: boolean } {
  for (let at = from + 1; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === QUOTE) return { end: at + 1, isWhole: true }
    if (char < 0x20) return { end: at, isWhole: false }
    if (char !== BACKSLASH) continue
    const end = endOf(ESCAPE, text, at)
    if (end === null) return { end: at, isWhole: false }
    at = end - 1
  }
  return { end: text.length, isWhole: false }
}

function endOf(pattern: RegExp, text: string, at: number): number | null {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : null
}

/** "line 2, column 7": both from 1, columns in characters as editors count them. */
export function placeOf(text: string, offset: number): string {
  const before = text.slice(0, offset)
  const line = before.split('\n').length
  return `line ${line}, column ${offset - before.lastIndexOf('\n')}`
}
