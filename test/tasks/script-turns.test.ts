// Whose turn it is: one after the other, within a bound of what waits, and nobody for ever behind one that never ends.

import { describe, expect, test } from 'vitest'
import { javascript } from '../../src/tasks/script/script.ts'
import { TooMuchWaits, Turns } from '../../src/tasks/script/turns.ts'

const never = () => new Promise<never>(() => {})

/** Work that ends when it is told to. */
function gate() {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  return { work: () => promise, open: resolve, fail: reject }
}

describe('turns', () => {
  test('come one after the other, in order, whatever becomes of those before', async () => {
    const turns = new Turns(10_000, 10)
    const told: string[] = []
    const [first, second] = [gate(), gate()]
    const all = [
      turns.take(1, first.work).catch((error: Error) => told.push(error.message)),
      turns.take(1, () => {
        told.push('second begins')
        return second.work()
      }),
      turns.take(1, async () => told.push('third begins')),
    ]
    await scheduler.wait(5)
    expect(told).toEqual([])
    first.fail(new Error('first failed'))
    await scheduler.wait(5)
    expect(told).toEqual(['first failed', 'second begins'])
    second.open('')
    await Promise.all(all)
    expect(told).toEqual(['first failed', 'second begins', 'third begins'])
  })

  test('begin at once when nobody is before', async () => {
    const turns = new Turns(10_000, 0)
    let hasBegun = false
    const only = turns.take(5, async () => {
      hasBegun = true
    })
    expect(hasBegun).toBe(true)
    await only
  })

  test('are refused at once when too much waits, and given again when there is room', async () => {
    const turns = new Turns(10_000, 10)
    const first = gate()
    const running = turns.take(100, first.work)
    const waiting = turns.take(8, async () => 'second')
    await expect(turns.take(3, async () => 'third')).rejects.toThrow(TooMuchWaits)
    const small = turns.take(2, async () => 'small')
    first.open('first')
    expect(await Promise.all([running, waiting, small])).toEqual(['first', 'second', 'small'])
    const again = gate()
    const others = [turns.take(1, again.work), turns.take(10, async () => 'all of it')]
    again.open('again')
    expect(await Promise.all(others)).toEqual(['again', 'all of it'])
  })

  test('are given up with their signal: their weight is free at once, and who is behind waits for who is in front', async () => {
    const turns = new Turns(10_000, 10)
    const first = gate()
    const told: string[] = []
    const running = turns.take(1, first.work)
    const gone = new AbortController()
    const given = [3, 7].map((weight) => turns.take(weight, async () => told.push(`given up ${weight}`), gone.signal))
    await expect(turns.take(1, async () => {})).rejects.toThrow(TooMuchWaits)
    gone.abort()
    const behind = turns.take(10, async () => told.push('behind'))
    await Promise.all(given)
    await scheduler.wait(5)
    expect(told).toEqual(['given up 3', 'given up 7'])
    first.open('first')
    await Promise.all([running, behind])
    expect(told).toEqual(['given up 3', 'given up 7', 'behind'])
    // Also for one that comes when its signal has fired already.
    const second = gate()
    const held = turns.take(1, second.work)
    expect(await turns.take(10, async () => 'at once', gone.signal)).toBe('at once')
    second.open('second')
    await held
    expect(await turns.take(10, async () => 'free')).toBe('free')
  })

  test('come although the one before was cut off and never ends', async () => {
    const turns = new Turns(50, 10)
    const from = Date.now()
    void turns.take(1, never)
    const outcomes = await Promise.all([turns.take(1, async () => 'second'), turns.take(1, async () => 'third')])
    expect(outcomes).toEqual(['second', 'third'])
    expect(Date.now() - from).toBeGreaterThanOrEqual(49)
    // What never ended is nobody's predecessor any more.
    const later = Date.now()
    await turns.take(1, async () => 'fourth')
    expect(Date.now() - later).toBeLessThan(40)
  })

  test('are waited for longer than that while turns before come and go', async () => {
    const turns = new Turns(60, 10)
    const began: number[] = []
    const work = (index: number) => async () => {
      began.push(index)
      await scheduler.wait(40)
      expect(began).toHaveLength(index + 1)
    }
    await Promise.all([0, 1, 2, 3].map((index) => turns.take(1, work(index))))
    expect(began).toEqual([0, 1, 2, 3])
  })
})

test('scripts that would hold too much while they wait are told to come again; small ones wait', async () => {
  const call = (input: string) =>
    javascript.execute(
      {
        config: { code: 'export default ({ input }) => input.length', input },
        scope: {},
        idempotencyKey: 'run/task',
        timeoutMs: 30_000,
        signal: new AbortController().signal,
      },
      { egressAllow: '' },
    )
  const large = 'x'.repeat(6 * 1024 * 1024)
  const results = await Promise.all([...Array.from({ length: 5 }, () => call(large)), call('small')])
  const busy = { kind: 'failed', error: { code: 'executor_busy' }, retryable: true, retryAfterMs: 1_000 }
  expect(results.slice(0, 3)).toEqual(Array(3).fill({ kind: 'succeeded', output: large.length }))
  expect(results.slice(3)).toMatchObject([busy, busy, { kind: 'succeeded', output: 5 }])
})
