// What is decided, case by case. The simulation shows that nothing breaks; this shows that the right thing happens.

import { describe, expect, test } from 'vitest'
import type { EndCode } from '../../src/workflow/codes.ts'
import type { Admission } from '../../src/workflow/decide/admission.ts'
import { advance } from '../../src/workflow/decide/advance.ts'
import { wantsRetry } from '../../src/workflow/decide/attempt-end.ts'
import { HISTORY_LIMIT } from '../../src/workflow/decide/decision-bounds.ts'
import type { RetryPolicy } from '../../src/workflow/decide/retry.ts'
import type { LaterEvent, TaskError } from '../../src/workflow/event.ts'
import { accept, apply } from '../../src/workflow/run/apply.ts'
import type { Fact } from '../../src/workflow/run/fact.ts'
import { dueAt, type Run } from '../../src/workflow/run/run.ts'
import { aDefinition, aRetry, aRun } from '../support/builders.ts'

const noPayloads = () => null
const step = (run: Run, facts: Fact[] = [], now = run.at) => advance(run, facts, now, noPayloads).events

const index = (run: Run, id: string) => run.workflow.graph.indexOf.get(id)!
const statusOf = (run: Run, id: string) => run.tasks[index(run, id)]!.status
const startedIn = (run: Run, events: LaterEvent[]) =>
  events.flatMap((event) => (event.type === 'AttemptStarted' ? [run.workflow.definition.tasks[event.task]!.id] : []))

function succeeded(run: Run, id: string, output: string | null = null): Fact {
  return { type: 'AttemptSucceeded', task: index(run, id), token: run.tasks[index(run, id)]!.token, output }
}
function failed(run: Run, id: string): Fact {
  const error: TaskError = { code: 'http_500', message: `GET ${id} answered 500`, retryable: true }
  return { type: 'AttemptFailed', task: index(run, id), token: run.tasks[index(run, id)]!.token, error }
}
function interrupted(run: Run, id: string): Fact {
  return { type: 'AttemptInterrupted', task: index(run, id), token: run.tasks[index(run, id)]!.token }
}

describe('a run that starts', () => {
  test('starts, and starts every root that has a slot, in the order of the definition', () => {
    const run = aRun(aDefinition({ a: [], b: [], c: ['a'], d: [] }, { max_parallel: 2 }))
    const events = step(run)
    expect(events.map(({ type }) => type)).toEqual(['RunStarted', 'AttemptStarted', 'AttemptStarted'])
    expect(startedIn(run, events)).toEqual(['a', 'b'])
    expect(run.status).toBe('running')
  })

  test('counts its deadline from its start', () => {
    const run = aRun(aDefinition({ a: [] }), { timeoutMs: 700 })
    step(run, [], 40)
    expect(run.deadlineAt).toBe(740)
    expect(dueAt(run, 40)).toBe(740)
  })

  test('of placeholders alone ends in the step that starts it', () => {
    const run = aRun(aDefinition({ 'a?': [], 'b?': ['a'], 'c?': ['a', 'b'] }))
    const events = step(run)
    expect(run.status).toBe('succeeded')
    expect(events.at(-1)).toMatchObject({ type: 'RunFinished', status: 'succeeded', error: null })
    expect(dueAt(run, 0)).toBeNull()
  })
})

describe('slots', () => {
  test('go to tasks in the order in which they became ready', () => {
    const run = aRun(aDefinition({ a: [], b: [], 'late-root': [], 'after-a': ['a'] }, { max_parallel: 2 }))
    step(run)
    expect(startedIn(run, step(run, [succeeded(run, 'a')]))).toEqual(['late-root'])
    expect(startedIn(run, step(run, [succeeded(run, 'b')]))).toEqual(['after-a'])
  })

  test('a placeholder needs a free one, and gives it back at once', () => {
    const run = aRun(aDefinition({ busy: [], 'p?': [], 'q?': [] }, { max_parallel: 1 }))
    step(run)
    expect(statusOf(run, 'p')).toBe('pending')
    step(run, [succeeded(run, 'busy')])
    expect(run.status).toBe('succeeded')
  })
})

