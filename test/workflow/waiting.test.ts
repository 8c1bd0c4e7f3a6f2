// What is said of whoever waits, case by case. That everything held back says something is shown by the simulation.

import { describe, expect, test } from 'vitest'
import { advance } from '../../src/workflow/decide/advance.ts'
import type { WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import type { TaskError } from '../../src/workflow/event.ts'
import { runWaiting, waitingIn } from '../../src/workflow/explain/waiting.ts'
import { apply } from '../../src/workflow/run/apply.ts'
import type { Fact } from '../../src/workflow/run/fact.ts'
import type { Run } from '../../src/workflow/run/run.ts'
import { aDefinition, aRetry, aRun } from '../support/builders.ts'

const noPayloads = () => null
const index = (run: Run, id: string) => run.workflow.graph.indexOf.get(id)!
const waitingOf = (run: Run, id: string, now = run.at) => waitingIn(run, now).ofTask(index(run, id))
const step = (run: Run, now: number, ...facts: Fact[]) => advance(run, facts, now, noPayloads)
const token = (run: Run, id: string) => ({ task: index(run, id), token: run.tasks[index(run, id)]!.token })
const succeeded = (run: Run, id: string): Fact => ({ type: 'AttemptSucceeded', ...token(run, id), output: null })
const failed = (run: Run, id: string): Fact => ({
  type: 'AttemptFailed',
  ...token(run, id),
  error: { code: 'http_500', message: 'answered 500', retryable: true },
})

function started(definition: WorkflowDefinition): Run {
  const run = aRun(definition, { timeoutMs: 60_000 })
  step(run, 0)
  return run
}

function with_(definition: WorkflowDefinition, id: string, fields: object): WorkflowDefinition {
  return { ...definition, tasks: definition.tasks.map((task) => (task.id === id ? { ...task, ...fields } : task)) }
}

const RETRY = aRetry()

describe('a run', () => {
  test('that is queued starts at once; one that is paused says so; others wait for nothing', () => {
    const run = aRun(aDefinition({ a: [] }))
    expect(runWaiting(run)).toEqual({ for: 'time', detail: 'the run starts at once', until: 0 })
    step(run, 0)
    expect(runWaiting(run)).toBeNull()
    step(run, 1, { type: 'RunPaused' })
    expect(runWaiting(run)).toEqual({ for: 'paused', detail: 'the run is paused' })
    step(run, 2, { type: 'RunResumed' })
    step(run, 3, succeeded(run, 'a'))
    expect(run.status).toBe('succeeded')
    expect(runWaiting(run)).toBeNull()
    expect(waitingOf(run, 'a')).toBeNull()
  })
})

describe('a task that its dependencies hold', () => {
  test('names those that have not ended, and its rule where that is not the usual one', () => {
    const run = started(with_(aDefinition({ a: [], b: [], c: ['a', 'b'] }), 'c', { trigger_rule: 'all_done' }))
    expect(waitingOf(run, 'c')).toEqual({ for: 'dependency', detail: 'waits for a, b (all_done)', on: ['a', 'b'] })
    step(run, 1, succeeded(run, 'a'))
    expect(waitingOf(run, 'c')).toEqual({ for: 'dependency', detail: 'waits for b (all_done)', on: ['b'] })
    expect(waitingOf(run, 'a')).toBeNull()
    expect(waitingOf(run, 'b')).toBeNull()
  })

  test('of many names the first five in words, and all as data', () => {
    const roots = Array.from({ length: 7 }, (_, i) => `r${i}`)
    const run = started(aDefinition({ ...Object.fromEntries(roots.map((id) => [id, []])), last: roots }))
    expect(waitingOf(run, 'last')).toEqual({
      for: 'dependency',
      detail: 'waits for r0, r1, r2, r3, r4, ...',
      on: roots,
    })
  })
})

describe('a task that is ready', () => {
  test('has its place in the queue for a slot', () => {
    const run = started(aDefinition({ a: [], b: [], c: [] }, { max_parallel: 1 }))
    const detail = 'all 1 slots of the run are taken'
    expect(waitingOf(run, 'b')).toEqual({ for: 'slot', detail, position: 1 })
    expect(waitingOf(run, 'c')).toEqual({ for: 'slot', detail, position: 2 })
  })

  test('waits for the end of the pause in a paused run, with a condition or without', () => {
    const run = started(with_(aDefinition({ a: [], b: ['a'], c: ['a'] }), 'b', { when: 'true' }))
    step(run, 1, { type: 'RunPaused' })
    step(run, 2, succeeded(run, 'a'))
    expect([waitingOf(run, 'b')!.for, waitingOf(run, 'c')!.for]).toEqual(['paused', 'paused'])
  })
})

describe('a task that is tried again', () => {
  const definition = with_(aDefinition({ a: [], b: [], c: [] }, { max_parallel: 2 }), 'a', { retry: RETRY })

  test('waits for the time of its retry; when that has come, for a slot, before whoever became ready since', () => {
    const run = started(definition)
    step(run, 10, failed(run, 'a'))
    const detail = 'attempt 1 of 3 ended with http_500'
    expect(waitingOf(run, 'a')).toEqual({ for: 'retry', detail, until: 1_010 })
    expect(waitingOf(run, 'a', 1_010)).toEqual({
      for: 'slot',
      detail: `${detail}; the next is due, but all 2 slots of the run are taken`,
      position: 1,
    })
  })

  test('that is due stays due in a paused run, though nothing is recorded since', () => {
    const run = started(definition)
    step(run, 10, failed(run, 'a'))
    step(run, 20, { type: 'RunPaused' })
    expect(waitingOf(run, 'a', 1_009)!.for).toBe('retry')
    expect(waitingOf(run, 'a', 1_010)).toEqual({ for: 'paused', detail: 'the run is paused', until: 1_010 })
  })

  test('says whether a restart or its server put it off', () => {
    const run = started(definition)
    step(run, 10, { type: 'AttemptInterrupted', ...token(run, 'a') })
    expect(waitingOf(run, 'a')!.detail).toBe('attempt 1 was cut off by a restart or a pause and is made again')
    const unmade = started(aDefinition({ a: [] }))
    const detail = 'attempt 1 could not be made, since what makes it did not answer'
    step(unmade, 10, { type: 'AttemptInterrupted', ...token(unmade, 'a'), isUnreached: true })
    expect(waitingOf(unmade, 'a')!.detail).toBe(`${detail}; it is tried again`)
    const due = waitingOf(unmade, 'a')!.until!
    step(unmade, due)
    step(unmade, due + 1, { type: 'AttemptInterrupted', ...token(unmade, 'a'), isUnreached: true })
    expect(waitingOf(unmade, 'a')!.detail).toBe(`${detail}, 2 times in a row now; it is tried again`)
    const other = started(definition)
    const error: TaskError = { code: 'http_429', message: 'answered 429', retryable: true }
    step(other, 10, { type: 'AttemptFailed', ...token(other, 'a'), error, retryAfterMs: 5_000 })
    expect(waitingOf(other, 'a')).toEqual({
      for: 'retry',
      detail: 'attempt 1 of 3 was put off by the server (http_429)',
      until: 5_010,
    })
  })
})

describe('a wait that is what its task does', () => {
  test('goes on in a paused run', () => {
    const run = started(with_(aDefinition({ nap: [] }), 'nap', { type: 'sleep', with: { for: '1s' } }))
    step(run, 1, { type: 'RunPaused' })
    expect(waitingOf(run, 'nap', 5_000)).toEqual({ for: 'time', detail: 'sleeps', until: 1_000 })
  })

  test('for an event names it, and says until when only if a time ends it', () => {
    const wait = { type: 'wait_for_event', with: { event: 'approved' } }
    const detail = 'waits for the event "approved"'
    const run = started(with_(aDefinition({ a: [] }), 'a', wait))
    expect(waitingOf(run, 'a')).toEqual({ for: 'signal', detail })
    const bounded = started(with_(aDefinition({ a: [] }), 'a', { ...wait, timeout: '2s' }))
    expect(waitingOf(bounded, 'a')).toEqual({ for: 'signal', detail, until: 2_000 })
  })

  test('for a circuit names it', () => {
    const run = aRun(aDefinition({ a: [] }), { timeoutMs: 60_000 })
    const admission = { hold: () => ({ target: 'upstream.test', until: 2_000 }), isFree: () => false }
    advance(run, [], 0, noPayloads, admission)
    expect(waitingOf(run, 'a')).toEqual({
      for: 'circuit',
      detail: 'the circuit of upstream.test is open: too many of its last calls failed',
      until: 2_000,
    })
  })
})

describe('a compensation', () => {
  test('waits until something has to be undone, then for those that are undone before it', () => {
    const run = started({
      ...aDefinition({ a: [], b: ['a'], c: ['b'], 'undo-a': [], 'undo-b': [] }),
      tasks: aDefinition({ a: [], b: ['a'], c: ['b'], 'undo-a': [], 'undo-b': [] }).tasks.map((task) =>
        task.id === 'a' || task.id === 'b' ? { ...task, compensate: `undo-${task.id}` } : task,
      ),
    })
    expect(waitingOf(run, 'undo-a')).toEqual({
      for: 'dependency',
      detail: 'runs only if a has to be undone',
      on: ['a'],
    })
    step(run, 1, succeeded(run, 'a'))
    step(run, 2, succeeded(run, 'b'))
    step(run, 3, failed(run, 'c'))
    expect(run.tasks[index(run, 'undo-b')]!.status).toBe('running')
    expect(waitingOf(run, 'undo-a')).toEqual({
      for: 'dependency',
      detail: 'undoes a after undo-b has ended',
      on: ['undo-b'],
    })
    step(run, 4, { type: 'RunPaused' })
    step(run, 5, succeeded(run, 'undo-b'))
    expect(waitingOf(run, 'undo-a')).toEqual({ for: 'paused', detail: 'the run is paused' })
  })
})

describe('between the events of one commit', () => {
  test('whatever is decided next says so', () => {
    const run = started(with_(aDefinition({ a: [], b: ['a'] }), 'b', { when: 'true' }))
    apply(run, { ...failed(run, 'a'), at: 1 } as never)
    expect(waitingOf(run, 'a')).toEqual({ for: 'retry', detail: 'attempt 1 of 1 ended with http_500', until: null })
    const other = started(with_(aDefinition({ a: [], b: ['a'] }), 'b', { when: 'true' }))
    apply(other, { ...succeeded(other, 'a'), at: 1 } as never)
    expect(waitingOf(other, 'b')).toEqual({ for: 'slot', detail: 'its condition is evaluated next' })
    apply(run, { type: 'TaskFailed', at: 1, task: 0, error: { code: 'http_500', message: '', retryable: true } })
    expect(waitingOf(run, 'b')).toEqual({
      for: 'dependency',
      detail: 'what it waited for has ended; it is skipped next',
      on: [],
    })
  })
})
