// The tasks that decided how long a run took: from its end back to its start, each time to the task whose end let the next
// one go. Pure; from recorded times alone. The shares are without gaps, so they and what came after the last sum up to the run.
//
// @see Kelley and Walker, "Critical-Path Planning and Scheduling" (1959): the path whose tasks have no slack

import type { TaskIndex } from '../event.ts'
import { isSettled, type Run } from '../run/run.ts'
import { classOf } from '../run/task-moves.ts'
import { judge } from '../run/trigger-rule.ts'
import type { Interval, Span, Timeline } from './timeline.ts'
import type { WaitingReason } from './waiting.ts'

/** What a task on the path spent its share on. `start`: ready, with a slot free, until this service started it. */
export type Spent = 'executing' | 'start' | Exclude<WaitingReason, 'dependency'>

export interface PathStep {
  readonly task: TaskIndex
  /** When the task before it had ended, or the run started, ms since the epoch. */
  readonly from: number
  /** When it ended; now, if it has not. */
  readonly to: number
  /** In ms; they sum up to `to - from`. */
  readonly spent: ReadonlyMap<Spent, number>
}

export interface CriticalPath {
  readonly steps: readonly PathStep[]
  /** From the end of the last step to the end of the run (or to now), in ms: nothing was under way. */
  readonly afterMs: number
}

/**
 * The path of a run that has ended, or of one under way so far. A run that has not started has none.
 * @param timeline the run's, up to `now`
 * @param now ms since the epoch, not before `run.at`; the end of the run when it has ended
 */
export function criticalPath(run: Run, timeline: Timeline, now: number): CriticalPath {
  if (run.startedAt === null) return { steps: [], afterMs: 0 }
  const end = run.finishedAt ?? now
  const chain: TaskIndex[] = []
  // Each task ended before the next one was let go, so no task comes twice.
  for (let task = decisiveTask(run, timeline); task !== null; task = releaserOf(run, timeline, task)) {
    const { last } = timeline.tasks[task]!
    // What was taken over from another run had ended before this one started.
    if (last > 0 && last < timeline.started) break
    chain.push(task)
  }
  const steps: PathStep[] = []
  let from = run.startedAt
  for (const task of chain.reverse()) {
    const to = run.tasks[task]!.finishedAt ?? end
    steps.push({ task, from, to, spent: spentIn(timeline, timeline.tasks[task]!.spans, { from, to }) })
    from = to
  }
  return { steps, afterMs: end - from }
}

/** The task with whose end the run ended, or that it waits for now. */
function decisiveTask(run: Run, timeline: Timeline): TaskIndex | null {
  const hasBegun = (task: TaskIndex) => timeline.tasks[task]!.first > 0
  if (run.compensation !== null) {
    const undone = run.undo.filter(hasBegun)
    const current = undone.find((task) => !isSettled(run.tasks[task]!.status))
    const next =
      run.finishedAt === null ? run.undo.findLast((task) => run.tasks[task]!.status === 'pending') : undefined
    const found = current ?? next ?? lastToEnd(timeline, undone)
    if (found !== null) return found
  }
  return decisiveForwardTask(run, timeline)
}

/** The task with whose end the run's own work ended, or that it waits for now; compensations are left out. */
function decisiveForwardTask(run: Run, timeline: Timeline): TaskIndex | null {
  const { tasks, cut } = timeline
  const forward = run.tasks.map((_, task) => task).filter((task) => run.workflow.plans[task]!.undoes === null)
  const underWay = forward.filter((task) => {
    const { first, last } = tasks[task]!
    if (first === 0) return false
    // What an end of the run cut off was under way until then; without one, what has not ended is.
    return cut > 0 ? first < cut && (last === 0 || last > cut) : last === 0
  })
  if (underWay.length > 0) return underWay.reduce((a, b) => (tasks[b]!.first < tasks[a]!.first ? b : a))
  if (run.finishedAt === null && run.ending === null && run.compensation === null) {
    const [ready] = [...run.slots.queue, ...run.conditional, ...run.beginning]
    if (ready !== undefined) return ready
  }
  const ended = forward.filter((task) => {
    const { status } = run.tasks[task]!
    return status === 'succeeded' || status === 'failed' || status === 'timed_out'
  })
  return lastToEnd(timeline, ended)
}

