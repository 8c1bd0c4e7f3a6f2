// The secrets of a call: fetched from the tenant's Vault, filled into `with`, and masked in whatever comes back.
// Values are kept in this isolate for the moment that the Vault lends them (it answers a change only when that is over), so
// that the items of a map do not each ask for the same.

import { utf8Length } from '../../bytes.ts'
import { fillSecrets, type SecretsAsked } from '../../workflow/expression/secret-marks.ts'
import type { JsonObject } from '../../workflow/json.ts'
import { failed } from '../failure.ts'
import type { PartialMask } from '../partials.ts'
import type { TaskCall, TaskResult } from '../plugin.ts'
import { MAX_SECRETS_BYTES, type Masking } from './masking.ts'
import { maskingOf } from './shared-maskings.ts'

/** What a Vault says when it is asked for values. Crosses RPC between releases (R9). */
export type Opened =
  /** `forMs`: how long they may be used without asking again, counted from before the question. */
  | { kind: 'opened'; values: [name: string, value: string][]; forMs: number }
  | { kind: 'unknown'; names: string[] }
  | { kind: 'unreadable'; why: string }

/** The Vaults as they are reached over RPC. */
export interface Vaults {
  open(tenant: string, names: readonly string[]): Promise<Opened>
}

/** A call that can be made, and what hides its secrets afterwards; or how it ends without being made. */
type Prepared =
  | {
      ok: true
      with: JsonObject
      hide: (result: TaskResult) => TaskResult
      holdsSecret?: (text: string) => boolean
      mask: PartialMask | null
    }
  | { ok: false; end: TaskResult }

/** Values that are kept, at most 32 KiB each. */
const MAX_KEPT = 200

const kept = new Map<string, { value: string; until: number }>()

/**
 * Fetches the secrets of a call and fills them in. A call without secrets is ready as it is.
 * @returns how the attempt ends, if a secret is unknown or unreadable or the secrets are too large
 */
export async function withSecrets(call: TaskCall, vaults: Vaults): Promise<Prepared> {
  const { secrets: asked, with: config } = call
  if (asked === undefined) return { ok: true, with: config, hide: (result) => result, mask: null }
  const lent = await valuesOf(asked, vaults)
  if (!('values' in lent)) return { ok: false, end: lent }
  const { values: found, until } = lent
  const bytes = [...found.values()].reduce((sum, value) => sum + utf8Length(value), 0)
  if (bytes > MAX_SECRETS_BYTES) {
    const what = `The secrets of the task have ${bytes} bytes together, more than ${MAX_SECRETS_BYTES}`
    return { ok: false, end: failed('secrets_too_large', what) }
  }
  const filled = fillSecrets(config, asked.nonce, found)
  if (filled === null) {
    return { ok: false, end: failed('expression_limit', 'The secrets of the task would fill in more than 1 MiB') }
  }
  const masking = maskingOf(found.values(), until)
  return {
    ok: true,
    with: filled as JsonObject,
    hide: (result) => hideSecrets(result, masking),
    mask: { mask: (text: string) => masking.maskMessage(text) as string, longest: masking.longest },
    holdsSecret: (text) => masking.maskValue(text) !== text,
  }
}

/** Values by their names, and until when all of them are lent, in ms since 1970. */
interface Lent {
  values: Map<string, string>
  until: number
}

async function valuesOf({ tenant, names }: SecretsAsked, vaults: Vaults): Promise<Lent | TaskResult> {
  const askedAt = Date.now()
  const values = new Map<string, string>()
  let until = Number.POSITIVE_INFINITY
  for (const name of names) {
    const known = kept.get(`${tenant}:${name}`)
    if (known === undefined || askedAt >= known.until) continue
    values.set(name, known.value)
    until = Math.min(until, known.until)
  }
  const missing = names.filter((name) => !values.has(name))
  if (missing.length === 0) return { values, until }
  const opened = await vaults.open(tenant, missing)
  switch (opened.kind) {
    case 'opened':
      for (const [name, value] of opened.values) {
        values.set(name, value)
        keep(`${tenant}:${name}`, value, askedAt + opened.forMs)
      }
      return { values, until: Math.min(until, askedAt + opened.forMs) }
    case 'unknown':
      return failed('unknown_secret', `There is no secret ${opened.names.join(', ')}`)
    case 'unreadable':
      return failed('secret_unreadable', opened.why)
    default:
      return opened satisfies never
  }
}

function keep(key: string, value: string, until: number): void {
  kept.delete(key)
  kept.set(key, { value, until })
  for (const oldest of kept.keys()) {
    if (kept.size <= MAX_KEPT) break
    kept.delete(oldest)
  }
}

function hideSecrets(result: TaskResult, masking: Masking): TaskResult {
  const logs = result.logs === undefined ? {} : { logs: result.logs.map((entry) => masking.maskMessage(entry)) }
  if (result.kind === 'succeeded') return { ...result, output: masking.maskValue(result.output), ...logs }
  if (result.kind === 'snoozed') return { ...result, ...logs }
  return {
    ...result,
    error: { ...result.error, message: masking.maskMessage(result.error.message) as string },
    ...logs,
  }
}
