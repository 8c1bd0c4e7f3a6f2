// Runs that are tasks of other runs, in the real runtime: how they begin, end, are cancelled, and what a crash leaves of them.

import { abortAllDurableObjects, reset, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Registry } from '../../durable/registry/registry.ts'
import { Children } from '../../durable/runner/children.ts'
import type { Runner } from '../../durable/runner/runner.ts'
import { Turns } from '../../durable/runner/turns.ts'
import { advance } from '../../src/workflow/decide/advance.ts'
import type { TaskDefinition, WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import { aDefinition, aRetry, aRun } from '../support/builders.ts'
import { fakeUpstream, silence } from '../support/fake-upstream.ts'
import { aTenant, type RunView, shown, type TaskView, type TestTenant } from '../support/runner.ts'

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

interface ChildTask extends TaskView {
  child_run?: string
  error: { code: string; message: string } | null
}
interface Nested extends RunView {
  tasks: ChildTask[]
  parent?: { run_id: string; task_id: string }
  trigger: { type: string }
  workflow: string
  deadline_at: string
}

const sql = (stub: DurableObjectStub<Runner>, query: string) =>
  runInDurableObject(stub, (_, state) => state.storage.sql.exec(query).toArray())
const get = async (stub: DurableObjectStub<Runner>, id: string) => shown(await stub.get(id, 0)) as Nested
const ok = (body: unknown = {}) => Response.json(body)

/** Answers when the gate is opened. Polled, since an object may not be woken by the promise of another. */
async function opened(gate: { isOpen: boolean }, answer: () => Response): Promise<Response> {
  while (!gate.isOpen) await scheduler.wait(1)
  return answer()
}

/** A workflow of one `workflow` task, `sub`. */
function calling(workflow: string, rest: Partial<WorkflowDefinition> = {}, task: Partial<TaskDefinition> = {}) {
  const definition = aDefinition({ sub: [] }, { name: 'top', ...rest })
  Object.assign(definition.tasks[0]!, { type: 'workflow', with: { workflow } }, task)
  return definition
}

const retry = aRetry({ max_attempts: 2, initial_interval: '1ms', max_interval: '1ms' })

/** A parent whose child has called out and is not answered. */
async function underWay(
  tenant: TestTenant,
  rest: Partial<WorkflowDefinition> = {},
  task: Partial<TaskDefinition> = {},
) {
  await tenant.register(aDefinition({ a: [] }, { name: 'below', timeout: '1h' }))
  await tenant.register(calling('below', { timeout: '1h', ...rest }, task))
  const start = tenant.start('top', { waitMs: 0 })
  await tenant.runner().start(start)
  return { parent: start.runId, child: await childOf(tenant.runner(), start.runId) }
}

/** The run that the first task of a run is, once it is there. */
async function childOf(stub: DurableObjectStub<Runner>, runId: string): Promise<string> {
  return vi.waitUntil(async () => {
    const { child_run } = (await get(stub, runId)).tasks[0]!
    return child_run !== undefined && (await stub.get(child_run, 0)).kind === 'run' ? child_run : null
  })
}

describe('a child', () => {
  test('runs with the input that the task gives, and its output is the task’s', async () => {
    const tenant = aTenant()
    const below = aDefinition({ a: [] }, { name: 'below', output: { got: `\${{ tasks.a.output.body.n }}` } })
    below.tasks[0]!.with = { url: `https://upstream.test/\${{ input.order }}` }
    await tenant.register(below)
    const top = calling('below', { output: `\${{ tasks.sub.output }}` })
    top.tasks[0]!.with = { workflow: 'below', input: { order: `\${{ input.id }}` } }
    await tenant.register(top)
    const { requests } = fakeUpstream(() => ok({ n: 7 }))
    const start = tenant.start('top', { input: '{"id":17}' })
    const run = shown(await tenant.runner().start(start)) as Nested
    expect(run).toMatchObject({ status: 'succeeded', output: { got: 7 }, trigger: { type: 'api' } })
    expect(run.parent).toBeUndefined()
    expect(run.tasks[0]!.attempts).toMatchObject([{ number: 1, status: 'succeeded' }])
    const child = await get(tenant.runner(), run.tasks[0]!.child_run!)
    expect(child).toMatchObject({
      status: 'succeeded',
      workflow: 'below',
      input: { order: 17 },
      trigger: { type: 'workflow' },
      parent: { run_id: start.runId, task_id: 'sub' },
    })
    expect(requests.map(({ headers }) => headers.get('idempotency-key'))).toEqual([`${child.id}/a`])
    const page = await tenant.runner().list({ parent: start.runId }, null, 10)
    expect(page.items.map(({ body }) => (JSON.parse(body) as Nested).id)).toEqual([child.id])
  })

  test('is waited for without a slot, and the wait says for which run', async () => {
    const tenant = aTenant()
    fakeUpstream(silence)
    const { parent, child } = await underWay(tenant, { max_parallel: 1 })
    const run = await get(tenant.runner(), parent)
    expect(run.progress).toMatchObject({ waiting: 1, running: 0 })
    expect(run.tasks[0]).toMatchObject({ status: 'waiting', waiting: { for: 'child' }, child_run: child })
    await tenant.runner().cancel(parent)
  })

  test('of placeholders costs its parent no more rows than a call', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }, { name: 'below' }))
    await tenant.register(calling('below'))
    await tenant.runner().start(tenant.start('top'))
    const written = async () => {
      const [{ data }] = (await sql(tenant.runner(), `SELECT data FROM counts WHERE key = 'top'`)) as [{ data: string }]
      return (JSON.parse(data) as { rows: { written: number } }).rows.written
    }
    const before = await written()
    await tenant.runner().start(tenant.start('top'))
    // The parent: 2 at its start, 3 at its end. The child, which starts and ends in one commit: 2.
    expect((await written()) - before).toBeLessThanOrEqual(8)
  })

  test('that fails fails the task with its error, and another run is tried', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [] }, { name: 'below' }))
    await tenant.register(calling('below', {}, { retry }))
    const { requests } = fakeUpstream((_, number) => (number === 1 ? new Response(null, { status: 503 }) : ok()))
    const start = tenant.start('top', { waitMs: 0 })
    await tenant.runner().start(start)
    await vi.waitUntil(async () => (await get(tenant.runner(), start.runId)).tasks[0]!.attempts.length > 0)
    const run = await vi.waitUntil(async () => {
      await runDurableObjectAlarm(tenant.runner())
      const now = await get(tenant.runner(), start.runId)
      return now.status === 'succeeded' ? now : null
    })
    expect(run.tasks[0]!.attempts).toMatchObject([
      { number: 1, status: 'failed', error: { code: 'http_503' } },
      { number: 2, status: 'succeeded' },
    ])
    const keys = requests.map(({ headers }) => headers.get('idempotency-key')!.split('/')[0])
    expect(new Set(keys).size).toBe(2)
    expect(keys[1]).toBe(run.tasks[0]!.child_run)
  })

  test('has no longer than its parent has left', async () => {
    const tenant = aTenant()
    fakeUpstream(silence)
    const { parent, child } = await underWay(tenant, { timeout: '2s' })
    const [above, below] = [await get(tenant.runner(), parent), await get(tenant.runner(), child)]
    const beyond = Date.parse(below.deadline_at) - Date.parse(above.deadline_at)
    expect(beyond).toBeGreaterThanOrEqual(0)
    expect(beyond).toBeLessThanOrEqual(1_100)
    await tenant.runner().cancel(parent)
  })

  test('that takes longer than the task gives an attempt times the attempt out', async () => {
    const tenant = aTenant()
    fakeUpstream(silence)
    const { parent, child } = await underWay(tenant, {}, { timeout: '30s' })
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 30_000)
    await runDurableObjectAlarm(tenant.runner())
    expect(await get(tenant.runner(), child)).toMatchObject({ status: 'timed_out', error: { code: 'run_timeout' } })
    const run = await get(tenant.runner(), parent)
    expect(run).toMatchObject({ status: 'failed', error: { code: 'timeout', task_id: 'sub' } })
    expect(run.tasks[0]!.status).toBe('timed_out')
  })

  test('that somebody cancels fails the task', async () => {
    const tenant = aTenant()
    fakeUpstream(silence)
    const { parent, child } = await underWay(tenant)
    await tenant.runner().cancel(child)
    expect(await get(tenant.runner(), parent)).toMatchObject({ status: 'failed', error: { code: 'child_cancelled' } })
  })

  test('whose output is larger than a task’s may be fails the task', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [], b: [] }, { name: 'below' }))
    await tenant.register(calling('below'))
    fakeUpstream(() => ok('x'.repeat(600_000)))
    const run = shown(await tenant.runner().start(tenant.start('top')))
    expect(run).toMatchObject({ status: 'failed', error: { code: 'output_too_large', task_id: 'sub' } })
  })

  test('with a large output hands it on', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [] }, { name: 'below' }))
    await tenant.register(calling('below'))
    fakeUpstream(() => ok('x'.repeat(200_000)))
    const run = shown(await tenant.runner().start(tenant.start('top')))
    expect(run.status).toBe('succeeded')
    expect(run.tasks[0]!.output).toMatchObject({ a: { body: 'x'.repeat(200_000) } })
  })
})

