// Registry: versions of workflows, and that what was there before can no longer be started once a change is answered.

import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Registry } from '../../durable/registry/registry.ts'
import type { Registered } from '../../durable/registry/registry-rpc.ts'
import { aDefinition } from '../support/builders.ts'

const tenants: string[] = []

/** A tenant that nobody else uses; its Registry is named after it. */
function aTenant(): string {
  const tenant = `t${tenants.length}`
  tenants.push(tenant)
  return tenant
}

function registryOf(tenant: string): DurableObjectStub<Registry> {
  return env.REGISTRY.get(env.REGISTRY.idFromName(tenant))
}

/** Text of a definition called `wf` that differs from others by its description. */
function text(description: string): string {
  return JSON.stringify(aDefinition({ a: [], b: ['a'] }, { description }))
}

function versionOf(registered: Registered): number | string {
  return registered.kind === 'version_conflict' ? registered.kind : registered.stored.version
}

afterEach(() => vi.restoreAllMocks())

describe('register', () => {
  test('stores the first version, and answers with it', async () => {
    const registry = registryOf(aTenant())
    const registered = await registry.register('wf', text('one'), null)
    expect(registered).toEqual({
      kind: 'created',
      missing: [],
      stored: {
        name: 'wf',
        version: 1,
        definition: text('one'),
        createdAt: expect.any(Number),
        live: 1,
        latest: 1,
        paused: false,
      },
    })
  })

  test('numbers every change, and is unchanged by what is the newest already', async () => {
    const registry = registryOf(aTenant())
    const versions = []
    for (const change of ['one', 'one', 'two', 'two', 'one']) {
      const registered = await registry.register('wf', text(change), null)
      versions.push([registered.kind, versionOf(registered)])
    }
    expect(versions).toEqual([
      ['created', 1],
      ['unchanged', 1],
      ['created', 2],
      ['unchanged', 2],
      ['created', 3],
    ])
  })

  test('does not count the order of members, at any depth, but that of tasks', async () => {
    const registry = registryOf(aTenant())
    const a = { id: 'a', type: 'http', depends_on: [], with: { url: 'x', headers: { one: '1', two: '2' } } }
    const sameAsA = { with: { headers: { two: '2', one: '1' }, url: 'x' }, depends_on: [], type: 'http', id: 'a' }
    const b = { id: 'b', type: 'http', depends_on: [] }
    await registry.register('wf', JSON.stringify({ name: 'wf', tasks: [a, b] }), null)
    const same = await registry.register('wf', JSON.stringify({ tasks: [sameAsA, b], name: 'wf' }), null)
    expect(same.kind).toBe('unchanged')
    expect((await registry.register('wf', JSON.stringify({ name: 'wf', tasks: [b, a] }), null)).kind).toBe('created')
  })

  test('tells apart what differs only under a member called __proto__', async () => {
    const registry = registryOf(aTenant())
    await registry.register('wf', '{"tasks":[{"with":{"json":{"__proto__":1}}}]}', null)
    const other = await registry.register('wf', '{"tasks":[{"with":{"json":{"__proto__":2}}}]}', null)
    expect(versionOf(other)).toBe(2)
  })

  test('with If-Match changes the version that it names, and no other', async () => {
    const registry = registryOf(aTenant())
    expect(await registry.register('wf', text('one'), 1)).toEqual({ kind: 'version_conflict', latest: 0 })
    expect(await registry.register('wf', text('one'), '*')).toEqual({ kind: 'version_conflict', latest: 0 })
    await registry.register('wf', text('one'), null)
    expect(versionOf(await registry.register('wf', text('two'), 1))).toBe(2)
    expect(await registry.register('wf', text('three'), 1)).toEqual({ kind: 'version_conflict', latest: 2 })
    expect(versionOf(await registry.register('wf', text('three'), '*'))).toBe(3)
    expect((await registry.get('wf', 'latest')) satisfies object).toMatchObject({ definition: text('three') })
  })

  test('repeated after its answer was lost finds its work done, whatever If-Match says', async () => {
    const registry = registryOf(aTenant())
    await registry.register('wf', text('one'), null)
    await registry.register('wf', text('two'), 1)
    const repeat = await registry.register('wf', text('two'), 1)
    expect([repeat.kind, versionOf(repeat)]).toEqual(['unchanged', 2])
  })

  test('called many times at once gives every change a number of its own, and equal ones the same', async () => {
    const registry = registryOf(aTenant())
    const changes = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].flatMap((change) => [change, change, change])
    const registered = await Promise.all(changes.map((change) => registry.register('wf', text(change), null)))
    const created = registered.filter(({ kind }) => kind === 'created').map(versionOf)
    expect(new Set(created).size).toBe(created.length)
    const page = await registry.versions('wf', null, 200)
    expect('items' in page && page.items.map(({ version }) => version)).toEqual(created.sort((a, b) => +b - +a))
  })

  test('called twice at once with If-Match lets one win', async () => {
    const registry = registryOf(aTenant())
    await registry.register('wf', text('one'), null)
    const both = await Promise.all(['two', 'three'].map((change) => registry.register('wf', text(change), 1)))
    expect(both.map(({ kind }) => kind).sort()).toEqual(['created', 'version_conflict'])
  })

  test('refuses what is no JSON as the bug that it is, and stores nothing', async () => {
    const registry = registryOf(aTenant())
    await runInDurableObject(registry, (instance) =>
      expect(instance.register('wf', '{', null)).rejects.toThrow(SyntaxError),
    )
    expect(await registry.get('wf', 'live')).toEqual({ kind: 'workflow_not_found' })
  })
})

