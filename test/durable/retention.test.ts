// What a Runner forgets with time. The clock is moved, alarms are fired where they stand.

import { abortAllDurableObjects, reset, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Resolved } from '../../durable/registry/registry-rpc.ts'
import { Rows } from '../../durable/rows.ts'
import { IdempotencyKeys } from '../../durable/runner/idempotency-keys.ts'
import { Retention } from '../../durable/runner/retention.ts'
import type { Runner } from '../../durable/runner/runner.ts'
import { Workflows } from '../../durable/runner/workflows.ts'
import { aDefinition } from '../support/builders.ts'
import { fakeUpstream, silence } from '../support/fake-upstream.ts'
import { aTenant, type TestTenant } from '../support/runner.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

const sql = (stub: DurableObjectStub<Runner>, query: string) =>
  runInDurableObject(stub, (_, state) => state.storage.sql.exec(query).toArray())
const count = async (stub: DurableObjectStub<Runner>, table: string) =>
  (await sql(stub, `SELECT COUNT(*) AS n FROM ${table}`))[0]!.n
const alarmAt = (stub: DurableObjectStub<Runner>) => runInDurableObject(stub, (_, state) => state.storage.getAlarm())

/** One that sees runs and keys alone. */
function aRetention(rows: Rows, retentionMs: (name: string) => number): Retention {
  const none = { beginSweep: () => {}, sweep: () => ({ last: null, hasSpared: false }) }
  return new Retention(rows, new IdempotencyKeys(rows), { retentionMs, ...none }, { sweep: () => null })
}

/** Moves the clock to a time, for the test and its objects. */
function at(time: number): number {
  vi.spyOn(Date, 'now').mockReturnValue(time)
  return time
}

/** Fires the alarm where it stands, and says when that was. */
async function nextAlarm(stub: DurableObjectStub<Runner>): Promise<number> {
  const time = await alarmAt(stub)
  if (time === null) throw new Error('no alarm stands')
  at(Math.max(time, Date.now()))
  await runDurableObjectAlarm(stub)
  return Date.now()
}

async function aTenantWith(retentions: Record<string, string>): Promise<TestTenant> {
  const tenant = aTenant()
  for (const [name, retention] of Object.entries(retentions)) {
    await tenant.register(aDefinition({ 'a?': [] }, { name, retention }))
  }
  return tenant
}

