// How a run is steered: by rules and conditions, by pauses, and by undoing what it did. The simulation shows that nothing
// breaks; this shows that the right thing happens.

import { describe, expect, test } from 'vitest'
import type { EndCode } from '../../src/workflow/codes.ts'
import { advance } from '../../src/workflow/decide/advance.ts'
import { HISTORY_LIMIT } from '../../src/workflow/decide/decision-bounds.ts'
import type { TaskDefinition, WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import type { LaterEvent, TaskError } from '../../src/workflow/event.ts'
import type { Fact } from '../../src/workflow/run/fact.ts'
import { dueAt, NEVER_DUE, type Run } from '../../src/workflow/run/run.ts'
import { aDefinition, aRetry, aRun, type Shape } from '../support/builders.ts'

const noPayloads = () => null
const step = (run: Run, facts: Fact[] = [], now = run.at) => advance(run, facts, now, noPayloads).events
const index = (run: Run, id: string) => run.workflow.graph.indexOf.get(id)!
const task = (run: Run, id: string) => run.tasks[index(run, id)]!
const token = (run: Run, id: string) => ({ task: index(run, id), token: task(run, id).token })
const succeeded = (run: Run, id: string): Fact => ({ type: 'AttemptSucceeded', ...token(run, id), output: null })
const failed = (run: Run, id: string, code: EndCode = 'http_500'): Fact => ({
  type: 'AttemptFailed',
  ...token(run, id),
  error: { code, message: `${id} answered`, retryable: true },
})
const statuses = (run: Run) =>
  Object.fromEntries(run.tasks.map(({ status, skipReason }, at) => [idOf(run, at), skipReason ?? status]))
const idOf = (run: Run, at: number) => run.workflow.definition.tasks[at]!.id
const started = (run: Run, events: LaterEvent[]) =>
  events.flatMap((event) => (event.type === 'AttemptStarted' ? [idOf(run, event.task)] : []))

/** A run of these tasks, with fields of their own. */
function aRunOf(shape: Shape, fields: Record<string, Partial<TaskDefinition>>, rest: Partial<WorkflowDefinition> = {}) {
  const definition = aDefinition(shape, { timeout: '1h', ...rest })
  for (const one of definition.tasks) Object.assign(one, fields[one.id])
  const run = aRun(definition)
  step(run)
  return run
}

describe('a failure that stops the run', () => {
  test('lets tasks run whose rule accepts it, and the run is failed whatever they do', () => {
    const run = aRunOf(
      { a: [], b: ['a'], alert: ['a'], cleanup: ['b'] },
      {
        alert: { trigger_rule: 'one_failed' },
        cleanup: { trigger_rule: 'all_done' },
      },
    )
    expect(started(run, step(run, [failed(run, 'a')]))).toEqual(['alert', 'cleanup'])
    expect(statuses(run)).toEqual({ a: 'failed', b: 'upstream_failed', alert: 'running', cleanup: 'running' })
    step(run, [succeeded(run, 'alert'), succeeded(run, 'cleanup')])
    expect(run).toMatchObject({ status: 'failed', error: { code: 'http_500', task_id: 'a' } })
  })

  test('cancels what executes, and what waits for the cancelled is stopped, not failed', () => {
    const run = aRunOf({ a: [], x: [], y: ['x'], note: ['x'] }, { note: { trigger_rule: 'all_done' } })
    const events = step(run, [failed(run, 'a')])
    expect(statuses(run)).toMatchObject({ x: 'cancelled', y: 'run_stopped' })
    expect(started(run, events)).toEqual(['note'])
  })

  test('bounds its cleanup by the deadline, and stays a failure', () => {
    const run = aRunOf({ a: [], cleanup: ['a'] }, { cleanup: { trigger_rule: 'all_done' } }, { timeout: '5s' })
    step(run, [failed(run, 'a')], 100)
    step(run, [], 5_000)
    expect(task(run, 'cleanup').status).toBe('timed_out')
    expect(run).toMatchObject({ status: 'failed', error: { code: 'http_500', task_id: 'a' } })
  })

  test('lets its cleanup be cancelled', () => {
    const run = aRunOf({ a: [], cleanup: ['a'] }, { cleanup: { trigger_rule: 'all_done' } })
    step(run, [failed(run, 'a')])
    step(run, [{ type: 'RunCancelRequested' }])
    expect(task(run, 'cleanup').status).toBe('cancelled')
    expect(run.status).toBe('failed')
  })

  test('does not let its cleanup grow the history beyond its limit', () => {
    const run = aRunOf({ a: [], cleanup: ['a'] }, { cleanup: { trigger_rule: 'all_done' } })
    step(run, [failed(run, 'a')])
    run.events = HISTORY_LIMIT
    step(run)
    expect(run).toMatchObject({ status: 'failed', error: { code: 'history_limit' } })
    expect(task(run, 'cleanup').status).toBe('cancelled')
  })

  test('tries cleanup again as its policy says', () => {
    const retry = aRetry({ max_attempts: 2 })
    const run = aRunOf({ a: [], cleanup: ['a'] }, { cleanup: { trigger_rule: 'all_done', retry } })
    step(run, [failed(run, 'a')], 0)
    step(run, [failed(run, 'cleanup')], 10)
    expect(task(run, 'cleanup')).toMatchObject({ status: 'waiting', wakeAt: 1_010 })
    step(run, [], 1_010)
    expect(task(run, 'cleanup').status).toBe('running')
  })
})

describe('where branches go on', () => {
  test('a failure that a dependent was there for, and survived, is handled', () => {
    const shape = { a: [], rescue: ['a'], end: ['rescue'] }
    const run = aRunOf(shape, { rescue: { trigger_rule: 'one_failed' } }, { on_failure: 'continue' })
    step(run, [failed(run, 'a')])
    step(run, [succeeded(run, 'rescue')])
    step(run, [succeeded(run, 'end')])
    expect(run).toMatchObject({ status: 'succeeded', error: null })
  })

  test('one whose rescue fails too is not, nor one that nobody was there for', () => {
    const run = aRunOf({ a: [], rescue: ['a'] }, { rescue: { trigger_rule: 'one_failed' } }, { on_failure: 'continue' })
    step(run, [failed(run, 'a')])
    step(run, [failed(run, 'rescue', 'http_404')])
    expect(run).toMatchObject({ status: 'failed', error: { code: 'http_500', task_id: 'a' } })
  })

  test('a skip goes on by the rules: none_failed runs after it, all_success does not', () => {
    const run = aRunOf(
      { a: [], off: [], b: ['a', 'off'], c: ['a', 'off'] },
      {
        off: { when: 'false' },
        b: { trigger_rule: 'none_failed' },
      },
    )
    step(run, [succeeded(run, 'a')])
    expect(statuses(run)).toEqual({ a: 'succeeded', off: 'condition', b: 'running', c: 'trigger_rule' })
    expect(task(run, 'c').because).toBe(index(run, 'off'))
  })

  test('one_success does not wait for the others', () => {
    const run = aRunOf({ a: [], b: [], first: ['a', 'b'] }, { first: { trigger_rule: 'one_success' } })
    expect(started(run, step(run, [succeeded(run, 'b')]))).toEqual(['first'])
    expect(started(run, step(run, [succeeded(run, 'a')]))).toEqual([])
  })

  test('always waits for nothing', () => {
    const run = aRunOf({ a: [], b: ['a'] }, { b: { trigger_rule: 'always' } })
    expect(statuses(run)).toEqual({ a: 'running', b: 'running' })
  })
})

describe('a condition', () => {
  test('is evaluated when nothing else holds the task, on what its dependencies gave', () => {
    const when = 'tasks.a.output == 7'
    const run = aRunOf({ a: [], yes: ['a'], no: ['a'] }, { yes: { when }, no: { when: `\${{ !(${when}) }}` } })
    const events = step(run, [{ type: 'AttemptSucceeded', ...token(run, 'a'), output: 7 }])
    expect(statuses(run)).toEqual({ a: 'succeeded', yes: 'running', no: 'condition' })
    expect(events.map(({ type }) => type)).toEqual([
      'AttemptSucceeded',
      'ConditionMet',
      'TaskSkipped',
      'AttemptStarted',
    ])
  })

  test('needs no slot to be false', () => {
    const run = aRunOf({ a: [], b: [] }, { b: { when: 'false' } }, { max_parallel: 1 })
    expect(statuses(run)).toEqual({ a: 'running', b: 'condition' })
  })

  test('that cannot be evaluated, or is neither true nor false, fails the task', () => {
    for (const when of ['1 / 0 == 1', '"yes"', 'null']) {
      const run = aRunOf({ a: [] }, { a: { when } })
      expect(run).toMatchObject({ status: 'failed', error: { code: 'expression_error', task_id: 'a' } })
    }
  })
})

describe('expressions that take long', () => {
  const list = `[${[...Array(20).keys()]}]`
  const long = `${list}.all(a, ${list}.all(b, ${list}.all(c, a + b + c >= 0)))`
  const ids = [...Array(60).keys()].map((n) => `t${n}`)
  const shape = Object.fromEntries(ids.map((id) => [id, []]))
  const settled = ({ progress }: Run) => progress.succeeded + progress.failed + progress.skipped

  test.each([
    ['conditions', { when: `!(${long})` }],
    ['transforms', { type: 'transform', with: { value: `\${{ ${long} }}` } }],
  ])('are spread over many steps: %s', (_, fields) => {
    const definition = aDefinition(shape, { timeout: '1h' })
    for (const one of definition.tasks) Object.assign(one, fields)
    const run = aRun(definition)
    let steps = 0
    for (let isComplete = false; !isComplete; steps++) {
      const before = settled(run)
      isComplete = advance(run, [], 0, noPayloads).isComplete
      expect(settled(run) - before).toBeLessThan(30)
    }
    expect(steps).toBeGreaterThan(2)
    expect(run.finishedAt).toBe(0)
  })
})

describe('a pause', () => {
  test('starts nothing, lets what executes end, and stops the deadline', () => {
    const run = aRunOf({ a: [], b: ['a'] }, {}, { timeout: '10s' })
    step(run, [{ type: 'RunPaused' }], 4_000)
    expect(run).toMatchObject({ status: 'paused', deadlineAt: null, remainingMs: 6_000 })
    expect(step(run, [succeeded(run, 'a')], 60_000).map(({ type }) => type)).toEqual(['AttemptSucceeded'])
    expect(dueAt(run, 60_000)).toBe(NEVER_DUE)
    expect(started(run, step(run, [{ type: 'RunResumed' }], 90_000))).toEqual(['b'])
    expect(run).toMatchObject({ status: 'running', deadlineAt: 96_000, remainingMs: null })
  })

  test('of a paused run, and a resume of one that goes on, record nothing', () => {
    const run = aRunOf({ a: [] }, {})
    expect(step(run, [{ type: 'RunResumed' }])).toEqual([])
    step(run, [{ type: 'RunPaused' }])
    expect(step(run, [{ type: 'RunPaused' }])).toEqual([])
  })

  test('holds retries that fall due, and lets sleeps end', () => {
    const retry = aRetry({ max_attempts: 2 })
    const run = aRunOf({ a: [], nap: [] }, { a: { retry }, nap: { type: 'sleep', with: { for: '2s' } } })
    step(run, [failed(run, 'a'), { type: 'RunPaused' }], 0)
    expect(dueAt(run, 0)).toBe(1_000)
    step(run, [], 1_000)
    expect(statuses(run)).toEqual({ a: 'waiting', nap: 'waiting' })
    step(run, [], 2_000)
    expect(statuses(run)).toEqual({ a: 'waiting', nap: 'succeeded' })
    step(run, [{ type: 'RunResumed' }], 5_000)
    expect(task(run, 'a').status).toBe('running')
  })

  test('does not let the run end by itself, but a cancel does', () => {
    const run = aRunOf({ a: [] }, {})
    step(run, [{ type: 'RunPaused' }])
    step(run, [succeeded(run, 'a')])
    expect(run.status).toBe('paused')
    step(run, [{ type: 'RunCancelRequested' }])
    expect(run.status).toBe('cancelled')
  })

  test('comes too late for a run whose deadline has passed', () => {
    const run = aRunOf({ a: [] }, {}, { timeout: '5s' })
    step(run, [{ type: 'RunPaused' }], 5_000)
    expect(run.status).toBe('timed_out')
  })
})

describe('compensation', () => {
  const shape = { book: [], pay: ['book'], ship: ['pay'], unbook: [], refund: [] }
  const fields = { book: { compensate: 'unbook' }, pay: { compensate: 'refund' } }
  const upTo = (ids: string[]) => {
    const run = aRunOf(shape, fields, { timeout: '5s' })
    for (const id of ids) step(run, [succeeded(run, id)])
    return run
  }

  test('is not needed when the run succeeds', () => {
    const run = upTo(['book', 'pay', 'ship'])
    expect(run.status).toBe('succeeded')
    expect(statuses(run)).toMatchObject({ unbook: 'not_needed', refund: 'not_needed' })
  })

  test('undoes what succeeded, the last first, one after another, and the run fails with its own error', () => {
    const run = upTo(['book', 'pay'])
    const events = step(run, [failed(run, 'ship')])
    expect(events.map(({ type }) => type)).toContain('CompensationStarted')
    expect(run.status).toBe('running')
    expect(started(run, events)).toEqual(['refund'])
    expect(started(run, step(run, [succeeded(run, 'refund')]))).toEqual(['unbook'])
    step(run, [succeeded(run, 'unbook')])
    expect(run).toMatchObject({ status: 'failed', error: { code: 'http_500', task_id: 'ship' } })
  })

  test('of what did not succeed is not needed', () => {
    const run = upTo(['book'])
    step(run, [failed(run, 'pay')])
    expect(statuses(run)).toMatchObject({ unbook: 'running', refund: 'pending' })
    step(run, [succeeded(run, 'unbook')])
    expect(statuses(run)).toMatchObject({ refund: 'not_needed' })
  })

  test('follows a cancel and a time-out too, beyond the deadline', () => {
    const cancelled = upTo(['book'])
    step(cancelled, [{ type: 'RunCancelRequested' }])
    expect(cancelled.status).toBe('running')
    step(cancelled, [succeeded(cancelled, 'unbook')])
    expect(cancelled.status).toBe('cancelled')

    const late = upTo(['book'])
    step(late, [], 5_000)
    expect(dueAt(late, 5_000)).toBe(NEVER_DUE)
    step(late, [succeeded(late, 'unbook')], 20_000)
    expect(late).toMatchObject({ status: 'timed_out', error: { code: 'run_timeout' } })
  })

  test('that fails does not keep the rest from being undone, and shows', () => {
    const run = upTo(['book', 'pay'])
    step(run, [failed(run, 'ship', 'http_404')])
    step(run, [failed(run, 'refund')])
    step(run, [succeeded(run, 'unbook')])
    expect(run).toMatchObject({
      status: 'failed',
      error: { code: 'compensation_failed', task_id: 'refund', cause: { code: 'http_404' } },
    })
  })

  test('cannot be cancelled, but paused', () => {
    const run = upTo(['book', 'pay'])
    step(run, [failed(run, 'ship')])
    expect(step(run, [{ type: 'RunCancelRequested' }])).toEqual([])
    step(run, [{ type: 'RunPaused' }])
    step(run, [succeeded(run, 'refund')])
    expect(statuses(run)).toMatchObject({ unbook: 'pending' })
    expect(started(run, step(run, [{ type: 'RunResumed' }]))).toEqual(['unbook'])
  })

  test('is broken off by a bug that breaks the run again', () => {
    const run = upTo(['book', 'pay'])
    step(run, [failed(run, 'ship')])
    const error: TaskError = { code: 'run_internal_error', message: 'broken', retryable: false }
    step(run, [{ type: 'RunStopped', error }])
    expect(run).toMatchObject({ status: 'failed', error: { code: 'run_internal_error' } })
    expect(statuses(run)).toMatchObject({ refund: 'cancelled', unbook: 'run_stopped' })
  })

  test('may not let the history grow without end, though it goes beyond its limit', () => {
    const run = upTo(['book', 'pay'])
    run.events = HISTORY_LIMIT
    step(run)
    expect(run.compensation?.error).toMatchObject({ code: 'history_limit' })
    expect(statuses(run)).toMatchObject({ refund: 'running' })
    run.events = 2 * HISTORY_LIMIT
    step(run, [failed(run, 'refund')])
    expect(run).toMatchObject({ status: 'failed', error: { code: 'history_limit' } })
    expect(statuses(run)).toMatchObject({ refund: 'cancelled', unbook: 'run_stopped' })
  })

  test('waits for its next attempt as its policy says, and at most an hour because a server asks', () => {
    const retry = aRetry({ initial_interval: '2h', max_interval: '2h' })
    const busy = (run: Run, retryAfterMs: number): Fact => ({
      type: 'AttemptFailed',
      ...token(run, 'unbook'),
      error: { code: 'http_503', message: 'busy', retryable: true },
      retryAfterMs,
    })
    for (const [initial_interval, asked, becomes] of [
      ['2h', 1_000, 'waiting'],
      ['1s', 3_600_000, 'waiting'],
      ['1s', 3_600_001, 'failed'],
    ] as const) {
      const run = aRunOf(shape, { ...fields, unbook: { retry: { ...retry, initial_interval } } })
      step(run, [succeeded(run, 'book')])
      step(run, [failed(run, 'pay')])
      step(run, [busy(run, asked)])
      expect(statuses(run).unbook).toBe(becomes)
      if (becomes === 'failed') expect(task(run, 'unbook').error?.code).toBe('retry_after_too_long')
    }
  })

  test('has a limit of its own', () => {
    const run = upTo([])
    expect(run.workflow.plans[index(run, 'unbook')]!.timeoutMs).toBe(30_000)
  })
})

describe('defaults', () => {
  test('count for tasks that set none, and their limit for attempts alone', () => {
    const retry = aRetry({ max_attempts: 5 })
    const own = { ...retry, max_attempts: 2 }
    const run = aRunOf(
      { a: [], b: [], nap: [] },
      {
        b: { retry: own, timeout: '9s' },
        nap: { type: 'sleep', with: { for: '1m' } },
      },
      { defaults: { retry, timeout: '2s' } },
    )
    const plan = (id: string) => run.workflow.plans[index(run, id)]!
    expect(plan('a')).toMatchObject({ retry, timeoutMs: 2_000 })
    expect(plan('b')).toMatchObject({ retry: own, timeoutMs: 9_000 })
    expect(plan('nap').timeoutMs).toBeNull()
  })
})
