// The evaluator: CEL over JSON, bounded in steps. It walks the AST of the library's parser (@marcbachmann/cel-js), decides
// what is evaluated and looks into lists and maps; single values it hands to the library's operators and functions.
//
// Why not the library's own evaluator: it counts nothing and offers no place to count. Its evaluator object is private, its
// overloads cannot be replaced, and one call of `==`, `in`, `+`, contains() or duration() can take minutes. It keeps the last
// values in the parsed expression, which a cache would pin; it refuses JSON objects that have a key `constructor`, drops
// that key from map literals, and wants all numbers converted before it starts. A test compares the two on random expressions.

import { type ASTNode, EvaluationError, Optional } from '@marcbachmann/cel-js'
import type { Json, JsonObject } from '../json.ts'
import { application, applyBuiltin, failure, TYPE_NAMES, typeName } from './cel-builtins.ts'
import { type Call, callKind, nameOf } from './cel-calls.ts'
import {
  elementAt,
  equal,
  isList,
  isMap,
  type Key,
  keysOf,
  LimitReached,
  List,
  Lookup,
  lengthOf,
  MAX_BYTES,
  type Meter,
  memberOf,
  Opaque,
  toKey,
  type Value,
} from './cel-values.ts'

/** What an absorbed error costs: it is made with a stack, which takes as long as some dozen nodes. */
const ERROR_STEPS = 16

/** A variable of a macro, and those around it. */
interface Binding {
  name: string
  value: Value
  outer: Binding | null
}

/** Gives the value of a name that no macro bound; undefined if the name does not exist. */
export type Names = (name: string) => Value | undefined

/** Evaluates `ast`. Throws EvaluationError when it has no value, LimitReached when it costs too much, and what `names` throws. */
export function evaluate(ast: ASTNode, names: Names, meter: Meter): Value {
  return new Evaluation(names, meter).value(ast, null)
}

class Evaluation {
  readonly #names: Names
  readonly #meter: Meter

  constructor(names: Names, meter: Meter) {
    this.#names = names
    this.#meter = meter
  }

