import { Environment } from '@marcbachmann/cel-js'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { jsonBytes } from '../../src/workflow/expression/cel-json.ts'
import {
  checkTemplate,
  type ExpressionNames,
  type ExpressionScope,
  hasExpressions,
  type Rendered,
  renderTemplate,
} from '../../src/workflow/expression/expression.ts'
import type { Json } from '../../src/workflow/json.ts'

// JSON.parse and not a literal: the own key `__proto__` that a request can bring exists only that way.
const INPUT: Json = JSON.parse(`{
  "name": "Ada", "n": 3, "half": 0.5, "whole": 2.0, "big": 1e300, "negative": -7, "none": null, "yes": true,
  "list": [1, 2, 3.5], "users": [{"id": "a", "age": 41}, {"id": "b", "age": 17}], "get-user": "dashed",
  "odd": {"__proto__": {"polluted": true}, "constructor": "own", "toString": 1, "": "empty"}, "emoji": "😀é"
}`)

interface Given {
  input?: Json
  tasks?: Record<string, { status: string; output: Json }>
}

function scopeOf({ input = INPUT, tasks = {} }: Given = {}): ExpressionScope {
  return {
    input: () => input,
    run: { id: '01RUN', workflow: 'orders', version: 4, attempt: 2 },
    task: (id) => tasks[id] ?? { status: 'pending', output: null },
  }
}

function render(template: Json, given?: Given): Rendered {
  return renderTemplate(template, scopeOf(given))
}

/** The value of one bare expression. */
function value(expression: string, given?: Given): Json {
  const rendered = render(`\${{ ${expression} }}`, given)
  if (!rendered.ok) throw new Error(`${rendered.error.code}: ${rendered.error.message}`)
  return rendered.value
}

/** `code: message` of the failure of one bare expression. */
function failure(expression: string, given?: Given): string {
  const rendered = render(`\${{ ${expression} }}`, given)
  if (rendered.ok) throw new Error(`${expression} yielded ${JSON.stringify(rendered.value)}`)
  expect(rendered.error.retryable).toBe(false)
  return `${rendered.error.code}: ${rendered.error.message}`
}

function namesOf(tasks: Record<string, { placeholder?: boolean; upstream?: boolean }>): ExpressionNames {
  return {
    tasks: new Map(Object.entries(tasks).map(([id, task]) => [id, { placeholder: task.placeholder ?? false }])),
    isUpstream: (id) => tasks[id]?.upstream ?? true,
  }
}

const NAMES = namesOf({ fetch: {}, 'get-user': {}, draft: { placeholder: true }, late: { upstream: false } })

function faults(expression: string, names = NAMES): string[] {
  return checkTemplate(`\${{ ${expression} }}`, names, '').map((fault) => `${fault.code}: ${fault.message}`)
}

describe('renderTemplate: templates', () => {
  test('a string that is one expression and nothing else keeps the JSON type', () => {
    const template = {
      s: '${{ input.name }}',
      n: '${{input.n}}',
      l: '${{ input.list }}',
      z: '${{ input.none }}',
      b: '${{ 1 > 0 }}',
    }
    expect(render(template)).toEqual({ ok: true, value: { s: 'Ada', n: 3, l: [1, 2, 3.5], z: null, b: true } })
  })

  test('anything around an expression, a blank even, makes the string text', () => {
    expect(render(' ${{ input.n }}')).toEqual({ ok: true, value: ' 3' })
    expect(render('${{ input.n }}${{ input.n }}')).toEqual({ ok: true, value: '33' })
    expect(
      render(
        'Dear ${{ input.name }}, ${{ input.none }} of ${{ input.list }} is ${{ input.yes }}: ${{ input.users[0] }}',
      ),
    ).toEqual({
      ok: true,
      value: 'Dear Ada, null of [1,2,3.5] is true: {"id":"a","age":41}',
    })
  })

  test('expressions are filled in at any depth of objects and lists, keys are left alone', () => {
    const template = { a: [{ b: ['${{ input.n }}', 1, null] }], '${{ input.n }}': false }
    expect(render(template)).toEqual({ ok: true, value: { a: [{ b: [3, 1, null] }], '${{ input.n }}': false } })
  })

  test('a template without expressions comes out as it went in, with a key __proto__ even', () => {
    const template: Json = JSON.parse('{"__proto__": {"x": 1}, "a": ["$", "${ {", "}}", {"b": 1.5}]}')
    const rendered = render(template)
    expect(JSON.stringify(rendered.ok && rendered.value)).toBe(JSON.stringify(template))
  })

  test('what an expression yields is data, even when it looks like an expression', () => {
    const input = { evil: '${{ run.id }}', part: '${{' }
    expect(render('${{ input.evil }}', { input })).toEqual({ ok: true, value: '${{ run.id }}' })
    expect(render('${{ input.part }} run.id }}', { input })).toEqual({ ok: true, value: '${{ run.id }}' })
  })

  test('}} inside strings, maps and comments does not end the expression', () => {
    expect(value('"}}" + \'}}\' + """a"}}""" + r"}}"')).toBe('}}}}a"}}}}')
    expect(value('"a\\"}}"')).toBe('a"}}')
    expect(render('${{ {"a": {"b": 1}}}}')).toEqual({ ok: true, value: { a: { b: 1 } } })
    expect(render('${{{"a": {}}}}!')).toEqual({ ok: true, value: '{"a":{}}!' })
    expect(render("${{ 1 // it's }} + 1")).toEqual({ ok: true, value: '1 + 1' })
    expect(render("${{ 1 // it's\n + 1 }}")).toEqual({ ok: true, value: 2 })
    expect(value('"${{"')).toBe('${{')
  })

  test('an expression that is never closed or empty fails', () => {
    for (const template of ['${{ input.n', '${{ "abc }}', '${{ {"a": 1 }}', '${{', '${{ }}', '${{}}']) {
      expect(render(template)).toMatchObject({ ok: false, error: { code: 'expression_error' } })
    }
  })

  test('the first expression that fails decides, and names itself and the place', () => {
    expect(render({ a: ['${{ input.n }}', 'Dear ${{ input.nmae }}'], b: '${{ 1 / 0 }}' })).toEqual({
      ok: false,
      error: {
        code: 'expression_error',
        message: 'there is no member "nmae" (character 7 of `input.nmae`)',
        retryable: false,
      },
    })
  })

  test('an expression is parsed once, however often it is rendered, and forgotten after a thousand others', () => {
    const parse = vi.spyOn(Environment.prototype, 'parse')
    for (let i = 0; i < 3; i++) render({ a: '${{ input.n + 12345 }}', b: 'x${{ input.n + 12345 }}' })
    expect(parse).toHaveBeenCalledTimes(1)
    for (let i = 0; i < 1_000; i++) render(`\${{ ${i} + 12345 }}`)
    render('${{ input.n + 12345 }}')
    expect(parse).toHaveBeenCalledTimes(1_002)
    parse.mockRestore()
  })

  test('hasExpressions looks at strings at any depth, not at keys', () => {
    expect(hasExpressions({ a: [1, { b: 'x ${{ 1 }}' }] })).toBe(true)
    expect(hasExpressions({ '${{ 1 }}': ['a', null, 1, true, '$ {{'] })).toBe(false)
  })
})

