// Whether the waits of a definition fit its timeout, found at registration.

import { describe, expect, test } from 'vitest'
import { TASK_TYPES } from '../../src/tasks/schemas.ts'
import { parseDefinition } from '../../src/workflow/definition/parse.ts'

type Rest = { [field: string]: unknown }

const sleep = (id: string, span: string, depends_on: string[] = [], rest: Rest = {}) => ({
  id,
  type: 'sleep',
  depends_on,
  with: { for: span },
  ...rest,
})
const wait = (id: string, rest: Rest = {}) => ({ id, type: 'wait_for_event', with: { event: 'go' }, ...rest })
const call = (id: string, depends_on: string[] = [], rest: Rest = {}) => ({
  id,
  type: 'http',
  depends_on,
  with: { url: 'https://upstream.test' },
  ...rest,
})

function parse(tasks: object[], rest: Rest = {}) {
  return parseDefinition({ name: 'wf', tasks, ...rest }, TASK_TYPES)
}
function faultsOf(tasks: object[], rest: Rest = {}) {
  const parsed = parse(tasks, rest)
  return parsed.ok ? [] : parsed.faults
}
const codesOf = (tasks: object[], rest: Rest = {}) => faultsOf(tasks, rest).map(({ path, code }) => `${path} ${code}`)

describe('sleeps that are written out', () => {
  test('are summed along the longest path', () => {
    const tasks = [
      sleep('a', '10s'),
      sleep('b', '20s', ['a']),
      call('c', ['b']),
      sleep('d', '15s', ['c']),
      sleep('e', '30s'),
    ]
    expect(codesOf(tasks, { timeout: '46s' })).toEqual([])
    expect(faultsOf(tasks, { timeout: '45s' })).toEqual([
      {
        path: '/timeout',
        code: 'timeout_too_short',
        message: 'the sleeps of "a", "b" and "d" take 45s one after another, which does not fit 45s; "55s" would do',
      },
    ])
  })

  test('have to fit the default, too', () => {
    expect(codesOf([sleep('a', '4s')])).toEqual([])
    expect(faultsOf([sleep('a', '2h')])[0]!.message).toBe(
      'the sleeps of "a" take 2h one after another, which does not fit 5s, the default; "132m" would do',
    )
  })

  test('cannot take more than a run may last', () => {
    expect(faultsOf([sleep('a', '365d')], { timeout: '365d' })[0]!.message).toMatch(/a run takes at most 365 days$/)
    expect(codesOf([sleep('a', '364d')], { timeout: '365d' })).toEqual([])
  })

  test.each([
    ['always', []],
    ['one_success', []],
    ['all_done', ['/timeout timeout_too_short']],
  ])('before a task with the rule %s count as the rule has it', (trigger_rule, expected) => {
    const tasks = [sleep('a', '10s'), sleep('b', '1s'), sleep('c', '5s', ['a', 'b'], { trigger_rule })]
    expect(codesOf(tasks, { timeout: '11s' })).toEqual(expected)
  })

  test('must not take longer than the limit of their own task', () => {
    expect(codesOf([sleep('a', '10s', [], { timeout: '10s' })], { timeout: '1m' })).toEqual([
      '/tasks/0/timeout timeout_too_short',
    ])
    expect(codesOf([sleep('a', '10s', [], { timeout: '11s' })], { timeout: '1m' })).toEqual([])
  })

  test('of ten thousand tasks in a row are summed in no time', () => {
    const tasks = Array.from({ length: 10_000 }, (_, i) => sleep(`t${i}`, '1m', i === 0 ? [] : [`t${i - 1}`]))
    expect(faultsOf(tasks, { timeout: '1d' })[0]!.message).toMatch(
      /^the sleeps of "t0", "t1", "t2", "t3", "t4" and 9995 more take 167h/,
    )
  })
})

