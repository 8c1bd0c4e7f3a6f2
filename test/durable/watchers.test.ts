// Watchers of runs: sockets that hibernate, and are told that a run has moved.

import { evictDurableObject, reset, runInDurableObject } from 'cloudflare:test'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Watchers } from '../../durable/runner/watchers.ts'
import { aDefinition, aRetry } from '../support/builders.ts'
import { fakeUpstream, silence } from '../support/fake-upstream.ts'
import { aTenant, type TestTenant } from '../support/runner.ts'

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

interface Watching {
  told: string[]
  closed: number | null
  socket: WebSocket
}

async function watch(tenant: TestTenant, runId: string, form = ''): Promise<Watching> {
  const response = await tenant
    .runner()
    .fetch(`https://runner/runs/${runId}/watch${form}`, { headers: { Upgrade: 'websocket' } })
  expect(response.status).toBe(101)
  const watching: Watching = { told: [], closed: null, socket: response.webSocket! }
  watching.socket.addEventListener('message', ({ data }) => watching.told.push(data as string))
  watching.socket.addEventListener('close', ({ code }) => {
    watching.closed = code
  })
  watching.socket.accept()
  return watching
}

/** A run that waits for a retry: nothing of it is under way. */
async function aSleepingRun(tenant: TestTenant): Promise<string> {
  const definition = aDefinition({ call: [] }, { timeout: '1m' })
  definition.tasks[0]!.retry = { ...RETRY }
  await tenant.register(definition)
  fakeUpstream(() => new Response('busy', { status: 503, headers: { 'retry-after': '20' } }))
  const start = tenant.start('wf', { waitMs: 0 })
  await tenant.runner().start(start)
  await vi.waitFor(async () => expect((await lastOf(tenant, start.runId)).last).toBe(5), { interval: 2 })
  return start.runId
}

const RETRY = aRetry({ multiplier: 2, max_interval: '30s', retry_on: ['*'], never_retry_on: [] })

async function lastOf(tenant: TestTenant, runId: string) {
  const page = await tenant.runner().events(runId, 0, 200)
  if (page.kind !== 'page') throw new Error(page.kind)
  return page
}

describe('what a task has so far', () => {
  test('is told to those who are told events, and to nobody else', async () => {
    const tenant = aTenant()
    const runId = await aSleepingRun(tenant)
    const [withEvents, numbers] = [await watch(tenant, runId, '?events=1'), await watch(tenant, runId)]
    const told = await runInDurableObject(tenant.runner(), (_, state) => {
      const watchers = new Watchers(state)
      return [watchers.tellPartial(runId, 'partial {}'), watchers.tellPartial('run_other', 'partial {}')]
    })
    expect(told).toEqual([1, 0])
    await vi.waitFor(() => expect(withEvents.told).toContain('partial {}'))
    expect(numbers.told).not.toContain('partial {}')
  })
})

