// A task that is called again until its answer is there: what is decided and recorded, what its expressions may name, what it
// is handed of its run.

import { describe, expect, test } from 'vitest'
import { TASK_TYPES } from '../../src/tasks/schemas.ts'
import { advance } from '../../src/workflow/decide/advance.ts'
import { compile, type TaskDefinition } from '../../src/workflow/definition/definition.ts'
import { parseDefinition } from '../../src/workflow/definition/parse.ts'
import { taskType } from '../../src/workflow/definition/task-types.ts'
import { type AcceptedEvent, type LaterEvent, PayloadRef, type StoredValue } from '../../src/workflow/event.ts'
import { explain, explanationText } from '../../src/workflow/explain/explain.ts'
import { waitingIn } from '../../src/workflow/explain/waiting.ts'
import { scopeOfResponse } from '../../src/workflow/expression/handed-scope.ts'
import { renderConfig, responseScope } from '../../src/workflow/expression/response-fields.ts'
import { runScope } from '../../src/workflow/expression/scope.ts'
import type { JsonObject } from '../../src/workflow/json.ts'
import { accept, apply } from '../../src/workflow/run/apply.ts'
import type { Fact } from '../../src/workflow/run/fact.ts'
import { dueAt, type Run } from '../../src/workflow/run/run.ts'
import { aDefinition, aRetry, aRun } from '../support/builders.ts'

const noPayloads = () => null
const step = (run: Run, now: number, ...facts: Fact[]) => advance(run, facts, now, noPayloads).events
const token = (run: Run, task = 0) => ({ task, token: run.tasks[task]!.token })
const snoozed = (run: Run, afterMs: number): Fact => ({ type: 'AttemptSnoozed', ...token(run), afterMs })
const failed = (run: Run): Fact => {
  return { type: 'AttemptFailed', ...token(run), error: { code: 'http_503', message: 'm', retryable: true } }
}
const attemptsOf = (run: Run) => run.tasks[0]!.attempts.map(({ number, status }) => [number, status])

function polling(rest: Partial<TaskDefinition> = {}, timeoutMs = 1e9): Run {
  const definition = aDefinition({ a: [], b: ['a'] })
  Object.assign(definition.tasks[0]!, rest)
  const run = aRun(definition, { timeoutMs })
  step(run, 0)
  return run
}