describe('a task that fails', () => {
  const shape = { bad: [], slow: [], 'needs-bad': ['bad'], 'needs-that': ['needs-bad'], other: ['slow'] }

  test('under stop: cancels what executes, skips what needed it, stops the rest', () => {
    const run = aRun(aDefinition(shape))
    step(run)
    step(run, [failed(run, 'bad')])
    expect(run.status).toBe('failed')
    expect(run.error).toMatchObject({ code: 'http_500', task_id: 'bad' })
    expect(statusOf(run, 'slow')).toBe('cancelled')
    const reasons = run.tasks.map(({ skipReason }) => skipReason)
    expect(reasons).toEqual([null, null, 'upstream_failed', 'upstream_failed', 'run_stopped'])
    expect(run.tasks[index(run, 'needs-that')]!.because).toBe(index(run, 'needs-bad'))
  })

  test('under continue: branches that do not need it go on, and the run is failed all the same', () => {
    const run = aRun(aDefinition(shape, { on_failure: 'continue' }))
    step(run)
    step(run, [failed(run, 'bad')])
    expect(run.status).toBe('running')
    expect(statusOf(run, 'needs-that')).toBe('skipped')
    step(run, [succeeded(run, 'slow')])
    step(run, [succeeded(run, 'other')])
    expect(run.status).toBe('failed')
    expect(run.error).toMatchObject({ task_id: 'bad' })
  })

  test('names the first failure, not the last', () => {
    const run = aRun(aDefinition({ a: [], b: [] }, { on_failure: 'continue' }))
    step(run)
    step(run, [failed(run, 'b')])
    step(run, [failed(run, 'a')])
    expect(run.error).toMatchObject({ task_id: 'b' })
  })

  test('a success in the same step as the failure that stops the run is kept', () => {
    const run = aRun(aDefinition({ a: [], b: [] }))
    step(run)
    step(run, [failed(run, 'a'), succeeded(run, 'b', 'done')])
    expect(statusOf(run, 'b')).toBe('succeeded')
    expect(run.status).toBe('failed')
  })

  test('an attempt that ran out of its own time is a failure of its task', () => {
    const run = aRun(aDefinition({ a: [], b: ['a'] }))
    step(run)
    const error: TaskError = { code: 'timeout', message: 'took too long', retryable: true }
    step(run, [{ type: 'AttemptTimedOut', task: 0, token: run.tasks[0]!.token, error }])
    expect(statusOf(run, 'a')).toBe('timed_out')
    expect(statusOf(run, 'b')).toBe('skipped')
    expect(run.status).toBe('failed')
  })
})

describe('the deadline', () => {
  test('ends what executes as timed out and skips what never began', () => {
    const run = aRun(aDefinition({ a: [], b: ['a'] }))
    step(run)
    step(run, [], 4_999)
    expect(run.status).toBe('running')
    step(run, [], 5_000)
    expect(run.status).toBe('timed_out')
    expect(run.error).toMatchObject({ code: 'run_timeout' })
    expect([statusOf(run, 'a'), statusOf(run, 'b')]).toEqual(['timed_out', 'skipped'])
    expect(run.tasks[1]!.skipReason).toBe('run_stopped')
    expect(run.tasks[0]!.attempts[0]!.status).toBe('timed_out')
  })

  test('comes before a result that arrives with it', () => {
    const run = aRun(aDefinition({ a: [] }))
    step(run)
    step(run, [succeeded(run, 'a')], 5_000)
    expect(run.status).toBe('timed_out')
  })

  test('is nothing to a run that has ended', () => {
    const run = aRun(aDefinition({ 'a?': [] }))
    step(run)
    expect(step(run, [], 60_000)).toEqual([])
    expect(run.status).toBe('succeeded')
  })
})