  /** The value of a node and of what it holds. Spends one step for each node. */
  value(node: ASTNode, bound: Binding | null): Value {
    this.#meter.spend(1)
    switch (node.op) {
      case 'value':
        return typeof node.args === 'object' && node.args !== null ? new Opaque(node.args) : node.args
      case 'id':
        return this.#named(node, node.args, bound)
      case '.':
      case '.?':
        return member(node, this.value(node.args[0], bound), node.args[1])
      case '[]':
      case '[?]':
        return member(node, this.value(node.args[0], bound), this.value(node.args[1], bound))
      case 'list':
        return new List(node.args.map((item) => this.value(item, bound)))
      case 'map':
        return this.#map(node.args, bound)
      case '?:': {
        const [condition, consequent, alternative] = node.args
        return this.value(this.#truth(condition, bound) ? consequent : alternative, bound)
      }
      case '||':
      case '&&':
        return this.#decide(2, node.op === '||', (index) => this.#verdict(node.args[index]!, bound))
      case '!_':
      case '-_':
        return applyBuiltin(`${node.op[0]}a`, [this.value(node.args, bound)], node, this.#meter)
      case '==':
      case '!=': {
        const [a, b] = node.args
        return this.#equal(node)(this.value(a, bound), this.value(b, bound)) === (node.op === '==')
      }
      case 'in':
        return this.#contains(node, this.value(node.args[0], bound), this.value(node.args[1], bound))
      case 'call':
      case 'rcall':
        return this.#call(node, bound)
      default: {
        const [a, b] = [this.value(node.args[0], bound), this.value(node.args[1], bound)]
        if (node.op === '+' && isList(a) && isList(b)) return this.#concatenation(a, b)
        return applyBuiltin(`a ${node.op} b`, [a, b], node, this.#meter)
      }
    }
  }

  #named(node: ASTNode, name: string, bound: Binding | null): Value {
    for (let binding = bound; binding !== null; binding = binding.outer) {
      if (binding.name === name) return binding.value
    }
    const given = this.#names(name)
    const value = given === undefined ? TYPE_NAMES.get(name) : given
    if (value === undefined) throw failure(node, `unknown name "${name}"`)
    return value
  }

  #map(entries: [ASTNode, ASTNode][], bound: Binding | null): Value {
    const map = new Map<Key, Value>()
    for (const [keyNode, valueNode] of entries) {
      const key = toKey(this.value(keyNode, bound))
      if (key === undefined) throw failure(keyNode, 'the key of a map has to be a string, an int, a uint or a bool')
      if (map.has(key)) throw failure(keyNode, `the map has the key "${key}" twice`)
      map.set(key, this.value(valueNode, bound))
    }
    return map
  }

  #call(node: Call, bound: Binding | null): Value {
    const [name, receiver, args] = node.op === 'call' ? [node.args[0], null, node.args[1]] : node.args
    switch (callKind(node)) {
      case 'has':
        return this.#has(args[0]!, bound)
      case 'dyn':
        return this.value(args[0]!, bound)
      case 'comprehension':
        return this.#comprehension(node, name, this.value(receiver!, bound), args, bound)
      case 'optional':
        return this.#optional(node, name, this.value(receiver!, bound), args, bound)
      case 'bind':
        return this.value(args[2]!, { name: nameOf(args[0]!), value: this.value(args[1]!, bound), outer: bound })
      case 'namespaced':
        return name === 'of' ? Optional.of(this.value(args[0]!, bound)) : Optional.none()
      case 'builtin':
        break
      case 'unknown':
        throw failure(node, `there is no function ${name}() with ${args.length} arguments`)
    }
    const values = (receiver === null ? args : [receiver, ...args]).map((arg) => this.value(arg, bound))
    const sized = name === 'size' ? values[0]! : null
    if (isList(sized)) return BigInt(lengthOf(sized))
    if (isMap(sized)) return BigInt(lengthOf(this.#keys(sized)))
    return applyBuiltin(application(name, receiver !== null, args.length), values, node, this.#meter)
  }

  #has(field: ASTNode, bound: Binding | null): boolean {
    if (field.op !== '.') throw failure(field, 'has() takes a member, as in has(input.name)')
    const holder = this.value(field.args[0], bound)
    const inner = holder instanceof Optional ? holder.orValue(null) : holder
    return memberOf(inner, field.args[1]) !== undefined
  }

  #optional(node: ASTNode, name: string, holder: Value, args: ASTNode[], bound: Binding | null): Value {
    if (!(holder instanceof Optional)) throw failure(node, `${name}() is for an optional, as in input.?a.orValue(0)`)
    if (name === 'hasValue') return holder.hasValue()
    if (holder.hasValue()) return name === 'or' ? holder : holder.value()
    if (name === 'value') throw failure(node, 'the optional has no value')
    const other = this.value(args[0]!, bound)
    if (name === 'or' && !(other instanceof Optional)) throw failure(args[0]!, 'or() takes an optional')
    return other
  }

  #comprehension(node: ASTNode, name: string, range: Value, args: ASTNode[], bound: Binding | null): Value {
    if (!isList(range) && !isMap(range))
      throw failure(node, `${name}() goes over a list or a map, not ${typeName(range)}`)
    const elements = isList(range) ? range : this.#keys(range)
    const binding: Binding = { name: nameOf(args[0]!), value: null, outer: bound }
    const [first, second] = [args[1]!, args[2]]
    const made: Value[] = []
    const bind = (index: number) => {
      this.#meter.spend(1)
      binding.value = elementAt(elements, index)
    }
    if (name === 'all' || name === 'exists') {
      return this.#decide(lengthOf(elements), name === 'exists', (index) => {
        bind(index)
        return this.#verdict(first, binding)
      })
    }
    for (let index = 0; index < lengthOf(elements); index++) {
      bind(index)
      if (name === 'map' && second === undefined) made.push(this.value(first, binding))
      else if (this.#truth(first, binding)) made.push(name === 'map' ? this.value(second!, binding) : binding.value)
    }
    return name === 'exists_one' ? made.length === 1 : new List(made)
  }

  /**
   * `||`, exists (`decisive` true), `&&` and all (false): one decisive operand is enough, even beside operands that fail.
   * @see CEL language definition, "Logical Operators": errors are absorbed if the result does not depend on them
   */
  #decide(operands: number, decisive: boolean, verdict: (index: number) => boolean | EvaluationError): boolean {
    let failed: EvaluationError | null = null
    for (let index = 0; index < operands; index++) {
      const holds = verdict(index)
      if (holds === decisive) return decisive
      if (holds instanceof EvaluationError) failed ??= holds
    }
    if (failed !== null) throw failed
    return !decisive
  }

  #verdict(node: ASTNode, bound: Binding | null): boolean | EvaluationError {
    try {
      return this.#truth(node, bound)
    } catch (error) {
      // A limit must end the expression, and a bug of the scope must be seen.
      if (!(error instanceof EvaluationError)) throw error
      this.#meter.spend(ERROR_STEPS)
      return error
    }
  }

  #truth(node: ASTNode, bound: Binding | null): boolean {
    const value = this.value(node, bound)
    if (typeof value === 'boolean') return value
    throw failure(node, `a bool is needed here, not ${typeName(value)}`)
  }

  #equal(node: ASTNode): (a: Value, b: Value) => boolean {
    const opaque = (a: Value, b: Value) => applyBuiltin('a == b', [a, b], node, this.#meter) === true
    return (a, b) => equal(a, b, this.#meter, opaque)
  }

  #contains(node: ASTNode, value: Value, holder: Value): boolean {
    if (isMap(holder) || holder instanceof Lookup) return memberOf(holder, value) !== undefined
    if (!isList(holder)) throw failure(node, `"in" looks into a list or a map, not ${typeName(holder)}`)
    this.#meter.pass(lengthOf(holder))
    const plain = plainJson(value)
    if (plain !== undefined && Array.isArray(holder)) return holder.includes(plain)
    const equals = this.#equal(node)
    for (let i = 0; i < lengthOf(holder); i++) if (equals(value, elementAt(holder, i))) return true
    return false
  }

  #concatenation(a: Json[] | List, b: Json[] | List): List {
    const length = lengthOf(a) + lengthOf(b)
    if (length > MAX_BYTES) throw new LimitReached('makes a list of more than 1,048,576 elements')
    this.#meter.pass(length)
    const items = new Array<Value>(length)
    for (let i = 0; i < length; i++) items[i] = i < lengthOf(a) ? elementAt(a, i) : elementAt(b, i - lengthOf(a))
    return new List(items)
  }

  #keys(map: JsonObject | Map<Key, Value>): List {
    const keys = keysOf(map)
    this.#meter.pass(keys.length)
    return new List(keys)
  }
}

