// Bulk jobs on the Runners of a tenant: what they act on, what they leave alone, and that crashes repeat nothing.

import { abortAllDurableObjects, reset, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Registry } from '../../durable/registry/registry.ts'
import { Rows } from '../../durable/rows.ts'
import { BulkJobs } from '../../durable/runner/bulk-jobs.ts'
import { BulkWork } from '../../durable/runner/bulk-work.ts'
import type { Runner } from '../../durable/runner/runner.ts'
import type { BulkJob, RetryRequest } from '../../durable/runner/runner-rpc.ts'
import { aDefinition } from '../support/builders.ts'
import { fakeUpstream, silence } from '../support/fake-upstream.ts'
import { aTenant } from '../support/runner.ts'

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

let jobs = 0
const aJob = (action: BulkJob['action'], rest: Partial<BulkJob> = {}): BulkJob => ({
  id: `bulk_01K${String(++jobs).padStart(23, '0')}`,
  action,
  filter: {},
  shown: { all: true },
  requestedAt: Date.now(),
  ...rest,
})

const sql = (stub: DurableObjectStub<Runner>, query: string) =>
  runInDurableObject(stub, (_, state) => state.storage.sql.exec(query).toArray())
const count = async (stub: DurableObjectStub<Runner>, where = 'TRUE') =>
  (await sql(stub, `SELECT COUNT(*) AS n FROM runs WHERE ${where}`))[0]!.n

/** A tenant with live runs and ended ones in its first shard. */
async function aShard({ live, ended }: { live: number; ended: number }) {
  const tenant = aTenant()
  await tenant.register(aDefinition({ a: [] }, { timeout: '10m' }))
  await tenant.register(aDefinition({ 'a?': [] }, { name: 'quick' }))
  fakeUpstream(silence)
  for (let i = 0; i < live; i++) await tenant.runner().start(tenant.start('wf', { waitMs: 0 }))
  for (let i = 0; i < ended; i++) {
    const options = { tags: [i % 2 === 0 ? 'even' : 'odd'] }
    await tenant.runner().start(tenant.start('quick', { options }))
  }
  return { tenant, runner: () => tenant.runner() }
}