describe('a definition of 4 MiB', () => {
  const definition = (fill: string) => JSON.stringify({ name: 'wf', tasks: [], output: fill })

  test('is kept in rows below 1 MB, and comes back letter by letter after a restart', async () => {
    const registry = registryOf(aTenant())
    // Characters of 1 to 4 bytes, so that parts end in the middle of one.
    const large = definition('aé漢🙂'.repeat(4 * 1024 * 104))
    expect(new TextEncoder().encode(large).length).toBeGreaterThan(4 * 1024 * 1024)
    await registry.register('wf', large, null)
    await evictDurableObject(registry)
    const stored = await registry.get('wf', 'live')
    expect('definition' in stored && stored.definition === large).toBe(true)
    const sizes = await runInDurableObject(registry, (_, state) =>
      state.storage.sql
        .exec<{ size: number }>(
          'SELECT length(bytes) AS size FROM version_parts UNION ALL SELECT coalesce(length(definition), 0) FROM versions',
        )
        .toArray(),
    )
    expect(Math.max(...sizes.map(({ size }) => size))).toBeLessThanOrEqual(512 * 1024)
    const resolved = await registry.resolve('wf', null, 0, [])
    expect(resolved.kind === 'found' && resolved.definition === large).toBe(true)
  })

  test('of exactly one part stands in its row; one byte more, and it is parted', async () => {
    const registry = registryOf(aTenant())
    const bare = definition('').length
    for (const [name, bytes] of [
      ['fits', 512 * 1024],
      ['parted', 512 * 1024 + 1],
    ] as const) {
      const text = definition('x'.repeat(bytes - bare))
      await registry.register(name, text, null)
      expect(await registry.get(name, 1)).toMatchObject({ definition: text })
    }
    const parts = await runInDurableObject(registry, (_, state) =>
      state.storage.sql.exec('SELECT name, count(*) AS parts FROM version_parts GROUP BY name').toArray(),
    )
    expect(parts).toEqual([{ name: 'parted', parts: 2 }])
  })

  test('leaves nothing behind when it is deleted', async () => {
    const registry = registryOf(aTenant())
    await registry.register('wf', definition('x'.repeat(2 * 1024 * 1024)), null)
    await registry.remove('wf')
    const left = await runInDurableObject(registry, (_, state) =>
      state.storage.sql
        .exec('SELECT (SELECT count(*) FROM versions) + (SELECT count(*) FROM version_parts) AS left')
        .one(),
    )
    expect(left).toEqual({ left: 0 })
  })
})

