// Runs in the real runtime: storage, alarms, eviction, crashes. The world outside is a scripted fetch; alarms are fired by
// hand, and the clock is moved, so that no test waits for time to pass.

import {
  abortAllDurableObjects,
  evictDurableObject,
  reset,
  runDurableObjectAlarm,
  runInDurableObject,
} from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Runner } from '../../durable/runner/runner.ts'
import { aDefinition, aRetry } from '../support/builders.ts'
import { fakeUpstream, silence } from '../support/fake-upstream.ts'
import { aRunId, aTenant, type RunView, shown } from '../support/runner.ts'

afterEach(async () => {
  vi.restoreAllMocks()
  // A run that a test left behind would go on by its alarm, and call what the next test listens to.
  await reset()
})

/** Puts the clock of the test and of the objects forward. */
function later(ms: number): void {
  const now = Date.now()
  vi.spyOn(Date, 'now').mockReturnValue(now + ms)
}

const ok = (body: unknown = {}) => Response.json(body)
const sql = (stub: DurableObjectStub<Runner>, query: string) =>
  runInDurableObject(stub, (_, state) => state.storage.sql.exec(query).toArray())

async function get(stub: DurableObjectStub<Runner>, runId: string): Promise<RunView> {
  return shown(await stub.get(runId, 0))
}

/** Fires the alarm until the run has ended, each time as late as the alarm stands. */
async function endByAlarms(stub: DurableObjectStub<Runner>, runId: string): Promise<RunView> {
  for (let i = 0; i < 20; i++) {
    const run = shown(await stub.get(runId, 20))
    if (run.progress.running === 0 && run.progress.waiting === 0 && run.progress.pending === 0) return run
    if (run.progress.running !== 0) continue
    const at = await runInDurableObject(stub, (_, state) => state.storage.getAlarm())
    if (at !== null) vi.spyOn(Date, 'now').mockReturnValue(at)
    await runDurableObjectAlarm(stub)
  }
  throw new Error(`the run did not end: ${JSON.stringify(await get(stub, runId))}`)
}