describe('renderTemplate: names', () => {
  test('input, run, event and tasks are in scope', () => {
    const tasks = { fetch: { status: 'succeeded', output: { id: 7 } }, 'get-user': { status: 'failed', output: null } }
    expect(value('[run.id, run.workflow, run.version, run.attempt, event]')).toEqual(['01RUN', 'orders', 4, 2, null])
    expect(
      value('[tasks.fetch.output.id, tasks.fetch.status, tasks["get-user"].status, tasks["get-user"].output]', {
        tasks,
      }),
    ).toEqual([7, 'succeeded', 'failed', null])
  })

  test('the output of a task that did not succeed is null, whatever is kept of it', () => {
    expect(value('tasks.a.output', { tasks: { a: { status: 'cancelled', output: 'left over' } } })).toBeNull()
  })

  test('only what is named is asked for, and each task once', () => {
    const scope = scopeOf()
    const input = vi.spyOn(scope, 'input')
    const task = vi.spyOn(scope, 'task')
    renderTemplate('${{ [1, 2].map(x, tasks.a.status + tasks.a.status + tasks["b"].status) }}', scope)
    expect(input).not.toHaveBeenCalled()
    expect(task.mock.calls.map(([id]) => id).sort()).toEqual(['a', 'b'])
    renderTemplate('${{ true || tasks.c.output }}', scope)
    expect(task).toHaveBeenCalledTimes(2)
  })

  test('an exception of the scope is a bug and passes through, || or not', () => {
    const scope: ExpressionScope = {
      ...scopeOf(),
      input: () => {
        throw new Error('payload lost')
      },
    }
    expect(() => renderTemplate('${{ input.a || true }}', scope)).toThrow('payload lost')
    expect(() => renderTemplate('${{ [1].exists(x, input.?a.hasValue()) }}', scope)).toThrow('payload lost')
  })

  test('a missing member is an error that names it', () => {
    expect(failure('input.nmae')).toBe('expression_error: there is no member "nmae" (character 7 of `input.nmae`)')
    expect(failure('input["a-b"]')).toContain('there is no member "a-b"')
    expect(failure('input.users[2].id')).toContain('there is no element 2 in a list of 2')
    expect(failure('input.list[-1]')).toContain('there is no element -1')
    expect(failure('input.none.x')).toContain('there is no member "x": the value is null')
    expect(failure('input.name.length')).toContain('there is no member "length": the value is of type string')
    expect(failure('tasks.gone.output.id')).toContain('there is no member "id": the value is null')
  })

  test('has(), ?: and optionals give defaults', () => {
    expect(value('has(input.name) ? input.name : "?"')).toBe('Ada')
    expect(value('has(input.nmae) ? input.nmae : "?"')).toBe('?')
    expect(value('has(tasks.gone.output.id)')).toBe(false)
    expect(value('input.?nmae.orValue("?")')).toBe('?')
    expect(value('input.?nmae.first.orValue("?")')).toBe('?')
    expect(value('input.?name.orValue("?")')).toBe('Ada')
    expect(value('input[?"get-user"].value()')).toBe('dashed')
    expect(value('input.list[?9].orValue(0)')).toBe(0)
    expect(value('tasks.gone.output.?id.or(input.?n).orValue(0)')).toBe(3)
    expect(value('[optional.none().hasValue(), optional.of(1).hasValue(), input.?x == optional.none()]')).toEqual([
      false,
      true,
      true,
    ])
    expect(failure('input.?name')).toContain('orValue()')
    expect(failure('input.?nmae.value()')).toContain('has no value')
  })

  test('only own members are seen: prototypes are out of reach and odd keys are keys', () => {
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length']) {
      expect(failure(`input.${name}`)).toContain(`there is no member "${name}"`)
      expect(value(`has(input.${name})`)).toBe(false)
      expect(value(`"${name}" in input`)).toBe(false)
      expect(failure(`input.list["${name}"]`)).toContain('there is no element')
      expect(failure(`{"a": 1}.${name}`)).toContain(`there is no member "${name}"`)
    }
    expect(value('[input.odd.constructor, input.odd.toString, input.odd[""]]')).toEqual(['own', 1, 'empty'])
    expect(value('input.odd.__proto__.polluted')).toBe(true)
    expect(JSON.stringify(value('input.odd'))).toBe(JSON.stringify((INPUT as { odd: Json }).odd))
    expect(JSON.stringify(value('{"__proto__": {"x": 1}, "constructor": 2}'))).toBe(
      '{"__proto__":{"x":1},"constructor":2}',
    )
    expect(value('{"__proto__": {}} == {"x": {}}')).toBe(false)
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })

  test('names that macros bind shadow', () => {
    expect(value('[1, 2].map(input, input + 1)')).toEqual([2, 3])
    expect(value('[[1], [2]].map(x, x.map(x, x * 10)[0] + x[0])')).toEqual([11, 22])
    expect(value('cel.bind(tasks, {"a": 1}, tasks.a)')).toBe(1)
  })
})

