// The items of a map: their state inside the map's task, and the fold of the events that are about one of them (R1).
// An item that has not begun is a number below the next one's: no object stands for it.

import { type Held, type LaterEvent, PayloadRef, type TaskError, type TaskIndex } from './event.ts'
import type { AttemptStatus, Run, TaskStatus } from './run.ts'
import { spotKey } from './spot.ts'
import {
  beginAttempt,
  beginWaiting,
  endAttempt,
  endInterrupted,
  endPoll,
  endWait,
  noTries,
  noteUsage,
  type Tries,
} from './tries.ts'

/** The most items of one map. */
export const MAX_ITEMS = 10_000

/** An item that has begun. */
export interface Item extends Tries {
  status: TaskStatus
  output: Held
  error: TaskError | null
  finishedAt: number | null
}

export interface Items {
  /** The values, a list. */
  readonly list: Held
  readonly total: number
  /** The first that has not begun. */
  next: number
  /** Those that have, by their index. */
  readonly begun: Map<number, Item>
  /** How many stand in each status. */
  readonly progress: Record<TaskStatus, number>
  readonly running: Set<number>
  /** Those that wait for another attempt. */
  readonly waiting: Set<number>
  /** Those that wait for the end of the run that their attempt is. */
  readonly nesting: Set<number>
  /** Those of the waiting that a circuit holds back. */
  readonly held: Set<number>
  /** Those whose attempt ended without success and about which nothing is decided yet. */
  readonly undecided: Set<number>
  /** Those that failed or timed out, in that order. */
  readonly failures: number[]
  /** JSON text of the outputs so far, in characters where the history holds them, else in bytes. */
  outputBytes: number
}

export function itemsOf(list: Held, total: number): Items {
  return {
    list,
    total,
    next: 0,
    begun: new Map(),
    progress: {
      pending: total,
      waiting: 0,
      running: 0,
      succeeded: 0,
      failed: 0,
      skipped: 0,
      cancelled: 0,
      timed_out: 0,
    },
    running: new Set(),
    waiting: new Set(),
    nesting: new Set(),
    held: new Set(),
    undecided: new Set(),
    failures: [],
    outputBytes: 0,
  }
}

/** Events that may be about one item of a map. */
export type ItemEvent = Extract<LaterEvent, { item?: number }> & { item: number }

export function isItemEvent(event: LaterEvent): event is ItemEvent {
  return 'item' in event && event.item !== undefined
}

/** Folds an event that is about one item. Total, like `apply`: of a map that has ended it changes nothing. */
export function applyToItem(run: Run, event: ItemEvent): void {
  const items = run.tasks[event.task]?.items ?? null
  if (items === null) return
  const index = event.item
  switch (event.type) {
    case 'AttemptStarted':
      run.slots.acquire(spotKey(event))
      beginAttempt(move(run, event.task, items, index, 'running'), run.events, event)
      items.running.add(index)
      rotate(run, event.task, items)
      return
    case 'ChildStarted': {
      const item = move(run, event.task, items, index, 'waiting')
      item.waitingFor = 'child'
      item.childRun = event.child
      items.nesting.add(index)
      run.nesting.add(spotKey(event))
      beginAttempt(item, run.events, event)
      return
    }
    case 'AttemptSucceeded': {
      const item = settle(run, event.task, items, index, 'succeeded', event.at, null)
      item.output = event.output
      item.logs = event.logs ?? null
      noteUsage(item, event)
      items.outputBytes += sizeOf(event.output)
      return
    }
    case 'AttemptFailed': {
      const item = leaveUndecided(run, event.task, items, index, 'failed', event.at, event.error)
      item.retryAfterMs = event.retryAfterMs ?? null
      item.isRetryRefused = event.isRetryRefused === true
      if (event.isUnborn) item.childRun = null
      item.logs = event.logs ?? null
      noteUsage(item, event)
      return
    }
    case 'AttemptTimedOut': {
      const item = leaveUndecided(run, event.task, items, index, 'timed_out', event.at, event.error)
      item.isRetryRefused = event.isRetryRefused === true
      item.logs = event.logs ?? null
      noteUsage(item, event)
      return
    }
    case 'AttemptSnoozed':
      endPoll(leaveUndecided(run, event.task, items, index, 'snoozed', event.at, null), event)
      return
    case 'AttemptInterrupted':
      endInterrupted(leaveUndecided(run, event.task, items, index, 'interrupted', event.at, null), event)
      return
    case 'TaskWaiting':
      beginWaiting(move(run, event.task, items, index, 'waiting'), event)
      items.waiting.add(index)
      if (event.for === 'circuit') items.held.add(index)
      rotate(run, event.task, items)
      return
    case 'TaskFailed':
      settle(run, event.task, items, index, 'failed', event.at, event.error)
      items.failures.push(index)
      return
    case 'TaskTimedOut':
      settle(
        run,
        event.task,
        items,
        index,
        'timed_out',
        event.at,
        items.begun.get(index)?.attempts.at(-1)?.error ?? null,
      )
      items.failures.push(index)
      return
    default:
      event satisfies never
  }
}