describe('start', () => {
  test('of placeholders answers with the run that has ended', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 't1?': [], 't2?': ['t1'] }))
    const answer = await tenant.runner().start(tenant.start('wf'))
    const run = shown(answer)
    expect(answer).toMatchObject({ kind: 'run', status: 'succeeded', replayed: false })
    expect(run).toMatchObject({ status: 'succeeded', version: 1, output: { t2: null }, error: null })
    expect(
      run.tasks.map(({ id, status, placeholder, attempts }) => [id, status, placeholder, attempts.length]),
    ).toEqual([
      ['t1', 'succeeded', true, 1],
      ['t2', 'succeeded', true, 1],
    ])
  })

  test('feeds one task with what another gave, and gives the input', async () => {
    const tenant = aTenant()
    const definition = aDefinition(
      { fetch: [], store: ['fetch'] },
      { output: { stored: `\${{ tasks.store.output.body.ok }}` } },
    )
    definition.tasks[0]!.with = { url: `https://upstream.test/users/\${{ input.user }}` }
    definition.tasks[1]!.with = {
      method: 'POST',
      url: 'https://upstream.test/store',
      json: { id: `\${{ tasks.fetch.output.body.id }}`, text: `id \${{ tasks.fetch.output.body.id }}` },
    }
    await tenant.register(definition)
    const { requests } = fakeUpstream((request) => ok(request.method === 'GET' ? { id: 7 } : { ok: true }))
    const start = tenant.start('wf', { input: '{"user":"ada"}' })
    const run = shown(await tenant.runner().start(start))
    expect(run).toMatchObject({ status: 'succeeded', output: { stored: true }, input: { user: 'ada' } })
    expect(requests.map(({ url }) => url)).toEqual(['https://upstream.test/users/ada', 'https://upstream.test/store'])
    expect(JSON.parse(requests[1]!.body)).toEqual({ id: 7, text: 'id 7' })
    expect(requests.map(({ headers }) => headers.get('idempotency-key'))).toEqual([
      `${start.runId}/fetch`,
      `${start.runId}/store`,
    ])
  })

  test('of an expression that fails at run time fails the task and says why', async () => {
    const tenant = aTenant()
    const definition = aDefinition({ a: [] })
    definition.tasks[0]!.with = { url: `https://upstream.test/\${{ input.missing }}` }
    await tenant.register(definition)
    const run = shown(await tenant.runner().start(tenant.start('wf', { input: '{}' })))
    expect(run).toMatchObject({ status: 'failed', error: { code: 'expression_error', task_id: 'a' } })
  })

  test('of a name that is not there, a version that is not there, a paused workflow is refused', async () => {
    const tenant = aTenant()
    const runner = tenant.runner()
    expect(await runner.start(tenant.start('nothing'))).toEqual({ kind: 'workflow_not_found' })
    await tenant.register(aDefinition({ 'a?': [] }))
    const wrong = tenant.start('wf', { workflow: { name: 'wf', version: 9 } })
    expect(await runner.start(wrong)).toEqual({ kind: 'version_not_found', latest: 1 })
    await env.REGISTRY.get(env.REGISTRY.idFromName(tenant.name)).setPaused('wf', true)
    expect(await runner.start(tenant.start('wf'))).toEqual({ kind: 'workflow_paused' })
  })

  test('may shorten the time limit and not lengthen it', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }))
    expect(await tenant.runner().start(tenant.start('wf', { timeoutMs: 5_001 }))).toEqual({
      kind: 'timeout_too_long',
      definitionMs: 5_000,
    })
    expect(await tenant.runner().start(tenant.start('wf', { timeoutMs: 5_000 }))).toMatchObject({ status: 'succeeded' })
  })

  test('takes the version that stands when it is asked, on a Runner that knew an older one', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }))
    expect(shown(await tenant.runner().start(tenant.start('wf'))).version).toBe(1)
    for (let version = 2; version < 20; version++) {
      expect(await tenant.register(aDefinition({ 'a?': [] }, { description: `${version}` }))).toBe(version)
      expect(shown(await tenant.runner().start(tenant.start('wf'))).version).toBe(version)
    }
  })

  test('of a cyclic definition that got past validation ends in a deadlock that names its tasks', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [], 'b?': ['a', 'c'], 'c?': ['b'] }))
    const run = shown(await tenant.runner().start(tenant.start('wf')))
    expect(run).toMatchObject({ status: 'failed', error: { code: 'deadlock', tasks: ['b', 'c'] } })
  })

  test('answers while the run goes on when the wait is over', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [] }))
    fakeUpstream(silence)
    const answer = await tenant.runner().start(tenant.start('wf', { waitMs: 20 }))
    expect(answer).toMatchObject({ kind: 'run', status: 'running' })
  })
})

describe('a repeated start', () => {
  test('with the same id is the same run', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }))
    const start = tenant.start('wf')
    const answers = await Promise.all([1, 2, 3].map(() => tenant.runner().start(start)))
    expect(new Set(answers.map((answer) => shown(answer).id))).toEqual(new Set([start.runId]))
    expect(await sql(tenant.runner(), 'SELECT COUNT(*) AS n FROM runs')).toEqual([{ n: 1 }])
  })

  test('with the same key, twenty at once, starts one run and calls its server once', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [] }))
    const { requests } = fakeUpstream(() => ok())
    const idempotency = { key: 'order-7', bodyHash: 'aa' }
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => tenant.runner().start(tenant.start('wf', { idempotency }))),
    )
    expect(new Set(answers.map((answer) => shown(answer).id)).size).toBe(1)
    expect(answers.filter((answer) => 'replayed' in answer && !answer.replayed)).toHaveLength(1)
    expect(requests).toHaveLength(1)
  })

  test('with the same key and another body is refused; a day later the key is free', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }))
    const first = tenant.start('wf', { idempotency: { key: 'k', bodyHash: 'aa' } })
    const other = () => tenant.start('wf', { idempotency: { key: 'k', bodyHash: 'bb' } })
    await tenant.runner().start(first)
    expect(await tenant.runner().start(other())).toEqual({ kind: 'idempotency_key_reused' })
    later(24 * 3_600_000 + 1)
    expect(await tenant.runner().start(other())).toMatchObject({ status: 'succeeded', replayed: false })
  })
})

