// Tasks that poll, in the real runtime: between calls there is a row and an alarm, and nothing else.

import {
  abortAllDurableObjects,
  evictDurableObject,
  reset,
  runDurableObjectAlarm,
  runInDurableObject,
} from 'cloudflare:test'
import { afterEach, expect, test, vi } from 'vitest'
import type { Runner } from '../../durable/runner/runner.ts'
import type { TaskDefinition } from '../../src/workflow/definition/definition.ts'
import type { JsonObject } from '../../src/workflow/json.ts'
import { aDefinition } from '../support/builders.ts'
import { fakeUpstream, silence } from '../support/fake-upstream.ts'
import { aTenant, type RunView, shown } from '../support/runner.ts'

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

const url = 'https://upstream.test/job'
const poll = { until: 'response.body.state == input.want', every: '10m' }

async function aStartedRun(tasks: (Partial<TaskDefinition> & { with: JsonObject })[], timeout = '30d') {
  const tenant = aTenant()
  const whole = tasks.map((task, n) => ({ id: `t${n}`, type: 'http', depends_on: [], ...task }))
  await tenant.register({ ...aDefinition({}), timeout, tasks: whole })
  const { runId } = await started(tenant)
  return { tenant, runId }
}

async function started(tenant: ReturnType<typeof aTenant>) {
  const start = tenant.start('wf', { waitMs: 0, input: '{"want":"done"}' })
  await tenant.runner().start(start)
  return start
}

const get = async (stub: DurableObjectStub<Runner>, runId: string): Promise<RunView> => shown(await stub.get(runId, 0))
const alarmOf = (stub: DurableObjectStub<Runner>) => runInDurableObject(stub, (_, state) => state.storage.getAlarm())

/** Waits until nothing executes. */
async function calm(stub: DurableObjectStub<Runner>, runId: string): Promise<RunView> {
  await vi.waitFor(async () => expect((await get(stub, runId)).progress.running).toBe(0))
  return get(stub, runId)
}

/** Moves the clock to when the next call is due, and fires the alarm, which stands then or earlier. */
async function whenDue(stub: DurableObjectStub<Runner>, runId: string): Promise<void> {
  const { tasks } = await get(stub, runId)
  const at = Date.parse(tasks[0]!.waiting?.until ?? '') || ((await alarmOf(stub)) ?? Number.NaN)
  vi.spyOn(Date, 'now').mockReturnValue(at)
  expect(await runDurableObjectAlarm(stub)).toBe(true)
}

const answering = (...states: string[]) =>
  fakeUpstream((_, number) => Response.json({ state: states[Math.min(number, states.length) - 1] }))

test('a poll calls again by its alarm alone, after evictions and crashes, each call with a key of its own', async () => {
  const { requests } = answering('new', 'busy', 'busy', 'done')
  const { tenant, runId } = await aStartedRun([{ with: { url, poll } }])
  const first = await calm(tenant.runner(), runId)
  expect(first.tasks[0]).toMatchObject({
    status: 'waiting',
    waiting: { for: 'poll', detail: 'what is waited for had not come after 1 call' },
    attempts: [{ number: 1, status: 'snoozed' }],
  })
  const wakesAt = Date.parse(first.tasks[0]!.waiting!.until!)
  expect(wakesAt - Date.now()).toBeGreaterThan(590_000)
  // An object that something keeps awake could not be evicted.
  await evictDurableObject(tenant.runner())
  expect(await alarmOf(tenant.runner())).toBeLessThanOrEqual(wakesAt)
  await whenDue(tenant.runner(), runId)
  await calm(tenant.runner(), runId)
  await abortAllDurableObjects()
  for (let n = 0; n < 4 && (await calm(tenant.runner(), runId)).status === 'running'; n++)
    await whenDue(tenant.runner(), runId)
  expect(await calm(tenant.runner(), runId)).toMatchObject({
    status: 'succeeded',
    output: { t0: { status: 200, body: { state: 'done' } } },
  })
  expect(requests.map(({ headers }) => headers.get('idempotency-key'))).toEqual(
    [1, 2, 3, 4].map((n) => `${runId}/t0/p${n}`),
  )
  const events = (await tenant.runner().events(runId, 0, 100)) as { items: string[] }
  const told = events.items.map((item) => JSON.parse(item) as { event: string; data: JsonObject })
  expect(told.filter(({ event }) => event === 'attempt.snoozed')).toHaveLength(3)
  expect(told.find(({ event }) => event === 'attempt.snoozed')!.data).toMatchObject({
    task: 't0',
    started_by: 3,
    after_ms: 600_000,
  })
})