describe('a cancel', () => {
  test('cancels what executes, what waits and what never began, in one step', () => {
    const definition = aDefinition({ a: [], r: [], b: ['a'] })
    definition.tasks[1]!.retry = aRetry({ max_attempts: 2 })
    const run = aRun(definition)
    step(run)
    step(run, [failed(run, 'r')])
    step(run, [{ type: 'RunCancelRequested' }], 300)
    expect(run).toMatchObject({ status: 'cancelled', error: null, cancelRequestedAt: 300, finishedAt: 300 })
    expect(run.tasks.map(({ status }) => status)).toEqual(['cancelled', 'cancelled', 'cancelled'])
    expect(run.tasks[0]!.attempts[0]!.status).toBe('cancelled')
  })

  test('loses to an end that was reported with it, and to a deadline that had passed', () => {
    const ended = aRun(aDefinition({ a: [] }))
    step(ended)
    step(ended, [succeeded(ended, 'a')])
    expect(step(ended, [{ type: 'RunCancelRequested' }])).toEqual([])
    expect(ended.status).toBe('succeeded')
    const late = aRun(aDefinition({ a: [] }))
    step(late)
    step(late, [{ type: 'RunCancelRequested' }], 5_000)
    expect(late.status).toBe('timed_out')
  })

  test('keeps what succeeded before it, and drops what is reported after', () => {
    const run = aRun(aDefinition({ a: [], b: [] }))
    step(run)
    const late = succeeded(run, 'b')
    step(run, [succeeded(run, 'a'), { type: 'RunCancelRequested' }])
    expect([statusOf(run, 'a'), statusOf(run, 'b')]).toEqual(['succeeded', 'cancelled'])
    expect(step(run, [late])).toEqual([])
  })

  test('given twice is recorded once', () => {
    const run = aRun(aDefinition({ a: [] }))
    step(run)
    const events = step(run, [{ type: 'RunCancelRequested' }, { type: 'RunCancelRequested' }])
    expect(events.filter(({ type }) => type === 'RunCancelRequested')).toHaveLength(1)
  })
})

describe('deadlock', () => {
  test('a cycle that got past validation ends the run and names its tasks', () => {
    const run = aRun(aDefinition({ a: [], b: ['a', 'c'], c: ['b'], d: ['a'] }))
    step(run)
    step(run, [succeeded(run, 'a')])
    step(run, [succeeded(run, 'd')])
    expect(run.status).toBe('failed')
    expect(run.error).toMatchObject({ code: 'deadlock', tasks: ['b', 'c'] })
    expect(run.tasks[1]!.skipReason).toBe('run_stopped')
  })

  test('a task that waits for itself is one, and so is a run of nothing but a cycle', () => {
    const run = aRun(aDefinition({ a: ['a'] }))
    step(run)
    expect(run.error).toMatchObject({ code: 'deadlock', tasks: ['a'] })
  })
})

