// The fold that is the state machine of a run (R1): `accept` for its first event, `apply` for each later one. It never decides
// (scheduler.ts does), never reads a clock (R2) and never throws on an event that it does not know (R9).

import type { AcceptedEvent, LaterEvent } from '../event.ts'
import { applyToItem, isItemEvent, itemsOf } from './items.ts'
import type { Run } from './run.ts'
import { Slots } from './slots.ts'
import { enqueue, leaveUndecided, move, needsSlot, release, settle } from './task-moves.ts'
import { beginAttempt, beginWaiting, endAttempt, noTries, recordEnd } from './tries.ts'

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
    signalIds: new Map(),
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
  // A task whose rule waits for nothing is ready at once, although it has dependencies.
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
      run.signalIds.set(event.id, run.events)
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
      recordEnd(run.tasks[event.task]!, event)
      run.tasks[event.task]!.output = event.output
      settle(run, event.task, 'succeeded', event.at, null)
      return
    case 'AttemptFailed':
    case 'AttemptTimedOut':
    case 'AttemptSnoozed':
    case 'AttemptInterrupted':
      leaveUndecided(run, event.task, event)
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
