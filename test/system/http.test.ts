// The `http` task against a real server, over real connections: what a stand-in for fetch cannot show.

import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type RunView, soon } from './client.ts'
import { withServer } from './harness.ts'
import { Upstream } from './upstream.ts'

const { client, upstream } = await withServer()
let names = 0

/**
 * These tests make one server fail in every way, and none is about circuits: theirs would open in the middle, as a Gate hears of
 * failures at once and of successes alone seconds later.
 */
const NO_CIRCUIT = { defaults: { breaker: false } }

/** A run of one call; `path` is one of the upstream's answers. */
function called(
  path: string,
  config: Record<string, unknown> = {},
  rest: Record<string, unknown> = {},
): Promise<RunView> {
  const url = path.startsWith('http') ? path : upstream.at(path)
  return client.runTasks(`http-${++names}`, [{ id: 'call', type: 'http', with: { url, ...config } }], {
    ...NO_CIRCUIT,
    ...rest,
  })
}

function redirectTo(target: string, code = 302): string {
  return `redirect?code=${code}&to=${encodeURIComponent(target)}`
}

function callsOf(run: RunView) {
  return upstream.calls.filter(({ key }) => key.startsWith(`${run.id}/`))
}

describe('redirects', () => {
  test('are followed to the answer at their end, relative ones too', async () => {
    const run = await called(redirectTo(redirectTo('/ok?n=1').replace('redirect', '/redirect')))
    expect(run).toMatchObject({ status: 'succeeded', output: { call: { status: 200, body: { ok: true, n: '1' } } } })
    expect(callsOf(run)).toHaveLength(3)
  })

  test('with 303 turn a POST into a GET without its body, with 307 they do not', async () => {
    const turned = await called(redirectTo('/echo', 303), { json: { amount: 1 } })
    expect(turned.output).toMatchObject({ call: { body: { method: 'GET', body: '' } } })
    const kept = await called(redirectTo('/echo', 307), { json: { amount: 1 } })
    expect(kept.output).toMatchObject({ call: { body: { method: 'POST', body: '{"amount":1}' } } })
  })

  test('that do not end are given up after five, each hop with the same key', async () => {
    const run = await called('loop')
    expect(run.error).toMatchObject({ code: 'http_302', task_id: 'call' })
    expect(callsOf(run).map(({ key }) => key)).toEqual(new Array(6).fill(`${run.id}/call`))
  })

  test('to an address that is not allowed are refused before they are called', async () => {
    const run = await called(redirectTo(`http://[::1]:${upstream.port}/ok`))
    expect(run).toMatchObject({ status: 'failed', error: { code: 'egress_denied', retryable: false } })
    expect(callsOf(run)).toHaveLength(1)
  })
})

describe('bodies', () => {
  test('that come slowly are read to their end', async () => {
    const run = await called('drip?chunks=8&ms=60')
    expect(run.output).toMatchObject({ call: { body: 'drop '.repeat(8) } })
    expect(run.duration_ms).toBeGreaterThan(400)
  })

  test('that break off in the middle fail the task', async () => {
    expect((await called('half')).error).toMatchObject({ code: 'http_network', retryable: true })
  })

  test('that never end are cut at max_bytes, and their connection is closed', async () => {
    const run = await called('flood', { max_bytes: '256KiB' })
    expect(run.error).toMatchObject({ code: 'response_too_large', retryable: false })
    expect(await soon('the end of the flood', 2_000, callsOf(run)[0]!.ended)).toBe('aborted')
  })

  test('that are longer than they said are taken by their chunks, up to max_bytes', async () => {
    expect((await called('understated?chunks=3')).output).toMatchObject({ call: { body: 'x'.repeat(3 * 1_024) } })
    for (const max_bytes of [3, '256KiB', '1MiB']) {
      const run = await called('understated', { max_bytes })
      expect(run.error).toMatchObject({ code: 'response_too_large', retryable: false })
      expect(await soon('the end of the flood', 2_000, callsOf(run)[0]!.ended)).toBe('aborted')
    }
    const refused = await called('understated', { expect_status: 201 })
    expect(refused.error).toMatchObject({ code: 'http_200' })
    expect(refused.error!.message.length).toBeLessThan(400)
  })

  test('of an answer to HEAD are empty, whatever length was said', async () => {
    const run = await called('large?bytes=3000&declared', { method: 'HEAD' })
    expect(run.output).toMatchObject({ call: { status: 200, body: null, headers: { 'content-length': '3000' } } })
  })

  test('are unpacked', async () => {
    expect((await called('gzip')).output).toMatchObject({ call: { body: { packed: true } } })
  })

  test('that are larger unpacked than they said are cut at max_bytes too', async () => {
    const run = await called('bomb', { max_bytes: '256KiB' })
    expect(run.error).toMatchObject({ code: 'response_too_large', retryable: false })
  })

  test('of a task feed the next', async () => {
    const tasks = [
      {
        id: 'next',
        type: 'http',
        depends_on: ['first'],
        with: { url: upstream.at('echo'), json: { got: '${{ tasks.first.output.body.n }}' } },
      },
      { id: 'first', type: 'http', with: { url: upstream.at('ok?n=7') } },
    ]
    const run = await client.runTasks('http-feed', tasks, NO_CIRCUIT)
    expect(run.output).toMatchObject({ next: { body: { method: 'POST', body: '{"got":"7"}' } } })
  })
})

