// What only the executor can see in the configuration of a task: it has the interpreters, and its plugins know what they call.

import { exports } from 'cloudflare:workers'
import { executorOf, type RefusedOrigin, type TaskToCheck } from '../../tasks/executor-rpc.ts'
import type { Findings } from '../../tasks/plugin.ts'
import { TASK_TYPES } from '../../tasks/schemas.ts'
import { taskType } from '../../workflow/definition/task-types.ts'
import { isJsonObject } from '../../workflow/json.ts'

/**
 * A configuration that the executor has something to say of; none if it has not, or if its schema refuses it already.
 * @param at JSON Pointer to it
 */
export function toCheck(type: unknown, config: unknown, at: string): TaskToCheck[] {
  const found = taskType(TASK_TYPES, type)
  if (found?.isChecked !== true || !isJsonObject(config) || found.with === undefined) return []
  return found.with.inDefinition.safeParse(config).success ? [{ type: String(type), with: config, at }] : []
}

/** What its plugins find, by one call. Whoever has nothing to check makes none. */
export async function checkedByExecutor(tasks: readonly TaskToCheck[]): Promise<Findings> {
  return tasks.length === 0 ? { faults: [], warnings: [] } : executorOf(exports).check(tasks)
}

/** Of these origins those that the egress policy of the executor refuses. Whoever calls nobody asks nobody. */
export async function refusedOrigins(origins: readonly string[]): Promise<RefusedOrigin[]> {
  return origins.length === 0 ? [] : executorOf(exports).refused(origins)
}