describe('the deadline', () => {
  async function aHangingRun() {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [], b: ['a'] }))
    const signals: AbortSignal[] = []
    fakeUpstream((request) => {
      signals.push(request.signal)
      return silence(request)
    })
    const start = tenant.start('wf', { waitMs: 0 })
    await tenant.runner().start(start)
    await vi.waitFor(() => expect(signals).toHaveLength(1))
    return { tenant, start, signals, runner: tenant.runner() }
  }

  test('is kept by the alarm though nobody waits: attempts are aborted, the rest is skipped', async () => {
    const { runner, start, signals } = await aHangingRun()
    later(5_000)
    expect(await runDurableObjectAlarm(runner)).toBe(true)
    const run = await get(runner, start.runId)
    expect(run).toMatchObject({ status: 'timed_out', error: { code: 'run_timeout' } })
    expect(run.tasks.map(({ status, skip_reason }) => [status, skip_reason])).toEqual([
      ['timed_out', undefined],
      ['skipped', 'run_stopped'],
    ])
    await vi.waitFor(() => expect(signals[0]!.aborted).toBe(true))
  })

  test('passes while the object is gone: the next instance ends the run', async () => {
    const { start, tenant } = await aHangingRun()
    await abortAllDurableObjects()
    later(60_000)
    await runDurableObjectAlarm(tenant.runner())
    expect(await get(tenant.runner(), start.runId)).toMatchObject({ status: 'timed_out' })
  })

  test('an alarm that fires early, twice or after the end changes nothing', async () => {
    const { runner, start } = await aHangingRun()
    await runDurableObjectAlarm(runner)
    expect(await get(runner, start.runId)).toMatchObject({ status: 'running' })
    later(5_000)
    await runDurableObjectAlarm(runner)
    const ended = await get(runner, start.runId)
    const [before] = await sql(runner, 'SELECT head FROM runs')
    await runInDurableObject(runner, (instance) => instance.alarm())
    await runInDurableObject(runner, (instance) => instance.alarm())
    expect(await get(runner, start.runId)).toEqual(ended)
    expect(await sql(runner, 'SELECT head FROM runs')).toEqual([before])
  })

  test('an alarm always stands while a run is live, no later than its deadline', async () => {
    const { runner } = await aHangingRun()
    const [row] = await sql(runner, 'SELECT due_at FROM runs')
    const alarm = () => runInDurableObject(runner, (_, state) => state.storage.getAlarm())
    expect(await alarm()).toBeLessThanOrEqual(row!.due_at as number)
    await runDurableObjectAlarm(runner)
    expect(await alarm()).not.toBeNull()
    expect(await alarm()).toBeLessThanOrEqual(row!.due_at as number)
  })
})

