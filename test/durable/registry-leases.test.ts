// Read your writes: an answer to a change leaves only when no Runner can still start what was there before.
// Runners are real objects whose `recall` is replaced; timers of a lease's length are held and set off by hand.

import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Registry } from '../../durable/registry/registry.ts'
import { LEASE_MS } from '../../durable/registry/registry-rpc.ts'
import { aDefinition } from '../support/builders.ts'

afterEach(() => vi.restoreAllMocks())

let tenants = 0

function registryOf(tenant: string): DurableObjectStub<Registry> {
  return env.REGISTRY.get(env.REGISTRY.idFromName(tenant))
}

function text(description: string): string {
  return JSON.stringify(aDefinition({ a: [] }, { description }))
}

/** A tenant with the workflow `wf` in version 1, on which these shards have a lease. */
async function leasedTo(...shards: number[]): Promise<{ tenant: string; registry: DurableObjectStub<Registry> }> {
  const tenant = `leases${tenants++}`
  const registry = registryOf(tenant)
  await registry.register('wf', text('one'), null)
  for (const shard of shards) await registry.resolve('wf', null, shard, [])
  return { tenant, registry }
}

/** Replaces `recall` of every Runner; answers are up to `answer`. Returns the recalls made, as "tenant:shard name". */
async function runnersThat(answer: (recall: string) => Promise<void>): Promise<string[]> {
  const recalls: string[] = []
  const stub = env.RUNNER.get(env.RUNNER.idFromName('any:0'))
  await runInDurableObject(stub, (runner) => {
    vi.spyOn(Object.getPrototypeOf(runner), 'recall').mockImplementation(function (this: unknown, name) {
      const recall = `${(this as { ctx: DurableObjectState }).ctx.id.name} ${name}`
      recalls.push(recall)
      return answer(recall)
    })
  })
  return recalls
}

/**
 * Holds timers that are about as long as a lease; others run on. A held timer goes off in the object that set it, which
 * alone may go on with what waits for it: so it looks again and again whether it has been set off.
 */
function holdTimers(): { waits: number[]; setOff: () => void } {
  const held = { isSetOff: false }
  const waits: number[] = []
  const setTimer = globalThis.setTimeout
  const look = (callback: () => void) => {
    if (held.isSetOff) callback()
    else if (vi.isMockFunction(globalThis.setTimeout)) setTimer(look, 1, callback)
  }
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(((
    callback: (...args: unknown[]) => void,
    ms = 0,
    ...args: unknown[]
  ) => {
    if (ms < LEASE_MS / 2 || ms > LEASE_MS * 2) return setTimer(() => callback(...args), ms)
    waits.push(ms)
    look(callback)
    return 0
  }) as typeof setTimeout)
  return {
    waits,
    setOff: () => {
      held.isSetOff = true
    },
  }
}

/** Whether the promise is still open after everything that can happen by itself has happened. */
async function isOpen(promise: Promise<unknown>): Promise<boolean> {
  let isDone = false
  promise.then(() => {
    isDone = true
  })
  for (let round = 0; round < 10; round++) await new Promise((resolve) => setTimeout(resolve, 1))
  return !isDone
}

const answers = async () => {}
const CHANGES = {
  'a new version': (registry: DurableObjectStub<Registry>) => registry.register('wf', text('two'), null),
  'a repeated registration': (registry: DurableObjectStub<Registry>) => registry.register('wf', text('one'), null),
  'a deletion': (registry: DurableObjectStub<Registry>) => registry.remove('wf'),
  'a pause': (registry: DurableObjectStub<Registry>) => registry.setPaused('wf', true),
  'a resumption': (registry: DurableObjectStub<Registry>) => registry.setPaused('wf', false),
}

