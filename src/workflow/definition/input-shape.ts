// What an expression may read of a run's input, as the `input_schema` has it: `input.ordr` where the schema declares `order`
// is a fault at registration. Says "fault" only where the schema says it; what it leaves open is open.
//
// A name is declared by `properties`, `required`, a matching pattern or a schema for further members, in the schema itself, in
// what it refers to, or in any branch that may hold. A name that is not declared is a fault where `properties` are given
// and nothing says that there are more; where the schema is silent about further members (no `additionalProperties`), a
// read that asks first (`has(input.x)`, `input.?x`) is not a fault.

import { isJsonObject, type Json, type JsonObject } from '../json.ts'
import { isSchema, type Schema, SchemaDocument } from '../json-schema/json-schema.ts'
import { compilePattern } from '../json-schema/pattern.ts'
import { didYouMeanOrAll, quoted } from '../nearest.ts'

/** One step from a value into it, as an expression writes it. */
export interface Step {
  /** A member's name, an item's position, or null when only evaluation can tell. */
  key: string | number | null
  /** Whether the expression asks first if there is such a member. */
  isOptional: boolean
}

/** Schemas looked at for all expressions of a definition; beyond that everything is allowed. */
const MAX_LOOKED_AT = 200_000
/** Schemas that refer to each other; beyond that everything is allowed. */
const MAX_DEPTH = 100
/** How many undeclared names get a proposal. */
const MAX_PROPOSALS = 100

export interface ShapeFault {
  message: string
  /** Position of the step that leads to nothing. */
  step: number
}

/** What holds for a value: a schema, several shapes at once, or one of several. */
type Shape = { schema: Schema } | { all: Shape[] } | { any: Shape[] }

const ANYTHING: Shape = { schema: true }

/** What a shape says of a member or an item. */
type Answer =
  | { kind: 'declared'; shape: Shape }
  /** There may be members of any name. */
  | { kind: 'open' }
  /** Not declared, while others are. `isClosed`: there can be no others. */
  | { kind: 'absent'; names: string[]; isClosed: boolean }
  /** Says nothing of members. */
  | { kind: 'silent' }

/** Tells which parts of a workflow's input expressions may read, as its `input_schema` has it. Bounded: beyond MAX_LOOKED_AT everything is allowed. */
export class InputShape {
  readonly #document: SchemaDocument
  readonly #known = new Map<string, ShapeFault | null>()
  #lookedAt = 0
  #proposals = 0

  /** @param schema one that json-schema-check.ts has passed */
  constructor(schema: Schema) {
    this.#document = new SchemaDocument(schema)
  }

  /** What is wrong with reading this of the input; null if the schema allows it. */
  faultOf(steps: readonly Step[]): ShapeFault | null {
    const text = JSON.stringify(steps)
    const known = this.#known.get(text)
    if (known !== undefined) return known
    const fault = this.#faultOf(steps)
    this.#known.set(text, fault)
    return fault
  }

  #faultOf(steps: readonly Step[]): ShapeFault | null {
    let shape: Shape = { schema: this.#document.root }
    for (const [depth, { key, isOptional }] of steps.entries()) {
      const answer = this.#ask(shape, key)
      if (answer.kind === 'declared') shape = answer.shape
      else if (answer.kind !== 'absent' || (isOptional && !answer.isClosed)) return null
      else return { message: this.#absence(String(key), steps.slice(0, depth), answer.names), step: depth }
    }
    return null
  }

  #absence(name: string, before: readonly Step[], names: string[]): string {
    const holder = `input${before.map(({ key }) => (typeof key === 'string' ? `.${key}` : `[${key ?? ''}]`)).join('')}`
    const near = this.#proposals++ < MAX_PROPOSALS ? didYouMeanOrAll(name, names) : ''
    return `input_schema declares no ${quoted(name)} in ${holder.length > 40 ? 'that part of the input' : holder}${near}`
  }

