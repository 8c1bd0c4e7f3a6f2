// Pausing, resuming and undoing runs through the API.

import { afterEach, describe, expect, test, vi } from 'vitest'
import { aName, call, get, post } from './client.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

/** Stands in for the servers that tasks call; keeps those whose path is held until they are let go. */
function aServer(statusOf: (path: string) => number = () => 200) {
  const held = new Map<string, PromiseWithResolvers<void>>()
  const calls: { path: string; key: string }[] = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input as Request, init)
    const path = new URL(request.url).pathname.slice(1)
    calls.push({ path, key: request.headers.get('Idempotency-Key') ?? '' })
    const aborted = new Promise<never>((_, reject) =>
      init?.signal?.addEventListener('abort', () => reject(new Error('aborted'))),
    )
    await Promise.race([held.get(path)?.promise, aborted])
    return Response.json({ path }, { status: statusOf(path) })
  })
  const hold = (path: string) => held.set(path, Promise.withResolvers())
  return { calls, hold, letGo: (path: string) => held.get(path)!.resolve() }
}

const http = (id: string, rest: object = {}) => ({
  id,
  type: 'http',
  with: { method: 'POST', url: `https://upstream.test/${id}` },
  ...rest,
})

async function register(definition: object): Promise<string> {
  const name = aName()
  const { status, body } = await post('/v1/workflows', { name, timeout: '10s', ...definition })
  expect(body).not.toHaveProperty('errors')
  expect(status).toBe(201)
  return name
}

async function startHeld(definition: object): Promise<string> {
  const workflow = await register(definition)
  return (await post('/v1/run', { workflow }, { Prefer: 'respond-async' })).body.id
}

const steer = (id: string, verb: string) => call('POST', `/v1/runs/${id}/${verb}`)
const endOf = async (id: string) => (await get(`/v1/runs/${id}`, { headers: { Prefer: 'wait=10' } })).body

describe('pausing a run', () => {
  test('whose tasks all end meanwhile keeps it from ending; then the resume ends it, and is no refusal', async () => {
    const server = aServer(() => 500)
    server.hold('a')
    const id = await startHeld({ tasks: [http('a')] })
    await vi.waitFor(() => expect(server.calls).toHaveLength(1))
    await steer(id, 'pause')
    server.letGo('a')
    await vi.waitFor(async () => expect((await get(`/v1/runs/${id}`)).body.tasks[0].status).toBe('failed'))
    expect((await get(`/v1/runs/${id}`)).body.status).toBe('paused')
    expect(await steer(id, 'resume')).toMatchObject({ status: 200, body: { status: 'failed' } })
    expect(await steer(id, 'resume')).toMatchObject({ status: 409, body: { code: 'run_finished' } })
  })

  test('starts nothing more, stops the clock, and says so; resuming lets it go on', async () => {
    const server = aServer()
    server.hold('a')
    const id = await startHeld({ tasks: [http('a'), http('b', { depends_on: ['a'] })] })
    await vi.waitFor(() => expect(server.calls).toHaveLength(1))
    const paused = await steer(id, 'pause')
    expect(paused).toMatchObject({
      status: 200,
      body: { status: 'paused', deadline_at: null, waiting: { for: 'paused' } },
    })
    expect(paused.body.remaining_ms).toBeGreaterThan(0)
    server.letGo('a')
    await vi.waitFor(async () => expect((await get(`/v1/runs/${id}`)).body.progress.succeeded).toBe(1))
    const [, b] = (await get(`/v1/runs/${id}`)).body.tasks
    expect(b).toMatchObject({ status: 'pending', waiting: { for: 'paused' } })
    expect((await steer(id, 'pause')).status).toBe(200)

    const resumed = await steer(id, 'resume')
    expect(resumed.status).toBe(200)
    expect(resumed.body.remaining_ms).toBeUndefined()
    expect(await endOf(id)).toMatchObject({ status: 'succeeded' })
    const events = (await get(`/v1/runs/${id}/history`)).body.items.map(({ event }: { event: string }) => event)
    expect(events.filter((event: string) => /paused|resumed/.test(event))).toEqual(['run.paused', 'run.resumed'])
  })

  test('a run that goes on takes a second resume, one that was never paused does not', async () => {
    const server = aServer()
    server.hold('a')
    const id = await startHeld({ tasks: [http('a')] })
    const refused = await steer(id, 'resume')
    expect(refused).toMatchObject({ status: 409, body: { code: 'run_not_paused', run: { id, status: 'running' } } })
    await steer(id, 'pause')
    expect((await steer(id, 'resume')).status).toBe(200)
    expect((await steer(id, 'resume')).status).toBe(200)
    server.letGo('a')
    await endOf(id)
  })

  test('of a run that has ended is refused with the run, and of none is 404', async () => {
    aServer()
    const { body } = await post('/v1/run', { workflow: await register({ tasks: [http('a')] }) })
    for (const verb of ['pause', 'resume']) {
      expect(await steer(body.id, verb)).toMatchObject({
        status: 409,
        body: { code: 'run_finished', run: { id: body.id } },
      })
      expect(await steer('run_0001K7ZB3V9QJ4X5Y6Z7A8B9C0D1', verb)).toMatchObject({ status: 404 })
      expect(await steer('nonsense', verb)).toMatchObject({ status: 404, body: { code: 'run_not_found' } })
    }
  })

  test('a paused run can be cancelled', async () => {
    const server = aServer()
    server.hold('a')
    const id = await startHeld({ tasks: [http('a')] })
    await steer(id, 'pause')
    expect(await steer(id, 'cancel')).toMatchObject({ status: 202, body: { status: 'cancelled' } })
  })
})

