// One attempt of one task, without a workflow and without a run: for people who write scripts and calls. The same checks, the
// same expressions and the same executor as in a run; no circuit, no retry, no history.

import { exports } from 'cloudflare:workers'
import { executorOf, letGo } from '../../tasks/executor-rpc.ts'
import type { TaskResult } from '../../tasks/plugin.ts'
import { TASK_TYPES } from '../../tasks/schemas.ts'
import type { Fault } from '../../workflow/codes.ts'
import { evaluateTransform } from '../../workflow/decide/transform.ts'
import { checkLoneTask } from '../../workflow/definition/parse.ts'
import { type TaskTypes, taskType } from '../../workflow/definition/task-types.ts'
import type { TaskError } from '../../workflow/event.ts'
import type { ExpressionNames, ExpressionScope } from '../../workflow/expression/expression.ts'
import { renderConfig } from '../../workflow/expression/response-fields.ts'
import { SecretMarks } from '../../workflow/expression/secret-marks.ts'
import { checkShape } from '../../workflow/faults.ts'
import { isJsonObject, type Json, type JsonObject } from '../../workflow/json.ts'
import { didYouMeanOrAll, quoted } from '../../workflow/nearest.ts'
import { soundness } from '../../workflow/sound.ts'
import { spanMs } from '../../workflow/span.ts'
import { ApiProblem, faultyBody } from '../http/problem.ts'
import { checkByExecutor, toCheck } from './executor-check.ts'
import { MAX_TRY_MS, TrySchema } from './task-type-schemas.ts'

/** The type whose tasks only compute a value, here as in a run. */
const COMPUTED = 'transform'

/** What the task takes itself to be a part of. */
const RUN = { id: 'try', workflow: 'try', version: 1, attempt: 1 }

/** A task that is to be tried, checked. */
export interface Try {
  with: JsonObject
  input: Json
  /** Outputs by id. */
  tasks: JsonObject
  timeoutMs: number
}

interface Tried {
  status: 'succeeded' | 'failed' | 'timed_out' | 'snoozed'
  output: Json
  error: { code: string; message: string; retryable: boolean } | null
  logs?: Json[]
  duration_ms: number
}

/** Whether a task of this type does something by itself, so that it can be tried without a workflow. */
export function canBeTried(name: string): boolean {
  const types: TaskTypes = TASK_TYPES
  const type = types[name]
  return type?.with !== undefined && (type.isBuiltIn !== true || name === COMPUTED)
}

/** @throws ApiProblem if there is nothing to try, or with every fault of the body and of its `with` */
export async function checkTry(value: unknown, name: string): Promise<Try> {
  checkType(name)
  const unsound = soundness(value)
  const checked = checkShape(TrySchema, value)
  const faults = [...unsound, ...(checked.ok ? [] : checked.faults)]
  // A value that nests too deep, or holds broken text, is not looked into.
  if (isJsonObject(value) && soundness(value.with).length === 0) faults.push(...(await faultsOfWith(value, name)))
  if (!checked.ok || faults.length > 0) throw faultyBody(faults)
  const { with: config, input = null, tasks = {}, timeout } = checked.value
  return { with: config, input, tasks, timeoutMs: timeout === undefined ? MAX_TRY_MS : spanMs(timeout) }
}

/** The faults of `with` in a body that may have other faults. A part of another form than expected adds no faults here. */
async function faultsOfWith({ with: config, tasks = {} }: JsonObject, name: string): Promise<Fault[]> {
  if (!isJsonObject(config)) return []
  const { faults: found } = await checkByExecutor(toCheck(name, config, '/with'))
  return isJsonObject(tasks) ? [...checkLoneTask(name, config, namesOf(tasks), TASK_TYPES), ...found] : found
}

/**
 * Makes one attempt, and says how it ended. What the task calls is called in earnest.
 * @param attempt has passed checkTry
 */
export async function tryTask(tenant: string, name: string, attempt: Try): Promise<Tried> {
  const begunAt = Date.now()
  const ending = await endingOf(tenant, name, attempt)
  return { ...ending, duration_ms: Date.now() - begunAt }
}

function checkType(name: string): void {
  const type = taskType(TASK_TYPES, name)
  if (type === null) {
    throw new ApiProblem(
      'task_type_not_found',
      `There is no task type ${quoted(name)}${didYouMeanOrAll(name, Object.keys(TASK_TYPES))}`,
    )
  }
  if (type.with === undefined) {
    throw new ApiProblem(
      'not_available',
      `The task type ${quoted(name)} is part of the contract, but not of this release`,
    )
  }
  if (!canBeTried(name)) {
    throw new ApiProblem('task_type_not_tried', `A ${name} task does nothing by itself; start a workflow that has one`)
  }
}

function namesOf(tasks: JsonObject): ExpressionNames {
  const names = new Map(Object.keys(tasks).map((id) => [id, { placeholder: false }]))
  return { tasks: names, isUpstream: () => true }
}

async function endingOf(tenant: string, type: string, attempt: Try): Promise<Omit<Tried, 'duration_ms'>> {
  const scope = scopeOf(attempt)
  if (type === COMPUTED) {
    const computed = evaluateTransform(attempt.with.value!, scope)
    return computed.ok ? { status: 'succeeded', output: computed.output, error: null } : failure(computed.error)
  }
  const known = taskType(TASK_TYPES, type)
  const marks = new SecretMarks(() => crypto.randomUUID())
  const rendered = renderConfig(known, attempt.with, { ...scope, secret: (secret) => marks.mark(secret) })
  if (!rendered.ok) return failure(rendered.error)
  const secrets = marks.asked(() => tenant)
  const started = executorOf(exports).start({
    type,
    with: rendered.value as JsonObject,
    ...(secrets === null ? {} : { secrets }),
    idempotencyKey: `try_${crypto.randomUUID()}/${type}`,
    nth: 1,
    elapsedMs: 0,
    timeoutMs: attempt.timeoutMs,
    ...(known?.takesScope === true || known?.with?.ofResponse !== undefined ? { scope: scopeValueOf(attempt) } : {}),
  })
  try {
    return triedFrom(await started.result())
  } finally {
    letGo(started)
  }
}

function scopeOf({ input, tasks }: Try): ExpressionScope {
  return {
    input: () => input,
    run: RUN,
    task: (id) => ({ status: 'succeeded', output: tasks[id] ?? null }),
  }
}

function scopeValueOf({ input, tasks }: Try): JsonObject {
  const ended = Object.entries(tasks).map(([id, output]) => [id, { status: 'succeeded', output }])
  return { input, tasks: Object.fromEntries(ended), run: RUN }
}

function triedFrom(result: TaskResult): Omit<Tried, 'duration_ms'> {
  const logs = result.logs === undefined ? {} : { logs: result.logs }
  if (result.kind === 'succeeded') return { status: 'succeeded', output: result.output, error: null, ...logs }
  if (result.kind === 'snoozed') return { status: 'snoozed', output: null, error: null, ...logs }
  const retryable = result.kind === 'timed_out' || result.retryable
  return { status: result.kind, output: null, error: { ...result.error, retryable }, ...logs }
}

function failure({ code, message, retryable }: TaskError): Omit<Tried, 'duration_ms'> {
  return { status: 'failed', output: null, error: { code, message, retryable } }
}
