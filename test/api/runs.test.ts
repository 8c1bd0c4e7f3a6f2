import { afterEach, describe, expect, test, vi } from 'vitest'
import { type Answer, aCallingWorkflow, aName, aWorkflow, call, get, post } from './client.ts'

/** Stands in for the server that tasks call: holds every call until it is let go. */
function aSlowServer(): { letGo: () => void; calls: () => number } {
  const gate = Promise.withResolvers<void>()
  let calls = 0
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (_, init) => {
    calls++
    const gone = new Promise<never>((_, reject) =>
      init?.signal?.addEventListener('abort', () => reject(new Error('aborted'))),
    )
    await Promise.race([gate.promise, gone])
    return Response.json({ answer: 42 })
  })
  return { letGo: gate.resolve, calls: () => calls }
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('starting a run', () => {
  test.each(['/v1/run', '/v1/runs'])('%s answers with the run once it has ended', async (path) => {
    const workflow = await aWorkflow({ a: [], b: ['a'] })
    const { status, headers, body } = await post(path, { workflow, input: { n: 1, text: 'é😀\u0000' } })
    expect(status).toBe(200)
    expect(headers.get('Run-Status')).toBe('succeeded')
    expect(headers.get('Preference-Applied')).toBeNull()
    expect(body).toMatchObject({
      workflow,
      version: 1,
      status: 'succeeded',
      input: { n: 1, text: 'é😀\u0000' },
      output: { b: null },
    })
    expect((await get(`/v1/runs/${body.id}`)).body).toEqual(body)
  })

  test('is 200 also for a run that failed', async () => {
    const workflow = await aCallingWorkflow()
    vi.spyOn(globalThis, 'fetch').mockImplementation(async () => new Response('no', { status: 404 }))
    const { status, headers, body } = await post('/v1/run', { workflow })
    expect([status, headers.get('Run-Status'), body.status, body.error.code]).toEqual([
      200,
      'failed',
      'failed',
      'http_404',
    ])
  })

  test('takes a version, or the newest', async () => {
    const workflow = aName()
    for (const timeout of ['1s', '2s'])
      await post('/v1/workflows', { name: workflow, timeout, tasks: [{ id: 'a', type: 'http' }] })
    const versionOf = async (ref: string) => (await post('/v1/run', { workflow: ref })).body.version
    expect(await versionOf(`${workflow}@1`)).toBe(1)
    expect(await versionOf(`${workflow}@2`)).toBe(2)
    expect(await versionOf(`${workflow}@latest`)).toBe(2)
    expect(await versionOf(workflow)).toBe(2)
    expect(await post('/v1/run', { workflow: `${workflow}@3` })).toMatchObject({
      status: 404,
      body: { code: 'version_not_found' },
    })
    for (const alias of ['canary', 'live']) {
      const refused = await post('/v1/run', { workflow: `${workflow}@${alias}` })
      expect(refused).toMatchObject({ status: 422, body: { code: 'not_available', errors: [{ path: '/workflow' }] } })
    }
  })

  test.each([
    [{ workflow: 'nobody' }, 404, 'workflow_not_found', undefined],
    [{}, 422, 'invalid_request', '/workflow'],
    [[], 422, 'invalid_request', ''],
    [null, 422, 'invalid_request', ''],
    ['text', 400, 'malformed_json', undefined],
    [{ workflow: '' }, 422, 'invalid_request', '/workflow'],
    [{ workflow: 'a b' }, 422, 'invalid_request', '/workflow'],
    [{ workflow: 'a@0' }, 422, 'invalid_request', '/workflow'],
    [{ workflow: 'a@' }, 422, 'invalid_request', '/workflow'],
    [{ workflow: 7 }, 422, 'invalid_request', '/workflow'],
    [{ workflow: 'a', timeout: 5 }, 422, 'invalid_request', '/timeout'],
    [{ workflow: 'a', timeout: '5 parsecs' }, 422, 'invalid_request', '/timeout'],
    [{ workflow: 'a', inptu: {} }, 422, 'invalid_request', '/inptu'],
    [{ workflow: 'a', tags: 'eu' }, 422, 'invalid_request', '/tags'],
    [{ workflow: 'a', tags: ['eu', 'EU'] }, 422, 'invalid_request', '/tags/1'],
    [{ workflow: 'a', tags: ['eu', ''] }, 422, 'invalid_request', '/tags/1'],
    [{ workflow: 'a', tags: ['x'.repeat(65)] }, 422, 'invalid_request', '/tags/0'],
    [{ workflow: 'a', tags: ['eu', 7] }, 422, 'invalid_request', '/tags/1'],
    [{ workflow: 'a', tags: ['eu', 'us', 'eu'] }, 422, 'invalid_request', '/tags/2'],
    [{ workflow: 'a', tags: Array.from({ length: 21 }, (_, i) => `t${i}`) }, 422, 'invalid_request', '/tags'],
    [{ workflow: 'a', tags: ['eu\n'] }, 422, 'invalid_request', '/tags/0'],
    [{ workflow: 'a', priority: 'normal' }, 422, 'not_available', '/priority'],
    [{ workflow: 'a', sticky_key: 'x' }, 422, 'not_available', '/sticky_key'],
    [{ workflow: 'a', start_at: 'tomorrow' }, 422, 'invalid_request', '/start_at'],
    [{ workflow: 'a', start_at: 1_900_000_000 }, 422, 'invalid_request', '/start_at'],
    [{ workflow: 'a', start_at: '2090-01-01T00:00:00Z' }, 422, 'invalid_request', '/start_at'],
    [{ workflow: 'a', priority: 'x', timeout: 5 }, 422, 'invalid_request', '/priority'],
  ])('refuses %j', async (body, status, code, path) => {
    const refused = await post('/v1/run', body)
    expect(refused).toMatchObject({ status, body: { code } })
    if (path !== undefined) expect(refused.body.errors.map((fault: { path: string }) => fault.path)).toContain(path)
  })

  test('names the nearest field', async () => {
    const { body } = await post('/v1/run', { workflow: 'a', inptu: {} })
    expect(body.errors[0].message).toContain('did you mean "input"?')
  })

  test('a timeout shortens the definition’s, and never lengthens it', async () => {
    const workflow = await aCallingWorkflow({ timeout: '2s' })
    aSlowServer()
    const longer = await post('/v1/run', { workflow, timeout: '3s' })
    expect(longer).toMatchObject({
      status: 422,
      body: { code: 'invalid_request', errors: [{ path: '/timeout', code: 'out_of_bounds' }] },
    })
    const shorter = await post('/v1/run', { workflow, timeout: '50ms' })
    expect(shorter).toMatchObject({ status: 200, body: { status: 'timed_out', error: { code: 'run_timeout' } } })
  })

  test('takes an input of 1 MiB and refuses a larger one', async () => {
    const workflow = await aWorkflow()
    const sized = (bytes: number) => 'é'.repeat((bytes - 2) / 2)
    const taken = await post('/v1/run', { workflow, input: sized(1024 * 1024) })
    expect([taken.status, taken.body.input.length]).toEqual([200, 512 * 1024 - 1])
    expect(await post('/v1/run', { workflow, input: sized(1024 * 1024 + 2) })).toMatchObject({
      status: 413,
      body: { code: 'too_large' },
    })
  })
})

