// Why what has not ended does not execute: the contract's `waiting`, for tasks and for runs. Pure. Views and explanations take
// it from here alone, so a new kind of wait is one entry of WAITS, which the compiler asks for.

import { isHeldUp } from '../decide/map.ts'
import type { TaskIndex, WaitingFor } from '../event.ts'
import { isFinal, isSettled, type Run } from '../run/run.ts'
import { isChild, planOf, type Spot, spotKey, spotOf } from '../run/spot.ts'
import { triesOf, wasPoll } from '../run/tries.ts'
import { countText } from '../wording.ts'

/** What can be waited for, as api.md `waiting.for` has it. */
export const WAITING_REASONS = [
  'dependency',
  'slot',
  'paused',
  'retry',
  'poll',
  'circuit',
  'time',
  'signal',
  'child',
  'items',
] as const
export type WaitingReason = (typeof WAITING_REASONS)[number]

export interface Waiting {
  for: WaitingReason
  /** In words. */
  detail: string
  /** Ids of the tasks that are waited for. */
  on?: string[]
  /** Place in the queue for a slot, from 1. */
  position?: number
  /** When the wait ends by itself, ms since the epoch. Absent where no time ends it, null while that is not decided yet. */
  until?: number | null
}

interface Wait {
  /** Whether an attempt ends the wait: that needs a slot, and does not happen in a paused run. Other waits are what the task does. */
  readonly endsInAttempt: boolean
  readonly detail: (run: Run, spot: Spot) => string
}

/** What a task with status `waiting` can wait for. */
const WAITS: { readonly [Kind in WaitingFor]: Wait } = {
  retry: { endsInAttempt: true, detail: retryDetail },
  poll: {
    endsInAttempt: true,
    detail: (run, spot) => {
      return `what is waited for had not come after ${countText(triesOf(run, spot).polls, 'call')}`
    },
  },
  circuit: {
    endsInAttempt: true,
    detail: (run, spot) => `the circuit of ${triesOf(run, spot).circuit} is open: too many of its last calls failed`,
  },
  time: { endsInAttempt: false, detail: () => 'sleeps' },
  signal: {
    endsInAttempt: false,
    detail: (run, { task }) =>
      `waits for the event ${JSON.stringify(run.workflow.definition.tasks[task]!.with!.event)}`,
  },
  child: {
    endsInAttempt: false,
    detail: (run, spot) => `waits for the run ${triesOf(run, spot).childRun} to end`,
  },
  items: {
    endsInAttempt: false,
    detail: (run, { task }) => {
      const { items } = run.tasks[task]!
      const { progress, total, nesting, held, waiting, begun } = items!
      const left = `${progress.pending + progress.waiting + progress.running} of ${total} items have not ended`
      const runs = nesting.size === 0 ? '' : `, ${nesting.size} of them runs under way`
      const again = waiting.size - held.size
      const retries = again === 0 ? '' : `, ${again} of them wait for another attempt`
      const targets = new Set([...held].map((item) => begun.get(item)!.circuit))
      const names = firstNames([...targets].map(String), 3)
      const circuits = held.size === 0 ? '' : `, circuits hold back ${held.size} of them (${names})`
      const others = isHeldUp(items!) ? ', and no other begins until they let some through' : ''
      return `${left}${runs}${retries}${circuits}${others}`
    },
  },
}

const PAUSED: Waiting = { for: 'paused', detail: 'the run is paused' }

/** What a run that is queued or paused waits for; null of any other. */
export function runWaiting(run: Run): Waiting | null {
  if (run.status === 'paused') return PAUSED
  if (run.status !== 'queued') return null
  const { queuedUntil } = run
  if (queuedUntil === null) return { for: 'time', detail: 'the run starts at once', until: run.createdAt }
  return { for: 'time', detail: 'the run starts at the time that its start has named', until: queuedUntil }
}

/** What each task and item waits for, at some time. */
export interface Waits {
  /** What a task waits for; null if it is running or has ended. */
  readonly ofTask: (task: TaskIndex) => Waiting | null
  /** What the next attempt of an item of a map waits for; null unless its last one has ended, or a circuit holds it. */
  readonly ofItem: (task: TaskIndex, item: number) => Waiting | null
}

/**
 * What each unfinished task that is not running waits for; null of the others, and of all in a run that has ended.
 * Places in the queue are counted once, so asking for every task of a run costs as much as reading it.
 * @param now the time at which the run is looked at, ms since the epoch: what is due by then waits for a slot
 */