describe('waits that may take any time', () => {
  test.each([
    ['for an event', wait('w'), '1d'],
    ['for an event, within a limit', wait('w', { timeout: '10m' }), '11m'],
    ['until a time that an expression gives', { id: 'w', type: 'sleep', with: { until: 'input.at' } }, '1d'],
    ['until a time that is written out', { id: 'w', type: 'sleep', with: { until: '2027-01-31T09:00:00Z' } }, '1d'],
    ['for a span that an expression gives', sleep('w', `\${{ input.span }}`), '1d'],
  ])('%s need a timeout, and one is proposed', (_, task, span) => {
    const [fault, ...others] = faultsOf([task])
    expect(others).toEqual([])
    expect(fault).toMatchObject({
      path: '/timeout',
      code: 'timeout_required',
      message: expect.stringMatching(`such as "${span}"$`),
    })
    expect(codesOf([task], { timeout: span })).toEqual([])
    expect(codesOf([task], { timeout: '5s' })).toEqual([])
  })

  test('add to the sleeps that are known', () => {
    expect(faultsOf([sleep('a', '12h'), wait('w')])[0]!.message).toMatch(/such as "36h"$/)
  })

  test('are named beside other faults of the same task', () => {
    expect(codesOf([wait('w', { depends_on: ['x'] })])).toEqual([
      '/tasks/0/depends_on/0 unknown_dependency',
      '/timeout timeout_required',
    ])
  })
})

describe('retries that may not fit', () => {
  const retry = { max_attempts: 4, initial_interval: '1s' }
  const warningsOf = (tasks: object[], rest: Rest = {}) => {
    const parsed = parse(tasks, rest)
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults))
    return parsed.warnings.map(({ path, code }) => `${path} ${code}`)
  }

  test('are told, with what they may take', () => {
    expect(warningsOf([call('a', [], { retry })])).toEqual(['/tasks/0/retry retry_may_not_fit'])
    expect(warningsOf([call('a', [], { retry })], { timeout: '8s' })).toEqual([])
    const parsed = parse([call('a', [], { retry })])
    expect(parsed.ok && parsed.warnings[0]!.message).toMatch(/may take 7s, which may not fit 5s/)
  })

  test('count from when their task can begin', () => {
    expect(warningsOf([sleep('s', '2s'), call('a', ['s'], { retry })], { timeout: '8s' })).toEqual([
      '/tasks/1/retry retry_may_not_fit',
    ])
  })

  test('by the defaults are told once, and not of tasks that make no attempt or undo another', () => {
    const tasks = [
      call('a', [], { compensate: 'u' }),
      call('b'),
      call('u', [], { retry }),
      { id: 't', type: 'transform', with: { value: 1 } },
    ]
    expect(warningsOf(tasks, { defaults: { retry } })).toEqual(['/defaults/retry retry_may_not_fit'])
  })
})

describe('in a definition that has other faults', () => {
  test('waits that do not fit are found beside them', () => {
    const tasks = [sleep('s', '1h'), { id: 'c', type: 'htpp', depends_on: ['s', 'nobody'] }]
    expect(codesOf(tasks, { naem: 'x', output: '${{ inputt }}' })).toEqual([
      '/naem unknown_field',
      '/tasks/1/type unknown_task_type',
      '/tasks/1/depends_on/1 unknown_dependency',
      '/output unknown_name',
      '/timeout timeout_too_short',
    ])
    expect(codesOf([wait('w'), call('c', [], { retries: 3 })])).toEqual([
      '/tasks/1/retries unknown_field',
      '/timeout timeout_required',
    ])
  })

  test('nothing is said of a time limit that cannot be read', () => {
    expect(codesOf([wait('w'), sleep('s', '1h')], { timeout: 5 })).toEqual(['/timeout invalid_type'])
    expect(codesOf([sleep('s', '1h', [], { timeout: '1m' })], { timeout: '5' })).toEqual([
      '/timeout invalid_format',
      '/tasks/0/timeout timeout_too_short',
    ])
  })

  test('a path counts only as far as it is known', () => {
    const early = (depends_on: string[]) => call('e', depends_on, { trigger_rule: 'one_success' })
    const long = { timeout: '50s' }
    // What is not known may be the first to end, or there may be nothing to wait for.
    expect(codesOf([sleep('s', '40s'), early(['s', 'nobody']), sleep('t', '40s', ['e'])], long)).toEqual([
      '/tasks/1/depends_on/1 unknown_dependency',
    ])
    expect(codesOf([sleep('s', '40s', ['s']), sleep('t', '40s', ['s'])], long)).toEqual([
      '/tasks/0/depends_on/0 self_dependency',
    ])
    expect(
      codesOf([sleep('s', '40s'), { id: 'x', type: 'http', depends_on: 's' }, sleep('t', '40s', ['x'])], long),
    ).toEqual(['/tasks/1/depends_on invalid_type'])
  })
})
