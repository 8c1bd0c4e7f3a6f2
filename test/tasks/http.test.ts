import { afterEach, describe, expect, test, vi } from 'vitest'
import type { TaskResult } from '../../src/tasks/plugin.ts'
import type { JsonObject } from '../../src/workflow/json.ts'
import { endlessBody, fakeUpstream, stalledBody } from '../support/fake-upstream.ts'
import { attempt } from '../support/plugin-contract.ts'

afterEach(() => vi.restoreAllMocks())

const url = 'https://upstream.test/orders'

function call(config: JsonObject = {}, timeoutMs = 10_000): Promise<TaskResult> {
  return attempt({ with: { url, ...config }, timeoutMs })
}

/** The answer to one call, whatever it asks. */
function answering(body: BodyInit | null, init: ResponseInit = {}, config: JsonObject = {}): Promise<TaskResult> {
  fakeUpstream(() => new Response(body, init))
  return call(config)
}

/** A body in one piece, of no type and no length that is told. */
function streamed(body: string | Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => {
      const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
      if (bytes.byteLength > 0) controller.enqueue(bytes)
      controller.close()
    },
  })
}

/** Redirects along `locations`, one a request, each with the status; then answers 200. */
function redirecting(status: number, ...locations: string[]) {
  return fakeUpstream((_, number) => {
    const location = locations[number - 1]
    return location === undefined ? new Response('end') : new Response('moved', { status, headers: { location } })
  })
}

const failure = (code: string, retryable: boolean) => ({ kind: 'failed', error: { code }, retryable })
const success = (body: unknown) => ({ kind: 'succeeded', output: { body } })
const typed = (type: string) => ({ headers: { 'content-type': type } })

describe('http: the request', () => {
  test('is a GET without a body, with the key and the name of the service', async () => {
    const { requests } = fakeUpstream(() => new Response())
    await call()
    expect(requests).toMatchObject([{ method: 'GET', url, body: '' }])
    expect(Object.fromEntries(requests[0]!.headers)).toEqual({
      'idempotency-key': 'run_1/task',
      'user-agent': 'edge-orchestrator',
      // What `cache: 'no-store'` says to caches on the way.
      ...(requests[0]!.headers.has('cache-control') && { 'cache-control': 'no-cache', pragma: 'no-cache' }),
    })
  })

  test.each<[JsonObject, string, string]>([
    [{ json: { a: [1, null] } }, '{"a":[1,null]}', 'application/json'],
    [{ json: null }, 'null', 'application/json'],
    [{ json: '\ud800' }, '"\\ud800"', 'application/json'],
    [
      { form: { a: 'b c', n: 1, t: true, 'ä&': '=' } },
      'a=b+c&n=1&t=true&%C3%A4%26=%3D',
      'application/x-www-form-urlencoded',
    ],
    [{ body: 'text é' }, 'text é', 'text/plain;charset=UTF-8'],
    [{ body: '\ud800' }, '\ufffd', 'text/plain;charset=UTF-8'],
  ])('with %j is a POST of that body', async (config, body, type) => {
    const { requests } = fakeUpstream(() => new Response())
    expect(await call(config)).toMatchObject({ kind: 'succeeded' })
    expect(requests).toMatchObject([{ method: 'POST', body }])
    expect(requests[0]!.headers.get('content-type')).toBe(type)
  })

  test('takes the method, and headers in place of its own in whatever case', async () => {
    const { requests } = fakeUpstream(() => new Response())
    const headers = {
      'IDEMPOTENCY-key': 'mine',
      'user-AGENT': 'me',
      'Content-Type': 'application/vnd.x+json',
      'X-N': 3,
    }
    await call({ method: 'PATCH', json: 1, headers })
    expect(requests[0]!.method).toBe('PATCH')
    expect(Object.fromEntries(requests[0]!.headers)).toMatchObject({
      'idempotency-key': 'mine',
      'user-agent': 'me',
      'content-type': 'application/vnd.x+json',
      'x-n': '3',
    })
  })

  test('appends to the query, and leaves the one that is there as it was written', async () => {
    const { requests } = fakeUpstream(() => new Response())
    const query = { tag: ['a b', 2], flag: false, none: [], 'ü&': '=' }
    await call({ url: `${url}?sig=a%20b+c%2F#part`, query })
    await call({ query: { a: 1 } })
    await call({ url: `${url}?`, query: {} })
    const [first, second, third] = requests.map((request) => new URL(request.url).search)
    expect([first, second, third]).toEqual(['?sig=a%20b+c%2F&tag=a+b&tag=2&flag=false&%C3%BC%26=%3D', '?a=1', ''])
  })

  test.each([
    'http://127.0.0.1/',
    'http://localhost:8080/',
    'http://2852039166/latest/meta-data',
    'http://[::ffff:7f00:1]/',
  ])('to %s does not go out', async (target) => {
    const { requests } = fakeUpstream(() => new Response())
    expect(await call({ url: target })).toMatchObject(failure('egress_denied', false))
    expect(requests).toEqual([])
  })
})

