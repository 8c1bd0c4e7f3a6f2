// faults.ts, nearest.ts, sound.ts: how any schema's issues become faults, and what every body must be.

import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { TASK_TYPES } from '../../src/tasks/schemas.ts'
import { CODES, type FaultCode } from '../../src/workflow/codes.ts'
import { parseDefinition } from '../../src/workflow/definition/parse.ts'
import { checkShape, faultsOf, type Place, pointer } from '../../src/workflow/faults.ts'
import { nearest, quoted } from '../../src/workflow/nearest.ts'
import { canonicalText, soundness } from '../../src/workflow/sound.ts'

function faults(schema: z.ZodType, value: unknown, place?: Place): string[] {
  const checked = checkShape(schema, value, place)
  return checked.ok ? [] : checked.faults.map(({ path, code, message }) => `${path} ${code}: ${message}`)
}

describe('the table of codes', () => {
  const task = (rest: object) => ({
    name: 'wf',
    tasks: [{ id: 'a', type: 'http', with: { url: 'https://x.test' }, ...rest }],
  })
  const reading = (expression: string) => task({ with: { url: `https://x.test/\${{ ${expression} }}` } })
  const placeholder = { name: 'wf', tasks: [{ id: 'a', type: 'http' }], placeholders: 'refuse' }
  const FAULTY: { [code in Exclude<FaultCode, 'task_differs' | 'script_syntax'>]: object } = {
    required: {},
    invalid_type: { ...placeholder, name: 5 },
    invalid_value: { ...placeholder, on_failure: 'halt' },
    invalid_format: { ...placeholder, name: 'a b' },
    out_of_bounds: { ...placeholder, max_parallel: 65 },
    unknown_field: { ...placeholder, title: 'x' },
    duplicate_task: { name: 'wf', tasks: [...placeholder.tasks, ...placeholder.tasks] },
    duplicate_dependency: task({ depends_on: ['b', 'b'] }),
    unknown_dependency: task({ depends_on: ['b'] }),
    self_dependency: task({ depends_on: ['a'] }),
    unknown_task: task({ compensate: 'b' }),
    invalid_compensation: task({ compensate: 'a' }),
    cycle: {
      name: 'wf',
      tasks: [
        { id: 'a', type: 'http', depends_on: ['b'] },
        { id: 'b', type: 'http', depends_on: ['a'] },
      ],
    },
    unknown_task_type: task({ type: 'htp' }),
    missing_with: placeholder,
    expression_syntax: reading('1 +'),
    expression_limit: reading('1 + '.repeat(600)),
    unknown_name: reading('nope'),
    not_upstream: reading('tasks.a.output'),
    secret_misplaced: reading('secrets.KEY + "x"'),
    remote_reference: { ...task({}), input_schema: { $ref: 'https://x.test/order.json' } },
    unknown_reference: { ...task({}), input_schema: { $ref: '#/$defs/order' } },
    endless_reference: { ...task({}), input_schema: { allOf: [{ $ref: '#' }] } },
    conflicting_fields: task({ with: { url: 'https://x.test', json: 1, form: {} } }),
    timeout_too_short: task({ type: 'sleep', with: { for: '5s' } }),
    timeout_required: task({ type: 'wait_for_event', with: { event: 'go' } }),
    not_available: { ...task({}), notify: [] },
    workflow_cycle: task({ type: 'workflow', with: { workflow: 'wf' } }),
  }

  test.each(Object.entries(FAULTY))('%s is what a definition can have', (code, definition) => {
    const parsed = parseDefinition(definition, TASK_TYPES)
    expect(parsed.ok ? [] : parsed.faults.map((fault) => fault.code)).toContain(code)
  })

  test('has no other fault', () => {
    const known = Object.entries(CODES).flatMap(([code, { kind }]) => (kind === 'fault' ? [code] : []))
    // What only the retry of a run can have.
    expect([...Object.keys(FAULTY), 'task_differs'].sort()).toEqual(
      [...known, 'not_available', 'expression_limit', 'workflow_cycle'].sort(),
    )
  })
})