describe('a crash', () => {
  test('cuts an attempt off: it is interrupted, made again with the same key, and the run ends', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [], b: ['a'] }, { timeout: '1m' }))
    let isHanging = true
    const { requests } = fakeUpstream((request) => (isHanging && request.url.endsWith('/b') ? silence(request) : ok()))
    const start = tenant.start('wf', { waitMs: 0 })
    await tenant.runner().start(start)
    await vi.waitFor(() => expect(requests).toHaveLength(2))
    await abortAllDurableObjects()
    isHanging = false
    await runDurableObjectAlarm(tenant.runner())
    const cutOff = await get(tenant.runner(), start.runId)
    expect(cutOff.tasks[1]).toMatchObject({ status: 'waiting', waiting: { for: 'retry' } })
    const run = await endByAlarms(tenant.runner(), start.runId)
    expect(run.status).toBe('succeeded')
    expect(run.tasks.map(({ attempts }) => attempts.map(({ number, status }) => [number, status]))).toEqual([
      [[1, 'succeeded']],
      [
        [1, 'interrupted'],
        [1, 'succeeded'],
      ],
    ])
    const keys = requests.map(({ headers }) => headers.get('idempotency-key'))
    expect(keys).toEqual([`${start.runId}/a`, `${start.runId}/b`, `${start.runId}/b`])
  })

  test('loses no run that was answered, and the new instance needs no request: its alarm stands', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [] }))
    fakeUpstream(silence)
    await tenant.runner().start(tenant.start('wf', { waitMs: 0 }))
    await abortAllDurableObjects()
    expect(await runDurableObjectAlarm(tenant.runner())).toBe(true)
  })

  test('an eviction between requests loses nothing', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }))
    const start = tenant.start('wf', { input: '{"n":1}' })
    const before = shown(await tenant.runner().start(start))
    await evictDurableObject(tenant.runner())
    expect(await get(tenant.runner(), start.runId)).toEqual(before)
  })

  test('five of them fail the task', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [] }, { timeout: '1h' }))
    const { requests } = fakeUpstream(silence)
    const start = tenant.start('wf', { waitMs: 0 })
    await tenant.runner().start(start)
    for (let crash = 1; crash <= 5; crash++) {
      await vi.waitFor(() => expect(requests).toHaveLength(crash))
      await abortAllDurableObjects()
      await runDurableObjectAlarm(tenant.runner())
      later(1_000)
      await runDurableObjectAlarm(tenant.runner())
    }
    const run = await get(tenant.runner(), start.runId)
    expect(run).toMatchObject({ status: 'failed', error: { code: 'interrupted_too_often', task_id: 'a' } })
  })

  test('a run that cannot be loaded ends by itself, and the others of its shard go on', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [] }, { timeout: '1m' }))
    let isHanging = true
    const { requests } = fakeUpstream((request) => (isHanging ? silence(request) : ok()))
    const broken = tenant.start('wf', { waitMs: 0 })
    const sound = tenant.start('wf', { waitMs: 0 })
    await tenant.runner().start(broken)
    await tenant.runner().start(sound)
    await vi.waitFor(() => expect(requests).toHaveLength(2))
    await sql(tenant.runner(), `UPDATE runs SET head = '[1,' WHERE id = '${broken.runId}'`)
    await abortAllDurableObjects()
    isHanging = false
    await runDurableObjectAlarm(tenant.runner())
    const run = await endByAlarms(tenant.runner(), sound.runId)
    expect(run.status).toBe('succeeded')
    expect(await get(tenant.runner(), broken.runId)).toMatchObject({
      status: 'failed',
      error: { code: 'run_internal_error' },
      tasks: [],
    })
  })

  test('a run that was being loaded when two instances in a row died is ended unread', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [] }, { timeout: '1m' }))
    fakeUpstream(silence)
    const start = tenant.start('wf', { waitMs: 0 })
    await tenant.runner().start(start)
    await sql(tenant.runner(), `INSERT INTO suspect (one, run_id, starts) VALUES (1, '${start.runId}', 2)`)
    await abortAllDurableObjects()
    await runDurableObjectAlarm(tenant.runner())
    expect(await get(tenant.runner(), start.runId)).toMatchObject({ status: 'failed', error: { code: 'run_poisoned' } })
    expect(await sql(tenant.runner(), 'SELECT * FROM suspect')).toEqual([])
    expect(await tenant.runner().tasks(start.runId, null, 0, 10)).toEqual({ kind: 'page', items: [], next: null })
    const nothing = { kind: 'page', items: [], next: null, last: 0, hasEnded: true }
    expect(await tenant.runner().events(start.runId, 0, 10)).toEqual(nothing)
    expect(await tenant.runner().task(start.runId, 'a')).toEqual({ kind: 'task_not_found' })
    expect(await tenant.runner().at(start.runId, 1)).toEqual({ kind: 'event_not_found', events: 0 })
    expect(await tenant.runner().graph(start.runId, 'mermaid')).toEqual({ kind: 'graph', body: 'flowchart TD\n' })
  })
})