describe('undoing a run', () => {
  const saga = {
    tasks: [
      http('book', { compensate: 'unbook' }),
      http('pay', { depends_on: ['book'], compensate: 'refund' }),
      http('ship', { depends_on: ['pay'] }),
      http('unbook', {
        with: { method: 'POST', url: 'https://upstream.test/unbook', json: `\${{ tasks.book.output.body }}` },
      }),
      http('refund'),
    ],
  }

  test('runs in reverse order with keys of its own, and shows', async () => {
    const server = aServer((path) => (path === 'ship' ? 404 : 200))
    const { body: run } = await post('/v1/run', { workflow: await register(saga) })
    expect(run).toMatchObject({ status: 'failed', error: { code: 'http_404', task_id: 'ship' } })
    const calls = server.calls.filter(({ key }) => key.startsWith(run.id))
    expect(calls.map(({ path }) => path)).toEqual(['book', 'pay', 'ship', 'refund', 'unbook'])
    expect(calls.slice(3).map(({ key }) => key)).toEqual([`${run.id}/pay/undo`, `${run.id}/book/undo`])
    const events = (await get(`/v1/runs/${run.id}/history`)).body.items
    expect(events.find(({ event }: { event: string }) => event === 'run.compensating').data).toMatchObject({
      status: 'failed',
      error: { task_id: 'ship' },
    })
  })

  test('cannot be cancelled, and a cancel is what brings it about', async () => {
    const server = aServer()
    server.hold('ship')
    server.hold('refund')
    const id = await startHeld(saga)
    await vi.waitFor(() => expect(server.calls.map(({ path }) => path)).toContain('ship'))
    expect((await get(`/v1/runs/${id}`)).body.tasks[4]).toMatchObject({
      id: 'refund',
      status: 'pending',
      waiting: { for: 'dependency', on: ['pay'] },
    })
    const cancelled = await steer(id, 'cancel')
    expect(cancelled).toMatchObject({ status: 202, body: { status: 'running' } })
    expect(cancelled.body.cancel_requested_at).not.toBeNull()
    expect((await steer(id, 'cancel')).status).toBe(202)
    server.letGo('refund')
    expect(await endOf(id)).toMatchObject({ status: 'cancelled', error: null })
  })

  test('that follows a failure refuses a cancel', async () => {
    const server = aServer((path) => (path === 'ship' ? 404 : 200))
    server.hold('refund')
    const id = await startHeld(saga)
    await vi.waitFor(() => expect(server.calls.map(({ path }) => path)).toContain('refund'))
    expect(await steer(id, 'cancel')).toMatchObject({ status: 409, body: { code: 'run_compensating', run: { id } } })
    server.letGo('refund')
    expect(await endOf(id)).toMatchObject({ status: 'failed' })
  })

  test('that fails shows which task could not undo, and why anything had to be undone', async () => {
    aServer((path) => (path === 'ship' || path === 'refund' ? 404 : 200))
    const { body: run } = await post('/v1/run', { workflow: await register(saga) })
    expect(run.error).toMatchObject({ code: 'compensation_failed', task_id: 'refund', cause: { code: 'http_404' } })
    expect(run.tasks[3]).toMatchObject({ id: 'unbook', status: 'succeeded' })
  })

  test('is refused at registration where it cannot work, each fault with its place', async () => {
    const { status, body } = await post('/v1/workflows', {
      name: aName(),
      tasks: [
        http('a', { compensate: 'undo' }),
        http('b', { compensate: 'undo' }),
        http('c', { compensate: 'c' }),
        http('d', { compensate: 'nope' }),
        http('e', { depends_on: ['undo'], compensate: 'late' }),
        http('undo'),
        http('late', { depends_on: ['a'], when: 'true' }),
        http('nap', { compensate: 'sleeping' }),
        { id: 'sleeping', type: 'sleep', with: { for: '1s' } },
      ],
    })
    expect(status).toBe(422)
    expect(body.errors.map(({ path, code }: { path: string; code: string }) => `${path} ${code}`)).toEqual(
      expect.arrayContaining([
        '/tasks/1/compensate invalid_compensation',
        '/tasks/2/compensate invalid_compensation',
        '/tasks/3/compensate unknown_task',
        '/tasks/4/depends_on/0 invalid_compensation',
        '/tasks/4/compensate invalid_compensation',
        '/tasks/7/compensate invalid_compensation',
      ]),
    )
  })
})