/** The one that ended last; null if none has. */
function lastToEnd(timeline: Timeline, tasks: readonly TaskIndex[]): TaskIndex | null {
  let found: TaskIndex | null = null
  let highest = 0
  for (const task of tasks) {
    const { last } = timeline.tasks[task]!
    if (last <= highest) continue
    highest = last
    found = task
  }
  return found
}

/** The task whose end let this one go, or had it skipped; null if it waited for none. */
function releaserOf(run: Run, timeline: Timeline, task: TaskIndex): TaskIndex | null {
  const { graph, plans } = run.workflow
  const { status, skipReason, because } = run.tasks[task]!
  const { rule, undoes } = plans[task]!
  const own = timeline.tasks[task]!
  const before = own.first === 0 ? Number.POSITIVE_INFINITY : own.first
  if (undoes !== null) {
    // Success came in the order of `undo`, so they are undone from its end: the one before this stands behind it.
    const previous = run.undo[run.undo.indexOf(task) + 1]
    return previous ?? decisiveForwardTask(run, timeline)
  }
  if (because !== null) return because
  if (status === 'skipped' && skipReason === 'run_stopped') {
    const [stopper] = run.failures
    return stopper !== undefined && timeline.tasks[stopper]!.last < before ? stopper : null
  }
  const dependencies = graph.dependencies[task]!
  const ended = { succeeded: 0, failed: 0, skipped: 0, cancelled: 0 }
  if (judge(rule, ended, dependencies.length) === 'start') return null
  const inOrder = dependencies
    .filter((on) => timeline.tasks[on]!.last > 0 && timeline.tasks[on]!.last < before)
    .sort((a, b) => timeline.tasks[a]!.last - timeline.tasks[b]!.last)
  for (const on of inOrder) {
    ended[classOf(run.tasks[on]!)]++
    if (judge(rule, ended, dependencies.length) === 'start') return on
  }
  return null
}

/** What a share went to: the task's own spans, and before the first of them the time for which it was ready. */
function spentIn(timeline: Timeline, spans: readonly Span[], { from, to }: Interval): Map<Spent, number> {
  const spent = new Map<Spent, number>()
  const add = (kind: Spent, ms: number) => {
    if (ms > 0) spent.set(kind, (spent.get(kind) ?? 0) + ms)
  }
  const ready = (interval: Interval) => {
    const paused = overlapMs(timeline.pauses, interval)
    const slot = gapsWithin(timeline.pauses, interval).reduce((sum, part) => sum + overlapMs(timeline.full, part), 0)
    add('paused', paused)
    add('slot', slot)
    add('start', interval.to - interval.from - paused - slot)
  }
  let at = from
  for (const span of spans) {
    const clipped = { from: Math.max(span.from, at), to: Math.min(span.to, to) }
    if (clipped.to <= clipped.from) continue
    if (clipped.from > at) ready({ from: at, to: clipped.from })
    if (span.doing === 'ready') ready(clipped)
    else add(span.doing, clipped.to - clipped.from)
    at = clipped.to
  }
  if (to > at) ready({ from: at, to })
  return spent
}

/** How long `interval` and the intervals, which are in order and apart, have in common. */
function overlapMs(intervals: readonly Interval[], interval: Interval): number {
  let common = 0
  for (let i = firstEndingAfter(intervals, interval.from); i < intervals.length; i++) {
    const { from, to } = intervals[i]!
    if (from >= interval.to) break
    common += Math.min(to, interval.to) - Math.max(from, interval.from)
  }
  return common
}

/** The parts of `interval` that lie in none of the intervals. */
function gapsWithin(intervals: readonly Interval[], { from, to }: Interval): Interval[] {
  const parts: Interval[] = []
  let at = from
  for (let i = firstEndingAfter(intervals, from); i < intervals.length; i++) {
    const next = intervals[i]!
    if (next.from >= to) break
    if (next.from > at) parts.push({ from: at, to: next.from })
    at = Math.max(at, next.to)
  }
  if (to > at) parts.push({ from: at, to })
  return parts
}

/** Position of the first interval that ends after `at`. Searches by halving, since a run of 10,000 tasks may have as many intervals and steps. */
function firstEndingAfter(intervals: readonly Interval[], at: number): number {
  let low = 0
  let high = intervals.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (intervals[middle]!.to > at) high = middle
    else low = middle + 1
  }
  return low
}
