// Builders of what tests need: a definition from the little that matters to the test, and a run of it.

import type { RetryPolicy } from '../../src/workflow/decide/retry.ts'
import { compile, type TaskDefinition, type WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import { accept } from '../../src/workflow/run/apply.ts'
import type { Run } from '../../src/workflow/run/run.ts'

/** Ids of the tasks, each with what it depends on. A task named with a trailing `?` is a placeholder. */
export type Shape = Record<string, string[]>

export function aDefinition(shape: Shape, rest: Partial<WorkflowDefinition> = {}): WorkflowDefinition {
  const tasks = Object.entries(shape).map(([name, depends_on]): TaskDefinition => {
    const id = name.replace('?', '')
    if (name.endsWith('?')) return { id, type: 'http', depends_on }
    return { id, type: 'http', depends_on, with: { url: `https://upstream.test/${id}` } }
  })
  return { name: 'wf', max_parallel: 4, timeout: '5s', on_failure: 'stop', placeholders: 'allow', tasks, ...rest }
}

/** A run that was accepted at time 0 and not yet stepped. */
export function aRun(definition: WorkflowDefinition, rest: { id?: string; timeoutMs?: number } = {}): Run {
  const workflow = compile(definition)
  return accept({
    type: 'RunAccepted',
    at: 0,
    runId: rest.id ?? 'run_0001HZZZZZZZZZZZZZZZZZZZZZZZ',
    workflow,
    version: 1,
    input: null,
    timeoutMs: rest.timeoutMs ?? workflow.timeoutMs,
  })
}

/** A retry policy that waits for a second each time. */
export function aRetry(rest: Partial<RetryPolicy> = {}): RetryPolicy {
  return { max_attempts: 3, initial_interval: '1s', multiplier: 1, max_interval: '1s', jitter: 'none', ...rest }
}
