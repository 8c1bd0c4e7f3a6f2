// What is said of a run, word by word, for each way in which it can stand or have ended. That it can be said of any run at any
// moment, and that the shares of its path are all of its time, is shown by the simulation.

import { describe, expect, test } from 'vitest'
import { advance } from '../../src/workflow/decide/advance.ts'
import type { TaskDefinition } from '../../src/workflow/definition/definition.ts'
import type { AcceptedEvent, RunEvent, TaskError } from '../../src/workflow/event.ts'
import { explain, explanationJson, explanationText } from '../../src/workflow/explain/explain.ts'
import { accept } from '../../src/workflow/run/apply.ts'
import type { Fact } from '../../src/workflow/run/fact.ts'
import { joinWithAnd, spanText } from '../../src/workflow/wording.ts'
import { aRetry } from '../support/builders.ts'
import { type DrivenRun, drive } from '../support/driven-run.ts'

function textOf({ run, events }: Pick<DrivenRun, 'run' | 'events'>, now: number = run.at): string[] {
  return explanationText(run, explain(run, events, now), now)
    .trimEnd()
    .split('\n')
}

// biome-ignore lint/suspicious/noExplicitAny: what JSON holds is data here
function jsonOf({ run, events }: DrivenRun, now: number = run.at): any {
  return JSON.parse(JSON.stringify(explanationJson(run, explain(run, events, now), now)))
}

const RENEWAL = 'It does not go on; POST /v1/runs/run_00A/retry makes what did not succeed again, in a new run.'
const RETRY = aRetry()

describe('a run that succeeded', () => {
  test('says what ran, after which failures, and which tasks decided its time', () => {
    const run = drive({ a: [], b: ['a'], 'c?': ['a'] }, { b: { retry: RETRY } })
    run.at(10, run.done('a'))
    run.at(20, run.failed('b', 'http_503'))
    run.at(1_020)
    run.at(1_100, run.done('b'))
    expect(textOf(run)).toEqual([
      'The run succeeded in 1100 ms: 3 of 3 tasks succeeded.',
      '',
      'The run of wf version 1, 3 tasks, was accepted at 1970-01-01T00:00:00.000Z and started at once.',
      '1 of them is a placeholder, which does nothing.',
      'All 3 tasks succeeded: a, b and c.',
      'b succeeded at attempt 2, after 1 attempt that ended with http_503.',
      '',
      'Its 1100 ms were decided by 2 tasks, each let go by the one before:',
      '  a      10 ms    1 %  executing 10 ms',
      '  b    1090 ms   99 %  until its retry 1000 ms, executing 90 ms',
    ])
    expect(jsonOf(run)).toMatchObject({
      run: 'run_00A',
      status: 'succeeded',
      at: '1970-01-01T00:00:01.100Z',
      duration_ms: 1_100,
      critical_path: {
        tasks: [
          { task: 'a', duration_ms: 10, share: 0.0091, executing_ms: 10, waited_ms: {} },
          { task: 'b', duration_ms: 1_090, share: 0.9909, executing_ms: 90, waited_ms: { retry: 1_000 } },
        ],
        after_ms: 0,
      },
      needs: [],
    })
  })

  test('although a task failed says who handled it', () => {
    const run = drive({ a: [], alert: ['a'] }, { alert: { trigger_rule: 'one_failed' } }, { on_failure: 'continue' })
    run.at(10, run.failed('a'))
    run.at(20, run.done('alert'))
    expect(run.run.status).toBe('succeeded')
    expect(textOf(run)).toContain(
      'a failed after 1 attempt: http_500 (GET a answered). alert, which runs by one_failed, succeeded, so the failure is handled.',
    )
  })

  test('says what it was told, and how long it waited for it', () => {
    const wait = { type: 'wait_for_event', with: { event: 'approved' } }
    const run = drive({ a: [] }, { a: wait })
    const told = { type: 'SignalReceived', data: null } as const
    run.at(20, { ...told, id: '1', name: 'other', takers: [] })
    expect(textOf(run, 30)).toEqual(
      expect.arrayContaining([
        'It was told of 1 event: other; no task has taken 1 of them.',
        '  a: waits for the event "approved"',
      ]),
    )
    run.at(40, { ...told, id: '2', name: 'approved', takers: [0] })
    expect(textOf(run)).toEqual(
      expect.arrayContaining([
        'It was told of 2 events: other and approved; no task has taken 1 of them.',
        '  a      40 ms  100 %  waiting for its event 40 ms',
      ]),
    )
  })

  test('says why what was skipped was skipped', () => {
    const run = drive(
      { a: [], b: ['a'], c: ['b'], d: ['b'] },
      { b: { when: 'input != null' }, d: { trigger_rule: 'none_failed' } },
    )
    run.at(10, run.done('a'))
    run.at(20, run.done('d'))
    expect(textOf(run)).toEqual(
      expect.arrayContaining([
        'b was skipped because its condition was false: input != null.',
        'c was skipped because the rule all_success could not hold any more once b was skipped (trigger_rule).',
      ]),
    )
  })
})

