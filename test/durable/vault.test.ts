// What a Vault keeps, who can open it, and how its key is changed.

import { abortAllDurableObjects, reset, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type KeyRing, keyRingOf, seal, unseal } from '../../durable/vault/sealing.ts'
import { LEND_MS, MAX_SECRETS, Vault } from '../../durable/vault/vault.ts'
import type { Env } from '../../src/env.ts'
import { aDefinition } from '../support/builders.ts'
import { fakeUpstream } from '../support/fake-upstream.ts'
import { aTenant, shown } from '../support/runner.ts'

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

const keyOf = (seed: string) => btoa(seed.repeat(32).slice(0, 32))
const OLD = keyOf('old key')
const NEW = keyOf('new key')

let tenants = 0
const aVault = () => env.VAULT.get(env.VAULT.idFromName(`tenant-${++tenants}`))

/** Asks a Vault as a deployment with these keys would. */
function under<T>(
  stub: DurableObjectStub<Vault>,
  keys: Pick<Env, 'SECRETS_KEY' | 'SECRETS_KEY_PREVIOUS'>,
  ask: (vault: Vault) => Promise<T>,
): Promise<T> {
  const { SECRETS_KEY: _, ...rest } = env
  return runInDurableObject(stub, (__, state) => ask(new Vault(state, { ...rest, ...keys })))
}

const rowsOf = (stub: DurableObjectStub<Vault>) =>
  runInDurableObject(stub, (_, state) => state.storage.sql.exec('SELECT * FROM secrets ORDER BY name').toArray())

async function ring(keys: { SECRETS_KEY?: string; SECRETS_KEY_PREVIOUS?: string }, tenant = 'a') {
  const made = await keyRingOf(keys, tenant)
  if (!made.ok) throw new Error(made.why)
  return made as Extract<KeyRing, { ok: true }>
}

describe('sealing', () => {
  const place = { name: 'API_KEY', version: 1 }

  test('gives back what was sealed, whatever it is', async () => {
    const keys = await ring({ SECRETS_KEY: NEW })
    for (const value of ['12345678', 'ключ \u{1F511}\0\n', 'x'.repeat(32 * 1024), '\uFEFFwith a byte order mark']) {
      expect(await unseal(keys, 'a', place, await seal(keys.current, 'a', place, value))).toBe(value)
    }
  })

  test('never the same twice, and with nothing of the value', async () => {
    const { current } = await ring({ SECRETS_KEY: NEW })
    const [one, two] = [await seal(current, 'a', place, 'the value'), await seal(current, 'a', place, 'the value')]
    expect(new Uint8Array(one.nonce)).not.toEqual(new Uint8Array(two.nonce))
    expect(new Uint8Array(one.ciphertext)).not.toEqual(new Uint8Array(two.ciphertext))
    expect([one.nonce.byteLength, one.ciphertext.byteLength]).toEqual([12, 9 + 16])
    expect(new TextDecoder('latin1').decode(one.ciphertext)).not.toContain('value')
  })

  test('opens nothing that was changed, moved or sealed with another key', async () => {
    const keys = await ring({ SECRETS_KEY: NEW, SECRETS_KEY_PREVIOUS: OLD })
    const sealed = await seal(keys.current, 'a', place, 'the value')
    const flipped = (buffer: ArrayBuffer, at: number) => {
      const bytes = new Uint8Array(buffer.slice(0))
      bytes[at]! ^= 1
      return bytes.buffer
    }
    for (let at = 0; at < sealed.ciphertext.byteLength; at++) {
      expect(await unseal(keys, 'a', place, { ...sealed, ciphertext: flipped(sealed.ciphertext, at) })).toBeNull()
    }
    expect(await unseal(keys, 'a', place, { ...sealed, nonce: flipped(sealed.nonce, 0) })).toBeNull()
    expect(await unseal(keys, 'a', place, { ...sealed, ciphertext: sealed.ciphertext.slice(0, 8) })).toBeNull()
    expect(await unseal(keys, 'a', { ...place, name: 'API_KEY_2' }, sealed)).toBeNull()
    expect(await unseal(keys, 'a', { ...place, version: 2 }, sealed)).toBeNull()
    expect(await unseal(keys, 'b', place, sealed)).toBeNull()
    expect(await unseal(await ring({ SECRETS_KEY: NEW }, 'b'), 'a', place, sealed)).toBeNull()
    expect(await unseal(await ring({ SECRETS_KEY: OLD }), 'a', place, sealed)).toBeNull()
    // A row that names the wrong key is not opened with it either.
    expect(await unseal(keys, 'a', place, { ...sealed, keyId: keys.previous!.id })).toBeNull()
    expect(await unseal(keys, 'a', place, sealed)).toBe('the value')
  })

  test('keys differ by tenant, and their ids do not tell them', async () => {
    const [a, b] = [await ring({ SECRETS_KEY: NEW }), await ring({ SECRETS_KEY: NEW }, 'b')]
    expect(a.current.id).toBe(b.current.id)
    expect(a.current.id).toMatch(/^[0-9a-f]{16}$/)
    expect(a.current.key.extractable).toBe(false)
    expect((await ring({ SECRETS_KEY: `${NEW}\n` })).current.id).toBe(a.current.id)
    expect((await ring({ SECRETS_KEY: OLD })).current.id).not.toBe(a.current.id)
  })

  test.each([
    [{}, 'Set the secret SECRETS_KEY'],
    [{ SECRETS_KEY: '' }, 'Set the secret SECRETS_KEY'],
    [{ SECRETS_KEY: 'hunter2' }, 'SECRETS_KEY is not 32 bytes'],
    [{ SECRETS_KEY: btoa('x'.repeat(31)) }, 'SECRETS_KEY is not 32 bytes'],
    [{ SECRETS_KEY: btoa('x'.repeat(33)) }, 'SECRETS_KEY is not 32 bytes'],
    [{ SECRETS_KEY: `${NEW}${NEW}` }, 'SECRETS_KEY is not 32 bytes'],
    [{ SECRETS_KEY: NEW, SECRETS_KEY_PREVIOUS: 'hunter2' }, 'SECRETS_KEY_PREVIOUS is not 32 bytes'],
  ])('%j is refused in words that do not hold it', async (keys, why) => {
    const refused = await keyRingOf(keys, 'a')
    expect(refused).toMatchObject({ ok: false, why: expect.stringContaining(why) })
    expect(JSON.stringify(refused)).not.toContain('hunter2')
  })
})