test('of many children 64 at most begin in a turn, and each begins in one', async () => {
  const shape = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`t${index}`, []]))
  const definition = aDefinition(shape, { timeout: '1h' })
  for (const task of definition.tasks) Object.assign(task, { type: 'workflow', with: { workflow: 'below' } })
  const run = aRun(definition)
  advance(run, [], 0, () => null)
  const begun: string[] = []
  const acceptChild = ({ runId }: { runId: string }) => {
    begun.push(runId)
    return new Promise<never>(() => {})
  }
  const unused = null as never
  const actions = { tell: unused, report: unused, loader: () => () => null }
  const children = new Children({ acceptChild } as never, unused, unused, new Turns(), actions)
  for (let task = 0; task < 200; task++) children.start(run, { task }, 0)
  const turns = [begun.length]
  expect(children.starting).toBe(200)
  while (begun.length < 200) {
    await new Promise((resolve) => setTimeout(resolve, 0))
    turns.push(begun.length - turns.reduce((sum, count) => sum + count))
  }
  expect(Math.max(...turns)).toBeLessThanOrEqual(64)
  expect(turns[0]).toBeGreaterThan(50)
  expect(new Set(begun).size).toBe(200)
})

describe('a start that is refused fails the task', () => {
  async function failing(tenant: TestTenant, top: WorkflowDefinition): Promise<Nested> {
    await tenant.register(top)
    const run = shown(await tenant.runner().start(tenant.start(top.name))) as Nested
    expect(run.status).toBe('failed')
    return run
  }

  test('of a workflow or version that is not there', async () => {
    const tenant = aTenant()
    const run = await failing(tenant, calling('nothing'))
    expect(run.error).toMatchObject({ code: 'unknown_workflow', task_id: 'sub' })
    expect(run.tasks[0]!.child_run).toBeUndefined()
    await tenant.register(aDefinition({ 'a?': [] }, { name: 'below' }))
    expect((await failing(tenant, calling('below@9', { name: 'top2' }))).error).toMatchObject({
      code: 'unknown_workflow',
      message: 'below has no version 9; its newest is 1',
    })
  })

  test('of one that is paused', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }, { name: 'below' }))
    await env.REGISTRY.get(env.REGISTRY.idFromName(tenant.name)).setPaused('below', true)
    expect((await failing(tenant, calling('below'))).error).toMatchObject({ code: 'paused_workflow', retryable: true })
  })

  test('with an input that does not fit, or cannot be told', async () => {
    const tenant = aTenant()
    const below = aDefinition({ 'a?': [] }, { name: 'below', input_schema: { type: 'object', required: ['order'] } })
    await tenant.register(below)
    expect((await failing(tenant, calling('below'))).error).toMatchObject({ code: 'invalid_child_input' })
    const unreadable = calling('below', { name: 'top2' }, { with: { workflow: 'below', input: `\${{ input.x }}` } })
    expect((await failing(tenant, unreadable)).error).toMatchObject({ code: 'expression_error' })
    const large = calling('below', { name: 'top3' }, { with: { workflow: 'below', input: 'x'.repeat(1_048_576) } })
    expect((await failing(tenant, large)).error).toMatchObject({ code: 'invalid_child_input' })
    const nameless = calling('below', { name: 'top4' }, { with: { workflow: `\${{ 5 }}` } })
    expect((await failing(tenant, nameless)).error).toMatchObject({ code: 'invalid_with' })
  })

  test('that would start a version above it once more', async () => {
    const tenant = aTenant()
    await tenant.register(calling('b', { name: 'a' }))
    const run = await failing(tenant, calling('a', { name: 'b' }))
    expect(run.error).toMatchObject({ code: 'workflow_cycle', task_id: 'sub' })
    expect(run.error).toMatchObject({ message: 'The workflow would start itself: b@1 > a@1 > b' })
  })

  test('below sixteen runs', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }, { name: 'level0' }))
    for (let level = 1; level <= 17; level++) {
      await tenant.register(calling(`level${level - 1}`, { name: `level${level}`, timeout: '20s' }))
    }
    expect(shown(await tenant.runner().start(tenant.start('level16'))).status).toBe('succeeded')
    const run = shown(await tenant.runner().start(tenant.start('level17')))
    expect(run).toMatchObject({ status: 'failed', error: { code: 'nesting_too_deep', task_id: 'sub' } })
  })
})

