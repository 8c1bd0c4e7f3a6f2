// The circuits as clients see them: listed, shown on tasks, reset, scraped.

import { afterEach, describe, expect, test, vi } from 'vitest'
import { type Answer, aName, get, post } from './client.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

/** The server called, by its answers' status. Tests of this file share a tenant, so each calls a host of its own. */
function aServer(): { status: number } {
  const server = { status: 500 }
  vi.spyOn(globalThis, 'fetch').mockImplementation(async () => new Response('{}', { status: server.status }))
  return server
}

async function aWorkflowCalling(url: string, rest: object = {}): Promise<string> {
  const name = aName()
  const tasks = [{ id: 'call', type: 'http', with: { url }, ...rest }]
  expect((await post('/v1/workflows', { name, timeout: '1h', tasks })).status).toBe(201)
  return name
}

/** Makes as many failing calls as open the circuit: failures are told once a second by each of sixteen shards. */
async function open(workflow: string, circuit: string, calls = 10): Promise<void> {
  for (let runs = 0; runs < calls; runs++) await post('/v1/run', { workflow }, { Prefer: 'wait=2' })
  await vi.waitFor(async () => expect(await shown(circuit)).toMatchObject({ state: 'open' }), 5_000)
}

async function shown(name: string): Promise<Answer['body']> {
  const { body } = await get('/v1/circuits?limit=200')
  return body.items.find((circuit: { name: string }) => circuit.name === name)
}

const resetOf = (name: string) => post(`/v1/circuits/${encodeURIComponent(name)}/reset`)

describe('a circuit that has opened', () => {
  test('is listed and scraped, holds tasks back visibly, and a reset lets them go on', async () => {
    const server = aServer()
    const origin = 'https://upstream.test:8101'
    const workflow = await aWorkflowCalling(`${origin}/orders`)
    await open(workflow, origin)
    expect(await shown(origin)).toMatchObject({ state: 'open', openings: 1, cause: 'http_500' })
    expect((await get('/metrics')).text).toContain(`orchestrator_circuit_state{target="${origin}"} 2\n`)

    const held = await vi.waitFor(async () => {
      const { body } = await post('/v1/run', { workflow }, { Prefer: 'wait=0' })
      expect(body.tasks[0]).toMatchObject({ status: 'waiting', waiting: { for: 'circuit' } })
      return body
    }, 5_000)
    expect(Date.parse(held.tasks[0].waiting.until)).toBeGreaterThan(Date.now())

    server.status = 200
    const reset = await resetOf(origin)
    expect(reset).toMatchObject({ status: 200, body: { name: origin, state: 'closed', openings: 0 } })
    expect(reset.body).not.toHaveProperty('retry_at')
    expect(await shown(origin)).toMatchObject({ state: 'closed' })
    const done = await get(`/v1/runs/${held.id}`, { headers: { Prefer: 'wait=5' } })
    expect(done.body.status).toBe('succeeded')
    expect((await get('/metrics')).text).toContain(`orchestrator_circuit_state{target="${origin}"} 0\n`)
    expect((await resetOf(origin)).status).toBe(200)
  })

  test('is reset by whatever name it has', async () => {
    aServer()
    for (const [url, name] of [
      ['https://upstream.test:8102/', 'https://upstream.test:8102'],
      ['https://UPSTREAM.test:8103/a?b=%2F#c', 'https://upstream.test:8103'],
    ] as const) {
      await open(await aWorkflowCalling(url, { breaker: { minimum_calls: 1 } }), name, 1)
      expect(await resetOf(name)).toMatchObject({ status: 200, body: { name } })
    }
    const workflow = await aWorkflowCalling('https://upstream.test:8104/', {
      breaker: { name: 'pay.ments-1_x', minimum_calls: 1 },
    })
    await open(workflow, 'pay.ments-1_x', 1)
    expect(await resetOf('pay.ments-1_x')).toMatchObject({ status: 200 })
    expect(await shown('https://upstream.test:8104')).toBeUndefined()
  })

  test('is on a page of the list, by name', async () => {
    aServer()
    for (const name of ['page-1', 'page-2', 'page-3']) {
      await open(
        await aWorkflowCalling('https://upstream.test:8105/', { breaker: { name, minimum_calls: 1 } }),
        name,
        1,
      )
    }
    const names: string[] = []
    let path: string | null = '/v1/circuits?limit=2'
    while (path !== null) {
      const { body } = await get(path)
      names.push(...body.items.map((circuit: { name: string }) => circuit.name))
      path = body.next_cursor === null ? null : `/v1/circuits?limit=2&cursor=${body.next_cursor}`
    }
    expect(names).toEqual([...names].sort())
    expect(new Set(names).size).toBe(names.length)
    expect(names).toEqual(expect.arrayContaining(['page-1', 'page-2', 'page-3']))
    expect(await get('/v1/circuits?cursor=nonsense')).toMatchObject({ status: 400, body: { code: 'bad_cursor' } })
  })
})

describe('a circuit that nobody knows', () => {
  test.each(['nothing', 'https://never.test', 'a/b', '../x', '%', 'é😀', '"', 'x'.repeat(5_000)])(
    '%j is not found',
    async (name) => {
      expect(await resetOf(name)).toMatchObject({ status: 404, body: { code: 'circuit_not_found' } })
    },
  )

  test('is so too with a broken encoding in the path', async () => {
    const { status } = await post('/v1/circuits/%E0%A4/reset')
    expect(status).toBe(404)
  })
})
