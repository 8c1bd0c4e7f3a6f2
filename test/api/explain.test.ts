// GET /v1/runs/{id}/explain: as data and as text, of runs that go on, that have ended, and that nobody could read.

import { abortAllDurableObjects, reset, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { RunError } from '../../src/workflow/event.ts'
import { parseRunId } from '../../src/workflow/run-id.ts'
import { fakeUpstream } from '../support/fake-upstream.ts'
import { aCallingWorkflow, aName, aWorkflow, call, get, post } from './client.ts'

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

const asText = (id: string) => get(`/v1/runs/${id}/explain`, { headers: { Accept: 'text/plain' } })

/** A run of a call that fails twice and is undone, with an alert that is there for it. */
async function aFailedRun(): Promise<string> {
  const name = aName()
  const retry = { max_attempts: 2, initial_interval: '1ms', jitter: 'none' }
  const url = (path: string) => ({ url: `https://upstream.test/${path}` })
  await post('/v1/workflows', {
    name,
    tasks: [
      { id: 'reserve', type: 'http', with: url('reserve'), compensate: 'release' },
      { id: 'charge', type: 'http', with: url('charge'), retry, depends_on: ['reserve'] },
      { id: 'ship', type: 'http', with: url('ship'), depends_on: ['charge'] },
      { id: 'alert', type: 'http', with: url('alert'), depends_on: ['charge'], trigger_rule: 'one_failed' },
      { id: 'release', type: 'http', with: url('release') },
    ],
  })
  fakeUpstream((request) =>
    request.url.endsWith('/charge') ? new Response('no', { status: 503 }) : Response.json({ ok: true }),
  )
  const { status, body } = await post('/v1/run', { workflow: name })
  expect([status, body.status]).toEqual([200, 'failed'])
  return body.id
}

describe('the explanation of a run', () => {
  test('is JSON unless text is asked for, and tells what ran, what failed, what was skipped and undone', async () => {
    const id = await aFailedRun()
    const { headers, body } = await get(`/v1/runs/${id}/explain`)
    expect(headers.get('Content-Type')).toBe('application/json')
    expect(headers.get('Vary')).toContain('Accept')
    expect(body).toMatchObject({ run: id, status: 'failed', needs: [] })
    const path = body.critical_path
    expect(path.tasks.map(({ task }: { task: string }) => task)).toEqual(['reserve', 'charge', 'alert', 'release'])
    const shares = path.tasks.map(({ duration_ms }: { duration_ms: number }) => duration_ms)
    expect(shares.reduce((sum: number, ms: number) => sum + ms, path.after_ms)).toBe(body.duration_ms)
    const text = await asText(id)
    expect(text.headers.get('Content-Type')).toBe('text/plain; charset=utf-8')
    expect(text.text.startsWith(`${body.summary}\n\n${body.sentences[0].text}\n`)).toBe(true)
    expect(text.text.split('\n')).toEqual(
      expect.arrayContaining([
        '2 tasks succeeded: reserve and alert.',
        expect.stringMatching(
          /^charge failed after 2 attempts: http_503 \(.+\)\. That stopped the run, since its on_failure is stop\.$/,
        ),
        'ship was skipped because charge failed (upstream_failed).',
        'Undone: reserve by release.',
      ]),
    )
  })

  test('that goes on says what it waits for', async () => {
    vi.spyOn(globalThis, 'fetch').mockImplementation(() => new Promise(() => {}))
    const workflow = await aCallingWorkflow()
    const { id } = (await post('/v1/run', { workflow }, { Prefer: 'respond-async' })).body
    const { body } = await get(`/v1/runs/${id}/explain`)
    expect(body).toMatchObject({
      status: 'running',
      needs: [{ for: 'executing', tasks: ['call'] }, { for: 'deadline' }],
    })
    await post(`/v1/runs/${id}/pause`)
    expect((await asText(id)).text).toContain(`POST /v1/runs/${id}/resume lets it go on`)
    await post(`/v1/runs/${id}/cancel`)
    expect((await asText(id)).text).toMatch(
      /^The run was cancelled after \d+ ms: 0 of 1 task succeeded, 1 cancelled\.\n/,
    )
  })

  test('that was ended unread says so, in either form', async () => {
    const { id } = (await post('/v1/run', { workflow: await aWorkflow() })).body
    const stub = env.RUNNER.get(env.RUNNER.idFromName(`default:${parseRunId(id)!.shard}`))
    const error = { code: 'run_poisoned', message: 'It ended two instances', retryable: false } satisfies RunError
    await runInDurableObject(stub, (_, { storage }) => {
      storage.sql.exec(
        `UPDATE runs SET is_unreadable = 1, head = '[1,', status = 'failed',
         summary = json_set(summary, '$.status', 'failed', '$.error', json(?)) WHERE id = ?`,
        JSON.stringify(error),
        id,
      )
    })
    await abortAllDurableObjects()
    const { body } = await get(`/v1/runs/${id}/explain`)
    expect(body).toMatchObject({ run: id, status: 'failed', duration_ms: null, sentences: [], needs: [] })
    expect(body.summary).toContain('run_poisoned (It ended two instances)')
    expect((await asText(id)).text).toBe(`${body.summary}\n`)
  })

  test('of a run that is not there, or in a form that there is not, is refused', async () => {
    const { id } = (await post('/v1/run', { workflow: await aWorkflow() })).body
    expect(await get('/v1/runs/run_1/explain')).toMatchObject({ status: 404, body: { code: 'run_not_found' } })
    const none = `${id.slice(0, -1)}${id.endsWith('A') ? 'B' : 'A'}`
    expect(await get(`/v1/runs/${none}/explain`)).toMatchObject({ status: 404, body: { code: 'run_not_found' } })
    const html = await get(`/v1/runs/${id}/explain`, { headers: { Accept: 'text/html' } })
    expect(html).toMatchObject({ status: 406, body: { code: 'not_acceptable' } })
    expect(await call('HEAD', `/v1/runs/${id}/explain`)).toMatchObject({ status: 200, text: '' })
    const tried = await get(`/v1/runs/${id}/explain?at=1`)
    expect(tried).toMatchObject({ status: 400, body: { code: 'invalid_parameter' } })
  })
})