describe('a task that polls', () => {
  test('waits without a slot, by a time that is on disk, and is called again then', () => {
    const run = polling()
    const events = step(run, 100, snoozed(run, 5_000))
    expect(events).toEqual([
      { type: 'AttemptSnoozed', at: 100, task: 0, token: 3, afterMs: 5_000 },
      { type: 'TaskWaiting', at: 100, task: 0, for: 'poll', until: 5_100, isPutOff: false },
    ])
    expect([run.slots.holders.size, dueAt(run, 100)]).toEqual([0, 5_100])
    expect(step(run, 5_099)).toEqual([])
    expect(step(run, 5_100)).toEqual([{ type: 'AttemptStarted', at: 5_100, task: 0, attempt: 1 }])
    step(run, 5_200, { type: 'AttemptSucceeded', ...token(run), output: 'there' })
    expect([run.tasks[0]!.status, run.tasks[0]!.output, run.tasks[0]!.polls]).toEqual(['succeeded', 'there', 1])
  })

  test('spends no attempt on an answer, whatever its retry, and one on a failure', () => {
    const retry = aRetry({ max_attempts: 2 })
    const run = polling({ retry })
    for (let n = 0; n < 30; n++) {
      step(run, run.at, snoozed(run, 10))
      step(run, run.tasks[0]!.wakeAt!)
    }
    expect(run.tasks[0]!.polls).toBe(30)
    step(run, run.at, failed(run))
    expect(run.tasks[0]).toMatchObject({ waitingFor: 'retry', polls: 30 })
    step(run, run.tasks[0]!.wakeAt!)
    step(run, run.at, snoozed(run, 10))
    step(run, run.tasks[0]!.wakeAt!)
    expect(attemptsOf(run).slice(-3)).toEqual([
      [1, 'failed'],
      [2, 'snoozed'],
      [2, 'running'],
    ])
    step(run, run.at, failed(run))
    expect(run.error).toMatchObject({ code: 'http_503' })
  })

  test('that a crash cuts off is the same call again; an answer forgets the crashes before it', () => {
    const run = polling()
    const cut = () => step(run, run.tasks[0]!.wakeAt ?? run.at, { type: 'AttemptInterrupted', ...token(run) })
    for (let n = 0; n < 12; n++) {
      cut()
      step(run, run.tasks[0]!.wakeAt!)
      if (n % 3 === 2) {
        step(run, run.at, snoozed(run, 10))
        step(run, run.tasks[0]!.wakeAt!)
      }
    }
    expect(run.tasks[0]).toMatchObject({ status: 'running', polls: 4, interruptions: 0 })
  })

  test('fails at once when the next call would come after the deadline', () => {
    const run = polling({}, 4_000)
    step(run, 100, snoozed(run, 5_000))
    expect(run.error).toEqual({
      code: 'poll_exhausted',
      message:
        "What is waited for had not come after 1 call; the next would be due in 5000 ms, after the run's deadline",
      retryable: false,
      task_id: 'a',
    })
  })

  test('is not called in a paused run, and at once after it if it was due', () => {
    const run = polling()
    step(run, 100, snoozed(run, 1_000))
    step(run, 200, { type: 'RunPaused' })
    expect(step(run, 5_000)).toEqual([])
    expect(waitingIn(run, 5_000).ofTask(0)).toMatchObject({ for: 'paused' })
    expect(step(run, 9_000, { type: 'RunResumed' }).map(({ type }) => type)).toEqual(['RunResumed', 'AttemptStarted'])
  })

  test('is cancelled, and timed out, while it waits', () => {
    const cancelled = polling()
    step(cancelled, 100, snoozed(cancelled, 1_000))
    step(cancelled, 200, { type: 'RunCancelRequested' })
    expect(cancelled.tasks[0]!.status).toBe('cancelled')
    const late = polling({}, 2_000)
    step(late, 100, snoozed(late, 1_000))
    step(late, 2_000)
    expect([late.status, late.tasks[0]!.status]).toEqual(['timed_out', 'timed_out'])
  })

  test('that reports late or twice changes nothing', () => {
    const run = polling()
    const late = snoozed(run, 1_000)
    step(run, 100, late)
    expect(step(run, 101, late)).toEqual([])
    step(run, 1_100)
    expect(step(run, 1_101, late)).toEqual([])
    expect(run.tasks[0]).toMatchObject({ status: 'running', polls: 1 })
  })

  test('says what it waits for, and its explanation how long that took', () => {
    const run = polling()
    const history: LaterEvent[] = [
      { type: 'RunStarted', at: 0 },
      { type: 'AttemptStarted', at: 0, task: 0, attempt: 1 },
    ]
    history.push(...step(run, 100, snoozed(run, 5_000)))
    const detail = 'what is waited for had not come after 1 call'
    expect(waitingIn(run, 200).ofTask(0)).toEqual({ for: 'poll', detail, until: 5_100 })
    history.push(...step(run, 5_100), ...step(run, 5_150, snoozed(run, 5_000)))
    expect(waitingIn(run, 6_000).ofTask(0)!.detail).toBe('what is waited for had not come after 2 calls')
    const all = [{ type: 'RunAccepted' } as AcceptedEvent, ...history]
    const text = explanationText(run, explain(run, all, 6_000), 6_000)
    expect(text).toContain('until its next call 5850 ms')
    expect(text).not.toMatch(/undefined/)
  })

  test('may be an item of a map, each with calls of its own', () => {
    const definition = aDefinition({ m: [] })
    const config = { items: ['x', 'y'], task: { type: 'http', with: { url: 'https://upstream.test' } } }
    Object.assign(definition.tasks[0]!, { type: 'map', with: config })
    const run = aRun(definition, { timeoutMs: 1e9 })
    step(run, 0)
    const items = run.tasks[0]!.items!
    const of = (item: number) => ({ task: 0, item, token: items.begun.get(item)!.token })
    step(run, 10, { type: 'AttemptSnoozed', ...of(0), afterMs: 100 })
    expect(waitingIn(run, 20).ofItem(0, 0)).toMatchObject({ for: 'poll', until: 110 })
    step(run, 20, { type: 'AttemptSucceeded', ...of(1), output: 1 })
    expect(step(run, 110)).toEqual([{ type: 'AttemptStarted', at: 110, task: 0, attempt: 1, item: 0 }])
    step(run, 120, { type: 'AttemptSucceeded', ...of(0), output: 0 })
    expect([run.status, run.tasks[0]!.output]).toEqual(['succeeded', [0, 1]])
  })

  test('folds to the same run', () => {
    const definition = aDefinition({ a: [] })
    const first: AcceptedEvent = {
      type: 'RunAccepted',
      at: 0,
      runId: 'run_00',
      workflow: compile(definition),
      version: 1,
      input: null,
      timeoutMs: 1e6,
    }
    const run = accept(first)
    const events = step(run, 0)
    events.push(...step(run, 5, snoozed(run, 10)), ...step(run, 15), ...step(run, 16, snoozed(run, 10)))
    const again = accept(first)
    for (const event of events) apply(again, event)
    expect(again).toEqual(run)
  })
})

