// Calls of the API as a client makes them. Every answer is held against the route's declaration, which is what the OpenAPI
// document shows: its status, its headers, its body by the strict schema, and the code of a problem.

import { createExecutionContext } from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import { expect } from 'vitest'
import { z } from 'zod'
import { app, routes } from '../../src/api/app.ts'
import { patternOf, problemsOf, type Route } from '../../src/api/http/route.ts'
import { ProblemSchema } from '../../src/api/schemas.ts'
import type { Env } from '../../src/env.ts'
import { CODES } from '../../src/workflow/codes.ts'

export const ORIGIN = 'http://localhost:8080'

// biome-ignore lint/suspicious/noExplicitAny: answers are data; the schemas have checked them before a test looks
export type Answer = { status: number; headers: Headers; text: string; body: any }

export interface Options {
  headers?: Record<string, string>
  /** Sent as JSON, unless it is a text or a stream. */
  body?: unknown
  /** Differs from the environment of the tests in these. */
  env?: Partial<Record<keyof Env, unknown>>
  origin?: string
}

export async function call(method: string, path: string, options: Options = {}): Promise<Answer> {
  const response = await fetchRaw(method, path, options)
  const text = await response.text()
  const isJson = /json/.test(response.headers.get('Content-Type') ?? '')
  const answer = {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson && text !== '' ? JSON.parse(text) : undefined,
  }
  expectDeclared(method, path, answer)
  return answer
}

export const get = (path: string, options?: Options) => call('GET', path, options)
export const post = (path: string, body?: unknown, headers: Record<string, string> = {}) =>
  call('POST', path, { body, headers })

export function fetchRaw(
  method: string,
  path: string,
  { headers = {}, body, env: changes, origin = ORIGIN }: Options,
): Promise<Response> {
  const isRaw = typeof body === 'string' || body instanceof ReadableStream || body instanceof Uint8Array
  const request = new Request(`${origin}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: (isRaw ? body : JSON.stringify(body)) as BodyInit }),
  })
  if (changes === undefined) return exports.default.fetch(request)
  return Promise.resolve(app.fetch(request, { ...env, ...changes } as Env, createExecutionContext()))
}

export function routeOf(method: string, path: string): Route | undefined {
  const asked = method === 'HEAD' ? 'GET' : method
  const [pathname = ''] = path.split('?')
  return routes.find((route) => route.method === asked && patternOf(route.path).test(pathname))
}

const UNROUTED = [
  'not_found',
  'method_not_allowed',
  'not_available',
  'host_not_allowed',
  'unauthenticated',
  'auth_not_configured',
]

function expectDeclared(method: string, path: string, { status, headers, body, text }: Answer): void {
  expect(headers.get('X-Request-Id')).toMatch(/^[A-Za-z0-9._-]{1,64}$/)
  if (method === 'OPTIONS' && status === 204) return
  const route = routeOf(method, path)
  if (method === 'HEAD') expect(text).toBe('')
  if (status >= 400) {
    if (method === 'HEAD') return
    expect(headers.get('Content-Type')).toBe('application/problem+json')
    const { code, type, request_id, ...problem } = ProblemSchema.parse(body)
    expect(problem.status).toBe(status)
    expect(CODES[code].status).toBe(status)
    expect(new URL(type).hash).toBe(`#${code}`)
    expect(request_id).toBe(headers.get('X-Request-Id'))
    expect(route === undefined ? UNROUTED : [...problemsOf(route)]).toContain(code)
    expect(text).not.toMatch(/\bat .*\.ts:\d/)
    return
  }
  const answer = route?.answers[status]
  if (answer === undefined) throw new Error(`${method} ${path} answered ${status}, which is not declared`)
  for (const name of [
    'ETag',
    'Idempotent-Replayed',
    'Link',
    'Location',
    'Preference-Applied',
    'Retry-After',
    'Run-Status',
  ] as const) {
    if (headers.has(name)) expect(answer.headers ?? []).toContain(name)
  }
  if (method === 'HEAD' || status === 304 || status === 204) return
  const type = headers.get('Content-Type')!.split(';')[0]!
  const schema = answer.content instanceof z.ZodType ? answer.content : answer.content?.[type]
  if (schema === undefined) throw new Error(`${method} ${path} answered ${type}, which is not declared`)
  if (type === 'application/json') schema.parse(body)
}

let names = 0

/** A name that no other test has. */
export function aName(): string {
  names++
  return `wf-${names}-${crypto.randomUUID().slice(0, 8)}`
}

/** Registers a workflow of placeholders: `{ b: ['a'] }` is b after a. */
export async function aWorkflow(shape: Record<string, string[]> = { only: [] }, rest: object = {}): Promise<string> {
  const name = aName()
  const tasks = Object.entries(shape).map(([id, depends_on]) => ({ id, type: 'http', depends_on }))
  const { status } = await post('/v1/workflows', { name, tasks, ...rest })
  expect(status).toBe(201)
  return name
}

/** Registers a workflow of one HTTP call to a server that tests stand in for. */
export async function aCallingWorkflow(rest: object = {}): Promise<string> {
  const name = aName()
  const tasks = [{ id: 'call', type: 'http', with: { url: 'https://upstream.test/slow' } }]
  const { status } = await post('/v1/workflows', { name, tasks, ...rest })
  expect(status).toBe(201)
  return name
}
