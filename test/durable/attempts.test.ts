// What an instance has under way, against an executor that is scripted here (a fake: the real one does not break on demand).

import { afterEach, describe, expect, test, vi } from 'vitest'
import { Attempts } from '../../durable/runner/attempts.ts'
import type { Right } from '../../durable/runner/outgoing.ts'
import { Turns } from '../../durable/runner/turns.ts'
import type { Executor } from '../../src/tasks/executor-rpc.ts'
import type { TaskCall, TaskResult } from '../../src/tasks/plugin.ts'
import { advance } from '../../src/workflow/decide/advance.ts'
import type { Json } from '../../src/workflow/json.ts'
import type { Fact } from '../../src/workflow/run/fact.ts'
import type { Run } from '../../src/workflow/run/run.ts'
import type { Spot } from '../../src/workflow/run/spot.ts'
import { aDefinition, aRun } from '../support/builders.ts'

afterEach(() => void vi.restoreAllMocks())

interface Scripted {
  call: TaskCall
  end(result: TaskResult): void
  /** The executor is cut off while it has the attempt; */
  breakOff(why?: Error): void
  /** or did not even answer that it has it. */
  refuse(): void
  aborted: number
  disposed: number
}

function aFakeExecutor(): { executor: Pick<Executor, 'start'>; attempts: Scripted[] } {
  const attempts: Scripted[] = []
  const executor: Pick<Executor, 'start'> = {
    start(call) {
      const { promise, resolve, reject } = Promise.withResolvers<TaskResult>()
      const arrived = Promise.withResolvers<Disposable>()
      const gone = new Error('The destination execution context was gone')
      const scripted: Scripted = {
        call,
        end(result) {
          arrived.resolve(stub)
          resolve(result)
        },
        breakOff(why = gone) {
          arrived.resolve(stub)
          setTimeout(() => reject(why), 1)
        },
        refuse() {
          arrived.reject(gone)
          reject(gone)
        },
        aborted: 0,
        disposed: 0,
      }
      attempts.push(scripted)
      const stub = {
        [Symbol.dispose]: () => {
          scripted.disposed++
        },
      }
      return Object.assign(arrived.promise, {
        result: () => promise,
        abort: async () => {
          scripted.aborted++
        },
      })
    },
  }
  return { executor, attempts }
}

/** Nothing is called here, so there is nothing to hear of calls. */
const NO_CALLS = {
  begin: () => null,
  end: (_run: unknown, _task: unknown, _call: unknown, fact: Fact) => fact,
  drop: () => {},
  giveBack: () => {},
}

const right = { target: 'https://upstream.test', trial: { id: 1, expiresAt: 9_000 } }

function underWay(
  definition = aDefinition({ a: [] }),
  input: Json = null,
): {
  run: Run
  attempts: Attempts
  outside: Scripted[]
  reports: [string, Fact][]
  givenBack: { spot: Spot; right: Right | null }[]
} {
  vi.spyOn(Date, 'now').mockReturnValue(1_000)
  const givenBack: { spot: Spot; right: Right | null }[] = []
  const { executor, attempts: outside } = aFakeExecutor()
  const reports: [string, Fact][] = []
  const attempts = new Attempts(
    executor,
    { ...NO_CALLS, giveBack: (_run, spot, right) => givenBack.push({ spot, right }) },
    new Turns(),
    () => 'default',
    (runId, fact) => reports.push([runId, fact]),
    (_runId, error) => {
      throw error
    },
    () => 0,
  )
  const run = Object.assign(aRun(definition), { input })
  advance(run, [], 0, () => null)
  for (const task of run.slots.holders) attempts.start(run, { task }, () => () => null, right)
  return { run, attempts, outside, reports, givenBack }
}

const success: TaskResult = { kind: 'succeeded', output: 7 }

