// What an `http` task does beside one call with a small answer: parts, hashes, pages, and calls that are made again.

import { afterEach, describe, expect, test, vi } from 'vitest'
import type { TaskCall, TaskResult } from '../../src/tasks/plugin.ts'
import type { Json, JsonObject } from '../../src/workflow/json.ts'
import { endlessBody, fakeUpstream, stalledBody } from '../support/fake-upstream.ts'
import { attempt } from '../support/plugin-contract.ts'

afterEach(() => vi.restoreAllMocks())

const url = 'https://upstream.test/orders'

function call(config: JsonObject, rest: Partial<TaskCall> = {}): Promise<TaskResult> {
  return attempt({ with: { url, ...config }, ...rest })
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('')
}

describe('http: parse "hash"', () => {
  test('gives the digest and the length of a body, however it comes', async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(60_000))
    const chunked = () =>
      new ReadableStream({
        start(controller) {
          for (let at = 0; at < bytes.length; at += 7_001) controller.enqueue(bytes.slice(at, at + 7_001))
          controller.close()
        },
      })
    const body = { sha256: await sha256(bytes), bytes: 60_000 }
    for (const answer of [() => new Response(bytes), () => new Response(chunked())]) {
      fakeUpstream(answer)
      expect(await call({ parse: 'hash' })).toMatchObject({ kind: 'succeeded', output: { status: 200, body } })
    }
    fakeUpstream(() => new Response(''))
    const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    expect(await call({ parse: 'hash' })).toMatchObject({ output: { body: { sha256: empty, bytes: 0 } } })
    fakeUpstream(() => new Response(null, { status: 204 }))
    expect(await call({ parse: 'hash' })).toMatchObject({ output: { body: null } })
  })

  test('takes more than fits into memory, and stops at max_bytes', async () => {
    const chunk = new Uint8Array(1024 * 1024)
    let left = 200
    const pull = (controller: ReadableStreamDefaultController) =>
      left-- > 0 ? controller.enqueue(chunk) : controller.close()
    fakeUpstream(() => new Response(new ReadableStream({ pull })))
    const taken = await call({ parse: 'hash' }, { timeoutMs: 30_000 })
    expect(taken).toMatchObject({ output: { body: { bytes: 200 * 1024 * 1024 } } })

    const { body, isCancelled } = endlessBody('x'.repeat(100_000))
    fakeUpstream(() => new Response(body))
    expect(await call({ parse: 'hash', max_bytes: '2MiB' })).toMatchObject({
      kind: 'failed',
      error: { code: 'response_too_large' },
      retryable: false,
    })
    await vi.waitFor(() => expect(isCancelled()).toBe(true))
  })

  test('does not begin with a body that says itself that it is too large', async () => {
    fakeUpstream(() => new Response('x'.repeat(11), { headers: { 'content-length': '11' } }))
    expect(await call({ parse: 'hash', max_bytes: 10 })).toMatchObject({ error: { code: 'response_too_large' } })
  })

  test('is let go when its time is over', async () => {
    const { body, isCancelled } = stalledBody('a little')
    fakeUpstream(() => new Response(body))
    expect(await call({ parse: 'hash' }, { timeoutMs: 30 })).toMatchObject({ kind: 'timed_out' })
    await vi.waitFor(() => expect(isCancelled()).toBe(true))
  })

  test('fails when the body breaks off', async () => {
    let pulls = 0
    const body = new ReadableStream({
      pull: (controller) =>
        pulls++ === 0 ? controller.enqueue(new Uint8Array(9)) : controller.error(new Error('gone')),
    })
    fakeUpstream(() => new Response(body))
    expect(await call({ parse: 'hash' })).toMatchObject({ error: { code: 'http_network' }, retryable: true })
  })
})

