// A run goes on in the trace of the call that started it.

import { afterEach, describe, expect, test, vi } from 'vitest'
import { fakeUpstream } from '../support/fake-upstream.ts'
import { aCallingWorkflow, aName, get, post } from './client.ts'

afterEach(() => vi.restoreAllMocks())

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`

describe('a start with traceparent', () => {
  test('hands the trace on to every attempt, each with a span of its own, and shows its id', async () => {
    const workflow = aName()
    const tasks = [
      {
        id: 'a',
        type: 'http',
        with: { url: 'https://upstream.test/a' },
        retry: { max_attempts: 2, initial_interval: '1ms' },
      },
      { id: 'b', type: 'http', depends_on: ['a'], with: { url: 'https://upstream.test/b' } },
    ]
    await post('/v1/workflows', { name: workflow, tasks })
    const upstream = fakeUpstream((_, number) => new Response('{}', { status: number === 1 ? 503 : 200 }))
    const headers = { traceparent, tracestate: 'vendor=1' }
    const { status, body } = await post('/v1/runs', { workflow }, headers)
    expect([status, body.status, body.trace_id]).toEqual([200, 'succeeded', traceId])
    const sent = upstream.requests.map((request) => request.headers.get('traceparent')!)
    expect(sent).toHaveLength(3)
    for (const one of sent) expect(one).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`))
    expect(new Set([traceparent, ...sent]).size).toBe(4)
    expect(upstream.requests.map((request) => request.headers.get('tracestate'))).toEqual(new Array(3).fill('vendor=1'))
    expect((await get(`/v1/runs/${body.id}`)).body.trace_id).toBe(traceId)
  })

  test('that is malformed is a start without one', async () => {
    const workflow = await aCallingWorkflow()
    const upstream = fakeUpstream(() => new Response())
    const { body } = await post('/v1/runs', { workflow }, { traceparent: 'nonsense', tracestate: 'vendor=1' })
    expect([body.status, 'trace_id' in body]).toEqual(['succeeded', false])
    const [request] = upstream.requests
    expect([request!.headers.has('traceparent'), request!.headers.has('tracestate')]).toEqual([false, false])
  })

  test('does not overrule a task that says its own', async () => {
    const workflow = aName()
    const own = { traceparent: `00-${'a'.repeat(32)}-00f067aa0ba902b7-00` }
    const tasks = [{ id: 'a', type: 'http', with: { url: 'https://upstream.test/a', headers: own } }]
    await post('/v1/workflows', { name: workflow, tasks })
    const upstream = fakeUpstream(() => new Response())
    await post('/v1/runs', { workflow }, { traceparent, tracestate: 'vendor=1' })
    const [request] = upstream.requests
    expect(request!.headers.get('traceparent')).toBe(own.traceparent)
    expect(request!.headers.has('tracestate')).toBe(false)
  })

  test('is not mixed with the vendor state that a task says alone', async () => {
    const workflow = aName()
    const own = { tracestate: 'mine=2' }
    const tasks = [{ id: 'a', type: 'http', with: { url: 'https://upstream.test/a', headers: own } }]
    await post('/v1/workflows', { name: workflow, tasks })
    const upstream = fakeUpstream(() => new Response())
    await post('/v1/runs', { workflow }, { traceparent, tracestate: 'vendor=1' })
    const { headers } = upstream.requests[0]!
    expect([headers.get('traceparent'), headers.get('tracestate')]).toEqual([null, 'mine=2'])
  })

  test('and a key is the same start from another trace', async () => {
    const workflow = await aCallingWorkflow()
    fakeUpstream(() => new Response())
    const key = { 'Idempotency-Key': `key-${workflow}` }
    const first = await post('/v1/runs', { workflow }, { ...key, traceparent })
    const second = await post('/v1/runs', { workflow }, { ...key, traceparent: traceparent.replace('4b', 'ab') })
    expect([second.status, second.body.id, second.body.trace_id]).toEqual([200, first.body.id, traceId])
  })
})
