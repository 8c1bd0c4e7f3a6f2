import { abortAllDurableObjects } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { aCallingWorkflow, aWorkflow, call, fetchRaw, get, post } from './client.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

/** A stream that never tells its length, and counts what is taken from it. */
function aStream(chunks: number, chunk: Uint8Array): { stream: ReadableStream; taken: () => number } {
  let taken = 0
  const stream = new ReadableStream({
    pull(controller) {
      if (taken === chunks) return controller.close()
      taken++
      controller.enqueue(chunk)
    },
  })
  return { stream, taken: () => taken }
}

const utf8 = new TextEncoder()

describe('a body that is no JSON', () => {
  test.each([
    ['', 'empty'],
    [' \n', 'empty'],
    ['{', 'line 1, column 2 (offset 1)'],
    ['{"workflow":"a",}', 'line 1, column 17 (offset 16)'],
    ['{\n "workflow": "a" "input": 1}', 'line 2, column 18 (offset 19)'],
    ["{'workflow':1}", 'line 1, column 2 (offset 1)'],
    ['[1,2', 'line 1, column 5 (offset 4)'],
    ['{"a":01}', 'line 1, column 7 (offset 6)'],
    ['{"a":"\u0001"}', 'line 1, column 7 (offset 6)'],
    ['{"a":"\\x"}', 'line 1, column 7 (offset 6)'],
    ['NaN', 'line 1, column 1 (offset 0)'],
    ['{} {}', 'line 1, column 4 (offset 3)'],
  ])('%j is malformed_json, with the place', async (body, place) => {
    const refused = await post('/v1/run', body)
    expect(refused).toMatchObject({ status: 400, body: { code: 'malformed_json' } })
    expect(refused.body.detail).toContain(place)
  })

  test('is not quoted in the answer', async () => {
    const refused = await post('/v1/run', '{"workflow":"a","input":{"password":"hunter2" "x":1}}')
    expect(refused.text).not.toContain('hunter2')
    expect(refused.text).not.toContain('password')
  })

  test('has to be UTF-8', async () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc0, 0x80, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0xff, 0xfe, 0x31, 0x00],
    ]) {
      const refused = await call('POST', '/v1/run', { body: new Uint8Array(bytes) })
      expect(refused).toMatchObject({ status: 400, body: { code: 'malformed_json' } })
    }
  })

  test('may begin with a byte order mark', async () => {
    expect((await post('/v1/run', `\ufeff${JSON.stringify({ workflow: await aWorkflow() })}`)).status).toBe(200)
  })

  test('is refused for half a character, wherever it is', async () => {
    for (const [body, path] of [
      ['{"workflow":"a","input":["\\ud800"]}', '/input/0'],
      ['{"workflow":"a","input":{"\\udc00":1}}', '/input'],
      ['{"workflow":"\\ud800"}', '/workflow'],
    ] as const) {
      const refused = await post('/v1/run', body)
      expect(refused).toMatchObject({ status: 422, body: { code: 'invalid_request' } })
      expect(refused.body.errors[0].path).toContain(path)
    }
    const definition = await post(
      '/v1/workflows',
      '{"name":"a","description":"\\ud800","tasks":[{"id":"t","type":"http"}]}',
    )
    expect(definition).toMatchObject({ status: 422, body: { code: 'invalid_definition' } })
  })

  test.each([101, 999, 1_001, 10_000, 1_000_000])('is refused cleanly when nested %i deep', async (depth) => {
    const nested = '['.repeat(depth) + ']'.repeat(depth)
    const refused = await post('/v1/run', `{"workflow":"a","input":${nested}}`)
    expect(refused).toMatchObject({
      status: 422,
      body: { code: 'invalid_request', errors: [{ code: 'out_of_bounds' }] },
    })
    const definition = await post(
      '/v1/workflows',
      `{"name":"a","tasks":[{"id":"t","type":"http","with":{"json":${nested}}}]}`,
    )
    expect(definition.status).toBe(422)
    const unclosed = await post('/v1/run', '{"a":'.repeat(Math.min(depth, 400_000)))
    expect(unclosed.body.code).toBe(depth > 1_000 ? 'invalid_request' : 'malformed_json')
  })

  test('has the last of two members with one name, as JSON.parse does', async () => {
    const workflow = await aWorkflow()
    expect((await post('/v1/run', `{"workflow":"${workflow}","input":1,"input":2}`)).body.input).toBe(2)
  })

  test('keeps members that JavaScript treats specially, and refuses them beside the fields', async () => {
    const workflow = await aWorkflow()
    const input = '{"__proto__":{"a":1},"constructor":2,"toString":3}'
    expect((await post('/v1/run', `{"workflow":"${workflow}","input":${input}}`)).text).toContain(`"input":${input}`)
    for (const name of ['__proto__', 'constructor', 'toString']) {
      const refused = await post('/v1/run', `{"workflow":"${workflow}","${name}":{}}`)
      expect(refused).toMatchObject({ status: 422, body: { errors: [{ path: `/${name}`, code: 'unknown_field' }] } })
    }
  })
})