  #ask(shape: Shape, key: Step['key'], depth = 0): Answer {
    if (++this.#lookedAt > MAX_LOOKED_AT || depth > MAX_DEPTH) return { kind: 'open' }
    const askInner = (part: Shape) => this.#ask(part, key, depth + 1)
    if ('all' in shape) return allOf(shape.all.map(askInner))
    if ('any' in shape) {
      // A branch that can hold no member, such as `null`, is not the one that an expression reads.
      const branches = shape.any.filter((branch) => typeof key !== 'string' || mayBeObject(branch))
      return anyOf(branches.map(askInner))
    }
    const { schema } = shape
    if (typeof schema === 'boolean') return { kind: 'silent' }
    const own = typeof key === 'string' ? memberOf(schema, key) : itemOf(schema, key)
    return allOf([own, ...this.#alsoHolding(schema).map(askInner)])
  }

  /** What else the schema says of the same value, each by another schema. */
  #alsoHolding(schema: JsonObject): Shape[] {
    const shapes: Shape[] = []
    for (const reference of [schema.$ref, schema.$dynamicRef]) {
      if (typeof reference === 'string') shapes.push({ schema: this.#document.resolve(reference) ?? true })
    }
    shapes.push(...schemasIn(schema.allOf))
    for (const branches of [schema.anyOf, schema.oneOf]) {
      if (Array.isArray(branches)) shapes.push({ any: schemasIn(branches) })
    }
    // What holds only under a condition declares names, and excludes none.
    const conditional = [schema.if, schema.then, schema.else].filter(isSchema).map((inner) => ({ schema: inner }))
    if (isJsonObject(schema.dependentSchemas)) conditional.push(...schemasIn(Object.values(schema.dependentSchemas)))
    if (conditional.length > 0) shapes.push({ any: [...conditional, ANYTHING] })
    return shapes
  }
}

function schemasIn(value: Json | undefined): { schema: Schema }[] {
  return Array.isArray(value) ? value.filter(isSchema).map((schema) => ({ schema })) : []
}

function mayBeObject(shape: Shape): boolean {
  if (!('schema' in shape) || typeof shape.schema === 'boolean') return true
  const { type } = shape.schema
  return type === undefined || type === 'object' || (Array.isArray(type) && type.includes('object'))
}

/** What a schema itself says of a member. */
function memberOf(schema: JsonObject, name: string): Answer {
  const { properties, patternProperties, required } = schema
  const declared = isJsonObject(properties) ? properties : {}
  const further = schema.additionalProperties ?? schema.unevaluatedProperties
  const found: Shape[] = Object.hasOwn(declared, name) ? [{ schema: declared[name] as Schema }] : []
  for (const [pattern, matching] of Object.entries(isJsonObject(patternProperties) ? patternProperties : {})) {
    if (matches(pattern, name)) found.push({ schema: matching as Schema })
  }
  if (found.length > 0) return { kind: 'declared', shape: { all: found } }
  if (isJsonObject(further)) return { kind: 'declared', shape: { schema: further } }
  const demanded = Array.isArray(required) ? (required as string[]) : []
  if (demanded.includes(name)) return { kind: 'declared', shape: ANYTHING }
  if (further === true) return { kind: 'open' }
  if (further === undefined && properties === undefined) return { kind: 'silent' }
  return { kind: 'absent', names: [...new Set([...Object.keys(declared), ...demanded])], isClosed: further === false }
}

/** What a schema itself says of an item; of any item where the position is not known. */
function itemOf({ prefixItems, items }: JsonObject, position: number | null): Answer {
  const prefix = schemasIn(prefixItems)
  const rest: Shape = { schema: isSchema(items) ? items : true }
  if (prefix.length === 0 && items === undefined) return { kind: 'silent' }
  const shape = position === null ? { any: [...prefix, rest] } : (prefix[position] ?? rest)
  return { kind: 'declared', shape }
}

function matches(pattern: string, name: string): boolean {
  const compiled = compilePattern(pattern)
  // Names in an expression are short; a pattern that is not bounded enough to be tried counts as one that matches.
  return !compiled.ok || name.length > 1_000 || compiled.pattern.test(name, () => {})
}

/** The answer of several shapes that hold at once: a shape that declares the name wins, then one that leaves it open. */
function allOf(answers: readonly Answer[]): Answer {
  const shapes = answers.flatMap((answer) => (answer.kind === 'declared' ? [answer.shape] : []))
  if (shapes.length > 0) return { kind: 'declared', shape: shapes.length === 1 ? shapes[0]! : { all: shapes } }
  if (answers.some(({ kind }) => kind === 'open')) return { kind: 'open' }
  const absent = answers.filter((answer) => answer.kind === 'absent')
  if (absent.length === 0) return { kind: 'silent' }
  const names = [...new Set(absent.flatMap((answer) => answer.names))]
  return { kind: 'absent', names, isClosed: absent.some(({ isClosed }) => isClosed) }
}

/** The answer of several shapes if any one of them may hold: the name is a fault only if no shape has it. */
function anyOf(answers: readonly Answer[]): Answer {
  const shapes = answers.flatMap((answer) => (answer.kind === 'declared' ? [answer.shape] : []))
  const isLoose = answers.some(({ kind }) => kind === 'open' || kind === 'silent')
  if (shapes.length > 0) return { kind: 'declared', shape: { any: isLoose ? [...shapes, ANYTHING] : shapes } }
  if (answers.some(({ kind }) => kind === 'open')) return { kind: 'open' }
  if (isLoose || answers.length === 0) return { kind: 'silent' }
  const absent = answers.filter((answer) => answer.kind === 'absent')
  const names = [...new Set(absent.flatMap((answer) => answer.names))]
  return { kind: 'absent', names, isClosed: absent.every(({ isClosed }) => isClosed) }
}
