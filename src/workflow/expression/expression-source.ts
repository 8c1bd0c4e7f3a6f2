// Expressions as they are written: found in a text, parsed, and kept by what is written, so that rendering parses nothing twice.
// Parsed expressions hold no values (cel.ts), so what stays in memory is bounded by the length of what was written.

import type { ASTNode } from '@marcbachmann/cel-js'
import { parseCel } from './cel-builtins.ts'
import {
  type InputReference,
  type NameFault,
  namesOf,
  type PlacedName,
  type SecretReference,
  type TaskReference,
} from './expression-names.ts'

/** Characters of one expression, without the blanks around it. */
const MAX_LENGTH = 2_000
/** Expressions that are kept parsed, and characters of them all: an AST takes up to a few hundred bytes for each character. */
const MAX_KEPT = 1_000
const MAX_KEPT_LENGTH = 100_000

/** A parsed expression with all that can be said of it without its workflow. Without an `ast` there is a fault. */
export interface Expression {
  text: string
  ast: ASTNode | null
  tasks: TaskReference[]
  inputs: InputReference[]
  items: PlacedName[]
  secrets: SecretReference[]
  faults: NameFault[]
}

const kept = new Map<string, Expression>()
let keptLength = 0

function parseCached(text: string): Expression {
  const known = kept.get(text)
  if (known !== undefined) return known
  // A slice of a string keeps all of it in memory; this makes a string of its own.
  const own: string = JSON.parse(JSON.stringify(text))
  const expression = parse(own)
  kept.set(own, expression)
  keptLength += text.length
  for (const oldest of kept.keys()) {
    if (kept.size <= MAX_KEPT && keptLength <= MAX_KEPT_LENGTH) break
    kept.delete(oldest)
    keptLength -= oldest.length
  }
  return expression
}

function parse(text: string): Expression {
  const refused = (fault: NameFault): Expression => ({
    text: clip(text),
    ast: null,
    tasks: [],
    inputs: [],
    items: [],
    secrets: [],
    faults: [fault],
  })
  if (text === '') return refused({ code: 'expression_syntax', message: 'the expression is empty', position: 0 })
  const result = parseCel(text)
  if ('ast' in result) return { text, ast: result.ast, ...namesOf(result.ast, text) }
  const reserved = /\btasks\s*\.\s*((?:in|true|false|null)\b[\w-]*|\d[\w-]*)/.exec(text)
  const hint = reserved === null ? '' : `; write tasks["${reserved[1]}"]`
  return refused({ ...result.fault, message: `${result.fault.message}${hint}` })
}

export type Segment = { kind: 'text'; text: string } | { kind: 'expression'; expression: Expression }

/** Takes a string apart. The last segment is an expression with a fault when a `${{` is never closed. */
export function segmentsOf(text: string): Segment[] {
  const segments: Segment[] = []
  let from = 0
  for (let open = text.indexOf('${{'); open !== -1; open = text.indexOf('${{', from)) {
    if (open > from) segments.push({ kind: 'text', text: text.slice(from, open) })
    const close = expressionEnd(text, open + 3)
    const inside = text.slice(open + 3, close === -1 ? text.length : close).trim()
    segments.push({ kind: 'expression', expression: close === -1 ? unclosedExpression(inside) : expressionOf(inside) })
    if (close === -1) return segments
    from = close + 2
  }
  if (from < text.length || segments.length === 0) segments.push({ kind: 'text', text: text.slice(from) })
  return segments
}

function expressionOf(text: string): Expression {
  if (text.length <= MAX_LENGTH) return parseCached(text)
  const message = `the expression is longer than ${MAX_LENGTH} characters`
  return {
    text: clip(text),
    ast: null,
    tasks: [],
    inputs: [],
    items: [],
    secrets: [],
    faults: [{ code: 'expression_limit', message, position: 0 }],
  }
}

function unclosedExpression(text: string): Expression {
  const message = 'no }} closes the expression; a text or a brace in it may be left open'
  return {
    text: clip(text),
    ast: null,
    tasks: [],
    inputs: [],
    items: [],
    secrets: [],
    faults: [{ code: 'expression_syntax', message, position: 0 }],
  }
}

/** Where the `}}` stands that ends an expression, or -1. Strings, maps and comments may have `}}` of their own. */
function expressionEnd(text: string, from: number): number {
  let braces = 0
  for (let i = from; i < text.length; i++) {
    const character = text[i]
    if (character === '"' || character === "'") i = stringEnd(text, i)
    else if (character === '{') braces++
    else if (character === '}' && braces > 0) braces--
    else if (character === '}' && text[i + 1] === '}') return i
    else if (character === '/' && text[i + 1] === '/') i = commentEnd(text, i)
  }
  return -1
}

/** Position of the last quote of the string that begins at `open`; past the end when it is left open. */
function stringEnd(text: string, open: number): number {
  const quote = text[open]!
  const mark = text.startsWith(quote.repeat(3), open) ? quote.repeat(3) : quote
  let i = open + mark.length
  while (i < text.length && !text.startsWith(mark, i)) i += text[i] === '\\' ? 2 : 1
  return i + mark.length - 1
}

/** A comment ends with its line, and before a `}}`: templates have one line mostly. */
function commentEnd(text: string, open: number): number {
  let i = open
  while (i + 1 < text.length && text[i + 1] !== '\n' && !text.startsWith('}}', i + 1)) i++
  return i
}

/** Enough of a text for a message, on one line. */
export function clip(text: string): string {
  const line = text.slice(0, 160).replace(/\s/g, ' ')
  return text.length > 160 ? `${line}...` : line
}