describe('get, list and versions', () => {
  test('get finds the live, the newest and any other version, and says which there is', async () => {
    const registry = registryOf(aTenant())
    for (const change of ['one', 'two', 'three']) await registry.register('wf', text(change), null)
    const of = async (version: number | 'latest' | 'live') => {
      const stored = await registry.get('wf', version)
      return 'kind' in stored ? stored : [stored.version, stored.live, stored.latest, stored.definition]
    }
    expect(await of('live')).toEqual([3, 3, 3, text('three')])
    expect(await of('latest')).toEqual([3, 3, 3, text('three')])
    expect(await of(1)).toEqual([1, 3, 3, text('one')])
    for (const version of [0, 4, -1, 1.5, Number.NaN, 2 ** 60]) {
      expect(await of(version)).toEqual({ kind: 'version_not_found', latest: 3 })
    }
  })

  test.each(['nothing', '', '__proto__', 'constructor', "'; DROP TABLE workflows; --", '漢'])(
    'nothing is found by a name that was never registered: %j',
    async (name) => {
      const registry = registryOf(aTenant())
      await registry.register('wf', text('one'), null)
      const missing = { kind: 'workflow_not_found' }
      expect(await registry.get(name, 'live')).toEqual(missing)
      expect(await registry.versions(name, null, 10)).toEqual(missing)
      expect(await registry.setPaused(name, true)).toEqual(missing)
      expect(await registry.resolve(name, null, 0, [])).toEqual(missing)
      expect(await registry.remove(name)).toBe(false)
      expect(await registry.get('wf', 'live')).toMatchObject({ version: 1 })
    },
  )

  test('list pages through the names in order, without those that were deleted', async () => {
    const registry = registryOf(aTenant())
    expect(await registry.list(null, 10)).toEqual({ items: [], next: null })
    for (const name of ['c', 'a', 'B', 'gone', 'b']) await registry.register(name, text(`of ${name}`), null)
    await registry.register('a', text('of a, again'), null)
    await registry.remove('gone')
    const first = await registry.list(null, 2)
    expect(first.items.map(({ name }) => name)).toEqual(['B', 'a'])
    expect(first.items[1]).toEqual({
      name: 'a',
      live: 2,
      latest: 2,
      description: 'of a, again',
      paused: false,
      updatedAt: expect.any(Number),
    })
    const second = await registry.list(first.next, 2)
    expect([second.items.map(({ name }) => name), second.next]).toEqual([['b', 'c'], null])
    expect(await registry.list('c', 2)).toEqual({ items: [], next: null })
  })

  test('a workflow without a description is listed with null', async () => {
    const registry = registryOf(aTenant())
    await registry.register('wf', JSON.stringify(aDefinition({ a: [] })), null)
    expect((await registry.list(null, 1)).items[0]!.description).toBe(null)
  })

  test('versions pages from the newest to the first', async () => {
    const registry = registryOf(aTenant())
    for (const change of ['one', 'two', 'three']) await registry.register('wf', text(change), null)
    const first = await registry.versions('wf', null, 2)
    expect(first).toEqual({
      items: [3, 2].map((version) => ({ version, createdAt: expect.any(Number) })),
      next: 2,
    })
    expect(await registry.versions('wf', 2, 2)).toMatchObject({ items: [{ version: 1 }], next: null })
  })
})

describe('remove', () => {
  test('takes every version away, and says whether there was a workflow', async () => {
    const registry = registryOf(aTenant())
    await registry.register('wf', text('one'), null)
    expect([await registry.remove('wf'), await registry.remove('wf')]).toEqual([true, false])
    expect(await registry.get('wf', 1)).toEqual({ kind: 'workflow_not_found' })
    expect(await registry.resolve('wf', 1, 0, [1])).toEqual({ kind: 'workflow_not_found' })
  })

  test('frees no number: what is registered next is a new version, also when it is equal', async () => {
    const registry = registryOf(aTenant())
    await registry.register('wf', text('one'), null)
    await registry.register('wf', text('two'), null)
    await registry.remove('wf')
    expect(await registry.register('wf', text('two'), 2)).toEqual({ kind: 'version_conflict', latest: 0 })
    const again = await registry.register('wf', text('two'), null)
    expect([again.kind, versionOf(again)]).toEqual(['created', 3])
    for (const old of [1, 2]) {
      expect(await registry.get('wf', old)).toEqual({ kind: 'version_not_found', latest: 3 })
      expect(await registry.resolve('wf', old, 0, [])).toEqual({ kind: 'version_not_found', latest: 3 })
    }
  })

  test('ends a pause: a workflow of the same name begins anew', async () => {
    const registry = registryOf(aTenant())
    await registry.register('wf', text('one'), null)
    await registry.setPaused('wf', true)
    await registry.remove('wf')
    expect(await registry.register('wf', text('one'), null)).toMatchObject({ stored: { version: 2, paused: false } })
  })

  test('leaves other workflows as they are', async () => {
    const registry = registryOf(aTenant())
    await registry.register('wf', text('one'), null)
    await registry.register('wf2', text('one'), null)
    await registry.remove('wf')
    expect(await registry.get('wf2', 'live')).toMatchObject({ version: 1 })
  })
})

