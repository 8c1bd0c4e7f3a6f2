// One call of an `http` task: its redirects are followed here so that each hop passes the egress policy, its answer becomes JSON.
// Whatever the network does ends as a result; when the signal has fired the executor has its answer already, so what is said
// then does not matter, only that it is said soon. Messages hold the method, host and path: never a query, a header or what
// the runtime says of the failure, which may quote them.

import type { Json, JsonObject } from '../../workflow/json.ts'
import { egressFault } from '../egress.ts'
import { failed } from '../failure.ts'
import type { TaskResult } from '../plugin.ts'
import { parseRetryAfter } from '../retry-after.ts'
import type { HttpWith } from '../with/http-with.ts'
import { excerpt, hashBody, parseBody, readBody } from './http-body.ts'
import {
  describeRequest,
  type HttpRequest,
  hopsOf,
  redirectTarget,
  requestAfterRedirect,
  takesSecretAway,
} from './http-request.ts'
import { linksIn } from './links.ts'

/** An answer that was expected. */
export interface Answer {
  /** What was sent to get it, after all redirects. */
  request: HttpRequest
  status: number
  /** Names in lower case. */
  headers: JsonObject
  body: Json
  /** Length of the body as it came, in bytes. */
  bytes: number
  /** How long the server wants to be left alone; null if it did not say. */
  retryAfterMs: number | null
  /** Its Link header, for links.ts. */
  link: string | null
}

/** How a call ended: with an answer that was expected, or as the end of the attempt. */
export type Called = { ok: true; answer: Answer } | { ok: false; result: TaskResult }

/** What bounds one call. */
export interface CallBounds {
  /** The largest body that is taken, in bytes. */
  maxBytes: number
  signal: AbortSignal
  egressAllow: string
}

const BODILESS_STATUSES: ReadonlySet<number> = new Set([204, 205, 304])
/** Enough of a refusal's body for its 200 characters. */
const EXCERPT_BYTES = 1_024

/** Makes a call and follows its redirects, each of which has to pass the egress policy. Never throws for what the network does. */
export async function callHttp(first: HttpRequest, config: HttpWith, bounds: CallBounds): Promise<Called> {
  const hops = hopsOf(config.follow_redirects)
  let request = first
  for (let hop = 0; ; hop++) {
    const refusal = egressFault(request.url, bounds.egressAllow)
    if (refusal !== null)
      return refused(failed('egress_denied', `${describeRequest(request)} was not sent: ${refusal}`))

    if (takesSecretAway(request)) {
      const why = 'its body holds a secret, which is for the host that the task names'
      return refused(failed('egress_denied', `${describeRequest(request)} was not sent: ${why}`))
    }

    const response = await send(request, bounds.signal)
    if (response === null)
      return refused(failed('http_network', `${describeRequest(request)} had no answer: the connection failed`))

    const target = redirectTarget(response, request.url)
    if (target === null || hop === hops) return read(request, response, config, bounds)
    response.body?.cancel().catch(() => {}) // Nobody reads what a redirect says; if it broke off, all the better.
    request = requestAfterRedirect(request, response.status, target)
  }
}

function refused(result: TaskResult): { ok: false; result: TaskResult } {
  return { ok: false, result }
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

/** What the last answer means: the answer as JSON, or the failure that it is. */
async function read(request: HttpRequest, response: Response, config: HttpWith, bounds: CallBounds): Promise<Called> {
  const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), Date.now())
  if (!isExpected(response.status, config.expect_status)) {
    const { bytes } = await readBody(response, EXCERPT_BYTES, bounds.signal)
    const said = excerpt(bytes, response.headers.get('content-type'))
    const failure = failed(
      `http_${response.status}`,
      `${describeRequest(request)} answered ${response.status}${said === '' ? '' : `: ${said}`}`,
    )
    return refused(retryAfterMs === null ? failure : { ...failure, retryAfterMs })
  }
  const body = await bodyOf(request, response, config.parse, bounds)
  if (!body.ok) return body
  const { status, headers } = response
  const link = headers.get('link')
  return { ok: true, answer: { request, status, headers: plainHeaders(headers), ...body.of, retryAfterMs, link } }
}

async function bodyOf(
  request: HttpRequest,
  response: Response,
  parse: HttpWith['parse'],
  { maxBytes, signal }: CallBounds,
): Promise<{ ok: true; of: { body: Json; bytes: number } } | { ok: false; result: TaskResult }> {
  const isBodiless = request.method === 'HEAD' || BODILESS_STATUSES.has(response.status)
  const isHashed = parse === 'hash' && !isBodiless
  const taken = isHashed ? await hashBody(response, maxBytes, signal) : await readBody(response, maxBytes, signal)
  if (taken.isBroken)
    return refused(failed('http_network', `${describeRequest(request)} broke off in the middle of its answer`))
  if (taken.isCut) {
    return refused(
      failed('response_too_large', `${describeRequest(request)} answered with more than ${maxBytes} bytes`),
    )
  }
  if ('sha256' in taken) {
    const { sha256, length } = taken
    return { ok: true, of: { body: { sha256, bytes: length }, bytes: length } }
  }
  const { bytes } = taken
  const form = parse === 'hash' ? 'auto' : parse
  const body = isBodiless ? { value: null } : parseBody(bytes, form, response.headers.get('content-type'))
  if (body !== null) return { ok: true, of: { body: body.value, bytes: bytes.byteLength } }
  const what = `${describeRequest(request)} answered with a body that is not what parse: "${parse}" takes`
  return refused(failed('invalid_response', what))
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

/** What expressions over an answer see. */
export function responseOf({ status, headers, body, link }: Answer): { [name: string]: Json } {
  return { status, headers, body, links: linksIn(link) }
}
