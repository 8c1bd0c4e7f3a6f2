// What was registered is what is started, at once, on every shard.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { hash32 } from '../../src/workflow/hash.ts'
import { SHARDS } from '../../src/workflow/run-id.ts'
import { Client } from './client.ts'
import { Server } from './harness.ts'

const STARTS = 1_000

let server: Server
let client: Client

beforeAll(async () => {
  server = await Server.start()
  client = new Client(server.url)
})

afterAll(() => server.end())

function register(version: number): Promise<{ version: number }> {
  return client.register({ name: 'moving', description: `the ${version}th`, tasks: [{ id: 'only', type: 'python' }] })
}

/** A key whose start goes to that shard: found by search, since the shard is its hash. */
function keyFor(shard: number, prefix: string): string {
  for (let n = 0; ; n++) if (hash32(`${prefix}-${n}`) % SHARDS === shard) return `${prefix}-${n}`
}

/** @returns the version that was started */
async function startOn(shard: number, prefix: string): Promise<number> {
  const { status, body } = await client.start({ workflow: 'moving' }, { 'idempotency-key': keyFor(shard, prefix) })
  expect(status).toBe(200)
  expect(body.id.slice(4, 6)).toBe(shard.toString(16).padStart(2, '0'))
  return body.version
}

test(`${STARTS} starts on all shards, each right after a registration, take the version just registered`, async () => {
  const shards = Array.from({ length: SHARDS }, (_, shard) => shard)
  let starts = 0
  let registered = 0
  // Starts that go on all the time keep the Runners' leases fresh, and see each version begin: never an older one than was
  // registered before they were sent.
  let isOver = false
  const stale: string[] = []
  const background = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      const atLeast = registered
      if (atLeast === 0) await client.request('GET', '/healthz')
      else {
        const { body } = await client.start({ workflow: 'moving' })
        if (body.version < atLeast) stale.push(`${body.version} after ${atLeast}`)
      }
    }
  })
  while (starts < STARTS) {
    const { version } = await register(registered + 1)
    expect(version).toBe(registered + 1)
    registered = version
    const versions = await Promise.all(shards.map((shard) => startOn(shard, `v${version}`)))
    expect(versions).toEqual(shards.map(() => version))
    starts += shards.length
  }
  isOver = true
  await Promise.all(background)
  expect(stale).toEqual([])
})

test('a pause holds at once on every shard, and so does a resume', async () => {
  await client.register({ name: 'moving', tasks: [{ id: 'only', type: 'python' }] })
  for (let round = 0; round < 5; round++) {
    await client.request('POST', '/v1/workflows/moving/pause')
    const refused = await Promise.all(
      Array.from({ length: SHARDS }, (_, shard) =>
        client.start({ workflow: 'moving' }, { 'idempotency-key': keyFor(shard, `p${round}`) }),
      ),
    )
    expect(refused.map(({ status }) => status)).toEqual(new Array(SHARDS).fill(409))
    await client.request('POST', '/v1/workflows/moving/resume')
    const taken = await Promise.all(Array.from({ length: SHARDS }, (_, shard) => startOn(shard, `r${round}`)))
    expect(taken).toHaveLength(SHARDS)
  }
})

test('a deletion holds at once on every shard, and a new registration has the next number', async () => {
  const before = await client.register({
    name: 'moving',
    description: 'to be deleted',
    tasks: [{ id: 'only', type: 'python' }],
  })
  await startOn(0, 'd')
  expect((await client.request('DELETE', '/v1/workflows/moving')).status).toBe(204)
  const refused = await Promise.all(
    Array.from({ length: SHARDS }, (_, shard) =>
      client.start({ workflow: 'moving' }, { 'idempotency-key': keyFor(shard, 'gone') }),
    ),
  )
  expect(refused.map(({ status }) => status)).toEqual(new Array(SHARDS).fill(404))
  const again = await client.register({ name: 'moving', tasks: [{ id: 'only', type: 'python' }] })
  expect(again.version).toBe(before.version + 1)
  expect(await startOn(3, 'again')).toBe(again.version)
})

test('what was registered is there after a crash, and its number is not given again', async () => {
  const { version } = await client.register({
    name: 'kept',
    description: 'one',
    tasks: [{ id: 'only', type: 'python' }],
  })
  await server.kill()
  await server.start()
  const { body } = await client.start({ workflow: 'kept' })
  expect(body).toMatchObject({ version, status: 'succeeded' })
  const next = await client.register({ name: 'kept', description: 'two', tasks: [{ id: 'only', type: 'python' }] })
  expect(next.version).toBe(version + 1)
  const started = await client.start({ workflow: 'kept' })
  expect(started.body.version).toBe(next.version)
})
