// Maps in the real runtime: calls of items, crashes half-way, cuts, and what ten thousand items cost.

import { abortAllDurableObjects, reset, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Runner } from '../../durable/runner/runner.ts'
import type { WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import type { Json } from '../../src/workflow/json.ts'
import { aDefinition } from '../support/builders.ts'
import { fakeUpstream, silence } from '../support/fake-upstream.ts'
import { aTenant, type RunView, shown, type TaskView } from '../support/runner.ts'

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

interface MapView extends TaskView {
  items?: Record<string, number>
  error: { code: string; items?: number[] } | null
}
interface ItemView {
  index: number
  status: string
  item: Json
  output: Json
  attempts: { number: number; status: string }[]
  waiting?: { for: string; until?: string }
}

const get = async (stub: DurableObjectStub<Runner>, id: string) => shown(await stub.get(id, 0))
const mapOf = (run: RunView) => run.tasks[0] as MapView
const ok = (body: unknown = {}) => Response.json(body)
const alarm = (stub: DurableObjectStub<Runner>) => runInDurableObject(stub, (_, state) => state.storage.getAlarm())

async function items(stub: DurableObjectStub<Runner>, id: string, status: string | null = null, limit = 200) {
  const found: ItemView[] = []
  for (let after: number | null = 0; after !== null; ) {
    const page = await stub.items(id, 'each', status as 'failed' | null, after, limit)
    if (page.kind !== 'page') throw new Error(`no page: ${page.kind}`)
    found.push(...page.items.map((text) => JSON.parse(text) as ItemView))
    after = page.next
  }
  return found
}

function mapping(config: object, rest: Partial<WorkflowDefinition> = {}): WorkflowDefinition {
  const definition = aDefinition({ each: [] }, { timeout: '1h', ...rest })
  const task = { type: 'http', with: { url: `https://upstream.test/\${{ item.id }}?at=\${{ index }}` } }
  const withDefaults = { items: 'input.orders', task, ...config } as unknown as { [field: string]: Json }
  Object.assign(definition.tasks[0]!, { type: 'map', with: withDefaults })
  return definition
}

const orders = (count: number) => JSON.stringify({ orders: Array.from({ length: count }, (_, id) => ({ id })) })

describe('a map of calls', () => {
  test('calls for each item, with its value and a key of its own', async () => {
    const tenant = aTenant()
    await tenant.register(mapping({}, { output: `\${{ tasks.each.output.map(o, o.body.seen) }}` }))
    const { requests } = fakeUpstream((request) => ok({ seen: new URL(request.url).pathname }))
    const start = tenant.start('wf', { input: orders(6) })
    const run = shown(await tenant.runner().start(start))
    expect(run).toMatchObject({ status: 'succeeded', output: ['/0', '/1', '/2', '/3', '/4', '/5'] })
    expect(requests.map(({ url }) => url)).toContain('https://upstream.test/5?at=5')
    expect(requests.map(({ headers }) => headers.get('idempotency-key')).sort()).toEqual(
      [0, 1, 2, 3, 4, 5].map((index) => `${start.runId}/each/${index}`),
    )
    expect(mapOf(run)).toMatchObject({ attempts: [], items: { total: 6, succeeded: 6, pending: 0 } })
    expect((await items(tenant.runner(), start.runId)).map(({ index, item }) => [index, item])).toEqual(
      [0, 1, 2, 3, 4, 5].map((id) => [id, { id }]),
    )
  })

  test('shows how its items stand while it goes on, and events that name them', async () => {
    const tenant = aTenant()
    await tenant.register(mapping({ max_parallel: 2 }))
    fakeUpstream((request, number) => (number <= 3 ? ok() : silence(request)))
    const start = tenant.start('wf', { input: orders(9), waitMs: 0 })
    await tenant.runner().start(start)
    const run = await vi.waitUntil(async () => {
      const now = await get(tenant.runner(), start.runId)
      return mapOf(now).items?.succeeded === 3 ? now : null
    })
    expect(mapOf(run)).toMatchObject({
      status: 'waiting',
      waiting: { for: 'items', detail: '6 of 9 items have not ended' },
      items: { total: 9, pending: 4, running: 2, succeeded: 3 },
    })
    expect(run.progress).toMatchObject({ total: 1, waiting: 1 })
    expect((await items(tenant.runner(), start.runId, 'running')).map(({ index }) => index)).toEqual([3, 4])
    expect(await items(tenant.runner(), start.runId, 'pending', 3)).toHaveLength(4)
    const events = await tenant.runner().events(start.runId, 0, 100)
    if (events.kind !== 'page') throw new Error('no events')
    const first = events.items.map((text) => JSON.parse(text)).find(({ event }) => event === 'attempt.started')
    expect(first.data).toMatchObject({ task: 'each', item: 0, attempt: 1 })
    await tenant.runner().cancel(start.runId)
  })

  test('that is cancelled aborts the calls of its items', async () => {
    const tenant = aTenant()
    await tenant.register(mapping({}))
    const signals: AbortSignal[] = []
    fakeUpstream((request) => {
      signals.push(request.signal)
      return silence(request)
    })
    const start = tenant.start('wf', { input: orders(9), waitMs: 0 })
    await tenant.runner().start(start)
    await vi.waitUntil(() => signals.length === 4)
    expect(await tenant.runner().cancel(start.runId)).toMatchObject({ status: 'cancelled' })
    await vi.waitUntil(() => signals.every(({ aborted }) => aborted))
    const all = await items(tenant.runner(), start.runId)
    expect(all.map(({ status }) => status)).toEqual([...Array(4).fill('cancelled'), ...Array(5).fill('skipped')])
  })

  test('of which too many fail ends at once, names them and aborts the rest', async () => {
    const tenant = aTenant()
    await tenant.register(mapping({ tolerated_failures: 1 }))
    const signals: AbortSignal[] = []
    fakeUpstream((request, number) => {
      signals.push(request.signal)
      return number <= 2 ? new Response(null, { status: 404 }) : silence(request)
    })
    const run = shown(await tenant.runner().start(tenant.start('wf', { input: orders(50) })))
    expect(run).toMatchObject({ status: 'failed', error: { code: 'map_failed', task_id: 'each' } })
    expect(mapOf(run)).toMatchObject({ items: { failed: 2, succeeded: 0 }, error: { items: [0, 1] } })
    await vi.waitUntil(() => signals.slice(2).every(({ aborted }) => aborted))
  })

  test('keeps what is large outside its history: the list, outputs, and the list of outputs', async () => {
    const tenant = aTenant()
    await tenant.register(mapping({}))
    fakeUpstream(() => ok('x'.repeat(40_000)))
    const values = Array.from({ length: 30 }, (_, id) => ({ id, text: 'y'.repeat(2_000) }))
    const start = tenant.start('wf', { input: JSON.stringify({ orders: values }) })
    const run = shown(await tenant.runner().start(start))
    expect(run.status).toBe('succeeded')
    const [row] = await runInDurableObject(tenant.runner(), (_, state) =>
      state.storage.sql.exec<{ length: number }>('SELECT history_length AS length FROM runs').toArray(),
    )
    expect(row!.length).toBeLessThan(10_000)
    const all = await items(tenant.runner(), start.runId)
    expect(all[29]).toMatchObject({ item: { id: 29 }, output: { body: 'x'.repeat(40_000) } })
  })

  test('ends a page of items before it becomes too large, counting all that they show', async () => {
    const tenant = aTenant()
    await tenant.register(mapping({}))
    fakeUpstream(() => ok('x'.repeat(800_000)))
    const input = JSON.stringify({ orders: Array.from({ length: 10 }, (_, id) => ({ id, note: 'n'.repeat(100_000) })) })
    const start = tenant.start('wf', { input })
    expect(shown(await tenant.runner().start(start)).status).toBe('succeeded')
    const shownItems: ItemView[] = []
    const lengths: number[] = []
    for (let after: number | null = 0; after !== null; ) {
      const page = await tenant.runner().items(start.runId, 'each', null, after, 200)
      if (page.kind !== 'page') throw new Error(page.kind)
      shownItems.push(...page.items.map((text) => JSON.parse(text) as ItemView))
      lengths.push(page.items.join(',').length)
      after = page.next
    }
    expect(shownItems.map(({ index }) => index)).toEqual(Array.from({ length: 10 }, (_, index) => index))
    expect(lengths).toHaveLength(2)
    expect(Math.max(...lengths)).toBeLessThan(8 * 1024 * 1024)
  })
})

describe('a crash half-way through a map', () => {
  test('makes the items again that it cut off, and no other', async () => {
    const tenant = aTenant()
    await tenant.register(mapping({}))
    const { requests } = fakeUpstream((request, number) => (number > 5 && number <= 9 ? silence(request) : ok()))
    const start = tenant.start('wf', { input: orders(20), waitMs: 0 })
    await tenant.runner().start(start)
    await vi.waitUntil(() => requests.length === 9)
    const before = await vi.waitUntil(async () => {
      const done = await items(tenant.runner(), start.runId, 'succeeded')
      return done.length === 5 ? done : null
    })
    await abortAllDurableObjects()
    const run = await vi.waitUntil(async () => {
      const at = await alarm(tenant.runner())
      if (at !== null) vi.spyOn(Date, 'now').mockReturnValue(Math.max(at, Date.now()))
      await runDurableObjectAlarm(tenant.runner())
      const now = await get(tenant.runner(), start.runId)
      return now.status === 'succeeded' ? now : null
    })
    expect(mapOf(run).items).toMatchObject({ succeeded: 20 })
    const all = await items(tenant.runner(), start.runId)
    const cutOff = all.filter(({ attempts }) => attempts[0]!.status === 'interrupted')
    expect(cutOff).toHaveLength(4)
    for (const { attempts } of cutOff) expect(attempts.map(({ number }) => number)).toEqual([1, 1])
    const callsOf = (index: number) =>
      requests.filter(({ headers }) => headers.get('idempotency-key') === `${start.runId}/each/${index}`).length
    for (const { index } of before) expect(callsOf(index)).toBe(1)
    for (const { index } of cutOff) expect(callsOf(index)).toBe(2)
  })
})

describe('a map in a child', () => {
  test('of which each item is an expression', async () => {
    const tenant = aTenant()
    const inner = { type: 'transform', with: { value: `\${{ item * 10 }}` } }
    await tenant.register(
      mapping({ items: 'input', task: inner }, { name: 'low', output: `\${{ tasks.each.output }}` }),
    )
    const top = aDefinition({ sub: [] }, { name: 'top', output: `\${{ tasks.sub.output }}` })
    Object.assign(top.tasks[0]!, { type: 'workflow', with: { workflow: 'low', input: `\${{ input }}` } })
    await tenant.register(top)
    const run = shown(await tenant.runner().start(tenant.start('top', { input: '[1,2,3]' })))
    expect(run).toMatchObject({ status: 'succeeded', output: [10, 20, 30] })
  })
})

describe('ten thousand items', () => {
  test('of an expression end in one wait, cost few rows, and the answer does not grow with them', async () => {
    const tenant = aTenant()
    const inner = { type: 'transform', with: { value: `\${{ item.id % 2 == 0 ? item.id : null }}` } }
    await tenant.register(mapping({ task: inner }, { output: `\${{ tasks.each.output.size() }}` }))
    const start = tenant.start('wf', { input: orders(10_000), waitMs: 30_000 })
    const answer = await tenant.runner().start(start)
    const run = shown(answer)
    expect(run).toMatchObject({ status: 'succeeded', output: 10_000 })
    expect(mapOf(run).items).toMatchObject({ total: 10_000, succeeded: 10_000 })
    const [row] = await runInDurableObject(tenant.runner(), (_, state) =>
      state.storage.sql.exec<{ data: string }>('SELECT data FROM counts').toArray(),
    )
    const { rows } = JSON.parse(row!.data) as { rows: { written: number } }
    // About 1,000 events a commit: 20 of them, each with its part of the history.
    expect(rows.written).toBeLessThan(120)
    const one = await tenant.runner().task(start.runId, 'each')
    expect('body' in one && one.body.length).toBeLessThan(80_000)
    expect(await items(tenant.runner(), start.runId, 'failed')).toEqual([])
  })
})