describe('renderTemplate: numbers', () => {
  test('a JSON number that is a safe integer is an int, others are doubles', () => {
    expect(value('[input.n, input.whole, input.half, input.big, -0.0].map(x, type(x) == int)')).toEqual([
      true,
      true,
      false,
      false,
      false,
    ])
    expect(value('input.n / 2')).toBe(1)
    expect(value('input.negative / 2')).toBe(-3)
    expect(value('input.negative % 4')).toBe(-3)
  })

  test('doubles that the expression made stay doubles, in lists and maps too', () => {
    expect(value('[5.0, 3.0].map(x, x / 2.0)')).toEqual([2.5, 1.5])
    expect(value('[5.0][0] / 2')).toBe(2.5)
    expect(value('{"a": 5.0}.a / 2')).toBe(2.5)
    expect(value('double(5) / 2')).toBe(2.5)
  })

  test('a mixed pair is computed and compared in double', () => {
    expect(value('[input.n + input.half, input.half - input.n, input.n * 1.5, 1 / 2.0, 1.0 / 2]')).toEqual([
      3.5, -2.5, 4.5, 0.5, 0.5,
    ])
    expect(
      value('[1 == 1.0, 1 < 1.5, 2.0 >= 2, 1 in [1.0], {1: "a"}[1.0] == "a", [1] == [1.0], input.whole == 2.0]'),
    ).toEqual(Array(7).fill(true))
  })

  test('integral results leave as integers, whatever their type', () => {
    expect(JSON.stringify(value('[2.0, 1.5 + 1.5, 4 / 2, 7u, -0.0, 1e3, input.big]'))).toBe('[2,3,2,7,0,1000,1e+300]')
  })

  test('a result that JSON cannot hold is an error', () => {
    expect(failure('9007199254740991 + 1')).toContain('the int 9007199254740992 is beyond what JSON holds exactly')
    expect(value('9007199254740991')).toBe(9007199254740991)
    expect(failure('9223372036854775807 + 1')).toContain('integer overflow')
    expect(failure('1 / 0')).toContain('division by zero')
    expect(failure('1 % 0')).toContain('modulo by zero')
    expect(failure('1.0 / 0.0')).toContain('Infinity is no JSON')
    expect(failure('[0.0 / 0.0]')).toContain('NaN is no JSON')
    expect(failure('{"a": b"x"}')).toContain('type bytes is no JSON')
    expect(failure('type(1)')).toContain('no JSON')
    expect(failure('string')).toContain('no JSON')
  })

  test('any JSON value goes through an expression unchanged', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        const input = JSON.parse(JSON.stringify({ json })) as Json
        const expected = JSON.stringify((input as { json: Json }).json)
        for (const expression of [
          'input.json',
          '[input.json][0]',
          '{"a": input}.a.json',
          '[input].map(x, x.json)[0]',
        ]) {
          expect(JSON.stringify(value(expression, { input }))).toBe(expected)
        }
        expect(value('input.json == [input.json][0] && input == {"json": input.json}', { input })).toBe(true)
      }),
      { seed: 7, numRuns: 500 },
    )
  })
})

