// Pages of an `http` task: gathered in one attempt, one call after the other, until an expression names no further one.
// Not an attempt for each: where the next page is found is good for minutes, so a page that is fetched after a long wait is another
// list's; and half a list in the history is of use to nobody. An attempt that is made again begins with the first page.

import { evaluateField } from '../../workflow/expression/expression.ts'
import { scopeOfResponse } from '../../workflow/expression/handed-scope.ts'
import type { Json, JsonObject } from '../../workflow/json.ts'
import { expressionFailure, failed } from '../failure.ts'
import type { PluginCall, TaskResult } from '../plugin.ts'
import { type HttpWith, maxBytesOf } from '../with/http-with.ts'
import { type Answer, callHttp, responseOf } from './http-call.ts'
import { describeRequest, firstRequest, type HttpRequest, withUrl } from './http-request.ts'

/** Fetches page after page until `next` yields null, or `limit` pages were fetched. A failure names its page. */
export async function gatherPages(
  attempt: PluginCall<HttpWith>,
  { next, limit }: NonNullable<HttpWith['paginate']>,
  egressAllow: string,
): Promise<TaskResult> {
  const { config, scope, signal, idempotencyKey } = attempt
  const first = await firstRequest(attempt, idempotencyKey)
  const bodies: Json[] = []
  const seen = new Set<string>()
  const maxBytes = maxBytesOf(config)
  let bytesLeft = maxBytes
  let { url } = first
  for (;;) {
    seen.add(url.href)
    const number = bodies.length + 1
    // Each page is asked for like the first; what is meant for the first one's origin alone goes to no other.
    const request = withPageKey(withUrl(first, url), config, `${idempotencyKey}/p${number}`)
    const called = await callHttp(request, config, { maxBytes: bytesLeft, signal, egressAllow })
    if (!called.ok) return onPage(isTooLarge(called.result) ? allTooLarge(request, maxBytes) : called.result, number)
    const { answer } = called
    bodies.push(answer.body)
    bytesLeft -= answer.bytes

    const found = nextUrl(next, scope, answer)
    if (!found.ok) return onPage(found.result, number)
    if (found.url === null || number === limit) return pagesResult(answer, bodies, found.url)
    if (seen.has(found.url.href)) {
      return onPage(
        failed('invalid_response', `${describeRequest(answer.request)} names a page as the next that was fetched`),
        number,
      )
    }
    url = found.url
  }
}

/** Each page has a key of its own, unless the task has set one. */
function withPageKey(request: HttpRequest, { headers: given = {} }: HttpWith, key: string): HttpRequest {
  const isGiven = Object.keys(given).some((name) => name.toLowerCase() === 'idempotency-key')
  if (!isGiven) request.headers.set('idempotency-key', key)
  return request
}

function nextUrl(
  next: string,
  scope: JsonObject,
  answer: Answer,
): { ok: true; url: URL | null } | { ok: false; result: TaskResult } {
  const named = evaluateField(next, scopeOfResponse(scope, responseOf(answer)))
  if (!named.ok) return { ok: false, result: expressionFailure(named.error) }
  // Many APIs give an empty text after the last page.
  if (named.value === null || named.value === '') return { ok: true, url: null }
  const url = typeof named.value === 'string' ? URL.parse(named.value, answer.request.url.href) : null
  if (url !== null) return { ok: true, url }
  return {
    ok: false,
    result: failed('invalid_response', `paginate.next gave no URL for ${describeRequest(answer.request)}`),
  }
}

/** @param next where it would go on */
function pagesResult({ status, headers }: Answer, bodies: Json[], next: URL | null): TaskResult {
  const body = bodies.every((page) => Array.isArray(page)) ? bodies.flat() : bodies
  return { kind: 'succeeded', output: { status, headers, body, pages: bodies.length, next: next?.href ?? null } }
}

function isTooLarge(result: TaskResult): boolean {
  return result.kind === 'failed' && result.error.code === 'response_too_large'
}

/** The call knows what was left of the bytes, which is no number that anybody has set. */
function allTooLarge(request: HttpRequest, maxBytes: number): TaskResult {
  const what = `${describeRequest(request)} brings the pages beyond ${maxBytes} bytes together, max_bytes of all pages`
  return failed('response_too_large', what)
}

/** The failure, with the page that it is about. */
function onPage(result: TaskResult, page: number): TaskResult {
  if (result.kind !== 'failed') return result
  return { ...result, error: { ...result.error, message: `Page ${page}: ${result.error.message}` } }
}
