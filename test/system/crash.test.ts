// The promise that everything else rests on: a run whose id was answered is never lost, and ends, though the process dies at
// any moment; and a task that is recorded as succeeded is never called again.
//
// Short by default; the full form: CRASHES=20 npm test -- --project system crash. SEED=n repeats the same load and moments, as
// far as a machine repeats anything.

import { setTimeout as later } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Random, seeded } from '../support/random.ts'
import { Client, type HistoryEvent, isFinal, type RunView } from './client.ts'
import { Disk } from './disk.ts'
import { Server } from './harness.ts'
import { type Call, Upstream } from './upstream.ts'

const CRASHES = Number(process.env.CRASHES ?? 4)
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
const CLIENTS = 16

/** Life of a process under load, in ms. */
const LIFE = { min: 150, max: 1_800 }

/** While attempts are in flight an alarm stands no later than 10 s ahead, then come up to 1 s of jitter and the calls themselves. */
const RECOVERY_MS = 25_000

/** What a start of each workflow may come to, beside `succeeded` and five interruptions. */
const MAY_TIME_OUT = new Set(['short'])

let server: Server
let upstream: Upstream

beforeAll(async () => {
  server = await Server.start()
  upstream = await Upstream.start()
})

afterAll(async () => {
  await server.end()
  await upstream.stop()
})

/** What each start was, and what its client knows of it. */
interface Start {
  /** Also in the run's input and in the path of each of its calls. */
  number: number
  body: { workflow: string; input: { start: number } }
  key: string | null
  /** Ids that were answered; more than one would be a broken promise. */
  answered: Set<string>
}

const tasks = {
  http: (id: string, query: string, depends_on: string[] = []) => ({
    id,
    type: 'http',
    depends_on,
    with: { url: upstream.at(`ok?${query}&task=${id}&start=\${{ input.start }}&run=\${{ run.id }}`) },
  }),
  placeholder: (id: string, depends_on: string[] = []) => ({ id, type: 'python', depends_on }),
}

function workflows() {
  const { http, placeholder } = tasks
  const ids = (count: number) => Array.from({ length: count }, (_, n) => `t${n}`)
  const chain = (count: number, query: string) =>
    ids(count).map((id, n) => http(id, query, n === 0 ? [] : [`t${n - 1}`]))
  const fan = ids(8).map((id) => http(id, 'ms=60', ['head']))
  return [
    { name: 'chain', timeout: '60s', tasks: chain(5, 'ms=0') },
    { name: 'fan', timeout: '60s', tasks: [http('head', 'ms=0'), ...fan, http('tail', 'ms=0', ids(8))] },
    { name: 'slow', timeout: '60s', tasks: chain(3, 'ms=300') },
    // Outputs that are kept beside the history.
    { name: 'large', timeout: '60s', tasks: chain(3, 'ms=50&bytes=40000') },
    { name: 'short', tasks: chain(6, 'ms=250') },
    { name: 'instant', timeout: '60s', tasks: ids(20).map((id, n) => placeholder(id, n < 5 ? [] : [`t${n - 5}`])) },
    {
      name: 'mixed',
      timeout: '60s',
      max_parallel: 2,
      tasks: [placeholder('begin'), ...ids(4).map((id) => http(id, 'ms=120', ['begin'])), placeholder('end', ids(4))],
    },
  ]
}

/** The load: clients that start runs, each again as soon as it has its answer, and that find the server dead now and then. */
class Load {
  readonly starts: Start[] = []
  readonly #client: Client
  readonly #names: string[]
  /** Settled while the server lives. */
  #alive = Promise.withResolvers<void>()
  #isOver = false
  readonly #clients: Promise<void>[]

  constructor(url: string, names: string[], seed: number) {
    this.#client = new Client(url)
    this.#names = names
    this.#alive.resolve()
    this.#clients = Array.from({ length: CLIENTS }, (_, n) => this.#clientOf(seeded(seed + n)))
  }

  serverDied(): void {
    this.#alive = Promise.withResolvers()
  }

  serverLives(): void {
    this.#alive.resolve()
  }

  async end(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#clients)
  }

