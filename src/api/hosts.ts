// Which hosts and origins are served. Without authentication only this machine is: a web page elsewhere could otherwise
// point a name of its own at 127.0.0.1 and call whatever listens there (DNS rebinding). And CORS, off unless configured.

import type { Env } from '../env.ts'
import { authMode } from './auth.ts'
import { ApiProblem } from './http/problem.ts'

const LOCAL_URL = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?(?:[/?#]|$)/i

/** What a script of another origin may send and read. */
const REQUEST_HEADERS =
  'Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer, X-Request-Id, traceparent, tracestate'
const ANSWER_HEADERS =
  'Allow, ETag, Idempotent-Replayed, Link, Location, Preference-Applied, Retry-After, Run-Status, WWW-Authenticate, X-Request-Id'

/** How long a browser may remember a preflight, in seconds. */
const PREFLIGHT_SECONDS = 600

/**
 * Refuses hosts and origins other than this machine when calls need no key.
 * @throws ApiProblem `host_not_allowed`
 */
export function checkHost(request: Request, env: Env): void {
  if (authMode(env) !== 'none') return
  if (!LOCAL_URL.test(request.url)) {
    throw new ApiProblem('host_not_allowed', 'Without authentication only localhost, 127.0.0.1 and [::1] are served')
  }
  const origin = request.headers.get('Origin')
  if (origin === null || corsOrigins(env).has(origin)) return
  if (!LOCAL_URL.test(origin)) {
    throw new ApiProblem('host_not_allowed', 'Without authentication no page of another host is served')
  }
}

/** Tells a browser that the page which asks may read the answer, if CORS_ORIGINS lists its origin. */
export function allowOrigin(request: Request, env: Env, answer: Headers): void {
  const allowed = corsOrigins(env)
  if (allowed.size === 0) return
  answer.append('Vary', 'Origin')
  const origin = request.headers.get('Origin')
  if (origin === null || !allowed.has(origin)) return
  answer.set('Access-Control-Allow-Origin', origin)
  answer.set('Access-Control-Expose-Headers', ANSWER_HEADERS)
}

/** Headers that answer a preflight; none if the page that asks may not call. */
export function preflightHeaders(request: Request, env: Env, methods: string): Record<string, string> {
  const origin = request.headers.get('Origin')
  if (origin === null || !corsOrigins(env).has(origin)) return {}
  return {
    'Access-Control-Allow-Methods': methods,
    'Access-Control-Allow-Headers': REQUEST_HEADERS,
    'Access-Control-Max-Age': String(PREFLIGHT_SECONDS),
  }
}

const NONE: ReadonlySet<string> = new Set()
let lastParsed: { text: string; origins: ReadonlySet<string> } = { text: '', origins: NONE }

function corsOrigins({ CORS_ORIGINS: text = '' }: Env): ReadonlySet<string> {
  if (text === lastParsed.text) return lastParsed.origins
  const origins = text.split(',').map((origin) => origin.trim())
  lastParsed = { text, origins: new Set(origins.filter((origin) => origin !== '')) }
  return lastParsed.origins
}
