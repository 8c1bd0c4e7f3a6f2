// parseDefinition: what a definition becomes, and every fault that it can have.

import { describe, expect, test } from 'vitest'
import { TASK_TYPES } from '../../src/tasks/schemas.ts'
import { compile } from '../../src/workflow/definition/definition.ts'
import { parseDefinition } from '../../src/workflow/definition/parse.ts'
import { LATER_FIELDS } from '../../src/workflow/definition/schema.ts'
import { TEST_TYPES } from '../support/task-types.ts'

/** A task that has no fault, and what the test says of it. */
function aTask(rest: object = {}): object {
  return { id: 'a', type: 'call', with: { url: 'x' }, ...rest }
}

function parse(rest: object, tasks: unknown = [aTask()]) {
  return parseDefinition({ name: 'wf', tasks, ...rest }, TEST_TYPES)
}

/** Faults as [path, code]. */
function faults(parsed: ReturnType<typeof parseDefinition>): [string, string][] {
  return parsed.ok ? [] : parsed.faults.map(({ path, code }) => [path, code])
}

function messageAt(path: string, parsed: ReturnType<typeof parseDefinition>): string | undefined {
  return parsed.ok ? undefined : parsed.faults.find((fault) => fault.path === path)?.message
}

describe('a definition without faults', () => {
  test('gets every default, its fields in one order', () => {
    const parsed = parseDefinition({ tasks: [{ type: 'call', id: 'a' }], name: 'wf' }, TEST_TYPES)
    expect(parsed.ok && JSON.stringify(parsed.definition)).toBe(
      '{"name":"wf","max_parallel":4,"timeout":"5s","retention":"30d","on_failure":"stop","placeholders":"allow","tasks":[{"id":"a","type":"call","depends_on":[]}]}',
    )
  })

  test('keeps what it says', () => {
    const definition = {
      name: 'Wf-1_x',
      description: 'd'.repeat(1_000),
      max_parallel: 64,
      timeout: '365d',
      retention: '400d',
      on_failure: 'continue',
      placeholders: 'refuse',
      output: { all: ['${{ tasks.a.output }}', null, 1.5] },
      tasks: [
        { id: 'a', type: 'call', depends_on: [], with: { url: '${{ input.url }}', headers: { b: '1', a: '2' } } },
        { id: '_b-2', type: 'text', depends_on: ['a'], with: { value: '${{ tasks.a.output.body }}' } },
      ],
    }
    const parsed = parseDefinition(definition, TEST_TYPES)
    expect(parsed).toEqual({ ok: true, definition, warnings: [] })
    expect(parsed.ok && JSON.stringify(parsed.definition)).toBe(JSON.stringify(definition))
  })

  test('may be that of the quick start, with a warning for each placeholder', () => {
    const tasks = [
      { id: 'fetch', type: 'http' },
      { id: 'analyze', type: 'python', depends_on: ['fetch'] },
    ]
    const parsed = parseDefinition({ name: 'wf1', tasks }, TASK_TYPES)
    expect(parsed.ok && parsed.warnings.map(({ path, code }) => [path, code])).toEqual([
      ['/tasks/0', 'placeholder'],
      ['/tasks/1', 'placeholder'],
    ])
  })

  test('with: {} is no placeholder, with: null is a fault', () => {
    expect(faults(parse({}, [aTask({ with: {} })]))).toEqual([['/tasks/0/with/url', 'required']])
    expect(faults(parse({}, [aTask({ with: null })]))).toEqual([['/tasks/0/with', 'invalid_type']])
  })

  test('may have names and members that objects have a meaning for', () => {
    const text = `{"name":"constructor","output":{"__proto__":"\${{ tasks.__proto__.output }}"},"tasks":[
      {"id":"__proto__","type":"call","depends_on":["constructor"],"with":{"url":"x","json":{"__proto__":{"a":1}}}},
      {"id":"constructor","type":"call","depends_on":["toString"],"with":{"url":"\${{ tasks.toString.status }}"}},
      {"id":"toString","type":"call","with":{"url":"x"}}]}`
    const parsed = parseDefinition(JSON.parse(text), TEST_TYPES)
    expect(faults(parsed)).toEqual([])
    expect(parsed.ok && JSON.stringify(parsed.definition.tasks[0]!.with)).toBe(
      '{"url":"x","json":{"__proto__":{"a":1}}}',
    )
    expect(parsed.ok && JSON.stringify(parsed.definition.output)).toContain('"__proto__"')
  })

  test('counts a description as JSON Schema does, by characters', () => {
    expect(faults(parse({ description: '🙂'.repeat(1_000) }))).toEqual([])
    expect(faults(parse({ description: '🙂'.repeat(1_001) }))).toEqual([['/description', 'out_of_bounds']])
  })
})

