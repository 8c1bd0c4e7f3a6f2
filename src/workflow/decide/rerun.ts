// Which tasks of a run that has ended a new run of it has to make again, and which outputs it takes over. Pure.
//
// A task is made again if it is asked for, if it did not succeed, if its compensation has begun, or if it stands below one
// that is made again. So every output that is taken over rests on outputs that are taken over too.

import type { Fault } from '../codes.ts'
import type { CompiledWorkflow, TaskDefinition } from '../definition/definition.ts'
import type { StoredValue, TaskIndex } from '../event.ts'
import { didYouMean, quoted } from '../nearest.ts'
import type { Run } from '../run/run.ts'
import { canonicalText } from '../sound.ts'

/** From where a run is made again: what did not succeed, everything, or these tasks. */
export type RetryFrom = 'failed' | 'start' | readonly string[]

/** Outputs that the new run takes over, by position in its definition. */
export type TakenOver = readonly { task: TaskIndex; output: StoredValue }[]

export type Rerun =
  | { kind: 'rerun'; takenOver: TakenOver }
  /** Everything has succeeded, and nothing was named that should be made again all the same. */
  | { kind: 'nothing_to_retry' }
  /** Each with a JSON Pointer into the request. */
  | { kind: 'unfit_retry'; faults: Fault[] }

/** How many unknown names get a proposal: each costs a comparison with every id. */
const MAX_PROPOSALS = 20
const MAX_FAULTS = 1_000

/**
 * Plans a new run of a run that has ended: which outputs it takes over, or why it cannot be made or has nothing to do.
 * @param old a run that has ended
 * @param workflow what the new run is of: the same version, or another of the same name
 */
export function planRerun(old: Run, workflow: CompiledWorkflow, from: RetryFrom): Rerun {
  const unknown = typeof from === 'string' ? [] : unknownTasks(from, workflow)
  if (unknown.length > 0) return { kind: 'unfit_retry', faults: unknown }
  const { tasks } = workflow.definition
  const formerOf = tasks.map(({ id }) => old.workflow.graph.indexOf.get(id))
  const named = new Set(typeof from === 'string' ? [] : from)
  const again = new Set<TaskIndex>()
  for (const [index, { id }] of tasks.entries()) {
    const former = formerOf[index]
    const isNamed = from === 'start' || named.has(id)
    if (isNamed || former === undefined || !isStillTrue(old, former)) again.add(index)
  }
  if (from === 'failed' && old.status === 'succeeded' && !needsAnything(again, old, workflow)) {
    return { kind: 'nothing_to_retry' }
  }
  // A set goes on through what is added while it is walked.
  for (const task of again) for (const dependent of workflow.graph.dependents[task]!) again.add(dependent)

  const kept = tasks.flatMap((_, task) => (again.has(task) ? [] : [{ task, former: formerOf[task]! }]))
  const faults = workflow === old.workflow ? [] : differences(kept, old, workflow)
  if (faults.length > 0) return { kind: 'unfit_retry', faults }
  return { kind: 'rerun', takenOver: kept.map(({ task, former }) => ({ task, output: old.tasks[former]!.output })) }
}

/** Whether the task's output is still what the world is like. Half undone is as good as undone. */
function isStillTrue(run: Run, task: TaskIndex): boolean {
  const { undoes, undoneBy } = run.workflow.plans[task]!
  if (run.tasks[task]!.status !== 'succeeded' || undoes !== null) return false
  return undoneBy === null || run.tasks[undoneBy]!.startedAt === null
}

/** Whether a run that succeeded has anything left to do: tasks that were skipped, or that it did not have. Compensations wait for a failure. */
function needsAnything(again: ReadonlySet<TaskIndex>, old: Run, workflow: CompiledWorkflow): boolean {
  return [...again].some((task) => {
    const former = old.workflow.graph.indexOf.get(workflow.definition.tasks[task]!.id)
    return workflow.plans[task]!.undoes === null && (former === undefined || old.tasks[former]!.status !== 'skipped')
  })
}

function unknownTasks(ids: readonly string[], { graph }: CompiledWorkflow): Fault[] {
  let proposals = 0
  return ids
    .flatMap((id, position): Fault[] => {
      if (graph.indexOf.has(id)) return []
      const near = proposals++ < MAX_PROPOSALS ? didYouMean(id, graph.indexOf.keys()) : ''
      const message = `the workflow has no task ${quoted(id)}${near}`
      return [{ path: `/from/${position}`, code: 'unknown_task', message }]
    })
    .slice(0, MAX_FAULTS)
}

/** Tasks that the other version defines differently: their outputs are not what it would have given. */
function differences(
  kept: readonly { task: TaskIndex; former: TaskIndex }[],
  old: Run,
  workflow: CompiledWorkflow,
): Fault[] {
  return kept
    .filter(({ task, former }) => {
      const [now, before] = [workflow.definition.tasks[task]!, old.workflow.definition.tasks[former]!]
      return now !== before && comparableText(now) !== comparableText(before)
    })
    .slice(0, MAX_FAULTS)
    .map(({ task }): Fault => {
      const id = quoted(workflow.definition.tasks[task]!.id)
      const message = `the version defines the task ${id} differently, so its output can't be taken over: name ${id} in "from"`
      return { path: '/version', code: 'task_differs', message }
    })
}

/** The task as text; in which order it names its dependencies does not matter. */
function comparableText(task: TaskDefinition): string {
  return canonicalText({ ...task, depends_on: [...task.depends_on].sort() })
}
