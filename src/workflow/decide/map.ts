// Maps: one task for each value of a list. What such a task begins with, which item is next, and how the whole ends. Pure;
// attempts of items, their retries and their slots are the scheduler's, like those of tasks.

import type { ItemPlan } from '../definition/definition.ts'
import type { LaterEvent, LoadPayload, TaskError, TaskIndex } from '../event.ts'
import { jsonBytes } from '../expression/cel-json.ts'
import { evaluateField, renderTemplate } from '../expression/expression.ts'
import { readValue, runScope } from '../expression/scope.ts'
import type { StepBudget } from '../expression/step-budget.ts'
import type { Json } from '../json.ts'
import { type Items, MAX_ITEMS } from '../run/items.ts'
import { MAX_OUTPUT_BYTES } from '../run/output-bounds.ts'
import type { Run } from '../run/run.ts'
import { spanText } from '../wording.ts'

/** Bytes of JSON that the outputs of all items may have: a map's output is as large as an answer may be, not as one task's. */
export const MAX_MAP_OUTPUT_BYTES = 8 * 1024 * 1024

/** Items of one map that may wait for another attempt before no other begins. */
const MAX_WAITING_ITEMS = 1_000

/** Items that circuits may hold back before no other begins. */
const MAX_HELD_ITEMS = 256

/** If circuits hold back so many items in a row, those that come would most likely be held back too. */
const HELD_IN_A_ROW = 32

/** Items that a failure names; the others are counted. */
const MAX_NAMED_ITEMS = 100

/** Begins a map with the values of its list; the map fails if `items` yields no list, or one that is too long or too large. */
export function beginMap(run: Run, task: TaskIndex, at: number, load: LoadPayload, budget: StepBudget): LaterEvent {
  const template = run.workflow.definition.tasks[task]!.with!.items!
  const scope = runScope(run, load, budget)
  const rendered = typeof template === 'string' ? evaluateField(template, scope) : renderTemplate(template, scope)
  const invalid = (message: string): LaterEvent => {
    return { type: 'TaskFailed', at, task, error: { code: 'invalid_items', message, retryable: false } }
  }
  if (!rendered.ok) return { type: 'TaskFailed', at, task, error: rendered.error }
  const list = rendered.value
  if (!Array.isArray(list)) return invalid(`/with/items must give a list, not ${kindOf(list)}`)
  if (list.length > MAX_ITEMS) return invalid(`/with/items gives ${list.length} items, more than ${MAX_ITEMS}`)
  const bytes = jsonBytes(list)
  if (bytes > MAX_OUTPUT_BYTES) return invalid(`The items have ${bytes} bytes of JSON, more than ${MAX_OUTPUT_BYTES}`)
  const { timeoutMs } = run.workflow.plans[task]!
  const until = timeoutMs === null ? null : at + timeoutMs
  return { type: 'TaskWaiting', at, task, for: 'items', until, isPutOff: false, items: list, total: list.length }
}

function kindOf(value: Json): string {
  if (value === null) return 'null'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** The item that begins next, as far as its map is concerned; null while none may, or when all have. */
export function nextItem(run: Run, task: TaskIndex): number | null {
  const items = run.tasks[task]!.items!
  const isBlocked = !hasRoom(run, task) || isHeldUp(items) || items.waiting.size >= MAX_WAITING_ITEMS
  return isBlocked || items.next === items.total ? null : items.next
}

/**
 * Whether circuits hold so many items back that no other begins: of a map over one server all would be held back, one by one,
 * and one over many goes on with those that can be reached.
 */
export function isHeldUp({ held, next }: Items): boolean {
  if (held.size < HELD_IN_A_ROW) return false
  if (held.size >= MAX_HELD_ITEMS) return true
  for (let item = next - HELD_IN_A_ROW; item < next; item++) if (!held.has(item)) return false
  return true
}

/** Whether one more item may execute, here or as a run of its own. */
export function hasRoom(run: Run, task: TaskIndex): boolean {
  return roomOf(run, task) > 0
}

/** How many more items of the map may execute at once, here or as runs of their own. */
export function roomOf(run: Run, task: TaskIndex): number {
  const { running, nesting } = run.tasks[task]!.items!
  return run.workflow.plans[task]!.items!.maxParallel - running.size - nesting.size
}

/** Items that are runs and whose turn it is: those whose next attempt is due, the earliest first, then those that have not begun. */
export function dueRuns(run: Run, task: TaskIndex, at: number): number[] {
  const items = run.tasks[task]!.items!
  const room = roomOf(run, task)
  if (room <= 0) return []
  const wakeAt = (item: number) => items.begun.get(item)!.wakeAt!
  const due = [...items.waiting].filter((item) => wakeAt(item) <= at).sort((a, b) => wakeAt(a) - wakeAt(b) || a - b)
  const left = items.waiting.size < MAX_WAITING_ITEMS ? items.total - items.next : 0
  const fresh = Array.from({ length: Math.min(room, left) }, (_, index) => items.next + index)
  return [...due, ...fresh].slice(0, room)
}

/** How a map ends, if it does now: too many of its items have failed, it took too long or became too large, or all is done. */
export function endOfMap(run: Run, task: TaskIndex, at: number, load: LoadPayload): LaterEvent | null {
  const items = run.tasks[task]!.items!
  const { wakeAt } = run.tasks[task]!
  if (items.failures.length > toleratedFailures(run.workflow.plans[task]!.items!, items.total)) {
    return { type: 'TaskFailed', at, task, error: tooManyFailures(run, task) }
  }
  if (items.outputBytes > MAX_MAP_OUTPUT_BYTES) {
    const message = `The outputs of the items have more than ${MAX_MAP_OUTPUT_BYTES} bytes of JSON`
    return { type: 'TaskFailed', at, task, error: { code: 'output_too_large', message, retryable: false } }
  }
  const { progress, total } = items
  if (progress.succeeded + items.failures.length === total) {
    return { type: 'TaskSucceeded', at, task, output: outputOf(items, load) }
  }
  if (wakeAt === null || wakeAt > at) return null
  // Only a timeout of the task's own sets a time at which the map has to wake.
  const within = spanText(run.workflow.plans[task]!.timeoutMs!)
  const message = `${total - progress.succeeded} of ${total} items were not done within ${within}`
  return { type: 'TaskTimedOut', at, task, error: { code: 'timeout', message, retryable: false } }
}

function toleratedFailures({ tolerated }: ItemPlan, total: number): number {
  return typeof tolerated === 'number' ? tolerated : Math.floor((total * tolerated.percent) / 100)
}

function tooManyFailures(run: Run, task: TaskIndex): TaskError {
  const { failures, total, begun } = run.tasks[task]!.items!
  const tolerated = toleratedFailures(run.workflow.plans[task]!.items!, total)
  const named = failures.slice(0, MAX_NAMED_ITEMS).sort((a, b) => a - b)
  const shown = `${named.slice(0, 10).join(', ')}${failures.length > 10 ? ', ...' : ''}`
  const message = `${failures.length} of ${total} items failed, ${tolerated} are tolerated: ${shown}`
  const cause = begun.get(failures[0]!)!.error
  return { code: 'map_failed', message, retryable: false, items: named, ...(cause === null ? {} : { cause }) }
}

/** The outputs of all items, in the order of the list; null for items that failed. */
function outputOf({ total, begun }: Items, load: LoadPayload): Json {
  return Array.from({ length: total }, (_, index) => readValue(begun.get(index)!.output, load))
}
