// Bulk jobs over HTTP.

import { runDurableObjectAlarm } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { SHARDS } from '../../src/workflow/run-id.ts'
import { aCallingWorkflow, aWorkflow, call, get, post } from './client.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

/** Fires the alarm of every shard, the home of jobs first. */
async function fireAlarms(): Promise<void> {
  for (let shard = 0; shard < SHARDS; shard++) {
    await runDurableObjectAlarm(env.RUNNER.get(env.RUNNER.idFromName(`default:${shard}`)))
  }
}

describe('POST /v1/runs/bulk', () => {
  test('deletes the runs of all shards that the filter finds, and tells how far it is', async () => {
    const workflow = await aWorkflow()
    const other = await aWorkflow()
    for (let i = 0; i < 30; i++) await post('/v1/run', { workflow, tags: ['bulk'] })
    await post('/v1/run', { workflow: other, tags: ['bulk'] })
    const filter = { workflow, tag: 'bulk', status: 'succeeded' }
    const dry = await post('/v1/runs/bulk', { action: 'delete', filter, dry_run: true })
    expect(dry).toMatchObject({ status: 200, body: { action: 'delete', filter, dry_run: true, matched: 30 } })
    expect((await get(`/v1/runs?workflow=${workflow}`)).body.items).toHaveLength(30)

    const accepted = await post('/v1/runs/bulk', { action: 'delete', filter })
    expect(accepted).toMatchObject({ status: 202, body: { action: 'delete', filter, finished_at: null } })
    expect(accepted.headers.get('Location')).toBe(`/v1/runs/bulk/${accepted.body.id}`)
    const late = (await post('/v1/run', { workflow, tags: ['bulk'] })).body.id
    await fireAlarms()
    await vi.waitFor(async () => {
      const job = await get(`/v1/runs/bulk/${accepted.body.id}`)
      expect(job).toMatchObject({ status: 200, body: { status: 'done', matched: 30, done: 30, failed: 0 } })
    })
    const left = (await get(`/v1/runs?workflow=${workflow}`)).body.items
    expect(left.map(({ id }: { id: string }) => id)).toEqual([late])
    expect((await get(`/v1/runs?workflow=${other}`)).body.items).toHaveLength(1)
  })

  test('with an Idempotency-Key is one job, however often it is sent; another body is a conflict', async () => {
    const workflow = await aWorkflow()
    await post('/v1/run', { workflow })
    const body = { action: 'delete', filter: { workflow } }
    const headers = { 'Idempotency-Key': `bulk-${workflow}` }
    const dry = await post('/v1/runs/bulk', { ...body, dry_run: true }, headers)
    expect(dry).toMatchObject({ status: 200, body: { matched: 1 } })
    const first = await post('/v1/runs/bulk', body, headers)
    expect(first.status).toBe(202)
    expect(first.headers.get('Idempotent-Replayed')).toBeNull()
    // The same JSON, written in another order.
    const again = await post('/v1/runs/bulk', { filter: { workflow }, action: 'delete' }, headers)
    expect(again).toMatchObject({ status: 202, body: { id: first.body.id } })
    expect(again.headers.get('Idempotent-Replayed')).toBe('true')
    expect(again.headers.get('Location')).toBe(`/v1/runs/bulk/${first.body.id}`)
    const other = await post('/v1/runs/bulk', { ...body, action: 'cancel' }, headers)
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } })
    // A key of a start is another, though it reads the same.
    const started = await post('/v1/run', { workflow }, headers)
    expect(started.status).toBe(200)
    const broken = await post('/v1/runs/bulk', body, { 'Idempotency-Key': 'a b' })
    expect(broken).toMatchObject({ status: 400, body: { code: 'invalid_idempotency_key' } })
    await fireAlarms()
    await vi.waitFor(async () => expect((await get(`/v1/runs/bulk/${first.body.id}`)).body.status).toBe('done'))
    expect((await post('/v1/runs/bulk', body, headers)).body).toMatchObject({ id: first.body.id, status: 'done' })
    expect((await get(`/v1/runs?workflow=${workflow}`)).body.items).toHaveLength(1)
  })

  test('cancels what goes on', async () => {
    vi.spyOn(globalThis, 'fetch').mockImplementation(() => new Promise(() => {}))
    const workflow = await aCallingWorkflow({ timeout: '10m' })
    for (let i = 0; i < 5; i++) await post('/v1/run', { workflow }, { Prefer: 'respond-async' })
    const since = new Date(Date.now() - 60_000).toISOString()
    const { body } = await post('/v1/runs/bulk', { action: 'cancel', filter: { workflow, since } })
    expect(body.filter).toEqual({ workflow, since })
    await fireAlarms()
    await vi.waitFor(async () => expect((await get(`/v1/runs/bulk/${body.id}`)).body.status).toBe('done'))
    expect((await get(`/v1/runs?workflow=${workflow}&status=cancelled`)).body.items).toHaveLength(5)
  })

  test.each([
    [{}, 422, 'invalid_request', ['/action', '/filter']],
    [[], 422, 'invalid_request', ['']],
    [{ action: 'delete' }, 422, 'invalid_request', ['/filter']],
    [{ action: 'delete', filter: {} }, 422, 'invalid_request', ['/filter']],
    [{ action: 'delete', filter: { all: false } }, 422, 'invalid_request', ['/filter/all']],
    [{ action: 'delete', filter: { all: true, workflow: 'a' } }, 422, 'invalid_request', ['/filter/all']],
    [{ action: 'purge', filter: { all: true } }, 422, 'invalid_request', ['/action']],
    [{ action: 'retry', filter: { status: 'succeeded' } }, 422, 'invalid_request', ['/filter/status']],
    [{ action: 'retry', filter: { status: 'running' } }, 422, 'invalid_request', ['/filter/status']],
    [{ action: 'retry', filter: {} }, 422, 'invalid_request', ['/filter']],
    [{ action: 'delete', filter: { status: 'running' } }, 422, 'invalid_request', ['/filter/status']],
    [{ action: 'cancel', filter: { status: 'failed' } }, 422, 'invalid_request', ['/filter/status']],
    [{ action: 'cancel', filter: { status: 'gone' } }, 422, 'invalid_request', ['/filter/status']],
    [{ action: 'cancel', filter: { version: '1' } }, 422, 'invalid_request', ['/filter/version']],
    [{ action: 'cancel', filter: { tag: 'EU' } }, 422, 'invalid_request', ['/filter/tag']],
    [{ action: 'cancel', filter: { parent: 'x' } }, 422, 'invalid_request', ['/filter/parent']],
    [{ action: 'cancel', filter: { trigger: 'cron' } }, 422, 'not_available', ['/filter/trigger']],
    [{ action: 'cancel', filter: { since: 'yesterday' } }, 422, 'invalid_request', ['/filter/since']],
    [{ action: 'cancel', filter: { workfow: 'a' } }, 422, 'invalid_request', ['/filter/workfow']],
    [{ action: 'cancel', filter: { all: true }, dry_run: 'yes' }, 422, 'invalid_request', ['/dry_run']],
    [{ action: 'cancel', filter: { all: true }, dryrun: true }, 422, 'invalid_request', ['/dryrun']],
  ])('refuses %j', async (body, status, code, paths) => {
    const refused = await post('/v1/runs/bulk', body)
    expect(refused).toMatchObject({ status, body: { code } })
    expect(refused.body.errors.map(({ path }: { path: string }) => path)).toEqual(paths)
  })
})

describe('GET /v1/runs/bulk/{bulk}', () => {
  test.each(['bulk_01K7ZB3V9QJ4X5Y6Z7A8B9C0D1', 'bulk_x', 'run_0b01K7ZB3V9QJ4X5Y6Z7A8B9C0D1', '%00'])(
    'of %s is 404',
    async (id) => {
      expect(await get(`/v1/runs/bulk/${id}`)).toMatchObject({ status: 404, body: { code: 'bulk_not_found' } })
    },
  )

  test('takes no other method', async () => {
    const refused = await call('DELETE', '/v1/runs/bulk/bulk_01K7ZB3V9QJ4X5Y6Z7A8B9C0D1')
    expect(refused).toMatchObject({ status: 405, body: { code: 'method_not_allowed' } })
  })
})
