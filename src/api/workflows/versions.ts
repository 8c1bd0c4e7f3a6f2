// Versions of a workflow: listing them, reading one, drawing its graph. They never change once they are there.

import { z } from 'zod'
import { registryOf } from '../../objects.ts'
import type { WorkflowDefinition } from '../../workflow/definition/definition.ts'
import { toDot, toMermaid } from '../../workflow/explain/diagram.ts'
import { timeText } from '../../workflow/time.ts'
import { GRAPH_CONTENT, GRAPH_FORMS, graphForm, graphResponse, graphType } from '../http/graph-answers.ts'
import { isIndex, PAGE_QUERY, pageResponse, positionOf } from '../http/page.ts'
import { ApiProblem } from '../http/problem.ts'
import { withRepeats } from '../http/repeats.ts'
import { type Route, route } from '../http/route.ts'
import { fetchVersion, knownName, requireFound, workflowResponse } from './workflow-answers.ts'
import { VersionPageSchema, WorkflowSchema } from './workflow-schemas.ts'

const list = route({
  method: 'GET',
  path: '/v1/workflows/{name}/versions',
  tag: 'Workflows',
  summary: 'List the versions of a workflow',
  description: 'Newest first.',
  access: 'key',
  query: z.strictObject(PAGE_QUERY),
  answers: { 200: { description: 'A page.', content: VersionPageSchema, headers: ['Link'] } },
  problems: ['workflow_not_found', 'bad_cursor'],
  async handle({ env, tenant, path, params, query: { limit, cursor } }) {
    const name = knownName(params.name)
    const listing = { path, filters: {}, limit }
    const before = positionOf(listing, cursor, isIndex)
    const page = requireFound(await withRepeats(() => registryOf(env, tenant).versions(name, before, limit)), name)
    const texts = page.items.map(({ version, createdAt }) =>
      JSON.stringify({ version, created_at: timeText(createdAt) }),
    )
    return pageResponse(listing, texts, page.next)
  },
})

const get = route({
  method: 'GET',
  path: '/v1/workflows/{name}/versions/{version}',
  tag: 'Workflows',
  summary: 'Fetch a version of a workflow',
  access: 'key',
  headers: ['If-None-Match'],
  answers: {
    200: { description: 'The version.', content: WorkflowSchema, headers: ['ETag'] },
    304: { description: 'The client has it already.', headers: ['ETag'] },
  },
  problems: ['workflow_not_found', 'version_not_found'],
  async handle({ request, env, tenant, params: { name, version } }) {
    return workflowResponse(request, await fetchVersion(env, tenant, name, versionNumber(name, version)))
  },
})

const graph = route({
  method: 'GET',
  path: '/v1/workflows/{name}/versions/{version}/graph',
  tag: 'Workflows',
  summary: 'Draw a version',
  description: `Its tasks and their dependencies. ${GRAPH_FORMS}`,
  access: 'key',
  headers: ['Accept'],
  answers: {
    200: { description: 'The graph.', content: GRAPH_CONTENT },
  },
  problems: ['workflow_not_found', 'version_not_found', 'not_acceptable'],
  async handle({ request, env, tenant, params: { name, version } }) {
    const type = graphType(request.headers)
    const stored = await fetchVersion(env, tenant, name, versionNumber(name, version))
    const definition = JSON.parse(stored.definition) as WorkflowDefinition
    return graphResponse(graphForm(type) === 'dot' ? toDot(definition) : toMermaid(definition), type)
  },
})

/** @throws ApiProblem `version_not_found` for what is no number of a version */
function versionNumber(name: string, text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new ApiProblem('version_not_found', `Versions of ${knownName(name)} are numbers, from 1`)
}

/** The routes of this file, for app.ts. */
export const versionRoutes: readonly Route[] = [list, get, graph]
