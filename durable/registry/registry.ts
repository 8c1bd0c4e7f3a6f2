// Registry: one Durable Object a tenant; which workflows there are, and their versions. Configuration only, never runs.
//
// Everything between a read and the write that rests on it is synchronous, so equal requests at once are safe, and each method
// may be repeated: a repeat finds what the first did, and waits for the same recalls.
//
// Read your writes: a Runner may start a version for as long as its lease on the name's pointer lasts (LEASE_MS). An answer to
// a registration, deletion, pause or resume leaves only when every lease on that name is recalled or has run out.

import { DurableObject } from 'cloudflare:workers'
import { hex } from '../../src/bytes.ts'
import type { Env } from '../../src/env.ts'
import { runnerOf } from '../../src/objects.ts'
import type { WorkflowRef } from '../../src/workflow/definition/workflow-ref.ts'
import { isJsonObject } from '../../src/workflow/json.ts'
import { nearest } from '../../src/workflow/nearest.ts'
import { canonicalText } from '../../src/workflow/sound.ts'
import { migrate } from '../migrate.ts'
import { Leases } from './leases.ts'
import {
  LEASE_MS,
  type Missing,
  type MissingWorkflow,
  type Page,
  type Registered,
  type Resolved,
  type StoredVersion,
  type VersionSummary,
  type WorkflowSummary,
} from './registry-rpc.ts'
import { MIGRATIONS, type VersionRow, Versions, type WorkflowRow } from './versions.ts'

/** How much longer than a lease the Registry waits: clocks of two objects differ a little. */
const MARGIN_MS = 50

/** Names that one that is not there is compared with, and how many of those get a proposal: each costs a comparison with all. */
const MAX_COMPARED_NAMES = 1_000
const MAX_PROPOSALS = 20

