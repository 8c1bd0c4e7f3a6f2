// What a task says while it is at it: gathered, masked, and dropped where it is too much.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Partial, Partials } from '../../src/tasks/partials.ts'
import { Masking } from '../../src/tasks/secrets/masking.ts'

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

/** Hears everything, as so many watchers. */
function hearing(watchers = 1, mask: Masking | null = null) {
  const heard: Partial[] = []
  const partials = new Partials(
    async (partial) => {
      heard.push(partial)
      return watchers
    },
    mask === null ? null : { mask: (text) => mask.maskMessage(text) as string, longest: mask.longest },
  )
  return { heard, partials, text: () => heard.map(({ text }) => text).join('') }
}

describe('parts of a text', () => {
  test('go out at once, and then gathered, at most ten a second', async () => {
    const { heard, partials } = hearing()
    for (let ms = 0; ms < 1_000; ms += 5) {
      partials.add('x')
      await vi.advanceTimersByTimeAsync(5)
    }
    expect(heard[0]).toEqual({ offset: 0, text: 'x' })
    expect(heard.length).toBeGreaterThanOrEqual(8)
    expect(heard.length).toBeLessThanOrEqual(11)
    for (const [index, { offset }] of heard.slice(1).entries()) {
      expect(offset).toBe(heard[index]!.offset + heard[index]!.text.length)
    }
  })

  test.each([
    [0, 500],
    [256, 2_560],
  ])('go out less often for %i watchers', async (watchers, everyMs) => {
    const { heard, partials } = hearing(watchers)
    for (let ms = 0; ms < 6_000; ms += 20) {
      partials.add('x')
      await vi.advanceTimersByTimeAsync(20)
    }
    expect(heard.length).toBeLessThanOrEqual(Math.ceil(6_000 / everyMs) + 1)
    expect(heard.length).toBeGreaterThanOrEqual(2)
  })

  test('are left out where they are too many for one message, which their offset tells', async () => {
    const { heard, partials } = hearing()
    partials.add('a')
    await vi.advanceTimersByTimeAsync(0)
    for (let i = 0; i < 100; i++) partials.add('x'.repeat(999))
    await vi.advanceTimersByTimeAsync(200)
    expect(heard).toHaveLength(2)
    expect(heard[1]!.text.length).toBe(8_192)
    expect(heard[1]!.offset + heard[1]!.text.length).toBe(1 + 99_900)
  })

  test('begin anew, and end: then nothing more is said, and no timer is left', async () => {
    const { heard, partials } = hearing()
    partials.add('first')
    await vi.advanceTimersByTimeAsync(100)
    partials.restart()
    partials.add('second')
    await vi.advanceTimersByTimeAsync(50)
    expect(heard).toEqual([
      { offset: 0, text: 'first' },
      { offset: 0, text: 'second' },
    ])
    partials.add('third')
    partials.end()
    expect(vi.getTimerCount()).toBe(0)
    partials.add('fourth')
    await vi.advanceTimersByTimeAsync(5_000)
    expect(heard).toHaveLength(2)
  })

  test('end when whoever heard them is gone', async () => {
    const send = vi.fn(async () => {
      throw new Error('the object was reset')
    })
    const partials = new Partials(send, null)
    partials.add('x')
    await vi.advanceTimersByTimeAsync(5_000)
    partials.add('y')
    await vi.advanceTimersByTimeAsync(5_000)
    expect(send).toHaveBeenCalledOnce()
  })

  test('are one at a time: the next waits until the last was heard', async () => {
    const answer = Promise.withResolvers<number>()
    const send = vi.fn(() => answer.promise)
    const partials = new Partials(send, null)
    partials.add('x')
    partials.add('y')
    await vi.advanceTimersByTimeAsync(5_000)
    expect(send).toHaveBeenCalledOnce()
    answer.resolve(1)
    await vi.advanceTimersByTimeAsync(200)
    expect(send).toHaveBeenCalledTimes(2)
  })

  test('are never cut within a character', async () => {
    const { heard, partials } = hearing()
    for (let i = 0; i < 40; i++) {
      partials.add('😀'.slice(0, 1))
      await vi.advanceTimersByTimeAsync(60)
      partials.add('😀'.slice(1))
      await vi.advanceTimersByTimeAsync(60)
    }
    for (const { text } of heard) expect(text.isWellFormed()).toBe(true)
  })
})

describe('parts of a text that may hold secrets', () => {
  const secrets = ['sk-live-0123456789abcdef', 'correct horse battery staple']

  test.each([3, 7, 1_000])('show none of them, said in pieces of %i characters', async (size) => {
    for (const secret of secrets) {
      for (const form of [secret, btoa(secret), encodeURIComponent(secret)]) {
        const { partials, heard, text } = hearing(1, new Masking(secrets))
        const said = `before ${form} and after. ${'More of it. '.repeat(60)}`
        for (let at = 0; at < said.length; at += size) {
          partials.add(said.slice(at, at + size))
          await vi.advanceTimersByTimeAsync(30)
        }
        await vi.advanceTimersByTimeAsync(1_000)
        expect(text()).toMatch(/^before \*{3}={0,2} and after/)
        // Not even a part of it that means something.
        for (let from = 0; from + 8 <= form.length; from++) expect(text()).not.toContain(form.slice(from, from + 8))
        expect(heard[0]!.offset).toBe(0)
      }
    }
  })
})
