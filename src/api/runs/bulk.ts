// Bulk jobs: cancelling, deleting or retrying all runs that a filter finds. The Runners do it; this starts it, and sums up how far they are.

import { ulid } from 'ulid'
import { z } from 'zod'
import type { BulkJob, BulkProgress, ListFilter } from '../../../durable/runner/runner-rpc.ts'
import type { Env } from '../../env.ts'
import { runnerOf } from '../../objects.ts'
import type { Fault } from '../../workflow/codes.ts'
import { checkShape } from '../../workflow/faults.ts'
import { isFinal, type RunStatus } from '../../workflow/run/run.ts'
import { SHARDS } from '../../workflow/run-id.ts'
import { canonicalText, soundness } from '../../workflow/sound.ts'
import { timeText } from '../../workflow/time.ts'
import { readIdempotency } from '../http/idempotency-key.ts'
import { ApiProblem, faultyBody } from '../http/problem.ts'
import { withRepeats } from '../http/repeats.ts'
import { type Route, route } from '../http/route.ts'
import { timestamp } from '../schemas.ts'
import { instantSchema, laterTrigger, RUN_FILTER } from './run-filter.ts'

const MAX_BODY_BYTES = 16 * 1024

/** The Runner that has each job first and tells the others. */
const HOME = 0

const ACTIONS = ['cancel', 'delete', 'retry'] as const

const FilterSchema = z
  .strictObject({
    ...RUN_FILTER,
    version: z.int().min(1).max(999_999_999).exactOptional(),
    since: instantSchema.exactOptional().meta({ description: 'Created at this time or later.' }),
    until: instantSchema.exactOptional().meta({ description: 'Created before this time.' }),
    all: z
      .literal(true)
      .exactOptional()
      .meta({ description: 'Alone: every run. A filter that says nothing is refused.' }),
  })
  .meta({
    id: 'BulkFilter',
    description: 'Which runs, as lists filter them.',
    examples: [{ workflow: 'orders', status: 'failed' }],
  })

const BulkSchema = z
  .strictObject({
    action: z.enum(ACTIONS).meta({
      description:
        '`cancel` acts on runs that go on; those that are tasks of a run that it finds too end with that one and are not counted. `delete` acts on runs that have ended. `retry` makes runs again that have ended and not succeeded, from what failed, on their own version; it leaves out runs that a later run makes again already (`retry_of`), and runs that are tasks of others, which their parents make again. With `filter.parent` it makes those of that parent again, as runs of their own of which the parent never hears.',
    }),
    filter: FilterSchema,
    dry_run: z.boolean().default(false).meta({ description: 'Only counts the runs.' }),
  })
  .meta({ id: 'BulkRequest', description: 'One action on many runs.' })

const count = z.int().min(0)

const BulkJobSchema = z
  .strictObject({
    id: z.string().meta({ examples: ['bulk_01K7ZB3V9QJ4X5Y6Z7A8B9C0D1'] }),
    action: z.enum(ACTIONS),
    filter: FilterSchema,
    status: z.enum(['running', 'done']),
    matched: count.meta({ description: 'Runs found so far; when the job is done, all there were.' }),
    done: count,
    failed: count.meta({
      description:
        'Runs that it could not act on: they ended by themselves before it was their turn, or their workflow takes no starts.',
    }),
    created_at: timestamp.meta({ description: 'Runs created after this are left alone.' }),
    finished_at: timestamp.nullable(),
  })
  .meta({ id: 'BulkJob', description: 'One action on many runs, and how far it is.' })

const BulkCountSchema = z
  .strictObject({ action: z.enum(ACTIONS), filter: FilterSchema, dry_run: z.literal(true), matched: count })
  .meta({ id: 'BulkCount', description: 'How many runs it would be.' })

type Filter = z.output<typeof FilterSchema>
interface Asked {
  action: BulkJob['action']
  filter: Filter
  dryRun: boolean
  /** The body as it was sent, for its key. */
  raw: unknown
}

const request = route({
  method: 'POST',
  path: '/v1/runs/bulk',
  tag: 'Runs',
  summary: 'Cancel, delete or retry many runs',
  description:
    'Every run that the filter finds and that was created before the request, by pages in the background; 202 says where to read how far it is. The filter has to say something, or `{"all": true}`. At most 20 jobs are under way at once; the figures of the last 100 are kept. With `Idempotency-Key` a repeat of the same request is answered with the first job, for 24 h (404 `bulk_not_found` if its figures are kept no more); a dry run begins no job, so no key is kept for it.',
  access: 'key',
  headers: ['Idempotency-Key'],
  body: { schema: BulkSchema, maxBytes: MAX_BODY_BYTES, check: checkBulk },
  answers: {
    200: { description: 'Of a dry run: how many it would be.', content: BulkCountSchema },
    202: {
      description: 'The job, accepted.',
      content: BulkJobSchema,
      headers: ['Location', 'Retry-After', 'Idempotent-Replayed'],
    },
  },
  problems: ['not_available', 'bulk_limit', 'bulk_not_found', 'invalid_idempotency_key', 'idempotency_key_reused'],
  async handle({ request, env, tenant, body: { action, filter, dryRun, raw } }) {
    const idempotency = await readIdempotency(request.headers, () => canonicalText(raw))
    const requestedAt = Date.now()
    const job = { id: `bulk_${ulid(requestedAt)}`, action, filter: listFilterOf(filter), shown: filter, requestedAt }
    if (dryRun) {
      const counts = await askAllShards((shard) => runnerOf(env, tenant, shard).countBulk(job))
      const matched = counts.reduce((sum, each) => sum + each, 0)
      return Response.json({ action, filter, dry_run: true, matched })
    }
    const others = Array.from({ length: SHARDS }, (_, shard) => shard).filter((shard) => shard !== HOME)
    const outcome = await withRepeats(() => runnerOf(env, tenant, HOME).requestBulk(job, others, idempotency))
    if (outcome === 'too_many') {
      throw new ApiProblem('bulk_limit', 'Twenty bulk jobs are under way; wait for one to end', {
        headers: { 'Retry-After': '5' },
      })
    }
    if (outcome === 'idempotency_key_reused') {
      throw new ApiProblem(outcome, 'The first bulk job with this Idempotency-Key had another body')
    }
    const id = outcome === 'accepted' ? job.id : outcome.id
    const headers = {
      Location: `/v1/runs/bulk/${id}`,
      'Retry-After': '1',
      ...(outcome === 'accepted' ? {} : { 'Idempotent-Replayed': 'true' }),
    }
    const accepted = await readJob(env, tenant, id)
    if (accepted === null) {
      throw new ApiProblem('bulk_not_found', `This Idempotency-Key has begun ${id}, whose figures are kept no more`)
    }
    return Response.json(accepted, { status: 202, headers })
  },
})

