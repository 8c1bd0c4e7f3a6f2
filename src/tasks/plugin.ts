// The contract between the executor and a task type. A type is one plugin: it is given a call, it says how the attempt ended.
// A plugin knows nothing of runs, history or retries; test/tasks/contract.test.ts holds every plugin to what is said here.

import type { Fault, TaskCode, Warning } from '../workflow/codes.ts'
import type { Usage } from '../workflow/event.ts'
import type { SecretsAsked } from '../workflow/expression/secret-marks.ts'
import type { Json, JsonObject } from '../workflow/json.ts'
import type { TraceContext } from '../workflow/trace.ts'
import type { PartialText } from './partials.ts'

/** One attempt, as the Runner asks for it. Crosses RPC, so it is plain data. */
export interface TaskCall {
  type: string
  /** `with` of the task, its expressions filled in. */
  with: JsonObject
  /** Secrets that `with` has marks for; absent if it has none. */
  secrets?: SecretsAsked
  /** `<run id>/<task id>`: the same on every attempt of a task, so that the server called can tell a repeat (R6). */
  idempotencyKey: string
  /** Which call this is of a task that polls, from 1: answers that were not the one waited for have come before. Absent: 1. */
  nth?: number
  /** How long ago the first attempt of the task began, in ms. Absent: now. */
  elapsedMs?: number
  /** The longest that this attempt may take, in ms. */
  timeoutMs: number
  /** For types that ask for it (`takesScope`), and for expressions over what a call has answered (`ofResponse`): the run's input, the outputs of what the task depends on, and the run itself. */
  scope?: JsonObject
  /** What calls of this attempt say of the trace that their run belongs to; absent if it belongs to none. */
  trace?: TraceContext
}

/** What a plugin gets: the call, and the signal that fires when the attempt is aborted or out of time. */
export interface PluginCall<Config> {
  config: Config
  /** Empty for types that do not ask for it. */
  scope: JsonObject
  idempotencyKey: string
  /** Which call this is of a task that polls, from 1. Absent: 1. */
  nth?: number
  /** How long ago the first attempt of the task began, in ms. Absent: now. */
  elapsedMs?: number
  /** The longest that this attempt may take, in ms, for servers that accept a time limit. */
  timeoutMs: number
  signal: AbortSignal
  /** Whether a text holds a secret of the configuration, so that it may go only to the host that the task names. Absent: no text does. */
  holdsSecret?: (text: string) => boolean
  trace?: TraceContext
  /** Where to say what there is so far; absent if nobody could hear it. */
  partial?: PartialText
}

/** Why an attempt failed. `message` is for people and holds no secret. */
export interface AttemptError {
  code: TaskCode
  message: string
}

/** How an attempt ended, what it printed, and which tokens of a model it took. The executor turns every throw, time-out and refusal into one of these. */
export type TaskResult = Ending & { logs?: Json[]; usage?: Usage }

type Ending =
  | { kind: 'succeeded'; output: Json }
  /** `retryAfterMs`: how long the server that was called wants to be left alone (Retry-After). */
  | { kind: 'failed'; error: AttemptError; retryable: boolean; retryAfterMs?: number }
  | { kind: 'timed_out'; error: AttemptError }
  /** What is waited for is not there yet: another attempt is to be made after so long. It spends none of `max_attempts`. */
  | { kind: 'snoozed'; afterMs: number }

/** What a plugin may use of its surroundings; it reads no environment of its own. */
export interface PluginSurroundings {
  /** Comma-separated `host`, `host:port` or CIDR that tasks may call although they are not public. */
  egressAllow: string
  /** Workers AI, where the deployment is bound to it. */
  ai?: AiBinding
}

/** What is used of the Workers AI binding; its own type has an overload for each model. */
export interface AiBinding {
  run(
    model: string,
    inputs: JsonObject,
    options: { returnRawResponse: true; signal: AbortSignal; extraHeaders: { [name: string]: string } },
  ): Promise<Response>
}

/** One task type, as the executor calls it. */
export interface TaskPlugin<Config> {
  readonly type: string
  /**
   * Makes one attempt. May throw: the executor classifies it. Must stop soon after the signal fires, and pass the
   * idempotency key (R6) and the trace, if there is one, on to whatever it calls.
   */
  execute(call: PluginCall<Config>, surroundings: PluginSurroundings): Promise<TaskResult>
  /**
   * What is wrong with a configuration that its schema cannot see, before any run begins. Calls nobody.
   * @param at JSON Pointer to the configuration
   */
  check?(config: Config, at: string): Promise<Findings>
}

/** What there is to say of a configuration: what cannot work, and what probably will not. */
export interface Findings {
  faults: Fault[]
  warnings: Warning[]
}
