// The `inference` task against upstreams that answer by script, and against a fake of the Workers AI binding.

import { afterEach, describe, expect, test, vi } from 'vitest'
import { inference } from '../../src/tasks/inference/inference.ts'
import { parseGoDuration, requestedWaitMs } from '../../src/tasks/inference/rate-limit-headers.ts'
import type { AiBinding, TaskResult } from '../../src/tasks/plugin.ts'
import { TASK_TYPES } from '../../src/tasks/schemas.ts'
import { type InferenceWith, inferenceHost, inferenceWith } from '../../src/tasks/with/inference-with.ts'
import { checkShape } from '../../src/workflow/faults.ts'
import type { Json, JsonObject } from '../../src/workflow/json.ts'
import { endlessBody, fakeUpstream, stalledBody, type Upstream } from '../support/fake-upstream.ts'
import { attempt } from '../support/plugin-contract.ts'

afterEach(() => vi.restoreAllMocks())

const base_url = 'https://models.test/v1'
const api_key = 'sk-very-secret'
const messages = [{ role: 'user', content: 'Hi' }]
const chat = { base_url, api_key, model: 'm', messages }
const schema = {
  type: 'object',
  properties: { mood: { enum: ['good', 'bad'] }, score: { type: 'integer' } },
  required: ['mood', 'score'],
  additionalProperties: false,
}

/** A completion as OpenAI's API has it. */
function completion(content: Json, more: JsonObject = {}): JsonObject {
  return {
    id: 'c1',
    model: 'm-2026',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop', ...more }],
    usage: { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 },
  }
}

function asked(upstream: Upstream, index = 0): JsonObject {
  return JSON.parse(upstream.requests[index]!.body) as JsonObject
}

/** The answers in turn, the last one again and again. Bodies of text are made when they are asked for: they belong to a call. */
const answering = (...answers: (JsonObject | (() => Response))[]) =>
  fakeUpstream((_, number) => {
    const answer = answers[Math.min(number, answers.length) - 1]!
    return typeof answer === 'function' ? answer() : Response.json(answer)
  })

const infer = (config: JsonObject, call: object = {}) => attempt({ type: 'inference', with: config, ...call })

