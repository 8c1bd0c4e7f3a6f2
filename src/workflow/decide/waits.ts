// How tasks begin that wait and make no attempt: what they wait for, and until when. Pure; what ends a wait is the scheduler's.

import type { LaterEvent, LoadPayload, TaskError, TaskIndex } from '../event.ts'
import { type ExpressionScope, evaluateField, renderTemplate } from '../expression/expression.ts'
import { runScope } from '../expression/scope.ts'
import type { StepBudget } from '../expression/step-budget.ts'
import type { Run } from '../run/run.ts'
import { isSpan, spanMs } from '../span.ts'
import { isTime, timeMs } from '../time.ts'
import { spanText } from '../wording.ts'
import { firstKept } from './signals.ts'

/** The longest that a run can last, so the longest sleep in it. */
const MAX_SLEEP_MS = 365 * 86_400_000

/**
 * The wait of a task whose turn has come; its end if what it waits for is there already, or cannot be told. Null if the budget
 * was spent before all signals that were kept had been tried: its turn comes again in the next step.
 * @param taken signals that others have taken in the same moment
 */
export function beginWait(
  run: Run,
  task: TaskIndex,
  at: number,
  load: LoadPayload,
  taken: ReadonlySet<number>,
  budget: StepBudget,
): LaterEvent | null {
  const { kind, timeoutMs } = run.workflow.plans[task]!
  const limit = timeoutMs === null ? null : at + timeoutMs
  if (kind === 'wait') {
    const signal = firstKept(run, task, taken, load, budget)
    if (signal === 'cut') return null
    if (signal !== 'none') return { type: 'TaskSucceeded', at, task, output: null, signal }
    return { type: 'TaskWaiting', at, task, for: 'signal', until: limit, isPutOff: false }
  }
  const until = sleepsUntil(run, task, at, runScope(run, load, budget))
  if ('error' in until) return { type: 'TaskFailed', at, task, error: until.error }
  const wakeAt = limit === null ? until.time : Math.min(until.time, limit)
  return { type: 'TaskWaiting', at, task, for: 'time', until: wakeAt, isPutOff: false }
}

/** The error of a wait that has lasted as long as the task's `timeout` allows; null if it is a sleep that is over. */
export function waitedTooLong(run: Run, task: TaskIndex): TaskError | null {
  const { waitingFor, wakeAt, startedAt } = run.tasks[task]!
  const { timeoutMs } = run.workflow.plans[task]!
  if (timeoutMs === null || wakeAt! - startedAt! < timeoutMs) return null
  const what =
    waitingFor === 'signal'
      ? `The event "${run.workflow.definition.tasks[task]!.with!.event}" did not come within ${spanText(timeoutMs)}`
      : `The sleep was not over within ${spanText(timeoutMs)}`
  return { code: 'timeout', message: what, retryable: false }
}

function sleepsUntil(
  run: Run,
  task: TaskIndex,
  at: number,
  scope: ExpressionScope,
): { time: number } | { error: TaskError } {
  const config = run.workflow.definition.tasks[task]!.with!
  if (config.until !== undefined) {
    const text = String(config.until)
    const until = isTime(text) ? { ok: true as const, value: text } : evaluateField(text, scope)
    if (!until.ok) return until
    return typeof until.value === 'string' && isTime(until.value)
      ? { time: timeMs(until.value) }
      : invalidWith('/with/until must give a time, such as "2027-01-31T09:00:00Z"')
  }
  const rendered = renderTemplate(config.for!, scope)
  if (!rendered.ok) return rendered
  const span = rendered.value
  return typeof span === 'string' && isSpan(span) && spanMs(span) <= MAX_SLEEP_MS
    ? { time: at + spanMs(span) }
    : invalidWith('/with/for must give a span of at most 365 days, such as "5s"')
}

function invalidWith(message: string): { error: TaskError } {
  return { error: { code: 'invalid_with', message, retryable: false } }
}