describe('waiting for a run', () => {
  test('answers 202 while it goes on, with where to look and when', async () => {
    const workflow = await aCallingWorkflow()
    const server = aSlowServer()
    const { status, headers, body } = await post('/v1/run', { workflow }, { Prefer: 'wait=0' })
    expect(status).toBe(202)
    expect(headers.get('Location')).toBe(`/v1/runs/${body.id}`)
    expect(headers.get('Retry-After')).toBe('1')
    expect(headers.get('Run-Status')).toBe('running')
    expect(headers.get('Preference-Applied')).toBe('wait=0')
    const waiting = get(`/v1/runs/${body.id}`, { headers: { Prefer: 'wait=10' } })
    server.letGo()
    const ended = await waiting
    expect(ended).toMatchObject({ status: 200, body: { status: 'succeeded', output: { call: { status: 200 } } } })
    expect(ended.headers.get('Preference-Applied')).toBe('wait=10')
  })

  test.each([
    ['respond-async', 202, 'respond-async'],
    ['RESPOND-ASYNC', 202, 'respond-async'],
    ['respond-async, wait=5', 200, 'respond-async, wait=5'],
    ['wait=5; foo="bar, wait=1", return=minimal', 200, 'wait=5'],
    ['wait="5"', 200, 'wait=5'],
    ['wait=100', 200, 'wait=30'],
    ['wait=3, wait=4', 200, 'wait=3'],
    ['wait=-1', 200, null],
    ['wait=soon', 200, null],
    ['wait', 200, null],
    ['', 200, null],
  ])('Prefer: %s', async (prefer, status, applied) => {
    const workflow = await aWorkflow()
    const answer = await post('/v1/run', { workflow }, { Prefer: prefer })
    expect(answer.status).toBe(status)
    expect(answer.headers.get('Preference-Applied')).toBe(applied)
  })
})