describe('an ended run', () => {
  test('of a definition that says nothing is kept for 30 days, and its object sleeps until then', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }))
    const begunAt = at(Date.now())
    const start = tenant.start('wf')
    await tenant.runner().start(start)
    expect(await alarmAt(tenant.runner())).toBe(begunAt + 30 * DAY)
    await abortAllDurableObjects()
    at(begunAt + 30 * DAY - 1)
    await runInDurableObject(tenant.runner(), (instance) => instance.alarm())
    expect(await tenant.runner().get(start.runId, 0)).toMatchObject({ kind: 'run' })
    expect(await nextAlarm(tenant.runner())).toBe(begunAt + 30 * DAY)
    expect(await tenant.runner().get(start.runId, 0)).toEqual({ kind: 'run_not_found' })
    expect(await count(tenant.runner(), 'runs')).toBe(0)
    // Nothing is left that would have to go, so the object is never woken again.
    expect(await alarmAt(tenant.runner())).toBe(null)
  })

  test('goes with its own retention, whatever else is kept longer, and passes come no oftener than needed', async () => {
    const tenant = await aTenantWith({ short: '1m', hour: '1h', long: '400d' })
    const begunAt = at(Date.now())
    const [long, hour, short] = [tenant.start('long'), tenant.start('hour'), tenant.start('short')]
    for (const start of [long, hour, short]) await tenant.runner().start(start)
    expect(await nextAlarm(tenant.runner())).toBe(begunAt + MINUTE)
    expect(await tenant.runner().get(short.runId, 0)).toEqual({ kind: 'run_not_found' })
    expect(await tenant.runner().get(hour.runId, 0)).toMatchObject({ kind: 'run' })
    expect(await nextAlarm(tenant.runner())).toBe(begunAt + 60 * MINUTE)
    expect(await tenant.runner().get(hour.runId, 0)).toEqual({ kind: 'run_not_found' })
    expect(await tenant.runner().get(long.runId, 0)).toMatchObject({ kind: 'run' })
    expect(await alarmAt(tenant.runner())).toBe(begunAt + 400 * DAY)
  })

  test('counts from its end and not from its start', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [] }, { timeout: '10m', retention: '5m' }))
    fakeUpstream(silence)
    const begunAt = at(Date.now())
    const start = tenant.start('wf', { waitMs: 0 })
    await tenant.runner().start(start)
    at(begunAt + 8 * MINUTE)
    await tenant.runner().cancel(start.runId)
    at(begunAt + 13 * MINUTE - 1)
    await runInDurableObject(tenant.runner(), (instance) => instance.alarm())
    expect(await tenant.runner().get(start.runId, 0)).toMatchObject({ status: 'cancelled' })
    at(begunAt + 13 * MINUTE)
    await runInDurableObject(tenant.runner(), (instance) => instance.alarm())
    expect(await tenant.runner().get(start.runId, 0)).toEqual({ kind: 'run_not_found' })
  })

  test('a live one stays, however old', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [] }, { timeout: '365d', retention: '1m' }))
    await tenant.register(aDefinition({ 'a?': [] }, { name: 'other', retention: '1m' }))
    fakeUpstream(silence)
    const begunAt = at(Date.now())
    const live = tenant.start('wf', { waitMs: 0 })
    await tenant.runner().start(live)
    await tenant.runner().start(tenant.start('other'))
    at(begunAt + 30 * DAY)
    await runInDurableObject(tenant.runner(), (instance) => instance.alarm())
    expect(await count(tenant.runner(), 'runs')).toBe(1)
    expect(await tenant.runner().get(live.runId, 0)).toMatchObject({ status: 'running' })
  })

  test('a clock that goes back deletes nothing too soon', async () => {
    const tenant = await aTenantWith({ wf: '1h' })
    const begunAt = at(Date.now())
    const start = tenant.start('wf')
    await tenant.runner().start(start)
    at(begunAt - 10 * DAY)
    await runInDurableObject(tenant.runner(), (instance) => instance.alarm())
    expect(await tenant.runner().get(start.runId, 0)).toMatchObject({ kind: 'run' })
    expect(await nextAlarm(tenant.runner())).toBe(begunAt + 60 * MINUTE)
    expect(await tenant.runner().get(start.runId, 0)).toEqual({ kind: 'run_not_found' })
  })

  test('of an older release, which told nobody, goes too', async () => {
    const tenant = await aTenantWith({ wf: '1h' })
    const begunAt = at(Date.now())
    await tenant.runner().start(tenant.start('wf'))
    await sql(tenant.runner(), 'DELETE FROM upkeep')
    await abortAllDurableObjects()
    at(begunAt + 2 * DAY)
    // Whatever wakes the object, here a read, arms its alarm.
    await tenant.runner().list({}, null, 1)
    await nextAlarm(tenant.runner())
    expect(await count(tenant.runner(), 'runs')).toBe(0)
  })

  test('whose definition is gone, as of one ended unread, goes after the default', async () => {
    const tenant = await aTenantWith({ wf: '400d' })
    const begunAt = at(Date.now())
    await tenant.runner().start(tenant.start('wf'))
    await sql(tenant.runner(), 'DELETE FROM definitions')
    await abortAllDurableObjects()
    at(begunAt + 30 * DAY)
    await sql(tenant.runner(), 'UPDATE upkeep SET next_at = 1')
    await abortAllDurableObjects()
    await runInDurableObject(tenant.runner(), (instance) => instance.alarm())
    expect(await count(tenant.runner(), 'runs')).toBe(0)
  })
})

