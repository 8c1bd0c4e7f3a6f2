// What a Runner holds in memory: bounded, but never without what has just been asked for.

import { expect, test } from 'vitest'
import type { History, RunRecord } from '../../durable/history.ts'
import { Records } from '../../durable/records.ts'
import { aDefinition, aRun } from '../support/builders.ts'

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