describe('Idempotency-Key', () => {
  test('a repeat is answered with the first run, whether the key is bare or quoted', async () => {
    const workflow = await aWorkflow()
    const key = crypto.randomUUID()
    const first = await post('/v1/run', { workflow, input: { a: 1, b: 2 } }, { 'Idempotency-Key': key })
    expect(first.headers.get('Idempotent-Replayed')).toBeNull()
    const again = await post('/v1/runs', `{ "input": {"b":2,"a":1}, "workflow": "${workflow}" }`, {
      'Idempotency-Key': `"${key}"`,
    })
    expect(again.status).toBe(200)
    expect(again.headers.get('Idempotent-Replayed')).toBe('true')
    expect(again.body).toEqual(first.body)
  })

  test('another body with the same key is refused', async () => {
    const workflow = await aWorkflow()
    const headers = { 'Idempotency-Key': crypto.randomUUID() }
    await post('/v1/run', { workflow, input: 1 }, headers)
    expect(await post('/v1/run', { workflow, input: 2 }, headers)).toMatchObject({
      status: 422,
      body: { code: 'idempotency_key_reused' },
    })
  })

  test('a refusal is not remembered', async () => {
    const headers = { 'Idempotency-Key': crypto.randomUUID() }
    const name = aName()
    expect((await post('/v1/run', { workflow: name }, headers)).status).toBe(404)
    await post('/v1/workflows', { name, tasks: [{ id: 'a', type: 'http' }] })
    expect((await post('/v1/run', { workflow: name }, headers)).status).toBe(200)
  })

  test('of many equal starts at once one runs', async () => {
    const workflow = await aCallingWorkflow()
    const server = aSlowServer()
    const headers = { 'Idempotency-Key': crypto.randomUUID() }
    const starts = Array.from({ length: 20 }, () => post('/v1/run', { workflow }, headers))
    await vi.waitUntil(() => server.calls() > 0)
    server.letGo()
    const answers = await Promise.all(starts)
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1)
    expect(answers.filter(({ headers }) => headers.get('Idempotent-Replayed') === 'true')).toHaveLength(19)
    expect(server.calls()).toBe(1)
  })

  test.each(['', ' ', 'two words', '""', '"open', 'é', 'x'.repeat(256), '"a\\b"'])('refuses %j', async (key) => {
    const workflow = await aWorkflow()
    const refused = await post('/v1/run', { workflow }, { 'Idempotency-Key': key })
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_idempotency_key' } })
  })

  test.each(['x', 'x'.repeat(255), '"a\\"b"', '!~'])('takes %j', async (key) => {
    const workflow = await aWorkflow()
    expect((await post('/v1/run', { workflow }, { 'Idempotency-Key': key })).status).toBe(200)
  })
})

