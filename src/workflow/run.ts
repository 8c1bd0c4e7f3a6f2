// A run: its state, the events that made it, and `apply`, the fold that is the state machine (R1).
// It never decides (scheduler.ts does), never reads a clock (R2) and never throws on an event that it does not know (R9).

import type { CompiledWorkflow, TaskKind } from './definition.ts'
import type {
  AcceptedEvent,
  FinalStatus,
  Held,
  LaterEvent,
  RunError,
  SkipReason,
  StartOptions,
  TaskError,
  TaskIndex,
  WaitingFor,
} from './event.ts'
import { applyToItem, closeItems, type Items, isItemEvent, itemsOf } from './items.ts'
import { Slots } from './slots.ts'
import { beginAttempt, beginWaiting, endAttempt, endWait, noTries } from './tries.ts'
import { acceptsFailure, type EndedDependencies, judge } from './trigger-rule.ts'

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
  /** What the last attempt that ended printed, a list; null: nothing. */
  logs: Held
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
  readonly data: Held
}

/** Why a task can no longer start. */
export interface Doom {
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
  readonly input: Held
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
  /** Tasks that failed or timed out by themselves, in order; the first that nothing handled gives the run its error. */
  readonly failures: TaskIndex[]
  /** Compensations of what has succeeded, in the order of success; they run from the last to the first. */
  readonly undo: TaskIndex[]
  compensation: Compensation | null
  /** Signals so far, by the number of their event. */
  readonly signals: Map<number, Signal>
  /** Their ids, so that a repeat is known. */
  readonly signalIds: Set<string>
  /** Signals that no task has taken yet, in the order of arrival. */
  readonly buffered: Set<number>
  // What `apply` marks so that deciding costs what has changed, not the size of the run. Each is derived from `tasks`.
  /** Pending tasks that can no longer start. */
  readonly doomed: Map<TaskIndex, Doom>
  /** Ready tasks whose `when` is still to be evaluated. */
  readonly conditional: Set<TaskIndex>
  /** Ready tasks that begin without a slot. */
  readonly beginning: Set<TaskIndex>
  /** Tasks whose attempt ended without success (failed, timed out, cut off) and about which nothing is decided yet. */
  readonly undecided: Set<TaskIndex>
  /** Waiting tasks. */
  readonly sleeping: Set<TaskIndex>
  /** Keys (slots.ts) of the tasks and items that wait for a run of their own. */
  readonly nesting: Set<number>
  /** Those of them that are maps. */
  readonly maps: Set<TaskIndex>
  /** Items of all maps that have begun. */
  begunItems: number
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
export function isCurrent(run: Run, task: TaskIndex, token: number, item?: number): boolean {
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

/** Whether a limit may still stop the run: one whose end is decided only settles what is left. */
export function isStoppable({ finishedAt, ending, compensation }: Run): boolean {
  if (finishedAt !== null) return false
  if (compensation !== null) return !compensation.isBroken
  return ending === null || ending === 'task_failed'
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
    queuedUntil: null,
    startedAt: null,
    deadlineAt: null,
    finishedAt: null,
    cancelRequestedAt: null,
    wasPaused: false,
    remainingMs: null,
    output: null,
    error: null,
    tasks: definition.tasks.map(() => ({
      status: 'pending',
      skipReason: null,
      because: null,
      output: null,
      error: null,
      finishedAt: null,
      ...noTries(),
      waitNumber: 0,
      ended: { succeeded: 0, failed: 0, skipped: 0, cancelled: 0 },
      isReused: false,
      isReady: false,
      items: null,
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
    failures: [],
    undo: [],
    compensation: null,
    signals: new Map(),
    signalIds: new Set(),
    buffered: new Set(),
    doomed: new Map(),
    conditional: new Set(),
    beginning: new Set(),
    undecided: new Set(),
    sleeping: new Set(),
    nesting: new Set(),
    maps: new Set(),
    begunItems: 0,
    firstUnsettled: 0,
  }
  for (const root of graph.roots) release(run, root)
  // A task whose rule waits for nothing is ready whatever it depends on.
  event.workflow.plans.forEach(({ rule }, index) => {
    if (rule === 'always' && graph.dependencies[index]!.length > 0) release(run, index)
  })
  return run
}

/**
 * Folds one event into the run (R1). Mutates the run, which its Runner alone holds, in time proportional to the tasks
 * that the event touches. Total: an event of a type that this release does not know changes nothing but the count (R9).
 */
export function apply(run: Run, event: LaterEvent): void {
  run.events++
  run.at = event.at
  if (isItemEvent(event)) {
    applyToItem(run, event)
    return
  }
  switch (event.type) {
    case 'RunQueued':
      run.queuedUntil = event.until
      return
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
      if (run.status === 'paused') unpause(run)
      return
    case 'RunPaused':
      run.remainingMs = run.deadlineAt === null ? null : run.deadlineAt - event.at
      run.deadlineAt = null
      run.status = 'paused'
      run.wasPaused = true
      return
    case 'RunResumed':
      if (run.remainingMs !== null) run.deadlineAt = event.at + run.remainingMs
      unpause(run)
      return
    case 'RunStopped':
      if (run.compensation !== null) run.compensation.isBroken = true
      run.ending = 'stopped'
      run.error = event.error
      if (run.status === 'paused') unpause(run)
      return
    case 'ConditionMet':
      run.conditional.delete(event.task)
      enqueue(run, event.task)
      return
    case 'CompensationStarted':
      run.compensation = { status: event.status, error: event.error, failed: [], isBroken: false }
      run.deadlineAt = null
      return
    case 'TaskReused':
      run.tasks[event.task]!.isReused = true
      run.tasks[event.task]!.output = event.output
      settle(run, event.task, 'succeeded', event.at, null)
      return
    case 'TaskSucceeded':
      run.tasks[event.task]!.startedAt ??= event.at
      run.tasks[event.task]!.output =
        event.signal === undefined ? event.output : (run.signals.get(event.signal)?.data ?? null)
      if (event.signal !== undefined) run.buffered.delete(event.signal)
      settle(run, event.task, 'succeeded', event.at, null)
      return
    case 'SignalReceived':
      run.signals.set(run.events, { name: event.name, data: event.data })
      run.signalIds.add(event.id)
      run.buffered.add(run.events)
      return
    case 'AttemptStarted':
      run.slots.acquire(event.task)
      beginAttempt(move(run, event.task, 'running'), run.events, event)
      return
    case 'ChildStarted': {
      const task = move(run, event.task, 'waiting')
      task.waitingFor = 'child'
      task.childRun = event.child
      run.nesting.add(event.task)
      beginAttempt(task, run.events, event)
      return
    }
    case 'AttemptSucceeded':
      endAttempt(run.tasks[event.task]!, 'succeeded', event.at, null)
      run.tasks[event.task]!.logs = event.logs ?? null
      run.tasks[event.task]!.output = event.output
      settle(run, event.task, 'succeeded', event.at, null)
      return
    case 'AttemptFailed':
      leaveUndecided(run, event.task, 'failed', event.at, event.error)
      run.tasks[event.task]!.retryAfterMs = event.retryAfterMs ?? null
      run.tasks[event.task]!.isRetryRefused = event.isRetryRefused === true
      run.tasks[event.task]!.logs = event.logs ?? null
      if (event.isUnborn) run.tasks[event.task]!.childRun = null
      return
    case 'AttemptTimedOut':
      leaveUndecided(run, event.task, 'timed_out', event.at, event.error)
      run.tasks[event.task]!.isRetryRefused = event.isRetryRefused === true
      run.tasks[event.task]!.logs = event.logs ?? null
      return
    case 'AttemptInterrupted':
      leaveUndecided(run, event.task, 'interrupted', event.at, null)
      run.tasks[event.task]!.interruptions++
      return
    case 'TaskWaiting': {
      const task = move(run, event.task, 'waiting')
      beginWaiting(task, event)
      task.waitNumber = run.events
      // A retry or a circuit waits for an attempt; any other wait is what its task does.
      if (event.for !== 'circuit') task.startedAt ??= event.at
      // It may have stood in the queue; no slot is kept for what waits.
      if (event.for === 'circuit') run.slots.release(event.task)
      if (event.for !== 'items') return
      task.items = itemsOf(event.items ?? [], event.total ?? 0)
      run.maps.add(event.task)
      if (task.items.total > 0 && needsSlot(run.workflow.plans[event.task]!.items!.kind)) run.slots.request(event.task)
      return
    }
    case 'TaskFailed':
      settle(run, event.task, 'failed', event.at, event.error)
      return
    case 'TaskTimedOut':
      endAttempt(run.tasks[event.task]!, 'timed_out', event.at, null)
      settle(
        run,
        event.task,
        'timed_out',
        event.at,
        event.error ?? run.tasks[event.task]!.attempts.at(-1)?.error ?? null,
      )
      return
    case 'TaskCancelled':
      endAttempt(run.tasks[event.task]!, 'cancelled', event.at, null)
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

function unpause(run: Run): void {
  run.status = run.startedAt === null ? 'queued' : 'running'
  run.remainingMs = null
}

/** The task's trigger rule lets it go. */
function release(run: Run, index: TaskIndex): void {
  run.tasks[index]!.isReady = true
  if (run.workflow.definition.tasks[index]!.when === undefined) enqueue(run, index)
  else run.conditional.add(index)
}

/** Nothing but a slot, if it needs one, holds the task any more. */
function enqueue(run: Run, index: TaskIndex): void {
  if (needsSlot(run.workflow.plans[index]!.kind)) run.slots.request(index)
  else run.beginning.add(index)
}

/** A slot is held by what executes, and by nothing else: tasks that only wait need none. */
function needsSlot(kind: TaskKind): boolean {
  return kind === 'attempt' || kind === 'placeholder' || kind === 'transform'
}

/** Puts a task into a status that is not its last, and forgets what only its former status needed. */
function move(run: Run, index: TaskIndex, status: TaskStatus): Task {
  const task = run.tasks[index]!
  run.progress[task.status]--
  run.progress[status]++
  task.status = status
  endWait(task)
  run.undecided.delete(index)
  run.conditional.delete(index)
  run.beginning.delete(index)
  run.nesting.delete(index)
  run.maps.delete(index)
  if (status === 'waiting') run.sleeping.add(index)
  else run.sleeping.delete(index)
  return task
}

/** An attempt ended without success: whether its task has, or is tried again, is for the scheduler to decide. */
function leaveUndecided(run: Run, index: TaskIndex, status: AttemptStatus, at: number, error: TaskError | null): void {
  endAttempt(move(run, index, 'pending'), status, at, error)
  run.slots.release(index)
  run.undecided.add(index)
}

/** Ends a task, and tells those that depend on it. */
function settle(run: Run, index: TaskIndex, status: TaskStatus, at: number, error: TaskError | null): void {
  const task = move(run, index, status)
  closeItems(run, index, status, at)
  run.slots.release(index)
  run.doomed.delete(index)
  task.finishedAt = at
  task.error = error
  while (run.firstUnsettled < run.tasks.length && isSettled(run.tasks[run.firstUnsettled]!.status)) run.firstUnsettled++

  const { undoneBy, undoes } = run.workflow.plans[index]!
  if (undoneBy !== null && status === 'succeeded') run.undo.push(undoneBy)
  const isFailure = status === 'failed' || status === 'timed_out'
  if (isFailure && undoes !== null) run.compensation?.failed.push(index)
  else if (isFailure && run.ending === null) {
    run.failures.push(index)
    if (run.workflow.definition.on_failure === 'stop') run.ending = 'task_failed'
  }
  tellDependents(run, index, classOf(task))
}

/** How an ended task counts for those that depend on it. One that was skipped for a failure passes the failure on. */
export function classOf({ status, skipReason }: Task): keyof EndedDependencies {
  if (status === 'succeeded' || status === 'cancelled') return status
  return status === 'skipped' && skipReason !== 'upstream_failed' ? 'skipped' : 'failed'
}

function tellDependents(run: Run, index: TaskIndex, ended: keyof EndedDependencies): void {
  const { graph, plans } = run.workflow
  for (const dependent of graph.dependents[index]!) {
    const task = run.tasks[dependent]!
    task.ended[ended]++
    if (task.status !== 'pending' || task.isReady || run.doomed.has(dependent)) continue
    const { rule } = plans[dependent]!
    const verdict = judge(rule, task.ended, graph.dependencies[dependent]!.length)
    if (verdict === 'start') release(run, dependent)
    // Of a run that ends, a task that was waiting for others ends with the run, not by its rule (api.md "what happens").
    else if (
      verdict === 'upstream_failed' ||
      (verdict === 'trigger_rule' && (run.ending === null || acceptsFailure(rule)))
    ) {
      run.doomed.set(dependent, { reason: verdict, because: index })
    }
  }
}
