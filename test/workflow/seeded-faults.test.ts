import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { FAULTS } from '../../scripts/seeded-faults.ts'

const root = resolve(import.meta.dirname, '../..')

test.each(FAULTS)('the place of the seeded fault stands in the code once: $name', ({ file, from, to }) => {
  const text = readFileSync(resolve(root, file), 'utf8')
  expect(text.split(from)).toHaveLength(2)
  expect(text.replace(from, to)).not.toBe(text)
})