describe('a run that makes another again', () => {
  test('says what it took over; what had ended before it started is on no path', () => {
    const { events } = drive({ a: [], b: ['a'] })
    const first = events[0] as AcceptedEvent
    const renewed = { ...first, options: { retry: { of: 'run_00B', attempt: 2 } } } as AcceptedEvent
    const run = accept(renewed)
    const history: RunEvent[] = [renewed]
    const commit = (now: number, ...facts: Fact[]) => history.push(...advance(run, facts, now, () => null).events)
    commit(0, { type: 'TaskReused', task: 0, output: 'kept' })
    commit(10, { type: 'AttemptSucceeded', task: 1, token: run.tasks[1]!.token, output: null })
    expect(run.status).toBe('succeeded')
    expect(textOf({ run, events: history })).toEqual([
      'The run succeeded in 10 ms: 2 of 2 tasks succeeded.',
      '',
      'The run of wf version 1, 2 tasks, was accepted at 1970-01-01T00:00:00.000Z and started at once.',
      'It makes run_00B again, and took over the outputs of 1 task: a.',
      '1 task succeeded: b.',
      '',
      'Its 10 ms were decided by 1 task:',
      '  b      10 ms  100 %  executing 10 ms',
    ])
  })
})

describe('a run that failed', () => {
  test('says which task, after how many attempts, with which error, and what became of the others', () => {
    const run = drive(
      { a: [], slow: [], b: ['a'], c: ['b'], d: ['slow'] },
      { a: { retry: { ...RETRY, max_attempts: 2 } } },
    )
    run.at(10, run.failed('a', 'http_502'))
    run.at(1_010)
    run.at(1_050, run.failed('a', 'http_503'))
    expect(textOf(run)).toEqual([
      'The run failed after 1050 ms: 0 of 5 tasks succeeded, 1 failed, 3 skipped, 1 cancelled. a ended with http_503 (GET a answered).',
      '',
      'The run of wf version 1, 5 tasks, was accepted at 1970-01-01T00:00:00.000Z and started at once.',
      'a failed after 2 attempts: http_503 (GET a answered). That stopped the run, since its on_failure is stop.',
      'b was skipped because a failed (upstream_failed).',
      'c was skipped because b was skipped (upstream_failed).',
      'When a stopped the run; what had not ended ended with it, executing: slow; not begun: d.',
      RENEWAL,
      '',
      'Its 1050 ms were decided by 1 task:',
      '  a    1050 ms  100 %  until its retry 1000 ms, executing 50 ms',
    ])
  })

  test('keeps what an error was about', () => {
    const run = drive({ a: [] }, { a: { retry: RETRY } })
    const fact = run.failed('a', 'http_503')
    run.at(10, { ...fact, isRetryRefused: true } as typeof fact)
    expect(textOf(run)[0]).toContain('a ended with retry_budget_exhausted (')
    expect(textOf(run)[0]).toContain('), after http_503 (GET a answered).')
  })

  test('because a wait was too long says so', () => {
    const run = drive({ a: [] }, { a: { type: 'wait_for_event', with: { event: 'approved' }, timeout: '2s' } })
    run.at(2_000)
    expect(textOf(run)[3]).toBe(
      'a timed out: timeout (The event "approved" did not come within 2000 ms). That stopped the run, since its on_failure is stop.',
    )
  })

  test('before any attempt says so', () => {
    const run = drive({ a: [] }, { a: { when: '1' } })
    expect(textOf(run)[3]).toMatch(/^a failed before any attempt: expression_error \(.+\)\. That stopped the run/)
  })

  test('as a deadlock names the circle', () => {
    const run = drive({ a: [], x: ['y'], y: ['z'], z: ['x'] })
    run.at(10, run.done('a'))
    expect(textOf(run)).toEqual(
      expect.arrayContaining([
        'x waits for y waits for z waits for x: a circle, so none of them could ever start.',
        'The run could not go on at 1970-01-01T00:00:00.010Z, deadlock (3 tasks left, none executing, none able to start: x, y, z); what had not ended ended with it, not begun: x, y and z.',
      ]),
    )
  })

  test('and undid what it did says what was undone, and what was not', () => {
    const run = drive(
      { a: [], b: ['a'], c: ['b'], 'undo-a': [], 'undo-b': [], 'undo-c': [] },
      { a: { compensate: 'undo-a' }, b: { compensate: 'undo-b' }, c: { compensate: 'undo-c' } },
    )
    run.at(10, run.done('a'))
    run.at(20, run.done('b'))
    run.at(30, run.failed('c'))
    expect(textOf(run)[0]).toBe(
      'The run undoes what it did, and ends failed then: 2 of 6 tasks succeeded, 1 failed, 1 running, 2 pending.',
    )
    expect(textOf(run)).toContain(
      'What had succeeded is undone one by one, the last success first, 2 tasks; the run ends failed then.',
    )
    run.at(40, run.failed('undo-b'))
    run.at(50, run.done('undo-a'))
    expect(textOf(run)).toEqual(
      expect.arrayContaining([
        'What had succeeded was undone, the last success first, 2 tasks, before the run ended.',
        'Undone: a by undo-a.',
        'undo-b failed after 1 attempt: http_500 (GET undo-b answered), so b is not undone.',
        'undo-c was skipped because there was nothing to undo (not_needed).',
      ]),
    )
    expect(jsonOf(run).critical_path.tasks.map(({ task }: { task: string }) => task)).toEqual([
      'a',
      'b',
      'c',
      'undo-b',
      'undo-a',
    ])
  })

  test('after restarts says what they cut off', () => {
    const run = drive({ a: [] })
    run.at(10, run.interrupted('a'))
    expect(textOf(run)).toContain(
      '1 attempt of a was cut off by a restart or a pause, which spends none of its attempts.',
    )
  })
})