describe('http: multipart', () => {
  const parts: Json = [
    { name: 'title', text: 'Größe "1"' },
    { name: 'count', text: 3 },
    { name: 'a"b\r\nc', filename: 'r"1.csv', text: 'a;b\r\n1;2\r\n' },
    { name: 'raw', filename: 'raw.bin', base64: 'AP8NCg==' },
    { name: 'typed', content_type: 'application/json', text: '{}' },
  ]

  test('is a form that a server reads back as it was', async () => {
    let form: FormData | undefined
    const { requests } = fakeUpstream(async (request) => {
      form = await request.formData()
      return new Response()
    })
    expect(await call({ multipart: parts })).toMatchObject({ kind: 'succeeded' })
    expect(requests[0]).toMatchObject({ method: 'POST' })
    expect([...form!.keys()]).toEqual(['title', 'count', 'a%22b%0D%0Ac', 'raw', 'typed'])
    expect([form!.get('title'), form!.get('count'), form!.get('typed')]).toEqual(['Größe "1"', '3', '{}'])
    const raw = form!.get('raw') as unknown as File
    expect([raw.name, raw.type, [...new Uint8Array(await raw.arrayBuffer())]]).toEqual([
      'raw.bin',
      'application/octet-stream',
      [0, 255, 13, 10],
    ])
    const text = form!.get('a%22b%0D%0Ac') as unknown as File
    expect([text.name, await text.text()]).toEqual(['r%221.csv', 'a;b\r\n1;2\r\n'])
  })

  test('is the same, byte for byte, when the attempt is made again, and after a redirect that keeps it', async () => {
    const { requests } = fakeUpstream((_, number) =>
      number === 1 ? new Response(null, { status: 307, headers: { location: '/moved' } }) : new Response(),
    )
    await call({ multipart: parts })
    await call({ multipart: parts })
    const [first, ...others] = requests.map(({ headers, body }) => [headers.get('content-type'), body])
    expect(first![0]).toMatch(/^multipart\/form-data; boundary=form-[0-9a-f]{40}$/)
    expect(others).toEqual([first, first])
    await call({ multipart: [{ name: 'other', text: 'x' }] })
    expect(requests.at(-1)!.headers.get('content-type')).not.toBe(first![0])
  })
})

/** Answers by the `page` of the query; the last page names no next. */
function book(pageOf: (page: number) => Response) {
  return fakeUpstream(({ url: asked }) => pageOf(Number(new URL(asked).searchParams.get('page') ?? 1)))
}

