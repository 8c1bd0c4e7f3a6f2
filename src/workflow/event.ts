// What happened to a run: the events that its history is made of, and the values that they carry. No behaviour.

import type { EndCode } from './codes.ts'
import type { CompiledWorkflow } from './definition/definition.ts'
import type { Json } from './json.ts'
import type { TraceContext } from './trace.ts'

/** Position of a task in its definition's `tasks`. Events and state speak of tasks by it; ids are for people. */
export type TaskIndex = number

/** Why a task was passed over, as api.md `skip_reason` has it. */
export const SKIP_REASONS = ['condition', 'trigger_rule', 'upstream_failed', 'run_stopped', 'not_needed'] as const
export type SkipReason = (typeof SKIP_REASONS)[number]

/** What a waiting task waits for. */
export type WaitingFor = 'retry' | 'poll' | 'circuit' | 'time' | 'signal' | 'child' | 'items'

/** What went wrong with a task or a run. `code` is API (codes.ts), the message is for people. */
export interface TaskError {
  code: EndCode
  message: string
  retryable: boolean
  /** The error that this one is about: what the last attempt ended with. */
  cause?: TaskError
  /** Indexes of items; only with code `map_failed`. */
  items?: number[]
}

export interface RunError extends TaskError {
  /** Id of the task whose failure this is. */
  task_id?: string
  /** Ids of the tasks that could never start; only with code `deadlock`. */
  tasks?: string[]
}

/** Stands for a JSON value that is kept outside the history because it is large. */
export class PayloadRef {
  readonly n: number
  readonly bytes: number

  /**
   * @param n number of the payload within its run
   * @param bytes length of its JSON text in UTF-8
   */
  constructor(n: number, bytes: number) {
    this.n = n
    this.bytes = bytes
  }
}

/** A value of the history: itself, or the name of the place where it is kept. */
export type StoredValue = Json | PayloadRef

/** Reads a payload back; synchronous, so that deciding stays deterministic (R2). */
export type LoadPayload = (ref: PayloadRef) => Json

/** The run whose task a run is. */
export interface Parent {
  readonly run_id: string
  /** Id of the task. */
  readonly task_id: string
  /** Index of the item of the task, which is a map; absent if the run is the task's own. */
  readonly item?: number
  /** Versions of the runs above, `name@version`, from the first to the parent's. */
  readonly above: readonly string[]
}

/** What a start said besides workflow, input and time limit; a member that is absent was not given. */
export interface StartOptions {
  /** Absent if the run is not a task of another. */
  readonly parent?: Parent
  /** Words by which the run can be found. */
  readonly tags?: readonly string[]
  /** When the run is to start, ms since the epoch; until then it is queued. */
  readonly startAt?: number
  /** The trace that the start belongs to. */
  readonly trace?: TraceContext
  /** The run that this one makes again, and how many runs the chain has with this one. */
  readonly retry?: { readonly of: string; readonly attempt: number }
}

/** Tokens of a language model, of its questions and of its answers. */
export interface Usage {
  input_tokens: number
  output_tokens: number
}

// `usage` of an attempt's end: the tokens that it took; absent: none that were counted.
// `logs` of an attempt's end: what it printed, a list; absent: nothing.
// `item` of an event: the index of the item of a map that it is about, its first item being 0; absent: it is about the task.

