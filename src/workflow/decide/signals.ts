// Signals: what the world tells a run by name, and which of its waiting tasks gets one. Pure.
//
// A signal is offered to every task that waits for its name when it comes, and each that it matches gets it. One that nobody
// gets is kept, and offered in the order of arrival to each task that begins to wait; the first that it matches takes it.
// So no signal is looked at twice for the same task, and none is missed, whichever comes first.

import { type LoadPayload, PayloadRef, type StoredValue, type TaskIndex } from '../event.ts'
import { evaluateCondition } from '../expression/expression.ts'
import { paidLoad, readValue, runScope } from '../expression/scope.ts'
import { StepBudget } from '../expression/step-budget.ts'
import { isEndOpen, mayGoOn, type Run } from '../run/run.ts'

/** Signals that a run keeps for tasks which do not wait yet. */
export const MAX_BUFFERED = 1_000

/** Bytes of JSON of those among them that are kept outside the history. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024

/**
 * What a try costs beside its evaluation, in steps, and that for each of its characters besides: of thousands of expressions not
 * all are kept parsed, and parsing takes about 2 us a character (measured).
 */
const TRY_STEPS = 10
const TRY_STEPS_PER_CHARACTER = 2

/** Whether a signal can still do anything in the run. */
export function hearsSignals(run: Run): boolean {
  return run.finishedAt === null && run.compensation === null && isEndOpen(run.ending)
}

/**
 * The waiting tasks that get a signal which has just come; null if the budget is spent before all `match` expressions are
 * tried, and the signal has to be refused then. A signal that is meant for one task goes to that task without asking its `match`.
 */
export function takersOf(
  run: Run,
  signal: { name: string; data: StoredValue; task?: TaskIndex },
  load: LoadPayload,
  budget = new StepBudget(),
): TaskIndex[] | null {
  if (signal.task !== undefined) return waitsForSignal(run, signal.task) ? [signal.task] : []
  const matches = matcher(run, load, budget)
  const takers: TaskIndex[] = []
  for (const task of run.workflow.events.get(signal.name) ?? []) {
    if (!waitsForSignal(run, task)) continue
    if (budget.isSpent) return null
    if (matches(task, signal.data)) takers.push(task)
  }
  return takers
}

/** Whether the task can get a signal now. */
export function waitsForSignal(run: Run, task: TaskIndex): boolean {
  return run.tasks[task]?.waitingFor === 'signal' && mayGoOn(run, task)
}

/**
 * The last signal kept that tasks which are about to wait were tried against without a match, when their step was cut: the next
 * one goes on from there. It is no part of the run: after a crash the tries begin again with the first signal.
 */
const triedUntil = new WeakMap<Run, Map<TaskIndex, number>>()

/** The first signal kept that a task which begins to wait takes; 'cut' if the budget was spent before all of them were tried. */
export function firstKept(
  run: Run,
  task: TaskIndex,
  taken: ReadonlySet<number>,
  load: LoadPayload,
  budget: StepBudget,
): number | 'none' | 'cut' {
  const name = run.workflow.definition.tasks[task]!.with!.event
  const matches = matcher(run, load, budget)
  let last = triedUntil.get(run)?.get(task) ?? 0
  for (const number of run.buffered) {
    const signal = run.signals.get(number)!
    if (number <= last || signal.name !== name || taken.has(number)) continue
    if (budget.isSpent) {
      if (!triedUntil.has(run)) triedUntil.set(run, new Map())
      triedUntil.get(run)!.set(task, last)
      return 'cut'
    }
    if (matches(task, signal.data)) return number
    last = number
  }
  return 'none'
}

/** Whether a signal of this size may be kept until somebody waits for it. */
export function hasRoom(run: Run, bytes: number): boolean {
  if (run.buffered.size >= MAX_BUFFERED) return false
  let kept = bytes
  for (const number of run.buffered) {
    const { data } = run.signals.get(number)!
    if (data instanceof PayloadRef) kept += data.bytes
  }
  return kept <= MAX_BUFFERED_BYTES
}

/**
 * Tells whether data is what a task waits for. An expression that cannot be evaluated, or is neither true nor false, is no
 * match: anybody may send anything, and a signal of another form must not end the run that waits for the right one.
 */
function matcher(run: Run, load: LoadPayload, budget: StepBudget): (task: TaskIndex, data: StoredValue) => boolean {
  const paid = paidLoad(load, budget)
  const scope = { ...runScope(run, paid), spend: (steps: number) => budget.spend(steps) }
  return (task, data) => {
    const { match } = run.workflow.definition.tasks[task]!.with!
    if (match === undefined) return true
    const text = String(match)
    budget.spend(TRY_STEPS + TRY_STEPS_PER_CHARACTER * text.length)
    const condition = evaluateCondition(text, { ...scope, event: () => readValue(data, paid) })
    return condition.ok && condition.value
  }
}
