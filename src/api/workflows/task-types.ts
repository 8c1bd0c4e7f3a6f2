// Task types: what there is, and a try of one without a workflow.

import { z } from 'zod'
import { ABOUT, codesOf } from '../../tasks/about.ts'
import { TASK_TYPES, type TaskTypeName } from '../../tasks/schemas.ts'
import type { TaskType } from '../../workflow/definition/task-types.ts'
import { type Route, route } from '../http/route.ts'
import { canBeTried, checkTry, tryTask } from './task-try.ts'
import { TaskTypePageSchema, TriedSchema, TrySchema } from './task-type-schemas.ts'

/** What a try may hand over: `with`, whose code or body may be as large as in a definition, and input and outputs. */
const MAX_TRY_BYTES = 4 * 1024 * 1024

const list = route({
  method: 'GET',
  path: '/v1/task-types',
  tag: 'Task types',
  summary: 'List the task types',
  description:
    'Each with the JSON Schema of its `with`, what it gives and with what it can fail. A text in `with` may hold expressions where the schema has `Template`. All of them are on one page.',
  access: 'key',
  answers: { 200: { description: 'All of them.', content: TaskTypePageSchema } },
  problems: [],
  handle: () => {
    listing ??= JSON.stringify({
      items: Object.keys(TASK_TYPES).map((name) => describeType(name as TaskTypeName)),
      next_cursor: null,
    })
    return new Response(listing, { headers: { 'Content-Type': 'application/json' } })
  },
})

/** The answer, made at the first request: it does not change while this code runs. */
let listing: string | undefined

function describeType(name: TaskTypeName) {
  const type: TaskType = TASK_TYPES[name]
  const words = ABOUT[name]
  const makesAttempts = type.isBuiltIn !== true
  return {
    type: name,
    built: type.with !== undefined,
    may_be_placeholder: type.mayBePlaceholder,
    can_be_tried: canBeTried(name),
    description: words?.description ?? null,
    // What zod checks by code has no word in JSON Schema; it is described where it stands.
    with:
      type.with === undefined ? null : z.toJSONSchema(type.with.inDefinition, { io: 'input', unrepresentable: 'any' }),
    gives: words?.gives ?? null,
    codes: words === null ? [] : codesOf(words, { makesAttempts, callsOut: type.hostOf !== undefined }),
  }
}

const tryOut = route({
  method: 'POST',
  path: '/v1/task-types/{type}/try',
  tag: 'Task types',
  summary: 'Try a task without a workflow',
  description:
    'Runs one attempt, at most 30 s long, and answers how it ended; nothing is kept, and nothing is tried again. What it calls is called in earnest. Faults of `with`, of the syntax of a script too, are found first.',
  access: 'key',
  body: { schema: TrySchema, maxBytes: MAX_TRY_BYTES, check: (value, { type }) => checkTry(value, type) },
  answers: { 200: { description: 'The attempt, whatever its outcome.', content: TriedSchema } },
  problems: ['task_type_not_found', 'task_type_not_tried', 'not_available'],
  handle: async ({ tenant, params: { type }, body }) => Response.json(await tryTask(tenant, type, body)),
})

/** The routes of this file, for app.ts. */
export const taskTypeRoutes: readonly Route[] = [list, tryOut]
