// Pure. The schema of `with` of a `wait_for_event` task. The scheduler performs it (src/workflow/decide/waits.ts, signals.ts).

import { z } from 'zod'

/** Names of events stand in paths of the API. */
const EVENT_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/

/** The schema of `with` of a `wait_for_event` task. */
export const waitWith = z.strictObject({
  event: z
    .string()
    .regex(EVENT_NAME, 'must have 1 to 64 of A-Z, a-z, 0-9, "_", "." and "-", a letter or "_" first')
    .meta({
      description: 'Name of the signal: `POST /v1/runs/{id}/signals/{name}` sends it. Written out, no expression.',
      examples: ['approved'],
    }),
  match: z
    .string()
    .exactOptional()
    .meta({
      description:
        'An expression over `event`, the data of the signal, and what every expression sees; only a signal for which it is true is taken. One for which it cannot be evaluated is not.',
      examples: ['event.order == input.order'],
    }),
  callback: z
    .boolean()
    .exactOptional()
    .meta({
      description:
        'Whether the task shows a `callback_url` while it waits: a link, signed and good for once, by which somebody without a key answers it. `match` does not judge that answer.',
      examples: [true],
    }),
})
