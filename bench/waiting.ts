// What waiting costs: runs that sleep, timers that are due at once, and how late a retry is.

import { setTimeout as later } from 'node:timers/promises'
import type { Aim } from './aims.ts'
import type { Bench } from './cases.ts'
import { type Burst, call, inTurns, quantile, rateOf, ratioOf, type Work } from './drive.ts'
import { keysOf } from './orchestrator.ts'
import { watchUsage } from './usage.ts'

/** The shard that waits, and one that has nothing to wait for. */
const WAITING_SHARD = 2
const EMPTY_SHARD = 3

const TIMERS = 1_000

/** How long before they are due the last of the timers has to be set, in ms: then the shard is idle. */
const IDLE_MS = 3_000

/** How long their start may take, in ms; it is only a margin. */
const SETTING_MS = 8_000

/** How often a server may put an attempt off. */
const RETRIES_OF_A_RUN = 20

interface TaskView {
  id: string
  started_at: string | null
}

/** Ten thousand runs that sleep in one shard: what its starts cost beside those of a shard without any, and the memory. */
export async function sleepersAim(bench: Bench): Promise<Aim[]> {
  const { form, orchestrator } = bench
  await orchestrator.register({
    name: 'sleepers',
    timeout: '2d',
    tasks: [{ id: 'nap', type: 'sleep', with: { for: '1d' } }],
  } as { name: string })
  const works = [EMPTY_SHARD, WAITING_SHARD].map((shard, index): Work => {
    const keys = keysIn(shard, `beside-sleepers-${index}`)
    return () => orchestrator.run('one', keys())
  })
  const pace = { concurrency: 16, rounds: 1, ms: form.ms, atLeast: 16 }
  const measured = async () => {
    const bursts: Burst[][] = [[], []]
    for (let round = 0; round < 2 * form.rounds; round++) {
      // Now the one first, now the other: a machine that slows down slows both.
      const order = round % 2 === 0 ? [0, 1] : [1, 0]
      const results = await inTurns(
        order.map((index) => works[index]!),
        pace,
      )
      order.forEach((index, place) => void bursts[index]!.push(...results[place]!))
    }
    const [empty, waiting] = bursts as [Burst[], Burst[]]
    return { empty: rateOf(empty), waiting: rateOf(waiting), ratio: ratioOf(waiting, empty) }
  }
  const before = await measured()
  const usage = watchUsage(bench.orchestratorPid)
  const keys = keysIn(WAITING_SHARD, 'sleepers')
  await inTurns([() => start(bench, 'sleepers', keys(), null).then(() => {})], {
    ...pace,
    ms: 0,
    atLeast: form.sleepers,
  })
  await later(1_000)
  const { memory } = usage()
  const after = await measured()
  const change = after.ratio / before.ratio - 1
  const grown = memory.before === null || memory.after === null ? null : memory.after - memory.before
  const sleepers = form.sleepers.toLocaleString('en-US')
  return [
    {
      figure: `runs/s of a shard with ${sleepers} live runs that sleep`,
      aim: 'change < 20 %',
      measured: `${change < 0 ? '' : '+'}${(change * 100).toFixed(1)} % (${after.waiting.toFixed(0)}/s, the empty shard beside it ${after.empty.toFixed(0)}/s; before ${before.waiting.toFixed(0)} and ${before.empty.toFixed(0)}/s)`,
      isReached: change > -0.2,
      how: 'one with a key that goes to that shard, 16 at once; change of its rate over that of a shard without sleepers, in turns',
    },
    {
      figure: `memory for ${sleepers} live runs that sleep in one shard`,
      aim: '< 128 MiB',
      measured:
        grown === null
          ? 'not told by this system'
          : `${grown.toFixed(0)} MiB more (${memory.before!.toFixed(0)}, peak ${memory.peak!.toFixed(0)}, after ${memory.after!.toFixed(0)} MiB of the whole process)`,
      isReached: grown !== null && grown < 128,
      how: 'resident memory of the runtime, which serves every object, before and a second after they were started',
    },
  ]
}

