// The items of a map: their state inside the map's task, and the fold of the events that are about one of them (R1).
// An item that has not begun is a number below the next one's: no object stands for it.

import { type LaterEvent, PayloadRef, type StoredValue, type TaskError, type TaskIndex } from '../event.ts'
import type { Run, TaskStatus } from './run.ts'
import { type Spot, spotKey } from './spot.ts'
import { beginAttempt, beginWaiting, endAttempt, endWait, noTries, recordEnd, type Tries } from './tries.ts'

/** The most items of one map. */
export const MAX_ITEMS = 10_000

/** An item that has begun. */
export interface Item extends Tries {
  status: TaskStatus
  output: StoredValue
  error: TaskError | null
  finishedAt: number | null
}

export interface Items {
  /** The values, a list. */
  readonly list: StoredValue
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

/** The items of a map that begins with this list: none of them has begun. `total` is the length of the list. */
export function itemsOf(list: StoredValue, total: number): Items {
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

type ItemSpot = Required<Spot>

/** Whether the event is about one item of a map, and not about a task. */
export function isItemEvent(event: LaterEvent): event is ItemEvent {
  return 'item' in event && event.item !== undefined
}

/** Folds an event that is about one item. Total, like `apply`: of a map that has ended it changes nothing. */
export function applyToItem(run: Run, event: ItemEvent): void {
  const items = run.tasks[event.task]?.items ?? null
  if (items === null) return
  switch (event.type) {
    case 'AttemptStarted':
      run.slots.acquire(spotKey(event))
      beginAttempt(move(run, event, 'running'), run.events, event)
      items.running.add(event.item)
      rotate(run, event.task)
      return
    case 'ChildStarted': {
      const item = move(run, event, 'waiting')
      item.waitingFor = 'child'
      item.childRun = event.child
      items.nesting.add(event.item)
      run.nesting.add(spotKey(event))
      beginAttempt(item, run.events, event)
      return
    }
    case 'AttemptSucceeded': {
      const item = settle(run, event, 'succeeded', event.at, null)
      recordEnd(item, event)
      item.output = event.output
      items.outputBytes += sizeOf(event.output)
      return
    }
    case 'AttemptFailed':
    case 'AttemptTimedOut':
    case 'AttemptSnoozed':
    case 'AttemptInterrupted':
      recordEnd(move(run, event, 'pending'), event)
      run.slots.release(spotKey(event))
      items.undecided.add(event.item)
      return
    case 'TaskWaiting':
      beginWaiting(move(run, event, 'waiting'), event)
      items.waiting.add(event.item)
      if (event.for === 'circuit') items.held.add(event.item)
      rotate(run, event.task)
      return
    case 'TaskFailed':
      settle(run, event, 'failed', event.at, event.error)
      items.failures.push(event.item)
      return
    case 'TaskTimedOut': {
      const last = items.begun.get(event.item)?.attempts.at(-1)
      settle(run, event, 'timed_out', event.at, last?.error ?? null)
      items.failures.push(event.item)
      return
    }
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
    settle(run, { task, item: index }, how, at, null)
  }
  items.progress.skipped += items.progress.pending
  items.progress.pending = 0
}

/** Ids of the runs that an ended task, or items of it, had as attempts. Those that still go on are to be cancelled: nothing needs their results. */
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
function rotate(run: Run, task: TaskIndex): void {
  const { next, total } = run.tasks[task]!.items!
  run.slots.release(task)
  if (next < total && run.workflow.plans[task]!.items!.kind !== 'child') run.slots.request(task)
}

/** Puts an item into a status, and forgets what only its former one needed. One that has not begun begins with that. */
function move(run: Run, spot: ItemSpot, status: TaskStatus): Item {
  const items = run.tasks[spot.task]!.items!
  let item = items.begun.get(spot.item)
  if (item === undefined) {
    item = { ...noTries(), status: 'pending', output: null, error: null, finishedAt: null }
    items.begun.set(spot.item, item)
    run.begunItems++
    items.next = Math.max(items.next, spot.item + 1)
  }
  items.progress[item.status]--
  items.progress[status]++
  item.status = status
  endWait(item)
  for (const group of [items.running, items.waiting, items.nesting, items.held, items.undecided])
    group.delete(spot.item)
  run.nesting.delete(spotKey(spot))
  return item
}

function settle(
  run: Run,
  spot: ItemSpot,
  status: 'succeeded' | 'failed' | 'timed_out' | 'cancelled',
  at: number,
  error: TaskError | null,
): Item {
  const item = move(run, spot, status)
  endAttempt(item, status, at, null)
  run.slots.release(spotKey(spot))
  item.finishedAt = at
  item.error = error
  return item
}

function sizeOf(value: StoredValue): number {
  return value instanceof PayloadRef ? value.bytes : JSON.stringify(value).length
}
