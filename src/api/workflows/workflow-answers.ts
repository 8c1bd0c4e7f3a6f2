// How stored workflows are fetched and answered with, for every route that does. Definitions stay the Registry's text:
// what is added to one is spliced in, since parsing 4 MiB only to write it again would be most of the work.

import type { Missing, StoredVersion } from '../../../durable/registry/registry-rpc.ts'
import type { Env } from '../../env.ts'
import { registryOf } from '../../objects.ts'
import type { Warning } from '../../workflow/codes.ts'
import { NAME_PATTERN } from '../../workflow/definition/schema.ts'
import { timeText } from '../../workflow/time.ts'
import { etagOf, isFresh } from '../http/etag.ts'
import { ApiProblem } from '../http/problem.ts'
import { withRepeats } from '../http/repeats.ts'

/** @throws ApiProblem `workflow_not_found`, also for what can be no name, which no object need be asked about */
export function knownName(name: string): string {
  if (NAME_PATTERN.test(name)) return name
  throw new ApiProblem('workflow_not_found', 'No workflow can have such a name')
}

/** @throws ApiProblem `workflow_not_found`, `version_not_found` */
export async function fetchVersion(
  env: Env,
  tenant: string,
  name: string,
  version: number | 'latest' | 'live',
): Promise<StoredVersion> {
  const known = knownName(name)
  return requireFound(await withRepeats(() => registryOf(env, tenant).get(known, version)), known)
}

/** @throws ApiProblem if the Registry has no such thing */
export function requireFound<Found extends object>(found: Found | Missing, name: string): Exclude<Found, Missing> {
  if (!isMissing(found)) return found as Exclude<Found, Missing>
  if (found.kind === 'workflow_not_found') throw new ApiProblem(found.kind, `There is no workflow ${name}`)
  throw new ApiProblem(found.kind, `${name} has no such version; its newest is ${found.latest}`)
}

function isMissing(found: object): found is Missing {
  return 'kind' in found
}

/** 200 with the workflow, or 304 if the client has it. */
export function workflowResponse(request: Request, stored: StoredVersion): Response {
  const headers = { ETag: etagOf(stored) }
  if (isFresh(request.headers, headers.ETag)) return new Response(null, { status: 304, headers })
  return jsonResponse(workflowText(stored, []), 200, headers)
}

/** A workflow as the API shows it: the definition as it was registered, with the figures of its version behind. */
export function workflowText(stored: StoredVersion, warnings: readonly Warning[]): string {
  const { definition, version, live, latest, paused, createdAt } = stored
  const added = { version, live, latest, paused, created_at: timeText(createdAt), ...warningsMember(warnings) }
  return withMembers(definition, added)
}

/** The member `warnings` of an answer; no member if there are none. */
export function warningsMember(warnings: readonly Warning[]): { warnings?: readonly Warning[] } {
  return warnings.length === 0 ? {} : { warnings }
}

/** JSON text of an object that has a member, with more of them behind. */
export function withMembers(text: string, members: object): string {
  const added = JSON.stringify(members)
  return added === '{}' ? text : `${text.slice(0, -1)},${added.slice(1)}`
}

/** @param body JSON text */
export function jsonResponse(body: string, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(body, { status, headers: { 'Content-Type': 'application/json', ...headers } })
}
