// How a task goes from one status to another: what a move forgets, what an end tells the tasks that depend on it, and what then
// stands in the queue for a slot. The events that ask for it are apply.ts.

import type { TaskKind } from '../definition/definition.ts'
import type { TaskError, TaskIndex } from '../event.ts'
import { closeItems } from './items.ts'
import { isSettled, type Run, type Task, type TaskStatus } from './run.ts'
import { type AttemptEnd, endWait, recordEnd } from './tries.ts'
import { acceptsFailure, type EndedDependencies, judge } from './trigger-rule.ts'

/** The task's trigger rule lets it go. */
export function release(run: Run, index: TaskIndex): void {
  run.tasks[index]!.isReady = true
  if (run.workflow.definition.tasks[index]!.when === undefined) enqueue(run, index)
  else run.conditional.add(index)
}

/** Nothing but a slot, if it needs one, holds the task any more. */
export function enqueue(run: Run, index: TaskIndex): void {
  if (needsSlot(run.workflow.plans[index]!.kind)) run.slots.request(index)
  else run.beginning.add(index)
}

/** A slot is held by what executes, and by nothing else: tasks that only wait need none. */
export function needsSlot(kind: TaskKind): boolean {
  return kind === 'attempt' || kind === 'placeholder' || kind === 'transform'
}

/** Puts a task into a status that is not its last, and forgets what only its former status needed. */
export function move(run: Run, index: TaskIndex, status: TaskStatus): Task {
  const task = run.tasks[index]!
  run.progress[task.status]--
  run.progress[status]++
  task.status = status
  endWait(task)
  run.undecided.delete(index)
  run.conditional.delete(index)
  run.beginning.delete(index)
  run.nesting.delete(index)
  run.maps.delete(index)
  if (status === 'waiting') run.sleeping.add(index)
  else run.sleeping.delete(index)
  return task
}

/** An attempt ended without success: whether its task has, or is tried again, is for the scheduler to decide. */
export function leaveUndecided(run: Run, index: TaskIndex, event: AttemptEnd): void {
  recordEnd(move(run, index, 'pending'), event)
  run.slots.release(index)
  run.undecided.add(index)
}

/** Ends a task, and tells those that depend on it. */
export function settle(run: Run, index: TaskIndex, status: TaskStatus, at: number, error: TaskError | null): void {
  const task = move(run, index, status)
  closeItems(run, index, status, at)
  run.slots.release(index)
  run.doomed.delete(index)
  task.finishedAt = at
  task.error = error
  while (run.firstUnsettled < run.tasks.length && isSettled(run.tasks[run.firstUnsettled]!.status)) run.firstUnsettled++

  const { undoneBy, undoes } = run.workflow.plans[index]!
  if (undoneBy !== null && status === 'succeeded') run.undo.push(undoneBy)
  const isFailure = status === 'failed' || status === 'timed_out'
  if (isFailure && undoes !== null) run.compensation?.failed.push(index)
  else if (isFailure && run.ending === null) {
    run.failures.push(index)
    if (run.workflow.definition.on_failure === 'stop') run.ending = 'task_failed'
  }
  tellDependents(run, index, classOf(task))
}

/** How an ended task counts for those that depend on it. One that was skipped for a failure passes the failure on. */
export function classOf({ status, skipReason }: Task): keyof EndedDependencies {
  if (status === 'succeeded' || status === 'cancelled') return status
  return status === 'skipped' && skipReason !== 'upstream_failed' ? 'skipped' : 'failed'
}

function tellDependents(run: Run, index: TaskIndex, ended: keyof EndedDependencies): void {
  const { graph, plans } = run.workflow
  for (const dependent of graph.dependents[index]!) {
    const task = run.tasks[dependent]!
    task.ended[ended]++
    if (task.status !== 'pending' || task.isReady || run.doomed.has(dependent)) continue
    const { rule } = plans[dependent]!
    const verdict = judge(rule, task.ended, graph.dependencies[dependent]!.length)
    if (verdict === 'start') release(run, dependent)
    // Of a run that ends, a task that was waiting for others ends with the run, not by its rule (api.md "what happens").
    else if (
      verdict === 'upstream_failed' ||
      (verdict === 'trigger_rule' && (run.ending === null || acceptsFailure(rule)))
    ) {
      run.doomed.set(dependent, { reason: verdict, because: index })
    }
  }
}
