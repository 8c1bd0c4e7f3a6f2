// The least that a durable answer costs on this runtime: a Hono route, one RPC to one Durable Object, one SQLite insert.
// What the orchestrator needs is measured against this, in the same run, so that the machine cancels out.
// `/direct` is the floor of tasks that call out: the same calls, made by a Worker that keeps nothing, one after another or `at_once`.
// For streams: as many, of the same bytes, written at set times, of nothing that was kept.

import { DurableObject } from 'cloudflare:workers'
import { Hono } from 'hono'

interface FloorEnv {
  FLOOR: DurableObjectNamespace<Floor>
}

/** The object of the floor Worker: one insert for each request. */
export class Floor extends DurableObject<FloorEnv> {
  constructor(ctx: DurableObjectState, env: FloorEnv) {
    super(ctx, env)
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS bodies (id TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID')
  }

  async put(id: string, body: string): Promise<{ id: string; status: string }> {
    this.ctx.storage.sql.exec('INSERT INTO bodies (id, body) VALUES (?, ?)', id, body)
    return { id, status: 'succeeded' }
  }
}

const app = new Hono<{ Bindings: FloorEnv }>()

app.post('/', async (c) => {
  const body = await c.req.json()
  const floor = c.env.FLOOR.get(c.env.FLOOR.idFromName('floor'))
  return c.json(await floor.put(crypto.randomUUID(), JSON.stringify(body)))
})

app.get('/direct', async (c) => {
  const url = c.req.query('url')!
  let left = Number(c.req.query('calls'))
  const callOn = async (): Promise<boolean> => {
    while (left-- > 0) {
      const response = await fetch(url, { cache: 'no-store' })
      if (response.status !== 200) return false
      await response.json()
    }
    return true
  }
  const outcomes = await Promise.all(Array.from({ length: Number(c.req.query('at_once') ?? 1) }, callOn))
  return c.json({ status: outcomes.includes(false) ? 'failed' : 'succeeded' })
})

/** A chunk of a stream, as long as two events of a task that calls out; `at` is when it was to be written. */
function chunkAt(at: number, n: number): Uint8Array {
  const data = (rest: object) => JSON.stringify({ at: new Date(at).toISOString(), task: 't10', ...rest })
  const output = { status: 200, headers: { 'content-type': 'application/json' }, body: { ok: true } }
  const frames = [
    `id: ${2 * n}\nevent: attempt.succeeded\ndata: ${data({ started_by: 2 * n - 1, output })}\n\n`,
    `id: ${2 * n + 1}\nevent: attempt.started\ndata: ${data({ attempt: 1 })}\n\n`,
  ]
  return new TextEncoder().encode(frames.join(''))
}

app.get('/stream', (c) => {
  const [from, every, times] = ['from', 'every', 'times'].map((name) => Number(c.req.query(name)))
  let n = 0
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => controller.enqueue(new TextEncoder().encode('retry: 1000\n\n')),
      async pull(controller) {
        if (n === times) return controller.close()
        const at = from! + n * every!
        await scheduler.wait(Math.max(0, at - Date.now()))
        controller.enqueue(chunkAt(at, ++n))
      },
    },
    { highWaterMark: 0 },
  )
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' } })
})

export default app