export function waitingIn(run: Run, now: number): Waits {
  let places: ReadonlyMap<number, number> | undefined
  const queue = (key: number, due: string) => {
    places ??= placesIn(run, now)
    const { capacity, free } = run.slots
    const position = places.get(key)
    const detail = free > 0 ? 'the run has a slot for it' : `all ${capacity} slots of the run are taken`
    return { for: 'slot', detail: `${due}${detail}`, ...(position === undefined ? {} : { position }) } as const
  }
  const wait = (spot: Spot): Waiting => {
    const { waitingFor, wakeAt } = triesOf(run, spot)
    const kind = waitingFor ?? nextWait(run, spot)
    const { endsInAttempt, detail } = WAITS[kind]
    const text = detail(run, spot)
    const isDue = endsInAttempt && wakeAt !== null && wakeAt <= now
    if (waitingFor === null) return { for: kind, detail: text, until: wakeAt }
    if (isDue && run.status === 'paused') return { ...PAUSED, until: wakeAt }
    // An open circuit may hold back what is due as well; the scheduler asks it when there is a slot.
    if (isDue && run.slots.free === 0 && !isChild(run, spot))
      return queue(spotKey(spot), `${text}; the next is due, but `)
    return { for: kind, detail: text, ...(wakeAt === null ? {} : { until: wakeAt }) }
  }
  const ofItem = (task: TaskIndex, item: number) => {
    const { begun, undecided } = run.tasks[task]!.items!
    const isWaiting = begun.get(item)?.status === 'waiting' || undecided.has(item)
    return isWaiting && !isFinal(run.status) ? wait({ task, item }) : null
  }
  const ofTask = (task: TaskIndex): Waiting | null => {
    const { status, isReady } = run.tasks[task]!
    if (isFinal(run.status)) return null
    if (status === 'waiting' || run.undecided.has(task)) return wait({ task })
    if (status !== 'pending') return null
    if (run.workflow.plans[task]!.undoes !== null) return undoWaiting(run, task)
    if (!isReady) return heldBack(run, task)
    // What is ready waits for nothing but its run.
    const held = runWaiting(run)
    if (held !== null) return held
    if (run.conditional.has(task)) return { for: 'slot', detail: 'its condition is evaluated next' }
    if (run.beginning.has(task)) return { for: 'slot', detail: 'begins next; it needs no slot' }
    return queue(spotKey({ task }), '')
  }
  return { ofTask, ofItem }
}

/** Who gets the next slots, by key: first what had begun and is due, the earliest first, then what became ready, in that order. */
function placesIn(run: Run, now: number): ReadonlyMap<number, number> {
  const items = [...run.maps].flatMap((task) => [...run.tasks[task]!.items!.waiting].map((item) => ({ task, item })))
  const spots: Spot[] = [...[...run.sleeping].map(spotOf), ...items].filter((spot) => !isChild(run, spot))
  const waiting = spots.map((spot) => ({ key: spotKey(spot), tries: triesOf(run, spot) }))
  const due = waiting.filter(({ tries: { waitingFor, wakeAt } }) => {
    return waitingFor !== null && WAITS[waitingFor].endsInAttempt && wakeAt !== null && wakeAt <= now
  })
  due.sort((a, b) => a.tries.wakeAt! - b.tries.wakeAt! || a.key - b.key)
  return new Map([...due.map(({ key }) => key), ...run.slots.queue].map((key, index) => [key, index + 1]))
}

/** A task that its dependencies hold. */
function heldBack(run: Run, task: TaskIndex): Waiting {
  const { definition, graph, plans } = run.workflow
  const on = graph.dependencies[task]!.filter((dependency) => !isSettled(run.tasks[dependency]!.status)).map(
    (dependency) => definition.tasks[dependency]!.id,
  )
  const { rule } = plans[task]!
  // It is skipped as soon as its run goes on, so this is seen only before a start or between the events of one commit.
  if (on.length === 0) {
    return runWaiting(run) ?? { for: 'dependency', detail: 'what it waited for has ended; it is skipped next', on }
  }
  return {
    for: 'dependency',
    detail: `waits for ${firstNames(on, 5)}${rule === 'all_success' ? '' : ` (${rule})`}`,
    on,
  }
}

/** A compensation: nothing needs it yet, or others are undone before it. */
function undoWaiting(run: Run, task: TaskIndex): Waiting {
  const { tasks } = run.workflow.definition
  const undone = tasks[run.workflow.plans[task]!.undoes!]!.id
  const current =
    run.compensation === null ? undefined : run.undo.findLast((undo) => !isSettled(run.tasks[undo]!.status))
  if (current === undefined || !run.undo.includes(task)) {
    return { for: 'dependency', detail: `runs only if ${undone} has to be undone`, on: [undone] }
  }
  if (current !== task) {
    const before = tasks[current]!.id
    return { for: 'dependency', detail: `undoes ${undone} after ${before} has ended`, on: [before] }
  }
  return run.status === 'paused' ? PAUSED : { for: 'slot', detail: `undoes ${undone} next` }
}

/** Between the events of one commit an attempt has ended and what follows is not decided yet: most likely this. */
function nextWait(run: Run, spot: Spot): 'retry' | 'poll' {
  return wasPoll(triesOf(run, spot).attempts.at(-1)!) ? 'poll' : 'retry'
}

/** What the next attempt waits for, and how many are left. */
function retryDetail(run: Run, spot: Spot): string {
  const { attempts, unreached } = triesOf(run, spot)
  const { status, number, error } = attempts.at(-1)!
  if (status === 'interrupted' && unreached > 0) {
    const times = unreached === 1 ? '' : `, ${unreached} times in a row now`
    return `attempt ${number} could not be made, since what makes it did not answer${times}; it is tried again`
  }
  if (status === 'interrupted') return `attempt ${number} was cut off by a restart or a pause and is made again`
  const most = planOf(run, spot).retry?.max_attempts ?? 1
  if (status === 'snoozed') return `attempt ${number} of ${most} was put off by the server (${error?.code})`
  return `attempt ${number} of ${most} ended with ${error?.code}`
}

/** The first `most` names in one line, with "..." behind them if there are more. */
export function firstNames(names: readonly string[], most: number): string {
  return `${names.slice(0, most).join(', ')}${names.length > most ? ', ...' : ''}`
}