describe('shape', () => {
  test.each([null, [], 'x', 4, true])('%j is no definition', (value) => {
    expect(faults(parseDefinition(value, TEST_TYPES))).toEqual([['', 'invalid_type']])
  })

  test('what must be there is required', () => {
    expect(faults(parseDefinition({}, TEST_TYPES))).toEqual([
      ['/name', 'required'],
      ['/tasks', 'required'],
    ])
    expect(faults(parse({}, [{}]))).toEqual([
      ['/tasks/0/id', 'required'],
      ['/tasks/0/type', 'required'],
    ])
  })

  test.each([
    ['name', 5, 'invalid_type'],
    ['name', '', 'invalid_format'],
    ['name', '-a', 'invalid_format'],
    ['name', 'a b', 'invalid_format'],
    ['name', 'wf\n', 'invalid_format'],
    ['name', 'a'.repeat(65), 'invalid_format'],
    ['description', null, 'invalid_type'],
    ['description', 'd'.repeat(1_001), 'out_of_bounds'],
    ['max_parallel', 0, 'out_of_bounds'],
    ['max_parallel', 65, 'out_of_bounds'],
    ['max_parallel', 1.5, 'invalid_type'],
    ['max_parallel', '4', 'invalid_type'],
    ['timeout', 5, 'invalid_type'],
    ['timeout', '5', 'invalid_format'],
    ['timeout', '0s', 'out_of_bounds'],
    ['timeout', '366d', 'out_of_bounds'],
    ['retention', 30, 'invalid_type'],
    ['retention', '30', 'invalid_format'],
    ['retention', '59s', 'out_of_bounds'],
    ['retention', '401d', 'out_of_bounds'],
    ['on_failure', 'halt', 'invalid_value'],
    ['placeholders', true, 'invalid_value'],
    ['tasks', {}, 'invalid_type'],
    ['tasks', [], 'out_of_bounds'],
  ])('%s may not be %j', (field, value, code) => {
    expect(faults(parse({ [field]: value }))).toEqual([[`/${field}`, code]])
  })

  test.each([
    ['id', 5, 'invalid_type'],
    ['id', '', 'invalid_format'],
    ['id', '9a', 'invalid_format'],
    ['id', '-a', 'invalid_format'],
    ['id', 'a.b', 'invalid_format'],
    ['id', 'a'.repeat(65), 'invalid_format'],
    ['type', null, 'invalid_type'],
    ['depends_on', 'a', 'invalid_type'],
    ['depends_on', null, 'invalid_type'],
    ['with', [], 'invalid_type'],
    ['with', 'x', 'invalid_type'],
  ])('%s of a task may not be %j', (field, value, code) => {
    expect(faults(parse({}, [aTask({ [field]: value })]))).toEqual([[`/tasks/0/${field}`, code]])
  })

  test('entries of lists are checked one by one', () => {
    expect(faults(parse({}, [aTask({ depends_on: [1, 'b', null] }), 5, aTask({ id: 'b' })]))).toEqual([
      ['/tasks/0/depends_on/0', 'invalid_type'],
      ['/tasks/0/depends_on/2', 'invalid_type'],
      ['/tasks/1', 'invalid_type'],
    ])
  })

  test('10,000 tasks are taken, one more is not, and the first 10,000 are checked all the same', () => {
    const tasks = Array.from({ length: 10_000 }, (_, index) => ({ id: `t${index}`, type: 'call' }))
    expect(faults(parse({}, tasks))).toEqual([])
    const more = [...tasks, { id: 'last', type: 'call' }]
    more[0] = { ...more[0]!, depends_on: ['last', 'least'] } as never
    expect(faults(parse({}, more))).toEqual([
      ['/tasks', 'out_of_bounds'],
      ['/tasks/0/depends_on/1', 'unknown_dependency'],
    ])
  })
})

