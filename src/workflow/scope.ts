// What an expression of a run sees: the run's input and identity, and how the tasks before it ended.

import { type Held, type LoadPayload, PayloadRef } from './event.ts'
import type { ExpressionScope } from './expression.ts'
import type { Json } from './json.ts'
import type { Run } from './run.ts'
import type { StepBudget } from './step-budget.ts'

export function runScope(run: Run, load: LoadPayload, budget: StepBudget | null = null): ExpressionScope {
  return {
    ...(budget === null ? {} : { spend: (steps: number) => budget.spend(steps) }),
    input: () => held(run.input, load),
    run: { id: run.id, workflow: run.workflow.definition.name, version: run.version, attempt: attemptOf(run) },
    task(id) {
      const task = run.tasks[run.workflow.graph.indexOf.get(id) ?? -1]
      // Names are checked at registration, so this is a definition that reached the core past it.
      if (task === undefined) return { status: 'pending', output: null }
      return { status: task.status, output: held(task.output, load) }
    },
  }
}

/** 1, and 1 more for each run that this one makes again. */
function attemptOf({ options }: Run): number {
  return options.retry?.attempt ?? 1
}

/** The value itself, read back if it is kept elsewhere. */
export function held(value: Held, load: LoadPayload): Json {
  return value instanceof PayloadRef ? load(value) : value
}
