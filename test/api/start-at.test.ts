// start_at as a client sees it.

import { describe, expect, test } from 'vitest'
import { aWorkflow, get, post } from './client.ts'

describe('a start with start_at', () => {
  test('is answered at once with a run that is queued, and listed as such', async () => {
    const workflow = await aWorkflow()
    const until = new Date(Date.now() + 3_600_000).toISOString()
    const begun = Date.now()
    const { status, headers, body } = await post('/v1/runs', { workflow, start_at: until })
    expect(Date.now() - begun).toBeLessThan(10_000)
    expect([status, headers.get('Run-Status'), body.status]).toEqual([202, 'queued', 'queued'])
    expect(body.waiting).toMatchObject({ for: 'time', until })
    const listed = await get(`/v1/runs?workflow=${workflow}&status=queued`)
    expect(listed.body.items).toMatchObject([{ id: body.id, waiting: { for: 'time', until } }])
    const cancelled = await post(`/v1/runs/${body.id}/cancel`)
    expect([cancelled.status, cancelled.body.status]).toEqual([202, 'cancelled'])
  })

  test('in another zone is the same time; one that is past is at once', async () => {
    const workflow = await aWorkflow()
    expect((await post('/v1/runs', { workflow, start_at: '2020-01-01T00:00:00+02:00' })).body.status).toBe('succeeded')
  })

  test('more than a year ahead is refused', async () => {
    const workflow = await aWorkflow()
    const start_at = new Date(Date.now() + 366 * 24 * 3_600_000).toISOString()
    const { status, body } = await post('/v1/runs', { workflow, start_at })
    expect([status, body.errors]).toMatchObject([422, [{ path: '/start_at', code: 'out_of_bounds' }]])
  })

  test('more than a year ahead is refused together with every other fault of the body', async () => {
    const start_at = new Date(Date.now() + 366 * 24 * 3_600_000).toISOString()
    const refused = await post('/v1/runs', { workflow: 'orders@canary', start_at, tgas: [] })
    expect(refused).toMatchObject({ status: 422, body: { code: 'invalid_request' } })
    expect(refused.body.errors.map(({ path, code }: { path: string; code: string }) => `${path} ${code}`)).toEqual([
      '/tgas unknown_field',
      '/workflow not_available',
      '/start_at out_of_bounds',
    ])
  })
})
