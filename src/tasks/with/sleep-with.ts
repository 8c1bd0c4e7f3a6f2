// Pure. The schema of `with` of a `sleep` task: `for` or `until`. The scheduler performs it (src/workflow/decide/waits.ts).

import { z } from 'zod'
import { spanSchema } from '../../workflow/definition/schema.ts'
import { isTime } from '../../workflow/time.ts'
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

/** What begins as a date is meant as a time. As an expression "2026-12-24" would be a difference of three numbers. */
const looksLikeDate = (text: string) => /^\s*\d{4}-\d{1,2}-\d{1,2}(?:[Tt ].*)?$/.test(text)

const untilInDefinition = until.refine((text) => text === undefined || isTime(text) || !looksLikeDate(text), {
  params: { code: 'invalid_format' },
  error: 'is no time: write the date, the time of day and the zone, such as "2027-01-31T09:00:00Z"',
})

/** The schemas of `with` of a `sleep` task. */
export const sleepWith = {
  rendered,
  // `until` is an expression, bare or wrapped, so only `for` may hold a template.
  inDefinition: (timed as z.ZodObject).extend({ until: untilInDefinition }).superRefine(oneOfBoth) as z.ZodType<
    Record<string, unknown>
  >,
}
