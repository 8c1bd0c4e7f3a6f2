// Runs: reading one, listing them. Starting is run-start.ts, their tasks and histories are run-parts.ts.

import { z } from 'zod'
import type {
  EventNotFound,
  ListFilter,
  RunAnswer,
  RunCompensating,
  RunFinished,
  RunNotPaused,
  RunPage,
} from '../../../durable/runner/runner-rpc.ts'
import { runnerOf } from '../../objects.ts'
import { SHARDS } from '../../workflow/run-id.ts'
import { timeText } from '../../workflow/time.ts'
import { PAGE_QUERY, pageResponse, positionOf } from '../http/page.ts'
import { readPreference } from '../http/prefer.ts'
import { ApiProblem } from '../http/problem.ts'
import { integerParameter } from '../http/query.ts'
import { withRepeats } from '../http/repeats.ts'
import { type Route, route } from '../http/route.ts'
import { askRunner, runResponse } from './run-answers.ts'
import { instantSchema, laterTrigger, RUN_FILTER } from './run-filter.ts'
import { RunPageSchema, RunSchema } from './run-schemas.ts'

const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/

const get = route({
  method: 'GET',
  path: '/v1/runs/{id}',
  tag: 'Runs',
  summary: 'Fetch a run',
  description:
    'As it is now, or with `Prefer: wait=N` at its end or after N seconds (at most 30), whichever is first. With `at` as it stood right after that event of its history: what had not happened yet is not there.',
  access: 'key',
  query: z.strictObject({
    at: integerParameter({ min: 1, max: 999_999_999 }).meta({
      description: 'Number of an event of the history (its `id`).',
    }),
  }),
  headers: ['Prefer'],
  answers: {
    200: { description: 'The run.', content: RunSchema, headers: ['Run-Status', 'Preference-Applied'] },
  },
  problems: ['run_not_found', 'event_not_found'],
  async handle({ request, env, tenant, params, query: { at } }) {
    if (at !== undefined)
      return pastResponse(await askRunner(env, tenant, params.id, (runner) => runner.at(params.id, at)))
    // Nothing here is done asynchronously, so of what Prefer can say only the wait counts.
    const preference = { ...readPreference(request.headers), respondAsync: false }
    const waitUntil = Date.now() + 1_000 * (preference.wait ?? 0)
    const run = await askRunner(env, tenant, params.id, (runner) =>
      runner.get(params.id, Math.max(0, waitUntil - Date.now())),
    )
    return runResponse(run, 200, preference, false)
  },
})

/** A moment that is past waits for nothing, so no preference applies. */
function pastResponse(answer: RunAnswer | EventNotFound): Response {
  if (answer.kind === 'run') return runResponse(answer, 200, { respondAsync: false, wait: null }, false)
  throw new ApiProblem('event_not_found', `The history of the run has ${answer.events} events so far`)
}

const cancel = route({
  method: 'POST',
  path: '/v1/runs/{id}/cancel',
  tag: 'Runs',
  summary: 'Cancel a run',
  description:
    'Attempts that execute are aborted, whatever has not ended is cancelled, and what succeeded is undone where the definition says how. Cancelling, ending and timing out race: the first wins, and after the end the answer is 409 `run_finished` with the run.',
  access: 'key',
  answers: {
    202: {
      description: 'The run, cancelled; one of very many tasks may still be on its way there.',
      content: RunSchema,
      headers: ['Location', 'Retry-After', 'Run-Status'],
    },
  },
  problems: ['run_not_found', 'run_finished', 'run_compensating'],
  async handle({ env, tenant, params }) {
    const run = await askRunner(env, tenant, params.id, (runner) => runner.cancel(params.id))
    return steeringResponse(run, 202)
  },
})

const remove = route({
  method: 'DELETE',
  path: '/v1/runs/{id}',
  tag: 'Runs',
  summary: 'Delete a run',
  description:
    'The run, its history and its outputs, for good. Only a run that has ended: before, the answer is 409 `run_not_finished` with the run. A repeat of its start with the same Idempotency-Key is 410 `run_deleted` for as long as the key is kept.',
  access: 'key',
  answers: { 204: { description: 'Deleted.' } },
  problems: ['run_not_found', 'run_not_finished'],
  async handle({ env, tenant, params }) {
    const answer = await askRunner(env, tenant, params.id, (runner) => runner.delete(params.id))
    if (answer.kind === 'run_not_finished') {
      throw new ApiProblem('run_not_finished', `Run ${params.id} goes on: cancel it first`, {
        run: JSON.parse(answer.body),
      })
    }
    return new Response(null, { status: 204 })
  },
})

