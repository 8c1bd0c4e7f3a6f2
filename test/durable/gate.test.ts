// Circuits in the real runtime: what opens them, who is held back, who is let through, and what outlives whom. The server
// called is a scripted fetch, so "no call" is counted there. Alarms are fired by hand and the clock is moved.

import {
  abortAllDurableObjects,
  evictDurableObject,
  reset,
  runDurableObjectAlarm,
  runInDurableObject,
} from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { CircuitRecord, CircuitView } from '../../durable/gate/gate-rpc.ts'
import { Rows } from '../../durable/rows.ts'
import { Circuits } from '../../durable/runner/circuits.ts'
import { DEFAULT_BREAKER } from '../../src/workflow/definition/breaker.ts'
import type { TaskDefinition } from '../../src/workflow/definition/definition.ts'
import { aDefinition, aRetry } from '../support/builders.ts'
import { fakeUpstream, silence, type Upstream } from '../support/fake-upstream.ts'
import { aTenant, type RunView, shown, type TestTenant } from '../support/runner.ts'

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

const ORIGIN = 'https://upstream.test'
const ok = () => Response.json({})
const broken = () => new Response('', { status: 500 })

/** Moves the clock of the test and of the objects to a time. */
const at = (time: number) => vi.spyOn(Date, 'now').mockReturnValue(time)

const gate = (tenant: TestTenant, target = ORIGIN) => env.GATE.get(env.GATE.idFromName(`${tenant.name}:host:${target}`))
const metrics = (tenant: TestTenant) => env.METRICS.get(env.METRICS.idFromName(tenant.name))
const circuit = async (tenant: TestTenant, name = ORIGIN): Promise<CircuitRecord | undefined> =>
  (await metrics(tenant).circuits(null, 100)).items.find((one) => one.name === name)

async function becomes(tenant: TestTenant, state: CircuitRecord['state'], name = ORIGIN): Promise<CircuitRecord> {
  return vi.waitFor(async () => {
    const record = await circuit(tenant, name)
    expect(record?.state).toBe(state)
    return record!
  })
}

/** A tenant with a workflow of one call, which may run for an hour. */
async function aCallingTenant(rest: Partial<TaskDefinition> = {}, timeout = '1h'): Promise<TestTenant> {
  const tenant = aTenant()
  const definition = aDefinition({ a: [] }, { timeout })
  Object.assign(definition.tasks[0]!, rest)
  await tenant.register(definition)
  return tenant
}

const startOn = async (tenant: TestTenant, shard = 0, waitMs = 10_000): Promise<RunView> =>
  shown(await tenant.runner(shard).start(tenant.start('wf', { waitMs })))

const runOn = async (tenant: TestTenant, run: RunView, shard = 0): Promise<RunView> =>
  shown(await tenant.runner(shard).get(run.id, 0))

async function fail(tenant: TestTenant, times: number, shard: (time: number) => number = () => 0): Promise<void> {
  for (let time = 0; time < times; time++) expect((await startOn(tenant, shard(time))).status).toBe('failed')
}

/** A tenant whose circuit has opened, on the given shard. */
async function anOpenTenant(
  rest: Partial<TaskDefinition> = {},
): Promise<{ tenant: TestTenant; upstream: Upstream & { mend(): void } }> {
  const tenant = await aCallingTenant(rest)
  let isMended = false
  const upstream = fakeUpstream(() => (isMended ? ok() : broken()))
  await fail(tenant, 10)
  await becomes(tenant, 'open', (rest.breaker || undefined)?.name)
  return {
    tenant,
    upstream: {
      ...upstream,
      mend: () => {
        isMended = true
      },
    },
  }
}

