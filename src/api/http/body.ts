// Reading a JSON body: what is refused before a schema looks at it. No answer quotes what was sent.

import { concatBytes } from '../../bytes.ts'
import type { Fault } from '../../workflow/codes.ts'
import type { Json } from '../../workflow/json.ts'
import { offsetDeeperThan, offsetOfSyntaxFault, placeOf } from './json-text.ts'
import { ApiProblem, faultyBody } from './problem.ts'

/** Deeper than this not even the parser sees it, since millions of nested lists would take the isolate's memory. What a field may hold is less. */
const MAX_NESTING = 1_000

/**
 * How much of a body that is too large is let in unread, in bytes. A client that is still sending when the connection is closed
 * under it may see a broken pipe and never the answer (RFC 9112, section 9.6), so what is a little too large is taken.
 */
const MAX_DRAINED = 16 * 1024 * 1024

const JSON_TYPE = /^application\/(?:json|[a-z0-9!#$&^_.+-]+\+json)$/i

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

/**
 * The body as JSON.parse has it; a leading byte order mark is let go.
 * @param maxBytes a larger body is refused, and nothing of it is kept
 * @param absent what a request without a body stands for: not a byte, whatever its Content-Type; undefined where a body is required
 * @throws ApiProblem `unsupported_media_type`, `too_large`, `malformed_json`, `invalid_request`
 */
export async function readJson(request: Request, maxBytes: number, absent?: Json): Promise<unknown> {
  // Many clients name a type with every request, also when they send nothing.
  const early = absent === undefined ? null : await readBytes(request, maxBytes)
  if (absent !== undefined && early?.length === 0) return absent
  checkMediaType(request.headers)
  const text = decode(early ?? (await readBytes(request, maxBytes)))
  if (text.trim() === '') throw new ApiProblem('malformed_json', 'The body is empty')
  const tooDeep = offsetDeeperThan(text, MAX_NESTING)
  if (tooDeep !== -1) {
    const message = `is nested deeper than ${MAX_NESTING.toLocaleString('en-US')} levels, from ${placeOf(text, tooDeep)} on`
    throw faultyBody([{ path: '', code: 'out_of_bounds', message } satisfies Fault])
  }
  try {
    return JSON.parse(text)
  } catch {
    // The engine's message quotes the text; the place is found without it.
    const offset = offsetOfSyntaxFault(text)
    const where = offset === text.length ? 'It breaks off at its end' : 'It stops being JSON'
    throw new ApiProblem('malformed_json', `${where}, at ${placeOf(text, offset)} (offset ${offset})`)
  }
}

function checkMediaType(headers: Headers): void {
  const type = headers.get('Content-Type')
  const [name = '', ...parameters] = (type ?? '').split(';').map((part) => part.trim())
  if (!JSON_TYPE.test(name)) {
    throw new ApiProblem('unsupported_media_type', 'Send the body with Content-Type: application/json')
  }
  const charset = parameters.find((parameter) => /^charset=/i.test(parameter))
  if (charset !== undefined && !/^charset="?utf-?8"?$/i.test(charset)) {
    throw new ApiProblem('unsupported_media_type', 'JSON is UTF-8; no other charset is read')
  }
  const encoding = headers.get('Content-Encoding')
  if (encoding !== null && encoding.toLowerCase() !== 'identity') {
    throw new ApiProblem('unsupported_media_type', 'Send the body without Content-Encoding')
  }
}

async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const declared = request.headers.get('Content-Length')
  if (declared !== null) {
    if (Number(declared) > maxBytes) {
      if (Number(declared) <= MAX_DRAINED) await drain(request.body)
      throw tooLarge(maxBytes)
    }
    // The server lets no more through than was declared, so it can be taken at once.
    const bytes = new Uint8Array(await request.arrayBuffer())
    if (bytes.length > maxBytes) throw tooLarge(maxBytes)
    return bytes
  }
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of request.body ?? []) {
    length += chunk.length
    // What is too large is kept no more, and read on only to be let go. Leaving the loop cancels the stream: the rest is not read.
    if (length > MAX_DRAINED) break
    if (length > maxBytes) chunks.length = 0
    else chunks.push(chunk)
  }
  if (length > maxBytes) throw tooLarge(maxBytes)
  return chunks.length === 1 ? chunks[0]! : concatBytes(chunks)
}

async function drain(body: ReadableStream<Uint8Array> | null): Promise<void> {
  try {
    await body?.pipeTo(new WritableStream())
  } catch {
    // The client has hung up: then nobody waits for the answer.
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    // A fatal decoder throws for exactly one reason.
    throw new ApiProblem('malformed_json', 'The body is not UTF-8')
  }
}

function tooLarge(maxBytes: number): ApiProblem {
  return new ApiProblem('too_large', `The body may have at most ${maxBytes.toLocaleString('en-US')} bytes`)
}