describe('checkShape', () => {
  test('says which JSON types a value may have, and which it has', () => {
    expect(faults(z.string(), 5)).toEqual([' invalid_type: must be a string, not a number'])
    expect(faults(z.array(z.string()), {})).toEqual([' invalid_type: must be a list, not an object'])
    expect(faults(z.strictObject({}), null)).toEqual([' invalid_type: must be an object, not null'])
    expect(faults(z.record(z.string(), z.string()), [])).toEqual([' invalid_type: must be an object, not a list'])
    expect(faults(z.union([z.string(), z.int()]), true)).toEqual([' invalid_type: must be a string or a number'])
    expect(faults(z.int(), 0.5)).toEqual([' invalid_type: must be an integer'])
  })

  test('says bounds in the unit of what they bound', () => {
    expect(faults(z.int().min(1).max(64), 0)).toEqual([' out_of_bounds: must be at least 1'])
    expect(faults(z.number().max(10_000), 1e9)).toEqual([' out_of_bounds: must be at most 10,000'])
    expect(faults(z.string().min(1), '')).toEqual([' out_of_bounds: must have at least 1 character'])
    expect(faults(z.array(z.unknown()).max(2), [1, 2, 3])).toEqual([' out_of_bounds: must have at most 2 entries'])
  })

  test('lists the values that there are', () => {
    expect(faults(z.enum(['a', 'b', 'c']), 'd')).toEqual([' invalid_value: must be "a", "b" or "c"'])
    expect(faults(z.literal(4), 5)).toEqual([' invalid_value: must be 4'])
  })

  test('calls required what is missing, whatever should be there', () => {
    const schema = z.strictObject({
      text: z.string(),
      choice: z.enum(['x']),
      either: z.union([z.string(), z.number()]),
    })
    expect(faults(schema, {}).map((fault) => fault.split(':')[0])).toEqual([
      '/text required',
      '/choice required',
      '/either required',
    ])
    expect(faults(schema, undefined)).toEqual([' required: there is no value'])
  })

  test('judges a union by the branch that the value was meant for', () => {
    const schema = z.strictObject({
      of: z.union([z.strictObject({ a: z.string(), b: z.int() }), z.strictObject({ z: z.boolean() }), z.number()]),
    })
    expect(faults(schema, { of: { a: 1, b: 2 } })).toEqual(['/of/a invalid_type: must be a string, not a number'])
    expect(faults(schema, { of: { z: 1, y: 2 } })[0]).toBe('/of/z invalid_type: must be a boolean, not a number')
  })

  test('judges the names of a record as formats', () => {
    const schema = z.record(z.string().regex(/^x-/, 'must begin with x-'), z.string())
    expect(faults(schema, { y: 'a' })).toEqual([
      '/y invalid_format: is no name that may stand here: must begin with x-',
    ])
  })

  test('takes the code of a custom issue from its params, if it is one of faults', () => {
    const custom = (code: unknown) => z.string().refine(() => false, { error: 'no', params: { code } })
    expect(faults(custom('conflicting_fields'), '')).toEqual([' conflicting_fields: no'])
    expect(faults(custom('expression_limit'), '')).toEqual([' expression_limit: no'])
    for (const code of ['nonsense', 'internal_error', 'placeholder', '__proto__', 7, undefined]) {
      expect(faults(custom(code), '')).toEqual([' invalid_value: no'])
    }
  })

  test('lets a custom issue point at what is missing', () => {
    const schema = z.strictObject({ a: z.string().optional() }).superRefine((_, ctx) => {
      ctx.addIssue({ code: 'custom', path: ['a'], message: 'is needed here' })
    })
    expect(faults(schema, {})).toEqual(['/a invalid_value: is needed here'])
  })

  test('puts where the value stands before every path', () => {
    expect(faults(z.strictObject({ a: z.string() }), { a: 1 }, { at: '/tasks/0/with' })).toEqual([
      '/tasks/0/with/a invalid_type: must be a string, not a number',
    ])
  })

  test('asks at each depth what is not available yet, and for a better hint', () => {
    const schema = z.strictObject({ inner: z.strictObject({ known: z.string().optional() }) })
    const place: Place = {
      notAvailable: (path) => (path[0] === 'inner' ? ['soon'] : []),
      hint: (path, name) => (path.length === 0 && name === 'known' ? 'belongs into "inner"' : null),
    }
    expect(faults(schema, { inner: { soon: 1, knwon: 1 }, soon: 1, known: 1 }, place)).toEqual([
      '/inner/soon not_available: "soon" is part of the contract, but not of this release',
      '/inner/knwon unknown_field: there is no field "knwon" here; did you mean "known"?',
      '/soon unknown_field: there is no field "soon" here; known is "inner"',
      '/known unknown_field: belongs into "inner"',
    ])
  })

  test('faultsOf serves errors of a parse that was made elsewhere', () => {
    const value = { a: 1, c: 2 }
    const { error } = z.strictObject({ a: z.string(), b: z.string() }).safeParse(value)
    expect(faultsOf(error!, value).map(({ path, code }) => `${path} ${code}`)).toEqual([
      '/a invalid_type',
      '/b required',
      '/c unknown_field',
    ])
  })

  test('throws on what is no fault of the value: a schema that throws', () => {
    const broken = z.string().refine(() => {
      throw new Error('a bug')
    })
    expect(() => checkShape(broken, 'x')).toThrow('a bug')
  })
})