describe('a circuit', () => {
  test('opens after ten failures, and then nothing is called: the task waits and says why and until when', async () => {
    const { tenant, upstream } = await anOpenTenant()
    const run = await startOn(tenant, 0, 0)
    expect(run.tasks[0]).toMatchObject({
      status: 'waiting',
      attempts: [],
      waiting: { for: 'circuit', detail: expect.stringContaining(ORIGIN) },
    })
    const { retryAt, cause, openings } = await becomes(tenant, 'open')
    expect(Date.parse(run.tasks[0]!.waiting!.until!)).toBe(retryAt)
    expect({ cause, openings }).toEqual({ cause: 'http_500', openings: 1 })
    expect(upstream.requests).toHaveLength(10)
    const events = (await tenant.runner().events(run.id, 0, 10)) as { items: string[] }
    expect(JSON.parse(events.items.at(-1)!)).toMatchObject({
      event: 'task.waiting',
      data: { for: 'circuit', circuit: ORIGIN },
    })
  })

  test('opens for failures that are spread over shards, and holds back on all that have called', async () => {
    const tenant = await aCallingTenant()
    const { requests } = fakeUpstream(broken)
    await fail(tenant, 9, (time) => time % 3)
    expect(await circuit(tenant)).toBeUndefined()
    await fail(tenant, 1, () => 1)
    // Failures are told once a second.
    await vi.waitFor(async () => expect(await circuit(tenant)).toMatchObject({ state: 'open' }), 5_000)
    const calls = requests.length
    for (const shard of [0, 1, 2]) {
      await vi.waitFor(async () => expect((await startOn(tenant, shard, 0)).tasks[0]!.status).toBe('waiting'))
    }
    expect(requests).toHaveLength(calls)
  })

  test('stays closed for a few failures among calls that mostly succeed, whichever shards they are on', async () => {
    const tenant = await aCallingTenant()
    let isBroken = false
    fakeUpstream(() => (isBroken ? broken() : ok()))
    for (let shard = 0; shard < 10; shard++) expect((await startOn(tenant, shard)).status).toBe('succeeded')
    expect((await startOn(tenant, 10)).status).toBe('succeeded')
    isBroken = true
    await fail(tenant, 9, (time) => 10 + (time % 3))
    // Whatever there is to tell is told a second later.
    await scheduler.wait(1_500)
    expect(await circuit(tenant)).toBeUndefined()
    isBroken = false
    for (let shard = 0; shard < 13; shard++)
      expect((await startOn(tenant, shard, 0)).tasks[0]!.status).not.toBe('waiting')
  })

  test('that is open is learnt by a Runner that has never called, with its first call', async () => {
    const { tenant, upstream } = await anOpenTenant()
    await startOn(tenant, 7)
    await vi.waitFor(async () => expect((await startOn(tenant, 7, 0)).tasks[0]!.status).toBe('waiting'))
    expect(upstream.requests.length).toBeLessThanOrEqual(12)
  })

  test('fails a task at once that cannot wait so long', async () => {
    const { tenant, upstream } = await anOpenTenant()
    await tenant.register(aDefinition({ a: [] }, { timeout: '5s' }))
    expect(await startOn(tenant)).toMatchObject({ status: 'failed', error: { code: 'circuit_open', task_id: 'a' } })
    expect(upstream.requests).toHaveLength(10)
  })

  test('is not opened by 4xx, by a cancel, or by calls of a task without one', async () => {
    const tenant = await aCallingTenant()
    fakeUpstream(() => new Response('', { status: 404 }))
    await fail(tenant, 12)
    const bare = await aCallingTenant({ breaker: false })
    const { requests } = fakeUpstream(broken)
    await fail(bare, 12)
    expect(requests).toHaveLength(12)
    expect([await circuit(tenant), await circuit(bare)]).toEqual([undefined, undefined])
  })

  test('is opened by a server that never answers, though it is the deadline of the run that ends the call', async () => {
    const tenant = await aCallingTenant({ breaker: { ...DEFAULT_BREAKER, minimum_calls: 2, window: 2 } }, '10s')
    fakeUpstream(silence)
    const runs = [await startOn(tenant, 0, 0), await startOn(tenant, 0, 0)]
    at(Date.now() + 10_000)
    await runDurableObjectAlarm(tenant.runner())
    for (const run of runs) expect((await runOn(tenant, run)).status).toBe('timed_out')
    expect(await becomes(tenant, 'open')).toMatchObject({ cause: 'timeout' })
  })

  test('of a tenant is no business of another', async () => {
    const { tenant } = await anOpenTenant()
    const other = await aCallingTenant()
    fakeUpstream(ok)
    expect((await startOn(other)).status).toBe('succeeded')
    expect(await circuit(other)).toBeUndefined()
    expect((await startOn(tenant, 0, 0)).tasks[0]!.status).toBe('waiting')
  })

  test('with a name is shared by hosts, and judged by the settings of the task', async () => {
    const breaker = { ...DEFAULT_BREAKER, name: 'pay.ments', minimum_calls: 3, window: 3, open_for: '2m' }
    const tenant = await aCallingTenant({ breaker })
    const definition = aDefinition({ a: [] }, { timeout: '1h', name: 'other' })
    Object.assign(definition.tasks[0]!, { breaker, with: { url: 'https://upstream.test:8443/x' } })
    await tenant.register(definition)
    fakeUpstream(broken)
    await fail(tenant, 3)
    const { retryAt, changedAt } = await becomes(tenant, 'open', 'pay.ments')
    // Counted from the failure, which is told a moment later.
    expect(retryAt! - changedAt).toBeLessThanOrEqual(120_000)
    expect(retryAt! - changedAt).toBeGreaterThan(100_000)
    const held = shown(await tenant.runner().start(tenant.start('other', { waitMs: 0 })))
    expect(held.tasks[0]!.waiting!.for).toBe('circuit')
  })

  test('takes its target from an expression', async () => {
    const { tenant, upstream } = await anOpenTenant()
    const definition = aDefinition({ a: [] }, { timeout: '1h', name: 'templated' })
    definition.tasks[0]!.with = { url: '${{ input.url }}' }
    await tenant.register(definition)
    const start = (url: string) => tenant.start('templated', { waitMs: 0, input: JSON.stringify({ url }) })
    const held = shown(await tenant.runner().start(start(`${ORIGIN}/deep?x=1`)))
    expect(held.tasks[0]!.waiting!.for).toBe('circuit')
    upstream.mend()
    const elsewhere = shown(await tenant.runner().start({ ...start('https://upstream.test:444/'), waitMs: 5_000 }))
    expect(elsewhere.tasks[0]!.attempts).toHaveLength(1)
  })
})

