// How the history of a run is read back: page by page, each event once, and no page at the cost of all.

import { reset, runInDurableObject } from 'cloudflare:test'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Rows } from '../../durable/rows.ts'
import { History } from '../../durable/runner/history.ts'
import { compile, type WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import { aDefinition } from '../support/builders.ts'
import { fakeUpstream } from '../support/fake-upstream.ts'
import { aTenant } from '../support/runner.ts'

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

const ids = Array.from({ length: 120 }, (_, i) => `t${i}`)

/** A chain of calls, so each commit is a small one. */
const chain = aDefinition(Object.fromEntries(ids.map((id, i) => [id, ids.slice(Math.max(0, i - 1), i)])), {
  timeout: '1m',
})

/** Its whole work is one commit, which is too long for one row. */
const burst: WorkflowDefinition = {
  ...aDefinition({}),
  tasks: ids.map((id) => ({ id, type: 'transform', depends_on: [], with: { value: `\${{ input }}` } })),
}

async function ended(definition: WorkflowDefinition, input: unknown) {
  fakeUpstream(() => Response.json('x'.repeat(8_000)))
  const tenant = aTenant()
  await tenant.register(definition)
  const start = tenant.start('wf', { waitMs: 30_000, input: JSON.stringify(input) })
  await tenant.runner().start(start)
  return { runner: tenant.runner(), runId: start.runId }
}

describe.each([
  ['of many commits', chain, null],
  ['of commits that fill several rows', burst, 'x'.repeat(8_000)],
])('a history %s', (_, definition, input) => {
  test('is read from the row that holds what is asked for, and each event comes once', async () => {
    const { runner, runId } = await ended(definition, input)
    const workflow = compile(definition)
    await runInDurableObject(runner, (_, state) => {
      const rows = new Rows(state.storage.sql)
      const history = new History(rows)
      const all = [...history.events(runId, workflow)]
      const record = history.load(runId, () => workflow)!
      expect(record.run.events).toBe(all.length)
      const parts = Math.ceil(record.spilled / record.rowStarts.length)
      for (let after = 0; after <= all.length; after++) {
        rows.take()
        const page: unknown[] = []
        for (const event of history.eventsAfter(record, after)) {
          if (page.push(event) === 5) break
        }
        expect(page).toEqual(all.slice(after, after + 5))
        // The row that holds the first of them, and those that hold the rest.
        expect(rows.take().read).toBeLessThanOrEqual(3 * parts + 1)
      }
    })
  })

  test('comes whole in pages from the Runner that has written it', async () => {
    const { runner, runId } = await ended(definition, input)
    const numbers: number[] = []
    let last = 0
    for (let after: number | null = 0; after !== null; ) {
      const page = await runner.events(runId, after, 17)
      if (page.kind !== 'page') throw new Error(page.kind)
      numbers.push(...page.items.map((item) => (JSON.parse(item) as { id: number }).id))
      last = page.last
      after = page.next
    }
    expect(last).toBeGreaterThan(200)
    expect(numbers).toEqual(Array.from({ length: last }, (_, i) => i + 1))
  })
})