describe('a conversation', () => {
  test('is sent as the API has it, and answered with text and tokens', async () => {
    const upstream = answering(completion('Hello! 你好'))
    const result = await infer({ ...chat, temperature: 0, max_tokens: 50 }, { idempotencyKey: 'run_1/ask' })
    const usage = { input_tokens: 9, output_tokens: 4 }
    expect(result).toEqual({
      kind: 'succeeded',
      output: { text: 'Hello! 你好', finish_reason: 'stop', model: 'm-2026', usage },
      usage,
    })
    const [request] = upstream.requests
    expect(request).toMatchObject({ method: 'POST', url: 'https://models.test/v1/chat/completions' })
    expect(asked(upstream)).toEqual({ model: 'm', messages, temperature: 0, max_tokens: 50 })
    expect(Object.fromEntries(request!.headers)).toMatchObject({
      authorization: `Bearer ${api_key}`,
      'content-type': 'application/json',
      'idempotency-key': 'run_1/ask',
    })
  })

  test('keeps the query of base_url and ends its path with one slash', async () => {
    const upstream = answering(completion('x'))
    await infer({ ...chat, base_url: 'https://models.test/openai//?api-version=1' })
    expect(upstream.requests[0]!.url).toBe('https://models.test/openai/chat/completions?api-version=1')
  })

  test('passes the trace on, and no key where there is none', async () => {
    const upstream = answering(completion('x'))
    const trace = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: 'a=b' }
    const { api_key: _, ...keyless } = chat
    await infer(keyless, { trace })
    const { headers } = upstream.requests[0]!
    expect([headers.get('traceparent'), headers.get('tracestate')]).toEqual([trace.traceparent, trace.tracestate])
    expect(headers.has('authorization')).toBe(false)
  })

  test('takes parts of a text, and a server that says neither its model nor its tokens', async () => {
    answering({
      choices: [
        { message: { content: [{ type: 'text', text: 'a' }, { type: 'image' }, { type: 'text', text: 'b' }] } },
      ],
    })
    expect(await infer(chat)).toEqual({
      kind: 'succeeded',
      output: { text: 'ab', finish_reason: null, model: 'm', usage: null },
    })
  })

  test.each<[string, JsonObject, string, string]>([
    [
      'a refusal',
      completion(null, { message: { refusal: 'I cannot help with that.' } }),
      'inference_refused',
      'I cannot help',
    ],
    ['a filtered answer', completion('He', { finish_reason: 'content_filter' }), 'inference_refused', 'content filter'],
    ['an answer cut off', completion('Once', { finish_reason: 'length' }), 'inference_truncated', 'after 4 tokens'],
    [
      'a call of a tool that was not offered',
      completion(null, { finish_reason: 'tool_calls' }),
      'invalid_response',
      'no answer',
    ],
    ['no choice', { choices: [] }, 'invalid_response', 'no answer'],
    ['something else', { hello: 'world' }, 'invalid_response', 'no answer'],
  ])('fails with %s', async (_, answer, code, message) => {
    answering(answer)
    const result = await infer(chat)
    expect(result).toMatchObject({ kind: 'failed', error: { code, message: expect.stringContaining(message) } })
    expect(result).toMatchObject({ retryable: false })
  })

  test('counts the tokens of an answer that is of no use', async () => {
    answering(completion('Once', { finish_reason: 'length' }))
    expect(await infer(chat)).toMatchObject({ kind: 'failed', usage: { input_tokens: 9, output_tokens: 4 } })
  })

  test.each(['[1, 2', '"text"', 'null', '\xff'])('fails with the body %j, which is no answer', async (body) => {
    answering(() => new Response(body, { headers: { 'content-type': 'application/json' } }))
    expect(await infer(chat)).toMatchObject({ kind: 'failed', error: { code: 'invalid_response' } })
  })

  test('fails with an answer that breaks off or is too large', async () => {
    const broken = new ReadableStream({
      pull: (controller) => controller.error(new Error(`reset of ${base_url}`)),
    })
    answering(() => new Response(broken))
    expect(await infer(chat)).toMatchObject({ error: { code: 'http_network' }, retryable: true })
    answering(() => new Response(endlessBody('x'.repeat(10_000)).body))
    expect(await infer(chat)).toMatchObject({ error: { code: 'response_too_large' } })
  })

  test('is not sent where tasks may not call', async () => {
    const upstream = answering(completion('x'))
    for (const refused of [
      'http://127.0.0.1:11434/v1',
      'http://169.254.169.254/v1',
      'http://[::1]/v1',
      'http://ollama.internal/v1',
    ]) {
      expect(await infer({ ...chat, base_url: refused })).toMatchObject({
        error: { code: 'egress_denied' },
        retryable: false,
      })
    }
    expect(upstream.requests).toEqual([])
  })
})

describe('what a server refuses', () => {
  const refusing = (status: number, body: BodyInit, headers: HeadersInit = {}) =>
    answering(() => new Response(body, { status, headers: { 'content-type': 'application/json', ...headers } }))

  test('is told in its own words, without the key', async () => {
    refusing(400, JSON.stringify({ error: { message: `max_tokens is too large for ${api_key}\nreally`, code: 'x' } }))
    const result = await infer(chat)
    expect(result).toMatchObject({
      error: { code: 'http_400', message: 'models.test/v1 answered 400: max_tokens is too large for *** really' },
      retryable: false,
    })
  })

  test('is not quoted where the key is wrong: servers repeat parts of it', async () => {
    refusing(401, JSON.stringify({ error: { message: 'Incorrect API key provided: sk-v***cret' } }))
    expect(await infer(chat)).toMatchObject({ error: { code: 'http_401', message: 'models.test/v1 answered 401' } })
  })

  test('may be no JSON, or nothing', async () => {
    refusing(502, '<h1>Bad gateway</h1>', { 'content-type': 'text/html' })
    expect(await infer(chat)).toMatchObject({
      error: { code: 'http_502', message: expect.stringContaining('Bad gateway') },
      retryable: true,
    })
    refusing(500, '')
    expect(await infer(chat)).toMatchObject({ error: { code: 'http_500', message: 'models.test/v1 answered 500' } })
  })

  test('is a refusal of the question where a content filter says so', async () => {
    refusing(400, JSON.stringify({ error: { code: 'content_filter', message: 'The prompt was filtered' } }))
    expect(await infer(chat)).toMatchObject({ error: { code: 'inference_refused' }, retryable: false })
  })

  test('may be a redirect, which is not followed', async () => {
    const upstream = refusing(307, '', { location: 'http://169.254.169.254/' })
    expect(await infer(chat)).toMatchObject({
      error: { code: 'http_307', message: expect.stringContaining('no redirect') },
    })
    expect(upstream.requests).toHaveLength(1)
  })

  test('says when it will take the next call', async () => {
    refusing(429, '{}', {
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': '1.5s',
      'x-ratelimit-reset-tokens': '6m0s',
    })
    expect(await infer(chat)).toMatchObject({ error: { code: 'http_429' }, retryable: true, retryAfterMs: 1_500 })
    refusing(503, '{}', { 'retry-after': '7' })
    expect(await infer(chat)).toMatchObject({ error: { code: 'http_503' }, retryAfterMs: 7_000 })
  })
})

