// The `grpc` task over fetch: what is sent, and what is made of every kind of answer, however broken.
// Real servers, and gRPC itself over sockets, are in test/system/grpc.test.ts.

import { exports } from 'cloudflare:workers'
import { fromBinary, fromJson, toBinary } from '@bufbuild/protobuf'
import { base64Decode, base64Encode } from '@bufbuild/protobuf/wire'
import { AnySchema, DurationSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { frameMessage } from '../../src/tasks/grpc/frames.ts'
import type { Findings } from '../../src/tasks/plugin.ts'
import { TASK_TYPES } from '../../src/tasks/schemas.ts'
import type { Fault } from '../../src/workflow/codes.ts'
import type { JsonObject } from '../../src/workflow/json.ts'
import { EMPTY_REPLY, messageType, replyBytes, requestOf, SAY } from '../support/echo-service.ts'
import { endlessBody, fakeUpstream, stalledBody } from '../support/fake-upstream.ts'
import { attempt } from '../support/plugin-contract.ts'

afterEach(() => vi.restoreAllMocks())

const url = 'https://upstream.test'
const PROTO = { 'content-type': 'application/proto' }
const WEB = { 'content-type': 'application/grpc-web+proto' }

const call = (config: JsonObject = {}, more: object = {}) =>
  attempt({ type: 'grpc', with: { url, ...SAY, ...config }, ...more })
const viaWeb = (config: JsonObject = {}) => call({ protocol: 'grpc_web', ...config })

function failure(code: string, message?: string) {
  return {
    kind: 'failed',
    error: { code, ...(message === undefined ? {} : { message: expect.stringContaining(message) }) },
  }
}

/** A frame of trailers as gRPC-Web has it. */
function trailers(text: string): Uint8Array<ArrayBuffer> {
  const frame = frameMessage(new TextEncoder().encode(text))
  frame[0] = 0x80
  return frame
}

/** `rpc Get(Table) returns (Table)`, where a Table is rows of so many numbers each. */
function wideService(numbers: number) {
  const row = Array.from({ length: numbers }, (_, i) => ({
    name: `n${i}`,
    jsonName: `n${i}`,
    number: i + 1,
    type: 'TYPE_INT32',
  }))
  const file = {
    name: 'wide.proto',
    package: 'wide',
    syntax: 'proto3',
    dependency: ['google/protobuf/any.proto'],
    messageType: [
      { name: 'Row', field: row.map((field) => ({ ...field, label: 'LABEL_OPTIONAL' })) },
      {
        name: 'Table',
        nestedType: [
          {
            name: 'ByNumberEntry',
            options: { mapEntry: true },
            field: [
              { name: 'key', jsonName: 'key', number: 1, type: 'TYPE_UINT32', label: 'LABEL_OPTIONAL' },
              {
                name: 'value',
                jsonName: 'value',
                number: 2,
                type: 'TYPE_MESSAGE',
                typeName: '.wide.Row',
                label: 'LABEL_OPTIONAL',
              },
            ],
          },
        ],
        field: [
          {
            name: 'rows',
            jsonName: 'rows',
            number: 1,
            type: 'TYPE_MESSAGE',
            typeName: '.wide.Row',
            label: 'LABEL_REPEATED',
          },
          {
            name: 'held',
            jsonName: 'held',
            number: 2,
            type: 'TYPE_MESSAGE',
            typeName: '.google.protobuf.Any',
            label: 'LABEL_OPTIONAL',
          },
          {
            name: 'by_number',
            jsonName: 'byNumber',
            number: 3,
            type: 'TYPE_MESSAGE',
            typeName: '.wide.Table.ByNumberEntry',
            label: 'LABEL_REPEATED',
          },
        ],
      },
    ],
    service: [{ name: 'Wide', method: [{ name: 'Get', inputType: '.wide.Table', outputType: '.wide.Table' }] }],
  }
  const set = toBinary(FileDescriptorSetSchema, fromJson(FileDescriptorSetSchema, { file: [file] }))
  return { descriptors: base64Encode(set), service: 'wide.Wide', method: 'Get' }
}

/** google.rpc.Status with one detail of RetryInfo, by hand. */
function statusWithRetry(span: string): Uint8Array {
  const delay = toBinary(DurationSchema, fromJson(DurationSchema, span))
  const info = new Uint8Array([0x0a, delay.length, ...delay])
  const any = toBinary(AnySchema, { $typeName: 'google.protobuf.Any', typeUrl: 'x/google.rpc.RetryInfo', value: info })
  return new Uint8Array([0x08, 8, 0x1a, any.length, ...any])
}

describe('a request', () => {
  test('of Connect is one POST to the path of the method, with the message alone', async () => {
    const upstream = fakeUpstream(async (request) => {
      const body = new Uint8Array(await request.arrayBuffer())
      expect(requestOf(body)).toMatchObject({ text: 'é', big: 5n })
      return new Response(replyBytes({}), { headers: PROTO })
    })
    const config = { url: `${url}/base/`, message: { text: 'é', big: 5 } }
    expect(await call(config, { timeoutMs: 1_500.4 })).toMatchObject({ kind: 'succeeded' })
    const [sent] = upstream.requests
    expect(sent).toMatchObject({ method: 'POST', url: `${url}/base/echo.v1.Echo/Say` })
    expect(Object.fromEntries(sent!.headers)).toMatchObject({
      'content-type': 'application/proto',
      'connect-protocol-version': '1',
      'connect-timeout-ms': '1501',
      'user-agent': 'edge-orchestrator',
    })
  })

  test('of gRPC-Web has a frame, and a deadline of eight digits at most', async () => {
    const upstream = fakeUpstream(() => new Response(null, { headers: { ...WEB, 'grpc-status': '5' } }))
    for (const timeoutMs of [250, 3_600_000, 365 * 86_400_000]) {
      await call({ protocol: 'grpc_web' }, { timeoutMs })
    }
    expect(upstream.requests.map(({ headers }) => headers.get('grpc-timeout'))).toEqual([
      '250m',
      '3600000m',
      '31536000S',
    ])
    expect(upstream.requests[0]!.headers.get('x-grpc-web')).toBe('1')
    expect(upstream.requests[0]!.body).toBe('\0\0\0\0\0')
  })

  test('belongs to the trace of its run, unless it names one itself', async () => {
    const upstream = fakeUpstream(() => new Response(replyBytes({}), { headers: PROTO }))
    const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=1' }
    await call({}, { trace })
    await call({ metadata: { traceparent: 'mine' } }, { trace })
    await call({ metadata: { tracestate: 'mine' } }, { trace })
    const sent = upstream.requests.map(({ headers }) => [headers.get('traceparent'), headers.get('tracestate')])
    expect(sent).toEqual([
      [trace.traceparent, 'a=1'],
      ['mine', null],
      [null, 'mine'],
    ])
  })

  test('is not sent if its rendered fields name nothing, or the message does not fit', async () => {
    const upstream = fakeUpstream(() => new Response())
    for (const [config, pointer] of [
      [{ service: 'echo.v1.Ecco' }, '/with/service'],
      [{ method: 'Watch' }, '/with/method'],
      [{ descriptors: 'AAAA' }, '/with/descriptors'],
      [{ message: { text: 7 } }, '/with/message'],
      [{ message: { texts: 'x' } }, '/with/message has a key "texts"'],
      [{ message: [] }, '/with/message'],
      [{ message: null }, '/with/message'],
      [{ message: { big: '9223372036854775808' } }, '/with/message does not fit at the field echo.v1.SayRequest.big'],
    ] as [JsonObject, string][]) {
      expect(await call(config)).toMatchObject({ ...failure('invalid_with', pointer), retryable: false })
    }
    expect(upstream.requests).toEqual([])
  })

  test('goes nowhere that the egress policy refuses', async () => {
    const upstream = fakeUpstream(() => new Response())
    for (const protocol of ['connect', 'grpc_web', 'grpc_h2c']) {
      for (const host of ['127.0.0.1', '[::ffff:10.0.0.1]', '0x7f000001', '169.254.169.254', 'metadata.internal']) {
        const result = await call({ protocol, url: `http://${host}` })
        expect(result).toMatchObject({ ...failure('egress_denied'), retryable: false })
      }
    }
    expect(upstream.requests).toEqual([])
  })
})

describe('an answer of Connect', () => {
  const answering = (body: BodyInit | null, init: ResponseInit = {}) => {
    fakeUpstream(() => new Response(body, init))
    return call()
  }

  test('is the message, its headers and its trailers', async () => {
    const headers = { ...PROTO, 'x-a': '1', 'trailer-x-b': '2', 'connect-x': 'hidden' }
    expect(await answering(replyBytes({ count: 3 }), { headers })).toEqual({
      kind: 'succeeded',
      output: { message: { ...EMPTY_REPLY, count: 3 }, headers: { 'x-a': '1' }, trailers: { 'x-b': '2' } },
    })
  })

  test.each([
    ['canceled', 'grpc_cancelled'],
    ['unauthenticated', 'grpc_unauthenticated'],
    ['data_loss', 'grpc_data_loss'],
  ])('that says "%s" ends with its code', async (word, code) => {
    expect(await answering(JSON.stringify({ code: word, message: 'no\n\u202ewhy' }), errorInit(409))).toMatchObject(
      failure(code, `ended with ${code.slice(5).toUpperCase()}: no why`),
    )
  })

  test.each([
    ['{"code":"sorry"}', 404, 'grpc_unimplemented'],
    ['{"code":7,"message":{}}', 401, 'grpc_unauthenticated'],
    ['[]', 500, 'grpc_unknown'],
    ['{', 503, 'grpc_unavailable'],
    ['', 429, 'grpc_unavailable'],
    ['', 400, 'grpc_internal'],
    ['', 403, 'grpc_permission_denied'],
  ])('whose error is none goes by its status (%s, %i)', async (body, status, code) => {
    expect(await answering(body, errorInit(status))).toMatchObject(failure(code))
  })

  test('has details decoded where the descriptors know them, and named where not', async () => {
    const type = messageType('google.rpc.BadRequest')
    const violations = { fieldViolations: [{ field: 'text', description: 'is bad' }] }
    const value = base64Encode(toBinary(type, fromJson(type, violations)), 'std_raw')
    const details = [
      { type: 'google.rpc.BadRequest', value },
      { type: 'shop.v1.Stock', value: '' },
      { type: 'google.rpc.BadRequest', value: '////' },
      { type: 7 },
      null,
    ]
    const result = await answering(JSON.stringify({ code: 'invalid_argument', message: 'no', details }), errorInit(400))
    expect(result).toMatchObject(
      failure('grpc_invalid_argument', `no: BadRequest ${JSON.stringify(violations)}, Stock`),
    )
  })

  test('is redirected nowhere', async () => {
    const upstream = fakeUpstream(() => new Response(null, { status: 307, headers: { location: 'http://10.0.0.1/' } }))
    expect(await call()).toMatchObject(failure('grpc_unknown', 'HTTP 307'))
    expect(upstream.requests).toHaveLength(1)
  })

  test('of another kind is told as such', async () => {
    const html = { headers: { 'content-type': 'text/html' } }
    expect(await answering('<p>', html)).toMatchObject(failure('grpc_internal', 'text/html, which is another protocol'))
    expect(await answering(null)).toMatchObject(failure('grpc_internal', 'without a Content-Type'))
  })

  test('that is not of the type is not shown', async () => {
    expect(await answering(new Uint8Array([0xff, 0xff, 1]), { headers: PROTO })).toMatchObject({
      ...failure('invalid_response', 'echo.v1.Echo/Say answered with a message that is not of the type'),
      retryable: false,
    })
    // A type that the descriptors do not have, within google.protobuf.Any.
    const any = toBinary(AnySchema, { $typeName: 'google.protobuf.Any', typeUrl: 'x/y.Z', value: new Uint8Array(1) })
    const held = new Uint8Array([(7 << 3) | 2, any.length, ...any])
    expect(await answering(held, { headers: PROTO })).toMatchObject(failure('invalid_response'))
  })

  test('is unpacked if it is nested up to a hundred deep, and refused beyond', async () => {
    const nested = (depth: number): Uint8Array<ArrayBuffer> => {
      let bytes = new Uint8Array(0)
      for (let n = 0; n < depth; n++) {
        const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7]
        bytes = new Uint8Array([(8 << 3) | 2, ...length, ...bytes])
      }
      return bytes
    }
    expect(await answering(nested(50), { headers: PROTO })).toMatchObject({ kind: 'succeeded' })
    expect(await answering(nested(150), { headers: PROTO })).toMatchObject(failure('invalid_response'))
  })

  test('that grows a hundredfold as JSON is refused before it does', async () => {
    const count = 1_000_000
    const length = [(count & 127) | 128, ((count >> 7) & 127) | 128, count >> 14]
    const bytes = new Uint8Array([0xb2, 1, ...length, ...new Uint8Array(count).fill(1)])
    expect(await answering(bytes, { headers: PROTO })).toMatchObject(failure('output_too_large', 'too large as JSON'))
  })

  test('of which each byte becomes many values is refused before it is decoded', async () => {
    const wide = wideService(100)
    const rows = (count: number) => new Uint8Array(2 * count).map((_, at) => (at % 2 === 0 ? 0x0a : 0))
    const answered = async (bytes: Uint8Array<ArrayBuffer>) => {
      fakeUpstream(() => new Response(bytes, { headers: PROTO }))
      return call({ ...wide, message: {} })
    }
    expect(await answered(rows(1_000))).toMatchObject({
      kind: 'succeeded',
      output: { message: { rows: new Array(1_000).fill(expect.anything()) } },
    })
    // 524,288 messages of a hundred numbers: 3 GB.
    const refused = failure('response_too_large', 'is too large once it is decoded')
    expect(await answered(rows(524_288))).toMatchObject(refused)
    // As deep as they are wide, and within google.protobuf.Any, which is decoded when it is written.
    const value = rows(500_000)
    const any = toBinary(AnySchema, { $typeName: 'google.protobuf.Any', typeUrl: 'x/wide.Table', value })
    const length = [(any.length & 127) | 128, ((any.length >> 7) & 127) | 128, any.length >> 14]
    expect(await answered(new Uint8Array([0x12, ...length, ...any]))).toMatchObject(refused)
    const inner = toBinary(AnySchema, { $typeName: 'google.protobuf.Any', typeUrl: 'x/wide.Table', value: rows(10) })
    expect(await answered(new Uint8Array([0x12, inner.length, ...inner]))).toMatchObject({ kind: 'succeeded' })
    // Entries of a map that are keys alone: the library makes a message of a hundred numbers for each.
    const keys = (count: number) =>
      new Uint8Array(5 * count).map(
        (_, at) => [0x1a, 3, 0x08, (Math.floor(at / 5) & 127) | 128, Math.floor(at / 640)][at % 5]!,
      )
    expect(await answered(keys(4_000))).toMatchObject(refused)
    expect(await answered(keys(1_000))).toMatchObject({
      kind: 'succeeded',
      output: { message: { byNumber: { 999: expect.anything() } } },
    })
    // A value that is there is weighed with its key, and not again.
    const entries = (count: number) =>
      new Uint8Array(7 * count).map(
        (_, at) => [0x1a, 5, 0x08, (Math.floor(at / 7) & 127) | 128, Math.floor(at / 896), 0x12, 0][at % 7]!,
      )
    expect(await answered(entries(1_000))).toMatchObject({ kind: 'succeeded' })
    expect(await answered(entries(2_000))).toMatchObject(refused)
    // Fields that nobody knows become nothing.
    const unknown = new Uint8Array(1_000_000).map((_, at) => (at % 2 === 0 ? 15 << 3 : 1))
    expect(await answered(unknown)).toMatchObject({ kind: 'succeeded', output: { message: { rows: [] } } })
  })

  test('has the names of JSON also where the descriptors leave them out', async () => {
    const { descriptors, ...named } = wideService(1)
    const set = fromBinary(FileDescriptorSetSchema, base64Decode(descriptors))
    const table = set.file[0]!.messageType[1]!
    table.field[0]!.name = 'all_rows'
    for (const { field } of set.file[0]!.messageType) for (const one of field) one.jsonName = ''
    const upstream = fakeUpstream(() => new Response(new Uint8Array([0x0a, 0]), { headers: PROTO }))
    const unnamed = { ...named, descriptors: base64Encode(toBinary(FileDescriptorSetSchema, set)) }
    expect(await call({ ...unnamed, message: { allRows: [{ n0: 1 }] } })).toMatchObject({
      kind: 'succeeded',
      output: { message: { allRows: [{ n0: 0 }] } },
    })
    expect(upstream.requests).toHaveLength(1)
  })

  test('that is too large, stalls or breaks off ends the attempt, and the body is cancelled', async () => {
    const flood = endlessBody('x'.repeat(10_000))
    expect(await answering(flood.body, { headers: PROTO })).toMatchObject(failure('response_too_large'))
    await vi.waitFor(() => expect(flood.isCancelled()).toBe(true))
    const stalled = stalledBody('x')
    fakeUpstream(() => new Response(stalled.body, { headers: PROTO }))
    expect(await call({}, { timeoutMs: 30 })).toMatchObject({ kind: 'timed_out' })
    await vi.waitFor(() => expect(stalled.isCancelled()).toBe(true))
    const breaking = new ReadableStream({ pull: (controller) => controller.error(new Error('gone')) })
    expect(await answering(breaking, { headers: PROTO })).toMatchObject({
      ...failure('grpc_unavailable', 'broke off'),
      retryable: true,
    })
  })

  test('asks for a wait by RetryInfo, or else by Retry-After', async () => {
    const details = [{ type: 'google.rpc.RetryInfo', value: retryInfo('2.5s') }]
    const body = JSON.stringify({ code: 'resource_exhausted', details })
    const init = { status: 429, headers: { 'content-type': 'application/json', 'retry-after': '7' } }
    expect(await answering(body, init)).toMatchObject({ retryAfterMs: 2_500, retryable: true })
    expect(await answering('{"code":"unavailable"}', init)).toMatchObject({ retryAfterMs: 7_000 })
    expect(await answering('busy', { status: 503, headers: { 'retry-after': '7' } })).toMatchObject({
      ...failure('grpc_unavailable', 'HTTP 503: busy'),
      retryAfterMs: 7_000,
    })
    const negative = JSON.stringify({ code: 'unavailable', details: [{ ...details[0], value: retryInfo('-1s') }] })
    expect(await answering(negative, errorInit(503))).not.toHaveProperty('retryAfterMs')
  })
})

