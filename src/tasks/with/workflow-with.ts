// Pure. The schema of `with` of a `workflow` task: which workflow, and its input. The Runner performs it (durable/runner/children.ts).

import { z } from 'zod'
import { parseWorkflowRef, WORKFLOW_REF } from '../../workflow/definition/workflow-ref.ts'
import type { Json } from '../../workflow/json.ts'
import { withTemplates } from '../templates.ts'

const reference = z
  .string()
  .regex(WORKFLOW_REF, { error: 'must be the name of a workflow, or name@3, or name@latest', abort: true })
  .refine((text) => !('alias' in (parseWorkflowRef(text) ?? {})), {
    params: { code: 'not_available' },
    error: 'names an alias; aliases are part of the contract, but not of this release',
  })

/** The schema of `with` of a `workflow` task, for rendered values. */
export const workflowWith = z.strictObject({
  workflow: reference.meta({
    description: 'Name of a workflow, `name@3` for a version, `name@latest` for the newest.',
    examples: ['ship-order'],
  }),
  input: (z.unknown() as unknown as z.ZodType<Json>)
    .optional()
    .meta({ description: 'Any JSON, at most 1 MiB; without it the input is null.', examples: [{ order: 17 }] }),
})

/** The form of `workflowWith` for definitions, in which values may be templates. */
export const workflowInDefinition = withTemplates(workflowWith)
