// How tasks begin that wait and make no attempt: what they wait for, and until when. Pure; what ends a wait is the scheduler's.

import type { LaterEvent, TaskError, TaskIndex } from './event.ts'
import { type ExpressionScope, evaluateField, renderTemplate } from './expression.ts'
import type { Run } from './run.ts'
import { isSpan, spanMs } from './span.ts'
import { isTime, timeMs } from './time.ts'

/** The longest that a run can last, so the longest sleep in it. */
const MAX_SLEEP_MS = 365 * 86_400_000

/** The wait of a task whose turn has come, or its failure if what it is to wait for cannot be told. */
export function beginWait(run: Run, task: TaskIndex, at: number, scope: ExpressionScope): LaterEvent {
  const until = sleepsUntil(run, task, at, scope)
  if ('error' in until) return { type: 'TaskFailed', at, task, error: until.error }
  return { type: 'TaskWaiting', at, task, for: 'time', until: until.time, isSnoozed: false }
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
      : invalid('/with/until must give a time, such as "2027-01-31T09:00:00Z"')
  }
  const rendered = renderTemplate(config.for!, scope)
  if (!rendered.ok) return rendered
  const span = rendered.value
  return typeof span === 'string' && isSpan(span) && spanMs(span) <= MAX_SLEEP_MS
    ? { time: at + spanMs(span) }
    : invalid('/with/for must give a span of at most 365 days, such as "5s"')
}

function invalid(message: string): { error: TaskError } {
  return { error: { code: 'invalid_with', message, retryable: false } }
}
