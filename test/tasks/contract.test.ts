// Every task type that is built, against the one contract; and what the executor does whatever the type.

import { afterEach, describe, expect, test, vi } from 'vitest'
import { TASK_TYPES } from '../../src/tasks/schemas.ts'
import type { Json } from '../../src/workflow/json.ts'
import { EMPTY_REPLY, replyBytes, SAY } from '../support/echo-service.ts'
import { endlessBody, fakeUpstream, silence } from '../support/fake-upstream.ts'
import { attempt, describePlugin, type PluginCases, start } from '../support/plugin-contract.ts'

afterEach(() => vi.restoreAllMocks())

const url = 'https://upstream.test/orders'
const secret = 'hunter2'

const http: PluginCases = {
  success() {
    fakeUpstream(() => Response.json({ id: 7, tags: ['a', null, 1.5] }, { headers: { 'x-answer': 'yes' } }))
    const headers = { 'content-type': 'application/json', 'x-answer': 'yes' }
    return { with: { url }, output: { status: 200, headers, body: { id: 7, tags: ['a', null, 1.5] } } }
  },
  refusals() {
    const config = { url: `${url}?key=${secret}`, headers: { authorization: secret }, json: { password: secret } }
    const answering = (answer: () => Response) => () => void fakeUpstream(answer)
    const failing = answering(() => {
      throw new TypeError(`could not fetch ${url}?key=${secret}`)
    })
    return [
      {
        with: config,
        arrange: answering(() => new Response('busy', { status: 503 })),
        code: 'http_503',
        retryable: true,
      },
      {
        with: config,
        arrange: answering(() => new Response('no', { status: 404 })),
        code: 'http_404',
        retryable: false,
      },
      { with: config, arrange: failing, code: 'http_network', retryable: true },
    ]
  },
  flood() {
    fakeUpstream(() => new Response(endlessBody('x'.repeat(10_000)).body))
    return { with: { url } }
  },
  faulty: {
    with: { url: 'ftp://files.test/', max_bytes: 0, json: 1, form: {}, headers: { Host: 'x' }, retries: 3 },
    pointers: ['/url', '/max_bytes', '/form', '/headers/Host', '/retries'],
  },
  calls: {
    secret,
    silence() {
      let isReached = false
      let isLeft = false
      fakeUpstream((request) => {
        isReached = true
        return silence(request).finally(() => {
          isLeft = true
        })
      })
      return { with: { url }, isReached: () => isReached, isLeft: () => isLeft }
    },
    heard() {
      const upstream = fakeUpstream(() => new Response())
      return { with: { url }, headers: () => upstream.requests.map(({ headers }) => headers) }
    },
    saying: (headers) => ({ with: { url, headers } }),
    breakdown() {
      fakeUpstream(() => ({}) as Response)
      return { with: { url } }
    },
  },
}

const script = (ok: string, failing: string, endless: string, large: string): PluginCases => ({
  success: () => ({ with: { code: ok, input: [1, 'é'] }, output: [1, 'é'] }),
  refusals: () => [
    { with: { code: failing }, arrange: () => {}, code: 'script_error', retryable: false },
    { with: { code: endless, limits: { cpu: '10ms' } }, arrange: () => {}, code: 'script_limit', retryable: false },
  ],
  flood: () => ({ with: { code: large, limits: { cpu: '10s' } } }),
  calls: null,
  faulty: {
    with: { code: '', limits: { cpu: 'a', x: 1 }, url: 'u' },
    pointers: ['/code', '/limits/cpu', '/limits/x', '/url'],
  },
})

const javascript = script(
  'export default ({ input }) => input',
  'export default () => { throw new Error("no") }',
  'export default () => { for (;;); }',
  'export default () => "x".repeat(2_000_000)',
)

const python = script(
  'def main(input):\n  return input',
  'def main(input):\n  raise ValueError("no")',
  'def main(input):\n  while True: pass',
  'def main(input):\n  return "x" * 2000000',
)

