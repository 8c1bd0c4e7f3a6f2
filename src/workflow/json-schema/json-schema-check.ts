// Whether a definition's `input_schema` is a JSON Schema that can be used: its shape by the meta-schema of draft 2020-12, its
// references, its patterns, its size. What passes can be evaluated within bounds, and follows no reference without end.

import type { Fault, FaultCode, Warning } from '../codes.ts'
import { findCycles } from '../cycles.ts'
import { Entries, kindOf, type Path, pointer } from '../faults.ts'
import { isJsonObject, type Json, type JsonObject } from '../json.ts'
import { didYouMean, nearest, quoted } from '../nearest.ts'
import { DIALECT, HOLDING, inPlaceOf, isSchema, type Schema, SchemaDocument, subschemasOf } from './json-schema.ts'
import { compilePattern } from './pattern.ts'

/** Characters of a schema's JSON text. */
const MAX_LENGTH = 256 * 1024
/** Schemas within it, itself counted. */
const MAX_SCHEMAS = 5_000
/** How many names that nobody knows get a proposal. */
const MAX_PROPOSALS = 50
/** A circle of references that is longer is shown by its first steps. */
const MAX_SHOWN_STEPS = 10

const TYPES = ['null', 'boolean', 'object', 'array', 'number', 'string', 'integer']
const ANCHOR = /^[A-Za-z_][-A-Za-z0-9._]*$/

interface Complaint {
  code: FaultCode
  message: string
  /** From the keyword's value on. */
  steps?: Path
}

type Rule = (value: Json) => Complaint[]

export interface CheckedSchema {
  faults: Fault[]
  warnings: Warning[]
}

/**
 * Checks a schema itself, before any value is checked by it.
 * @param at JSON Pointer to the schema, which is sound (sound.ts) and not too deep to be walked
 */
export function checkInputSchema(value: Json, at: string): CheckedSchema {
  const fault = (code: FaultCode, message: string): CheckedSchema => ({
    faults: [{ path: at, code, message }],
    warnings: [],
  })
  if (!isSchema(value)) {
    return fault('invalid_type', `must be a JSON Schema, an object or a boolean, not ${kindOf(value)}`)
  }
  if (JSON.stringify(value).length > MAX_LENGTH) {
    return fault('out_of_bounds', `must have at most ${MAX_LENGTH.toLocaleString('en-US')} characters of JSON`)
  }
  const check = new SchemaCheck(value, at)
  return { faults: check.faults.list(), warnings: check.warnings.list() }
}

class SchemaCheck {
  readonly faults = new Entries<Fault>()
  readonly warnings = new Entries<Warning>()
  readonly #at: string
  readonly #document: SchemaDocument
  readonly #schemas: { schema: Schema; path: Path }[] = []
  #proposals = 0

  constructor(root: Schema, at: string) {
    this.#at = at
    this.#document = new SchemaDocument(root)
    this.#collect(root, [])
    if (this.#schemas.length > MAX_SCHEMAS) {
      this.#refuse([], 'out_of_bounds', `must hold at most ${MAX_SCHEMAS.toLocaleString('en-US')} schemas`)
      return
    }
    for (const { schema, path } of this.#schemas) {
      if (typeof schema !== 'boolean') this.#checkKeywords(schema, path)
    }
    if (this.faults.list().length === 0) this.#refuseCircles()
  }

  #collect(schema: Schema, path: Path): void {
    if (this.#schemas.length > MAX_SCHEMAS) return
    this.#schemas.push({ schema, path })
    for (const inner of subschemasOf(schema)) {
      const at = [...path, ...inner.steps]
      if (isSchema(inner.schema)) this.#collect(inner.schema, at)
      else this.#refuse(at, 'invalid_type', `must be a schema, an object or a boolean, not ${kindOf(inner.schema)}`)
    }
  }