describe('a start that cannot be asked for', () => {
  test('is asked for again, later each time, and spends none of the attempts', async () => {
    const tenant = aTenant()
    vi.spyOn(console, 'error').mockImplementation(() => {})
    await tenant.register(aDefinition({ 'a?': [] }, { name: 'below' }))
    await tenant.register(calling('below', { timeout: '1h' }))
    const { resolve } = Registry.prototype
    let isAway = true
    const asked: string[] = []
    vi.spyOn(Registry.prototype, 'resolve').mockImplementation(async function (this: Registry, ...question) {
      if (question[0] === 'below') asked.push(question[0])
      if (isAway && question[0] === 'below') throw new Error('away')
      return resolve.apply(this, question)
    })
    const start = tenant.start('top', { waitMs: 0 })
    await tenant.runner().start(start)
    // More often than crashes are forgiven.
    for (let times = 1; times <= 8; times++) {
      const task = await vi.waitUntil(async () => {
        const [sub] = (await get(tenant.runner(), start.runId)).tasks
        return sub!.waiting?.for === 'retry' && asked.length === times ? sub! : null
      })
      isAway = times < 8
      vi.spyOn(Date, 'now').mockReturnValue(Date.parse(task.waiting!.until!))
      await runDurableObjectAlarm(tenant.runner())
    }
    const run = shown(await tenant.runner().get(start.runId, 5_000))
    expect(run).toMatchObject({ status: 'succeeded', tasks: [{ status: 'succeeded' }] })
    expect(run.tasks[0]!.attempts.map(({ number, status }) => [number, status])).toEqual([
      ...Array.from({ length: 8 }, () => [1, 'interrupted']),
      [1, 'succeeded'],
    ])
  })
})

