// How a run undoes what it did: in which order, one after the other. Pure; what comes of it for the run is in outcome.ts.

import type { LaterEvent, TaskIndex } from '../event.ts'
import type { Run } from '../run/run.ts'
import { nextAttempt } from '../run/tries.ts'
import type { Admission } from './admission.ts'
import { dueToStart, heldBack } from './slot-start.ts'

/** One compensation after the other, from the last success to the first; [] while one is under way or waits. */
export function compensate(run: Run, at: number, admission: Admission | null): LaterEvent[] {
  if (run.compensation!.isBroken || run.progress.running > 0) return []
  const [due] = dueToStart(run, at, admission)
  const next = () => run.undo.findLast((task) => run.tasks[task]!.status === 'pending')
  const task = due ?? (run.progress.waiting > 0 ? undefined : next())
  if (task === undefined) return []
  const isInstant = run.workflow.plans[task]!.kind === 'placeholder'
  const hold = isInstant ? null : (admission?.hold({ task }) ?? null)
  if (hold !== null) return [heldBack(run, { task }, hold, at)]
  const start = { type: 'AttemptStarted', at, task, attempt: nextAttempt(run, { task }) } as const
  return isInstant ? [start, { type: 'AttemptSucceeded', at, task, token: run.events + 1, output: null }] : [start]
}

/** Whether the task is a compensation about which nothing is decided before the run's outcome is. */
export function awaitsCompensation(run: Run, task: TaskIndex): boolean {
  const { status, attempts } = run.tasks[task]!
  return run.workflow.plans[task]!.undoes !== null && status === 'pending' && attempts.length === 0
}
