// The request that an `http` task makes: its first, and what a redirect or the next page makes of it.

import { addCallHeaders } from '../call-headers.ts'
import type { PluginCall } from '../plugin.ts'
import { DEFAULT_REDIRECTS, type HttpWith } from '../with/http-with.ts'
import { multipartBody } from './multipart.ts'

/** A request, and what has to be known of it when a redirect leads to another origin. */
export interface HttpRequest {
  method: string
  url: URL
  headers: Headers
  body: string | Uint8Array | null
  /** The origin that the task names: what holds a secret goes to no other. */
  home: string
  holdsSecret: (text: string) => boolean
  /** Whether a part of the body is a secret that was decoded to be sent, so that it is not found there any more. */
  hasDecodedSecret: boolean
}

const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
/** Headers that speak of a body, dropped with it (Fetch standard, HTTP-redirect fetch). */
const BODY_HEADERS = ['content-encoding', 'content-language', 'content-length', 'content-location', 'content-type']

/**
 * The request that the task describes.
 * @param key its Idempotency-Key, unless the task has one of its own
 */
export async function firstRequest(call: PluginCall<HttpWith>, key: string): Promise<HttpRequest> {
  const { config, holdsSecret = () => false } = call
  const { body, type } = await bodyOf(config)
  const headers = new Headers()
  for (const [name, value] of Object.entries(config.headers ?? {})) headers.set(name, String(value))
  addCallHeaders(headers, { ...call, idempotencyKey: key })
  if (type !== null && !headers.has('content-type')) headers.set('content-type', type)
  const method = config.method ?? (body === null ? 'GET' : 'POST')
  const url = urlOf(config)
  const hasDecodedSecret = config.multipart?.some(({ base64 }) => base64 !== undefined && holdsSecret(base64)) === true
  return { method, url, headers, body, home: url.origin, holdsSecret, hasDecodedSecret }
}

async function bodyOf({
  json,
  form,
  multipart,
  body,
}: HttpWith): Promise<{ body: HttpRequest['body']; type: string | null }> {
  if (json !== undefined) return { body: JSON.stringify(json), type: 'application/json' }
  if (form !== undefined) return { body: encodeForm(Object.entries(form)), type: 'application/x-www-form-urlencoded' }
  if (multipart !== undefined) {
    const { bytes, type } = await multipartBody(multipart)
    return { body: bytes, type }
  }
  // The runtime would send a lone surrogate as bytes that are no UTF-8.
  if (body !== undefined) return { body: body.toWellFormed(), type: 'text/plain;charset=UTF-8' }
  return { body: null, type: null }
}

function urlOf(config: HttpWith): URL {
  const url = new URL(config.url)
  const added = encodeForm(
    Object.entries(config.query ?? {}).flatMap(([name, value]) => [value].flat().map((one) => [name, one] as const)),
  )
  // Not through searchParams: it would encode the query that is there anew, and a signature over it would break.
  if (added !== '') url.search = url.search === '' ? added : `${url.search}&${added}`
  return url
}

function encodeForm(pairs: (readonly [string, string | number | boolean])[]): string {
  return new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString()
}

/** How many redirects are followed. */
export function hopsOf(follow: HttpWith['follow_redirects']): number {
  if (typeof follow === 'number') return follow
  return follow ? DEFAULT_REDIRECTS : 0
}

/** Where the answer points to; null if it is no redirect, or points to nothing that is a URL. */
export function redirectTarget(response: Response, from: URL): URL | null {
  const location = response.headers.get('location')
  return location !== null && REDIRECT_STATUSES.has(response.status) ? URL.parse(location, from.href) : null
}

/** The request of the next hop (Fetch standard, HTTP-redirect fetch): a POST may become a GET, credentials stay with their origin. */
export function requestAfterRedirect(request: HttpRequest, status: number, target: URL): HttpRequest {
  const next = withUrl(request, target)
  const becomesGet =
    status === 303
      ? request.method !== 'GET' && request.method !== 'HEAD'
      : (status === 301 || status === 302) && request.method === 'POST'
  if (!becomesGet) return next
  for (const name of BODY_HEADERS) next.headers.delete(name)
  return { ...next, method: 'GET', body: null }
}

/** The request with another URL. For another origin credentials, and headers that hold a secret, are left out. */
export function withUrl(request: HttpRequest, url: URL): HttpRequest {
  const headers = new Headers(request.headers)
  if (url.origin !== request.url.origin) for (const name of ['authorization', 'cookie']) headers.delete(name)
  if (url.origin !== request.home) {
    for (const [name, value] of request.headers) if (request.holdsSecret(value)) headers.delete(name)
  }
  return { ...request, url, headers }
}

/** Whether the body would take a secret to another host than the one that the task names. Such a request is not sent at all. */
export function takesSecretAway({ url, home, body, holdsSecret, hasDecodedSecret }: HttpRequest): boolean {
  if (url.origin === home || body === null) return false
  if (hasDecodedSecret) return true
  return holdsSecret(typeof body === 'string' ? body : new TextDecoder().decode(body))
}

/** A request in a message: method, host and path, at most 300 characters. */
export function describeRequest({ method, url }: HttpRequest): string {
  return `${method} ${url.host}${url.pathname}`.slice(0, 300)
}
