// Which version a name means, and what that version says. A Runner holds two things: leases on names, which the Registry
// grants for LEASE_MS and recalls when a name moves (so that writes are read), and definitions, which never change.

import {
  type CompiledWorkflow,
  compile,
  DEFAULT_RETENTION,
  type WorkflowDefinition,
} from '../../src/workflow/definition/definition.ts'
import { spanMs } from '../../src/workflow/span.ts'
import type { Registry } from '../registry/registry.ts'
import { LEASE_MS, type Resolved } from '../registry/registry-rpc.ts'
import type { Rows } from '../rows.ts'
import { inParts } from '../text-parts.ts'

/** Text of definitions that are kept compiled, in characters. */
const MAX_CACHED = 8 * 1024 * 1024

/** A lease ends this much earlier than the Registry believes, so that a start which found it valid commits while it is. */
const LEASE_MARGIN_MS = 100

export type VersionRef = number | 'latest' | null

/** The right to start this version of a name, until then. */
export interface Lease {
  version: number
  until: number
}

/** A version of a workflow. */
export interface Version {
  name: string
  version: number
}

/** What one step of a sweep saw. */
interface Swept {
  /** The last version that it looked at, when there are more. */
  last: Version | null
  /** Whether it left a version that no run has. */
  hasSpared: boolean
}

/** Versions that one step of a sweep looks at, of up to a megabyte each. */
const SWEPT = 50

/** `leased`: what the name means may be started, as long as the lease holds. */
type Answered = Exclude<Resolved, { kind: 'found' }> | { kind: 'leased' }

/** The leases and definitions of a Runner. */
export class Workflows {
  readonly #rows: Rows
  readonly #registry: () => DurableObjectStub<Registry>
  readonly #shard: () => number
  readonly #leases = new Map<string, Map<VersionRef, Lease>>()
  readonly #compiled = new Map<string, { workflow: CompiledWorkflow; length: number }>()
  /** Questions to the Registry that are under way. */
  readonly #asking = new Map<string, Promise<Answered>>()
  /** How many of them ask for a name, since each has told the Registry which versions are here; and how often it was recalled meanwhile. */
  readonly #questions = new Map<string, { count: number; recalls: number }>()
  /** Versions that were asked for since a sweep began; null while no sweep goes on. */
  #given: Set<string> | null = null
  #cachedLength = 0

  constructor(rows: Rows, registry: () => DurableObjectStub<Registry>, shard: () => number) {
    this.#rows = rows
    this.#registry = registry
    this.#shard = shard
  }

  /** The lease that this Runner has on a name, if it still holds. */
  lease(name: string, ref: VersionRef, now: number): Lease | null {
    const lease = this.#leases.get(name)?.get(ref)
    return lease !== undefined && now < lease.until ? lease : null
  }

  /** Asks the Registry what a name means now. What it finds may be started until the lease ends. */
  async resolve(name: string, ref: VersionRef): Promise<Answered> {
    const key = `${name}@${ref}`
    // Thousands that start at once ask once: by the time that each had its own answer, the first leases would be over. What an
    // earlier question did not find may be there by now, so only a lease is shared.
    const earlier = this.#asking.get(key)
    if (earlier !== undefined) {
      const shared = await earlier.catch(() => null)
      if (shared?.kind === 'leased') return shared
    }
    const asking = this.#ask(name, ref)
    this.#asking.set(key, asking)
    try {
      return await asking
    } finally {
      if (this.#asking.get(key) === asking) this.#asking.delete(key)
    }
  }

  async #ask(name: string, ref: VersionRef): Promise<Answered> {
    const questions = this.#questions.get(name) ?? { count: 0, recalls: 0 }
    this.#questions.set(name, questions)
    questions.count++
    try {
      return await this.#askRegistry(name, ref, questions)
    } finally {
      questions.count--
      if (questions.count === 0) this.#questions.delete(name)
    }
  }