describe('when a server will take the next call', () => {
  const told = (headers: Record<string, string>, status = 429) =>
    requestedWaitMs(status, new Headers(headers), 1_000_000)

  test.each<[Record<string, string>, number | null]>([
    [{}, null],
    [{ 'retry-after-ms': '250', 'retry-after': '9' }, 250],
    [{ 'retry-after-ms': '250.2' }, 251],
    [{ 'retry-after-ms': '-1', 'retry-after': '9' }, 9_000],
    [{ 'retry-after': '1.25' }, 1_250],
    [{ 'retry-after': 'soon' }, null],
    [{ 'x-ratelimit-reset-requests': '1s', 'x-ratelimit-reset-tokens': '6m0s' }, 360_000],
    [
      { 'x-ratelimit-reset-requests': '1s', 'x-ratelimit-reset-tokens': '6m0s', 'x-ratelimit-remaining-requests': '0' },
      1_000,
    ],
    [
      {
        'x-ratelimit-reset-requests': '1s',
        'x-ratelimit-reset-tokens': '6m0s',
        'x-ratelimit-remaining-tokens': '0',
        'x-ratelimit-remaining-requests': '0',
      },
      360_000,
    ],
    [{ 'x-ratelimit-reset-requests': 'tomorrow', 'x-ratelimit-reset-tokens': '120ms' }, 120],
    [{ 'retry-after': '2', 'x-ratelimit-reset-tokens': '6m0s' }, 2_000],
    [{ 'retry-after-ms': '999999999999999' }, 400 * 86_400_000],
  ])('%j is %j ms', (headers, expected) => {
    expect(told(headers)).toBe(expected)
  })

  test('resets of its limits count after a 429 alone', () => {
    expect(told({ 'x-ratelimit-reset-tokens': '6m0s' }, 503)).toBeNull()
    expect(told({ 'retry-after-ms': '5' }, 503)).toBe(5)
  })

  test.each<[string | null, number | null]>([
    ['1s', 1_000],
    ['6m0s', 360_000],
    ['1h2m3s', 3_723_000],
    ['7.66s', 7_660],
    ['0.4ms', 1],
    ['12', null],
    ['', null],
    ['1s-', null],
    ['1 s', null],
    [`${'1'.repeat(60)}s`, null],
    [null, null],
  ])('the span %j is %j ms', (text, expected) => {
    expect(parseGoDuration(text)).toBe(expected)
  })
})

