// How what the schema library finds becomes faults: a JSON Pointer, a code of the closed table, and words that help.
// Serves every body that comes from outside (a definition, the `with` of a task, a start), so it knows none of them.
// Only for JSON values. Nothing here evaluates code: Workers forbid it, and zod is told so at each call.

import { z } from 'zod'
import { CODES, type Fault, type FaultCode } from './codes.ts'
import { isJsonObject } from './json.ts'
import { didYouMeanOrAll, quoted } from './nearest.ts'

/** The most faults of one answer: more help nobody, and an answer must stay small. */
export const MAX_FAULTS = 1_000
/** The longest pointer of a fault: names of members may be megabytes long. One that is longer ends at a container of the place. */
const MAX_POINTER = 1_024

/** Where something stands in a JSON value: names of members and positions in lists. */
export type Path = readonly PropertyKey[]

/** Where a value stands in its body, and what is known of fields there that its schema does not have. */
export interface Place {
  /** JSON Pointer to the value, put before the path of every fault; '' (the body itself) if absent. */
  at?: string
  /** Names that the contract has at a path within the value and this release has not: `not_available`. */
  notAvailable?: (path: Path) => readonly string[]
  /** What to say of an unknown field instead of the nearest known name; null if the nearest name is the best help. */
  hint?: (path: Path, name: string) => string | null
}

export type Checked<T> = { ok: true; value: T } | { ok: false; faults: Fault[] }

/** Collects faults or warnings up to the limit of an answer; what comes after the last place is dropped, and the last entry says so. */
export class Entries<Entry extends { path: string; code: string; message: string }> {
  readonly #entries: Entry[] = []
  #dropped = false

  /** Whether an entry was dropped, so that looking for further ones is in vain. */
  get isFull(): boolean {
    return this.#dropped
  }

