// How tasks begin that need no slot: conditions are evaluated, waits and maps begin, runs that are tasks are started. Pure.

import type { LaterEvent, LoadPayload, TaskIndex } from '../event.ts'
import { evaluateCondition } from '../expression/expression.ts'
import { runScope } from '../expression/scope.ts'
import type { StepBudget } from '../expression/step-budget.ts'
import type { Run } from '../run/run.ts'
import { isChild, type Spot } from '../run/spot.ts'
import { nextAttempt, triesOf } from '../run/tries.ts'
import { childRunId } from './child.ts'
import { MAX_DECISIONS } from './decision-bounds.ts'
import { beginMap, dueRuns } from './map.ts'
import { beginWait } from './waits.ts'

/** Evaluates `when` of the tasks that are ready: a task goes on, is skipped, or fails if its condition has no value. Stops when the budget is spent. */
export function evaluateConditions(run: Run, at: number, load: LoadPayload, budget: StepBudget): LaterEvent[] {
  if (run.conditional.size === 0) return []
  const scope = runScope(run, load, budget)
  const events: LaterEvent[] = []
  for (const task of run.conditional) {
    if (budget.isSpent || events.length >= MAX_DECISIONS) break
    const held = evaluateCondition(run.workflow.definition.tasks[task]!.when!, scope)
    if (!held.ok) events.push({ type: 'TaskFailed', at, task, error: held.error })
    else if (held.value) events.push({ type: 'ConditionMet', at, task })
    else events.push({ type: 'TaskSkipped', at, task, reason: 'condition', because: null })
  }
  return events
}

/** Tasks that need no slot, and whose turn has come. */
export function beginWaits(run: Run, at: number, load: LoadPayload, budget: StepBudget): LaterEvent[] {
  const children = dueChildren(run, at)
  if (children.length > 0 || run.beginning.size === 0) return children
  // A signal that was kept goes to the first of them that it matches.
  const taken = new Set<number>()
  const events: LaterEvent[] = []
  for (const task of run.beginning) {
    if (budget.isSpent || events.length >= MAX_DECISIONS) break
    const event = beginTask(run, task, at, load, taken, budget)
    if (event === null) break
    if (event.type === 'TaskSucceeded' && event.signal !== undefined) taken.add(event.signal)
    events.push(event)
  }
  return events
}

function beginTask(
  run: Run,
  task: TaskIndex,
  at: number,
  load: LoadPayload,
  taken: ReadonlySet<number>,
  budget: StepBudget,
): LaterEvent | null {
  if (isChild(run, { task })) return startChild(run, { task }, at)
  if (run.workflow.plans[task]!.kind === 'map') return beginMap(run, task, at, load, budget)
  return beginWait(run, task, at, load, taken, budget)
}

/** Tasks and items whose next attempt is due, and is another run. */
function dueChildren(run: Run, at: number): LaterEvent[] {
  const events: LaterEvent[] = []
  for (const task of run.sleeping) {
    const { waitingFor, wakeAt } = run.tasks[task]!
    if (waitingFor !== 'retry' || wakeAt === null || wakeAt > at || !isChild(run, { task })) continue
    events.push(startChild(run, { task }, at))
    if (events.length >= MAX_DECISIONS) break
  }
  for (const task of run.maps) {
    if (events.length >= MAX_DECISIONS) break
    if (run.workflow.plans[task]!.items!.kind !== 'child') continue
    for (const item of dueRuns(run, task, at)) events.push(startChild(run, { task, item }, at))
  }
  return events
}

function startChild(run: Run, spot: Spot, at: number): LaterEvent {
  const child = childRunId(run.id, spot, triesOf(run, spot).attempts.length, at)
  return { type: 'ChildStarted', at, ...spot, attempt: nextAttempt(run, spot), child }
}