describe('a retry', () => {
  const retry = aRetry({ initial_interval: '2s', multiplier: 2, max_interval: '30s' })
  async function aRetryingRun(answers: (number: number) => Response) {
    const tenant = aTenant()
    const definition = aDefinition({ a: [] }, { timeout: '10m' })
    definition.tasks[0]!.retry = retry
    await tenant.register(definition)
    const { requests } = fakeUpstream((_, number) => answers(number))
    const start = tenant.start('wf', { waitMs: 0 })
    await tenant.runner().start(start)
    await vi.waitFor(async () => expect((await get(tenant.runner(), start.runId)).tasks[0]!.status).toBe('waiting'))
    return {
      tenant,
      start,
      requests,
      alarmAt: () => runInDurableObject(tenant.runner(), (_, s) => s.storage.getAlarm()),
    }
  }

  test('is kept by the alarm: due when it is due, with the same key, and counted', async () => {
    const { tenant, start, requests, alarmAt } = await aRetryingRun((number) =>
      number < 3 ? new Response('', { status: 503 }) : ok(),
    )
    const waiting = await get(tenant.runner(), start.runId)
    expect(waiting.tasks[0]).toMatchObject({ waiting: { for: 'retry', detail: 'attempt 1 of 3 ended with http_503' } })
    expect(await alarmAt()).toBeLessThanOrEqual(Date.parse(waiting.tasks[0]!.waiting!.until!))
    const run = await endByAlarms(tenant.runner(), start.runId)
    expect(run.status).toBe('succeeded')
    expect(run.tasks[0]!.attempts.map(({ number, status }) => [number, status])).toEqual([
      [1, 'failed'],
      [2, 'failed'],
      [3, 'succeeded'],
    ])
    expect(new Set(requests.map(({ headers }) => headers.get('idempotency-key')))).toEqual(
      new Set([`${start.runId}/a`]),
    )
    const { counts } = await tenant.runner().counts()
    expect(counts.wf!.retries).toEqual({ 'http/http_503': 2 })
  })

  test('survives a crash while it waits, and spends no attempt on it', async () => {
    const { tenant, start, requests } = await aRetryingRun((number) =>
      number < 2 ? new Response('', { status: 500 }) : ok(),
    )
    await abortAllDurableObjects()
    const run = await endByAlarms(tenant.runner(), start.runId)
    expect(run.status).toBe('succeeded')
    expect(run.tasks[0]!.attempts).toHaveLength(2)
    expect(requests).toHaveLength(2)
  })

  test('waits as long as Retry-After asks, and spends no attempt on a 429', async () => {
    const { tenant, start } = await aRetryingRun((number) =>
      number < 2 ? new Response('', { status: 429, headers: { 'retry-after': '60' } }) : ok(),
    )
    const { tasks } = await get(tenant.runner(), start.runId)
    expect(tasks[0]!.attempts).toMatchObject([{ number: 1, status: 'snoozed' }])
    expect(Date.parse(tasks[0]!.waiting!.until!) - Date.now()).toBeGreaterThan(50_000)
    const run = await endByAlarms(tenant.runner(), start.runId)
    expect(run.tasks[0]!.attempts).toMatchObject([{ number: 1 }, { number: 1, status: 'succeeded' }])
  })
})

describe('a cancel', () => {
  test('aborts what executes, wakes who waits, and is told with its time', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [], b: ['a'] }, { timeout: '10m' }))
    const signals: AbortSignal[] = []
    fakeUpstream((request) => {
      signals.push(request.signal)
      return silence(request)
    })
    const start = tenant.start('wf', { waitMs: 20_000 })
    const waiting = tenant.runner().start(start)
    await vi.waitFor(() => expect(signals).toHaveLength(1))
    const answer = await tenant.runner().cancel(start.runId)
    expect(shown(answer)).toMatchObject({ status: 'cancelled', error: null, cancel_requested_at: expect.any(String) })
    expect(shown(await waiting).status).toBe('cancelled')
    await vi.waitFor(() => expect(signals[0]!.aborted).toBe(true))
    expect(await tenant.runner().counts()).toMatchObject({
      runsActive: 0,
      tasksRunning: 0,
      counts: { wf: { runs: { cancelled: 1 } } },
    })
    expect(await tenant.runner().cancel(start.runId)).toMatchObject({ kind: 'run_finished', status: 'cancelled' })
  })

  test('of a run that has ended changes nothing and shows it; of one that is not there says so', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }))
    const start = tenant.start('wf')
    const ended = shown(await tenant.runner().start(start))
    const answer = await tenant.runner().cancel(start.runId)
    expect(answer.kind).toBe('run_finished')
    expect(shown(answer)).toEqual(ended)
    expect(await tenant.runner().cancel(aRunId())).toEqual({ kind: 'run_not_found' })
  })

  test('holds after a crash that comes right behind it', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [] }, { timeout: '10m' }))
    const { requests } = fakeUpstream(silence)
    const start = tenant.start('wf', { waitMs: 0 })
    await tenant.runner().start(start)
    await vi.waitFor(() => expect(requests).toHaveLength(1))
    await tenant.runner().cancel(start.runId)
    await abortAllDurableObjects()
    expect(await get(tenant.runner(), start.runId)).toMatchObject({ status: 'cancelled' })
  })
})