  /** Adds entries in order. Those beyond MAX_FAULTS are dropped. */
  add(entries: Iterable<Entry>): void {
    for (const entry of entries) {
      if (this.#entries.length < MAX_FAULTS) this.#entries.push(entry)
      else this.#dropped = true
    }
  }

  /** The entries added so far. If some were dropped, the message of the last one says so. */
  list(): Entry[] {
    const last = this.#entries.at(-1)
    if (!this.#dropped || last === undefined) return [...this.#entries]
    const message = `${last.message} (there are more; an answer lists ${MAX_FAULTS.toLocaleString('en-US')} at most)`
    return [...this.#entries.slice(0, -1), { ...last, message }]
  }
}

/** The JSON Pointer of a path (RFC 6901); of its container if it would be too long. */
export function pointer(path: Path): string {
  let text = ''
  for (const step of path) {
    const next = `${text}/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (next.length > MAX_POINTER) return text
    text = next
  }
  return text
}

/** Faults of what stands at `container`, made elsewhere: those whose pointer is too long (not even read, it may be huge) point at the container. */
export function boundedAt(container: string, faults: readonly Fault[]): Fault[] {
  return faults.map((fault) => (fault.path.length > MAX_POINTER ? { ...fault, path: container } : fault))
}

/** Checks a value against a schema: its parsed form, or every fault that the schema finds, unknown fields with the nearest known name. */
export function checkShape<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  place: Place = {},
): Checked<z.output<Schema>> {
  // The names that a schema has are gone from the issues that zod hands out, so they are kept while it words them.
  const known = new Map<unknown, string[]>()
  const words: z.core.$ZodErrorMap = (issue) => {
    if (issue.code === 'unrecognized_keys' && issue.inst instanceof z.ZodObject) {
      known.set(issue.input, [...(known.get(issue.input) ?? []), ...Object.keys(issue.inst.shape)])
    }
    return wordsOf(issue)
  }
  try {
    const result = schema.safeParse(value, { error: words, jitless: true })
    if (result.success) return { ok: true, value: result.data }
    return { ok: false, faults: faultsOf(result.error, value, place, known) }
  } catch (error) {
    // zod hands its issues up by spreading them into a call, which some hundred thousand of them overflow.
    if (!(error instanceof RangeError)) throw error
    return {
      ok: false,
      faults: [{ path: place.at ?? '', code: 'out_of_bounds', message: 'has too many faults to list' }],
    }
  }
}

/**
 * The faults that a ZodError stands for, in its order; each path leads into `root` or to a member that is missing there.
 * `checkShape` does this too, and knows the nearest names; this alone is for errors of a parse that was made elsewhere.
 */
export function faultsOf(
  error: z.ZodError,
  root: unknown,
  place: Place = {},
  known: ReadonlyMap<unknown, readonly string[]> = new Map(),
): Fault[] {
  const faults: Fault[] = []
  const add = (path: Path, code: FaultCode, message: string) => {
    faults.push({ path: (place.at ?? '') + pointer(path), code, message })
  }
  const addUnknown = (path: Path, name: string) => {
    const names = known.get(valueAt(root, path)) ?? []
    const hint = place.hint?.(path, name)
    if (place.notAvailable?.(path).includes(name)) {
      add([...path, name], 'not_available', `${quoted(name)} is part of the contract, but not of this release`)
    } else if (hint != null) add([...path, name], 'unknown_field', hint)
    else add([...path, name], 'unknown_field', `there is no field ${quoted(name)} here${didYouMeanOrAll(name, names)}`)
  }
  const visit = (issue: z.core.$ZodIssue, base: Path) => {
    const path = [...base, ...issue.path]
    if (issue.code === 'unrecognized_keys') {
      for (const name of issue.keys.slice(0, MAX_FAULTS + 1)) addUnknown(path, name)
    } else if (issue.code !== 'custom' && valueAt(root, path) === undefined) {
      add(path, 'required', path.length === 0 ? 'there is no value' : `${quoted(String(path.at(-1)))} is missing`)
    } else if (issue.code === 'invalid_union' && meantBranch(issue) !== null) {
      for (const inner of meantBranch(issue)!) visit(inner, path)
    } else if (issue.code === 'invalid_key') {
      add(path, 'invalid_format', `is no name that may stand here: ${issue.issues[0]?.message ?? issue.message}`)
    } else add(path, codeOf(issue), issue.message)
  }
  for (const issue of error.issues) {
    // One fault more than an answer lists shows the collector (`Entries`) that there are more.
    if (faults.length > MAX_FAULTS) break
    visit(issue, [])
  }
  return faults
}

/** What stands at a path; undefined if nothing does. Reads own members only, so that `constructor` is not there unless it is. */
function valueAt(root: unknown, path: Path): unknown {
  let value = root
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<PropertyKey, unknown>)[step]
  }
  return value
}

/** The branch of a union that the value was probably meant for: the right JSON type, then the fewest faults. Null if it has no branch's type. */
function meantBranch(issue: z.core.$ZodIssueInvalidUnion): z.core.$ZodIssue[] | null {
  const close = issue.errors.filter(
    (inner) => !inner.some(({ code, path }) => code === 'invalid_type' && path.length === 0),
  )
  return close.sort((a, b) => a.length - b.length)[0] ?? null
}

function codeOf(issue: z.core.$ZodIssue): FaultCode {
  switch (issue.code) {
    case 'invalid_type':
      return 'invalid_type'
    case 'invalid_union':
      // Left over when no branch takes the JSON type that the value has, or when a discriminator names no branch.
      return issue.errors.length > 0 ? 'invalid_type' : 'invalid_value'
    case 'too_big':
    case 'too_small':
      return 'out_of_bounds'
    case 'invalid_format':
      return 'invalid_format'
    case 'custom':
      return isFaultCode(issue.params?.code) ? issue.params.code : 'invalid_value'
    default:
      return 'invalid_value'
  }
}

function isFaultCode(code: unknown): code is FaultCode {
  if (code === 'not_available' || code === 'expression_limit') return true
  return typeof code === 'string' && Object.hasOwn(CODES, code) && CODES[code as keyof typeof CODES].kind === 'fault'
}

/** Words for an issue whose schema has none of its own. They say what must hold; where, the pointer says. */
function wordsOf(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.expected === 'int' && typeof issue.input === 'number') return 'must be an integer'
      return `must be ${withArticle(issue.expected)}, not ${kindOf(issue.input)}`
    case 'too_small':
      return `must ${amount('at least', issue.minimum, issue.origin)}`
    case 'too_big':
      return `must ${amount('at most', issue.maximum, issue.origin)}`
    case 'invalid_value':
      return `must be ${joinWithOr(issue.values.map((value) => JSON.stringify(value)))}`
    case 'invalid_format':
      return issue.pattern === undefined
        ? `must be ${withArticle(issue.format)}`
        : `must have the form ${issue.pattern}`
    case 'invalid_union':
      return `must be ${joinWithOr(issue.errors.map(([first]) => (first?.code === 'invalid_type' ? withArticle(first.expected) : 'another value')))}`
    default:
      return undefined
  }
}

/** Words for a bound, after "must": "have at least 3 characters", "be at most 10". `origin` is the kind of value as zod names it. */
export function amount(bound: 'at least' | 'at most', limit: number | bigint, origin: string): string {
  const number = limit.toLocaleString('en-US')
  const units: Record<string, string> = { string: 'character', array: 'entry', object: 'member', record: 'member' }
  const unit = units[origin]
  if (unit === undefined) return `be ${bound} ${number}`
  const plural = Number(limit) === 1 ? unit : unit === 'entry' ? 'entries' : `${unit}s`
  return `have ${bound} ${number} ${plural}`
}

const JSON_KINDS: Record<string, string> = {
  object: 'an object',
  record: 'an object',
  array: 'a list',
  int: 'an integer',
  null: 'null',
}

/** A JSON type as zod or JSON Schema names it, with its article: "an object", "a list", "a string". */
export function withArticle(kind: string): string {
  return JSON_KINDS[kind] ?? `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`
}

/** The JSON type of a value in words, with its article; "absent" for undefined. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (isJsonObject(value)) return 'an object'
  return value === undefined ? 'absent' : `a ${typeof value}`
}

/** "a", "a or b", "a, b or c"; equal values are named once. */
export function joinWithOr(values: readonly string[]): string {
  const distinct = [...new Set(values)]
  return distinct.length < 2 ? (distinct[0] ?? '') : `${distinct.slice(0, -1).join(', ')} or ${distinct.at(-1)}`
}
