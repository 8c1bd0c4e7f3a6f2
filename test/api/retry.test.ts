// POST /v1/runs/{id}/retry as a client sees it.

import { afterEach, describe, expect, test, vi } from 'vitest'
import { fakeUpstream, silence } from '../support/fake-upstream.ts'
import { aCallingWorkflow, aName, aWorkflow, call, get, post } from './client.ts'

afterEach(() => vi.restoreAllMocks())

const large = 'x'.repeat(50_000)

/** Registers a - b - c, each a call; `c` gets what `b` gave. */
async function aChain(rest: object = {}): Promise<string> {
  const name = aName()
  const url = 'https://upstream.test/'
  const tasks = [
    { id: 'a', type: 'http', with: { url: `${url}a` } },
    { id: 'b', type: 'http', depends_on: ['a'], with: { url: `${url}b` } },
    {
      id: 'c',
      type: 'http',
      depends_on: ['b'],
      with: {
        method: 'POST',
        url: `${url}c`,
        json: { size: '${{ tasks.a.output.body.text.size() }}', attempt: '${{ run.attempt }}' },
      },
    },
  ]
  expect((await post('/v1/workflows', { name, tasks, ...rest })).status).toBe(201)
  return name
}

/** A server that fails at `broken` until it is mended. */
function aServer(broken: string) {
  const server = { isMended: false, calls: [] as string[] }
  const upstream = fakeUpstream((request) => {
    const path = new URL(request.url).pathname.slice(1)
    server.calls.push(path)
    return Response.json({ text: large, path }, { status: path === broken && !server.isMended ? 500 : 200 })
  })
  return { server, upstream }
}

async function finished(id: string) {
  return (await get(`/v1/runs/${id}`, { headers: { Prefer: 'wait=10' } })).body
}

describe('a run that failed', () => {
  test('is made again by the call that its explanation tells, which has no body', async () => {
    const workflow = await aChain()
    const { server } = aServer('b')
    const first = (await post('/v1/runs', { workflow })).body
    server.isMended = true
    const { text } = await call('GET', `/v1/runs/${first.id}/explain`, { headers: { Accept: 'text/plain' } })
    const [, method, path] = /(POST) (\S+\/retry) makes/.exec(text)!
    const headers = { 'Idempotency-Key': 'told' }
    const again = await call(method!, path!, { headers })
    expect([again.status, again.body.retry_of]).toEqual([202, first.id])
    expect((await finished(again.body.id)).tasks.map(({ reused }: { reused?: true }) => reused)).toEqual([
      true,
      undefined,
      undefined,
    ])
    for (const body of [{}, { from: 'failed' }]) {
      const repeat = await post(path!, body, headers)
      expect([repeat.status, repeat.body.id]).toEqual([202, again.body.id])
    }
  })

  test('goes on where it failed, with what it had, as a new run', async () => {
    const workflow = await aChain()
    const { server, upstream } = aServer('c')
    const first = (await post('/v1/runs', { workflow, input: { n: 1 }, tags: ['eu'] })).body
    expect([first.status, first.error.task_id]).toEqual(['failed', 'c'])
    server.isMended = true
    const answer = await post(`/v1/runs/${first.id}/retry`, { from: 'failed' })
    expect(answer.status).toBe(202)
    expect(answer.headers.get('Location')).toBe(`/v1/runs/${answer.body.id}`)
    const run = await finished(answer.body.id)
    expect(run).toMatchObject({
      status: 'succeeded',
      retry_of: first.id,
      trigger: { type: 'retry' },
      version: 1,
      tags: ['eu'],
      input: { n: 1 },
    })
    expect(run.tasks.map((task: { reused?: true; attempts: [] }) => [task.reused, task.attempts.length])).toEqual([
      [true, 0],
      [true, 0],
      [undefined, 1],
    ])
    expect(server.calls).toEqual(['a', 'b', 'c', 'c'])
    // The payload was copied: the old run may go.
    expect((await call('DELETE', `/v1/runs/${first.id}`)).status).toBe(204)
    expect((await get(`/v1/runs/${run.id}/tasks/a/output`)).body.body.text).toBe(large)
    expect(upstream.requests.map(({ body }) => body).slice(2)).toEqual([
      `{"size":50000,"attempt":1}`,
      `{"size":50000,"attempt":2}`,
    ])
    const events = (await get(`/v1/runs/${run.id}/events`)).body.items.map(({ event }: { event: string }) => event)
    expect(events.slice(0, 4)).toEqual(['run.accepted', 'task.reused', 'task.reused', 'run.started'])
    const listed = await get('/v1/runs?trigger=retry')
    expect(listed.body.items.map(({ id }: { id: string }) => id)).toContain(run.id)
  })

  test('may be made again from its start, and again after that', async () => {
    const workflow = await aChain()
    const { server } = aServer('b')
    const first = (await post('/v1/runs', { workflow })).body
    const second = await finished((await post(`/v1/runs/${first.id}/retry`, { from: 'start' })).body.id)
    expect([second.status, second.retry_of]).toEqual(['failed', first.id])
    server.isMended = true
    const third = await finished((await post(`/v1/runs/${second.id}/retry`, { from: ['a'] })).body.id)
    expect([third.status, third.retry_of]).toEqual(['succeeded', second.id])
    expect(server.calls).toEqual(['a', 'b', 'a', 'b', 'a', 'b', 'c'])
  })

  test('may be made again on another version, if what is taken over is defined alike', async () => {
    const workflow = await aChain()
    const { server } = aServer('c')
    const first = (await post('/v1/runs', { workflow })).body
    const { body } = await get(`/v1/workflows?name=${workflow}`)
    const tasks = [...body.tasks.slice(0, 2), { id: 'c', type: 'http', depends_on: ['b'] }]
    const changed = [{ ...tasks[0], with: { url: 'https://upstream.test/z' } }, ...tasks.slice(1)]
    expect((await post('/v1/workflows', { name: workflow, tasks })).status).toBe(201)
    expect((await post('/v1/workflows', { name: workflow, tasks: changed })).status).toBe(201)
    const run = await finished((await post(`/v1/runs/${first.id}/retry`, { from: 'failed', version: 2 })).body.id)
    expect([run.status, run.version]).toEqual(['succeeded', 2])
    const refused = await post(`/v1/runs/${first.id}/retry`, { from: 'failed', version: 3 })
    expect([refused.status, refused.body.code]).toEqual([422, 'invalid_request'])
    expect(refused.body.errors).toMatchObject([{ path: '/version', code: 'task_differs' }])
    expect((await post(`/v1/runs/${first.id}/retry`, { from: 'failed', version: 9 })).body.code).toBe(
      'version_not_found',
    )
    expect(server.calls).toEqual(['a', 'b', 'c'])
  })

  test('with a key is made again once', async () => {
    const workflow = await aChain()
    const { server } = aServer('b')
    const first = (await post('/v1/runs', { workflow })).body
    const headers = { 'Idempotency-Key': 'again' }
    const second = await post(`/v1/runs/${first.id}/retry`, { from: 'failed' }, headers)
    const repeat = await post(`/v1/runs/${first.id}/retry`, { from: 'failed' }, headers)
    expect([repeat.status, repeat.body.id, repeat.headers.get('Idempotent-Replayed')]).toEqual([
      202,
      second.body.id,
      'true',
    ])
    const other = await post(`/v1/runs/${first.id}/retry`, { from: 'start' }, headers)
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused'])
    await finished(second.body.id)
    expect(server.calls).toEqual(['a', 'b', 'b'])
  })
})

