// The `http` task: one call, its redirects followed here so that each hop passes the egress policy, its answer as JSON.
// Whatever the network does ends as a TaskResult; when the signal has fired the executor has its answer already, so what
// is said then does not matter, only that it is said soon. Messages hold the method, host and path: never a query, a header
// or what the runtime says of the failure, which may quote them.

import type { Json, JsonObject } from '../workflow/json.ts'
import { egressFault } from './egress.ts'
import { failed } from './failure.ts'
import { excerpt, parseBody, readBody } from './http-body.ts'
import { DEFAULT_REDIRECTS, type HttpWith } from './http-with.ts'
import type { PluginCall, PluginSurroundings, TaskPlugin, TaskResult } from './plugin.ts'
import { parseRetryAfter } from './retry-after.ts'
import { sizeBytes } from './size.ts'

export const http: TaskPlugin<HttpWith> = { type: 'http', execute }

interface HttpRequest {
  method: string
  url: URL
  headers: Headers
  body: string | null
}

const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
const BODILESS_STATUSES: ReadonlySet<number> = new Set([204, 205, 304])
/** Headers that speak of a body, dropped with it (Fetch standard, HTTP-redirect fetch). */
const BODY_HEADERS = ['content-encoding', 'content-language', 'content-length', 'content-location', 'content-type']
/** Enough of a refusal's body for its 200 characters. */
const EXCERPT_BYTES = 1_024

async function execute(call: PluginCall<HttpWith>, { egressAllow }: PluginSurroundings): Promise<TaskResult> {
  const hops = hopsOf(call.config.follow_redirects)
  let request = firstRequest(call)
  for (let hop = 0; ; hop++) {
    const refusal = egressFault(request.url, egressAllow)
    if (refusal !== null) return failed('egress_denied', `${told(request)} was not sent: ${refusal}`)

    const response = await send(request, call.signal)
    if (response === null) return failed('http_network', `${told(request)} had no answer: the connection failed`)

    const target = redirectTarget(response, request.url)
    if (target === null || hop === hops) return ending(call, request, response)
    response.body?.cancel().catch(() => {}) // Nobody reads what a redirect says; if it broke off, all the better.
    request = redirected(request, response.status, target)
  }
}

/** What the last answer means: the output, or why there is none. */
async function ending(call: PluginCall<HttpWith>, request: HttpRequest, response: Response): Promise<TaskResult> {
  const { config, signal } = call
  const contentType = response.headers.get('content-type')
  if (!isExpected(response.status, config.expect_status)) {
    const { bytes } = await readBody(response, EXCERPT_BYTES, signal)
    const said = excerpt(bytes, contentType)
    const failure = failed(
      `http_${response.status}`,
      `${told(request)} answered ${response.status}${said === '' ? '' : `: ${said}`}`,
    )
    const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), Date.now())
    return retryAfterMs === null ? failure : { ...failure, retryAfterMs }
  }

  const { bytes, isCut, isBroken } = await readBody(response, sizeBytes(config.max_bytes), signal)
  if (isBroken) return failed('http_network', `${told(request)} broke off in the middle of its answer`)
  if (isCut) return failed('response_too_large', `${told(request)} answered with more than ${config.max_bytes} bytes`)

  const isBodiless = request.method === 'HEAD' || BODILESS_STATUSES.has(response.status)
  const body = isBodiless ? { value: null } : parseBody(bytes, config.parse, contentType)
  if (body === null) {
    return failed(
      'invalid_response',
      `${told(request)} answered with a body that is not what parse: "${config.parse}" takes`,
    )
  }
  const output: Json = { status: response.status, headers: plainHeaders(response.headers), body: body.value }
  return { kind: 'succeeded', output }
}

/** The network's one place. null: no answer, whatever the cause. */
async function send({ method, url, headers, body }: HttpRequest, signal: AbortSignal): Promise<Response | null> {
  try {
    // A task wants what the server says now, never what some cache on the way remembers.
    return await fetch(url.href, { method, headers, body, signal, redirect: 'manual', cache: 'no-store' })
  } catch {
    return null // It tells apart neither causes nor codes, and its text may quote the URL.
  }
}

