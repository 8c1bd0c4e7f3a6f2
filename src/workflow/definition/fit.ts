// Whether the waits of a definition fit into its time limit: found when it is registered, rather than by every run of it.
// Knows what waits certainly last, not how long calls take. Also for a definition with other faults: a task that could not be
// read counts as one that takes no time and waits for nothing, so what is found stays true when that task is mended.

import type { Fault, Warning } from '../codes.ts'
import type { RetryPolicy } from '../decide/retry.ts'
import { Entries, pointer } from '../faults.ts'
import { isJsonObject, type JsonObject } from '../json.ts'
import { quoted } from '../nearest.ts'
import { isSpan, spanMs } from '../span.ts'
import { kindOf, type MapConfig, type TaskDefinition, type WorkflowDefinition } from './definition.ts'
import { buildGraph, type Graph } from './graph.ts'
import { DEFAULT_EVERY, DEFAULT_POLLS } from './poll.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** The longest that a run may take. */
const MAX_TIMEOUT_MS = 365 * DAY_MS

/** Tasks of a path that a message names. */
const MAX_NAMED = 5

/** What of a task says how long it waits. */
export type TaskOfFit = Pick<
  TaskDefinition,
  'id' | 'type' | 'depends_on' | 'with' | 'trigger_rule' | 'timeout' | 'retry' | 'compensate'
>

/** Stands for a task that could not be read. No id is empty, so nothing waits for it. */
export const UNREAD: TaskOfFit = { id: '', type: '', depends_on: [] }

/** The time limit of the runs, null if what is given cannot be read; `isGiven`: the author wrote it, it is not the default. */
export interface Limit {
  timeout: string | null
  isGiven: boolean
}

/** Faults of waits that cannot fit, or that need a limit of their own; warnings of retries that may not. */
export function fitOf(
  tasks: readonly TaskOfFit[],
  { timeout, isGiven }: Limit,
  defaults: WorkflowDefinition['defaults'],
): { faults: Fault[]; warnings: Warning[] } {
  const graph = buildGraph(tasks)
  const order = inOrder(graph)
  const faults = new Entries<Fault>()
  tasks.forEach((task, index) => {
    const sleepMs = literalSleepMs(task)
    if (sleepMs === null || task.timeout === undefined || sleepMs < spanMs(task.timeout)) return
    const message = `the sleep takes ${String(task.with!.for)}, so it would always end by its time-out`
    faults.add([{ path: pointer(['tasks', index, 'timeout']), code: 'timeout_too_short', message }])
  })
  const sleeps = longest(tasks, graph, order, (task) => literalSleepMs(task) ?? 0)
  const open = tasks.findIndex((task) => isOpenWait(task))
  if (open !== -1 && !isGiven) {
    const what = whatIsOpen(tasks[open]!)
    const message = `the task ${quoted(tasks[open]!.id)} ${what}, which the default of ${timeout} is hardly meant for; say how long a run may take, such as "${proposeTimeout(tasks, graph, order, sleeps.ms)}"`
    faults.add([{ path: '/timeout', code: 'timeout_required', message }])
  } else if (timeout !== null && sleeps.ms > 0 && sleeps.ms >= spanMs(timeout)) {
    const limit = `${timeout}${isGiven ? '' : ', the default'}`
    const instead =
      withMargin(sleeps.ms) > MAX_TIMEOUT_MS
        ? 'a run takes at most 365 days'
        : `"${spanText(withMargin(sleeps.ms))}" would do`
    const message = `the sleeps of ${joinNames(sleeps.path)} take ${spanText(sleeps.ms)} one after another, which does not fit ${limit}; ${instead}`
    faults.add([{ path: '/timeout', code: 'timeout_too_short', message }])
  }
  return {
    faults: faults.list(),
    warnings: timeout === null ? [] : retryWarnings(tasks, timeout, defaults, graph, order),
  }
}

/** How long a sleep lasts, in ms; null if the task is not a sleep, or if only a run knows. */
function literalSleepMs(task: TaskOfFit): number | null {
  if (kindOf(task) !== 'sleep') return null
  const span = task.with!.for
  return typeof span === 'string' && isSpan(span) ? spanMs(span) : null
}

/** Whether the task waits for something that may take any time. */
function isOpenWait(task: TaskOfFit): boolean {
  const kind = kindOf(task)
  return kind === 'wait' || (kind === 'sleep' && literalSleepMs(task) === null) || pollOf(task) !== null
}

function whatIsOpen(task: TaskOfFit): string {
  if (pollOf(task) !== null) return 'polls'
  return kindOf(task) === 'wait' ? 'waits for an event' : 'sleeps until a time that only a run knows'
}

/** How a task, or what a map does for each item, is called again until its answer is there; null if it is not. */
function pollOf(task: TaskOfFit): JsonObject | null {
  const config = task.type === 'map' ? (task.with as unknown as MapConfig | undefined)?.task.with : task.with
  const poll = kindOf(task) === 'attempt' || task.type === 'map' ? config?.poll : undefined
  return isJsonObject(poll) ? (poll as JsonObject) : null
}

/** How long an open wait lasts at most; null if the definition does not write it out. */
function openWaitMs(task: TaskOfFit): number | null {
  const poll = pollOf(task)
  if (poll === null) return task.timeout === undefined ? null : spanMs(task.timeout)
  const { every = DEFAULT_EVERY, at_most: most = DEFAULT_POLLS } = poll
  if (typeof most === 'string' && isSpan(most)) return spanMs(most)
  return typeof most === 'number' && typeof every === 'string' && isSpan(every) ? most * spanMs(every) : null
}

