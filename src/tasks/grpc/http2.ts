// Pure. One request on one connection of HTTP/2 (RFC 9113), seen from the client: bytes in, bytes out, and how it ended.
// The window that we grant is as large as the largest answer that is taken and is never opened further, so that flow control
// itself bounds what a server can send.

import { concatBytes } from '../../bytes.ts'
import type { Metadata } from './exchange.ts'
import { encodeHeaders, HeaderDecoder, MAX_HEADER_BYTES } from './hpack.ts'

const PREFACE = new Uint8Array(new TextEncoder().encode('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'))
const FRAME_HEADER = 9
/** The largest frame that either side sends: SETTINGS_MAX_FRAME_SIZE, which we leave at its default. */
const MAX_FRAME = 16_384
const DEFAULT_WINDOW = 65_535
const MAX_WINDOW = 2 ** 31 - 1
/**
 * How many frames an answer may take: this many, and one more for every BYTES_OF_FRAME bytes of its body. A server that sends more
 * of them sends mostly empty frames, to keep the client busy.
 */
const MAX_FRAMES = 20_000
const BYTES_OF_FRAME = 16
const STREAM = 1

const TYPE = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const
const FLAG = { END_STREAM: 0x1, ACK: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const
const SETTING = { ENABLE_PUSH: 2, INITIAL_WINDOW_SIZE: 4, MAX_HEADER_LIST_SIZE: 6 } as const

/** An answer that has come whole. */
export interface Http2Answer {
  headers: Metadata
  /** Empty if the answer ended with its headers or its data. */
  trailers: Metadata
  body: Uint8Array
}

/** How a request ended. */
export type Http2End =
  | { kind: 'answered'; answer: Http2Answer }
  /** The server gave the stream up. @property error - RFC 9113, section 7 */
  | { kind: 'reset'; error: number }
  /** Against the protocol, or too much of it. */
  | { kind: 'broken'; what: string }

/**
 * A state machine without I/O: the caller sends what `takeOutput` gives, hands in what arrives by `receive`, and does so until
 * `end` is set.
 */
export class Http2Request {
  readonly #decoder = new HeaderDecoder()
  readonly #maxBodyBytes: number
  /** What arrived and is no whole frame yet, in the parts in which it came: put together for each, a frame that comes byte by byte is copied as often. */
  #pending: Uint8Array[] = []
  #pendingBytes = 0
  /** How many pending bytes are needed before there is something to read: the head of a frame, or the whole frame. */
  #neededBytes = FRAME_HEADER
  #out: Uint8Array<ArrayBuffer>[] = []
  #unsent: Uint8Array<ArrayBuffer>
  #connectionWindow = DEFAULT_WINDOW
  #streamWindow = DEFAULT_WINDOW
  #initialWindow = DEFAULT_WINDOW
  #frames = 0
  /** A header block whose end has not come. */
  #block: { parts: Uint8Array[]; bytes: number; isLast: boolean } | null = null
  #headers: Metadata | null = null
  /** Parts that hold at least a byte. */
  #body: Uint8Array[] = []
  #bodyBytes = 0
  /** Without padding. */
  #contentBytes = 0
  #end: Http2End | null = null

  /** @param maxBodyBytes of the answer; a larger one breaks off */
  constructor(headers: Metadata, body: Uint8Array<ArrayBuffer>, maxBodyBytes: number) {
    this.#maxBodyBytes = maxBodyBytes
    this.#unsent = body
    const settings = [
      [SETTING.ENABLE_PUSH, 0],
      [SETTING.INITIAL_WINDOW_SIZE, maxBodyBytes],
      [SETTING.MAX_HEADER_LIST_SIZE, MAX_HEADER_BYTES],
    ] as const
    this.#out.push(PREFACE)
    this.#send(
      TYPE.SETTINGS,
      0,
      0,
      new Uint8Array(settings.flatMap(([id, value]) => [...uint(id, 2), ...uint(value, 4)])),
    )
    if (maxBodyBytes > DEFAULT_WINDOW) {
      this.#send(TYPE.WINDOW_UPDATE, 0, 0, new Uint8Array(uint(maxBodyBytes - DEFAULT_WINDOW, 4)))
    }
    this.#sendHeaders(encodeHeaders(headers))
    this.#sendBody()
  }

  /** How the request ended; null while it goes on. */
  get end(): Http2End | null {
    return this.#end
  }

  /** The headers of the answer; null until they have come. */
  get headers(): Metadata | null {
    return this.#headers
  }

  /** The first `length` bytes of the body; null until they have come. Callers look into them to give up early. */
  bodyStart(length: number): Uint8Array | null {
    if (this.#bodyBytes < length) return null
    const start = concatBytes(this.#body.slice(0, length).map((part) => part.subarray(0, length))).subarray(0, length)
    return start.byteLength === length ? start : null
  }

  /** What is to be sent now. */
  takeOutput(): Uint8Array<ArrayBuffer> {
    const out = concatBytes(this.#out)
    this.#out = []
    return out
  }

  /** Takes what has arrived. What breaks the protocol ends the request as `broken`; nothing is thrown. */
  receive(bytes: Uint8Array): void {
    try {
      this.#receive(bytes)
    } catch (error) {
      if (!(error instanceof Broken)) throw error
      this.#end = { kind: 'broken', what: error.message }
    }
  }

  #receive(bytes: Uint8Array): void {
    this.#pending.push(bytes)
    this.#pendingBytes += bytes.byteLength
    if (this.#pendingBytes < this.#neededBytes) return
    let rest: Uint8Array = this.#pending.length === 1 ? bytes : concatBytes(this.#pending)
    this.#neededBytes = FRAME_HEADER
    while (this.#end === null && rest.byteLength >= FRAME_HEADER) {
      const length = (rest[0]! << 16) | (rest[1]! << 8) | rest[2]!
      const type = rest[3]!
      const isFirst = this.#frames === 0
      // What a server says first that speaks HTTP/1: "HTT" is a length of five million.
      if (isFirst && (length > MAX_FRAME || type !== TYPE.SETTINGS)) throw new Broken('does not speak HTTP/2')
      if (length > MAX_FRAME) throw new Broken('sent a frame that is too large')
      if (rest.byteLength < FRAME_HEADER + length) {
        this.#neededBytes = FRAME_HEADER + length
        break
      }
      if (++this.#frames > MAX_FRAMES + this.#contentBytes / BYTES_OF_FRAME) throw new Broken('sent too many frames')
      const stream = numberAt(rest, 5) & MAX_WINDOW
      this.#frame(type, rest[4]!, stream, rest.subarray(FRAME_HEADER, FRAME_HEADER + length))
      rest = rest.subarray(FRAME_HEADER + length)
    }
    this.#pending = [rest.slice()]
    this.#pendingBytes = rest.byteLength
  }

  #frame(type: number, flags: number, stream: number, payload: Uint8Array): void {
    if (this.#block !== null && (type !== TYPE.CONTINUATION || stream !== STREAM)) {
      throw new Broken('interrupted its headers')
    }
    switch (type) {
      case TYPE.DATA:
        this.#data(flags, stream, payload)
        return
      case TYPE.HEADERS: {
        const content = withoutPadding(flags, payload, (flags & FLAG.PRIORITY) === 0 ? 0 : 5)
        if (stream !== STREAM || content === null) throw new Broken('sent headers that cannot be read')
        this.#block = { parts: [], bytes: 0, isLast: (flags & FLAG.END_STREAM) !== 0 }
        this.#headerPart(flags, content)
        return
      }
      case TYPE.CONTINUATION:
        if (this.#block === null) throw new Broken('sent headers out of order')
        this.#headerPart(flags, payload)
        return
      case TYPE.RST_STREAM:
        if (stream !== STREAM || payload.byteLength !== 4) throw new Broken('sent a reset that cannot be read')
        this.#end = { kind: 'reset', error: numberAt(payload, 0) }
        return
      case TYPE.SETTINGS:
        this.#settings(flags, payload)
        return
      case TYPE.PUSH_PROMISE:
        throw new Broken('pushed, which it was told not to')
      case TYPE.PING:
        if (payload.byteLength !== 8) throw new Broken('sent a ping that cannot be read')
        if ((flags & FLAG.ACK) === 0) this.#send(TYPE.PING, FLAG.ACK, 0, concatBytes([payload]))
        return
      case TYPE.GOAWAY: {
        if (payload.byteLength < 8) throw new Broken('sent a farewell that cannot be read')
        // A server that still answers this stream goes on with it; one that does not has never looked at it.
        if ((numberAt(payload, 0) & MAX_WINDOW) < STREAM)
          this.#end = { kind: 'reset', error: numberAt(payload, 4) || REFUSED }
        return
      }
      case TYPE.WINDOW_UPDATE:
        this.#windowUpdate(stream, payload)
        return
      default:
        return // Unknown types are to be ignored (section 4.1), and priorities say nothing to a client.
    }
  }

  #data(flags: number, stream: number, payload: Uint8Array): void {
    const content = withoutPadding(flags, payload, 0)
    if (stream !== STREAM || this.#headers === null || content === null)
      throw new Broken('sent data that cannot be read')
    this.#bodyBytes += payload.byteLength
    // Padding counts too, as it does for flow control: the window was as large as this.
    if (this.#bodyBytes > this.#maxBodyBytes) throw new Broken('sent more than its window')
    this.#contentBytes += content.byteLength
    if (content.byteLength > 0) this.#body.push(content.slice())
    if ((flags & FLAG.END_STREAM) !== 0) this.#answered([])
  }

  #headerPart(flags: number, part: Uint8Array): void {
    const block = this.#block!
    block.parts.push(part.slice())
    block.bytes += part.byteLength
    if (block.bytes > MAX_HEADER_BYTES) throw new Broken('sent headers that are too large')
    if ((flags & FLAG.END_HEADERS) === 0) return
    this.#block = null
    const headers = this.#decoder.decode(concatBytes(block.parts))
    if (headers === null) throw new Broken('sent headers that cannot be read')
    if (this.#headers !== null) {
      if (!block.isLast) throw new Broken('sent headers in the middle of its answer')
      this.#answered(headers)
      return
    }
    // 1xx comes before the answer and says nothing of it.
    const status = headers.find(([name]) => name === ':status')?.[1] ?? ''
    if (!/^\d{3}$/.test(status)) throw new Broken('sent an answer without a status')
    if (status.startsWith('1') && !block.isLast) return
    this.#headers = headers
    if (block.isLast) this.#answered([])
  }

  #answered(trailers: Metadata): void {
    this.#end = { kind: 'answered', answer: { headers: this.#headers!, trailers, body: concatBytes(this.#body) } }
  }

  #settings(flags: number, payload: Uint8Array): void {
    if ((flags & FLAG.ACK) !== 0) return
    if (payload.byteLength % 6 !== 0) throw new Broken('sent settings that cannot be read')
    for (let at = 0; at < payload.byteLength; at += 6) {
      const id = (payload[at]! << 8) | payload[at + 1]!
      const value = numberAt(payload, at + 2)
      // The others bound what we do not do: large frames, many streams, a table for the headers that we send.
      if (id !== SETTING.INITIAL_WINDOW_SIZE) continue
      if (value > MAX_WINDOW) throw new Broken('set a window that is too large')
      this.#streamWindow += value - this.#initialWindow
      this.#initialWindow = value
    }
    this.#send(TYPE.SETTINGS, FLAG.ACK, 0, new Uint8Array([]))
    this.#sendBody()
  }

  #windowUpdate(stream: number, payload: Uint8Array): void {
    const increment = payload.byteLength === 4 ? numberAt(payload, 0) & MAX_WINDOW : 0
    if (increment === 0) throw new Broken('sent a window that cannot be read')
    if (stream === 0) this.#connectionWindow += increment
    if (stream === STREAM) this.#streamWindow += increment
    if (Math.max(this.#connectionWindow, this.#streamWindow) > MAX_WINDOW) throw new Broken('opened its window too far')
    this.#sendBody()
  }

  #sendHeaders(block: Uint8Array<ArrayBuffer>): void {
    for (let at = 0; at === 0 || at < block.byteLength; at += MAX_FRAME) {
      const isLast = at + MAX_FRAME >= block.byteLength
      const type = at === 0 ? TYPE.HEADERS : TYPE.CONTINUATION
      this.#send(type, isLast ? FLAG.END_HEADERS : 0, STREAM, block.subarray(at, at + MAX_FRAME))
    }
  }

  /** As much of the body as the server's windows let through. A request has a body always: a message of gRPC has a prefix. */
  #sendBody(): void {
    while (this.#unsent.byteLength > 0) {
      const size = Math.min(this.#unsent.byteLength, MAX_FRAME, this.#connectionWindow, this.#streamWindow)
      if (size <= 0) return
      const part = this.#unsent.subarray(0, size)
      this.#unsent = this.#unsent.subarray(size)
      this.#connectionWindow -= size
      this.#streamWindow -= size
      this.#send(TYPE.DATA, this.#unsent.byteLength === 0 ? FLAG.END_STREAM : 0, STREAM, part)
    }
  }

  #send(type: number, flags: number, stream: number, payload: Uint8Array<ArrayBuffer>): void {
    this.#out.push(new Uint8Array([...uint(payload.byteLength, 3), type, flags, ...uint(stream, 4)]), payload)
  }
}

/** Against the protocol, or too much of it: a predicate, "sent a frame that is too large". */
class Broken extends Error {}

/** REFUSED_STREAM: the server has done nothing of it. */
export const REFUSED = 7

/** The content of a frame without its padding, and without what stands before it; null if it is too short for them. */
function withoutPadding(flags: number, payload: Uint8Array, before: number): Uint8Array | null {
  const isPadded = (flags & FLAG.PADDED) !== 0
  const start = before + (isPadded ? 1 : 0)
  const end = payload.byteLength - (isPadded ? (payload[0] ?? 0) : 0)
  return start <= end ? payload.subarray(start, end) : null
}

function numberAt(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at)
}

function uint(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, index) => (value >>> (8 * (bytes - 1 - index))) & 0xff)
}
