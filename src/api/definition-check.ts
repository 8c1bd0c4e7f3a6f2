// What is wrong with a definition, and what whoever registers it should know: all that the core finds in it, and what only
// others know: the executor's plugins, and the store of secrets.

import type { Env } from '../env.ts'
import type { TaskToCheck } from '../tasks/executor.ts'
import { TASK_TYPES } from '../tasks/schemas.ts'
import type { Fault, Warning } from '../workflow/codes.ts'
import type { WorkflowDefinition } from '../workflow/definition.ts'
import { MAX_FAULTS } from '../workflow/faults.ts'
import { isJsonObject } from '../workflow/json.ts'
import { parseDefinition } from '../workflow/parse.ts'
import { secretsIn } from '../workflow/secret-uses.ts'
import { checkedByExecutor, toCheck } from './executor-check.ts'
import { ApiProblem, detailOf } from './problem.ts'
import { missingSecrets } from './secrets.ts'

/** Different configurations that the executor looks at; an interpreter is made for each, which takes about 2 ms. */
const MAX_CHECKED = 500

/** @throws ApiProblem with the faults of both, so that one answer lists them all */
export async function checkDefinition(value: unknown) {
  const parsed = parseDefinition(value, TASK_TYPES)
  const found = await faultsByExecutor(tasksToCheck(value))
  if (parsed.ok && found.length === 0) return parsed
  const faults = [...(parsed.ok ? [] : parsed.faults), ...found].slice(0, MAX_FAULTS)
  throw new ApiProblem('invalid_definition', detailOf(faults), { errors: faults })
}

/** Equal configurations are looked at once, and the faults said of each. */
async function faultsByExecutor(tasks: readonly TaskToCheck[]): Promise<Fault[]> {
  // What a script is handed says nothing of whether it can be read.
  const alike = Map.groupBy(tasks, ({ type, with: { input: _, ...config } }) => JSON.stringify([type, config]))
  if (alike.size > MAX_CHECKED) {
    const message = `the tasks have ${alike.size} different scripts or calls that are checked at registration; at most ${MAX_CHECKED} may be in one definition`
    return [{ path: '/tasks', code: 'out_of_bounds', message }]
  }
  const groups = [...alike.values()]
  const faults = await checkedByExecutor(groups.map(([first]) => first!))
  return faults.flatMap((fault) => {
    const group = groups.find(([first]) => fault.path.startsWith(`${first!.at}/`))!
    return group.map(({ at }) => ({ ...fault, path: `${at}${fault.path.slice(group[0]!.at.length)}` }))
  })
}

/** Of a body that may have other faults: its tasks, and what its maps do for each item. */
function tasksToCheck(value: unknown): TaskToCheck[] {
  const tasks = isJsonObject(value) && Array.isArray(value.tasks) ? value.tasks : []
  return tasks.flatMap((task, index) => {
    if (!isJsonObject(task)) return []
    const at = `/tasks/${index}/with`
    const inner = task.type === 'map' && isJsonObject(task.with) ? task.with.task : null
    return isJsonObject(inner) ? toCheck(inner.type, inner.with, `${at}/task/with`) : toCheck(task.type, task.with, at)
  })
}

/** A warning for each place that names a secret which is not there. Whoever names none asks nobody. */
export async function secretWarnings(
  env: Env,
  tenant: string,
  { tasks }: WorkflowDefinition,
  text: string,
): Promise<Warning[]> {
  if (!text.includes('secrets')) return []
  const uses = tasks.flatMap((task, index) => secretsIn(task.with, ['tasks', index, 'with']))
  if (uses.length === 0) return []
  const missing = new Set(await missingSecrets(env, tenant, [...new Set(uses.map(({ name }) => name))]))
  return uses
    .filter(({ name }) => missing.has(name))
    .slice(0, MAX_FAULTS)
    .map(({ name, path }) => {
      const message = `there is no secret "${name}" yet: until it is set the task fails with unknown_secret`
      return { path, code: 'missing_secret', message }
    })
}