const inference: PluginCases = (() => {
  const config = {
    base_url: 'https://models.test/v1',
    api_key: secret,
    model: 'm',
    messages: [{ role: 'user', content: `My password is ${secret}` }],
  }
  const choices = [{ message: { content: 'Hello' }, finish_reason: 'stop' }]
  const refusal = (answer: () => Response, code: string, retryable: boolean) => ({
    with: config,
    arrange: () => void fakeUpstream(answer),
    code,
    retryable,
  })
  return {
    success() {
      fakeUpstream(() => Response.json({ model: 'm1', choices }))
      return { with: config, output: { text: 'Hello', finish_reason: 'stop', model: 'm1', usage: null } }
    },
    refusals: () => [
      refusal(() => Response.json({ error: { message: `for ${secret}` } }, { status: 429 }), 'http_429', true),
      refusal(() => Response.json({ error: { message: `wrong key ${secret}` } }, { status: 401 }), 'http_401', false),
      refusal(() => Response.json({ choices: [{ finish_reason: 'length' }] }), 'inference_truncated', false),
      refusal(() => Response.json({ choices: [{ finish_reason: 'content_filter' }] }), 'inference_refused', false),
      refusal(() => Response.json({ answer: secret }), 'invalid_response', false),
      refusal(
        () => {
          throw new TypeError(`could not fetch with ${secret}`)
        },
        'http_network',
        true,
      ),
    ],
    flood() {
      fakeUpstream(() => new Response(endlessBody('x'.repeat(10_000)).body))
      return { with: config }
    },
    faulty: {
      with: { base_url: 'ftp://x.test/', model: '', prompt: 'p', input: 'i', temperature: 9, response_schema: 1 },
      pointers: ['/base_url', '/model', '/input', '/temperature', '/response_schema'],
    },
    calls: {
      secret,
      silence: () => ({ ...http.calls!.silence(), with: config }),
      heard() {
        const upstream = fakeUpstream(() => Response.json({ choices }))
        return { with: config, headers: () => upstream.requests.map(({ headers }) => headers) }
      },
      saying: null,
      breakdown() {
        fakeUpstream(() => ({ status: 200 }) as Response)
        return { with: config }
      },
    },
  }
})()

const server = 'https://upstream.test'

/** An answer of Connect. */
const reply = (json: Json, headers: Record<string, string> = {}) =>
  new Response(replyBytes(json), { headers: { 'content-type': 'application/proto', ...headers } })

const grpc: PluginCases = {
  success() {
    fakeUpstream(() => reply({ text: 'é', big: '9007199254740993' }, { 'x-answer': 'yes', 'trailer-x-late': 'a' }))
    const message = { ...EMPTY_REPLY, text: 'é', big: '9007199254740993' }
    const output = { message, headers: { 'x-answer': 'yes' }, trailers: { 'x-late': 'a' } }
    return { with: { url: server, ...SAY }, output }
  },
  refusals() {
    const config = { url: server, ...SAY, metadata: { authorization: secret }, message: { text: secret } }
    const answering = (answer: () => Response) => () => void fakeUpstream(answer)
    const failing = answering(() => {
      throw new TypeError(`could not send ${secret}`)
    })
    const refusing = (code: string, status: number) =>
      answering(() => Response.json({ code, message: 'no' }, { status }))
    return [
      { with: config, arrange: refusing('unavailable', 503), code: 'grpc_unavailable', retryable: true },
      { with: config, arrange: refusing('not_found', 404), code: 'grpc_not_found', retryable: false },
      { with: config, arrange: failing, code: 'grpc_unavailable', retryable: true },
      {
        with: { ...config, message: { text: [secret], [secret]: 1 } },
        arrange: failing,
        code: 'invalid_with',
        retryable: false,
      },
    ]
  },
  flood() {
    const headers = { 'content-type': 'application/proto' }
    fakeUpstream(() => new Response(endlessBody('x'.repeat(10_000)).body, { headers }))
    return { with: { url: server, ...SAY } }
  },
  faulty: {
    with: {
      url: 'ftp://files.test/',
      service: 'a b',
      method: '',
      descriptors: '!',
      metadata: { 'grpc-timeout': '1' },
      x: 1,
    },
    pointers: ['/url', '/service', '/method', '/descriptors', '/metadata/grpc-timeout', '/x'],
  },
  calls: {
    secret,
    silence() {
      let isReached = false
      let isLeft = false
      fakeUpstream((request) => {
        isReached = true
        return silence(request).finally(() => {
          isLeft = true
        })
      })
      return { with: { url: server, ...SAY }, isReached: () => isReached, isLeft: () => isLeft }
    },
    heard() {
      const upstream = fakeUpstream(() => reply({}))
      return { with: { url: server, ...SAY }, headers: () => upstream.requests.map(({ headers }) => headers) }
    },
    saying: (metadata) => ({ with: { url: server, ...SAY, metadata } }),
    breakdown() {
      fakeUpstream(() => ({}) as Response)
      return { with: { url: server, ...SAY } }
    },
  },
}

const CASES: { [type: string]: PluginCases } = { http, javascript, python, grpc, inference }

for (const [type, cases] of Object.entries(CASES)) describePlugin(type, cases)

