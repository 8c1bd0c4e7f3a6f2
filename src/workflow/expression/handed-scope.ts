// What an executor is handed that evaluates something itself: the scope of the task's expressions, as a value.

import type { LoadPayload, TaskError } from '../event.ts'
import type { Json, JsonObject } from '../json.ts'
import { itemValue } from '../run/item-values.ts'
import type { Run } from '../run/run.ts'
import type { Spot } from '../run/spot.ts'
import type { ExpressionScope } from './expression.ts'
import { identityOf, readValue } from './scope.ts'

/**
 * The longest that is handed to an executor, in characters of JSON. A call carries 32 MiB at most, and breaks beyond that like one whose
 * executor has died: three bytes each, or nine for numbers of three characters, fit. Scripts take less, and count it themselves.
 */
const MAX_HANDED_CHARACTERS = 10 * 1024 * 1024

/** About as long an output can be that stands in the history itself. */
const MAX_INLINE_CHARACTERS = 16 * 1024

/** What would be handed over is too much: nothing more of it is read. */
class TooMuch extends Error {}

/**
 * Makes what an executor is to be handed, unless that is too much for a call. What large outputs come to is known before they are read.
 * @param code of the error if it is too much
 */
export function limitScope(
  make: (load: LoadPayload) => JsonObject | null,
  load: LoadPayload,
  code: 'script_limit' | 'expression_limit',
): { ok: true; scope: JsonObject | null } | { ok: false; error: TaskError } {
  const tooMuch = (size: string) => {
    const message = `The attempt would be handed ${size} of JSON, more than ${MAX_HANDED_CHARACTERS} characters`
    return { ok: false, error: { code, message, retryable: false } } as const
  }
  let bytes = 0
  let scope: JsonObject | null
  try {
    scope = make((ref) => {
      bytes += ref.bytes
      if (bytes > 3 * MAX_HANDED_CHARACTERS) throw new TooMuch()
      return load(ref)
    })
  } catch (error) {
    if (error instanceof TooMuch) return tooMuch(`${bytes} bytes`)
    throw error
  }
  const inline = Object.keys(scope?.tasks ?? {}).length * MAX_INLINE_CHARACTERS
  if (bytes + inline <= MAX_HANDED_CHARACTERS / 2) return { ok: true, scope }
  const characters = JSON.stringify(scope).length
  return characters <= MAX_HANDED_CHARACTERS ? { ok: true, scope } : tooMuch(`${characters} characters`)
}

/** What the expressions of a task or item see, as JSON for the executor. Of the other tasks only those are in it that this one depends on. */
export function scopeValue(run: Run, { task, item }: Spot, load: LoadPayload): JsonObject {
  const { definition, graph } = run.workflow
  const tasks = definition.tasks[task]!.depends_on.map((id) => {
    const { status, output } = run.tasks[graph.indexOf.get(id)!]!
    return [id, { status, output: readValue(output, load) }] as const
  })
  return {
    input: readValue(run.input, load),
    tasks: Object.fromEntries(tasks),
    run: identityOf(run),
    ...(item === undefined ? {} : { item: itemValue(run.tasks[task]!.items!, item, load), index: item }),
  }
}

/** The scope that was handed over, for an expression over what a call has answered. */
export function scopeOfResponse(handed: JsonObject, response: JsonObject): ExpressionScope {
  const tasks = (handed.tasks ?? {}) as { [id: string]: { status: string; output: Json } }
  const { item, index } = handed
  return {
    input: () => handed.input ?? null,
    run: handed.run as ExpressionScope['run'],
    task: (id) => (Object.hasOwn(tasks, id) ? tasks[id]! : { status: 'pending', output: null }),
    ...(index === undefined ? {} : { item: () => ({ value: item ?? null, index: Number(index) }) }),
    response: () => response,
  }
}