const http = taskType(TASK_TYPES, 'http')

describe('what judges an answer', () => {
  const until = 'response.body.n == input.n && tasks["a-b"].output.ok && response.headers.x == "y"'
  const faultsOf = (config: object, rest: object = {}) => {
    const tasks = [
      { id: 'a-b', type: 'transform', with: { value: 1 } },
      { id: 't', type: 'http', depends_on: ['a-b'], with: { url: 'https://a.test', ...config }, ...rest },
    ]
    const parsed = parseDefinition({ name: 'wf', timeout: '1h', tasks }, TASK_TYPES)
    return parsed.ok ? [] : parsed.faults.map(({ path, code }) => `${path} ${code}`)
  }

  test('sees `response`, and what other expressions see; nothing else sees `response`', () => {
    expect(faultsOf({ poll: { until } })).toEqual([])
    expect(faultsOf({ poll: { until: '${{ response.status == 200 }}' } })).toEqual([])
    expect(faultsOf({ paginate: { next: 'response.body.next' } })).toEqual([])
    expect(faultsOf({ body: '${{ response.status }}' })).toEqual(['/tasks/1/with/body unknown_name'])
    expect(faultsOf({}, { when: 'response.status == 200' })).toEqual(['/tasks/1/when unknown_name'])
  })

  test('is checked when it is registered', () => {
    expect(faultsOf({ poll: { until: 'responce.ok' } })).toEqual(['/tasks/1/with/poll/until unknown_name'])
    expect(faultsOf({ poll: { until: 'tasks.c.output' } })).toEqual(['/tasks/1/with/poll/until unknown_name'])
    expect(faultsOf({ poll: { until: 'item' } })).toEqual(['/tasks/1/with/poll/until unknown_name'])
    expect(faultsOf({ poll: { until: 'secrets.A == "x"' } })).toEqual(['/tasks/1/with/poll/until secret_misplaced'])
    expect(faultsOf({ poll: { until: '1 +' } })).toEqual(['/tasks/1/with/poll/until expression_syntax'])
    expect(faultsOf({ poll: { until: '${{ true }} or so' } })).toEqual(['/tasks/1/with/poll/until expression_syntax'])
    expect(faultsOf({ paginate: { next: '?page=${{ response.body.n }}' } })).toEqual([
      '/tasks/1/with/paginate/next expression_syntax',
    ])
    expect(faultsOf({ poll: { until: 'true', every: '${{ inptu }}' } })).toEqual([
      '/tasks/1/with/poll/every unknown_name',
    ])
  })

  test('is checked inside a map, where it may name the item', () => {
    const mapped = (next: string) => {
      const task = { type: 'http', with: { url: 'https://a.test', paginate: { next } } }
      const parsed = parseDefinition(
        { name: 'wf', tasks: [{ id: 'm', type: 'map', with: { items: [1], task } }] },
        TASK_TYPES,
      )
      return parsed.ok ? [] : parsed.faults.map(({ path, code }) => `${path} ${code}`)
    }
    expect(mapped('item == 1 && index == 0 ? response.body : null')).toEqual([])
    expect(mapped('itme')).toEqual(['/tasks/0/with/task/with/paginate/next unknown_name'])
  })

  test('is left as it is when the rest is filled in', () => {
    const run = Object.assign(aRun(aDefinition({ a: [] })), { input: { n: 1, u: 'https://a.test' } })
    const scope = runScope(run, noPayloads)
    const config = {
      url: '${{ input.u }}',
      poll: { until: '${{ response.body == input.n }}', at_most: '${{ input.n }}' },
    }
    expect(renderConfig(http, config, scope)).toEqual({
      ok: true,
      value: { url: 'https://a.test', poll: { until: '${{ response.body == input.n }}', at_most: 1 } },
    })
    const plain = { url: 'https://a.test', poll: { until: '${{ response.x }}' } }
    expect(renderConfig(http, plain, scope)).toEqual({ ok: true, value: plain })
    expect(renderConfig(http, { url: '${{ input.x }}', poll: { until: 'true' } }, scope)).toMatchObject({ ok: false })
  })

  test('is handed what it names, and nothing that it does not', () => {
    const read: number[] = []
    const load = (ref: PayloadRef) => {
      read.push(ref.n)
      return { ok: true }
    }
    const definition = aDefinition({ 'a-b': [], c: [], t: ['a-b', 'c'] })
    const run = Object.assign(aRun(definition), { input: { n: 4 } })
    for (const [n, output] of [new PayloadRef(1, 9), new PayloadRef(2, 9)].entries() as Iterable<
      [number, StoredValue]
    >) {
      Object.assign(run.tasks[n]!, { status: 'succeeded', output })
    }
    const handed = responseScope(run, { task: 2 }, http, { poll: { until } } as JsonObject, load)!
    expect(handed).toEqual({
      run: { id: run.id, workflow: definition.name, version: 1, attempt: 1 },
      tasks: { 'a-b': { status: 'succeeded', output: { ok: true } } },
      input: { n: 4 },
    })
    expect(read).toEqual([1])
    expect(responseScope(run, { task: 2 }, http, { poll: { until: 'response.status == 1' } }, load)).not.toHaveProperty(
      'input',
    )
    expect(responseScope(run, { task: 2 }, http, { url: 'x' }, load)).toBeNull()
    expect(scopeOfResponse(handed, { body: 1 }).task('a-b')).toEqual({ status: 'succeeded', output: { ok: true } })
    expect(scopeOfResponse(handed, { body: 1 }).task('constructor')).toEqual({ status: 'pending', output: null })
  })
})