describe('renderTemplate: the language', () => {
  test.each<[string, Json]>([
    ['1 == "1"', false],
    ['1 != "1"', true],
    ['null == false', false],
    ['input.none == null', true],
    ['[1, {"a": [2]}] == [1.0, {"a": [2]}]', true],
    ['{"a": 1, "b": 2} == {"b": 2, "a": 1}', true],
    ['b"a" == b"a"', true],
    ['1u == 1', true],
    ['[input.?n == optional.of(3), input.?n == optional.of(4)]', [true, false]],
    ['[1, "a", null, [true], {"k": 1.5}]', [1, 'a', null, [true], { k: 1.5 }]],
    ['{"a": 1, true: 2, 3: 4}', { a: 1, true: 2, '3': 4 }],
    ['[1] + ["a"] + input.list', [1, 'a', 1, 2, 3.5]],
    ['input.users.filter(u, u.age >= 18).map(u, u.id)', ['a']],
    ['input.users.map(u, u.age < 18, u.id)', ['b']],
    ['input.users.all(u, u.age > 10) && !input.users.exists(u, u.id == "z")', true],
    ['input.users.exists_one(u, u.id == "a")', true],
    ['{"b": 1, "a": 2}.map(k, k)', ['b', 'a']],
    ['cel.bind(x, input.n * 2, x + x)', 12],
    ['"age" in input.users[0] && !("x" in input)', true],
    ['3.5 in input.list && !("3.5" in input.list)', true],
    ['size(input.list) + size(input.users[0]) + "é😀".size()', 7],
    ['"a,b,c".split(",").join("-")', 'a-b-c'],
    ['"Hello".lowerAscii().contains("ell") && "Hello".startsWith("He") && "Hello".endsWith("lo")', true],
    ['"hello".substring(1, 3) + string(input.n) + string(1.5) + string(true)', 'el31.5true'],
    ['[int("7"), int(7.9), double("1.5"), "hello".indexOf("l"), "hello".lastIndexOf("l")]', [7, 7, 1.5, 2, 3]],
    ['bytes("Ada:x").base64()', 'QWRhOng='],
    ['timestamp("2025-01-31T23:30:00Z") + duration("1h")', '2025-02-01T00:30:00.000Z'],
    ['timestamp("2025-01-01T00:00:00+01:00") < timestamp("2025-01-01T00:00:00Z")', true],
    ['timestamp("2025-01-02T00:00:00Z") - timestamp("2025-01-01T00:00:00Z")', '86400s'],
    ['timestamp("2025-03-04T00:00:00Z").getMonth()', 2],
    [
      '[duration("90s"), duration("1500ms"), duration("-1.5s"), duration("1ns")]',
      ['90s', '1.5s', '-1.5s', '0.000000001s'],
    ],
    ['type(input.name) == string && type(input.users) == list && type(null) == null_type && type([]) != map', true],
    ['input.yes ? 1 : "one"', 1],
    ['dyn(input.list)[0]', 1],
  ])('%s yields its value', (expression, expected) => {
    expect(value(expression)).toEqual(expected)
  })

  test('logic absorbs an error that cannot change the outcome, and no other', () => {
    expect(value('input.x == 1 || true')).toBe(true)
    expect(value('input.x == 1 && false')).toBe(false)
    expect(value('[3, 1].exists(n, n == 3 ? input.x : n == 1)')).toBe(true)
    expect(value('[3, 1].all(n, n == 3 ? input.x : n == 3)')).toBe(false)
    expect(failure('input.x == 1 || false')).toContain('there is no member "x"')
    expect(failure('[1].all(n, input.x)')).toContain('there is no member "x"')
    expect(failure('[3, 1].exists_one(n, n == 3 ? input.x : true)')).toContain('there is no member "x"')
  })

  test.each([
    ['1 ? 2 : 3', 'a bool is needed here, not int'],
    ['"" || false', 'a bool is needed here, not string'],
    ['!input.n', 'no such overload: !int'],
    ['1 + "a"', 'no such overload: int + string'],
    ['1 < "a"', 'no such overload: int < string'],
    ['[1] + 1', 'no such overload: list'],
    ['1.5 % 2', 'no such overload: double % int'],
    ['1 in 2', '"in" looks into a list or a map, not int'],
    ['"abc".map(c, c)', 'map() goes over a list or a map, not string'],
    ['input.list.join(",")', 'join'],
    ['int("x")', 'cannot convert to int'],
    ['{"a": 1, "a": 2}', 'the key "a" twice'],
    ['{1.5: 1}', 'the key of a map has to be'],
    ['timestamp("January 1, 2025 00:00:00")', 'RFC 3339'],
    ['timestamp("9999-12-31T00:00:00Z") + duration("99999h")', 'outside the years'],
    [`duration("${'1'.repeat(100)}s")`, 'too long'],
    ['duration("99999999999999999999h") + timestamp(0)', 'outside what can be computed'],
  ])('%s is an error', (expression, message) => {
    expect(failure(expression)).toContain(message)
    expect(failure(expression)).toMatch(/^expression_error: /)
  })

  test('agrees with the evaluator of the library wherever that has a value', () => {
    const library = new Environment({
      unlistedVariablesAreDyn: true,
      enableOptionalTypes: true,
      homogeneousAggregateLiterals: false,
    })
    const context = { input: toLibrary(FUZZ_INPUT) }
    let compared = 0
    fc.assert(
      fc.property(expressions(), (expression) => {
        if (faults(expression).length > 0) return
        const theirs = attempt(() => fromLibrary(library.evaluate(expression, context)))
        if (theirs === undefined) return
        compared++
        expect([expression, render(`\${{ ${expression} }}`, { input: FUZZ_INPUT })]).toEqual([
          expression,
          { ok: true, value: theirs },
        ])
      }),
      { seed: 11, numRuns: 20_000 },
    )
    expect(compared).toBeGreaterThan(4_000)
  })
})

