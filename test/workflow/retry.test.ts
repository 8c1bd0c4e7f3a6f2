import { expect, test } from 'vitest'
import type { EndCode } from '../../src/workflow/codes.ts'
import { isRetried, type RetryPolicy, restartDelayMs, retryDelayMs } from '../../src/workflow/decide/retry.ts'
import { hash32 } from '../../src/workflow/hash.ts'

const policy: RetryPolicy = {
  max_attempts: 5,
  initial_interval: '1s',
  multiplier: 2,
  max_interval: '5s',
  jitter: 'full',
}

test('the wait before a retry grows by the multiplier up to its cap; without jitter it is exactly that', () => {
  const waits = [1, 2, 3, 4, 5].map((attempt) => retryDelayMs({ ...policy, jitter: 'none' }, attempt, 's'))
  expect(waits).toEqual([1_000, 2_000, 4_000, 5_000, 5_000])
})

test('full jitter is derived, never above the cap, and half of it on average', () => {
  const waits = Array.from({ length: 1_000 }, (_, seed) => retryDelayMs(policy, 2, `run/${seed}`))
  expect(retryDelayMs(policy, 2, 'run/7')).toBe(waits[7])
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...waits)).toBeLessThanOrEqual(2_000)
  const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length
  expect(mean).toBeGreaterThan(900)
  expect(mean).toBeLessThan(1_100)
})

test('a huge exponent stays at the cap', () => {
  expect(retryDelayMs({ ...policy, multiplier: 100, jitter: 'none' }, 100, 's')).toBe(5_000)
})

test.each<[Partial<RetryPolicy>, EndCode, boolean, boolean]>([
  [{}, 'http_503', true, true],
  [{}, 'http_404', false, false],
  [{ retry_on: ['http_404'] }, 'http_404', false, true],
  [{ retry_on: ['http_404'] }, 'http_503', true, false],
  [{ retry_on: ['http_5xx'] }, 'http_503', true, true],
  [{ retry_on: ['http_5xx'] }, 'http_429', true, false],
  [{ retry_on: ['*'] }, 'egress_denied', false, true],
  [{ never_retry_on: ['http_503'] }, 'http_503', true, false],
  [{ retry_on: ['*'], never_retry_on: ['http_5xx'] }, 'http_503', true, false],
])('%o: %s (retryable by itself: %s) is retried: %s', (rest, code, retryable, expected) => {
  expect(isRetried({ ...policy, ...rest }, { code, message: 'm', retryable })).toBe(expected)
})

test('the wait after an interruption is derived, below a second, and spread evenly', () => {
  const delays = Array.from({ length: 1_000 }, (_, task) => restartDelayMs('run_00A', task, 1))
  expect(restartDelayMs('run_00A', 5, 1)).toBe(delays[5])
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...delays)).toBeLessThan(1_000)
  const mean = delays.reduce((sum, delay) => sum + delay, 0) / delays.length
  expect(mean).toBeGreaterThan(450)
  expect(mean).toBeLessThan(550)
  expect(restartDelayMs('run_00A', 5, 2)).not.toBe(delays[5])
})

test('the hash spreads similar texts evenly over sixteen shards', () => {
  const counts = new Array<number>(16).fill(0)
  for (let i = 0; i < 16_000; i++) counts[hash32(`01JABCDEFGHJKMNPQRSTVW${i}`) % 16]!++
  expect(Math.min(...counts)).toBeGreaterThan(850)
  expect(Math.max(...counts)).toBeLessThan(1_150)
})