describe('fetching a run', () => {
  test.each([
    'nonsense',
    'run_',
    'run_0001K7ZB3V9QJ4X5Y6Z7A8B9C0D1',
    'run_ff01K7ZB3V9QJ4X5Y6Z7A8B9C0D1',
    'run_1001K7ZB3V9QJ4X5Y6Z7A8B9C0D1',
    'run_0b01k7zb3v9qj4x5y6z7a8b9c0d1',
    'run_0b81K7ZB3V9QJ4X5Y6Z7A8B9C0D1',
    'run_0b01K7ZB3V9QJ4X5Y6Z7A8B9C0DI',
    'run_0b01K7ZB3V9QJ4X5Y6Z7A8B9C0D12',
    '%F0%9F%98%80',
  ])('there is no run %s', async (id) => {
    for (const part of ['', '?at=1', '/tasks', '/tasks/a', '/tasks/a/output', '/graph', '/history', '/events']) {
      expect(await get(`/v1/runs/${id}${part}`)).toMatchObject({ status: 404, body: { code: 'run_not_found' } })
    }
  })

  test('as it stood at an event has nothing that came later', async () => {
    const { id } = (await post('/v1/run', { workflow: await aWorkflow({ a: [], b: ['a'] }), input: 7 })).body
    const { items } = (await get(`/v1/runs/${id}/history`)).body
    expect(items.map(({ event }: { event: string }) => event)).toEqual([
      'run.accepted',
      'run.started',
      ...['attempt.started', 'attempt.succeeded', 'attempt.started', 'attempt.succeeded'],
      'run.finished',
    ])
    const accepted = await get(`/v1/runs/${id}?at=1`)
    expect(accepted.headers.get('Run-Status')).toBe('queued')
    expect(accepted.body).toMatchObject({
      status: 'queued',
      input: 7,
      output: null,
      started_at: null,
      deadline_at: null,
    })
    expect(accepted.body.tasks[0].waiting).toMatchObject({ for: 'time', detail: 'the run starts at once' })
    const { body } = await get(`/v1/runs/${id}?at=4`)
    expect(body).toMatchObject({ status: 'running', output: null, finished_at: null, duration_ms: null })
    expect(body.progress).toMatchObject({ total: 2, succeeded: 1, pending: 1, running: 0 })
    expect(body.tasks).toMatchObject([
      { status: 'succeeded', attempts: [{ status: 'succeeded' }] },
      { status: 'pending', attempts: [], waiting: { for: 'slot', position: 1 } },
    ])
    expect((await get(`/v1/runs/${id}?at=6`)).body).toMatchObject({
      status: 'running',
      output: null,
      finished_at: null,
    })
    const last = await get(`/v1/runs/${id}?at=7`, { headers: { Prefer: 'wait=5' } })
    expect(last.body).toEqual((await get(`/v1/runs/${id}`)).body)
    expect(last.headers.get('Preference-Applied')).toBeNull()
    expect(await call('HEAD', `/v1/runs/${id}?at=1`)).toMatchObject({ status: 200, text: '' })
  })

  test('as it stood between an attempt and what was decided of it', async () => {
    const retry = { max_attempts: 2, initial_interval: '1ms', jitter: 'none' }
    const workflow = aName()
    const tasks = [{ id: 'call', type: 'http', retry, with: { url: 'https://upstream.test/slow' } }]
    await post('/v1/workflows', { name: workflow, tasks })
    vi.spyOn(globalThis, 'fetch').mockImplementation(async () => new Response('no', { status: 503 }))
    const { id } = (await post('/v1/run', { workflow })).body
    const { items } = (await get(`/v1/runs/${id}/history`)).body
    const failed = items.find(({ event }: { event: string }) => event === 'attempt.failed').id
    expect((await get(`/v1/runs/${id}?at=${failed}`)).body.tasks[0]).toMatchObject({
      status: 'pending',
      error: null,
      waiting: { for: 'retry', detail: 'attempt 1 of 2 ended with http_503', until: null },
      attempts: [{ number: 1, status: 'failed', error: { code: 'http_503' } }],
    })
    const waiting = (await get(`/v1/runs/${id}?at=${failed + 1}`)).body.tasks[0]
    expect(waiting).toMatchObject({ status: 'waiting', waiting: { for: 'retry', until: items[failed].data.until } })
  })

  test('there is no moment before its first event or after its last', async () => {
    const { id } = (await post('/v1/run', { workflow: await aWorkflow() })).body
    const beyond = await get(`/v1/runs/${id}?at=6`)
    expect(beyond).toMatchObject({ status: 404, body: { code: 'event_not_found' } })
    expect(beyond.body.detail).toContain('5 events')
    for (const at of ['0', '-1', '1.5', '', 'last', '1e3', '1000000000']) {
      expect(await get(`/v1/runs/${id}?at=${at}`)).toMatchObject({ status: 400, body: { code: 'invalid_parameter' } })
    }
  })

  test('its graph shows how its tasks stand, as Mermaid or DOT', async () => {
    const { id } = (await post('/v1/run', { workflow: await aWorkflow({ a: [], b: ['a'] }) })).body
    const as = (Accept: string) => get(`/v1/runs/${id}/graph`, { headers: { Accept } })
    const mermaid = await get(`/v1/runs/${id}/graph`)
    expect(mermaid.headers.get('Content-Type')).toBe('text/vnd.mermaid; charset=utf-8')
    expect(mermaid.text).toContain('t0["a<br/>http<br/>succeeded"]')
    expect(mermaid.text).toContain('class t0,t1 succeeded')
    const dot = await as('text/vnd.graphviz')
    expect(dot.headers.get('Content-Type')).toBe('text/vnd.graphviz; charset=utf-8')
    expect(dot.text).toContain('class="succeeded"')
    expect(await as('application/json')).toMatchObject({ status: 406, body: { code: 'not_acceptable' } })
    expect(await call('HEAD', `/v1/runs/${id}/graph`)).toMatchObject({ status: 200, text: '' })
  })

  test('its tasks come in pages, by status, and one by one', async () => {
    const workflow = await aWorkflow({ a: [], b: ['a'], c: ['b'] })
    const { id, tasks } = (await post('/v1/run', { workflow })).body
    const first = (await get(`/v1/runs/${id}/tasks?limit=2`)).body
    const second = (await get(`/v1/runs/${id}/tasks?limit=2&cursor=${first.next_cursor}`)).body
    expect([...first.items, ...second.items]).toEqual(tasks)
    expect(second.next_cursor).toBeNull()
    expect((await get(`/v1/runs/${id}/tasks?status=succeeded`)).body.items).toEqual(tasks)
    expect((await get(`/v1/runs/${id}/tasks?status=failed`)).body.items).toEqual([])
    expect((await get(`/v1/runs/${id}/tasks?status=great`)).body.code).toBe('invalid_parameter')
    expect((await get(`/v1/runs/${id}/tasks?status=failed&cursor=${first.next_cursor}`)).body.code).toBe('bad_cursor')
    expect((await get(`/v1/runs/${id}/tasks/b`)).body).toEqual(tasks[1])
    expect((await get(`/v1/runs/${id}/tasks/b/output`)).text).toBe('null')
    for (const part of ['d', 'd/output', '__proto__']) {
      expect(await get(`/v1/runs/${id}/tasks/${part}`)).toMatchObject({ status: 404, body: { code: 'task_not_found' } })
    }
  })

  test('its history comes in pages, oldest first, under both names', async () => {
    const { id } = (await post('/v1/run', { workflow: await aWorkflow({ a: [], b: ['a'] }) })).body
    const whole = (await get(`/v1/runs/${id}/history`)).body.items
    expect(whole.map(({ id }: { id: number }) => id)).toEqual(whole.map((_: unknown, index: number) => index + 1))
    expect(whole.at(0).event).toBe('run.accepted')
    expect(whole.at(-1).event).toBe('run.finished')
    const paged: unknown[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: Answer = await get(`/v1/runs/${id}/events?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`)
      paged.push(...page.body.items)
      cursor = page.body.next_cursor
    }
    expect(paged).toEqual(whole)
  })
})

