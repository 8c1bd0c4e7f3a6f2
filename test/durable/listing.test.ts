// Pages of a shard that holds a hundred thousand runs: what a filter finds, how far a page looks, and what it costs.
// The rows are written by hand, since starting them all would take minutes.

import { reset, runInDurableObject } from 'cloudflare:test'
import { afterEach, expect, test } from 'vitest'
import { Rows } from '../../durable/rows.ts'
import { listRuns } from '../../durable/runner/listing.ts'
import type { Runner } from '../../durable/runner/runner.ts'
import type { ListFilter } from '../../durable/runner/runner-rpc.ts'
import { aTenant } from '../support/runner.ts'

afterEach(async () => {
  await reset()
})

const PREFIX = 'run_00'
const HOUR = 3_600_000
const CREATED_AT = Date.parse('2026-10-23T12:00:00Z')
const ulidOf = (n: number) => `01K${String(n).padStart(23, '0')}`

/** Run `n` of `count`: created n ms after the first, every thousandth failed, every 20,000th a retry and every 30,000th a child. */
async function filled(count: number): Promise<DurableObjectStub<Runner>> {
  const stub = aTenant().runner()
  await runInDurableObject(stub, (_, state) => {
    const statement = `WITH RECURSIVE n(i) AS (SELECT CAST(? AS INTEGER) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)
      INSERT INTO runs (id, workflow, version, status, created_at, in_flight, spilled, payloads, history_length, payload_bytes, summary, head)
      SELECT '${PREFIX}01K' || printf('%023d', i), 'wf-' || (i % 10), 1 + (i >= 50000),
        iif(i % 1000 = 0, 'failed', 'succeeded'), ${CREATED_AT} + i, 0, 0, 0, 400, 0,
        json_object('id', i, 'trigger', json_object('type', iif(i % 20000 = 0, 'retry', 'api')),
          'parent', iif(i % 30000 = 0, json_object('run_id', 'run_0001KPARENT'), NULL),
          'tags', json_array('shard', 't' || (i % 5000)),
          'error', json_object('message', 'says "rare" and "t7"'), 'rest', printf('%400s', '')), printf('%400s', '') FROM n`
    for (let from = 0; from < count; from += 5_000) {
      state.storage.sql.exec(statement, from, Math.min(count, from + 5_000))
    }
  })
  return stub
}

/** Every run that a filter finds, as their numbers, and how many pages that took. */
async function all(stub: DurableObjectStub<Runner>, filter: ListFilter, limit = 200) {
  const found: number[] = []
  let pages = 0
  for (let before: string | null = null; ; pages++) {
    const page: Awaited<ReturnType<Runner['list']>> = await stub.list(filter, before, limit)
    found.push(...page.items.map(({ body }) => (JSON.parse(body) as { id: number }).id))
    before = page.horizon
    if (before === null) return { found, pages: pages + 1 }
  }
}

const descending = (count: number, is: (n: number) => boolean) =>
  Array.from({ length: count }, (_, n) => count - 1 - n).filter(is)

test('a filter finds exactly what it says in 100,000 runs, in pages that look at 5,000', async () => {
  const count = 100_000
  const stub = await filled(count)
  const isFailed = (n: number) => n % 1_000 === 0
  expect(await all(stub, { status: 'failed' })).toEqual({ found: descending(count, isFailed), pages: 21 })
  expect((await all(stub, { status: 'failed' }, 7)).found).toEqual(descending(count, isFailed))
  expect((await all(stub, { trigger: 'retry' })).found).toEqual([80_000, 60_000, 40_000, 20_000, 0])
  expect((await all(stub, { parent: 'run_0001KPARENT' })).found).toEqual([90_000, 60_000, 30_000, 0])
  expect((await all(stub, { tag: 't17' })).found).toEqual(descending(count, (n) => n % 5_000 === 17))
  // A word in the text of an error is no tag.
  expect((await all(stub, { tag: 'rare' })).found).toEqual([])
  expect((await all(stub, { tag: 't7' })).found).toHaveLength(20)
  expect((await all(stub, { status: 'failed', tag: 't2000', version: 2, workflow: 'wf-0' })).found).toEqual(
    descending(count, (n) => n % 5_000 === 2_000 && n >= 50_000),
  )
  const since = CREATED_AT + 99_998
  expect((await all(stub, { since })).found).toEqual([99_999, 99_998])
  expect((await all(stub, { until: CREATED_AT + 2 })).found).toEqual([1, 0])
  expect((await all(stub, { since: CREATED_AT + 3, until: CREATED_AT + 5, tag: 'shard' })).found).toEqual([4, 3])
})

test('a page that begins in the middle goes on from there, and one before everything is empty', async () => {
  const stub = await filled(6_000)
  const first = await stub.list({ status: 'failed' }, ulidOf(5_500), 200)
  expect(first.items.map(({ ulid }) => ulid)).toEqual([5_000, 4_000, 3_000, 2_000, 1_000].map(ulidOf))
  expect(first.horizon).toBe(ulidOf(500))
  expect(await stub.list({ status: 'failed' }, first.horizon, 200)).toEqual({
    items: [{ ulid: ulidOf(0), body: expect.any(String) }],
    horizon: null,
  })
  expect(await stub.list({}, ulidOf(0), 200)).toEqual({ items: [], horizon: null })
})

test('looks no further once runs are an hour older than `since`, and costs the rows that it looked at', async () => {
  const stub = await filled(20_000)
  expect((await all(stub, { since: CREATED_AT + HOUR })).pages).toBe(1)
  await runInDurableObject(stub, (_, state) => {
    const rows = new Rows(state.storage.sql)
    listRuns(rows, {}, PREFIX, null, 50)
    expect(rows.take().read).toBeLessThanOrEqual(100)
    listRuns(rows, { tag: 'nothing' }, PREFIX, null, 50)
    expect(rows.take().read).toBeLessThanOrEqual(10_000)
  })
})