describe('a half-open circuit', () => {
  test('lets waiting tasks through when its time has come: three succeed, it closes, and all go on', async () => {
    const { tenant, upstream } = await anOpenTenant()
    const runs: RunView[] = []
    for (let count = 0; count < 6; count++) runs.push(await startOn(tenant, 0, 0))
    upstream.mend()
    at((await becomes(tenant, 'open')).retryAt! + 1)
    await runDurableObjectAlarm(tenant.runner())
    await becomes(tenant, 'closed')
    for (const run of runs) {
      await vi.waitFor(async () => expect((await runOn(tenant, run)).status).toBe('succeeded'))
    }
    expect(upstream.requests).toHaveLength(10 + 6)
  })

  test('opens again for twice as long when a trial fails', async () => {
    const { tenant, upstream } = await anOpenTenant()
    const runs = [
      await startOn(tenant, 0, 0),
      await startOn(tenant, 0, 0),
      await startOn(tenant, 0, 0),
      await startOn(tenant, 0, 0),
    ]
    const { retryAt } = await becomes(tenant, 'open')
    at(retryAt! + 1)
    await runDurableObjectAlarm(tenant.runner())
    const again = await vi.waitFor(async () => {
      const record = await becomes(tenant, 'open')
      expect(record.openings).toBe(2)
      return record
    })
    expect(again.retryAt! - (retryAt! + 1)).toBe(60_000)
    expect(upstream.requests.length).toBeLessThanOrEqual(13)
    const last = await runOn(tenant, runs[3]!)
    expect(last.tasks[0]).toMatchObject({ status: 'waiting', waiting: { for: 'circuit' } })
  })

  test('lets three calls through and no fourth, whatever number of Runners ask', async () => {
    const { tenant } = await anOpenTenant()
    const { retryAt } = await becomes(tenant, 'open')
    for (const shard of [1, 2]) await startOn(tenant, shard)
    const upstream = fakeUpstream(silence)
    for (const shard of [0, 1, 2]) {
      await vi.waitFor(async () => expect((await startOn(tenant, shard, 0)).tasks[0]!.status).toBe('waiting'))
      for (let count = 0; count < 3; count++) await startOn(tenant, shard, 0)
    }
    at(retryAt! + 60_000)
    await Promise.all([0, 1, 2].map((shard) => runDurableObjectAlarm(tenant.runner(shard))))
    await vi.waitFor(() => expect(upstream.requests.length).toBe(3))
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(upstream.requests).toHaveLength(3)
  })

  test('gives trials that a crash has lost to others when their lease is over', async () => {
    const { tenant } = await anOpenTenant()
    const now = Date.now() + 31_000
    at(now)
    expect((await gate(tenant).trials(0, 6_000)).trials).toHaveLength(3)
    await abortAllDurableObjects()
    at(now + 5_999)
    expect((await gate(tenant).trials(1, 6_000)).trials).toHaveLength(0)
    at(now + 6_000)
    expect((await gate(tenant).trials(1, 6_000)).trials).toHaveLength(3)
  })

  test('takes back what was granted and not used', async () => {
    const { tenant, upstream } = await anOpenTenant()
    const run = await startOn(tenant, 0, 0)
    upstream.mend()
    at((await becomes(tenant, 'open')).retryAt! + 1)
    await runDurableObjectAlarm(tenant.runner())
    await vi.waitFor(async () => expect((await runOn(tenant, run)).status).toBe('succeeded'))
    // One trial has succeeded and two were given back: two more are there for whoever comes.
    await vi.waitFor(async () => expect((await gate(tenant).trials(5, 6_000)).trials).toHaveLength(2))
  })
})

