// A run: its state, the events that made it, and `apply`, the fold that is the state machine (R1).
// It never decides (scheduler.ts does), never reads a clock (R2) and never throws on an event that it does not know (R9).

import type { CompiledWorkflow } from './definition.ts'
import type {
  AcceptedEvent,
  Held,
  LaterEvent,
  RunError,
  SkipReason,
  StartOptions,
  TaskError,
  TaskIndex,
} from './event.ts'
import { Slots } from './slots.ts'

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
}

export interface Task {
  status: TaskStatus
  skipReason: SkipReason | null
  /** The task whose failure skipped this one. */
  because: TaskIndex | null
  /** What it gave; null unless it succeeded. */
  output: Held
  error: TaskError | null
  startedAt: number | null
  finishedAt: number | null
  attempts: Attempt[]
  /** Number of the AttemptStarted that is executing now, 0 when none is: only a report with this token counts (R5). */
  token: number
  interruptions: number
  /** Attempts that a server put off with Retry-After. */
  snoozes: number
  /** How long the server called last wants to be left alone, in ms; null if it did not say. */
  retryAfterMs: number | null
  /** The budget of the host called allows no retry of the last attempt. */
  isRetryRefused: boolean
  /** When a waiting task is due. */
  wakeAt: number | null
  /** The circuit that a waiting task waits for; null if it waits for something else. */
  circuit: string | null
  /** How often in a row a circuit has held it back since its last attempt. */
  circuitWaits: number
  /** Dependencies that have not succeeded yet. */
  unmet: number
}

/** Why nothing new starts any more. */
export type Ending = 'task_failed' | 'timed_out' | 'cancelled' | 'stopped'

export interface Run {
  readonly id: string
  readonly workflow: CompiledWorkflow
  readonly version: number
  readonly input: Held
  readonly timeoutMs: number
  readonly options: StartOptions
  status: RunStatus
  readonly createdAt: number
  startedAt: number | null
  deadlineAt: number | null
  finishedAt: number | null
  /** When somebody asked for its end. */
  cancelRequestedAt: number | null
  output: Held
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
  /** The first task that failed; its error becomes the run's. */
  firstFailure: TaskIndex | null
  // What `apply` marks so that deciding costs what has changed, not the size of the run. Each is derived from `tasks`.
  /** Pending tasks that can no longer start, with the dependency that is to blame. */
  readonly doomed: Map<TaskIndex, TaskIndex>
  /** Tasks whose attempt ended without success (failed, timed out, cut off) and about which nothing is decided yet. */
  readonly undecided: Set<TaskIndex>
  /** Tasks with a `wakeAt`. */
  readonly sleeping: Set<TaskIndex>
  /** Every task before this position has ended. */
  firstUnsettled: TaskIndex
}

export function isSettled(status: TaskStatus): boolean {
  return status !== 'pending' && status !== 'waiting' && status !== 'running'
}

export function isFinal(status: RunStatus): boolean {
  return status !== 'queued' && status !== 'running' && status !== 'paused'
}

/** Whether a report with this token is about the attempt that is executing now (R5). */
export function isCurrent(run: Run, task: TaskIndex, token: number): boolean {
  const state = run.tasks[task]
  return state !== undefined && state.status === 'running' && state.token === token
}

/**
 * When the run has to be looked at though nobody reports: its deadline, or its earliest waiting task; null when it has ended.
 * A waiting task that is due already and has no slot is woken by the slot, not by time.
 */
export function dueAt(run: Run, now: number): number | null {
  if (run.finishedAt !== null) return null
  let due = run.deadlineAt ?? now
  for (const task of run.sleeping) {
    const { wakeAt } = run.tasks[task]!
    if (wakeAt !== null && wakeAt > now) due = Math.min(due, wakeAt)
  }
  return due
}

/** The run as its first event makes it. */
export function accept(event: AcceptedEvent): Run {
  const { definition, graph } = event.workflow
  const run: Run = {
    id: event.runId,
    workflow: event.workflow,
    version: event.version,
    input: event.input,
    timeoutMs: event.timeoutMs,
    options: event.options ?? {},
    status: 'queued',
    createdAt: event.at,
    startedAt: null,
    deadlineAt: null,
    finishedAt: null,
    cancelRequestedAt: null,
    output: null,
    error: null,
    tasks: definition.tasks.map((_, index) => ({
      status: 'pending',
      skipReason: null,
      because: null,
      output: null,
      error: null,
      startedAt: null,
      finishedAt: null,
      attempts: [],
      token: 0,
      interruptions: 0,
      snoozes: 0,
      retryAfterMs: null,
      isRetryRefused: false,
      wakeAt: null,
      circuit: null,
      circuitWaits: 0,
      unmet: graph.dependencies[index]!.length,
    })),
    slots: new Slots(definition.max_parallel),
    events: 1,
    at: event.at,
    progress: {
      pending: definition.tasks.length,
      waiting: 0,
      running: 0,
      succeeded: 0,
      failed: 0,
      skipped: 0,
      cancelled: 0,
      timed_out: 0,
    },
    ending: null,
    firstFailure: null,
    doomed: new Map(),
    undecided: new Set(),
    sleeping: new Set(),
    firstUnsettled: 0,
  }
  for (const root of graph.roots) run.slots.request(root)
  return run
}

/**
 * Folds one event into the run (R1). Mutates the run, which its Runner alone holds, in time proportional to the tasks
 * that the event touches. Total: an event of a type that this release does not know changes nothing but the count (R9).
 */
