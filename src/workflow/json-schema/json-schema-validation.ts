// Whether a value fits a JSON Schema (draft 2020-12), and every place where it does not. Interprets the schema, so nothing is
// made into code. Bounded in steps and depth for every schema and value: both come from outside, and what cannot be judged
// within the bound does not fit. For schemas that json-schema-check.ts has passed.
//
// `format` and `content...` are annotations here, as the draft has it by default.

import type { Fault } from '../codes.ts'
import { Entries, joinWithOr, pointer } from '../faults.ts'
import { isJsonObject, type Json, type JsonObject } from '../json.ts'
import { didYouMeanOrAll, quoted } from '../nearest.ts'
import { canonicalText } from '../sound.ts'
import { type Schema, SchemaDocument } from './json-schema.ts'
import { countFaults, numberFaults, type Reason, textFaults, typeFault } from './json-schema-assertions.ts'
import { compilePattern, type Pattern } from './pattern.ts'

/**
 * Steps of one validation: one for each schema that meets a value, for each member and item, for each level of a fault's
 * place, for 8 states of a pattern or 32 characters that are compared. All of them take about half a second, measured.
 */
const MAX_STEPS = 1_000_000
/** Schemas within each other that are being evaluated. */
const MAX_DEPTH = 500
/** How many unknown members get a proposal. */
const MAX_PROPOSALS = 20
/** Values of an `enum` that a message names. */
const MAX_SHOWN = 10

/** Thrown when a bound is reached, and caught in `faultsOf`. */
class BoundReached extends Error {}

/** What of a value has been evaluated by the schemas that it fits; kept only where a schema asks for the rest. */
interface Evaluated {
  members: Set<string>
  items: Set<number>
}

/** A schema, made ready once and used for every value. */
export class Validator {
  readonly #root: Schema
  #document: SchemaDocument | null = null
  readonly #patterns = new Map<string, Pattern>()
  readonly #choices = new Map<readonly Json[], ReadonlySet<string>>()

  constructor(root: Schema) {
    this.#root = root
  }

  /**
   * Every place where the value does not fit, as many as an answer lists; [] if it does.
   * @param value sound (sound.ts)
   * @param at JSON Pointer of the value, put before the path of every fault
   */
  faultsOf(value: Json, at: string): Fault[] {
    this.#document ??= new SchemaDocument(this.#root)
    const document = this.#document
    const validation = new Validation({
      document,
      pattern: (source) => this.#pattern(source),
      choices: (values) => this.#choicesOf(values),
    })
    return validation.faultsOf(this.#root, value, at)
  }

  #pattern(source: string): Pattern {
    const known = this.#patterns.get(source)
    if (known !== undefined) return known
    const compiled = compilePattern(source)
    if (!compiled.ok) throw new Error(`a pattern reached validation that ${compiled.message}`)
    this.#patterns.set(source, compiled.pattern)
    return compiled.pattern
  }

  #choicesOf(values: readonly Json[]): ReadonlySet<string> {
    const known = this.#choices.get(values)
    if (known !== undefined) return known
    const choices = new Set(values.map(canonicalText))
    this.#choices.set(values, choices)
    return choices
  }
}

interface Prepared {
  document: SchemaDocument
  pattern(source: string): Pattern
  choices(values: readonly Json[]): ReadonlySet<string>
}

/** Takes faults; null where only the answer counts. */
type Faults = Entries<Fault> | null

/** One value against one schema. */
class Validation {
  readonly #prepared: Prepared
  readonly #path: (string | number)[] = []
  #at = ''
  #steps = 0
  #depth = 0
  #proposals = 0

  constructor(prepared: Prepared) {
    this.#prepared = prepared
  }

  /** The faults of a value by a schema, with JSON Pointers that begin with `at`; one fault if a bound of steps or depth is reached. */
  faultsOf(schema: Schema, value: Json, at: string): Fault[] {
    this.#at = at
    const faults = new Entries<Fault>()
    try {
      this.#fits(schema, value, faults, null)
    } catch (error) {
      if (!(error instanceof BoundReached)) throw error
      return [{ path: at, code: 'out_of_bounds', message: error.message }]
    }
    return faults.list()
  }

