import { describe, expect, test } from 'vitest'
import { aName, call, get, post } from './client.ts'

/** Starts a run of the tasks, which wait. */
async function aWaitingRun(tasks: object[]): Promise<string> {
  const name = aName()
  const registered = await post('/v1/workflows', { name, timeout: '1d', tasks })
  expect(registered.status, registered.text).toBe(201)
  const { body } = await post('/v1/run', { workflow: name }, { Prefer: 'respond-async' })
  return body.id
}

const ask = (rest: object = {}) => ({ id: 'ask', type: 'wait_for_event', with: { event: 'approved', ...rest } })

describe('sending a signal', () => {
  test.each(['signals', 'events'])('under /%s ends the task that waits for it', async (path) => {
    const id = await aWaitingRun([ask({ match: 'event.by != "eve"' })])
    expect((await get(`/v1/runs/${id}`)).body.tasks[0]).toMatchObject({
      status: 'waiting',
      waiting: { for: 'signal', detail: 'waits for the event "approved"' },
    })
    const early = await post(`/v1/runs/${id}/${path}/approved`, { by: 'eve' })
    expect([early.status, early.body]).toEqual([
      202,
      { id: expect.stringMatching(/^sig_[0-9a-f]{26}$/), delivered_to: [] },
    ])
    const { status, body } = await post(`/v1/runs/${id}/${path}/approved`, { by: 'ada' })
    expect([status, body.delivered_to]).toEqual([202, ['ask']])
    expect((await get(`/v1/runs/${id}`)).body).toMatchObject({ status: 'succeeded', output: { ask: { by: 'ada' } } })
  })

  test('takes any JSON', async () => {
    for (const data of [null, false, 0, '', [], {}]) {
      const id = await aWaitingRun([ask()])
      expect((await post(`/v1/runs/${id}/signals/approved`, JSON.stringify(data))).status).toBe(202)
      expect((await get(`/v1/runs/${id}`)).body.output).toEqual({ ask: data })
    }
  })

  test('without a body gives null, and says what a body without its type lacks', async () => {
    const id = await aWaitingRun([ask()])
    const refused = await call('POST', `/v1/runs/${id}/signals/approved`, {
      body: new TextEncoder().encode('{}'),
      headers: { 'Content-Type': '' },
    })
    expect(refused).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } })
    const typed = await aWaitingRun([ask()])
    const empty = await post(`/v1/runs/${typed}/signals/approved`, undefined, { 'Content-Type': 'application/json' })
    expect(empty.status).toBe(202)
    expect((await get(`/v1/runs/${typed}`)).body.output).toEqual({ ask: null })
    expect(await post(`/v1/runs/${id}/signals/approved`)).toMatchObject({
      status: 202,
      body: { delivered_to: ['ask'] },
    })
    expect((await get(`/v1/runs/${id}`)).body.output).toEqual({ ask: null })
  })

  test('with an Idempotency-Key counts once, and has the same answer each time', async () => {
    const id = await aWaitingRun([ask(), { ...ask({ match: 'false' }), id: 'other' }])
    const send = (body: unknown, key: string) =>
      post(`/v1/runs/${id}/signals/approved`, body, { 'Idempotency-Key': key })
    const first = await send({ n: 1 }, 'k1')
    const again = await send({ n: 1 }, '"k1"')
    expect([again.status, again.body, again.headers.get('Idempotent-Replayed')]).toEqual([202, first.body, 'true'])
    expect(first.headers.get('Idempotent-Replayed')).toBeNull()
    expect(first.body.delivered_to).toEqual(['ask'])
    expect((await send({ n: 2 }, 'k1')).body.code).toBe('idempotency_key_reused')
    expect((await send({ n: 2 }, 'k2')).body.delivered_to).toEqual([])
    expect((await send({ n: 1 }, 'with blank ')).body.code).toBe('invalid_idempotency_key')
  })

  test('by a name that nobody waits for names those there are', async () => {
    const id = await aWaitingRun([ask()])
    const near = await post(`/v1/runs/${id}/signals/aproved`, {})
    expect([near.status, near.body.code]).toEqual([422, 'unknown_signal'])
    expect(near.body.detail).toBe('No task of the workflow waits for "aproved"; did you mean "approved"?')
    const far = await post(`/v1/runs/${id}/signals/${encodeURIComponent('ü/😀')}`, {})
    expect(far.body).toMatchObject({ code: 'unknown_signal', detail: expect.stringContaining('known is "approved"') })
    const deaf = await aWaitingRun([{ id: 'nap', type: 'sleep', with: { for: '1h' } }])
    expect((await post(`/v1/runs/${deaf}/signals/approved`, {})).body.detail).toContain('none waits for any')
  })

  test('to a run that has ended shows it; to one that never was is 404', async () => {
    const id = await aWaitingRun([ask()])
    await post(`/v1/runs/${id}/signals/approved`, {})
    const { status, body } = await post(`/v1/runs/${id}/signals/approved`, {})
    expect([status, body.code, body.run.status]).toEqual([409, 'run_finished', 'succeeded'])
    for (const nowhere of ['run_0001HZZZZZZZZZZZZZZZZZZZZZZZ', 'run_ff01HZZZZZZZZZZZZZZZZZZZZZZZ', 'x']) {
      expect((await post(`/v1/runs/${nowhere}/signals/approved`, {})).body.code).toBe('run_not_found')
    }
  })

  test('with a body that is too large, no JSON, or not sound is refused', async () => {
    const id = await aWaitingRun([ask()])
    const send = (body: string) => post(`/v1/runs/${id}/signals/approved`, body)
    expect((await send(`"${'x'.repeat(1024 * 1024 - 1)}"`)).body.code).toBe('too_large')
    expect((await send('{')).body.code).toBe('malformed_json')
    expect((await send(' ')).body.code).toBe('malformed_json')
    expect((await send('"\\ud800"')).body).toMatchObject({
      code: 'invalid_request',
      errors: [{ path: '', code: 'invalid_format' }],
    })
    expect((await send(`${'['.repeat(101)}${']'.repeat(101)}`)).body.code).toBe('invalid_request')
    expect((await send(`"${'x'.repeat(1024 * 1024 - 2)}"`)).status).toBe(202)
  })
})

