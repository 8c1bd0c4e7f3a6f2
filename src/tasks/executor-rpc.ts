// The executor as it is reached over RPC, by Runners and by the API. Spelt out, and taken for that in one place: the types of
// stubs that the compiler derives do not end where JSON is recursive.

import type { JsonObject } from '../workflow/json.ts'
import type { SendPartial } from './partials.ts'
import type { Findings, TaskCall, TaskResult } from './plugin.ts'

export interface Executor {
  /** Starts an attempt. @param partial hears what it has so far */
  start(call: TaskCall, partial?: SendPartial): AttemptStub
  /** What only plugins can see to be wrong with configurations; in the order given. */
  check(tasks: readonly TaskToCheck[]): Promise<Findings>
  /** Of these origins those that the egress policy refuses. Calls nobody. */
  refused(origins: readonly string[]): Promise<RefusedOrigin[]>
}

export interface AttemptStub {
  /** How it ended. */
  result(): Promise<TaskResult>
  abort(): Promise<void>
  [Symbol.dispose](): void
}

/** A configuration as registration found it. */
export interface TaskToCheck {
  type: string
  with: JsonObject
  /** JSON Pointer to `with`. */
  at: string
}

/** An origin that no task may call, and why not. */
export interface RefusedOrigin {
  origin: string
  why: string
}

/** @param exports of the Worker that has the executor: `ctx.exports`, or those of `cloudflare:workers` */
export function executorOf(exports: { readonly TaskExecutor: unknown }): Executor {
  return exports.TaskExecutor as Executor
}
