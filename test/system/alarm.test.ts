// What the alarm promises across a crash: a run needs nobody to ask for it.

import { setTimeout as later } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Client } from './client.ts'
import { Disk } from './disk.ts'
import { Server } from './harness.ts'
import { Upstream } from './upstream.ts'

let upstream: Upstream
let server: Server
let client: Client

beforeAll(async () => {
  upstream = await Upstream.start()
})

afterAll(() => upstream.stop())

beforeEach(async () => {
  server = await Server.start()
  client = new Client(server.url)
  return () => server.end()
})

/** Starts a run of these tasks and kills the server when the last of them is being called. */
async function killedIn(tasks: { id: string; [field: string]: unknown }[], timeout: string) {
  const from = upstream.calls.length
  await client.register({ name: 'cut', timeout, tasks })
  const { status, body } = await client.start({ workflow: 'cut' }, { prefer: 'respond-async' })
  expect(status).toBe(202)
  await upstream.nextCall(({ key }) => key === `${body.id}/${tasks.at(-1)!.id}`, from)
  await server.kill()
  return body
}

/** Starts the server again, and waits for the end of all runs without a request to it. */
async function restarted(withinMs: number): Promise<void> {
  await server.start()
  const disk = new Disk(server.folder)
  expect(await disk.allEnded(withinMs)).toEqual([])
  disk.close()
}

describe('after kill -9 and a restart, without any request', () => {
  test('a run whose deadline passed while the process was dead is timed out', async () => {
    const tasks = [
      { id: 'stuck', type: 'http', with: { url: upstream.at('hang') } },
      { id: 'after', type: 'http', depends_on: ['stuck'], with: { url: upstream.at('ok') } },
    ]
    const started = await killedIn([tasks[1]!, tasks[0]!], '900ms')
    await later(Date.parse(started.deadline_at!) - Date.now() + 200)

    const restartAt = Date.now()
    await restarted(3_000)

    const run = await client.run(started.id)
    expect(run).toMatchObject({ status: 'timed_out', error: { code: 'run_timeout' } })
    expect(run.tasks.map(({ id, status }) => [id, status])).toEqual([
      ['after', 'skipped'],
      ['stuck', 'timed_out'],
    ])
    expect(Date.parse(run.finished_at!)).toBeGreaterThanOrEqual(restartAt)
    expect(upstream.calls.filter(({ key }) => key.startsWith(run.id))).toHaveLength(1)
  })

  test('a run whose deadline is still ahead is timed out at its deadline', async () => {
    const started = await killedIn([{ id: 'stuck', type: 'http', with: { url: upstream.at('hang') } }], '6s')

    await restarted(10_000)

    const run = await client.run(started.id)
    expect(run.status).toBe('timed_out')
    expect(Date.parse(run.finished_at!) - Date.parse(started.deadline_at!)).toBeLessThan(1_000)
  })

  test('an attempt that the crash cut off is recorded as interrupted and made again with the same key', async () => {
    const tasks = [
      { id: 'first', type: 'http', with: { url: upstream.at('ok') } },
      { id: 'cut', type: 'http', depends_on: ['first'], with: { url: upstream.at('ok?ms=700') } },
      { id: 'after', type: 'http', depends_on: ['cut'], with: { url: upstream.at('ok') } },
    ]
    const started = await killedIn([tasks[2]!, tasks[0]!, tasks[1]!], '20s')

    await restarted(12_000)

    const run = await client.run(started.id)
    expect(run.status).toBe('succeeded')
    const cut = run.tasks.find(({ id }) => id === 'cut')!
    expect(cut.attempts.map(({ number, status }) => [number, status])).toEqual([
      [1, 'interrupted'],
      [1, 'succeeded'],
    ])
    const calls = upstream.calls.filter(({ key }) => key.startsWith(run.id)).map(({ key }) => key.split('/')[1])
    expect(calls).toEqual(['first', 'cut', 'cut', 'after'])
    const events = (await client.history(run.id)).filter(({ data }) => data.task === 'cut').map(({ event }) => event)
    expect(events).toEqual([
      'attempt.started',
      'attempt.interrupted',
      'task.waiting',
      'attempt.started',
      'attempt.succeeded',
    ])
  })

  test('a run that is cut off five times fails and says so', async () => {
    await client.register({
      name: 'cut',
      timeout: '24s',
      tasks: [{ id: 'cut', type: 'http', with: { url: upstream.at('hang') } }],
    })
    let from = upstream.calls.length
    const { body: started } = await client.start({ workflow: 'cut' }, { prefer: 'respond-async' })
    for (let crash = 0; crash < 5; crash++) {
      await upstream.nextCall(({ key }) => key === `${started.id}/cut`, from)
      from = upstream.calls.length
      await server.kill()
      await server.start()
    }
    const disk = new Disk(server.folder)
    expect(await disk.allEnded(15_000)).toEqual([])
    disk.close()

    const run = await client.run(started.id)
    expect(run).toMatchObject({ status: 'failed', error: { code: 'interrupted_too_often', task_id: 'cut' } })
    expect(run.tasks[0]!.attempts.map(({ status }) => status)).toEqual(new Array(5).fill('interrupted'))
  })
})
