// The same programs in MicroPython with our modules and in CPython.

import { describe, expect, inject, test } from 'vitest'
import { runPython } from '../../src/tasks/script/python-engine.ts'

const limits = { fuel: 1e8, memoryBytes: 32 * 1024 * 1024, outputBytes: 1024 * 1024 }
const programs = inject('pythonPrograms')

/** Where two values differ; floats may do so in their last digits. */
function differences(ours: unknown, theirs: unknown, path = ''): string[] {
  if (typeof ours === 'number' && typeof theirs === 'number') {
    const isNear = Math.abs(ours - theirs) <= 1e-12 * Math.max(Math.abs(ours), Math.abs(theirs))
    return isNear ? [] : [`${path}: ${ours} is ${theirs} in CPython`]
  }
  if (isHolder(ours) && isHolder(theirs) && Array.isArray(ours) === Array.isArray(theirs)) {
    const keys = new Set([...Object.keys(ours), ...Object.keys(theirs)])
    return [...keys].flatMap((key) => differences(ours[key], theirs[key], `${path}/${key}`))
  }
  return ours === theirs ? [] : [`${path}: ${JSON.stringify(ours)} is ${JSON.stringify(theirs)} in CPython`]
}

function isHolder(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

describe.skipIf(programs.length === 0)('as in CPython', () => {
  test.each(programs)('$name', ({ code, expected }) => {
    const outcome = runPython(code, { input: null }, limits, Date.now())
    if (!outcome.ok) expect(outcome.error.message).toBe('')
    else expect(differences(outcome.output, JSON.parse(expected))).toEqual([])
  })

  test('a difference would be seen', () => {
    expect(differences([1, { a: 1 }], [1 + 1e-11, { a: '1', b: null }])).toHaveLength(3)
  })
})