describe('a body that is too large', () => {
  test('is refused by its Content-Length alone', async () => {
    const { stream, taken } = aStream(1, utf8.encode('{}'))
    const refused = await call('POST', '/v1/run', { body: stream, headers: { 'Content-Length': '3000000' }, env: {} })
    expect(refused).toMatchObject({ status: 413, body: { code: 'too_large' } })
    expect(taken()).toBeLessThanOrEqual(1)
  })

  test('is refused while it streams, before it is read whole', async () => {
    const { stream, taken } = aStream(1_000, new Uint8Array(64 * 1024).fill(0x20))
    const refused = await call('POST', '/v1/run', { body: stream, env: {} })
    expect(refused).toMatchObject({ status: 413, body: { code: 'too_large' } })
    // 16 MiB, and what the stream had ready besides.
    expect(taken()).toBeLessThan(270)
  })

  test('by little is read to its end before it is refused, so that whoever sends it sees the answer', async () => {
    const { stream, taken } = aStream(100, new Uint8Array(64 * 1024).fill(0x20))
    const refused = await call('POST', '/v1/run', { body: stream, env: {} })
    expect(refused).toMatchObject({ status: 413, body: { code: 'too_large' } })
    expect(taken()).toBe(100)
  })

  test('in chunks is read like any other if it fits', async () => {
    const workflow = await aWorkflow()
    const text = JSON.stringify({ workflow, input: 'é'.repeat(100) })
    const bytes = utf8.encode(text)
    const stream = new ReadableStream({
      start(controller) {
        for (const byte of bytes) controller.enqueue(new Uint8Array([byte]))
        controller.close()
      },
    })
    expect((await call('POST', '/v1/run', { body: stream, env: {} })).body.input).toBe('é'.repeat(100))
  })
})

describe('the media type of a body', () => {
  test.each([
    ['application/json; charset=utf-8', 200],
    ['APPLICATION/JSON', 200],
    ['application/vnd.api+json', 200],
    ['application/json;charset="UTF-8"', 200],
    ['application/json; charset=latin1', 415],
    ['text/plain', 415],
    ['application/x-www-form-urlencoded', 415],
    ['application/jsonp', 415],
    ['', 415],
  ])('%s: %i', async (type, status) => {
    const workflow = await aWorkflow()
    const answer = await call('POST', '/v1/run', {
      body: JSON.stringify({ workflow }),
      headers: { 'Content-Type': type },
    })
    expect(answer.status).toBe(status)
    if (status === 415) expect(answer.body.code).toBe('unsupported_media_type')
  })

  test('compressed bodies are not read', async () => {
    const refused = await post('/v1/run', '{}', { 'Content-Encoding': 'gzip' })
    expect(refused).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } })
  })
})