describe('what is known of a circuit', () => {
  test('outlives the Gate between the ninth failure and the tenth', async () => {
    const tenant = await aCallingTenant()
    fakeUpstream(broken)
    const now = Date.now()
    const report = (shard: number, count: number) =>
      gate(tenant).report({
        shard,
        policy: DEFAULT_BREAKER,
        outcomes: Array.from({ length: count }, () => ({ at: now, isFailure: true })),
        hasOpened: false,
        code: 'http_500',
      })
    expect(await report(0, 9)).toMatchObject({ state: 'closed' })
    await evictDurableObject(gate(tenant))
    expect(await report(1, 1)).toMatchObject({ state: 'open' })
    await evictDurableObject(gate(tenant))
    expect(await report(2, 0)).toMatchObject({ state: 'open' })
  })

  test('outlives the Runner: a new instance calls nobody, and its runs go on when their time has come', async () => {
    const { tenant, upstream } = await anOpenTenant()
    const run = await startOn(tenant, 0, 0)
    await abortAllDurableObjects()
    expect((await startOn(tenant, 0, 0)).tasks[0]!.status).toBe('waiting')
    expect(upstream.requests).toHaveLength(10)
    upstream.mend()
    at(Date.parse(run.tasks[0]!.waiting!.until!) + 1)
    await abortAllDurableObjects()
    await runDurableObjectAlarm(tenant.runner())
    await vi.waitFor(async () => expect((await runOn(tenant, run)).status).toBe('succeeded'))
  })

  test('costs a server that never fails no row, and a run no row for its calls', async () => {
    const tenant = await aCallingTenant()
    fakeUpstream(ok)
    for (let count = 0; count < 5; count++) await startOn(tenant)
    await gate(tenant).report({ shard: 0, policy: DEFAULT_BREAKER, outcomes: [], hasOpened: false, code: null })
    const tables = await runInDurableObject(gate(tenant), (_, state) =>
      state.storage.sql.exec('SELECT name FROM sqlite_master').toArray(),
    )
    expect(tables).toEqual([])
    const rows = await runInDurableObject(tenant.runner(), (_, state) =>
      state.storage.sql
        .exec('SELECT COUNT(*) AS n FROM circuits UNION ALL SELECT COUNT(*) FROM circuit_waits')
        .toArray(),
    )
    expect(rows).toEqual([{ n: 0 }, { n: 0 }])
  })

  test('is told again by the alarm when it did not arrive', async () => {
    const tenant = await aCallingTenant()
    const put = vi.spyOn(console, 'error').mockImplementation(() => {})
    const spoilt = { name: ORIGIN }
    await runInDurableObject(metrics(tenant), (_, state) => {
      state.storage.sql.exec('ALTER TABLE circuits RENAME TO gone')
    })
    fakeUpstream(broken)
    await fail(tenant, 10)
    await vi.waitFor(() => expect(put).toHaveBeenCalled())
    await runInDurableObject(metrics(tenant), (_, state) => {
      state.storage.sql.exec('ALTER TABLE gone RENAME TO circuits')
    })
    expect(await runDurableObjectAlarm(gate(tenant))).toBe(true)
    expect(await becomes(tenant, 'open')).toMatchObject(spoilt)
  })

  test('does not go back: news that was overtaken changes nothing', async () => {
    const { tenant } = await anOpenTenant()
    await gate(tenant).reset()
    await tenant.runner().circuitChanged(ORIGIN, { revision: 1, state: 'open', askAt: Date.now() + 60_000 })
    fakeUpstream(ok)
    expect((await startOn(tenant)).status).toBe('succeeded')
    await metrics(tenant).circuitChanged({ ...(await circuit(tenant))!, revision: 1, state: 'open' })
    expect(await circuit(tenant)).toMatchObject({ state: 'closed' })
  })
})