describe('a wait in a definition', () => {
  const faultsOf = async (task: object) => {
    const { body } = await post('/v1/workflows', {
      name: aName(),
      timeout: '1d',
      tasks: [{ id: 'w', type: 'wait_for_event', ...task }],
    })
    return body.errors?.map(({ path, code }: { path: string; code: string }) => `${path} ${code}`) ?? body.code
  }

  test('needs the name of its event, written out, and a match that names what is there', async () => {
    expect(await faultsOf({ with: {} })).toEqual(['/tasks/0/with/event required'])
    expect(await faultsOf({})).toEqual(['/tasks/0/with missing_with'])
    expect(await faultsOf({ with: { event: `\${{ input.name }}` } })).toEqual(['/tasks/0/with/event invalid_format'])
    expect(await faultsOf({ with: { event: 'a/b' } })).toEqual(['/tasks/0/with/event invalid_format'])
    expect(await faultsOf({ with: { event: 'a', match: 'event.n ==' } })).toEqual([
      '/tasks/0/with/match expression_syntax',
    ])
    expect(await faultsOf({ with: { event: 'a', match: 'tasks.x.output' } })).toEqual([
      '/tasks/0/with/match unknown_name',
    ])
    expect(await faultsOf({ with: { event: 'a', mach: 'true' } })).toEqual(['/tasks/0/with/mach unknown_field'])
    expect(await faultsOf({ with: { event: 'a', correlate: 'event.id' } })).toEqual([
      '/tasks/0/with/correlate not_available',
    ])
  })

  test('of a transform needs a value, and neither retry nor timeout', async () => {
    expect(await faultsOf({ type: 'transform', with: {} })).toEqual(['/tasks/0/with/value required'])
    expect(await faultsOf({ type: 'transform', with: { value: `\${{ inputt }}`, x: 1 } })).toEqual([
      '/tasks/0/with/x unknown_field',
      '/tasks/0/with/value unknown_name',
    ])
    const both = { type: 'transform', with: { value: null }, retry: {}, timeout: '1s' }
    expect(await faultsOf(both)).toEqual(['/tasks/0/retry conflicting_fields', '/tasks/0/timeout conflicting_fields'])
  })

  test('makes no attempt, so it cannot be retried', async () => {
    expect(await faultsOf({ with: { event: 'a' }, retry: { max_attempts: 3 } })).toEqual([
      '/tasks/0/retry conflicting_fields',
    ])
    expect(await faultsOf({ type: 'sleep', with: { for: '1s' }, retry: {} })).toEqual([
      '/tasks/0/retry conflicting_fields',
    ])
  })
})