describe('a retry is refused', () => {
  test('of a run that is not there', async () => {
    const ids = ['run_0001K000000000000000000000ZZ', 'run_ff01K000000000000000000000ZZ', 'nonsense']
    for (const id of ids)
      expect((await post(`/v1/runs/${id}/retry`, { from: 'start' })).body.code).toBe('run_not_found')
  })

  test('of a run that goes on, which is shown', async () => {
    fakeUpstream(silence)
    const workflow = await aCallingWorkflow()
    const { body } = await post('/v1/runs', { workflow }, { Prefer: 'respond-async' })
    const refused = await post(`/v1/runs/${body.id}/retry`, { from: 'failed' })
    expect([refused.status, refused.body.code, refused.body.run.id]).toEqual([409, 'run_not_finished', body.id])
    await post(`/v1/runs/${body.id}/cancel`)
    // A run that was cancelled has tasks that did not succeed.
    vi.restoreAllMocks()
    fakeUpstream(() => new Response())
    expect((await finished((await post(`/v1/runs/${body.id}/retry`, { from: 'failed' })).body.id)).status).toBe(
      'succeeded',
    )
  })

  test('of a run that has nothing left to do', async () => {
    const { body } = await post('/v1/runs', { workflow: await aWorkflow() })
    const refused = await post(`/v1/runs/${body.id}/retry`, { from: 'failed' })
    expect([refused.status, refused.body.code]).toEqual([409, 'nothing_to_retry'])
    expect((await post(`/v1/runs/${body.id}/retry`, { from: ['only'] })).status).toBe(202)
  })

  test('of a workflow that takes no runs', async () => {
    const workflow = await aWorkflow()
    const { body } = await post('/v1/runs', { workflow })
    await post(`/v1/workflows/${workflow}/pause`)
    expect((await post(`/v1/runs/${body.id}/retry`, { from: 'start' })).body.code).toBe('workflow_paused')
    await call('DELETE', `/v1/workflows/${workflow}`)
    expect((await post(`/v1/runs/${body.id}/retry`, { from: 'start' })).body.code).toBe('workflow_not_found')
  })

  test.each<[object, string, string]>([
    [{ from: 'end' }, '/from', 'invalid_value'],
    [{ from: [] }, '/from', 'out_of_bounds'],
    [{ from: [5] }, '/from/0', 'invalid_type'],
    [{ from: ['onli'] }, '/from/0', 'unknown_task'],
    [{ from: 'start', version: 0 }, '/version', 'out_of_bounds'],
    [{ from: 'start', input: 1 }, '/input', 'unknown_field'],
  ])('of the body %j', async (request, path, code) => {
    const { body } = await post('/v1/runs', { workflow: await aWorkflow() })
    const refused = await post(`/v1/runs/${body.id}/retry`, request)
    expect([refused.status, refused.body.errors]).toMatchObject([422, [{ path, code }]])
  })
})
