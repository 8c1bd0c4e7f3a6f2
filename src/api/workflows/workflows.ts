// Workflows: registering them, reading, listing, pausing and deleting them. Of single versions: versions.ts.

import { z } from 'zod'
import type { MissingWorkflow } from '../../../durable/registry/registry-rpc.ts'
import type { Env } from '../../env.ts'
import { registryOf } from '../../objects.ts'
import { WorkflowDefinitionSchema } from '../../workflow/definition/schema.ts'
import { MAX_FAULTS } from '../../workflow/faults.ts'
import { timeText } from '../../workflow/time.ts'
import { etagOf, readIfMatch } from '../http/etag.ts'
import { isText, PAGE_QUERY, pageResponse, pagingOf, positionOf } from '../http/page.ts'
import { ApiProblem } from '../http/problem.ts'
import { integerParameter } from '../http/query.ts'
import { withRepeats } from '../http/repeats.ts'
import { type Route, route } from '../http/route.ts'
import { checkDefinition } from './definition-check.ts'
import {
  egressWarnings,
  literalKeyWarnings,
  secretWarnings,
  workflowsStartedBy,
  workflowWarnings,
} from './definition-warnings.ts'
import {
  fetchVersion,
  jsonResponse,
  knownName,
  requireFound,
  warningsMember,
  withMembers,
  workflowResponse,
  workflowText,
} from './workflow-answers.ts'
import { DryRunSchema, RegisteredSchema, WorkflowPageSchema, WorkflowSchema } from './workflow-schemas.ts'

const MAX_DEFINITION_BYTES = 4 * 1024 * 1024

const THE_WORKFLOW = { description: 'The workflow.', content: WorkflowSchema, headers: ['ETag'] } as const
const NOT_MODIFIED = { description: 'The client has it already.', headers: ['ETag'] } as const

const register = route({
  method: 'POST',
  path: '/v1/workflows',
  tag: 'Workflows',
  summary: 'Register a workflow',
  description:
    'Stores the next version of the name; the same definition as the newest version is that version. The answer leaves only when no run of what was there before can still be started.',
  access: 'key',
  query: z.strictObject({
    dry_run: z.enum(['true', 'false']).exactOptional().meta({ description: '`true` only checks; nothing is stored.' }),
  }),
  headers: ['If-Match'],
  body: { schema: WorkflowDefinitionSchema, maxBytes: MAX_DEFINITION_BYTES, check: checkDefinition },
  answers: {
    200: {
      description:
        'The newest version is this definition already; with `dry_run` the definition as it would be stored.',
      content: z.union([RegisteredSchema, DryRunSchema]),
      headers: ['ETag', 'Location'],
    },
    201: { description: 'A new version.', content: RegisteredSchema, headers: ['ETag', 'Location'] },
  },
  problems: ['invalid_definition', 'version_conflict'],
  async handle({ request, env, tenant, query, body: { definition, warnings: found } }) {
    const { name } = definition
    const ifMatch = readIfMatch(request.headers)
    const text = JSON.stringify(definition)
    const starts = workflowsStartedBy(definition)
    const named = await Promise.all([secretWarnings(env, tenant, definition, text), egressWarnings(definition)])
    const warningsWith = (missing: readonly MissingWorkflow[]) =>
      [...found, ...literalKeyWarnings(definition), ...named.flat(), ...workflowWarnings(definition, missing)].slice(
        0,
        MAX_FAULTS,
      )
    if (query.dry_run === 'true') {
      await checkIfMatch(env, tenant, name, ifMatch)
      const missing =
        starts.length === 0
          ? []
          : await withRepeats(() => registryOf(env, tenant).missing(starts, { name, definition: text }))
      return jsonResponse(withMembers(text, warningsMember(warningsWith(missing))))
    }
    const registered = await withRepeats(() => registryOf(env, tenant).register(name, text, ifMatch, starts))
    if (registered.kind === 'version_conflict') throw versionConflict(name, registered.latest)
    const { kind, stored, missing } = registered
    return jsonResponse(workflowText(stored, warningsWith(missing)), kind === 'created' ? 201 : 200, {
      ETag: etagOf(stored),
      Location: `/v1/workflows/${name}/versions/${stored.version}`,
    })
  },
})

