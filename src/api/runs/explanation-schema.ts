// How the explanation of a run looks.

import { z } from 'zod'
import { nameSchema } from '../../workflow/definition/schema.ts'
import { WAITING_REASONS } from '../../workflow/explain/waiting.ts'
import { RUN_STATUSES, TASK_STATUSES } from '../../workflow/run/run.ts'
import { milliseconds, timestamp } from '../schemas.ts'

/** Of a sentence about many tasks the first are named. */
const names = {
  tasks: z.array(z.string()).exactOptional().meta({ description: 'Ids of the tasks that it is about, at most 100.' }),
  tasks_left_out: z.int().min(1).exactOptional(),
}

const StepSchema = z
  .strictObject({
    task: z.string().meta({ examples: ['fetch'] }),
    status: z.enum(TASK_STATUSES),
    from: timestamp.meta({ description: 'When the task before it had ended, or the run had started.' }),
    to: timestamp.meta({ description: 'When it ended; now, if it has not.' }),
    duration_ms: milliseconds,
    share: z
      .number()
      .min(0)
      .max(1)
      .meta({ description: 'Of the duration of the run.', examples: [0.25] }),
    executing_ms: milliseconds,
    waited_ms: z
      .partialRecord(z.enum(['start', ...WAITING_REASONS]), milliseconds)
      .meta({ description: 'What else the time went to; `start`: ready, with a slot free, until it was started.' }),
  })
  .meta({ id: 'CriticalStep', description: 'A task that decided how long the run took.' })

export const ExplanationSchema = z
  .strictObject({
    run: z.string(),
    workflow: nameSchema,
    version: z.int().min(1),
    status: z.enum(RUN_STATUSES),
    at: timestamp.meta({ description: 'The moment that this is about: the end of the run, or now.' }),
    duration_ms: milliseconds.nullable().meta({ description: 'So far, if the run goes on.' }),
    summary: z.string().meta({ examples: ['The run succeeded in 420 ms: 5 of 5 tasks succeeded.'] }),
    sentences: z
      .array(z.strictObject({ text: z.string(), ...names }))
      .meta({ description: 'What happened, in words. The wording may change; codes and ids do not.' }),
    critical_path: z.strictObject({
      tasks: z.array(StepSchema).meta({
        description:
          'Each was let go by the end of the one before. Their durations, with those left out and `after_ms`, sum up to that of the run. At most 100, those with the largest shares.',
      }),
      left_out: z.int().min(1).exactOptional(),
      after_ms: milliseconds.meta({ description: 'After the last of them nothing was under way for so long.' }),
    }),
    needs: z
      .array(
        z.strictObject({
          for: z.enum(['executing', 'deadline', ...WAITING_REASONS]),
          text: z
            .string()
            .meta({ examples: ['pay: attempt 1 of 4 ended with http_503, until 2026-10-23T12:00:00.000Z'] }),
          ...names,
          until: timestamp.exactOptional().meta({ description: 'When it happens by itself.' }),
        }),
      )
      .meta({ description: 'What has to happen for the run to go on; empty when it has ended.' }),
  })
  .meta({ id: 'Explanation', description: 'The story of a run.' })