describe('setPaused', () => {
  test('stops starts of any version, and takes them again', async () => {
    const registry = registryOf(aTenant())
    await registry.register('wf', text('one'), null)
    expect(await registry.setPaused('wf', true)).toMatchObject({ version: 1, paused: true, definition: text('one') })
    for (const version of [null, 'latest', 1] as const) {
      expect(await registry.resolve('wf', version, 0, [])).toEqual({ kind: 'workflow_paused' })
    }
    expect(await registry.get('wf', 'live')).toMatchObject({ paused: true })
    expect(await registry.setPaused('wf', true)).toMatchObject({ paused: true })
    expect(await registry.setPaused('wf', false)).toMatchObject({ paused: false })
    expect(await registry.resolve('wf', null, 0, [1])).toEqual({ kind: 'found', version: 1 })
  })

  test('holds for versions that come later', async () => {
    const registry = registryOf(aTenant())
    await registry.register('wf', text('one'), null)
    await registry.setPaused('wf', true)
    expect(await registry.register('wf', text('two'), null)).toMatchObject({ stored: { version: 2, paused: true } })
  })

  test('does not hide that a version does not exist', async () => {
    const registry = registryOf(aTenant())
    await registry.register('wf', text('one'), null)
    await registry.setPaused('wf', true)
    expect(await registry.resolve('wf', 9, 0, [])).toEqual({ kind: 'version_not_found', latest: 1 })
  })
})

describe('resolve', () => {
  test('hands the definition to a Runner that has not got it', async () => {
    const registry = registryOf(aTenant())
    await registry.register('wf', text('one'), null)
    await registry.register('wf', text('two'), null)
    const found = (version: number, definition: string) => ({ kind: 'found', version, definition })
    expect(await registry.resolve('wf', null, 0, [])).toEqual(found(2, text('two')))
    expect(await registry.resolve('wf', 'latest', 0, [1])).toEqual(found(2, text('two')))
    expect(await registry.resolve('wf', 1, 0, [2])).toEqual(found(1, text('one')))
    expect(await registry.resolve('wf', 1, 0, [2, 1])).toEqual({ kind: 'found', version: 1 })
  })
})

describe('what was registered', () => {
  test.each([
    ['an eviction', (registry: DurableObjectStub<Registry>) => evictDurableObject(registry)],
    ['a crash', () => abortAllDurableObjects()],
  ])('outlives %s', async (_, end) => {
    const tenant = aTenant()
    await registryOf(tenant).register('wf', text('one'), null)
    await registryOf(tenant).setPaused('wf', true)
    await registryOf(tenant).register('gone', text('one'), null)
    await registryOf(tenant).remove('gone')
    await end(registryOf(tenant))
    const registry = registryOf(tenant)
    expect(await registry.get('wf', 'live')).toMatchObject({ version: 1, paused: true, definition: text('one') })
    expect(await registry.get('gone', 'live')).toEqual({ kind: 'workflow_not_found' })
  })

  test('belongs to its tenant alone', async () => {
    await registryOf(aTenant()).register('wf', text('one'), null)
    expect(await registryOf(aTenant()).get('wf', 'live')).toEqual({ kind: 'workflow_not_found' })
  })
})