describe('large bodies', () => {
  test('are hashed as they come, and take no memory', async () => {
    const bytes = 96 * 1024 * 1024
    const run = await called(`large?bytes=${bytes}`, { parse: 'hash' }, { timeout: '60s' })
    const sha256 = createHash('sha256').update(Buffer.alloc(bytes, 'w')).digest('hex')
    expect(run).toMatchObject({ status: 'succeeded', output: { call: { body: { sha256, bytes } } } })
  })

  test('are cut at max_bytes, and their connection is closed', async () => {
    const run = await called('flood', { parse: 'hash', max_bytes: '8MiB' })
    expect(run.error).toMatchObject({ code: 'response_too_large' })
    expect(await soon('the end of the flood', 2_000, callsOf(run)[0]!.ended)).toBe('aborted')
  })
})

test('parts of a form arrive as they are, also after a redirect that keeps them', async () => {
  const multipart = [
    { name: 'größe', text: 'ü\n' },
    { name: 'file', filename: 'a "b".bin', base64: 'AP8NCi0t', content_type: 'x/y' },
  ]
  const parts = [
    { name: 'größe', value: 'ü\n' },
    { name: 'file', file: 'a "b".bin', type: 'x/y', bytes: [0, 255, 13, 10, 45, 45] },
  ]
  expect((await called('form', { multipart })).output).toMatchObject({ call: { body: parts } })
  expect((await called(redirectTo('/form', 307), { multipart })).output).toMatchObject({ call: { body: parts } })
})

describe('pages', () => {
  const paginate = { next: 'response.links.?next.orValue(null)' }

  test('are gathered along their links, the first one after a redirect too', async () => {
    const run = await called(redirectTo('/page?at=1&of=5'), { paginate })
    expect(run.output).toMatchObject({ call: { body: [1, 2, 3, 4, 5], pages: 5, next: null } })
    expect(callsOf(run).map(({ key }) => key)).toEqual([1, 1, 2, 3, 4, 5].map((n) => `${run.id}/call/p${n}`))
  })

  test('end at their limit', async () => {
    const run = await called('page?at=1&of=50', { paginate: { ...paginate, limit: 3 } })
    expect(run.output).toMatchObject({
      call: { body: [1, 2, 3], pages: 3, next: upstream.at('page?at=4&of=50') },
    })
  })
})

test('a poll is called until its answer is there, while others use its slot', async () => {
  const until = 'response.body.ready'
  const tasks = [
    { id: 'job', type: 'http', with: { url: upstream.at('ready?after=3'), poll: { until, every: '300ms' } } },
    { id: 'other', type: 'http', with: { url: upstream.at('ok') } },
  ]
  const run = await client.runTasks('http-poll', tasks, { ...NO_CIRCUIT, timeout: '30s', max_parallel: 1 })
  expect(run).toMatchObject({ status: 'succeeded', output: { job: { body: { ready: true } } } })
  const calls = callsOf(run).filter(({ path }) => path.startsWith('/ready'))
  expect(calls.map(({ key }) => key)).toEqual([1, 2, 3, 4].map((n) => `${run.id}/job/p${n}`))
  for (const [n, { at }] of calls.entries()) if (n > 0) expect(at - calls[n - 1]!.at).toBeGreaterThanOrEqual(300)
  expect(callsOf(run).findIndex(({ path }) => path === '/ok')).toBe(1)
})

