// The faults of one task in itself: its shape, its type, and its `with` against the schema of that type.
// What lies between tasks (ids, dependencies, the names that expressions read) is found by survey.ts.

import type { Fault } from '../codes.ts'
import { type Checked, checkShape, type Path } from '../faults.ts'
import { isJsonObject, type Json, type JsonObject } from '../json.ts'
import { didYouMean, quoted } from '../nearest.ts'
import type { TaskDefinition } from './definition.ts'
import { foreignWord } from './foreign-words.ts'
import { LATER_FIELDS, RetryPolicySchema, TaskDefinitionSchema } from './schema.ts'
import { type TaskType, type TaskTypes, taskType, usableTypes } from './task-types.ts'

/** Fields of a task, and of what a map does for each item. */
const TASK_FIELDS = Object.keys(TaskDefinitionSchema.shape)
const ITEM_FIELDS = ['type', 'with', 'retry', 'timeout']

const WHY_NOT = { retry: 'it makes no attempt that another could mend', timeout: 'it takes no time' }

/**
 * The task with its defaults, or what is wrong with it.
 * @param at JSON Pointer to the task
 * @param looksInside false for a task whose `with` is too deep to be looked into
 */
export function checkTask(
  raw: unknown,
  at: string,
  types: TaskTypes,
  placeholders: 'allow' | 'refuse',
  looksInside: boolean,
): Checked<TaskDefinition> {
  const type = isJsonObject(raw) ? taskType(types, raw.type) : null
  const shape = checkShape(TaskDefinitionSchema, raw, {
    at,
    notAvailable: () => LATER_FIELDS.task,
    hint: (path, name) => {
      if (path.length > 0) return retryWord(path, name)
      const isOfType = type !== null && fieldsOf(type).includes(name)
      return isOfType ? `${quoted(name)} says what the task does: put it in "with"` : foreignWord('task', name)
    },
  })
  const faults = shape.ok ? [] : shape.faults
  if (isJsonObject(raw)) faults.push(...refusedFields(raw, type, at))
  if (isJsonObject(raw) && typeof raw.type === 'string') {
    faults.push(...checkType(raw.type, type, raw.with, at, types, placeholders))
    if (type !== null && type.hostOf === undefined && raw.breaker !== undefined) {
      const message = `a ${raw.type} task calls no server, so it has no breaker`
      faults.push({ path: `${at}/breaker`, code: 'unknown_field', message })
    }
    if (type?.with !== undefined && isJsonObject(raw.with) && looksInside) {
      faults.push(...checkWith(type.with, raw.with, at, TASK_FIELDS))
      if (raw.type === 'map') faults.push(...checkItemTask(raw.with.task, `${at}/with/task`, types))
    }
  }
  if (!shape.ok || faults.length > 0) return { ok: false, faults }
  return shape.value.type === 'map' ? { ok: true, value: withRetryFilled(shape.value) } : shape
}

/** The policy of a map's items with its defaults, as tasks have theirs, so that a later release keeps to them. */
function withRetryFilled(task: TaskDefinition): TaskDefinition {
  const { task: inner, ...rest } = task.with as { task: JsonObject }
  if (inner.retry === undefined) return task
  const retry = RetryPolicySchema.parse(inner.retry) as unknown as Json
  return { ...task, with: { ...rest, task: { ...inner, retry } } }
}

/** The faults of what a map does for each item: like those of a task, but for what only tasks have. */
function checkItemTask(given: unknown, at: string, types: TaskTypes): Fault[] {
  if (!isJsonObject(given) || typeof given.type !== 'string') return []
  const type = taskType(types, given.type)
  if (type?.isForItems !== true && type?.with !== undefined) {
    const message = `an item is work of its own, an attempt or a run, so it cannot be of type ${quoted(given.type)}: put that into a workflow, and map over it with items of type "workflow"`
    return [{ path: `${at}/type`, code: 'invalid_value', message }]
  }
  const faults = [
    ...refusedFields(given, type, at),
    ...checkType(given.type, type, given.with ?? {}, at, types, 'refuse'),
  ]
  if (type?.with !== undefined && isJsonObject(given.with)) {
    faults.push(...checkWith(type.with, given.with, at, ITEM_FIELDS))
  }
  return faults
}

/** Fields that say nothing of tasks of this type. */
function refusedFields(raw: { [field: string]: unknown }, type: TaskType | null, at: string): Fault[] {
  return (type?.takesNo ?? [])
    .filter((field) => raw[field] !== undefined)
    .map((field) => {
      const message = `means nothing for a task of type ${quoted(String(raw.type))}: ${WHY_NOT[field]}`
      return { path: `${at}/${field}`, code: 'conflicting_fields', message }
    })
}

function checkType(
  name: string,
  type: TaskType | null,
  given: unknown,
  at: string,
  types: TaskTypes,
  placeholders: 'allow' | 'refuse',
): Fault[] {
  const isAbsent = given === undefined
  if (type === null) {
    const names = Object.keys(types).filter(
      (known) => types[known]!.with !== undefined || types[known]!.mayBePlaceholder,
    )
    const message = `there is no task type ${quoted(name)}${didYouMean(name, names) || '.'} There are ${usableTypes(types)}`
    return [{ path: `${at}/type`, code: 'unknown_task_type', message }]
  }
  if (type.with === undefined && (!isAbsent || !type.mayBePlaceholder)) {
    const instead = type.mayBePlaceholder
      ? '; without "with" the task is taken as a placeholder, which does nothing'
      : ''
    const message = `the task type ${quoted(name)} is part of the contract, but not of this release${instead}`
    return [{ path: `${at}/type`, code: 'not_available', message }]
  }
  if (isAbsent && !type.mayBePlaceholder) {
    return [{ path: `${at}/with`, code: 'missing_with', message: `a task of type ${quoted(name)} needs "with"` }]
  }
  if (isAbsent && placeholders === 'refuse') {
    const message = 'the task has no "with", and the definition refuses placeholders'
    return [{ path: `${at}/with`, code: 'missing_with', message }]
  }
  return []
}

/** What is wrong with a name in a policy of attempts, at the path that leads to the policy. */
export function retryWord(path: Path, name: string): string | null {
  return path.at(-1) === 'retry' ? foreignWord('retry', name) : null
}

/** @param beside fields that stand beside this `with` */
function checkWith(
  schemas: NonNullable<TaskType['with']>,
  given: JsonObject,
  at: string,
  beside: readonly string[],
): Fault[] {
  const place = {
    at: `${at}/with`,
    hint: (path: Path, name: string) => {
      if (path.length > 0) return retryWord(path, name)
      return beside.includes(name) ? `${quoted(name)} stands beside "with", not in it` : null
    },
    notAvailable: (path: readonly unknown[]) => (path.length === 0 ? schemas.notBuilt : []),
  }
  const checked = checkShape(schemas.inDefinition, given, place)
  return checked.ok ? [] : checked.faults
}

function fieldsOf(type: TaskType): string[] {
  return type.with === undefined ? [] : [...Object.keys(type.with.rendered.shape), ...type.with.notBuilt]
}