describe('fields that do not exist', () => {
  test('are named with the nearest that does', () => {
    const parsed = parse({ maxParallel: 2, time_out: '5s' }, [aTask({ depends: ['b'] })])
    expect(faults(parsed)).toEqual([
      ['/maxParallel', 'unknown_field'],
      ['/time_out', 'unknown_field'],
      ['/tasks/0/depends', 'unknown_field'],
    ])
    expect(messageAt('/maxParallel', parsed)).toContain('did you mean "max_parallel"?')
    expect(messageAt('/time_out', parsed)).toContain('did you mean "timeout"?')
    expect(messageAt('/tasks/0/depends', parsed)).toContain('did you mean "depends_on"?')
  })

  test('are named with all there are if none is near', () => {
    expect(messageAt('/tasks/0/zzzzzz', parse({}, [aTask({ zzzzzz: 1 })]))).toContain(
      'known are "id", "type", "depends_on", "with"',
    )
  })

  test('say "put it in with" if the type has them', () => {
    const parsed = parse({}, [{ id: 'a', type: 'call', url: 'x', poll: {} }])
    expect(faults(parsed)).toEqual([
      ['/tasks/0/url', 'unknown_field'],
      ['/tasks/0/poll', 'unknown_field'],
    ])
    expect(messageAt('/tasks/0/url', parsed)).toContain('put it in "with"')
  })

  test.each(['__proto__', 'constructor', 'toString', 'a/b~c', '', '\u0000'])('may be called %j', (name) => {
    const task = JSON.parse(`{"id":"a","type":"call",${JSON.stringify(name)}:1}`)
    const path = `/tasks/0/${name.replace('~', '~0').replace('/', '~1')}`
    expect(faults(parse({}, [task]))).toEqual([[path, 'unknown_field']])
  })

  test.each([...LATER_FIELDS.definition])('but %s will: it is not available yet, whatever its value', (field) => {
    for (const value of [null, false, '30d']) {
      expect(faults(parse({ [field]: value }))).toEqual([[`/${field}`, 'not_available']])
    }
  })

  test.each([...LATER_FIELDS.task])('nor is %s of a task available yet', (field) => {
    expect(faults(parse({}, [aTask({ [field]: 'all_success' })]))).toEqual([[`/tasks/0/${field}`, 'not_available']])
  })
})

