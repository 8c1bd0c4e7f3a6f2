// What the expression language takes from the CEL library: its parser, and its operators and functions on single values.
// Every operation here is applied once, to values and not to programs; how long that takes is paid before it begins.
// What is missing from the table of the library's functions is refused on purpose:
// - matches(): a RegExp of JavaScript backtracks and cannot be interrupted;
// - getHours("Europe/Paris") and its like: the time zone database of the machine decides, so a replay could differ (R2);
// - bytes.json(): its numbers would come out as doubles, past everything that cel-values.ts says about JSON.

import { type ASTNode, Environment, EvaluationError, Optional, ParseError } from '@marcbachmann/cel-js'
import type { Duration } from '@marcbachmann/cel-js/evaluator'
import type { Json } from '../json.ts'
import {
  isList,
  isMap,
  LimitReached,
  List,
  Lookup,
  lengthOf,
  MAX_BYTES,
  type Meter,
  Opaque,
  type Value,
} from './cel-values.ts'

/** Parentheses, brackets, calls and members that stand within each other; `!` and `-` are counted by the caller. */
export const MAX_DEPTH = 50

const library = new Environment({
  unlistedVariablesAreDyn: true,
  enableOptionalTypes: true,
  limits: { maxDepth: MAX_DEPTH },
})
  .registerFunction('string(google.protobuf.Timestamp): string', timestampText)
  .registerFunction('string(google.protobuf.Duration): string', durationText)

// CEL has no arithmetic on an int and a double, and JSON does not tell 2 from 2.0: without these, whether `input.price * 2`
// has a value would hang on the price.
const MIXED: Record<string, (a: number, b: number) => number> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
}
for (const [operator, compute] of Object.entries(MIXED)) {
  const inDouble = (a: number | bigint, b: number | bigint) => compute(Number(a), Number(b))
  library.registerOperator(`int ${operator} double: double`, inDouble)
  library.registerOperator(`double ${operator} int: double`, inDouble)
}

/** Operators and functions on single values. Each is named by the expression that applies it to `a`, `b` and `c`. */
const BUILTINS = new Map(
  [
    ...['!a', '-a', 'a + b', 'a - b', 'a * b', 'a / b', 'a % b', 'a < b', 'a <= b', 'a > b', 'a >= b', 'a == b'],
    ...['bool(a)', 'bytes(a)', 'double(a)', 'duration(a)', 'int(a)', 'string(a)', 'timestamp(a)', 'type(a)', 'uint(a)'],
    ...['size(a)', 'a.size()', 'a.contains(b)', 'a.endsWith(b)', 'a.startsWith(b)', 'a.indexOf(b)', 'a.indexOf(b, c)'],
    ...['a.lastIndexOf(b)', 'a.lastIndexOf(b, c)', 'a.substring(b)', 'a.substring(b, c)', 'a.lowerAscii()'],
    ...['a.upperAscii()', 'a.trim()', 'a.split(b)', 'a.split(b, c)', 'a.join()', 'a.join(b)'],
    ...['a.at(b)', 'a.base64()', 'a.hex()', 'a.string()'],
    ...['a.getDate()', 'a.getDayOfMonth()', 'a.getDayOfWeek()', 'a.getDayOfYear()', 'a.getFullYear()', 'a.getHours()'],
    ...['a.getMilliseconds()', 'a.getMinutes()', 'a.getMonth()', 'a.getSeconds()'],
  ].map((application) => [application, library.parse(application)]),
)

/** Values that have a name: the types, which `type(x) == string` compares with. */
export const TYPE_NAMES: ReadonlyMap<string, Value> = new Map(
  ['bool', 'bytes', 'double', 'int', 'list', 'map', 'null_type', 'string', 'type', 'uint'].map((name) => [
    name,
    new Opaque(library.evaluate(name)),
  ]),
)

/** `substring(b, c)` as the table writes it, with `a.` before it for a method. */
export function application(name: string, isMethod: boolean, argumentCount: number): string {
  const [first, ...letters] = ['a', 'b', 'c', 'd']
  const args = isMethod ? letters : [first, ...letters]
  return `${isMethod ? 'a.' : ''}${name}(${args.slice(0, argumentCount).join(', ')})`
}

/** Whether there is a built-in of this form (`application` writes it). */
export function isBuiltin(application: string): boolean {
  return BUILTINS.has(application)
}

/** What was wrong with an expression's text. `position` counts its characters from 0. */
export interface SyntaxFault {
  code: 'expression_syntax' | 'expression_limit'
  message: string
  position: number
}

/** Parses one expression. Nothing of it has been evaluated or checked against names. */
export function parseCel(text: string): { ast: ASTNode } | { fault: SyntaxFault } {
  try {
    return { ast: library.parse(text).ast }
  } catch (error) {
    if (!(error instanceof ParseError)) throw error
    const code = error.code === 'limit_exceeded' ? 'expression_limit' : 'expression_syntax'
    return { fault: { code, message: error.summary, position: error.range?.start ?? 0 } }
  }
}

