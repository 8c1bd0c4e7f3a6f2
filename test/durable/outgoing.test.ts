// Which calls earn retries of their host: those that repeat no failure. And what it costs to learn whom a task would call.

import { expect, test } from 'vitest'
import type { Circuits } from '../../durable/runner/circuits.ts'
import { circuitOf, Outgoing } from '../../durable/runner/outgoing.ts'
import type { RetryBudgets } from '../../durable/runner/retry-budgets.ts'
import { RunAdmission } from '../../durable/runner/run-admission.ts'
import { advance } from '../../src/workflow/decide/advance.ts'
import type { TaskError } from '../../src/workflow/event.ts'
import { STEPS_OF_A_TURN, StepBudget } from '../../src/workflow/expression/step-budget.ts'
import type { Fact } from '../../src/workflow/run/fact.ts'
import { aDefinition, aRetry, aRun } from '../support/builders.ts'

test('a poll earns with each call after an answer, a task that is made again only with its first', () => {
  const definition = aDefinition({ a: [] })
  const retry = aRetry({ max_attempts: 9 })
  Object.assign(definition.tasks[0]!, { with: { url: 'https://a.test/' }, retry })
  const run = aRun(definition, { timeoutMs: 1e9 })
  const step = (...facts: Fact[]) => advance(run, facts, run.tasks[0]!.wakeAt ?? run.at, () => null)
  const token = () => ({ task: 0, token: run.tasks[0]!.token })
  const counted: string[] = []
  const budgets = { countCall: (host: string) => counted.push(host) } as unknown as RetryBudgets
  const outgoing = new Outgoing({ recordStart: () => {} } as unknown as Circuits, budgets)
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

const list = `[${Array.from({ length: 20 }, (_, i) => i).join(',')}]`
const costly = `\${{ ${list}.all(a, ${list}.all(b, ${list}.all(c, a + b + c < 230))) }}`

test('whom a task would call is known without what it would send', () => {
  const definition = aDefinition({ a: [] })
  definition.tasks[0]!.with = { url: 'https://a.test/${{ input.nothing == null }}', json: Array(50).fill(costly) }
  const run = aRun(definition)
  Object.assign(run, { input: { nothing: null } })
  const budget = new StepBudget()
  expect(circuitOf(run, { task: 0 }, () => null, budget)?.target).toBe('https://a.test')
  expect(STEPS_OF_A_TURN - budget.left).toBeLessThan(100)
})

test('a step that asks whom hundreds of tasks would call is cut when that has cost enough', () => {
  const ids = Array.from({ length: 100 }, (_, i) => `t${i}`)
  const definition = aDefinition(Object.fromEntries(ids.map((id) => [id, []])), { timeout: '2h' })
  for (const task of definition.tasks) task.with = { url: `https://a.test/${costly}` }
  const run = aRun(definition)
  const steps: number[] = []
  for (let isComplete = false; !isComplete && steps.length < 100; ) {
    const budget = new StepBudget()
    const barrier = { state: 'open', askAt: 60_000, trials: [] } as const
    const admission = new RunAdmission(
      run,
      () => null,
      run.at,
      budget,
      () => ({ ...barrier, trials: [] }),
    )
    const step = advance(run, [], run.at, () => null, admission, undefined, budget)
    steps.push(step.events.filter(({ type }) => type === 'TaskWaiting').length)
    isComplete = step.isComplete
  }
  expect(steps.reduce((sum, held) => sum + held, 0)).toBe(ids.length)
  expect(Math.max(...steps)).toBeLessThan(ids.length / 2)
})
