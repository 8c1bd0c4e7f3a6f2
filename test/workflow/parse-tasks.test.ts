// parseDefinition: faults between tasks, of task types and their `with`, of expressions, and of values as such.

import { describe, expect, test } from 'vitest'
import { TASK_TYPES } from '../../src/tasks/schemas.ts'
import { parseDefinition } from '../../src/workflow/definition/parse.ts'
import { TEST_TYPES } from '../support/task-types.ts'

function parse(tasks: unknown[], rest: object = {}) {
  return parseDefinition({ name: 'wf', tasks, ...rest }, TEST_TYPES)
}

function faults(parsed: ReturnType<typeof parseDefinition>): [string, string][] {
  return parsed.ok ? [] : parsed.faults.map(({ path, code }) => [path, code])
}

function messages(parsed: ReturnType<typeof parseDefinition>): string[] {
  return parsed.ok ? [] : parsed.faults.map(({ message }) => message)
}

/** Placeholders: "b>ac" waits for a and c. */
function placeholders(...tasks: string[]): object[] {
  return tasks.map((task) => {
    const [id, dependencies = ''] = task.split('>')
    return { id, type: 'call', depends_on: [...dependencies] }
  })
}

describe('dependencies', () => {
  test('a task has an id of its own', () => {
    const parsed = parse(placeholders('a', 'b', 'a', 'a'))
    expect(faults(parsed)).toEqual([
      ['/tasks/2/id', 'duplicate_task'],
      ['/tasks/3/id', 'duplicate_task'],
    ])
    expect(messages(parsed)[1]).toBe('the task at /tasks/0 has the id "a" already')
  })

  test('name tasks that there are: the nearest is proposed', () => {
    const parsed = parse([
      { id: 'fetch', type: 'call' },
      { id: 'b', type: 'call', depends_on: ['fecth', 'Fetch', 'toString', '__proto__', ''] },
    ])
    expect(faults(parsed)).toEqual([0, 1, 2, 3, 4].map((i) => [`/tasks/1/depends_on/${i}`, 'unknown_dependency']))
    expect(messages(parsed).slice(0, 3)).toEqual([
      'there is no task "fecth"; did you mean "fetch"?',
      'there is no task "Fetch"; did you mean "fetch"?',
      'there is no task "toString"',
    ])
  })

  test('name a task once, and never itself', () => {
    expect(faults(parse(placeholders('a', 'b>aaba')))).toEqual([
      ['/tasks/1/depends_on/1', 'duplicate_dependency'],
      ['/tasks/1/depends_on/2', 'self_dependency'],
      ['/tasks/1/depends_on/3', 'duplicate_dependency'],
    ])
  })

  test('in a circle are a fault that names its path, and points where it begins', () => {
    const parsed = parse(placeholders('x', 'a>xc', 'b>a', 'c>b'))
    expect(faults(parsed)).toEqual([['/tasks/1/depends_on/1', 'cycle']])
    expect(messages(parsed)[0]).toContain('a -> c -> b -> a')
  })

  test('in several circles are a fault each', () => {
    const parsed = parse(placeholders('a>b', 'b>a', 'c>d', 'd>c', 'e>ac'))
    expect(messages(parsed).map((message) => message.split(': ')[1])).toEqual(['a -> b -> a', 'c -> d -> c'])
  })

  test('in a very long circle are named by its ends', () => {
    const tasks = Array.from({ length: 10_000 }, (_, i) => ({
      id: `t${i}`,
      type: 'call',
      depends_on: [`t${(i + 1) % 10_000}`],
    }))
    const [message] = messages(parse(tasks))
    expect(message).toContain('t0 -> t1 -> t2')
    expect(message).toMatch(/t18 -> \(9981 more\) -> t0$/)
  })

  test('are checked among tasks that have other faults', () => {
    const parsed = parse([
      { id: 'a', depends_on: ['9b'], breaker: 'true' },
      { id: '9b', type: 7, depends_on: ['a', null, 'c'] },
      { type: 'call', depends_on: ['a'] },
    ])
    expect(faults(parsed)).toEqual([
      ['/tasks/0/type', 'required'],
      ['/tasks/0/breaker', 'invalid_value'],
      ['/tasks/1/id', 'invalid_format'],
      ['/tasks/1/type', 'invalid_type'],
      ['/tasks/1/depends_on/1', 'invalid_type'],
      ['/tasks/1/depends_on/2', 'unknown_dependency'],
      ['/tasks/2/id', 'required'],
      ['/tasks/0/depends_on/0', 'cycle'],
    ])
  })
})

