// Which tasks decided how long a run took, case by case. That the shares always sum up to the run is shown by the simulation.

import { describe, expect, test } from 'vitest'
import type { AcceptedEvent } from '../../src/workflow/event.ts'
import { criticalPath } from '../../src/workflow/explain/critical-path.ts'
import { timelineOf } from '../../src/workflow/explain/timeline.ts'
import { accept } from '../../src/workflow/run/apply.ts'
import { aRetry } from '../support/builders.ts'
import { type DrivenRun, drive } from '../support/driven-run.ts'

/** Task, share in ms, and what it went to. */
function pathOf({ run, events }: DrivenRun, now: number = run.at) {
  const { steps, afterMs } = criticalPath(run, timelineOf(run, events, now), now)
  const { tasks } = run.workflow.definition
  const told = steps.map(({ task, from, to, spent }) => [tasks[task]!.id, to - from, Object.fromEntries(spent)])
  return afterMs === 0 ? told : [...told, ['after', afterMs]]
}

const RETRY = aRetry()

describe('the critical path', () => {
  test('of a chain is the chain', () => {
    const run = drive({ a: [], b: ['a'], c: ['b'] })
    run.at(10, run.done('a'))
    run.at(30, run.done('b'))
    run.at(60, run.done('c'))
    expect(pathOf(run)).toEqual([
      ['a', 10, { executing: 10 }],
      ['b', 20, { executing: 20 }],
      ['c', 30, { executing: 30 }],
    ])
  })

  test('of a diamond goes through the slower side', () => {
    const run = drive({ top: [], fast: ['top'], slow: ['top'], bottom: ['fast', 'slow'] })
    run.at(5, run.done('top'))
    run.at(10, run.done('fast'))
    run.at(50, run.done('slow'))
    run.at(55, run.done('bottom'))
    expect(pathOf(run).map(([id]) => id)).toEqual(['top', 'slow', 'bottom'])
  })

  test('of a fan that is larger than the slots shows the wait for one', () => {
    const run = drive({ a: [], b: [], c: [] }, {}, { max_parallel: 1 })
    run.at(10, run.done('a'))
    run.at(30, run.done('b'))
    run.at(60, run.done('c'))
    expect(pathOf(run)).toEqual([['c', 60, { slot: 30, executing: 30 }]])
  })

  test('goes through the dependency that let a task start, not through those that came later', () => {
    const run = drive({ first: [], late: [], next: ['first', 'late'] }, { next: { trigger_rule: 'one_success' } })
    run.at(10, run.done('first'))
    run.at(40, run.done('late'))
    run.at(100, run.done('next'))
    expect(pathOf(run)).toEqual([
      ['first', 10, { executing: 10 }],
      ['next', 90, { executing: 90 }],
    ])
  })

  test('of a task that waits for nothing begins with the run', () => {
    const run = drive({ a: [], b: ['a'] }, { b: { trigger_rule: 'always' } })
    run.at(10, run.done('a'))
    run.at(20, run.done('b'))
    expect(pathOf(run)).toEqual([['b', 20, { executing: 20 }]])
  })

  test('divides a share into attempts, waits for retries, and the time until they were started', () => {
    const run = drive({ a: [] }, { a: { retry: RETRY } })
    run.at(100, run.failed('a'))
    run.at(1_103)
    run.at(1_200, run.done('a'))
    expect(pathOf(run)).toEqual([['a', 1_200, { executing: 197, retry: 1_000, start: 3 }]])
  })

  test('tells a retry that is due and finds no slot from one that is not due', () => {
    const run = drive({ a: [], b: [] }, { a: { retry: RETRY } }, { max_parallel: 1 })
    run.at(100, run.failed('a'))
    run.at(2_000, run.done('b'))
    run.at(2_500, run.done('a'))
    expect(pathOf(run)).toEqual([['a', 2_500, { executing: 600, retry: 1_000, slot: 900 }]])
  })

  test('shows a pause where it held what was ready, and not where it executed', () => {
    const run = drive({ a: [], b: ['a'] })
    run.at(10, { type: 'RunPaused' })
    run.at(20, run.done('a'))
    run.at(50, { type: 'RunResumed' })
    run.at(60, run.done('b'))
    expect(pathOf(run)).toEqual([
      ['a', 20, { executing: 20 }],
      ['b', 40, { paused: 30, executing: 10 }],
    ])
  })

  test('of a paused run whose last task has ended says that nothing is under way', () => {
    const run = drive({ a: [] })
    run.at(10, { type: 'RunPaused' })
    run.at(20, run.done('a'))
    expect(pathOf(run, 70)).toEqual([
      ['a', 20, { executing: 20 }],
      ['after', 50],
    ])
  })

  test('counts a sleep as one, and passes through skipped tasks', () => {
    const run = drive(
      { nap: [], maybe: ['nap'], last: ['maybe'] },
      {
        nap: { type: 'sleep', with: { for: '2s' } },
        maybe: { when: 'false' },
        last: { trigger_rule: 'none_failed' },
      },
    )
    run.at(2_000)
    run.at(2_030, run.done('last'))
    expect(pathOf(run)).toEqual([
      ['nap', 2_000, { time: 2_000 }],
      ['maybe', 0, {}],
      ['last', 30, { executing: 30 }],
    ])
  })

  test('of a run that a failure stopped ends with that failure, or with what ran because of it', () => {
    const shape = { bad: [], other: [], cleanup: ['other'] }
    const stopped = drive(shape)
    stopped.at(30, stopped.failed('bad'))
    expect(stopped.run.status).toBe('failed')
    expect(pathOf(stopped)).toEqual([['bad', 30, { executing: 30 }]])
    const cleaned = drive(shape, { cleanup: { trigger_rule: 'all_done' } })
    cleaned.at(30, cleaned.failed('bad'))
    cleaned.at(50, cleaned.done('cleanup'))
    expect(pathOf(cleaned).map(([id, ms]) => [id, ms])).toEqual([
      ['other', 30],
      ['cleanup', 20],
    ])
  })

  test('goes on through what was undone, the last success first', () => {
    const run = drive(
      { a: [], b: ['a'], c: ['b'], 'undo-a': [], 'undo-b': [] },
      { a: { compensate: 'undo-a' }, b: { compensate: 'undo-b' } },
    )
    run.at(10, run.done('a'))
    run.at(20, run.done('b'))
    run.at(40, run.failed('c'))
    run.at(70, run.done('undo-b'))
    expect(pathOf(run, 75).map(([id, ms]) => [id, ms])).toEqual([
      ['a', 10],
      ['b', 10],
      ['c', 20],
      ['undo-b', 30],
      ['undo-a', 5],
    ])
    run.at(100, run.done('undo-a'))
    expect(run.run.status).toBe('failed')
    expect(pathOf(run).at(-1)).toEqual(['undo-a', 30, { executing: 30 }])
  })

  test('of a run that was cancelled or timed out ends with what was under way, the longest first', () => {
    const cancelled = drive({ a: [], long: [], short: ['a'] })
    cancelled.at(10, cancelled.done('a'))
    cancelled.at(50, { type: 'RunCancelRequested' })
    expect(pathOf(cancelled)).toEqual([['long', 50, { executing: 50 }]])
    const timedOut = drive({ a: [], b: ['a'] })
    timedOut.at(10, timedOut.done('a'))
    timedOut.at(60_000)
    expect(timedOut.run.status).toBe('timed_out')
    expect(pathOf(timedOut)).toEqual([
      ['a', 10, { executing: 10 }],
      ['b', 59_990, { executing: 59_990 }],
    ])
  })

  test('of a run under way leads to what has been under way for longest, and is none before the start', () => {
    const run = drive({ a: [], b: ['a'], c: [] })
    run.at(10, run.done('a'))
    run.at(20, run.done('c'))
    expect(pathOf(run, 90)).toEqual([
      ['a', 10, { executing: 10 }],
      ['b', 80, { executing: 80 }],
    ])
    const queued = accept(run.events[0] as AcceptedEvent)
    expect(criticalPath(queued, timelineOf(queued, run.events.slice(0, 1), 50), 50)).toEqual({ steps: [], afterMs: 0 })
  })

  test('of a long chain has every task, though the run was cut into many steps', () => {
    const shape = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`t${i}?`, i === 0 ? [] : [`t${i - 1}`]]))
    const run = drive(shape)
    while (run.run.finishedAt === null) run.at(run.run.at + 1)
    expect(pathOf(run).filter(([id]) => id !== 'after')).toHaveLength(10_000)
  })
})
