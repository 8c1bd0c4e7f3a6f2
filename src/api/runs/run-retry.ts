// POST /v1/runs/{id}/retry: a run that has ended is made again, by a new run that takes over what still holds.

import { z } from 'zod'
import { retryRun } from '../../start.ts'
import { MAX_TASKS } from '../../workflow/definition/schema.ts'
import { checkShape } from '../../workflow/faults.ts'
import { isJsonObject } from '../../workflow/json.ts'
import { parseRunId } from '../../workflow/run-id.ts'
import { canonicalText, soundness } from '../../workflow/sound.ts'
import { readTrace } from '../../workflow/trace.ts'
import { readIdempotency } from '../http/idempotency-key.ts'
import { ApiProblem, faultyBody } from '../http/problem.ts'
import { type Route, route } from '../http/route.ts'
import { runResponse } from './run-answers.ts'
import { RunSchema } from './run-schemas.ts'
import { startRefusal } from './start-refusal.ts'

const MAX_BODY_BYTES = 1024 * 1024

const wordSchema = z.enum(['failed', 'start'])
const idsSchema = z.array(z.string()).min(1).max(MAX_TASKS)

const RetryRunSchema = z
  .strictObject({
    from: z
      .union([wordSchema, idsSchema])
      .default('failed')
      .meta({
        description:
          '`failed`: every task that did not succeed, or that was undone; `start`: all; or ids of tasks, besides those. Whatever depends on one of them is made again too.',
        examples: ['failed', ['store']],
      }),
    version: z.int().min(1).max(999_999_999).exactOptional().meta({
      description:
        "Another version of the workflow than the run's; every task whose output is taken over must be defined alike.",
    }),
  })
  .meta({ id: 'RetryRun', description: 'How a run is made again.', examples: [{ from: 'failed' }] })

/** RetryRunSchema with only one form of `from`, so that the faults of a list carry the place of the id in it. */
const FORMS = {
  word: RetryRunSchema.extend({ from: wordSchema.default('failed') }),
  ids: RetryRunSchema.extend({ from: idsSchema }),
}

interface CheckedRetry extends z.output<typeof RetryRunSchema> {
  /** Equal for bodies that ask for the same, whether or not they write out what is the default. */
  canonical: string
}

function checkRetry(raw: unknown): CheckedRetry {
  const unsound = soundness(raw)
  const form = isJsonObject(raw) && Array.isArray(raw.from) ? FORMS.ids : FORMS.word
  const shape = checkShape<z.ZodType<z.output<typeof RetryRunSchema>>>(form, raw)
  if (!shape.ok || unsound.length > 0) throw faultyBody([...unsound, ...(shape.ok ? [] : shape.faults)])
  return { ...shape.value, canonical: canonicalText(shape.value) }
}

const retry = route({
  method: 'POST',
  path: '/v1/runs/{id}/retry',
  tag: 'Runs',
  summary: 'Make a run again',
  description:
    'A new run of the same version, or the one that is named, with the same input and tags; without a body from what did not succeed. `retry_of` says which run it makes again, and `run.attempt` in expressions counts them. Outputs of tasks that need not run again are taken over (`reused`); should the new run fail, what they did is undone as if it had done it. A run that is a task of another becomes a run of its own, of which that other run never hears: to go on with the work of the parent, retry the parent. It is a start: a workflow that is paused or deleted takes none, and the time limit begins anew. An `Idempotency-Key` is remembered where the run is.',
  access: 'key',
  headers: ['Idempotency-Key', 'traceparent', 'tracestate'],
  body: { schema: RetryRunSchema, maxBytes: MAX_BODY_BYTES, absent: {}, check: checkRetry },
  answers: {
    202: {
      description: 'The new run so far.',
      content: RunSchema,
      headers: ['Location', 'Retry-After', 'Run-Status', 'Idempotent-Replayed'],
    },
  },
  problems: [
    'run_not_found',
    'run_not_finished',
    'run_unreadable',
    'nothing_to_retry',
    'workflow_not_found',
    'version_not_found',
    'workflow_paused',
    'invalid_idempotency_key',
    'idempotency_key_reused',
    'run_deleted',
    'invalid_input',
    'start_unconfirmed',
  ],
  async handle({ request, env, tenant, params: { id }, body }) {
    const place = parseRunId(id)
    if (place === null) throw new ApiProblem('run_not_found', 'No run can have such an id')
    const trace = readTrace(request.headers.get('traceparent'), request.headers.get('tracestate'))
    const started = await retryRun(env, tenant, place.shard, {
      of: id,
      from: body.from,
      version: body.version ?? null,
      ...(trace === null ? {} : { trace }),
      // The same body for another run is another request.
      idempotency: await readIdempotency(request.headers, () => `retry ${id} ${body.canonical}`),
    })
    switch (started.kind) {
      case 'run':
        return runResponse(started, 202, { respondAsync: false, wait: null }, started.replayed)
      case 'run_not_found':
        throw new ApiProblem(started.kind, `There is no run ${id}`)
      case 'run_not_finished':
        throw new ApiProblem(started.kind, `Run ${id} goes on: it can be retried when it has ended`, {
          run: JSON.parse(started.body),
        })
      case 'run_unreadable':
        throw new ApiProblem(started.kind, `Run ${id} was ended unread; start its workflow anew`)
      case 'nothing_to_retry':
        throw new ApiProblem(started.kind, `Run ${id} has succeeded: retry it from its start, or name tasks in "from"`)
      case 'unfit_retry':
        throw faultyBody(started.faults)
      case 'workflow_not_found':
        throw new ApiProblem(started.kind, 'The workflow of the run was deleted: it takes no new runs')
      case 'version_not_found':
        throw new ApiProblem(started.kind, `The workflow has no such version; its newest is ${started.latest}`)
      case 'workflow_paused':
        throw new ApiProblem(started.kind, 'The workflow of the run takes no new runs until it is resumed')
      default:
        throw startRefusal(started, 'of the run')
    }
  },
})

/** The routes of this file, for app.ts. */
export const retryRoutes: readonly Route[] = [retry]
