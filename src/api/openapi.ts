// The OpenAPI 3.1 document, made from the routes and from the schemas that validate. Nothing is described here that is not
// declared where it is served, except what all routes share.

import { z } from 'zod'
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiResponseObject,
} from 'zod-openapi'
import { TASK_TYPES } from '../tasks/schemas.ts'
import { CODES, type ProblemCode } from '../workflow/codes.ts'
import type { TaskTypes } from '../workflow/definition/task-types.ts'
import type { Json } from '../workflow/json.ts'
import { type Answer, type AnswerHeader, problemsOf, type RequestHeader, type Route } from './http/route.ts'
import { PATH_PARAMETERS, ProblemSchema } from './schemas.ts'

/** Headers that no route declares: they follow from who may call it, from what it varies by, or stand on every answer. */
type CommonHeader = 'Allow' | 'Vary' | 'WWW-Authenticate' | 'X-Request-Id'

const ANSWER_HEADERS: Readonly<Record<AnswerHeader | CommonHeader, string>> = {
  Allow: 'The methods that the path takes.',
  ETag: 'For If-None-Match, and for If-Match of a registration.',
  'Idempotent-Replayed': '`true`: an earlier request with this key has begun what is answered with.',
  Link: 'The next page, with `rel="next"`; absent on the last.',
  Location: 'Where to find it.',
  'Preference-Applied': 'What of Prefer was honoured.',
  'Retry-After': 'Seconds after which to ask again.',
  'Run-Status': 'The status of the run.',
  Vary: 'The headers of the request that decide what the answer looks like.',
  'WWW-Authenticate': 'How to send a key: `Bearer`.',
  'X-Request-Id': 'Names the request in logs; as the caller sent it, if that can be logged.',
}

const REQUEST_HEADERS: Readonly<Record<RequestHeader, string>> = {
  Accept: 'The media types that are taken.',
  'Last-Event-ID': 'Number of the last event that the client has; browsers send it when they connect again.',
  'Idempotency-Key': '1 to 255 visible ASCII characters, bare or quoted; kept for 24 h.',
  'If-Match': 'The version that must be the newest, as `"3"`, or `*`.',
  'If-None-Match': 'ETag of what the client has.',
  traceparent:
    'The trace that the run belongs to (W3C Trace Context): calls of `http` tasks carry it on. Ignored if malformed.',
  tracestate: 'Passed on with `traceparent`, up to 512 characters.',
  Prefer: '`respond-async` or `wait=N`, N seconds up to 30 (RFC 7240).',
}

const RETRY_AFTER: ReadonlySet<ProblemCode> = new Set([
  'bulk_limit',
  'unavailable',
  'start_unconfirmed',
  'too_many_watchers',
  'watchers_exhausted',
])

/** The path at which operators ask whether the service can serve. */
const READINESS = '/readyz'

/** The OpenAPI 3.1 document of these routes, as JSON text. */
export function openApiText(routes: readonly Route[]): string {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {}
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route) }
  }
  const document = createDocument(
    {
      openapi: '3.1.0',
      info: {
        title: 'edge-orchestrator',
        version: 'v1',
        description:
          'Workflows as JSON, run in parallel and durably at the edge. Errors are problems (RFC 9457); their codes are at /docs/errors. A method that a path does not take is `MethodNotAllowed`, a path that there is not `NotFound` (under `components`).',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/' }],
      tags: [
        { name: 'Workflows', description: 'What can be run.' },
        { name: 'Runs', description: 'What runs and ran.' },
        { name: 'Task types', description: 'What a task can do.' },
        { name: 'Secrets', description: 'Keys of other services, which tasks use and nobody reads back.' },
        { name: 'Service', description: 'The service itself.' },
      ],
      security: [{ bearer: [] }],
      paths: paths as ZodOpenApiPathsObject,
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
        schemas: withSchemas(),
        // No operation has them: they are answers of paths, for methods that the path does not take, and of no path.
        responses: {
          MethodNotAllowed: refusals(new Set(['method_not_allowed']), false)[CODES.method_not_allowed.status]!,
          NotFound: refusals(new Set(['not_found']), false)[CODES.not_found.status]!,
        },
      },
    },
    {
      // Answers may get new members (the contract says so); only what is sent is closed.
      override: ({ jsonSchema, io }) => {
        if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
      },
    },
  )
  return JSON.stringify(document)
}