/** A limit for a definition that gives none: what its waits may take if all are bounded, and a day for what is not. */
function proposeTimeout(tasks: readonly TaskOfFit[], graph: Graph, order: readonly number[], sleepsMs: number): string {
  const isBounded = tasks.every((task) => !isOpenWait(task) || openWaitMs(task) !== null)
  const waitMs = (task: TaskOfFit) => literalSleepMs(task) ?? (isOpenWait(task) ? (openWaitMs(task) ?? 0) : 0)
  const ms = isBounded ? withMargin(longest(tasks, graph, order, waitMs).ms) : DAY_MS + sleepsMs
  return spanText(Math.min(ms, MAX_TIMEOUT_MS))
}

/** A tenth more, ten seconds at least. */
function withMargin(ms: number): number {
  return ms + Math.max(10_000, Math.ceil(ms / 10))
}

function retryWarnings(
  tasks: readonly TaskOfFit[],
  timeout: string,
  defaults: WorkflowDefinition['defaults'],
  graph: Graph,
  order: readonly number[],
): Warning[] {
  const warnings = new Entries<Warning>()
  const begins = longest(tasks, graph, order, (task) => literalSleepMs(task) ?? 0).begins
  const isCompensation = new Set(tasks.map(({ compensate }) => compensate))
  let hasToldDefaults = false
  tasks.forEach((task, index) => {
    // The run's time does not bound compensations.
    if (kindOf(task) !== 'attempt' || isCompensation.has(task.id)) return
    const policy = task.retry ?? defaults?.retry
    if (policy === undefined || begins[index]! + waitsMs(policy) < spanMs(timeout)) return
    const isDefault = task.retry === undefined
    if (isDefault && hasToldDefaults) return
    hasToldDefaults ||= isDefault
    const message = `the waits between its attempts may take ${spanText(waitsMs(policy))}, which may not fit ${timeout}: a wait that does not fails the task`
    warnings.add([
      { path: isDefault ? '/defaults/retry' : pointer(['tasks', index, 'retry']), code: 'retry_may_not_fit', message },
    ])
  })
  return warnings.list()
}

/** The waits of a policy together, at their longest. */
function waitsMs({ max_attempts, initial_interval, multiplier, max_interval }: RetryPolicy): number {
  let sum = 0
  let next = spanMs(initial_interval)
  const longestMs = spanMs(max_interval)
  for (let attempt = 1; attempt < max_attempts; attempt++) {
    sum += Math.min(next, longestMs)
    next = Math.min(next * multiplier, longestMs)
  }
  return sum
}

/** Positions so that each comes after what it waits for. */
function inOrder(graph: Graph): number[] {
  const missing = graph.dependencies.map((dependencies) => dependencies.length)
  const order = missing.flatMap((count, index) => (count === 0 ? [index] : []))
  for (let at = 0; at < order.length; at++) {
    for (const dependent of graph.dependents[order[at]!]!) {
      missing[dependent]!--
      if (missing[dependent] === 0) order.push(dependent)
    }
  }
  return order
}

/** Rules that let a task begin before all that it depends on has ended. */
const EARLY_RULES: ReadonlySet<string> = new Set(['one_success', 'one_failed', 'one_done'])

/** The path that takes longest, when each task takes at least so long; `begins`: the earliest that each task can begin. */
function longest(
  tasks: readonly TaskOfFit[],
  graph: Graph,
  order: readonly number[],
  spanOf: (task: TaskOfFit) => number,
): { ms: number; path: string[]; begins: number[] } {
  const begins = tasks.map(() => 0)
  const ends = tasks.map(() => 0)
  const before = tasks.map((): number | null => null)
  let last: number | null = null
  for (const index of order) {
    const task = tasks[index]!
    const { trigger_rule: rule = 'all_success' } = task
    // One of several that is not known may be the first to end.
    const isUnsure = EARLY_RULES.has(rule) && graph.dependencies[index]!.length < new Set(task.depends_on).size
    for (const [position, dependency] of graph.dependencies[index]!.entries()) {
      if (rule === 'always' || isUnsure) break
      const isNearer = EARLY_RULES.has(rule) ? ends[dependency]! < begins[index]! : ends[dependency]! > begins[index]!
      if (position > 0 && !isNearer) continue
      begins[index] = ends[dependency]!
      before[index] = dependency
    }
    ends[index] = begins[index]! + spanOf(task)
    if (last === null || ends[index]! > ends[last]!) last = index
  }
  const path: string[] = []
  for (let at = last; at !== null; at = before[at]!) if (spanOf(tasks[at]!) > 0) path.unshift(tasks[at]!.id)
  return { ms: last === null ? 0 : ends[last]!, path, begins }
}

function joinNames(ids: readonly string[]): string {
  const names = ids.slice(0, MAX_NAMED).map(quoted)
  if (ids.length > MAX_NAMED) return `${names.join(', ')} and ${ids.length - MAX_NAMED} more`
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

/** A span as definitions write it, rounded up to what people would say. */
function spanText(ms: number): string {
  const units = [
    { ms: DAY_MS, name: 'd' },
    { ms: HOUR_MS, name: 'h' },
    { ms: MINUTE_MS, name: 'm' },
    { ms: 1_000, name: 's' },
  ]
  // Of two days and more hours are near enough, of two hours minutes, and so on.
  const step = units.find((unit) => ms >= 2 * unit.ms)
  const smaller = step === undefined ? { ms: 1, name: 'ms' } : (units[units.indexOf(step) + 1] ?? { ms: 1, name: 'ms' })
  const rounded = Math.ceil(ms / smaller.ms) * smaller.ms
  const exact = units.find((unit) => rounded % unit.ms === 0) ?? { ms: 1, name: 'ms' }
  return `${rounded / exact.ms}${exact.name}`
}