  async #clientOf(random: Random): Promise<void> {
    while (!this.#isOver) {
      const number = this.starts.length
      const key = random.chance(0.5) ? `key-${number}-${random.int(0, 1e9)}` : null
      const start: Start = {
        number,
        body: { workflow: random.pick(this.#names), input: { start: number } },
        key,
        answered: new Set(),
      }
      this.starts.push(start)
      // A start with a key is repeated until it is answered, as clients do; without one nobody would know what was repeated.
      do {
        await this.#alive.promise
        await this.#send(start, random)
      } while (start.answered.size === 0 && key !== null && !this.#isOver)
    }
  }

  async #send({ body, key, answered }: Start, random: Random): Promise<void> {
    const prefer = random.pick([null, 'respond-async', 'wait=1'])
    const headers = { ...(key === null ? {} : { 'idempotency-key': key }), ...(prefer === null ? {} : { prefer }) }
    try {
      const answer = await this.#client.start(body, headers)
      if (answer.status !== 200 && answer.status !== 202)
        throw new Error(`a start answered ${answer.status} ${JSON.stringify(answer.body)}`)
      answered.add(answer.body.id)
    } catch (error) {
      // The connection broke: nothing was promised. Any other fault fails the test.
      if (!(error instanceof TypeError)) throw error
      await later(5) // The killer tells of its deed only after it.
    }
  }
}

test(
  `${CRASHES} times kill -9 under load: nothing that was answered is lost, every run ends, nothing that succeeded is done again`,
  async () => {
    console.log(`SEED=${SEED} CRASHES=${CRASHES}`)
    const random = seeded(SEED)
    const client = new Client(server.url)
    const definitions = workflows()
    for (const definition of definitions) await client.register(definition)

    const load = new Load(
      server.url,
      definitions.map(({ name }) => name),
      SEED,
    )
    for (let crash = 0; crash < CRASHES; crash++) {
      await later(random.int(LIFE.min, LIFE.max))
      load.serverDied()
      await server.kill()
      await server.start()
      load.serverLives()
    }
    await later(random.int(LIFE.min, LIFE.max))
    const ended = load.end()
    load.serverDied()
    await server.kill()
    load.serverLives()
    await ended

    // From here to the end of all runs nobody asks the server anything.
    await server.start()
    const disk = new Disk(server.folder)
    const live = await disk.allEnded(RECOVERY_MS)
    const stored = disk.runs()
    disk.close()
    if (stored === null) throw new Error('the stored runs changed though all had ended')
    expect(live, 'runs that did not end by themselves').toEqual([])

    // Before the repeats: a start with a key that the last crash cut off may begin its run only when it is repeated.
    const acknowledged = load.starts.flatMap(({ answered }) => [...answered])
    const callsByThen = upstream.calls.length
    const keyed = load.starts.filter(({ key }) => key !== null)
    for (const start of keyed) await checkReplay(client, start)

    const storedIds = new Set(stored.map(({ id }) => id))
    expect(
      acknowledged.filter((id) => !storedIds.has(id)),
      'runs that were answered and are lost',
    ).toEqual([])
    const listed = new Set((await client.runs()).map(({ id }) => id))
    expect(
      acknowledged.filter((id) => !listed.has(id)),
      'runs that were answered and are not listed',
    ).toEqual([])

    // Also runs whose start was never answered have to keep what is promised.
    const callsOf = Map.groupBy(upstream.calls, ({ path }) => new URLSearchParams(path.split('?')[1]).get('run') ?? '')
    const statuses: Record<string, number> = {}
    const found = { interrupted: 0, repeated: 0 }
    for (const { id } of stored) {
      const [run, history] = await Promise.all([client.run(id), client.history(id)])
      statuses[run.status] = (statuses[run.status] ?? 0) + 1
      checkRun(run)
      for (const task of run.tasks) {
        const calls = (callsOf.get(id) ?? []).filter(({ key }) => key === `${id}/${task.id}`)
        const events = history.filter(({ data }) => data.task === task.id)
        checkTask(run, task, calls, events)
        found.interrupted += task.attempts.filter(({ status }) => status === 'interrupted').length
        found.repeated += Math.max(0, calls.length - 1)
      }
    }
    // A call leaves only when the commit that says so is durable: no crash may leave calls of a run that was never recorded.
    const orphans = upstream.calls.slice(0, callsByThen).filter(({ key }) => !storedIds.has(key.split('/')[0]!))
    expect(orphans, 'calls of runs that are not there').toEqual([])
    for (const [id, calls] of callsOf) {
      const foreign = calls.filter(
        ({ key, path }) => key !== `${id}/${new URLSearchParams(path.split('?')[1]).get('task')}`,
      )
      expect(foreign, 'calls with another key than their task').toEqual([])
    }
    const runsOfStart = Map.groupBy(callsOf.keys(), (id) =>
      new URLSearchParams(callsOf.get(id)![0]!.path.split('?')[1]).get('start'),
    )
    for (const { number, key } of keyed)
      expect(runsOfStart.get(String(number)) ?? [], `runs of the start with key ${key}`).toHaveProperty(
        'length',
        expect.toSatisfy((length: number) => length <= 1),
      )

    console.log(
      JSON.stringify({
        seed: SEED,
        kills: CRASHES + 1,
        starts: load.starts.length,
        acknowledged: acknowledged.length,
        stored: stored.length,
        statuses,
        calls: upstream.calls.length,
        ...found,
      }),
    )
    expect(acknowledged.length).toBeGreaterThan(5 * CRASHES)
    expect(found.interrupted).toBeGreaterThan(0)
    // The runtime notes that a crash came between an alarm and its commit, and mends it; nothing else is to be noted.
    expect(server.logs.filter((line) => !line.startsWith('NOSENTRY SQLite alarm'))).toEqual([])
  },
  60_000 + 15_000 * CRASHES,
)

/** A start with a key is repeated: the same run, whatever had become of its first answer. */
async function checkReplay(client: Client, { key, body, answered }: Start): Promise<void> {
  for (let repeat = 0; repeat < 2; repeat++) {
    const {
      status,
      headers,
      body: run,
    } = await client.start(body, { 'idempotency-key': key!, prefer: 'respond-async' })
    expect(status, `the start with key ${key}`).toBeOneOf([200, 202])
    if (answered.size > 0) expect(headers.get('idempotent-replayed')).toBe('true')
    answered.add(run.id)
  }
  expect([...answered], `runs of key ${key}`).toHaveLength(1)
}

function checkRun({ id, workflow, status, error, progress, tasks }: RunView): void {
  expect(isFinal({ status }), `${id} is ${status}`).toBe(true)
  const isTired = error?.code === 'interrupted_too_often'
  if (isTired)
    expect(tasks.find((task) => task.id === error.task_id)?.attempts.map((attempt) => attempt.status)).toEqual(
      new Array(5).fill('interrupted'),
    )
  else
    expect(status, `${id} of ${workflow}: ${JSON.stringify(error)}`).toBeOneOf(
      MAY_TIME_OUT.has(workflow) ? ['succeeded', 'timed_out'] : ['succeeded'],
    )
  if (status === 'succeeded') expect(progress).toMatchObject({ total: tasks.length, succeeded: tasks.length })
}

function checkTask(
  run: RunView,
  task: RunView['tasks'][number],
  calls: readonly Call[],
  events: readonly HistoryEvent[],
): void {
  const of = `${run.id}/${task.id}`
  const interrupted = task.attempts.filter(({ status }) => status === 'interrupted').length
  expect(calls.length, `calls of ${of}, ${interrupted} of its attempts were interrupted`).toBeLessThanOrEqual(
    1 + interrupted,
  )
  // What the history says event by event is what the run shows.
  const started = events.filter(({ event }) => event === 'attempt.started').length
  expect(started, `attempts of ${of}`).toBe(task.attempts.length)
  expect(events.filter(({ event }) => event === 'attempt.interrupted')).toHaveLength(interrupted)
  const success = events.findIndex(({ event }) => event === 'attempt.succeeded')
  expect(success !== -1, `${of} is ${task.status}`).toBe(task.status === 'succeeded')
  if (success === -1) return
  expect(events.slice(success + 1), `events of ${of} after its success`).toEqual([])
  const succeededAt = Date.parse(events[success]!.data.at)
  expect(
    calls.filter(({ at }) => at > succeededAt),
    `calls of ${of} after its success`,
  ).toEqual([])
}
