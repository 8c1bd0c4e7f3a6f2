// Pure. The schema of `with` of a `map` task: a list, and what is done for each value of it. The scheduler performs it
// (src/workflow/decide/map.ts); the task inside is checked against its own type's schema (src/workflow/definition/task-check.ts).

import { z } from 'zod'
import { choice } from '../../workflow/definition/choice.ts'
import { RetryPolicySchema, timeoutSchema } from '../../workflow/definition/schema.ts'
import type { Json, JsonObject } from '../../workflow/json.ts'

const json = z.unknown() as unknown as z.ZodType<Json>

const items = choice((value) => (typeof value === 'string' ? 0 : 1), [z.string(), z.array(json).max(10_000)]).meta({
  description:
    'A list of at most 10,000 values and 1 MiB, whose texts may hold expressions, or an expression that gives one.',
  examples: ['tasks.list.output.body.orders'],
})

const PERCENT = /^(?:100|\d{1,2})%$/

/**
 * The schema of `with` of a `map` task.
 * @param itemTypes task types that an item can have; an item of type `workflow` is a run of its own
 */
export const mapWithOf = (itemTypes: readonly string[]) =>
  z.strictObject({
    items,
    task: z
      .strictObject({
        type: z.string().meta({
          description: `One of ${itemTypes.map((name) => `\`${name}\``).join(', ')}; of \`workflow\` each item is a run.`,
          examples: ['http'],
        }),
        with: z.record(z.string(), json) as z.ZodType<JsonObject>,
        retry: RetryPolicySchema.exactOptional(),
        timeout: timeoutSchema
          .exactOptional()
          .meta({ description: 'Time limit of one attempt of an item; of the run, if it is one.' }),
      })
      .meta({
        description:
          'What is done for each item; its expressions see the value as `item` and its place, from 0, as `index`.',
        examples: [{ type: 'http', with: { url: `https://api.example.com/orders/\${{ item.id }}` } }],
      }),
    max_parallel: z
      .int()
      .min(1)
      .max(64)
      .exactOptional()
      .meta({
        description:
          'Items that execute at once: of runs, which hold no slot, the slots of the run without it; of others never more than those.',
        examples: [8],
      }),
    tolerated_failures: z
      .union([z.int().min(0).max(10_000), z.string().regex(PERCENT, 'must be a count or a percentage such as "10%"')])
      .exactOptional()
      .meta({
        description: 'Items that may fail, as a count or as a part of all; their outputs are null. 0 without it.',
        examples: ['10%'],
      }),
  })
