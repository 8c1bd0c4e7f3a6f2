// Circuits: which of the servers that tasks call are being left alone, and letting calls through again.

import { z } from 'zod'
import type { CircuitRecord } from '../../../durable/gate/gate-rpc.ts'
import { gateOf, metricsOf } from '../../objects.ts'
import { timeText } from '../../workflow/time.ts'
import { isText, PAGE_QUERY, pageResponse, positionOf } from '../http/page.ts'
import { ApiProblem } from '../http/problem.ts'
import { withRepeats } from '../http/repeats.ts'
import { route } from '../http/route.ts'
import { pageOf, timestamp } from '../schemas.ts'
import { jsonResponse } from '../workflows/workflow-answers.ts'

const CircuitSchema = z
  .strictObject({
    name: z.string().meta({
      description: 'Origin of the host called, or the name that `breaker.name` gave.',
      examples: ['https://api.example.com'],
    }),
    state: z.enum(['closed', 'open', 'half_open']).meta({
      description:
        '`open`: calls are held back; from `retry_at` on the next one is a trial. `half_open`: three trials are let through, and all must succeed.',
    }),
    openings: z
      .int()
      .min(0)
      .meta({ description: 'How often it has opened since it was last closed.', examples: [1] }),
    retry_at: timestamp.exactOptional(),
    cause: z
      .string()
      .exactOptional()
      .meta({ description: 'Code of the failure that opened it.', examples: ['http_503'] }),
    changed_at: timestamp,
  })
  .meta({ id: 'Circuit', description: 'The circuit breaker of a server that tasks call.' })

const SEEN_LATER = 'Shards of a tenant may see it a moment later than this answer.'

const list = route({
  method: 'GET',
  path: '/v1/circuits',
  tag: 'Runs',
  summary: 'List the circuits that have opened',
  description: `By name; those that closed are listed for a day more. A server whose circuit never opened is not listed. ${SEEN_LATER}`,
  access: 'key',
  query: z.strictObject(PAGE_QUERY),
  answers: { 200: { description: 'A page.', content: pageOf(CircuitSchema, 'CircuitPage'), headers: ['Link'] } },
  problems: ['bad_cursor'],
  async handle({ env, tenant, path, query: { limit, cursor } }) {
    const listing = { path, filters: {}, limit }
    const after = positionOf(listing, cursor, isText)
    const page = await withRepeats(() => metricsOf(env, tenant).circuits(after, limit))
    return pageResponse(listing, page.items.map(circuitText), page.next)
  },
})

const reset = route({
  method: 'POST',
  path: '/v1/circuits/{circuit}/reset',
  tag: 'Runs',
  summary: 'Close a circuit',
  description: `Whatever it has seen is forgotten, and tasks that it held back go on. The name is percent-encoded in the path. Twice is as good as once. ${SEEN_LATER}`,
  access: 'key',
  answers: { 200: { description: 'The circuit, closed.', content: CircuitSchema } },
  problems: ['circuit_not_found'],
  async handle({ env, tenant, params: { circuit: name } }) {
    // Asked first, so that made-up names make no objects.
    if (!(await withRepeats(() => metricsOf(env, tenant).hasCircuit(name)))) {
      throw new ApiProblem(
        'circuit_not_found',
        'No circuit of this name has opened; GET /v1/circuits lists those that have',
      )
    }
    return jsonResponse(circuitText(await withRepeats(() => gateOf(env, tenant, name).reset())), 200)
  },
})

function circuitText({ name, state, openings, retryAt, cause, changedAt }: CircuitRecord): string {
  return JSON.stringify({
    name,
    state,
    openings,
    ...(retryAt === null ? {} : { retry_at: timeText(retryAt) }),
    ...(cause === null ? {} : { cause }),
    changed_at: timeText(changedAt),
  })
}

/** The routes of this file, for app.ts. */
export const circuitRoutes = [list, reset]
