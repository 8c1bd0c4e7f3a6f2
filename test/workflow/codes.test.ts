// The table of codes lists none that nothing uses; that the source uses none which it lacks is a matter of types.

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

test('every code of the table is named somewhere in the source', () => {
  const unused = Object.keys(CODES).filter((code) => !texts.some((text) => text.includes(`'${code}'`)))
  expect(unused).toEqual([])
})

test('a status is worth another attempt exactly where the contract says so', () => {
  const retryable = Array.from({ length: 500 }, (_, index) => index + 100).filter(isRetryableStatus)
  expect(retryable).toEqual([408, 425, 429, 500, 502, 503, 504])
})
