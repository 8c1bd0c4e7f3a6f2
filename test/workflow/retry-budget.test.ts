// How many retries a host gets, in every minute of any history of calls.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  BUDGET_PER_MINUTE,
  countCall,
  type EarnedRetries,
  type GivenRetries,
  NO_CALLS,
  takeEarned,
  takeGiven,
} from '../../src/workflow/decide/retry-budget.ts'

const callsAt = (count: number, at: number, steps: EarnedRetries = NO_CALLS) =>
  Array.from({ length: count }).reduce<EarnedRetries>((all) => countCall(all, at), steps)

describe('earned retries', () => {
  test('are a fifth of the calls', () => {
    expect(takeEarned(NO_CALLS, 0)).toBeNull()
    expect(takeEarned(callsAt(4, 0), 0)).toBeNull()
    const first = takeEarned(callsAt(9, 0), 0)!
    expect(takeEarned(first, 0)).toBeNull()
    expect(takeEarned(countCall(first, 0), 0)).not.toBeNull()
  })

  test('of calls a minute ago are lost, and so is what was taken then', () => {
    const spent = takeEarned(callsAt(5, 1_000), 1_000)!
    expect(takeEarned(callsAt(5, 30_000, spent), 59_999)).not.toBeNull()
    expect(takeEarned(callsAt(5, 1_000), 61_000)).toBeNull()
    expect(takeEarned(callsAt(5, 62_000, spent), 62_000)).not.toBeNull()
  })

  test('cost the same memory however many calls there are, also when the clock goes back', () => {
    let steps = NO_CALLS
    for (let at = 0; at < 600_000; at += 7) steps = countCall(steps, at % 999 === 0 ? at - 20_000 : at)
    expect(steps.length).toBeLessThanOrEqual(13)
  })

  test('are never more than a fifth of the calls of the steps in sight', () => {
    const stepArbitrary = fc.record({ wait: fc.integer({ min: 0, max: 9_000 }), isCall: fc.boolean() })
    fc.assert(
      fc.property(fc.array(stepArbitrary, { maxLength: 300 }), (events) => {
        let steps = NO_CALLS
        let at = 0
        let [calls, retries] = [0, 0]
        for (const { wait, isCall } of events) {
          at += wait
          if (isCall) calls++
          const next = isCall ? countCall(steps, at) : takeEarned(steps, at)
          if (next === null) continue
          if (!isCall) retries++
          steps = next
          const taken = steps.reduce((sum, step) => sum + step.retries, 0)
          expect(taken).toBeLessThanOrEqual(
            0.2 * steps.reduce((sum, step) => sum + step.calls, 0) + (isCall ? taken : 0),
          )
        }
        expect(retries).toBeLessThanOrEqual(0.2 * calls)
      }),
    )
  })
})

describe('given retries', () => {
  test('are ten a minute, and say when the next is free', () => {
    let given: GivenRetries = []
    for (let count = 0; count < BUDGET_PER_MINUTE; count++) {
      const answer = takeGiven(given, count * 1_000)
      expect(answer.isGranted).toBe(true)
      given = answer.given
    }
    expect(takeGiven(given, 30_000)).toEqual({ given, isGranted: false, freeAt: 60_000 })
    expect(takeGiven(given, 59_999).isGranted).toBe(false)
    expect(takeGiven(given, 60_000).isGranted).toBe(true)
  })

  test('are never more than ten in any minute', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 8_000 }), { maxLength: 300 }), (waits) => {
        let given: GivenRetries = []
        const granted: number[] = []
        let at = 0
        for (const wait of waits) {
          at += wait
          const answer = takeGiven(given, at)
          given = answer.given
          if (answer.isGranted) granted.push(at)
          else expect(takeGiven(given, answer.freeAt).isGranted).toBe(true)
        }
        for (const time of granted) {
          const inMinute = granted.filter((other) => other > time - 60_000 && other <= time)
          expect(inMinute.length).toBeLessThanOrEqual(BUDGET_PER_MINUTE)
        }
      }),
    )
  })
})
