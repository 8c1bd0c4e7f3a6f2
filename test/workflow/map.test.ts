import { describe, expect, test } from 'vitest'
import type { Admission } from '../../src/workflow/decide/admission.ts'
import { advance } from '../../src/workflow/decide/advance.ts'
import { HISTORY_LIMIT } from '../../src/workflow/decide/decision-bounds.ts'
import { compile, type MapConfig, type WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import type { LaterEvent, TaskError } from '../../src/workflow/event.ts'
import { waitingIn } from '../../src/workflow/explain/waiting.ts'
import type { Json } from '../../src/workflow/json.ts'
import { accept, apply } from '../../src/workflow/run/apply.ts'
import { decodeCommit, encodeCommit, isAccepted, isLater } from '../../src/workflow/run/encoding.ts'
import type { Fact } from '../../src/workflow/run/fact.ts'
import { dueAt, type Run } from '../../src/workflow/run/run.ts'
import { aDefinition, aRetry, aRun } from '../support/builders.ts'

const noPayloads = () => null
const call = { type: 'http', with: { url: 'https://upstream.test/' } }
const double = { type: 'transform', with: { value: `\${{ item * 2 + index }}` } }
const retry = aRetry()

function mapping(config: Partial<MapConfig>, rest: Partial<WorkflowDefinition> = {}): WorkflowDefinition {
  const definition = aDefinition({ each: [] }, { timeout: '1h', ...rest })
  Object.assign(definition.tasks[0]!, { type: 'map', with: { items: [], task: call, ...config } })
  return definition
}

function begun(config: Partial<MapConfig>, rest: Partial<WorkflowDefinition> = {}): Run {
  const run = aRun(mapping(config, rest))
  while (!advance(run, [], 0, noPayloads).isComplete);
  return run
}

const list = (length: number): Json[] => Array.from({ length }, (_, index) => index)
const itemsOf = (run: Run) => run.tasks[0]!.items!
const runningOf = (run: Run) => [...itemsOf(run).running]
const tokenOf = (run: Run, item: number) => itemsOf(run).begun.get(item)!.token
const error: TaskError = { code: 'http_500', message: 'answered 500', retryable: true }

function report(run: Run, item: number, how: 'succeeded' | 'failed' | 'timed_out' | 'interrupted'): Fact {
  const about = { task: 0, item, token: tokenOf(run, item) }
  if (how === 'succeeded') return { type: 'AttemptSucceeded', output: { n: item }, ...about }
  if (how === 'failed') return { type: 'AttemptFailed', error, ...about }
  if (how === 'timed_out') return { type: 'AttemptTimedOut', error: { ...error, code: 'timeout' }, ...about }
  return { type: 'AttemptInterrupted', ...about }
}

describe('the items of a map', () => {
  test('take the slots of the run, and their outputs are a list in their order', () => {
    const run = begun({ items: list(5) }, { max_parallel: 2 })
    expect(run.tasks[0]).toMatchObject({ status: 'waiting', waitingFor: 'items', attempts: [] })
    expect(runningOf(run)).toEqual([0, 1])
    advance(run, [report(run, 1, 'succeeded')], 1, noPayloads)
    expect(runningOf(run)).toEqual([0, 2])
    for (const item of [2, 3, 4, 0]) advance(run, [report(run, item, 'succeeded')], 2, noPayloads)
    expect(run.tasks[0]!.output).toEqual(list(5).map((n) => ({ n })))
    expect(run).toMatchObject({ status: 'succeeded' })
    expect(run.slots.holders.size).toBe(0)
  })

  test('are at most max_parallel at once', () => {
    const run = begun({ items: list(9), max_parallel: 3 }, { max_parallel: 64 })
    expect(runningOf(run)).toEqual([0, 1, 2])
  })

  test('take turns with other tasks that want a slot', () => {
    const definition = mapping({ items: list(100) }, { max_parallel: 2 })
    for (const id of ['a', 'b', 'c']) definition.tasks.push({ id, depends_on: [], ...call })
    const run = aRun(definition)
    advance(run, [], 0, noPayloads)
    // The others stood in the queue before the map had its list.
    expect(run.tasks.map(({ status }) => status)).toEqual(['waiting', 'running', 'running', 'pending'])
    const free = (task: number) =>
      advance(run, [{ type: 'AttemptSucceeded', task, token: run.tasks[task]!.token, output: null }], 1, noPayloads)
    free(1)
    expect(run.tasks[3]!.status).toBe('running')
    free(2)
    expect(runningOf(run)).toEqual([0])
  })

  test('of no values are done at once', () => {
    const run = begun({ items: [] })
    expect(run).toMatchObject({ status: 'succeeded', tasks: [{ status: 'succeeded', output: [] }] })
    expect(itemsOf(run).total).toBe(0)
  })

  test('are computed where nothing has to be called, whatever their number', () => {
    const run = aRun(mapping({ items: list(10_000), task: double }))
    let steps = 0
    for (let step = advance(run, [], 0, noPayloads); !step.isComplete; step = advance(run, [], 0, noPayloads)) {
      expect(step.events.length).toBeLessThan(1_600)
      steps++
    }
    expect(steps).toBeGreaterThanOrEqual(10)
    expect(run.status).toBe('succeeded')
    expect(run.tasks[0]!.output).toEqual(list(10_000).map((n) => 3 * (n as number)))
    expect(run.events).toBeLessThan(HISTORY_LIMIT)
    expect(itemsOf(run).begun.get(17)!.attempts).toMatchObject([{ number: 1, status: 'succeeded' }])
  })

  test('that have not begun are no objects', () => {
    const run = begun({ items: list(10_000) })
    expect(itemsOf(run).begun.size).toBe(4)
    expect(itemsOf(run).progress).toMatchObject({ pending: 9_996, running: 4 })
  })

  test('are tried again as their own policy says, each with a wait of its own', () => {
    const run = begun({ items: list(3), task: { ...call, retry: { ...retry, jitter: 'full' } }, max_parallel: 2 })
    advance(run, [report(run, 0, 'failed'), report(run, 1, 'timed_out')], 10, noPayloads)
    const [first, second] = [itemsOf(run).begun.get(0)!, itemsOf(run).begun.get(1)!]
    expect([first.status, second.status]).toEqual(['waiting', 'waiting'])
    expect(first.wakeAt).not.toBe(second.wakeAt)
    expect(runningOf(run), 'what waits holds no slot').toEqual([2])
    expect(waitingIn(run, 10).ofTask(0)?.detail).toBe('3 of 3 items have not ended, 2 of them wait for another attempt')
    expect(dueAt(run, 10)).toBe(Math.min(first.wakeAt!, second.wakeAt!))
    advance(run, [], Math.max(first.wakeAt!, second.wakeAt!), noPayloads)
    expect(runningOf(run).length, 'one has to wait for room').toBe(2)
    expect(itemsOf(run).progress.waiting).toBe(1)
  })

  test('that are cut off are made again, and the fifth time fail', () => {
    const run = begun({ items: [7] })
    for (let i = 0; i < 5; i++) {
      advance(run, [report(run, 0, 'interrupted')], run.at, noPayloads)
      if (i < 4) advance(run, [], run.at + 1_000, noPayloads)
    }
    expect(run.tasks[0]!.error).toMatchObject({ code: 'map_failed', cause: { code: 'interrupted_too_often' } })
  })

  test('report with their own token alone', () => {
    const run = begun({ items: list(2) })
    const late = { ...report(run, 0, 'succeeded'), token: tokenOf(run, 1) } as Fact
    const { events } = advance(run, [late, { ...report(run, 0, 'succeeded'), item: 9 } as Fact], 1, noPayloads)
    expect(events).toEqual([])
    const { item: _, ...aboutTask } = report(run, 0, 'succeeded') as Fact & { item: number }
    expect(advance(run, [aboutTask as Fact], 1, noPayloads).events).toEqual([])
  })
})

describe('failures of items', () => {
  test('one too many fails the map at once and cuts off the others', () => {
    const run = begun({ items: list(10), max_parallel: 2 })
    const { events } = advance(run, [report(run, 1, 'failed')], 5, noPayloads)
    expect(events.map(({ type }) => type)).toEqual(['AttemptFailed', 'TaskFailed', 'TaskFailed', 'RunFinished'])
    expect(run.error).toMatchObject({ code: 'map_failed', task_id: 'each', items: [1], cause: { code: 'http_500' } })
    expect(itemsOf(run).progress).toMatchObject({ failed: 1, cancelled: 1, skipped: 8, pending: 0, running: 0 })
    expect(itemsOf(run).begun.get(0)!.attempts).toMatchObject([{ status: 'cancelled', finishedAt: 5 }])
    expect(run.slots.holders.size).toBe(0)
  })

  test.each([
    [2, 10, 2],
    ['20%', 10, 2],
    ['25%', 10, 2],
    ['0%', 10, 0],
    ['100%', 10, 10],
    ['99%', 1, 0],
  ])('of %s of %d items: %d are tolerated, and one more is not', (tolerated_failures, total, tolerated) => {
    const config = { items: list(total), tolerated_failures }
    const run = begun(config, { max_parallel: 10 })
    for (let item = 0; item < total; item++) {
      const how = item < tolerated ? 'failed' : 'succeeded'
      advance(run, [report(run, item, how)], 1, noPayloads)
    }
    expect(run.status).toBe('succeeded')
    expect(run.tasks[0]!.output).toEqual(list(total).map((n) => ((n as number) < tolerated ? null : { n })))
    if (tolerated === total) return
    const other = begun(config, { max_parallel: 10 })
    for (let item = 0; item <= tolerated; item++) advance(other, [report(other, item, 'failed')], 1, noPayloads)
    expect(other.error).toMatchObject({ code: 'map_failed', items: list(tolerated + 1) })
  })

  test('name a hundred items at most', () => {
    const run = begun({ items: list(300), tolerated_failures: 200 }, { max_parallel: 64 })
    while (run.finishedAt === null)
      advance(
        run,
        runningOf(run).map((item) => report(run, item, 'failed')),
        1,
        noPayloads,
      )
    expect(run.error!.items).toHaveLength(100)
    expect(run.error!.message).toMatch(/^2\d\d of 300 items failed, 200 are tolerated: 0, 1, /)
  })

  test('of an expression are those of the item', () => {
    const run = begun({ items: [1, 'x', 3], task: double, tolerated_failures: 1 })
    expect(run.tasks[0]!.output).toEqual([2, null, 8])
    expect(itemsOf(run).begun.get(1)).toMatchObject({ status: 'failed', error: { code: 'expression_error' } })
  })

  test('are survived under `continue` by what does not need the map', () => {
    const definition = mapping({ items: [1] }, { on_failure: 'continue' })
    definition.tasks.push({ id: 'other', depends_on: [], ...call })
    definition.tasks.push({ id: 'after', depends_on: ['each'], ...call })
    const run = aRun(definition)
    advance(run, [], 0, noPayloads)
    advance(run, [report(run, 0, 'failed')], 1, noPayloads)
    expect(run.tasks.map(({ status }) => status)).toEqual(['failed', 'running', 'skipped'])
  })
})

describe('a list that is none', () => {
  test.each<[string, Json, string, RegExp]>([
    ['an object', `\${{ {"a": 1} }}`, 'invalid_items', /not an object/],
    ['null', `\${{ null }}`, 'invalid_items', /not null/],
    ['a text', 'run.id', 'invalid_items', /not a string/],
    ['what is not there', 'input.x', 'expression_error', /x/],
    ['10,001 items', list(10_001), 'invalid_items', /10001 items, more than 10000/],
    ['too large a list', ['x'.repeat(1_048_576)], 'invalid_items', /bytes of JSON, more than 1048576/],
  ])('%s fails the task', (_, items, code, message) => {
    const run = begun({ items })
    expect(run.tasks[0]!.error).toMatchObject({ code, message: expect.stringMatching(message) })
  })
})

describe('the end of the run', () => {
  test.each([
    ['cancelled', { type: 'RunCancelRequested' }, 5, 'cancelled'],
    ['stopped', { type: 'RunStopped', error }, 5, 'cancelled'],
    ['timed out', null, 3_600_000, 'timed_out'],
  ] as const)('%s ends what executes and waits, and what has not begun never will', (_, fact, at, status) => {
    const run = begun({ items: list(6), task: { ...call, retry }, max_parallel: 2 })
    advance(run, [report(run, 0, 'failed')], 1, noPayloads)
    advance(run, fact === null ? [] : [fact], at, noPayloads)
    expect(run.tasks[0]!.status).toBe(status)
    expect(itemsOf(run).progress).toMatchObject({ [status]: 3, skipped: 3, pending: 0, waiting: 0, running: 0 })
    expect(run.slots.holders.size).toBe(0)
    expect(run.finishedAt).toBe(at)
  })

  test('a pause starts no item, and lets those that execute end', () => {
    const run = begun({ items: list(3), task: { ...call, retry }, max_parallel: 2 })
    advance(run, [{ type: 'RunPaused' }], 1, noPayloads)
    advance(run, [report(run, 0, 'succeeded'), report(run, 1, 'failed')], 2, noPayloads)
    advance(run, [], 60_000, noPayloads)
    expect(runningOf(run)).toEqual([])
    expect(itemsOf(run).progress).toMatchObject({ succeeded: 1, waiting: 1, pending: 1 })
    advance(run, [{ type: 'RunResumed' }], 60_001, noPayloads)
    expect(runningOf(run).sort()).toEqual([1, 2])
  })

  test('the task’s own timeout ends the map', () => {
    const definition = mapping({ items: list(3) })
    definition.tasks[0]!.timeout = '10s'
    const run = aRun(definition)
    advance(run, [], 0, noPayloads)
    expect(dueAt(run, 0)).toBe(10_000)
    advance(run, [report(run, 0, 'succeeded')], 9_999, noPayloads)
    expect(run.tasks[0]!.status).toBe('waiting')
    advance(run, [], 10_000, noPayloads)
    expect(run.tasks[0]).toMatchObject({ status: 'timed_out', error: { code: 'timeout' } })
  })
})

test('circuits that hold back 32 items in a row hold those behind them too', () => {
  const admission: Admission = { hold: () => ({ target: 'https://upstream.test', until: 100 }), isFree: () => false }
  const run = aRun(mapping({ items: list(1_000) }))
  advance(run, [], 0, noPayloads, admission)
  expect(itemsOf(run).progress).toMatchObject({ waiting: 32, pending: 968, running: 0 })
  expect(waitingIn(run, 0).ofTask(0)?.detail).toBe(
    '1000 of 1000 items have not ended, circuits hold back 32 of them (https://upstream.test), and no other begins until they let some through',
  )
  expect(itemsOf(run).begun.get(0)).toMatchObject({
    waitingFor: 'circuit',
    circuit: 'https://upstream.test',
    attempts: [],
  })
  const due = dueAt(run, 0)!
  expect(due).toBeGreaterThanOrEqual(100)
  expect(advance(run, [], 50, noPayloads, admission).events).toEqual([])
  advance(run, [], due, noPayloads, null)
  expect(runningOf(run)).toEqual([0, 1, 2, 3])
})

describe('a map over many servers', () => {
  /** Those of every tenth item cannot be reached. */
  const admission: Admission = {
    hold: ({ item = 0 }) => (item % 10 === 0 ? { target: 'https://dead.test', until: 1e6 } : null),
    isFree: () => false,
  }

  function endReachable(total: number): Run {
    const run = aRun(mapping({ items: list(total), max_parallel: 8 }, { max_parallel: 8 }))
    advance(run, [], 0, noPayloads, admission)
    for (let running = runningOf(run); running.length > 0; running = runningOf(run)) {
      const facts = running.map((item) => report(run, item, 'succeeded'))
      advance(run, facts, run.at + 1, noPayloads, admission)
    }
    return run
  }

  test('goes on with those that can be reached, and says how many items wait', () => {
    const run = endReachable(1_000)
    expect(itemsOf(run).progress).toMatchObject({ succeeded: 900, waiting: 100, pending: 0 })
    expect(waitingIn(run, run.at).ofTask(0)?.detail).toBe(
      '100 of 1000 items have not ended, circuits hold back 100 of them (https://dead.test)',
    )
  })

  test('begins no other when 256 wait', () => {
    const run = endReachable(5_000)
    expect(itemsOf(run).progress).toMatchObject({ waiting: 256, succeeded: 2_295 })
  })
})

test('outputs of more than 8 MiB together fail the map', () => {
  const run = begun({ items: list(20) })
  const output = 'x'.repeat(1_000_000)
  for (let item = 0; run.finishedAt === null && item < 20; item++) {
    advance(run, [{ type: 'AttemptSucceeded', task: 0, item, token: tokenOf(run, item), output }], 1, noPayloads)
  }
  expect(run.error).toMatchObject({ code: 'output_too_large', task_id: 'each' })
  expect(itemsOf(run).progress.succeeded).toBe(9)
})

test('a history with items folds to the same run, and is compact', () => {
  const config = { items: list(50), task: { ...call, retry }, tolerated_failures: 40, max_parallel: 7 }
  const run = aRun(mapping(config, { max_parallel: 7 }))
  const events: LaterEvent[] = [...advance(run, [], 0, noPayloads).events]
  for (let round = 0; run.finishedAt === null; round++) {
    const facts = runningOf(run).map((item) => report(run, item, (item + round) % 3 === 0 ? 'failed' : 'succeeded'))
    events.push(...advance(run, facts, run.at + 700, noPayloads).events)
  }
  const definition = mapping(config, { max_parallel: 7 })
  const workflow = compile(definition)
  const first = {
    type: 'RunAccepted',
    at: 0,
    runId: run.id,
    workflow,
    version: 1,
    input: null,
    timeoutMs: 3_600_000,
  } as const
  const lines = [encodeCommit(0, [first]), ...events.map((event) => encodeCommit(event.at, [event]))]
  const [accepted, ...later] = lines.flatMap((line) => decodeCommit(line, { runId: run.id, workflow }))
  if (!isAccepted(accepted)) throw new Error('the history begins with RunAccepted')
  const again = accept(accepted)
  for (const event of later) if (isLater(event)) apply(again, event)
  expect(again).toEqual({ ...run, workflow })
  const item = encodeCommit(0, [
    { type: 'AttemptStarted', at: 0, task: 0, attempt: 1, item: 9_999 },
    { type: 'AttemptSucceeded', at: 0, task: 0, token: 20_000, output: null, item: 9_999 },
  ])
  expect(item.length - encodeCommit(0, []).length).toBeLessThan(50)
})
