// Which tasks and items of maps get the free slots, and which of them a circuit holds back. Pure.

import type { LaterEvent, LoadPayload, TaskError, TaskIndex } from '../event.ts'
import { runScope, spotScope } from '../expression/scope.ts'
import type { StepBudget } from '../expression/step-budget.ts'
import type { Run } from '../run/run.ts'
import { isChild, planOf, type Spot } from '../run/spot.ts'
import { nextAttempt, triesOf } from '../run/tries.ts'
import { spanText } from '../wording.ts'
import type { Admission, Hold } from './admission.ts'
import { patienceMs } from './circuit.ts'
import { MAX_DECISIONS } from './decision-bounds.ts'
import { hasRoom, nextItem } from './map.ts'
import { transform } from './transform.ts'

/** Bytes of JSON that one answer may compute: they are in memory until they are recorded, and only then kept elsewhere. */
const MAX_DECIDED_BYTES = 4 * 1024 * 1024

/**
 * Gives the free slots away: first to tasks that had begun and are due, then to those that became ready, in that order.
 * A task that a circuit holds back gets none and leaves its turn to the next.
 */
export function startReady(
  run: Run,
  at: number,
  load: LoadPayload,
  admission: Admission | null,
  budget: StepBudget,
): LaterEvent[] {
  const events: LaterEvent[] = []
  let free = run.slots.free
  let bytesLeft = MAX_DECIDED_BYTES
  const isDone = () => free === 0 || bytesLeft <= 0 || budget.isSpent || events.length >= MAX_DECISIONS
  const scope = runScope(run, load, budget)
  const start = (spot: Spot) => {
    const { kind } = planOf(run, spot)
    const isInstant = kind === 'placeholder' || kind === 'transform'
    const hold = isInstant ? null : (admission?.hold(spot) ?? null)
    if (hold !== null) {
      events.push(heldBack(run, spot, hold, at))
      return
    }
    events.push({ type: 'AttemptStarted', at, ...spot, attempt: nextAttempt(run, spot) })
    // An instant task takes a slot and gives it back in one step. Its token is the number of the event just pushed.
    if (kind === 'placeholder') {
      events.push({ type: 'AttemptSucceeded', at, ...spot, token: run.events + events.length, output: null })
    } else if (kind === 'transform') {
      const { event, bytes } = transform(run, spot, run.events + events.length, at, spotScope(scope, run, spot, load))
      events.push(event)
      bytesLeft -= bytes
    } else free--
  }
  for (const task of dueToStart(run, at, admission)) {
    if (isDone()) return events
    start({ task })
  }
  // What a map may still start is known again only when what it starts now is recorded.
  const served = new Set<TaskIndex>()
  for (const spot of dueItems(run, at, admission)) {
    if (isDone()) return events
    start(spot)
    served.add(spot.task)
  }
  for (const task of run.slots.queue) {
    if (isDone()) return events
    const { items } = run.tasks[task]!
    const next = items === null || served.has(task) ? null : nextItem(run, task)
    if (items === null) start({ task })
    else if (next !== null) {
      // A map takes its turn with the others, one item each time, but for items that need a slot for an instant only.
      const isInstant = run.workflow.plans[task]!.items!.kind === 'transform'
      const last = isInstant ? items.total : next + 1
      for (let item = next; item < last && !isDone(); item++) start({ task, item })
    }
  }
  return events
}

/** The task waits until its circuit may let it through, or fails at once if that comes too late. */
export function heldBack(run: Run, spot: Spot, { target, until }: Hold, at: number): LaterEvent {
  const { attempts, circuitWaits } = triesOf(run, spot)
  const deadline = run.deadlineAt ?? Number.POSITIVE_INFINITY
  if (until >= deadline) {
    const message = `The circuit of ${target} is open for ${spanText(until - at)} more, beyond the run's deadline`
    const cause = attempts.findLast(({ error }) => error !== null)?.error
    const error: TaskError = { code: 'circuit_open', message, retryable: true, ...(cause == null ? {} : { cause }) }
    return { type: 'TaskFailed', at, ...spot, error }
  }
  const patient = at + patienceMs(circuitWaits)
  const later = patient > until && patient < deadline ? patient : until
  const due = Math.max(later, at + 1)
  return { type: 'TaskWaiting', at, ...spot, for: 'circuit', until: due, isPutOff: false, target }
}

/** One item of each map: the one whose next attempt is due first. Maps without room for one more give none. */
function dueItems(run: Run, at: number, admission: Admission | null): Spot[] {
  const due: { spot: Spot; wakeAt: number }[] = []
  for (const task of run.maps) {
    if (run.workflow.plans[task]!.items!.kind === 'child' || !hasRoom(run, task)) continue
    const { waiting, held, begun } = run.tasks[task]!.items!
    let first: { item: number; wakeAt: number } | null = null
    for (const item of waiting) {
      const wakeAt = begun.get(item)!.wakeAt!
      const isDue = wakeAt <= at || (held.has(item) && (admission?.isFree({ task, item }) ?? true))
      if (isDue && (first === null || wakeAt < first.wakeAt)) first = { item, wakeAt }
    }
    if (first !== null) due.push({ spot: { task, item: first.item }, wakeAt: first.wakeAt })
  }
  return due.sort((a, b) => a.wakeAt - b.wakeAt || a.spot.task - b.spot.task).map(({ spot }) => spot)
}

/** Waiting tasks whose next attempt is due, the earliest first; those that a circuit held as soon as it is closed. */
export function dueToStart(run: Run, at: number, admission: Admission | null): TaskIndex[] {
  const due = [...run.sleeping].filter((task) => {
    const { waitingFor, wakeAt, circuit } = run.tasks[task]!
    if ((waitingFor !== 'retry' && waitingFor !== 'poll' && waitingFor !== 'circuit') || isChild(run, { task }))
      return false
    return (wakeAt !== null && wakeAt <= at) || (circuit !== null && (admission?.isFree({ task }) ?? true))
  })
  return due.sort((a, b) => run.tasks[a]!.wakeAt! - run.tasks[b]!.wakeAt! || a - b)
}