describe('http: the answer', () => {
  test('has its status, and its headers in lower case, cookies as a list', async () => {
    const headers = new Headers({ 'X-One': 'a', 'Content-Type': 'text/plain' })
    headers.append('X-Two', 'b')
    headers.append('X-Two', 'c')
    headers.append('Set-Cookie', 'a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT')
    expect(await answering('hi', { status: 201, headers })).toEqual({
      kind: 'succeeded',
      output: {
        status: 201,
        headers: {
          'x-one': 'a',
          'content-type': 'text/plain',
          'x-two': 'b, c',
          'set-cookie': ['a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT'],
        },
        body: 'hi',
      },
    })
  })

  test.each<[string, string | Uint8Array, unknown]>([
    ['application/json', '{"a":1}', { a: 1 }],
    ['Application/JSON; charset=utf-8', '[1]', [1]],
    ['application/problem+json', 'null', null],
    ['text/json', '1', 1],
    ['application/json', '\ufeff{"bom":true}', { bom: true }],
    ['text/plain', '{"a":1}', '{"a":1}'],
    ['text/html; charset="ISO-8859-1"', new Uint8Array([0xe9]), 'é'],
    ['text/plain; charset=utf-16le', new Uint8Array([0x61, 0, 0x62, 0]), 'ab'],
    ['application/xml', '<a/>', '<a/>'],
    ['image/svg+xml', '<svg/>', '<svg/>'],
    ['application/javascript', 'x()', 'x()'],
    ['application/x-www-form-urlencoded', 'a=b', 'a=b'],
    ['application/octet-stream', new Uint8Array([0, 255]), 'AP8='],
    ['application/jsonp', 'x', 'eA=='],
    ['', 'x', 'eA=='],
    ['application/json', '', null],
    ['text/plain', '', null],
    ['image/png', '', null],
  ])('of type %j with %j is %j', async (type, body, expected) => {
    expect(await answering(streamed(body), typed(type))).toMatchObject(success(expected))
  })

  test('is parsed as `parse` says, whatever its type', async () => {
    expect(await answering('{"a":1}', typed('text/plain'), { parse: 'json' })).toMatchObject(success({ a: 1 }))
    expect(await answering('{"a":1}', typed('application/json'), { parse: 'text' })).toMatchObject(success('{"a":1}'))
    expect(await answering('é', typed('text/plain'), { parse: 'base64' })).toMatchObject(success('w6k='))
    expect(await answering('', {}, { parse: 'text' })).toMatchObject(success(''))
    expect(await answering('', {}, { parse: 'base64' })).toMatchObject(success(''))
    const bytes = new Uint8Array(700_000).fill(7)
    const large = await answering(bytes, {}, { parse: 'base64' })
    expect(large).toMatchObject(success(btoa(String.fromCharCode(7).repeat(700_000))))
  })

  test('that can have no body is null, whatever `parse` says', async () => {
    for (const parse of ['auto', 'json', 'text', 'base64']) {
      expect(await answering(null, { status: 204 }, { parse })).toMatchObject(success(null))
      expect(await answering(null, { status: 304 }, { parse, expect_status: 304 })).toMatchObject(success(null))
      const head = { 'content-type': 'application/json', 'content-length': '9000000' }
      expect(await answering(null, { headers: head }, { parse, method: 'HEAD' })).toMatchObject(success(null))
    }
  })

  test.each<[string, BodyInit, string]>([
    ['application/json', '{"a":', 'auto'],
    ['application/json', 'password=hunter2', 'auto'],
    ['application/json', new Uint8Array([0x22, 0xff, 0x22]), 'auto'],
    ['application/json', new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]), 'auto'],
    ['text/plain', new Uint8Array([0xc3, 0x28]), 'auto'],
    ['text/plain; charset=klingon', 'x', 'auto'],
    ['text/plain', 'x', 'json'],
    ['', '', 'json'],
    ['', new Uint8Array([0xff]), 'text'],
  ])('of type %j with %j and parse %j is invalid_response, and is not quoted', async (type, body, parse) => {
    const result = await answering(body, typed(type), { parse })
    expect(result).toMatchObject(failure('invalid_response', false))
    expect(JSON.stringify(result)).not.toContain('hunter2')
  })
})