describe('outputs', () => {
  test('that are large are kept outside the history and come back whole', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [], b: ['a'] }))
    const text = '\u00e4\ud83d\ude00'.repeat(100_000)
    fakeUpstream((request) => ok(request.url.endsWith('/a') ? { text } : { small: 1 }))
    const start = tenant.start('wf', { input: JSON.stringify({ text: text.slice(0, 40_000) }) })
    await tenant.runner().start(start)
    await evictDurableObject(tenant.runner())
    const run = await get(tenant.runner(), start.runId)
    expect(run.tasks[0]!.output).toMatchObject({ body: { text } })
    expect(run.input).toEqual({ text: text.slice(0, 40_000) })
    const [{ largest }] = (await sql(
      tenant.runner(),
      'SELECT MAX(length(CAST(data AS BLOB))) AS largest FROM payloads',
    )) as [{ largest: number }]
    expect(largest).toBeLessThanOrEqual(1_000_000)
    expect(await tenant.runner().output(start.runId, 'b')).toMatchObject({ kind: 'output' })
    expect(await tenant.runner().output(start.runId, 'c')).toEqual({ kind: 'task_not_found' })
  })

  test('that do not fit into one answer are left out, largest first, and say so', async () => {
    const tenant = aTenant()
    const shape = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`t${i}`, [] as string[]]))
    await tenant.register(aDefinition(shape, { max_parallel: 10, output: 'done' }))
    fakeUpstream((request) => ok('x'.repeat(request.url.endsWith('/t3') ? 1_000_000 : 900_000)))
    const answer = await tenant.runner().start(tenant.start('wf'))
    const run = shown(answer)
    expect('body' in answer && answer.body.length).toBeLessThan(8 * 1024 * 1024)
    expect(run.tasks[3]).toMatchObject({ output: null, output_omitted: true })
    expect(run.tasks.filter(({ output_omitted }) => output_omitted === true).length).toBeLessThan(6)
  })
})

