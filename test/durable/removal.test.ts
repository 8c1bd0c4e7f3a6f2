// Deleting runs: what is gone at once, what goes in batches, and that a crash in between leaves nothing behind.

import { abortAllDurableObjects, reset, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Rows } from '../../durable/rows.ts'
import { Removal } from '../../durable/runner/removal.ts'
import type { Runner } from '../../durable/runner/runner.ts'
import { aDefinition } from '../support/builders.ts'
import { fakeUpstream, silence } from '../support/fake-upstream.ts'
import { aRunId, aTenant, shown } from '../support/runner.ts'

const NOBODY = { drop: () => {}, wake: () => {} }

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

const count = (stub: DurableObjectStub<Runner>, table: string) =>
  runInDurableObject(stub, (_, state) => state.storage.sql.exec(`SELECT COUNT(*) AS n FROM ${table}`).one().n)

/** A run that has ended, with rows of every kind. */
async function aLargeRun() {
  const tenant = aTenant()
  const shape = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`t${i}`, [] as string[]]))
  await tenant.register(aDefinition(shape, { max_parallel: 64, output: 'done', timeout: '1m' }))
  // Some outputs stay in the history, which then has rows of its own.
  fakeUpstream(({ url }) => Response.json('x'.repeat(url.endsWith('0') ? 10_000 : 20_000)))
  const start = tenant.start('wf')
  expect(shown(await tenant.runner().start(start)).status).toBe('succeeded')
  expect(await count(tenant.runner(), 'payloads')).toBe(135)
  expect(await count(tenant.runner(), 'commits')).toBeGreaterThan(0)
  return { tenant, runId: start.runId, runner: () => tenant.runner() }
}

describe('a deleted run', () => {
  test('is gone from every read and from lists at once, with a row that it alone had', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }))
    const [first, second] = [tenant.start('wf'), tenant.start('wf')]
    await tenant.runner().start(first)
    await tenant.runner().start(second)
    const { counts } = await tenant.runner().counts()
    expect(await tenant.runner().delete(first.runId)).toEqual({ kind: 'deleted' })
    expect(await tenant.runner().delete(first.runId)).toEqual({ kind: 'run_not_found' })
    const runner = tenant.runner()
    for (const read of [
      runner.get(first.runId, 1_000),
      runner.tasks(first.runId, null, 0, 10),
      runner.task(first.runId, 'a'),
      runner.output(first.runId, 'a'),
      runner.events(first.runId, 0, 10),
      runner.cancel(first.runId),
    ]) {
      expect(await read).toEqual({ kind: 'run_not_found' })
    }
    const { items } = await runner.list({}, null, 10)
    expect(items.map(({ body }) => (JSON.parse(body) as { id: string }).id)).toEqual([second.runId])
    expect(await count(runner, 'removals')).toBe(0)
    // What has been counted stays counted: a counter that goes down would look like a restart.
    expect((await runner.counts()).counts.wf!.runs).toEqual(counts.wf!.runs)
  })

  test('loses its other rows by the alarm, in batches, the note of it last', async () => {
    const { runner, runId } = await aLargeRun()
    expect(await runner().delete(runId)).toEqual({ kind: 'deleted' })
    expect(await runner().get(runId, 0)).toEqual({ kind: 'run_not_found' })
    expect(await count(runner(), 'runs')).toBe(0)
    expect(await count(runner(), 'payloads')).toBe(135)
    await runInDurableObject(runner(), async (_, state) => {
      const at = await state.storage.getAlarm()
      expect(at).not.toBeNull()
      expect(at!).toBeLessThanOrEqual(Date.now())
      const rows = new Rows(state.storage.sql)
      new Removal(rows, NOBODY).step()
      expect(rows.take().written).toBeLessThanOrEqual(101)
    })
    expect(await count(runner(), 'removals')).toBe(1)
    expect(await count(runner(), 'payloads')).toBeGreaterThan(0)
    await runDurableObjectAlarm(runner())
    for (const table of ['runs', 'commits', 'payloads', 'removals']) expect(await count(runner(), table)).toBe(0)
  })

  test('goes on going after a crash between two batches, without any request', async () => {
    const { runner, runId } = await aLargeRun()
    await runner().delete(runId)
    await runInDurableObject(runner(), (_, state) => new Removal(new Rows(state.storage.sql), NOBODY).step())
    await abortAllDurableObjects()
    expect(await runDurableObjectAlarm(runner())).toBe(true)
    for (const table of ['commits', 'payloads', 'removals']) expect(await count(runner(), table)).toBe(0)
    expect(await runner().get(runId, 0)).toEqual({ kind: 'run_not_found' })
  })

  test('takes nothing of another run with it', async () => {
    const { tenant, runner, runId } = await aLargeRun()
    const other = tenant.start('wf')
    const before = shown(await runner().start(other))
    await runner().delete(runId)
    await runDurableObjectAlarm(runner())
    await abortAllDurableObjects()
    expect(shown(await runner().get(other.runId, 0))).toEqual(before)
    expect(await count(runner(), 'payloads')).toBe(135)
  })

  test('that was ended unread can be deleted too', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }))
    const start = tenant.start('wf')
    await tenant.runner().start(start)
    await runInDurableObject(tenant.runner(), (_, { storage }) => {
      storage.sql.exec(`UPDATE runs SET is_unreadable = 1, head = '[1,'`)
    })
    await abortAllDurableObjects()
    expect(await tenant.runner().delete(start.runId)).toEqual({ kind: 'deleted' })
  })
})