/** What happened to a run, in order. An event's number is its position in the history, dense from 1. */
export type RunEvent =
  // Facts: what the world reported.
  | {
      type: 'RunAccepted'
      at: number
      runId: string
      workflow: CompiledWorkflow
      version: number
      input: StoredValue
      /** The run's own time limit in ms: the definition's, or what the start shortened it to. */
      timeoutMs: number
      /** Absent when the start said nothing more. */
      options?: StartOptions
    }
  | { type: 'RunTimedOut'; at: number }
  | { type: 'RunCancelRequested'; at: number }
  | { type: 'RunPaused'; at: number }
  | { type: 'RunResumed'; at: number }
  | {
      type: 'AttemptSucceeded'
      at: number
      task: TaskIndex
      token: number
      output: StoredValue
      item?: number
      logs?: StoredValue
      usage?: Usage
    }
  /**
   * `retryAfterMs`: how long the server that was called wants to be left alone. `isRetryRefused`: the host has used up its
   * budget of retries, so this attempt is not retried; what the budget said is a fact of that moment, never asked again (R2).
   * `wasRefusedStart`: the attempt was to be a run of its own, and that run was refused, so it does not exist.
   */
  | {
      type: 'AttemptFailed'
      at: number
      task: TaskIndex
      token: number
      error: TaskError
      retryAfterMs?: number
      isRetryRefused?: true
      wasRefusedStart?: true
      item?: number
      logs?: StoredValue
      usage?: Usage
    }
  | {
      type: 'AttemptTimedOut'
      at: number
      task: TaskIndex
      token: number
      error: TaskError
      isRetryRefused?: true
      item?: number
      logs?: StoredValue
      usage?: Usage
    }
  /** What is waited for was not there: after so long the next attempt is made. */
  | {
      type: 'AttemptSnoozed'
      at: number
      task: TaskIndex
      token: number
      afterMs: number
      item?: number
      logs?: StoredValue
    }
  /**
   * The attempt was cut off, by a crash, a deploy or a pause. `isUnreached`: nothing was cut off but the way, since the part of
   * this service that was to make the attempt, or to start the run that it is, did not answer.
   */
  | { type: 'AttemptInterrupted'; at: number; task: TaskIndex; token: number; isUnreached?: true; item?: number }
  /** The output was taken over from the run that this one makes again, before this one started. */
  | { type: 'TaskReused'; at: number; task: TaskIndex; output: StoredValue }
  /** `id` is unique within the run: a repeat changes nothing. `task`: the one task that it is meant for; absent: any task that waits for it. */
  | { type: 'SignalReceived'; at: number; id: string; name: string; data: StoredValue; task?: TaskIndex }
  // Fact or decision: nothing that the tasks do can carry the run on (a deadlock, a limit, a bug).
  | { type: 'RunStopped'; at: number; error: RunError }
  // Decisions: each records what the scheduler decided, so that a later release never decides it again.
  /** The run waits for the time that its start has named. */
  | { type: 'RunQueued'; at: number; until: number }
  | { type: 'RunStarted'; at: number }
  | { type: 'AttemptStarted'; at: number; task: TaskIndex; attempt: number; item?: number }
  /** An attempt that is a run of another workflow: the task, or the item, waits for its end without a slot. `child`: id of that run. */
  | { type: 'ChildStarted'; at: number; task: TaskIndex; attempt: number; child: string; item?: number }
  /** The task's `when` holds. One that does not is a TaskSkipped. */
  | { type: 'ConditionMet'; at: number; task: TaskIndex }
  /**
   * `until` null: no time ends the wait. `isPutOff`: the attempt before does not count against `max_attempts`. `target`: the
   * circuit that is waited for. `items` and `total`: the values of a map that begins, a list of so many.
   */
  | {
      type: 'TaskWaiting'
      at: number
      task: TaskIndex
      for: WaitingFor
      until: number | null
      isPutOff: boolean
      target?: string
      item?: number
      items?: StoredValue
      total?: number
    }
  /**
   * The task has succeeded without an attempt of its own: what it waited for has come. `signal`: the number of the
   * SignalReceived whose data is its output; `output` is null then, so that data which many tasks get is written once.
   */
  | { type: 'TaskSucceeded'; at: number; task: TaskIndex; output: StoredValue; signal?: number }
  | { type: 'TaskFailed'; at: number; task: TaskIndex; error: TaskError; item?: number }
  /** `error`: what a wait that was too long amounts to; absent: the last attempt's own. */
  | { type: 'TaskTimedOut'; at: number; task: TaskIndex; error?: TaskError; item?: number }
  | { type: 'TaskSkipped'; at: number; task: TaskIndex; reason: SkipReason; because: TaskIndex | null }
  | { type: 'TaskCancelled'; at: number; task: TaskIndex }
  /** Every task has ended, and what succeeded is undone now; the run will end with this status and error. */
  | { type: 'CompensationStarted'; at: number; status: FinalStatus; error: RunError | null }
  | { type: 'RunFinished'; at: number; status: FinalStatus; output: StoredValue; error: RunError | null }

export type FinalStatus = 'succeeded' | 'failed' | 'cancelled' | 'timed_out'
export type AcceptedEvent = Extract<RunEvent, { type: 'RunAccepted' }>
export type LaterEvent = Exclude<RunEvent, AcceptedEvent>