describe('paths and methods', () => {
  test.each([
    '/',
    '/v1',
    '/v2/runs',
    '/v1/runs/',
    '/v1//runs',
    '/v1/runs/a/b/c',
    '/v1/workflows/a/versions/1/graph/x',
    '/favicon.ico',
    '/V1/runs',
  ])('there is nothing at %s', async (path) => {
    for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS']) {
      expect(await call(method, path)).toMatchObject({ status: 404, body: { code: 'not_found' } })
    }
  })

  test.each([
    ['GET', '/v1/run', 'POST, OPTIONS'],
    ['HEAD', '/v1/run', 'POST, OPTIONS'],
    ['PUT', '/v1/workflows', 'POST, GET, HEAD, OPTIONS'],
    ['POST', '/v1/workflows/a', 'GET, HEAD, DELETE, OPTIONS'],
    ['DELETE', '/healthz', 'GET, HEAD, OPTIONS'],
    ['PATCH', '/v1/runs/x', 'GET, HEAD, DELETE, OPTIONS'],
    ['PROPFIND', '/v1/runs', 'POST, GET, HEAD, OPTIONS'],
  ])('%s %s is 405 with Allow', async (method, path, allow) => {
    const { status, headers } = await call(method, path)
    expect([status, headers.get('Allow')]).toEqual([405, allow])
  })

  test('OPTIONS answers 204 with Allow', async () => {
    const { status, headers, text } = await call('OPTIONS', '/v1/runs')
    expect([status, headers.get('Allow'), text]).toEqual([204, 'POST, GET, HEAD, OPTIONS', ''])
    expect(headers.get('Access-Control-Allow-Origin')).toBeNull()
  })

  test.each([
    ['GET', '/v1/dead-letters'],
    ['HEAD', '/v1/dead-letters'],
    ['PUT', '/v1/workflows/a/aliases/live'],
    ['GET', '/v1/workflows/a/diff?from=3&to=4'],
    ['POST', '/v1/plan'],
    ['PUT', '/v1/triggers/t'],
    ['POST', '/v1/events'],
    ['POST', '/v1/hooks/default/t'],
    ['POST', '/v1/admin/tenants'],
    ['POST', '/v1/keys'],
    ['PUT', '/v1/policy'],
    ['GET', '/v1/audit/verify'],
    ['POST', '/v1/import?dry_run=true'],
    ['GET', '/v1/limits'],
  ])('%s %s is not available yet', async (method, path) => {
    const { status, body } = await call(method, path)
    expect(status).toBe(422)
    if (method !== 'HEAD') expect(body.code).toBe('not_available')
  })

  test('other methods of paths that are not built are not there at all', async () => {
    expect(await call('GET', '/v1/plan')).toMatchObject({ status: 404, body: { code: 'not_found' } })
    expect((await call('DELETE', '/v1/triggers')).status).toBe(404)
  })
})

describe('the request id', () => {
  test('is the caller’s if it is sane, else a new one', async () => {
    const idFor = async (id: string) =>
      (await get('/healthz', { headers: { 'X-Request-Id': id } })).headers.get('X-Request-Id')
    expect(await idFor('abc-1.2_3')).toBe('abc-1.2_3')
    for (const insane of ['', 'a b', 'a"b', 'x'.repeat(65), '<script>', 'é']) {
      expect(await idFor(insane)).toMatch(/^[0-9a-f-]{36}$/)
    }
  })
})

/** A namespace, named a fake, whose objects answer every call alike. */
function aFakeNamespace(answer: () => Promise<unknown>): { namespace: unknown; calls: string[] } {
  const calls: string[] = []
  const stub = new Proxy(
    {},
    {
      get: (_, method: string) => () => {
        calls.push(method)
        return answer()
      },
    },
  )
  return { namespace: { idFromName: (name: string) => name, get: () => stub }, calls }
}

const failing = (properties: object) => () => Promise.reject(Object.assign(new Error('secret internals'), properties))

