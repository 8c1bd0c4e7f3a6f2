// Pure. The schemas of `poll` and `paginate` of an `http` task: when it is called again, and for what.

import { z } from 'zod'
import { choice } from '../../workflow/definition/choice.ts'
import { DEFAULT_EVERY, DEFAULT_POLLS } from '../../workflow/definition/poll.ts'
import { spanSchema } from '../../workflow/definition/schema.ts'
import { isSpan, spanMs } from '../../workflow/span.ts'

/** Each call is a few events of the history and one entry of the task's `attempts`. */
const MAX_POLLS = 1_000

/** Below the number of calls that the runtime allows one attempt, so that some are left for redirects. */
const MAX_PAGES = 100

const expression = z.string().min(1)

/** The schema of `poll`. */
export const pollSchema = z
  .strictObject({
    until: expression.meta({
      description:
        'An expression over `response` (`status`, `headers`, `body`, `links`) and what others see: true ends the task with this answer, false calls again. Written out, no text put together from others.',
      example: 'response.body.state == "done"',
    }),
    every: spanSchema({ min: '100ms', max: '30d' }).default(DEFAULT_EVERY).meta({
      description: 'How long after an answer the next call is made, "5s" by default; later if its Retry-After says so.',
      example: '10s',
    }),
    at_most: choice(
      (value) => (typeof value === 'string' ? 0 : 1),
      [spanSchema({ min: '100ms', max: '365d' }), z.int().min(1).max(MAX_POLLS)],
    )
      .default(DEFAULT_POLLS)
      .meta({
        description: `How often it is called, 1 to ${MAX_POLLS}, or for how long, as a span of at most ${MAX_POLLS} times \`every\`; ${DEFAULT_POLLS} calls by default. Then it fails with \`poll_exhausted\`.`,
        example: '10m',
      }),
  })
  .superRefine(
    ({ every = DEFAULT_EVERY, at_most }, ctx) => {
      if (typeof at_most !== 'string' || !isSpan(at_most) || !isSpan(every)) return
      if (spanMs(at_most) / spanMs(every) <= MAX_POLLS) return
      const message = `would be more than ${MAX_POLLS} calls, one every ${every}`
      ctx.addIssue({ code: 'custom', path: ['at_most'], params: { code: 'out_of_bounds' }, message })
    },
    { when: ({ value }) => typeof value === 'object' && value !== null },
  )
  .meta({
    description:
      'Calls again until the answer is the one that is waited for. Between calls the task waits without a slot, also through restarts. An answer whose status is not expected is a failure, which `retry` deals with.',
    example: { until: 'response.body.state == "done"', every: '10s', at_most: '1h' },
  })

/** The schema of `paginate`. */
export const paginateSchema = z
  .strictObject({
    next: expression.meta({
      description:
        'An expression over `response` (`status`, `headers`, `body`, `links`) and what others see: the URL of the next page, also a relative one, or null after the last.',
      example: 'response.links.?next.orValue(null)',
    }),
    limit: z
      .int()
      .min(1)
      .max(MAX_PAGES)
      .default(MAX_PAGES)
      .meta({
        description: `The most pages that are fetched, 1 to ${MAX_PAGES}, ${MAX_PAGES} by default.`,
        example: 10,
      }),
  })
  .meta({
    description:
      'Gathers pages, one after the other in one attempt. `body` is the list of their bodies, joined into one list if each of them is a list; `pages` their number, `next` where it would go on if `limit` cut it, else null.',
    example: { next: 'response.links.?next.orValue(null)', limit: 10 },
  })
