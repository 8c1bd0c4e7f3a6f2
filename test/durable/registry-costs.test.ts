// What the Registry's calls cost, in rows: Durable Objects bill and slow down by them. registry.ts says the same figures.

import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, expect, test, vi } from 'vitest'
import { migrate } from '../../durable/migrate.ts'
import { MIGRATIONS } from '../../durable/registry/versions.ts'
import { aDefinition } from '../support/builders.ts'

afterEach(() => vi.restoreAllMocks())

const text = (description: string) => JSON.stringify(aDefinition({ a: [] }, { description }))
const large = (fill: string) => JSON.stringify({ name: 'large', tasks: [], output: fill.repeat(2.2 * 1024 * 1024) })

/** Counts from here on; each call tells the rows written and read since the one before. */
function rowsOf(sql: SqlStorage): () => [written: number, read: number] {
  const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = []
  const prototype = Object.getPrototypeOf(sql) as SqlStorage
  const exec = prototype.exec
  vi.spyOn(prototype, 'exec').mockImplementation(function (this: SqlStorage, ...args) {
    const cursor = exec.apply(this, args)
    // A recall may wake a Runner in the same isolate, whose rows are not this object's.
    if (this === sql) cursors.push(cursor)
    return cursor as never
  })
  const sum = (figures: number[]) => figures.reduce((a, b) => a + b, 0)
  return () => {
    const counted = cursors.splice(0)
    return [sum(counted.map(({ rowsWritten }) => rowsWritten)), sum(counted.map(({ rowsRead }) => rowsRead))]
  }
}

test('rows that each call writes and reads', async () => {
  const registry = env.REGISTRY.get(env.REGISTRY.idFromName('costs'))
  const costs = await runInDurableObject(registry, async (instance, state) => {
    const rows = rowsOf(state.storage.sql)
    const cost = async (call: Promise<unknown>) => {
      await call
      return rows()
    }
    return {
      first: await cost(instance.register('wf', text('one'), null)),
      unchanged: await cost(instance.register('wf', text('one'), null)),
      next: await cost(instance.register('wf', text('two'), null)),
      conflict: await cost(instance.register('wf', text('three'), 1)),
      large: await cost(instance.register('large', large('x'), null)),
      get: await cost(instance.get('wf', 'live')),
      list: await cost(instance.list(null, 50)),
      versions: await cost(instance.versions('wf', null, 50)),
      pause: await cost(instance.setPaused('wf', true)),
      'pause again': await cost(instance.setPaused('wf', true)),
      resume: await cost(instance.setPaused('wf', false)),
      resolve: await cost(instance.resolve('wf', null, 0, [])),
      'resolve with the definition there': await cost(instance.resolve('wf', null, 0, [2])),
      'resolve nothing': await cost(instance.resolve('nothing', null, 0, [])),
      'remove two versions': await cost(instance.remove('wf')),
      'remove again': await cost(instance.remove('wf')),
    }
  })
  expect(costs).toEqual({
    first: [2, 3],
    unchanged: [0, 5],
    next: [2, 7],
    conflict: [0, 3],
    large: [2 + 5, 8],
    get: [0, 4],
    list: [0, 2],
    versions: [0, 4],
    pause: [1, 5],
    'pause again': [0, 4],
    resume: [1, 5],
    resolve: [0, 3],
    'resolve with the definition there': [0, 2],
    'resolve nothing': [0, 0],
    'remove two versions': [1 + 2, 5],
    'remove again': [0, 2],
  })
})

test('rows that a new object writes for its tables, and one that has them', async () => {
  const registry = env.REGISTRY.get(env.REGISTRY.newUniqueId())
  const costs = await runInDurableObject(registry, (_, { storage: { sql } }) => {
    for (const table of ['migrations', 'workflows', 'versions', 'version_parts']) sql.exec(`DROP TABLE ${table}`)
    const rows = rowsOf(sql)
    migrate(sql, MIGRATIONS)
    const first = rows()
    migrate(sql, MIGRATIONS)
    return [first, rows()]
  })
  expect(costs).toEqual([
    [11, 8],
    [0, 1],
  ])
})
