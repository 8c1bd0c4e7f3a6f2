// The values of an expression, how JSON is read as CEL, and the meter that bounds all work.
// JSON is never converted up front: its lists and objects are read in place, an element at the time it is asked for, so
// that an expression costs what it looks at and not what it could look at. Only own properties are ever seen.

import { Optional } from '@marcbachmann/cel-js'
import { type Json, type JsonObject, MAX_VALUE_BYTES } from '../json.ts'

/** Steps that one expression may take; a step is one node of it, or 32 elements or characters that a built-in passes over. */
export const MAX_STEPS = 100_000
/** Steps of all expressions of one template together, so that a thousand of them are no way around MAX_STEPS. */
export const MAX_TEMPLATE_STEPS = 1_000_000
/** UTF-8 bytes of the JSON that the expressions of one template may yield together; characters of any text on the way. */
export const MAX_BYTES = MAX_VALUE_BYTES
/** How deep values are followed; JSON.parse has no such bound, and recursion would end the stack. */
export const MAX_NESTING = 500

/** Keys of maps that an expression makes. Maps that come from JSON have strings only. */
export type Key = string | boolean | bigint

/**
 * An int is a bigint, a double is a number. `Json[]` and `JsonObject` are JSON as it came, whose numbers become ints or
 * doubles when they are read; `List` and `Map` are what the expression made, whose numbers are decided already.
 */
export type Value =
  | null
  | boolean
  | string
  | bigint
  | number
  | Json[]
  | JsonObject
  | List
  | Map<Key, Value>
  | Optional<Value>
  | Opaque
  | Lookup

/** A list that an expression made: its items may be values that JSON has no word for. */
export class List {
  readonly items: Value[]

  constructor(items: Value[]) {
    this.items = items
  }
}

/** A value of the library that JSON has no word for: bytes, uint, timestamp, duration, type. */
export class Opaque {
  readonly value: unknown

  constructor(value: unknown) {
    this.value = value
  }
}

/** A map whose entries are fetched when they are named, and which can neither be listed nor leave the expression. */
export class Lookup {
  readonly get: (key: string) => Value | undefined

  constructor(get: (key: string) => Value | undefined) {
    this.get = get
  }
}

/** An expression that reached a bound. Not an EvaluationError: `||`, `exists` and `.?` must not swallow it. */
export class LimitReached extends Error {}

/** Counts down what the expressions of one template may cost. Throws LimitReached, nothing else. */
export class Meter {
  #stepsLeft = 0
  #templateStepsLeft = MAX_TEMPLATE_STEPS
  #bytesLeft = MAX_BYTES

  /** What was spent so far. */
  get steps(): number {
    return MAX_TEMPLATE_STEPS - this.#templateStepsLeft
  }

  /** A new expression of the same template begins. */
  begin(): void {
    this.#stepsLeft = Math.min(MAX_STEPS, this.#templateStepsLeft)
  }

  /** Pays for steps of evaluation. */
  spend(steps: number): void {
    this.#stepsLeft -= steps
    this.#templateStepsLeft -= steps
    if (this.#stepsLeft >= 0) return
    throw new LimitReached('takes more than 100,000 steps, or its template more than 1,000,000')
  }

  /** Pays for elements or characters that are passed over by native code. */
  pass(count: number): void {
    this.spend(Math.floor(count / 32))
  }

  /** Pays for JSON that leaves the expression. */
  yield(bytes: number): void {
    this.#bytesLeft -= bytes
    if (this.#bytesLeft < 0) throw new LimitReached('yields more than 1 MiB of JSON')
  }
}

/** A JSON value as CEL sees it: whole numbers that are exact become int (bigint), others stay double. */
export function read(json: Json): Value {
  return typeof json === 'number' && Number.isSafeInteger(json) ? BigInt(json) : json
}

/** Whether a value is a list, read from JSON or made by an expression. */
export function isList(value: Value): value is Json[] | List {
  return Array.isArray(value) || value instanceof List
}

/** Whether a value is a map, read from JSON or made by an expression. */
export function isMap(value: Value): value is JsonObject | Map<Key, Value> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return !(value instanceof List || value instanceof Optional || value instanceof Opaque || value instanceof Lookup)
}

/** How many items a list has. */
export function lengthOf(list: Json[] | List): number {
  return list instanceof List ? list.items.length : list.length
}

/** The item at this position, which must exist, as CEL sees it. */
export function elementAt(list: Json[] | List, index: number): Value {
  return list instanceof List ? list.items[index]! : read(list[index]!)
}

/** The keys of a map, in the order in which it has them. */
export function keysOf(map: JsonObject | Map<Key, Value>): Key[] {
  return map instanceof Map ? [...map.keys()] : Object.keys(map)
}

/** The key that a value is in a map, undefined for what cannot be one. Numbers that are equal are the same key. */
export function toKey(value: Value): Key | undefined {
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'bigint') return value
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined
  const bare = value instanceof Opaque ? (value.value as object).valueOf() : undefined
  return typeof bare === 'bigint' ? bare : undefined // a uint
}

/** The member of a map or the element of a list; undefined if it does not exist, or if `holder` is neither. */
export function memberOf(holder: Value, key: Value): Value | undefined {
  const known = toKey(key)
  if (known === undefined) return undefined
  if (isList(holder)) {
    if (typeof known !== 'bigint' || known < 0n || known >= lengthOf(holder)) return undefined
    return elementAt(holder, Number(known))
  }
  if (holder instanceof Map) return holder.get(known)
  if (typeof known !== 'string') return undefined
  if (holder instanceof Lookup) return holder.get(known)
  if (isMap(holder)) return Object.hasOwn(holder, known) ? read(holder[known]!) : undefined
  return undefined
}

/**
 * CEL equality: numbers of any type by value, lists and maps by their parts, values of different types unequal.
 * @param opaque decides pairs in which one is a value of the library
 */
export function equal(a: Value, b: Value, meter: Meter, opaque: (a: Value, b: Value) => boolean, depth = 0): boolean {
  if (typeof a === 'string' && typeof b === 'string') {
    if (a.length !== b.length) return false
    meter.pass(a.length)
    return a === b
  }
  if (a === b) return true
  if ((typeof a === 'bigint' || typeof a === 'number') && (typeof b === 'bigint' || typeof b === 'number')) {
    return a <= b && a >= b
  }
  if (a instanceof Opaque || b instanceof Opaque) return opaque(a, b)
  if (a instanceof Optional && b instanceof Optional) {
    if (!(a.hasValue() && b.hasValue())) return a.hasValue() === b.hasValue()
    return equal(a.value(), b.value(), meter, opaque, depth + 1)
  }
  if (depth > MAX_NESTING) throw new LimitReached('compares values that are nested too deep')
  if (isList(a) && isList(b)) {
    const length = lengthOf(a)
    if (length !== lengthOf(b)) return false
    // Shared parts can make a small value exponentially long, so every list and map that is entered is a step.
    meter.spend(1)
    meter.pass(length)
    for (let i = 0; i < length; i++) {
      if (!equal(elementAt(a, i), elementAt(b, i), meter, opaque, depth + 1)) return false
    }
    return true
  }
  if (!isMap(a) || !isMap(b)) return false
  const keys = keysOf(a)
  const length = keysOf(b).length
  meter.spend(1)
  meter.pass(keys.length + length)
  if (keys.length !== length) return false
  for (const key of keys) {
    const other = memberOf(b, key)
    if (other === undefined || !equal(memberOf(a, key)!, other, meter, opaque, depth + 1)) return false
  }
  return true
}
