// From any JSON value to a definition, or to every fault that it has. The one gate: what is behind it trusts a definition.
// Order of the faults: the value as such, its own fields, its input schema, its tasks one by one, cycles, the output, its waits.

import { z } from 'zod'
import type { Fault, Warning } from '../codes.ts'
import { checkCondition, checkTemplate, type ExpressionNames, fieldTemplate } from '../expression/expression.ts'
import { checkResponseFields } from '../expression/response-fields.ts'
import { secretsIn } from '../expression/secret-uses.ts'
import { boundedAt, checkShape, Entries, pointer } from '../faults.ts'
import { isJsonObject, type Json, type JsonObject } from '../json.ts'
import { isSchema } from '../json-schema/json-schema.ts'
import { type CheckedSchema, checkInputSchema } from '../json-schema/json-schema-check.ts'
import { quoted } from '../nearest.ts'
import { soundness, tooDeepParts } from '../sound.ts'
import { isTime } from '../time.ts'
import type { TaskDefinition, WorkflowDefinition } from './definition.ts'
import { fitOf, type TaskOfFit, UNREAD } from './fit.ts'
import { foreignWord } from './foreign-words.ts'
import { InputShape } from './input-shape.ts'
import { LATER_FIELDS, MAX_TASKS, WorkflowDefinitionSchema } from './schema.ts'
import { Survey } from './survey.ts'
import { checkTask, retryWord } from './task-check.ts'
import { type TaskType, type TaskTypes, taskType } from './task-types.ts'
import { parseWorkflowRef } from './workflow-ref.ts'

/** The most secrets that one task may name. */
const MAX_SECRETS = 32

export type Parsed = { ok: true; definition: WorkflowDefinition; warnings: Warning[] } | { ok: false; faults: Fault[] }

/**
 * All of a definition but its tasks, which are checked one by one: zod drops the bounds of a list in which an entry has a
 * fault, and checking stops when an answer is full.
 */
const HeadSchema = WorkflowDefinitionSchema.extend({ tasks: z.array(z.unknown()).min(1).max(MAX_TASKS) })

/** Read apart from the rest, so that the waits are held against it also where another field has a fault. */
const TIMEOUT_SCHEMA = WorkflowDefinitionSchema.shape.timeout

/**
 * Checks a definition and fills in its defaults. Never throws, for any value; costs about as much as its text is long.
 * @param value what JSON.parse made of a body
 * @param types the task types there are (src/tasks/schemas.ts)
 * @returns at most MAX_FAULTS faults, each with a JSON Pointer into the value or to a member that is missing there
 */
export function parseDefinition(value: unknown, types: TaskTypes): Parsed {
  const faults = new Entries<Fault>()
  const unsound = soundness(value)
  faults.add(unsound)
  const tooDeep = tooDeepParts(unsound)
  const head = checkShape(HeadSchema, value, {
    notAvailable: () => LATER_FIELDS.definition,
    hint: (path, name) => (path.length === 0 ? foreignWord('definition', name) : retryWord(path, name)),
  })
  if (!head.ok) faults.add(head.faults)
  const raw: { [field: string]: unknown } = isJsonObject(value) ? value : {}

  const schema = checkSchemaOf(raw, tooDeep)
  faults.add(schema.faults)
  const survey = new Survey(raw.tasks, schema.shape)
  const placeholders = raw.placeholders === 'refuse' ? 'refuse' : 'allow'
  const tasks: TaskDefinition[] = []
  const standing: TaskOfFit[] = []
  for (const [position, entry] of survey.tasks.entries()) {
    if (faults.isFull) break
    const at = pointer(['tasks', position])
    const looksInside = !tooDeep.has(at)
    const checked = checkTask(entry, at, types, placeholders, looksInside)
    if (checked.ok) tasks.push(checked.value)
    else faults.add(checked.faults)
    standing.push(checked.ok ? checked.value : UNREAD)
    faults.add(survey.faultsOf(position))
    faults.add(survey.compensationFaults(position, (name) => taskType(types, name)?.isBuiltIn === true))
    if (looksInside) faults.add(templateFaults(entry, at, survey, position, types))
    faults.add(conditionFaults(entry, at, survey, position))
    faults.add(selfStartFaults(entry, at, raw.name))
    if (isJsonObject(entry) && entry.type === 'map' && isJsonObject(entry.with)) {
      faults.add(selfStartFaults(entry.with.task, `${at}/with/task`, raw.name))
    }
  }
  faults.add(survey.cycleFaults())
  if (raw.output !== undefined && !faults.isFull && !tooDeep.has('/output')) {
    faults.add(boundedAt('/output', checkTemplate(raw.output as Json, survey.names(), '/output')))
  }

  const timeout = TIMEOUT_SCHEMA.safeParse(raw.timeout, { jitless: true })
  const limit = { timeout: timeout.success ? timeout.data : null, isGiven: raw.timeout !== undefined }
  const fit = fitOf(standing, limit, head.ok ? head.value.defaults : undefined)
  faults.add(fit.faults)

  const found = faults.list()
  if (!head.ok || found.length > 0) return { ok: false, faults: found }
  const definition: WorkflowDefinition = { ...head.value, tasks }
  const warnings = new Entries<Warning>()
  warnings.add(placeholderWarnings(tasks))
  warnings.add(schema.warnings)
  warnings.add(fit.warnings)
  return { ok: true, definition, warnings: warnings.list() }
}

