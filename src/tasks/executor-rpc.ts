// The executor as it is reached over RPC, by Runners and by the API. Spelt out, and taken for that in one place: the types of
// stubs that the compiler derives do not end where JSON is recursive.

import type { JsonObject } from '../workflow/json.ts'
import type { SendPartial } from './partials.ts'
import type { Findings, TaskCall, TaskResult } from './plugin.ts'

/** What the executor does for Runners and for the API. */
export interface Executor {
  /** Starts an attempt. @param partial hears what it has so far */
  start(call: TaskCall, partial?: SendPartial): AttemptStub
  /** What plugins find wrong with configurations that have passed their schemas, in the order given. */
  check(tasks: readonly TaskToCheck[]): Promise<Findings>
  /** Which of these origins the egress policy refuses, and why. No call is made. */
  refused(origins: readonly string[]): Promise<RefusedOrigin[]>
}

/** An attempt that has begun: the promise of its stub, on which calls may be made at once. Its owner lets it go (`letGo`). */
export interface AttemptStub extends PromiseLike<Disposable> {
  /** How it ended. */
  result(): Promise<TaskResult>
  abort(): Promise<void>
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

/**
 * Lets an attempt that is over go. To dispose of the promise is not enough once the stub is there: the stub would be left to the
 * garbage collector, whose complaint about it can bring the runtime down while an inspector listens (`wrangler dev`).
 */
export function letGo(attempt: AttemptStub): void {
  void attempt.then(
    (stub) => stub[Symbol.dispose](),
    () => {}, // An executor that did not answer has given nothing to dispose of.
  )
}
