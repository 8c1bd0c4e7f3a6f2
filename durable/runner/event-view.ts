// The events of a history as the API shows them: each recorded event has one public name. Pure; JSON text, as in view.ts.

import { type LoadPayload, PayloadRef, type RunEvent, type StartOptions } from '../../src/workflow/event.ts'
import { readValue } from '../../src/workflow/expression/scope.ts'
import type { Run } from '../../src/workflow/run/run.ts'
import { traceIdOf } from '../../src/workflow/trace.ts'
import { logsView, MAX_DEFAULT_OUTPUT, parentView, timestamp, usageView } from './view.ts'

/** One event of the history as the API shows it; null is one that a newer release wrote. */
export function eventText(run: Run, number: number, event: RunEvent | null, load: LoadPayload): string {
  if (event === null) return JSON.stringify({ id: number, event: 'unknown', data: {} })
  const { name, data } = publicEvent(run, event, load)
  const task = 'task' in event ? { task: run.workflow.definition.tasks[event.task]!.id } : {}
  const item = 'item' in event && event.item !== undefined ? { item: event.item } : {}
  return JSON.stringify({ id: number, event: name, data: { at: timestamp(event.at), ...task, ...item, ...data } })
}

function publicEvent(run: Run, event: RunEvent, load: LoadPayload): { name: string; data: { [key: string]: unknown } } {
  switch (event.type) {
    case 'RunAccepted': {
      const { definition } = event.workflow
      const input = readValue(event.input, load)
      return {
        name: 'run.accepted',
        data: {
          workflow: definition.name,
          version: event.version,
          input,
          timeout_ms: event.timeoutMs,
          ...optionsView(run, event.options ?? {}),
        },
      }
    }
    case 'RunQueued':
      return { name: 'run.queued', data: { until: timestamp(event.until) } }
    case 'RunStarted':
      return { name: 'run.started', data: {} }
    case 'RunTimedOut':
      return { name: 'run.timed_out', data: {} }
    case 'RunCancelRequested':
      return { name: 'run.cancel_requested', data: {} }
    case 'RunPaused':
      return { name: 'run.paused', data: {} }
    case 'RunResumed':
      return { name: 'run.resumed', data: {} }
    case 'CompensationStarted':
      return {
        name: 'run.compensating',
        data: { status: event.status, ...(event.error === null ? {} : { error: event.error }) },
      }
    case 'ConditionMet':
      return { name: 'task.condition_met', data: {} }
    case 'TaskSucceeded':
      return { name: 'task.succeeded', data: successData(run, event, load) }
    case 'SignalReceived':
      return {
        name: 'signal.received',
        data: { signal: event.id, name: event.name, data: readValue(event.data, load) },
      }
    case 'RunStopped':
      return { name: 'run.stopped', data: { error: event.error } }
    case 'RunFinished':
      return {
        name: 'run.finished',
        data: { status: event.status, ...(event.error === null ? {} : { error: event.error }) },
      }
    case 'AttemptStarted':
      return { name: 'attempt.started', data: { attempt: event.attempt } }
    case 'ChildStarted':
      return { name: 'attempt.started', data: { attempt: event.attempt, child_run: event.child } }
    case 'AttemptSucceeded':
      return {
        name: 'attempt.succeeded',
        data: {
          started_by: event.token,
          output: readValue(event.output, load),
          ...logsView(event.logs ?? null, false, load),
          ...usageView(event),
        },
      }
    case 'TaskReused':
      return { name: 'task.reused', data: { output: readValue(event.output, load) } }
    case 'AttemptFailed':
      return {
        name: 'attempt.failed',
        data: failureData(event, load),
      }
    case 'AttemptTimedOut':
      return {
        name: 'attempt.timed_out',
        data: failureData(event, load),
      }
    case 'AttemptSnoozed':
      return {
        name: 'attempt.snoozed',
        data: { started_by: event.token, after_ms: event.afterMs, ...logsView(event.logs ?? null, false, load) },
      }
    case 'AttemptInterrupted':
      return {
        name: 'attempt.interrupted',
        data: { started_by: event.token, ...(event.isUnreached ? { unreached: true } : {}) },
      }
    case 'TaskWaiting':
      return {
        name: 'task.waiting',
        data: {
          for: event.for,
          until: timestamp(event.until),
          ...(event.isPutOff ? { snoozed: true } : {}),
          ...(event.target === undefined ? {} : { circuit: event.target }),
          ...(event.total === undefined ? {} : { items: event.total }),
        },
      }
    case 'TaskFailed':
      return { name: 'task.failed', data: { error: event.error } }
    case 'TaskTimedOut':
      return { name: 'task.timed_out', data: event.error === undefined ? {} : { error: event.error } }
    case 'TaskSkipped': {
      const because = event.because === null ? {} : { because: run.workflow.definition.tasks[event.because]!.id }
      return { name: 'task.skipped', data: { reason: event.reason, ...because } }
    }
    case 'TaskCancelled':
      return { name: 'task.cancelled', data: {} }
    default:
      return event satisfies never
  }
}

/** What a start said besides, by the names that the run itself has for it. */
function optionsView(run: Run, { tags, startAt, trace, retry }: StartOptions): { [key: string]: unknown } {
  return {
    ...(tags === undefined ? {} : { tags }),
    ...(startAt === undefined ? {} : { start_at: timestamp(startAt) }),
    ...(trace === undefined ? {} : { trace_id: traceIdOf(trace) }),
    ...(retry === undefined ? {} : { retry_of: retry.of, attempt: retry.attempt }),
    ...parentView(run),
  }
}

function failureData(
  event: Extract<RunEvent, { type: 'AttemptFailed' | 'AttemptTimedOut' }>,
  load: LoadPayload,
): { [key: string]: unknown } {
  const { token, error, isRetryRefused } = event
  return {
    started_by: token,
    error,
    ...(isRetryRefused ? { retry_refused: true } : {}),
    ...logsView(event.logs ?? null, false, load),
    ...usageView(event),
  }
}

/** A success without an attempt: the output, and the number of the event that brought it. */
function successData(
  run: Run,
  { output, signal }: Extract<RunEvent, { type: 'TaskSucceeded' }>,
  load: LoadPayload,
): { [key: string]: unknown } {
  // The outputs of all items stand in their own events; together they may be more than a page should bring.
  const isLarge = output instanceof PayloadRef && output.bytes > MAX_DEFAULT_OUTPUT
  if (isLarge) return { output: null, output_omitted: true, output_bytes: output.bytes }
  if (signal === undefined) return { output: readValue(output, load) }
  return { output: readValue(run.signals.get(signal)?.data ?? null, load), signal_event: signal }
}