describe.each(Object.entries(CHANGES))('a change: %s', (_, change) => {
  test('is told to every Runner that holds a lease on the name, and to no other', async () => {
    const recalls = await runnersThat(answers)
    const { tenant, registry } = await leasedTo(3, 11, 3)
    await registry.register('other', text('one'), null)
    await registry.resolve('other', null, 5, [])
    await change(registry)
    expect(recalls.sort()).toEqual([`${tenant}:11 wf`, `${tenant}:3 wf`])
  })

  test('is answered when all of them have answered, at once if they do', async () => {
    let answer = () => {}
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    const recalls = await runnersThat((recall) => (recall.includes(':2 ') ? answered : Promise.resolve()))
    const timers = holdTimers()
    const { registry } = await leasedTo(1, 2)
    const changed = change(registry)
    await vi.waitFor(() => expect(recalls.length).toBe(2), { interval: 1 })
    expect(await isOpen(changed)).toBe(true)
    answer()
    await changed
    expect(timers.waits.length).toBe(2)
  })

  test.each([
    ['does not answer', () => new Promise<void>(() => {})],
    ['fails', () => Promise.reject(new Error('no'))],
  ])('waits until the lease of a Runner that %s has run out', async (_, answer) => {
    const recalls = await runnersThat(answer)
    const timers = holdTimers()
    const { registry } = await leasedTo(1)
    const changed = change(registry)
    await vi.waitFor(() => expect(recalls.length).toBe(1), { interval: 1 })
    expect(await isOpen(changed)).toBe(true)
    expect(timers.waits).toEqual([expect.closeTo(LEASE_MS + 50, -2)])
    expect(timers.waits[0]).toBeLessThanOrEqual(LEASE_MS + 50)
    timers.setOff()
    await changed
  })

  test('by an instance that just began waits until leases of the one before it have run out', async () => {
    await runnersThat(answers)
    const { tenant } = await leasedTo(1)
    await abortAllDurableObjects()
    const timers = holdTimers()
    const changed = change(registryOf(tenant))
    await vi.waitFor(() => expect(timers.waits.length).toBe(1), { interval: 1 })
    expect(await isOpen(changed)).toBe(true)
    expect(timers.waits).toEqual([expect.closeTo(LEASE_MS + 50, -2)])
    timers.setOff()
    await changed
  })
})

describe('leases', () => {
  test('that have run out are not recalled', async () => {
    const recalls = await runnersThat(answers)
    const { registry } = await leasedTo(1)
    const now = Date.now() + LEASE_MS
    vi.spyOn(Date, 'now').mockImplementation(() => now)
    await registry.register('wf', text('two'), null)
    expect(recalls).toEqual([])
  })

  test('are recalled once', async () => {
    const recalls = await runnersThat(answers)
    const { registry } = await leasedTo(1)
    await registry.register('wf', text('two'), null)
    await registry.register('wf', text('three'), null)
    expect(recalls.length).toBe(1)
  })

  test('are not given by refusals', async () => {
    const recalls = await runnersThat(answers)
    const { registry } = await leasedTo()
    await registry.resolve('wf', 7, 1, [])
    await registry.resolve('new', null, 1, [])
    await registry.setPaused('wf', true)
    await registry.resolve('wf', null, 1, [])
    await registry.setPaused('wf', false)
    await registry.register('new', text('one'), null)
    expect(recalls).toEqual([])
  })

  test('of one tenant are nothing to another', async () => {
    const recalls = await runnersThat(answers)
    const { registry } = await leasedTo(1)
    const other = await leasedTo(1)
    await registry.register('wf', text('two'), null)
    expect(recalls.some((recall) => recall.startsWith(`${other.tenant}:`))).toBe(false)
  })
})

