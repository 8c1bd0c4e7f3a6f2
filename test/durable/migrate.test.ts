// migrate: numbered statements, each run once per object.

import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, test } from 'vitest'
import { migrate } from '../../durable/migrate.ts'

/** Runs the body with the SQL of an object that no migration has touched. */
function inNewObject(body: (sql: SqlStorage) => void): Promise<void> {
  const stub = env.REGISTRY.get(env.REGISTRY.newUniqueId())
  return runInDurableObject(stub, (_, state) => {
    state.storage.sql.exec('DROP TABLE IF EXISTS migrations')
    body(state.storage.sql)
  })
}

function tables(sql: SqlStorage): string[] {
  const query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'test_%' ORDER BY name"
  return [...sql.exec<{ name: string }>(query)].map(({ name }) => name)
}

const ONE = 'CREATE TABLE test_one (a INTEGER)'
const TWO = 'CREATE TABLE test_two (a INTEGER)'

describe('migrate', () => {
  test('runs every statement of a new object, in order', () =>
    inNewObject((sql) => {
      migrate(sql, [ONE, 'INSERT INTO test_one VALUES (1)', TWO])
      expect(tables(sql)).toEqual(['test_one', 'test_two'])
      expect(sql.exec('SELECT count(*) AS n FROM test_one').one()).toEqual({ n: 1 })
    }))

  test('runs none twice', () =>
    inNewObject((sql) => {
      const list = [ONE, 'INSERT INTO test_one VALUES (1)']
      migrate(sql, list)
      migrate(sql, list)
      expect(sql.exec('SELECT count(*) AS n FROM test_one').one()).toEqual({ n: 1 })
    }))

  test('catches up with statements that were added', () =>
    inNewObject((sql) => {
      migrate(sql, [ONE])
      migrate(sql, [ONE, TWO])
      expect(tables(sql)).toEqual(['test_one', 'test_two'])
    }))

  test('leaves an object alone that is newer than its code', () =>
    inNewObject((sql) => {
      migrate(sql, [ONE, TWO])
      migrate(sql, [ONE])
      migrate(sql, [ONE, TWO])
      expect(tables(sql)).toEqual(['test_one', 'test_two'])
    }))

  test('goes on after the last statement that succeeded', () =>
    inNewObject((sql) => {
      expect(() => migrate(sql, [ONE, 'CREATE NONSENSE', TWO])).toThrow()
      expect(tables(sql)).toEqual(['test_one'])
      migrate(sql, [ONE, 'INSERT INTO test_one VALUES (2)', TWO])
      expect(tables(sql)).toEqual(['test_one', 'test_two'])
      expect(sql.exec('SELECT a FROM test_one').toArray()).toEqual([{ a: 2 }])
    }))
})
