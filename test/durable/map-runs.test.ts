// Maps whose items are runs, in the real runtime: their order, failures and retries, what a cancel and a crash leave of them, and
// what a thousand of them cost.

import { abortAllDurableObjects, reset, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Runner } from '../../durable/runner/runner.ts'
import type { WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import type { Json } from '../../src/workflow/json.ts'
import { aDefinition, aRetry } from '../support/builders.ts'
import { fakeUpstream, silence } from '../support/fake-upstream.ts'
import { aTenant, type RunView, shown, type TaskView, type TestTenant } from '../support/runner.ts'

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

interface ItemView {
  index: number
  status: string
  output: Json
  child_run?: string
  error: { code: string; message: string } | null
  attempts: { number: number; status: string }[]
  waiting?: { for: string; detail: string }
}
interface MapView extends TaskView {
  items: Record<string, number>
  error: { code: string; items?: number[] } | null
  waiting?: TaskView['waiting'] & { detail: string }
}
type Child = RunView & { parent: { run_id: string; task_id: string; item: number }; workflow: string }

const ok = (body: unknown = {}) => Response.json(body)
const get = async (stub: DurableObjectStub<Runner>, id: string) => shown(await stub.get(id, 0)) as Child
const mapOf = (run: RunView) => run.tasks[0] as MapView
const sql = (stub: DurableObjectStub<Runner>, query: string) =>
  runInDurableObject(stub, (_, state) => state.storage.sql.exec(query).toArray())
const statusesOf = async (stub: DurableObjectStub<Runner>, workflow: string) => {
  const rows = await sql(stub, `SELECT status FROM runs WHERE workflow = '${workflow}' ORDER BY status`)
  return rows.map(({ status }) => status)
}

async function items(stub: DurableObjectStub<Runner>, id: string): Promise<ItemView[]> {
  const found: ItemView[] = []
  for (let after: number | null = 0; after !== null; ) {
    const page = await stub.items(id, 'each', null, after, 200)
    if (page.kind !== 'page') throw new Error(`no page: ${page.kind}`)
    found.push(...page.items.map((text) => JSON.parse(text) as ItemView))
    after = page.next
  }
  return found
}

/** A workflow that calls a run of another for each value of its input. */
function mapping(workflow: string, config: object = {}, rest: Partial<WorkflowDefinition> = {}, inner: object = {}) {
  const definition = aDefinition(
    { each: [] },
    { name: 'top', timeout: '1h', output: `\${{ tasks.each.output }}`, ...rest },
  )
  const task = { type: 'workflow', with: { workflow, input: { value: `\${{ item }}`, at: `\${{ index }}` } }, ...inner }
  Object.assign(definition.tasks[0]!, { type: 'map', with: { items: 'input', task, ...config } })
  return definition
}

/** A workflow that calls once, with the value that it is given. */
function below(rest: Partial<WorkflowDefinition> = {}): WorkflowDefinition {
  const definition = aDefinition(
    { a: [] },
    { name: 'below', timeout: '1h', output: `\${{ tasks.a.output.body }}`, ...rest },
  )
  definition.tasks[0]!.with = { url: `https://upstream.test/\${{ input.value }}` }
  return definition
}

/** A workflow that does nothing for so long. */
function sleeping(name: string, span: string): WorkflowDefinition {
  const definition = aDefinition({ a: [] }, { name, timeout: '1h' })
  Object.assign(definition.tasks[0]!, { type: 'sleep', with: { for: span } })
  return definition
}

/** A workflow that computes at once. */
function computing(name: string, value: string): WorkflowDefinition {
  const definition = aDefinition({ a: [] }, { name, timeout: '1h', output: `\${{ tasks.a.output }}` })
  Object.assign(definition.tasks[0]!, { type: 'transform', with: { value } })
  return definition
}

const list = (count: number) => JSON.stringify(Array.from({ length: count }, (_, value) => value))
const numberOf = (request: Request) => Number(new URL(request.url).pathname.slice(1))

/** Answers when the gate is opened. Polled, since an object may not be woken by the promise of another. */
async function opened(gate: { isOpen: boolean }, answer: () => Response): Promise<Response> {
  while (!gate.isOpen) await scheduler.wait(1)
  return answer()
}

/** Starts the map, and waits until so many calls of its items are out. */
async function underWay(tenant: TestTenant, count: number, calls: { length: number }, out: number): Promise<string> {
  const start = tenant.start('top', { input: list(count), waitMs: 0 })
  await tenant.runner().start(start)
  await vi.waitUntil(() => calls.length === out)
  return start.runId
}

/** Fires the alarm, at its time, until the run has ended. */
async function ended(tenant: TestTenant, id: string): Promise<RunView> {
  return vi.waitUntil(
    async () => {
      const at = await runInDurableObject(tenant.runner(), (_, state) => state.storage.getAlarm())
      if (at !== null) vi.spyOn(Date, 'now').mockReturnValue(Math.max(at, Date.now()))
      await runDurableObjectAlarm(tenant.runner())
      const run = await get(tenant.runner(), id)
      return run.status !== 'running' ? run : null
    },
    { timeout: 10_000 },
  )
}

describe('a map of runs', () => {
  test('starts one for each item, and its output is theirs, in the order of the items', async () => {
    const tenant = aTenant()
    await tenant.register(below())
    await tenant.register(mapping('below'))
    fakeUpstream(async (request) => {
      await scheduler.wait(numberOf(request) % 2 === 0 ? 8 : 0)
      return ok({ seen: numberOf(request) })
    })
    const start = tenant.start('top', { input: list(7) })
    const run = shown(await tenant.runner().start(start))
    expect(run).toMatchObject({ status: 'succeeded', output: [0, 1, 2, 3, 4, 5, 6].map((seen) => ({ seen })) })
    expect(mapOf(run)).toMatchObject({ attempts: [], items: { total: 7, succeeded: 7 } })
    expect(mapOf(run)).not.toHaveProperty('child_run')
    const all = await items(tenant.runner(), start.runId)
    expect(new Set(all.map(({ child_run }) => child_run)).size).toBe(7)
    const child = await get(tenant.runner(), all[4]!.child_run!)
    expect(child).toMatchObject({
      status: 'succeeded',
      workflow: 'below',
      input: { value: 4, at: 4 },
      trigger: { type: 'workflow' },
      parent: { run_id: start.runId, task_id: 'each', item: 4 },
    })
    const page = await tenant.runner().list({ parent: start.runId }, null, 20)
    expect(page.items).toHaveLength(7)
    const events = await tenant.runner().events(start.runId, 0, 100)
    const shownEvents = events.kind === 'page' ? events.items.map((text) => JSON.parse(text)) : []
    const first = shownEvents.find(({ event }) => event === 'attempt.started')
    expect(first.data).toMatchObject({ task: 'each', item: 0, attempt: 1, child_run: all[0]!.child_run })
  })

  test.each([
    ['as many at once as its run has slots', {}, 3],
    ['or as it says, since runs hold none', { max_parallel: 5 }, 5],
  ])('has %s', async (_, config, most) => {
    const tenant = aTenant()
    await tenant.register(below())
    await tenant.register(mapping('below', config, { max_parallel: 3 }))
    const { requests } = fakeUpstream(silence)
    const id = await underWay(tenant, 9, requests, most)
    const run = await get(tenant.runner(), id)
    expect(mapOf(run).items).toMatchObject({ waiting: most, pending: 9 - most, running: 0 })
    expect(mapOf(run).waiting!.detail).toBe(`9 of 9 items have not ended, ${most} of them runs under way`)
    const [first] = await items(tenant.runner(), id)
    expect(first!.waiting).toEqual({ for: 'child', detail: `waits for the run ${first!.child_run} to end` })
    const explained = await tenant.runner().explain(id, 'text')
    expect(explained).toMatchObject({ body: expect.stringContaining('each has 9 items, each a run of its own') })
    await tenant.runner().cancel(id)
  })

  test('lets no item of it hold a slot that another task could have', async () => {
    const tenant = aTenant()
    await tenant.register(below())
    const definition = mapping('below', {}, { max_parallel: 1 })
    definition.tasks.push({ id: 'other', type: 'http', depends_on: [], with: { url: 'https://upstream.test/99' } })
    await tenant.register(definition)
    const { requests } = fakeUpstream(silence)
    const id = await underWay(tenant, 3, requests, 2)
    expect((await get(tenant.runner(), id)).progress).toMatchObject({ waiting: 1, running: 1 })
    await tenant.runner().cancel(id)
  })

  test('survives the failures that it tolerates', async () => {
    const tenant = aTenant()
    await tenant.register(below())
    await tenant.register(mapping('below', { tolerated_failures: 2 }))
    fakeUpstream((request) =>
      numberOf(request) % 3 === 1 ? new Response(null, { status: 404 }) : ok(numberOf(request)),
    )
    const start = tenant.start('top', { input: list(6) })
    const run = shown(await tenant.runner().start(start))
    expect(run).toMatchObject({ status: 'succeeded', output: [0, null, 2, 3, null, 5] })
    const all = await items(tenant.runner(), start.runId)
    expect(all[1]).toMatchObject({ status: 'failed', error: { code: 'http_404' }, attempts: [{ status: 'failed' }] })
    expect((await get(tenant.runner(), all[1]!.child_run!)).status).toBe('failed')
  })

  test('of which one too many fails cancels the others', async () => {
    const tenant = aTenant()
    await tenant.register(below())
    await tenant.register(mapping('below', { tolerated_failures: 1, max_parallel: 6 }))
    const signals: AbortSignal[] = []
    const gate = { isOpen: false }
    fakeUpstream((request) => {
      if (numberOf(request) < 2) return opened(gate, () => new Response(null, { status: 404 }))
      signals.push(request.signal)
      if (signals.length === 4) gate.isOpen = true
      return silence(request)
    })
    const run = shown(await tenant.runner().start(tenant.start('top', { input: list(20) })))
    expect(run).toMatchObject({ status: 'failed', error: { code: 'map_failed', task_id: 'each' } })
    expect(mapOf(run)).toMatchObject({ error: { items: [0, 1] }, items: { failed: 2, succeeded: 0 } })
    const statuses = await statusesOf(tenant.runner(), 'below')
    expect(statuses.filter((status) => status === 'failed')).toHaveLength(2)
    expect(new Set(statuses)).toEqual(new Set(['failed', 'cancelled']))
    await vi.waitUntil(() => signals.every(({ aborted }) => aborted))
  })

  test('tries an item again as another run', async () => {
    const tenant = aTenant()
    await tenant.register(below())
    const retry = aRetry({ max_attempts: 2, initial_interval: '1ms', max_interval: '1ms' })
    await tenant.register(mapping('below', {}, {}, { retry }))
    let failures = 0
    const { requests } = fakeUpstream((request) =>
      numberOf(request) === 1 && failures++ === 0 ? new Response(null, { status: 503 }) : ok(numberOf(request)),
    )
    const start = tenant.start('top', { input: list(3), waitMs: 0 })
    await tenant.runner().start(start)
    expect(await ended(tenant, start.runId)).toMatchObject({ status: 'succeeded', output: [0, 1, 2] })
    const all = await items(tenant.runner(), start.runId)
    expect(all.map(({ attempts }) => attempts.map(({ status }) => status))).toEqual([
      ['succeeded'],
      ['failed', 'succeeded'],
      ['succeeded'],
    ])
    expect(requests).toHaveLength(4)
    expect(await statusesOf(tenant.runner(), 'below')).toEqual(['failed', 'succeeded', 'succeeded', 'succeeded'])
  })

  test('fails an item whose run is refused, and shows none', async () => {
    const tenant = aTenant()
    await tenant.register(computing('below', 'done'))
    await tenant.register(
      mapping(
        `\${{ item == 1 ? "nothing" : "below" }}`,
        { tolerated_failures: 1 },
        { output: `\${{ tasks.each.output }}` },
      ),
    )
    const start = tenant.start('top', { input: list(3) })
    expect(shown(await tenant.runner().start(start))).toMatchObject({ output: ['done', null, 'done'] })
    const all = await items(tenant.runner(), start.runId)
    expect(all[1]).toMatchObject({ status: 'failed', error: { code: 'unknown_workflow' } })
    expect(all[1]).not.toHaveProperty('child_run')
  })

  test('never starts a version that stands above it, or a seventeenth level', async () => {
    const tenant = aTenant()
    await tenant.register(mapping('b', {}, { name: 'a' }))
    await tenant.register(mapping('a', {}, { name: 'b' }))
    const circle = shown(await tenant.runner().start(tenant.start('b', { input: '[1]' })))
    // Below the item of b stands a, whose own input is no list.
    expect(circle.status).toBe('failed')
    await tenant.register(mapping('d', { items: '[1]' }, { name: 'c' }))
    await tenant.register(mapping('c', { items: '[1]' }, { name: 'd' }))
    const deep = shown(await tenant.runner().start(tenant.start('d')))
    expect(deep.status).toBe('failed')
    expect(JSON.stringify(deep.error)).toContain('workflow_cycle')
    await tenant.register(computing('level0', 'done'))
    for (let level = 1; level <= 17; level++) {
      await tenant.register(mapping(`level${level - 1}`, { items: '[1]' }, { name: `level${level}` }))
    }
    expect(shown(await tenant.runner().start(tenant.start('level16'))).status).toBe('succeeded')
    const run = shown(await tenant.runner().start(tenant.start('level17')))
    expect(JSON.stringify(run.error)).toContain('nesting_too_deep')
  })

  test('in a run that is an item of a map in a child: child, map, child, map', async () => {
    const tenant = aTenant()
    const inner = aDefinition({ each: [] }, { name: 'inner', timeout: '1h', output: `\${{ tasks.each.output }}` })
    const product = { type: 'transform', with: { value: `\${{ item * input.value }}` } }
    Object.assign(inner.tasks[0]!, { type: 'map', with: { items: '[1, 10]', task: product } })
    await tenant.register(inner)
    await tenant.register(mapping('inner', {}, { name: 'outer' }))
    const top = aDefinition({ sub: [] }, { name: 'all', timeout: '1h', output: `\${{ tasks.sub.output }}` })
    Object.assign(top.tasks[0]!, { type: 'workflow', with: { workflow: 'outer', input: `\${{ input }}` } })
    await tenant.register(top)
    const run = shown(await tenant.runner().start(tenant.start('all', { input: '[1,2,3]' })))
    expect(run).toMatchObject({
      status: 'succeeded',
      output: [
        [1, 10],
        [2, 20],
        [3, 30],
      ],
    })
  })
})

describe('the end of the parent', () => {
  test('by a cancel cancels every run below, and aborts their calls', async () => {
    const tenant = aTenant()
    await tenant.register(below())
    await tenant.register(mapping('below', { max_parallel: 3 }, { name: 'middle' }))
    const nest = mapping('middle', { max_parallel: 3 })
    Object.assign(nest.tasks[0]!.with!.task as object, { with: { workflow: 'middle', input: [1, 2, 3, 4] } })
    await tenant.register(nest)
    const signals: AbortSignal[] = []
    const { requests } = fakeUpstream((request) => {
      signals.push(request.signal)
      return silence(request)
    })
    const id = await underWay(tenant, 5, requests, 9)
    expect(await tenant.runner().cancel(id)).toMatchObject({ kind: 'run', status: 'cancelled' })
    expect(await statusesOf(tenant.runner(), 'middle')).toEqual(Array(3).fill('cancelled'))
    expect(await statusesOf(tenant.runner(), 'below')).toEqual(Array(9).fill('cancelled'))
    await vi.waitUntil(() => signals.every(({ aborted }) => aborted))
    const all = await items(tenant.runner(), id)
    expect(all.map(({ status }) => status)).toEqual([...Array(3).fill('cancelled'), ...Array(2).fill('skipped')])
  })

  test('in the turn in which runs below it are due as well ends them as cancelled, and their histories can be read', async () => {
    const tenant = aTenant()
    await tenant.register(sleeping('below', '30500ms'))
    await tenant.register(mapping('below', {}, { timeout: '30s' }))
    const start = tenant.start('top', { input: list(3), waitMs: 0 })
    await tenant.runner().start(start)
    await vi.waitUntil(async () => (await statusesOf(tenant.runner(), 'below')).length === 3)
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 30_800)
    await runDurableObjectAlarm(tenant.runner())
    const run = await get(tenant.runner(), start.runId)
    expect(run).toMatchObject({ status: 'timed_out' })
    expect(await statusesOf(tenant.runner(), 'below')).toEqual(Array(3).fill('cancelled'))
    for (const { child_run } of await items(tenant.runner(), start.runId)) {
      expect(await get(tenant.runner(), child_run!)).toMatchObject({ status: 'cancelled' })
    }
  })

  test('is one end, also where the parent is due in the turn in which the last run below it ends', async () => {
    const tenant = aTenant()
    await tenant.register(sleeping('below', '30s'))
    const definition = mapping('below', {}, { output: '1' })
    definition.tasks.push({ id: 'rest', type: 'sleep', depends_on: [], with: { for: '40s' } })
    await tenant.register(definition)
    const start = tenant.start('top', { input: list(2), waitMs: 0 })
    await tenant.runner().start(start)
    await vi.waitUntil(async () => (await statusesOf(tenant.runner(), 'below')).length === 2)
    // As after an outage: all of it is past its time at once.
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 60_000)
    await runDurableObjectAlarm(tenant.runner())
    expect(await get(tenant.runner(), start.runId)).toMatchObject({ status: 'succeeded', error: null })
    expect(await statusesOf(tenant.runner(), 'below')).toEqual(['succeeded', 'succeeded'])
  })

  test('by the time-out of its map cancels every run below', async () => {
    const tenant = aTenant()
    await tenant.register(below())
    const definition = mapping('below')
    definition.tasks[0]!.timeout = '30s'
    await tenant.register(definition)
    const { requests } = fakeUpstream(silence)
    const id = await underWay(tenant, 4, requests, 4)
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 30_000)
    await runDurableObjectAlarm(tenant.runner())
    expect(await get(tenant.runner(), id)).toMatchObject({ status: 'failed', error: { code: 'timeout' } })
    expect(await statusesOf(tenant.runner(), 'below')).toEqual(Array(4).fill('cancelled'))
  })

  test('in the moment a child ends leaves both with one truth', async () => {
    const tenant = aTenant()
    await tenant.register(below())
    await tenant.register(mapping('below'))
    const gate = { isOpen: false }
    const { requests } = fakeUpstream(() => opened(gate, ok))
    for (const delay of [0, 1, 2, 3, 5]) {
      gate.isOpen = false
      const before = requests.length
      const start = tenant.start('top', { input: list(4), waitMs: 0 })
      await tenant.runner().start(start)
      await vi.waitUntil(() => requests.length === before + 4)
      gate.isOpen = true
      if (delay > 0) await scheduler.wait(delay)
      await tenant.runner().cancel(start.runId)
      for (const { status, child_run } of await items(tenant.runner(), start.runId)) {
        const child = await get(tenant.runner(), child_run!)
        expect(child.status).toBeOneOf(['succeeded', 'cancelled'])
        expect(status).toBe(child.status)
      }
    }
  })

  test('before its children have begun keeps them from starting', async () => {
    const tenant = aTenant()
    await tenant.register(computing('below', 'done'))
    await tenant.register(mapping('below'))
    const start = tenant.start('top', { input: list(40), waitMs: 0 })
    const runner = tenant.runner()
    await Promise.all([runner.start(start), runner.cancel(start.runId)])
    const run = shown(await runner.get(start.runId, 1_000))
    const live = await sql(runner, 'SELECT id FROM runs WHERE due_at IS NOT NULL')
    expect(run.status).toBeOneOf(['cancelled', 'succeeded'])
    expect(live).toEqual([])
  })
})