describe('renderTemplate: bounds', () => {
  const numbers = Array.from({ length: 10_000 }, (_, i) => i)
  const input: Json = { l: numbers, s: 'a'.repeat(500_000), o: { k: 'v'.repeat(1000) }, text: 'é'.repeat(300_000) }

  test.each([
    ['nested macros', 'input.l.map(a, input.l.map(b, input.l.map(c, c)))'],
    ['a macro in short ones', 'input.l.map(a, [1].map(b, [1].map(c, input.l.filter(d, false)))).size()'],
    ['quantifiers that never decide', 'input.l.all(a, input.l.exists(b, a + b < 0) || true)'],
    ['quantifiers over errors', 'input.l.exists(a, input.l.exists(b, input.missing || b == -1))'],
    ['in, over and over', 'input.l.filter(a, "x" in input.l)'],
    ['== of long lists', 'input.l.filter(a, input.l == input.l.map(b, b))'],
    ['many nodes for each element', `input.l.map(x, ${'x + '.repeat(300)}x)`],
    ['a long text, joined over and over', 'input.l.map(a, (input.s + input.s).size())'],
    ['a long text, changed over and over', 'input.l.map(a, input.s.upperAscii().size())'],
    ['a long text, split over and over', 'input.l.map(a, input.s.split("").size())'],
    ['a long text as bytes', 'input.l.map(a, bytes(input.s).hex().size())'],
    [
      'a search that is quadratic',
      'input.s.contains(input.s.substring(0, 200000) + "b" + input.s.substring(0, 200000))',
    ],
    ['a search from the end', 'input.s.lastIndexOf("b" + input.s.substring(0, 100000))'],
    ['a join to 250 GB', 'input.s.split("").join(input.s)'],
    ['a text that doubles', nest('cel.bind(a, input.s, ', 'cel.bind(a, a + a, ', 22, 'a.size()')],
    ['a list that doubles', nest('cel.bind(a, input.l, ', 'cel.bind(a, a + a, ', 22, 'a.size()')],
    ['a list that shares itself', nest('cel.bind(a, [1], ', 'cel.bind(a, [a, a, a, a], ', 22, 'a')],
    ['a map that shares itself', nest('cel.bind(a, {"k": input.o}, ', 'cel.bind(a, {"x": a, "y": a}, ', 22, 'a')],
    [
      '== of lists that share themselves',
      nest(
        'cel.bind(a, [1], ',
        'cel.bind(a, [a, a, a, a], ',
        10,
        nest('cel.bind(b, [1], ', 'cel.bind(b, [b, b, b, b], ', 10, 'a == b'),
      ),
    ],
  ])('%s ends with expression_limit', (_, expression) => {
    expect(failure(expression, { input })).toMatch(
      /^expression_limit: (takes more than 100,000 steps|yields more than|makes a)/,
    )
  })

  test('honest work over a list of 10,000 is within the bounds', () => {
    expect(value('input.l.filter(n, n % 2 == 0).map(n, n * 2).size()', { input })).toBe(5_000)
    expect(value('input.l.filter(n, n in [1, 2, 3])', { input })).toEqual([1, 2, 3])
  })

  test('a result is at most 1 MiB of JSON, counted in UTF-8, for all expressions of a template together', () => {
    expect(render('${{ [input.s, input.s] }}', { input }).ok).toBe(true)
    expect(failure('[input.s, input.s, input.s]', { input })).toMatch(/^expression_limit: yields more than 1 MiB/)
    expect(value('input.text.size()', { input })).toBe(300_000)
    expect(failure('[input.text, input.text]', { input })).toMatch(/^expression_limit: /)
    const many = Array.from({ length: 3 }, () => '${{ input.s }}')
    expect(render(many, { input })).toMatchObject({ ok: false, error: { code: 'expression_limit' } })
  })

  test('bytes of JSON are counted as an encoder would write them', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), (json) => {
        const written = JSON.stringify(json)
        expect(jsonBytes(JSON.parse(written))).toBe(new TextEncoder().encode(written).length)
      }),
      { seed: 17, numRuns: 1_000 },
    )
    expect(jsonBytes(['\ud800', '\n"'])).toBe(17)
  })

  test('a template of many heavy expressions has a bound of its own', () => {
    const many = Array.from({ length: 1_000 }, (_, i) => `\${{ input.l.filter(n, n < ${i}).size() }}`)
    expect(render(many, { input })).toMatchObject({ ok: false, error: { code: 'expression_limit' } })
  })

  test('length and depth are bounded', () => {
    expect(value(`"${'x'.repeat(1_990)}"`)).toHaveLength(1_990)
    expect(failure(`"${'x'.repeat(2_000)}"`)).toMatch(/^expression_limit: the expression is longer than 2000/)
    for (const deep of [
      '('.repeat(60) + 1 + ')'.repeat(60),
      '['.repeat(60) + ']'.repeat(60),
      `${'!'.repeat(60)}true`,
      `${'-'.repeat(1_900)}1`,
    ]) {
      expect(failure(deep)).toMatch(/^expression_limit: /)
    }
    expect(value(Array(600).fill('1').join('+'))).toBe(600)
  })

  test('templates and values that are nested too deep end in a limit, not in the stack', () => {
    const deep: Json = JSON.parse(JSON_DEEP)
    expect(failure('input', { input: deep })).toMatch(/^expression_limit: yields JSON that is nested deeper/)
    expect(failure('cel.bind(d, input, d.a == d.b)', { input: { a: deep, b: JSON.parse(JSON_DEEP) } })).toMatch(
      /^expression_limit: /,
    )
    expect(hasExpressions(deep)).toBe(true)
    expect(render(deep)).toMatchObject({ ok: false, error: { code: 'expression_limit' } })
    expect(checkTemplate(deep, NAMES, '').map((fault) => fault.code)).toEqual(['expression_limit'])
  })

  test('messages stay short, whatever the values', () => {
    expect(failure('bool(input.s)', { input }).length).toBeLessThan(500)
    expect(failure(`input.${'x'.repeat(1_900)}`).length).toBeLessThan(500)
  })

  test('any expression ends with JSON or with one of the two codes', () => {
    const outcomes = new Map<string, number>()
    const holds = (expression: string) => {
      const rendered = render(`\${{ ${expression} }}`, {
        input: FUZZ_INPUT,
        tasks: { a: { status: 'succeeded', output: FUZZ_INPUT } },
      })
      checkTemplate(`\${{ ${expression} }}`, NAMES, '')
      const outcome = rendered.ok ? 'ok' : rendered.error.code
      expect(['ok', 'expression_error', 'expression_limit']).toContain(outcome)
      if (rendered.ok) expect(JSON.parse(JSON.stringify(rendered.value))).toEqual(rendered.value)
      else expect(rendered.error.message).not.toMatch(/\n|\bat .*\.[jt]s:\d/)
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
    fc.assert(fc.property(expressions(), holds), { seed: 3, numRuns: 15_000 })
    fc.assert(fc.property(garbage(), holds), { seed: 5, numRuns: 15_000 })
    expect(outcomes.get('ok')).toBeGreaterThan(4_000)
    expect(outcomes.get('expression_error')).toBeGreaterThan(5_000)
  })
})