describe('task types', () => {
  test('there is none of this name: those there are, are listed', () => {
    const parsed = parse([
      { id: 'a', type: 'Cal' },
      { id: 'b', type: 'constructor', with: {} },
      { id: 'c', type: '__proto__' },
    ])
    expect(faults(parsed)).toEqual([0, 1, 2].map((index) => [`/tasks/${index}/type`, 'unknown_task_type']))
    expect(messages(parsed)[0]).toBe(
      'there is no task type "Cal"; did you mean "call"? There are "call", "text", and as placeholders, without "with": "script"',
    )
    expect(messages(parsed)[1]).toContain('there is no task type "constructor". There are')
  })

  test('one that is not built may be a placeholder, if it may be one at all', () => {
    expect(parse([{ id: 'a', type: 'script' }])).toMatchObject({ ok: true, warnings: [{ path: '/tasks/0' }] })
    const parsed = parse([
      { id: 'a', type: 'script', with: { code: '${{ anything' } },
      { id: 'b', type: 'script', with: {} },
      { id: 'c', type: 'wait' },
      { id: 'd', type: 'wait', with: {} },
    ])
    expect(faults(parsed)).toEqual([0, 1, 2, 3].map((index) => [`/tasks/${index}/type`, 'not_available']))
    expect(messages(parsed).map((message) => message.includes('placeholder'))).toEqual([true, true, false, false])
  })

  test('one that says nothing without "with" needs it', () => {
    expect(faults(parse([{ id: 'a', type: 'text' }]))).toEqual([['/tasks/0/with', 'missing_with']])
  })

  test('placeholders can be refused', () => {
    const tasks = [
      { id: 'a', type: 'call' },
      { id: 'b', type: 'script' },
      { id: 'c', type: 'call', with: { url: 'x' } },
    ]
    expect(faults(parse(tasks, { placeholders: 'refuse' }))).toEqual([
      ['/tasks/0/with', 'missing_with'],
      ['/tasks/1/with', 'missing_with'],
    ])
  })

  test('"with" has the form of its type', () => {
    const parsed = parse([
      { id: 'a', type: 'call', with: { ulr: 'x', times: 0, headers: { 'a/b': 1 }, poll: { every: '1s' } } },
      { id: 'b', type: 'text', with: { value: null } },
    ])
    expect(faults(parsed)).toEqual([
      ['/tasks/0/with/url', 'required'],
      ['/tasks/0/with/times', 'out_of_bounds'],
      ['/tasks/0/with/headers/a~1b', 'invalid_type'],
      ['/tasks/0/with/ulr', 'unknown_field'],
      ['/tasks/0/with/poll', 'not_available'],
      ['/tasks/1/with/value', 'invalid_type'],
    ])
    expect(messages(parsed)[3]).toContain('did you mean "url"?')
  })

  test('a "with" of more faults than can be counted is a fault, not the end', () => {
    const headers = Object.fromEntries(Array.from({ length: 300_000 }, (_, index) => [`h${index}`, null]))
    expect(faults(parse([{ id: 'a', type: 'call', with: { url: 'x', headers } }]))).toEqual([
      ['/tasks/0/with', 'out_of_bounds'],
    ])
  })
})