describe('a completion', () => {
  test('goes on with a prompt', async () => {
    const upstream = answering({
      model: 'm',
      choices: [{ text: ' upon a time', finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 3 },
    })
    expect(await infer({ base_url, model: 'm', prompt: 'Once', max_tokens: 3 })).toMatchObject({
      kind: 'succeeded',
      output: { text: ' upon a time', finish_reason: 'stop', usage: { input_tokens: 1, output_tokens: 3 } },
    })
    expect(upstream.requests[0]!.url).toBe('https://models.test/v1/completions')
    expect(asked(upstream)).toEqual({ model: 'm', prompt: 'Once', max_tokens: 3 })
  })
})

describe('embeddings', () => {
  const config = { base_url, model: 'e', input: ['a', 'b'] }
  const vector = (index: number, embedding: Json) => ({ object: 'embedding', index, embedding })

  test('come in the order of their texts, whatever the order of the answer', async () => {
    const upstream = answering({
      model: 'e1',
      data: [vector(1, [3, 4]), vector(0, [1, -2.5])],
      usage: { prompt_tokens: 2, total_tokens: 2 },
    })
    const usage = { input_tokens: 2, output_tokens: 0 }
    expect(await infer(config)).toEqual({
      kind: 'succeeded',
      output: {
        text: null,
        embeddings: [
          [1, -2.5],
          [3, 4],
        ],
        finish_reason: null,
        model: 'e1',
        usage,
      },
      usage,
    })
    expect(upstream.requests[0]!.url).toBe('https://models.test/v1/embeddings')
    expect(asked(upstream)).toEqual({ model: 'e', input: ['a', 'b'] })
  })

  test('take one text too', async () => {
    answering({ data: [vector(0, [1])] })
    expect(await infer({ ...config, input: 'a' })).toMatchObject({ output: { embeddings: [[1]], usage: null } })
  })

  test.each<[string, Json]>([
    ['too few', [vector(0, [1])]],
    ['one twice', [vector(0, [1]), vector(0, [2])]],
    ['one beyond', [vector(0, [1]), vector(2, [2])]],
    ['one that is empty', [vector(0, [1]), vector(1, [])]],
    ['one that is text', [vector(0, [1]), vector(1, 'AAAA')]],
    ['one with a hole', [vector(0, [1]), vector(1, [null])]],
  ])('fail with %s', async (_, data) => {
    answering({ data })
    expect(await infer(config)).toMatchObject({ kind: 'failed', error: { code: 'invalid_response' } })
  })
})

describe('an answer that has to have a form', () => {
  const config = { ...chat, response_schema: schema }

  test('is asked for as strict JSON, checked, and given as JSON', async () => {
    const upstream = answering(completion('{"mood":"good","score":7}'))
    expect(await infer(config)).toMatchObject({
      kind: 'succeeded',
      output: { text: '{"mood":"good","score":7}', json: { mood: 'good', score: 7 }, repairs: 0 },
    })
    expect(asked(upstream).response_format).toEqual({
      type: 'json_schema',
      json_schema: { name: 'answer', schema, strict: true },
    })
  })

  test.each<[string, JsonObject]>([
    ['open', { type: 'object', properties: {} }],
    ['with a member that may be absent', { ...schema, required: ['mood'] }],
    ['no object', { type: 'array', items: {} }],
    ['with an open object inside', { ...schema, properties: { mood: { type: 'object' }, score: {} } }],
  ])('is not called strict where the schema is %s, which servers would refuse', async (_, response_schema) => {
    const upstream = answering(completion('{}'))
    await infer({ ...chat, response_schema })
    expect(asked(upstream)).toMatchObject({ response_format: { json_schema: { strict: false } } })
  })

  test('may stand in a fence', async () => {
    const upstream = answering(completion('```json\n{"mood":"bad","score":1}\n```'))
    expect(await infer(config)).toMatchObject({ output: { json: { mood: 'bad', score: 1 }, repairs: 0 } })
    expect(upstream.requests).toHaveLength(1)
  })

  test('is sent back once with its faults, and both answers are paid for', async () => {
    const upstream = answering(completion('{"mood":"fair","score":"7"}'), completion('{"mood":"bad","score":7}'))
    const usage = { input_tokens: 18, output_tokens: 8 }
    const result = await infer(config, { idempotencyKey: 'run_1/ask' })
    expect(result).toMatchObject({
      kind: 'succeeded',
      output: { text: '{"mood":"bad","score":7}', json: { mood: 'bad', score: 7 }, repairs: 1, usage },
      usage,
    })
    const said = asked(upstream, 1).messages as JsonObject[]
    expect(said.slice(0, 2)).toEqual([...messages, { role: 'assistant', content: '{"mood":"fair","score":"7"}' }])
    expect(said[2]).toMatchObject({ role: 'user' })
    expect(said[2]!.content).toMatch(/- \/mood must be "good" or "bad"/)
    expect(said[2]!.content).toMatch(/- \/score must be/)
    expect(upstream.requests.map(({ headers }) => headers.get('idempotency-key'))).toEqual([
      'run_1/ask',
      'run_1/ask/repair',
    ])
  })

  test('fails after the second answer without it, which another attempt may mend', async () => {
    const upstream = answering(completion('no JSON at all'), completion('{"mood":"good"}'))
    const result = await infer(config)
    expect(result).toMatchObject({
      kind: 'failed',
      error: { code: 'inference_schema', message: expect.stringContaining('/score "score" is missing') },
      retryable: true,
      usage: { input_tokens: 18, output_tokens: 8 },
    })
    expect(upstream.requests).toHaveLength(2)
  })

  test.each<[string, string]>([
    ['nothing', ''],
    ['two values', '{} {}'],
    ['half of a character', '{"mood":"\\ud800","score":1}'],
    ['more levels than can be looked at', '['.repeat(5_000) + ']'.repeat(5_000)],
  ])('is not had by %s', async (_, text) => {
    answering(completion(text))
    expect(await infer(config)).toMatchObject({ error: { code: 'inference_schema' } })
  })

  test('that the server fails to mend fails as the server did', async () => {
    answering(completion('x'), () => new Response('{}', { status: 429, headers: { 'retry-after': '3' } }))
    expect(await infer(config)).toMatchObject({
      error: { code: 'http_429' },
      retryAfterMs: 3_000,
      usage: { input_tokens: 9, output_tokens: 4 },
    })
    answering(completion('x'), completion(null, { message: { refusal: 'No.' } }))
    expect(await infer(config)).toMatchObject({ error: { code: 'inference_refused' } })
  })

  test('is not looked at where the answer was cut off', async () => {
    const upstream = answering(completion('{"mood":', { finish_reason: 'length' }))
    expect(await infer(config)).toMatchObject({ error: { code: 'inference_truncated' } })
    expect(upstream.requests).toHaveLength(1)
  })
})

describe('an answer that is streamed', () => {
  const config = { ...chat, stream: true }
  const delta = (content: string, more: JsonObject = {}) => ({
    model: 'm-1',
    choices: [{ index: 0, delta: { content }, finish_reason: null, ...more }],
  })
  const last = { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }
  const counted = { choices: [], usage: { prompt_tokens: 5, completion_tokens: 2 } }
  const sse = (events: (JsonObject | string)[], end = '\n') =>
    events.map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}${end}${end}`).join('')

  /** A stream that comes in chunks of so many bytes, so that characters and line ends are cut apart. */
  const streaming = (text: string, chunk = 1_000_000) => {
    const bytes = new TextEncoder().encode(text)
    let at = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (at >= bytes.length) return controller.close()
        controller.enqueue(bytes.slice(at, at + chunk))
        at += chunk
      },
    })
    return answering(() => new Response(body, { headers: { 'content-type': 'text/event-stream; charset=utf-8' } }))
  }

  const whole = sse([
    { choices: [{ delta: { role: 'assistant' } }] },
    delta('Grüße '),
    delta('🌍!'),
    last,
    counted,
    '[DONE]',
  ])
  const usage = { input_tokens: 5, output_tokens: 2 }
  const succeeded = {
    kind: 'succeeded',
    output: { text: 'Grüße 🌍!', finish_reason: 'stop', model: 'm-1', usage },
    usage,
  }

  test('is the same as one that comes as a whole', async () => {
    const upstream = streaming(whole)
    expect(await infer(config)).toEqual(succeeded)
    expect(asked(upstream)).toEqual({ model: 'm', messages, stream: true, stream_options: { include_usage: true } })
    expect(upstream.requests[0]!.headers.get('accept')).toBe('text/event-stream')
  })

  test.each([1, 2, 3, 7])('may be cut after every %i bytes', async (chunk) => {
    streaming(whole, chunk)
    expect(await infer(config)).toEqual(succeeded)
  })

  test.each(['\r\n', '\r'])('may end its lines with %j, cut anywhere', async (end) => {
    for (const chunk of [1, 2, 5, 1_000]) {
      streaming(sse([delta('Grüße '), delta('🌍!'), last, counted, '[DONE]'], end), chunk)
      expect(await infer(config)).toEqual(succeeded)
    }
  })

  test('may hold comments, names, ids, data in several lines and a byte order mark', async () => {
    const [first, second] = JSON.stringify(delta('a')).split(',"choices"')
    streaming(
      `\ufeff: hello\n\nevent: message\nid: 1\nretry: 5\ndata: ${first}\ndata:,"choices"${second}\n\n${sse([last])}data:[DONE]`,
    )
    expect(await infer(config)).toMatchObject({ kind: 'succeeded', output: { text: 'a' } })
  })

  test('has ended where its server says why, with or without [DONE]', async () => {
    streaming(sse([delta('a'), last]))
    expect(await infer(config)).toMatchObject({ kind: 'succeeded', output: { text: 'a', usage: null } })
    streaming(sse([delta('a'), '[DONE]']))
    expect(await infer(config)).toMatchObject({ kind: 'succeeded', output: { text: 'a', finish_reason: null } })
  })

  test('fails without any text as one that comes as a whole does, and may be an empty text', async () => {
    const silent = { choices: [{ index: 0, delta: { role: 'assistant', content: null }, finish_reason: null }] }
    streaming(sse([silent, last, counted, '[DONE]']))
    const streamed = await infer(config)
    answering({ choices: [{ message: { role: 'assistant', content: null }, finish_reason: 'stop' }] })
    const unstreamed = await infer(chat)
    expect([streamed.kind, unstreamed.kind]).toEqual(['failed', 'failed'])
    for (const one of [streamed, unstreamed]) expect(one).toMatchObject({ error: { code: 'invalid_response' } })
    streaming(sse([delta(''), last, '[DONE]']))
    expect(await infer(config)).toMatchObject({ kind: 'succeeded', output: { text: '' } })
  })

  test.each<[string, string]>([
    ['ends without an end', sse([delta('a')])],
    ['ends within an event', sse([delta('a')]).slice(0, -9)],
    ['is empty', ''],
  ])('fails where it %s', async (_, text) => {
    streaming(text)
    const result = await infer(config)
    expect(result.kind).toBe('failed')
    expect(['http_network', 'invalid_response']).toContain(result.kind === 'failed' ? result.error.code : '')
  })

  test('fails where the connection breaks', async () => {
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode(sse([delta('a')]))),
      pull: (controller) => controller.error(new Error(`lost ${base_url}?key=${api_key}`)),
    })
    answering(() => new Response(body, { headers: { 'content-type': 'text/event-stream' } }))
    const result = await infer(config)
    expect(result).toMatchObject({ error: { code: 'http_network' }, retryable: true })
    expect(JSON.stringify(result)).not.toContain(api_key)
  })

  test('fails with the error that it brings', async () => {
    streaming(sse([delta('a'), { error: { message: `overloaded ${api_key}`, code: 503 } }]))
    expect(await infer(config)).toMatchObject({
      error: { code: 'http_503', message: expect.stringContaining('overloaded ***') },
    })
    streaming(sse([delta('a'), { error: { message: 'oh no', type: 'server_error' } }]))
    expect(await infer(config)).toMatchObject({ error: { code: 'http_network' }, retryable: true })
  })

  test('fails with an event that is no JSON', async () => {
    streaming(sse(['{"choices":']))
    expect(await infer(config)).toMatchObject({ error: { code: 'invalid_response' } })
  })

  test('is refused, cut off and filtered like any other', async () => {
    streaming(
      sse([
        { choices: [{ delta: { refusal: 'I can' } }] },
        { choices: [{ delta: { refusal: 'not.' } }] },
        last,
        '[DONE]',
      ]),
    )
    expect(await infer(config)).toMatchObject({
      error: { code: 'inference_refused', message: expect.stringContaining('I cannot.') },
    })
    for (const [finish_reason, code] of [
      ['length', 'inference_truncated'],
      ['content_filter', 'inference_refused'],
    ]) {
      streaming(sse([delta('a'), { choices: [{ delta: {}, finish_reason: finish_reason! }] }, counted, '[DONE]']))
      expect(await infer(config)).toMatchObject({ error: { code }, usage })
    }
  })

  test('is bounded: its text, one event, and all that it brings', async () => {
    const endless = (text: string) => {
      const { body, isCancelled } = endlessBody(text)
      answering(() => new Response(body, { headers: { 'content-type': 'text/event-stream' } }))
      return isCancelled
    }
    for (const text of [
      sse([delta('x'.repeat(20_000))]),
      'x'.repeat(100_000),
      `data: ${'x'.repeat(50_000)}\n`,
      `: ${'x'.repeat(500_000)}\n\n`,
    ]) {
      const isCancelled = endless(text)
      expect(await infer(config)).toMatchObject({ error: { code: 'response_too_large' } })
      expect(isCancelled()).toBe(true)
    }
  })

  test('lets go of its server when its time is over', async () => {
    const { body, isCancelled } = stalledBody(sse([delta('a')]))
    answering(() => new Response(body, { headers: { 'content-type': 'text/event-stream' } }))
    expect(await infer(config, { timeoutMs: 30 })).toMatchObject({ kind: 'timed_out' })
    await vi.waitFor(() => expect(isCancelled()).toBe(true))
  })

  test('may come as a whole from a server that cannot stream', async () => {
    answering(completion('whole'))
    expect(await infer(config)).toMatchObject({ kind: 'succeeded', output: { text: 'whole' } })
  })

  test('of a prompt has its text elsewhere', async () => {
    streaming(sse([{ choices: [{ text: 'a' }] }, { choices: [{ text: 'b', finish_reason: 'stop' }] }, '[DONE]']))
    expect(await infer({ base_url, model: 'm', prompt: 'p', stream: true })).toMatchObject({ output: { text: 'ab' } })
  })

  test('can have a form, and be mended', async () => {
    let number = 0
    fakeUpstream(() => {
      const text = number++ === 0 ? 'x' : '{"mood":"good","score":1}'
      return new Response(sse([delta(text), last, counted, '[DONE]']), {
        headers: { 'content-type': 'text/event-stream' },
      })
    })
    expect(await infer({ ...config, response_schema: schema })).toMatchObject({
      output: { json: { mood: 'good', score: 1 }, repairs: 1, usage: { input_tokens: 10, output_tokens: 4 } },
    })
  })
})

describe('the binding', () => {
  /** A fake of Workers AI: it answers as that is documented to, and keeps what it was asked. */
  class FakeAi implements AiBinding {
    readonly asked: { model: string; inputs: JsonObject; headers: object }[] = []
    readonly #answers: (() => Response)[]

    constructor(...answers: (() => Response)[]) {
      this.#answers = answers
    }

    async run(model: string, inputs: JsonObject, { extraHeaders }: Parameters<AiBinding['run']>[2]): Promise<Response> {
      this.asked.push({ model, inputs, headers: extraHeaders })
      return this.#answers[Math.min(this.asked.length, this.#answers.length) - 1]!()
    }
  }

  const model = '@cf/meta/llama-3.1-8b-instruct'

  async function inferBy(ai: AiBinding | undefined, config: JsonObject): Promise<TaskResult> {
    const checked = checkShape(inferenceWith.rendered, { binding: 'AI', model, ...config })
    if (!checked.ok) throw new Error(JSON.stringify(checked.faults))
    return inference.execute(
      {
        config: checked.value as InferenceWith,
        scope: {},
        idempotencyKey: 'run_1/ask',
        timeoutMs: 1_000,
        signal: new AbortController().signal,
      },
      { egressAllow: '', ...(ai === undefined ? {} : { ai }) },
    )
  }

  test('is asked as its models want it', async () => {
    const ai = new FakeAi(() =>
      Response.json({ response: 'Hello', usage: { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 } }),
    )
    expect(await inferBy(ai, { messages, max_tokens: 9 })).toMatchObject({
      kind: 'succeeded',
      output: { text: 'Hello', finish_reason: null, model, usage: { input_tokens: 3, output_tokens: 1 } },
    })
    expect(ai.asked).toEqual([
      { model, inputs: { messages, max_tokens: 9 }, headers: { 'idempotency-key': 'run_1/ask' } },
    ])
  })

  test('gives JSON itself where a schema is asked for', async () => {
    const ai = new FakeAi(() => Response.json({ response: { mood: 'good', score: 2 } }))
    expect(await inferBy(ai, { messages, response_schema: schema })).toMatchObject({
      output: { json: { mood: 'good', score: 2 } },
    })
    expect(ai.asked[0]!.inputs.response_format).toEqual({ type: 'json_schema', json_schema: schema })
  })

  test('streams, digits as numbers', async () => {
    const events = [
      '{"response":"4"}',
      '{"response":2}',
      '{"response":"","usage":{"prompt_tokens":1,"completion_tokens":2}}',
      '[DONE]',
    ]
    const ai = new FakeAi(
      () =>
        new Response(events.map((data) => `data: ${data}\n\n`).join(''), {
          headers: { 'content-type': 'text/event-stream' },
        }),
    )
    expect(await inferBy(ai, { prompt: '6 * 7', stream: true })).toMatchObject({
      output: { text: '42', usage: { output_tokens: 2 } },
    })
    expect(ai.asked[0]!.inputs).toEqual({ prompt: '6 * 7', stream: true })
  })

  test('embeds', async () => {
    const ai = new FakeAi(() =>
      Response.json({
        shape: [2, 2],
        data: [
          [1, 2],
          [3, 4],
        ],
      }),
    )
    expect(await inferBy(ai, { input: ['a', 'b'] })).toMatchObject({
      output: {
        embeddings: [
          [1, 2],
          [3, 4],
        ],
      },
    })
    expect(ai.asked[0]!.inputs).toEqual({ text: ['a', 'b'] })
  })

  test('fails with the status that it answers, in its words', async () => {
    const ai = new FakeAi(() =>
      Response.json({ internalCode: 3040, description: 'Capacity temporarily exceeded' }, { status: 429 }),
    )
    expect(await inferBy(ai, { messages })).toMatchObject({
      error: { code: 'http_429', message: `Workers AI (${model}) answered 429: Capacity temporarily exceeded` },
      retryable: true,
    })
  })

  test('that throws is one that was not reached', async () => {
    const ai = new FakeAi(() => {
      throw new Error('network')
    })
    expect(await inferBy(ai, { messages })).toMatchObject({ error: { code: 'http_network' }, retryable: true })
  })

  test('is missing where the deployment has none', async () => {
    expect(await inferBy(undefined, { messages })).toMatchObject({
      error: { code: 'binding_missing' },
      retryable: false,
    })
    expect(await infer({ binding: 'AI', model, messages })).toMatchObject({ error: { code: 'binding_missing' } })
  })
})

describe('`with` of inference', () => {
  const { rendered, inDefinition } = TASK_TYPES.inference.with
  const expression = `\${{ input.x }}`
  const faults = (value: unknown, schema = rendered as typeof rendered | typeof inDefinition) => {
    const checked = checkShape(schema, value)
    return checked.ok ? [] : checked.faults.map(({ path, code }) => `${path} ${code}`)
  }

  test.each<object>([
    chat,
    {
      ...chat,
      messages: [
        { role: 'system', content: 'x' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'x' },
            { type: 'image_url', image_url: { url: 'data:,', detail: 'low' } },
          ],
        },
      ],
    },
    { base_url, model: 'm', prompt: 'p', stream: true, temperature: 2, max_tokens: 1 },
    { base_url, model: 'm', input: 'x', stream: false },
    { binding: 'AI', model: 'm', input: ['x'] },
    { ...chat, response_schema: true },
  ])('takes %j, in a definition too', (value) => {
    expect(faults(value)).toEqual([])
    expect(faults(value, inDefinition)).toEqual([])
  })

  test.each<[object, ...string[]]>([
    [{}, '/model required', '/base_url required', '/messages required'],
    [{ ...chat, prompt: 'p', input: 'x' }, '/prompt conflicting_fields', '/input conflicting_fields'],
    [{ ...chat, binding: 'AI' }, '/base_url conflicting_fields', '/api_key conflicting_fields'],
    [{ ...chat, base_url: 'ftp://x.test/' }, '/base_url invalid_format'],
    [{ ...chat, base_url: 'https://u:p@x.test/' }, '/base_url invalid_value'],
    [{ ...chat, api_key: 'a\nb' }, '/api_key invalid_format'],
    [
      { ...chat, binding: 'ML' },
      '/binding invalid_value',
      '/base_url conflicting_fields',
      '/api_key conflicting_fields',
    ],
    [{ ...chat, messages: [] }, '/messages out_of_bounds'],
    [{ ...chat, messages: [{ role: 'tool', content: 'x' }] }, '/messages/0/role invalid_value'],
    [
      { ...chat, messages: [{ role: 'user', content: [{ type: 'audio' }] }] },
      '/messages/0/content/0/type invalid_value',
      '/messages/0/content/0/text required',
    ],
    [{ ...chat, temperature: 3, max_tokens: 0 }, '/temperature out_of_bounds', '/max_tokens out_of_bounds'],
    [{ ...chat, tools: [] }, '/tools unknown_field'],
    [
      { base_url, model: 'm', input: 'x', stream: true, temperature: 1 },
      '/temperature conflicting_fields',
      '/stream conflicting_fields',
    ],
    [{ base_url, model: 'm', prompt: 'x', response_schema: {} }, '/response_schema conflicting_fields'],
    [{ ...chat, response_schema: { type: 'objekt' } }, '/response_schema/type invalid_value'],
    [{ ...chat, response_schema: { properties: { 'a/b': 7 } } }, '/response_schema/properties/a~1b invalid_type'],
    [{ ...chat, response_schema: 'x' }, '/response_schema invalid_type'],
  ])('refuses %j', (value, ...expected) => {
    expect(faults(value)).toEqual(expected)
    expect(faults(value, inDefinition)).toEqual(expected)
  })

  test('takes expressions anywhere in a definition, and looks at a schema that holds some when they are filled in', () => {
    for (const value of [
      {
        ...chat,
        base_url: expression,
        api_key: expression,
        messages: expression,
        stream: expression,
        temperature: expression,
      },
      { ...chat, response_schema: expression },
      { ...chat, response_schema: { enum: expression, type: 'objekt' } },
    ]) {
      expect(faults(value, inDefinition)).toEqual([])
    }
    expect(faults({ ...chat, response_schema: { enum: expression } })).toEqual(['/response_schema/enum invalid_type'])
  })

  test('says whom it calls', () => {
    expect(inferenceHost({ base_url: 'https://models.test:8443/v1' })).toBe('https://models.test:8443')
    expect(inferenceHost({ binding: 'AI' })).toBe('workers-ai')
    expect(inferenceHost({ base_url: 7 })).toBeNull()
    expect(inferenceHost({})).toBeNull()
  })
})