describe('an interrupted attempt', () => {
  test('is made again after a wait of less than a second, with the same number and a new token', () => {
    const run = aRun(aDefinition({ a: [], b: ['a'] }))
    step(run)
    const token = run.tasks[0]!.token
    step(run, [interrupted(run, 'a')], 1_000)
    const wakeAt = run.tasks[0]!.wakeAt!
    expect(statusOf(run, 'a')).toBe('waiting')
    expect(wakeAt).toBeGreaterThanOrEqual(1_000)
    expect(wakeAt).toBeLessThan(2_000)
    expect(dueAt(run, 1_000)).toBe(wakeAt)
    expect(startedIn(run, step(run, [], wakeAt))).toEqual(['a'])
    expect(run.tasks[0]!.token).not.toBe(token)
    expect(run.tasks[0]!.attempts.map(({ number, status }) => [number, status])).toEqual([
      [1, 'interrupted'],
      [1, 'running'],
    ])
  })

  test('fails its task the fifth time', () => {
    const run = aRun(aDefinition({ a: [] }), { timeoutMs: 1e9 })
    step(run)
    for (let times = 1; times <= 4; times++) {
      step(run, [interrupted(run, 'a')])
      expect(statusOf(run, 'a')).toBe('waiting')
      step(run, [], run.tasks[0]!.wakeAt!)
    }
    step(run, [interrupted(run, 'a')])
    expect(statusOf(run, 'a')).toBe('failed')
    expect(run.error).toMatchObject({ code: 'interrupted_too_often', task_id: 'a' })
  })

  test('that could not be made waits longer each time, but never past half of what is left, and is not one of the five', () => {
    const run = aRun(aDefinition({ a: [] }), { timeoutMs: 600_000 })
    step(run)
    const unreached = (): Fact => ({ ...interrupted(run, 'a'), isUnreached: true }) as Fact
    const waits: number[] = []
    for (let times = 1; times <= 12; times++) {
      const at = run.at
      step(run, [unreached()], at)
      waits.push(run.tasks[0]!.wakeAt! - at)
      step(run, [], run.tasks[0]!.wakeAt!)
    }
    waits.forEach((wait, index) => {
      const longest = Math.min(60_000, 1_000 * 2 ** index)
      expect(wait).toBeGreaterThanOrEqual(longest / 2)
      expect(wait).toBeLessThanOrEqual(longest)
    })
    expect(run.tasks[0]).toMatchObject({ status: 'running', unreached: 12, interruptions: 0 })
    expect(run.tasks[0]!.attempts.at(-1)!.number).toBe(1)
    const almostOver = run.deadlineAt! - 20_000
    step(run, [unreached()], almostOver)
    expect(run.tasks[0]!.wakeAt! - almostOver).toBeLessThanOrEqual(10_000)
  })

  test('that could not be made fails its task the sixtieth time in a row, and the row ends when it is made', () => {
    const run = aRun(aDefinition({ a: [] }), { timeoutMs: 1e9 })
    step(run)
    const breakOff = (isUnreached: boolean) => {
      step(run, [{ ...interrupted(run, 'a'), ...(isUnreached ? { isUnreached: true } : {}) } as Fact])
      if (statusOf(run, 'a') === 'waiting') step(run, [], run.tasks[0]!.wakeAt!)
    }
    for (let times = 1; times <= 59; times++) breakOff(true)
    breakOff(false)
    for (let times = 1; times <= 59; times++) breakOff(true)
    expect(statusOf(run, 'a')).toBe('running')
    breakOff(true)
    expect(statusOf(run, 'a')).toBe('failed')
    expect(run.error).toMatchObject({ code: 'interrupted_too_often', task_id: 'a' })
  })

  test('that is due but finds no slot does not make the run due', () => {
    const run = aRun(aDefinition({ a: [], b: [] }, { max_parallel: 1 }))
    step(run)
    step(run, [interrupted(run, 'a')], 10)
    expect(statusOf(run, 'b')).toBe('running')
    expect(dueAt(run, 3_000)).toBe(5_000)
    expect(startedIn(run, step(run, [succeeded(run, 'b')], 3_000))).toEqual(['a'])
  })
})

