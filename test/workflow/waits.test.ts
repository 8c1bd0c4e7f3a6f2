// Tasks that wait: sleeps, waits for an event, and the signals that end them.

import { describe, expect, test } from 'vitest'
import { advance, type KeepPayload } from '../../src/workflow/decide/advance.ts'
import { hasRoom, MAX_BUFFERED, takersOf } from '../../src/workflow/decide/signals.ts'
import type { TaskDefinition, WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import { type LaterEvent, PayloadRef, type StoredValue, type TaskError } from '../../src/workflow/event.ts'
import { StepBudget } from '../../src/workflow/expression/step-budget.ts'
import type { Json } from '../../src/workflow/json.ts'
import { accept, apply } from '../../src/workflow/run/apply.ts'
import type { Fact, SignalFact } from '../../src/workflow/run/fact.ts'
import { dueAt, type Run } from '../../src/workflow/run/run.ts'
import { aDefinition, aRun } from '../support/builders.ts'

const noPayloads = () => null
/** A signal on its way: who gets it is told when it comes. */
type Sent = Omit<SignalFact, 'takers'>

/** Commits each fact by itself, as signals are. */
function step(run: Run, facts: (Fact | Sent)[] = [], now = run.at, keep?: KeepPayload): LaterEvent[] {
  if (facts.length === 0) return advance(run, [], now, noPayloads, null, keep).events
  return facts.flatMap((fact) => advance(run, [received(run, fact)], now, noPayloads, null, keep).events)
}

function received(run: Run, fact: Fact | Sent): Fact {
  if (fact.type !== 'SignalReceived' || 'takers' in fact) return fact
  const takers = takersOf(run, fact, noPayloads)
  if (takers === null) throw new Error('the signal is too costly')
  return { ...fact, takers }
}
const DAY = 86_400_000

type Rest = Partial<TaskDefinition>

function sleep(id: string, config: { for?: string; until?: string }, rest: Rest = {}): TaskDefinition {
  return { id, type: 'sleep', depends_on: [], with: config, ...rest }
}

function wait(id: string, config: { event?: string; match?: string } = {}, rest: Rest = {}): TaskDefinition {
  return { id, type: 'wait_for_event', depends_on: [], with: { event: 'go', ...config }, ...rest }
}

function call(id: string, rest: Rest = {}): TaskDefinition {
  return { id, type: 'http', depends_on: [], with: { url: 'https://upstream.test' }, ...rest }
}

function aWaitingRun(tasks: TaskDefinition[], rest: Partial<WorkflowDefinition> = {}, input: Json = null): Run {
  const run = aRun({ ...aDefinition({}), timeout: '365d', ...rest, tasks })
  const started = accept({
    type: 'RunAccepted',
    at: 0,
    runId: run.id,
    workflow: run.workflow,
    version: 1,
    input,
    timeoutMs: run.workflow.timeoutMs,
  })
  step(started)
  return started
}

let sent = 0
function signal(name: string, data: Json = null, rest: { id?: string; task?: number } = {}): Sent {
  return { type: 'SignalReceived', id: `sig_${++sent}`, name, data, ...rest }
}

const statusOf = (run: Run, id: string) => run.tasks[run.workflow.graph.indexOf.get(id)!]!.status
const outputOf = (run: Run, id: string) => run.tasks[run.workflow.graph.indexOf.get(id)!]!.output
const errorOf = (run: Run, id: string) => run.tasks[run.workflow.graph.indexOf.get(id)!]!.error

describe('a sleep', () => {
  test('holds no slot, is due at its end and not before, and gives null', () => {
    const run = aWaitingRun([sleep('s', { for: '10s' }), call('a')], { max_parallel: 1 })
    expect([statusOf(run, 's'), statusOf(run, 'a')]).toEqual(['waiting', 'running'])
    expect(dueAt(run, 0)).toBe(10_000)
    expect(step(run, [], 9_999)).toEqual([])
    expect(step(run, [], 10_000)).toMatchObject([{ type: 'TaskSucceeded', task: 0, output: null }])
  })

  test('until a time ends then, until a time that has passed at once', () => {
    const run = aWaitingRun([
      sleep('literal', { until: '1970-01-01T00:01:00Z' }),
      sleep('past', { until: '1969-12-31T00:00:00Z' }),
    ])
    expect([statusOf(run, 'literal'), statusOf(run, 'past')]).toEqual(['waiting', 'succeeded'])
    expect(dueAt(run, 0)).toBe(60_000)
  })

  test.each([
    ['for', { for: `\${{ input.span }}` }],
    ['until', { until: 'input.at' }],
    ['until, wrapped', { until: `\${{ input.at }}` }],
  ])('%s may be an expression', (_, config) => {
    const run = aWaitingRun([sleep('s', config)], {}, { span: '1m', at: '1970-01-01T00:01:00Z' })
    expect(dueAt(run, 0)).toBe(60_000)
  })

  test.each([
    ['a span that is none', { for: `\${{ input.span }}` }, { span: 'soon' }, 'invalid_with'],
    ['a span that is no text', { for: `\${{ input.span }}` }, { span: 5 }, 'invalid_with'],
    ['more than a year', { for: `\${{ input.span }}` }, { span: '366d' }, 'invalid_with'],
    ['a time that is none', { until: 'input.at' }, { at: 'tomorrow' }, 'invalid_with'],
    ['a member that is not there', { until: 'input.at' }, {}, 'expression_error'],
  ])('of %s fails its task', (_, config, input, code) => {
    const run = aWaitingRun([sleep('s', config)], {}, input)
    expect(run).toMatchObject({ status: 'failed', error: { code, task_id: 's' } })
  })

  test('goes on while the run is paused, and what follows it waits for the resume', () => {
    const run = aWaitingRun([sleep('s', { for: '10s' }), call('a', { depends_on: ['s'] })], { timeout: '1m' })
    step(run, [{ type: 'RunPaused' }], 1_000)
    expect(dueAt(run, 1_000)).toBe(10_000)
    step(run, [], 10_000)
    expect([run.status, statusOf(run, 's'), statusOf(run, 'a')]).toEqual(['paused', 'succeeded', 'pending'])
    step(run, [{ type: 'RunResumed' }], 20_000)
    expect(statusOf(run, 'a')).toBe('running')
  })

  test('is cancelled with its run', () => {
    const run = aWaitingRun([sleep('s', { for: '10s' })])
    step(run, [{ type: 'RunCancelRequested' }], 5)
    expect([run.status, statusOf(run, 's')]).toEqual(['cancelled', 'cancelled'])
  })

  test('that outlasts its run times out with it', () => {
    const run = aWaitingRun([sleep('s', { for: '10s' })], { timeout: '2s' })
    step(run, [], 2_000)
    expect([run.status, statusOf(run, 's'), run.error?.code]).toEqual(['timed_out', 'timed_out', 'run_timeout'])
  })

  test('that outlasts its own limit times out when that is reached', () => {
    const run = aWaitingRun([sleep('s', { for: '10s' }, { timeout: '3s' })])
    expect(dueAt(run, 0)).toBe(3_000)
    step(run, [], 3_000)
    expect([run.status, statusOf(run, 's'), run.error?.code]).toEqual(['failed', 'timed_out', 'timeout'])
    expect(errorOf(run, 's')?.message).toBe('The sleep was not over within 3000 ms')
  })

  test('of a year is due in a year', () => {
    const run = aWaitingRun([sleep('s', { for: '364d' }), sleep('t', { for: '1d' }, { depends_on: ['s'] })])
    expect(dueAt(run, 0)).toBe(364 * DAY)
    step(run, [], 364 * DAY)
    // Both end in the same moment; the deadline wins.
    expect(dueAt(run, 364 * DAY)).toBe(365 * DAY)
  })
})

describe('a wait for an event', () => {
  test('ends with the data of the first signal of its name', () => {
    const run = aWaitingRun([wait('w'), call('a')], { max_parallel: 1 })
    expect([statusOf(run, 'w'), statusOf(run, 'a')]).toEqual(['waiting', 'running'])
    step(run, [signal('other', 1)])
    expect(statusOf(run, 'w')).toBe('waiting')
    const events = step(run, [signal('go', { n: 1 })])
    expect(events).toMatchObject([
      { type: 'SignalReceived', name: 'go', data: { n: 1 } },
      { type: 'TaskSucceeded', task: 0, output: null, signal: 6 },
    ])
    expect(outputOf(run, 'w')).toEqual({ n: 1 })
    expect(run.tasks[0]!.attempts).toEqual([])
  })

  test('has no time of its own without a limit, and the limit of the definition is for attempts', () => {
    const run = aWaitingRun([wait('w')], { timeout: '10d', defaults: { timeout: '1s' } })
    expect(run.tasks[0]).toMatchObject({ waitingFor: 'signal', wakeAt: null })
    expect(dueAt(run, 0)).toBe(10 * DAY)
  })

  test('times out when its limit is reached, also in a paused run, and says so', () => {
    const run = aWaitingRun([wait('w', {}, { timeout: '5s' })])
    step(run, [{ type: 'RunPaused' }], 1_000)
    expect(dueAt(run, 1_000)).toBe(5_000)
    step(run, [], 5_000)
    expect([run.status, statusOf(run, 'w')]).toEqual(['paused', 'timed_out'])
    step(run, [{ type: 'RunResumed' }], 6_000)
    expect(run).toMatchObject({ status: 'failed', error: { code: 'timeout', task_id: 'w' } })
    expect(run.error?.message).toBe('The event "go" did not come within 5000 ms')
  })

  test('that a signal and its limit reach in one step gets the signal', () => {
    const run = aWaitingRun([wait('w', {}, { timeout: '5s' })])
    step(run, [signal('go', 'late')], 5_000)
    expect([statusOf(run, 'w'), outputOf(run, 'w')]).toEqual(['succeeded', 'late'])
  })

  test('hears nothing any more once the deadline has passed', () => {
    const run = aWaitingRun([wait('w')], { timeout: '5s' })
    const events = step(run, [signal('go')], 5_000)
    expect(events.map(({ type }) => type)).not.toContain('SignalReceived')
    expect(statusOf(run, 'w')).toBe('timed_out')
  })

  test('is cancelled when a failure stops the run, but one whose rule accepts failures goes on', () => {
    const run = aWaitingRun([
      call('a'),
      wait('w'),
      wait('alert', { event: 'seen' }, { depends_on: ['a'], trigger_rule: 'one_failed' }),
    ])
    const error: TaskError = { code: 'http_400', message: 'no', retryable: false }
    step(run, [{ type: 'AttemptFailed', task: 0, token: run.tasks[0]!.token, error }])
    expect([statusOf(run, 'w'), statusOf(run, 'alert'), run.status]).toEqual(['cancelled', 'waiting', 'running'])
    step(run, [signal('seen')])
    expect([statusOf(run, 'alert'), run.status]).toEqual(['succeeded', 'failed'])
  })
})

describe('a signal', () => {
  test('goes to every task that waits for its name and that it matches', () => {
    const run = aWaitingRun([
      wait('any'),
      wait('two', { match: 'event.n == 2' }),
      wait('three', { match: `\${{ event.n == 3 }}` }),
      wait('other', { event: 'stop' }),
    ])
    step(run, [signal('go', { n: 2 })])
    expect(run.tasks.map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'waiting', 'waiting'])
    expect(run.buffered.size).toBe(0)
  })

  test('is judged by what expressions see of the run, too', () => {
    const tasks = [
      call('a'),
      wait('w', { match: 'event.id == tasks.a.output.id && event.who == input.who' }, { depends_on: ['a'] }),
    ]
    const run = aWaitingRun(tasks, {}, { who: 'ada' })
    step(run, [{ type: 'AttemptSucceeded', task: 0, token: run.tasks[0]!.token, output: { id: 7 } }])
    step(run, [signal('go', { id: 7, who: 'bob' })])
    expect(statusOf(run, 'w')).toBe('waiting')
    step(run, [signal('go', { id: 7, who: 'ada' })])
    expect(statusOf(run, 'w')).toBe('succeeded')
  })

  test.each([
    ['has not the member asked for', 'event.n == 2', { m: 2 }],
    ['is no object', 'event.n == 2', null],
    ['makes the match something else than true or false', 'event.n', { n: 2 }],
    [
      'makes the match run for ever',
      `${'event.l.map(a, '.repeat(4)}a${')'.repeat(4)}.size() > 0`,
      { l: Array(100).fill(1) },
    ],
  ])('that %s is no match, and ends nothing', (_, match, data) => {
    const run = aWaitingRun([wait('w', { match })])
    step(run, [signal('go', data)])
    expect(run.status).toBe('running')
    expect([statusOf(run, 'w'), run.buffered.size]).toEqual(['waiting', 1])
  })

  test('that comes early is kept, and taken by the first task that begins to wait and that it matches', () => {
    const run = aWaitingRun([
      call('a'),
      wait('w1', { match: 'event.n == 2' }, { depends_on: ['a'] }),
      wait('w2', {}, { depends_on: ['a'] }),
      wait('w3', {}, { depends_on: ['a'] }),
    ])
    step(run, [signal('go', { n: 1 }), signal('go', { n: 2 })])
    expect(run.buffered.size).toBe(2)
    step(run, [{ type: 'AttemptSucceeded', task: 0, token: run.tasks[0]!.token, output: null }])
    expect([outputOf(run, 'w1'), outputOf(run, 'w2'), statusOf(run, 'w3')]).toEqual([{ n: 2 }, { n: 1 }, 'waiting'])
    expect(run.buffered.size).toBe(0)
    expect(run.tasks[1]).toMatchObject({ startedAt: run.at, finishedAt: run.at })
  })

  test('that came twice with one id counts once', () => {
    const run = aWaitingRun([wait('w1'), wait('w2', { match: 'event.n == 2' })])
    step(run, [signal('go', { n: 1 }, { id: 'same' })])
    expect(step(run, [signal('go', { n: 2 }, { id: 'same' })])).toEqual([])
    expect(statusOf(run, 'w2')).toBe('waiting')
  })

  test('reaches a paused run; what follows waits for the resume', () => {
    const run = aWaitingRun([wait('w'), wait('then', {}, { depends_on: ['w'] })])
    step(run, [{ type: 'RunPaused' }])
    step(run, [signal('go', 1)])
    expect([statusOf(run, 'w'), statusOf(run, 'then')]).toEqual(['succeeded', 'pending'])
    step(run, [signal('go', 2)])
    expect([statusOf(run, 'then'), run.buffered.size]).toEqual(['pending', 1])
    step(run, [{ type: 'RunResumed' }])
    expect([run.status, outputOf(run, 'then')]).toEqual(['succeeded', 2])
  })

  test('that is meant for one task goes there alone, and nowhere when that does not wait', () => {
    const run = aWaitingRun([wait('w1', { match: 'false' }), wait('w2')])
    step(run, [signal('go', 1, { task: 0 })])
    expect([statusOf(run, 'w1'), statusOf(run, 'w2')]).toEqual(['succeeded', 'waiting'])
    expect(step(run, [signal('go', 1, { task: 0 })])).toEqual([])
    expect(statusOf(run, 'w2')).toBe('waiting')
  })

  test('to ten thousand tasks is written once, whatever its size', () => {
    const run = aWaitingRun(Array.from({ length: 10_000 }, (_, i) => wait(`w${i}`)))
    while (run.progress.waiting < 10_000) expect(step(run).length).toBeGreaterThan(0)
    const events = step(run, [signal('go', 'x'.repeat(10_000))])
    step(run)
    expect(run.status).toBe('succeeded')
    expect(JSON.stringify(events).length).toBeLessThan(2_000_000)
  })

  test('is kept only while there is room: so many of them, and so many bytes of large ones', () => {
    const run = aWaitingRun([wait('w', { event: 'never' }), wait('v', {}, { depends_on: ['w'] })])
    step(
      run,
      Array.from({ length: MAX_BUFFERED - 1 }, () => signal('go')),
    )
    expect(hasRoom(run, 100)).toBe(true)
    step(run, [signal('go')])
    expect(hasRoom(run, 100)).toBe(false)
    const large = aWaitingRun([wait('w', { event: 'never' })])
    const keep = (): StoredValue => new PayloadRef(1, 1024 * 1024)
    for (let i = 0; i < 15; i++) step(large, [signal('go', 'large')], 0, keep)
    expect([hasRoom(large, 1024 * 1024), hasRoom(large, 1024 * 1024 + 1)]).toEqual([true, false])
  })

  test('to a run that begins later is kept until then, and starts nothing', () => {
    const { workflow, id } = aWaitingRun([wait('w')])
    const options = { startAt: 5_000 }
    const run = accept({
      type: 'RunAccepted',
      at: 0,
      runId: id,
      workflow,
      version: 1,
      input: null,
      timeoutMs: 1e9,
      options,
    })
    step(run)
    step(run, [signal('go', 'early')], 10)
    expect([run.status, run.buffered.size, dueAt(run, 10)]).toEqual(['queued', 1, 5_000])
    step(run, [], 5_000)
    expect([run.status, outputOf(run, 'w')]).toEqual(['succeeded', 'early'])
  })

  test('folds again to the same run', () => {
    const run = aWaitingRun([wait('w1'), wait('w2', { event: 'stop' })])
    const events = step(run, [signal('go', 1), signal('go', 2), signal('stop', 3)])
    const again = accept({
      type: 'RunAccepted',
      at: 0,
      runId: run.id,
      workflow: run.workflow,
      version: 1,
      input: null,
      timeoutMs: run.timeoutMs,
    })
    step(again)
    for (const event of events) apply(again, event)
    expect(again).toEqual(run)
  })
})

