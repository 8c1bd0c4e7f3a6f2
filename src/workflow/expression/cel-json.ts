// How the value of an expression leaves it: as JSON, measured, or not at all.

import { type ASTNode, Optional } from '@marcbachmann/cel-js'
import type { Json } from '../json.ts'
import { applyBuiltin, failure, typeName } from './cel-builtins.ts'
import { LimitReached, List, Lookup, MAX_NESTING, type Meter, Opaque, toKey, type Value } from './cel-values.ts'

/** UTF-8 bytes of JSON that came in and did not change: measured once, however often a template hands it on. */
const measured = new WeakMap<object, number>()

/**
 * The value as JSON; JSON that came in leaves as the same object. Ints leave as integers, as do doubles that are integral;
 * timestamps as RFC 3339 text, durations as seconds (`90s`). Throws EvaluationError for what JSON has no word for.
 */
export function toJson(value: Value, ast: ASTNode, meter: Meter): Json {
  if (value instanceof List) {
    meter.yield(2 + value.items.length)
    return value.items.map((item) => toJson(item, ast, meter))
  }
  if (value instanceof Map) {
    meter.yield(2 + 2 * value.size)
    return Object.fromEntries(
      [...value].map(([key, item]) => {
        meter.yield(jsonBytes(String(key)))
        return [String(key), toJson(item, ast, meter)]
      }),
    )
  }
  if (value instanceof Opaque) {
    const type = typeName(value)
    if (type === 'uint') return toJson(toKey(value)!, ast, meter)
    if (!type.startsWith('google.protobuf.')) throw failure(ast, `a value of type ${type} is no JSON`)
    return toJson(applyBuiltin('string(a)', [value], ast, meter), ast, meter)
  }
  if (value instanceof Optional) throw failure(ast, 'an optional is no JSON: give it a value by orValue()')
  if (value instanceof Lookup) throw failure(ast, 'name one task and its output or status')
  if (typeof value === 'bigint' && !Number.isSafeInteger(Number(value))) {
    throw failure(ast, `the int ${value} is beyond what JSON holds exactly (2^53 - 1)`)
  }
  const json = typeof value === 'bigint' ? Number(value) : value === 0 ? 0 : value // JSON knows no -0
  if (typeof json === 'number' && !Number.isFinite(json)) throw failure(ast, `${json} is no JSON`)
  meter.yield(jsonBytes(json))
  return json
}

/** UTF-8 bytes of the JSON text of `json`. Throws LimitReached when it is nested too deep to be followed. */
export function jsonBytes(json: Json): number {
  if (typeof json !== 'object' || json === null) return bytesOf(json, 0)
  const known = measured.get(json)
  if (known !== undefined) return known
  const bytes = bytesOf(json, 0)
  measured.set(json, bytes)
  return bytes
}

// JSON.stringify could tell, but whether nested lists end its stack depends on the runtime (R2).
function bytesOf(json: Json, depth: number): number {
  if (typeof json === 'string') return utf8Bytes(JSON.stringify(json))
  if (typeof json !== 'object' || json === null) return String(json).length
  if (depth > MAX_NESTING) throw new LimitReached(`yields JSON that is nested deeper than ${MAX_NESTING}`)
  let bytes = 1 // Each part is followed by a comma or the end, and the beginning is one more.
  if (Array.isArray(json)) for (const item of json) bytes += 1 + bytesOf(item, depth + 1)
  else for (const key of Object.keys(json)) bytes += 2 + bytesOf(key, 0) + bytesOf(json[key]!, depth + 1)
  return Math.max(bytes, 2)
}

function utf8Bytes(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    // Of a surrogate pair each half counts 2 of its 4 bytes; lone halves JSON.stringify has escaped.
    if (code > 0x7f) bytes += code > 0x7ff && (code & 0xf800) !== 0xd800 ? 2 : 1
  }
  return bytes
}