describe('a task with a retry policy', () => {
  const policy: RetryPolicy = aRetry({ multiplier: 2, max_interval: '30s' })
  function retrying(rest: Partial<RetryPolicy> = {}, timeoutMs = 60_000): Run {
    const definition = aDefinition({ a: [], b: ['a'] })
    definition.tasks[0]!.retry = { ...policy, ...rest }
    const run = aRun(definition, { timeoutMs })
    step(run)
    return run
  }
  const failedWith = (run: Run, code: EndCode, retryable: boolean, retryAfterMs?: number): Fact => ({
    type: 'AttemptFailed',
    task: 0,
    token: run.tasks[0]!.token,
    error: { code, message: code, retryable },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })

  test('is tried again after each wait, from the time of failure, and fails when its attempts are used up', () => {
    const run = retrying()
    step(run, [failedWith(run, 'http_503', true)], 100)
    expect([statusOf(run, 'a'), run.tasks[0]!.wakeAt]).toEqual(['waiting', 1_100])
    expect(startedIn(run, step(run, [], 1_099))).toEqual([])
    expect(startedIn(run, step(run, [], 1_100))).toEqual(['a'])
    step(run, [failedWith(run, 'http_503', true)], 1_200)
    expect(run.tasks[0]!.wakeAt).toBe(3_200)
    step(run, [], 3_200)
    step(run, [failedWith(run, 'http_500', true)], 3_300)
    expect(run.status).toBe('failed')
    expect(run.error).toMatchObject({ code: 'http_500', task_id: 'a' })
    expect(run.tasks[0]!.attempts.map(({ number, status }) => [number, status])).toEqual([
      [1, 'failed'],
      [2, 'failed'],
      [3, 'failed'],
    ])
  })

  test('that succeeds at last lets the run go on', () => {
    const run = retrying()
    step(run, [failedWith(run, 'http_503', true)])
    step(run, [], 1_000)
    expect(startedIn(run, step(run, [succeeded(run, 'a')]))).toEqual(['b'])
  })

  test('holds no slot while it waits', () => {
    const run = retrying()
    step(run, [failedWith(run, 'http_503', true)])
    expect(run.slots.holders.size).toBe(0)
  })

  test('is not tried again for an error that is not worth it', () => {
    const run = retrying()
    step(run, [failedWith(run, 'http_404', false)])
    expect(run.error).toMatchObject({ code: 'http_404' })
  })

  test('fails at once when the wait cannot end before the deadline, and keeps the cause', () => {
    const run = retrying({}, 900)
    step(run, [failedWith(run, 'http_503', true)], 100)
    expect(run.error).toMatchObject({ code: 'deadline_before_retry', cause: { code: 'http_503' } })
  })

  test.each(['http_429', 'http_503', 'grpc_unavailable', 'grpc_resource_exhausted'] as const)(
    'waits as long as the server asks, and spends no attempt on it (%s)',
    (code) => {
      const run = retrying()
      step(run, [failedWith(run, code, true, 7_000)])
      expect(run.tasks[0]!.wakeAt).toBe(7_000)
      step(run, [], 7_000)
      expect(run.tasks[0]!.attempts.map(({ number, status }) => [number, status])).toEqual([
        [1, 'snoozed'],
        [1, 'running'],
      ])
    },
  )

  test('is not put off for ever: after twenty times Retry-After spends attempts too', () => {
    const run = retrying({ max_attempts: 2 }, 1e9)
    let attempts = 0
    for (; run.status === 'running'; attempts++) {
      step(run, [failedWith(run, 'http_503', true, 1_000)])
      if (run.tasks[0]!.wakeAt !== null) step(run, [], run.tasks[0]!.wakeAt)
    }
    expect(attempts).toBe(22)
    expect(run.error).toMatchObject({ code: 'http_503' })
  })

  test('whose server asks for more time than the run has fails at once', () => {
    const run = retrying()
    step(run, [failedWith(run, 'http_503', true, 3_600_000)])
    expect(run.error).toMatchObject({ code: 'retry_after_too_long', cause: { code: 'http_503' } })
  })

  test('that waits when the run stops is cancelled, when it times out is timed out', () => {
    const definition = aDefinition({ a: [], x: [] })
    definition.tasks[0]!.retry = policy
    const stopping = aRun(definition)
    step(stopping)
    step(stopping, [failedWith(stopping, 'http_503', true)])
    step(stopping, [failed(stopping, 'x')])
    expect(statusOf(stopping, 'a')).toBe('cancelled')
    const late = aRun(definition)
    step(late)
    step(late, [failedWith(late, 'http_503', true)])
    step(late, [], 5_000)
    expect(statusOf(late, 'a')).toBe('timed_out')
  })
})