const read = route({
  method: 'GET',
  path: '/v1/runs/bulk/{bulk}',
  tag: 'Runs',
  summary: 'Read how far a bulk job is',
  access: 'key',
  answers: { 200: { description: 'The job.', content: BulkJobSchema } },
  problems: ['bulk_not_found'],
  async handle({ env, tenant, params: { bulk } }) {
    const job = /^bulk_[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(bulk) ? await readJob(env, tenant, bulk) : null
    if (job === null) throw new ApiProblem('bulk_not_found', `There is no bulk job ${bulk.slice(0, 40)}, or no more`)
    return Response.json(job)
  },
})

/** The job as all Runners together have it; null if its home does not know it. */
async function readJob(env: Env, tenant: string, id: string): Promise<z.input<typeof BulkJobSchema> | null> {
  const parts = await askAllShards((shard) => runnerOf(env, tenant, shard).bulk(id))
  const home = parts[HOME]
  if (home == null) return null
  const known = parts.filter((part) => part !== null)
  const sum = (of: (part: Pick<BulkProgress, 'matched' | 'done' | 'failed'>) => number) =>
    known.reduce((total, part) => total + of(part), 0)
  const isDone = home.untold.length === 0 && known.every(({ finishedAt }) => finishedAt !== null)
  return {
    id,
    action: home.job.action,
    filter: home.job.shown as Filter,
    status: isDone ? 'done' : 'running',
    matched: sum(({ matched }) => matched),
    done: sum(({ done }) => done),
    failed: sum(({ failed }) => failed),
    created_at: timeText(home.job.requestedAt),
    finished_at: isDone ? timeText(Math.max(...known.map(({ finishedAt }) => finishedAt!))) : null,
  }
}

function askAllShards<Answer>(ask: (shard: number) => PromiseLike<Answer>): Promise<Awaited<Answer>[]> {
  return Promise.all(Array.from({ length: SHARDS }, (_, shard) => withRepeats(() => ask(shard))))
}

/** The runs that an action is for. */
const ACTS_ON: Record<BulkJob['action'], { is(status: RunStatus): boolean; says: string }> = {
  cancel: { is: (status) => !isFinal(status), says: 'runs that go on' },
  delete: { is: isFinal, says: 'runs that have ended' },
  retry: { is: (status) => isFinal(status) && status !== 'succeeded', says: 'runs that have ended and not succeeded' },
}

function checkBulk(value: unknown): Asked {
  const unsound = soundness(value)
  const shape = checkShape(BulkSchema, value)
  if (!shape.ok || unsound.length > 0) throw faultyBody([...unsound, ...(shape.ok ? [] : shape.faults)])
  const { action, filter, dry_run } = shape.value
  const faults = faultsOf(action, filter)
  if (faults.length > 0) throw faultyBody(faults)
  return { action, filter, dryRun: dry_run, raw: value }
}

function faultsOf(action: BulkJob['action'], { all, ...filter }: Filter): Fault[] {
  const faults: Fault[] = []
  const add = (path: string, code: Fault['code'], message: string) => faults.push({ path, code, message })
  const later = laterTrigger(filter.trigger)
  if (later !== null) add('/filter/trigger', 'not_available', later)
  const names = Object.keys(filter)
  if (names.length === 0 && all !== true) {
    add('/filter', 'required', 'must say which runs, or {"all": true} for every one')
  }
  if (names.length > 0 && all === true) add('/filter/all', 'conflicting_fields', `stands alone, not beside ${names[0]}`)
  const { is, says } = ACTS_ON[action]
  if (filter.status !== undefined && !is(filter.status)) {
    add('/filter/status', 'invalid_value', `finds nothing: ${action} acts on ${says}`)
  }
  return faults
}

function listFilterOf({ all, since, until, ...rest }: Filter): ListFilter {
  return {
    ...rest,
    ...(since === undefined ? {} : { since: Date.parse(since) }),
    ...(until === undefined ? {} : { until: Date.parse(until) }),
  }
}

/** The routes of this file, for app.ts. */
export const bulkRoutes: readonly Route[] = [request, read]