describe('a run whose attempts could not be made', () => {
  test('says how often that was, while it waits and when it has gone on', () => {
    const run = drive({ a: [] })
    run.at(10, run.unreached('a'))
    const once =
      '1 attempt of a could not be made, since what makes it did not answer; that spends none of its attempts.'
    expect(textOf(run)).toContain(once)
    expect(textOf(run).join('\n')).not.toContain('cut off')
    run.at(10_000)
    run.at(10_001, run.unreached('a'))
    run.at(20_000)
    run.at(20_001, run.done('a'))
    expect(textOf(run)).toContain(
      '2 attempts of a could not be made, since what makes them did not answer; that spends none of its attempts.',
    )
  })
})

describe('a run that was ended', () => {
  const shape = { a: [], b: [], c: ['a'] }

  test('by its time says what was executing, what waited and what had not begun', () => {
    const run = drive(shape, { b: { type: 'sleep', with: { for: '2h' } } })
    run.at(60_000)
    expect(textOf(run)).toEqual([
      'The run timed out after 1 min: 0 of 3 tasks succeeded, 2 timed out, 1 skipped.',
      '',
      'The run of wf version 1, 3 tasks, was accepted at 1970-01-01T00:00:00.000Z and started at once.',
      'The time of the run, 1 min, was over at 1970-01-01T00:01:00.000Z; what had not ended ended with it, executing: a; waiting: b; not begun: c.',
      RENEWAL,
      '',
      'Its 1 min were decided by 1 task:',
      '  b      1 min  100 %  sleeping 1 min',
    ])
  })

  test('by somebody says so, whatever stood in it', () => {
    const run = drive(shape)
    run.at(20, { type: 'RunCancelRequested' })
    expect(textOf(run)).toContain(
      'Somebody asked for the end of the run at 1970-01-01T00:00:00.020Z; what had not ended ended with it, executing: a and b; not begun: c.',
    )
  })

  test('by a limit or a bug says which', () => {
    const run = drive(shape)
    const error: TaskError = { code: 'run_too_large', message: 'Its outputs have reached 64 MiB', retryable: false }
    run.at(20, { type: 'RunStopped', error })
    expect(textOf(run)).toContain(
      'The run could not go on at 1970-01-01T00:00:00.020Z, run_too_large (Its outputs have reached 64 MiB); what had not ended ended with it, executing: a and b; not begun: c.',
    )
  })
})

