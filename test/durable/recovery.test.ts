// What a new instance finds of the one before, while requests come in; and that a run which was ended unread stays ended.

import { abortAllDurableObjects, reset, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Runner } from '../../durable/runner/runner.ts'
import { aDefinition } from '../support/builders.ts'
import { fakeUpstream, silence } from '../support/fake-upstream.ts'
import { aTenant, type RunView, shown, type TestTenant } from '../support/runner.ts'

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

const sql = (stub: DurableObjectStub<Runner>, query: string) =>
  runInDurableObject(stub, (_, state) => state.storage.sql.exec(query).toArray())

const get = async (tenant: TestTenant, runId: string): Promise<RunView> => shown(await tenant.runner().get(runId, 0))

/** Lets `act` happen while recovery waits for the name of the first run that it loads to be on disk. */
async function whileRecovering(tenant: TestTenant, act: (runner: Runner) => Promise<unknown>): Promise<void> {
  await runInDurableObject(tenant.runner(), async (runner, { storage }) => {
    const sync = storage.sync.bind(storage)
    let acted: Promise<unknown> | null = null
    Object.defineProperty(storage, 'sync', {
      configurable: true,
      value: async () => {
        acted ??= act(runner)
        await acted
        await sync()
      },
    })
    await runner.alarm()
    expect(acted, 'recovery has loaded a run').not.toBeNull()
    Reflect.deleteProperty(storage, 'sync')
  })
}

