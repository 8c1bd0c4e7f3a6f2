// Which calls share a masking, and when it is let go.

import { afterEach, expect, test, vi } from 'vitest'
import { maskingOf } from '../../src/tasks/secrets/shared-maskings.ts'
import { aName } from '../api/client.ts'

afterEach(() => vi.useRealTimers())

const soon = () => Date.now() + 60_000

test('the same values share a masking, in any order, and others do not', () => {
  const [a, b] = [aName(), aName()]
  const masking = maskingOf([a, b], soon())
  expect(maskingOf([b, a, a], soon())).toBe(masking)
  expect(masking.maskValue(`${a} and ${b}`)).toBe('*** and ***')
  const other = maskingOf([a], soon())
  expect(other).not.toBe(masking)
  expect(other.maskValue(b)).toBe(b)
})

test('a masking is let go when its values are no longer lent, and kept while they are lent again', () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const [lentOnce, lentAgain] = [aName(), aName()]
  const once = maskingOf([lentOnce], Date.now() + 1_000)
  const again = maskingOf([lentAgain], Date.now() + 1_000)
  vi.setSystemTime(Date.now() + 1_001)
  expect(maskingOf([lentAgain], Date.now() + 1_000)).toBe(again)
  expect(maskingOf([lentOnce], Date.now() + 1_000)).not.toBe(once)
})

test('what is kept holds no more than the secrets of one call may, and sixteen at most', () => {
  const large = (letter: string) => [letter.repeat(70_000)]
  const first = maskingOf(large('a'), soon())
  maskingOf(large('b'), soon())
  expect(maskingOf(large('a'), soon())).not.toBe(first)
  const small = aName()
  const masking = maskingOf([small], soon())
  for (let i = 0; i < 16; i++) maskingOf([aName()], soon())
  expect(maskingOf([small], soon())).not.toBe(masking)
})