describe('while a change waits for a Runner', () => {
  /** A change of `wf` to version 2 that shard 1 has not answered yet. */
  async function aWaitingChange() {
    const answer = { give: () => {} }
    const answered = new Promise<void>((resolve) => {
      answer.give = resolve
    })
    const recalls = await runnersThat((recall) => (recall.includes(':1 ') ? answered : Promise.resolve()))
    const { registry } = await leasedTo(1)
    const changed = registry.register('wf', text('two'), null)
    await vi.waitFor(() => expect(recalls.length).toBe(1), { interval: 1 })
    return { registry, changed, recalls, answer }
  }

  test('the name means the new version already', async () => {
    const { registry, changed, answer } = await aWaitingChange()
    expect(await registry.resolve('wf', null, 2, [])).toMatchObject({ version: 2 })
    expect(await registry.get('wf', 'live')).toMatchObject({ version: 2 })
    answer.give()
    expect(await changed).toMatchObject({ kind: 'created', stored: { version: 2 } })
  })

  test('a repeat of it waits for the same Runner', async () => {
    const { registry, changed, answer } = await aWaitingChange()
    const repeat = registry.register('wf', text('two'), null)
    expect(await isOpen(repeat)).toBe(true)
    answer.give()
    expect([(await changed).kind, (await repeat).kind]).toEqual(['created', 'unchanged'])
  })

  test('a second change waits for the Runners of both', async () => {
    const { registry, changed, recalls, answer } = await aWaitingChange()
    await registry.resolve('wf', null, 2, [])
    const removed = registry.remove('wf')
    await vi.waitFor(() => expect(recalls.length).toBe(2), { interval: 1 })
    expect(recalls[1]).toContain(':2 wf')
    expect(await isOpen(removed)).toBe(true)
    answer.give()
    expect([(await changed).kind, await removed]).toEqual(['created', true])
  })

  test('a repeat of a second change waits for its Runner, though the first is answered', async () => {
    const gates = [1, 2].map(() => Promise.withResolvers<void>())
    const recalls = await runnersThat((recall) => gates[recall.includes(':1 ') ? 0 : 1]!.promise)
    const { registry } = await leasedTo(1)
    const first = registry.register('wf', text('two'), null)
    await vi.waitFor(() => expect(recalls.length).toBe(1), { interval: 1 })
    await registry.resolve('wf', null, 2, [])
    const second = registry.register('wf', text('three'), null)
    await vi.waitFor(() => expect(recalls.length).toBe(2), { interval: 1 })
    gates[0]!.resolve()
    await first
    const repeat = registry.register('wf', text('three'), null)
    expect([await isOpen(second), await isOpen(repeat)]).toEqual([true, true])
    gates[1]!.resolve()
    expect([(await second).kind, (await repeat).kind]).toEqual(['created', 'unchanged'])
  })

  test('a repeated deletion waits too, although there is nothing left to delete', async () => {
    const { registry, changed, answer } = await aWaitingChange()
    const removals = [registry.remove('wf'), registry.remove('wf')]
    expect(await isOpen(Promise.race(removals))).toBe(true)
    answer.give()
    expect(await Promise.all(removals)).toEqual([true, false])
    await changed
  })

  test('other names are changed without waiting', async () => {
    const { registry, changed, answer } = await aWaitingChange()
    await registry.register('other', text('one'), null)
    await registry.remove('other')
    answer.give()
    await changed
  })
})

describe('an instance that just began', () => {
  test('does not wait for a name that is new', async () => {
    const { tenant } = await leasedTo(1)
    await evictDurableObject(registryOf(tenant))
    const timers = holdTimers()
    await registryOf(tenant).register('new', text('one'), null)
    expect(await registryOf(tenant).remove('never')).toBe(false)
    expect(timers.waits).toEqual([])
  })

  test('does not wait if it is the first of its tenant', async () => {
    const timers = holdTimers()
    const { registry } = await leasedTo()
    await registry.register('wf', text('two'), null)
    await registry.remove('wf')
    expect(timers.waits).toEqual([])
  })

  test('waits for a name that was deleted: its deletion may not have been answered', async () => {
    const { tenant, registry } = await leasedTo()
    await registry.remove('wf')
    await evictDurableObject(registry)
    const timers = holdTimers()
    const registered = registryOf(tenant).register('wf', text('two'), null)
    await vi.waitFor(() => expect(timers.waits.length).toBe(1), { interval: 1 })
    timers.setOff()
    expect(await registered).toMatchObject({ kind: 'created', stored: { version: 2 } })
  })

  test('does not wait once it is older than a lease', async () => {
    const { tenant, registry } = await leasedTo(1)
    await evictDurableObject(registry)
    await registryOf(tenant).list(null, 1)
    const timers = holdTimers()
    const now = Date.now() + LEASE_MS
    vi.spyOn(Date, 'now').mockImplementation(() => now)
    await registryOf(tenant).register('wf', text('two'), null)
    expect(timers.waits).toEqual([])
  })
})
