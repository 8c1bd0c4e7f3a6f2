// A run and its tasks as the API shows them (api.md "Runs"); its history is event-view.ts. Pure. It makes
// JSON text, since the text is made in the object that holds the run and passes through the Worker unread.

import {
  type LoadPayload,
  PayloadRef,
  type RunError,
  type StoredValue,
  type TaskIndex,
  type Usage,
} from '../../src/workflow/event.ts'
import { runWaiting, type Waiting, waitingIn } from '../../src/workflow/explain/waiting.ts'
import { readValue } from '../../src/workflow/expression/scope.ts'
import type { Json } from '../../src/workflow/json.ts'
import type { Attempt, Run, TaskStatus } from '../../src/workflow/run/run.ts'
import { timeText } from '../../src/workflow/time.ts'
import { traceIdOf } from '../../src/workflow/trace.ts'
import type { Links } from './callbacks.ts'
import { fits, MAX_ANSWER } from './text-page.ts'

/** Outputs and inputs of more characters of JSON text than this are kept as payloads, outside the history. */
export const MAX_INLINE = 16 * 1024

/** The largest output that a run without an `output` template gets by itself. */
export const MAX_DEFAULT_OUTPUT = 1024 * 1024

/** An instant as the API shows it (timeText), or null for one that has not come. */
export function timestamp(at: number | null): string | null {
  return at === null ? null : timeText(at)
}

/** `waiting` as the API shows it, if there is one. */
export function waitingView(waiting: Waiting | null): { waiting?: { [key: string]: Json } } {
  if (waiting === null) return {}
  const { until, ...rest } = waiting
  return { waiting: { ...rest, ...(until === undefined ? {} : { until: timestamp(until) }) } }
}

/** A run without tasks, input and output: what lists show. */
export function summaryOf(run: Run): { [key: string]: Json } {
  const { placeholders } = run.workflow
  return {
    id: run.id,
    workflow: run.workflow.definition.name,
    version: run.version,
    status: run.status,
    trigger: { type: triggerOf(run) },
    ...(run.options.retry === undefined ? {} : { retry_of: run.options.retry.of }),
    ...parentView(run),
    tags: [...(run.options.tags ?? [])],
    ...(run.options.trace === undefined ? {} : { trace_id: traceIdOf(run.options.trace) }),
    error: run.error as Json,
    ...(placeholders > 0 ? { placeholders } : {}),
    ...waitingView(runWaiting(run)),
    created_at: timestamp(run.createdAt),
    started_at: timestamp(run.startedAt),
    finished_at: timestamp(run.finishedAt),
    deadline_at: timestamp(run.deadlineAt),
    ...(run.remainingMs === null ? {} : { remaining_ms: run.remainingMs }),
    ...(run.cancelRequestedAt === null ? {} : { cancel_requested_at: timestamp(run.cancelRequestedAt) }),
    duration_ms: duration(run.startedAt, run.finishedAt),
    progress: { total: run.tasks.length, ...run.progress },
  }
}

function triggerOf({ options }: Run): string {
  if (options.retry !== undefined) return 'retry'
  return options.parent === undefined ? 'api' : 'workflow'
}

/** The `parent` of a run as the API shows it; {} for a run that is not a task of another. */
export function parentView({ options: { parent } }: Run): { [key: string]: Json } {
  if (parent === undefined) return {}
  const { run_id, task_id, item } = parent
  return { parent: { run_id, task_id, ...(item === undefined ? {} : { item }) } }
}

/** What is needed to show a run: the time of asking, its payloads and its links. */
export interface ViewContext {
  /** When, ms since the epoch. */
  readonly now: number
  readonly load: LoadPayload
  readonly links: Links
}

/**
 * The whole run as JSON text, at most 8 MiB: the largest outputs are left out first. Where thousands of errors alone are too
 * much, the tasks are left out as a whole; they can be read page by page.
 */
export function runText(run: Run, context: ViewContext): string {
  const { load } = context
  const omitted = largestOutputs(run)
  const value = { ...summaryOf(run), input: readValue(run.input, load), ...outputOf(run, load) }
  const waits = waitingIn(run, context.now)
  const tasks = run.tasks.map((_, task) => taskView(run, task, waits.ofTask(task), context, omitted.has(task)))
  const text = JSON.stringify({ ...value, tasks })
  return fits(text) ? text : JSON.stringify({ ...value, tasks: [], tasks_omitted: true })
}

/** What makes the JSON text of a task. The output of a map may be an answer of its own, and is left out here then. */
export function taskTexts(run: Run, context: ViewContext): (task: TaskIndex) => string {
  const waits = waitingIn(run, context.now)
  return (task) => {
    const text = JSON.stringify(taskView(run, task, waits.ofTask(task), context, false))
    return fits(text) ? text : JSON.stringify(taskView(run, task, waits.ofTask(task), context, true))
  }
}

/** A task's output alone. */
export function outputText(run: Run, task: TaskIndex, load: LoadPayload): string {
  return JSON.stringify(readValue(run.tasks[task]!.output, load))
}

/** The summary of a run that is ended without being read, from the one that it had. */
export function condemnedSummary(summary: string, error: RunError, at: number): string {
  return JSON.stringify({
    ...(JSON.parse(summary) as object),
    status: 'failed',
    error,
    finished_at: timestamp(at),
    deadline_at: null,
    // What has ended waits for nothing.
    waiting: undefined,
    remaining_ms: undefined,
  })
}