describe('the executor', () => {
  test('holds every type that is built to the contract', () => {
    const built = Object.entries(TASK_TYPES).filter(([, entry]) => 'with' in entry && !('isBuiltIn' in entry))
    expect(Object.keys(CASES)).toEqual(built.map(([type]) => type))
  })

  test('answers for a type that it does not have', async () => {
    for (const type of ['publish', 'toString', '__proto__', '']) {
      expect(await attempt({ type, with: {} })).toMatchObject({ kind: 'failed', error: { code: 'executor_error' } })
    }
  })

  test('starts at once, whether or not the result is asked for', async () => {
    const upstream = fakeUpstream(() => new Response('ok'))
    using started = start({ with: { url } })
    await vi.waitFor(() => expect(upstream.requests).toHaveLength(1))
    expect(await started.result()).toMatchObject({ kind: 'succeeded' })
    expect(await started.result()).toMatchObject({ kind: 'succeeded' })
    expect(upstream.requests).toHaveLength(1)
  })

  test('keeps the result of an attempt that is aborted after its end', async () => {
    fakeUpstream(() => new Response('ok'))
    using started = start({ with: { url } })
    expect(await started.result()).toMatchObject({ kind: 'succeeded' })
    await started.abort()
    expect(await started.result()).toMatchObject({ kind: 'succeeded' })
  })

  test('can be aborted before its call has left, and twice', async () => {
    fakeUpstream(silence)
    using started = start({ with: { url } })
    const [result] = await Promise.all([started.result(), started.abort(), started.abort()])
    expect(result).toMatchObject({ kind: 'failed', retryable: false })
  })

  test('takes a time limit of a year, which timers cannot hold, and one that is over', async () => {
    fakeUpstream(() => new Response('ok'))
    expect(await attempt({ with: { url }, timeoutMs: 365 * 86_400_000 })).toMatchObject({ kind: 'succeeded' })
    fakeUpstream(silence)
    expect(await attempt({ with: { url }, timeoutMs: 0 })).toMatchObject({ kind: 'timed_out' })
    expect(await attempt({ with: { url }, timeoutMs: -5 })).toMatchObject({ kind: 'timed_out' })
  })

  test('takes 1 MiB of JSON text and not a byte more, counted as UTF-8', async () => {
    const overhead = JSON.stringify({ status: 200, headers: { 'content-type': 'text/plain' }, body: '' }).length
    const answer = async (body: string) => {
      fakeUpstream(() => new Response(body, { headers: { 'content-type': 'text/plain' } }))
      return attempt({ with: { url } })
    }
    const room = 1_048_576 - overhead
    expect(await answer('x'.repeat(room))).toMatchObject({ kind: 'succeeded' })
    expect(await answer('x'.repeat(room + 1))).toMatchObject({ kind: 'failed', error: { code: 'output_too_large' } })
    expect(await answer('é'.repeat(room / 2))).toMatchObject({ kind: 'succeeded' })
    expect(await answer('é'.repeat(room / 2 + 1))).toMatchObject({ error: { code: 'output_too_large' } })
    // 400,000 bytes on the wire, 800,000 characters of JSON text once quotes are escaped, and then too many.
    expect(await answer('"'.repeat(400_000))).toMatchObject({ kind: 'succeeded' })
    expect(await answer('"'.repeat(600_000))).toMatchObject({ error: { code: 'output_too_large' } })
  })

  test('refuses an output nested so deep that walking it would overflow the stack', async () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    const answer = async (body: string) => {
      fakeUpstream(() => new Response(body, { headers: { 'content-type': 'application/json' } }))
      return attempt({ with: { url } })
    }
    expect(await answer(nested(255))).toMatchObject({ kind: 'succeeded' })
    expect(await answer(nested(256))).toMatchObject({ error: { code: 'output_too_large' }, retryable: false })
    expect(await answer(nested(500_000))).toMatchObject({ error: { code: 'output_too_large' } })
  })

  test('carries members that look like prototypes, and lone surrogates, through unchanged', async () => {
    const text = '{"__proto__":{"polluted":true},"constructor":1,"lone":"\\ud800"}'
    fakeUpstream(() => new Response(text, { headers: { 'content-type': 'application/json' } }))
    const result = await attempt({ with: { url } })
    const body = result.kind === 'succeeded' ? (result.output as { body: Json }).body : null
    expect(JSON.stringify(body)).toBe(text)
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  test('lists at most twenty faults of a `with`', async () => {
    const headers = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`bad name ${i}`, 'x']))
    const result = await attempt({ with: { url, headers } })
    expect(result).toMatchObject({ error: { code: 'invalid_with', message: expect.stringMatching(/; and 480 more$/) } })
  })
})
