// The HTTP surface put together: who is let in, which route serves, and how every failure is answered.
// Nothing that is thrown leaves as anything but a problem.

import { type Context, Hono } from 'hono'
import type { Env } from '../env.ts'
import { isOverloaded, isRetryable } from '../start.ts'
import { authenticate, DEFAULT_TENANT, type Principal } from './auth.ts'
import { allowOrigin, checkHost, preflightHeaders } from './hosts.ts'
import { ApiProblem, renderProblem } from './http/problem.ts'
import { countRequest } from './http/request-counts.ts'
import { patternOf, type Route } from './http/route.ts'
import { isLater } from './later.ts'
import { bulkRoutes } from './runs/bulk.ts'
import { callbackRoutes } from './runs/callbacks.ts'
import { circuitRoutes } from './runs/circuits.ts'
import { historyRoutes } from './runs/history.ts'
import { runPartRoutes } from './runs/run-parts.ts'
import { retryRoutes } from './runs/run-retry.ts'
import { startRoutes } from './runs/run-start.ts'
import { runRoutes } from './runs/runs.ts'
import { signalRoutes } from './runs/signals.ts'
import { serviceRoutes } from './service.ts'
import { secretRoutes } from './workflows/secrets.ts'
import { taskTypeRoutes } from './workflows/task-types.ts'
import { versionRoutes } from './workflows/versions.ts'
import { workflowRoutes } from './workflows/workflows.ts'

type App = Context<{ Bindings: Env }>

/** Every route there is: what is mounted below, and what the OpenAPI document describes. */
export const routes: readonly Route[] = [
  ...workflowRoutes,
  ...versionRoutes,
  ...startRoutes,
  ...bulkRoutes,
  ...retryRoutes,
  ...runRoutes,
  ...runPartRoutes,
  ...historyRoutes,
  ...signalRoutes,
  ...callbackRoutes,
  ...circuitRoutes,
  ...taskTypeRoutes,
  ...secretRoutes,
  ...serviceRoutes(() => routes),
]

const openRoutes = routes.filter(({ access }) => access === 'open')
const openPaths: ReadonlySet<string> = new Set(openRoutes.map(({ path }) => path))
const openPatterns = openRoutes.filter(({ path }) => path.includes('{')).map(({ path }) => patternOf(path))
const patterns = routes.map(({ method, path }) => ({ method, pattern: patternOf(path) }))

const SANE_REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/

/** The Worker's `fetch`, with every route mounted. */
export const app = new Hono<{ Bindings: Env }>()

for (const { method, path, respond } of routes) {
  const honoPath = path.replaceAll(/\{([a-z]+)\}/g, ':$1')
  app.on(method, honoPath, (c) =>
    surround(c, path, (principal) => respond({ request: c.req.raw, env: c.env, principal, params: c.req.param() })),
  )
}

app.notFound((c) => surround(c, '_unrouted', () => answerUnrouted(c)))

/**
 * What stands around every answer, in this order: request id, host and origin, key, the route itself, problems, CORS.
 * One function and no chain of middleware, which would cost each start an asynchronous step for each link.
 */
async function surround(
  c: App,
  route: string,
  serve: (principal: Principal | null) => Response | Promise<Response>,
): Promise<Response> {
  const begunAt = Date.now()
  const request = c.req.raw
  const given = request.headers.get('X-Request-Id')
  const requestId = given !== null && SANE_REQUEST_ID.test(given) ? given : crypto.randomUUID()
  let response: Response
  try {
    checkHost(request, c.env)
    // A preflight carries no key, and its answer says no more than the document does.
    const isOpen = isOpenPath(c.req.path) || request.method === 'OPTIONS'
    response = await serve(isOpen ? null : await authenticate(request.headers, c.env))
  } catch (error) {
    response = renderProblem(toProblem(error, request.method, c.req.path, requestId), request.url, requestId)
  }
  response.headers.set('X-Request-Id', requestId)
  allowOrigin(request, c.env, response.headers)
  const count = { route, status: response.status, durationMs: Date.now() - begunAt }
  countRequest(c.env, DEFAULT_TENANT, count, (work) => c.executionCtx.waitUntil(work))
  return response
}

/** Whether this path can be called without a key, by any method. */
function isOpenPath(path: string): boolean {
  return openPaths.has(path) || openPatterns.some((pattern) => pattern.test(path))
}

/** The path as logs may have it: a link that answers a task is a key, so what it is made of is left out. */
function pathForLogs(path: string): string {
  return path.replace(/^(\/v1\/callbacks\/).+/, '$1***')
}

/** Calls that no route serves. */
function answerUnrouted(c: App): Response {
  const { method, path } = c.req
  const allow = allowedMethods(path)
  if (method === 'OPTIONS' && allow !== null) {
    return new Response(null, { status: 204, headers: { Allow: allow, ...preflightHeaders(c.req.raw, c.env, allow) } })
  }
  if (isLater(method, path)) {
    throw new ApiProblem('not_available', 'The call is part of the contract, but not of this release')
  }
  if (allow !== null)
    throw new ApiProblem('method_not_allowed', `The path takes ${allow}`, { headers: { Allow: allow } })
  throw new ApiProblem('not_found', 'There is nothing at this path; /openapi.json lists what there is')
}

/** What Allow lists for a path; null if there is nothing. */
function allowedMethods(path: string): string | null {
  const methods = patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)
  if (methods.length === 0) return null
  return [...methods.flatMap((method) => (method === 'GET' ? [method, 'HEAD'] : [method])), 'OPTIONS'].join(', ')
}

function toProblem(error: unknown, method: string, path: string, requestId: string): ApiProblem {
  if (error instanceof ApiProblem) return error
  if (isRetryable(error) || isOverloaded(error)) {
    return new ApiProblem('unavailable', 'A part of the service did not answer; try again', {
      headers: { 'Retry-After': '1' },
    })
  }
  // One line, without body, key or query: those may hold secrets.
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined }
  const place = { method, path: pathForLogs(path) }
  console.error(JSON.stringify({ event: 'api_fault', request_id: requestId, ...place, message, stack }))
  return new ApiProblem('internal_error', 'The service has a bug; its log has this request id')
}