describe('a part of the service that fails', () => {
  test.each([
    [{ retryable: true }, 503, 'unavailable', 3],
    [{ overloaded: true, retryable: true }, 503, 'unavailable', 1],
    [{}, 500, 'internal_error', 1],
  ])('%j while reading', async (properties, status, code, tries) => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const { namespace, calls } = aFakeNamespace(failing(properties))
    const refused = await get('/v1/workflows/a?', {
      env: { REGISTRY: namespace },
      headers: { Authorization: 'Bearer hush' },
    })
    expect(refused).toMatchObject({ status, body: { code } })
    expect(refused.headers.get('Retry-After')).toBe(status === 503 ? '1' : null)
    expect(calls).toHaveLength(tries)
    expect(refused.text).not.toContain('secret internals')
    expect(log).toHaveBeenCalledTimes(status === 500 ? 1 : 0)
    if (status === 500) {
      const line = JSON.parse(log.mock.calls[0]![0])
      expect(line).toMatchObject({ event: 'api_fault', request_id: refused.body.request_id, path: '/v1/workflows/a' })
      expect(JSON.stringify(line)).not.toContain('hush')
    }
  })

  test('anything that is thrown is a problem, also what is no Error', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {})
    for (const thrown of ['text', null, undefined, 7]) {
      const { namespace } = aFakeNamespace(() => Promise.reject(thrown))
      const refused = await get('/v1/workflows/a', { env: { REGISTRY: namespace } })
      expect(refused).toMatchObject({ status: 500, body: { code: 'internal_error' } })
    }
  })

  test('one shard that does not answer fails a list, which would else leave runs out', async () => {
    const { namespace } = aFakeNamespace(failing({ retryable: true }))
    expect(await get('/v1/runs', { env: { RUNNER: namespace } })).toMatchObject({
      status: 503,
      body: { code: 'unavailable' },
    })
  })
})

describe('a start that breaks off', () => {
  const start = (namespace: unknown) => call('POST', '/v1/run', { body: { workflow: 'a' }, env: { RUNNER: namespace } })

  test.each([
    ['retryable', { retryable: true }, ['start', 'start', 'start', 'get']],
    ['not retryable', {}, ['start', 'get']],
  ])('%s: is 503 and names the run, if nothing can be learnt', async (_, properties, expected) => {
    const { namespace, calls } = aFakeNamespace(failing(properties))
    const { status, headers, body } = await start(namespace)
    expect([status, body.code]).toEqual([503, 'start_unconfirmed'])
    const [id] = /run_[0-9a-f]{2}[0-9A-Z]{26}/.exec(body.detail)!
    expect(headers.get('Location')).toBe(`/v1/runs/${id}`)
    expect(calls).toEqual(expected)
  })

  test('is 202 with the run, if it is there', async () => {
    let tries = 0
    const body = (await post('/v1/run', { workflow: await aWorkflow() })).text
    const { namespace } = aFakeNamespace(() => {
      tries++
      if (tries === 1) return Promise.reject(new Error('broken'))
      return Promise.resolve({ kind: 'run', runId: 'run_1', status: 'running', body })
    })
    expect(await start(namespace)).toMatchObject({ status: 202, text: body })
  })

  test('is not repeated when the Runner is overloaded, and was not taken', async () => {
    const { namespace, calls } = aFakeNamespace(failing({ overloaded: true, retryable: true }))
    const refused = await start(namespace)
    expect(refused).toMatchObject({ status: 503, body: { code: 'unavailable' } })
    expect([refused.headers.get('Retry-After'), calls]).toEqual(['1', ['start']])
  })

  test('is answered with its run although its Runner crashes while the client waits', async () => {
    const workflow = await aCallingWorkflow({ timeout: '6s' })
    let calls = 0
    vi.spyOn(globalThis, 'fetch').mockImplementation(async () => {
      calls++
      if (calls === 1) await new Promise(() => {})
      return Response.json({})
    })
    vi.spyOn(console, 'error').mockImplementation(() => {})
    const answer = fetchRaw('POST', '/v1/run', { body: { workflow } })
    await vi.waitUntil(() => calls === 1)
    await abortAllDurableObjects()
    const response = await answer
    expect([200, 202]).toContain(response.status)
    const { id } = (await response.json()) as { id: string }
    const ended = await get(`/v1/runs/${id}`, { headers: { Prefer: 'wait=15' } })
    expect(ended.body).toMatchObject({
      status: 'succeeded',
      tasks: [{ attempts: [{ status: 'interrupted' }, { status: 'succeeded' }] }],
    })
  })
})

test('the tests run without authentication', () => {
  expect(env.AUTH).toBe('none')
})