describe('a reset', () => {
  test('closes the circuit, wakes the tasks that wait, and forgets the window', async () => {
    const { tenant, upstream } = await anOpenTenant()
    const runs = [await startOn(tenant, 0, 0), await startOn(tenant, 0, 0)]
    upstream.mend()
    expect(await gate(tenant).reset()).toMatchObject({ state: 'closed', openings: 0, retryAt: null, cause: null })
    for (const run of runs) {
      await vi.waitFor(async () => expect((await runOn(tenant, run)).status).toBe('succeeded'))
    }
    expect(await gate(tenant).reset()).toMatchObject({ state: 'closed' })
    const waits = await runInDurableObject(tenant.runner(), (_, state) =>
      state.storage.sql.exec('SELECT * FROM circuit_waits').toArray(),
    )
    expect(waits).toEqual([])
  })

  test('reaches tasks that a former instance of their Runner held back', async () => {
    const { tenant, upstream } = await anOpenTenant()
    const run = await startOn(tenant, 0, 0)
    await abortAllDurableObjects()
    upstream.mend()
    await gate(tenant).reset()
    await vi.waitFor(async () => expect((await runOn(tenant, run)).status).toBe('succeeded'))
  })

  test('reaches tasks also when a crash cut the look at them off: the next instance goes on within a second', async () => {
    const { tenant, upstream } = await anOpenTenant()
    const runs = [await startOn(tenant, 0, 0), await startOn(tenant, 0, 0)]
    // What stands after a crash between the row of the circuit and the first look.
    await runInDurableObject(tenant.runner(), (_, { storage }) => storage.sql.exec('DELETE FROM circuits'))
    await abortAllDurableObjects()
    upstream.mend()
    const alarmAt = await runInDurableObject(tenant.runner(), (_, { storage }) => storage.getAlarm())
    expect(alarmAt).toBeLessThanOrEqual(Date.now() + 1_000)
    await runDurableObjectAlarm(tenant.runner())
    for (const run of runs) {
      await vi.waitFor(async () => expect((await runOn(tenant, run)).status).toBe('succeeded'))
    }
    const waits = await runInDurableObject(tenant.runner(), (_, { storage }) =>
      storage.sql.exec('SELECT * FROM circuit_waits').toArray(),
    )
    expect(waits).toEqual([])
  })

  test('that breaks off in the middle has the object woken, and goes on with those that are left', async () => {
    const { tenant } = await anOpenTenant()
    await runInDurableObject(tenant.runner(), async (_, { storage }) => {
      const rows = new Rows(storage.sql)
      rows.run(
        `WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 349)
         INSERT INTO circuit_waits SELECT ?, 'run_' || i FROM n`,
        ORIGIN,
      )
      const looked: string[] = []
      const faults: unknown[] = []
      let wokenBy = Number.POSITIVE_INFINITY
      const circuits = new Circuits(rows, {
        gateOf: () => null as never,
        shard: () => 0,
        ready: async () => {},
        stepAgain: (runId) => {
          if (looked.push(runId) === 150) throw new Error('broken')
        },
        wakeBy: (at) => {
          wokenBy = at
        },
        fault: (error) => faults.push(error),
      })
      expect(circuits.nextReleaseAt).toBe(Number.POSITIVE_INFINITY)
      circuits.learn(ORIGIN, { revision: 1_000, state: 'closed', askAt: 0 } as CircuitView)
      await vi.waitFor(() => expect(faults).toHaveLength(1))
      expect(wokenBy).toBeLessThanOrEqual(Date.now() + 1_000)
      expect(circuits.nextReleaseAt).toBeLessThanOrEqual(Date.now() + 1_000)
      await circuits.release()
      expect(looked).toHaveLength(250)
      expect(new Set(looked).size).toBe(250)
      expect(circuits.nextReleaseAt).toBe(Number.POSITIVE_INFINITY)
    })
  })
})

