// gRPC itself, over HTTP/2 without TLS, on a socket of its own for each call: a request of the runtime cannot use a connection
// that another one opened. Over TLS it cannot be spoken: HTTP/2 is agreed upon by ALPN there, which the runtime's sockets do
// not offer, and fetch neither speaks HTTP/2 to a server that has no TLS nor hands out trailers.

import { connect } from 'cloudflare:sockets'
import { excerpt } from '../http/http-body.ts'
import {
  type Answer,
  BROKEN_OFF,
  type Exchange,
  MAX_MESSAGE_BYTES,
  MAX_TRAILER_BYTES,
  type Metadata,
  NO_ANSWER,
  notGrpc,
  TOO_LARGE,
} from './exchange.ts'
import { firstOf, frameMessage, grpcTimeout, isTooLarge, PREFIX, readFrames, unaryAnswer } from './frames.ts'
import { type Http2Answer, type Http2End, Http2Request } from './http2.ts'
import { codeOfHttpStatus, type GrpcCode } from './status.ts'

/** @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
export async function speakH2c(exchange: Exchange): Promise<Answer> {
  const { url, metadata, message, timeoutMs, signal } = exchange
  const headers = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', url.pathname],
    [':authority', url.host],
    ['te', 'trailers'],
    ['content-type', 'application/grpc+proto'],
    ['grpc-accept-encoding', 'identity'],
    ['grpc-timeout', grpcTimeout(timeoutMs)],
    ...metadata,
  ] as const
  const request = new Http2Request(headers, frameMessage(message), MAX_MESSAGE_BYTES + MAX_TRAILER_BYTES)
  await runExchange(request, `${url.hostname}:${url.port || '80'}`, signal)
  return answerOf(request)
}

/** Sends and receives until the request has ended, the connection is gone or the signal fires. */
async function runExchange(request: Http2Request, address: string, signal: AbortSignal): Promise<void> {
  let close = () => {}
  try {
    signal.throwIfAborted()
    const socket = connect(address, { secureTransport: 'off', allowHalfOpen: false })
    close = () => void socket.close().catch(() => {}) // Whatever it says, nobody needs it any more.
    signal.addEventListener('abort', close, { once: true })
    socket.closed.catch(() => {}) // A connection that breaks ends the reading below too.
    const reader = socket.readable.getReader()
    const writer = socket.writable.getWriter()
    const send = () => {
      const bytes = request.takeOutput()
      // Not awaited: a server may want to be read before it reads on. The message and the frames taken bound what is held.
      if (bytes.byteLength > 0) writer.write(bytes).catch(() => {}) // A connection that breaks ends the reading too.
    }
    send()
    while (request.end === null && !isFlooding(request)) {
      const { done, value } = await reader.read()
      if (done) return
      request.receive(value)
      send()
    }
  } catch {
    // The connection failed, or was given up; how far the request came says the rest.
  } finally {
    signal.removeEventListener('abort', close)
    close()
  }
}

/** A message that is too large is given up by its prefix: the window that we grant would never let it come whole. */
function isFlooding(request: Http2Request): boolean {
  const prefix = request.bodyStart(PREFIX)
  return prefix !== null && isGrpc(request.headers ?? []) && isTooLarge(prefix)
}

function answerOf(request: Http2Request): Answer {
  const { end } = request
  if (isFlooding(request)) return TOO_LARGE
  if (end === null) return request.headers === null ? NO_ANSWER : BROKEN_OFF
  switch (end.kind) {
    case 'answered':
      return grpcAnswer(end.answer)
    case 'reset':
      return resetAnswer(end)
    case 'broken':
      return notGrpc(end.what)
    default:
      return end satisfies never
  }
}

function grpcAnswer({ headers, trailers, body }: Http2Answer): Answer {
  if (!isGrpc(headers)) {
    const status = Number(firstOf(headers, ':status'))
    const said = excerpt(body.subarray(0, 1_024), firstOf(headers, 'content-type'))
    const message = `HTTP ${status}${said === '' ? '' : `: ${said}`}`
    return { kind: 'refused', code: codeOfHttpStatus(status), message, details: [], retryAfterMs: null }
  }
  const stream = readFrames(body)
  if (stream === null || stream.trailers !== null) return notGrpc('answered with what is no stream of gRPC')
  return unaryAnswer(
    stream.messages,
    headers.filter(([name]) => !name.startsWith(':')),
    trailers,
  )
}

/** Whether an answer is one of gRPC, and not a proxy's. */
function isGrpc(headers: Metadata): boolean {
  return (
    firstOf(headers, ':status') === '200' && /^application\/grpc(?:$|[+;])/.test(firstOf(headers, 'content-type') ?? '')
  )
}

/** @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Errors" */
const OF_RESETS: { readonly [error: number]: GrpcCode } = {
  7: 'grpc_unavailable',
  8: 'grpc_cancelled',
  11: 'grpc_resource_exhausted',
  12: 'grpc_permission_denied',
}

function resetAnswer({ error }: Extract<Http2End, { kind: 'reset' }>): Answer {
  const code = OF_RESETS[error] ?? 'grpc_internal'
  const message = `the server reset the stream (HTTP/2 error ${error})`
  return { kind: 'refused', code, message, details: [], retryAfterMs: null }
}