describe('an attempt', () => {
  test('carries the key of its task and no more time than the run has, plus the backstop', () => {
    const { run, outside } = underWay()
    expect(outside[0]!.call).toEqual({
      type: 'http',
      with: { url: 'https://upstream.test/a' },
      idempotencyKey: `${run.id}/a`,
      timeoutMs: 4_000 + 1_000,
    })
  })

  test('that reaches the limit of its own has timed out', async () => {
    const definition = aDefinition({ a: [] })
    definition.tasks[0]!.timeout = '2s'
    const { outside, reports } = underWay(definition)
    expect(outside[0]!.call.timeoutMs).toBe(2_000)
    const error = { code: 'timeout', message: 'm' } as const
    outside[0]!.end({ kind: 'timed_out', error })
    await vi.waitFor(() => expect(reports).toHaveLength(1))
    expect(reports[0]![1]).toMatchObject({ type: 'AttemptTimedOut', error: { ...error, retryable: true } })
  })

  test.each<[TaskResult, Partial<Fact>]>([
    [success, { type: 'AttemptSucceeded', output: 7 }],
    [
      { kind: 'failed', error: { code: 'http_503', message: 'm' }, retryable: true },
      { type: 'AttemptFailed', error: { code: 'http_503', message: 'm', retryable: true } },
    ],
    // It had no limit of its own, so a pause has moved the deadline that it was given.
    [{ kind: 'timed_out', error: { code: 'timeout', message: 'm' } }, { type: 'AttemptInterrupted' }],
  ])('that ends as %o is reported once, with its token, and its stub is given back', async (result, fact) => {
    const { run, attempts, outside, reports } = underWay()
    outside[0]!.end(result)
    await vi.waitFor(() => expect(reports).toHaveLength(1))
    expect(reports[0]).toEqual([run.id, { task: 0, token: run.tasks[0]!.token, ...fact }])
    expect(attempts.count).toBe(0)
    expect(attempts.hasRun(run.id)).toBe(false)
    expect(outside[0]!.disposed).toBe(1)
  })

  test('whose executor is cut off was interrupted, not failed', async () => {
    const { reports, outside } = underWay()
    outside[0]!.breakOff()
    await vi.waitFor(() => expect(reports).toHaveLength(1))
    expect(reports[0]![1]).toMatchObject({ type: 'AttemptInterrupted', task: 0 })
    // It may have died of the attempt, which is not made again without end.
    expect(reports[0]![1]).not.toHaveProperty('isUnreached')
  })

  test('whose executor never had it was not reached', async () => {
    const { reports, outside } = underWay()
    outside[0]!.refuse()
    await vi.waitFor(() => expect(reports).toHaveLength(1))
    expect(reports[0]![1]).toMatchObject({ type: 'AttemptInterrupted', task: 0, isUnreached: true })
  })

  test('that cannot be sent has failed, and is not made again', async () => {
    const { reports, outside } = underWay()
    vi.spyOn(console, 'error').mockImplementation(() => {})
    outside[0]!.breakOff(new DOMException('Symbol(x) could not be cloned.', 'DataCloneError'))
    await vi.waitFor(() => expect(reports).toHaveLength(1))
    const error = { code: 'executor_error', retryable: false }
    expect(reports[0]![1]).toMatchObject({ type: 'AttemptFailed', task: 0, error })
  })

  test('that was aborted is told so once, and is not heard any more', async () => {
    const { run, attempts, reports, outside } = underWay()
    attempts.abort(run.id, 0)
    attempts.abort(run.id, 0)
    attempts.abortAll(run.id)
    outside[0]!.end(success)
    await vi.waitFor(() => expect(outside[0]!.disposed).toBe(1))
    expect(outside[0]!.aborted).toBe(1)
    expect(reports).toEqual([])
    expect(attempts.count).toBe(0)
  })

  test('whose expressions cannot be filled in is never made', () => {
    const definition = aDefinition({ a: [] })
    definition.tasks[0]!.with = { url: '${{ input.nowhere }}' }
    const { attempts, outside, reports, givenBack } = underWay(definition)
    expect(outside).toEqual([])
    expect(reports[0]![1]).toMatchObject({ type: 'AttemptFailed', error: { code: 'expression_error' } })
    expect(attempts.count).toBe(0)
    expect(givenBack).toEqual([{ spot: { task: 0 }, right }])
  })
})

describe('an attempt with much to send', () => {
  /** Its `with` names the input, of so many characters, so often. */
  function withMany(times: number, characters: number) {
    const definition = aDefinition({ a: [] })
    const body = Array.from({ length: times }, () => '${{ input }}')
    definition.tasks[0]!.with = { url: 'https://upstream.test/a', body }
    return underWay(definition, 'x'.repeat(characters))
  }

  test('is made as long as its expressions yield a megabyte together', () => {
    const { outside, reports } = withMany(10, 100_000)
    expect(reports).toEqual([])
    expect(outside[0]!.call.with.body).toEqual(Array(10).fill('x'.repeat(100_000)))
  })

  // Much more would break the call to the executor, which carries 32 MiB.
  test.each([[11], [2_000]])('is never made beyond that: %d values of 100 KB', (times) => {
    const { attempts, outside, reports } = withMany(times, 100_000)
    expect(outside).toEqual([])
    expect(attempts.count).toBe(0)
    expect(reports[0]![1]).toMatchObject({
      type: 'AttemptFailed',
      error: { code: 'expression_limit', retryable: false },
    })
  })
})

describe('attempts whose expressions cost more than a turn has', () => {
  const list = `[${Array.from({ length: 20 }, (_, i) => i).join(',')}]`
  const costly = `\${{ ${list}.all(a, ${list}.all(b, ${list}.all(c, a + b + c < 230))) }}`
  const ids = Array.from({ length: 12 }, (_, i) => `t${i}`)

  function aCostlyRun() {
    const definition = aDefinition(Object.fromEntries(ids.map((id) => [id, []])), { max_parallel: ids.length })
    for (const task of definition.tasks) task.with = { url: 'https://upstream.test/', body: Array(8).fill(costly) }
    return underWay(definition)
  }

  test('are made in several, each under way from the beginning, and none is lost', async () => {
    const { attempts, outside } = aCostlyRun()
    expect(attempts.count).toBe(ids.length)
    expect(outside.length).toBeGreaterThan(0)
    expect(outside.length).toBeLessThan(ids.length)
    const made = [outside.length]
    while (outside.length < ids.length) {
      await new Promise((resolve) => setTimeout(resolve, 0))
      if (made.at(-1) !== outside.length) made.push(outside.length)
    }
    const most = Math.max(...made.map((count, turn) => count - (made[turn - 1] ?? 0)))
    expect(most).toBeLessThan(ids.length / 2)
    expect(attempts.count).toBe(ids.length)
  })

  test('are not made any more once they are aborted, and their rights are given back', async () => {
    const { run, attempts, outside, givenBack } = aCostlyRun()
    const made = outside.length
    attempts.abortAll(run.id)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(outside).toHaveLength(made)
    expect(givenBack).toHaveLength(ids.length - made)
    expect(attempts.count).toBe(0)
  })
})
