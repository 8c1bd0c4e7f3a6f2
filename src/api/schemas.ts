// Schemas that several resources share: times, lists, faults, problems, the names in paths. Of a resource: run-schemas.ts,
// workflow-schemas.ts. Answers are described as strictly as they are made, and the tests hold every answer against them.

import { z } from 'zod'
import { CODES, type ProblemCode } from '../workflow/codes.ts'
import { NAME_PATTERN, TASK_ID_PATTERN } from '../workflow/definition/schema.ts'
import { SECRET_NAME } from '../workflow/expression/secret-marks.ts'

/** An instant, as `timeText` writes it. */
export const timestamp = z.iso
  .datetime({ precision: 3 })
  .meta({ description: 'RFC 3339, UTC, milliseconds.', examples: ['2026-10-23T12:00:00.000Z'] })

/** A span that was measured. */
export const milliseconds = z
  .int()
  .min(0)
  .meta({ examples: [42] })

/** Any JSON value. */
export const anyJson = z.unknown()

export const ProblemFaultSchema = z
  .strictObject({
    path: z.string().meta({ description: 'JSON Pointer into the body.', examples: ['/tasks/1/depends_on/0'] }),
    code: z.string().meta({ examples: ['unknown_dependency'] }),
    message: z.string().meta({ examples: ['there is no task "fetsh"; did you mean "fetch"?'] }),
  })
  .meta({ id: 'Fault', description: 'One thing that is wrong, or that should be looked at, and where.' })

/** Every code that a problem can have. */
export const PROBLEM_CODES = Object.keys(CODES).filter(
  (code) => CODES[code as keyof typeof CODES].kind === 'problem',
) as [ProblemCode, ...ProblemCode[]]

export const ProblemSchema = z
  .strictObject({
    type: z
      .url()
      .meta({ description: 'Where the code is explained.', examples: ['https://host/docs/errors#run_not_found'] }),
    title: z.string().meta({ description: 'What the code means.', examples: ['There is no run with this id.'] }),
    status: z
      .int()
      .min(400)
      .max(599)
      .meta({ examples: [404] }),
    detail: z.string().meta({ description: 'What is wrong with this request.' }),
    code: z.enum(PROBLEM_CODES).meta({ description: 'For programs; never changes its meaning.' }),
    request_id: z.string().meta({ description: 'Also in X-Request-Id.' }),
    run: z.unknown().optional().meta({
      description:
        'The run that stands in the way, as it is; with `run_finished`, `run_not_finished`, `run_not_paused` and `run_compensating`.',
    }),
    errors: z
      .array(ProblemFaultSchema)
      .exactOptional()
      .meta({ description: 'Every fault of the body, at most 1,000.' }),
  })
  .meta({ id: 'Problem', description: 'Why a call was refused (RFC 9457).' })

/** The warnings of an answer. */
export const warnings = z
  .array(ProblemFaultSchema)
  .meta({ description: 'What the caller should look at, although the call succeeded.' })

/** A page of a list. */
export function pageOf<Item extends z.ZodType>(item: Item, name: string) {
  return z
    .strictObject({
      items: z.array(item),
      next_cursor: z.string().nullable().meta({
        description:
          'Give it back as `cursor` for the next page; null at the end. A page may be short and still not be the last.',
      }),
    })
    .meta({ id: name })
}

/** The names that paths hold. */
export const PATH_PARAMETERS: Readonly<Record<string, z.ZodType>> = {
  name: z.string().meta({ description: 'Name of a workflow.', examples: ['orders'], pattern: NAME_PATTERN.source }),
  version: z.string().meta({ description: 'Number of a version.', examples: ['3'], pattern: '^[1-9][0-9]*$' }),
  circuit: z
    .string()
    .meta({ description: 'Name of a circuit, percent-encoded.', examples: ['https://api.example.com'] }),
  secret: z.string().meta({ description: 'Name of a secret.', examples: ['API_KEY'], pattern: SECRET_NAME.source }),
  id: z.string().meta({ description: 'Id of a run.', examples: ['run_0b01K7ZB3V9QJ4X5Y6Z7A8B9C0D1'] }),
  bulk: z.string().meta({ description: 'Id of a bulk job.', examples: ['bulk_01K7ZB3V9QJ4X5Y6Z7A8B9C0D1'] }),
  signal: z.string().meta({ description: 'Name of the event that tasks wait for.', examples: ['approved'] }),
  token: z.string().meta({ description: 'What a task has given as the end of its `callback_url`.' }),
  type: z.string().meta({ description: 'Name of a task type.', examples: ['python'] }),
  task: z.string().meta({ description: 'Id of a task.', examples: ['fetch'], pattern: TASK_ID_PATTERN.source }),
}