export function apply(run: Run, event: LaterEvent): void {
  run.events++
  run.at = event.at
  switch (event.type) {
    case 'RunStarted':
      run.status = 'running'
      run.startedAt = event.at
      run.deadlineAt = event.at + run.timeoutMs
      return
    case 'RunTimedOut':
      run.ending = 'timed_out'
      return
    case 'RunCancelRequested':
      run.ending = 'cancelled'
      run.cancelRequestedAt = event.at
      return
    case 'RunStopped':
      run.ending = 'stopped'
      run.error = event.error
      return
    case 'AttemptStarted': {
      const task = move(run, event.task, 'running')
      run.slots.acquire(event.task)
      task.token = run.events
      task.startedAt ??= event.at
      task.circuitWaits = 0
      task.attempts.push({
        number: event.attempt,
        status: 'running',
        startedAt: event.at,
        finishedAt: null,
        error: null,
      })
      return
    }
    case 'AttemptSucceeded':
      endAttempt(run, event.task, 'succeeded', event.at, null)
      run.tasks[event.task]!.output = event.output
      settle(run, event.task, 'succeeded', event.at, null)
      return
    case 'AttemptFailed':
      leaveUndecided(run, event.task, 'failed', event.at, event.error)
      run.tasks[event.task]!.retryAfterMs = event.retryAfterMs ?? null
      run.tasks[event.task]!.isRetryRefused = event.isRetryRefused === true
      return
    case 'AttemptTimedOut':
      leaveUndecided(run, event.task, 'timed_out', event.at, event.error)
      run.tasks[event.task]!.isRetryRefused = event.isRetryRefused === true
      return
    case 'AttemptInterrupted':
      leaveUndecided(run, event.task, 'interrupted', event.at, null)
      run.tasks[event.task]!.interruptions++
      return
    case 'TaskWaiting': {
      const task = move(run, event.task, 'waiting')
      task.wakeAt = event.until
      task.retryAfterMs = null
      if (event.for === 'circuit') {
        // It may have stood in the queue; no slot is kept for what waits.
        run.slots.release(event.task)
        task.circuit = event.target ?? null
        task.circuitWaits++
      }
      if (!event.isSnoozed) return
      task.snoozes++
      task.attempts.at(-1)!.status = 'snoozed'
      return
    }
    case 'TaskFailed':
      settle(run, event.task, 'failed', event.at, event.error)
      return
    case 'TaskTimedOut':
      endAttempt(run, event.task, 'timed_out', event.at, null)
      settle(run, event.task, 'timed_out', event.at, run.tasks[event.task]!.attempts.at(-1)?.error ?? null)
      return
    case 'TaskCancelled':
      endAttempt(run, event.task, 'cancelled', event.at, null)
      settle(run, event.task, 'cancelled', event.at, null)
      return
    case 'TaskSkipped': {
      const task = run.tasks[event.task]!
      task.skipReason = event.reason
      task.because = event.because
      settle(run, event.task, 'skipped', event.at, null)
      return
    }
    case 'RunFinished':
      run.status = event.status
      run.finishedAt = event.at
      run.output = event.output
      run.error = event.error
      return
    default:
      // A newer release wrote this history; the run stays as it is (R9).
      event satisfies never
  }
}

/** Puts a task into a status that is not its last, and forgets what only its former status needed. */
function move(run: Run, index: TaskIndex, status: TaskStatus): Task {
  const task = run.tasks[index]!
  run.progress[task.status]--
  run.progress[status]++
  task.status = status
  task.wakeAt = null
  task.circuit = null
  run.undecided.delete(index)
  if (status === 'waiting') run.sleeping.add(index)
  else run.sleeping.delete(index)
  return task
}

/** An attempt ended without success: whether its task has, or is tried again, is for the scheduler to decide. */
function leaveUndecided(run: Run, index: TaskIndex, status: AttemptStatus, at: number, error: TaskError | null): void {
  endAttempt(run, index, status, at, error)
  move(run, index, 'pending')
  run.slots.release(index)
  run.undecided.add(index)
}

/** Ends the attempt that is executing, if one is: a task can be cancelled or timed out while none is. */
function endAttempt(run: Run, index: TaskIndex, status: AttemptStatus, at: number, error: TaskError | null): void {
  const task = run.tasks[index]!
  task.token = 0
  const attempt = task.attempts.at(-1)
  if (attempt?.status !== 'running') return
  attempt.status = status
  attempt.finishedAt = at
  attempt.error = error
}

/** Ends a task, and tells those that depend on it. */
function settle(run: Run, index: TaskIndex, status: TaskStatus, at: number, error: TaskError | null): void {
  const task = move(run, index, status)
  run.slots.release(index)
  run.doomed.delete(index)
  task.finishedAt = at
  task.error = error
  while (run.firstUnsettled < run.tasks.length && isSettled(run.tasks[run.firstUnsettled]!.status)) run.firstUnsettled++

  if (status === 'succeeded') {
    for (const dependent of run.workflow.graph.dependents[index]!) {
      const waiting = run.tasks[dependent]!
      if (--waiting.unmet === 0 && waiting.status === 'pending') run.slots.request(dependent)
    }
    return
  }
  const isFailure = status === 'failed' || status === 'timed_out'
  if (isFailure && run.ending === null) {
    run.firstFailure ??= index
    if (run.workflow.definition.on_failure === 'stop') run.ending = 'task_failed'
  }
  // A task that was skipped because of a failure passes the failure on; one that was stopped with the run does not.
  if (!isFailure && task.skipReason !== 'upstream_failed') return
  for (const dependent of run.workflow.graph.dependents[index]!) {
    if (run.tasks[dependent]!.status === 'pending' && !run.doomed.has(dependent)) run.doomed.set(dependent, index)
  }
}
