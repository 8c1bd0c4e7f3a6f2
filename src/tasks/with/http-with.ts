// Pure. The schema of `with` of an `http` task, written for rendered values; the form for definitions is derived from it.
// Every default, bound and rule of a call stands here and nowhere else; http.ts does what it says.

import { z } from 'zod'
import type { FaultCode } from '../../workflow/codes.ts'
import { choice } from '../../workflow/definition/choice.ts'
import { type Json, type JsonObject, MAX_VALUE_BYTES } from '../../workflow/json.ts'
import { sizeBytes, sizeSchema } from '../size.ts'
import { isTemplate, withTemplates } from '../templates.ts'
import { multipartSchema } from './multipart-with.ts'
import { paginateSchema, pollSchema } from './repeat-with.ts'

/** The largest body of an answer that is taken whole: the output that it ends in may be no larger either. */
const MAX_BODY_BYTES = MAX_VALUE_BYTES
/** The largest body of an answer that is only hashed. */
const MAX_HASHED_BYTES = 10 * 1_073_741_824

/** How many hops `follow_redirects: true` follows. */
export const DEFAULT_REDIRECTS = 5

/** A custom issue's `params`. */
const fault = (code: FaultCode) => ({ code })

const isList = (value: unknown) => (Array.isArray(value) ? 0 : 1)
const isText = (value: unknown) => (typeof value === 'string' ? 0 : 1)

const STATUS_RANGE = /^([1-5]\d\d)-([1-5]\d\d)$/
/** Header names, RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** Visible ASCII, blanks and tabs: how anything else is sent differs from runtime to runtime, and line ends would smuggle headers in. */
export const HEADER_VALUE = /^[\t\x20-\x7e]*$/

/** Headers that belong to the connection, which fetch manages (RFC 9110 section 7.6.1, and the Fetch standard's list). */
export const FORBIDDEN_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
])

const scalar = z.union([z.string(), z.number(), z.boolean()], 'must be a string, a number or a boolean')

const headers = z
  .record(z.string(), choice(isText, [z.string().regex(HEADER_VALUE, 'must be visible ASCII on one line'), scalar]))
  .superRefine((value, ctx) => {
    const seen = new Set<string>()
    for (const name of Object.keys(value)) {
      const lower = name.toLowerCase()
      const refuse = (code: FaultCode, message: string) =>
        ctx.addIssue({ code: 'custom', path: [name], params: fault(code), message })
      if (!TOKEN.test(name)) refuse('invalid_format', 'is not the name of a header')
      else if (FORBIDDEN_HEADERS.has(lower)) refuse('invalid_value', 'is set by the service itself')
      else if (seen.has(lower)) refuse('conflicting_fields', 'stands twice: names of headers ignore case')
      seen.add(lower)
    }
  })

const status = choice(isText, [
  z
    .string()
    .regex(STATUS_RANGE, { error: 'must be a status or a range such as "200-299"', abort: true })
    .refine((range) => range.slice(0, 3) <= range.slice(4), {
      params: fault('invalid_value'),
      error: 'ends before it begins',
    }),
  z.int().min(100).max(599),
])

/** A URL that a task may name: http or https, without credentials. */
export const url = z
  .url({ protocol: /^https?$/, error: 'must be a URL of http or https' })
  .refine((text) => !hasCredentials(text), {
    params: fault('invalid_value'),
    error: 'must not hold credentials; put them into a header',
  })

const BODY_FIELDS = ['json', 'form', 'multipart', 'body'] as const

const fields = z.strictObject({
  method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']).optional().meta({
    description: 'POST if there is a body field (`json`, `form`, `multipart` or `body`), else GET.',
    example: 'POST',
  }),
  url: url.meta({
    description:
      'Where to: http or https, without credentials. Private and local addresses are refused (EGRESS_ALLOW).',
    example: 'https://api.example.com/orders',
  }),
  query: z
    .record(z.string(), choice(isList, [z.array(scalar), scalar]))
    .optional()
    .meta({
      description: 'Appended to the query of the URL; a list repeats its name.',
      example: { page: 2, tag: ['a', 'b'] },
    }),
  headers: headers.optional().meta({
    description:
      'Request headers, visible ASCII. Those of the connection (Host, Content-Length ...) are refused. An Idempotency-Key, User-Agent or Content-Type of yours replaces the default.',
    example: { authorization: 'Bearer ...' },
  }),
  json: (z.unknown() as unknown as z.ZodType<Json>)
    .optional()
    .meta({ description: 'Body: a JSON value, sent as application/json.', example: { amount: 12 } }),
  form: z
    .record(z.string(), scalar)
    .optional()
    .meta({ description: 'Body: fields, sent as application/x-www-form-urlencoded.', example: { name: 'a b' } }),
  multipart: multipartSchema.optional(),
  body: z
    .string({
      error: ({ input }) =>
        typeof input === 'object' && input !== null ? 'must be a text; put a JSON value in "json"' : undefined,
    })
    .optional()
    .meta({ description: 'Body: a text, sent as UTF-8.', example: 'plain text' }),
  expect_status: choice(isList, [z.array(status).min(1).max(20), status])
    .default('200-299')
    .meta({
      description:
        'Statuses that count as success: a number, a range "200-299" (both ends included), or a list of these. Redirects that are followed are not judged, only the answer at their end.',
      example: ['200-299', 404],
    }),
  parse: z.enum(['auto', 'json', 'text', 'base64', 'hash']).default('auto').meta({
    description:
      'How the body becomes JSON. `auto` goes by Content-Type: JSON for JSON types; a text for text/*, XML, JavaScript and urlencoded; else base64; null if it is empty. `hash` keeps nothing of it: `{sha256, bytes}`, the digest in hexadecimal, of up to 10 GiB.',
    example: 'json',
  }),
  max_bytes: sizeSchema({ min: 1, max: MAX_HASHED_BYTES }).optional().meta({
    description:
      'The largest body taken, in bytes or as "512KiB": at most 1 MiB, which is the default; with `parse: "hash"` 10 GiB, likewise. Of pages, all together. A larger one fails with `response_too_large`.',
    example: '512KiB',
  }),
  follow_redirects: choice((value) => (typeof value === 'boolean' ? 0 : 1), [z.boolean(), z.int().min(0).max(10)])
    .default(true)
    .meta({
      description: `How many redirects are followed: a count up to 10, true (${DEFAULT_REDIRECTS}) or false (none).`,
      example: 3,
    }),
  paginate: paginateSchema.optional(),
  poll: pollSchema.optional(),
})