describe('limits of one attempt', () => {
  test('end the attempt, not the run, and count as an attempt', async () => {
    const server = aServer()
    server.hold('slow')
    const retry = { max_attempts: 2, initial_interval: '1ms' }
    const workflow = await register({ tasks: [http('slow', { timeout: '50ms', retry })] })
    const { body } = await post('/v1/run', { workflow })
    expect(body).toMatchObject({ status: 'failed', error: { code: 'timeout', task_id: 'slow' } })
    expect(body.tasks[0].attempts.map(({ status }: { status: string }) => status)).toEqual(['timed_out', 'timed_out'])
    expect(server.calls).toHaveLength(2)
  })

  test('come from the defaults too', async () => {
    const server = aServer()
    server.hold('slow')
    const workflow = await register({ defaults: { timeout: '30ms' }, tasks: [http('slow')] })
    expect((await post('/v1/run', { workflow })).body).toMatchObject({ status: 'failed', error: { code: 'timeout' } })
  })
})

test('a sleep shows until when, and ends by itself', async () => {
  const id = await startHeld({ tasks: [{ id: 'nap', type: 'sleep', with: { for: '300ms' } }] })
  const [nap] = (await get(`/v1/runs/${id}`)).body.tasks
  expect(nap).toMatchObject({ status: 'waiting', waiting: { for: 'time' }, attempts: [] })
  const run = await endOf(id)
  expect(run).toMatchObject({ status: 'succeeded' })
  expect(Date.parse(run.finished_at)).toBeGreaterThanOrEqual(Date.parse(nap.waiting.until))
})
