// How task types, and tries of them, look.

import { z } from 'zod'
import { spanSchema } from '../../workflow/definition/schema.ts'
import type { Json, JsonObject } from '../../workflow/json.ts'
import { anyJson, milliseconds, pageOf } from '../schemas.ts'

const TaskTypeSchema = z
  .strictObject({
    type: z.string().meta({ examples: ['http'] }),
    built: z.boolean().meta({ description: 'Whether this release has it; else it is of the contract alone.' }),
    may_be_placeholder: z.boolean().meta({ description: 'Whether a task of it may leave out `with`.' }),
    can_be_tried: z.boolean().meta({ description: 'Whether `POST /v1/task-types/{type}/try` takes it.' }),
    description: z.string().nullable(),
    with: z
      .record(z.string(), z.unknown())
      .nullable()
      .meta({ description: 'JSON Schema (2020-12) of `with` in a definition; null of a type that is not built.' }),
    gives: z.string().nullable().meta({ description: 'What its output is.' }),
    codes: z
      .array(z.strictObject({ code: z.string(), retryable: z.boolean(), meaning: z.string() }))
      .meta({ description: 'With what it can fail. `retryable`: whether a `retry` makes it again by default.' }),
  })
  .meta({ id: 'TaskType', description: 'What a task can be.' })

export const TaskTypePageSchema = pageOf(TaskTypeSchema, 'TaskTypePage')

/** The longest attempt, in ms. */
export const MAX_TRY_MS = 30_000

const json = z.unknown() as unknown as z.ZodType<Json>

export const TrySchema = z
  .strictObject({
    with: (z.record(z.string(), json) as z.ZodType<JsonObject>).meta({
      description: 'What the task does, as a definition has it.',
      examples: [{ code: 'def main(input):\n    return {"total": sum(input["prices"])}' }],
    }),
    input: json.optional().meta({
      description: 'What `input` is to its expressions, and to a script; null by default.',
      examples: [{ prices: [3, 4.5] }],
    }),
    tasks: (z.record(z.string(), json) as z.ZodType<JsonObject>)
      .optional()
      .meta({ description: 'Outputs of tasks before it, by their ids: all of them have succeeded.', examples: [{}] }),
    timeout: spanSchema({ min: '1ms', max: '30s' })
      .optional()
      .meta({ description: 'Time limit, at most 30 s, which is the default.', examples: ['5s'] }),
  })
  .meta({ id: 'TryTask', description: 'A task on trial.' })

export const TriedSchema = z
  .strictObject({
    status: z.enum(['succeeded', 'failed', 'timed_out', 'snoozed']).meta({
      description: '`snoozed`: a run would wait now and call again (`poll`).',
    }),
    output: anyJson,
    error: z
      .strictObject({ code: z.string(), message: z.string(), retryable: z.boolean() })
      .nullable()
      .meta({ description: 'Null unless it failed or timed out.' }),
    logs: z.array(z.unknown()).exactOptional().meta({ description: 'What a script printed.' }),
    duration_ms: milliseconds,
  })
  .meta({ id: 'TriedTask', description: 'How the attempt ended.' })
