// biome-ignore-all lint/suspicious/noThenProperty: a keyword of JSON Schema
// JSON Schema: what a schema may be, what fits it, and that no schema and no value takes more than its share of time.
// json-schema-verdicts.jsonl: random schemas and values, judged by @cfworker/json-schema 4.1.6, which is no part of the project
// because hostile schemas stop it (ARCHITECTURE.md).

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Json, JsonObject } from '../../src/workflow/json.ts'
import type { Schema } from '../../src/workflow/json-schema/json-schema.ts'
import { checkInputSchema } from '../../src/workflow/json-schema/json-schema-check.ts'
import { Validator } from '../../src/workflow/json-schema/json-schema-validation.ts'

/** `path code` of each fault. */
function faults(schema: Json, value: Json): string[] {
  expect(checkInputSchema(schema, '').faults).toEqual([])
  return new Validator(schema as Schema).faultsOf(value, '/input').map(({ path, code }) => `${path} ${code}`)
}

const messages = (schema: Json, value: Json) =>
  new Validator(schema as Schema).faultsOf(value, '').map(({ message }) => message)

const order: JsonObject = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  required: ['id', 'lines'],
  additionalProperties: false,
  properties: {
    id: { type: 'integer', minimum: 1 },
    customer: { $ref: '#/$defs/person' },
    lines: { type: 'array', minItems: 1, items: { $ref: '#/$defs/line' } },
  },
  $defs: {
    person: {
      type: 'object',
      properties: { name: { type: 'string', minLength: 1 }, mail: { type: ['string', 'null'] } },
    },
    line: {
      type: 'object',
      required: ['sku'],
      properties: { sku: { pattern: '^[A-Z]{2}-\\d+$' }, count: { maximum: 9 } },
    },
  },
}