const list = route({
  method: 'GET',
  path: '/v1/workflows',
  tag: 'Workflows',
  summary: 'Fetch a workflow by name, or list workflows',
  description: 'With `name` as `GET /v1/workflows/{name}`, or that `version`; without a page of all, by name.',
  access: 'key',
  query: z.strictObject({
    name: z.string().exactOptional().meta({ description: 'Fetches this workflow.', example: 'orders' }),
    version: integerParameter({ min: 1, max: 999_999_999 }).meta({ description: 'Of the workflow that `name` names.' }),
    ...PAGE_QUERY,
  }),
  headers: ['If-None-Match'],
  answers: {
    200: {
      description: 'The workflow, or a page.',
      content: z.union([WorkflowSchema, WorkflowPageSchema]),
      headers: ['ETag', 'Link'],
    },
    304: NOT_MODIFIED,
  },
  problems: ['workflow_not_found', 'version_not_found', 'bad_cursor'],
  async handle({ request, env, tenant, path, query: { name, version, limit, cursor } }) {
    const paging = name === undefined ? [] : pagingOf(request.url)
    if (paging.length > 0) {
      throw new ApiProblem('invalid_parameter', `"${paging[0]}" is of a list, "name" asks for one workflow`)
    }
    if (name !== undefined) return workflowResponse(request, await fetchVersion(env, tenant, name, version ?? 'live'))
    if (version !== undefined) throw new ApiProblem('invalid_parameter', '"version" needs "name"')
    const listing = { path, filters: {}, limit }
    const after = positionOf(listing, cursor, isText)
    const { items, next } = await withRepeats(() => registryOf(env, tenant).list(after, limit))
    const texts = items.map(({ updatedAt, ...item }) => JSON.stringify({ ...item, updated_at: timeText(updatedAt) }))
    return pageResponse(listing, texts, next)
  },
})

const get = route({
  method: 'GET',
  path: '/v1/workflows/{name}',
  tag: 'Workflows',
  summary: 'Fetch a workflow',
  description: 'The definition that a start of the name would take.',
  access: 'key',
  headers: ['If-None-Match'],
  answers: { 200: THE_WORKFLOW, 304: NOT_MODIFIED },
  problems: ['workflow_not_found'],
  async handle({ request, env, tenant, params }) {
    return workflowResponse(request, await fetchVersion(env, tenant, params.name, 'live'))
  },
})

const remove = route({
  method: 'DELETE',
  path: '/v1/workflows/{name}',
  tag: 'Workflows',
  summary: 'Delete a workflow with all its versions',
  description: 'Runs in progress finish on their version, and their history stays.',
  access: 'key',
  answers: { 204: { description: 'Deleted.' } },
  problems: ['workflow_not_found'],
  async handle({ env, tenant, params }) {
    const name = knownName(params.name)
    // Not repeated by itself: the repeat would not find what the first try deleted, and say so.
    if (!(await registryOf(env, tenant).remove(name)))
      throw new ApiProblem('workflow_not_found', `There is no workflow ${name}`)
    return new Response(null, { status: 204 })
  },
})

const pause = pauseRoute('pause', 'Refuse new starts of a workflow')
const resume = pauseRoute('resume', 'Take starts of a workflow again')

function pauseRoute(verb: 'pause' | 'resume', summary: string): Route {
  return route({
    method: 'POST',
    path: `/v1/workflows/{name}/${verb}`,
    tag: 'Workflows',
    summary,
    description: 'Runs in progress go on. Twice is as good as once.',
    access: 'key',
    answers: { 200: THE_WORKFLOW },
    problems: ['workflow_not_found'],
    async handle({ env, tenant, params }) {
      const name = knownName(params.name)
      const stored = requireFound(
        await withRepeats(() => registryOf(env, tenant).setPaused(name, verb === 'pause')),
        name,
      )
      return jsonResponse(workflowText(stored, []), 200, { ETag: etagOf(stored) })
    },
  })
}

/** What `register` would say of If-Match, for a registration that only checks. */
async function checkIfMatch(env: Env, tenant: string, name: string, ifMatch: number | '*' | null): Promise<void> {
  if (ifMatch === null) return
  const found = await withRepeats(() => registryOf(env, tenant).get(name, 'latest'))
  const latest = 'kind' in found ? 0 : found.version
  if (latest === 0 || (ifMatch !== '*' && ifMatch !== latest)) throw versionConflict(name, latest)
}

function versionConflict(name: string, latest: number): ApiProblem {
  const what = latest === 0 ? `There is no workflow ${name} yet` : `The newest version of ${name} is ${latest}`
  return new ApiProblem('version_conflict', what)
}

/** The routes of this file, for app.ts. */
export const workflowRoutes: readonly Route[] = [register, list, get, remove, pause, resume]