describe('a run that goes on', () => {
  test('cannot be deleted, and whoever waits for it goes on waiting', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [] }))
    let isOpen = false
    fakeUpstream(async () => {
      while (!isOpen) await new Promise((resolve) => setTimeout(resolve, 1))
      return Response.json({})
    })
    const start = tenant.start('wf', { waitMs: 20_000 })
    const waiting = tenant.runner().start(start)
    await vi.waitFor(async () => expect((await tenant.runner().get(start.runId, 0)).kind).toBe('run'))
    const refused = await tenant.runner().delete(start.runId)
    expect(refused).toMatchObject({ kind: 'run_not_finished', status: 'running' })
    expect(shown(refused).id).toBe(start.runId)
    isOpen = true
    expect(shown(await waiting).status).toBe('succeeded')
    expect(await tenant.runner().delete(start.runId)).toEqual({ kind: 'deleted' })
  })

  test('a late report of an attempt of a deleted run changes nothing', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [] }, { timeout: '1m' }))
    fakeUpstream(silence)
    const start = tenant.start('wf', { waitMs: 0 })
    await tenant.runner().start(start)
    await tenant.runner().cancel(start.runId)
    expect(await tenant.runner().delete(start.runId)).toEqual({ kind: 'deleted' })
    await vi.waitFor(async () => expect((await tenant.runner().counts()).tasksRunning).toBe(0))
    await runDurableObjectAlarm(tenant.runner())
    expect(await count(tenant.runner(), 'runs')).toBe(0)
    expect(await tenant.runner().start(tenant.start('wf', { waitMs: 0 }))).toMatchObject({ kind: 'run' })
  })

  test('one that never was is not found', async () => {
    expect(await aTenant().runner().delete(aRunId())).toEqual({ kind: 'run_not_found' })
  })
})

describe('the key of a deleted run', () => {
  test('outlives it: a repeat is told so, another body is another matter, and a day later the key is free', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }))
    const start = (bodyHash = 'aa') => tenant.start('wf', { idempotency: { key: 'k', bodyHash } })
    const first = start()
    await tenant.runner().start(first)
    await tenant.runner().delete(first.runId)
    expect(await tenant.runner().start(start())).toEqual({ kind: 'run_deleted' })
    expect(await tenant.runner().start(start('bb'))).toEqual({ kind: 'idempotency_key_reused' })
    await abortAllDurableObjects()
    expect(await tenant.runner().start(start())).toEqual({ kind: 'run_deleted' })
    expect(await count(tenant.runner(), 'runs')).toBe(0)
    const now = Date.now()
    vi.spyOn(Date, 'now').mockReturnValue(now + 24 * 3_600_000 + 1)
    expect(await tenant.runner().start(start())).toMatchObject({ status: 'succeeded', replayed: false })
  })
})