describe('a definition that polls', () => {
  const parse = (poll: object, rest: object = {}, isMap = false) => {
    const call = { type: 'http', with: { url: 'https://a.test', poll } }
    const task = isMap ? { type: 'map', with: { items: [1], task: call } } : call
    const parsed = parseDefinition({ name: 'wf', tasks: [{ id: 'ask', ...task }], ...rest }, TASK_TYPES)
    return parsed.ok ? [] : parsed.faults
  }

  test('says how long its runs may take, and gets a proposal', () => {
    expect(parse({ until: 'true' }, { timeout: '10s' })).toEqual([])
    expect(parse({ until: 'true', every: '10s', at_most: 6 })).toEqual([
      {
        path: '/timeout',
        code: 'timeout_required',
        message:
          'the task "ask" polls, which the default of 5s is hardly meant for; say how long a run may take, such as "70s"',
      },
    ])
    expect(parse({ until: 'true', at_most: '2h' })[0]!.path).toBe('/tasks/0/with/poll/at_most')
    expect(parse({ until: 'true', every: '1m', at_most: '2h' })[0]!.message).toContain('"132m"')
    expect(parse({ until: 'true', every: '${{ input.every }}' })[0]!.message).toContain('"1d"')
    expect(parse({ until: 'true' }, {}, true)[0]).toMatchObject({ code: 'timeout_required' })
  })
})

test('while a run undoes what it did, a poll waits as long as its task says, or an hour, whatever its server asks', () => {
  for (const [every, untilMs] of [
    ['5s', 3_600_000],
    ['3h', 3 * 3_600_000],
  ] as const) {
    const definition = aDefinition({ a: [], b: ['a'] })
    const undo: TaskDefinition = { id: 'undo', type: 'http', depends_on: [] }
    Object.assign(definition.tasks[0]!, { with: { url: 'https://a.test' }, compensate: 'undo' })
    Object.assign(definition.tasks[1]!, { with: { url: 'https://a.test' } })
    definition.tasks.push({ ...undo, with: { url: 'https://a.test', poll: { until: 'true', every } }, timeout: '1m' })
    const run = aRun(definition, { timeoutMs: 60_000 })
    step(run, 0)
    step(run, 1, { type: 'AttemptSucceeded', ...token(run), output: 1 })
    step(run, 2, {
      type: 'AttemptFailed',
      ...token(run, 1),
      error: { code: 'http_404', message: 'm', retryable: false },
    })
    expect(run.compensation).not.toBeNull()
    const events = step(run, 10, { type: 'AttemptSnoozed', ...token(run, 2), afterMs: 30_000_000_000 })
    expect(events.at(-1)).toMatchObject({ type: 'TaskWaiting', task: 2, for: 'poll', until: 10 + untilMs })
  }
})
