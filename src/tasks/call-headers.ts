// What every call of a task carries, whatever it calls: the idempotency key, by which a server knows a call that is made again
// (R6), and the trace that its run belongs to. What a task says itself is never replaced.

import type { TraceContext } from '../workflow/trace.ts'

/** What a call says of the task that makes it. */
export interface Carried {
  idempotencyKey: string
  trace?: TraceContext | undefined
}

/** Headers for a call in which the task itself can set none: the idempotency key, and the trace if there is one. */
export function callHeaders({ idempotencyKey, trace }: Carried): Record<string, string> {
  return { 'idempotency-key': idempotencyKey, ...trace }
}

/** Adds to the headers of a task what they do not say yet, and who calls. */
export function addCallHeaders(headers: Headers, carried: Carried): void {
  // A task that says which trace it belongs to says so alone: the two headers go together.
  const namesTrace = headers.has('traceparent') || headers.has('tracestate')
  for (const [name, value] of Object.entries({ ...callHeaders(carried), 'user-agent': 'edge-orchestrator' })) {
    if (headers.has(name) || (namesTrace && isOfTrace(name))) continue
    headers.set(name, value)
  }
}

function isOfTrace(header: string): boolean {
  return header === 'traceparent' || header === 'tracestate'
}