/** Live runs that sleep, as many as fill whatever is read of them at a time; due before `dueAt`. */
async function sleepers(tenant: TestTenant, count: number, dueAt: number): Promise<void> {
  const sleeping = aDefinition({ nap: [] }, { name: 'sleeping', timeout: '30d' })
  Object.assign(sleeping.tasks[0]!, { type: 'sleep', with: { for: '10d' } })
  await tenant.register(sleeping)
  const { runId } = tenant.start('sleeping')
  await tenant.runner().start(tenant.start('sleeping', { runId, waitMs: 0 }))
  await sql(
    tenant.runner(),
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
     INSERT INTO runs SELECT 'run_0001M' || printf('%023d', n.i), workflow, version, status, created_at, ${dueAt}, in_flight,
       is_unreadable, spilled, payloads, history_length, payload_bytes, summary, head
     FROM n JOIN runs ON runs.id = '${runId}'`,
  )
}

describe('recovery', () => {
  test('finds the attempts of every run that was in flight, however requests move runs meanwhile', async () => {
    const tenant = aTenant()
    const { requests } = fakeUpstream(silence)
    await tenant.register(aDefinition({ a: [] }, { name: 'early', timeout: '1h' }))
    const moved = aDefinition({ call: [], told: [], nap: ['told'] }, { name: 'moved', timeout: '30d' })
    Object.assign(moved.tasks[1]!, { type: 'wait_for_event', with: { event: 'go' } })
    Object.assign(moved.tasks[2]!, { type: 'sleep', with: { for: '5m' } })
    await tenant.register(moved)
    const start = tenant.start('moved', { waitMs: 0 })
    await tenant.runner().start(tenant.start('early', { waitMs: 0 }))
    await tenant.runner().start(start)
    await vi.waitUntil(() => requests.length === 2)
    await sleepers(tenant, 600, Date.now() + 2 * 3_600_000)
    await abortAllDurableObjects()
    await whileRecovering(tenant, async (runner) => {
      // What it was due for lay behind all others, what it is due for now lies before them.
      expect(await runner.signal({ runId: start.runId, id: 's', name: 'go', data: 'null' })).toMatchObject({
        deliveredTo: ['told'],
      })
    })
    const run = await get(tenant, start.runId)
    expect(run.tasks.map(({ id, status }) => [id, status])).toEqual([
      ['call', 'waiting'],
      ['told', 'succeeded'],
      ['nap', 'waiting'],
    ])
    expect(run.tasks[0]!.attempts).toMatchObject([{ status: 'interrupted' }])
  })

  test('ends no run as poisoned that has ended since it was suspected', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }))
    const start = tenant.start('wf')
    await tenant.runner().start(start)
    await sql(tenant.runner(), `INSERT INTO suspect (one, run_id, starts) VALUES (1, '${start.runId}', 2)`)
    await abortAllDurableObjects()
    await runInDurableObject(tenant.runner(), (runner) => runner.alarm())
    expect(await get(tenant, start.runId)).toMatchObject({ status: 'succeeded', error: null })
    expect(await sql(tenant.runner(), 'SELECT * FROM suspect')).toEqual([])
  })
})

describe('a run that was ended unread', () => {
  /** A run that sleeps and was ended unread; the next instance has not seen it yet. */
  async function ended(): Promise<{ tenant: TestTenant; runId: string }> {
    const tenant = aTenant()
    const definition = aDefinition({ nap: [] }, { timeout: '2h' })
    Object.assign(definition.tasks[0]!, { type: 'sleep', with: { for: '1h' } })
    await tenant.register(definition)
    const start = tenant.start('wf', { waitMs: 0 })
    await tenant.runner().start(start)
    await sql(tenant.runner(), `INSERT INTO suspect (one, run_id, starts) VALUES (1, '${start.runId}', 2)`)
    await abortAllDurableObjects()
    await runDurableObjectAlarm(tenant.runner())
    expect(await get(tenant, start.runId)).toMatchObject({ status: 'failed', error: { code: 'run_poisoned' } })
    return { tenant, runId: start.runId }
  }
  const row = async ({ tenant, runId }: { tenant: TestTenant; runId: string }) =>
    (await sql(tenant.runner(), `SELECT status, due_at, is_unreadable FROM runs WHERE id = '${runId}'`))[0]
  const DEAD = { status: 'failed', due_at: null, is_unreadable: 1 }

  test('is not loaded when a circuit closes that held it back', async () => {
    const run = await ended()
    const barrier = { state: 'open', askAt: Date.now() + 3_600_000, trials: [] }
    await sql(run.tenant.runner(), `INSERT INTO circuits VALUES ('x', '${JSON.stringify({ revision: 1, barrier })}')`)
    await sql(run.tenant.runner(), `INSERT INTO circuit_waits VALUES ('x', '${run.runId}')`)
    await abortAllDurableObjects()
    await run.tenant.runner().circuitChanged('x', { revision: 2, state: 'closed', askAt: 0 })
    await vi.waitUntil(async () => (await sql(run.tenant.runner(), 'SELECT * FROM circuit_waits')).length === 0)
    expect(await row(run)).toEqual(DEAD)
  })

  test('takes no signal, pause, resume or cancel, and can be deleted', async () => {
    const run = await ended()
    const { tenant, runId } = run
    const told = await tenant.runner().signal({ runId, id: 's', name: 'go', data: 'null' })
    expect(told).toMatchObject({ kind: 'run_finished', status: 'failed' })
    for (const act of ['pause', 'resume', 'cancel'] as const) {
      expect(await tenant.runner()[act](runId), act).toMatchObject({ kind: 'run_finished', status: 'failed' })
    }
    expect(await row(run)).toEqual(DEAD)
    expect(await tenant.runner().delete(runId)).toEqual({ kind: 'deleted' })
  })

  test('and was made due again by a release before is ended once more, and keeps nobody waiting', async () => {
    const run = await ended()
    await sql(run.tenant.runner(), `UPDATE runs SET status = 'running', due_at = 1 WHERE id = '${run.runId}'`)
    await abortAllDurableObjects()
    await runInDurableObject(run.tenant.runner(), (runner) => runner.alarm())
    expect(await row(run)).toEqual(DEAD)
    const alarmAt = await runInDurableObject(run.tenant.runner(), (_, { storage }) => storage.getAlarm())
    expect(alarmAt).toBeGreaterThan(Date.now() + 60_000)
  })
})
