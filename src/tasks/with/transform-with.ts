// Pure. The schema of `with` of a `transform` task. The scheduler performs it (src/workflow/decide/transform.ts).

import { z } from 'zod'
import type { Json } from '../../workflow/json.ts'

/** The schema of `with` of a `transform` task. */
export const transformWith = z
  .strictObject({
    value: (z.unknown() as unknown as z.ZodType<Json>).meta({
      description: 'A template: any JSON, whose texts may hold expressions. What it yields is the output of the task.',
      examples: [{ total: `\${{ tasks.fetch.output.body.items.size() }}` }],
    }),
  })
  .superRefine((config, ctx) => {
    // To zod a member that is missing and one of any value are the same.
    if (config.value !== undefined) return
    ctx.addIssue({ code: 'custom', path: ['value'], params: { code: 'required' }, message: '"value" is missing' })
  })
