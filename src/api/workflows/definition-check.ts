// What is wrong with a definition: all that the core finds in it, and what only the executor's plugins know.
// Warnings about names and hosts are definition-warnings.ts.

import type { TaskToCheck } from '../../tasks/executor-rpc.ts'
import type { Findings } from '../../tasks/plugin.ts'
import { TASK_TYPES } from '../../tasks/schemas.ts'
import { parseDefinition } from '../../workflow/definition/parse.ts'
import { MAX_FAULTS } from '../../workflow/faults.ts'
import { isJsonObject } from '../../workflow/json.ts'
import { ApiProblem, detailOf } from '../http/problem.ts'
import { checkByExecutor, toCheck } from './executor-check.ts'

/** Different configurations that the executor looks at; an interpreter is made for each, which takes about 2 ms. */
const MAX_CHECKED = 500

/**
 * Parses a definition and has its tasks checked by the executor.
 * @throws ApiProblem with the faults of both, so that one answer lists them all
 */
export async function checkDefinition(value: unknown) {
  const parsed = parseDefinition(value, TASK_TYPES)
  const found = await checkDistinct(tasksToCheck(value))
  if (parsed.ok && found.faults.length === 0) {
    return { ...parsed, warnings: [...parsed.warnings, ...found.warnings].slice(0, MAX_FAULTS) }
  }
  const faults = [...(parsed.ok ? [] : parsed.faults), ...found.faults].slice(0, MAX_FAULTS)
  throw new ApiProblem('invalid_definition', detailOf(faults), { errors: faults })
}

/** Equal configurations are looked at once, and what is found said of each. */
async function checkDistinct(tasks: readonly TaskToCheck[]): Promise<Findings> {
  // What a script is handed says nothing of whether it can be read.
  const alike = Map.groupBy(tasks, ({ type, with: { input: _, ...config } }) => JSON.stringify([type, config]))
  if (alike.size > MAX_CHECKED) {
    const message = `the tasks have ${alike.size} different scripts or calls that are checked at registration; at most ${MAX_CHECKED} may be in one definition`
    return { faults: [{ path: '/tasks', code: 'out_of_bounds', message }], warnings: [] }
  }
  const groups = [...alike.values()]
  const { faults, warnings } = await checkByExecutor(groups.map(([first]) => first!))
  const saidOfEach = <Entry extends { path: string }>(entry: Entry): Entry[] => {
    const group = groups.find(([first]) => entry.path.startsWith(`${first!.at}/`))!
    return group.map(({ at }) => ({ ...entry, path: `${at}${entry.path.slice(group[0]!.at.length)}` }))
  }
  return { faults: faults.flatMap(saidOfEach), warnings: warnings.flatMap(saidOfEach) }
}

/** The configurations to check in a body that may have other faults: of its tasks, and of what its maps do for each item. */
function tasksToCheck(value: unknown): TaskToCheck[] {
  const tasks = isJsonObject(value) && Array.isArray(value.tasks) ? value.tasks : []
  return tasks.flatMap((task, index) => {
    if (!isJsonObject(task)) return []
    const at = `/tasks/${index}/with`
    const inner = task.type === 'map' && isJsonObject(task.with) ? task.with.task : null
    return isJsonObject(inner) ? toCheck(inner.type, inner.with, `${at}/task/with`) : toCheck(task.type, task.with, at)
  })
}