describe('expressions', () => {
  const reading = (expression: string, depends_on: string[] = []) => [
    { id: 'a', type: 'call', with: { url: 'x' } },
    { id: 'mid', type: 'call', depends_on: ['a'], with: { url: 'x' } },
    { id: 'reader', type: 'call', depends_on, with: { url: `\${{ ${expression} }}` } },
  ]

  test('read tasks that surely run before, direct or not', () => {
    expect(faults(parse(reading('tasks.a.output', ['a'])))).toEqual([])
    expect(faults(parse(reading('tasks.a.output', ['mid'])))).toEqual([])
    expect(faults(parse(reading('tasks.a.output')))).toEqual([['/tasks/2/with/url', 'not_upstream']])
    expect(faults(parse(reading('tasks.reader.output')))).toEqual([['/tasks/2/with/url', 'not_upstream']])
    expect(faults(parse(reading('tasks.b.output', ['a'])))).toEqual([['/tasks/2/with/url', 'unknown_name']])
  })

  test('read no members of what a placeholder puts out', () => {
    const tasks = [
      ...placeholders('a'),
      { id: 'b', type: 'call', depends_on: ['a'], with: { url: '${{ tasks.a.output.x }}' } },
    ]
    expect(faults(parse(tasks))).toEqual([['/tasks/1/with/url', 'unknown_name']])
  })

  test('that cannot be parsed are a fault where they stand', () => {
    const task = { id: 'a', type: 'call', with: { url: '${{ 1 + }}', json: { 'x/y': ['${{ nope }}'] } } }
    expect(faults(parse([task]))).toEqual([
      ['/tasks/0/with/url', 'expression_syntax'],
      ['/tasks/0/with/json/x~1y/0', 'unknown_name'],
    ])
  })

  test('that are too long are a fault', () => {
    const url = `\${{ ${'1 + '.repeat(600)}1 }}`
    expect(faults(parse([{ id: 'a', type: 'call', with: { url } }]))).toEqual([
      ['/tasks/0/with/url', 'expression_limit'],
    ])
  })

  test('of the output read any task', () => {
    expect(faults(parse(placeholders('a'), { output: '${{ tasks.a.status }}' }))).toEqual([])
    expect(faults(parse(placeholders('a'), { output: { deep: ['${{ tasks.b.output }}'] } }))).toEqual([
      ['/output/deep/0', 'unknown_name'],
    ])
  })

  test('of a condition stand alone: with anything beside them they would be a text', () => {
    const at = (when: string) => faults(parse([{ id: 'a', type: 'call', when }]))
    for (const fine of ['true', ' ${{ true }} ', '${{ input.a }}', 'input.a']) expect(at(fine)).toEqual([])
    for (const mixed of ['${{ true }} && ${{ true }}', '${{ input.a }} == 1', 'not ${{ true }}']) {
      expect(at(mixed)).toEqual([['/tasks/0/when', 'expression_syntax']])
    }
    const waiting = { id: 'a', type: 'wait_for_event', with: { event: 'e', match: '${{ event.a }} == 1' } }
    const parsed = parseDefinition({ name: 'wf', timeout: '1h', tasks: [waiting] }, TASK_TYPES)
    expect(faults(parsed)).toEqual([['/tasks/0/with/match', 'expression_syntax']])
  })

  test('add no fault to dependencies that cannot be read', () => {
    const [a, mid, reader] = reading('tasks.a.output')
    expect(faults(parse([a, mid, { ...reader, depends_on: 'a' }]))).toEqual([['/tasks/2/depends_on', 'invalid_type']])
    expect(faults(parse([a, mid, { ...reader, id: undefined }]))).toEqual([['/tasks/2/id', 'required']])
  })

  test('are checked of a type that does not exist, since it may be misspelt', () => {
    expect(faults(parse([{ id: 'a', type: 'cal', with: { url: '${{ nope }}' } }]))).toEqual([
      ['/tasks/0/type', 'unknown_task_type'],
      ['/tasks/0/with/url', 'unknown_name'],
    ])
  })
})

describe('values as such', () => {
  test('half a character is refused anywhere: in texts and in names', () => {
    const parsed = parseDefinition(
      JSON.parse(
        '{"name":"wf","description":"\\ud800","output":{"a\\udc00":1},"tasks":[{"id":"a","type":"call","with":{"url":"x\\ud83d","json":["\\ud83d\\ude42"]}}]}',
      ),
      TEST_TYPES,
    )
    expect(faults(parsed)).toEqual([
      ['/description', 'invalid_format'],
      ['/output', 'invalid_format'],
      ['/tasks/0/with/url', 'invalid_format'],
    ])
    expect(JSON.stringify(parsed).isWellFormed()).toBe(true)
  })

  test('what is nested deeper than 100 levels is refused, in texts of any depth', () => {
    const nested = (depth: number): unknown => JSON.parse(`${'['.repeat(depth)}1${']'.repeat(depth)}`)
    const at = (json: unknown) => parse([{ id: 'a', type: 'call', with: { url: 'x', json } }])
    // The definition, its tasks, the task and its `with` are four.
    expect(faults(at(nested(96)))).toEqual([])
    for (const depth of [97, 10_000, 500_000]) {
      const [[path, code] = []] = faults(at(nested(depth)))
      expect([path?.startsWith('/tasks/0/with/json/0/0'), code]).toEqual([true, 'out_of_bounds'])
    }
  })

  test('what is too deep hides no fault elsewhere', () => {
    const deep = JSON.parse(`${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`)
    const parsed = parse([{ id: 'a', type: 'call', depends_on: ['b'], with: deep }, 5], {
      output: deep,
      description: deep,
      x: deep,
    })
    const codes = new Map(faults(parsed))
    expect([...codes.values()].filter((code) => code === 'out_of_bounds').length).toBe(4)
    expect([...codes.values()]).not.toContain('expression_limit')
    expect([...codes].filter(([path]) => path.length < 50)).toEqual([
      ['/description', 'invalid_type'],
      ['/x', 'unknown_field'],
      ['/tasks/0/depends_on/0', 'unknown_dependency'],
      ['/tasks/1', 'invalid_type'],
    ])
  })
})