function operation(route: Route): ZodOpenApiOperationObject {
  const { method, path, tag, summary, description, access, query, headers, body, answers } = route
  const names = [...path.matchAll(/\{([a-z]+)\}/g)].map(([, name]) => name!)
  return {
    operationId: operationId(method, path),
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    ...(access === 'open' ? { security: [] } : {}),
    requestParams: {
      ...(names.length === 0
        ? {}
        : { path: z.object(Object.fromEntries(names.map((name) => [name, PATH_PARAMETERS[name]!]))) }),
      ...(query === undefined ? {} : { query }),
      ...(headers === undefined ? {} : { header: headersOf(headers, REQUEST_HEADERS) }),
    },
    ...(body === undefined
      ? {}
      : { requestBody: { ...absence(body.absent), content: { 'application/json': { schema: body.schema } } } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, answer]) => [
          status,
          response(answer, headers?.includes('Accept') === true),
        ]),
      ),
      ...refusals(problemsOf(route), path === READINESS),
    },
  }
}

/** Whether a body has to be there, and what its absence stands for. */
function absence(absent: Json | undefined) {
  if (absent === undefined) return { required: true }
  return { required: false, description: `Without a body it is \`${JSON.stringify(absent)}\`.` }
}

/** `GET /v1/runs/{id}/tasks` is `getRunsIdTasks`. */
function operationId(method: string, path: string): string {
  const words = path
    .replace(/^\/v1/, '')
    .split(/[^A-Za-z]+/)
    .filter((word) => word !== '')
  return method.toLowerCase() + words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('')
}

/** @param isNegotiated by Accept */
function response({ description, content, headers = [] }: Answer, isNegotiated: boolean): ZodOpenApiResponseObject {
  const byType = content instanceof z.ZodType ? { 'application/json': content } : (content ?? {})
  const media = Object.entries(byType).map(([type, schema]) => [type, { schema }] as const)
  return {
    description,
    ...(media.length === 0 ? {} : { content: Object.fromEntries(media) }),
    headers: headersOf(
      [...headers, ...(isNegotiated && media.length > 0 ? (['Vary'] as const) : []), 'X-Request-Id'],
      ANSWER_HEADERS,
    ),
  }
}

/**
 * One answer per status, which lists the codes that come with it.
 * @param saysWhen whether a service that is not ready says when to ask again: only where readiness is asked for
 */
function refusals(codes: ReadonlySet<ProblemCode>, saysWhen: boolean): Record<string, ZodOpenApiResponseObject> {
  const byStatus = Map.groupBy([...codes].sort(), (code) => CODES[code].status)
  const entries = [...byStatus].map(([status, members]): [string, ZodOpenApiResponseObject] => {
    const description = members.map((code) => `\`${code}\`: ${CODES[code].meaning}`).join('\n\n')
    const examples = Object.fromEntries(members.map((code) => [code, { value: exampleOf(code) }]))
    const names = [
      ...((saysWhen && status === 503) || members.some((code) => RETRY_AFTER.has(code))
        ? (['Retry-After'] as const)
        : []),
      ...(status === 401 ? (['WWW-Authenticate'] as const) : []),
      ...(status === 405 ? (['Allow'] as const) : []),
      'X-Request-Id' as const,
    ]
    const headers = headersOf(names, ANSWER_HEADERS)
    return [
      String(status),
      { description, content: { 'application/problem+json': { schema: ProblemSchema, examples } }, headers },
    ]
  })
  return Object.fromEntries(entries)
}

function exampleOf(code: ProblemCode) {
  const { status, meaning } = CODES[code]
  return {
    type: `https://host/docs/errors#${code}`,
    title: meaning,
    status,
    detail: meaning,
    code,
    request_id: 'b1946ac9',
  }
}

function headersOf<Name extends string>(names: readonly Name[], words: Readonly<Record<Name, string>>) {
  return z.object(
    Object.fromEntries(names.map((name) => [name, z.string().optional().meta({ description: words[name] })])),
  )
}

/** `with` of each task type that is built, under a name of its own: `HttpWith`. */
function withSchemas(): Record<string, z.ZodType> {
  const types: TaskTypes = TASK_TYPES
  const entries = Object.entries(types).flatMap(([type, { with: config }]) =>
    config === undefined ? [] : [[`${type[0]!.toUpperCase()}${type.slice(1)}With`, config.inDefinition] as const],
  )
  return Object.fromEntries(entries)
}