describe('a value', () => {
  test('that fits has no fault', () => {
    expect(faults(order, { id: 1, customer: { name: 'Ada', mail: null }, lines: [{ sku: 'AB-1', count: 9 }] })).toEqual(
      [],
    )
  })

  test('has every fault told, each with its place', () => {
    const value = { id: 0.5, customer: { name: '', mail: 5 }, lines: [{ sku: 'ab' }, { count: 10 }], 'x/y': 1 }
    expect(faults(order, value).sort()).toEqual([
      '/input/customer/mail invalid_type',
      '/input/customer/name out_of_bounds',
      '/input/id invalid_type',
      '/input/id out_of_bounds',
      '/input/lines/0/sku invalid_format',
      '/input/lines/1/count out_of_bounds',
      '/input/lines/1/sku required',
      '/input/x~1y unknown_field',
    ])
  })

  test('has its faults told in words that help', () => {
    expect(messages(order, { id: 1, lines: [], custmer: 1 })).toEqual([
      'must have at least 1 entry',
      'there is no field "custmer" here; did you mean "customer"?',
    ])
    expect(messages({ type: ['string', 'null'] }, 5)).toEqual(['must be a string or null, not a number'])
    expect(messages({ enum: ['a', 'b', { c: 1 }] }, 5)).toEqual(['must be "a", "b" or {"c":1}'])
    expect(messages({ type: 'integer' }, 1.5)).toEqual(['must be an integer, not a number with a fraction'])
  })

  test('is told the faults of the branch that it was probably meant for', () => {
    const schema = {
      oneOf: [{ type: 'null' }, { type: 'object', required: ['a', 'b'], properties: { a: { type: 'string' } } }],
    }
    expect(faults(schema, { a: 1, b: 2 })).toEqual(['/input/a invalid_type'])
    expect(faults(schema, 5)).toEqual(['/input invalid_value'])
  })

  test.each<[string, Json, Json, boolean]>([
    ['decimals are multiples as they are written', { multipleOf: 0.01 }, 19.99, true],
    ['and are not when they are not', { multipleOf: 0.01 }, 19.995, false],
    ['multiples of huge and tiny numbers', { multipleOf: 5e-324 }, 1e308, true],
    ['1.0 is an integer', { type: 'integer' }, 1.0, true],
    ['characters are code points', { maxLength: 2 }, '\u{1f600}\u{1f600}', true],
    ['members count in any order', { enum: [{ a: 1, b: [2] }] }, { b: [2], a: 1 }, true],
    ['1 is not true', { const: 1 }, true, false],
    ['null can be the constant', { const: null }, null, true],
    [
      'equal objects are not unique',
      { uniqueItems: true },
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
      false,
    ],
    ['own members only count', { required: ['constructor'] }, {}, false],
    [
      'a member named __proto__',
      { properties: { __proto__: { type: 'string' } } },
      JSON.parse('{"__proto__":5}'),
      true,
    ],
    ['prefix and rest', { prefixItems: [{ type: 'string' }], items: { type: 'number' } }, ['a', 1, 2], true],
    ['a rest that is closed', { prefixItems: [{ type: 'string' }], items: false }, ['a', 1], false],
    ['contains, at most', { contains: { type: 'number' }, minContains: 0, maxContains: 1 }, [1, 2], false],
    ['contains, none', { contains: { type: 'number' }, minContains: 0 }, ['a'], true],
    ['dependentRequired', { dependentRequired: { a: ['b'] } }, { a: 1 }, false],
    ['dependentSchemas', { dependentSchemas: { a: { required: ['b'] } } }, { a: 1 }, false],
    ['propertyNames', { propertyNames: { pattern: '^[a-z]+$' } }, { A: 1 }, false],
    ['if, then', { if: { required: ['a'] }, then: { required: ['b'] }, else: { required: ['c'] } }, { a: 1 }, false],
    ['if, else', { if: { required: ['a'] }, then: { required: ['b'] }, else: { required: ['c'] } }, { c: 1 }, true],
    ['not', { not: { type: 'string' } }, 'a', false],
    ['oneOf, two of them', { oneOf: [{ type: 'number' }, { minimum: 1 }] }, 5, false],
    ['an anchor', { $ref: '#word', $defs: { w: { $anchor: 'word', type: 'string' } } }, 5, false],
    [
      'its own id',
      { $id: 'https://x.test/s', items: { $ref: 'https://x.test/s#/$defs/n' }, $defs: { n: { type: 'number' } } },
      ['a'],
      false,
    ],
    [
      'a dynamic reference',
      { $dynamicAnchor: 'node', properties: { next: { $dynamicRef: '#node' } }, additionalProperties: false },
      { next: { other: 1 } },
      false,
    ],
    [
      'a tree',
      { properties: { inner: { $ref: '#' } }, additionalProperties: false },
      { inner: { inner: { x: 1 } } },
      false,
    ],
    ['a pointer with escapes', { $ref: '#/$defs/a~1b%25', $defs: { 'a/b%': { type: 'string' } } }, 5, false],
    [
      'unevaluated, through allOf',
      { allOf: [{ properties: { a: true } }], unevaluatedProperties: false },
      { a: 1 },
      true,
    ],
    [
      'unevaluated, none of them',
      { allOf: [{ properties: { a: true } }], unevaluatedProperties: false },
      { b: 1 },
      false,
    ],
    [
      'unevaluated, the branch that fits',
      {
        anyOf: [{ required: ['a'], properties: { a: true } }, { properties: { b: true } }],
        unevaluatedProperties: false,
      },
      { b: 1 },
      true,
    ],
    [
      'unevaluated, a branch that does not',
      { anyOf: [{ required: ['a'], properties: { b: true } }, true], unevaluatedProperties: false },
      { b: 1 },
      false,
    ],
    ['unevaluated items', { prefixItems: [true], unevaluatedItems: false }, [1, 2], false],
    ['unevaluated items, contained', { contains: { type: 'string' }, unevaluatedItems: false }, ['a', 'b'], true],
    ['nothing fits false', false, null, false],
  ])('is judged as the standard says: %s', (_, schema, value, fits) => {
    expect(faults(schema, value).length === 0).toBe(fits)
  })

  test('is judged as another implementation judged it, in 600 random cases', () => {
    const lines = readFileSync(`${import.meta.dirname}/json-schema-verdicts.jsonl`, 'utf8')
      .trim()
      .split('\n')
    expect(lines).toHaveLength(600)
    for (const line of lines) {
      const [schema, value, fits] = JSON.parse(line) as [Json, Json, boolean]
      expect(faults(schema, value).length === 0, line).toBe(fits)
    }
  })
})