describe('http: which statuses are a success', () => {
  test.each<[number, JsonObject, boolean]>([
    [200, {}, true],
    [299, {}, true],
    [400, {}, false],
    [404, { expect_status: 404 }, true],
    [200, { expect_status: 404 }, false],
    [404, { expect_status: ['200-299', 404] }, true],
    [405, { expect_status: ['200-299', 404] }, false],
    [500, { expect_status: '500-599' }, true],
    [499, { expect_status: '500-599' }, false],
  ])('%i with %j: %j', async (status, config, isSuccess) => {
    const result = await answering('x', { status }, config)
    expect(result).toMatchObject(
      isSuccess ? { kind: 'succeeded', output: { status } } : { error: { code: `http_${status}` } },
    )
  })

  test.each([400, 401, 403, 404, 405, 409, 410, 422, 501, 505, 511])(
    '%i is not worth another attempt',
    async (status) => {
      expect(await answering('x', { status })).toMatchObject(failure(`http_${status}`, false))
    },
  )

  test.each([408, 425, 429, 500, 502, 503, 504])('%i is', async (status) => {
    expect(await answering('x', { status })).toMatchObject(failure(`http_${status}`, true))
  })

  test('the message holds method, host, path and status, and 200 characters of a text', async () => {
    const message = async (body: BodyInit, type: string) => {
      const result = await answering(body, { status: 500, ...typed(type) }, { url: `${url}?secret=1`, method: 'PUT' })
      return result.kind === 'failed' ? result.error.message : ''
    }
    expect(await message('too\r\n\u001b[31m bad\u202e ', 'text/plain')).toBe(
      'PUT upstream.test/orders answered 500: too [31m bad',
    )
    expect(await message('😀'.repeat(300), 'text/plain')).toBe(
      `PUT upstream.test/orders answered 500: ${'😀'.repeat(200)}`,
    )
    expect(await message('{"e":1}', 'application/json')).toBe('PUT upstream.test/orders answered 500: {"e":1}')
    expect(await message('', 'text/plain')).toBe('PUT upstream.test/orders answered 500')
    expect(await message(new Uint8Array([1, 2, 3]), 'image/png')).toBe('PUT upstream.test/orders answered 500')
  })

  test('a refusal whose body never ends is still that refusal', async () => {
    const endless = endlessBody('no. ')
    expect(await answering(endless.body, { status: 403 })).toMatchObject(failure('http_403', false))
    await vi.waitFor(() => expect(endless.isCancelled()).toBe(true))
  })
})

