import { abortAllDurableObjects, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, test, vi } from 'vitest'
import { parseRunId } from '../../src/workflow/run-id.ts'
import { aName, call, get, post } from './client.ts'

const ask = (id: string, rest: object = {}, config: object = {}) => ({
  id,
  type: 'wait_for_event',
  with: { event: 'approved', callback: true, ...config },
  ...rest,
})

async function aWaitingRun(tasks: object[]): Promise<string> {
  const name = aName()
  const registered = await post('/v1/workflows', { name, timeout: '1d', tasks })
  expect(registered.status, registered.text).toBe(201)
  const { body } = await post('/v1/run', { workflow: name }, { Prefer: 'respond-async' })
  return body.id
}

const urlOf = async (id: string, task = 0): Promise<string> =>
  (await get(`/v1/runs/${id}`)).body.tasks[task].callback_url

/** As somebody without a key calls a deployment that needs one. */
const closed = { AUTH: 'required', ADMIN_KEY: 'a-key-that-is-long-enough-for-tests' }
const byLink = (method: string, path: string, body?: unknown) =>
  call(method, path, { env: closed, ...(body === undefined ? {} : { body }) })

describe('a task with a callback', () => {
  test('shows a link while it waits, the same each time, and not before, after, or in its history', async () => {
    const id = await aWaitingRun([ask('a'), ask('b', { depends_on: ['a'] })])
    const url = await urlOf(id)
    expect(url).toMatch(new RegExp(`^/v1/callbacks/default\\.${id}\\.0\\.\\d+\\.[A-Za-z0-9_-]{43}$`))
    expect(await urlOf(id)).toBe(url)
    expect((await get(`/v1/runs/${id}/tasks/a`)).body.callback_url).toBe(url)
    expect((await get(`/v1/runs/${id}/tasks`)).body.items[0].callback_url).toBe(url)
    expect(await urlOf(id, 1)).toBeUndefined()
    expect((await byLink('POST', url, { by: 'ada' })).body.delivered_to).toEqual(['a'])
    expect(await urlOf(id)).toBeUndefined()
    expect(await urlOf(id, 1)).not.toBe(url)
    const signature = url.split('.').at(-1)!
    expect((await get(`/v1/runs/${id}/history?limit=200`)).text).not.toContain(signature)
    expect((await get(`/v1/runs?limit=200`)).text).not.toContain(signature)
  })

  test('that does not ask for one shows none', async () => {
    const id = await aWaitingRun([
      ask('a', {}, { callback: false }),
      { id: 'c', type: 'wait_for_event', with: { event: 'x' } },
    ])
    expect([await urlOf(id, 0), await urlOf(id, 1)]).toEqual([undefined, undefined])
  })
})

