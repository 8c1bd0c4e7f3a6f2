// The header by which a client says that two requests are the same one.

import { hex } from '../../bytes.ts'
import type { Start } from '../../start.ts'
import { ApiProblem } from './problem.ts'

const encoder = new TextEncoder()

/**
 * The key of a start, if there is one, with a hash of what it was sent with.
 * @param canonical text that is equal for equal requests; made only if there is a key
 * @throws ApiProblem `invalid_idempotency_key`
 */
export async function readIdempotency(headers: Headers, canonical: () => string): Promise<Start['idempotency']> {
  const key = readIdempotencyKey(headers)
  return key === null ? null : { key, bodyHash: await sha256(canonical()) }
}

/** 1 to 255 visible ASCII characters, as they are or as a quoted string (RFC 8941), which means the same key. */
export function readIdempotencyKey(headers: Headers): string | null {
  const header = headers.get('Idempotency-Key')
  if (header === null) return null
  const key = header.startsWith('"') ? unquote(header) : header
  if (key !== null && /^[\x21-\x7e]{1,255}$/.test(key)) return key
  throw new ApiProblem(
    'invalid_idempotency_key',
    'An Idempotency-Key has 1 to 255 visible ASCII characters, without blanks',
  )
}

function unquote(text: string): string | null {
  const inner = /^"((?:[^"\\]|\\["\\])*)"$/.exec(text)?.[1]
  return inner?.replaceAll(/\\(.)/g, '$1') ?? null
}

/** The SHA-256 of the text's UTF-8, in hexadecimal. */
export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', encoder.encode(text))
  return hex(new Uint8Array(digest))
}
