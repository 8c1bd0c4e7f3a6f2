// biome-ignore-all lint/suspicious/noThenProperty: a keyword of JSON Schema
// Expressions against the shape of the input: what a schema declares may be read, what it excludes is a fault, the rest is open.

import { describe, expect, test } from 'vitest'
import { TASK_TYPES } from '../../src/tasks/schemas.ts'
import { InputShape } from '../../src/workflow/definition/input-shape.ts'
import { parseDefinition } from '../../src/workflow/definition/parse.ts'
import { checkTemplate } from '../../src/workflow/expression/expression.ts'
import type { Json, JsonObject } from '../../src/workflow/json.ts'
import type { Schema } from '../../src/workflow/json-schema/json-schema.ts'
import { checkInputSchema } from '../../src/workflow/json-schema/json-schema-check.ts'

/** Messages of the faults of one bare expression. */
function faults(schema: Json, expression: string): string[] {
  expect(checkInputSchema(schema, '').faults).toEqual([])
  const names = { tasks: new Map(), isUpstream: () => true, input: new InputShape(schema as Schema) }
  return checkTemplate(`\${{ ${expression} }}`, names, '').map(({ code, message }) => {
    expect(code).toBe('unknown_name')
    return message
  })
}

const order: JsonObject = {
  type: 'object',
  required: ['note'],
  properties: {
    order: { type: 'integer' },
    customer: { $ref: '#/$defs/person' },
    lines: { type: 'array', items: { type: 'object', additionalProperties: false, properties: { sku: true } } },
    pair: { prefixItems: [{ properties: { left: true } }, { properties: { right: true } }] },
    free: {},
    labels: { type: 'object', additionalProperties: { properties: { text: true } } },
    either: {
      oneOf: [{ type: 'null' }, { properties: { a: true } }, { properties: { b: { properties: { c: true } } } }],
    },
  },
  $defs: {
    person: {
      allOf: [{ properties: { name: true } }, { properties: { mail: true } }],
      properties: { boss: { $ref: '#/$defs/person' } },
    },
  },
}