function firstRequest({ config, idempotencyKey, trace }: PluginCall<HttpWith>): HttpRequest {
  const { text, type } = bodyOf(config)
  const headers = new Headers()
  for (const [name, value] of Object.entries(config.headers ?? {})) headers.set(name, String(value))
  if (!headers.has('idempotency-key')) headers.set('idempotency-key', idempotencyKey)
  // A task that says which trace it belongs to says so alone: the two headers go together.
  if (trace !== undefined && !headers.has('traceparent')) {
    headers.set('traceparent', trace.traceparent)
    if (trace.tracestate !== undefined && !headers.has('tracestate')) headers.set('tracestate', trace.tracestate)
  }
  if (!headers.has('user-agent')) headers.set('user-agent', 'edge-orchestrator')
  if (type !== null && !headers.has('content-type')) headers.set('content-type', type)
  return { method: config.method ?? (text === null ? 'GET' : 'POST'), url: urlOf(config), headers, body: text }
}

function bodyOf({ json, form, body }: HttpWith): { text: string | null; type: string | null } {
  if (json !== undefined) return { text: JSON.stringify(json), type: 'application/json' }
  if (form !== undefined) return { text: encoded(Object.entries(form)), type: 'application/x-www-form-urlencoded' }
  // The runtime would send a lone surrogate as bytes that are no UTF-8.
  if (body !== undefined) return { text: body.toWellFormed(), type: 'text/plain;charset=UTF-8' }
  return { text: null, type: null }
}

function urlOf(config: HttpWith): URL {
  const url = new URL(config.url)
  const added = encoded(
    Object.entries(config.query ?? {}).flatMap(([name, value]) => [value].flat().map((one) => [name, one] as const)),
  )
  // Not through searchParams: it would encode the query that is there anew, and a signature over it would break.
  if (added !== '') url.search = url.search === '' ? added : `${url.search}&${added}`
  return url
}

function encoded(pairs: (readonly [string, string | number | boolean])[]): string {
  return new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString()
}

function hopsOf(follow: HttpWith['follow_redirects']): number {
  if (typeof follow === 'number') return follow
  return follow ? DEFAULT_REDIRECTS : 0
}

/** Where the answer points to; null if it is no redirect, or points to nothing that is a URL. */
function redirectTarget(response: Response, from: URL): URL | null {
  const location = response.headers.get('location')
  return location !== null && REDIRECT_STATUSES.has(response.status) ? URL.parse(location, from.href) : null
}

/** The request of the next hop (Fetch standard, HTTP-redirect fetch): a POST may become a GET, credentials stay with their origin. */
function redirected(request: HttpRequest, status: number, target: URL): HttpRequest {
  const headers = new Headers(request.headers)
  if (target.origin !== request.url.origin) for (const name of ['authorization', 'cookie']) headers.delete(name)
  const becomesGet =
    status === 303
      ? request.method !== 'GET' && request.method !== 'HEAD'
      : (status === 301 || status === 302) && request.method === 'POST'
  if (!becomesGet) return { ...request, url: target, headers }
  for (const name of BODY_HEADERS) headers.delete(name)
  return { method: 'GET', url: target, headers, body: null }
}

function isExpected(status: number, expected: HttpWith['expect_status']): boolean {
  return [expected].flat().some((one) => {
    if (typeof one === 'number') return one === status
    const [from, to] = one.split('-')
    return status >= Number(from) && status <= Number(to)
  })
}

/** Names in lower case, values joined by ", " but those of Set-Cookie, which may hold commas: always a list. */
function plainHeaders(headers: Headers): JsonObject {
  const plain: JsonObject = {}
  for (const [name, value] of headers) if (name !== 'set-cookie') plain[name] = value
  const cookies = headers.getSetCookie()
  return cookies.length === 0 ? plain : { ...plain, 'set-cookie': cookies }
}

/** A request in a message: method, host and path, at most 300 characters. */
function told({ method, url }: HttpRequest): string {
  return `${method} ${url.host}${url.pathname}`.slice(0, 300)
}