describe('a Vault', () => {
  test('stores ciphertext alone, and gives values to whoever fills them in', async () => {
    const vault = aVault()
    const begunAt = Date.now()
    const kept = await vault.put('KEY', 'the first value')
    const createdAt = kept.kind === 'kept' ? kept.secret.createdAt : 0
    expect(createdAt).toBeGreaterThanOrEqual(begunAt)
    expect(kept).toEqual({
      kind: 'kept',
      isNew: true,
      secret: { name: 'KEY', createdAt, updatedAt: createdAt, key: 'current' },
    })
    expect(await vault.put('KEY', 'the second value')).toMatchObject({ kind: 'kept', isNew: false })
    expect(await vault.put('OTHER', 'another value')).toMatchObject({ isNew: true })
    const rows = await rowsOf(vault)
    expect(rows).toMatchObject([
      { name: 'KEY', version: 2, created_at: createdAt },
      { name: 'OTHER', version: 1 },
    ])
    const stored = rows.map(({ ciphertext }) => new TextDecoder('latin1').decode(ciphertext as ArrayBuffer)).join()
    expect(stored).not.toContain('value')
    expect(await vault.open(['OTHER', 'KEY'])).toMatchObject({
      kind: 'opened',
      values: [
        ['OTHER', 'another value'],
        ['KEY', 'the second value'],
      ],
    })
  })

  test('is of one tenant: rows of another are not opened, also when they are copied', async () => {
    const [mine, other] = [aVault(), aVault()]
    await mine.put('KEY', 'my own value')
    await other.put('KEY', 'what others have')
    expect(await other.open(['KEY'])).toMatchObject({ values: [['KEY', 'what others have']] })
    const [row] = await rowsOf(mine)
    await runInDurableObject(other, (_, state) => {
      const update = 'UPDATE secrets SET version = ?, nonce = ?, ciphertext = ?'
      state.storage.sql.exec(update, row!.version!, row!.nonce!, row!.ciphertext!)
    })
    expect(await other.open(['KEY'])).toMatchObject({ kind: 'unreadable' })
  })

  test('tells which names it does not have, also when it has no key', async () => {
    const vault = aVault()
    await vault.put('KEY', 'some value')
    expect(await vault.missing(['A', 'KEY', 'B'])).toEqual(['A', 'B'])
    expect(await vault.open(['A', 'KEY', 'B'])).toEqual({ kind: 'unknown', names: ['A', 'B'] })
    await under(vault, {}, async (bare) => {
      expect(await bare.open(['A'])).toEqual({ kind: 'unknown', names: ['A'] })
      expect(await bare.open(['KEY'])).toMatchObject({
        kind: 'unreadable',
        why: expect.stringContaining('SECRETS_KEY'),
      })
      for (const refused of [await bare.put('K', 'some value'), await bare.list(null, 1), await bare.remove('KEY')]) {
        expect(refused).toMatchObject({ kind: 'not_configured' })
      }
      expect(await bare.rotate()).toMatchObject({ kind: 'not_configured' })
    })
    expect(await rowsOf(vault)).toHaveLength(1)
  })

  test('lists by name, page by page', async () => {
    const vault = aVault()
    for (const name of ['c', 'a', '_', 'B']) await vault.put(name, 'some value')
    const page = await vault.list(null, 3)
    expect(page).toMatchObject({ items: [{ name: 'B' }, { name: '_' }, { name: 'a' }], next: 'a' })
    expect(await vault.list('a', 3)).toMatchObject({ items: [{ name: 'c' }], next: null })
  })

  test('holds 200, of which any can be replaced', async () => {
    const vault = aVault()
    await runInDurableObject(vault, async (instance: Vault) => {
      for (let i = 0; i < MAX_SECRETS; i++) await instance.put(`K${i}`, 'some value')
    })
    expect(await vault.put('MORE', 'some value')).toEqual({ kind: 'too_many' })
    expect(await vault.put('K7', 'some value')).toMatchObject({ kind: 'kept' })
    expect(await vault.remove('K8')).toEqual({ kind: 'removed' })
    expect(await vault.put('MORE', 'some value')).toMatchObject({ kind: 'kept' })
  })

  test('of two changes at once keeps one, whole', async () => {
    const vault = aVault()
    await Promise.all(Array.from({ length: 20 }, (_, i) => vault.put('KEY', `the value ${i}`)))
    expect(await vault.open(['KEY'])).toMatchObject({ values: [['KEY', expect.stringMatching(/^the value \d+$/)]] })
  })
})

