// A form of parts as it is sent: multipart/form-data, RFC 7578, with names escaped as the HTML standard has it.
// Equal parts are equal bytes, boundary included: an attempt that is made again has to be the same request to a server that
// compares it with the first (R6).

import { concatBytes, fromBase64, hex } from '../../bytes.ts'
import type { Part } from '../with/multipart-with.ts'

/** The body of a form, and the Content-Type that names its boundary. */
export async function multipartBody(parts: readonly Part[]): Promise<{ bytes: Uint8Array; type: string }> {
  const contents = parts.map(contentOf)
  const boundary = `form-${await digestOf(contents)}`
  const pieces = parts.flatMap((part, index) => [encoder.encode(head(part, boundary)), contents[index]!, LINE_END])
  return {
    bytes: concatBytes([...pieces, encoder.encode(`--${boundary}--\r\n`)]),
    type: `multipart/form-data; boundary=${boundary}`,
  }
}

const encoder = new TextEncoder()
const LINE_END = encoder.encode('\r\n')

function contentOf({ text, base64 }: Part): Uint8Array {
  return base64 === undefined ? encoder.encode(String(text)) : fromBase64(base64)
}

/** A digest of all contents. To put the boundary into one of them, its author would have to guess the digest of them all. */
async function digestOf(contents: readonly Uint8Array[]): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', concatBytes(contents))
  return hex(new Uint8Array(digest)).slice(0, 40)
}

function head({ name, filename, content_type, base64 }: Part, boundary: string): string {
  const file = filename === undefined ? '' : `; filename="${escapeName(filename)}"`
  const byDefault =
    base64 !== undefined ? 'application/octet-stream' : filename === undefined ? undefined : 'text/plain;charset=UTF-8'
  const type = content_type ?? byDefault
  return `--${boundary}\r\nContent-Disposition: form-data; name="${escapeName(name)}"${file}\r\n${
    type === undefined ? '' : `Content-Type: ${type}\r\n`
  }\r\n`
}

/** @see HTML standard, "multipart/form-data encoding algorithm" */
function escapeName(name: string): string {
  return name.replace(/\r\n?|\n/g, '%0D%0A').replaceAll('"', '%22')
}