describe('listing runs', () => {
  const ids = (items: { id: string }[]) => items.map(({ id }) => id)

  async function pagesOf(query: string): Promise<string[]> {
    const seen: string[] = []
    let path: string | null = `/v1/runs?${query}`
    while (path !== null) {
      const { body, headers } = await get(path)
      seen.push(...ids(body.items))
      const link: string | null = headers.get('Link')
      expect(link === null).toBe(body.next_cursor === null)
      path = link === null ? null : /^<(.*)>; rel="next"$/.exec(link)![1]!
    }
    return seen
  }

  test('shows the runs of all shards, newest first, each once, whatever the size of a page', async () => {
    const workflow = await aWorkflow()
    const started: string[] = []
    for (let run = 0; run < 40; run++) started.push((await post('/v1/run', { workflow })).body.id)
    const newestFirst = started.sort((a, b) => (a.slice(6) < b.slice(6) ? 1 : -1))
    expect(new Set(started.map((id) => id.slice(4, 6))).size).toBeGreaterThan(4)
    for (const limit of [1, 7, 40, 200]) {
      expect(await pagesOf(`workflow=${workflow}&limit=${limit}`)).toEqual(newestFirst)
    }
  })

  test('filters by version, status and time', async () => {
    const workflow = await aWorkflow()
    const first = (await post('/v1/run', { workflow })).body
    await post('/v1/workflows', { name: workflow, timeout: '9s', tasks: [{ id: 'a', type: 'http' }] })
    await new Promise((resolve) => setTimeout(resolve, 5))
    const second = (await post('/v1/run', { workflow })).body
    const found = (query: string) => pagesOf(`workflow=${workflow}&${query}`)
    expect(await found('version=1')).toEqual([first.id])
    expect(await found('status=succeeded')).toEqual([second.id, first.id])
    expect(await found('status=failed')).toEqual([])
    expect(await found(`since=${second.created_at}`)).toEqual([second.id])
    expect(await found(`until=${second.created_at}`)).toEqual([first.id])
    const withOffset = encodeURIComponent(`${second.created_at.slice(0, -1)}+00:00`)
    expect(await found(`since=${withOffset}&limit=1`)).toEqual([second.id])
    expect(await found('since=2999-01-01T00:00:00Z')).toEqual([])
  })

  test('filters by tag, trigger and parent, alone and together, page by page', async () => {
    const workflow = await aWorkflow()
    const start = async (tags: string[]) => (await post('/v1/run', { workflow, tags })).body
    const both = await start(['eu', 'customer:17'])
    const eu = await start(['eu'])
    const none = await start([])
    expect(both.tags).toEqual(['eu', 'customer:17'])
    expect(none.tags).toEqual([])
    const newestFirst = (runs: { id: string }[]) => ids(runs).sort((a, b) => (a.slice(6) < b.slice(6) ? 1 : -1))
    const found = (query: string) => pagesOf(`workflow=${workflow}&${query}`)
    expect(await found('tag=eu')).toEqual(newestFirst([both, eu]))
    expect(await found('tag=eu&limit=1')).toEqual(newestFirst([both, eu]))
    expect(await found('tag=customer:17&status=succeeded&version=1')).toEqual([both.id])
    expect(await found('tag=customer:17&status=failed')).toEqual([])
    expect(await found('tag=customer')).toEqual([])
    expect(await found('trigger=api')).toEqual(newestFirst([both, eu, none]))
    expect(await found(`parent=${both.id}`)).toEqual([])
    const [first] = (await get(`/v1/runs/${both.id}/history?limit=1`)).body.items
    expect(first.data.tags).toEqual(['eu', 'customer:17'])
  })

  test('tags belong to what a key stands for', async () => {
    const workflow = await aWorkflow()
    const key = { 'Idempotency-Key': crypto.randomUUID() }
    expect((await post('/v1/run', { workflow, tags: ['eu'] }, key)).status).toBe(200)
    expect(await post('/v1/run', { workflow, tags: ['us'] }, key)).toMatchObject({
      status: 422,
      body: { code: 'idempotency_key_reused' },
    })
  })

  test('leaves out tasks, input and output', async () => {
    const workflow = await aWorkflow()
    await post('/v1/run', { workflow, input: 'secret' })
    const [run] = (await get(`/v1/runs?workflow=${workflow}`)).body.items
    for (const name of ['tasks', 'input', 'output']) expect(run).not.toHaveProperty(name)
  })

  test.each([
    ['trigger=cron', 422, 'not_available'],
    ['trigger=retry&parent=x', 400, 'invalid_parameter'],
    ['trigger=API', 400, 'invalid_parameter'],
    ['tag=', 400, 'invalid_parameter'],
    ['tag=EU', 400, 'invalid_parameter'],
    [`tag=${'x'.repeat(65)}`, 400, 'invalid_parameter'],
    ['tag=a&tag=b', 400, 'invalid_parameter'],
    ['parent=run_1', 400, 'invalid_parameter'],
    ['limit=0', 400, 'invalid_parameter'],
    ['limit=201', 400, 'invalid_parameter'],
    ['limit=1e1', 400, 'invalid_parameter'],
    ['limit=', 400, 'invalid_parameter'],
    ['limit=1&limit=2', 400, 'invalid_parameter'],
    ['status=done', 400, 'invalid_parameter'],
    ['version=new', 400, 'invalid_parameter'],
    ['since=yesterday', 400, 'invalid_parameter'],
    ['since=2026-01-01T00:00:00', 400, 'invalid_parameter'],
    ['stauts=failed', 400, 'invalid_parameter'],
    ['__proto__=1', 400, 'invalid_parameter'],
    ['trigger=cron&stauts=failed', 400, 'invalid_parameter'],
    ['cursor=abc', 400, 'bad_cursor'],
  ])('refuses ?%s', async (query, status, code) => {
    expect(await get(`/v1/runs?${query}`)).toMatchObject({ status, body: { code } })
  })

  test('a cursor holds for the filters that it was made with, and for any limit', async () => {
    const workflow = await aWorkflow()
    for (let run = 0; run < 3; run++) await post('/v1/run', { workflow })
    const { next_cursor: cursor } = (await get(`/v1/runs?workflow=${workflow}&limit=1`)).body
    expect((await get(`/v1/runs?workflow=${workflow}&limit=5&cursor=${cursor}`)).body.items).toHaveLength(2)
    expect((await get(`/v1/runs?limit=1&cursor=${cursor}`)).body.code).toBe('bad_cursor')
    expect((await get(`/v1/runs?workflow=${workflow}&status=failed&cursor=${cursor}`)).body.code).toBe('bad_cursor')
  })

  test('HEAD answers like GET, without a body', async () => {
    const answer = await call('HEAD', '/v1/runs?limit=1')
    expect(answer).toMatchObject({ status: 200, text: '' })
    expect(answer.headers.get('Content-Type')).toBe('application/json')
  })
})