  async #askRegistry(name: string, ref: VersionRef, questions: { readonly recalls: number }): Promise<Answered> {
    // Counted from before the question: the Registry's own count begins later, so its lease outlives ours.
    const askedAt = Date.now()
    const { recalls } = questions
    const resolved = await this.#registry().resolve(name, ref, this.#shard(), this.#heldVersions(name))
    if (resolved.kind !== 'found') return resolved
    if (resolved.definition !== undefined) this.#save(name, resolved.version, resolved.definition)
    // A recall that overtook the answer may have been about it: nothing is leased, and the caller asks again.
    if (recalls !== questions.recalls) return { kind: 'leased' }
    const leases = this.#leases.get(name) ?? new Map<VersionRef, Lease>()
    leases.set(ref, { version: resolved.version, until: askedAt + LEASE_MS - LEASE_MARGIN_MS })
    this.#leases.set(name, leases)
    return { kind: 'leased' }
  }

  /** Forgets the leases on a name that has moved: the next start of it has to ask. */
  recall(name: string): void {
    const questions = this.#questions.get(name)
    if (questions !== undefined) questions.recalls++
    this.#leases.delete(name)
  }

  /** @throws if this Runner never had that version: a run of it cannot be here then */
  get(name: string, version: number): CompiledWorkflow {
    const key = versionKey({ name, version })
    this.#given?.add(key)
    const cached = this.#compiled.get(key)
    if (cached !== undefined) {
      this.#compiled.delete(key)
      this.#compiled.set(key, cached)
      return cached.workflow
    }
    const text = this.#text(name, version)
    if (text === null) throw new Error(`the definition of ${key} is not here`)
    const workflow = compile(JSON.parse(text) as WorkflowDefinition)
    this.#compiled.set(key, { workflow, length: text.length })
    this.#cachedLength += text.length
    for (const [oldest, { length }] of this.#compiled) {
      if (this.#cachedLength <= MAX_CACHED || oldest === key) break
      this.#compiled.delete(oldest)
      this.#cachedLength -= length
    }
    return workflow
  }

  /**
   * How long runs of a version are kept, in ms; of one that is not here or cannot be read, as long as by default. Nothing is compiled
   * for it: runs that have ended would push the definitions of those that are live out of memory.
   */
  retentionMs(name: string, version: number): number {
    const compiled = this.#compiled.get(versionKey({ name, version }))
    if (compiled !== undefined) return compiled.workflow.retentionMs
    try {
      const { retention } = JSON.parse(this.#text(name, version) ?? '{}') as Pick<WorkflowDefinition, 'retention'>
      return spanMs(retention ?? DEFAULT_RETENTION)
    } catch {
      // A run that was ended unread may have a definition that cannot be read, and has to go all the same.
      return spanMs(DEFAULT_RETENTION)
    }
  }

  /** From now on it is remembered which versions are asked for: runs may begin that the sweep does not see. */
  beginSweep(): void {
    this.#given = new Set()
  }

  /**
   * One step of a sweep: deletes definitions that no run has. It leaves those that a run may have begun with since the sweep began,
   * and those that a start may count upon, by a lease or by an answer that is still to come: the Registry sends no definition
   * that is here. Any other version that is started later gets its definition again, with its next lease.
   * @param after the version that the step before looked at last; null for the first
   * @param isUsed whether a run has it, by `versionKey`
   */
  sweep(after: Version | null, isUsed: (key: string) => boolean, now: number): Swept {
    const found = this.#rows.all<{ name: string; version: number }>(
      `SELECT name, version FROM definitions WHERE (name, version) > (?, ?) AND part = 0
       ORDER BY name, version LIMIT ?`,
      after?.name ?? '',
      after?.version ?? 0,
      SWEPT,
    )
    const unused = found.filter((version) => !isUsed(versionKey(version)))
    const spared = unused.filter((version) => this.#isSpared(version, now))
    for (const version of unused) if (!spared.includes(version)) this.#remove(version)
    const last = found.length < SWEPT ? null : found.at(-1)!
    if (last === null) this.#given = null
    return { last, hasSpared: spared.length > 0 }
  }

  #isSpared({ name, version }: Version, now: number): boolean {
    if (this.#questions.has(name) || this.#given?.has(versionKey({ name, version })) === true) return true
    return [...(this.#leases.get(name)?.values() ?? [])].some((lease) => lease.version === version && now < lease.until)
  }

  #remove({ name, version }: Version): void {
    this.#rows.run('DELETE FROM definitions WHERE name = ? AND version = ?', name, version)
    // A lease that is over would hold again if the clock went back.
    for (const [ref, lease] of this.#leases.get(name) ?? []) {
      if (lease.version === version) this.#leases.get(name)!.delete(ref)
    }
    const key = versionKey({ name, version })
    this.#cachedLength -= this.#compiled.get(key)?.length ?? 0
    this.#compiled.delete(key)
  }

  /** Newest versions of a workflow that are here. */
  #heldVersions(name: string): number[] {
    return this.#rows
      .all<{ version: number }>(
        'SELECT version FROM definitions WHERE name = ? AND part = 0 ORDER BY version DESC LIMIT 20',
        name,
      )
      .map(({ version }) => version)
  }

  /** Versions are immutable, so a definition that is here is not written again. */
  #save(name: string, version: number, text: string): void {
    for (const [part, data] of inParts(text).entries()) {
      this.#rows.run(
        'INSERT OR IGNORE INTO definitions (name, version, part, data) VALUES (?, ?, ?, ?)',
        name,
        version,
        part,
        data,
      )
    }
  }

  #text(name: string, version: number): string | null {
    const parts = this.#rows.all<{ data: string }>(
      'SELECT data FROM definitions WHERE name = ? AND version = ? ORDER BY part',
      name,
      version,
    )
    return parts.length === 0 ? null : parts.map(({ data }) => data).join('')
  }
}

/** What a version is called in a set or a map. */
export function versionKey({ name, version }: Version): string {
  return `${name}@${version}`
}
