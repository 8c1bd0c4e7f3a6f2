// Many runs of every kind on one shard at once: started, steered, signalled and made again, while calls fail or hang, instances
// die or are evicted, and the clock jumps as after an outage. Afterwards nothing that was accepted may be lost, stuck, ended
// twice or told differently by those who tell it. What follows from one run alone is the simulation's (test/workflow).
//
// The clock is moved, but what runs meanwhile takes real time, so a seed gives the same actions and not the same history.

import {
  abortAllDurableObjects,
  evictDurableObject,
  reset,
  runDurableObjectAlarm,
  runInDurableObject,
} from 'cloudflare:test'
import { ulid } from 'ulid'
import { afterEach, expect, test, vi } from 'vitest'
import type { WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import { runIdOf } from '../../src/workflow/run-id.ts'
import { aRetry } from '../support/builders.ts'
import { fakeUpstream, silence } from '../support/fake-upstream.ts'
import { type Random, seeded } from '../support/random.ts'
import { aTenant, type RunView, shown, type TestTenant } from '../support/runner.ts'

const ROUNDS = 70
const SEEDS = [1, 2, 3]

/** Errors that a run ends with only if something here is wrong. */
const NEVER = ['run_internal_error', 'run_poisoned', 'deadlock', 'unknown_workflow', 'invalid_with', 'expression_error']

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

test.each(SEEDS)(
  'whatever happens to them, runs end, and are told alike by everybody (seed %i)',
  { timeout: 120_000 },
  async (seed) => {
    const chaos = await Chaos.begin(seed)
    for (let round = 0; round < ROUNDS; round++) await chaos.act()
    await chaos.settle()
    await chaos.check()
  },
)

const http = (id: string, rest: object = {}) => ({
  id,
  type: 'http',
  depends_on: [],
  with: { url: `https://upstream.test/${id}` },
  timeout: '300ms',
  retry: aRetry({ max_attempts: 2, initial_interval: '100ms' }),
  breaker: false,
  ...rest,
})
const child = (id: string, workflow: string, rest: object = {}) => ({
  id,
  type: 'workflow',
  depends_on: [],
  with: { workflow, input: [1, 2, 3] },
  ...rest,
})
const mapOf = (id: string, task: object, rest: object = {}) => ({
  id,
  type: 'map',
  depends_on: [],
  with: { items: 'input', task, tolerated_failures: '100%', ...rest },
})

const DEFAULTS = { timeout: '1d', max_parallel: 4, on_failure: 'continue' }

const WORKFLOWS: WorkflowDefinition[] = (
  [
    {
      name: 'leaf',
      tasks: [
        http('call'),
        { id: 'rest', type: 'sleep', depends_on: ['call'], with: { for: '20s' } },
        http('last', { depends_on: ['rest'] }),
      ],
    },
    {
      name: 'instant',
      tasks: [{ id: 'value', type: 'transform', depends_on: [], with: { value: `\${{ run.id }}` } }],
    },
    {
      name: 'waiter',
      tasks: [
        { id: 'go', type: 'wait_for_event', depends_on: [], with: { event: 'go' }, timeout: '2h' },
        http('then', { depends_on: ['go'], trigger_rule: 'all_done' }),
      ],
    },
    {
      name: 'undone',
      tasks: [
        http('book', { compensate: 'unbook' }),
        http('pay', { depends_on: ['book'], breaker: { minimum_calls: 3, open_for: '30s' } }),
        { id: 'rest', type: 'sleep', depends_on: ['pay'], with: { for: '1m' } },
        http('unbook', { retry: aRetry({ max_attempts: 5 }) }),
      ],
    },
    {
      name: 'many',
      timeout: '20m',
      tasks: [
        mapOf(
          'calls',
          { type: 'http', with: { url: `https://upstream.test/\${{ item }}` }, timeout: '300ms' },
          { max_parallel: 2 },
        ),
        mapOf('runs', { type: 'workflow', with: { workflow: 'leaf' } }, { max_parallel: 2 }),
        mapOf('short', { type: 'workflow', with: { workflow: 'instant' } }),
      ],
    },
    {
      name: 'top',
      timeout: '2h',
      tasks: [
        { id: 'rest', type: 'sleep', depends_on: [], with: { for: '25s' } },
        child('leaf', 'leaf', { timeout: '30s', retry: aRetry({ max_attempts: 3, initial_interval: '20s' }) }),
        child('many', 'many'),
        child('waiter', 'waiter', { timeout: '30m', retry: aRetry({ max_attempts: 2 }) }),
        child('undone', 'undone'),
        {
          id: 'end',
          type: 'transform',
          depends_on: ['many', 'waiter', 'undone'],
          trigger_rule: 'all_done',
          with: { value: 1 },
        },
      ],
    },
  ] as unknown as WorkflowDefinition[]
).map((definition) => ({ ...DEFAULTS, ...definition }))

class Chaos {
  readonly #random: Random
  readonly #tenant: TestTenant
  readonly #started = new Set<string>()
  readonly #faults: string[] = []
  #aheadMs = 0
  #isCalm = false

  private constructor(seed: number) {
    this.#random = seeded(seed)
    this.#tenant = aTenant()
  }

  static async begin(seed: number): Promise<Chaos> {
    const chaos = new Chaos(seed)
    const clock = Date.now.bind(Date)
    vi.spyOn(Date, 'now').mockImplementation(() => clock() + chaos.#aheadMs)
    vi.spyOn(console, 'error').mockImplementation((line) => chaos.#faults.push(String(line)))
    fakeUpstream((request) => chaos.#answer(request))
    for (const definition of WORKFLOWS) await chaos.#tenant.register(definition)
    return chaos
  }

  async #answer(request: Request): Promise<Response> {
    if (this.#isCalm) return Response.json({})
    await scheduler.wait(this.#random.int(0, 10))
    const draw = this.#random.next()
    if (draw < 0.1) return silence(request)
    if (draw < 0.25) return new Response('', { status: 500 })
    if (draw < 0.3) return new Response('', { status: 503, headers: { 'Retry-After': '2' } })
    return Response.json({})
  }

  /** One thing happens. */
  async act(): Promise<void> {
    const draw = this.#random.next()
    if (draw < 0.3) return this.#start()
    if (draw < 0.45) {
      this.#aheadMs += this.#random.pick([50, 1_000, 21_000, 70_000, 1_300_000, 8_000_000])
      return
    }
    if (draw < 0.65) return this.#fire()
    if (draw < 0.72) return abortAllDurableObjects()
    if (draw < 0.77) return this.#evict()
    if (draw < 0.82) return scheduler.wait(this.#random.int(1, 40))
    const runs = await this.#ids()
    if (runs.length === 0) return
    const runId = this.#random.pick(runs)
    const runner = this.#tenant.runner()
    if (draw < 0.87) await this.#ask(() => runner.signal({ runId, id: crypto.randomUUID(), name: 'go', data: '1' }))
    else if (draw < 0.9) await this.#ask(() => runner.cancel(runId))
    else if (draw < 0.94) await this.#ask(() => runner.pause(runId))
    else if (draw < 0.98) await this.#ask(() => runner.resume(runId))
    else await this.#retry(runId)
  }

  async #start(): Promise<void> {
    const { name } = this.#random.pick([...WORKFLOWS, WORKFLOWS.at(-1)!, WORKFLOWS.at(-1)!])
    const runId = runIdOf(0, ulid(Date.now()))
    const request = this.#tenant.start(name, { runId, input: '[1,2,3,4]', waitMs: 0 })
    const answer = await this.#ask(() => this.#tenant.runner().start(request))
    if (answer?.kind === 'run') this.#started.add(runId)
  }

  async #retry(of: string): Promise<void> {
    const runId = runIdOf(0, ulid(Date.now()))
    const answer = await this.#ask(() =>
      this.#tenant.runner().retry({ runId, of, from: 'failed', version: null, idempotency: null }),
    )
    if (answer?.kind === 'run') this.#started.add(runId)
  }

  /** What an instance that died under the question answers is nothing. */
  async #ask(question: () => Promise<{ kind: string }>): Promise<{ kind: string } | null> {
    return question().catch(() => null)
  }

  async #fire(): Promise<void> {
    await runDurableObjectAlarm(this.#tenant.runner()).catch(() => {})
  }

  async #evict(): Promise<void> {
    await evictDurableObject(this.#tenant.runner()).catch(() => {})
  }

  /** Everything that calls succeeds, whoever is paused goes on, and as much time passes as there has to. */
  async settle(): Promise<void> {
    this.#isCalm = true
    for (let step = 0; step < 500; step++) {
      for (const { id } of await this.#rows(`SELECT id FROM runs WHERE status = 'paused'`)) {
        await this.#tenant.runner().resume(String(id))
      }
      await this.#fire()
      if ((await this.#rows('SELECT id FROM runs WHERE due_at IS NOT NULL')).length === 0) return
      await scheduler.wait(2)
      this.#aheadMs += 300_000
    }
    expect(await this.#rows('SELECT id, workflow, status, due_at FROM runs WHERE due_at IS NOT NULL')).toEqual([])
  }

  async check(): Promise<void> {
    const rows = await this.#rows('SELECT id, workflow, status, is_unreadable, summary FROM runs')
    expect(rows.length).toBeGreaterThan(10)
    const ids = new Set(rows.map(({ id }) => id))
    expect(
      [...this.#started].filter((id) => !ids.has(id)),
      'an accepted run is lost',
    ).toEqual([])
    expect(rows.filter(({ is_unreadable }) => is_unreadable === 1)).toEqual([])
    const before = new Map<string, RunView>()
    for (const id of await this.#ids()) before.set(id, shown(await this.#tenant.runner().get(id, 0)))
    await this.#evict()
    const ended: Record<string, Record<string, number>> = {}
    for (const { id, workflow, status } of rows) {
      const run = shown(await this.#tenant.runner().get(String(id), 0))
      expect(run, 'memory and history tell the same').toEqual(before.get(run.id))
      expect(run.status, 'the row and the history tell the same').toBe(status)
      expect(NEVER, JSON.stringify(run.error)).not.toContain(run.error?.code)
      await this.#checkEvents(run)
      const counts = ended[String(workflow)] ?? {}
      ended[String(workflow)] = { ...counts, [run.status]: (counts[run.status] ?? 0) + 1 }
    }
    const { counts, runsActive, tasksRunning } = await this.#tenant.runner().counts()
    expect({ runsActive, tasksRunning }).toEqual({ runsActive: 0, tasksRunning: 0 })
    const counted = Object.entries(counts).map(([workflow, { runs }]) => [workflow, runs])
    expect(Object.fromEntries(counted), 'every end is counted once').toEqual(ended)
    for (const table of ['cut_offs', 'removals', 'suspect'])
      expect(await this.#rows(`SELECT * FROM ${table}`)).toEqual([])
    expect(this.#faults.filter((line) => /"where":"(commit|alarm|dispatch|start|recovery)"/.test(line))).toEqual([])
  }

  /** Numbered without a gap, begun once, ended once and by the end that the run shows. */
  async #checkEvents(run: RunView): Promise<void> {
    const page = await this.#tenant.runner().events(run.id, 0, 1_000)
    if (page.kind !== 'page') throw new Error(`no events: ${page.kind}`)
    const events = page.items.map(
      (item) => JSON.parse(item) as { id: number; event: string; data: { status?: string } },
    )
    expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => index + 1))
    const ends = events.filter(({ event }) => event === 'run.finished')
    expect(ends.map(({ id, data }) => [id, data.status])).toEqual([[events.length, run.status]])
  }

  async #ids(): Promise<string[]> {
    return (await this.#rows('SELECT id FROM runs ORDER BY id')).map(({ id }) => String(id))
  }

  async #rows(query: string): Promise<Record<string, SqlStorageValue>[]> {
    return runInDurableObject(this.#tenant.runner(), (_, state) => state.storage.sql.exec(query).toArray())
  }
}
