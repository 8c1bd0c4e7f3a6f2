// What only the executor can see in the configuration of a task: it has the interpreters, and its plugins know what they call.

import { exports } from 'cloudflare:workers'
import { executorOf, type RefusedOrigin, type TaskToCheck } from '../../tasks/executor-rpc.ts'
import type { Findings } from '../../tasks/plugin.ts'
import { TASK_TYPES } from '../../tasks/schemas.ts'
import { taskType } from '../../workflow/definition/task-types.ts'
import { isJsonObject } from '../../workflow/json.ts'

/**
 * The configuration as a list of one, if the executor checks its type; empty if it does not, or if the schema refuses it already.
 * @param at JSON Pointer to it
 */
export function toCheck(type: unknown, config: unknown, at: string): TaskToCheck[] {
  const found = taskType(TASK_TYPES, type)
  if (found?.isChecked !== true || !isJsonObject(config) || found.with === undefined) return []
  return found.with.inDefinition.safeParse(config).success ? [{ type: String(type), with: config, at }] : []
}

/** What the executor's plugins find in these configurations, in one call; without configurations no call is made. */
export async function checkByExecutor(tasks: readonly TaskToCheck[]): Promise<Findings> {
  return tasks.length === 0 ? { faults: [], warnings: [] } : executorOf(exports).check(tasks)
}

/** Which of these origins the executor's egress policy refuses; without origins no call is made. */
export async function refusedOrigins(origins: readonly string[]): Promise<RefusedOrigin[]> {
  return origins.length === 0 ? [] : executorOf(exports).refused(origins)
}