describe('the end of a parent', () => {
  /** Three runs, the lowest of which has called out. */
  async function threeLevels(tenant: TestTenant): Promise<[string, string, string]> {
    await tenant.register(aDefinition({ a: [] }, { name: 'low', timeout: '1h' }))
    await tenant.register(calling('low', { name: 'middle', timeout: '1h' }))
    await tenant.register(calling('middle', { name: 'top', timeout: '1h' }))
    const start = tenant.start('top', { waitMs: 0 })
    await tenant.runner().start(start)
    const middle = await childOf(tenant.runner(), start.runId)
    return [start.runId, middle, await childOf(tenant.runner(), middle)]
  }

  const statuses = (tenant: TestTenant, ids: readonly string[]) =>
    Promise.all(ids.map(async (id) => (await get(tenant.runner(), id)).status))

  test('by a cancel cancels the runs below, and aborts their calls', async () => {
    const tenant = aTenant()
    const signals: AbortSignal[] = []
    fakeUpstream((request) => {
      signals.push(request.signal)
      return silence(request)
    })
    const ids = await threeLevels(tenant)
    await vi.waitUntil(() => signals.length === 1)
    expect(await tenant.runner().cancel(ids[0])).toMatchObject({ kind: 'run', status: 'cancelled' })
    expect(await statuses(tenant, ids)).toEqual(['cancelled', 'cancelled', 'cancelled'])
    await vi.waitUntil(() => signals[0]!.aborted)
  })

  test('of a child in the middle fails the one above and cancels the one below', async () => {
    const tenant = aTenant()
    fakeUpstream(silence)
    const ids = await threeLevels(tenant)
    await tenant.runner().cancel(ids[1])
    expect(await statuses(tenant, ids)).toEqual(['failed', 'cancelled', 'cancelled'])
  })

  test('by its deadline cancels the runs below', async () => {
    const tenant = aTenant()
    fakeUpstream(silence)
    const ids = await threeLevels(tenant)
    vi.spyOn(Date, 'now').mockReturnValue(Date.parse((await get(tenant.runner(), ids[0])).deadline_at))
    await runDurableObjectAlarm(tenant.runner())
    expect(await statuses(tenant, ids)).toEqual(['timed_out', 'cancelled', 'cancelled'])
  })

  test('by the failure of another task cancels the run below', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [] }, { name: 'below', timeout: '1h' }))
    const top = calling('below', { timeout: '1h' })
    top.tasks.push({ id: 'other', type: 'http', depends_on: [], with: { url: 'https://upstream.test/other' } })
    await tenant.register(top)
    const gate = { isOpen: false }
    fakeUpstream((request) =>
      request.url.endsWith('other') ? opened(gate, () => new Response(null, { status: 404 })) : silence(request),
    )
    const start = tenant.start('top', { waitMs: 0 })
    await tenant.runner().start(start)
    const child = await childOf(tenant.runner(), start.runId)
    gate.isOpen = true
    const run = shown(await tenant.runner().get(start.runId, 5_000)) as Nested
    expect(run).toMatchObject({ status: 'failed', error: { code: 'http_404', task_id: 'other' } })
    expect(run.tasks[0]!.status).toBe('cancelled')
    expect((await get(tenant.runner(), child)).status).toBe('cancelled')
  })

  test('in the moment its child ends leaves both with one truth', async () => {
    const tenant = aTenant()
    const gate = { isOpen: false }
    fakeUpstream(() => opened(gate, ok))
    for (const delay of [0, 1, 2, 3, 5]) {
      gate.isOpen = false
      const { parent, child } = await underWay(tenant)
      gate.isOpen = true
      if (delay > 0) await scheduler.wait(delay)
      await tenant.runner().cancel(parent)
      const [above, below] = [await get(tenant.runner(), parent), await get(tenant.runner(), child)]
      expect(below.status).toBeOneOf(['succeeded', 'cancelled'])
      expect(above.status).toBe(below.status)
      expect(above.tasks[0]!.status).toBe(below.status)
    }
  })

  test('before its child has a lease keeps the child from starting', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }, { name: 'below' }))
    await tenant.register(calling('below'))
    const start = tenant.start('top', { waitMs: 0 })
    const runner = tenant.runner()
    const starting = runner.start(start)
    const cancelling = runner.cancel(start.runId)
    await Promise.all([starting, cancelling])
    await runner.get(start.runId, 1_000)
    const runs = (await sql(runner, 'SELECT id, status FROM runs ORDER BY id')) as { id: string; status: string }[]
    expect(new Set(runs.map(({ status }) => status)).size, 'a parent and what it had started end alike').toBe(1)
  })

  test('unread ends the run below, and the run above is told', async () => {
    const tenant = aTenant()
    fakeUpstream(silence)
    const ids = await threeLevels(tenant)
    await sql(tenant.runner(), `UPDATE runs SET head = 'no history' WHERE id = '${ids[1]}'`)
    await abortAllDurableObjects()
    await runDurableObjectAlarm(tenant.runner())
    const [above, middle, below] = await Promise.all(ids.map((id) => get(tenant.runner(), id)))
    expect(middle).toMatchObject({ status: 'failed', error: { code: 'run_internal_error' } })
    expect(above).toMatchObject({ status: 'failed', error: { code: 'run_internal_error', task_id: 'sub' } })
    expect(below!.status).toBe('cancelled')
  })
})