/** The map has ended: so has every item, what executes is cut off, and what has not begun never will. */
export function closeItems(run: Run, task: TaskIndex, status: TaskStatus, at: number): void {
  const items = run.tasks[task]!.items
  if (items === null) return
  const how = status === 'timed_out' ? 'timed_out' : 'cancelled'
  for (const index of [...items.running, ...items.waiting, ...items.nesting, ...items.undecided]) {
    settle(run, task, items, index, how, at, null)
  }
  items.progress.skipped += items.progress.pending
  items.progress.pending = 0
}

/** Ids of the runs that were a task which has ended, or items of it: whoever of them goes on is of no more use. */
export function runsCutOff(run: Run, task: TaskIndex): string[] {
  const { childRun, items, finishedAt } = run.tasks[task]!
  const own = childRun === null ? [] : [childRun]
  if (items === null || run.workflow.plans[task]!.items!.kind !== 'child') return own
  // What ended with its map has no end of its own before that.
  const cut = [...items.begun.values()].filter((item) => isCutOff(item) && item.finishedAt === finishedAt)
  return [...own, ...cut.flatMap((item) => item.childRun ?? [])]
}

function isCutOff({ status }: Item): boolean {
  return status === 'cancelled' || status === 'timed_out'
}

/** After one of its items has had a slot, a map stands behind the others that want one. One of runs wants none. */
function rotate(run: Run, task: TaskIndex, items: Items): void {
  run.slots.release(task)
  if (items.next < items.total && run.workflow.plans[task]!.items!.kind !== 'child') run.slots.request(task)
}

function move(run: Run, task: TaskIndex, items: Items, index: number, status: TaskStatus): Item {
  let item = items.begun.get(index)
  if (item === undefined) {
    item = { ...noTries(), status: 'pending', output: null, error: null, finishedAt: null }
    items.begun.set(index, item)
    run.begunItems++
    items.next = Math.max(items.next, index + 1)
  }
  items.progress[item.status]--
  items.progress[status]++
  item.status = status
  endWait(item)
  items.running.delete(index)
  items.waiting.delete(index)
  items.nesting.delete(index)
  run.nesting.delete(spotKey({ task, item: index }))
  items.held.delete(index)
  items.undecided.delete(index)
  return item
}

function leaveUndecided(
  run: Run,
  task: TaskIndex,
  items: Items,
  index: number,
  status: AttemptStatus,
  at: number,
  error: TaskError | null,
): Item {
  const item = move(run, task, items, index, 'pending')
  endAttempt(item, status, at, error)
  run.slots.release(spotKey({ task, item: index }))
  items.undecided.add(index)
  return item
}

function settle(
  run: Run,
  task: TaskIndex,
  items: Items,
  index: number,
  status: 'succeeded' | 'failed' | 'timed_out' | 'cancelled',
  at: number,
  error: TaskError | null,
): Item {
  const item = move(run, task, items, index, status)
  endAttempt(item, status, at, null)
  run.slots.release(spotKey({ task, item: index }))
  item.finishedAt = at
  item.error = error
  return item
}

function sizeOf(value: Held): number {
  return value instanceof PayloadRef ? value.bytes : JSON.stringify(value).length
}