test('a call that a crash cuts off is made again with the same key, and counts as no poll', async () => {
  const asked: (string | null)[] = []
  fakeUpstream((request, number) => {
    asked.push(request.headers.get('idempotency-key'))
    return number === 2 ? silence(request) : Response.json({ state: number < 3 ? 'busy' : 'done' })
  })
  const { tenant, runId } = await aStartedRun([{ with: { url, poll } }])
  await calm(tenant.runner(), runId)
  await whenDue(tenant.runner(), runId)
  await vi.waitFor(() => expect(asked).toHaveLength(2))
  await abortAllDurableObjects()
  for (let n = 0; n < 4 && (await get(tenant.runner(), runId)).status === 'running'; n++) {
    await whenDue(tenant.runner(), runId)
    await calm(tenant.runner(), runId)
  }
  expect(asked).toEqual(['p1', 'p2', 'p2'].map((n) => `${runId}/t0/${n}`))
  expect((await get(tenant.runner(), runId)).tasks[0]!.attempts.map(({ number, status }) => [number, status])).toEqual([
    [1, 'snoozed'],
    [1, 'interrupted'],
    [1, 'succeeded'],
  ])
})

test('gives up after as many calls, or so much time, as the definition says', async () => {
  answering('busy')
  const { tenant, runId } = await aStartedRun([{ with: { url, poll: { ...poll, at_most: 3 } } }])
  for (let n = 0; n < 2; n++) {
    await calm(tenant.runner(), runId)
    await whenDue(tenant.runner(), runId)
  }
  const run = await calm(tenant.runner(), runId)
  expect(run).toMatchObject({ status: 'failed', error: { code: 'poll_exhausted' } })
  expect(run.tasks[0]!.attempts).toHaveLength(3)

  const timed = await aStartedRun([{ with: { url, poll: { ...poll, at_most: '15m' } } }])
  await calm(timed.tenant.runner(), timed.runId)
  await whenDue(timed.tenant.runner(), timed.runId)
  expect(await calm(timed.tenant.runner(), timed.runId)).toMatchObject({ error: { code: 'poll_exhausted' } })
  expect((await get(timed.tenant.runner(), timed.runId)).tasks[0]!.attempts).toHaveLength(2)
})

test('a paused run does not call, and one that is cancelled never again', async () => {
  const { requests } = answering('busy')
  const { tenant, runId } = await aStartedRun([{ with: { url, poll } }])
  await calm(tenant.runner(), runId)
  await tenant.runner().pause(runId)
  vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 3_600_000)
  expect((await get(tenant.runner(), runId)).tasks[0]!.waiting).toMatchObject({ for: 'paused' })
  expect(requests).toHaveLength(1)
  await tenant.runner().resume(runId)
  await vi.waitFor(() => expect(requests).toHaveLength(2))
  await calm(tenant.runner(), runId)
  await tenant.runner().cancel(runId)
  expect(await get(tenant.runner(), runId)).toMatchObject({ status: 'cancelled', progress: { cancelled: 1 } })
})

test('items of a map poll each for themselves, and see themselves', async () => {
  const { requests } = fakeUpstream(({ url: asked }, number) =>
    Response.json({ state: asked.endsWith('a') || number > 2 ? 'done' : 'busy' }),
  )
  const inner = { url: `${url}/\${{ item.id }}`, poll: { ...poll, until: 'response.body.state == item.want' } }
  const items = ['a', 'b'].map((id) => ({ id, want: 'done' }))
  const { tenant, runId } = await aStartedRun([{ type: 'map', with: { items, task: { type: 'http', with: inner } } }])
  await vi.waitFor(() => expect(requests).toHaveLength(2))
  await vi.waitFor(async () => {
    const page = (await tenant.runner().items(runId, 't0', null, 0, 10)) as { items: string[] }
    expect(JSON.parse(page.items[1]!)).toMatchObject({ status: 'waiting', waiting: { for: 'poll' } })
  })
  vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 600_000)
  await runDurableObjectAlarm(tenant.runner())
  await vi.waitFor(async () => expect((await get(tenant.runner(), runId)).status).toBe('succeeded'))
  expect(requests.map(({ headers }) => headers.get('idempotency-key')).sort()).toEqual(
    [`${runId}/t0/0/p1`, `${runId}/t0/1/p1`, `${runId}/t0/1/p2`].sort(),
  )
})
