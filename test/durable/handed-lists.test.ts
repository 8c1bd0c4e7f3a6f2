// What items are handed whose list is so long that it is kept outside the history.

import { reset } from 'cloudflare:test'
import { afterEach, expect, test, vi } from 'vitest'
import { aDefinition } from '../support/builders.ts'
import { fakeUpstream } from '../support/fake-upstream.ts'
import { aTenant, shown } from '../support/runner.ts'

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

/** More than 16 KB. */
const ORDERS = Array.from({ length: 120 }, (_, id) => ({ id, note: 'x'.repeat(200) }))
const IDS = ORDERS.map(({ id }) => id)

async function mapOver(task: object): Promise<unknown> {
  const tenant = aTenant()
  const definition = aDefinition({ each: [] }, { timeout: '1m', output: `\${{ tasks.each.output }}` })
  Object.assign(definition.tasks[0]!, { type: 'map', with: { items: `\${{ input.orders }}`, task } })
  await tenant.register(definition)
  const start = tenant.start('wf', { input: JSON.stringify({ orders: ORDERS }), waitMs: 20_000 })
  const run = shown(await tenant.runner().start(start))
  expect(run).toMatchObject({ status: 'succeeded', error: null })
  return run.output
}

test('a script is handed its item', async () => {
  const code = 'export default ({ item }) => item.id'
  expect(await mapOver({ type: 'javascript', with: { code } })).toEqual(IDS)
})

test('a poll judges its answers by its item', async () => {
  fakeUpstream(() => Response.json({ id: -1 }))
  const poll = { until: 'response.body.id != item.id', every: '1s' }
  const outputs = await mapOver({ type: 'http', with: { url: 'https://upstream.test/', poll } })
  expect(outputs).toHaveLength(IDS.length)
})