/**
 * What is wrong with `with` of a task that stands in no workflow.
 * @param config has been found sound: neither too deep nor holding text that UTF-8 cannot
 * @param names what its expressions may name
 * @returns faults with pointers that begin with /with
 */
export function checkLoneTask(type: string, config: JsonObject, names: ExpressionNames, types: TaskTypes): Fault[] {
  const checked = checkTask({ id: 'task', type, with: config }, '', types, 'refuse', true)
  const faults = new Entries<Fault>()
  if (!checked.ok) faults.add(checked.faults)
  faults.add(boundedAt('/with', fieldFaults(config, taskType(types, type), names, '/with')))
  return faults.list()
}

/** The faults of `input_schema`, and what it says of the input if it has none. */
function checkSchemaOf(
  { input_schema: schema }: { [field: string]: unknown },
  tooDeep: ReadonlySet<string>,
): CheckedSchema & { shape: InputShape | null } {
  const isThere = schema !== undefined && !tooDeep.has('/input_schema')
  const checked = isThere ? checkInputSchema(schema as Json, '/input_schema') : { faults: [], warnings: [] }
  const isUsable = isThere && checked.faults.length === 0 && isSchema(schema)
  return { ...checked, shape: isUsable ? new InputShape(schema) : null }
}

/** Faults of the expressions in a task's `with`. Of a type that is not built it is not known what they may name. */
function templateFaults(task: unknown, at: string, survey: Survey, position: number, types: TaskTypes): Fault[] {
  if (!isJsonObject(task) || !isJsonObject(task.with)) return []
  const type = taskType(types, task.type)
  if (type !== null && type.with === undefined) return []
  const names = survey.names(position)
  if (task.type !== 'map') {
    return boundedAt(`${at}/with`, fieldFaults(task.with, type, names, `${at}/with`))
  }
  const { task: inner, ...config } = task.with
  const faults = fieldFaults(config, type, names, `${at}/with`)
  return boundedAt(`${at}/with`, [...faults, ...itemFaults(inner, `${at}/with/task`, names, types)])
}

/** Faults of the expressions of what a map does for each item. */
function itemFaults(task: unknown, at: string, names: ExpressionNames, types: TaskTypes): Fault[] {
  if (!isJsonObject(task) || !isJsonObject(task.with)) return []
  return fieldFaults(task.with, taskType(types, task.type), { ...names, hasItem: true }, `${at}/with`)
}

/** Faults of the fields of a `with`: templates, expressions and conditions. */
function fieldFaults(given: JsonObject, type: TaskType | null, names: ExpressionNames, at: string): Fault[] {
  const ofResponse = checkResponseFields(type, given, names, at)
  const templates = { ...ofResponse.rest }
  for (const field of type?.with?.expressions ?? []) {
    const text = given[field]
    if (typeof text === 'string') templates[field] = isTime(text) ? text : fieldTemplate(text)
  }
  const faults = (type?.with?.conditions ?? []).flatMap((field) => {
    const text = given[field]
    if (typeof text !== 'string') return []
    delete templates[field]
    return checkCondition(text, names, `${at}/${field}`)
  })
  // Of an unknown type, which is a fault already, it is not said that it takes none.
  const takesSecrets = type?.isBuiltIn !== true
  return [
    ...faults,
    ...ofResponse.faults,
    ...checkTemplate(templates, { ...names, takesSecrets }, at),
    ...secretCountFaults(templates, at),
  ]
}

/** Each secret of a call is looked for in all that comes back. */
function secretCountFaults(template: Json, at: string): Fault[] {
  const names = new Set(secretsIn(template).map(({ name }) => name))
  if (names.size <= MAX_SECRETS) return []
  const message = `names ${names.size} secrets, and a task may name ${MAX_SECRETS}`
  return [{ path: at, code: 'expression_limit', message }]
}

function conditionFaults(task: unknown, at: string, survey: Survey, position: number): Fault[] {
  if (!isJsonObject(task) || typeof task.when !== 'string') return []
  return boundedAt(`${at}/when`, checkCondition(task.when, survey.names(position), `${at}/when`))
}

/** A task, or what a map does for each item, that starts the workflow which it stands in: each run of it would start another. */
function selfStartFaults(task: unknown, at: string, name: unknown): Fault[] {
  if (!isJsonObject(task) || task.type !== 'workflow' || !isJsonObject(task.with)) return []
  const ref = typeof task.with.workflow === 'string' ? parseWorkflowRef(task.with.workflow) : null
  // A version that is written out is an older one: this one has no number yet.
  if (ref === null || ref.name !== name || 'alias' in ref || typeof ref.version === 'number') return []
  return [{ path: `${at}/with/workflow`, code: 'workflow_cycle', message: `${quoted(ref.name)} would start itself` }]
}

function placeholderWarnings(tasks: readonly TaskDefinition[]): Warning[] {
  const warnings = new Entries<Warning>()
  tasks.forEach((task, position) => {
    if (task.with !== undefined) return
    const message = `${quoted(task.id)} has no "with": it is a placeholder, does nothing and succeeds with null`
    warnings.add([{ path: pointer(['tasks', position]), code: 'placeholder', message }])
  })
  return warnings.list()
}
