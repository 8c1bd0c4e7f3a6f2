// What a JSON Schema says of a value by itself, without another schema: its type, its bounds, its length. Pure, one keyword at a time.

import type { FaultCode } from '../codes.ts'
import { amount, joinWithOr, kindOf, withArticle } from '../faults.ts'
import { isJsonObject, type Json, type JsonObject } from '../json.ts'

/** Why a value does not fit. */
export interface Reason {
  code: FaultCode
  message: string
}

/**
 * What is wrong with a value by `type`.
 * @param type a type's name, or a list of them
 */
export function typeFault(type: Json, value: Json): Reason | null {
  const types = (Array.isArray(type) ? type : [type]) as string[]
  if (types.some((name) => isOfType(name, value))) return null
  const isFraction = typeof value === 'number' && types.includes('integer')
  const given = isFraction ? 'a number with a fraction' : kindOf(value)
  return { code: 'invalid_type', message: `must be ${joinWithOr(types.map(typeWords))}, not ${given}` }
}

function isOfType(type: string, value: Json): boolean {
  switch (type) {
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return isJsonObject(value)
    case 'integer':
      return Number.isInteger(value)
    default:
      return typeof value === type
  }
}

function typeWords(type: string): string {
  return withArticle(type === 'integer' ? 'int' : type)
}

/** What is wrong with a number by `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum` and `multipleOf`. */
export function numberFaults(schema: JsonObject, value: number): Reason[] {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema
  const reasons: Reason[] = []
  const refuse = (message: string) => reasons.push({ code: 'out_of_bounds', message: `must be ${message}` })
  if (typeof minimum === 'number' && value < minimum) refuse(`at least ${minimum}`)
  if (typeof maximum === 'number' && value > maximum) refuse(`at most ${maximum}`)
  if (typeof exclusiveMinimum === 'number' && value <= exclusiveMinimum) refuse(`greater than ${exclusiveMinimum}`)
  if (typeof exclusiveMaximum === 'number' && value >= exclusiveMaximum) refuse(`less than ${exclusiveMaximum}`)
  if (typeof multipleOf === 'number' && !isMultiple(value, multipleOf)) refuse(`a multiple of ${multipleOf}`)
  return reasons
}

/** Whether a number is a multiple of another. Computed in decimals, as both were written: in binary 0.3 is not a multiple of 0.1. */
function isMultiple(value: number, divisor: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(divisor)) return value % divisor === 0
  const [a, b] = [decimal(value), decimal(divisor)]
  const exponent = Math.min(a.exponent, b.exponent)
  const scaled = ({ digits, exponent: own }: Decimal) => digits * 10n ** BigInt(own - exponent)
  return scaled(a) % scaled(b) === 0n
}

interface Decimal {
  digits: bigint
  exponent: number
}

/** A double has at most 17 digits and an exponent of three, so what is made of it stays small. */
function decimal(number: number): Decimal {
  const [mantissa = '', exponent = '0'] = String(number).split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  return { digits: BigInt(whole + fraction), exponent: Number(exponent) - fraction.length }
}

/** What is wrong with a text by `minLength` and `maxLength`. */
export function textFaults({ minLength, maxLength }: JsonObject, value: string): Reason[] {
  if (minLength === undefined && maxLength === undefined) return []
  // Characters as JSON Schema counts them: code points.
  let length = value.length
  for (let at = 0; at < value.length; at++) if ((value.charCodeAt(at) & 0xfc00) === 0xdc00) length--
  return boundFaults(length, minLength, maxLength, 'string')
}

/** What is wrong with a list or an object by the number of its items or members; [] for other values. */
export function countFaults(schema: JsonObject, value: Json): Reason[] {
  if (Array.isArray(value)) return boundFaults(value.length, schema.minItems, schema.maxItems, 'array')
  const { minProperties, maxProperties } = schema
  if (!isJsonObject(value) || (minProperties === undefined && maxProperties === undefined)) return []
  return boundFaults(Object.keys(value).length, minProperties, maxProperties, 'object')
}

function boundFaults(count: number, least: Json | undefined, most: Json | undefined, origin: string): Reason[] {
  const reasons: Reason[] = []
  const refuse = (words: string) => reasons.push({ code: 'out_of_bounds', message: `must ${words}` })
  if (typeof least === 'number' && count < least) refuse(amount('at least', least, origin))
  if (typeof most === 'number' && count > most) refuse(amount('at most', most, origin))
  return reasons
}