describe('a link', () => {
  test('answers exactly its task, without a key, whatever `match` says, and once', async () => {
    const id = await aWaitingRun([ask('a', {}, { match: 'event.by == "nobody"' }), ask('b')])
    const url = await urlOf(id)
    const { status, body } = await byLink('POST', url, { by: 'ada' })
    expect([status, body]).toEqual([202, { id: expect.stringMatching(/^sig_/), delivered_to: ['a'] }])
    expect((await get(`/v1/runs/${id}`)).body.tasks).toMatchObject([
      { status: 'succeeded', output: { by: 'ada' } },
      { status: 'waiting' },
    ])
    for (let i = 0; i < 2; i++) {
      const again = await byLink('POST', url, { by: 'eve' })
      expect([again.status, again.body.code]).toEqual([410, 'callback_used'])
    }
    expect((await byLink('GET', url)).body.code).toBe('callback_used')
    expect((await byLink('POST', await urlOf(id, 1))).status).toBe(202)
    expect((await get(`/v1/runs/${id}`)).body).toMatchObject({ status: 'succeeded', output: { b: null } })
    expect((await byLink('POST', url, {})).body.code).toBe('callback_used')
  })

  test('that is opened says what it is for and answers nothing', async () => {
    const id = await aWaitingRun([ask('a')])
    const url = await urlOf(id)
    for (const method of ['GET', 'HEAD']) {
      const { status, headers, text } = await byLink(method, url)
      expect([status, headers.get('Content-Type'), headers.get('Cache-Control')]).toEqual([
        200,
        'text/plain; charset=utf-8',
        'no-store',
      ])
      if (method === 'GET') expect(text).toContain('answers the task "a"')
    }
    expect((await get(`/v1/runs/${id}`)).body.tasks[0].status).toBe('waiting')
  })

  test('outlives its object and the end of nothing else: a time-out, a cancel and another signal end it', async () => {
    const ids = await Promise.all([1, 2, 3].map(() => aWaitingRun([ask('a')])))
    const urls = await Promise.all(ids.map((id) => urlOf(id)))
    await abortAllDurableObjects()
    expect((await byLink('GET', urls[0]!)).status).toBe(200)
    expect((await byLink('POST', urls[0]!, 1)).status).toBe(202)
    await post(`/v1/runs/${ids[1]}/cancel`)
    await post(`/v1/runs/${ids[2]}/signals/approved`, 1)
    for (const url of urls) expect((await byLink('POST', url, 2)).body.code).toBe('callback_used')
  })

  test('of which anything is changed is no link', async () => {
    const id = await aWaitingRun([ask('a'), ask('b')])
    const url = await urlOf(id)
    const [tenant, run, task, wait, signature] = url.slice('/v1/callbacks/'.length).split('.') as [
      string,
      string,
      string,
      string,
      string,
    ]
    const other = await aWaitingRun([ask('a')])
    await urlOf(other)
    const flipped = `${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`
    const wrong = [
      [tenant, run, task, wait, flipped],
      [tenant, run, '1', wait, signature],
      [tenant, run, task, String(Number(wait) + 1), signature],
      [tenant, other, task, wait, signature],
      ['other', run, task, wait, signature],
      [tenant, run, '99999', wait, signature],
      [tenant, `run_ff${run.slice(6)}`, task, wait, signature],
      [tenant, run, task, wait, signature.slice(1)],
      [tenant, run, task, wait],
      ['x'],
    ]
    for (const parts of wrong) {
      for (const method of ['GET', 'POST']) {
        const { status, body } = await byLink(
          method,
          `/v1/callbacks/${parts.join('.')}`,
          method === 'POST' ? {} : undefined,
        )
        expect([parts.join('.'), status, body.code]).toEqual([parts.join('.'), 404, 'callback_not_found'])
      }
    }
    expect((await get(`/v1/runs/${id}`)).body.progress.waiting).toBe(2)
  })

  test('takes JSON of at most 1 MiB, and other methods are refused', async () => {
    const url = await urlOf(await aWaitingRun([ask('a')]))
    expect((await byLink('POST', url, `"${'x'.repeat(1024 * 1024)}"`)).body.code).toBe('too_large')
    expect((await byLink('POST', url, '{')).body.code).toBe('malformed_json')
    expect((await byLink('DELETE', url)).body.code).toBe('method_not_allowed')
    expect((await byLink('GET', url)).status).toBe(200)
  })

  test('stands in no log, though its object breaks', async () => {
    const id = await aWaitingRun([ask('a')])
    const url = await urlOf(id)
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const broken = {
      ...env.RUNNER,
      idFromName: () => {
        throw new Error('broken')
      },
    }
    const { status } = await call('POST', url, { body: {}, env: { ...closed, RUNNER: broken } })
    expect(status).toBe(500)
    expect(log.mock.calls.flat().join('\n')).toContain('/v1/callbacks/***')
    expect(log.mock.calls.flat().join('\n')).not.toContain(url.split('.').at(-1))
    log.mockRestore()
  })

  test('is signed by a secret that only its object has, made once', async () => {
    const id = await aWaitingRun([ask('a'), ask('b')])
    await Promise.all([get(`/v1/runs/${id}`), get(`/v1/runs/${id}/tasks`), urlOf(id)])
    const shard = parseRunId(id)!.shard
    const stub = env.RUNNER.get(env.RUNNER.idFromName(`default:${shard}`))
    const rows = await runInDurableObject(stub, (_, state) =>
      state.storage.sql.exec('SELECT secret FROM callback_secret').toArray(),
    )
    expect(rows.map(({ secret }) => (secret as ArrayBuffer).byteLength)).toEqual([32])
  })
})