describe('http: pages', () => {
  const next = 'response.body.next'
  const paged = (last: number) =>
    book((page) => Response.json({ items: [page], next: page < last ? `?page=${page + 1}` : null }))

  test('are gathered until none is next, each with a key of its own', async () => {
    const { requests } = paged(3)
    const result = await call({ paginate: { next }, query: { q: 'x' }, headers: { authorization: 'secret' } })
    expect(result).toMatchObject({
      kind: 'succeeded',
      output: {
        status: 200,
        body: [
          { items: [1], next: '?page=2' },
          { items: [2], next: '?page=3' },
          { items: [3], next: null },
        ],
        pages: 3,
        next: null,
      },
    })
    expect(
      requests.map(({ url: asked, headers }) => [asked, headers.get('idempotency-key'), headers.get('authorization')]),
    ).toEqual([
      [`${url}?q=x`, 'run_1/task/p1', 'secret'],
      [`${url}?page=2`, 'run_1/task/p2', 'secret'],
      [`${url}?page=3`, 'run_1/task/p3', 'secret'],
    ])
  })

  test('that are lists are joined into one', async () => {
    book((page) =>
      Response.json([page, page * 10], page < 3 ? { headers: { link: `<${url}?page=${page + 1}>; rel="next"` } } : {}),
    )
    const result = await call({ paginate: { next: 'response.links.?next.orValue(null)' } })
    expect(result).toMatchObject({ output: { body: [1, 10, 2, 20, 3, 30], pages: 3, next: null } })
  })

  test('end at the limit, and say where they would go on', async () => {
    const { requests } = paged(9)
    expect(await call({ paginate: { next, limit: 2 } })).toMatchObject({
      kind: 'succeeded',
      output: { pages: 2, next: `${url}?page=3` },
    })
    expect(requests).toHaveLength(2)
    // By themselves at 100.
    const endless = paged(1_000)
    expect(await call({ paginate: { next } })).toMatchObject({ output: { pages: 100, next: `${url}?page=101` } })
    expect(endless.requests).toHaveLength(100)
  })

  test('may be named by the number of the page, the input or another output', async () => {
    const { requests } = paged(9)
    const expression =
      'response.body.items[0] < input.last + tasks["a-b"].output ? "?page=" + string(response.body.items[0] + 1) : null'
    const scope = {
      input: { last: 1 },
      tasks: { 'a-b': { status: 'succeeded', output: 2 } },
      run: { id: 'r', workflow: 'w', version: 1, attempt: 1 },
    }
    expect(await call({ paginate: { next: expression } }, { scope })).toMatchObject({ output: { pages: 3 } })
    expect(requests).toHaveLength(3)
  })

  test('end where `next` is an empty text, as many servers write that there is none', async () => {
    book(() => Response.json({ next: '' }))
    expect(await call({ paginate: { next } })).toMatchObject({ output: { pages: 1, next: null } })
  })

  test('have max_bytes together', async () => {
    const { requests } = book((page) => new Response('x'.repeat(400), { headers: { 'x-next': `?page=${page + 1}` } }))
    const config = { paginate: { next: 'response.headers["x-next"]' }, parse: 'text', max_bytes: 1_000 }
    expect(await call(config)).toMatchObject({
      kind: 'failed',
      error: {
        code: 'response_too_large',
        message: expect.stringMatching(/^Page 3: .* 1000 bytes together, max_bytes of all pages$/),
      },
    })
    expect(requests).toHaveLength(3)
  })

  test('of another origin get no credentials; back at the first they do', async () => {
    const { requests } = fakeUpstream((_, number) =>
      Response.json({ next: ['https://other.example.com/2', `${url}/3`, null][number - 1] }),
    )
    await call({ paginate: { next }, headers: { authorization: 'secret', cookie: 'c', 'x-mine': 'kept' } })
    expect(
      requests.map(({ headers }) => ['authorization', 'cookie', 'x-mine'].map((name) => headers.get(name))),
    ).toEqual([
      ['secret', 'c', 'kept'],
      [null, null, 'kept'],
      ['secret', 'c', 'kept'],
    ])
  })

  test.each([
    ['http://169.254.169.254/latest', 'egress_denied'],
    ['http://127.1/', 'egress_denied'],
    ['https://user:pass@example.com/', 'egress_denied'],
    ['file:///etc/passwd', 'egress_denied'],
    ['https://[', 'invalid_response'],
  ])('never lead to %s', async (target, code) => {
    const { requests } = fakeUpstream(() => Response.json({ next: target }))
    expect(await call({ paginate: { next } })).toMatchObject({ kind: 'failed', error: { code }, retryable: false })
    expect(requests).toHaveLength(1)
  })

  test('that lead in a circle fail', async () => {
    const { requests } = book((page) => Response.json({ next: `?page=${page === 2 ? 1 : 2}` }))
    expect(await call({ url: `${url}?page=1`, paginate: { next } })).toMatchObject({
      error: { code: 'invalid_response', message: expect.stringMatching(/^Page 2: /) },
    })
    expect(requests).toHaveLength(2)
  })

  test('fail as the call that fails does, with what it asks for', async () => {
    fakeUpstream((_, number) =>
      number === 1
        ? Response.json({ next: '/2' })
        : new Response('busy', { status: 429, headers: { 'retry-after': '7' } }),
    )
    expect(await call({ paginate: { next } })).toEqual({
      kind: 'failed',
      error: { code: 'http_429', message: 'Page 2: GET upstream.test/2 answered 429: busy' },
      retryable: true,
      retryAfterMs: 7_000,
    })
  })

  test.each([
    ['response.body.nothing.next', 'expression_error'],
    ['response.body.n', 'invalid_response'],
    [
      '[0,0,0,0,0,0,0,0,0,0].all(a, [0,0,0,0,0,0,0,0,0,0].all(b, [0,0,0,0,0,0,0,0,0,0].all(c, [0,0,0,0,0,0,0,0,0,0].all(d, [0,0,0,0,0,0,0,0,0,0].all(e, [0,0,0].all(f, true)))))) ? null : ""',
      'expression_limit',
    ],
  ])('fail where %s names none', async (expression, code) => {
    fakeUpstream(() => Response.json({ n: 7 }))
    expect(await call({ paginate: { next: expression } })).toMatchObject({
      kind: 'failed',
      error: { code },
      retryable: false,
    })
  })

  test('keep a key that the task has set', async () => {
    const { requests } = paged(2)
    await call({ paginate: { next }, headers: { 'Idempotency-key': 'mine' } })
    expect(requests.map(({ headers }) => headers.get('idempotency-key'))).toEqual(['mine', 'mine'])
  })
})

