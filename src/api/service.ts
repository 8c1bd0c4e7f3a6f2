// The service itself: is it up, what does it count, what can it do.

import { z } from 'zod'
import { metricsOf } from '../objects.ts'
import { authMode, authNotConfigured, isAuthConfigured } from './auth.ts'
import { docsPage, errorsPage } from './docs.ts'
import { preferredType } from './http/accept.ts'
import { withRepeats } from './http/repeats.ts'
import { tellRequests } from './http/request-counts.ts'
import { type Route, route } from './http/route.ts'
import { openApiText } from './openapi.ts'

const NOT_READY_SECONDS = '30'

const PLAIN = 'text/plain'
const OPEN_METRICS = 'application/openmetrics-text'

/** A scraper parses by version, so a type without one would not do. */
const METRICS_TYPES = {
  [PLAIN]: `${PLAIN}; version=0.0.4; charset=utf-8`,
  [OPEN_METRICS]: `${OPEN_METRICS}; version=1.0.0; charset=utf-8`,
} as const

function healthRoute(path: '/healthz' | '/health'): Route {
  return route({
    method: 'GET',
    path,
    tag: 'Service',
    summary: 'Whether the service answers',
    access: 'open',
    answers: { 200: { description: 'It does.', content: z.strictObject({ status: z.literal('ok') }) } },
    problems: [],
    handle: () => uncachedResponse('{"status":"ok"}'),
  })
}

const ready = route({
  method: 'GET',
  path: '/readyz',
  tag: 'Service',
  summary: 'Whether the service can serve',
  description: 'A deployment that can let nobody in, since no key is configured, is not ready.',
  access: 'open',
  answers: { 200: { description: 'It can.', content: z.strictObject({ auth: z.enum(['required', 'none']) }) } },
  problems: ['auth_not_configured'],
  handle({ env }) {
    if (!isAuthConfigured(env)) throw authNotConfigured({ 'Retry-After': NOT_READY_SECONDS })
    return uncachedResponse(JSON.stringify({ auth: authMode(env) }))
  },
})

const metrics = route({
  method: 'GET',
  path: '/metrics',
  tag: 'Service',
  summary: 'Metrics for Prometheus',
  description: 'Text format 0.0.4, or OpenMetrics 1.0 if Accept asks for it.',
  access: 'key',
  headers: ['Accept'],
  answers: {
    200: {
      description: 'The metrics.',
      content: { [PLAIN]: z.string(), [OPEN_METRICS]: z.string() },
    },
  },
  problems: [],
  async handle({ request, env, tenant }) {
    // What this isolate has answered so far belongs to the picture.
    await tellRequests(env, tenant)
    const format = preferredType(request.headers, [PLAIN, OPEN_METRICS]) ?? PLAIN
    const init = { headers: { Accept: format } }
    const metrics = () => metricsOf(env, tenant).fetch('https://metrics/metrics', init)
    const { status, body } = await withRepeats(metrics)
    if (status !== 200) throw new Error(`the Metrics object answered ${status}`)
    return new Response(body, { headers: { 'Content-Type': METRICS_TYPES[format], Vary: 'Accept' } })
  },
})

const errors = route({
  method: 'GET',
  path: '/docs/errors',
  tag: 'Service',
  summary: 'What the codes mean',
  access: 'open',
  answers: { 200: { description: 'A page for people; each code is an anchor.', content: { 'text/html': z.string() } } },
  problems: [],
  handle: errorsPage,
})

const docs = route({
  method: 'GET',
  path: '/docs',
  tag: 'Service',
  summary: 'A page to read and try the API',
  access: 'open',
  answers: { 200: { description: 'A page for people.', content: { 'text/html': z.string() } } },
  problems: [],
  handle: docsPage,
})

/** @param routes all there are, these included */
export function serviceRoutes(routes: () => readonly Route[]): readonly Route[] {
  let text: string | undefined
  const openApi = route({
    method: 'GET',
    path: '/openapi.json',
    tag: 'Service',
    summary: 'This document',
    access: 'open',
    answers: { 200: { description: 'OpenAPI 3.1.', content: z.looseObject({ openapi: z.string() }) } },
    problems: [],
    handle() {
      text ??= openApiText(routes())
      return new Response(text, { headers: { 'Content-Type': 'application/json' } })
    },
  })
  return [healthRoute('/healthz'), healthRoute('/health'), ready, metrics, openApi, docs, errors]
}

function uncachedResponse(body: string): Response {
  return new Response(body, { headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' } })
}