describe('many faults', () => {
  test('are all in one answer, whatever else is wrong', () => {
    const parsed = parseDefinition(
      {
        name: 'no name',
        max_parallel: 0,
        adaptive: false,
        output: '${{ tasks.z.output }}',
        tasks: [
          { id: 'a', type: 'call', depends_on: ['b', 'c', 'c'], with: { url: 1, method: 'GET' } },
          {
            id: 'b',
            type: 'call',
            depends_on: ['a', 'b', 'nowhere'],
            breaker: { open_for: '1h' },
            with: { url: '${{ tasks.c.output }}' },
          },
          { id: 'c', type: 'cal' },
          { id: 'c', type: 'wait' },
          null,
        ],
      },
      TEST_TYPES,
    )
    expect(faults(parsed)).toEqual([
      ['/name', 'invalid_format'],
      ['/max_parallel', 'out_of_bounds'],
      ['/adaptive', 'not_available'],
      ['/tasks/0/with/url', 'invalid_type'],
      ['/tasks/0/with/method', 'unknown_field'],
      ['/tasks/0/depends_on/2', 'duplicate_dependency'],
      ['/tasks/1/breaker/open_for', 'out_of_bounds'],
      ['/tasks/1/depends_on/1', 'self_dependency'],
      ['/tasks/1/depends_on/2', 'unknown_dependency'],
      ['/tasks/2/type', 'unknown_task_type'],
      ['/tasks/3/type', 'not_available'],
      ['/tasks/3/id', 'duplicate_task'],
      ['/tasks/4', 'invalid_type'],
      ['/tasks/0/depends_on/0', 'cycle'],
      ['/output', 'unknown_name'],
    ])
  })

  test('are listed up to 1,000, and the last says that there are more', () => {
    const tasks = Array.from({ length: 3_000 }, (_, index) => ({
      id: `t${index}`,
      type: 'call',
      depends_on: ['nowhere'],
    }))
    const parsed = parse({}, tasks)
    expect(parsed.ok ? [] : parsed.faults.map(({ path }) => path)).toEqual(
      Array.from({ length: 1_000 }, (_, index) => `/tasks/${index}/depends_on/0`),
    )
    expect(messageAt('/tasks/998/depends_on/0', parsed)).not.toContain('more')
    expect(messageAt('/tasks/999/depends_on/0', parsed)).toContain('there are more; an answer lists 1,000 at most')
  })

  test('of exactly 1,000 say nothing of more', () => {
    const tasks = Array.from({ length: 1_000 }, (_, index) => ({
      id: `t${index}`,
      type: 'call',
      depends_on: ['nowhere'],
    }))
    expect(messageAt('/tasks/999/depends_on/0', parse({}, tasks))).toBe('there is no task "nowhere"')
  })

  test('warnings are listed up to 1,000 too', () => {
    const tasks = Array.from({ length: 1_001 }, (_, index) => ({ id: `t${index}`, type: 'call' }))
    const parsed = parse({}, tasks)
    expect(parsed.ok && [parsed.warnings.length, parsed.warnings.at(-1)!.message]).toEqual([
      1_000,
      expect.stringContaining('there are more'),
    ])
  })

  test('keep an answer small, however large the names in it', () => {
    const long = 'x'.repeat(1_000_000)
    const parsed = parseDefinition(
      {
        [long]: 1,
        name: long,
        tasks: [
          { id: long, type: long, depends_on: [`${long}y`], [long]: 1 },
          aTask({ with: { url: 'x', json: { [long]: Array(2_000).fill('\ud800 ${{ nothing }}') } } }),
        ],
      },
      TEST_TYPES,
    )
    expect(parsed.ok).toBe(false)
    expect(JSON.stringify(parsed).length).toBeLessThan(300_000)
  })
})

describe('a retry policy', () => {
  const withRetry = (retry: unknown) =>
    parseDefinition(
      { name: 'wf', tasks: [{ id: 'a', type: 'http', with: { url: 'https://x.test' }, retry }] },
      TASK_TYPES,
    )

  test('gets the defaults of the contract', () => {
    const parsed = withRetry({ max_attempts: 4 })
    expect(parsed).toMatchObject({
      ok: true,
      definition: {
        tasks: [
          { retry: { max_attempts: 4, initial_interval: '1s', multiplier: 2, max_interval: '30s', jitter: 'full' } },
        ],
      },
    })
  })

  test('takes codes, hundreds of statuses and all', () => {
    expect(withRetry({ retry_on: ['http_5xx', 'http_404', 'timeout', '*'] })).toMatchObject({ ok: true })
  })

  test.each([
    [{ max_attempts: 0 }, '/max_attempts'],
    [{ max_attempts: 101 }, '/max_attempts'],
    [{ initial_interval: 5 }, '/initial_interval'],
    [{ multiplier: 0.5 }, '/multiplier'],
    [{ jitter: 'some' }, '/jitter'],
    [{ retry_on: ['http_6xx'] }, '/retry_on/0'],
    [{ retry_on: ['run_timeout'] }, '/retry_on/0'],
    [{ never_retry_on: [] }, '/never_retry_on'],
    [{ max_atempts: 3 }, '/max_atempts'],
  ])('%o has a fault at %s', (retry, path) => {
    const parsed = withRetry(retry)
    expect(parsed.ok ? [] : parsed.faults.map((fault) => fault.path)).toEqual([`/tasks/0/retry${path}`])
  })
})