describe('pointer', () => {
  test('is RFC 6901', () => {
    expect(pointer([])).toBe('')
    expect(pointer(['a/b', 'm~n', '', 0, ' ', '~1'])).toBe('/a~1b/m~0n//0/ /~01')
  })

  test('ends at a container of the place if it would be very long', () => {
    expect(pointer(['a', 'x'.repeat(2_000), 'b'])).toBe('/a')
    expect(pointer(Array(2_000).fill('abc'))).toBe('/abc'.repeat(256))
  })
})

describe('nearest', () => {
  const known = ['depends_on', 'timeout', 'id', 'max_parallel', 'a']

  test.each([
    ['depends', 'depends_on'],
    ['dependsOn', 'depends_on'],
    ['TIMEOUT', 'timeout'],
    ['timeuot', 'timeout'],
    ['parallel', 'max_parallel'],
    ['ids', 'id'],
    ['aa', 'a'],
  ])('of %s is %s', (name, found) => {
    expect(nearest(name, known)).toBe(found)
  })

  test.each(['xyz', 'b', '', 'description', 't'.repeat(100)])('%j is near nothing', (name) => {
    expect(nearest(name, known)).toBe(null)
  })

  test('quotes shorten and escape names', () => {
    expect(quoted('a"b\n\ud800')).toBe('"a\\"b\\n\\ud800"')
    expect(quoted('x'.repeat(100))).toBe(`"${'x'.repeat(64)}..."`)
  })
})

describe('soundness and canonicalText', () => {
  test('JSON of any kind is sound', () => {
    expect(soundness({ a: [null, true, 1e300, '🙂', { '🙂': '' }] })).toEqual([])
  })

  test('a fault stands where the text stands, a bad name where it is a member', () => {
    const value = { ok: [0, '\udc00'], '\ud800': '\ud800' }
    expect(soundness(value, '/input').map(({ path }) => path)).toEqual(['/input/ok/1', '/input', '/input/\ud800'])
  })

  test('canonical texts are equal where only the order of members differs', () => {
    const text = canonicalText({ b: [1, { y: null, x: 'é"' }], a: { '10': 1, '9': 2 } })
    expect(text).toBe('{"a":{"10":1,"9":2},"b":[1,{"x":"é\\"","y":null}]}')
    expect(canonicalText({ a: { '9': 2, '10': 1 }, b: [1, { x: 'é"', y: null }] })).toBe(text)
    expect(canonicalText([1, 2])).not.toBe(canonicalText([2, 1]))
  })

  test('canonical texts keep a member called __proto__', () => {
    const text = '{"__proto__":{"a":1},"b":2}'
    expect(canonicalText(JSON.parse(text))).toBe(text)
  })
})