test('the tasks of a tenant get its own secrets, and those of no other', async () => {
  const { requests } = fakeUpstream(() => Response.json({}))
  const [mine, other] = [aTenant(), aTenant()]
  await env.VAULT.get(env.VAULT.idFromName(mine.name)).put('KEY', 'my own value')
  const definition = aDefinition({ a: [] })
  definition.tasks[0]!.with = { url: 'https://upstream.test/', body: '${{ secrets.KEY }}' }
  for (const tenant of [mine, other]) await tenant.register(definition)
  const statuses = []
  for (const tenant of [mine, other]) {
    const run = shown(await tenant.runner().start(tenant.start(definition.name)))
    statuses.push([run.status, run.error?.code])
  }
  expect(statuses).toEqual([
    ['succeeded', undefined],
    ['failed', 'unknown_secret'],
  ])
  expect(requests.map(({ body }) => body)).toEqual(['my own value'])
})

describe('a change of the key', () => {
  test('opens what either key has sealed, and seals with the new one', async () => {
    const vault = aVault()
    await under(vault, { SECRETS_KEY: OLD }, async (old) => {
      await old.put('ONE', 'first value')
      await old.put('TWO', 'second value')
    })
    const keys = { SECRETS_KEY: NEW, SECRETS_KEY_PREVIOUS: OLD }
    await under(vault, keys, async (both) => {
      expect(await both.open(['ONE', 'TWO'])).toMatchObject({
        values: [
          ['ONE', 'first value'],
          ['TWO', 'second value'],
        ],
      })
      await both.put('TWO', 'a new value')
      expect(await both.list(null, 9)).toMatchObject({
        items: [
          { name: 'ONE', key: 'previous' },
          { name: 'TWO', key: 'current' },
        ],
      })
      expect(await both.rotate()).toEqual({ kind: 'rotated', rotated: 1, unreadable: [] })
      expect(await both.rotate()).toEqual({ kind: 'rotated', rotated: 0, unreadable: [] })
    })
    await under(vault, { SECRETS_KEY: NEW }, async (only) => {
      expect(await only.open(['ONE', 'TWO'])).toMatchObject({
        values: [
          ['ONE', 'first value'],
          ['TWO', 'a new value'],
        ],
      })
    })
    await under(vault, { SECRETS_KEY: OLD }, async (old) => {
      expect(await old.open(['ONE'])).toMatchObject({ kind: 'unreadable', why: expect.stringContaining('ONE') })
    })
  })

  test('names what no key opens, which can be set again', async () => {
    const vault = aVault()
    await under(vault, { SECRETS_KEY: OLD }, (old) => old.put('LOST', 'a lost value'))
    await under(vault, { SECRETS_KEY: NEW }, async (without) => {
      expect(await without.list(null, 9)).toMatchObject({ items: [{ name: 'LOST', key: 'unknown' }] })
      expect(await without.rotate()).toEqual({ kind: 'rotated', rotated: 0, unreadable: ['LOST'] })
      await without.put('LOST', 'found again')
      expect(await without.open(['LOST'])).toMatchObject({ values: [['LOST', 'found again']] })
    })
  })

  test('does not undo a change that is made meanwhile', async () => {
    const vault = aVault()
    await under(vault, { SECRETS_KEY: OLD }, (old) => old.put('KEY', 'an old value'))
    await under(vault, { SECRETS_KEY: NEW, SECRETS_KEY_PREVIOUS: OLD }, async (both) => {
      await both.list(null, 1) // Keys are derived already, so that both changes are under way at once.
      await Promise.all([both.rotate(), both.put('KEY', 'a new value'), both.rotate()])
      expect(await both.open(['KEY'])).toMatchObject({ values: [['KEY', 'a new value']] })
    })
  })
})