describe('a run that breaks its bounds or its Runner', () => {
  test('ends when its outputs have reached 64 MiB', async () => {
    const tenant = aTenant()
    const shape = Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`t${i}`, [] as string[]]))
    await tenant.register(aDefinition(shape, { max_parallel: 4, timeout: '1m' }))
    const body = JSON.stringify('x'.repeat(1_000_000))
    fakeUpstream(() => new Response(body, { headers: { 'content-type': 'application/json' } }))
    const run = shown(await tenant.runner().start(tenant.start('wf', { waitMs: 30_000 })))
    expect(run).toMatchObject({ status: 'failed', error: { code: 'run_too_large' } })
    expect(run.tasks.filter(({ status }) => status === 'succeeded').length).toBeLessThan(80)
  })

  test('ends when its history has grown longer than an instance could hold', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [] }, { timeout: '1h' }))
    fakeUpstream(silence)
    const start = tenant.start('wf', { waitMs: 0 })
    await tenant.runner().start(start)
    await sql(tenant.runner(), `UPDATE runs SET history_length = ${16 * 1024 * 1024 + 1}`)
    await abortAllDurableObjects()
    await runDurableObjectAlarm(tenant.runner())
    expect(await get(tenant.runner(), start.runId)).toMatchObject({
      status: 'failed',
      error: { code: 'run_too_large', message: expect.stringContaining('history') },
    })
  })

  test.each([
    ['of 2 KB, in a short history', 0, 'x'.repeat(2_000), 0],
    ['of 2 KB, in a long one', 5 * 1024 * 1024, 'x'.repeat(2_000), 1],
    ['that takes much more memory than its text', 0, Array(4_000).fill([]), 1],
    ['of records as servers answer them', 0, Array(300).fill({ id: 17, name: 'seventeen', tags: ['odd'] }), 0],
  ])('keeps a value %s, where it belongs', async (_, historyLength, data, payloads) => {
    const tenant = aTenant()
    const definition = aDefinition({ a: [], b: ['a'] }, { timeout: '1h' })
    definition.tasks[0] = { id: 'a', type: 'wait_for_event', depends_on: [], with: { event: 'go' } }
    definition.tasks[1] = { id: 'b', type: 'transform', depends_on: ['a'], with: { value: '${{ tasks.a.output }}' } }
    await tenant.register(definition)
    const start = tenant.start('wf', { waitMs: 0 })
    await tenant.runner().start(start)
    await sql(tenant.runner(), `UPDATE runs SET history_length = ${historyLength}`)
    await abortAllDurableObjects()
    await tenant.runner().signal({ runId: start.runId, id: 's', name: 'go', data: JSON.stringify(data) })
    expect(await get(tenant.runner(), start.runId)).toMatchObject({ status: 'succeeded', output: { b: data } })
    // The signal's data, and the output that is the same.
    expect(await sql(tenant.runner(), 'SELECT payloads FROM runs')).toEqual([{ payloads: 2 * payloads }])
  })

  test('fails a script whose outputs are more than a call carries, and reads none of them for it', async () => {
    const tenant = aTenant()
    const ids = Array.from({ length: 33 }, (_, index) => `t${index}`)
    const definition = aDefinition({ ...Object.fromEntries(ids.map((id) => [id, []])), s: ids }, { timeout: '10m' })
    Object.assign(definition.tasks.at(-1)!, { type: 'javascript', with: { code: 'export default () => 1' } })
    await tenant.register(definition)
    fakeUpstream(() => ok('x'.repeat(1_000_000)))
    const run = shown(await tenant.runner().start(tenant.start('wf', { waitMs: 30_000 })))
    expect(run).toMatchObject({ status: 'failed', error: { code: 'script_limit', task_id: 's' } })
    expect(run.tasks.at(-1)!.attempts).toMatchObject([{ number: 1, status: 'failed' }])
  })

  test('whose payload is gone ends with an error of its own, and its shard goes on', async () => {
    const tenant = aTenant()
    const definition = aDefinition({ a: [], b: ['a'], c: ['b'] })
    definition.tasks[2]!.with = { url: `https://upstream.test/\${{ tasks.a.output.body.id }}` }
    await tenant.register(definition)
    vi.spyOn(console, 'error').mockImplementation(() => {})
    let isOpen = false
    const { requests } = fakeUpstream(async (request) => {
      while (request.url.endsWith('/b') && !isOpen) await new Promise((resolve) => setTimeout(resolve, 1))
      return ok({ id: 'x'.repeat(20_000) })
    })
    const start = tenant.start('wf', { waitMs: 0 })
    await tenant.runner().start(start)
    await vi.waitFor(() => expect(requests.map(({ url }) => url)).toContain('https://upstream.test/b'))
    await sql(tenant.runner(), 'DELETE FROM payloads')
    isOpen = true
    await tenant
      .runner()
      .get(start.runId, 5_000)
      .catch(() => null)
    const [row] = await sql(tenant.runner(), 'SELECT status, summary FROM runs')
    expect(row).toMatchObject({ status: 'failed' })
    expect(JSON.parse(row!.summary as string)).toMatchObject({ error: { code: 'run_internal_error' } })
    expect(await tenant.runner().counts()).toMatchObject({ tasksRunning: 0, runsActive: 0 })
  })
})