describe('http: poll', () => {
  const poll = { until: 'response.body.state == "done"', every: '10s', at_most: 3 }
  const answering = (state: string, headers: Record<string, string> = {}) =>
    fakeUpstream(() => Response.json({ state }, { headers }))

  test('ends with the answer that is waited for', async () => {
    const { requests } = answering('done')
    expect(await call({ poll }, { nth: 2 })).toMatchObject({ kind: 'succeeded', output: { body: { state: 'done' } } })
    expect(requests[0]!.headers.get('idempotency-key')).toBe('run_1/task/p2')
  })

  test('asks to be made again, later if the server says so', async () => {
    answering('busy')
    expect(await call({ poll })).toEqual({ kind: 'snoozed', afterMs: 10_000 })
    answering('busy', { 'retry-after': '60' })
    expect(await call({ poll })).toEqual({ kind: 'snoozed', afterMs: 60_000 })
    answering('busy', { 'retry-after': '1' })
    expect(await call({ poll })).toEqual({ kind: 'snoozed', afterMs: 10_000 })
  })

  test('gives up after so many calls, or so long', async () => {
    answering('busy')
    const exhausted = { kind: 'failed', error: { code: 'poll_exhausted' }, retryable: false }
    expect(await call({ poll }, { nth: 2 })).toMatchObject({ kind: 'snoozed' })
    expect(await call({ poll }, { nth: 3 })).toMatchObject(exhausted)
    const timed = { poll: { ...poll, at_most: '1m' } }
    expect(await call(timed, { nth: 5, elapsedMs: 50_000 })).toMatchObject({ kind: 'snoozed' })
    expect(await call(timed, { nth: 6, elapsedMs: 50_001 })).toMatchObject(exhausted)
  })

  test('judges the status too, where it is expected, and leaves what is not to the retry', async () => {
    const found = { ...poll, until: 'response.status == 200' }
    fakeUpstream(() => new Response('not yet', { status: 404 }))
    expect(await call({ poll: found, expect_status: [200, 404] })).toMatchObject({ kind: 'snoozed' })
    expect(await call({ poll: found })).toMatchObject({ kind: 'failed', error: { code: 'http_404' } })
  })

  test('sees the input and what the item is', async () => {
    answering('ready')
    const run = { id: 'r', workflow: 'w', version: 1, attempt: 1 }
    const scope = { input: { want: 'ready' }, item: { ok: true }, index: 4, tasks: {}, run }
    const until = 'response.body.state == input.want && item.ok && index == 4 && run.id == "r"'
    expect(await call({ poll: { ...poll, until } }, { scope })).toMatchObject({ kind: 'succeeded' })
  })

  test.each([
    ['response.body.none', 'expression_error'],
    ['response.body.state', 'expression_error'],
    ['response.body', 'expression_error'],
  ])('fails where %s is neither true nor false', async (until, code) => {
    answering('busy')
    expect(await call({ poll: { ...poll, until } })).toMatchObject({
      kind: 'failed',
      error: { code },
      retryable: false,
    })
  })

  test('of a hash waits for a body to change', async () => {
    fakeUpstream(() => new Response('same'))
    const sha = await sha256(Uint8Array.from('same', (character) => character.charCodeAt(0)))
    const config = { parse: 'hash', poll: { ...poll, until: `response.body.sha256 != "${sha}"` } }
    expect(await call(config)).toMatchObject({ kind: 'snoozed' })
  })
})