describe('a value that was lent', () => {
  /** Waits that a Vault makes are held, and set off by hand. */
  function heldWaits(): { waits: number[]; over: () => void } {
    const waits: number[] = []
    const over = Promise.withResolvers<void>()
    vi.spyOn(scheduler, 'wait').mockImplementation((ms) => {
      waits.push(ms)
      return over.promise
    })
    return { waits, over: over.resolve }
  }

  test.each(['put', 'remove'] as const)('is waited for by the answer to %s', async (change) => {
    const vault = aVault()
    await vault.put('KEY', 'the first value')
    const opened = await vault.open(['KEY'])
    expect(opened.kind === 'opened' && opened.forMs).toBeLessThan(LEND_MS)
    const { waits, over } = heldWaits()
    let hasAnswered = false
    const answer = (change === 'put' ? vault.put('KEY', 'the second value') : vault.remove('KEY')).then(() => {
      hasAnswered = true
    })
    await vi.waitFor(() => expect(waits).toHaveLength(1))
    expect(hasAnswered).toBe(false)
    expect(waits[0]).toBeGreaterThan(0)
    expect(waits[0]).toBeLessThanOrEqual(LEND_MS + 50)
    // What is asked for from now on is what holds now.
    const now = await vault.open(['KEY'])
    if (change === 'put') expect(now).toMatchObject({ values: [['KEY', 'the second value']] })
    else expect(now).toMatchObject({ kind: 'unknown' })
    over()
    await answer
  })

  test.each([
    ['put', 'put'],
    ['put', 'remove'],
    ['remove', 'put'],
    ['remove', 'remove'],
  ] as const)('is waited for by %s and by the %s that comes meanwhile', async (...changes) => {
    const vault = aVault()
    await vault.put('KEY', 'the first value')
    await vault.open(['KEY'])
    const { waits, over } = heldWaits()
    const answered: string[] = []
    const answers = changes.map(async (change) => {
      await (change === 'put' ? vault.put('KEY', 'the second value') : vault.remove('KEY'))
      answered.push(change)
    })
    await vi.waitFor(() => expect(waits).toHaveLength(2))
    expect(answered).toEqual([])
    for (const wait of waits) expect(wait).toBeGreaterThan(LEND_MS / 2)
    over()
    await Promise.all(answers)
    // Everybody has let go of it: the next change waits for nobody.
    await vault.put('KEY', 'the third value')
    expect(waits).toHaveLength(2)
  })

  test('a second time while the answer to a change waits is waited for by the next change', async () => {
    const vault = aVault()
    await vault.put('KEY', 'the first value')
    await vault.open(['KEY'])
    const { waits, over } = heldWaits()
    const answer = vault.put('KEY', 'the second value')
    await vi.waitFor(() => expect(waits).toHaveLength(1))
    const [row] = await rowsOf(vault)
    while (Date.now() === row!.updated_at) await vault.missing([]) // So that it is lent until another instant than before.
    await vault.open(['KEY'])
    over()
    await answer
    await vault.put('KEY', 'the third value')
    expect(waits).toHaveLength(2)
  })

  test('also by an earlier instance of the object', async () => {
    const vault = aVault()
    await vault.put('KEY', 'the first value')
    await vault.open(['KEY'])
    await abortAllDurableObjects()
    const { waits, over } = heldWaits()
    over()
    await env.VAULT.get(vault.id).remove('KEY')
    expect(waits).toHaveLength(1)
  })

  test('holds nobody up whose value nobody has', async () => {
    const vault = aVault()
    const { waits } = heldWaits()
    await vault.put('KEY', 'the first value')
    await vault.put('KEY', 'the second value')
    await vault.remove('KEY')
    expect(waits).toEqual([])
  })
})