describe('a pause of the parent', () => {
  test('lets the child go on, and what depends on it waits', async () => {
    const tenant = aTenant()
    const gate = { isOpen: false }
    fakeUpstream(() => opened(gate, ok))
    const { parent, child } = await underWay(tenant)
    await tenant.runner().pause(parent)
    gate.isOpen = true
    expect(shown(await tenant.runner().get(child, 5_000)).status).toBe('succeeded')
    expect(await get(tenant.runner(), parent)).toMatchObject({ status: 'paused', tasks: [{ status: 'succeeded' }] })
    await tenant.runner().resume(parent)
    expect((await get(tenant.runner(), parent)).status).toBe('succeeded')
  })
})

describe('after a crash', () => {
  test('a child that runs goes on, and its end reaches its parent', async () => {
    const tenant = aTenant()
    const { requests } = fakeUpstream((request, number) => (number === 1 ? silence(request) : ok()))
    const { parent, child } = await underWay(tenant)
    await vi.waitUntil(() => requests.length === 1)
    await abortAllDurableObjects()
    const run = await vi.waitUntil(async () => {
      const at = await runInDurableObject(tenant.runner(), (_, state) => state.storage.getAlarm())
      if (at !== null) vi.spyOn(Date, 'now').mockReturnValue(Math.max(at, Date.now()))
      await runDurableObjectAlarm(tenant.runner())
      const now = await get(tenant.runner(), parent)
      return now.status === 'succeeded' ? now : null
    })
    expect(run.tasks[0]).toMatchObject({ child_run: child, attempts: [{ number: 1, status: 'succeeded' }] })
    const below = await get(tenant.runner(), child)
    expect(below.tasks[0]!.attempts.map(({ status }) => status)).toEqual(['interrupted', 'succeeded'])
  })

  test('a child whose parent alone is recorded is started, once', async () => {
    const tenant = aTenant()
    fakeUpstream(silence)
    const { parent, child } = await underWay(tenant)
    // As a crash between the two commits leaves it.
    await sql(tenant.runner(), `DELETE FROM runs WHERE id = '${child}'`)
    await abortAllDurableObjects()
    expect(await tenant.runner().get(child, 0)).toEqual({ kind: 'run_not_found' })
    await runDurableObjectAlarm(tenant.runner())
    expect(await childOf(tenant.runner(), parent)).toBe(child)
    expect(await sql(tenant.runner(), 'SELECT id FROM runs')).toHaveLength(2)
    await tenant.runner().cancel(parent)
    expect((await get(tenant.runner(), child)).status).toBe('cancelled')
  })

  test('an alarm is due soon after a child was to start, and none while it sleeps', async () => {
    const tenant = aTenant()
    const below = aDefinition({ nap: [] }, { name: 'below', timeout: '30d' })
    Object.assign(below.tasks[0]!, { type: 'sleep', with: { for: '10d' } })
    await tenant.register(below)
    await tenant.register(calling('below', { timeout: '60d' }))
    const start = tenant.start('top', { waitMs: 0 })
    await tenant.runner().start(start)
    await childOf(tenant.runner(), start.runId)
    const alarm = () => runInDurableObject(tenant.runner(), (_, state) => state.storage.getAlarm())
    expect(await alarm()).toBeLessThanOrEqual(Date.now() + 10_000)
    await runDurableObjectAlarm(tenant.runner())
    expect(await alarm()).toBeGreaterThan(Date.now() + 9 * 86_400_000)
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 10 * 86_400_000)
    await runDurableObjectAlarm(tenant.runner())
    expect((await get(tenant.runner(), start.runId)).status).toBe('succeeded')
  })
})