describe('a schema', () => {
  const check = (schema: unknown) =>
    checkInputSchema(schema as Json, '/input_schema').faults.map(({ path, code }) => `${path} ${code}`)

  test('has every fault told, each with its place', () => {
    const schema = {
      $schema: 'http://json-schema.org/draft-07/schema#',
      type: 'objekt',
      required: ['a', 'a'],
      properties: { a: { type: ['string', 5], minLength: -1 }, b: 5, c: { $ref: '#/$defs/nothing', multipleOf: 0 } },
      patternProperties: { '(a': true },
      items: [{ type: 'string' }],
      allOf: [],
      enum: 'a',
      $defs: { far: { $ref: 'https://x.test/a.json' }, near: { $ref: 'other.json#/a' }, own: { $id: 'x' } },
    }
    expect(check(schema).sort()).toEqual([
      '/input_schema/$defs/far/$ref remote_reference',
      '/input_schema/$defs/near/$ref remote_reference',
      '/input_schema/$defs/own/$id invalid_value',
      '/input_schema/$schema invalid_value',
      '/input_schema/allOf out_of_bounds',
      '/input_schema/enum invalid_type',
      '/input_schema/items invalid_type',
      '/input_schema/items invalid_type',
      '/input_schema/patternProperties/(a invalid_format',
      '/input_schema/properties/a/minLength out_of_bounds',
      '/input_schema/properties/a/type/1 invalid_type',
      '/input_schema/properties/b invalid_type',
      '/input_schema/properties/c/$ref unknown_reference',
      '/input_schema/properties/c/multipleOf out_of_bounds',
      '/input_schema/required invalid_value',
      '/input_schema/type invalid_value',
    ])
    expect(check(5)).toEqual(['/input_schema invalid_type'])
    expect(check(true)).toEqual([])
  })

  test('that leads back to itself without going into the value is refused, one that goes into it is not', () => {
    expect(check({ $ref: '#' })).toEqual(['/input_schema endless_reference'])
    const circle = { $defs: { a: { anyOf: [{ $ref: '#/$defs/b' }] }, b: { not: { $ref: '#/$defs/a' } } } }
    expect(check(circle)).toEqual([expect.stringContaining('endless_reference')])
    expect(check({ $ref: '#/$defs/a', $defs: { a: { items: { $ref: '#' } } } })).toEqual([])
  })

  test('refers to schemas only, not to whatever stands in it', () => {
    expect(check({ $ref: '#/enum/0', enum: [{ type: 'string' }] })).toEqual(['/input_schema/$ref unknown_reference'])
    expect(check({ $ref: '#/%' })).toEqual(['/input_schema/$ref unknown_reference'])
  })

  test('is bounded in length and in number of schemas', () => {
    expect(check({ enum: ['x'.repeat(300_000)] })).toEqual(['/input_schema out_of_bounds'])
    expect(check({ allOf: new Array(5_000).fill({}) })).toEqual(['/input_schema out_of_bounds'])
  })

  test('is warned of what it says in vain', () => {
    const { warnings } = checkInputSchema(
      { requird: ['a'], 'x-order': 1, properties: { m: { format: 'email' } } },
      '/s',
    )
    expect(warnings.map(({ path, code }) => `${path} ${code}`)).toEqual([
      '/s/requird unknown_keyword',
      '/s/properties/m/format format_not_checked',
    ])
    expect(warnings[0]!.message).toContain('did you mean "required"?')
  })
})

describe('a hostile pair of schema and value', () => {
  const doubling = (from: object, levels: number) => {
    const $defs: JsonObject = { [`d${levels}`]: from as JsonObject }
    for (let level = 0; level < levels; level++) {
      const $ref = `#/$defs/d${level + 1}`
      $defs[`d${level}`] = { allOf: [{ $ref }, { $ref }] }
    }
    return { $ref: '#/$defs/d0', $defs }
  }
  const nested = (levels: number, leaf: Json): Json => (levels === 0 ? leaf : { a: nested(levels - 1, leaf) })

  test.each<[string, Json, Json]>([
    ['doubling references', doubling({ type: 'string' }, 60), 'x'],
    [
      'doubling in each level of the value',
      { allOf: [{ properties: { a: { $ref: '#' } } }, { properties: { a: { $ref: '#' } } }] },
      nested(90, 1),
    ],
    [
      'branches in branches',
      { anyOf: new Array(8).fill({ properties: { a: { $ref: '#' } }, required: ['b'] }) },
      nested(90, 1),
    ],
    ['a long text and a pattern that backtracks', { pattern: '^(a+)+$' }, `${'a'.repeat(900_000)}!`],
    ['many states for every character', { pattern: '(a?){900}b' }, 'a'.repeat(500_000)],
    [
      'many members and many patterns',
      { patternProperties: Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`^x${i}$`, true])) },
      Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`m${i}`, i])),
    ],
    [
      'large values compared at every level',
      { enum: [1], properties: { a: { $ref: '#' } } },
      nested(90, 'x'.repeat(900_000)),
    ],
  ])('%s ends within its bound of steps', (_, schema, value) => {
    expect(checkInputSchema(schema, '').faults).toEqual([])
    const begun = performance.now()
    const found = new Validator(schema as Schema).faultsOf(value, '/input')
    expect(performance.now() - begun).toBeLessThan(20_000)
    expect(found.length).toBeGreaterThan(0)
    expect(found.length).toBeLessThanOrEqual(1_000)
  })

  test('whose references are a chain of thousands is refused, not a stack that ends', () => {
    const $defs: JsonObject = { end: true }
    for (let i = 0; i < 4_000; i++) $defs[`d${i}`] = { $ref: i === 3_999 ? '#/$defs/end' : `#/$defs/d${i + 1}` }
    expect(faults({ $ref: '#/$defs/d0', $defs }, 1)).toEqual(['/input out_of_bounds'])
  })

  test('with very many faults is told a thousand', () => {
    const found = new Validator({ items: { type: 'string' } }).faultsOf(new Array(200_000).fill(1), '/input')
    expect([found.length, found.at(-1)!.message]).toEqual([1_000, expect.stringContaining('there are more')])
  })

  test('of which each is fine costs steps in proportion', () => {
    const begun = performance.now()
    const value = Array.from({ length: 80_000 }, (_, i) => ({ i }))
    expect(faults({ items: { type: 'object', properties: { i: { type: 'integer' } } } }, value)).toEqual([])
    expect(performance.now() - begun).toBeLessThan(20_000)
  })
})
