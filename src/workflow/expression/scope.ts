// What an expression of a run sees: the run's input and identity, and how the tasks before it ended.

import { type LoadPayload, PayloadRef, type StoredValue } from '../event.ts'
import type { Json } from '../json.ts'
import { itemValue } from '../run/item-values.ts'
import type { Run } from '../run/run.ts'
import type { Spot } from '../run/spot.ts'
import type { ExpressionScope } from './expression.ts'
import type { StepBudget } from './step-budget.ts'

/** Bytes of JSON that are read back, or copied, in about the time of a step. */
export const BYTES_PER_STEP = 32

/**
 * What the expressions of a run see: its input, the outputs of its tasks, and the run itself.
 * @param budget pays for the steps of what is evaluated, and for the payloads that are read for it
 */
export function runScope(run: Run, load: LoadPayload, budget: StepBudget | null = null): ExpressionScope {
  if (budget !== null) {
    return { ...runScope(run, paidLoad(load, budget)), spend: (steps: number) => budget.spend(steps) }
  }
  return {
    input: () => readValue(run.input, load),
    run: identityOf(run),
    task(id) {
      const task = run.tasks[run.workflow.graph.indexOf.get(id) ?? -1]
      // Names are checked at registration, so this is a definition that reached the core past it.
      if (task === undefined) return { status: 'pending', output: null }
      return { status: task.status, output: readValue(task.output, load) }
    },
  }
}

/** What expressions see as `run`. */
export function identityOf(run: Run) {
  return { id: run.id, workflow: run.workflow.definition.name, version: run.version, attempt: attemptOf(run) }
}

/** 1, and 1 more for each run that this one makes again. */
function attemptOf({ options }: Run): number {
  return options.retry?.attempt ?? 1
}

/** Reads payloads and pays for it; the same one in a row once, since it is read once (`loader` of durable/runner/commit.ts). */
export function paidLoad(load: LoadPayload, budget: StepBudget): LoadPayload {
  let last: number | null = null
  return (ref) => {
    if (ref.n !== last) budget.spend(Math.ceil(ref.bytes / BYTES_PER_STEP))
    last = ref.n
    return load(ref)
  }
}

/** The value itself, read back if it is kept elsewhere. */
export function readValue(value: StoredValue, load: LoadPayload): Json {
  return value instanceof PayloadRef ? load(value) : value
}

/** What an expression of a spot sees: of an item its value besides. */
export function spotScope(scope: ExpressionScope, run: Run, { task, item }: Spot, load: LoadPayload): ExpressionScope {
  if (item === undefined) return scope
  return { ...scope, item: () => ({ value: itemValue(run.tasks[task]!.items!, item, load), index: item }) }
}