/** The value as JSON that `===` finds in a list of JSON, at about a nanosecond an element; undefined if the value has no such JSON. */
function plainJson(value: Value): Json | undefined {
  if (typeof value === 'string') return value.length <= 32 ? value : undefined
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : undefined
  return typeof value === 'boolean' || typeof value === 'number' || value === null ? value : undefined
}

function member(node: ASTNode, holder: Value, key: Value): Value {
  const inner = holder instanceof Optional ? holder.orValue(null) : holder
  const found = memberOf(inner, key)
  // What is read of an optional is an optional again, so `input.?a.b` asks once for both.
  if (node.op === '.?' || node.op === '[?]' || holder instanceof Optional) return Optional.of(found)
  if (found !== undefined) return found
  const name = typeof key === 'string' ? `"${key}"` : describe(key)
  if (isList(inner)) throw failure(node, `there is no element ${name} in a list of ${lengthOf(inner)}`)
  const reason =
    isMap(inner) || inner instanceof Lookup
      ? ''
      : `: the value is ${inner === null ? 'null' : `of type ${typeName(inner)}`}`
  throw failure(node, `there is no member ${name}${reason}`)
}

function describe(key: Value): string {
  return isList(key) || isMap(key) ? typeName(key) : String(toKey(key) ?? typeName(key))
}