describe('the budget of retries', () => {
  const retry = aRetry({ max_attempts: 2, initial_interval: '1m', max_interval: '1m' })

  test('gives ten a minute to a host that is called seldom, then refuses, and says so on the task', async () => {
    const tenant = await aCallingTenant({ retry, breaker: false })
    fakeUpstream(broken)
    const runs: RunView[] = []
    // Fifteen calls earn three retries besides; the order of what is earned and what is given does not matter.
    for (let count = 0; count < 15; count++) runs.push(await startOn(tenant, count % 2, 0))
    const ended = await Promise.all(
      runs.map((run, count) =>
        vi.waitFor(async () => {
          const now = await runOn(tenant, run, count % 2)
          expect(now.progress.running).toBe(0)
          return now
        }),
      ),
    )
    const refused = ended.filter(({ status }) => status === 'failed')
    expect(refused.length).toBeGreaterThanOrEqual(2)
    expect(refused.length).toBeLessThanOrEqual(5)
    expect(refused[0]).toMatchObject({ error: { code: 'retry_budget_exhausted', cause: { code: 'http_500' } } })
    expect(ended.filter(({ tasks }) => tasks[0]!.status === 'waiting')).toHaveLength(15 - refused.length)
  })

  test('is not spent by what a server puts off itself, nor by tasks that are not tried again', async () => {
    const tenant = await aCallingTenant({ retry, breaker: false })
    fakeUpstream(() => new Response('', { status: 503, headers: { 'retry-after': '60' } }))
    for (let count = 0; count < 14; count++) {
      const run = await startOn(tenant, 0, 0)
      await vi.waitFor(async () => expect((await runOn(tenant, run)).tasks[0]!.attempts[0]!.status).toBe('snoozed'))
    }
    expect(await gate(tenant).giveRetry()).toMatchObject({ isGranted: true })
  })

  test('outlives its Gate, and is full again a minute later', async () => {
    const tenant = aTenant()
    for (let count = 0; count < 10; count++) expect((await gate(tenant).giveRetry()).isGranted).toBe(true)
    await evictDurableObject(gate(tenant))
    const { isGranted, freeAt } = await gate(tenant).giveRetry()
    expect(isGranted).toBe(false)
    at(freeAt)
    expect((await gate(tenant).giveRetry()).isGranted).toBe(true)
  })
})
