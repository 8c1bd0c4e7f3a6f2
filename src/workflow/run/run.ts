// A run: its state, how it begins, and what can be asked of it. How events change it is apply.ts.

import type { CompiledWorkflow } from '../definition/definition.ts'
import type {
  FinalStatus,
  RunError,
  SkipReason,
  StartOptions,
  StoredValue,
  TaskError,
  TaskIndex,
  Usage,
  WaitingFor,
} from '../event.ts'
import type { Items } from './items.ts'
import type { Slots } from './slots.ts'
import type { Spot } from './spot.ts'
import { acceptsFailure, type EndedDependencies } from './trigger-rule.ts'

export const RUN_STATUSES = ['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled', 'timed_out'] as const
export type RunStatus = (typeof RUN_STATUSES)[number]

export const TASK_STATUSES = [
  'pending',
  'waiting',
  'running',
  'succeeded',
  'failed',
  'skipped',
  'cancelled',
  'timed_out',
] as const
export type TaskStatus = (typeof TASK_STATUSES)[number]

export type AttemptStatus = 'running' | 'succeeded' | 'failed' | 'timed_out' | 'cancelled' | 'interrupted' | 'snoozed'

export interface Attempt {
  /** Counts what counts against `max_attempts`: an interrupted attempt shares its number with the next. */
  number: number
  status: AttemptStatus
  startedAt: number
  finishedAt: number | null
  error: TaskError | null
  /** Tokens of a model that it took; absent: none that were counted. */
  usage?: Usage
  /** It could not be made, since what makes it did not answer. */
  isUnreached?: true
}

export interface Task {
  status: TaskStatus
  skipReason: SkipReason | null
  /** The task whose failure skipped this one. */
  because: TaskIndex | null
  /** What it gave; null unless it succeeded. */
  output: StoredValue
  error: TaskError | null
  startedAt: number | null
  finishedAt: number | null
  attempts: Attempt[]
  /** Number of the AttemptStarted that is executing now, 0 when none is: only a report with this token counts (R5). */
  token: number
  interruptions: number
  /** How often in a row, until now, an attempt could not be made since what makes it did not answer. */
  unreached: number
  /** Attempts that a server put off with Retry-After. */
  putOffs: number
  /** Attempts that ended with an answer which was not the one waited for. */
  polls: number
  /** How long the server called last wants to be left alone, in ms; null if it did not say. */
  retryAfterMs: number | null
  /** The budget of the host called allows no retry of the last attempt. */
  isRetryRefused: boolean
  /** What the last attempt that ended printed, a list; null: nothing. */
  logs: StoredValue
  /** The circuit that a waiting task waits for; null if it waits for something else. */
  circuit: string | null
  /** How often in a row a circuit has held it back since its last attempt. */
  circuitWaits: number
  /** What a waiting task waits for; null unless it waits. */
  waitingFor: WaitingFor | null
  /** When a waiting task is due; null when no time ends the wait. */
  wakeAt: number | null
  /** Number of the event with which it began to wait last; 0 if it never did. */
  waitNumber: number
  /** How its dependencies have ended so far. */
  ended: EndedDependencies
  /** Whether its output was taken over from an earlier run. */
  isReused: boolean
  /** Whether its trigger rule has let it go: only `when`, a slot or a pause can hold it now. */
  isReady: boolean
  /** Id of the run that its last attempt is; null of a task whose attempts are no runs. */
  childRun: string | null
  /** The items of a map that has begun. */
  items: Items | null
}

/** What succeeded is being undone; then the run ends so. */
export interface Compensation {
  status: FinalStatus
  error: RunError | null
  /** Compensations that failed, in order. */
  failed: TaskIndex[]
  /** The run broke while it compensated: what is left is not undone. */
  isBroken: boolean
}

/** Something that the run was told from outside. */
export interface Signal {
  readonly name: string
  readonly data: StoredValue
}

/** Why a task can no longer start. */
export interface SkipCause {
  reason: 'upstream_failed' | 'trigger_rule'
  /** The dependency whose end decided it. */
  because: TaskIndex
}

/** Why nothing new starts any more. */
export type Ending = 'task_failed' | 'timed_out' | 'cancelled' | 'stopped'