describe('an answer of gRPC-Web', () => {
  const answering = (parts: Uint8Array<ArrayBuffer>[], headers: Record<string, string> = WEB) => {
    fakeUpstream(() => new Response(parts.length === 0 ? null : new Blob(parts), { headers }))
    return viaWeb()
  }
  const ok = trailers('grpc-status: 0\r\nX-Late: a\r\nx-late:b\r\n')

  test('is one message and its trailers', async () => {
    expect(await answering([frameMessage(replyBytes({ count: 3 })), ok])).toEqual({
      kind: 'succeeded',
      output: { message: { ...EMPTY_REPLY, count: 3 }, headers: {}, trailers: { 'x-late': 'a, b' } },
    })
  })

  test('has its status in the trailers, or in the headers if there is nothing else', async () => {
    const text = 'grpc-status:9\r\ngrpc-message:caf%C3%A9 100%25 50% %zz\r\n'
    expect(await answering([trailers(text)])).toMatchObject(failure('grpc_failed_precondition', ': café 100% 50% %zz'))
    const headers = { 'grpc-status': '16', 'grpc-message': 'who' }
    expect(await answering([], { ...WEB, ...headers })).toMatchObject(failure('grpc_unauthenticated', 'who'))
    expect(await answering([], headers)).toMatchObject(failure('grpc_unauthenticated', 'who'))
    expect(await answering([trailers('grpc-status: 77')])).toMatchObject(failure('grpc_unknown'))
  })

  test('asks for a wait in its details', async () => {
    const details = base64Encode(statusWithRetry('0.25s'), 'std_raw')
    const text = `grpc-status: 8\r\ngrpc-status-details-bin: ${details}\r\n`
    expect(await answering([trailers(text)])).toMatchObject({
      ...failure('grpc_resource_exhausted'),
      retryAfterMs: 250,
    })
    const broken = 'grpc-status: 8\r\ngrpc-status-details-bin: !!\r\n'
    expect(await answering([trailers(broken)])).toMatchObject(failure('grpc_resource_exhausted'))
  })

  test.each<[string, () => Uint8Array<ArrayBuffer>[]]>([
    ['no status', () => [frameMessage(replyBytes({}))]],
    ['a status that is no number', () => [trailers('grpc-status: zero')]],
    ['OK without a message', () => [ok]],
    ['OK with two messages', () => [frameMessage(replyBytes({})), frameMessage(replyBytes({})), ok]],
    ['a message cut short', () => [frameMessage(replyBytes({ text: 'abc' })).slice(0, -1)]],
    ['a prefix cut short', () => [new Uint8Array(3)]],
    ['a message that is compressed', () => [new Uint8Array([1, 0, 0, 0, 0]), ok]],
    ['bytes behind its trailers', () => [ok, new Uint8Array(5)]],
    ['a length of four billion', () => [new Uint8Array([0, 255, 255, 255, 255])]],
  ])('with %s is none', async (_, parts) => {
    expect(await answering(parts())).toMatchObject({ ...failure('grpc_internal'), retryable: false })
  })

  test('of a proxy goes by its status', async () => {
    fakeUpstream(() => new Response('bad gateway', { status: 502, headers: { 'content-type': 'text/plain' } }))
    expect(await viaWeb()).toMatchObject({ ...failure('grpc_unavailable', 'HTTP 502: bad gateway'), retryable: true })
    fakeUpstream(() => new Response('x', { headers: { 'content-type': 'application/grpc' } }))
    expect(await viaWeb()).toMatchObject(failure('grpc_internal', 'application/grpc, which is another protocol'))
  })
})

