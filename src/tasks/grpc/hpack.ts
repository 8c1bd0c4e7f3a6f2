// Pure. Headers of HTTP/2 (RFC 7541): all that a decoder must know, and of an encoder the least that every decoder takes.

import type { Metadata } from './exchange.ts'
import { decodeHuffman } from './huffman.ts'

/** Bytes of the decoder's table (SETTINGS_HEADER_TABLE_SIZE, left at its default). */
const MAX_TABLE_BYTES = 4_096
/** RFC 7541, section 4.1. */
const ENTRY_OVERHEAD = 32
/** What the headers of one block may be together, names and values. */
export const MAX_HEADER_BYTES = 65_536

/** Appendix A. */
const STATIC_TABLE: Metadata =
  ':authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204|:status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate|accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate'
    .split('|')
    .map((entry) => {
      const [name = '', ...rest] = entry.split(' ')
      return [name, rest.join(' ')] as const
    })

/** Every header as a literal that enters no table (section 6.2.2), its text as it is. */
export function encodeHeaders(headers: Metadata): Uint8Array<ArrayBuffer> {
  const bytes: number[] = []
  for (const [name, value] of headers) {
    bytes.push(0)
    for (const text of [name, value]) {
      const encoded = new TextEncoder().encode(text)
      pushInteger(bytes, encoded.byteLength)
      for (const byte of encoded) bytes.push(byte)
    }
  }
  return new Uint8Array(bytes)
}

/** Section 5.1, with a prefix of seven bits below a zero. */
function pushInteger(bytes: number[], value: number): void {
  if (value < 127) {
    bytes.push(value)
    return
  }
  bytes.push(127)
  let rest = value - 127
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  bytes.push(rest)
}

/** What a block holds is against the rules, or is too much. */
class BadBlock extends Error {}

/** The decoder of one connection: its blocks in their order. */
export class HeaderDecoder {
  readonly #table: (readonly [string, string])[] = []
  #tableBytes = 0
  #maxTableBytes = MAX_TABLE_BYTES

  /** @returns null if the block cannot be decoded, after which the connection cannot be used any more (section 2.2) */
  decode(block: Uint8Array): Metadata | null {
    try {
      return this.#headersOf(new BlockReader(block))
    } catch (error) {
      if (error instanceof BadBlock) return null
      throw error
    }
  }

  #headersOf(block: BlockReader): Metadata {
    const headers: (readonly [string, string])[] = []
    let bytes = 0
    while (!block.isAtEnd) {
      const header = this.#next(block)
      if (header === null) continue
      bytes += header[0].length + header[1].length + ENTRY_OVERHEAD
      if (bytes > MAX_HEADER_BYTES) throw new BadBlock()
      headers.push(header)
    }
    return headers
  }

  /** Section 6; null for a change of the table's size. */
  #next(block: BlockReader): readonly [string, string] | null {
    const first = block.peek()
    if (first >= 0x80) return this.#entry(block.integer(7))
    if (first >= 0x40) {
      const header = this.#literal(block, 6)
      this.#insert(header)
      return header
    }
    if (first < 0x20) return this.#literal(block, 4)
    const size = block.integer(5)
    if (size > MAX_TABLE_BYTES) throw new BadBlock()
    this.#maxTableBytes = size
    this.#evict()
    return null
  }

  #literal(block: BlockReader, prefix: number): readonly [string, string] {
    const index = block.integer(prefix)
    const name = index === 0 ? block.text() : this.#entry(index)[0]
    return [name, block.text()]
  }

  #entry(index: number): readonly [string, string] {
    const entry = STATIC_TABLE[index - 1] ?? this.#table[index - 1 - STATIC_TABLE.length]
    if (entry === undefined) throw new BadBlock()
    return entry
  }

  #insert(header: readonly [string, string]): void {
    this.#table.unshift(header)
    this.#tableBytes += sizeOf(header)
    this.#evict()
  }

  #evict(): void {
    while (this.#tableBytes > this.#maxTableBytes) this.#tableBytes -= sizeOf(this.#table.pop()!)
  }
}

function sizeOf([name, value]: readonly [string, string]): number {
  return name.length + value.length + ENTRY_OVERHEAD
}

class BlockReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.byteLength
  }

  peek(): number {
    const byte = this.#bytes[this.#at]
    if (byte === undefined) throw new BadBlock()
    return byte
  }

  #next(): number {
    const byte = this.peek()
    this.#at++
    return byte
  }

  /** Section 5.1. */
  integer(prefix: number): number {
    const most = 2 ** prefix - 1
    let value = this.#next() & most
    if (value < most) return value
    for (let factor = 1; factor <= 2 ** 21; factor *= 128) {
      const byte = this.#next()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    throw new BadBlock()
  }

  /** Section 5.2. One character a byte, as header values are compared and measured. */
  text(): string {
    const isHuffman = this.peek() >= 0x80
    const length = this.integer(7)
    const end = this.#at + length
    if (end > this.#bytes.byteLength) throw new BadBlock()
    const raw = this.#bytes.subarray(this.#at, end)
    this.#at = end
    const bytes = isHuffman ? decodeHuffman(raw) : raw
    if (bytes === null) throw new BadBlock()
    let text = ''
    for (const byte of bytes) text += String.fromCharCode(byte)
    return text
  }
}