/** The Durable Object that keeps a tenant's workflows. Every method may be repeated. */
export class Registry extends DurableObject<Env> {
  readonly #versions: Versions
  readonly #leases = new Leases(LEASE_MS)
  /** Until then a Runner may hold a lease that an earlier instance of this object gave. */
  readonly #inheritedUntil: number
  /** Names that are being recalled, so that a second change or a repeat waits for the first one's Runners too. */
  readonly #recalls = new Map<string, Promise<unknown>>()

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    migrate(ctx.storage.sql, MIGRATIONS)
    this.#versions = new Versions(ctx.storage)
    this.#inheritedUntil = this.#versions.isEmpty ? 0 : Date.now() + LEASE_MS
  }

  /**
   * Stores the next version of a name, unless the newest is the same definition. Equal is what differs in the order of
   * members only. That is looked at before `ifMatch`: what a repeat wants is done already (RFC 9110, section 13.1.1).
   * Writes 2 rows (and 1 for each 512 KB of a larger definition), 0 if unchanged or refused.
   * @param definition JSON text of a WorkflowDefinition that parseDefinition made
   * @param ifMatch version that must be the newest; '*' for any; null for no condition
   * @param starts workflows that its tasks start: the answer tells those that are not there
   */
  async register(
    name: string,
    definition: string,
    ifMatch: number | '*' | null,
    starts: readonly WorkflowRef[] = [],
  ): Promise<Registered> {
    const parsed: unknown = JSON.parse(definition)
    const fingerprint = await sha256(canonicalText(parsed))
    const hadVersions = this.#versions.hadVersions(name)
    const workflow = this.#versions.workflow(name)
    const latest = workflow?.latest ?? 0
    if (workflow !== null && this.#versions.version(name, latest)?.fingerprint === fingerprint) {
      const stored = this.#stored(workflow, latest)
      await this.#recall(name)
      return { kind: 'unchanged', stored, missing: this.#missing(starts) }
    }
    if (ifMatch !== null && (latest === 0 || (ifMatch !== '*' && ifMatch !== latest))) {
      return { kind: 'version_conflict', latest }
    }
    const description = isJsonObject(parsed) && typeof parsed.description === 'string' ? parsed.description : null
    const version = this.#versions.add({ name, definition, description, fingerprint }, Date.now())
    const stored = this.#stored(this.#versions.workflow(name)!, version)
    if (hadVersions) await this.#recall(name)
    return { kind: 'created', stored, missing: this.#missing(starts) }
  }

  /**
   * Those of the given workflows that cannot be started, with the nearest known name. Writes nothing.
   * @param as a definition that is looked at as if it were registered: it may start itself
   */
  async missing(refs: readonly WorkflowRef[], as?: { name: string; definition: string }): Promise<MissingWorkflow[]> {
    return this.#missing(
      refs,
      as !== undefined && refs.some(({ name }) => name === as.name) ? await this.#coming(as) : null,
    )
  }

  /** A version of a workflow: by number, the newest (`latest`), or the one that a start of the name takes (`live`). Writes nothing. */
  async get(name: string, version: number | 'latest' | 'live'): Promise<StoredVersion | Missing> {
    const workflow = this.#versions.workflow(name)
    if (workflow === null) return { kind: 'workflow_not_found' }
    const wanted = typeof version === 'number' ? version : workflow[version]
    if (this.#versions.version(name, wanted) === null) return { kind: 'version_not_found', latest: workflow.latest }
    return this.#stored(workflow, wanted)
  }

  /** Workflows by name, from the one after `after`. */
  async list(after: string | null, limit: number): Promise<Page<WorkflowSummary, string>> {
    const rows = this.#versions.workflows(after ?? '', limit + 1)
    const items = rows.slice(0, limit).map(toSummary)
    return { items, next: rows.length > limit ? items.at(-1)!.name : null }
  }

  /** Versions of a name, newest first, from the one before `before`. */
  async versions(name: string, before: number | null, limit: number): Promise<Page<VersionSummary, number> | Missing> {
    if (this.#versions.workflow(name) === null) return { kind: 'workflow_not_found' }
    const rows = this.#versions.versions(name, before ?? Number.MAX_SAFE_INTEGER, limit + 1)
    const items = rows.slice(0, limit).map(({ version, created_at }) => ({ version, createdAt: created_at }))
    return { items, next: rows.length > limit ? items.at(-1)!.version : null }
  }

  /**
   * Deletes a workflow with all its versions. Runs go on: their Runners keep what they began with. The number of the newest
   * version stays, so that none is given twice. Writes 1 row, and 1 for each version and part.
   * @returns whether there was one; a repeat finds none, and waits all the same
   */
  async remove(name: string): Promise<boolean> {
    const isThere = this.#versions.workflow(name) !== null
    if (isThere) this.#versions.remove(name, Date.now())
    if (this.#versions.hadVersions(name)) await this.#recall(name)
    return isThere
  }

  /** Stops new starts, or takes them again. Writes 1 row, 0 if it is so already. Answers with the live version. */
  async setPaused(name: string, paused: boolean): Promise<StoredVersion | Missing> {
    const before = this.#versions.workflow(name)
    if (before === null) return { kind: 'workflow_not_found' }
    if ((before.paused === 1) !== paused) this.#versions.setPaused(name, paused, Date.now())
    const workflow = this.#versions.workflow(name)!
    const stored = this.#stored(workflow, workflow.live)
    await this.#recall(name)
    return stored
  }

  /**
   * What a Runner may start by a name from now on, for LEASE_MS at most, or until `recall` is called on it. A recall may
   * overtake this answer: a Runner that is told to recall a name forgets the answers that it still waits for, too.
   * Refusals are no leases. Writes no row.
   * @param shard the Runner that asks
   * @param has versions of the name whose definition it holds
   */
  async resolve(
    name: string,
    version: number | 'latest' | null,
    shard: number,
    has: readonly number[],
  ): Promise<Resolved> {
    const workflow = this.#versions.workflow(name)
    if (workflow === null) return { kind: 'workflow_not_found' }
    const wanted = typeof version === 'number' ? version : workflow[version ?? 'live']
    if (this.#versions.version(name, wanted) === null) return { kind: 'version_not_found', latest: workflow.latest }
    if (workflow.paused === 1) return { kind: 'workflow_paused' }
    this.#leases.grant(name, shard, Date.now())
    if (has.includes(wanted)) return { kind: 'found', version: wanted }
    return { kind: 'found', version: wanted, definition: this.#versions.definition(name, wanted) }
  }

  /**
   * Resolves once no Runner can start what the name meant before. Leases given from now on are on what it means now and
   * are not waited for, so this ends after a lease's length at the latest.
   */
  async #recall(name: string): Promise<void> {
    const now = Date.now()
    const holders = [...this.#leases.take(name, now)].map(([shard, until]) => this.#recallFrom(shard, name, until))
    const inherited = this.#inheritedUntil > now ? [after(this.#inheritedUntil).promise] : []
    const recalled = Promise.all([this.#recalls.get(name), ...inherited, ...holders])
    this.#recalls.set(name, recalled)
    await recalled
    if (this.#recalls.get(name) === recalled) this.#recalls.delete(name)
  }

  /** Never rejects: a Runner that does not answer can start the old version only until its lease has run out. */
  async #recallFrom(shard: number, name: string, until: number): Promise<void> {
    const runner = runnerOf(this.env, this.ctx.id.name!, shard)
    const expiry = after(until)
    await Promise.race([runner.recall(name).catch(() => expiry.promise), expiry.promise])
    expiry.cancel()
  }

  /** The version that a definition would have if it were registered now. */
  async #coming({
    name,
    definition,
  }: {
    name: string
    definition: string
  }): Promise<{ name: string; version: number }> {
    const fingerprint = await sha256(canonicalText(JSON.parse(definition)))
    const latest = this.#versions.workflow(name)?.latest
    const isThere = latest !== undefined && this.#versions.version(name, latest)?.fingerprint === fingerprint
    return { name, version: isThere ? latest : this.#versions.nextVersion(name) }
  }

  /** @param coming a version that counts as there, and as the newest of its name */
  #missing(refs: readonly WorkflowRef[], coming: { name: string; version: number } | null = null): MissingWorkflow[] {
    let names: string[] | undefined
    let compared = 0
    return refs.flatMap((ref): MissingWorkflow[] => {
      const latest = coming?.name === ref.name ? coming.version : this.#versions.workflow(ref.name)?.latest
      if (latest === undefined) {
        names ??= this.#versions.workflows('', MAX_COMPARED_NAMES).map(({ name }) => name)
        const like = compared++ < MAX_PROPOSALS ? nearest(ref.name, names) : null
        return [{ ref, why: { kind: 'workflow_not_found' }, nearest: like }]
      }
      const { version } = ref
      if (typeof version !== 'number' || version === latest) return []
      if (this.#versions.version(ref.name, version) !== null) return []
      return [{ ref, why: { kind: 'version_not_found', latest }, nearest: null }]
    })
  }

  #stored(workflow: WorkflowRow, version: number): StoredVersion {
    const { name, live, latest, paused } = workflow
    const { created_at }: VersionRow = this.#versions.version(name, version)!
    const definition = this.#versions.definition(name, version)
    return { name, version, definition, createdAt: created_at, live, latest, paused: paused === 1 }
  }
}

function toSummary({ name, live, latest, description, paused, updated_at }: WorkflowRow): WorkflowSummary {
  return { name, live, latest, description, paused: paused === 1, updatedAt: updated_at }
}

/** A timer that goes off when leases with this end are over for sure; no later than that even if the clock was set back. */
function after(until: number): { promise: Promise<void>; cancel: () => void } {
  let timer: ReturnType<typeof setTimeout>
  const promise = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.min(until - Date.now(), LEASE_MS) + MARGIN_MS)
  })
  return { promise, cancel: () => clearTimeout(timer) }
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return hex(new Uint8Array(digest))
}
