import { decodeTime } from 'ulid'
import { describe, expect, test } from 'vitest'
import { advance } from '../../src/workflow/decide/advance.ts'
import { childCall, childRunId, endOfChild, parentOf } from '../../src/workflow/decide/child.ts'
import { decide } from '../../src/workflow/decide/scheduler.ts'
import type { WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import type { RunError, TaskError } from '../../src/workflow/event.ts'
import { runsCutOff } from '../../src/workflow/run/items.ts'
import { dueAt, isCurrent, type Run } from '../../src/workflow/run/run.ts'
import { parseRunId } from '../../src/workflow/run-id.ts'
import { aDefinition, aRetry, aRun } from '../support/builders.ts'

const noPayloads = () => null
const parentId = 'run_0401K2V5Q8W3N4M5P6R7S8T9V0WX'

function nesting(rest: Partial<WorkflowDefinition> = {}): WorkflowDefinition {
  const definition = aDefinition({ sub: [], after: ['sub'] }, rest)
  Object.assign(definition.tasks[0]!, { type: 'workflow', with: { workflow: 'below' } })
  return definition
}

describe('the id of a child', () => {
  test('is a run id of its parent’s shard, with the time of its start', () => {
    const id = childRunId(parentId, { task: 0 }, 0, Date.parse('2027-01-15T08:00:00Z'))
    expect(parseRunId(id)).toEqual({ shard: 4, ulid: id.slice(6) })
    expect(decodeTime(id.slice(6))).toBe(Date.parse('2027-01-15T08:00:00Z'))
    expect(id).toBe(childRunId(parentId, { task: 0 }, 0, Date.parse('2027-01-15T08:00:00Z')))
  })

  test('is another for each parent, task and attempt', () => {
    const ids = new Set<string>()
    for (let task = 0; task < 300; task++) {
      for (let attempt = 0; attempt < 100; attempt++)
        ids.add(childRunId(parentId, { task }, attempt, 1_800_000_000_000))
    }
    ids.add(childRunId(`${parentId.slice(0, -1)}Y`, { task: 0 }, 0, 1_800_000_000_000))
    expect(ids.size).toBe(30_001)
  })
})

describe('a task that is a run', () => {
  test('waits for it without a slot, and its attempt is the run', () => {
    const run = aRun(nesting({ max_parallel: 1 }))
    const { events } = advance(run, [], 0, noPayloads)
    expect(events.map(({ type }) => type)).toEqual(['RunStarted', 'ChildStarted'])
    expect(run.tasks[0]).toMatchObject({ status: 'waiting', waitingFor: 'child', token: 3 })
    expect(run.tasks[0]!.attempts).toMatchObject([{ number: 1, status: 'running' }])
    expect(run.slots.free).toBe(1)
    expect(isCurrent(run, { task: 0 }, 3)).toBe(true)
    expect(isCurrent(run, { task: 0 }, 2)).toBe(false)
    expect(parentOf(run, { task: 0 })).toEqual({ run_id: run.id, task_id: 'sub', above: ['wf@1'] })
    advance(run, [{ type: 'AttemptSucceeded', task: 0, token: 3, output: { n: 1 } }], 5, noPayloads)
    expect(run.tasks[0]).toMatchObject({ status: 'succeeded', output: { n: 1 }, token: 0 })
    expect(run.tasks[1]!.status).toBe('running')
  })

  test('is tried again as another run', () => {
    const definition = nesting()
    definition.tasks[0]!.retry = aRetry({ max_attempts: 2 })
    const run = aRun(definition)
    advance(run, [], 0, noPayloads)
    const first = run.tasks[0]!.childRun
    const error: TaskError = { code: 'http_500', message: 'answered 500', retryable: true }
    advance(run, [{ type: 'AttemptFailed', task: 0, token: 3, error }], 10, noPayloads)
    expect(run.tasks[0]).toMatchObject({ status: 'waiting', waitingFor: 'retry', wakeAt: 1_010 })
    expect(decide(run, 1_009, noPayloads)).toEqual([])
    advance(run, [], 1_010, noPayloads)
    expect(run.tasks[0]).toMatchObject({ status: 'waiting', waitingFor: 'child' })
    expect(run.tasks[0]!.attempts.map(({ number, status }) => [number, status])).toEqual([
      [1, 'failed'],
      [2, 'running'],
    ])
    expect(run.tasks[0]!.childRun).not.toBe(first)
  })

  test('goes on while its run is paused, and starts nothing then', () => {
    const run = aRun(nesting())
    advance(run, [], 0, noPayloads)
    advance(run, [{ type: 'RunPaused' }], 1, noPayloads)
    advance(run, [{ type: 'AttemptSucceeded', task: 0, token: 3, output: null }], 2, noPayloads)
    expect(run.tasks.map(({ status }) => status)).toEqual(['succeeded', 'pending'])
  })

  test.each([
    ['cancelled', { type: 'RunCancelRequested' }, 5, 'cancelled'],
    [
      'stopped',
      { type: 'RunStopped', error: { code: 'history_limit', message: '', retryable: false } },
      5,
      'cancelled',
    ],
    ['timed out', null, 5_000, 'timed_out'],
  ] as const)('ends with a run that is %s', (_, fact, at, status) => {
    const run = aRun(nesting())
    advance(run, [], 0, noPayloads)
    advance(run, fact === null ? [] : [fact], at, noPayloads)
    expect(run.tasks[0]!.status).toBe(status)
    expect(run.tasks[0]!.attempts).toMatchObject([{ status }])
    expect(run.nesting.size).toBe(0)
  })

  test('of a run that was refused has none', () => {
    const run = aRun(nesting())
    advance(run, [], 0, noPayloads)
    const error: TaskError = { code: 'unknown_workflow', message: 'There is no workflow below', retryable: false }
    advance(run, [{ type: 'AttemptFailed', task: 0, token: 3, error, wasRefusedStart: true }], 1, noPayloads)
    expect(run.tasks[0]).toMatchObject({ status: 'failed', childRun: null, error })
  })
})

describe('what a child’s end means', () => {
  test.each([
    [{ status: 'succeeded', output: 7, bytes: 1 }, 'AttemptSucceeded', undefined],
    [{ status: 'succeeded', output: 'x', bytes: 1_048_577 }, 'AttemptFailed', 'output_too_large'],
    [{ status: 'cancelled', error: null }, 'AttemptFailed', 'child_cancelled'],
    [{ status: 'timed_out', error: null }, 'AttemptTimedOut', 'timeout'],
  ] as const)('%o', (end, type, code) => {
    const fact = endOfChild({ task: 0 }, 3, 'run_x', end)
    expect(fact).toMatchObject({ type, task: 0, token: 3, ...(code === undefined ? {} : { error: { code } }) })
  })

  test('a failure is its error, without the names of its tasks', () => {
    const cause: TaskError = { code: 'http_500', message: 'answered 500', retryable: true }
    const error: RunError = {
      code: 'retry_budget_exhausted',
      message: 'used up',
      retryable: true,
      task_id: 'a',
      cause,
    }
    expect(endOfChild({ task: 0 }, 3, 'run_x', { status: 'failed', error })).toEqual({
      type: 'AttemptFailed',
      task: 0,
      token: 3,
      error: { code: 'retry_budget_exhausted', message: 'used up', retryable: true, cause },
    })
  })
})

test('what a task names has to be a workflow', () => {
  expect(childCall({ workflow: 'a@3' })).toEqual({ ok: true, workflow: { name: 'a', version: 3 }, input: null })
  expect(childCall({ workflow: 'a@latest', input: [1] })).toMatchObject({ workflow: { version: 'latest' }, input: [1] })
  for (const workflow of ['', 'a b', 'a@0', 'a@live', 5, null, ['a']]) {
    expect(childCall({ workflow })).toMatchObject({ ok: false, error: { code: 'invalid_with' } })
  }
})

describe('an item that is a run', () => {
  const retry = aRetry({ max_attempts: 2 })

  function mapping(items: number, config: object = {}, inner: object = {}): Run {
    const definition = aDefinition({ each: [], other: [] }, { max_parallel: 2, timeout: '1h' })
    const task = { type: 'workflow', with: { workflow: 'below' }, ...inner }
    const values = Array.from({ length: items }, (_, index) => index)
    Object.assign(definition.tasks[0]!, { type: 'map', with: { items: values, task, ...config } })
    const run = aRun(definition)
    while (!advance(run, [], 0, noPayloads).isComplete);
    return run
  }

  const itemOf = (run: Run, item: number) => run.tasks[0]!.items!.begun.get(item)!
  const about = (run: Run, item: number) => ({ task: 0, item, token: itemOf(run, item).token })
  const error: TaskError = { code: 'http_500', message: 'answered 500', retryable: true }

  test('waits for it without a slot, and counts for its map', () => {
    const run = mapping(5)
    expect(run.slots.holders).toEqual(new Set([1]))
    expect(run.tasks[0]!.items!.progress).toMatchObject({ waiting: 2, pending: 3 })
    expect(itemOf(run, 0)).toMatchObject({ waitingFor: 'child', attempts: [{ number: 1, status: 'running' }] })
    expect(parentOf(run, { task: 0, item: 1 })).toEqual({ run_id: run.id, task_id: 'each', item: 1, above: ['wf@1'] })
    const { events } = advance(run, [{ type: 'AttemptSucceeded', ...about(run, 1), output: 'b' }], 1, noPayloads)
    expect(events).toMatchObject([
      { type: 'AttemptSucceeded', item: 1 },
      { type: 'ChildStarted', item: 2 },
    ])
    expect(dueAt(run, 1)).toBe(run.deadlineAt)
  })

  test('is another run for each item and attempt', () => {
    const run = mapping(64, { max_parallel: 64 }, { retry })
    const first = [...run.tasks[0]!.items!.begun.values()].map(({ childRun }) => childRun)
    expect(new Set(first).size).toBe(64)
    advance(run, [{ type: 'AttemptFailed', ...about(run, 3), error }], 10, noPayloads)
    expect(itemOf(run, 3)).toMatchObject({ waitingFor: 'retry', wakeAt: 1_010 })
    expect(dueAt(run, 10)).toBe(1_010)
    expect(decide(run, 1_009, noPayloads)).toEqual([])
    advance(run, [], 1_010, noPayloads)
    expect(itemOf(run, 3)).toMatchObject({ waitingFor: 'child', attempts: [{ number: 1 }, { number: 2 }] })
    expect(first).not.toContain(itemOf(run, 3).childRun)
  })

  test('that is tried again comes before those that have not begun, once there is room', () => {
    const run = mapping(4, { max_parallel: 1 }, { retry })
    advance(run, [{ type: 'AttemptFailed', ...about(run, 0), error }], 0, noPayloads)
    // The room goes on to the next item while this one waits.
    expect(itemOf(run, 1).waitingFor).toBe('child')
    expect(advance(run, [], 1_000, noPayloads).events).toEqual([])
    advance(run, [{ type: 'AttemptSucceeded', ...about(run, 1), output: null }], 1_001, noPayloads)
    expect(itemOf(run, 0).waitingFor).toBe('child')
    expect(run.tasks[0]!.items!.next).toBe(2)
  })

  test('that was refused is none', () => {
    const run = mapping(2, { tolerated_failures: 1 })
    advance(run, [{ type: 'AttemptFailed', ...about(run, 0), error, wasRefusedStart: true }], 1, noPayloads)
    expect(itemOf(run, 0)).toMatchObject({ status: 'failed', childRun: null })
  })

  test('ends with its map, which names the runs that it cuts off', () => {
    const run = mapping(9, { max_parallel: 4, tolerated_failures: 1 })
    advance(run, [{ type: 'AttemptFailed', ...about(run, 0), error }], 1, noPayloads)
    const cut = [2, 3, 4].map((item) => itemOf(run, item).childRun)
    advance(run, [{ type: 'AttemptFailed', ...about(run, 1), error }], 1, noPayloads)
    expect(run.tasks[0]).toMatchObject({ status: 'failed', error: { code: 'map_failed' } })
    expect(runsCutOff(run, 0)).toEqual(cut)
    expect(run.nesting.size).toBe(0)
    expect(isCurrent(run, { task: 0, item: 2 }, 5)).toBe(false)
  })
})