  #checkKeywords(schema: JsonObject, path: Path): void {
    for (const [keyword, value] of Object.entries(schema)) {
      if (this.faults.isFull) return
      const at = [...path, keyword]
      const rule = Object.hasOwn(RULES, keyword) ? RULES[keyword]! : null
      for (const { code, message, steps = [] } of rule?.(value) ?? []) this.#refuse([...at, ...steps], code, message)
      if (keyword === '$ref' || keyword === '$dynamicRef') this.#checkReference(value, at)
      else if (keyword === '$id' && path.length > 0) {
        this.#refuse(at, 'invalid_value', 'only the whole schema may have an "$id": documents within it are not taken')
      } else if (rule === null && !keyword.startsWith('x-')) this.#warnOfKeyword(keyword, at)
    }
    if (typeof schema.format === 'string') {
      const message = 'says what the text means to people; it is not checked, as JSON Schema has it by default'
      this.warnings.add([
        { path: this.#at + pointer([...path, 'format']), code: 'format_not_checked', message: `"format" ${message}` },
      ])
    }
  }

  #checkReference(value: Json, at: Path): void {
    if (typeof value !== 'string') return
    const target = this.#document.resolve(value)
    if (target === undefined) {
      const message = `${quoted(value)} leads to another document; write "#/$defs/..." and put it into "$defs"`
      this.#refuse(at, 'remote_reference', message)
    } else if (target === null) this.#refuse(at, 'unknown_reference', `there is no schema at ${quoted(value)}`)
  }

  #warnOfKeyword(keyword: string, at: Path): void {
    const near = this.#proposals++ < MAX_PROPOSALS ? didYouMean(keyword, Object.keys(RULES)) : ''
    const message = `${quoted(keyword)} is no keyword of JSON Schema 2020-12 and means nothing${near}`
    this.warnings.add([{ path: this.#at + pointer(at), code: 'unknown_keyword', message }])
  }

  /** A schema that leads back to itself without going into the value would be evaluated for ever. */
  #refuseCircles(): void {
    const position = new Map<Schema, number>()
    // Two places can hold the same `true`, which leads nowhere; schemas that are objects are each in one place.
    for (const [index, { schema }] of this.#schemas.entries()) position.set(schema, index)
    const dependencies = this.#schemas.map(({ schema }) =>
      inPlaceOf(schema, this.#document).map((inner) => position.get(inner)!),
    )
    const refuse = (circle: readonly number[]) => {
      const steps = circle.slice(0, MAX_SHOWN_STEPS).map((index) => `#${pointer(this.#schemas[index]!.path)}`)
      const shown = steps.join(' -> ') + (circle.length > MAX_SHOWN_STEPS ? ' -> ...' : '')
      const { path } = this.#schemas[circle[0]!]!
      this.#refuse(path, 'endless_reference', `the schema leads back to itself without going into the value: ${shown}`)
    }
    for (const [index, inner] of dependencies.entries()) if (inner.includes(index)) refuse([index, index])
    const nothing: never[] = []
    const graph = { indexOf: new Map(), dependencies, dependents: nothing, roots: nothing, leaves: nothing }
    for (const circle of findCycles(graph)) refuse(circle)
  }

  #refuse(path: Path, code: FaultCode, message: string): void {
    this.faults.add([{ path: this.#at + pointer(path), code, message }])
  }
}

const wrongType = (expected: string, value: Json, steps?: Path): Complaint => ({
  code: 'invalid_type',
  message: `must be ${expected}, not ${kindOf(value)}`,
  ...(steps === undefined ? {} : { steps }),
})

const text: Rule = (value) => (typeof value === 'string' ? [] : [wrongType('a text', value)])
const flag: Rule = (value) => (typeof value === 'boolean' ? [] : [wrongType('a boolean', value)])
const anything: Rule = () => []
const list: Rule = (value) => (Array.isArray(value) ? [] : [wrongType('a list', value)])
const number: Rule = (value) => (typeof value === 'number' ? [] : [wrongType('a number', value)])
const map: Rule = (value) => (isJsonObject(value) ? [] : [wrongType('an object', value)])

const count: Rule = (value) => {
  if (typeof value !== 'number') return [wrongType('a number', value)]
  return Number.isInteger(value) && value >= 0
    ? []
    : [{ code: 'out_of_bounds', message: 'must be an integer from 0 on' }]
}

const positive: Rule = (value) => {
  if (typeof value !== 'number') return [wrongType('a number', value)]
  return value > 0 ? [] : [{ code: 'out_of_bounds', message: 'must be greater than 0' }]
}

const names: Rule = (value) => {
  if (!Array.isArray(value)) return [wrongType('a list of texts', value)]
  const wrong = value.flatMap((name, index) => (typeof name === 'string' ? [] : [wrongType('a text', name, [index])]))
  if (wrong.length > 0 || new Set(value).size === value.length) return wrong
  return [{ code: 'invalid_value', message: 'holds a name twice' }]
}

const namesByName: Rule = (value) => {
  if (!isJsonObject(value)) return [wrongType('an object', value)]
  return Object.entries(value).flatMap(([name, inner]) =>
    names(inner).map((complaint) => ({ ...complaint, steps: [name, ...(complaint.steps ?? [])] })),
  )
}

const type: Rule = (value) => {
  const given = Array.isArray(value) ? value : [value]
  const complaints = given.flatMap((name, index): Complaint[] => {
    const steps = Array.isArray(value) ? [index] : []
    if (typeof name !== 'string') return [wrongType('the name of a type', name, steps)]
    if (TYPES.includes(name)) return []
    const near = nearest(name, TYPES)
    const proposal = near === null ? `; there are ${TYPES.join(', ')}` : `; did you mean ${quoted(near)}?`
    return [{ code: 'invalid_value', message: `there is no type ${quoted(name)}${proposal}`, steps }]
  })
  if (given.length === 0) return [{ code: 'out_of_bounds', message: 'must name at least one type' }]
  if (complaints.length === 0 && new Set(given).size < given.length) {
    return [{ code: 'invalid_value', message: 'names a type twice' }]
  }
  return complaints
}

const pattern: Rule = (value) => {
  if (typeof value !== 'string') return [wrongType('a text', value)]
  const compiled = compilePattern(value)
  return compiled.ok ? [] : [{ code: 'invalid_format', message: compiled.message }]
}

const schemasByPattern: Rule = (value) => {
  if (!isJsonObject(value)) return [wrongType('an object', value)]
  return Object.keys(value).flatMap((name) => pattern(name).map((complaint) => ({ ...complaint, steps: [name] })))
}

const schemaList: Rule = (value) => {
  if (!Array.isArray(value)) return [wrongType('a list of schemas', value)]
  return value.length > 0 ? [] : [{ code: 'out_of_bounds', message: 'must hold at least one schema' }]
}

/** A schema itself is checked where it is walked; here only the form for several items, which older drafts had. */
const items: Rule = (value) =>
  Array.isArray(value)
    ? [{ code: 'invalid_type', message: 'must be one schema; schemas by position stand in "prefixItems"' }]
    : []

const anchor: Rule = (value) => {
  if (typeof value !== 'string') return [wrongType('a text', value)]
  return ANCHOR.test(value) ? [] : [{ code: 'invalid_format', message: `must have the form ${ANCHOR.source}` }]
}

const dialect: Rule = (value) => {
  if (typeof value !== 'string') return [wrongType('a text', value)]
  if (value.replace(/#$/, '') === DIALECT) return []
  return [{ code: 'invalid_value', message: `must be "${DIALECT}": other drafts are not taken` }]
}

/** Every keyword of the draft, and what its value must be. */
const RULES: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(
    Object.entries(HOLDING).map(([keyword, { holds }]) => [
      keyword,
      holds === 'list' ? schemaList : holds === 'map' ? map : anything,
    ]),
  ),
  patternProperties: schemasByPattern,
  items,
  $schema: dialect,
  $id: text,
  $ref: text,
  $dynamicRef: text,
  $anchor: anchor,
  $dynamicAnchor: anchor,
  $comment: text,
  $vocabulary: map,
  type,
  enum: list,
  const: anything,
  multipleOf: positive,
  maximum: number,
  exclusiveMaximum: number,
  minimum: number,
  exclusiveMinimum: number,
  maxLength: count,
  minLength: count,
  pattern,
  maxItems: count,
  minItems: count,
  uniqueItems: flag,
  maxContains: count,
  minContains: count,
  maxProperties: count,
  minProperties: count,
  required: names,
  dependentRequired: namesByName,
  title: text,
  description: text,
  default: anything,
  examples: list,
  deprecated: flag,
  readOnly: flag,
  writeOnly: flag,
  format: text,
  contentEncoding: text,
  contentMediaType: text,
}