/** A thousand timers that are due at once in one shard, and what its reads take meanwhile. */
export async function timersAim(bench: Bench): Promise<Aim[]> {
  const { orchestrator, orchestratorUrl } = bench
  await orchestrator.register({
    name: 'timers',
    timeout: '5m',
    tasks: [
      { id: 'nap', type: 'sleep', with: { until: 'input.at' } },
      { id: 'then', type: 'http', depends_on: ['nap'] },
    ],
  } as { name: string })
  const keys = keysIn(WAITING_SHARD, 'timers')
  const dueAt = Date.now() + SETTING_MS + IDLE_MS
  const ids: string[] = []
  const set = async () => {
    ids.push(await start(bench, 'timers', keys(), { at: new Date(dueAt).toISOString() }))
  }
  await inTurns([set], { concurrency: 16, rounds: 1, ms: 0, atLeast: TIMERS })
  if (Date.now() > dueAt - IDLE_MS / 2) throw new Error('the timers could not be set in time')
  const reads: { at: number; ms: number }[] = []
  const lastId = ids.at(-1)!
  // Reads of the shard, one after another, from well before the timers are due until well after.
  while (Date.now() < dueAt + IDLE_MS) {
    const at = Date.now()
    const begun = performance.now()
    const answer = await call('GET', `${orchestratorUrl}/v1/runs/${lastId}`)
    if (answer.status !== 200) throw new Error(`a read answered ${answer.status}`)
    reads.push({ at, ms: performance.now() - begun })
  }
  const lateness = await Promise.all(ids.map((id) => latenessOf(orchestratorUrl, id, dueAt)))
  const last = Math.max(...lateness)
  const within = (from: number, to: number) => reads.filter(({ at }) => at >= from && at <= to).map(({ ms }) => ms)
  const idle = quantile(within(0, dueAt - 50), 0.99)
  const waking = within(dueAt - 5, dueAt + last)
  const p99 = quantile(waking, 0.99)
  return [
    {
      figure: `${TIMERS.toLocaleString('en-US')} timers of a shard due at once, until the task after each has started`,
      aim: '<= 2 s',
      measured: `the last ${last.toFixed(0)} ms after it was due, the median ${quantile(lateness, 0.5).toFixed(0)} ms`,
      isReached: last <= 2_000,
      how: '`started_at` of the task after the sleep - the time that the sleep was until',
    },
    {
      figure: 'GET /v1/runs/{id} of that shard meanwhile',
      aim: 'p99 < 10 x idle',
      measured: `p99 ${p99.toFixed(1)} ms of ${waking.length} reads, ${(p99 / idle).toFixed(1)} x the idle ${idle.toFixed(1)} ms; the slowest ${Math.max(...waking).toFixed(1)} ms`,
      isReached: p99 < 10 * idle,
      how: 'one reader, one read after another; idle: the seconds before the timers are due',
    },
  ]
}

/** How late a retry is when nothing else goes on. The server puts each attempt off, since of failures a host is granted few retries. */
export async function retryAim(bench: Bench): Promise<Aim> {
  const { form, orchestrator, orchestratorUrl, upstreamUrl } = bench
  const retry = {
    max_attempts: 2,
    initial_interval: '50ms',
    multiplier: 1,
    jitter: 'none',
  }
  const call1 = { id: 'call', type: 'http', with: { url: `${upstreamUrl}/?busy` }, breaker: false, retry }
  await orchestrator.register({ name: 'retries', timeout: '1m', tasks: [call1] } as { name: string })
  const lateness: number[] = []
  for (let round = 0; round <= 2 * form.rounds; round++) {
    const { text } = await call('POST', `${orchestratorUrl}/v1/run`, '{"workflow":"retries"}')
    const { id } = JSON.parse(text) as { id: string }
    const history = await call('GET', `${orchestratorUrl}/v1/runs/${id}/history?limit=200`)
    const { items } = JSON.parse(history.text) as {
      items: { event: string; data: { at: string; until?: string; snoozed?: true } }[]
    }
    const late = items.flatMap(({ event, data }, position) => {
      const next = items[position + 1]
      return event === 'task.waiting' && data.snoozed === true && next?.event === 'attempt.started'
        ? [Date.parse(next.data.at) - Date.parse(data.until!)]
        : []
    })
    if (late.length !== RETRIES_OF_A_RUN) throw new Error(`a run had ${late.length} retries: ${text.slice(0, 500)}`)
    if (round > 0) lateness.push(...late) // The first run has to learn the workflow.
  }
  const p99 = quantile(lateness, 0.99)
  return {
    figure: 'a retry after its due time, when idle',
    aim: 'p99 <= 50 ms',
    measured: `p50 / p99 ${quantile(lateness, 0.5).toFixed(1)} / ${p99.toFixed(1)} ms, the latest ${Math.max(...lateness).toFixed(0)} ms (${lateness.length} retries)`,
    isReached: p99 <= 50,
    how: '`at` of attempt.started - `until` of the task.waiting before it, in whole ms; waits of 50 ms, one run at a time',
  }
}

async function latenessOf(url: string, id: string, dueAt: number): Promise<number> {
  const { text } = await call('GET', `${url}/v1/runs/${id}`)
  const { status, tasks } = JSON.parse(text) as { status: string; tasks: TaskView[] }
  const startedAt = tasks.find((task) => task.id === 'then')!.started_at
  if (status !== 'succeeded' || startedAt === null) throw new Error(`${id} is ${status} after its timer was due`)
  return Date.parse(startedAt) - dueAt
}

/** Starts a run that waits. */
async function start(bench: Bench, workflow: string, key: string, input: unknown): Promise<string> {
  const headers = { 'idempotency-key': key, prefer: 'respond-async' }
  const answer = await call('POST', `${bench.orchestratorUrl}/v1/run`, JSON.stringify({ workflow, input }), headers)
  if (answer.status !== 202)
    throw new Error(`a start of ${workflow} answered ${answer.status} ${answer.text.slice(0, 500)}`)
  return (JSON.parse(answer.text) as { id: string }).id
}

/** Keys of starts that go to one shard, without end. */
function keysIn(shard: number, prefix: string): () => string {
  let keys: string[] = []
  let batch = 0
  return () => {
    if (keys.length === 0) keys = keysOf(shard, 1_000, `${prefix}-${batch++}`)
    return keys.pop()!
  }
}
