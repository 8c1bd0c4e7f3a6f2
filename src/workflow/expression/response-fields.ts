// Fields of a `with` that are expressions over what a call has answered. They are not filled in before the call is made: the
// executor evaluates them, and is handed what they name.

import type { Fault } from '../codes.ts'
import type { ResponseField, TaskType } from '../definition/task-types.ts'
import type { LoadPayload } from '../event.ts'
import { isJsonObject, type Json, type JsonObject } from '../json.ts'
import { itemValue } from '../run/item-values.ts'
import type { Run } from '../run/run.ts'
import type { Spot } from '../run/spot.ts'
import {
  checkCondition,
  checkWhole,
  type ExpressionNames,
  type ExpressionScope,
  hasExpressions,
  namedTasks,
  type Rendered,
  renderTemplate,
} from './expression.ts'
import { identityOf, readValue } from './scope.ts'

interface Given {
  field: ResponseField
  text: string
}

/** Those that are there. */
function givenIn(type: TaskType | null, config: JsonObject): Given[] {
  return (type?.with?.ofResponse ?? []).flatMap((field) => {
    const [outer, inner] = field.path
    const holder = Object.hasOwn(config, outer) ? config[outer]! : null
    const text = isJsonObject(holder) ? (holder as JsonObject)[inner] : undefined
    return typeof text === 'string' ? [{ field, text }] : []
  })
}

function without(config: JsonObject, given: readonly Given[]): JsonObject {
  const rest = { ...config }
  for (const { field } of given) {
    const [outer, inner] = field.path
    const { [inner]: _, ...others } = rest[outer] as JsonObject
    rest[outer] = others
  }
  return rest
}

/** Their faults, and the config without them. */
export function checkResponseFields(
  type: TaskType | null,
  config: JsonObject,
  names: ExpressionNames,
  at: string,
): { faults: Fault[]; rest: JsonObject } {
  const given = givenIn(type, config)
  const faults = given.flatMap(({ field: { path, isCondition }, text }) => {
    const where = `${at}/${path.join('/')}`
    const seen = { ...names, hasResponse: true }
    return isCondition ? checkCondition(text, seen, where) : checkWhole(text, seen, where, 'such a field')
  })
  return { faults, rest: without(config, given) }
}

/** `with` with its expressions filled in, but for those over an answer. */
export function renderConfig(type: TaskType | null, config: JsonObject, scope: ExpressionScope): Rendered {
  const given = givenIn(type, config)
  const template = given.length === 0 ? config : without(config, given)
  if (!hasExpressions(template)) return { ok: true, value: config }
  const rendered = renderTemplate(template, scope)
  if (!rendered.ok || given.length === 0) return rendered
  const filled = { ...(rendered.value as JsonObject) }
  for (const { field, text } of given) {
    const [outer, inner] = field.path
    filled[outer] = { ...(filled[outer] as JsonObject), [inner]: text }
  }
  return { ok: true, value: filled }
}

/** What these expressions of a task name, as a value; null if it has none. What they do not name stays where it is. */
export function responseScope(
  run: Run,
  { task, item }: Spot,
  type: TaskType | null,
  config: JsonObject,
  load: LoadPayload,
): JsonObject | null {
  const texts = givenIn(type, config).map(({ text }) => text)
  if (texts.length === 0) return null
  const { graph } = run.workflow
  const tasks = texts.flatMap(namedTasks).map((id): [string, Json] => {
    const { status, output } = run.tasks[graph.indexOf.get(id) ?? -1] ?? { status: 'pending', output: null }
    return [id, { status, output: readValue(output, load) }]
  })
  const isNamed = (name: string) => texts.some((text) => text.includes(name))
  return {
    run: identityOf(run),
    tasks: Object.fromEntries(tasks),
    ...(isNamed('input') ? { input: readValue(run.input, load) } : {}),
    ...(item === undefined ? {} : { index: item }),
    ...(item !== undefined && isNamed('item') ? { item: itemValue(run.tasks[task]!.items!, item, load) } : {}),
  }
}
