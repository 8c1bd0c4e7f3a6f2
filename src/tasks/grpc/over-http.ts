// The protocols of gRPC that go over fetch: Connect and gRPC-Web. Both are one POST with one message there and back.
// Redirects are not followed: a call that was checked against the egress policy goes where it was checked for.

import { base64Decode } from '@bufbuild/protobuf/wire'
import type { Json, JsonObject } from '../../workflow/json.ts'
import { isJsonObject } from '../../workflow/json.ts'
import { excerpt, readBody } from '../http/http-body.ts'
import { parseRetryAfter } from '../retry-after.ts'
import {
  type Answer,
  BROKEN_OFF,
  type Detail,
  type Exchange,
  MAX_MESSAGE_BYTES,
  MAX_TRAILER_BYTES,
  type Metadata,
  NO_ANSWER,
  notGrpc,
  TOO_LARGE,
} from './exchange.ts'
import { frameMessage, grpcTimeout, readFrames, unaryAnswer } from './frames.ts'
import { codeOfHttpStatus, codeOfWord } from './status.ts'

/** The largest that `connect-timeout-ms` can say: ten digits. */
const MAX_CONNECT_TIMEOUT = 9_999_999_999

/** @see https://connectrpc.com/docs/protocol, "Unary-Request" */
export async function speakConnect(exchange: Exchange): Promise<Answer> {
  const posted = await post(exchange, exchange.message, {
    'content-type': 'application/proto',
    'connect-protocol-version': '1',
    'connect-timeout-ms': String(Math.min(Math.ceil(exchange.timeoutMs), MAX_CONNECT_TIMEOUT)),
  })
  if ('kind' in posted) return posted
  const { response, bytes } = posted
  const type = mediaType(response)
  if (response.status !== 200) return connectError(posted, type)
  if (type !== 'application/proto') return notGrpc(strangeType(type))
  if (bytes.byteLength > MAX_MESSAGE_BYTES) return TOO_LARGE
  // Connect sends trailers of unary calls as headers with a prefix.
  const all = [...response.headers]
  const trailers = all.flatMap(([name, value]) =>
    name.startsWith('trailer-') ? [[name.slice('trailer-'.length), value] as const] : [],
  )
  return { kind: 'message', bytes, headers: all.filter(([name]) => !name.startsWith('trailer-')), trailers }
}

/** @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md */
export async function speakGrpcWeb(exchange: Exchange): Promise<Answer> {
  const posted = await post(exchange, frameMessage(exchange.message), {
    'content-type': 'application/grpc-web+proto',
    accept: 'application/grpc-web+proto',
    'x-grpc-web': '1',
    'grpc-accept-encoding': 'identity',
    'grpc-timeout': grpcTimeout(exchange.timeoutMs),
  })
  if ('kind' in posted) return posted
  const { response, bytes } = posted
  const type = mediaType(response)
  const isGrpcWeb = type === 'application/grpc-web' || type === 'application/grpc-web+proto'
  // An error may come with its status in the headers and with no body, then of any type.
  const isHeadersOnly = response.status === 200 && bytes.byteLength === 0 && response.headers.has('grpc-status')
  if (response.status !== 200 && !isGrpcWeb) return httpError(posted)
  if (!isGrpcWeb && !isHeadersOnly) return notGrpc(strangeType(type))
  const stream = readFrames(bytes)
  if (stream === null) return notGrpc('answered with what is no stream of gRPC-Web')
  return unaryAnswer(stream.messages, [...response.headers], trailersIn(stream.trailers))
}

interface Posted {
  response: Response
  bytes: Uint8Array
}

async function post(
  { url, metadata, signal }: Exchange,
  body: Uint8Array<ArrayBuffer>,
  protocol: Record<string, string>,
): Promise<Posted | Answer> {
  const headers = new Headers(metadata)
  for (const [name, value] of Object.entries(protocol)) headers.set(name, value)
  let response: Response
  try {
    response = await fetch(url.href, { method: 'POST', headers, body, signal, redirect: 'manual', cache: 'no-store' })
  } catch {
    return NO_ANSWER // Its text may quote the URL, and tells apart neither causes nor codes.
  }
  const { bytes, isCut, isBroken } = await readBody(response, MAX_MESSAGE_BYTES + MAX_TRAILER_BYTES, signal)
  if (isCut) return TOO_LARGE
  return isBroken ? BROKEN_OFF : { response, bytes }
}

/** @see https://connectrpc.com/docs/protocol, "Error-End" */
function connectError(posted: Posted, type: string): Answer {
  const error = type === 'application/json' ? parseErrorBody(posted.bytes) : null
  if (error === null) return httpError(posted)
  const code = codeOfWord(error.code) ?? codeOfHttpStatus(posted.response.status)
  const message = typeof error.message === 'string' ? error.message : ''
  return { kind: 'refused', code, message, details: connectDetails(error.details), retryAfterMs: askedWait(posted) }
}

function connectDetails(details: Json | undefined): Detail[] {
  if (!Array.isArray(details)) return []
  return details.slice(0, 10).flatMap((detail) => {
    if (!isJsonObject(detail) || typeof detail.type !== 'string' || typeof detail.value !== 'string') return []
    try {
      return [{ type: detail.type, bytes: base64Decode(detail.value) }]
    } catch {
      return [] // The error stands without this detail.
    }
  })
}

/** An answer without gRPC in it: of a proxy, or of a server that speaks something else. */
function httpError(posted: Posted): Answer {
  const { response, bytes } = posted
  const said = excerpt(bytes.subarray(0, 1_024), response.headers.get('content-type'))
  const message = `HTTP ${response.status}${said === '' ? '' : `: ${said}`}`
  const code = codeOfHttpStatus(response.status)
  return { kind: 'refused', code, message, details: [], retryAfterMs: askedWait(posted) }
}

function askedWait({ response }: Posted): number | null {
  return parseRetryAfter(response.headers.get('retry-after'), Date.now())
}

function mediaType({ headers }: Response): string {
  return (headers.get('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase()
}

function strangeType(type: string): string {
  return type === ''
    ? 'answered without a Content-Type'
    : `answered with ${type.slice(0, 60)}, which is another protocol`
}

function parseErrorBody(bytes: Uint8Array): JsonObject | null {
  try {
    const value = JSON.parse(new TextDecoder().decode(bytes)) as Json
    return isJsonObject(value) ? value : null
  } catch {
    return null // No error of Connect: its HTTP status has to do.
  }
}

/** The block of trailers of gRPC-Web: lines of HTTP/1. */
function trailersIn(block: Uint8Array | null): Metadata {
  if (block === null) return []
  return new TextDecoder()
    .decode(block)
    .split('\r\n')
    .flatMap((line) => {
      const colon = line.indexOf(':')
      return colon < 1 ? [] : [[line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()] as const]
    })
}
