// Pure. What gRPC puts on a stream, natively and over the web: messages with five bytes before each, and a status at the end.

import { base64Decode } from '@bufbuild/protobuf/wire'
import { statusDetails } from './details.ts'
import { type Answer, MAX_MESSAGE_BYTES, type Metadata, notGrpc, TOO_LARGE } from './exchange.ts'
import { codeOfNumber } from './status.ts'

const IS_COMPRESSED = 0x01
const IS_TRAILERS = 0x80
/** Bytes before each message: flags, then its length. */
export const PREFIX = 5

/** One message, uncompressed, as it goes onto a stream. */
export function frameMessage(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(PREFIX + message.byteLength)
  new DataView(bytes.buffer).setUint32(1, message.byteLength)
  bytes.set(message, PREFIX)
  return bytes
}

/** Whether the message behind this prefix is larger than one may be. */
export function isTooLarge(prefix: Uint8Array): boolean {
  return new DataView(prefix.buffer, prefix.byteOffset, PREFIX).getUint32(1) > MAX_MESSAGE_BYTES
}

/** Messages of a stream, and the block of trailers that gRPC-Web puts behind them; null if the bytes are no such stream. */
export function readFrames(bytes: Uint8Array): { messages: Uint8Array[]; trailers: Uint8Array | null } | null {
  const messages: Uint8Array[] = []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at < bytes.byteLength; ) {
    if (bytes.byteLength - at < PREFIX) return null
    const flags = bytes[at]!
    const end = at + PREFIX + view.getUint32(at + 1)
    // We accept no encoding, so nothing may come compressed.
    if (end > bytes.byteLength || (flags & IS_COMPRESSED) !== 0) return null
    const payload = bytes.subarray(at + PREFIX, end)
    if ((flags & IS_TRAILERS) !== 0) return end === bytes.byteLength ? { messages, trailers: payload } : null
    messages.push(payload)
    at = end
  }
  return { messages, trailers: null }
}

/** The answer of a unary call, by the status that its trailers (or headers, if there was nothing else) name. */
export function unaryAnswer(messages: readonly Uint8Array[], headers: Metadata, trailers: Metadata): Answer {
  const named = firstOf(trailers, 'grpc-status') ?? firstOf(headers, 'grpc-status')
  if (named === null || !/^\d{1,9}$/.test(named)) return notGrpc('ended its answer without a status')
  const status = Number(named)
  if (status !== 0) {
    const from = firstOf(trailers, 'grpc-status') === null ? headers : trailers
    const details = statusDetails(decodeBinary(firstOf(from, 'grpc-status-details-bin')))
    const message = decodePercent(firstOf(from, 'grpc-message') ?? '')
    return { kind: 'refused', code: codeOfNumber(status), message, details, retryAfterMs: null }
  }
  if (messages.length !== 1) return notGrpc(`answered OK with ${messages.length} messages instead of one`)
  const bytes = messages[0]!
  return bytes.byteLength > MAX_MESSAGE_BYTES ? TOO_LARGE : { kind: 'message', bytes, headers, trailers }
}

/** The first value of this name, given in lower case; null if there is none. */
export function firstOf(metadata: Metadata, name: string): string | null {
  return metadata.find(([one]) => one === name)?.[1] ?? null
}

/** The bytes of binary metadata; null if it is missing or is not base64. */
function decodeBinary(base64: string | null): Uint8Array | null {
  if (base64 === null) return null
  try {
    return base64Decode(base64)
  } catch {
    return null // The status stands without its details.
  }
}

/** `grpc-message` (gRPC over HTTP/2, "Percent-Encoded"): what is no such encoding is taken as it is. */
export function decodePercent(text: string): string {
  if (!text.includes('%')) return text
  const bytes: number[] = []
  const encoded = new TextEncoder().encode(text)
  for (let at = 0; at < encoded.length; at++) {
    const hex = encoded[at] === 0x25 ? hexByte(encoded, at + 1) : null
    bytes.push(hex ?? encoded[at]!)
    if (hex !== null) at += 2
  }
  return new TextDecoder().decode(new Uint8Array(bytes))
}

/** The byte that two hexadecimal digits at this place name. */
function hexByte(bytes: Uint8Array, at: number): number | null {
  const digits = String.fromCharCode(bytes[at] ?? 0, bytes[at + 1] ?? 0)
  return /^[0-9a-f]{2}$/i.test(digits) ? Number.parseInt(digits, 16) : null
}

/**
 * `grpc-timeout`: at most eight digits and a unit, rounded up, so that the server does not give up first.
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
export function grpcTimeout(timeoutMs: number): string {
  for (const [unit, ms] of [
    ['m', 1],
    ['S', 1_000],
    ['M', 60_000],
  ] as const) {
    const count = Math.ceil(timeoutMs / ms)
    if (count <= 99_999_999) return `${count}${unit}`
  }
  return '99999999M'
}
