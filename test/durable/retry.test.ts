// Runs that are made again, in the real runtime: payloads, crashes, large runs, and what they cost.

import { abortAllDurableObjects, reset, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Runner } from '../../durable/runner/runner.ts'
import type { RetryRequest } from '../../durable/runner/runner-rpc.ts'
import { aDefinition } from '../support/builders.ts'
import { fakeUpstream, silence } from '../support/fake-upstream.ts'
import { aRunId, aTenant, shown } from '../support/runner.ts'

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

const sql = (stub: DurableObjectStub<Runner>, query: string) =>
  runInDurableObject(stub, (_, state) => state.storage.sql.exec(query).toArray())

const aRetry = (of: string, rest: Partial<RetryRequest> = {}): RetryRequest => ({
  runId: aRunId(),
  of,
  from: 'failed',
  version: null,
  idempotency: null,
  ...rest,
})

const failing = (broken: string) => (request: Request) =>
  Response.json({ text: 'x'.repeat(40_000) }, { status: request.url.endsWith(broken) ? 500 : 200 })

describe('a retry', () => {
  test('has copies of its own of a large input and large outputs', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [], b: ['a'] }))
    fakeUpstream(failing('b'))
    const input = JSON.stringify('i'.repeat(30_000))
    const first = shown(await tenant.runner().start(tenant.start('wf', { input })))
    vi.restoreAllMocks()
    fakeUpstream(failing('none'))
    const retry = aRetry(first.id)
    await tenant.runner().retry(retry)
    await tenant.runner().get(retry.runId, 5_000)
    expect(await tenant.runner().delete(first.id)).toEqual({ kind: 'deleted' })
    await runDurableObjectAlarm(tenant.runner())
    await abortAllDurableObjects()
    const run = shown(await tenant.runner().get(retry.runId, 0))
    expect([run.status, run.input]).toEqual(['succeeded', 'i'.repeat(30_000)])
    expect(run.tasks[0]).toMatchObject({ id: 'a', reused: true, output: { body: { text: 'x'.repeat(40_000) } } })
    const payloads = await sql(tenant.runner(), 'SELECT DISTINCT run_id FROM payloads')
    expect(payloads).toEqual([{ run_id: retry.runId }])
  })

  test('that is asked for twice with one id is one run', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [], b: ['a'] }))
    const { requests } = fakeUpstream(failing('b'))
    const first = shown(await tenant.runner().start(tenant.start('wf')))
    const retry = aRetry(first.id)
    const answers = await Promise.all([tenant.runner().retry(retry), tenant.runner().retry(retry)])
    expect(answers.map(({ kind }) => kind)).toEqual(['run', 'run'])
    await tenant.runner().get(retry.runId, 5_000)
    expect(requests.map(({ url }) => url.at(-1))).toEqual(['a', 'b', 'b'])
  })

  test('survives a crash: what was taken over is not made, what was cut off is made again', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [], b: ['a'] }, { timeout: '60s' }))
    fakeUpstream(failing('b'))
    const first = shown(await tenant.runner().start(tenant.start('wf')))
    vi.restoreAllMocks()
    fakeUpstream(silence)
    const retry = aRetry(first.id)
    await tenant.runner().retry(retry)
    await abortAllDurableObjects()
    vi.restoreAllMocks()
    const { requests } = fakeUpstream(failing('none'))
    for (let turn = 0; turn < 5; turn++) {
      const at = await runInDurableObject(tenant.runner(), (_, state) => state.storage.getAlarm())
      if (at !== null) vi.spyOn(Date, 'now').mockReturnValue(at)
      await runDurableObjectAlarm(tenant.runner())
      if (shown(await tenant.runner().get(retry.runId, 50)).status === 'succeeded') break
    }
    const run = shown(await tenant.runner().get(retry.runId, 0))
    expect(run.status).toBe('succeeded')
    expect(run.tasks.map(({ attempts }) => attempts.map(({ status }) => status))).toEqual([
      [],
      ['interrupted', 'succeeded'],
    ])
    expect(requests.map(({ url }) => url.at(-1))).toEqual(['b'])
  })

  test('of thousands of tasks takes them over in one step and goes on', async () => {
    const tenant = aTenant()
    const shape = Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`t${i}?`, []]))
    await tenant.register(aDefinition({ ...shape, last: ['t0'] }, { timeout: '60s', on_failure: 'continue' }))
    fakeUpstream(failing('last'))
    const first = shown(await tenant.runner().start(tenant.start('wf')))
    expect(first).toMatchObject({ status: 'failed', progress: { succeeded: 3_000, failed: 1 } })
    vi.restoreAllMocks()
    const { requests } = fakeUpstream(failing('none'))
    const retry = aRetry(first.id)
    await tenant.runner().retry(retry)
    const run = shown(await tenant.runner().get(retry.runId, 10_000))
    expect(run).toMatchObject({ status: 'succeeded', progress: { succeeded: 3_001 } })
    expect(requests).toHaveLength(1)
  })

  test('of a run that was ended unread is refused', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }))
    const first = shown(await tenant.runner().start(tenant.start('wf')))
    await sql(tenant.runner(), `UPDATE runs SET is_unreadable = 1, status = 'failed'`)
    await abortAllDurableObjects()
    expect(await tenant.runner().retry(aRetry(first.id))).toEqual({ kind: 'run_unreadable' })
  })

  test('stays as short as the run before was made, and no longer than the version allows', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }))
    const first = shown(await tenant.runner().start(tenant.start('wf', { timeoutMs: 3_000 })))
    await tenant.register(aDefinition({ 'a?': [] }, { timeout: '2s' }))
    const limits = async (version: number) => {
      const retry = aRetry(first.id, { from: 'start', version })
      expect(await tenant.runner().retry(retry)).toMatchObject({ kind: 'run', status: 'succeeded' })
      const events = await tenant.runner().events(retry.runId, 0, 1)
      return events.kind === 'page' ? JSON.parse(events.items[0]!).data.timeout_ms : null
    }
    expect([await limits(1), await limits(2)]).toEqual([3_000, 2_000])
  })
})

test('retries that copy much have a turn each', async () => {
  fakeUpstream(() => new Response('', { status: 400 }))
  const tenant = aTenant()
  await tenant.register(aDefinition({ a: [] }))
  const start = tenant.start('wf')
  await tenant.runner().start(start)
  // As if it had kept so much.
  await runInDurableObject(tenant.runner(), (_, { storage }) => {
    storage.sql.exec(`UPDATE runs SET payload_bytes = ${60 * 1024 * 1024}`)
  })
  await abortAllDurableObjects()
  await runInDurableObject(tenant.runner(), async (instance, { storage }) => {
    const begun = () => storage.sql.exec('SELECT COUNT(*) AS runs FROM runs').one().runs
    const retry = () =>
      instance.retry({ runId: aRunId(), of: start.runId, from: 'failed', version: null, idempotency: null })
    // The first asks the Registry what the name means.
    await retry()
    await new Promise((resolve) => setTimeout(resolve, 0))
    const retries = [retry(), retry(), retry()]
    const seen = new Set<unknown>()
    for (let isDone = false; !isDone; ) {
      await new Promise((resolve) => setTimeout(resolve, 0))
      seen.add(begun())
      isDone = begun() === 5
    }
    await Promise.all(retries)
    expect(seen.size).toBeGreaterThanOrEqual(2)
  })
})