/** The error of a built-in that has no value for its arguments, at this node. */
export function failure(node: ASTNode, message: string): EvaluationError {
  return new EvaluationError({ code: 'evaluation_failed', message, range: { start: node.pos, end: node.end } })
}

/**
 * Applies a built-in to values. Lists and maps are known to the library by their kind only, save the list that is joined:
 * what looks into them is in cel.ts, where it is counted.
 * Throws EvaluationError at `node`, or LimitReached.
 */
export function applyBuiltin(application: string, args: readonly Value[], node: ASTNode, meter: Meter): Value {
  const [a = null, b = null, c = null] = args
  payFor(application, a, b, meter)
  // The library matches a duration by a pattern that takes cubic time: 5 s for 2,000 digits.
  if (application === 'duration(a)' && typeof a === 'string' && a.length > 64) {
    throw failure(node, 'the duration is too long')
  }
  // It leaves timestamps to Date, which reads more than CEL knows, some of it in the time zone of the machine (R2).
  if (application === 'timestamp(a)' && typeof a === 'string' && !RFC_3339.test(a)) {
    throw failure(node, 'a timestamp is written as RFC 3339 has it, as in 2025-01-31T12:00:00Z')
  }
  let result: unknown
  try {
    const first = application.startsWith('a.join(') && isList(a) ? itemsOf(a) : outward(a)
    result = BUILTINS.get(application)!({ a: first, b: outward(b), c: outward(c) })
  } catch (error) {
    // Anything but its own error is a JavaScript error of what the library calls in turn (a RangeError of a date, say).
    if (!(error instanceof EvaluationError)) throw failure(node, 'the value is outside what can be computed')
    throw failure(node, plainTypes(error.summary))
  }
  if (typeof result === 'string') refuseLong(result.length)
  return inward(result)
}

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/

/** The CEL name of a value's type. */
export function typeName(value: Value): string {
  if (value instanceof Optional) return 'optional'
  return BUILTINS.get('type(a)')!({ a: outward(value) }).name
}

/** Built-ins that look for one text in another. */
const SEARCHES: ReadonlySet<string> = new Set([
  ...['a.contains(b)', 'a.indexOf(b)', 'a.indexOf(b, c)', 'a.lastIndexOf(b)', 'a.lastIndexOf(b, c)'],
  ...['a.split(b)', 'a.split(b, c)'],
])

function payFor(application: string, a: Value, b: Value, meter: Meter): void {
  const [first, second] = [sizeOf(a), sizeOf(b)]
  meter.pass(first + second)
  if (application === 'a + b') refuseLong(first + second)
  // Native search is quadratic for the worst of texts: 0.6 s for 1,000 characters in a million.
  if (SEARCHES.has(application)) meter.pass((first * second) / 16)
  if (!(isList(a) && application.startsWith('a.join('))) return
  let joined = second * lengthOf(a)
  for (const item of itemsOf(a)) if (typeof item === 'string') joined += item.length
  meter.pass(lengthOf(a) + joined)
  refuseLong(joined)
}

function sizeOf(value: Value): number {
  if (typeof value === 'string') return value.length
  return value instanceof Opaque && value.value instanceof Uint8Array ? value.value.length : 0
}

function refuseLong(length: number): void {
  if (length > MAX_BYTES) throw new LimitReached('makes a text of more than 1,048,576 characters')
}

function itemsOf(list: Json[] | List): readonly unknown[] {
  return list instanceof List ? list.items : list
}

function outward(value: Value): unknown {
  if (isList(value)) return []
  if (isMap(value) || value instanceof Lookup) return {}
  return value instanceof Opaque ? value.value : value
}

function inward(result: unknown): Value {
  if (Array.isArray(result)) return new List(result)
  return typeof result === 'object' && result !== null ? new Opaque(result) : (result as Value)
}

/** The library's names of types, without what its checker alone knows: `list` for `dyn<list<dyn>>`. */
function plainTypes(message: string): string {
  return message.replace(/(list|map)<[\w, ]+>/g, '$1').replace(/dyn<([\w.]+)>/g, '$1')
}

/** RFC 3339. Years outside 0 to 9999 have no such text, nor have dates that overflowed; both throw, which is caught above. */
function timestampText(timestamp: { toISOString(): string }): string {
  const text = timestamp.toISOString()
  if (/^\d{4}-/.test(text)) return text
  throw new EvaluationError({ code: 'evaluation_failed', message: 'the timestamp is outside the years 0 to 9999' })
}

/** Seconds with up to nine decimals and an `s`, as Protobuf writes durations in JSON: `90s`, `-1.5s`. */
function durationText(duration: Duration): string {
  const nanos = BigInt(duration.seconds) * 1_000_000_000n + BigInt(duration.nanos)
  const [sign, size] = nanos < 0n ? ['-', -nanos] : ['', nanos]
  const decimals = `${size % 1_000_000_000n}`.padStart(9, '0').replace(/0+$/, '')
  return `${sign}${size / 1_000_000_000n}${decimals && '.'}${decimals}s`
}