describe('a pass', () => {
  /** 3,000 ended runs, of which every third is kept for a minute and the rest for 30 days. */
  async function aFullShard() {
    const tenant = await aTenantWith({ short: '1m', long: '30d' })
    const begunAt = at(Date.now())
    const [short, long] = [tenant.start('short'), tenant.start('long')]
    await tenant.runner().start(short)
    await tenant.runner().start(long)
    await sql(
      tenant.runner(),
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2998)
       INSERT INTO runs SELECT 'run_0001M' || printf('%023d', n.i), workflow, version, status, created_at, due_at, in_flight,
         is_unreadable, spilled, payloads, history_length, payload_bytes, summary, head
       FROM n JOIN runs ON runs.id = iif(n.i % 3 = 0, '${short.runId}', '${long.runId}')`,
    )
    return { tenant, begunAt, runner: () => tenant.runner() }
  }
  const left = async (stub: DurableObjectStub<Runner>) => ({
    short: (await sql(stub, `SELECT COUNT(*) AS n FROM runs WHERE workflow = 'short'`))[0]!.n,
    long: (await sql(stub, `SELECT COUNT(*) AS n FROM runs WHERE workflow = 'long'`))[0]!.n,
  })

  test('removes what is over and nothing else', async () => {
    const { runner, begunAt } = await aFullShard()
    expect(await left(runner())).toEqual({ short: 1_000, long: 2_000 })
    at(begunAt + MINUTE)
    await runDurableObjectAlarm(runner())
    expect(await left(runner())).toEqual({ short: 0, long: 2_000 })
  })

  test('looks at 500 rows a step; cut off by a crash it begins anew and ends all the same', async () => {
    const { runner, begunAt } = await aFullShard()
    at(begunAt + MINUTE)
    await runInDurableObject(runner(), (_, { storage }) => {
      const rows = new Rows(storage.sql)
      const retention = aRetention(rows, (name) => (name === 'short' ? MINUTE : 30 * DAY))
      const over = retention.step(Date.now())!
      expect(over.length).toBeGreaterThan(100)
      expect(rows.take()).toMatchObject({ written: 0 })
      for (const id of over) storage.sql.exec('DELETE FROM runs WHERE id = ?', id)
    })
    expect((await left(runner())).short).toBeGreaterThan(500)
    await abortAllDurableObjects()
    expect(await runDurableObjectAlarm(runner())).toBe(true)
    expect(await left(runner())).toEqual({ short: 0, long: 2_000 })
  })

  test('of runs of many versions reads twenty definitions a step, and each once', async () => {
    const { runner, begunAt } = await aFullShard()
    // A hundred versions, one after the other and then all over again.
    await sql(runner(), `UPDATE runs SET version = CAST(substr(id, -2) AS INTEGER) + 1`)
    at(begunAt + MINUTE)
    const read: number[] = []
    const over: string[] = []
    await runInDurableObject(runner(), (_, { storage }) => {
      const rows = new Rows(storage.sql)
      let asked = 0
      const retention = aRetention(rows, (name) => {
        asked++
        return name === 'short' ? MINUTE : 30 * DAY
      })
      for (let step = retention.step(Date.now()); step !== null; step = retention.step(Date.now())) {
        over.push(...step)
        read.push(asked)
        asked = 0
      }
    })
    expect(new Set(over).size).toBe(1_000)
    expect(over).toHaveLength(1_000)
    expect(Math.max(...read)).toBe(20)
    // Two workflows, a hundred versions of each at most.
    expect(read.reduce((sum, one) => sum + one)).toBeLessThanOrEqual(200)
  })

  test('comes no sooner again than ten milliseconds for each row that it saw', async () => {
    const { tenant, runner, begunAt } = await aFullShard()
    const passAt = at(begunAt + 10 * MINUTE)
    await runDurableObjectAlarm(runner())
    at(passAt + 1_000)
    await runner().start(tenant.start('short'))
    // 3,000 rows: half a minute, which is less than the minute between any two passes.
    expect(await alarmAt(runner())).toBe(passAt + 1_000 + MINUTE)
    expect(await nextAlarm(runner())).toBe(passAt + 1_000 + MINUTE)
    expect(await left(runner())).toEqual({ short: 0, long: 2_000 })
  })

  test('sees what ends while it runs: nothing is forgotten', async () => {
    const { tenant, runner, begunAt } = await aFullShard()
    at(begunAt + MINUTE)
    const passing = runDurableObjectAlarm(runner())
    await runner().start(tenant.start('short'))
    await passing
    const after = await left(runner())
    expect(after).toEqual({ short: 1, long: 2_000 })
    await nextAlarm(runner())
    expect(await left(runner())).toEqual({ short: 0, long: 2_000 })
  })
})

describe('definitions', () => {
  const held = async (stub: DurableObjectStub<Runner>) =>
    (await sql(stub, 'SELECT DISTINCT name, version FROM definitions ORDER BY 1, 2')).map(
      ({ name, version }) => `${name}@${version}`,
    )

  test('go with the last of their runs, and a start right after gets its definition again', async () => {
    const tenant = await aTenantWith({ short: '1m', long: '30d' })
    const begunAt = at(Date.now())
    await tenant.runner().start(tenant.start('short'))
    await tenant.runner().start(tenant.start('long'))
    expect(await held(tenant.runner())).toEqual(['long@1', 'short@1'])
    at(begunAt + MINUTE)
    await runDurableObjectAlarm(tenant.runner())
    expect(await held(tenant.runner())).toEqual(['long@1'])
    const again = tenant.start('short')
    expect(await tenant.runner().start(again)).toMatchObject({ status: 'succeeded' })
    expect(await held(tenant.runner())).toEqual(['long@1', 'short@1'])
    await abortAllDurableObjects()
    expect(await tenant.runner().get(again.runId, 0)).toMatchObject({ status: 'succeeded' })
  })

  test('of older versions and of deleted workflows go, those of live runs stay', async () => {
    const tenant = await aTenantWith({ wf: '1m' })
    await tenant.register(aDefinition({ a: [] }, { name: 'live', timeout: '365d', retention: '1m' }))
    fakeUpstream(silence)
    const begunAt = at(Date.now())
    await tenant.runner().start(tenant.start('live', { waitMs: 0 }))
    await tenant.runner().start(tenant.start('wf'))
    at(begunAt + 50_000)
    await tenant.register(aDefinition({ 'b?': [] }, { name: 'wf', retention: '1m' }))
    await tenant.runner().start(tenant.start('wf'))
    expect(await held(tenant.runner())).toEqual(['live@1', 'wf@1', 'wf@2'])
    at(begunAt + MINUTE)
    await runInDurableObject(tenant.runner(), (instance) => instance.alarm())
    expect(await held(tenant.runner())).toEqual(['live@1', 'wf@2'])
    at(begunAt + 10 * MINUTE)
    await runInDurableObject(tenant.runner(), (instance) => instance.alarm())
    expect(await held(tenant.runner())).toEqual(['live@1'])
  })

  test('on which a start counts stay, by its lease or by a question under way; the next pass takes them', async () => {
    const tenant = await aTenantWith({ wf: '1m', asked: '1m' })
    const begunAt = at(Date.now())
    await tenant.runner().start(tenant.start('wf'))
    await tenant.runner().start(tenant.start('asked'))
    at(begunAt + 2 * MINUTE)
    await runInDurableObject(tenant.runner(), async (_, { storage }) => {
      const rows = new Rows(storage.sql)
      const answer = Promise.withResolvers<Resolved>()
      const asks = { resolve: (name: string) => (name === 'wf' ? { kind: 'found', version: 1 } : answer.promise) }
      const workflows = new Workflows(
        rows,
        () => asks as never,
        () => 0,
      )
      await workflows.resolve('wf', null)
      const asking = workflows.resolve('asked', null)
      const pass = () => {
        workflows.beginSweep()
        return workflows.sweep(null, () => false, Date.now())
      }
      expect(pass()).toEqual({ last: null, hasSpared: true })
      expect(rows.all('SELECT name FROM definitions')).toHaveLength(2)
      answer.resolve({ kind: 'found', version: 1 })
      await asking
      at(begunAt + 3 * MINUTE)
      expect(pass()).toEqual({ last: null, hasSpared: false })
      expect(rows.all('SELECT name FROM definitions')).toHaveLength(0)
      // A clock that goes back brings no lease on what is gone.
      at(begunAt + 2 * MINUTE)
      expect(workflows.lease('wf', null, Date.now())).toBe(null)
      expect(() => workflows.get('wf', 1)).toThrow('not here')
    })
  })

  test('that a run has begun with since the pass began stay', async () => {
    const tenant = await aTenantWith({ wf: '30d' })
    await tenant.runner().start(tenant.start('wf'))
    await runInDurableObject(tenant.runner(), (_, { storage }) => {
      const rows = new Rows(storage.sql)
      const workflows = new Workflows(
        rows,
        () => null as never,
        () => 0,
      )
      workflows.beginSweep()
      workflows.get('wf', 1)
      expect(workflows.sweep(null, () => false, Date.now())).toEqual({ last: null, hasSpared: true })
      expect(rows.all('SELECT name FROM definitions')).toHaveLength(1)
    })
  })

  test('that are many go fifty a step; what a crash cuts off, the next pass takes', async () => {
    const tenant = await aTenantWith({ wf: '1m', kept: '30d' })
    const begunAt = at(Date.now())
    await tenant.runner().start(tenant.start('wf'))
    await tenant.runner().start(tenant.start('kept'))
    await sql(
      tenant.runner(),
      `WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 120)
       INSERT INTO definitions SELECT 'wf', n.i, part.i, data FROM n, definitions, (SELECT 0 AS i UNION SELECT 1) AS part WHERE name = 'wf'`,
    )
    await runInDurableObject(tenant.runner(), (_, { storage }) => {
      const workflows = new Workflows(
        new Rows(storage.sql),
        () => null as never,
        () => 0,
      )
      workflows.beginSweep()
      const { last } = workflows.sweep(null, (key) => key === 'kept@1', Date.now())
      expect(last).toEqual({ name: 'wf', version: 49 })
    })
    expect(await held(tenant.runner())).toHaveLength(1 + 71)
    await abortAllDurableObjects()
    at(begunAt + 2 * MINUTE)
    await runDurableObjectAlarm(tenant.runner())
    expect(await held(tenant.runner())).toEqual(['kept@1'])
    expect(await count(tenant.runner(), 'definitions')).toBe(1)
  })

  test('of starts that were refused ask for no pass of their own, and go with the next', async () => {
    const tenant = await aTenantWith({ other: '1d' })
    await tenant.register(aDefinition({ 'a?': [] }, { name: 'wf', timeout: '1m' }))
    at(Date.now())
    expect(await tenant.runner().start(tenant.start('wf', { timeoutMs: DAY }))).toMatchObject({
      kind: 'timeout_too_long',
    })
    expect(await held(tenant.runner())).toEqual(['wf@1'])
    expect(await alarmAt(tenant.runner())).toBe(null)
    await tenant.runner().start(tenant.start('other'))
    await nextAlarm(tenant.runner())
    expect(await held(tenant.runner())).toEqual([])
  })
})

describe('notes that a circuit holds a run back', () => {
  test('go when the run has ended, a hundred a step, and stay while it goes on', async () => {
    const tenant = await aTenantWith({ wf: '1m' })
    await tenant.register(aDefinition({ a: [] }, { name: 'live', timeout: '365d' }))
    fakeUpstream(silence)
    const begunAt = at(Date.now())
    const live = tenant.start('live', { waitMs: 0 })
    await tenant.runner().start(live)
    await tenant.runner().start(tenant.start('wf'))
    const barrier = { state: 'open', askAt: begunAt + 365 * DAY, trials: [] }
    const data = JSON.stringify({ revision: 1, policy: {}, barrier })
    await sql(tenant.runner(), `INSERT INTO circuits VALUES ('x', '${data}')`)
    await abortAllDurableObjects()
    await sql(
      tenant.runner(),
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250)
       INSERT INTO circuit_waits SELECT 'x', 'run_0000' || i FROM n UNION ALL SELECT 'x', '${live.runId}'`,
    )
    at(begunAt + 2 * MINUTE)
    await runInDurableObject(tenant.runner(), (instance) => instance.alarm())
    expect(await sql(tenant.runner(), 'SELECT * FROM circuit_waits')).toEqual([{ target: 'x', run_id: live.runId }])
  })
})