describe('a task whose circuit is open', () => {
  const retry: RetryPolicy = aRetry({ max_attempts: 2, multiplier: 2, max_interval: '30s' })
  /** Holds back the tasks that are named, until then. */
  const holding = (run: Run, ids: string[], until: number): Admission => ({
    hold: ({ task }) =>
      ids.some((id) => index(run, id) === task)
        ? { target: `https://${run.workflow.definition.tasks[task]!.id}.test`, until }
        : null,
    isFree: ({ task }) => !ids.some((id) => index(run, id) === task),
  })
  const stepWith = (run: Run, admission: Admission | null, facts: Fact[] = [], now = run.at) =>
    advance(run, facts, now, noPayloads, admission).events

  test('waits before any attempt is made, holds no slot, and leaves its turn to the next', () => {
    const run = aRun(aDefinition({ a: [], b: [], c: [] }, { max_parallel: 1, timeout: '1h' }))
    const events = stepWith(run, holding(run, ['a', 'b'], 30_000))
    expect(startedIn(run, events)).toEqual(['c'])
    expect(events).toContainEqual({
      type: 'TaskWaiting',
      at: 0,
      task: 0,
      for: 'circuit',
      until: 30_000,
      isPutOff: false,
      target: 'https://a.test',
    })
    expect(run.tasks[0]).toMatchObject({ status: 'waiting', attempts: [], circuit: 'https://a.test', wakeAt: 30_000 })
    expect(run.slots.holders.size).toBe(1)
    expect(dueAt(run, 0)).toBe(30_000)
  })

  test('starts when its time has come and nothing holds it, or before as soon as the circuit is closed', () => {
    const run = aRun(aDefinition({ a: [], b: [] }, { timeout: '1h' }))
    stepWith(run, holding(run, ['a', 'b'], 30_000))
    expect(startedIn(run, stepWith(run, holding(run, ['b'], 30_000), [], 1_000))).toEqual(['a'])
    expect(startedIn(run, stepWith(run, null, [], 2_000))).toEqual(['b'])
    expect(run.tasks[1]).toMatchObject({ status: 'running', circuit: null, wakeAt: null })
  })

  test('waits again while it is held, each time longer, and starts its count anew with an attempt', () => {
    const run = aRun(aDefinition({ a: [] }, { timeout: '365d' }))
    const waits: number[] = []
    for (let count = 0; count < 14; count++) {
      const now = run.tasks[0]!.wakeAt ?? 0
      stepWith(run, holding(run, ['a'], now + 1_000), [], now)
      waits.push(run.tasks[0]!.wakeAt! - now)
    }
    expect(waits.slice(0, 4)).toEqual([1_000, 2_000, 4_000, 8_000])
    expect(waits.at(-1)).toBe(3_600_000)
    stepWith(run, null)
    expect(run.tasks[0]).toMatchObject({ status: 'running', circuitWaits: 0 })
  })

  test('fails at once when the circuit stays open beyond the deadline, with what the last attempt ended with', () => {
    const run = aRun(aDefinition({ a: [] }, { defaults: { retry } }))
    step(run)
    step(run, [failed(run, 'a')], 100)
    stepWith(run, holding(run, ['a'], 30_000), [], 1_100)
    expect(run).toMatchObject({ status: 'failed', error: { code: 'circuit_open', task_id: 'a' } })
    expect(run.tasks[0]!.error).toMatchObject({ code: 'circuit_open', cause: { code: 'http_500' } })
    const fresh = aRun(aDefinition({ a: [] }))
    stepWith(fresh, holding(fresh, ['a'], 30_000))
    expect(fresh.tasks[0]!.error!.code).toBe('circuit_open')
    expect(fresh.tasks[0]!.error).not.toHaveProperty('cause')
  })

  test('does not wait past the deadline out of patience', () => {
    const run = aRun(aDefinition({ a: [] }, { timeout: '10s' }))
    for (let now = 0; now < 9_000; now += 1_000) stepWith(run, holding(run, ['a'], now + 1_000), [], now)
    expect(run.tasks[0]!.status).toBe('waiting')
    expect(run.tasks[0]!.wakeAt).toBeLessThan(10_000)
  })

  test('is cancelled with its run, and timed out with it', () => {
    const run = aRun(aDefinition({ a: [] }, { timeout: '1h' }))
    stepWith(run, holding(run, ['a'], 30_000))
    step(run, [{ type: 'RunCancelRequested' }], 10)
    expect([run.status, statusOf(run, 'a')]).toEqual(['cancelled', 'cancelled'])
    const late = aRun(aDefinition({ a: [] }, { timeout: '1h' }))
    stepWith(late, holding(late, ['a'], 30_000))
    step(late, [], 3_600_000)
    expect([late.status, statusOf(late, 'a')]).toEqual(['timed_out', 'timed_out'])
  })

  test('holds a compensation back too, and does not keep a run that is stopped meanwhile', () => {
    const definition = aDefinition({ a: [], undo: [], b: ['a'] }, { timeout: '1h' })
    definition.tasks[0]!.compensate = 'undo'
    const run = aRun(definition)
    step(run)
    step(run, [succeeded(run, 'a')])
    stepWith(run, holding(run, ['undo'], 30_000), [failed(run, 'b')])
    expect(run.tasks[index(run, 'undo')]).toMatchObject({ status: 'waiting', waitingFor: 'circuit', attempts: [] })
    step(run, [{ type: 'RunStopped', error: { code: 'run_too_large', message: 'm', retryable: false } }])
    expect(run).toMatchObject({ status: 'failed', progress: { waiting: 0, pending: 0 } })
  })

  test('does not keep placeholders, which call nobody', () => {
    const run = aRun(aDefinition({ 'a?': [] }))
    stepWith(run, holding(run, ['a'], 30_000))
    expect(run.status).toBe('succeeded')
  })
})

