// Servers of echo.v1.Echo for the system tests, of two other makes than the client under test: Google's C core in a process of
// its own (gRPC itself), and connect-node, in this process (gRPC itself, gRPC-Web and Connect).

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttp1, type Server as Http1Server } from 'node:http'
import {
  createServer as createHttp2,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { setTimeout as later } from 'node:timers/promises'
import type { DescMessage, DescMethodUnary } from '@bufbuild/protobuf'
import { create } from '@bufbuild/protobuf'
import { type Code, ConnectError, type HandlerContext } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { echoRegistry, wholeDescriptors } from '../support/echo-service.ts'

export interface GrpcServer {
  /** For `connect` and `grpc_web`; null if it speaks neither. */
  web: string | null
  /** For `grpc_h2c`. */
  h2c: string
  stop(): Promise<void>
}

/** A Python that has grpcio; null if none has. */
export function pythonWithGrpc(): string | null {
  for (const python of ['python3', '/usr/bin/python3']) {
    try {
      execFileSync(python, ['-c', 'import grpc, google.protobuf'], { stdio: 'ignore' })
      return python
    } catch {
      // Not this one.
    }
  }
  return null
}

export async function startCCore(python: string): Promise<GrpcServer> {
  const child = spawn(python, [`${import.meta.dirname}/grpc-server.py`], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(wholeDescriptors())
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return {
    web: null,
    h2c: `http://127.0.0.1:${Number(line.toString())}`,
    async stop() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

interface SayRequest {
  text: string
  status: number
  reason: string
  delayMs: number
  length: number
  retryMs: number
  [field: string]: unknown
}

export async function startConnectNode(): Promise<GrpcServer> {
  const echo = echoRegistry.getService('echo.v1.Echo')!
  const handler = connectNodeAdapter({
    routes: (router) =>
      router.rpc(echo.methods[0] as DescMethodUnary, (request, context) => say(request as never, context)),
  })
  const http1 = createHttp1(handler)
  const http2 = createHttp2(handler)
  const sessions = new Set<ServerHttp2Session>()
  http2.on('session', (session) => sessions.add(session))
  const [web, h2c] = [await listening(http1), await listening(http2)]
  return {
    web,
    h2c,
    async stop() {
      for (const session of sessions) session.destroy()
      http1.closeAllConnections()
      await Promise.all([http1, http2].map((server) => new Promise((done) => server.close(done))))
    },
  }
}

/** A server of HTTP/2 that answers each stream as it is told, whatever gRPC would say. */
export async function startHttp2(answer: (stream: ServerHttp2Stream, path: string) => void) {
  const http2 = createHttp2()
  const sessions = new Set<ServerHttp2Session>()
  http2.on('session', (session) => sessions.add(session))
  http2.on('stream', (stream, headers) => {
    stream.on('error', () => {}) // Clients that give up are what some of these answers are for.
    stream.resume()
    answer(stream, String(headers[':path']))
  })
  const url = await listening(http2)
  return {
    url,
    stop() {
      for (const session of sessions) session.destroy()
      http2.close()
    },
  }
}

export async function listening(server: Http1Server | Http2Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function say(request: SayRequest, context: HandlerContext) {
  context.responseHeader.set('x-answer', 'yes')
  context.responseHeader.set('x-raw-bin', 'AP8H')
  context.responseTrailer.append('x-late', 'a')
  context.responseTrailer.append('x-late', 'b')
  await later(request.delayMs)
  if (request.status !== 0) {
    const detail =
      request.retryMs > 0
        ? { desc: type('google.rpc.RetryInfo'), value: { retryDelay: { nanos: request.retryMs * 1_000_000 } } }
        : {
            desc: type('google.rpc.BadRequest'),
            value: { fieldViolations: [{ field: 'text', description: 'is bad' }] },
          }
    throw new ConnectError(request.reason, request.status as Code, {}, [detail as never])
  }
  const seen: Record<string, string> = Object.fromEntries(context.requestHeader)
  const remaining = context.timeoutMs()
  if (remaining !== undefined) seen.deadline = String(remaining)
  const raw = context.requestHeader.get('x-key-bin')
  if (raw !== null) seen['x-key-bin'] = `bytes ${Buffer.from(raw, 'base64').toString('hex')}`
  const { text, big, raw: bytes, kind, at, tags, held, inner } = request
  return create(type('echo.v1.SayReply'), {
    ...{ big, raw: bytes, kind, at, tags, held, inner, seen },
    text: 'x'.repeat(request.length) || text,
    count: text.length,
  } as never)
}

function type(name: string): DescMessage {
  return echoRegistry.getMessage(name)!
}
