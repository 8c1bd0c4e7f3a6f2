// The largest that the contract allows: definitions, runs, answers.

import { describe, expect, test } from 'vitest'
import type { RunView } from './client.ts'
import { withServer } from './harness.ts'

const MEBIBYTE = 1024 * 1024
const MAX_DEFINITION = 4 * MEBIBYTE
const MAX_ANSWER = 8 * MEBIBYTE

const { client, upstream } = await withServer()

/** The answer to a start as text, with its size in bytes, and as a run. */
async function started(workflow: string): Promise<{ bytes: number; run: RunView }> {
  const { status, body } = await client.request<RunView>('POST', '/v1/run', { workflow })
  // On a slow machine it takes longer than a start waits.
  expect([200, 202]).toContain(status)
  const run = status === 200 ? body : await client.ended(body.id)
  return { bytes: Buffer.byteLength(JSON.stringify(run)), run }
}

/** 10,000 placeholders in layers of 10, each depending on `width` of the layer before; ids of that length. */
function wide(name: string, width: number, idLength: number) {
  const idOf = (n: number) => `t${n}`.padEnd(idLength, '_')
  const tasks = Array.from({ length: 10_000 }, (_, n) => {
    const layer = n - (n % 10) - 10
    const depends_on = layer < 0 ? [] : Array.from({ length: width }, (_, k) => idOf(layer + ((n + k) % 10)))
    return { id: idOf(n), type: 'python', depends_on }
  })
  return { name, timeout: '10m', tasks }
}

describe('a definition of 10,000 tasks', () => {
  test('registers and runs, and its answer fits', async () => {
    await client.register(wide('tasks10000', 1, 5))
    const { bytes, run } = await started('tasks10000')
    expect(run).toMatchObject({ status: 'succeeded', progress: { total: 10_000, succeeded: 10_000 } })
    expect(run.tasks).toHaveLength(10_000)
    expect(bytes).toBeLessThanOrEqual(MAX_ANSWER)
    // Read back from what is stored: the same.
    expect(await client.run(run.id)).toEqual(run)
  })

  test('is refused with one task more', async () => {
    const definition = wide('tasks10001', 1, 5)
    definition.tasks.push({ id: 'more', type: 'python', depends_on: [] })
    const { status, body } = await client.request<{ code: string }>('POST', '/v1/workflows', definition)
    expect({ status, code: body.code }).toEqual({ status: 422, code: 'invalid_definition' })
  })
})

describe('a definition of nearly 4 MiB', () => {
  test('of many edges registers and runs, and its answer fits', async () => {
    const definition = wide('edges', 5, 60)
    const size = Buffer.byteLength(JSON.stringify(definition))
    expect(size).toBeGreaterThan(MAX_DEFINITION - 400_000)
    expect(size).toBeLessThan(MAX_DEFINITION)
    await client.register(definition)
    const { bytes, run } = await started('edges')
    expect(run).toMatchObject({ status: 'succeeded', progress: { total: 10_000, succeeded: 10_000 } })
    expect(bytes).toBeLessThanOrEqual(MAX_ANSWER)
  })

  test('of large calls registers and runs', async () => {
    const filling = 'ä'.repeat(100_000)
    const tasks = Array.from({ length: 20 }, (_, n) => ({
      id: `t${n}`,
      type: 'http',
      depends_on: n === 0 ? [] : [`t${n - 1}`],
      with: { url: upstream.at('ok'), json: { filling } },
    }))
    const definition = { name: 'calls', timeout: '60s', tasks }
    expect(Buffer.byteLength(JSON.stringify(definition))).toBeGreaterThan(3.8 * MEBIBYTE)
    await client.register(definition)
    const { run } = await started('calls')
    expect(run).toMatchObject({ status: 'succeeded', error: null })
  })

  test('is refused when it is larger', async () => {
    const definition = wide('edges', 7, 60)
    expect(Buffer.byteLength(JSON.stringify(definition))).toBeGreaterThan(MAX_DEFINITION)
    const { status, body } = await client.request<{ code: string }>('POST', '/v1/workflows', definition)
    expect({ status, code: body.code }).toEqual({ status: 413, code: 'too_large' })
  })
})

describe('outputs', () => {
  test('of more than 8 MiB together leave the largest out of the answer, and stay readable one by one', async () => {
    const bytesOf = (n: number) => (n < 4 ? 100_000 : 1_000_000)
    const tasks = Array.from({ length: 12 }, (_, n) => ({
      id: `t${n}`,
      type: 'http',
      with: { url: upstream.at(`ok?bytes=${bytesOf(n)}`) },
    }))
    await client.register({ name: 'outputs', timeout: '60s', tasks })
    const { bytes, run } = await started('outputs')
    expect(run).toMatchObject({ status: 'succeeded', output: null, output_omitted: true })
    expect(bytes).toBeLessThanOrEqual(MAX_ANSWER)
    expect(bytes).toBeGreaterThan(4 * MEBIBYTE)
    const omitted = run.tasks.filter(({ output_omitted }) => output_omitted)
    expect(omitted.length).toBeGreaterThan(0)
    expect(omitted.every(({ id }) => Number(id.slice(1)) >= 4)).toBe(true)
    for (const { id, output_bytes } of omitted) {
      const { status, body } = await client.request<{ body: { filling: string } }>(
        'GET',
        `/v1/runs/${run.id}/tasks/${id}/output`,
      )
      expect(status).toBe(200)
      expect(body.body.filling).toHaveLength(1_000_000)
      expect(Buffer.byteLength(JSON.stringify(body))).toBe(output_bytes)
    }
  })
})

describe('errors', () => {
  test('of 10,000 tasks leave an answer that fits: the tasks are left out, and stay readable by page', async () => {
    const url = upstream.at(`status/${'p'.repeat(250)}?code=500`)
    // With a circuit nearly all of them would wait for it instead of failing.
    const tasks = Array.from({ length: 10_000 }, (_, n) => ({
      id: `t${n}`,
      type: 'http',
      with: { url },
      breaker: false,
    }))
    await client.register({ name: 'errors', timeout: '5m', on_failure: 'continue', max_parallel: 64, tasks })
    const { bytes, run } = await started('errors')
    expect(run).toMatchObject({ status: 'failed', progress: { failed: 10_000 } })
    expect(bytes).toBeLessThanOrEqual(MAX_ANSWER)
    expect(run).toMatchObject({ tasks: [], tasks_omitted: true })
    const { body } = await client.request<{ items: unknown[] }>('GET', `/v1/runs/${run.id}/tasks?limit=200`)
    expect(body.items).toHaveLength(200)
  })
})