describe('a run that goes on', () => {
  test('says what has to happen: who executes, who waits for what, until when', () => {
    const tasks: Record<string, Partial<TaskDefinition>> = {
      a: { timeout: '10s' },
      again: { retry: RETRY },
      nap: { type: 'sleep', with: { for: '5s' } },
    }
    const run = drive({ a: [], again: [], nap: [], after: ['a', 'again'], more: [] }, tasks, { max_parallel: 2 })
    run.at(100, run.failed('again'))
    expect(textOf(run, 400).slice(-7)).toEqual([
      'It waits for:',
      '  a has to end: attempt 1 has been executing for 400 ms, at most 10.0 s',
      '  more has to end: attempt 1 has been executing for 300 ms',
      '  again: attempt 1 of 3 ended with http_500, until 1970-01-01T00:00:01.100Z',
      '  nap: sleeps, until 1970-01-01T00:00:05.000Z',
      '  after: waits for a, again',
      '  all of it by 1970-01-01T00:01:00.000Z, in 59.6 s, or the run times out',
    ])
    expect(jsonOf(run, 400).needs).toMatchObject([
      { for: 'executing', tasks: ['a'], until: '1970-01-01T00:00:10.000Z' },
      { for: 'executing', tasks: ['more'] },
      { for: 'retry', tasks: ['again'], until: '1970-01-01T00:00:01.100Z' },
      { for: 'time', tasks: ['nap'], until: '1970-01-01T00:00:05.000Z' },
      { for: 'dependency', tasks: ['after'] },
      { for: 'deadline', until: '1970-01-01T00:01:00.000Z' },
    ])
    expect(textOf(run, 400)).toContain('Its 400 ms so far were decided by 1 task:')
  })

  test('tells those that want a slot together', () => {
    const run = drive({ a: [], b: [], c: [] }, {}, { max_parallel: 1 })
    expect(textOf(run)).toContain('  2 tasks ready, for one of 1 slot: b and c')
  })

  test('and is paused says who can let it go on, and how much time is left', () => {
    const run = drive({ a: [], b: ['a'] })
    run.at(100, { type: 'RunPaused' })
    run.at(200, run.done('a'))
    expect(textOf(run, 500)).toEqual([
      'The run is paused: 1 of 2 tasks succeeded, 1 pending.',
      '',
      'The run of wf version 1, 2 tasks, was accepted at 1970-01-01T00:00:00.000Z and started at once.',
      'It has been paused once, for 400 ms in all.',
      '1 task succeeded: a.',
      '',
      'Its 500 ms so far were decided by 2 tasks, each let go by the one before:',
      '  a     200 ms   40 %  executing 200 ms',
      '  b     300 ms   60 %  ready while the run was paused 300 ms',
      '',
      'It waits for:',
      '  the run is paused: POST /v1/runs/run_00A/resume lets it go on',
      '  1 task ready, for the end of the pause: b',
      '  its time stands still while it is paused: 59.9 s are left',
    ])
  })

  test('or has not even started', () => {
    const driven = drive({ 'a?': [] })
    const first = driven.events[0] as Extract<RunEvent, { type: 'RunAccepted' }>
    const queued = { run: accept(first), events: [first] }
    const explanation = explain(queued.run, queued.events, 30)
    expect(explanation.summary).toBe('The run is queued: 0 of 1 task succeeded, 1 pending.')
    expect(explanation.sentences[0]!.text).toMatch(/ and has not started\.$/)
    expect(explanation.needs[0]).toMatchObject({ for: 'time', text: 'the run starts at once', until: 0 })
    expect(explanation.path).toEqual({ steps: [], afterMs: 0 })
  })
})

describe('a run that starts at a time of its own', () => {
  test('waits for it, and so do its tasks', () => {
    const { events } = drive({ a: [], b: ['a'] })
    const later = { ...(events[0] as AcceptedEvent), options: { startAt: 5_000 } }
    const run = accept(later)
    const history = [later, ...advance(run, [], 0, () => null).events]
    expect(textOf({ run, events: history }, 100)).toEqual([
      'The run is queued: 0 of 2 tasks succeeded, 2 pending.',
      '',
      'The run of wf version 1, 2 tasks, was accepted at 1970-01-01T00:00:00.000Z and has not started.',
      '',
      'It waits for:',
      '  the run starts at the time that its start has named, until 1970-01-01T00:00:05.000Z',
      '  a: the run starts at the time that its start has named, until 1970-01-01T00:00:05.000Z',
      '  b: waits for a',
    ])
    history.push(...advance(run, [{ type: 'RunCancelRequested' }], 200, () => null).events)
    expect(textOf({ run, events: history })[0]).toBe(
      'The run was cancelled before it started: 0 of 2 tasks succeeded, 2 cancelled.',
    )
  })
})