describe('a watcher', () => {
  test('is told the number of the last event at once and after each commit, and let go at the end', async () => {
    const tenant = aTenant()
    const runId = await aSleepingRun(tenant)
    const watching = await watch(tenant, runId)
    await vi.waitFor(() => expect(watching.told).toEqual(['5']), { interval: 2 })
    await tenant.runner().cancel(runId)
    await vi.waitFor(() => expect(watching.closed).toBe(1000), { interval: 2 })
    expect(watching.told).toEqual(['5', String((await lastOf(tenant, runId)).last)])
  })

  test('that asks for events gets those of each commit, also from the next instance; others get numbers', async () => {
    const tenant = aTenant()
    const runId = await aSleepingRun(tenant)
    const [asking, other] = [await watch(tenant, runId, '?events=1'), await watch(tenant, runId)]
    await evictDurableObject(tenant.runner())
    await tenant.runner().cancel(runId)
    await vi.waitFor(() => expect([asking.told.length, other.closed]).toEqual([2, 1000]), { interval: 2 })
    const { items, last } = await lastOf(tenant, runId)
    expect(asking.told).toEqual(['5', [`${last} ended`, ...items.slice(5)].join('\n')])
    expect(other.told).toEqual(['5', String(last)])
    expect(asking.closed).toBeNull()
    asking.socket.close(1000)
  })

  test('stays while its Runner sleeps, and is told by the next instance', async () => {
    const tenant = aTenant()
    const runId = await aSleepingRun(tenant)
    const watching = await watch(tenant, runId)
    // It would reject or wait if a timer or a promise of the watchers kept the object awake.
    await evictDurableObject(tenant.runner())
    expect(await runInDurableObject(tenant.runner(), (_, state) => state.getWebSockets(runId).length)).toBe(1)
    await tenant.runner().cancel(runId)
    await vi.waitFor(() => expect(watching.closed).toBe(1000), { interval: 2 })
    expect(watching.told).toEqual(['5', String((await lastOf(tenant, runId)).last)])
  })

  test('that asks whether the socket is alive is answered by the platform', async () => {
    const tenant = aTenant()
    const watching = await watch(tenant, await aSleepingRun(tenant))
    watching.socket.send('ping')
    await vi.waitFor(() => expect(watching.told).toContain('pong'), { interval: 2 })
    watching.socket.send('anything else')
    await vi.waitFor(() => expect(watching.closed).toBe(1003), { interval: 2 })
  })

  test('of one run is not told of another', async () => {
    const tenant = aTenant()
    const [first, second] = [await aSleepingRun(tenant), await aSleepingRun(tenant)]
    const watching = await watch(tenant, first)
    await tenant.runner().cancel(second)
    await tenant.runner().cancel(first)
    await vi.waitFor(() => expect(watching.closed).toBe(1000), { interval: 2 })
    expect(watching.told).toHaveLength(2)
  })

  test('of a run that is not there is not taken', async () => {
    const headers = { Upgrade: 'websocket' }
    const response = await aTenant().runner().fetch('https://runner/runs/run_0001K0/watch', { headers })
    expect([response.status, response.webSocket]).toEqual([404, null])
  })
})

test('watchers are bounded, a run and an object', async () => {
  await runInDurableObject(aTenant().runner(), (_, state) => {
    const watchers = new Watchers(state, { run: 2, object: 3 })
    const statusOf = (runId: string) => watchers.accept(runId, 1, true).status
    expect(['a', 'a', 'a', 'b', 'b', 'c'].map(statusOf)).toEqual([101, 101, 429, 101, 503, 503])
    watchers.release('a')
    expect(['b', 'c', 'd'].map(statusOf)).toEqual([101, 101, 503])
  })
})

test('a commit of a run that nobody watches asks for no sockets', async () => {
  const tenant = aTenant()
  fakeUpstream(silence)
  await runInDurableObject(tenant.runner(), (_, state) => {
    const watchers = new Watchers(state)
    const asked = vi.spyOn(state, 'getWebSockets')
    watchers.tell('run', () => {
      throw new Error('there is nobody to make news for')
    })
    watchers.release('run')
    expect(asked).not.toHaveBeenCalled()
  })
})

test('partial texts of all runs together are bounded, and who sends them is told to come less often', () => {
  let sent = 0
  const socket = { readyState: WebSocket.OPEN, send: () => sent++ } as unknown as WebSocket
  const sockets = {
    getWebSockets: () => Array.from({ length: 10 }, () => socket),
    getTags: () => ['run_1', 'events'],
    acceptWebSocket: () => {},
    setWebSocketAutoResponse: () => {},
  }
  const watchers = new Watchers(sockets)
  vi.spyOn(Date, 'now').mockReturnValue(1_000_000)
  const heard = Array.from({ length: 150 }, () => watchers.tellPartial('run_1', 'partial'))
  expect(sent).toBe(1_000)
  expect([heard[0], heard.at(-1)]).toEqual([10, 100])
  vi.spyOn(Date, 'now').mockReturnValue(1_001_000)
  expect(watchers.tellPartial('run_1', 'partial')).toBe(10)
  expect(sent).toBe(1_010)
})