describe('cancelling a run', () => {
  test('answers 202 with the cancelled run, and 409 with the run after its end', async () => {
    vi.spyOn(globalThis, 'fetch').mockImplementation(() => new Promise(() => {}))
    const workflow = await aCallingWorkflow()
    const { id } = (await post('/v1/run', { workflow }, { Prefer: 'respond-async' })).body
    const cancelled = await post(`/v1/runs/${id}/cancel`)
    expect(cancelled).toMatchObject({ status: 202, body: { id, status: 'cancelled' } })
    expect(cancelled.headers.get('Run-Status')).toBe('cancelled')
    const again = await post(`/v1/runs/${id}/cancel`)
    expect(again).toMatchObject({ status: 409, body: { code: 'run_finished', run: { id, status: 'cancelled' } } })
    expect((await get(`/v1/runs?workflow=${workflow}&status=cancelled`)).body.items).toHaveLength(1)
  })

  test('of a run that is not there is 404', async () => {
    expect(await post('/v1/runs/run_nothing/cancel')).toMatchObject({ status: 404, body: { code: 'run_not_found' } })
  })
})

describe('deleting a run', () => {
  test('answers 204 once, then 404, and 410 to a repeat of its start', async () => {
    const workflow = await aWorkflow()
    const key = { 'Idempotency-Key': crypto.randomUUID() }
    const { id } = (await post('/v1/run', { workflow }, key)).body
    expect(await call('DELETE', `/v1/runs/${id}`)).toMatchObject({ status: 204, text: '' })
    expect(await call('DELETE', `/v1/runs/${id}`)).toMatchObject({ status: 404, body: { code: 'run_not_found' } })
    expect(await get(`/v1/runs/${id}`)).toMatchObject({ status: 404, body: { code: 'run_not_found' } })
    expect((await get(`/v1/runs?workflow=${workflow}`)).body.items).toEqual([])
    expect(await post('/v1/run', { workflow }, key)).toMatchObject({ status: 410, body: { code: 'run_deleted' } })
    expect(await post('/v1/run', { workflow })).toMatchObject({ status: 200 })
  })

  test('answers 409 with the run while it goes on', async () => {
    vi.spyOn(globalThis, 'fetch').mockImplementation(() => new Promise(() => {}))
    const workflow = await aCallingWorkflow()
    const { id } = (await post('/v1/run', { workflow }, { Prefer: 'respond-async' })).body
    const refused = await call('DELETE', `/v1/runs/${id}`)
    expect(refused).toMatchObject({ status: 409, body: { code: 'run_not_finished', run: { id, status: 'running' } } })
    await post(`/v1/runs/${id}/cancel`)
    expect((await call('DELETE', `/v1/runs/${id}`)).status).toBe(204)
  })

  test.each(['run_nothing', 'run_ff01K7ZB3V9QJ4X5Y6Z7A8B9C0D1', 'run_0b01K7ZB3V9QJ4X5Y6Z7A8B9C0D1'])(
    'of %s is 404',
    async (id) => {
      expect(await call('DELETE', `/v1/runs/${id}`)).toMatchObject({ status: 404, body: { code: 'run_not_found' } })
    },
  )
})
