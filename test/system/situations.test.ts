// Whatever a run was in the middle of when the process died, it goes on to the same end: one server, one `kill -9`, and runs
// in every situation that lasts. Nothing that succeeded is called again.

import { expect, test, vi } from 'vitest'
import type { RunView } from './client.ts'
import { withServer } from './harness.ts'
import type { Call } from './upstream.ts'

const { server, client, upstream } = await withServer()

interface Situation {
  tasks: object[]
  /** Further fields of the definition. */
  rest?: object
  /** A workflow that these tasks may start. */
  below?: { name: string; tasks: object[] }
  /** Brings the run into the situation, and is done once it is there. */
  reach(id: string): Promise<void>
  /** What somebody does once the server is back; without it nobody does anything. */
  after?(id: string): Promise<void>
  check(run: RunView, calls: Call[]): void
}

const http = (id: string, path: string, rest: object = {}) => ({
  id,
  type: 'http',
  with: { url: upstream.at(path) },
  ...rest,
})

/** Until the run looks so. */
async function seen(id: string, looks: (run: RunView) => boolean): Promise<void> {
  await vi.waitFor(async () => expect(looks(await client.run(id))).toBe(true), { timeout: 10_000, interval: 20 })
}

const statusOf = (run: RunView, task: string) => run.tasks.find(({ id }) => id === task)!.status
const callsOf = (calls: Call[], task: string) => calls.filter(({ key }) => key.split('/')[1] === task).length

async function post(path: string, body?: unknown): Promise<void> {
  const answer = await client.request('POST', path, body)
  expect(answer.status, `${path}: ${JSON.stringify(answer.body).slice(0, 500)}`).toBeLessThan(300)
}