/** A run that was ended without being read: what its row says, and no tasks. */
export function unreadableText(summary: string): string {
  return JSON.stringify({ ...(JSON.parse(summary) as object), input: null, output: null, tasks: [] })
}

function taskView(
  run: Run,
  index: TaskIndex,
  waiting: Waiting | null,
  { load, links }: ViewContext,
  omitOutput: boolean,
): { [key: string]: Json } {
  const { id, type, depends_on, with: config } = run.workflow.definition.tasks[index]!
  const task = run.tasks[index]!
  const link = links.get(index)
  return {
    id,
    type,
    status: task.status,
    ...(task.skipReason === null ? {} : { skip_reason: task.skipReason }),
    ...(task.because === null ? {} : { skipped_because: run.workflow.definition.tasks[task.because]!.id }),
    depends_on,
    ...waitingView(waiting),
    ...(link === undefined || task.status !== 'waiting' ? {} : { callback_url: link }),
    output: omitOutput ? null : readValue(task.output, load),
    ...(omitOutput ? { output_omitted: true, output_bytes: sizeOf(task.output) } : {}),
    ...logsView(task.logs, omitOutput, load),
    error: task.error as Json,
    ...(task.childRun === null ? {} : { child_run: task.childRun }),
    ...(task.items === null ? {} : { items: { total: task.items.total, ...task.items.progress } }),
    started_at: timestamp(task.startedAt),
    finished_at: timestamp(task.finishedAt),
    duration_ms: duration(task.startedAt, task.finishedAt),
    ...(config === undefined ? { placeholder: true } : {}),
    ...(task.isReused ? { reused: true } : {}),
    attempts: attemptsView(task.attempts),
  }
}

/** What was printed; left out where the output is. */
export function logsView(logs: StoredValue, omit: boolean, load: LoadPayload): { [key: string]: Json } {
  if (logs === null) return {}
  return omit ? { logs_omitted: true } : { logs: readValue(logs, load) }
}

/** The tokens that an attempt took, as the API shows them; {} if none were counted. */
export function usageView({ usage }: { usage?: Usage }): { usage?: { [key: string]: Json } } {
  return usage === undefined ? {} : { usage: { ...usage } }
}

/** The attempts of a task or item as the API shows them, in order. */
export function attemptsView(attempts: readonly Attempt[]): Json {
  return attempts.map((attempt) => ({
    number: attempt.number,
    status: attempt.status,
    started_at: timestamp(attempt.startedAt),
    finished_at: timestamp(attempt.finishedAt),
    duration_ms: duration(attempt.startedAt, attempt.finishedAt),
    ...(attempt.error === null ? {} : { error: attempt.error as unknown as Json }),
    ...usageView(attempt),
  }))
}

/** The run's `output`: the template's, or those of the tasks that nothing depends on, by id. */
export function outputOf(run: Run, load: LoadPayload): { [key: string]: Json } {
  if (run.status !== 'succeeded') return { output: null }
  if (run.workflow.definition.output !== undefined) return { output: readValue(run.output, load) }
  const { leaves } = run.workflow.graph
  const bytes = leaves.reduce((sum, leaf) => sum + sizeOf(run.tasks[leaf]!.output), 0)
  if (bytes > MAX_DEFAULT_OUTPUT) return { output: null, output_omitted: true, output_bytes: bytes }
  const entries = leaves.map(
    (leaf) => [run.workflow.definition.tasks[leaf]!.id, readValue(run.tasks[leaf]!.output, load)] as const,
  )
  return { output: Object.fromEntries(entries) }
}

/** Tasks whose outputs do not fit into one answer, largest first, until the rest does. */
function largestOutputs(run: Run): ReadonlySet<TaskIndex> {
  const omitted = new Set<TaskIndex>()
  // What the history holds itself is bounded, so a run of few tasks without payloads need not be measured.
  const hasPayload = run.tasks.some(({ output }) => output instanceof PayloadRef)
  if (!hasPayload && run.tasks.length * MAX_INLINE < MAX_ANSWER / 2) return omitted
  const sizes = run.tasks.map((task, index) => ({ index, bytes: sizeOf(task.output) }))
  let total = sizes.reduce((sum, { bytes }) => sum + bytes, 0)
  // Input and default output come on top; each is at most 1 MiB. Tasks without their outputs take some 400 characters each.
  const room = MAX_ANSWER - 2 * MAX_DEFAULT_OUTPUT - 400 * run.tasks.length
  if (total <= room) return omitted
  for (const { index, bytes } of sizes.sort((a, b) => b.bytes - a.bytes)) {
    if (total <= room) break
    omitted.add(index)
    total -= bytes
  }
  return omitted
}

/** About how large a value is in an answer: bytes of a payload, else characters of JSON text. */
export function sizeOf(value: StoredValue): number {
  if (value instanceof PayloadRef) return value.bytes
  if (value === null || typeof value !== 'object') return typeof value === 'string' ? value.length : 4
  return JSON.stringify(value).length
}

/** Milliseconds between two instants; null unless both have come. */
export function duration(from: number | null, to: number | null): number | null {
  return from === null || to === null ? null : to - from
}

/** Positions of a run's tasks with this status, or of all if it is null. */
export function tasksOf(run: Run, status: TaskStatus | null): TaskIndex[] {
  const all = run.tasks.map((_, index) => index)
  return status === null ? all : all.filter((index) => run.tasks[index]!.status === status)
}
