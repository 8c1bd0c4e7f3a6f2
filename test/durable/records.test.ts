// What a Runner holds in memory: bounded, but never without what has just been asked for.

import { reset, runInDurableObject } from 'cloudflare:test'
import { afterEach, expect, test, vi } from 'vitest'
import { History, type RunRecord } from '../../durable/runner/history.ts'
import { Records } from '../../durable/runner/records.ts'
import { aDefinition, aRun } from '../support/builders.ts'
import { aTenant } from '../support/runner.ts'

afterEach(async () => {
  vi.restoreAllMocks()
  await reset()
})

const MEBIBYTE = 1024 * 1024

function aRecord(id: string, historyLength: number): RunRecord {
  return { run: Object.assign(aRun(aDefinition({ a: [] })), { id }), historyLength } as RunRecord
}

test('the record that was asked for last stays, however large it is, and so do busy ones; others make room', () => {
  const loads: string[] = []
  const history = {
    load: (id: string) => {
      loads.push(id)
      return aRecord(id, 20 * MEBIBYTE)
    },
  } as unknown as History
  const records = new Records(
    history,
    () => {
      throw new Error('no definition is read here')
    },
    (id) => id === 'busy',
  )
  records.keep(aRecord('busy', 20 * MEBIBYTE))
  for (let times = 0; times < 3; times++) records.get('idle')
  expect(loads).toEqual(['idle'])
  records.get('other')
  expect([records.cached('busy'), records.cached('idle'), records.cached('other')].map((one) => one !== null)).toEqual([
    true,
    false,
    true,
  ])
})

test('definitions of runs in memory count, each once, and make room with the last of their runs', () => {
  const text = 'x'.repeat(MEBIBYTE)
  const definition = aDefinition({ a: [] })
  definition.tasks[0]!.with = { url: 'https://upstream.test/', body: text }
  const records = new Records(
    {} as History,
    () => {
      throw new Error('no definition is read here')
    },
    () => false,
  )
  const first = aRecord('first', 0)
  records.keep(first)
  const { workflow } = first.run
  // Runs of one definition share it.
  for (let i = 0; i < 100; i++) {
    records.keep({
      run: Object.assign(aRun(aDefinition({ a: [] })), { id: `of-${i}`, workflow }),
      historyLength: 0,
    } as RunRecord)
  }
  expect(records.cached('first')).not.toBeNull()
  for (let i = 0; i < 5; i++) {
    const run = Object.assign(aRun(definition), { id: `large-${i}` })
    records.keep({ run, historyLength: 0 } as RunRecord)
  }
  const kept = [0, 1, 2, 3, 4].filter((i) => records.cached(`large-${i}`) !== null)
  expect(kept).toEqual([3, 4])
  expect(records.cached('first')).toBeNull()
})

test('a run that goes on after a cut stays, though it and others like it are more than memory is for', async () => {
  const tenant = aTenant()
  const shape = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`t${index}?`, []]))
  await tenant.register(aDefinition(shape, { timeout: '1h' }))
  const load = vi.spyOn(History.prototype, 'load')
  // Nobody waits for them, or they would stay for that. 3 MB each, without their histories.
  for (let i = 0; i < 6; i++) await tenant.runner().start(tenant.start('wf', { waitMs: 0 }))
  const ended = () =>
    runInDurableObject(tenant.runner(), (_, { storage }) =>
      storage.sql.exec(`SELECT id FROM runs WHERE status = 'succeeded'`).toArray(),
    )
  await vi.waitUntil(async () => (await ended()).length === 6, { timeout: 20_000 })
  expect(load).not.toHaveBeenCalled()
})