describe('http: how much is read', () => {
  test('a body of max_bytes is taken, one byte more is too large, with or without a content-length', async () => {
    for (const max of [10, '1KiB']) {
      const size = max === 10 ? 10 : 1_024
      for (const body of ['x'.repeat(size), streamed('x'.repeat(size))]) {
        expect(await answering(body, typed('text/plain'), { max_bytes: max })).toMatchObject(success('x'.repeat(size)))
      }
      for (const body of ['x'.repeat(size + 1), streamed('x'.repeat(size + 1))]) {
        const result = await answering(body, typed('text/plain'), { max_bytes: max })
        expect(result).toMatchObject(failure('response_too_large', false))
      }
    }
  })

  test('a body that never ends is cancelled once it is too large', async () => {
    const endless = endlessBody('x'.repeat(1_000))
    expect(await answering(endless.body)).toMatchObject(failure('response_too_large', false))
    await vi.waitFor(() => expect(endless.isCancelled()).toBe(true))
  })

  test('a body that stalls is left when the time is up', async () => {
    const stalled = stalledBody('half of it')
    fakeUpstream(() => new Response(stalled.body))
    expect(await call({}, 50)).toMatchObject({ kind: 'timed_out', error: { code: 'timeout' } })
    await vi.waitFor(() => expect(stalled.isCancelled()).toBe(true))
  })

  test('a body that breaks off is a failure of the network', async () => {
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('half')),
      pull: (controller) => controller.error(new Error('reset by https://upstream.test/?secret')),
    })
    const result = await answering(body)
    expect(result).toMatchObject(failure('http_network', true))
    expect(JSON.stringify(result)).not.toContain('secret')
  })

  test('one with a body that is broken off in a refusal is that refusal', async () => {
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error('reset')) })
    expect(await answering(body, { status: 502 })).toMatchObject(failure('http_502', true))
  })
})

