// What each task of a run did, and when: the history laid out along time. Pure. Nothing is guessed: every span begins and ends
// with an event that was recorded, and what lies between two events of a task is what the first of them began.

import type { RunEvent, TaskIndex, WaitingFor } from '../event.ts'
import type { Run } from '../run/run.ts'
import { spotAt, spotKey, spotOf } from '../run/spot.ts'

/** What a task does from one of its events to the next. `ready`: nothing but a slot, a pause or this service holds it. */
export type Doing = 'executing' | 'ready' | WaitingFor

export interface Interval {
  readonly from: number
  readonly to: number
}

export interface Span extends Interval {
  readonly doing: Doing
}

export interface TaskTimeline {
  /** Number of its first event; 0 when it has none. */
  first: number
  /** Number of the event that ended it; 0 while it has not ended. */
  last: number
  /** In order, without gaps from its first event to its last, or to now. */
  readonly spans: Span[]
}

export interface Timeline {
  readonly tasks: readonly TaskTimeline[]
  /** Number of the event that started the run; 0 if it has not started. */
  readonly started: number
  /** When the run was paused. */
  readonly pauses: readonly Interval[]
  /** When all slots were taken. */
  readonly full: readonly Interval[]
  /** Number of the event that ended the run's work against its tasks: a time-out, a cancel, a stop; 0 without one. */
  readonly cut: number
  /** When that was. */
  readonly cutAt: number | null
}

/**
 * Lays a history out.
 * @param run the run that the events make
 * @param events all of them, in order; null is one that this release does not know
 * @param now where what has not ended is cut off, ms since the epoch, not before `run.at`
 */
export function timelineOf(run: Run, events: readonly (RunEvent | null)[], now: number): Timeline {
  const tasks: TaskTimeline[] = run.tasks.map(() => ({ first: 0, last: 0, spans: [] }))
  const open = new Map<TaskIndex, { doing: Doing; from: number; until: number | null }>()
  const executing = new Set<number>()
  const pauses = new Intervals()
  const full = new Intervals()
  let started = 0
  let cut = 0
  let cutAt: number | null = null
  let isCompensating = false

  const close = (task: TaskIndex, at: number) => {
    const span = open.get(task)
    if (span === undefined) return
    open.delete(task)
    const { doing, from, until } = span
    // What waited for an attempt has been ready for it since its time came.
    const due =
      (doing === 'retry' || doing === 'poll' || doing === 'circuit') && until !== null && until < at ? until : at
    if (due > from) tasks[task]!.spans.push({ doing, from, to: due })
    if (at > due) tasks[task]!.spans.push({ doing: 'ready', from: due, to: at })
  }

  events.forEach((event, index) => {
    if (event === null) return
    const { at } = event
    // A signal that is meant for a task is the run's all the same: the task's own event says what it took.
    if (!('task' in event) || event.type === 'SignalReceived') {
      if (event.type === 'RunStarted') started = index + 1
      else if (event.type === 'RunPaused') pauses.open(at)
      else if (event.type === 'RunResumed') pauses.close(at)
      else if (event.type === 'RunCancelRequested' || event.type === 'RunStopped' || event.type === 'RunTimedOut') {
        pauses.close(at)
        if (isCompensating) return
        cut = index + 1
        cutAt = at
      } else if (event.type === 'CompensationStarted') isCompensating = true
      return
    }
    const { task } = event
    const timeline = tasks[task]
    if (timeline === undefined) return
    const item = 'item' in event ? event.item : undefined
    const key = spotKey(spotAt(task, item))
    if (event.type === 'AttemptStarted') {
      executing.add(key)
      if (executing.size === run.slots.capacity) full.open(at)
    } else if (executing.delete(key)) full.close(at)
    // What an item does is not told; its map waits for it all the while.
    if (item !== undefined) return
    if (timeline.first === 0) timeline.first = index + 1
    close(task, at)
    const doing = doingAfter(event)
    if (doing === null) {
      timeline.last = index + 1
      // The end of a map ends its items with it.
      for (const left of executing) if (spotOf(left).task === task && executing.delete(left)) full.close(at)
    } else open.set(task, { doing, from: at, until: event.type === 'TaskWaiting' ? event.until : null })
  })
  for (const task of [...open.keys()]) close(task, now)
  return { tasks, started, pauses: pauses.until(now), full: full.until(now), cut, cutAt }
}

type TaskEvent = Exclude<Extract<RunEvent, { task: TaskIndex }>, { type: 'SignalReceived' }>

/** What the task does after the event; null if it has ended. */
function doingAfter(event: TaskEvent): Doing | null {
  switch (event.type) {
    case 'AttemptStarted':
      return 'executing'
    case 'TaskWaiting':
      return event.for
    case 'ChildStarted':
      return 'child'
    // What follows was decided in the same step, or after it was cut short.
    case 'AttemptFailed':
    case 'AttemptTimedOut':
    case 'AttemptSnoozed':
    case 'AttemptInterrupted':
    case 'ConditionMet':
      return 'ready'
    case 'AttemptSucceeded':
    case 'TaskSucceeded':
    case 'TaskReused':
    case 'TaskFailed':
    case 'TaskTimedOut':
    case 'TaskCancelled':
    case 'TaskSkipped':
      return null
    default:
      return event satisfies never
  }
}

/** Intervals that are opened and closed in the order of time; opening twice, or closing what is not open, changes nothing. */
class Intervals {
  readonly #closed: Interval[] = []
  #from: number | null = null

  /** Begins an interval; changes nothing if one is open. */
  open(at: number): void {
    this.#from ??= at
  }

  /** Ends the open interval. One without length is dropped. */
  close(at: number): void {
    if (this.#from !== null && at > this.#from) this.#closed.push({ from: this.#from, to: at })
    this.#from = null
  }

  /** All intervals; one that is still open ends now. Call it last: it closes. */
  until(now: number): readonly Interval[] {
    this.close(now)
    return this.#closed
  }
}
