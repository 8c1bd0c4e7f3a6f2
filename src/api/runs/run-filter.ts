// Which runs: what lists and bulk jobs filter by, once for the query of a URL and for a body.

import { z } from 'zod'
import { RUN_STATUSES } from '../../workflow/run/run.ts'
import { parseRunId } from '../../workflow/run-id.ts'
import { LATER_TRIGGER_TYPES, TRIGGER_TYPES, tagSchema } from './run-schemas.ts'

export const instantSchema = z.iso.datetime({
  offset: true,
  error: 'must be a time as RFC 3339 writes it, such as 2026-10-23T12:00:00Z (in a URL + is %2B)',
})

/** All but version, since and until, which a URL and a body write differently. */
export const RUN_FILTER = {
  workflow: z.string().exactOptional(),
  status: z.enum(RUN_STATUSES).exactOptional(),
  trigger: z
    .enum([...TRIGGER_TYPES, ...LATER_TRIGGER_TYPES])
    .exactOptional()
    .meta({ description: 'What started it.', override: { type: 'string', enum: [...TRIGGER_TYPES] } }),
  tag: tagSchema.exactOptional().meta({ description: 'One of its tags.', override: { type: 'string' } }),
  parent: z
    .string()
    .refine((id) => parseRunId(id) !== null, 'must be the id of a run')
    .exactOptional()
    .meta({ description: 'Id of the run whose task it is.', override: { type: 'string' } }),
}

/** Why runs of this trigger cannot be asked for yet; null if they can. */
export function laterTrigger(trigger: string | undefined): string | null {
  if (!LATER_TRIGGER_TYPES.some((type) => type === trigger)) return null
  return `runs by ${trigger} are part of the contract, but not of this release`
}
