// Pure. About how long a message is as JSON, before it is made JSON: one byte on the wire can be an enum's long name, or a
// message whose hundred fields are all written out, so that 1 MiB would become hundreds.

import { type DescEnum, type DescField, type DescMessage, fromBinary, type Registry } from '@bufbuild/protobuf'
import { type Any, FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt'

/** Quotes, colon, comma and a short value. */
const BESIDE_NAME = 6

type Fields = Record<string, unknown>

/** Whether the names that a message has as JSON take more than `most` characters; its other values grow fourfold at most. */
export function isLongerAsJson(type: DescMessage, message: object, registry: Registry, most: number): boolean {
  let left = most

  const walk = (desc: DescMessage, fields: Fields): void => {
    left -= namesOf(desc)
    if (left < 0) return
    if (desc.typeName === 'google.protobuf.Any') walkAny(fields as unknown as Any)
    for (const field of desc.fields) {
      const value = field.oneof === undefined ? fields[field.localName] : ofOneof(fields[field.oneof.localName], field)
      if (value === undefined || left < 0) continue
      if (!isAlwaysWritten(field)) left -= field.jsonName.length + BESIDE_NAME
      if (field.message !== undefined)
        for (const one of each(value, field.fieldKind)) walk(field.message, one as Fields)
      else if (field.enum !== undefined) left -= each(value, field.fieldKind).length * longestOf(field.enum)
      else if (field.fieldKind === 'map') left -= each(value, 'map').length * BESIDE_NAME
    }
  }
  // What an Any holds is decoded only when it is written.
  const walkAny = ({ typeUrl, value }: Any): void => {
    const held = registry.getMessage(typeUrl.slice(typeUrl.lastIndexOf('/') + 1))
    if (held !== undefined) walk(held, fromBinary(held, value) as unknown as Fields)
  }

  walk(type, message as Fields)
  return left < 0
}

function ofOneof(oneof: unknown, { localName }: { localName: string }): unknown {
  const { case: which, value } = oneof as { case?: string; value?: unknown }
  return which === localName ? value : undefined
}

function each(value: unknown, kind: string): unknown[] {
  if (kind === 'list') return value as unknown[]
  return kind === 'map' ? Object.values(value as object) : [value]
}

/** Without presence of its own: written out with its default too. */
function isAlwaysWritten({ fieldKind, presence }: DescField): boolean {
  return fieldKind === 'list' || fieldKind === 'map' || presence === FeatureSet_FieldPresence.IMPLICIT
}

const names = new WeakMap<DescMessage, number>()

function namesOf(desc: DescMessage): number {
  const known = names.get(desc)
  if (known !== undefined) return known
  const length = desc.fields
    .filter(isAlwaysWritten)
    .reduce((sum, { jsonName }) => sum + jsonName.length + BESIDE_NAME, 2)
  names.set(desc, length)
  return length
}

const longest = new WeakMap<DescEnum, number>()

function longestOf(desc: DescEnum): number {
  const known = longest.get(desc)
  if (known !== undefined) return known
  const length = desc.values.reduce((most, { name }) => Math.max(most, name.length), 0) + 3
  longest.set(desc, length)
  return length
}
