// Pure. What a server says of an error beside its message (google.rpc.Status and its details). Read by hand: the descriptors of
// a definition need not hold google.rpc, and its two messages that matter here are small.

import { fromBinary } from '@bufbuild/protobuf'
import { BinaryReader } from '@bufbuild/protobuf/wire'
import { AnySchema, DurationSchema } from '@bufbuild/protobuf/wkt'
import { MAX_RETRY_AFTER_MS } from '../retry-after.ts'
import type { Detail } from './exchange.ts'

/** More of them nobody reads. */
const MAX_DETAILS = 10

/** The details of a google.rpc.Status; none if the bytes are no such message. */
export function statusDetails(status: Uint8Array | null): Detail[] {
  if (status === null) return []
  return fieldsOf(status, 3).flatMap((bytes) => {
    try {
      const { typeUrl, value } = fromBinary(AnySchema, bytes)
      return [{ type: typeUrl.slice(typeUrl.lastIndexOf('/') + 1), bytes: value }]
    } catch {
      return [] // The others may well be read.
    }
  })
}

/** How long the server wants to be left alone (google.rpc.RetryInfo); null if it does not say. */
export function retryDelayOf(details: readonly Detail[]): number | null {
  const info = details.find(({ type }) => type === 'google.rpc.RetryInfo')
  const [delay] = info === undefined ? [] : fieldsOf(info.bytes, 1)
  if (delay === undefined) return null
  try {
    const { seconds, nanos } = fromBinary(DurationSchema, delay)
    const ms = Math.ceil(Number(seconds) * 1_000 + nanos / 1_000_000)
    return ms >= 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : null
  } catch {
    return null // Not a span: the policy of the task decides.
  }
}

/** The fields of this number that hold bytes, the first `most` of them. */
export function fieldsOf(message: Uint8Array, wanted: number, most = MAX_DETAILS): Uint8Array[] {
  const found: Uint8Array[] = []
  try {
    const reader = new BinaryReader(message)
    while (reader.pos < reader.len && found.length < most) {
      const [field, type] = reader.tag()
      if (field === wanted && type === 2) found.push(reader.bytes())
      else reader.skip(type, field)
    }
  } catch {
    // What was read before the bytes stopped making sense is still worth telling.
  }
  return found
}