/** What is wrong between fields. In a definition a field may be a template, whose value only a run knows. */
const rules = z.superRefine<Record<string, unknown>>(
  (value, ctx) => {
    const refuse = (path: string[], code: FaultCode, message: string) =>
      ctx.addIssue({ code: 'custom', path, params: fault(code), message })
    const conflict = (field: string, message: string) => refuse([field], 'conflicting_fields', message)

    const bodies = BODY_FIELDS.filter((field) => value[field] !== undefined)
    for (const field of bodies.slice(1)) {
      conflict(field, `stands beside "${bodies[0]}"; only one of ${BODY_FIELDS.join(', ')} may be there`)
    }
    if (bodies[0] !== undefined && (value.method === 'GET' || value.method === 'HEAD')) {
      conflict(bodies[0], `a ${value.method} has no body`)
    }
    const given = typeof value.headers === 'object' && value.headers !== null ? Object.keys(value.headers) : []
    const type = given.find((name) => name.toLowerCase() === 'content-type')
    if (value.multipart !== undefined && type !== undefined) {
      refuse(
        ['headers', type],
        'conflicting_fields',
        'stands beside "multipart", which says by itself where its parts end',
      )
    }
    const size = value.max_bytes as number | string | undefined
    if (size !== undefined && sizeBytes(size) > MAX_BODY_BYTES && value.parse !== 'hash' && !isTemplate(value.parse)) {
      refuse(['max_bytes'], 'out_of_bounds', 'must be at most 1 MiB; only with parse: "hash" it may be more')
    }
    if (value.paginate !== undefined && value.parse === 'hash') {
      conflict('paginate', 'stands beside parse: "hash", which keeps nothing of a page')
    }
    if (value.paginate !== undefined && value.poll !== undefined) {
      conflict('poll', 'stands beside "paginate"; poll in one task and gather the pages in the next')
    }
  },
  // Also beside other faults, so that one answer lists them all.
  { when: ({ value }) => typeof value === 'object' && value !== null },
)

const about = { description: 'An HTTP call.', example: { url: 'https://api.example.com/orders', json: { amount: 12 } } }

/** The schemas of `with` of an `http` task. */
export const httpWith = {
  rendered: fields.check(rules).meta(about),
  // What decides whether to call again is code, so it is not put together from data: both are written out.
  inDefinition: (withTemplates(fields) as unknown as z.ZodObject)
    .extend({
      paginate: writtenOut(paginateSchema),
      poll: writtenOut(pollSchema),
    })
    .check(rules)
    .meta(about) as z.ZodType<Record<string, unknown>>,
  ofResponse: [
    { path: ['paginate', 'next'], isCondition: false },
    { path: ['poll', 'until'], isCondition: true },
  ],
} as const

/** `with` of an `http` task, checked and with its defaults. */
export type HttpWith = z.output<typeof httpWith.rendered>

/** A field that is no template itself, though what it holds may be. */
function writtenOut(schema: z.ZodObject) {
  return withTemplates(schema)
    .optional()
    .meta(z.globalRegistry.get(schema) ?? {})
}

/** The largest body that a call takes, in bytes. */
export function maxBytesOf({ max_bytes, parse }: HttpWith): number {
  return max_bytes === undefined ? (parse === 'hash' ? MAX_HASHED_BYTES : MAX_BODY_BYTES) : sizeBytes(max_bytes)
}

function hasCredentials(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && (url.username !== '' || url.password !== '')
}

/** No host has a longer name (RFC 1035), so what is longer is no host. */
const MAX_ORIGIN = 300

/** The origin that a call goes to first: a redirect leads on from there. null if it names none. */
export function httpHost({ url }: JsonObject): string | null {
  const origin = typeof url === 'string' ? URL.parse(url)?.origin : undefined
  return origin === undefined || origin === 'null' || origin.length > MAX_ORIGIN ? null : origin
}
