// W3C Trace Context: what a start says of the trace that it belongs to, and what the calls of its run say of it.
// A run goes on in the caller's trace: same trace id and flags, a span id of its own for every attempt.

import { hash32 } from './hash.ts'

/** The trace that a run belongs to, as its history keeps it. */
export interface TraceContext {
  /** Always version 00, even if the start carried a later version. */
  readonly traceparent: string
  readonly tracestate?: string
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const NO_TRACE = '0'.repeat(32)
const NO_SPAN = '0'.repeat(16)
/** The flags of a later version that may be passed on: sampled, random. The meaning of all others is unknown. */
const KNOWN_FLAGS = 0x03

/** Characters of `tracestate`. Every participant must pass on at least this many, and this service passes on no more. */
const MAX_TRACESTATE = 512
const MAX_MEMBERS = 32
const MEMBER = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/

/**
 * Reads the headers of a start. A `traceparent` that is malformed is ignored, and `tracestate` with it; one that cannot be
 * passed on whole is left out: half of it could mean something else.
 * @see W3C Trace Context, sections 3.2 and 3.3
 */
export function readTrace(traceparent: string | null, tracestate: string | null): TraceContext | null {
  const [, version, traceId, spanId, flags, rest] = TRACEPARENT.exec(traceparent?.trim() ?? '') ?? []
  if (version === undefined || version === 'ff' || traceId === NO_TRACE || spanId === NO_SPAN) return null
  if (version === '00' && rest !== undefined) return null
  const known = version === '00' ? flags! : hex(Number.parseInt(flags!, 16) & KNOWN_FLAGS, 2)
  const context = { traceparent: `00-${traceId}-${spanId}-${known}` }
  const state = tracestate === null ? '' : validState(tracestate)
  return state === '' ? context : { ...context, tracestate: state }
}

/** The list's members, without blanks around them; '' if it cannot be passed on. */
function validState(text: string): string {
  if (text.length > 4 * MAX_TRACESTATE) return ''
  const members = text
    .split(',')
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((member) => member !== '')
  const keys = new Set(members.map((member) => member.slice(0, member.indexOf('='))))
  const isValid = members.every((member) => MEMBER.test(member)) && keys.size === members.length
  const state = members.join(',')
  return isValid && members.length <= MAX_MEMBERS && state.length <= MAX_TRACESTATE ? state : ''
}

/** The id of the trace, 32 hex digits. */
export function traceIdOf({ traceparent }: TraceContext): string {
  return traceparent.slice(3, 35)
}

/**
 * What the calls of one attempt say: the run's trace, and a span id that a replay gives again (R2).
 * @param attempt `<run>/<task>/<token>`: no two attempts share it
 */
export function traceOfAttempt(context: TraceContext, attempt: string): TraceContext {
  const span = hex(hash32(`${attempt}/span`), 8) + hex(hash32(`span/${attempt}`), 8)
  // All zeros mean that there is no span.
  const spanId = span === NO_SPAN ? `${span.slice(1)}1` : span
  return { ...context, traceparent: `00-${traceIdOf(context)}-${spanId}-${context.traceparent.slice(53)}` }
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}
