// What an executor is handed that evaluates something itself: the scope of the task's expressions, as a value.

import type { LoadPayload } from './event.ts'
import type { ExpressionScope } from './expression.ts'
import type { Json, JsonObject } from './json.ts'
import { itemValue } from './map.ts'
import type { Run } from './run.ts'
import { held, identityOf } from './scope.ts'
import type { Spot } from './spot.ts'

/** Of other tasks it holds those that this one depends on. */
export function scopeValue(run: Run, { task, item }: Spot, load: LoadPayload): JsonObject {
  const { definition, graph } = run.workflow
  const tasks = definition.tasks[task]!.depends_on.map((id) => {
    const { status, output } = run.tasks[graph.indexOf.get(id)!]!
    return [id, { status, output: held(output, load) }] as const
  })
  return {
    input: held(run.input, load),
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