describe('a task that is a run of its own, or a map', () => {
  test('names the run, and says how the items stand', () => {
    const run = drive(
      { child: [], each: [] },
      {
        child: { type: 'workflow', with: { workflow: 'other' } },
        each: {
          type: 'map',
          with: { items: ['x', 'y', 'z'], task: { type: 'http', with: { url: 'https://upstream.test/' } } },
        },
      },
      { max_parallel: 2 },
    )
    const { childRun, items } = run.run.tasks[0]!
    expect([typeof childRun, items]).toEqual(['string', null])
    const token = run.run.tasks[1]!.items!.begun.get(0)!.token
    run.at(10, { type: 'AttemptSucceeded', task: 1, item: 0, token, output: 1 })
    expect(textOf(run, 30)).toEqual([
      'The run has been going for 30 ms: 0 of 2 tasks succeeded, 2 waiting.',
      '',
      'The run of wf version 1, 2 tasks, was accepted at 1970-01-01T00:00:00.000Z and started at once.',
      `child is the run ${childRun}.`,
      'each has 3 items: 2 running, 1 succeeded.',
      '',
      'Its 30 ms so far were decided by 1 task:',
      '  child      30 ms  100 %  waiting for the run that it is 30 ms',
      '',
      'It waits for:',
      '  each, item 1, has to end: attempt 1 has been executing for 30 ms',
      '  each, item 2, has to end: attempt 1 has been executing for 20 ms',
      `  child: waits for the run ${childRun} to end`,
      '  each: 2 of 3 items have not ended',
      '  all of it by 1970-01-01T00:01:00.000Z, in 60.0 s, or the run times out',
    ])
    expect(jsonOf(run, 30).needs.map(({ for: reason }: { for: string }) => reason)).toEqual([
      'executing',
      'executing',
      'child',
      'items',
      'deadline',
    ])
  })
})

describe('a large run', () => {
  test('is told in bounded space, and how much was left out is said', () => {
    const ids = Array.from({ length: 3_000 }, (_, i) => `t${i}`)
    const shape = Object.fromEntries(ids.map((id, i) => [id, i === 0 ? [] : [`t${i - 1}`]]))
    const run = drive(shape, {}, { on_failure: 'continue' })
    for (let i = 0; i < 200; i++) run.at(run.run.at + 1 + (i % 3), run.done(`t${i}`))
    const going = jsonOf(run)
    expect(going.critical_path.tasks).toHaveLength(100)
    expect(going.critical_path.left_out).toBe(101)
    expect(going.sentences[1]).toMatchObject({ tasks: ids.slice(0, 100), tasks_left_out: 100 })
    expect(going.sentences[1].text).toMatch(/^200 tasks succeeded: t0, t1, .+, t9 and 190 more\.$/)
    run.at(1_000, run.failed('t200'))
    while (run.run.finishedAt === null) run.at(1_000)
    expect(JSON.stringify(jsonOf(run)).length).toBeLessThan(100_000)
    expect(textOf(run).length).toBeLessThan(100)
    expect(textOf(run)).toContain('  and 181 tasks with smaller shares')
    const skipped = textOf(run).find((line) => line.includes('more tasks were skipped'))
    expect(skipped).toMatch(/^2779 more tasks were skipped for other such reasons: t221, .+ and 2769 more\.$/)
  })

  test('whose wide layer failed names the first failures and counts the others', () => {
    const ids = Array.from({ length: 60 }, (_, i) => `t${i}`)
    const run = drive(Object.fromEntries(ids.map((id) => [id, []])), {}, { on_failure: 'continue', max_parallel: 64 })
    run.at(10, ...ids.map((id) => run.failed(id)))
    const failures = textOf(run).filter((line) => line.includes(' failed after 1 attempt'))
    expect(failures).toHaveLength(20)
    expect(textOf(run).find((line) => line.startsWith('So much'))).toMatch(
      /^So much for the first 20; 40 more failed: t20, .+ and 30 more\.$/,
    )
  })
})

describe('words', () => {
  test('for spans and lists', () => {
    expect([0, 9_999, 10_000, 59_949, 60_000, 61_000, 3_600_000, 90_061_000].map(spanText)).toEqual([
      '0 ms',
      '9999 ms',
      '10.0 s',
      '59.9 s',
      '1 min',
      '1 min 1 s',
      '1 h',
      '1 d 1 h',
    ])
    const names = Array.from({ length: 12 }, (_, i) => `t${i}`)
    expect([1, 2, 3].map((count) => joinWithAnd(names.slice(0, count)))).toEqual(['t0', 't0 and t1', 't0, t1 and t2'])
    expect(joinWithAnd(names)).toBe('t0, t1, t2, t3, t4, t5, t6, t7, t8, t9 and 2 more')
  })
})
