// A spot: a task, or one item of a task that is a map. Both are tried in the same way, so code about attempts is given a
// spot. This file says which number stands for a spot, and what its definition says.

import type { ItemPlan, TaskPlan } from '../definition/definition.ts'
import type { TaskIndex } from '../event.ts'
import type { JsonObject } from '../json.ts'
import type { Run } from './run.ts'

export interface Spot {
  readonly task: TaskIndex
  /** Index of the item, from 0. */
  readonly item?: number
}

/** Beyond the number of tasks that a definition may have. */
const MAX_TASKS = 2 ** 14

/** The spot of a task, or of one of its items if `item` is given. */
export function spotAt(task: TaskIndex, item?: number): Spot {
  return item === undefined ? { task } : { task, item }
}

/** The spot that an event is about. */
export function spotIn({ task, item }: Spot): Spot {
  return spotAt(task, item)
}

/** One number for a spot: of a task its position; of an item a number beyond all positions. */
export function spotKey({ task, item }: Spot): number {
  return item === undefined ? task : task + (item + 1) * MAX_TASKS
}

/** The spot that has this key. */
export function spotOf(key: number): Spot {
  return key < MAX_TASKS ? { task: key } : { task: key % MAX_TASKS, item: Math.floor(key / MAX_TASKS) - 1 }
}

/** How the spot is executed. */
export function planOf(
  { workflow }: Run,
  { task, item }: Spot,
): Pick<TaskPlan & ItemPlan, 'kind' | 'retry' | 'timeoutMs'> {
  const plan = workflow.plans[task]!
  return item === undefined ? plan : plan.items!
}

/** The type of the spot's task, and its `with` as the definition has it. */
export function configOf({ workflow }: Run, { task, item }: Spot): { type: string; with: JsonObject } {
  if (item !== undefined) return workflow.plans[task]!.items!
  const { type, with: config = {} } = workflow.definition.tasks[task]!
  return { type, with: config }
}

/** Whether the spot's attempts are runs of their own: those need no slot. */
export function isChild(run: Run, spot: Spot): boolean {
  return planOf(run, spot).kind === 'child'
}