const SITUATIONS: Record<string, () => Situation> = {
  'waiting for a retry': () => ({
    tasks: [
      http('before', 'ok'),
      http('shaky', 'flaky?fails=1', {
        depends_on: ['before'],
        retry: { max_attempts: 3, initial_interval: '4s', jitter: 'none' },
      }),
    ],
    reach: (id) => seen(id, (run) => statusOf(run, 'shaky') === 'waiting'),
    check(run, calls) {
      expect(run.status).toBe('succeeded')
      expect(run.tasks[1]!.attempts.map(({ number, status }) => [number, status])).toEqual([
        [1, 'failed'],
        [2, 'succeeded'],
      ])
      expect([callsOf(calls, 'before'), callsOf(calls, 'shaky')]).toEqual([1, 2])
      const [first, second] = run.tasks[1]!.attempts
      expect(Date.parse(second!.started_at) - Date.parse(first!.finished_at!)).toBeGreaterThanOrEqual(4_000)
    },
  }),

  'waiting to poll again': () => ({
    tasks: [
      {
        id: 'job',
        type: 'http',
        with: { url: upstream.at('ready?after=2'), poll: { until: 'response.body.ready', every: '4s' } },
      },
    ],
    reach: (id) => seen(id, (run) => statusOf(run, 'job') === 'waiting'),
    check(run, calls) {
      expect(run.status).toBe('succeeded')
      expect(calls.map(({ key }) => key)).toEqual(['p1', 'p2', 'p3'].map((n) => `${run.id}/job/${n}`))
      for (const [n, { at }] of calls.entries()) if (n > 0) expect(at - calls[n - 1]!.at).toBeGreaterThanOrEqual(4_000)
    },
  }),

  asleep: () => ({
    tasks: [{ id: 'nap', type: 'sleep', with: { for: '4s' } }, http('then', 'ok', { depends_on: ['nap'] })],
    reach: (id) => seen(id, (run) => statusOf(run, 'nap') === 'waiting'),
    check(run, calls) {
      expect(run.status).toBe('succeeded')
      expect(run.duration_ms).toBeGreaterThanOrEqual(4_000)
      expect(callsOf(calls, 'then')).toBe(1)
    },
  }),

  paused: () => ({
    tasks: [http('a', 'ok?ms=300'), http('b', 'ok', { depends_on: ['a'] })],
    async reach(id) {
      await post(`/v1/runs/${id}/pause`)
      await seen(id, (run) => statusOf(run, 'a') === 'succeeded')
    },
    async after(id) {
      const run = await client.run(id)
      expect(run).toMatchObject({ status: 'paused', deadline_at: null })
      expect(statusOf(run, 'b')).toBe('pending')
      await post(`/v1/runs/${id}/resume`)
    },
    check(run, calls) {
      expect(run.status).toBe('succeeded')
      expect([callsOf(calls, 'a'), callsOf(calls, 'b')]).toEqual([1, 1])
    },
  }),

  compensating: () => ({
    tasks: [
      http('book', 'ok', { compensate: 'unbook' }),
      http('pay', 'ok', { depends_on: ['book'], compensate: 'refund' }),
      http('ship', 'status?code=404', { depends_on: ['pay'] }),
      http('unbook', 'ok'),
      http('refund', 'ok?ms=1500'),
    ],
    reach: (id) => seen(id, (run) => statusOf(run, 'refund') === 'running'),
    check(run, calls) {
      expect(run).toMatchObject({ status: 'failed', error: { code: 'http_404', task_id: 'ship' } })
      expect(run.tasks.map(({ status }) => status)).toEqual([
        'succeeded',
        'succeeded',
        'failed',
        'succeeded',
        'succeeded',
      ])
      expect(run.tasks[4]!.attempts.map(({ status }) => status)).toEqual(['interrupted', 'succeeded'])
      const undone = calls.filter(({ key }) => key.endsWith('/undo')).map(({ key }) => key.split('/')[1])
      expect(undone).toEqual(['pay', 'pay', 'book'])
    },
  }),

  'with a map half done': () => ({
    tasks: [
      {
        id: 'each',
        type: 'map',
        with: {
          items: Array.from({ length: 12 }, (_, index) => (index < 5 ? 0 : 700)),
          task: { type: 'http', with: { url: upstream.at(`ok?ms=\${{ item }}`) } },
          max_parallel: 3,
        },
      },
    ],
    reach: (id) => seen(id, (run) => (run.tasks[0]!.items?.succeeded ?? 0) >= 5),
    check(run, calls) {
      expect(run.status).toBe('succeeded')
      expect(run.tasks[0]).toMatchObject({ items: { total: 12, succeeded: 12 }, attempts: [] })
      expect(run.tasks[0]!.output).toHaveLength(12)
      const perItem = Array.from(
        { length: 12 },
        (_, index) => calls.filter(({ key }) => key.endsWith(`/each/${index}`)).length,
      )
      expect(perItem.slice(0, 5), 'what succeeded is not called again').toEqual([1, 1, 1, 1, 1])
      for (const count of perItem) expect(count).toBeOneOf([1, 2])
    },
  }),

  'with a child that runs': () => ({
    below: { name: 'below', tasks: [http('first', 'ok'), http('slow', 'ok?ms=1500', { depends_on: ['first'] })] },
    tasks: [{ id: 'sub', type: 'workflow', with: { workflow: 'below' } }, http('then', 'ok', { depends_on: ['sub'] })],
    async reach(id) {
      await seen(id, (run) => run.tasks[0]!.child_run !== undefined)
      const child = (await client.run(id)).tasks[0]!.child_run!
      await vi.waitFor(
        async () => {
          const { status, body } = await client.request('GET', `/v1/runs/${child}`)
          expect(status === 200 && statusOf(body as RunView, 'slow')).toBe('running')
        },
        { timeout: 10_000, interval: 20 },
      )
    },
    check(run, calls) {
      expect(run.status).toBe('succeeded')
      expect(run.tasks[0]!.attempts.map(({ status }) => status)).toEqual(['succeeded'])
      expect(callsOf(calls, 'then')).toBe(1)
      const below = upstream.calls.filter(({ key }) => key.startsWith(`${run.tasks[0]!.child_run}/`))
      expect([callsOf(below, 'first'), callsOf(below, 'slow')]).toEqual([1, 2])
    },
  }),

  'with a map of runs half done': () => ({
    below: { name: 'each-below', tasks: [http('call', `ok?ms=\${{ input.ms }}&item=\${{ input.item }}`)] },
    tasks: [
      {
        id: 'each',
        type: 'map',
        with: {
          items: Array.from({ length: 12 }, (_, index) => (index < 5 ? 0 : 1_200)),
          task: {
            type: 'workflow',
            with: { workflow: 'each-below', input: { ms: `\${{ item }}`, item: `\${{ index }}` } },
          },
          max_parallel: 3,
        },
      },
    ],
    reach: (id) => seen(id, (run) => (run.tasks[0]!.items?.succeeded ?? 0) >= 5),
    check(run) {
      expect(run.status).toBe('succeeded')
      expect(run.tasks[0]).toMatchObject({ items: { total: 12, succeeded: 12 }, attempts: [] })
      const outputs = run.tasks[0]!.output as { call: { body: { item: string } } }[]
      expect(outputs.map(({ call }) => call.body.item)).toEqual(Array.from({ length: 12 }, (_, index) => `${index}`))
      const of = (index: number) => upstream.calls.filter(({ path }) => path.endsWith(`&item=${index}`))
      for (let index = 0; index < 12; index++) {
        expect(of(index).length, 'what succeeded is not called again').toBeOneOf(index < 5 ? [1] : [1, 2])
        expect(new Set(of(index).map(({ key }) => key)).size, 'an item is one run').toBe(1)
      }
      const again = Array.from({ length: 12 }, (_, index) => of(index).length).filter((count) => count === 2)
      expect(again.length, 'some were cut off').toBeGreaterThan(0)
    },
  }),

  'held back by an open circuit': () => ({
    rest: { on_failure: 'continue', defaults: { breaker: { name: 'broken', minimum_calls: 3, open_for: '4s' } } },
    tasks: [
      ...['a', 'b', 'c'].map((id) => http(id, 'status?code=500')),
      http('held', 'ok', { depends_on: ['a', 'b', 'c'], trigger_rule: 'all_failed' }),
    ],
    reach: (id) => seen(id, (run) => run.tasks[3]!.waiting?.for === 'circuit'),
    check(run, calls) {
      expect(statusOf(run, 'held')).toBe('succeeded')
      expect(run.status).toBe('succeeded') // Its failures were handled by the task that was there for them.
      expect(callsOf(calls, 'held')).toBe(1)
      const lastFailure = Date.parse(run.tasks[2]!.attempts[0]!.finished_at!)
      expect(Date.parse(run.tasks[3]!.attempts[0]!.started_at) - lastFailure).toBeGreaterThan(3_500)
    },
  }),

  'waiting for an event that has come early, and for one that has not': () => ({
    tasks: [
      http('slow', 'ok?ms=1500'),
      { id: 'early', type: 'wait_for_event', depends_on: ['slow'], with: { event: 'paid' } },
      { id: 'late', type: 'wait_for_event', with: { event: 'approved', match: 'event.by == "ann"' } },
    ],
    async reach(id) {
      await post(`/v1/runs/${id}/signals/paid`, { amount: 7 })
      await post(`/v1/runs/${id}/signals/approved`, { by: 'bob' })
    },
    async after(id) {
      await post(`/v1/runs/${id}/signals/approved`, { by: 'ann' })
    },
    check(run) {
      expect(run.status).toBe('succeeded')
      expect(run.output).toEqual({ early: { amount: 7 }, late: { by: 'ann' } })
    },
  }),
}

test('a run in any situation goes on to the same end after kill -9', async () => {
  const runs: { name: string; id: string; situation: Situation }[] = []
  for (const [name, situationOf] of Object.entries(SITUATIONS)) {
    const situation = situationOf()
    const workflow = `s${runs.length}`
    if (situation.below !== undefined) {
      await client.register({ timeout: '60s', ...situation.below })
    }
    await client.register({ name: workflow, timeout: '60s', tasks: situation.tasks, ...situation.rest })
    const { body } = await client.start({ workflow }, { prefer: 'respond-async' })
    await situation.reach(body.id)
    runs.push({ name, id: body.id, situation })
  }
  await server.kill()
  await server.start()
  for (const { id, situation } of runs) await situation.after?.(id)
  for (const { name, id, situation } of runs) {
    const run = await client.ended(id)
    console.log(`${name}: ${run.status}${run.error === null ? '' : ` (${run.error.code})`}`)
    const calls = upstream.calls.filter(({ key }) => key.startsWith(`${id}/`))
    expect(() => situation.check(run, calls), `${name}: ${JSON.stringify(run).slice(0, 2_000)}`).not.toThrow()
  }
}, 90_000)