describe('a retry that the budget of its host refuses', () => {
  const retry: RetryPolicy = aRetry({ multiplier: 2, max_interval: '30s' })
  const aRetryingRun = () => {
    const run = aRun(aDefinition({ a: [] }, { timeout: '1h', defaults: { retry } }))
    step(run)
    return run
  }
  const refused = (run: Run, rest: object = {}): Fact =>
    ({ ...failed(run, 'a'), isRetryRefused: true, ...rest }) as Fact

  test('fails the task, says so, and keeps the cause', () => {
    const run = aRetryingRun()
    step(run, [refused(run)])
    expect(run.tasks[0]).toMatchObject({
      status: 'failed',
      error: { code: 'retry_budget_exhausted', cause: { code: 'http_500' } },
    })
  })

  test('after a time-out fails it too', () => {
    const run = aRetryingRun()
    const error: TaskError = { code: 'timeout', message: 'took too long', retryable: true }
    step(run, [{ type: 'AttemptTimedOut', task: 0, token: run.tasks[0]!.token, error, isRetryRefused: true }])
    expect(run.tasks[0]!.error).toMatchObject({ code: 'retry_budget_exhausted', cause: { code: 'timeout' } })
  })

  test('is nothing to a task that has no attempt left, nor to one that its server has put off', () => {
    const run = aRetryingRun()
    const busy = { code: 'http_429', message: 'answered 429', retryable: true }
    step(run, [refused(run, { error: busy, retryAfterMs: 2_000 })])
    expect(run.tasks[0]!.status).toBe('waiting')
    for (const attempt of [1, 2]) {
      step(run, [], run.tasks[0]!.wakeAt!)
      step(run, [failed(run, 'a')])
      expect(run.tasks[0]!.attempts.at(-1)!.number).toBe(attempt)
    }
    step(run, [], run.tasks[0]!.wakeAt!)
    step(run, [refused(run)])
    expect(run.tasks[0]!.error!.code).toBe('http_500')
  })

  test('is asked for exactly where the scheduler would try again', () => {
    const run = aRetryingRun()
    const error: TaskError = { code: 'http_500', message: 'm', retryable: true }
    expect(wantsRetry(run, { task: 0 }, error, null)).toBe(true)
    expect(wantsRetry(run, { task: 0 }, { ...error, retryable: false }, null)).toBe(false)
    expect(wantsRetry(run, { task: 0 }, { ...error, code: 'http_503' }, 1_000)).toBe(false)
    expect(wantsRetry(run, { task: 0 }, { ...error, code: 'http_503' }, null)).toBe(true)
    run.tasks[0]!.attempts.at(-1)!.number = 3
    expect(wantsRetry(run, { task: 0 }, error, null)).toBe(false)
    expect(wantsRetry(aRun(aDefinition({ a: [] })), { task: 0 }, error, null)).toBe(false)
  })
})

describe('a report', () => {
  test('with another token than the current one changes nothing', () => {
    const run = aRun(aDefinition({ a: [] }))
    step(run)
    const late: Fact = { type: 'AttemptSucceeded', task: 0, token: 99, output: null }
    expect(step(run, [late])).toEqual([])
    expect(statusOf(run, 'a')).toBe('running')
  })

  test('told twice counts once', () => {
    const run = aRun(aDefinition({ a: [], b: [] }))
    step(run)
    const report = succeeded(run, 'a')
    expect(step(run, [report, report])).toHaveLength(1)
    expect(step(run, [report])).toEqual([])
  })

  test('about a task that does not exist is dropped', () => {
    const run = aRun(aDefinition({ a: [] }))
    step(run)
    expect(step(run, [{ type: 'AttemptInterrupted', task: 7, token: 1 }])).toEqual([])
  })
})

describe('time', () => {
  test('never goes back within a run, whatever the clock says', () => {
    const run = aRun(aDefinition({ a: [], b: ['a'] }))
    step(run, [], 1_000)
    const events = step(run, [succeeded(run, 'a')], 400)
    expect(events.map(({ at }) => at)).toEqual([1_000, 1_000])
  })
})

