// Tasks that compute a value: what they see, what they give, and how they fail.

import { describe, expect, test } from 'vitest'
import { advance } from '../../src/workflow/decide/advance.ts'
import { compile, type TaskDefinition, type WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import { type LaterEvent, PayloadRef, type StoredValue } from '../../src/workflow/event.ts'
import type { Json } from '../../src/workflow/json.ts'
import { accept } from '../../src/workflow/run/apply.ts'
import type { Fact } from '../../src/workflow/run/fact.ts'
import type { Run } from '../../src/workflow/run/run.ts'
import { aDefinition, aRetry } from '../support/builders.ts'

const noPayloads = () => null

function transform(id: string, value: Json, rest: Partial<TaskDefinition> = {}): TaskDefinition {
  return { id, type: 'transform', depends_on: [], with: { value }, ...rest }
}

function aRun(tasks: TaskDefinition[], rest: Partial<WorkflowDefinition> = {}, input: Json = null): Run {
  const workflow = compile({ ...aDefinition({}), ...rest, tasks })
  return accept({ type: 'RunAccepted', at: 0, runId: 'run_1', workflow, version: 1, input, timeoutMs: 5_000 })
}

const step = (run: Run, facts: Fact[] = []) => advance(run, facts, 0, noPayloads).events
const outputs = (run: Run) => run.tasks.map(({ output }) => output)

describe('a transform', () => {
  test('gives its value with the expressions filled in, in the step that starts the run', () => {
    const run = aRun(
      [
        transform('sum', {
          total: `\${{ input.items.map(i, i.n).size() }}`,
          text: `for \${{ input.who }}`,
          raw: [1, null],
        }),
        transform('next', `\${{ tasks.sum.output.total + 1 }}`, { depends_on: ['sum'] }),
      ],
      {},
      { who: 'ada', items: [{ n: 1 }, { n: 2 }] },
    )
    const events = step(run)
    expect(run.status).toBe('succeeded')
    expect(outputs(run)).toEqual([{ total: 2, text: 'for ada', raw: [1, null] }, 3])
    expect(events.map(({ type }) => type)).toEqual([
      'RunStarted',
      'AttemptStarted',
      'AttemptSucceeded',
      'AttemptStarted',
      'AttemptSucceeded',
      'RunFinished',
    ])
    expect(run.tasks[0]!.attempts).toMatchObject([{ number: 1, status: 'succeeded' }])
  })

  test('may have null for a value', () => {
    const run = aRun([transform('nothing', null)])
    step(run)
    expect([run.status, outputs(run)]).toEqual(['succeeded', [null]])
  })

  test('waits for a slot like an attempt, and does not start in a paused run', () => {
    const call: TaskDefinition = { id: 'a', type: 'http', depends_on: [], with: { url: 'https://upstream.test' } }
    const run = aRun([call, transform('t', 1)], { max_parallel: 1 })
    step(run)
    expect(run.tasks[1]).toMatchObject({ status: 'pending', attempts: [] })
    step(run, [{ type: 'RunPaused' }])
    step(run, [{ type: 'AttemptSucceeded', task: 0, token: run.tasks[0]!.token, output: null }])
    expect(run.tasks[1]!.status).toBe('pending')
    step(run, [{ type: 'RunResumed' }])
    expect(run.status).toBe('succeeded')
  })

  test.each([
    ['that reads what is not there', `\${{ input.nothing }}`, 'expression_error'],
    ['that takes too many steps', `\${{ ${'input.map(a, '.repeat(4)}1${')'.repeat(4)} }}`, 'expression_limit'],
    [
      'that yields more than an expression may',
      `\${{ input.map(a, "${'x'.repeat(1_900)}").map(a, a + a + a + a + a + a).map(a, a) }}`,
      'expression_limit',
    ],
    ['whose texts are too long', 'x'.repeat(1_048_575), 'output_too_large'],
  ])('%s fails its task with that code', (_, value, code) => {
    const run = aRun([transform('t', value)], {}, Array(120).fill(1))
    step(run)
    expect(run).toMatchObject({ status: 'failed', error: { code, task_id: 't', retryable: false } })
    expect(run.tasks[0]!.attempts).toMatchObject([{ status: 'failed', error: { code } }])
  })

  test('whose value is nested too deep fails its task', () => {
    let deep: Json = 1
    for (let i = 0; i < 200; i++) deep = [deep]
    const run = aRun([transform('t', `\${{ input }}`), transform('u', Array(2).fill([[`\${{ input }}`]]))], {}, deep)
    step(run)
    expect(run.status).toBe('succeeded')
    const deeper = aRun(
      [transform('t', [[`\${{ input }}`]])],
      {},
      Array.from({ length: 60 }).reduce<Json>((inner) => [inner], deep),
    )
    step(deeper)
    expect(deeper.error?.code).toBe('output_too_large')
  })

  test('is not made again, whatever the defaults say of attempts', () => {
    const retry = aRetry({ max_attempts: 5, retry_on: ['*'] })
    const run = aRun([transform('t', `\${{ input.nothing }}`)], { defaults: { retry } })
    step(run)
    expect(run.status).toBe('failed')
  })

  test('of many large values is cut into steps, and keeps them outside the history as it goes', () => {
    const text = 'x'.repeat(1_000_000)
    const run = aRun(Array.from({ length: 100 }, (_, i) => transform(`t${i}`, text)))
    let most = 0
    let steps = 0
    let kept = 0
    const keep = (): StoredValue => new PayloadRef(++kept, 1_000_002)
    for (let isComplete = false; !isComplete; steps++) {
      const result = advance(run, [], 0, noPayloads, null, keep)
      isComplete = result.isComplete
      const ended = result.events.filter((event: LaterEvent) => event.type === 'AttemptSucceeded').length
      most = Math.max(most, ended)
    }
    expect([run.status, kept]).toEqual(['succeeded', 100])
    expect(most).toBeLessThanOrEqual(13)
    expect(steps).toBeGreaterThan(7)
    expect(run.tasks.every(({ output }) => output instanceof PayloadRef)).toBe(true)
  })
})