describe('checkTemplate', () => {
  test('a template without faults has none', () => {
    const template = {
      url: 'https://api.test/${{ tasks.fetch.output.id }}/${{ tasks["get-user"].output.name }}?v=${{ run.version }}',
      json: ['${{ input.users.filter(u, u.age > 17).map(u, u.id) }}', '${{ tasks.draft.output }}', 'plain', 1],
    }
    expect(checkTemplate(template, NAMES, '/with')).toEqual([])
  })

  test('every fault is given, in order, under the JSON Pointer of its string', () => {
    const template = { 'a/b~c': ['${{ foo }} ${{ 1 + }} ${{ bar', '${{ tasks.late.output }}'], x: '${{ secrets.key }}' }
    expect(checkTemplate(template, NAMES, '/tasks/0/with').map(({ path, code }) => `${path} ${code}`)).toEqual([
      '/tasks/0/with/a~1b~0c/0 unknown_name',
      '/tasks/0/with/a~1b~0c/0 expression_syntax',
      '/tasks/0/with/a~1b~0c/0 expression_syntax',
      '/tasks/0/with/a~1b~0c/1 not_upstream',
      '/tasks/0/with/x secret_misplaced',
    ])
    expect(faults('foo + tasks.late.output + tasks.nope.status')).toHaveLength(3)
  })

  test.each([
    ['1 +', 'expression_syntax: Unexpected token: EOF (character 4 of `1 +`)'],
    ['', 'expression_syntax: the expression is empty'],
    ['a b', 'expression_syntax: '],
    ['has(1)', 'expression_syntax: has() takes a member'],
    ['[1].map(1, 2)', 'expression_syntax: '],
    ['('.repeat(60), 'expression_limit: '],
    ['-'.repeat(60).concat('1'), 'expression_limit: it is nested deeper than 50'],
    ['foo', 'unknown_name: there is no "foo" here, only input, tasks, run and event'],
    ['item.id', 'unknown_name: "item" exists only in a map'],
    ['index', 'unknown_name: "index" exists only in a map'],
    ['secrets.key', 'secret_misplaced: secrets are filled in by the executor'],
    ['run.foo', 'unknown_name: a run has id, workflow, version and attempt, not "foo"'],
    ['tasks', 'unknown_name: name one task'],
    ['tasks.map(t, t)', 'unknown_name: name one task'],
    ['tasks.fetch', 'unknown_name: a task has output and status'],
    ['tasks.fetch.foo', 'unknown_name: a task has output and status, not "foo"'],
    ['tasks.fetch[input.x]', 'unknown_name: a task has output and status'],
    ['tasks.ftech.output', 'unknown_name: there is no task "ftech"; the nearest id is "fetch"'],
    ['tasks["ftech"].output', 'unknown_name: there is no task "ftech"; the nearest id is "fetch"'],
    ['tasks[input.x].output', 'unknown_name: the id of a task has to be written out'],
    ['tasks.late.output', 'not_upstream: the task "late" does not surely run before: add "late" to depends_on'],
    ['tasks.late.status', 'not_upstream: '],
    ['tasks.get-user.output.name', 'unknown_name: tasks.get-user is a subtraction: write tasks["get-user"]'],
    [
      '1 + tasks.get-user-by-id.status',
      'unknown_name: tasks.get-user-by-id is a subtraction: write tasks["get-user-by-id"]',
    ],
    ['tasks.in.output', 'expression_syntax: Expected IDENTIFIER, got IN; write tasks["in"]'],
    ['tasks.2nd.output', 'expression_syntax: '],
    ['tasks.draft.output.body', 'unknown_name: the task "draft" is a placeholder: its output is null'],
    ['tasks.draft.output["body"]', 'unknown_name: the task "draft" is a placeholder'],
    ['foo(1)', 'unknown_name: there is no function foo() with 1 argument'],
    ['"a".foo(1, 2)', 'unknown_name: there is no method foo() with 2 arguments'],
    ['"a".matches("a+")', 'not_available: matches()'],
    ['timestamp(0).getHours("Europe/Paris")', 'unknown_name: there is no method getHours() with 1 argument'],
  ])('%s is refused with one fault', (expression, fault) => {
    const found = faults(expression)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(fault)
  })

  test('reads that may fail are allowed inside the output of a placeholder', () => {
    for (const read of [
      'has(tasks.draft.output.body)',
      'tasks.draft.output.?body.orValue(1)',
      'tasks.draft.output == null',
      'tasks.draft.status',
    ]) {
      expect(faults(read)).toEqual([])
    }
  })

  test('names are found wherever an expression can stand', () => {
    for (const place of [
      '!x',
      '-x',
      '[x]',
      '{"a": x}',
      '{x: 1}',
      '1 in x',
      'true ? 1 : x',
      'input[x]',
      'input.?a[?x]',
      'f == x',
      'size(x)',
      '"a".split(x)',
    ]) {
      expect(faults(place.replace('x', 'unknown').replace('f ==', '1 =='))).toHaveLength(1)
    }
    expect(faults('input.map(v, unknown)')).toHaveLength(1)
    expect(faults('unknown.map(v, v)')).toHaveLength(1)
    expect(faults('cel.bind(v, unknown, v)')).toHaveLength(1)
    expect(faults('input.?a.orValue(unknown)')).toHaveLength(1)
  })

  test('names that macros bind are known inside the macro only', () => {
    expect(faults('input.map(secrets, input.all(item, item == secrets))')).toEqual([])
    expect(faults('cel.bind(tasks, 1, tasks.x)')).toEqual([])
    expect(faults('input.map(v, v) + v')).toHaveLength(1)
    expect(faults('cel.bind(v, v, 1)')).toHaveLength(1)
  })

  test('suggestions end after a hundred, so that a hostile definition is checked in time', () => {
    const names = namesOf({ fetch: {} })
    const template = Array.from({ length: 150 }, (_, i) => `\${{ tasks.f${i}.output }}`)
    const messages = checkTemplate(template, names, '').map((fault) => fault.message)
    expect(messages.filter((message) => message.includes('nearest'))).toHaveLength(100)
    expect(messages).toHaveLength(150)
  })

  test('what passes the check and is then rendered fails, if it does, by its values alone', () => {
    fc.assert(
      fc.property(expressions(), (expression) => {
        if (faults(expression).length > 0) return
        const rendered = render(`\${{ ${expression} }}`, { input: FUZZ_INPUT })
        if (!rendered.ok) expect(rendered.error.message).not.toMatch(/unknown name|no function|no method/)
      }),
      { seed: 13, numRuns: 5_000 },
    )
  })
})

