// Vault: one Durable Object a tenant; its secrets. Alone in knowing the keys: values come in to be sealed, and go out to the
// executor to be filled in, never back to the API. Rows hold ciphertext only.
//
// Sealing takes awaits, between which another call may come. So a row is written in the turn that decides whether it may be,
// and one that is sealed anew only if it is still the row that was read.
//
// Read your writes: an executor may use a value for LEND_MS without asking again. The answer to a change leaves only when
// everybody who was lent the old value has let go of it.

import { DurableObject } from 'cloudflare:workers'
import type { Env } from '../../src/env.ts'
import type { Opened } from '../../src/tasks/secrets/secrets.ts'
import { migrate } from '../migrate.ts'
import type { Page } from '../registry/registry-rpc.ts'
import { Rows } from '../rows.ts'
import { type KeyRing, keyRingOf, type Sealed, seal, unseal } from './sealing.ts'
import type { Kept, NotConfigured, SecretInfo } from './vault-rpc.ts'

/** How long an executor may use a value that it was given, in ms. */
export const LEND_MS = 1_000

/** How much longer the Vault waits: clocks differ a little. */
const MARGIN_MS = 50

/** Secrets of a tenant. */
export const MAX_SECRETS = 200

interface SecretRow {
  name: string
  version: number
  key_id: string
  nonce: ArrayBuffer
  created_at: number
  updated_at: number
  ciphertext: ArrayBuffer
}

const MIGRATIONS = [
  `CREATE TABLE secrets (name TEXT PRIMARY KEY, version INTEGER NOT NULL, key_id TEXT NOT NULL, nonce BLOB NOT NULL,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, ciphertext BLOB NOT NULL) WITHOUT ROWID`,
] as const

