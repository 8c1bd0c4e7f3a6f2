// Problems: how every refusal looks (RFC 9457). The code decides the status; the words beside it may change, the code may not.

import { CODES, type Fault, type ProblemCode } from '../../workflow/codes.ts'

/** Faults that `detail` tells of. */
const MAX_DETAILED = 3

interface Extras {
  /** Every fault of the body, each with a JSON Pointer. */
  errors?: readonly Fault[]
  headers?: Readonly<Record<string, string>>
  /** The run that stands in the way. */
  run?: unknown
}

/** A refusal of a request. Only code that serves requests throws it; app.ts renders it. */
export class ApiProblem extends Error {
  readonly code: ProblemCode
  readonly status: number
  readonly extras: Extras

  /** @param detail for people: what is wrong with this request. Never holds a key or more than a name of what was sent */
  constructor(code: ProblemCode, detail: string, extras: Extras = {}) {
    super(detail)
    this.code = code
    this.status = CODES[code].status
    this.extras = extras
  }
}

/**
 * The answer that a problem becomes (RFC 9457).
 * @param url of the request: `type` leads to the table of codes at the host that was called
 */
export function renderProblem(problem: ApiProblem, url: string, requestId: string): Response {
  const { code, status, extras } = problem
  const body = {
    type: `${originOf(url)}/docs/errors#${code}`,
    title: CODES[code].meaning,
    status,
    detail: problem.message,
    code,
    request_id: requestId,
    ...(extras.errors === undefined ? {} : { errors: extras.errors }),
    ...(extras.run === undefined ? {} : { run: extras.run }),
  }
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/problem+json', ...extras.headers },
  })
}

/**
 * The problem that faults of a body amount to. A body that is wrong only in asking for what is not built yet is
 * `not_available` as a whole, so that a client can tell "later" from "wrong".
 */
export function faultyBody(faults: readonly Fault[]): ApiProblem {
  const isOnlyLater = faults.every(({ code }) => code === 'not_available')
  return new ApiProblem(isOnlyLater ? 'not_available' : 'invalid_request', detailOf(faults), { errors: faults })
}

/** The first faults in words; all of them are in `errors`. */
export function detailOf(faults: readonly Fault[]): string {
  const words = faults
    .slice(0, MAX_DETAILED)
    .map(({ path, message }) => `${path === '' ? 'the body' : path}: ${message}`)
  const more = faults.length - words.length
  return more > 0 ? `${words.join('; ')}; and ${more} more` : words.join('; ')
}

function originOf(url: string): string {
  const end = url.indexOf('/', url.indexOf('//') + 2)
  return end === -1 ? url : url.slice(0, end)
}
