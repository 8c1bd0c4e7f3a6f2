// Runs that start later: queued until then, whatever happens to the object meanwhile.

import { abortAllDurableObjects, reset, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { aDefinition } from '../support/builders.ts'
import { fakeUpstream } from '../support/fake-upstream.ts'
import { aTenant, shown, type TestTenant } from '../support/runner.ts'

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

const HOUR_MS = 3_600_000

/** Starts a run of one call that is to start in an hour. */
async function queued(tenant: TestTenant): Promise<{ id: string; startAt: number }> {
  await tenant.register(aDefinition({ a: [] }))
  const startAt = Date.now() + HOUR_MS
  const answer = await tenant.runner().start(tenant.start('wf', { options: { startAt }, waitMs: 0 }))
  return { id: shown(answer).id, startAt }
}

const alarmOf = (tenant: TestTenant) => runInDurableObject(tenant.runner(), (_, state) => state.storage.getAlarm())

/** Puts the clock to a time and fires the alarm, as the platform would. */
async function fireAt(tenant: TestTenant, time: number): Promise<void> {
  vi.spyOn(Date, 'now').mockReturnValue(time)
  await runDurableObjectAlarm(tenant.runner())
}

describe('a run with start_at', () => {
  test('is queued, says until when, and has an alarm that stands there or earlier', async () => {
    const tenant = aTenant()
    const { requests } = fakeUpstream(() => Response.json({}))
    const { id, startAt } = await queued(tenant)
    const waiting = { for: 'time', until: new Date(startAt).toISOString() }
    expect(shown(await tenant.runner().get(id, 0))).toMatchObject({
      status: 'queued',
      waiting,
      started_at: null,
      deadline_at: null,
      tasks: [{ id: 'a', status: 'pending', waiting }],
    })
    expect(await alarmOf(tenant)).toBeLessThanOrEqual(startAt)
    // An alarm before its time changes nothing.
    await fireAt(tenant, startAt - 1)
    expect(shown(await tenant.runner().get(id, 0)).status).toBe('queued')
    expect(requests).toEqual([])
  })

  test('starts at its time, and its time limit begins then', async () => {
    const tenant = aTenant()
    fakeUpstream(() => Response.json({}))
    const { id, startAt } = await queued(tenant)
    await fireAt(tenant, startAt)
    const run = shown(await tenant.runner().get(id, 5_000))
    expect(run).toMatchObject({ status: 'succeeded', started_at: new Date(startAt).toISOString() })
    const page = await tenant.runner().events(id, 0, 10)
    const names = page.kind === 'page' ? page.items.map((text) => JSON.parse(text).event) : []
    expect(names.slice(0, 3)).toEqual(['run.accepted', 'run.queued', 'run.started'])
  })

  test('survives a crash', async () => {
    const tenant = aTenant()
    const { requests } = fakeUpstream(() => Response.json({}))
    const { id, startAt } = await queued(tenant)
    await abortAllDurableObjects()
    await fireAt(tenant, startAt + 5_000)
    expect(shown(await tenant.runner().get(id, 5_000)).status).toBe('succeeded')
    expect(requests).toHaveLength(1)
  })

  test('can be cancelled before its time, and counts as no time', async () => {
    const tenant = aTenant()
    const { requests } = fakeUpstream(() => Response.json({}))
    const { id, startAt } = await queued(tenant)
    await tenant.runner().cancel(id)
    const run = shown(await tenant.runner().get(id, 0))
    expect(run).toMatchObject({ status: 'cancelled', started_at: null, duration_ms: null })
    await fireAt(tenant, startAt)
    expect(requests).toEqual([])
    const { counts } = await tenant.runner().counts()
    expect(counts.wf).toMatchObject({ runs: { cancelled: 1 }, duration: { sumMs: 0 } })
  })

  test('that is paused past its time starts when it is resumed', async () => {
    const tenant = aTenant()
    fakeUpstream(() => Response.json({}))
    const { id, startAt } = await queued(tenant)
    await tenant.runner().pause(id)
    await fireAt(tenant, startAt + 1)
    expect(shown(await tenant.runner().get(id, 0)).status).toBe('paused')
    await tenant.runner().resume(id)
    expect(shown(await tenant.runner().get(id, 5_000)).status).toBe('succeeded')
  })

  test('that is resumed before its time waits on', async () => {
    const tenant = aTenant()
    fakeUpstream(() => Response.json({}))
    const { id, startAt } = await queued(tenant)
    await tenant.runner().pause(id)
    await tenant.runner().resume(id)
    expect(shown(await tenant.runner().get(id, 0)).status).toBe('queued')
    await fireAt(tenant, startAt)
    expect(shown(await tenant.runner().get(id, 5_000)).status).toBe('succeeded')
  })

  test('was accepted: it starts on its version though the workflow is deleted meanwhile', async () => {
    const tenant = aTenant()
    fakeUpstream(() => Response.json({}))
    const { id, startAt } = await queued(tenant)
    await env.REGISTRY.get(env.REGISTRY.idFromName(tenant.name)).remove('wf')
    await fireAt(tenant, startAt)
    expect(shown(await tenant.runner().get(id, 5_000)).status).toBe('succeeded')
  })

  test('that is past starts at once', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }))
    const options = { startAt: Date.now() - HOUR_MS }
    const run = shown(await tenant.runner().start(tenant.start('wf', { options })))
    expect(run.status).toBe('succeeded')
  })
})