  /** @param evaluated gets what the schema has looked at, if the value fits it */
  #fits(schema: Schema, value: Json, faults: Faults, evaluated: Evaluated | null): boolean {
    this.#spend(1)
    if (schema === true) return true
    if (schema === false) return this.#refuse(faults, { code: 'invalid_value', message: 'may not be here' })
    if (++this.#depth > MAX_DEPTH) throw new BoundReached('is too deep to be checked against the schema')
    // What a schema has evaluated counts for the schema around it only if the value fits; `unevaluated...` needs it in any case.
    const asksForRest = schema.unevaluatedProperties !== undefined || schema.unevaluatedItems !== undefined
    const own: Evaluated | null =
      evaluated !== null || asksForRest ? { members: new Set<string>(), items: new Set<number>() } : null
    const holds = this.#evaluate(schema, value, faults, own)
    this.#depth--
    if (holds && evaluated !== null && own !== null) {
      for (const member of own.members) evaluated.members.add(member)
      for (const item of own.items) evaluated.items.add(item)
      this.#spend(own.members.size + own.items.size)
    }
    return holds
  }

  #evaluate(schema: JsonObject, value: Json, faults: Faults, seen: Evaluated | null): boolean {
    let holds = this.#assert(schema, value, faults)
    // If only the answer counts, one reason is enough.
    const goesOn = () => holds || (faults !== null && !faults.isFull)
    if (goesOn() && Array.isArray(value)) holds = this.#items(schema, value, faults, seen) && holds
    if (goesOn() && isJsonObject(value)) holds = this.#members(schema, value, faults, seen) && holds
    if (goesOn()) holds = this.#combined(schema, value, faults, seen) && holds
    if (goesOn() && seen !== null) holds = this.#rest(schema, value, faults, seen) && holds
    return holds
  }

  /** What the schema says of the value itself. */
  #assert(schema: JsonObject, value: Json, faults: Faults): boolean {
    const { type, enum: choices, const: constant, pattern } = schema
    let holds = true
    const refuse = (reason: Reason) => {
      holds = this.#refuse(faults, reason)
    }
    if (type !== undefined) {
      const reason = typeFault(type, value)
      if (reason !== null) refuse(reason)
    }
    if (Array.isArray(choices) && !this.#prepared.choices(choices).has(this.#canonical(value))) {
      refuse({ code: 'invalid_value', message: `must be ${choicesText(choices)}` })
    }
    if (constant !== undefined && !this.#prepared.choices(constantList(schema)).has(this.#canonical(value))) {
      refuse({ code: 'invalid_value', message: `must be ${choicesText([constant])}` })
    }
    if (typeof value === 'number') for (const reason of numberFaults(schema, value)) refuse(reason)
    if (typeof value === 'string') {
      for (const reason of textFaults(schema, value)) refuse(reason)
      if (typeof pattern === 'string' && !this.#matches(pattern, value)) {
        refuse({ code: 'invalid_format', message: `must match the pattern ${quoted(pattern)}` })
      }
    }
    for (const reason of countFaults(schema, value)) refuse(reason)
    return holds
  }

  #items(schema: JsonObject, value: Json[], faults: Faults, seen: Evaluated | null): boolean {
    let holds = true
    const prefix = Array.isArray(schema.prefixItems) ? (schema.prefixItems as Schema[]) : []
    const { items } = schema as { items?: Schema }
    const until = items === undefined ? Math.min(prefix.length, value.length) : value.length
    for (let index = 0; index < until; index++) {
      if (!holds && (faults === null || faults.isFull)) return false
      holds = this.#inner(index, prefix[index] ?? items!, value[index]!, faults) && holds
      seen?.items.add(index)
    }
    if (schema.uniqueItems === true && !this.#areUnique(value, faults)) holds = false
    if (schema.contains !== undefined) holds = this.#contains(schema, value, faults, seen) && holds
    return holds
  }

  #areUnique(value: Json[], faults: Faults): boolean {
    const first = new Map<string, number>()
    for (const [index, item] of value.entries()) {
      const text = this.#canonical(item)
      const other = first.get(text)
      if (other !== undefined) {
        return this.#refuse(faults, { code: 'invalid_value', message: `holds the same at ${other} and ${index}` })
      }
      first.set(text, index)
    }
    return true
  }

  #contains(schema: JsonObject, value: Json[], faults: Faults, seen: Evaluated | null): boolean {
    const least = typeof schema.minContains === 'number' ? schema.minContains : 1
    const most = typeof schema.maxContains === 'number' ? schema.maxContains : Number.POSITIVE_INFINITY
    let found = 0
    for (const [index, item] of value.entries()) {
      if (!this.#inner(index, schema.contains as Schema, item, null)) continue
      found++
      seen?.items.add(index)
    }
    if (found >= least && found <= most) return true
    const bound = found < least ? `at least ${least}` : `at most ${most}`
    const message = `must hold ${bound} ${least === 1 && found < least ? 'item' : 'items'} as "contains" says, not ${found}`
    return this.#refuse(faults, { code: 'out_of_bounds', message })
  }

  #members(schema: JsonObject, value: JsonObject, faults: Faults, seen: Evaluated | null): boolean {
    const { properties, patternProperties, additionalProperties, propertyNames, required, dependentRequired } = schema
    let holds = true
    const has = (name: string) => Object.hasOwn(value, name)
    const demand = (name: string, because: string) => {
      if (!has(name)) {
        holds = this.#refuse(faults, { code: 'required', message: `${quoted(name)} is missing${because}` }, name)
      }
    }
    this.#spend(Array.isArray(required) ? required.length : 0)
    for (const name of (required ?? []) as string[]) demand(name, '')
    for (const [name, others] of Object.entries((dependentRequired ?? {}) as Record<string, string[]>)) {
      this.#spend(1 + others.length)
      if (has(name)) for (const other of others) demand(other, `, which ${quoted(name)} asks for`)
    }
    const declared = isJsonObject(properties) ? properties : {}
    const patterns = isJsonObject(patternProperties) ? Object.entries(patternProperties) : []
    const asksNothing = additionalProperties === undefined && propertyNames === undefined
    if (patterns.length === 0 && properties === undefined && asksNothing) return holds
    for (const [name, inner] of Object.entries(value)) {
      this.#spend(1)
      if (!holds && (faults === null || faults.isFull)) return false
      if (propertyNames !== undefined && !this.#inner(name, propertyNames as Schema, name, null)) {
        holds = this.#refuse(
          faults,
          { code: 'invalid_format', message: `${quoted(name)} is no name for a member` },
          name,
        )
      }
      let isKnown = Object.hasOwn(declared, name)
      if (isKnown) holds = this.#inner(name, declared[name] as Schema, inner, faults) && holds
      for (const [pattern, matching] of patterns) {
        if (!this.#matches(pattern, name)) continue
        isKnown = true
        holds = this.#inner(name, matching as Schema, inner, faults) && holds
      }
      if (!isKnown && additionalProperties === false) holds = this.#refuseUnknown(name, Object.keys(declared), faults)
      else if (!isKnown && additionalProperties !== undefined) {
        holds = this.#inner(name, additionalProperties as Schema, inner, faults) && holds
      }
      if (isKnown || additionalProperties !== undefined) seen?.members.add(name)
    }
    return holds
  }

  /** What other schemas say of the same value. */
  #combined(schema: JsonObject, value: Json, faults: Faults, seen: Evaluated | null): boolean {
    let holds = true
    const also = (other: Schema) => {
      if (holds || faults !== null) holds = this.#fits(other, value, faults, seen) && holds
    }
    for (const reference of [schema.$ref, schema.$dynamicRef]) {
      if (typeof reference === 'string') also(this.#prepared.document.resolve(reference) ?? true)
    }
    for (const other of (schema.allOf ?? []) as Schema[]) also(other)
    if (Array.isArray(schema.anyOf)) holds = this.#anyOf(schema.anyOf as Schema[], value, faults, seen) && holds
    if (Array.isArray(schema.oneOf)) holds = this.#oneOf(schema.oneOf as Schema[], value, faults, seen) && holds
    if (schema.not !== undefined && this.#fits(schema.not as Schema, value, null, null)) {
      holds = this.#refuse(faults, { code: 'invalid_value', message: 'is what "not" excludes' })
    }
    if (schema.if !== undefined) {
      const branch = this.#fits(schema.if as Schema, value, null, seen) ? schema.then : schema.else
      if (branch !== undefined) also(branch as Schema)
    }
    if (isJsonObject(value)) {
      for (const [name, other] of Object.entries((schema.dependentSchemas ?? {}) as Record<string, Schema>)) {
        this.#spend(1)
        if (Object.hasOwn(value, name)) also(other)
      }
    }
    return holds
  }

  #anyOf(branches: Schema[], value: Json, faults: Faults, seen: Evaluated | null): boolean {
    let fits = false
    for (const branch of branches) {
      if (this.#fits(branch, value, null, seen)) fits = true
      // Each branch that fits adds to what is evaluated; without that one is enough.
      if (fits && seen === null) return true
    }
    return fits || this.#refuseBranches(branches, value, faults)
  }

  #oneOf(branches: Schema[], value: Json, faults: Faults, seen: Evaluated | null): boolean {
    const fitting = branches.filter((branch) => this.#fits(branch, value, null, seen)).length
    if (fitting === 1) return true
    if (fitting === 0) return this.#refuseBranches(branches, value, faults)
    const message = `must fit exactly one of the schemas of "oneOf", and fits ${fitting}`
    return this.#refuse(faults, { code: 'invalid_value', message })
  }

  /** No branch fits: tells the faults of the one that was probably meant, which takes the value's type and has the fewest. */
  #refuseBranches(branches: Schema[], value: Json, faults: Faults): boolean {
    if (faults === null) return false
    const place = this.#at + pointer(this.#path)
    const [meant] = branches
      .map((branch) => {
        const found = new Entries<Fault>()
        this.#fits(branch, value, found, null)
        return found.list()
      })
      .filter((found) => !found.some(({ code, path }) => path === place && code !== 'required'))
      .sort((a, b) => a.length - b.length)
    if (meant !== undefined) faults.add(meant)
    else this.#refuse(faults, { code: 'invalid_value', message: 'fits none of the schemas that are allowed here' })
    return false
  }

  /** What no schema has looked at. */
  #rest(schema: JsonObject, value: Json, faults: Faults, seen: Evaluated): boolean {
    const { unevaluatedProperties, unevaluatedItems } = schema as { [keyword: string]: Schema | undefined }
    let holds = true
    if (unevaluatedProperties !== undefined && isJsonObject(value)) {
      for (const [name, inner] of Object.entries(value)) {
        this.#spend(1)
        if (seen.members.has(name)) continue
        seen.members.add(name)
        if (unevaluatedProperties === false) holds = this.#refuseUnknown(name, [], faults)
        else holds = this.#inner(name, unevaluatedProperties, inner, faults) && holds
      }
    }
    if (unevaluatedItems !== undefined && Array.isArray(value)) {
      for (const [index, inner] of value.entries()) {
        this.#spend(1)
        if (seen.items.has(index)) continue
        seen.items.add(index)
        holds = this.#inner(index, unevaluatedItems, inner, faults) && holds
      }
    }
    return holds
  }

  #inner(step: string | number, schema: Schema, value: Json, faults: Faults): boolean {
    this.#path.push(step)
    const fits = this.#fits(schema, value, faults, null)
    this.#path.pop()
    return fits
  }

  #refuseUnknown(name: string, known: string[], faults: Faults): false {
    if (faults === null) return false
    const near = this.#proposals++ < MAX_PROPOSALS ? didYouMeanOrAll(name, known) : ''
    return this.#refuse(
      faults,
      { code: 'unknown_field', message: `there is no field ${quoted(name)} here${near}` },
      name,
    )
  }

  /** @param member where the fault is, within the value that is looked at */
  #refuse(faults: Faults, { code, message }: Reason, member?: string): false {
    if (faults === null) return false
    this.#spend(5 + this.#path.length)
    const path = this.#at + pointer(member === undefined ? this.#path : [...this.#path, member])
    faults.add([{ path, code, message }])
    return false
  }

  #matches(source: string, text: string): boolean {
    let states = 0
    this.#spend(3)
    return this.#prepared.pattern(source).test(text, (looked) => {
      states += looked
      for (; states >= 8; states -= 8) this.#spend(1)
    })
  }

  #canonical(value: Json): string {
    const text = canonicalText(value)
    this.#spend(Math.ceil(text.length / 32))
    return text
  }

  #spend(steps: number): void {
    this.#steps += steps
    if (this.#steps > MAX_STEPS) throw new BoundReached('takes too many steps to be checked against the schema')
  }
}

const constants = new WeakMap<JsonObject, readonly Json[]>()

/** A `const` as a list of one, the same list each time, so that it is made ready once. */
function constantList(schema: JsonObject): readonly Json[] {
  const known = constants.get(schema)
  if (known !== undefined) return known
  const list = [schema.const!]
  constants.set(schema, list)
  return list
}

/** Values for a message: the first few, shortened. */
function choicesText(values: readonly Json[]): string {
  const shown = values.slice(0, MAX_SHOWN).map((value) => {
    const text = JSON.stringify(value)
    return text.length > 64 ? `${text.slice(0, 64)}...` : text
  })
  if (values.length > MAX_SHOWN) shown.push(`one of ${values.length - MAX_SHOWN} others`)
  return joinWithOr(shown)
}
