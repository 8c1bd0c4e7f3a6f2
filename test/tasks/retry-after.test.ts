import { expect, test } from 'vitest'
import { parseRetryAfter } from '../../src/tasks/retry-after.ts'

const now = Date.parse('2026-11-24T12:00:00Z')

test.each<[string | null, number | null]>([
  ['0', 0],
  ['120', 120_000],
  [' 7 ', 7_000],
  ['Tue, 24 Nov 2026 12:00:30 GMT', 30_000],
  ['Tue, 24 Nov 2026 11:00:00 GMT', 0],
  ['999999999999', 400 * 86_400_000],
  [null, null],
  ['', null],
  ['-1', null],
  ['1.5', null],
  ['soon', null],
  ['1e9', null],
])('Retry-After: %s is %s ms', (header, expected) => {
  expect(parseRetryAfter(header, now)).toBe(expected)
})
