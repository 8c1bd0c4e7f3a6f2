// Leases: who may still start what a name meant.

import { describe, expect, test } from 'vitest'
import { Leases } from '../../durable/registry/leases.ts'

describe('leases', () => {
  test('are held until their time is over, by name', () => {
    const leases = new Leases(1_000)
    leases.grant('a', 1, 5_000)
    leases.grant('a', 2, 5_900)
    leases.grant('b', 3, 5_900)
    expect(leases.take('a', 6_000)).toEqual(new Map([[2, 6_900]]))
    expect(leases.take('b', 6_000)).toEqual(new Map([[3, 6_900]]))
  })

  test('last from the newest grant', () => {
    const leases = new Leases(1_000)
    leases.grant('a', 1, 5_000)
    leases.grant('a', 1, 5_999)
    leases.grant('a', 1, 6_500)
    expect(leases.take('a', 7_000)).toEqual(new Map([[1, 7_500]]))
  })

  test('are forgotten once taken', () => {
    const leases = new Leases(1_000)
    leases.grant('a', 1, 5_000)
    leases.take('a', 5_000)
    expect(leases.take('a', 5_000).size).toBe(0)
  })

  test('are never lost before their end, however many are given meanwhile', () => {
    for (let given = 0; given < 2_000; given += 100) {
      const leases = new Leases(1_000)
      for (let now = 0; now < given; now += 100) leases.grant('other', 1, now)
      leases.grant('a', 1, given)
      for (let now = given; now < given + 1_000; now += 70) leases.grant('other', 1, now)
      expect(leases.take('a', given + 999)).toEqual(new Map([[1, given + 1_000]]))
    }
  })

  test('of names that nobody starts any more take no memory', () => {
    const leases = new Leases(1_000)
    leases.grant('old', 1, 0)
    leases.grant('next', 1, 1_000)
    leases.grant('last', 1, 2_000)
    // Asked as if no time had passed: it is gone, not merely over.
    expect(leases.take('old', 0).size).toBe(0)
  })
})
