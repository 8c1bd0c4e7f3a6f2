// A route as a value: one declaration gives the handler that is mounted and the entry of the OpenAPI document, so that
// what is served and what is described cannot part.

import { z } from 'zod'
import type { Env } from '../../env.ts'
import type { ProblemCode } from '../../workflow/codes.ts'
import type { Json } from '../../workflow/json.ts'
import type { Principal } from '../auth.ts'
import { readJson } from './body.ts'
import { readQuery } from './query.ts'

/** A method that a route can have. */
export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE'

/** A request that was let in, and what the path says. */
export interface Arrival {
  readonly request: Request
  readonly env: Env
  /** null on routes that are open to all. */
  readonly principal: Principal | null
  readonly params: Readonly<Record<string, string>>
}

/** Who may call: only callers with a key, or everybody. */
type Access = 'key' | 'open'

/** What a handler gets: a request whose parts have been checked. The tenant is known only on routes that need a key. */
type CallOf<Who extends Access, Path extends string, Query, Body> = Who extends 'key'
  ? Call<Path, Query, Body> & { readonly tenant: string }
  : Call<Path, Query, Body>

interface Call<Path extends string, Query, Body> {
  readonly request: Request
  readonly env: Env
  /** Path of the request, without its query. */
  readonly path: string
  readonly params: ParamsOf<Path>
  readonly query: Query
  readonly body: Body
}

type ParamsOf<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? { readonly [N in Name]: string } & ParamsOf<Rest>
  : unknown

/** A header that the document lists of answers. */
export type AnswerHeader =
  | 'ETag'
  | 'Idempotent-Replayed'
  | 'Link'
  | 'Location'
  | 'Preference-Applied'
  | 'Retry-After'
  | 'Run-Status'
/** A header that the document lists of requests. */
export type RequestHeader =
  | 'Accept'
  | 'Idempotency-Key'
  | 'If-Match'
  | 'If-None-Match'
  | 'Last-Event-ID'
  | 'Prefer'
  | 'traceparent'
  | 'tracestate'

/** One way in which a call can succeed. */
export interface Answer {
  description: string
  /** By media type; a schema alone is JSON; absent: no body. */
  content?: z.ZodType | Readonly<Record<string, z.ZodType>>
  headers?: readonly AnswerHeader[]
}

/** How the body of a request is read and checked. */
export interface BodyRule<Body, Params = Readonly<Record<string, string>>> {
  /** What the document shows. */
  schema: z.ZodType
  maxBytes: number
  /** What a request without a body stands for; undefined where there has to be one. */
  absent?: Json
  /**
   * @param params of the path, for what they and the body have to say of each other
   * @throws ApiProblem with every fault
   */
  check(value: unknown, params: Params): Body | Promise<Body>
}

interface Declaration<Who extends Access, Path extends string, Query extends z.ZodObject, Body> {
  method: Method
  /** As OpenAPI writes it: `/v1/runs/{id}`. */
  path: Path
  tag: 'Workflows' | 'Runs' | 'Task types' | 'Secrets' | 'Service'
  summary: string
  description?: string
  access: Who
  query?: Query
  /** Query parameters of the contract that are not built yet. */
  laterQuery?: readonly string[]
  /** Request headers that mean something here. */
  headers?: readonly RequestHeader[]
  body?: BodyRule<Body, ParamsOf<Path>>
  /** By status. */
  answers: Readonly<Record<number, Answer>>
  /** Besides those that every route has (`problemsOf`). */
  problems: readonly ProblemCode[]
  handle(call: CallOf<Who, Path, z.output<Query>, Body>): Response | Promise<Response>
}

/** A route whose types are closed over. */
export interface Route extends Omit<Declaration<Access, string, z.ZodObject, unknown>, 'handle' | 'body'> {
  readonly body?: Omit<BodyRule<unknown>, 'check'>
  readonly respond: (arrival: Arrival) => Response | Promise<Response>
}

const EMPTY_QUERY = z.strictObject({})
type NoQuery = typeof EMPTY_QUERY

/**
 * Makes a route of its declaration: query and body are checked before `handle` is called.
 * The types of query, body and path parameters are inferred from the declaration and do not leave it.
 */
export function route<
  const Who extends Access,
  const Path extends string,
  Query extends z.ZodObject = NoQuery,
  Body = undefined,
>(declaration: Declaration<Who, Path, Query, Body>): Route {
  const { query: querySchema, laterQuery = [], body: bodyRule, handle, ...described } = declaration
  const schema = querySchema ?? EMPTY_QUERY
  // Of a URL without a query the answer is always the same, and the hottest routes have none.
  let bare: z.output<Query> | undefined
  const queryOf = (url: string) => {
    if (url.includes('?')) return readQuery(schema, url, laterQuery) as z.output<Query>
    bare ??= readQuery(schema, '', laterQuery) as z.output<Query>
    return bare
  }
  const respond = ({ request, env, principal, params }: Arrival) => {
    if (principal === null && described.access === 'key') throw new Error(`${described.path} was reached without a key`)
    const call = {
      request,
      env,
      path: pathOf(request.url),
      params,
      query: queryOf(request.url),
      tenant: principal?.tenant,
    }
    const withBody = (body: Body) => handle({ ...call, body } as unknown as CallOf<Who, Path, z.output<Query>, Body>)
    if (bodyRule === undefined) return withBody(undefined as Body)
    return readJson(request, bodyRule.maxBytes, bodyRule.absent).then((value) => {
      const checked = bodyRule.check(value, call.params as unknown as ParamsOf<Path>)
      // Starts, which are the hottest, have nothing to wait for here.
      return checked instanceof Promise ? checked.then(withBody) : withBody(checked)
    })
  }
  return {
    ...described,
    laterQuery,
    respond,
    ...(querySchema === undefined ? {} : { query: querySchema }),
    ...(bodyRule === undefined ? {} : { body: bodyRule }),
  }
}

/** Codes that any call of the route can be answered with, in no order. */
export function problemsOf({ access, body, problems }: Route): ReadonlySet<ProblemCode> {
  return new Set<ProblemCode>([
    'host_not_allowed',
    'invalid_parameter',
    'internal_error',
    ...(access === 'key' ? (['unauthenticated', 'auth_not_configured', 'unavailable'] as const) : []),
    ...(body === undefined
      ? []
      : (['unsupported_media_type', 'too_large', 'malformed_json', 'invalid_request'] as const)),
    ...problems,
  ])
}

/** A template's path as a pattern for whole paths. */
export function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{[a-z]+\}/g, '[^/]+')}$`)
}

function pathOf(url: string): string {
  const from = url.indexOf('/', url.indexOf('//') + 2)
  const to = url.indexOf('?', from)
  return url.slice(from, to === -1 ? undefined : to)
}
