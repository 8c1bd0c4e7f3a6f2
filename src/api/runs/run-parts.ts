// Parts of a run, for runs that are large: its tasks, their outputs, its graph; and what explains it. Its history is history.ts.

import { z } from 'zod'
import { TASK_STATUSES } from '../../workflow/run/run.ts'
import { preferredType } from '../http/accept.ts'
import { GRAPH_CONTENT, GRAPH_FORMS, graphForm, graphResponse, graphType } from '../http/graph-answers.ts'
import { isIndex, PAGE_QUERY, pageResponse, positionOf } from '../http/page.ts'
import { ApiProblem } from '../http/problem.ts'
import { type Route, route } from '../http/route.ts'
import { anyJson } from '../schemas.ts'
import { ExplanationSchema } from './explanation-schema.ts'
import { askRunner, taskResponse } from './run-answers.ts'
import { ItemPageSchema, TaskPageSchema, TaskSchema } from './run-schemas.ts'

const JSON_TYPE = 'application/json'
const PLAIN = 'text/plain'

const tasks = route({
  method: 'GET',
  path: '/v1/runs/{id}/tasks',
  tag: 'Runs',
  summary: 'List the tasks of a run',
  description:
    'In the order of the definition. A page ends early where it would have more than 8 MiB; `next_cursor` goes on.',
  access: 'key',
  query: z.strictObject({ status: z.enum(TASK_STATUSES).exactOptional(), ...PAGE_QUERY }),
  answers: { 200: { description: 'A page.', content: TaskPageSchema, headers: ['Link'] } },
  problems: ['run_not_found', 'bad_cursor'],
  async handle({ env, tenant, path, params: { id }, query: { status, limit, cursor } }) {
    const listing = { path, filters: { status }, limit }
    const after = positionOf(listing, cursor, isIndex) ?? 0
    const page = await askRunner(env, tenant, id, (runner) => runner.tasks(id, status ?? null, after, limit))
    return pageResponse(listing, page.items, page.next)
  },
})

const task = route({
  method: 'GET',
  path: '/v1/runs/{id}/tasks/{task}',
  tag: 'Runs',
  summary: 'Fetch a task of a run',
  access: 'key',
  answers: {
    200: {
      description:
        'The task; an output of nearly 8 MiB, which only maps have, is left out (`output_omitted`) and stands at `/output`.',
      content: TaskSchema,
    },
  },
  problems: ['run_not_found', 'task_not_found'],
  async handle({ env, tenant, params }) {
    const answer = await askRunner(env, tenant, params.id, (runner) => runner.task(params.id, params.task))
    return taskResponse(answer)
  },
})

const output = route({
  method: 'GET',
  path: '/v1/runs/{id}/tasks/{task}/output',
  tag: 'Runs',
  summary: 'Fetch the output of a task',
  access: 'key',
  answers: { 200: { description: 'The output alone; null unless the task succeeded.', content: anyJson } },
  problems: ['run_not_found', 'task_not_found'],
  async handle({ env, tenant, params }) {
    const answer = await askRunner(env, tenant, params.id, (runner) => runner.output(params.id, params.task))
    return taskResponse(answer)
  },
})

const items = route({
  method: 'GET',
  path: '/v1/runs/{id}/tasks/{task}/items',
  tag: 'Runs',
  summary: 'List the items of a map',
  description:
    'In their order, each with its attempts. A page ends early where it would have more than 8 MiB; `next_cursor` goes on.',
  access: 'key',
  query: z.strictObject({ status: z.enum(TASK_STATUSES).exactOptional(), ...PAGE_QUERY }),
  answers: {
    200: { description: 'A page; empty as long as the map has not begun.', content: ItemPageSchema, headers: ['Link'] },
  },
  problems: ['run_not_found', 'task_not_found', 'task_not_a_map', 'bad_cursor'],
  async handle({ env, tenant, path, params: { id, task: name }, query: { status, limit, cursor } }) {
    const listing = { path, filters: { status }, limit }
    const after = positionOf(listing, cursor, isIndex) ?? 0
    const page = await askRunner(env, tenant, id, (runner) => runner.items(id, name, status ?? null, after, limit))
    if (page.kind === 'task_not_found') throw new ApiProblem(page.kind, `The run has no task ${name}`)
    if (page.kind === 'no_map') throw new ApiProblem('task_not_a_map', `The task ${name} is no map`)
    return pageResponse(listing, page.items, page.next)
  },
})

const graph = route({
  method: 'GET',
  path: '/v1/runs/{id}/graph',
  tag: 'Runs',
  summary: 'Draw a run',
  description: `Its tasks and their dependencies, coloured by how they stand. ${GRAPH_FORMS}`,
  access: 'key',
  headers: ['Accept'],
  answers: { 200: { description: 'The graph.', content: GRAPH_CONTENT } },
  problems: ['run_not_found', 'not_acceptable'],
  async handle({ request, env, tenant, params: { id } }) {
    const type = graphType(request.headers)
    const { body } = await askRunner(env, tenant, id, (runner) => runner.graph(id, graphForm(type)))
    return graphResponse(body, type)
  },
})

const explanation = route({
  method: 'GET',
  path: '/v1/runs/{id}/explain',
  tag: 'Runs',
  summary: 'Explain a run',
  description:
    'What it did, in sentences: what ran, what failed and why, what was skipped because of what; the tasks that decided how long it took; and, while it goes on, what has to happen for it to go on. As JSON, or as text for people by `Accept: text/plain`.',
  access: 'key',
  headers: ['Accept'],
  answers: {
    200: { description: 'The explanation.', content: { [JSON_TYPE]: ExplanationSchema, [PLAIN]: z.string() } },
  },
  problems: ['run_not_found', 'not_acceptable'],
  async handle({ request, env, tenant, params: { id } }) {
    const type = preferredType(request.headers, [JSON_TYPE, PLAIN])
    if (type === null) throw new ApiProblem('not_acceptable', `An explanation is ${JSON_TYPE} or ${PLAIN}`)
    const form = type === PLAIN ? 'text' : 'json'
    const { body } = await askRunner(env, tenant, id, (runner) => runner.explain(id, form))
    return new Response(body, {
      headers: {
        'Content-Type': type === PLAIN ? `${PLAIN}; charset=utf-8` : type,
        'X-Content-Type-Options': 'nosniff',
        Vary: 'Accept',
      },
    })
  },
})

/** The routes of this file, for app.ts. */
export const runPartRoutes: readonly Route[] = [tasks, task, items, output, graph, explanation]
