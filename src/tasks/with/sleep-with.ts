// Pure. The schema of `with` of a `sleep` task: `for` or `until`. The scheduler performs it (src/workflow/decide/waits.ts).

import { z } from 'zod'
import { spanSchema } from '../../workflow/definition/schema.ts'
import { withTemplates } from '../templates.ts'

const oneOfBoth = (value: { for?: unknown; until?: unknown }, ctx: z.RefinementCtx) => {
  const refuse = (path: string[], code: 'required' | 'conflicting_fields', message: string) =>
    ctx.addIssue({ code: 'custom', path, params: { code }, message })
  if (value.for === undefined && value.until === undefined)
    refuse(['for'], 'required', 'either "for" or "until" is needed')
  if (value.for !== undefined && value.until !== undefined) {
    refuse(['until'], 'conflicting_fields', 'stands beside "for": a sleep has one of both')
  }
}

const span = spanSchema({ min: '1ms', max: '365d' })
  .exactOptional()
  .meta({
    description: 'How long, at most 365 days.',
    examples: ['10m'],
  })

const until = z
  .string()
  .exactOptional()
  .meta({
    description:
      'A time as RFC 3339 writes it, or an expression that gives one. A time that has passed ends the sleep at once.',
    examples: ['2027-01-31T09:00:00Z', 'input.wake_at'],
  })

const rendered = z.strictObject({ for: span, until }).superRefine(oneOfBoth)
const timed = withTemplates(z.strictObject({ for: span }))

/** The schemas of `with` of a `sleep` task. */
export const sleepWith = {
  rendered,
  // `until` is an expression, bare or wrapped, so only `for` may hold a template.
  inDefinition: (timed as z.ZodObject).extend({ until }).superRefine(oneOfBoth) as z.ZodType<Record<string, unknown>>,
}
