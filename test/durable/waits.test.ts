// Runs that wait, in the real runtime: what wakes them, what a signal finds after a crash, and that waiting costs nothing.

import {
  abortAllDurableObjects,
  evictDurableObject,
  reset,
  runDurableObjectAlarm,
  runInDurableObject,
} from 'cloudflare:test'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Runner } from '../../durable/runner/runner.ts'
import type { TaskDefinition, WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import type { Json } from '../../src/workflow/json.ts'
import { aDefinition } from '../support/builders.ts'
import { fakeUpstream } from '../support/fake-upstream.ts'
import { aTenant, type RunView, shown } from '../support/runner.ts'

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

const DAY = 86_400_000

function sleep(id: string, span: string, depends_on: string[] = []): TaskDefinition {
  return { id, type: 'sleep', depends_on, with: { for: span } }
}

function wait(id: string, rest: Partial<TaskDefinition> = {}, config: object = {}): TaskDefinition {
  return { id, type: 'wait_for_event', depends_on: [], with: { event: 'go', ...config }, ...rest }
}

const placeholder = (id: string, depends_on: string[]): TaskDefinition => ({ id, type: 'http', depends_on })

async function aStartedRun(tasks: TaskDefinition[], rest: Partial<WorkflowDefinition> = {}) {
  const tenant = aTenant()
  await tenant.register({ ...aDefinition({}), timeout: '365d', ...rest, tasks })
  const start = tenant.start('wf', { waitMs: 0 })
  const run = shown(await tenant.runner().start(start))
  return { tenant, runId: start.runId, run }
}

const get = async (stub: DurableObjectStub<Runner>, runId: string): Promise<RunView> => shown(await stub.get(runId, 0))
const alarmOf = (stub: DurableObjectStub<Runner>) => runInDurableObject(stub, (_, state) => state.storage.getAlarm())
const sql = (stub: DurableObjectStub<Runner>, query: string) =>
  runInDurableObject(stub, (_, state) => state.storage.sql.exec(query).toArray())

let sent = 0
const signal = (runId: string, name: string, data: Json = null, id = `sig_${++sent}`) => ({
  runId,
  id,
  name,
  data: JSON.stringify(data),
})

/** Moves the clock to where the alarm stands, and fires it. */
async function fireAlarm(stub: DurableObjectStub<Runner>): Promise<void> {
  const at = await alarmOf(stub)
  if (at === null) throw new Error('no alarm stands')
  vi.spyOn(Date, 'now').mockReturnValue(at)
  expect(await runDurableObjectAlarm(stub)).toBe(true)
}

describe('a run that only sleeps', () => {
  test('sets no timer and leaves nothing under way: after an eviction its alarm alone brings it on', async () => {
    const timers = vi.spyOn(globalThis, 'setTimeout')
    const intervals = vi.spyOn(globalThis, 'setInterval')
    const { tenant, runId, run } = await aStartedRun([sleep('s', '1h'), placeholder('a', ['s'])])
    expect(run.tasks[0]).toMatchObject({ status: 'waiting', waiting: { for: 'time', detail: 'sleeps' }, attempts: [] })
    const { started_at } = run.tasks[0] as unknown as { started_at: string }
    expect(Date.parse(run.tasks[0]!.waiting!.until!)).toBe(Date.parse(started_at) + 3_600_000)
    expect([timers.mock.calls.length, intervals.mock.calls.length]).toEqual([0, 0])
    expect(await sql(tenant.runner(), 'SELECT in_flight FROM runs')).toEqual([{ in_flight: 0 }])
    // An object that something keeps awake could not be evicted: this waits until nothing is under way.
    await evictDurableObject(tenant.runner())
    expect(await alarmOf(tenant.runner())).toBe(Date.parse(run.tasks[0]!.waiting!.until!))
    await fireAlarm(tenant.runner())
    expect(await get(tenant.runner(), runId)).toMatchObject({ status: 'succeeded', output: { a: null } })
  })

  test('loses nothing when its object is aborted, and ends with no request', async () => {
    const { tenant, runId } = await aStartedRun([sleep('s', '1h'), sleep('t', '1h', ['s'])])
    await abortAllDurableObjects()
    await fireAlarm(tenant.runner())
    await abortAllDurableObjects()
    await fireAlarm(tenant.runner())
    expect(await get(tenant.runner(), runId)).toMatchObject({ status: 'succeeded', progress: { succeeded: 2 } })
  })

  test('may do so for a year', async () => {
    const { tenant, runId, run } = await aStartedRun([sleep('s', '364d'), placeholder('a', ['s'])])
    const { deadline_at, started_at } = run as unknown as { deadline_at: string; started_at: string }
    expect(Date.parse(deadline_at) - Date.parse(started_at)).toBe(365 * DAY)
    await abortAllDurableObjects()
    await fireAlarm(tenant.runner())
    expect(await get(tenant.runner(), runId)).toMatchObject({ status: 'succeeded' })
  })

  test('times out after a year, when its alarm fires', async () => {
    const { tenant, runId } = await aStartedRun([sleep('s', '200d'), sleep('t', '200d', ['s'])])
    await fireAlarm(tenant.runner())
    expect(await get(tenant.runner(), runId)).toMatchObject({ status: 'running', progress: { succeeded: 1 } })
    await abortAllDurableObjects()
    await fireAlarm(tenant.runner())
    expect(await get(tenant.runner(), runId)).toMatchObject({ status: 'timed_out', error: { code: 'run_timeout' } })
  })

  test('goes on sleeping while it is paused, and wakes into the pause', async () => {
    const { tenant, runId } = await aStartedRun([sleep('s', '1h'), placeholder('a', ['s'])])
    await tenant.runner().pause(runId)
    await fireAlarm(tenant.runner())
    expect(await get(tenant.runner(), runId)).toMatchObject({
      status: 'paused',
      tasks: [{ status: 'succeeded' }, { status: 'pending', waiting: { for: 'paused' } }],
    })
    expect(shown(await tenant.runner().resume(runId))).toMatchObject({ status: 'succeeded' })
  })
})

describe('a run that waits for an event', () => {
  test('says what it waits for, sleeps, and takes the signal after its object was aborted', async () => {
    const timers = vi.spyOn(globalThis, 'setTimeout')
    const { tenant, runId, run } = await aStartedRun([wait('w', { timeout: '1h' }), placeholder('a', ['w'])])
    expect(run.tasks[0]).toMatchObject({
      status: 'waiting',
      waiting: { for: 'signal', detail: 'waits for the event "go"', until: expect.any(String) },
    })
    expect(timers).not.toHaveBeenCalled()
    await evictDurableObject(tenant.runner())
    const answer = await tenant.runner().signal(signal(runId, 'go', { by: 'ada' }, 'sig_x'))
    expect(answer).toEqual({ kind: 'signal', id: 'sig_x', deliveredTo: ['w'], replayed: false })
    expect(await get(tenant.runner(), runId)).toMatchObject({
      status: 'succeeded',
      tasks: [{ output: { by: 'ada' }, attempts: [] }, { status: 'succeeded' }],
    })
  })

  test('times out when nothing comes', async () => {
    const { tenant, runId } = await aStartedRun([wait('w', { timeout: '1h' })])
    await fireAlarm(tenant.runner())
    const run = await get(tenant.runner(), runId)
    expect(run).toMatchObject({ status: 'failed', error: { code: 'timeout', task_id: 'w' } })
    expect(run.tasks[0]).toMatchObject({ status: 'timed_out', error: { code: 'timeout' } })
  })

  test('finds the signals that came before, after the object was aborted', async () => {
    const { tenant, runId } = await aStartedRun([
      sleep('s', '1h'),
      wait('w1', { depends_on: ['s'] }, { match: 'event.n == 2' }),
      wait('w2', { depends_on: ['w1'] }),
    ])
    const runner = tenant.runner()
    const large = { n: 1, text: 'é'.repeat(40_000) }
    expect(await runner.signal(signal(runId, 'go', large))).toMatchObject({ deliveredTo: [] })
    expect(await runner.signal(signal(runId, 'go', { n: 2 }))).toMatchObject({ deliveredTo: [] })
    expect(await sql(runner, 'SELECT DISTINCT n FROM payloads')).toEqual([{ n: 1 }])
    await abortAllDurableObjects()
    await fireAlarm(tenant.runner())
    const run = await get(tenant.runner(), runId)
    expect(run.status).toBe('succeeded')
    expect(run.tasks.map(({ output }) => output)).toEqual([null, { n: 2 }, large])
    const page = await tenant.runner().events(runId, 0, 100)
    if (page.kind !== 'page') throw new Error('no page')
    const events = page.items.map((text) => JSON.parse(text))
    expect(events.find(({ event }) => event === 'signal.received')).toMatchObject({ data: { name: 'go', data: large } })
    expect(
      events.filter(({ event, data }) => event === 'task.succeeded' && data.signal_event !== undefined),
    ).toMatchObject([
      { data: { task: 'w1', output: { n: 2 }, signal_event: 5 } },
      { data: { task: 'w2', output: large, signal_event: 4 } },
    ])
  })

  test('writes one row for a signal, and three for the first that ends a run of its shard', async () => {
    const { tenant, runId } = await aStartedRun([
      wait('w1', { timeout: '10d' }),
      wait('w2', { timeout: '10d' }, { event: 'end' }),
    ])
    const written = async (name: string) => {
      let rows = 0
      await runInDurableObject(tenant.runner(), async (runner, state) => {
        const exec = state.storage.sql.exec.bind(state.storage.sql)
        const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = []
        vi.spyOn(state.storage.sql, 'exec').mockImplementation((...args) => {
          const cursor = exec(...args)
          cursors.push(cursor)
          return cursor as never
        })
        await runner.signal(signal(runId, name))
        rows = cursors.reduce((sum, { rowsWritten }) => sum + rowsWritten, 0)
      })
      vi.restoreAllMocks()
      return rows
    }
    expect(await written('go')).toBe(1)
    // The run, the counts of its workflow, and when the first run of the shard has to be deleted.
    expect(await written('end')).toBe(3)
  })
})

describe('a signal', () => {
  test('repeated has the first answer, also after the crash and the end of its run; with another body it is refused', async () => {
    const { tenant, runId } = await aStartedRun([wait('w')])
    const first = signal(runId, 'go', { a: 1, b: 2 })
    expect(await tenant.runner().signal(first)).toMatchObject({ deliveredTo: ['w'], replayed: false })
    await abortAllDurableObjects()
    const again = { ...first, data: '{"b":2,"a":1}' }
    expect(await tenant.runner().signal(again)).toEqual({
      kind: 'signal',
      id: first.id,
      deliveredTo: ['w'],
      replayed: true,
    })
    expect(await tenant.runner().signal({ ...first, data: '3' })).toEqual({ kind: 'idempotency_key_reused' })
    expect(await tenant.runner().signal({ ...first, name: 'stop' })).toEqual({ kind: 'idempotency_key_reused' })
  })

  test('to a run that is not there, has ended, or does not wait for it is refused', async () => {
    const { tenant, runId } = await aStartedRun([wait('w')])
    const runner = tenant.runner()
    expect(await runner.signal(signal('run_0001K00000000000000000009999', 'go'))).toEqual({ kind: 'run_not_found' })
    expect(await runner.signal(signal(runId, 'gone'))).toEqual({ kind: 'unknown_signal', names: ['go'] })
    await runner.signal(signal(runId, 'go'))
    expect(await runner.signal(signal(runId, 'go'))).toMatchObject({ kind: 'run_finished', status: 'succeeded' })
  })

  test('that comes when the deadline has passed finds a run that has ended', async () => {
    const { tenant, runId } = await aStartedRun([wait('w')], { timeout: '5s' })
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 5_000)
    const answer = await tenant.runner().signal(signal(runId, 'go'))
    expect(answer).toMatchObject({ kind: 'run_finished', status: 'timed_out' })
  })

  test('to a run that undoes what it did is refused', async () => {
    fakeUpstream(() => new Promise<Response>(() => {}))
    const undo: TaskDefinition = { id: 'undo', type: 'http', depends_on: [], with: { url: 'https://upstream.test' } }
    const { tenant, runId } = await aStartedRun([{ ...placeholder('a', []), compensate: 'undo' }, undo, wait('w')])
    await tenant.runner().cancel(runId)
    expect(await tenant.runner().signal(signal(runId, 'go'))).toMatchObject({ kind: 'run_compensating' })
  })

  test('is refused when a thousand are kept, of fifty thousand too, and the run goes on and takes them', async () => {
    const { tenant, runId } = await aStartedRun([
      sleep('s', '1h'),
      wait('w', { depends_on: ['s'] }),
      wait('v', { depends_on: ['w'] }),
    ])
    const kinds: Record<string, number> = {}
    await runInDurableObject(tenant.runner(), async (runner) => {
      for (let i = 0; i < 50_000; i++) {
        const { kind } = await runner.signal(signal(runId, 'go', i))
        kinds[kind] = (kinds[kind] ?? 0) + 1
      }
    })
    expect(kinds).toEqual({ signal: 1_000, signal_buffer_full: 49_000 })
    const [row] = await sql(tenant.runner(), 'SELECT history_length FROM runs')
    expect(Number(row!.history_length)).toBeLessThan(100_000)
    await abortAllDurableObjects()
    await fireAlarm(tenant.runner())
    const run = await get(tenant.runner(), runId)
    expect(run.tasks.map(({ output }) => output)).toEqual([null, 0, 1])
    expect(run.status).toBe('succeeded')
  }, 30_000)

  test('of large ones sixteen mebibytes are kept, and what is refused leaves no payload behind', async () => {
    const { tenant, runId } = await aStartedRun([sleep('s', '1h'), wait('w', { depends_on: ['s'] })])
    const text = 'x'.repeat(1024 * 1024 - 2)
    const runner = tenant.runner()
    for (let i = 0; i < 16; i++)
      expect(await runner.signal(signal(runId, 'go', text))).toMatchObject({ kind: 'signal' })
    expect(await runner.signal(signal(runId, 'go', text))).toEqual({ kind: 'signal_buffer_full' })
    expect(await sql(runner, 'SELECT MAX(n) AS n FROM payloads')).toEqual([{ n: 16 }])
    expect(await get(runner, runId)).toMatchObject({ status: 'running' })
  })
})

test('a signal whose run ends while it is taken is refused, or it is in the history: never neither', async () => {
  const kinds = new Set<string>()
  // Wherever between two looks at the clock the deadline passes.
  for (let looks = 0; looks < 12; looks++) {
    const { tenant, runId, run } = await aStartedRun([wait('w')], { timeout: '1m' })
    const deadline = Date.parse((run as unknown as { deadline_at: string }).deadline_at)
    let left = looks
    vi.spyOn(Date, 'now').mockImplementation(() => (left-- > 0 ? deadline - 1 : deadline))
    const answer = await tenant.runner().signal(signal(runId, 'go', 'data'))
    vi.restoreAllMocks()
    kinds.add(answer.kind)
    const { tasks } = await get(tenant.runner(), runId)
    const isTaken = answer.kind === 'signal'
    expect([looks, tasks[0]!.status]).toEqual([looks, isTaken ? 'succeeded' : 'timed_out'])
  }
  expect([...kinds].sort()).toEqual(['run_finished', 'signal'])
})