describe('a pause of the parent', () => {
  test('lets the runs of items go on, and starts no other', async () => {
    const tenant = aTenant()
    await tenant.register(below())
    await tenant.register(mapping('below', { max_parallel: 2 }))
    const gate = { isOpen: false }
    const { requests } = fakeUpstream(() => opened(gate, ok))
    const id = await underWay(tenant, 5, requests, 2)
    await tenant.runner().pause(id)
    gate.isOpen = true
    const run = await vi.waitUntil(async () => {
      const now = await get(tenant.runner(), id)
      return mapOf(now).items.succeeded === 2 ? now : null
    })
    expect(run.status).toBe('paused')
    expect(mapOf(run).items).toMatchObject({ succeeded: 2, pending: 3, waiting: 0 })
    await tenant.runner().resume(id)
    expect(shown(await tenant.runner().get(id, 5_000)).status).toBe('succeeded')
  })
})

describe('after a crash', () => {
  test('runs of items go on, those whose start was lost are started once, and all ends reach the map', async () => {
    const tenant = aTenant()
    await tenant.register(below())
    await tenant.register(mapping('below'))
    const { requests } = fakeUpstream((request, number) =>
      number > 3 && number <= 7 ? silence(request) : ok(numberOf(request)),
    )
    const id = await underWay(tenant, 9, requests, 7)
    const before = await items(tenant.runner(), id)
    const cut = before.filter(({ status }) => status === 'waiting')
    expect(cut).toHaveLength(4)
    // As a crash between the commit of the parent and that of a child leaves it.
    await sql(tenant.runner(), `DELETE FROM runs WHERE id = '${cut[0]!.child_run}'`)
    await abortAllDurableObjects()
    const run = await ended(tenant, id)
    expect(run).toMatchObject({ status: 'succeeded', output: [0, 1, 2, 3, 4, 5, 6, 7, 8] })
    const all = await items(tenant.runner(), id)
    for (const { index, child_run } of cut) {
      expect(all[index]).toMatchObject({ child_run, attempts: [{ number: 1, status: 'succeeded' }] })
    }
    expect(await statusesOf(tenant.runner(), 'below')).toEqual(Array(9).fill('succeeded'))
  })

  test('a run of an item that cannot be read fails it', async () => {
    const tenant = aTenant()
    await tenant.register(below())
    await tenant.register(mapping('below', { tolerated_failures: 1 }))
    const { requests } = fakeUpstream((request, number) => (number <= 2 ? silence(request) : ok(numberOf(request))))
    const id = await underWay(tenant, 2, requests, 2)
    const [first] = await items(tenant.runner(), id)
    await sql(tenant.runner(), `UPDATE runs SET head = 'no history' WHERE id = '${first!.child_run}'`)
    await abortAllDurableObjects()
    expect(await ended(tenant, id)).toMatchObject({ status: 'succeeded', output: [null, 1] })
    expect((await items(tenant.runner(), id))[0]).toMatchObject({ error: { code: 'run_internal_error' } })
  })
})

