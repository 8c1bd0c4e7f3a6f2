import { expect, test } from 'vitest'
import { hash32, restartDelayMs } from '../../src/workflow/retry.ts'

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