test('descriptors may be left out only where the server can be asked for them', async () => {
  const { descriptors: _, ...say } = SAY
  for (const protocol of ['connect', 'grpc_web']) {
    const result = await attempt({ type: 'grpc', with: { url, ...say, protocol } })
    expect(result).toMatchObject(failure('invalid_with', '/with/descriptors is required'))
  }
  const checked = TASK_TYPES.grpc.with.inDefinition
  expect(checked.safeParse({ url, ...say }).success).toBe(false)
  expect(checked.safeParse({ url: 'http://a.test', ...say, protocol: 'grpc_h2c' }).success).toBe(true)
  expect(checked.safeParse({ url: 'http://a.test', ...say, protocol: '${{ input.protocol }}' }).success).toBe(true)
  expect(checked.safeParse({ url, ...SAY, protocol: 'grpc_h2c' }).success).toBe(false)
  expect(checked.safeParse({ url: '${{ input.url }}', ...SAY, protocol: 'grpc_h2c' }).success).toBe(true)
})

describe('registration', () => {
  const check = async (config: JsonObject): Promise<Fault[]> => {
    const executor = exports.TaskExecutor as unknown as { check(tasks: object[]): Promise<Findings> }
    return (await executor.check([{ type: 'grpc', with: { url, ...SAY, ...config }, at: '/tasks/0/with' }])).faults
  }

  test('takes what fits, and what is known only later', async () => {
    for (const config of [
      {},
      { message: { text: 'x', big: 7, at: '2026-01-01T00:00:00Z' } },
      { message: { text: '${{ input.text }}', nonsense: 1 } },
      { message: '${{ input.message }}' },
      { service: '${{ input.service }}', method: 'Nonsense' },
      { descriptors: undefined as never, message: { nonsense: 1 } },
    ]) {
      expect(await check(config as JsonObject)).toEqual([])
    }
  })

  test('refuses descriptors of more parts than are taken, before they are parsed', async () => {
    // One file whose 390,000 messages have not even a name: two bytes each, and 160 MB.
    const count = 780_000
    const length = [(count & 127) | 128, ((count >> 7) & 127) | 128, count >> 14]
    const file = new Uint8Array(count).map((_, at) => (at % 2 === 0 ? 0x22 : 0))
    expect(await check({ descriptors: base64Encode(new Uint8Array([0x0a, ...length, ...file])) })).toEqual([
      {
        path: '/tasks/0/with/descriptors',
        code: 'invalid_value',
        message: 'has more than 50000 messages, fields, values of enums, methods and options',
      },
    ])
  })

  test.each<[JsonObject, string, string]>([
    [{ descriptors: 'AAAA' }, '/descriptors', 'is no FileDescriptorSet'],
    [{ descriptors: 'A' }, '/descriptors', 'is no FileDescriptorSet'],
    [{ service: 'echo.v1.Ecco' }, '/service', 'did you mean "echo.v1.Echo"?'],
    [{ service: 'echo.v1.SayRequest' }, '/service', 'is no service of the descriptors'],
    [{ method: 'Sai' }, '/method', 'did you mean "Say"?'],
    [{ method: 'Watch' }, '/method', 'is a stream'],
    [{ message: { tags: 'x' } }, '/message', 'does not fit at the field echo.v1.SayRequest.tags'],
    [{ message: { inner: { txt: 'x' } } }, '/message', 'has a key "txt", which echo.v1.SayRequest does not have'],
    [{ message: { kind: 'KIND_B' } }, '/message', 'does not fit at a value of echo.v1.Kind'],
  ])('names what does not fit: %j', async (config, pointer, message) => {
    expect(await check(config)).toEqual([
      { path: `/tasks/0/with${pointer}`, code: 'invalid_value', message: expect.stringContaining(message) },
    ])
  })
})

function errorInit(status: number): ResponseInit {
  return { status, headers: { 'content-type': 'application/json' } }
}

function retryInfo(span: string): string {
  const delay = toBinary(DurationSchema, fromJson(DurationSchema, span))
  return base64Encode(new Uint8Array([0x0a, delay.length, ...delay]), 'std_raw')
}
