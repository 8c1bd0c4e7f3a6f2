// What comes of a run whose tasks have all ended: its status, output and error. Pure.

import type { FinalStatus, LoadPayload, RunError, StoredValue, TaskIndex } from '../event.ts'
import { renderTemplate } from '../expression/expression.ts'
import { runScope } from '../expression/scope.ts'
import type { Run } from '../run/run.ts'
import { acceptsFailure } from '../run/trigger-rule.ts'
import { spanText } from '../wording.ts'

interface Outcome {
  status: FinalStatus
  output: StoredValue
  error: RunError | null
}

/** How the run ends, by what its tasks did and what was asked of it. */
export function outcomeOf(run: Run, load: LoadPayload): Outcome {
  const error = run.ending === 'stopped' ? run.error : taskError(run)
  if (error !== null) return { status: 'failed', output: null, error }
  if (run.ending === 'cancelled') return { status: 'cancelled', output: null, error: null }
  if (run.ending === 'timed_out') {
    const message = `The run was not done within ${spanText(run.timeoutMs)}`
    return { status: 'timed_out', output: null, error: { code: 'run_timeout', message, retryable: true } }
  }
  const template = run.workflow.definition.output
  // Without a template the output is that of the last tasks, which the history holds already: it is not written twice.
  if (template === undefined) return { status: 'succeeded', output: null, error: null }
  const rendered = renderTemplate(template, runScope(run, load))
  if (rendered.ok) return { status: 'succeeded', output: rendered.value, error: null }
  return { status: 'failed', output: null, error: rendered.error }
}

/** The outcome that was decided before the compensations, unless one of them went wrong. */
export function afterCompensation(run: Run): { status: FinalStatus; error: RunError | null } {
  const { status, error, failed, isBroken } = run.compensation!
  if (isBroken) return { status: 'failed', error: run.error }
  if (failed.length === 0) return { status, error }
  const names = failed.map((task) => run.workflow.definition.tasks[task]!.id)
  const message = `What these tasks were to undo is not undone: ${names.slice(0, 10).join(', ')}${names.length > 10 ? ', ...' : ''}`
  const cause = error ?? run.tasks[failed[0]!]!.error
  return {
    status: 'failed',
    error: {
      code: 'compensation_failed',
      message,
      retryable: false,
      task_id: names[0]!,
      ...(cause === null ? {} : { cause: { code: cause.code, message: cause.message, retryable: cause.retryable } }),
    },
  }
}

/** The failure that makes the run fail; null if no failure does, or if the run ended for another reason before its last task. */
function taskError(run: Run): RunError | null {
  // A run that a failure has stopped is failed, even if it was cancelled later: the first end in the history counts.
  const isDecided = run.ending === null || run.workflow.definition.on_failure === 'stop'
  const failure = isDecided ? run.failures.find((task) => handlerOf(run, task) === undefined) : undefined
  if (failure === undefined) return null
  const task_id = run.workflow.definition.tasks[failure]!.id
  const error = run.tasks[failure]!.error ?? { code: 'timeout', message: 'The task timed out', retryable: true }
  return { ...error, task_id }
}

/** The task that handled a failure: a dependent whose trigger rule accepts failures, and which succeeded. Undefined if no task did, or if a failure stops the run. */
export function handlerOf({ workflow, tasks }: Run, failed: TaskIndex): TaskIndex | undefined {
  if (workflow.definition.on_failure === 'stop') return undefined
  return workflow.graph.dependents[failed]!.find(
    (dependent) => tasks[dependent]!.status === 'succeeded' && acceptsFailure(workflow.plans[dependent]!.rule),
  )
}
