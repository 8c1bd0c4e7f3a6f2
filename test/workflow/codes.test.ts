// The table of codes is closed: the source uses no code that it lacks, and it lists none that nothing uses.

import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { CODES, isRetryableStatus } from '../../src/workflow/codes.ts'

const root = `${import.meta.dirname}/../..`
const files = ['src', 'durable']
  .flatMap((folder) =>
    readdirSync(`${root}/${folder}`, { recursive: true, encoding: 'utf8' }).map((file) => `${folder}/${file}`),
  )
  .filter((file) => file.endsWith('.ts') && file !== 'src/workflow/codes.ts')
const texts = files.map((file) => readFileSync(`${root}/${file}`, 'utf8'))

// Codes of libraries, which never leave: zod's issue and the expression library's error.
const OTHERS = new Set(['custom', 'evaluation_failed'])

test('every code that the source names is in the table', () => {
  const named = texts.flatMap((text) => [
    ...[...text.matchAll(/\bcode: '([a-z0-9_]+)'/g)].map(([, code]) => code!),
    ...[...text.matchAll(/new ApiProblem\('([a-z0-9_]+)'/g)].map(([, code]) => code!),
    ...[...text.matchAll(/\bfailed\('([a-z0-9_]+)'/g)].map(([, code]) => code!),
  ])
  expect(named.length).toBeGreaterThan(40)
  expect([...new Set(named)].filter((code) => !(code in CODES) && !OTHERS.has(code))).toEqual([])
})

test('every code of the table is named somewhere in the source', () => {
  const unused = Object.keys(CODES).filter((code) => !texts.some((text) => text.includes(`'${code}'`)))
  expect(unused).toEqual([])
})

test('a status is worth another attempt exactly where the contract says so', () => {
  const retryable = Array.from({ length: 500 }, (_, index) => index + 100).filter(isRetryableStatus)
  expect(retryable).toEqual([408, 425, 429, 500, 502, 503, 504])
})
