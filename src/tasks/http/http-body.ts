// The body of an answer: read with a limit while it streams, then made JSON. Knows nothing of requests, statuses or redirects.

import { concatBytes, hex, toBase64 } from '../../bytes.ts'
import type { Json } from '../../workflow/json.ts'

/** What reading gave: the bytes, as many as the limit when `isCut`, and `isBroken` when the connection ended before the body did. */
export interface ReadBody {
  bytes: Uint8Array
  isCut: boolean
  isBroken: boolean
}

/**
 * Reads at most `limit` bytes and cancels the rest, so a body that never ends costs no more than one that is too large.
 * Ends soon after the signal fires, as `isBroken`.
 */
export async function readBody(response: Response, limit: number, signal: AbortSignal): Promise<ReadBody> {
  const chunks: Uint8Array[] = []
  let length = 0
  const declared = declaredBytes(response.headers)
  if (response.body !== null && declared !== null) {
    // One byte more than was declared: beside chunks the declared length says nothing (RFC 9112, 6.3), and they may be endless.
    const most = Math.min(declared, limit) + 1
    const { bytes, isBroken } = await readAtOnce(response.body, most, signal)
    if (isBroken || bytes.byteLength < most) return { bytes, isCut: false, isBroken }
    if (most > limit) {
      response.body.cancel().catch(() => {}) // It may have failed already: nothing is left to cancel.
      return { bytes: bytes.subarray(0, limit), isCut: true, isBroken: false }
    }
    chunks.push(bytes)
    length = most
  }
  const { isBroken } = await eachChunk(response, signal, (chunk) => {
    chunks.push(chunk)
    length += chunk.byteLength
    return length <= limit
  })
  const whole = chunks.length === 1 ? chunks[0]! : concatBytes(chunks)
  return { bytes: whole.subarray(0, limit), isCut: length > limit, isBroken }
}

/** `min` of the Streams standard, which the types of the runtime do not know yet. */
interface MinimalRead {
  read(view: Uint8Array, options: { min: number }): Promise<ReadableStreamReadResult<Uint8Array>>
}

/** The first `most` bytes of a body, or fewer if it ends before: in one read, which costs a tenth of reading chunk by chunk. */
async function readAtOnce(
  body: ReadableStream<Uint8Array>,
  most: number,
  signal: AbortSignal,
): Promise<{ bytes: Uint8Array; isBroken: boolean }> {
  const reader = body.getReader({ mode: 'byob' }) as ReadableStreamBYOBReader & MinimalRead
  const cancel = () => void reader.cancel().catch(() => {}) // The stream may have failed already: nothing is left to cancel.
  signal.addEventListener('abort', cancel, { once: true })
  try {
    const { value } = await reader.read(new Uint8Array(most), { min: most })
    return { bytes: value ?? new Uint8Array(0), isBroken: signal.aborted }
  } catch {
    return { bytes: new Uint8Array(0), isBroken: true }
  } finally {
    signal.removeEventListener('abort', cancel)
    reader.releaseLock()
  }
}

/** What hashing gave: no byte of the body is kept. */
export interface HashedBody {
  /** In hexadecimal. */
  sha256: string
  length: number
  isCut: boolean
  isBroken: boolean
}

/** Hashes at most `limit` bytes as they come, and cancels the rest. Ends soon after the signal fires, as `isBroken`. */
export async function hashBody(response: Response, limit: number, signal: AbortSignal): Promise<HashedBody> {
  const declared = declaredBytes(response.headers)
  if (declared !== null && declared > limit) {
    response.body?.cancel().catch(() => {}) // It may have failed already: nothing is left to cancel.
    return { sha256: '', length: 0, isCut: true, isBroken: false }
  }
  const digest = new crypto.DigestStream('SHA-256')
  const writer = digest.getWriter()
  let length = 0
  const { isBroken } = await eachChunk(response, signal, async (chunk) => {
    length += chunk.byteLength
    if (length > limit) return false
    await writer.write(chunk)
    return true
  })
  const isCut = length > limit
  if (isCut || isBroken) {
    digest.digest.catch(() => {}) // Nobody asks for it any more.
    await writer.abort()
    return { sha256: '', length, isCut, isBroken }
  }
  await writer.close()
  return { sha256: hex(new Uint8Array(await digest.digest)), length, isCut, isBroken }
}

/**
 * Reads a body chunk by chunk until `take` gives false; what is left is cancelled. The stream fails by the network alone, and what
 * it says of that may hold the URL, so it is not told.
 */
async function eachChunk(
  { body }: Response,
  signal: AbortSignal,
  take: (chunk: Uint8Array) => boolean | Promise<boolean>,
): Promise<{ isBroken: boolean }> {
  if (body === null) return { isBroken: signal.aborted }
  const reader = body.getReader()
  const cancel = () => void reader.cancel().catch(() => {}) // The stream may have failed already: nothing is left to cancel.
  signal.addEventListener('abort', cancel, { once: true })
  try {
    for (;;) {
      if (signal.aborted) return { isBroken: true }
      const { done, value } = await reader.read()
      if (done) return { isBroken: signal.aborted }
      if (await take(value)) continue
      cancel()
      return { isBroken: signal.aborted }
    }
  } catch {
    return { isBroken: true }
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

/** The length that the head of the answer names; null if it names none, or one that unpacking will change. */
function declaredBytes(headers: Headers): number | null {
  const declared = headers.get('content-length')
  return declared === null || headers.has('content-encoding') || !/^\d+$/.test(declared) ? null : Number(declared)
}

/** What the bytes are as JSON. `null` of this union means that they are not what `form` says; the output null is `{ value: null }`. */
export function parseBody(
  bytes: Uint8Array,
  form: 'auto' | 'json' | 'text' | 'base64',
  contentType: string | null,
): { value: Json } | null {
  if (form === 'auto' && bytes.byteLength === 0) return { value: null }
  const how = form === 'auto' ? formOf(contentType) : form
  if (how === 'base64') return { value: toBase64(bytes) }
  const text = decode(bytes, how === 'json' ? 'utf-8' : (charsetOf(contentType) ?? 'utf-8'))
  if (text === null) return null
  return how === 'json' ? parseJson(text) : { value: text }
}

/** At most 200 characters on one line, for people; '' if the body is no text. */
export function excerpt(bytes: Uint8Array, contentType: string | null): string {
  if (contentType !== null && formOf(contentType) === 'base64') return ''
  const text = new TextDecoder()
    .decode(bytes)
    .replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ')
    .trim()
  return Array.from(text).slice(0, 200).join('')
}

function formOf(contentType: string | null): 'json' | 'text' | 'base64' {
  const type = (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase()
  if (/^(application|text)\/json$|\+json$/.test(type)) return 'json'
  if (/^text\/|^application\/(xml|(x-)?javascript|ecmascript|x-www-form-urlencoded)$|\+xml$/.test(type)) return 'text'
  return 'base64'
}

function charsetOf(contentType: string | null): string | undefined {
  return /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType ?? '')?.[1]
}

function decode(bytes: Uint8Array, charset: string): string | null {
  try {
    return new TextDecoder(charset, { fatal: true, ignoreBOM: false }).decode(bytes)
  } catch {
    return null // An unknown charset, or bytes that it does not have: no text either way.
  }
}

function parseJson(text: string): { value: Json } | null {
  try {
    return { value: JSON.parse(text) as Json }
  } catch {
    return null // What the parser says quotes the body, so it is not told.
  }
}
