// What a Runner is asked and what it answers. Crosses RPC between releases, so fields are added, never changed (R9).

import type { Fault } from '../../src/workflow/codes.ts'
import type { RetryFrom } from '../../src/workflow/decide/rerun.ts'
import type { StartOptions } from '../../src/workflow/event.ts'
import type { RunStatus } from '../../src/workflow/run/run.ts'
import type { TraceContext } from '../../src/workflow/trace.ts'

export interface StartRequest {
  /** Minted by the caller: a repeat with the same id is the same start. */
  runId: string
  /** `name`, `name@3` or `name@latest`, taken apart. */
  workflow: { name: string; version: number | 'latest' | null }
  /** JSON text of the input. */
  input: string
  /** Shortens the definition's time limit, in ms. */
  timeoutMs: number | null
  /** Absent when the start said nothing more; its members go into the run's history as they are. */
  options?: StartOptions
  idempotency: { key: string /** SHA-256 of the request's body, hex */; bodyHash: string } | null
  /** Longest wait for the end of the run, in ms; 0 answers at once. */
  waitMs: number
}

/** A run as the API shows it: `body` is its JSON text, made where the run is, so that nothing is copied twice. */
export interface RunAnswer {
  kind: 'run'
  runId: string
  status: RunStatus
  body: string
}

export type StartAnswer =
  | (RunAnswer & { replayed: boolean })
  /** `run_deleted`: the key has started a run that was deleted since. */
  | { kind: 'workflow_not_found' | 'workflow_paused' | 'idempotency_key_reused' | 'run_deleted' }
  | { kind: 'version_not_found'; latest: number }
  /** The start asked for a longer time limit than the definition's. */
  | { kind: 'timeout_too_long'; definitionMs: number }
  /** The input does not fit the definition's schema. */
  | { kind: 'invalid_input'; faults: Fault[] }
  /** What the name means could not be told in time: nothing was recorded. */
  | { kind: 'overloaded' }

/** A new run of one that has ended, which takes over the outputs that still hold. */
export interface RetryRequest {
  /** Minted by the caller, on the shard of the run that is made again. */
  runId: string
  of: string
  from: RetryFrom
  /** Version of the same workflow that the new run is of; null for that of the run before. */
  version: number | null
  trace?: TraceContext
  idempotency: StartRequest['idempotency']
}

export type RetryRefused =
  | RunNotFound
  | RunNotFinished
  | { kind: 'nothing_to_retry' | 'run_unreadable' }
  /** Unknown tasks, or tasks that the other version defines differently; pointers into the request's body. */
  | { kind: 'unfit_retry'; faults: Fault[] }

export type RetryAnswer = StartAnswer | RetryRefused

/** The run had ended before it could be cancelled; it is shown as it ended. */
export type RunFinished = Omit<RunAnswer, 'kind'> & { kind: 'run_finished' }

/** The run goes on, so it cannot be deleted; it is shown so far. */
export type RunNotFinished = Omit<RunAnswer, 'kind'> & { kind: 'run_not_finished' }

/** The run is undoing what it did, which nothing cuts short. */
export type RunCompensating = Omit<RunAnswer, 'kind'> & { kind: 'run_compensating' }

/** The run cannot be resumed: it was never paused. */
export type RunNotPaused = Omit<RunAnswer, 'kind'> & { kind: 'run_not_paused' }

/** Something that a run is told. */
export interface SignalRequest {
  runId: string
  /** Minted by the caller, from the Idempotency-Key if there is one: a repeat with the same id is the same signal. */
  id: string
  name: string
  /** JSON text. */
  data: string
}

export type SignalAnswer =
  | {
      kind: 'signal'
      id: string /** Ids of the tasks that got it when it came. */
      deliveredTo: string[]
      replayed: boolean
    }
  /** No task of the workflow waits for an event of this name, only for these. */
  | { kind: 'unknown_signal'; names: string[] }
  | { kind: 'signal_buffer_full' | 'signal_too_costly' | 'idempotency_key_reused' }
  | RunFinished
  | RunCompensating
  | RunNotFound

/** What a link says that it answers: a wait of a task, by its position and the number of the event that began it. */
export interface CallbackTarget {
  runId: string
  task: number
  wait: number
  signature: string
}

export type CallbackRefusal = { kind: 'callback_not_found' | 'callback_used' }

/** What a link is for, while it is good. */
export type CallbackView = { kind: 'callback'; workflow: string; task: string; event: string } | CallbackRefusal

export type RunNotFound = { kind: 'run_not_found' }
export type TaskNotFound = { kind: 'task_not_found' }
/** The task has no items. */
export type NoMap = { kind: 'no_map' }
/** The history has only so many events. */
export type EventNotFound = { kind: 'event_not_found'; events: number }

/** Languages that a graph can be drawn in. */
export type GraphForm = 'mermaid' | 'dot'

/** How an explanation is told. */
export type ExplanationForm = 'json' | 'text'

export interface ListFilter {
  workflow?: string
  version?: number
  status?: RunStatus
  /** What started it, as the run's `trigger.type` says. */
  trigger?: string
  tag?: string
  /** Id of the run whose task it is. */
  parent?: string
  /** Whether it goes on, or has ended. */
  isLive?: boolean
  /** Not in this status. */
  statusNot?: RunStatus
  /** Created at or after, and before, ms since the epoch. */
  since?: number
  until?: number
}

/** Newest first. `items` are JSON texts of runs without tasks, input and output. */
export interface RunPage {
  items: { /** the ULID in the run's id */ ulid: string; body: string }[]
  /** ULID down to which (inclusive) this shard was searched; null when it was searched to its end. */
  horizon: string | null
}

/** A page of a run's history. */
export interface EventPage extends TextPage {
  /** Number of the last event that the run has. */
  last: number
  /** Whether the run has ended: there will be no more events. */
  hasEnded: boolean
}

/** A page of JSON texts; `next` is handed back as `after`, null at the end. */
export interface TextPage {
  kind: 'page'
  items: string[]
  next: number | null
}

/** One action on all runs that a filter finds. Every shard gets the job in the same words. */
export interface BulkJob {
  /** Minted by the caller: a repeat with the same id is the same job. */
  id: string
  action: 'cancel' | 'delete' | 'retry'
  filter: ListFilter
  /** The filter as the request had it, for answers that show the job. */
  shown: object
  /** Runs created after this are left alone, ms since the epoch. */
  requestedAt: number
}

/**
 * What became of the request for a bulk job. `replayed`: its Idempotency-Key has begun the job of that id already.
 * What a request without a key is answered with stays as it was, for Workers of the release before.
 */
export type BulkAnswer = 'accepted' | 'too_many' | 'idempotency_key_reused' | { kind: 'replayed'; id: string }

/** How far one shard is. */
export interface BulkProgress {
  job: BulkJob
  matched: number
  done: number
  failed: number
  finishedAt: number | null
  /** Shards that this one has still to tell of the job. */
  untold: number[]
}