describe('keys', () => {
  test('whose day is over lose their rows, of runs that are kept and of runs that are gone', async () => {
    const tenant = await aTenantWith({ wf: '1m', kept: '30d' })
    const begunAt = at(Date.now())
    const start = (name: string, key: string) => tenant.start(name, { idempotency: { key, bodyHash: 'aa' } })
    await tenant.runner().start(start('wf', 'a'))
    await tenant.runner().start(start('kept', 'b'))
    await nextAlarm(tenant.runner())
    expect(await count(tenant.runner(), 'runs')).toBe(1)
    expect(await tenant.runner().start(start('wf', 'a'))).toEqual({ kind: 'run_deleted' })
    expect(await count(tenant.runner(), 'idempotency')).toBe(2)
    expect(await nextAlarm(tenant.runner())).toBeLessThanOrEqual(begunAt + 2 * DAY)
    expect(await count(tenant.runner(), 'idempotency')).toBe(0)
    expect(await count(tenant.runner(), 'runs')).toBe(1)
  })

  test('that are many go in windows, and those that are not over stay', async () => {
    const tenant = await aTenantWith({ wf: '30d' })
    const begunAt = at(Date.now())
    await tenant.runner().start(tenant.start('wf', { idempotency: { key: 'k', bodyHash: 'aa' } }))
    await sql(
      tenant.runner(),
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
       INSERT INTO idempotency SELECT 'key-' || i, 'aa', 'run', ${begunAt} + iif(i % 2, ${DAY}, ${3 * DAY}) FROM n`,
    )
    await nextAlarm(tenant.runner())
    expect(await count(tenant.runner(), 'idempotency')).toBe(1_000)
    expect(await alarmAt(tenant.runner())).toBeLessThanOrEqual(begunAt + 3 * DAY)
  })
})

describe('the cost of retention', () => {
  test('is nothing for a run that ends after others: no row, no move of the alarm', async () => {
    const tenant = await aTenantWith({ wf: '30d' })
    const runner = tenant.runner()
    await runner.start(tenant.start('wf'))
    const written = async () => (await runner.counts()).counts.wf!.rows.written
    await runner.start(tenant.start('wf'))
    const before = await written()
    const stands = await alarmAt(runner)
    for (let i = 0; i < 10; i++) await runner.start(tenant.start('wf'))
    expect((await written()) - before).toBe(20)
    expect(await alarmAt(runner)).toBe(stands)
  })
})