describe('a breaker', () => {
  const withBreaker = (breaker: unknown, task: object = { type: 'http', with: { url: 'https://x.test' } }) =>
    parseDefinition({ name: 'wf', tasks: [{ id: 'a', ...task, breaker }] }, TASK_TYPES)

  test('gets the defaults of the contract, or is none', () => {
    const policy = { failure_rate: 0.5, minimum_calls: 10, window: 20, open_for: '30s' }
    expect(withBreaker({})).toMatchObject({ ok: true, definition: { tasks: [{ breaker: policy }] } })
    expect(withBreaker({ name: 'a.b-C_9' })).toMatchObject({
      ok: true,
      definition: { tasks: [{ breaker: { name: 'a.b-C_9' } }] },
    })
    expect(withBreaker(false)).toMatchObject({ ok: true, definition: { tasks: [{ breaker: false }] } })
  })

  test.each([
    [true, '', 'invalid_value'],
    ['off', '', 'invalid_value'],
    [null, '', 'invalid_value'],
    [[], '', 'invalid_type'],
    [{ failure_rate: 0 }, '/failure_rate', 'out_of_bounds'],
    [{ failure_rate: 1.1 }, '/failure_rate', 'out_of_bounds'],
    [{ failure_rate: '50%' }, '/failure_rate', 'invalid_type'],
    [{ minimum_calls: 0 }, '/minimum_calls', 'out_of_bounds'],
    [{ minimum_calls: 21 }, '/minimum_calls', 'out_of_bounds'],
    [{ window: 101 }, '/window', 'out_of_bounds'],
    [{ window: 5 }, '/minimum_calls', 'out_of_bounds'],
    [{ open_for: '999ms' }, '/open_for', 'out_of_bounds'],
    [{ open_for: '6m' }, '/open_for', 'out_of_bounds'],
    [{ name: 'https://x' }, '/name', 'invalid_format'],
    [{ name: '' }, '/name', 'invalid_format'],
    [{ open_fro: '1s' }, '/open_fro', 'unknown_field'],
  ])('%o has a fault at "%s": %s', (breaker, path, code) => {
    expect(faults(withBreaker(breaker))).toEqual([[`/tasks/0/breaker${path}`, code]])
  })

  test('of the defaults is that of tasks which set none', () => {
    const tasks = [
      { id: 'a', type: 'http' },
      { id: 'b', type: 'http', breaker: { name: 'b' } },
    ]
    const plans = (defaults: object) => {
      const parsed = parseDefinition({ name: 'wf', defaults, tasks }, TASK_TYPES)
      return parsed.ok ? compile(parsed.definition).plans.map(({ breaker }) => breaker) : []
    }
    const policy = { failure_rate: 0.5, minimum_calls: 10, window: 20, open_for: '30s' }
    expect(plans({})).toEqual([policy, { ...policy, name: 'b' }])
    expect(plans({ breaker: false })).toEqual([null, { ...policy, name: 'b' }])
    expect(plans({ breaker: { open_for: '2s' } })[0]).toEqual({ ...policy, open_for: '2s' })
  })

  test('is refused where nobody is called', () => {
    expect(faults(withBreaker({}, { type: 'python' }))).toEqual([['/tasks/0/breaker', 'unknown_field']])
    expect(faults(withBreaker(false, { type: 'python' }))).toEqual([['/tasks/0/breaker', 'unknown_field']])
  })
})
