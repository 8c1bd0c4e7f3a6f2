// Computed values in the real runtime: where large ones are kept, what they cost, and that they are counted.

import { abortAllDurableObjects, reset, runInDurableObject } from 'cloudflare:test'
import { afterEach, describe, expect, test } from 'vitest'
import type { RunNotFound, TextPage } from '../../durable/runner/runner-rpc.ts'
import type { TaskDefinition } from '../../src/workflow/definition/definition.ts'
import { aDefinition } from '../support/builders.ts'
import { aTenant, shown } from '../support/runner.ts'

afterEach(() => reset())

const transform = (id: string, value: string, depends_on: string[] = []): TaskDefinition => ({
  id,
  type: 'transform',
  depends_on,
  with: { value },
})

describe('transforms', () => {
  test('hand large values on outside the history, which survive the instance', async () => {
    const tenant = aTenant()
    const big = 'é'.repeat(100_000)
    const tasks = [
      transform('big', `\${{ input.text }}`),
      transform('length', `\${{ tasks.big.output.size() }}`, ['big']),
      transform('same', `\${{ tasks.big.output }}`, ['big']),
    ]
    await tenant.register({ ...aDefinition({}), tasks })
    const start = tenant.start('wf', { input: JSON.stringify({ text: big }) })
    const run = shown(await tenant.runner().start(start))
    expect(run).toMatchObject({ status: 'succeeded', output: { length: 100_000, same: big } })
    const [row] = await runInDurableObject(tenant.runner(), (_, state) =>
      state.storage.sql.exec('SELECT payloads, history_length FROM runs').toArray(),
    )
    // The input, and two outputs.
    expect(row).toMatchObject({ payloads: 3 })
    expect(Number(row!.history_length)).toBeLessThan(1_000)
    await abortAllDurableObjects()
    expect(shown(await tenant.runner().get(start.runId, 0))).toEqual(run)
  })

  test('stand in pages of tasks that end before they become too large', async () => {
    const tenant = aTenant()
    const tasks = Array.from({ length: 20 }, (_, i) => transform(`t${i}`, `\${{ input }}`))
    await tenant.register({ ...aDefinition({}), timeout: '1m', output: 'done', tasks })
    const start = tenant.start('wf', { input: JSON.stringify('x'.repeat(1_000_000)) })
    await tenant.runner().start(start)
    const ids: string[] = []
    for (let after: number | null = 0; after !== null; ) {
      const page: TextPage | RunNotFound = await tenant.runner().tasks(start.runId, null, after, 200)
      if (page.kind !== 'page') throw new Error(page.kind)
      expect(page.items).toHaveLength(after < 16 ? 8 : 4)
      expect(page.items.join(',').length).toBeLessThan(8 * 1024 * 1024)
      ids.push(...page.items.map((text) => (JSON.parse(text) as { id: string }).id))
      after = page.next
    }
    expect(ids).toEqual(tasks.map(({ id }) => id))
  })

  test('of more than a run may keep end it, and nothing else in the shard suffers', async () => {
    const tenant = aTenant()
    const tasks = Array.from({ length: 200 }, (_, i) => transform(`t${i}`, `\${{ input }}`))
    await tenant.register({ ...aDefinition({}), timeout: '1m', tasks })
    await tenant.register({ ...aDefinition({ 'a?': [] }), name: 'other' })
    const start = tenant.start('wf', { input: JSON.stringify('x'.repeat(1_000_000)) })
    const run = shown(await tenant.runner().start(start))
    expect(run).toMatchObject({ status: 'failed', error: { code: 'run_too_large' } })
    const [sum] = await runInDurableObject(tenant.runner(), (_, state) =>
      state.storage.sql.exec('SELECT SUM(LENGTH(data)) AS bytes FROM payloads').toArray(),
    )
    expect(Number(sum!.bytes)).toBeLessThan(80 * 1024 * 1024)
    expect(shown(await tenant.runner().start(tenant.start('other')))).toMatchObject({ status: 'succeeded' })
  }, 20_000)

  test('cost as many rows as placeholders, and are counted by their type', async () => {
    const tenant = aTenant()
    await tenant.register({
      ...aDefinition({}),
      tasks: [transform('a', '1'), transform('b', `\${{ input.nothing }}`, ['a'])],
    })
    await tenant.runner().start(tenant.start('wf'))
    const { counts } = await tenant.runner().counts()
    expect(counts.wf!.attempts).toEqual({ 'transform/succeeded': 1, 'transform/failed': 1 })
    expect(counts.wf!.rows.written).toBeLessThanOrEqual(2)
  })
})