describe('reading', () => {
  test('shows why a task is not running', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [], b: [], c: ['a', 'b'] }, { max_parallel: 1 }))
    fakeUpstream(silence)
    const start = tenant.start('wf', { waitMs: 0 })
    await tenant.runner().start(start)
    const { tasks } = await get(tenant.runner(), start.runId)
    expect(tasks[0]).not.toHaveProperty('waiting')
    expect(tasks[1]!.waiting).toMatchObject({ for: 'slot', position: 1 })
    expect(tasks[2]!.waiting).toMatchObject({ for: 'dependency', on: ['a', 'b'] })
  })

  test('pages through tasks and history', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [], 'b?': ['a'], 'c?': ['b'] }))
    const start = tenant.start('wf')
    await tenant.runner().start(start)
    const tasks = await tenant.runner().tasks(start.runId, null, 0, 2)
    expect(tasks).toMatchObject({ kind: 'page', next: 2 })
    expect(await tenant.runner().tasks(start.runId, 'failed', 0, 2)).toMatchObject({ items: [], next: null })
    const events = await tenant.runner().events(start.runId, 0, 200)
    if (events.kind !== 'page') throw new Error('no page')
    const parsed = events.items.map(
      (item) => JSON.parse(item) as { id: number; event: string; data: { task?: string } },
    )
    expect(parsed.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(parsed.map(({ event, data }) => `${event} ${data.task ?? ''}`.trim())).toEqual([
      'run.accepted',
      'run.started',
      ...['a', 'b', 'c'].flatMap((task) => [`attempt.started ${task}`, `attempt.succeeded ${task}`]),
      'run.finished',
    ])
    expect(await tenant.runner().events(start.runId, 8, 5)).toMatchObject({ items: { length: 1 }, next: null })
    expect(await tenant.runner().events('run_00nothing', 0, 5)).toEqual({ kind: 'run_not_found' })
  })

  test('lists newest first, by filter, in pages', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }))
    await tenant.register(aDefinition({ 'a?': [], 'b?': ['b'] }, { name: 'stuck' }))
    const ids: string[] = []
    for (const workflow of ['wf', 'stuck', 'wf', 'wf']) {
      const start = tenant.start(workflow)
      ids.unshift(start.runId)
      await tenant.runner().start(start)
    }
    const list = async (filter: Parameters<Runner['list']>[0], before: string | null = null, limit = 10) => {
      const { items, horizon } = await tenant.runner().list(filter, before, limit)
      return { ids: items.map(({ body }) => (JSON.parse(body) as RunView).id), horizon }
    }
    expect(await list({})).toEqual({ ids, horizon: null })
    expect((await list({ workflow: 'stuck' })).ids).toEqual([ids[2]])
    expect((await list({ status: 'failed' })).ids).toEqual([ids[2]])
    expect((await list({ version: 2 })).ids).toEqual([])
    expect((await list({ until: Date.now() - 3_600_000 })).ids).toEqual([])
    const first = await list({}, null, 2)
    expect(first).toEqual({ ids: ids.slice(0, 2), horizon: ids[1]!.slice(6) })
    expect((await list({}, first.horizon, 2)).ids).toEqual(ids.slice(2))
  })

  test('of a run that is not there says so', async () => {
    expect(await aTenant().runner().get(aRunId(), 0)).toEqual({ kind: 'run_not_found' })
  })
})

describe('costs', () => {
  async function rowsWritten(definition: ReturnType<typeof aDefinition>): Promise<number> {
    const tenant = aTenant()
    await tenant.register(definition)
    fakeUpstream(() => ok({ fine: true }))
    const written = async () => {
      const { counts } = await tenant.runner().counts()
      return Object.values(counts).reduce((sum, { rows }) => sum + rows.written, 0)
    }
    // The first run pays for the definition, the alarm and the mark; figures are taken in with each run that ends.
    await tenant.runner().start(tenant.start('wf'))
    const before = await written()
    for (let i = 0; i < 10; i++) await tenant.runner().start(tenant.start('wf'))
    return ((await written()) - before) / 10
  }

  test('a run of a hundred placeholders writes at most 4 rows', async () => {
    const shape = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`t${i}?`, i === 0 ? [] : [`t${i - 1}`]]))
    expect(await rowsWritten(aDefinition(shape))).toBeLessThanOrEqual(4)
  })

  test('a single call writes at most 4.2', async () => {
    expect(await rowsWritten(aDefinition({ a: [] }))).toBeLessThanOrEqual(4.2)
  })

  test('a chain of ten calls writes at most 3 + 1.2 rows a task', async () => {
    const shape = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`t${i}`, i === 0 ? [] : [`t${i - 1}`]]))
    expect(await rowsWritten(aDefinition(shape))).toBeLessThanOrEqual(3 + 1.2 * 10)
  })
})
