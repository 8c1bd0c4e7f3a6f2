// A history that is written and read is the same history, and what older releases wrote stays readable (R9).

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { compile, type WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import { PayloadRef, type RunEvent, type StartOptions, type TaskError, type Usage } from '../../src/workflow/event.ts'
import { accept, apply } from '../../src/workflow/run/apply.ts'
import { decodeCommit, encodeCommit, isAccepted, isLater } from '../../src/workflow/run/encoding.ts'
import type { Run } from '../../src/workflow/run/run.ts'
import { aDefinition } from '../support/builders.ts'

const workflow = compile(aDefinition({ a: [], b: ['a'] }))
const runId = 'run_0001HZZZZZZZZZZZZZZZZZZZZZZZ'
const at = 1_800_000_000_123
const error: TaskError = { code: 'http_500', message: 'answered 500', retryable: true }
const usage = { input_tokens: 12, output_tokens: 3 }

const everyEvent: RunEvent[] = [
  { type: 'RunAccepted', at, runId, workflow, version: 3, input: { who: 'Ada' }, timeoutMs: 5_000 },
  {
    type: 'RunAccepted',
    at,
    runId,
    workflow,
    version: 3,
    input: null,
    timeoutMs: 5_000,
    options: { tags: ['eu', 'customer:17'] },
  },
  { type: 'RunQueued', at, until: at + 60_000 },
  {
    type: 'RunAccepted',
    at,
    runId,
    workflow,
    version: 3,
    input: null,
    timeoutMs: 5_000,
    options: { parent: { run_id: 'run_0001HZZZZZZZZZZZZZZZZZZZZZZX', task_id: 'a', above: ['top@1', 'wf@2'] } },
  },
  { type: 'RunStarted', at },
  { type: 'AttemptStarted', at, task: 0, attempt: 2, item: 0 },
  { type: 'AttemptSucceeded', at, task: 0, token: 3, output: 7, item: 9_999 },
  { type: 'AttemptFailed', at, task: 0, token: 3, error, item: 1 },
  { type: 'AttemptFailed', at, task: 0, token: 3, error, retryAfterMs: 5, isRetryRefused: true, item: 1 },
  { type: 'AttemptTimedOut', at, task: 0, token: 3, error, item: 1 },
  { type: 'AttemptTimedOut', at, task: 0, token: 3, error, isRetryRefused: true, item: 1 },
  { type: 'AttemptInterrupted', at, task: 0, token: 3, item: 1 },
  { type: 'AttemptSnoozed', at, task: 0, token: 3, afterMs: 5_000 },
  { type: 'AttemptSnoozed', at, task: 0, token: 3, afterMs: 5_000, item: 1 },
  { type: 'AttemptSnoozed', at, task: 0, token: 3, afterMs: 0, item: 0, logs: [1] },
  { type: 'TaskWaiting', at, task: 0, for: 'poll', until: at + 400, isPutOff: false },
  { type: 'TaskWaiting', at, task: 0, for: 'items', until: null, isPutOff: false, items: [1, 'x'], total: 2 },
  { type: 'TaskWaiting', at, task: 0, for: 'items', until: 9, isPutOff: false, items: new PayloadRef(1, 9), total: 0 },
  { type: 'TaskWaiting', at, task: 0, for: 'retry', until: at + 400, isPutOff: false, item: 3 },
  { type: 'TaskWaiting', at, task: 0, for: 'retry', until: at + 400, isPutOff: true, item: 3 },
  { type: 'TaskWaiting', at, task: 0, for: 'circuit', until: at, isPutOff: false, target: 'https://a.test', item: 3 },
  { type: 'TaskFailed', at, task: 0, error, item: 3 },
  { type: 'TaskFailed', at, task: 0, error: { ...error, items: [1, 2] } },
  { type: 'TaskTimedOut', at, task: 0, item: 3 },
  { type: 'TaskTimedOut', at, task: 0, error, item: 3 },
  { type: 'ChildStarted', at, task: 1, attempt: 2, child: 'run_0001HZZZZZZZZZZZZZZZZZZZZZZY' },
  { type: 'ChildStarted', at, task: 1, attempt: 2, child: 'run_0001HZZZZZZZZZZZZZZZZZZZZZZZY', item: 9_999 },
  { type: 'AttemptFailed', at, task: 1, token: 3, error, wasRefusedStart: true },
  { type: 'AttemptFailed', at, task: 1, token: 3, error, wasRefusedStart: true, item: 0 },
  { type: 'AttemptStarted', at, task: 0, attempt: 1 },
  { type: 'AttemptSucceeded', at, task: 0, token: 3, output: ['x', null, { n: 1 }] },
  { type: 'AttemptSucceeded', at, task: 0, token: 3, output: new PayloadRef(2, 70_000) },
  { type: 'AttemptFailed', at, task: 0, token: 3, error },
  { type: 'AttemptTimedOut', at, task: 0, token: 3, error },
  { type: 'TaskReused', at, task: 0, output: { ok: true } },
  { type: 'TaskReused', at, task: 0, output: new PayloadRef(3, 20_000) },
  { type: 'AttemptInterrupted', at, task: 0, token: 3 },
  { type: 'AttemptInterrupted', at, task: 0, token: 3, isUnreached: true },
  { type: 'AttemptInterrupted', at, task: 0, token: 3, isUnreached: true, item: 1 },
  { type: 'TaskWaiting', at, task: 0, for: 'retry', until: at + 400, isPutOff: false },
  { type: 'TaskWaiting', at, task: 0, for: 'retry', until: at + 400, isPutOff: true },
  { type: 'AttemptFailed', at, task: 0, token: 3, error, retryAfterMs: 2_000 },
  { type: 'AttemptFailed', at, task: 0, token: 3, error, isRetryRefused: true },
  { type: 'AttemptFailed', at, task: 0, token: 3, error, retryAfterMs: 2_000, isRetryRefused: true },
  { type: 'AttemptTimedOut', at, task: 0, token: 3, error, isRetryRefused: true },
  { type: 'TaskWaiting', at, task: 0, for: 'circuit', until: at + 400, isPutOff: false, target: 'https://a.test' },
  { type: 'TaskFailed', at, task: 0, error },
  { type: 'TaskTimedOut', at, task: 0 },
  { type: 'TaskSkipped', at, task: 1, reason: 'upstream_failed', because: 0 },
  { type: 'TaskSkipped', at, task: 1, reason: 'run_stopped', because: null },
  { type: 'TaskCancelled', at, task: 0 },
  { type: 'TaskTimedOut', at, task: 0, error },
  { type: 'TaskWaiting', at, task: 0, for: 'time', until: at + 400, isPutOff: false },
  { type: 'TaskWaiting', at, task: 0, for: 'signal', until: null, isPutOff: false },
  { type: 'SignalReceived', at, id: 'sig_1', name: 'approved', data: { by: 'Ada' } },
  { type: 'SignalReceived', at, id: 'sig_2', name: 'approved', data: new PayloadRef(3, 90_000), task: 0 },
  { type: 'TaskSucceeded', at, task: 0, output: ['x'] },
  { type: 'TaskSucceeded', at, task: 0, output: null, signal: 17 },
  { type: 'AttemptSucceeded', at, task: 0, token: 3, output: 1, logs: [{ level: 'info', text: 'x' }, { omitted: 2 }] },
  { type: 'AttemptSucceeded', at, task: 0, token: 3, output: null, item: 1, logs: new PayloadRef(4, 20_000) },
  { type: 'AttemptFailed', at, task: 0, token: 3, error, logs: [] },
  { type: 'AttemptFailed', at, task: 0, token: 3, error, retryAfterMs: 5, isRetryRefused: true, item: 1, logs: [1] },
  { type: 'AttemptTimedOut', at, task: 0, token: 3, error, logs: new PayloadRef(4, 20_000) },
  { type: 'AttemptTimedOut', at, task: 0, token: 3, error, isRetryRefused: true, item: 1, logs: [1] },
  { type: 'AttemptSucceeded', at, task: 0, token: 3, output: 1, usage: { input_tokens: 12, output_tokens: 0 } },
  { type: 'AttemptSucceeded', at, task: 0, token: 3, output: 1, item: 0, logs: [1], usage },
  { type: 'AttemptFailed', at, task: 0, token: 3, error, usage },
  { type: 'AttemptFailed', at, task: 0, token: 3, error, retryAfterMs: 5, isRetryRefused: true, item: 1, usage },
  { type: 'AttemptTimedOut', at, task: 0, token: 3, error, usage },
  { type: 'RunTimedOut', at },
  { type: 'RunCancelRequested', at },
  { type: 'RunStopped', at, error: { ...error, tasks: ['b'] } },
  { type: 'RunFinished', at, status: 'failed', output: null, error: { ...error, task_id: 'a' } },
  { type: 'RunFinished', at, status: 'succeeded', output: { n: 1, bytes: 2 }, error: null },
]

describe('a commit', () => {
  test.each(everyEvent.map((event) => [event.type, event] as const))('keeps %s', (_, event) => {
    expect(decodeCommit(encodeCommit(at, [event]), { runId, workflow })).toEqual([event])
  })

  test('keeps the order of its events', () => {
    expect(decodeCommit(encodeCommit(at, everyEvent), { runId, workflow })).toEqual(everyEvent)
  })

  test('is one line, whatever its values hold', () => {
    const output = 'two\nlines\r\n\u2028and "quotes" \ud83d\ude00'
    const line = encodeCommit(at, [{ type: 'AttemptSucceeded', at, task: 0, token: 3, output }])
    expect(line).not.toContain('\n')
    expect(decodeCommit(line, { runId, workflow })).toMatchObject([{ output }])
  })

  test('of a placeholder costs less than 40 characters, so that a hundred share a row', () => {
    const events: RunEvent[] = [
      { type: 'AttemptStarted', at, task: 99, attempt: 1 },
      { type: 'AttemptSucceeded', at, task: 99, token: 200, output: null },
    ]
    expect(encodeCommit(at, events).length - encodeCommit(at, []).length).toBeLessThan(40)
  })

  test('with an event of a newer release gives null for it', () => {
    expect(decodeCommit('[1,5,["B"],["newer",1,2]]', { runId, workflow })).toEqual([
      { type: 'RunStarted', at: 5 },
      null,
    ])
  })
})

describe('golden histories', () => {
  const folder = `${import.meta.dirname}/golden`
  test.each(readdirSync(folder))('%s folds to the state that its release saw', (file) => {
    const golden = JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')) as {
      runId: string
      definition: WorkflowDefinition
      lines: string[]
      expected: { status: string; tasks: string[]; error: string | null; attempts: number }
      options?: StartOptions
      usage?: Usage[]
    }
    const restored = { runId: golden.runId, workflow: compile(golden.definition) }
    const [first, ...later] = golden.lines.flatMap((line) => decodeCommit(line, restored))
    expect(isAccepted(first)).toBe(true)
    if (!isAccepted(first)) return
    const run: Run = accept(first)
    for (const event of later) if (isLater(event)) apply(run, event)
    expect({
      status: run.status,
      tasks: run.tasks.map(({ status }) => status),
      error: run.error?.code ?? null,
      attempts: run.tasks.reduce((sum, { attempts }) => sum + attempts.length, 0),
    }).toEqual(golden.expected)
    expect(run.options).toEqual(golden.options ?? {})
    const used = run.tasks.flatMap(({ attempts }) => attempts.flatMap((attempt) => attempt.usage ?? []))
    expect(used).toEqual(golden.usage ?? [])
  })
})
