// How stored workflows look.

import { z } from 'zod'
import { nameSchema, WorkflowDefinitionSchema } from '../../workflow/definition/schema.ts'
import { pageOf, timestamp, warnings } from '../schemas.ts'

const version = z.int().min(1)
const live = version.meta({ description: 'Version that a start of the name takes.' })
const latest = version.meta({ description: 'Newest version.' })
const paused = z.boolean().meta({ description: 'Whether starts are refused.' })

export const WorkflowSchema = WorkflowDefinitionSchema.extend({
  version,
  live,
  latest,
  paused,
  created_at: timestamp.meta({ description: 'When this version was registered.' }),
}).meta({
  id: 'Workflow',
  description: 'A version of a workflow as it is stored: its definition with every default filled in.',
})

export const RegisteredSchema = WorkflowSchema.extend({ warnings: warnings.exactOptional() }).meta({
  id: 'RegisteredWorkflow',
})

export const DryRunSchema = WorkflowDefinitionSchema.extend({ warnings: warnings.exactOptional() }).meta({
  id: 'CheckedDefinition',
  description: 'A definition as it would be stored.',
})

export const WorkflowPageSchema = pageOf(
  z
    .strictObject({
      name: nameSchema,
      live,
      latest,
      description: z.string().nullable(),
      paused,
      updated_at: timestamp,
    })
    .meta({ id: 'WorkflowSummary', description: 'A workflow as lists show it.' }),
  'WorkflowPage',
)

export const VersionPageSchema = pageOf(
  z.strictObject({ version, created_at: timestamp }).meta({ id: 'VersionSummary' }),
  'VersionPage',
)
