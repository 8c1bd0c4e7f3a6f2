// Signals: what the world tells a run by name, and which of its waiting tasks gets one. Pure.
//
// A signal is offered to every task that waits for its name when it comes, and each that it matches gets it. One that nobody
// gets is kept, and offered in the order of arrival to each task that begins to wait; the first that it matches takes it.
// So no signal is looked at twice for the same task, and none is missed, whichever comes first.

import { type Held, type LoadPayload, PayloadRef, type TaskIndex } from './event.ts'
import { evaluateCondition } from './expression.ts'
import { mayGoOn, type Run } from './run.ts'
import { held, runScope } from './scope.ts'

/** Signals that a run keeps for tasks which do not wait yet. */
export const MAX_BUFFERED = 1_000

/** Bytes of JSON of those among them that are kept outside the history. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024

/** Whether a signal can still do anything in the run. */
export function hearsSignals(run: Run): boolean {
  return run.finishedAt === null && run.compensation === null && (run.ending === null || run.ending === 'task_failed')
}

/** Waiting tasks that get a signal which has just come. One that is meant for a task goes to that task, whatever its `match` says. */
export function takersOf(
  run: Run,
  signal: { name: string; data: Held; task?: TaskIndex },
  load: LoadPayload,
): TaskIndex[] {
  const candidates = signal.task === undefined ? (run.workflow.events.get(signal.name) ?? []) : [signal.task]
  return candidates.filter((task) => {
    if (run.tasks[task]?.waitingFor !== 'signal' || !mayGoOn(run, task)) return false
    return signal.task !== undefined || matches(run, task, signal.data, load)
  })
}

/** Number of the first signal kept that a task which begins to wait takes; null if there is none. */
export function firstKept(run: Run, task: TaskIndex, taken: ReadonlySet<number>, load: LoadPayload): number | null {
  const name = run.workflow.definition.tasks[task]!.with!.event
  for (const number of run.buffered) {
    const signal = run.signals.get(number)!
    if (signal.name === name && !taken.has(number) && matches(run, task, signal.data, load)) return number
  }
  return null
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
 * Whether the data is what the task waits for. An expression that cannot be evaluated, or is neither true nor false, is no
 * match: anybody may send anything, and a signal of another form must not end the run that waits for the right one.
 */
function matches(run: Run, task: TaskIndex, data: Held, load: LoadPayload): boolean {
  const { match } = run.workflow.definition.tasks[task]!.with!
  if (match === undefined) return true
  const condition = evaluateCondition(String(match), { ...runScope(run, load), event: () => held(data, load) })
  return condition.ok && condition.value
}