/** The Durable Object that keeps a tenant's secrets. Every method may be repeated. */
export class Vault extends DurableObject<Env> {
  readonly #rows: Rows
  /** Until when somebody may use a value of this name. */
  readonly #lentUntil = new Map<string, number>()
  /** Until when somebody may use a value that an earlier instance of this object has lent, under any name. */
  readonly #inheritedUntil: number
  #ring: Promise<KeyRing> | null = null

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    migrate(ctx.storage.sql, MIGRATIONS)
    this.#rows = new Rows(ctx.storage.sql)
    this.#inheritedUntil = this.#count() === 0 ? 0 : Date.now() + LEND_MS
  }

  /** Keeps a value under a name, in place of the one before. Writes 1 row. Safe to repeat. */
  async put(name: string, value: string): Promise<Kept> {
    const ring = await this.#keys()
    if (!ring.ok) return notConfigured(ring)
    const version = (this.#row(name)?.version ?? 0) + 1
    const sealed = await seal(ring.current, this.#tenant, { name, version }, value)
    const isNew = this.#row(name) === null
    if (isNew && this.#count() >= MAX_SECRETS) return { kind: 'too_many' }
    this.#rows.run(
      `INSERT INTO secrets (name, version, key_id, nonce, created_at, updated_at, ciphertext) VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)
        ON CONFLICT (name) DO UPDATE SET version = ?2, key_id = ?3, nonce = ?4, updated_at = ?5, ciphertext = ?6`,
      ...[name, version, sealed.keyId, sealed.nonce, Date.now(), sealed.ciphertext],
    )
    const secret = toInfo(this.#row(name)!, ring)
    await this.#returned(name)
    return { kind: 'kept', isNew, secret }
  }

  /** A page of the secrets without their values, by name, from the one after `after`. */
  async list(after: string | null, limit: number): Promise<Page<SecretInfo, string> | NotConfigured> {
    const ring = await this.#keys()
    if (!ring.ok) return notConfigured(ring)
    const query = 'SELECT name, key_id, created_at, updated_at FROM secrets WHERE name > ? ORDER BY name LIMIT ?'
    const rows = this.#rows.all<SecretRow>(query, after ?? '', limit + 1)
    const items = rows.slice(0, limit).map((row) => toInfo(row, ring))
    return { items, next: rows.length > limit ? items.at(-1)!.name : null }
  }

  /** Writes 1 row. */
  async remove(name: string): Promise<{ kind: 'removed' | 'secret_not_found' } | NotConfigured> {
    const ring = await this.#keys()
    if (!ring.ok) return notConfigured(ring)
    const isThere = this.#row(name) !== null
    if (isThere) this.#rows.run('DELETE FROM secrets WHERE name = ?', name)
    // A repeat finds nothing to delete, and waits all the same.
    await this.#returned(name)
    return { kind: isThere ? 'removed' : 'secret_not_found' }
  }

  /**
   * Seals with the current key every value that was sealed with the previous one; after that the previous key is not needed any more.
   * Writes 1 row for each. Safe to repeat.
   * @returns how many were sealed anew, and the names of those that no configured key opens
   */
  async rotate(): Promise<{ kind: 'rotated'; rotated: number; unreadable: string[] } | NotConfigured> {
    const ring = await this.#keys()
    if (!ring.ok) return notConfigured(ring)
    let rotated = 0
    const unreadable: string[] = []
    for (const { name } of this.#rows.all<{ name: string }>('SELECT name FROM secrets ORDER BY name')) {
      const row = this.#row(name)
      if (row === null || row.key_id === ring.current.id) continue
      const value = await unseal(ring, this.#tenant, row, toSealed(row))
      if (value === null) {
        unreadable.push(name)
        continue
      }
      const sealed = await seal(ring.current, this.#tenant, row, value)
      // Unless it was replaced or deleted meanwhile.
      this.#rows.run(
        'UPDATE secrets SET key_id = ?, nonce = ?, ciphertext = ? WHERE name = ? AND nonce = ?',
        ...[sealed.keyId, sealed.nonce, sealed.ciphertext, name, row.nonce],
      )
      rotated++
    }
    return { kind: 'rotated', rotated, unreadable }
  }

  /** Those of the given names that no secret has. */
  async missing(names: readonly string[]): Promise<string[]> {
    return names.filter((name) => this.#rows.one('SELECT 1 FROM secrets WHERE name = ?', name) === null)
  }

  /** The values of these names, for an executor that fills them in. Writes no row. */
  async open(names: readonly string[]): Promise<Opened> {
    const ring = await this.#keys()
    const rows = names.map((name) => this.#row(name))
    const unknown = names.filter((_, index) => rows[index] === null)
    if (unknown.length > 0) return { kind: 'unknown', names: unknown }
    if (!ring.ok) return { kind: 'unreadable', why: ring.why }
    const until = Date.now() + LEND_MS
    for (const name of names) this.#lentUntil.set(name, until)
    const values: [string, string][] = []
    for (const row of rows as SecretRow[]) {
      const value = await unseal(ring, this.#tenant, row, toSealed(row))
      if (value === null)
        return { kind: 'unreadable', why: `No configured key opens the secret ${row.name}; set it again` }
      values.push([row.name, value])
    }
    return { kind: 'opened', values, forMs: LEND_MS - MARGIN_MS }
  }

  /** Resolves once nobody can use a value of this name that was lent before now. */
  async #returned(name: string): Promise<void> {
    const now = Date.now()
    const lentUntil = this.#lentUntil.get(name) ?? 0
    const until = Math.max(lentUntil, this.#inheritedUntil)
    // No longer than that, even if the clock was set back.
    if (until > now) await scheduler.wait(Math.min(until - now, LEND_MS) + MARGIN_MS)
    // Not before: a second change, or the same one repeated, has to wait for the loan too. Unless it was lent again meanwhile.
    if (this.#lentUntil.get(name) === lentUntil) this.#lentUntil.delete(name)
  }

  #keys(): Promise<KeyRing> {
    this.#ring ??= keyRingOf(this.env, this.#tenant)
    return this.#ring
  }

  #row(name: string): SecretRow | null {
    return this.#rows.one<SecretRow>('SELECT * FROM secrets WHERE name = ?', name)
  }

  #count(): number {
    return this.#rows.one<{ count: number }>('SELECT count(*) AS count FROM secrets')!.count
  }

  /** It is the object's name (R8). */
  get #tenant(): string {
    const { name } = this.ctx.id
    if (name === undefined) throw new Error('a Vault is reached by its name, the tenant')
    return name
  }
}

function toInfo({ name, key_id, created_at, updated_at }: SecretRow, ring: Extract<KeyRing, { ok: true }>): SecretInfo {
  const key = key_id === ring.current.id ? 'current' : key_id === ring.previous?.id ? 'previous' : 'unknown'
  return { name, createdAt: created_at, updatedAt: updated_at, key }
}

function toSealed({ key_id, nonce, ciphertext }: SecretRow): Sealed {
  return { keyId: key_id, nonce, ciphertext }
}

function notConfigured({ why }: Extract<KeyRing, { ok: false }>): NotConfigured {
  return { kind: 'not_configured', why }
}
