// Pure. What bytes of Protocol Buffers become once they are decoded, seen before they are: two bytes on the wire can be a message
// of a hundred fields, and 1 MiB of them gigabytes. Walks the wire as the library does, and makes nothing.

import type { DescField, DescMessage, Registry } from '@bufbuild/protobuf'
import { ScalarType } from '@bufbuild/protobuf'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'

/**
 * Values that a message of an answer may hold, each field of each message counted, whether it is set or not: about 60 bytes
 * each. Numbers are not counted: they take eight bytes for one on the wire.
 */
export const MAX_VALUES = 200_000

/** A message on the wire that is being walked. `desc`: null for the entry of a map. */
interface Open {
  desc: DescMessage | null
  /** The field of the map, if this is an entry of one; else null. */
  entryOf: DescField | null
  /** Whether this is an entry of a map whose message was weighed with it, and has not come yet. */
  isValueDue: boolean
  /** Infinity for a group, which ends by a tag. */
  end: number
  /** What was read so far of an Any: the type of what it holds, and where that lies. null for other messages. */
  any: { typeUrl: string; from: number; to: number } | null
}

/** How bytes are weighed. */
export interface Weighing {
  /** Beyond it nothing is walked any more. */
  most: number
  /** Where what an Any holds is looked up; null: it is not decoded. */
  registry: Registry | null
  /** What a message of this type weighs by itself; the default is one for each of its fields and one more. */
  weighs?: (desc: DescMessage) => number
}

/** For decoding: unknown fields are used nowhere, and each that is kept takes memory. */
export const NO_UNKNOWN = { readUnknownFields: false }

/** Whether an answer of this type is too heavy to be decoded. */
export function isTooHeavy(type: DescMessage, bytes: Uint8Array, registry: Registry): boolean {
  return weightOf(type, bytes, { most: MAX_VALUES, registry }) > MAX_VALUES
}

/**
 * What the bytes become, as far as it is no more than `most`; else something more than that. Bytes that make no sense weigh
 * what was before: decoding ends there too.
 */
export function weightOf(type: DescMessage, bytes: Uint8Array, weighing: Weighing): number {
  const { most, registry, weighs = ({ fields }) => fields.length + 1 } = weighing
  const reader = new BinaryReader(bytes)
  const open: Open[] = []
  let weight = 0
  const push = (desc: DescMessage | null, entryOf: DescField | null, end: number) => {
    const any = desc?.typeName === ANY ? { typeUrl: '', from: 0, to: 0 } : null
    open.push({ desc, entryOf, isValueDue: entryOf?.message !== undefined, end, any })
  }
  const enter = (desc: DescMessage, end: number) => {
    const holder = open.at(-1)
    if (holder?.isValueDue === true) holder.isValueDue = false
    else weight += weighs(desc)
    push(desc, null, end)
  }
  // An entry that leaves out its value gets an empty message from the library: each is weighed with its entry.
  const enterEntry = (field: DescField, end: number) => {
    weight += 1 + (field.message === undefined ? 0 : weighs(field.message))
    push(null, field, end)
  }
  try {
    enter(type, bytes.byteLength)
    while (weight <= most) {
      const top = open.at(-1)
      if (top === undefined) return weight
      if (reader.pos >= top.end) {
        open.pop()
        const held = top.any === null ? undefined : registry?.getMessage(nameIn(top.any.typeUrl))
        if (held !== undefined) {
          const { from, to } = top.any!
          weight += weightOf(held, bytes.subarray(from, to), { ...weighing, most: most - weight })
        }
        continue
      }
      const [number, wireType] = reader.tag()
      if (wireType === WireType.EndGroup) {
        if (top.end !== Number.POSITIVE_INFINITY) return weight
        open.pop()
        continue
      }
      const field = top.desc === null ? (number === 2 ? top.entryOf! : undefined) : fieldsByNumber(top.desc).get(number)
      const message = field?.message
      if (wireType === WireType.StartGroup && message !== undefined) {
        enter(message, Number.POSITIVE_INFINITY)
        continue
      }
      if (wireType !== WireType.LengthDelimited) {
        reader.skip(wireType, number)
        if (field !== undefined && isLong(field)) weight++
        continue
      }
      const length = reader.uint32()
      const end = reader.pos + length
      if (end > Math.min(top.end, bytes.byteLength)) return weight
      if (field?.fieldKind === 'map' && top.desc !== null) enterEntry(field, end)
      else if (message !== undefined) enter(message, end)
      else {
        if (top.any !== null && number === 1) top.any.typeUrl = text(bytes.subarray(reader.pos, end))
        if (top.any !== null && number === 2) Object.assign(top.any, { from: reader.pos, to: end })
        if (field !== undefined) weight += isLong(field) ? valuesIn(field, bytes.subarray(reader.pos, end)) : 1
        reader.pos = end
      }
    }
    return weight
  } catch {
    return weight // From here on these are no Protocol Buffers: decoding them will fail and say so.
  }
}

const ANY = 'google.protobuf.Any'

function nameIn(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf('/') + 1)
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(0, 1_024))
}

const VARINTS: ReadonlySet<ScalarType> = new Set([ScalarType.INT64, ScalarType.UINT64, ScalarType.SINT64])
const FIXED: ReadonlySet<ScalarType> = new Set([ScalarType.FIXED64, ScalarType.SFIXED64])

/** Whether its values are integers of 64 bits, which are objects of their own. */
function isLong({ scalar }: DescField): boolean {
  return scalar !== undefined && (VARINTS.has(scalar) || FIXED.has(scalar))
}

/** How many integers of 64 bits these bytes are, one behind the other. */
function valuesIn({ scalar }: DescField, packed: Uint8Array): number {
  if (FIXED.has(scalar!)) return packed.byteLength / 8
  let values = 0
  for (const byte of packed) if (byte < 0x80) values++
  return values
}

const byNumber = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>()

function fieldsByNumber(desc: DescMessage): ReadonlyMap<number, DescField> {
  const known = byNumber.get(desc)
  if (known !== undefined) return known
  const fields = new Map(desc.fields.map((field) => [field.number, field] as const))
  byNumber.set(desc, fields)
  return fields
}