describe('an expression', () => {
  test.each([
    'input',
    'input.order',
    'input["order"]',
    'input.note',
    'input.customer.name',
    'input.customer.boss.boss.mail',
    'input.lines[0].sku',
    'input.lines[input.order].sku',
    'input.lines.map(line, line.anything)',
    'input.pair[0].left',
    'input.pair[1].right',
    'input.pair[2].other',
    'input.free.anything.at.all',
    'input.labels.any.text',
    'input.either.a',
    'input.either.b.c',
    'has(input.extra) ? 1 : 2',
    'input.?extra.orValue(1)',
    'input[input.note]',
    'input.order.further',
    '[1].map(input, input.ordr)',
  ])('may read %s', (expression) => {
    expect(faults(order, expression)).toEqual([])
  })

  test.each([
    ['input.ordr', 'input_schema declares no "ordr" in input; did you mean "order"? (character 7 of `input.ordr`)'],
    ['1 + input["Order"]', 'declares no "Order" in input; did you mean "order"?'],
    ['input.customer.nam', 'declares no "nam" in input.customer; did you mean "name"?'],
    ['input.customer.boss.boss.mial', 'declares no "mial" in input.customer.boss.boss; did you mean "mail"?'],
    ['input.lines[0].skuu', 'declares no "skuu" in input.lines[0]; did you mean "sku"?'],
    ['input.lines[input.order].skuu', 'declares no "skuu" in input.lines[]'],
    ['has(input.lines[0].skuu)', 'declares no "skuu"'],
    ['input.pair[1].left', 'declares no "left" in input.pair[1]'],
    ['input.labels.any.txt', 'did you mean "text"?'],
    ['input.either.d', 'declares no "d" in input.either; known are "a", "b"'],
    ['input.either.b.d', 'declares no "d" in input.either.b; known is "c"'],
    ['has(input.extra.more)', 'declares no "extra" in input'],
    ['[1].exists(x, x == input.ordr)', 'did you mean "order"?'],
  ])('may not read %s', (expression, message) => {
    expect(faults(order, expression)).toEqual([expect.stringContaining(message)])
  })

  test.each<[string, Json, string, boolean]>([
    ['a schema that says nothing', {}, 'input.a', true],
    ['true', true, 'input.a', true],
    [
      'further members that are declared to be there',
      { properties: { b: true }, additionalProperties: true },
      'input.a',
      true,
    ],
    ['a pattern that matches', { properties: { b: true }, patternProperties: { '^a': true } }, 'input.a', true],
    ['a pattern that does not', { properties: { b: true }, patternProperties: { '^x': true } }, 'input.a', false],
    ['no further members', { additionalProperties: false }, 'input.a', false],
    [
      'no further members, asked first',
      { additionalProperties: false, properties: { b: true } },
      'has(input.a)',
      false,
    ],
    [
      'nothing unevaluated',
      { $ref: '#/$defs/x', unevaluatedProperties: false, $defs: { x: { properties: { a: true } } } },
      'input.a',
      true,
    ],
    [
      'nothing unevaluated, and not there',
      { $ref: '#/$defs/x', unevaluatedProperties: false, $defs: { x: { properties: { b: true } } } },
      'input.?a',
      false,
    ],
    [
      'a condition that declares it',
      { properties: { b: true }, if: { required: ['b'] }, then: { properties: { a: true } } },
      'input.a',
      true,
    ],
    [
      'a dependent schema that declares it',
      { properties: { b: true }, dependentSchemas: { b: { properties: { a: true } } } },
      'input.a',
      true,
    ],
    ['a condition that excludes it', { if: true, then: { additionalProperties: false } }, 'input.a', true],
    ['one branch that is open', { anyOf: [{ properties: { b: true } }, {}] }, 'input.a', true],
    ['no branch that has it', { anyOf: [{ properties: { b: true } }, { type: 'string' }] }, 'input.a', false],
    [
      'another part that is open',
      { allOf: [{ properties: { b: true } }, { additionalProperties: true }] },
      'input.a',
      true,
    ],
  ])('of an input with %s: %s reads %s: %s', (_, schema, expression, isAllowed) => {
    expect(faults(schema, expression).length === 0).toBe(isAllowed)
  })

  test('costs a bounded time with a schema that doubles at every step', () => {
    const $defs: JsonObject = { d40: { properties: { b: true } } }
    for (let level = 0; level < 40; level++) {
      const $ref = `#/$defs/d${level + 1}`
      $defs[`d${level}`] = { allOf: [{ $ref }, { $ref }] }
    }
    const begun = performance.now()
    expect(faults({ $ref: '#/$defs/d0', $defs }, 'input.a')).toEqual([])
    expect(performance.now() - begun).toBeLessThan(20_000)
  })
})

describe('a definition with an input_schema', () => {
  const task = { id: 'a', type: 'http', with: { url: `https://x.test/\${{ input.ordr }}` } }
  const parse = (rest: object) => {
    const parsed = parseDefinition({ name: 'wf', tasks: [task], ...rest }, TASK_TYPES)
    return parsed.ok ? [] : parsed.faults.map(({ path, code }) => `${path} ${code}`)
  }

  test('has its templates checked against it: of tasks and of the output', () => {
    const input_schema = { properties: { order: true } }
    expect(parse({ input_schema, output: `\${{ input.oder }}` })).toEqual([
      '/tasks/0/with/url unknown_name',
      '/output unknown_name',
    ])
    expect(parse({})).toEqual([])
  })

  test('that has faults makes none up for its expressions', () => {
    expect(parse({ input_schema: { properties: { order: 5 } } })).toEqual([
      '/input_schema/properties/order invalid_type',
    ])
    let deep: Json = {}
    for (let i = 0; i < 150; i++) deep = { items: deep }
    expect(parse({ input_schema: deep })[0]).toMatch(/out_of_bounds$/)
  })

  test('is kept as it was written, and warned of what it says in vain', () => {
    const input_schema = { properties: { ordr: { format: 'uuid' } } }
    const parsed = parseDefinition({ name: 'wf', tasks: [task], input_schema }, TASK_TYPES)
    expect(parsed).toMatchObject({
      ok: true,
      definition: { input_schema },
      warnings: [{ path: '/input_schema/properties/ordr/format', code: 'format_not_checked' }],
    })
  })
})
