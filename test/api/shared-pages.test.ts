import { afterEach, expect, test, vi } from 'vitest'
import type { EventPage } from '../../durable/runner/runner-rpc.ts'
import { sharedPage } from '../../src/api/runs/shared-pages.ts'

function aPage(last: number, size = 1): EventPage {
  return { kind: 'page', items: ['x'.repeat(size)], next: null, last, hasEnded: false }
}

afterEach(() => {
  vi.restoreAllMocks()
})

let keys = 0
const aKey = () => `tenant/run-${++keys}`

/** Reads that take a while, and are counted. */
function aReader(page: EventPage) {
  const reader = {
    reads: 0,
    read: async () => {
      reader.reads++
      await scheduler.wait(5)
      return page
    },
  }
  return reader
}

test('many who want the same page at the same time cost one read', async () => {
  const key = aKey()
  // The clock stands still: on a busy machine the others would lose their patience.
  vi.spyOn(Date, 'now').mockReturnValue(Date.now())
  const reader = aReader(aPage(7))
  const pages = await Promise.all(Array.from({ length: 50 }, () => sharedPage(key, 6, 7, reader.read)))
  expect(pages).toEqual(new Array(50).fill(aPage(7)))
  expect(reader.reads).toBe(1)
})

test('a page that is older than what is known to be there is read anew', async () => {
  const key = aKey()
  await sharedPage(key, 6, 7, aReader(aPage(7)).read)
  expect((await sharedPage(key, 6, 8, aReader(aPage(8)).read)).last).toBe(8)
  expect((await sharedPage(key, 6, 7, aReader(aPage(99)).read)).last).toBe(8)
})

test('pages of other runs, tenants and places are not taken', async () => {
  const key = aKey()
  await sharedPage(key, 6, 7, aReader(aPage(7)).read)
  expect((await sharedPage(`other/${key}`, 6, 7, aReader(aPage(50)).read)).last).toBe(50)
  expect((await sharedPage(key, 5, 7, aReader(aPage(51)).read)).last).toBe(51)
})

test('a read that fails, or gives more than is held, is made by each', async () => {
  const key = aKey()
  const failing = async () => {
    await scheduler.wait(2)
    throw new Error('reset')
  }
  const reader = aReader(aPage(7))
  const [failed, page] = await Promise.allSettled([sharedPage(key, 6, 7, failing), sharedPage(key, 6, 7, reader.read)])
  expect([failed.status, page.status]).toEqual(['rejected', 'fulfilled'])
  vi.spyOn(Date, 'now').mockReturnValue(Date.now())
  const large = aReader(aPage(7, 200_000))
  const other = aKey()
  await Promise.all(Array.from({ length: 3 }, () => sharedPage(other, 6, 7, large.read)))
  expect(large.reads).toBe(3)
})

test('nobody waits for long for a read that hangs', async () => {
  const key = aKey()
  void sharedPage(key, 6, 7, () => new Promise(() => {}))
  expect((await sharedPage(key, 6, 7, aReader(aPage(7)).read)).last).toBe(7)
})