describe('a match that costs much', () => {
  const COSTLY = 'event.l.all(a, event.l.all(b, a + b > 0)) && event.ok'
  const data = (ok: boolean) => ({ l: Array(90).fill(1), ok })

  /** Keeps others of its shard waiting for no longer than a step. */
  async function expectShardServes(id: string): Promise<void> {
    const name = aName()
    await post('/v1/workflows', { name, tasks: [{ id: 'a', type: 'transform', with: { value: 1 } }] })
    for (;;) {
      const { status, body } = await post('/v1/run', { workflow: name })
      expect([status, body.status]).toEqual([200, 'succeeded'])
      // Two digits of an id name its shard.
      if (body.id.slice(0, 6) === id.slice(0, 6)) return
    }
  }

  test('of too many tasks refuses the signal and keeps nothing of it; sent again later it is taken', async () => {
    const tasks = Array.from({ length: 100 }, (_, i) => ({
      ...ask({ match: COSTLY, callback: true }),
      id: `ask${i}`,
    }))
    const id = await aWaitingRun(tasks)
    const send = (key: string) => post(`/v1/runs/${id}/signals/approved`, data(true), { 'Idempotency-Key': key })
    const before = await get(`/v1/runs/${id}/history`)
    const [refused] = await Promise.all([send('k'), send('l'), send('m'), expectShardServes(id)])
    expect([refused.status, refused.body.code]).toEqual([422, 'signal_too_costly'])
    expect((await get(`/v1/runs/${id}/history`)).text).toBe(before.text)
    // A link is for one task, whose match is not asked.
    const run = await get(`/v1/runs/${id}`)
    for (const { callback_url } of run.body.tasks.slice(0, 95)) {
      expect((await post(String(callback_url).slice(String(callback_url).indexOf('/v1/')), '"yes"')).status).toBe(202)
    }
    const taken = await send('k')
    expect([taken.status, taken.body.delivered_to]).toEqual([202, ['ask95', 'ask96', 'ask97', 'ask98', 'ask99']])
    expect((await get(`/v1/runs/${id}`)).body.status).toBe('succeeded')
  })

  test('of a task that begins to wait is tried against the signals kept in steps, between which others go on', async () => {
    const id = await aWaitingRun([
      { ...ask(), id: 'first' },
      { id: 'w', type: 'wait_for_event', depends_on: ['first'], with: { event: 'go', match: COSTLY } },
    ])
    for (let i = 0; i < 200; i++) {
      expect((await post(`/v1/runs/${id}/signals/go`, data(false))).body.delivered_to).toEqual([])
    }
    expect((await post(`/v1/runs/${id}/signals/approved`, 1)).body.delivered_to).toEqual(['first'])
    await expectShardServes(id)
    expect((await get(`/v1/runs/${id}`)).body.tasks[1].status, 'it is not done yet').toBe('pending')
    expect((await post(`/v1/runs/${id}/cancel`)).status).toBe(202)
    expect((await get(`/v1/runs/${id}`)).body.status).toBe('cancelled')
  })
})