describe('a bulk job', () => {
  test('that cancels acts on runs that go on, and only on them', async () => {
    const { runner } = await aShard({ live: 60, ended: 5 })
    const job = aJob('cancel')
    expect(await runner().countBulk(job)).toBe(60)
    expect(await runner().requestBulk(job, [])).toBe('accepted')
    expect(await runner().bulk(job.id)).toMatchObject({ matched: 0, finishedAt: null })
    await runDurableObjectAlarm(runner())
    expect(await runner().bulk(job.id)).toMatchObject({
      matched: 60,
      done: 60,
      failed: 0,
      finishedAt: expect.any(Number),
    })
    expect(await count(runner(), `status = 'cancelled'`)).toBe(60)
    expect(await count(runner(), `status = 'succeeded'`)).toBe(5)
    expect(await runner().counts()).toMatchObject({ runsActive: 0 })
  })

  test('that deletes acts on runs that have ended and that its filter finds', async () => {
    const { runner } = await aShard({ live: 3, ended: 20 })
    const job = aJob('delete', { filter: { tag: 'odd' }, shown: { tag: 'odd' } })
    expect(await runner().countBulk(job)).toBe(10)
    await runner().requestBulk(job, [])
    await runDurableObjectAlarm(runner())
    expect(await runner().bulk(job.id)).toMatchObject({ matched: 10, done: 10, failed: 0 })
    expect(await count(runner())).toBe(13)
    expect(await runner().countBulk(aJob('delete', { filter: { tag: 'odd' } }))).toBe(0)
  })

  test('that retries makes each run that has not succeeded again, once, also when a crash cuts a page off', async () => {
    const { tenant, runner } = await aShard({ live: 1, ended: 3 })
    fakeUpstream(() => new Response('', { status: 400 }))
    for (let i = 0; i < 5; i++) await tenant.runner().start(tenant.start('wf'))
    const job = aJob('retry')
    expect(await runner().countBulk(job)).toBe(5)
    await runner().requestBulk(job, [])
    await runDurableObjectAlarm(runner())
    expect(await runner().bulk(job.id)).toMatchObject({ matched: 5, done: 5, failed: 0 })
    const retried = () => count(runner(), `summary ->> '$.trigger.type' = 'retry'`)
    expect(await retried()).toBe(5)
    // As after a crash between what was begun and what was written of it: the page is taken again.
    await sql(runner(), 'UPDATE bulk SET position = NULL, matched = 0, done = 0, finished_at = NULL')
    await abortAllDurableObjects()
    await runDurableObjectAlarm(runner())
    expect(await runner().bulk(job.id)).toMatchObject({ matched: 5, done: 5, failed: 0 })
    expect(await retried()).toBe(5)
  })

  test('that retries runs with large outputs makes a step of as many as copy a few megabytes, and goes on after them', async () => {
    const { tenant, runner } = await aShard({ live: 0, ended: 0 })
    fakeUpstream(() => new Response('', { status: 400 }))
    for (let i = 0; i < 5; i++) await tenant.runner().start(tenant.start('wf'))
    const MEGABYTE = 1_000_000
    // From the newest: two small ones, a large one, two more.
    const ids = (await sql(runner(), 'SELECT id FROM runs ORDER BY id DESC')).map(({ id }) => String(id))
    await sql(runner(), `UPDATE runs SET payload_bytes = ${50 * MEGABYTE} WHERE id = '${ids[2]}'`)
    const job = aJob('retry')
    await runInDurableObject(runner(), async (_, { storage }) => {
      const rows = new Rows(storage.sql)
      const jobs = new BulkJobs(rows)
      const retried: string[] = []
      let underWay = 0
      const retries = {
        accept: async ({ of }: RetryRequest) => {
          expect(++underWay).toBe(1)
          await scheduler.wait(0)
          underWay--
          retried.push(of)
          if (of === ids[1]) throw new Error('broken')
          return { kind: of === ids[3] ? 'workflow_paused' : 'accepted' }
        },
      }
      const unused = null as never
      const work = new BulkWork(jobs, unused, unused, rows, () => 'run_00', unused, retries as never, unused, unused)
      vi.spyOn(console, 'error').mockImplementation(() => {})
      jobs.accept(job, [])
      await work.step(Date.now())
      expect(retried).toEqual(ids.slice(0, 3))
      expect(jobs.progress(job.id)).toMatchObject({ matched: 3, done: 2, failed: 1, finishedAt: null })
      await work.step(Date.now())
      expect(retried).toEqual(ids)
      expect(jobs.progress(job.id)).toMatchObject({ matched: 5, done: 3, failed: 2, finishedAt: expect.any(Number) })
    })
  })

  test('that retries lets others have their turn after a fifth of a second', async () => {
    const { tenant, runner } = await aShard({ live: 0, ended: 0 })
    fakeUpstream(() => new Response('', { status: 400 }))
    for (let i = 0; i < 3; i++) await tenant.runner().start(tenant.start('wf'))
    const job = aJob('retry')
    await runInDurableObject(runner(), async (_, { storage }) => {
      const rows = new Rows(storage.sql)
      const jobs = new BulkJobs(rows)
      let now = Date.now()
      vi.spyOn(Date, 'now').mockImplementation(() => now)
      const retries = {
        accept: async () => {
          now += 150
          return { kind: 'accepted' }
        },
      }
      const unused = null as never
      const work = new BulkWork(jobs, unused, unused, rows, () => 'run_00', unused, retries as never, unused, unused)
      jobs.accept(job, [])
      await work.step(now)
      expect(jobs.progress(job.id)).toMatchObject({ matched: 2, finishedAt: null })
      await work.step(now)
      expect(jobs.progress(job.id)).toMatchObject({ matched: 3, done: 3 })
    })
  })

  /** A tenant whose workflow `top` has the runs of another as its task. */
  async function aFamily() {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [] }, { name: 'below', timeout: '10m' }))
    const top = aDefinition({ sub: [] }, { name: 'top', timeout: '10m' })
    Object.assign(top.tasks[0]!, { type: 'workflow', with: { workflow: 'below' } })
    await tenant.register(top)
    return { tenant, runner: () => tenant.runner() }
  }

  /** A run of `top`, and the run that is its task; both go on. */
  async function aLiveFamily() {
    const { tenant, runner } = await aFamily()
    fakeUpstream(silence)
    await runner().start(tenant.start('top', { waitMs: 0 }))
    await vi.waitFor(async () => expect(await count(runner())).toBe(2))
    return { runner }
  }

  /** A run of `top` that failed since the run failed that is its task. */
  async function aFailedFamily() {
    const { tenant, runner } = await aFamily()
    const { requests } = fakeUpstream(() => new Response('', { status: 400 }))
    const start = tenant.start('top')
    await runner().start(start)
    return { runner, top: start.runId, requests }
  }

  test('that retries leaves the runs that are tasks of others to those, and their work is done once', async () => {
    const { runner, requests } = await aFailedFamily()
    expect(await count(runner(), `status = 'failed'`)).toBe(2)
    expect(requests).toHaveLength(1)
    const job = aJob('retry', { filter: { status: 'failed' } })
    expect(await runner().countBulk(job)).toBe(1)
    await runner().requestBulk(job, [])
    await runDurableObjectAlarm(runner())
    expect(await runner().bulk(job.id)).toMatchObject({
      matched: 1,
      done: 1,
      failed: 0,
      finishedAt: expect.any(Number),
    })
    await vi.waitFor(async () => expect(await count(runner(), `status = 'failed'`)).toBe(4))
    expect(requests).toHaveLength(2)
  })

  test('that retries the tasks of a run by its id makes runs of their own of them', async () => {
    const { runner, top } = await aFailedFamily()
    const job = aJob('retry', { filter: { parent: top } })
    expect(await runner().countBulk(job)).toBe(1)
    await runner().requestBulk(job, [])
    await runDurableObjectAlarm(runner())
    expect(await runner().bulk(job.id)).toMatchObject({ matched: 1, done: 1 })
    expect(await count(runner(), `summary ->> '$.retry_of' IS NOT NULL AND workflow = 'below'`)).toBe(1)
    expect(await count(runner(), `summary ->> '$.retry_of' IS NOT NULL AND summary ->> '$.parent' IS NOT NULL`)).toBe(0)
  })

  test('that retries leaves alone what a later run makes again, whoever asked for that one', async () => {
    const { tenant, runner } = await aShard({ live: 0, ended: 0 })
    fakeUpstream(() => new Response('', { status: 400 }))
    const starts = [tenant.start('wf'), tenant.start('wf'), tenant.start('wf')]
    for (const start of starts) await runner().start(start)
    const again = tenant.start('wf').runId
    await runner().retry({ runId: again, of: starts[0]!.runId, from: 'failed', version: null, idempotency: null })
    await runner().get(again, 5_000)
    const retryAll = async () => {
      const job = aJob('retry', { filter: { status: 'failed' } })
      const counted = await runner().countBulk(job)
      await runner().requestBulk(job, [])
      await runDurableObjectAlarm(runner())
      const progress = (await runner().bulk(job.id))!
      expect(progress).toMatchObject({ matched: counted, done: counted, failed: 0 })
      return counted
    }
    // Two that nobody has made again, and the retry that has failed itself.
    expect(await retryAll()).toBe(3)
    await vi.waitFor(async () => expect(await count(runner(), `status = 'failed'`)).toBe(7))
    // Now the three that have just been made; none of those before.
    expect(await retryAll()).toBe(3)
    await vi.waitFor(async () => expect(await count(runner(), `status = 'failed'`)).toBe(10))
    // Once the run that made it again is deleted, it is made again by nobody: it counts once more, beside the last three.
    const [{ id: last }] = (await sql(
      runner(),
      `SELECT id FROM runs WHERE summary ->> '$.retry_of' = '${starts[1]!.runId}'`,
    )) as [{ id: string }]
    expect(await runner().delete(last)).toMatchObject({ kind: 'deleted' })
    expect(await runner().countBulk(aJob('retry', { filter: { status: 'failed' } }))).toBe(4)
    await runner().requestBulk(aJob('delete'), [])
    await runDurableObjectAlarm(runner())
    expect(await sql(runner(), 'SELECT * FROM retried')).toEqual([])
  })

  test('that retries leaves what nobody could answer for in time to a later step', async () => {
    const { tenant, runner } = await aShard({ live: 0, ended: 0 })
    fakeUpstream(() => new Response('', { status: 400 }))
    for (let i = 0; i < 2; i++) await runner().start(tenant.start('wf'))
    const { resolve } = Registry.prototype
    let [now, isSlow] = [Date.now() + 60_000, true]
    vi.spyOn(Date, 'now').mockImplementation(() => now)
    vi.spyOn(Registry.prototype, 'resolve').mockImplementation(async function (this: Registry, ...question) {
      const answer = await resolve.apply(this, question)
      if (isSlow) now += 950
      return answer
    })
    vi.spyOn(console, 'error').mockImplementation(() => {})
    const job = aJob('retry', { filter: { status: 'failed' } })
    await runner().requestBulk(job, [])
    await runDurableObjectAlarm(runner())
    expect(await runner().bulk(job.id)).toMatchObject({ matched: 0, failed: 0, finishedAt: null })
    isSlow = false
    now += 60_000
    await runDurableObjectAlarm(runner())
    expect(await runner().bulk(job.id)).toMatchObject({ matched: 2, done: 2, failed: 0, finishedAt: now })
  })

  test('that cancels a run and its task cancels both: the end of the task is no failure of the run', async () => {
    const { runner } = await aLiveFamily()
    const job = aJob('cancel')
    expect(await runner().countBulk(job)).toBe(1)
    await runner().requestBulk(job, [])
    await runDurableObjectAlarm(runner())
    expect(await runner().bulk(job.id)).toMatchObject({ matched: 1, done: 1, failed: 0 })
    expect(await count(runner(), `status = 'cancelled'`)).toBe(2)
  })

  test('that cancels runs of the workflow of a task alone reaches those that are tasks', async () => {
    const { runner } = await aLiveFamily()
    const job = aJob('cancel', { filter: { workflow: 'below' } })
    await runner().requestBulk(job, [])
    await runDurableObjectAlarm(runner())
    expect(await runner().bulk(job.id)).toMatchObject({ matched: 1, done: 1, failed: 0 })
    expect(await count(runner(), `workflow = 'below' AND status = 'cancelled'`)).toBe(1)
  })

  test('that retries tells of runs whose workflow takes no starts', async () => {
    const { tenant, runner } = await aShard({ live: 0, ended: 0 })
    fakeUpstream(() => new Response('', { status: 400 }))
    for (let i = 0; i < 3; i++) await tenant.runner().start(tenant.start('wf'))
    await env.REGISTRY.get(env.REGISTRY.idFromName(tenant.name)).setPaused('wf', true)
    const job = aJob('retry')
    await runner().requestBulk(job, [])
    await runDurableObjectAlarm(runner())
    expect(await runner().bulk(job.id)).toMatchObject({ matched: 3, done: 0, failed: 3 })
    expect(await count(runner())).toBe(3)
  })

  test('counts only, when that is all that is asked: nothing is changed or kept', async () => {
    const { runner } = await aShard({ live: 2, ended: 3 })
    expect(await runner().countBulk(aJob('delete'))).toBe(3)
    await runDurableObjectAlarm(runner())
    expect(await count(runner())).toBe(5)
    expect(await sql(runner(), 'SELECT * FROM bulk')).toEqual([])
  })

  test('leaves alone what was created after the request', async () => {
    const { tenant, runner } = await aShard({ live: 0, ended: 4 })
    const job = aJob('delete')
    const now = Date.now()
    vi.spyOn(Date, 'now').mockReturnValue(now + 5)
    await tenant.runner().start(tenant.start('quick'))
    await runner().requestBulk(job, [])
    await runDurableObjectAlarm(runner())
    expect(await runner().bulk(job.id)).toMatchObject({ matched: 4 })
    expect(await count(runner())).toBe(1)
  })

  test('with the same id is one job, however often it is asked for', async () => {
    const { runner } = await aShard({ live: 0, ended: 4 })
    const job = aJob('delete')
    await Promise.all([1, 2, 3].map(() => runner().requestBulk(job, [])))
    await runDurableObjectAlarm(runner())
    expect(await runner().requestBulk(job, [])).toBe('accepted')
    await runDurableObjectAlarm(runner())
    expect(await runner().bulk(job.id)).toMatchObject({ matched: 4, done: 4 })
  })

  test('goes on after a crash where it stood: every run once, the figures exact', async () => {
    const { runner } = await aShard({ live: 120, ended: 0 })
    const job = aJob('cancel')
    await runner().requestBulk(job, [])
    // The first page is done, then the instance dies.
    const cut = runDurableObjectAlarm(runner()).catch(() => 'cut off')
    await vi.waitFor(async () => expect((await runner().bulk(job.id))!.matched).toBeGreaterThan(0), { interval: 1 })
    await abortAllDurableObjects()
    await cut
    for (let i = 0; i < 5 && (await runner().bulk(job.id))!.finishedAt === null; i++) {
      await runDurableObjectAlarm(runner())
    }
    expect(await runner().bulk(job.id)).toMatchObject({ matched: 120, done: 120, failed: 0 })
    expect(await count(runner(), `status = 'cancelled'`)).toBe(120)
    expect((await runner().counts()).counts.wf!.runs).toEqual({ cancelled: 120 })
  })

  test('tells of runs that it could not act on', async () => {
    const { runner } = await aShard({ live: 2, ended: 0 })
    vi.spyOn(console, 'error').mockImplementation(() => {})
    const [{ id }] = (await sql(runner(), 'SELECT id FROM runs LIMIT 1')) as [{ id: string }]
    await sql(runner(), `UPDATE runs SET head = '[1,' WHERE id = '${id}'`)
    await abortAllDurableObjects()
    const job = aJob('cancel')
    await runner().requestBulk(job, [])
    await runDurableObjectAlarm(runner())
    await runDurableObjectAlarm(runner())
    const progress = (await runner().bulk(job.id))!
    expect(progress.finishedAt).not.toBeNull()
    expect(progress.done + progress.failed).toBe(progress.matched)
    expect(await count(runner(), `status IN ('cancelled', 'failed')`)).toBe(2)
  })

  test('reaches every other shard by its home, also one that did not answer at first', async () => {
    const { tenant, runner } = await aShard({ live: 0, ended: 2 })
    const job = aJob('delete')
    await runner().requestBulk(job, [1, 2, 3])
    expect(await runner().bulk(job.id)).toMatchObject({ untold: [1, 2, 3] })
    expect(await tenant.runner(2).bulk(job.id)).toBeNull()
    await abortAllDurableObjects()
    await runDurableObjectAlarm(runner())
    await vi.waitFor(async () => expect(await runner().bulk(job.id)).toMatchObject({ untold: [] }))
    expect(await runner().bulk(job.id)).toMatchObject({ matched: 2, finishedAt: expect.any(Number) })
    for (const shard of [1, 2, 3]) {
      await runDurableObjectAlarm(tenant.runner(shard))
      expect(await tenant.runner(shard).bulk(job.id)).toMatchObject({ matched: 0, finishedAt: expect.any(Number) })
    }
  })

  test('is refused when twenty are under way, and the figures of the last hundred are kept', async () => {
    const { runner } = await aShard({ live: 0, ended: 0 })
    const taken = Array.from({ length: 20 }, () => aJob('delete'))
    for (const job of taken) expect(await runner().requestBulk(job, [1])).toBe('accepted')
    expect(await runner().requestBulk(aJob('delete'), [1])).toBe('too_many')
    const settle = async () => {
      await runDurableObjectAlarm(runner())
      await vi.waitFor(async () =>
        expect(await sql(runner(), `SELECT 1 FROM bulk WHERE untold <> '[]' OR finished_at IS NULL`)).toEqual([]),
      )
    }
    await settle()
    for (let i = 0; i < 6; i++) {
      for (let j = 0; j < 17; j++) await runner().requestBulk(aJob('delete'), [1])
      await settle()
    }
    expect(await runner().bulk(taken[0]!.id)).toBeNull()
    expect((await sql(runner(), 'SELECT COUNT(*) AS n FROM bulk'))[0]!.n).toBeLessThanOrEqual(101)
  })

  test('of a key is one job, and the key outlives its figures', async () => {
    const { runner } = await aShard({ live: 0, ended: 0 })
    const idempotency = { key: 'k', bodyHash: 'h' }
    const job = aJob('delete')
    expect(await runner().requestBulk(job, [], idempotency)).toBe('accepted')
    expect(await runner().requestBulk(job, [], idempotency)).toBe('accepted')
    expect(await runner().requestBulk(aJob('delete'), [], { key: 'k', bodyHash: 'other' })).toBe(
      'idempotency_key_reused',
    )
    await abortAllDurableObjects()
    await sql(runner(), 'DELETE FROM bulk')
    expect(await runner().requestBulk(aJob('delete'), [], idempotency)).toEqual({ kind: 'replayed', id: job.id })
    expect(await sql(runner(), 'SELECT * FROM bulk')).toEqual([])
  })

  test('that was refused has not used its key', async () => {
    const { runner } = await aShard({ live: 0, ended: 0 })
    for (let i = 0; i < 20; i++) await runner().requestBulk(aJob('delete'), [1])
    const idempotency = { key: 'k', bodyHash: 'h' }
    expect(await runner().requestBulk(aJob('delete'), [1], idempotency)).toBe('too_many')
    await sql(runner(), 'DELETE FROM bulk')
    expect(await runner().requestBulk(aJob('delete'), [1], idempotency)).toBe('accepted')
  })

  test('of an id that no job has is nothing', async () => {
    expect(await aTenant().runner().bulk('bulk_01K7ZB3V9QJ4X5Y6Z7A8B9C0D1')).toBeNull()
  })
})
