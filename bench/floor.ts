// The least that a durable answer costs on this runtime: a Hono route, one RPC to one Durable Object, one SQLite insert.
// What the orchestrator needs is measured against this, in the same run, so that the machine cancels out.
// `/direct` is the floor of tasks that call out: the same calls, made by a Worker that keeps nothing, one after another or `at_once`.

import { DurableObject } from 'cloudflare:workers'
import { Hono } from 'hono'

interface FloorEnv {
  FLOOR: DurableObjectNamespace<Floor>
}

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

export default app