describe('http: redirects', () => {
  test('are followed, relative ones too, five at most', async () => {
    const five = redirecting(302, '/a', 'b?c=d', '//upstream.test/c', 'https://other.test/d#e', '?f')
    expect(await call()).toMatchObject(success('end'))
    expect(five.requests.map((request) => request.url)).toEqual([
      url,
      'https://upstream.test/a',
      'https://upstream.test/b?c=d',
      'https://upstream.test/c',
      'https://other.test/d',
      'https://other.test/d?f',
    ])
    const six = redirecting(302, '/1', '/2', '/3', '/4', '/5', '/6')
    expect(await call()).toMatchObject(failure('http_302', false))
    expect(six.requests).toHaveLength(6)
  })

  test('that go in a circle end', async () => {
    const { requests } = redirecting(307, ...Array<string>(100).fill(url))
    expect(await call({ json: 1 })).toMatchObject(failure('http_307', false))
    expect(requests).toHaveLength(6)
  })

  test('are followed as often as the task says', async () => {
    redirecting(302, '/a', '/b')
    expect(await call({ follow_redirects: 2 })).toMatchObject({ kind: 'succeeded' })
    redirecting(302, '/a', '/b')
    expect(await call({ follow_redirects: 1 })).toMatchObject(failure('http_302', false))
    for (const follow_redirects of [false, 0]) {
      const { requests } = redirecting(302, '/a')
      expect(await call({ follow_redirects, expect_status: 302 })).toMatchObject({
        kind: 'succeeded',
        output: { status: 302, headers: { location: '/a' } },
      })
      expect(requests).toHaveLength(1)
    }
  })

  test.each<[number, string, string, string]>([
    [301, 'POST', 'GET', ''],
    [302, 'POST', 'GET', ''],
    [303, 'POST', 'GET', ''],
    [307, 'POST', 'POST', '{"a":1}'],
    [308, 'POST', 'POST', '{"a":1}'],
    [301, 'PUT', 'PUT', '{"a":1}'],
    [302, 'DELETE', 'DELETE', '{"a":1}'],
    [303, 'PUT', 'GET', ''],
  ])('by %i turn a %s into a %s with the body %j', async (status, method, nextMethod, body) => {
    const { requests } = redirecting(status, '/next')
    await call({ method, json: { a: 1 }, headers: { 'content-language': 'de', 'x-mine': 'kept' } })
    expect(requests[1]).toMatchObject({ method: nextMethod, body })
    const headers = requests[1]!.headers
    expect(headers.get('content-type')).toBe(body === '' ? null : 'application/json')
    expect(headers.get('content-language')).toBe(body === '' ? null : 'de')
    expect(headers.get('x-mine')).toBe('kept')
    expect(headers.get('idempotency-key')).toBe('run_1/task')
  })

  test('leave a HEAD what it is', async () => {
    const { requests } = redirecting(303, '/next')
    await call({ method: 'HEAD' })
    expect(requests.map(({ method }) => method)).toEqual(['HEAD', 'HEAD'])
  })

  test.each([
    ['https://upstream.test/x', true],
    ['https://upstream.test:444/x', false],
    ['http://upstream.test/x', false],
    ['https://sub.upstream.test/x', false],
    ['https://other.test/x', false],
  ])('to %s keep credentials: %j', async (location, isKept) => {
    const { requests } = redirecting(307, location)
    await call({ headers: { Authorization: 'Bearer x', COOKIE: 'a=b' } })
    expect(requests[1]!.headers.has('authorization')).toBe(isKept)
    expect(requests[1]!.headers.has('cookie')).toBe(isKept)
  })

  test('credentials that were dropped do not come back on the way home', async () => {
    const { requests } = redirecting(302, 'https://other.test/', url)
    await call({ headers: { authorization: 'Bearer x' } })
    expect(requests.map(({ headers }) => headers.has('authorization'))).toEqual([true, false, false])
  })

  test.each([
    'http://127.0.0.1/admin',
    'http://0x7f.1/',
    'http://017700000001/',
    'http://%31%32%37.0.0.1/',
    'http://localhost./',
    'http://169.254.169.254/latest/meta-data/',
    'http://2852039166/',
    'http://0251.0376.0251.0376/',
    'http://[::ffff:a9fe:a9fe]/',
    'http://[fd00:ec2::254]/',
    'http://metadata.google.internal./',
    '//10.0.0.1/',
    'https://user:hunter2@other.test/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'data:text/plain,hunter2',
    'ftp://other.test/',
  ])('to %s are refused, on whichever hop', async (location) => {
    for (const way of [[location], ['/a', 'https://other.test/', location]]) {
      const { requests } = redirecting(302, ...way)
      const result = await call()
      expect(result).toMatchObject(failure('egress_denied', false))
      expect(requests).toHaveLength(way.length)
      expect(JSON.stringify(result)).not.toContain('user:hunter2')
    }
  })

  test('to what is no URL, or to nowhere, are answers like any other', async () => {
    for (const headers of [{ location: 'http://[::1' }, { location: 'http://[fe80::1%25eth0]/' }, {}]) {
      fakeUpstream(() => new Response('x', { status: 302, headers: headers as HeadersInit }))
      expect(await call()).toMatchObject(failure('http_302', false))
    }
    expect(await answering(null, { status: 304, headers: { location: '/a' } })).toMatchObject(
      failure('http_304', false),
    )
    expect(await answering('x', { status: 201, headers: { location: '/a' } })).toMatchObject({ kind: 'succeeded' })
  })

  test('whose body never ends are not waited for', async () => {
    const endless = endlessBody('moved ')
    fakeUpstream((_, number) =>
      number === 1 ? new Response(endless.body, { status: 302, headers: { location: '/a' } }) : new Response('end'),
    )
    expect(await call()).toMatchObject({ kind: 'succeeded' })
    await vi.waitFor(() => expect(endless.isCancelled()).toBe(true))
  })
})
