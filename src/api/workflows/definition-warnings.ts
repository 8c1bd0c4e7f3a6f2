// Warnings about a definition that can be registered: names in it that do not exist (yet), and hosts that its calls may not
// reach. All of it may change before a run needs it, so none of it is a fault.

import type { MissingWorkflow } from '../../../durable/registry/registry-rpc.ts'
import type { Env } from '../../env.ts'
import { TASK_TYPES } from '../../tasks/schemas.ts'
import type { Warning } from '../../workflow/codes.ts'
import type { WorkflowDefinition } from '../../workflow/definition/definition.ts'
import { taskType } from '../../workflow/definition/task-types.ts'
import { parseWorkflowRef, type WorkflowRef } from '../../workflow/definition/workflow-ref.ts'
import { hasExpressions } from '../../workflow/expression/expression.ts'
import { secretsIn } from '../../workflow/expression/secret-uses.ts'
import { isJsonObject, type JsonObject } from '../../workflow/json.ts'
import { quoted } from '../../workflow/nearest.ts'
import { refusedOrigins } from './executor-check.ts'
import { missingSecrets } from './secrets.ts'

/** Different workflows, and different hosts, that are looked at for one definition; further ones are not spoken of. */
const MAX_NAMED = 500

/** What a task does, or a map for each item. */
interface Work {
  type: string
  config: JsonObject
  /** JSON Pointer to `config`. */
  at: string
}

/** A warning for each place that names a secret which does not exist. The Vault is asked only if there is such a place. */
export async function secretWarnings(
  env: Env,
  tenant: string,
  { tasks }: WorkflowDefinition,
  text: string,
): Promise<Warning[]> {
  if (!text.includes('secrets')) return []
  const uses = tasks.flatMap((task, index) => secretsIn(task.with, ['tasks', index, 'with']))
  if (uses.length === 0) return []
  const missing = new Set(await missingSecrets(env, tenant, [...new Set(uses.map(({ name }) => name))]))
  return uses
    .filter(({ name }) => missing.has(name))
    .map(({ name, path }) => {
      const message = `there is no secret "${name}" yet: until it is set the task fails with unknown_secret`
      return { path, code: 'missing_secret', message }
    })
}

/** A warning for each API key that is written out: everybody who may read the definition can read the key. */
export function literalKeyWarnings(definition: WorkflowDefinition): Warning[] {
  return worksOf(definition).flatMap(({ type, config, at }): Warning[] => {
    if (type !== 'inference' || typeof config.api_key !== 'string' || hasExpressions(config.api_key)) return []
    const message = 'is a key that whoever reads the definition sees; set a secret and write ${{ secrets.NAME }}'
    return [{ path: `${at}/api_key`, code: 'literal_key', message }]
  })
}

/** A warning for each call to a host, written out, that the egress policy refuses. */
export async function egressWarnings(definition: WorkflowDefinition): Promise<Warning[]> {
  const calls = worksOf(definition).flatMap(({ type, config, at }) => {
    const origin = taskType(TASK_TYPES, type)?.hostOf?.(config) ?? null
    // The parser of URLs takes an expression for a part of a host.
    if (origin === null || hasExpressions(origin)) return []
    return [{ origin, path: `${at}/${config.base_url === undefined ? 'url' : 'base_url'}` }]
  })
  const origins = [...new Set(calls.map(({ origin }) => origin))].slice(0, MAX_NAMED)
  const refused = new Map((await refusedOrigins(origins)).map(({ origin, why }) => [origin, why]))
  return calls.flatMap(({ origin, path }): Warning[] => {
    const why = refused.get(origin)
    if (why === undefined) return []
    const message = `${why}: the task fails with egress_denied unless EGRESS_ALLOW lists it`
    return [{ path, code: 'url_not_allowed', message }]
  })
}

/** The workflows that a definition starts, each once; those whose names only a run knows are not among them. */
export function workflowsStartedBy(definition: WorkflowDefinition): WorkflowRef[] {
  const started = new Map(startsOf(definition).map(({ text, ref }) => [text, ref]))
  return [...started.values()].slice(0, MAX_NAMED)
}

/** A warning for each place that starts one of these. */
export function workflowWarnings(definition: WorkflowDefinition, missing: readonly MissingWorkflow[]): Warning[] {
  if (missing.length === 0) return []
  const found = new Map(missing.map((one) => [textOf(one.ref), one]))
  return startsOf(definition).flatMap(({ text, ref, at }): Warning[] => {
    const one = found.get(textOf(ref))
    return one === undefined ? [] : [{ path: at, code: 'missing_workflow', message: missingText(text, one) }]
  })
}

function missingText(text: string, { ref, why, nearest }: MissingWorkflow): string {
  const end = 'the task fails with unknown_workflow'
  if (why.kind === 'version_not_found') return `${quoted(text)}: the newest version is ${why.latest}; until then ${end}`
  const like = nearest === null ? '' : `; did you mean ${quoted(nearest)}?`
  return `there is no workflow ${quoted(ref.name)} yet${like === '' ? ': until it is registered ' : `${like} Until it is registered `}${end}`
}

function startsOf(definition: WorkflowDefinition): { text: string; ref: WorkflowRef; at: string }[] {
  return worksOf(definition).flatMap(({ type, config, at }) => {
    if (type !== 'workflow' || typeof config.workflow !== 'string' || hasExpressions(config.workflow)) return []
    const ref = parseWorkflowRef(config.workflow)
    return ref === null || 'alias' in ref ? [] : [{ text: config.workflow, ref, at: `${at}/workflow` }]
  })
}

function textOf({ name, version }: WorkflowRef): string {
  return `${name}@${version}`
}

function worksOf({ tasks }: WorkflowDefinition): Work[] {
  return tasks.flatMap((task, index): Work[] => {
    if (task.with === undefined) return []
    const at = `/tasks/${index}/with`
    const inner = task.type === 'map' ? task.with.task : undefined
    if (!isJsonObject(inner)) return [{ type: task.type, config: task.with, at }]
    return [{ type: String(inner.type), config: inner.with as JsonObject, at: `${at}/task/with` }]
  })
}