describe('the end of a run', () => {
  test('with a template gives its value; without one nothing is written twice', () => {
    const withTemplate = aRun(aDefinition({ a: [] }, { output: { said: `\${{ tasks.a.output }}` } }))
    step(withTemplate)
    step(withTemplate, [succeeded(withTemplate, 'a', 'hello')])
    expect(withTemplate.output).toEqual({ said: 'hello' })
    const without = aRun(aDefinition({ a: [] }))
    step(without)
    step(without, [succeeded(without, 'a', 'hello')])
    expect(without.output).toBeNull()
  })

  test('with a template that cannot be evaluated is a failure, and says why', () => {
    const run = aRun(aDefinition({ a: [] }, { output: `\${{ tasks.a.output.missing }}` }))
    step(run)
    step(run, [succeeded(run, 'a', 'no object')])
    expect(run.status).toBe('failed')
    expect(run.error).toMatchObject({ code: 'expression_error' })
    expect(run.error).not.toHaveProperty('task_id')
  })

  test('a history that has reached its limit stops the run', () => {
    const run = aRun(aDefinition({ a: [], b: ['a'] }))
    step(run)
    run.events = HISTORY_LIMIT
    step(run)
    expect(run.error).toMatchObject({ code: 'history_limit' })
    expect([statusOf(run, 'a'), statusOf(run, 'b')]).toEqual(['cancelled', 'skipped'])
  })

  test('by a fact of the Runner (a limit, a bug) ends every task', () => {
    const run = aRun(aDefinition({ a: [], b: ['a'] }))
    step(run)
    const error: TaskError = { code: 'run_too_large', message: 'too large', retryable: false }
    step(run, [{ type: 'RunStopped', error }])
    expect(run.error).toEqual(error)
    expect(run.status).toBe('failed')
    expect(step(run, [{ type: 'RunStopped', error }])).toEqual([])
  })
})

describe('large runs', () => {
  test('are settled in bounded steps that go on without a fact', () => {
    const shape = Object.fromEntries(Array.from({ length: 2_500 }, (_, i) => [`t${i}?`, i === 0 ? [] : ['t0']]))
    const run = aRun(aDefinition(shape))
    let steps = 0
    for (let isComplete = false; !isComplete; steps++) {
      const result = advance(run, [], 0, noPayloads)
      isComplete = result.isComplete
      expect(result.events.length).toBeLessThanOrEqual(2_000)
    }
    expect(run.status).toBe('succeeded')
    expect(steps).toBeGreaterThan(2)
  })

  test('cost as many decisions for each task as small ones: no rescan', () => {
    const perTask = (size: number) => {
      const shape = Object.fromEntries(Array.from({ length: size }, (_, i) => [`t${i}`, i === 0 ? [] : [`t${i - 1}`]]))
      const run = aRun(aDefinition(shape), { timeoutMs: 1e9 })
      let reads = 0
      // Counts how often a task's state is looked at, whatever looks.
      const tasks = new Proxy(run.tasks, {
        get: (target, key) => {
          reads++
          return Reflect.get(target, key)
        },
      })
      const watched = { ...run, tasks }
      step(watched)
      for (let i = 0; i < size; i++) step(watched, [succeeded(watched, `t${i}`)])
      expect(watched.status).toBe('succeeded')
      return reads / size
    }
    expect(perTask(2_000)).toBeLessThan(perTask(20) * 1.2)
  })
})

describe('an event that this release does not know', () => {
  test('changes nothing but the count, so that later numbers still fit', () => {
    const run = aRun(aDefinition({ a: [] }))
    step(run)
    const before = structuredClone({ ...run, workflow: null, slots: null })
    apply(run, { type: 'TaskTeleported', at: run.at } as unknown as LaterEvent)
    expect({ ...run, workflow: null, slots: null }).toEqual({ ...before, events: before.events + 1 })
  })
})

test('accepting the same event gives equal runs', () => {
  const definition = aDefinition({ a: [], b: ['a'] })
  const one = aRun(definition)
  expect(
    accept({
      type: 'RunAccepted',
      at: 0,
      runId: one.id,
      workflow: one.workflow,
      version: 1,
      input: null,
      timeoutMs: 5_000,
    }),
  ).toEqual(one)
})