export interface Run {
  readonly id: string
  readonly workflow: CompiledWorkflow
  readonly version: number
  readonly input: StoredValue
  readonly timeoutMs: number
  readonly options: StartOptions
  status: RunStatus
  readonly createdAt: number
  /** The time that a queued run waits for; null if it waits for none. */
  queuedUntil: number | null
  startedAt: number | null
  deadlineAt: number | null
  finishedAt: number | null
  /** When somebody asked for its end. */
  cancelRequestedAt: number | null
  /** Whether it was ever paused. */
  wasPaused: boolean
  /** What is left until the deadline, in ms; null unless the run is paused and has a deadline. */
  remainingMs: number | null
  output: StoredValue
  error: RunError | null
  readonly tasks: Task[]
  readonly slots: Slots
  /** Events so far: the number of the last one. */
  events: number
  /** Time of the last event, ms since the epoch. It never goes back within a run (R2). */
  at: number
  /** How many tasks stand in each status. */
  readonly progress: Record<TaskStatus, number>
  ending: Ending | null
  /** Tasks that failed or timed out by themselves, in order; the first that nothing handled gives the run its error. */
  readonly failures: TaskIndex[]
  /** Compensations of what has succeeded, in the order of success; they run from the last to the first. */
  readonly undo: TaskIndex[]
  compensation: Compensation | null
  /** Signals so far, by the number of their event. */
  readonly signals: Map<number, Signal>
  /** The number of each one's event, by the id of the signal, so that a repeat is known. */
  readonly signalIds: Map<string, number>
  /** Signals that no task has taken yet, in the order of arrival. */
  readonly buffered: Set<number>
  // What `apply` marks so that deciding costs what has changed, not the size of the run. Each is derived from `tasks`.
  /** Pending tasks that can no longer start. */
  readonly doomed: Map<TaskIndex, SkipCause>
  /** Ready tasks whose `when` is still to be evaluated. */
  readonly conditional: Set<TaskIndex>
  /** Ready tasks that begin without a slot. */
  readonly beginning: Set<TaskIndex>
  /** Tasks whose attempt ended without success (failed, timed out, cut off) and about which nothing is decided yet. */
  readonly undecided: Set<TaskIndex>
  /** Waiting tasks. */
  readonly sleeping: Set<TaskIndex>
  /** Keys (spot.ts) of the tasks and items that wait for a run of their own. */
  readonly nesting: Set<number>
  /** Those of them that are maps. */
  readonly maps: Set<TaskIndex>
  /** Items of all maps that have begun. */
  begunItems: number
  /** Every task before this position has ended. */
  firstUnsettled: TaskIndex
}

/** Whether a task with this status has ended. */
export function isSettled(status: TaskStatus): boolean {
  return status !== 'pending' && status !== 'waiting' && status !== 'running'
}

/** Whether a run with this status has ended. */
export function isFinal(status: RunStatus): boolean {
  return status !== 'queued' && status !== 'running' && status !== 'paused'
}

/** Whether a report with this token is about the attempt that is executing now (R5). */
export function isCurrent(run: Run, { task, item }: Spot, token: number): boolean {
  const state = item === undefined ? run.tasks[task] : run.tasks[task]?.items?.begun.get(item)
  if (state === undefined || (state.status !== 'running' && state.waitingFor !== 'child')) return false
  return state.token === token
}

/** Whether a task may still do something, as the run stands. */
export function mayGoOn(run: Run, task: TaskIndex): boolean {
  const { undoes, rule } = run.workflow.plans[task]!
  if (undoes !== null) return run.compensation !== null && !run.compensation.isBroken
  if (run.compensation !== null) return false
  return run.ending === null || (run.ending === 'task_failed' && acceptsFailure(rule))
}

/** Whether a cancel or a limit may still decide how the run ends: nothing has, or only a failure of a task. */
export function isEndOpen(ending: Run['ending']): boolean {
  return ending === null || ending === 'task_failed'
}

/** Whether a limit may still stop the run: one whose end is decided only settles what is left. */
export function isStoppable({ finishedAt, ending, compensation }: Run): boolean {
  if (finishedAt !== null) return false
  if (compensation !== null) return !compensation.isBroken
  return isEndOpen(ending)
}

/** Due time of a live run that no time moves on, such as a paused one: the last millisecond of the year 9999. */
export const NEVER_DUE = 253_402_300_799_999

/**
 * When the run has to be looked at though nobody reports: its deadline, or its earliest waiting task; null when it has ended.
 * A waiting task that is due already and has no slot is woken by the slot, not by time.
 */
export function dueAt(run: Run, now: number): number | null {
  if (run.finishedAt !== null) return null
  // A run that compensates or is paused has no deadline; one that has not started yet is to be started now, or at its time.
  const isStarting = run.startedAt === null && run.status !== 'paused'
  let due = run.deadlineAt ?? (isStarting ? (run.queuedUntil ?? now) : NEVER_DUE)
  for (const task of run.sleeping) {
    const { wakeAt } = run.tasks[task]!
    if (wakeAt !== null && wakeAt > now) due = Math.min(due, wakeAt)
  }
  for (const task of run.maps) {
    const { waiting, begun } = run.tasks[task]!.items!
    for (const item of waiting) {
      const { wakeAt } = begun.get(item)!
      if (wakeAt !== null && wakeAt > now) due = Math.min(due, wakeAt)
    }
  }
  return due
}