// Random expressions: a grammar whose sentences mostly mean something, and soup of its tokens.

const FUZZ_INPUT: Json = {
  a: 1,
  b: 2.5,
  s: 'text',
  l: [3, 1, 2],
  m: { k: 'v', n: null },
  o: [{ x: 1 }, { x: 'y' }],
  t: true,
}

const LEAVES = [
  'input.a',
  'input.b',
  'input.s',
  'input.l',
  'input.m',
  'input.o',
  'input.t',
  'input.m.n',
  'input.zz',
  'x',
  'y',
]
const LITERALS = [
  '0',
  '1',
  '-3',
  '7u',
  '2.0',
  '0.5',
  '""',
  '"te"',
  "'x'",
  'true',
  'false',
  'null',
  '[]',
  '{}',
  'b"q"',
  '1e3',
]
const BINARY = ['+', '-', '*', '/', '%', '==', '!=', '<', '<=', '>', '>=', '&&', '||', 'in']

function expressions(): fc.Arbitrary<string> {
  return fc.letrec<{ e: string }>((tie) => {
    const e = tie('e')
    return {
      e: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        fc.constantFrom(...LEAVES, ...LITERALS),
        fc.constantFrom(...LEAVES, ...LITERALS),
        fc.tuple(e, fc.constantFrom(...BINARY), e).map(([a, op, b]) => `(${a} ${op} ${b})`),
        fc.tuple(fc.constantFrom('!', '-'), e).map(([op, a]) => `${op}${a}`),
        fc.tuple(e, e, e).map(([a, b, c]) => `(${a} == ${b} ? ${b} : ${c})`),
        fc
          .tuple(fc.constantFrom('all', 'exists', 'exists_one', 'map', 'filter'), e, e)
          .map(([m, l, b]) => `${l}.${m}(x, ${b})`),
        fc.tuple(fc.constantFrom('input.l', 'input.o', '[1, "a", 2.5]'), e).map(([l, b]) => `${l}.map(x, ${b})`),
        fc.tuple(fc.constantFrom('input.l', '[true, false]'), e, e).map(([l, a, b]) => `${l}.exists(y, ${a} == ${b})`),
        fc.array(e, { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
        fc.tuple(e, e).map(([a, b]) => `{"p": ${a}, "q": ${b}}`),
        fc
          .tuple(fc.constantFrom('size', 'string', 'int', 'double', 'bool', 'type', 'dyn', 'bytes', 'uint'), e)
          .map(([f, a]) => `${f}(${a})`),
        fc
          .tuple(e, fc.constantFrom('contains', 'startsWith', 'endsWith', 'split', 'indexOf', 'join'), e)
          .map(([a, m, b]) => `${a}.${m}(${b})`),
        fc.tuple(e, fc.constantFrom('size', 'trim', 'upperAscii', 'lowerAscii', 'join')).map(([a, m]) => `${a}.${m}()`),
        fc.tuple(e, fc.constantFrom('k', 'x', 'p', 'constructor')).map(([a, k]) => `${a}.${k}`),
        fc.tuple(e, e).map(([a, b]) => `${a}[${b}]`),
        fc.tuple(e, fc.constantFrom('k', 'x', 'p'), e).map(([a, k, b]) => `${a}.?${k}.orValue(${b})`),
        fc.constantFrom('k', 'zz').map((k) => `has(input.m.${k})`),
        fc.tuple(e, e).map(([a, b]) => `cel.bind(x, ${a}, ${b})`),
      ),
    }
  }).e
}

function garbage(): fc.Arbitrary<string> {
  const tokens = [
    ...LEAVES,
    ...LITERALS,
    ...BINARY,
    'tasks',
    '.a',
    '.output',
    '["a"]',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '}}',
    '${{',
    ',',
    ':',
    '?',
    '.?',
    '[?',
  ]
  const soup = fc.array(
    fc.constantFrom(
      ...tokens,
      'has(',
      '.map(x,',
      '.all(x,',
      'matches',
      '"',
      "'",
      '"""',
      '\\',
      '//',
      '\n',
      '__proto__',
      '.toString',
    ),
    {
      maxLength: 12,
    },
  )
  return fc.oneof(
    soup.map((parts) => parts.join(' ')),
    soup.map((parts) => parts.join('')),
    fc.string({ unit: 'binary', maxLength: 40 }),
  )
}

function nest(first: string, each: string, times: number, core: string): string {
  return first + each.repeat(times) + core + ')'.repeat(times + 1)
}

const JSON_DEEP = '['.repeat(100_000) + ']'.repeat(100_000)

function attempt(read: () => Json): Json | undefined {
  try {
    return read()
  } catch {
    return undefined // the library has no value for it, so there is nothing to compare
  }
}

function toLibrary(json: Json): unknown {
  if (typeof json === 'number') return Number.isSafeInteger(json) ? BigInt(json) : json
  if (typeof json !== 'object' || json === null) return json
  if (Array.isArray(json)) return json.map(toLibrary)
  return new Map(Object.entries(json).map(([key, item]) => [key, toLibrary(item)]))
}

function fromLibrary(result: unknown): Json {
  if (typeof result === 'bigint') return fromLibrary(Number(result))
  if (typeof result === 'number') {
    if (Number.isFinite(result)) return result === 0 ? 0 : result
    throw new Error('no JSON')
  }
  if (result === null || typeof result === 'string' || typeof result === 'boolean') return result
  if (Array.isArray(result)) return result.map(fromLibrary)
  if (result instanceof Map) return Object.fromEntries([...result].map(([key, item]) => [key, fromLibrary(item)]))
  if (Object.getPrototypeOf(result) !== Object.prototype) throw new Error('no JSON')
  return Object.fromEntries(Object.entries(result as object).map(([key, item]) => [key, fromLibrary(item)]))
}
