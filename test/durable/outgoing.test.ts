// Which calls earn retries of their host: those that repeat no failure.

import { expect, test } from 'vitest'
import type { Circuits } from '../../durable/circuits.ts'
import { Outgoing } from '../../durable/outgoing.ts'
import type { RetryBudgets } from '../../durable/retry-budgets.ts'
import { advance } from '../../src/workflow/advance.ts'
import type { TaskError } from '../../src/workflow/event.ts'
import type { Fact } from '../../src/workflow/fact.ts'
import { aDefinition, aRun } from '../support/builders.ts'

test('a poll earns with each call after an answer, a task that is made again only with its first', () => {
  const definition = aDefinition({ a: [] })
  const retry = { max_attempts: 9, initial_interval: '1s', multiplier: 1, max_interval: '1s', jitter: 'none' } as const
  Object.assign(definition.tasks[0]!, { with: { url: 'https://a.test/' }, retry })
  const run = aRun(definition, { timeoutMs: 1e9 })
  const step = (...facts: Fact[]) => advance(run, facts, run.tasks[0]!.wakeAt ?? run.at, () => null)
  const token = () => ({ task: 0, token: run.tasks[0]!.token })
  const counted: string[] = []
  const budgets = { countCall: (host: string) => counted.push(host) } as unknown as RetryBudgets
  const outgoing = new Outgoing({ begun: () => {} } as unknown as Circuits, budgets)
  const earns = () => {
    const before = counted.length
    outgoing.begin(run, { task: 0 }, { url: 'https://a.test/' }, null, run.at)
    return counted.length > before
  }
  step()
  expect(earns()).toBe(true)
  step({ type: 'AttemptSnoozed', ...token(), afterMs: 1_000 })
  step()
  expect(earns()).toBe(true)
  step({ type: 'AttemptFailed', ...token(), error: { code: 'http_503', message: 'm', retryable: true } })
  step()
  expect(earns()).toBe(false)
  // Put off by Retry-After: that is a failure too, though it spends no attempt.
  const error: TaskError = { code: 'http_429', message: 'm', retryable: true }
  step({ type: 'AttemptFailed', ...token(), error, retryAfterMs: 5_000 })
  step()
  expect(earns()).toBe(false)
})