describe('a match that costs much', () => {
  /** True of `{l: [...], ok: true}` after as many steps as an expression may take, or nearly. */
  const COSTLY = 'event.l.all(a, event.l.all(b, a + b > 0)) && event.ok'
  const data = (ok: boolean) => ({ l: Array(90).fill(1), ok })
  const many = (n: number, rest: Rest = {}) =>
    Array.from({ length: n }, (_, i) => wait(`w${i}`, { match: COSTLY }, rest))

  test('is evaluated for a few tasks, of which each gets the signal', () => {
    const run = aWaitingRun(many(5))
    step(run, [signal('go', data(true))])
    expect(run.status).toBe('succeeded')
  })

  test('makes a signal to many tasks be told from no match: who gets it is not said, after a bounded number of steps', () => {
    const run = aWaitingRun(many(1_000))
    let spent = 0
    const budget = new StepBudget()
    const spend = budget.spend.bind(budget)
    budget.spend = (steps) => {
      spent += steps
      spend(steps)
    }
    expect(takersOf(run, signal('go', data(false)), noPayloads, budget)).toBeNull()
    expect(spent).toBeGreaterThan(1_000_000)
    expect(spent).toBeLessThan(1_110_000)
    expect(takersOf(run, { name: 'go', data: null, task: 999 }, noPayloads)).toEqual([999])
  })

  test('does not keep a signal from ten thousand tasks whose match is an ordinary one', () => {
    const tasks = Array.from({ length: 10_000 }, (_, i) => wait(`w${i}`, { match: `event.order == "order-${i}"` }))
    const run = aWaitingRun(tasks)
    while (run.progress.waiting < 10_000) expect(step(run).length).toBeGreaterThan(0)
    expect(takersOf(run, signal('go', { order: 'order-7777' }), noPayloads)).toEqual([7_777])
  })

  test('pays for payloads that it reads again and again, once for the same in a row', () => {
    const tasks = [
      call('a'),
      call('b'),
      ...[0, 1, 2, 3].map((i) =>
        wait(
          `w${i}`,
          { match: i % 2 === 0 ? 'tasks.a.output == event' : 'tasks.b.output == event' },
          { depends_on: ['a', 'b'] },
        ),
      ),
    ]
    const inTurn = aWaitingRun(tasks)
    const inARow = aWaitingRun(
      tasks.map((task, i) =>
        i < 2 ? task : wait(task.id, { match: 'tasks.a.output == event' }, { depends_on: ['a', 'b'] }),
      ),
    )
    const MIB = 1024 * 1024
    for (const run of [inTurn, inARow]) {
      step(
        run,
        [0, 1].map(
          (task): Fact => ({
            type: 'AttemptSucceeded',
            task,
            token: run.tasks[task]!.token,
            output: new PayloadRef(task + 1, MIB),
          }),
        ),
      )
      expect(run.progress.waiting).toBe(4)
    }
    const takers = (run: Run) => takersOf(run, { name: 'go', data: 0 }, () => 0, new StepBudget(3 * (MIB / 32)))
    expect(takers(inTurn)).toBeNull()
    expect(takers(inARow)).toEqual([2, 3, 4, 5])
  })

  test('lets a task that begins to wait try the signals kept in several steps, none of them twice', () => {
    const tasks = [call('a'), wait('w', { match: COSTLY }, { depends_on: ['a'] }), wait('v', {}, { depends_on: ['a'] })]
    const run = aWaitingRun(tasks)
    step(run, [...Array.from({ length: 70 }, () => signal('go', data(false))), signal('go', data(true))])
    const first = advance(
      run,
      [{ type: 'AttemptSucceeded', task: 0, token: run.tasks[0]!.token, output: null }],
      0,
      noPayloads,
    )
    expect(first.isComplete).toBe(false)
    expect(statusOf(run, 'w')).toBe('pending')
    // What comes meanwhile is kept behind the others.
    expect(step(run, [signal('go', 'meanwhile')])).toMatchObject([{ type: 'SignalReceived' }])
    let steps = 2
    for (; !advance(run, [], 0, noPayloads).isComplete; steps++) expect(steps).toBeLessThan(20)
    expect(steps).toBeGreaterThan(2)
    expect([run.status, outputOf(run, 'w'), outputOf(run, 'v')]).toEqual(['succeeded', data(true), data(false)])
  })

  test('begins with the first signal again in a run that is folded again, and ends all the same', () => {
    const tasks = [call('a'), wait('w', { match: COSTLY }, { depends_on: ['a'] })]
    const run = aWaitingRun(tasks)
    const history: LaterEvent[] = []
    history.push(
      ...step(
        run,
        Array.from({ length: 30 }, () => signal('go', data(false))),
      ),
    )
    const done: Fact = { type: 'AttemptSucceeded', task: 0, token: run.tasks[0]!.token, output: null }
    const cut = advance(run, [done], 0, noPayloads)
    expect(cut.isComplete).toBe(false)
    const again = aWaitingRun(tasks)
    for (const event of [...history, ...cut.events]) apply(again, event)
    let steps = 0
    for (; !advance(again, [], 0, noPayloads).isComplete; steps++) expect(steps).toBeLessThan(20)
    expect([statusOf(again, 'w'), again.buffered.size]).toEqual(['waiting', 30])
  })

  test('of many tasks that begin together cuts the step between them, and the run is not taken to be stuck', () => {
    const run = aWaitingRun([call('a'), ...many(60, { depends_on: ['a'] })])
    step(run, [signal('go', data(false))])
    const done: Fact = { type: 'AttemptSucceeded', task: 0, token: run.tasks[0]!.token, output: null }
    let steps = 1
    for (let { isComplete } = advance(run, [done], 0, noPayloads); !isComplete; steps++)
      ({ isComplete } = advance(run, [], 0, noPayloads))
    expect(steps).toBeGreaterThan(2)
    expect([run.status, run.progress.waiting]).toEqual(['running', 60])
  })
})