describe('connections', () => {
  test('that are refused fail the task', async () => {
    const gone = await Upstream.start()
    const url = gone.at('ok')
    await gone.stop()
    expect((await called(url)).error).toMatchObject({ code: 'http_network', retryable: true })
  })

  test('that end before an answer fail the task', async () => {
    expect((await called('slam')).error).toMatchObject({ code: 'http_network' })
  })

  test('are used again by the calls that follow', async () => {
    const tasks = Array.from({ length: 20 }, (_, n) => ({
      id: `t${n}`,
      type: 'http',
      depends_on: n === 0 ? [] : [`t${n - 1}`],
      with: { url: upstream.at('ok') },
    }))
    const run = await client.runTasks('http-keep-alive', tasks, NO_CIRCUIT)
    expect(run.status).toBe('succeeded')
    expect(new Set(callsOf(run).map(({ connection }) => connection)).size).toBeLessThan(5)
  })

  test('that the server has closed while they were idle cost nothing', async () => {
    const impatient = await Upstream.start({ idleMs: 10 })
    const config = { method: 'POST', body: 'x' }
    const tasks = Array.from({ length: 12 }, (_, n) => ({
      id: `t${n}`,
      type: 'http',
      depends_on: n === 0 ? [] : [`t${n - 1}`],
      with: { url: n % 2 === 0 ? impatient.at('ok') : upstream.at('ok?ms=60'), ...config },
    }))
    const run = await client.runTasks('http-idle', tasks, NO_CIRCUIT)
    await impatient.stop()
    expect(run).toMatchObject({ status: 'succeeded', error: null })
  })
})

describe('an attempt that is given up', () => {
  test.each(['hang', 'mute', 'drip?chunks=10000&ms=50'])(
    'when the run times out closes its connection soon (%s)',
    async (path) => {
      const run = await called(path, {}, { timeout: '400ms' })
      expect(run).toMatchObject({ status: 'timed_out', error: { code: 'run_timeout' } })
      expect(run.tasks[0]!.status).toBe('timed_out')
      const [call] = callsOf(run)
      expect(await soon('the end of the connection', 2_000, call!.ended)).toBe('aborted')
      expect(Date.now() - Date.parse(run.deadline_at!)).toBeLessThan(2_000)
    },
  )

  test('when another task has failed closes its connection soon', async () => {
    const tasks = [
      { id: 'slow', type: 'http', with: { url: upstream.at('hang') } },
      { id: 'bad', type: 'http', with: { url: upstream.at('status?code=500') } },
      { id: 'after', type: 'http', depends_on: ['slow'], with: { url: upstream.at('ok') } },
    ]
    const run = await client.runTasks('http-stop', tasks, { ...NO_CIRCUIT, timeout: '30s' })
    expect(run).toMatchObject({ status: 'failed', error: { code: 'http_500', task_id: 'bad' } })
    expect(run.tasks.map(({ status }) => status)).toEqual(['cancelled', 'failed', 'skipped'])
    const slow = callsOf(run).find(({ path }) => path === '/hang')
    if (slow !== undefined) expect(await soon('the end of the connection', 2_000, slow.ended)).toBe('aborted')
    expect(run.duration_ms).toBeLessThan(5_000)
  })
})

test('every call carries the key of its run and task, and one that the definition sets wins', async () => {
  const run = await called('echo')
  expect(callsOf(run).map(({ key }) => key)).toEqual([`${run.id}/call`])
  const own = await called('echo', { headers: { 'Idempotency-Key': 'mine' } })
  expect(own.output).toMatchObject({ call: { body: { headers: { 'idempotency-key': 'mine' } } } })
})