const pause = route({
  method: 'POST',
  path: '/v1/runs/{id}/pause',
  tag: 'Runs',
  summary: 'Pause a run',
  description:
    'No new attempt starts; attempts that execute end, sleeps and waits go on, and the deadline stands still (`remaining_ms`). A paused run stays paused: pausing it again changes nothing.',
  access: 'key',
  answers: { 200: { description: 'The run, paused.', content: RunSchema, headers: ['Run-Status'] } },
  problems: ['run_not_found', 'run_finished'],
  async handle({ env, tenant, params }) {
    const run = await askRunner(env, tenant, params.id, (runner) => runner.pause(params.id))
    return steeringResponse(run, 200)
  },
})

const resume = route({
  method: 'POST',
  path: '/v1/runs/{id}/resume',
  tag: 'Runs',
  summary: 'Resume a run',
  description:
    'A paused run goes on, with what was left of its time. Of one that goes on already nothing changes; one that was never paused is 409 `run_not_paused`.',
  access: 'key',
  answers: { 200: { description: 'The run.', content: RunSchema, headers: ['Run-Status'] } },
  problems: ['run_not_found', 'run_finished', 'run_not_paused'],
  async handle({ env, tenant, params }) {
    const run = await askRunner(env, tenant, params.id, (runner) => runner.resume(params.id))
    return steeringResponse(run, 200)
  },
})

/** What became of a request to steer a run; whatever refuses it shows the run as it is. */
function steeringResponse(run: RunAnswer | RunFinished | RunCompensating | RunNotPaused, status: 200 | 202): Response {
  const shown = () => ({ run: JSON.parse(run.body) })
  switch (run.kind) {
    case 'run':
      return runResponse(run, status, { respondAsync: false, wait: null }, false)
    case 'run_finished':
      throw new ApiProblem('run_finished', `Run ${run.runId} has ended: ${run.status}`, shown())
    case 'run_compensating':
      throw new ApiProblem(
        'run_compensating',
        `Run ${run.runId} is undoing what it did; it will end by itself`,
        shown(),
      )
    case 'run_not_paused':
      throw new ApiProblem('run_not_paused', `Run ${run.runId} was never paused`, shown())
    default:
      return run satisfies never
  }
}

const instant = instantSchema.transform((text) => Date.parse(text))

const list = route({
  method: 'GET',
  path: '/v1/runs',
  tag: 'Runs',
  summary: 'List runs',
  description:
    'Newest first, without tasks, input and output. A page that was searched for long may be short; `next_cursor` goes on.',
  access: 'key',
  query: z.strictObject({
    ...RUN_FILTER,
    version: integerParameter({ min: 1, max: 999_999_999 }),
    since: instant
      .exactOptional()
      .meta({ description: 'Created at this time or later.', override: { type: 'string', format: 'date-time' } }),
    until: instant
      .exactOptional()
      .meta({ description: 'Created before this time.', override: { type: 'string', format: 'date-time' } }),
    ...PAGE_QUERY,
  }),
  answers: { 200: { description: 'A page.', content: RunPageSchema, headers: ['Link'] } },
  problems: ['bad_cursor', 'not_available'],
  async handle({ env, tenant, path, query: { limit, cursor, ...filter } }) {
    const { since, until, trigger } = filter
    const later = laterTrigger(trigger)
    if (later !== null) throw new ApiProblem('not_available', later)
    const shown = {
      since: since === undefined ? since : timeText(since),
      until: until === undefined ? until : timeText(until),
    }
    const listing = { path, filters: { ...filter, ...shown }, limit }
    const before = positionOf(listing, cursor, isUlid)
    const shards = Array.from({ length: SHARDS }, (_, shard) => shard)
    const pages = await Promise.all(
      shards.map((shard) =>
        withRepeats(() => runnerOf(env, tenant, shard).list(filter satisfies ListFilter, before, limit)),
      ),
    )
    const { items, next } = mergePages(pages, limit)
    return pageResponse(listing, items, next)
  },
})

/**
 * One page of the pages of all shards, newest first. A shard that has not been searched to its end may have more below its
 * horizon, so nothing below the highest horizon is shown: the next page begins there.
 */
function mergePages(pages: readonly RunPage[], limit: number): { items: string[]; next: string | null } {
  const horizon = pages.reduce<string | null>((highest, page) => {
    if (page.horizon === null || (highest !== null && highest >= page.horizon)) return highest
    return page.horizon
  }, null)
  const runs = pages
    .flatMap(({ items }) => items)
    .filter(({ ulid }) => horizon === null || ulid >= horizon)
    .sort((a, b) => (a.ulid < b.ulid ? 1 : -1))
  const shown = runs.slice(0, limit)
  return { items: shown.map(({ body }) => body), next: runs.length > limit ? shown.at(-1)!.ulid : horizon }
}

function isUlid(position: unknown): position is string {
  return typeof position === 'string' && ULID.test(position)
}

/** The routes of this file, for app.ts. */
export const runRoutes: readonly Route[] = [list, get, cancel, pause, resume, remove]
