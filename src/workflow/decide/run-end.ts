// How a run comes to its end: what has not ended is ended, what was done is undone if it did not succeed, the outcome is recorded.
// Pure.

import type { LaterEvent, LoadPayload, SkipReason, TaskIndex } from '../event.ts'
import { isSettled, mayGoOn, type Run } from '../run/run.ts'
import { awaitsCompensation } from './compensation.ts'
import { historyLimit, MAX_DECISIONS } from './decision-bounds.ts'
import { afterCompensation, outcomeOf } from './outcome.ts'

/** Tasks that a deadlock names; the others are counted. */
const MAX_NAMED_TASKS = 1_000

/** Ends every task that has not ended and may not go on, now that the run is ending (api.md, table "what happens"). */
export function endRest(run: Run, at: number): LaterEvent[] {
  const events: LaterEvent[] = []
  for (let task = run.firstUnsettled; task < run.tasks.length && events.length < MAX_DECISIONS; task++) {
    const { status } = run.tasks[task]!
    if (isSettled(status) || mayGoOn(run, task) || awaitsCompensation(run, task)) continue
    // A task whose attempt has just ended without success has begun, so it ends like an executing one.
    const hasBegun = status === 'running' || status === 'waiting' || run.undecided.has(task)
    if (hasBegun && run.ending === 'timed_out') events.push({ type: 'TaskTimedOut', at, task })
    else if (hasBegun || run.ending === 'cancelled') events.push({ type: 'TaskCancelled', at, task })
    else events.push({ type: 'TaskSkipped', at, task, reason: 'run_stopped', because: null })
  }
  return events
}

/** The event that ends a run which cannot go on; a deadlock names the first tasks that can never start. */
export function stopRun(run: Run, at: number, code: 'deadlock' | 'history_limit'): LaterEvent {
  if (code === 'history_limit') {
    const message = `The history of the run has reached ${historyLimit(run)} events`
    return { type: 'RunStopped', at, error: { code, message, retryable: false } }
  }
  const { tasks } = run.workflow.definition
  const isStuck = (index: TaskIndex) =>
    run.tasks[index]!.status === 'pending' && run.workflow.plans[index]!.undoes === null
  const stuck = tasks.filter((_, index) => isStuck(index)).map(({ id }) => id)
  const named = stuck.slice(0, MAX_NAMED_TASKS)
  const message = `${stuck.length} task${stuck.length === 1 ? '' : 's'} left, none executing, none able to start: ${named.slice(0, 10).join(', ')}${stuck.length > 10 ? ', ...' : ''}`
  return { type: 'RunStopped', at, error: { code, message, retryable: false, tasks: named } }
}

/** Nothing executes, waits or can start: the run ends, after what it did is undone if it did not succeed. */
export function afterLast(run: Run, at: number, load: LoadPayload): LaterEvent[] {
  const isStuck = run.compensation === null && run.progress.pending > run.workflow.compensations
  if (isStuck && run.ending === null) return [stopRun(run, at, 'deadlock')]
  if (isStuck) return skipPending(run, at, (task) => (run.workflow.plans[task]!.undoes === null ? 'run_stopped' : null))
  const outcome = run.compensation ?? outcomeOf(run, load)
  if (run.compensation === null && outcome.status !== 'succeeded' && run.undo.length > 0) {
    return [{ type: 'CompensationStarted', at, status: outcome.status, error: outcome.error }]
  }
  if (run.progress.pending > 0) {
    const notUndone = new Set(run.compensation?.isBroken === true ? run.undo : [])
    return skipPending(run, at, (task) => (notUndone.has(task) ? 'run_stopped' : 'not_needed'))
  }
  const { status, error } = run.compensation === null ? outcome : afterCompensation(run)
  return [{ type: 'RunFinished', at, status, output: 'output' in outcome ? outcome.output : null, error }]
}

/** Ends tasks that never started: those stuck in a run that was stopped, or the compensations that nothing needs any more. */
function skipPending(run: Run, at: number, reasonOf: (task: TaskIndex) => SkipReason | null): LaterEvent[] {
  const events: LaterEvent[] = []
  for (let task = run.firstUnsettled; task < run.tasks.length && events.length < MAX_DECISIONS; task++) {
    const reason = run.tasks[task]!.status === 'pending' ? reasonOf(task) : null
    if (reason !== null) events.push({ type: 'TaskSkipped', at, task, reason, because: null })
  }
  return events
}