describe('many runs', () => {
  test('a thousand items end in one wait, at few rows each', async () => {
    const tenant = aTenant()
    await tenant.register(computing('below', `\${{ input.value * 2 }}`))
    await tenant.register(mapping('below', {}, { output: `\${{ tasks.each.output.size() }}` }))
    const began = performance.now()
    const run = shown(await tenant.runner().start(tenant.start('top', { input: list(1_000), waitMs: 30_000 })))
    const tookMs = Math.round(performance.now() - began)
    expect(run).toMatchObject({ status: 'succeeded', output: 1_000 })
    const rows = (await sql(tenant.runner(), 'SELECT data FROM counts')).reduce((sum, { data }) => {
      return sum + (JSON.parse(data as string) as { rows: { written: number } }).rows.written
    }, 0)
    console.log(`1,000 runs of items: ${tookMs} ms, ${rows} rows written`)
    // A child 2 (it starts and ends in one commit), its end in its parent 1, and the history of the parent now and then.
    expect(rows / 1_000).toBeLessThan(4)
  })

  test('a cut of 64 maps of 64 runs each is told at once, made page by page, and forgotten by no crash', async () => {
    const tenant = aTenant()
    await tenant.register(sleeping('below', '30m'))
    await tenant.register(mapping('below', { max_parallel: 64 }, { name: 'middle' }))
    const nest = mapping('middle', { max_parallel: 64 })
    const numbers = Array.from({ length: 64 }, (_, value) => value)
    Object.assign(nest.tasks[0]!.with!.task as object, { with: { workflow: 'middle', input: numbers } })
    await tenant.register(nest)
    const start = tenant.start('top', { input: list(64), waitMs: 0 })
    await tenant.runner().start(start)
    const live = async () =>
      (await sql(tenant.runner(), 'SELECT COUNT(*) AS n FROM runs WHERE due_at IS NOT NULL'))[0]!.n as number
    await vi.waitUntil(async () => (await live()) === 1 + 64 + 64 * 64, { timeout: 60_000, interval: 50 })
    const began = performance.now()
    expect(await tenant.runner().cancel(start.runId)).toMatchObject({ status: 'cancelled' })
    console.log(`a cancel above 4,160 runs: ${Math.round(performance.now() - began)} ms`)
    expect(await live()).toBeGreaterThan(3_000)
    await abortAllDurableObjects()
    // The alarm comes back while there is more; it may also have fired by itself meanwhile.
    await vi.waitUntil(
      async () => {
        await runDurableObjectAlarm(tenant.runner())
        return (await live()) === 0
      },
      { timeout: 30_000 },
    )
    expect(await statusesOf(tenant.runner(), 'middle')).toEqual(Array(64).fill('cancelled'))
    expect(new Set(await statusesOf(tenant.runner(), 'below'))).toEqual(new Set(['cancelled']))
    expect(await sql(tenant.runner(), 'SELECT * FROM cut_offs')).toEqual([])
  }, 90_000)
})
