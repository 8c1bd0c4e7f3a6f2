import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { TASK_TYPES } from '../../src/tasks/schemas.ts'
import { sizeBytes } from '../../src/tasks/size.ts'
import { isTemplate, withTemplates } from '../../src/tasks/templates.ts'
import { choice } from '../../src/workflow/definition/choice.ts'
import { checkShape } from '../../src/workflow/faults.ts'

const { rendered, inDefinition } = TASK_TYPES.http.with
const url = 'https://api.example.com/'
const expression = `\${{ input.x }}`

/** `path code` of every fault, in both forms of the schema unless told otherwise. */
function faults(value: unknown, schemas: z.ZodType[] = [rendered, inDefinition]): string[] {
  const [first, ...others] = schemas.map((schema) => {
    const checked = checkShape(schema, value)
    return checked.ok ? [] : checked.faults.map(({ path, code }) => `${path} ${code}`)
  })
  for (const other of others) expect(other).toEqual(first)
  return first!
}

describe('the table of task types', () => {
  test('has every type of the contract, and says which may be placeholders', () => {
    const placeholders = Object.entries(TASK_TYPES).filter(([, { mayBePlaceholder }]) => mayBePlaceholder)
    expect(placeholders.map(([name]) => name).sort()).toEqual(['grpc', 'http', 'inference', 'javascript', 'python'])
    expect(Object.keys(TASK_TYPES)).toHaveLength(11)
  })
})

describe('`with` of http', () => {
  test('fills defaults in when it is rendered, and leaves a definition as it was written', () => {
    expect(rendered.parse({ url })).toEqual({
      url,
      expect_status: '200-299',
      parse: 'auto',
      follow_redirects: true,
    })
    expect(inDefinition.parse({ url })).toEqual({ url })
  })

  test.each([
    { url: 'http://example.com', method: 'GET' },
    { url: `${url}?a=b#c`, query: { page: 1, q: 'x', all: true, tag: ['a', 2, false], none: [] } },
    { url, headers: { Accept: 'text/html', 'X-Count': 3, 'x-flag': true, 'Idempotency-Key': 'mine', empty: '' } },
    { url, json: null },
    { url, json: [{ deep: [[[1]]] }], method: 'DELETE' },
    { url, form: { a: 'b', n: 1 } },
    { url, body: '' },
    { url, expect_status: 404 },
    { url, expect_status: '100-599' },
    { url, expect_status: ['200-299', 304, '404-404'] },
    { url, max_bytes: 1 },
    { url, max_bytes: '1MiB' },
    { url, max_bytes: '512KiB' },
    { url, follow_redirects: false },
    { url, follow_redirects: 10 },
    { url, parse: 'base64' },
    { url, parse: 'hash', max_bytes: '10GiB' },
    {
      url,
      multipart: [
        { name: 'a', text: 1 },
        { name: 'f', base64: 'AAEC', filename: 'a.bin', content_type: 'x/y; z="1"' },
      ],
    },
    { url, paginate: { next: 'response.body.next' } },
    { url, poll: { until: 'response.status == 200', every: '100ms', at_most: '100s' }, json: 1 },
    { url, poll: { until: 'true', at_most: 1_000 }, parse: 'hash' },
  ])('takes %j', (value) => {
    expect(faults(value)).toEqual([])
  })

  test.each<[object, ...string[]]>([
    [{}, '/url required'],
    [{ url: null }, '/url invalid_type'],
    [{ url: '' }, '/url invalid_format'],
    [{ url: '/relative' }, '/url invalid_format'],
    [{ url: 'file:///etc/passwd' }, '/url invalid_format'],
    [{ url: 'javascript:alert(1)' }, '/url invalid_format'],
    [{ url: 'https://user:secret@example.com/' }, '/url invalid_value'],
    [{ url: 'https://user@example.com/' }, '/url invalid_value'],
    [{ url, method: 'get' }, '/method invalid_value'],
    [{ url, method: 'CONNECT' }, '/method invalid_value'],
    [{ url, query: { a: null, b: [{}] } }, '/query/a invalid_type', '/query/b/0 invalid_type'],
    [{ url, query: 'a=b' }, '/query invalid_type'],
    [
      { url, headers: { Host: 'x', 'CONTENT-LENGTH': '1' } },
      '/headers/Host invalid_value',
      '/headers/CONTENT-LENGTH invalid_value',
    ],
    [
      { url, headers: { connection: 'x', 'Transfer-Encoding': 'chunked' } },
      '/headers/connection invalid_value',
      '/headers/Transfer-Encoding invalid_value',
    ],
    [
      { url, headers: { 'a b': 'x', '': 'x', 'a:b': 'x', é: 'x' } },
      '/headers/a b invalid_format',
      '/headers/ invalid_format',
      '/headers/a:b invalid_format',
      '/headers/é invalid_format',
    ],
    [{ url, headers: { a: 'x\r\nHost: y' } }, '/headers/a invalid_format'],
    [
      { url, headers: { a: 'x\n', b: 'x\0', c: 'é', d: '日本', e: '\ud800' } },
      '/headers/a invalid_format',
      '/headers/b invalid_format',
      '/headers/c invalid_format',
      '/headers/d invalid_format',
      '/headers/e invalid_format',
    ],
    [{ url, headers: { a: null, b: ['x'] } }, '/headers/a invalid_type', '/headers/b invalid_type'],
    [{ url, headers: { Accept: 'x', accept: 'y' } }, '/headers/accept conflicting_fields'],
    [{ url, json: {}, form: {} }, '/form conflicting_fields'],
    [{ url, json: null, form: {}, body: '' }, '/form conflicting_fields', '/body conflicting_fields'],
    [{ url, json: 1, method: 'GET' }, '/json conflicting_fields'],
    [{ url, body: 'x', method: 'HEAD' }, '/body conflicting_fields'],
    [{ url, body: 7 }, '/body invalid_type'],
    [{ url, form: { a: ['x'] } }, '/form/a invalid_type'],
    [{ url, expect_status: 99 }, '/expect_status out_of_bounds'],
    [{ url, expect_status: 200.5 }, '/expect_status invalid_type'],
    [{ url, expect_status: '2xx' }, '/expect_status invalid_format'],
    [{ url, expect_status: '204' }, '/expect_status invalid_format'],
    [{ url, expect_status: '299-200' }, '/expect_status invalid_value'],
    [{ url, expect_status: [] }, '/expect_status out_of_bounds'],
    [{ url, expect_status: [200, 600, '2xx'] }, '/expect_status/1 out_of_bounds', '/expect_status/2 invalid_format'],
    [{ url, parse: 'yaml' }, '/parse invalid_value'],
    [{ url, parse: 'sha' }, '/parse invalid_value'],
    [{ url, parse: 'hash', max_bytes: '11GiB' }, '/max_bytes out_of_bounds'],
    [{ url, multipart: [] }, '/multipart out_of_bounds'],
    [{ url, multipart: Array(101).fill({ name: 'a', text: '' }) }, '/multipart out_of_bounds'],
    [{ url, multipart: [{ name: 'a' }] }, '/multipart/0/text required'],
    [{ url, multipart: [{ name: 'a', text: '', base64: '' }] }, '/multipart/0/base64 conflicting_fields'],
    [{ url, multipart: [{ name: 'a', base64: 'A' }] }, '/multipart/0/base64 invalid_format'],
    [{ url, multipart: [{ name: '', text: '' }] }, '/multipart/0/name out_of_bounds'],
    [
      { url, multipart: [{ name: 'a', text: '', content_type: 'a/b\r\nX: y' }] },
      '/multipart/0/content_type invalid_format',
    ],
    [{ url, multipart: [{ name: 'a', text: 'é'.repeat(2 * 1024 * 1024 + 1) }] }, '/multipart out_of_bounds'],
    [{ url, multipart: [{ name: 'a', text: '' }], method: 'GET' }, '/multipart conflicting_fields'],
    [{ url, multipart: [{ name: 'a', text: '' }], form: {} }, '/multipart conflicting_fields'],
    [
      { url, multipart: [{ name: 'a', text: '' }], headers: { 'Content-type': 'x/y' } },
      '/headers/Content-type conflicting_fields',
    ],
    [{ url, paginate: {} }, '/paginate/next required'],
    [{ url, paginate: { next: '' } }, '/paginate/next out_of_bounds'],
    [{ url, paginate: { next: 'null', limit: 101 } }, '/paginate/limit out_of_bounds'],
    [{ url, paginate: { next: 'null' }, parse: 'hash' }, '/paginate conflicting_fields'],
    [{ url, paginate: { next: 'null' }, poll: { until: 'true' } }, '/poll conflicting_fields'],
    [{ url, poll: {} }, '/poll/until required'],
    [{ url, poll: { until: 'true', every: '99ms' } }, '/poll/every out_of_bounds'],
    [{ url, poll: { until: 'true', every: 5 } }, '/poll/every invalid_type'],
    [{ url, poll: { until: 'true', at_most: 1_001 } }, '/poll/at_most out_of_bounds'],
    [{ url, poll: { until: 'true', at_most: 0 } }, '/poll/at_most out_of_bounds'],
    [{ url, poll: { until: 'true', every: '1s', at_most: '1001s' } }, '/poll/at_most out_of_bounds'],
    [{ url, poll: { until: 'true', at_most: '2h' } }, '/poll/at_most out_of_bounds'],
    [{ url, max_bytes: 0 }, '/max_bytes out_of_bounds'],
    [{ url, max_bytes: 1_048_577 }, '/max_bytes out_of_bounds'],
    [{ url, max_bytes: '2MiB' }, '/max_bytes out_of_bounds'],
    [{ url, max_bytes: '0KiB' }, '/max_bytes out_of_bounds'],
    [{ url, max_bytes: '1MB' }, '/max_bytes invalid_format'],
    [{ url, max_bytes: '1' }, '/max_bytes invalid_format'],
    [{ url, follow_redirects: 11 }, '/follow_redirects out_of_bounds'],
    [{ url, follow_redirects: -1 }, '/follow_redirects out_of_bounds'],
    [{ url, follow_redirects: 'yes' }, '/follow_redirects invalid_type'],
    [{ url, retries: 3 }, '/retries unknown_field'],
    [[], ' invalid_type'],
  ])('refuses %j: %s', (value, ...expected) => {
    expect(faults(value)).toEqual(expected)
  })

  test('finds every fault at once, those between fields beside those within', () => {
    const value = { method: 'GET', json: 1, body: 2, parse: 'hash', max_bytes: -1, poll: {} }
    expect(faults(value).sort()).toEqual([
      '/body conflicting_fields',
      '/body invalid_type',
      '/json conflicting_fields',
      '/max_bytes out_of_bounds',
      '/poll/until required',
      '/url required',
    ])
  })

  test('has all that the contract has', () => {
    expect(TASK_TYPES.http.with.notBuilt).toEqual([])
  })
})

describe('templates in a definition', () => {
  test('any value may be one, at any depth; the rendered form knows none', () => {
    const value = {
      method: expression,
      url: `https://${expression}/x`,
      query: { a: expression, b: [expression, 1] },
      headers: { a: `Bearer ${expression}`, b: 'plain', c: `two\nlines ${expression}` },
      form: expression,
      expect_status: [expression, 200],
      parse: expression,
      max_bytes: expression,
      follow_redirects: expression,
    }
    expect(faults(value, [inDefinition])).toEqual([])
    expect(faults(value, [rendered]).map((fault) => fault.split(' ')[0])).toEqual([
      '/method',
      '/url',
      '/headers/c',
      '/form',
      '/expect_status/0',
      '/parse',
      '/max_bytes',
      '/follow_redirects',
    ])
    const lists = { url, query: expression, headers: expression, expect_status: expression }
    expect(faults(lists, [inDefinition])).toEqual([])
  })

  test('may stand in what says when to call again, but is not that itself: data would be code', () => {
    const parts = [
      { name: expression, text: expression },
      { name: 'b', base64: expression, filename: expression },
    ]
    const poll = { until: expression, every: expression, at_most: expression }
    expect(faults({ url, multipart: parts, poll }, [inDefinition])).toEqual([])
    expect(
      faults({ url, multipart: expression, paginate: { next: expression, limit: expression } }, [inDefinition]),
    ).toEqual([])
    expect(faults({ url, poll: expression }, [inDefinition])).toEqual(['/poll invalid_type'])
    expect(faults({ url, paginate: expression }, [inDefinition])).toEqual(['/paginate invalid_type'])
    expect(faults({ url, parse: expression, max_bytes: '2MiB' }, [inDefinition])).toEqual([])
  })

  test('excuses the value only: names of headers, fields beside it and conflicts are judged all the same', () => {
    const value = {
      url: expression,
      headers: { Host: expression },
      json: expression,
      body: expression,
      max_bytes: 0,
      x: expression,
    }
    expect(faults(value, [inDefinition]).sort()).toEqual([
      '/body conflicting_fields',
      '/headers/Host invalid_value',
      '/max_bytes out_of_bounds',
      '/x unknown_field',
    ])
  })

  test('is what holds an expression, not what looks a little like one', () => {
    expect(['${{', `a ${expression}`].map(isTemplate)).toEqual([true, true])
    expect(['${ {', '$ {{ x }}', '{{ x }}', '', 7, null, ['${{']].map(isTemplate)).toEqual(Array(7).fill(false))
    expect(faults({ url, max_bytes: '{{ x }}' })).toEqual(['/max_bytes invalid_format'])
  })

  test('a text that was rendered is data, whatever it holds', () => {
    expect(faults({ url, body: expression, json: undefined }, [rendered])).toEqual([])
  })

  test('keeps optional fields optional, checks, and the choice among branches', () => {
    const schema = z.strictObject({
      sizes: choice((value) => (Array.isArray(value) ? 0 : 1), [z.array(z.int().max(5)).min(1), z.int()]).optional(),
      inner: z.strictObject({ a: z.string().min(2).default('xx') }).refine(({ a }) => a !== 'no', 'not no'),
    })
    const form = withTemplates(schema)
    const paths = (value: unknown) => form.safeParse(value).error?.issues.map(({ path }) => path.join('.'))
    expect(paths({ inner: {} })).toBeUndefined()
    expect(paths({ inner: expression })).toBeUndefined()
    expect(paths({ inner: { a: expression }, sizes: [1, expression] })).toBeUndefined()
    expect(paths({ inner: { a: 'no' }, sizes: [] })).toEqual(['sizes', 'inner'])
    expect(paths({ inner: { a: 'n' }, sizes: [9] })).toEqual(['sizes.0', 'inner.a'])
    expect(paths({ inner: { b: 1 } })).toEqual(['inner'])
  })
})

describe('the JSON Schema of `with`', () => {
  const document = z.toJSONSchema(inDefinition, { io: 'input' }) as {
    properties: Record<string, Record<string, unknown>>
  }

  test('describes every field, with an example', () => {
    for (const [name, field] of Object.entries(document.properties)) {
      expect(field, name).toMatchObject({ description: expect.any(String), example: expect.anything() })
    }
  })

  test('requires the url alone, shows defaults and lets a template stand for a value', () => {
    expect(document).toMatchObject({ required: ['url'], additionalProperties: false })
    expect(document.properties.parse).toMatchObject({ default: 'auto' })
    expect(document.properties.max_bytes).toMatchObject({ anyOf: [{ $ref: '#/$defs/Template' }, {}] })
    expect(z.toJSONSchema(rendered)).toMatchObject({ properties: { url: { format: 'uri' } } })
  })

  test('examples are such as the schema takes', () => {
    for (const [name, { example }] of Object.entries(document.properties)) {
      expect(faults(name === 'url' ? { url: example } : { url, [name]: example }), name).toEqual([])
    }
  })
})

test('sizes are bytes, or a number of KiB, MiB or GiB', () => {
  expect(sizeBytes('10GiB')).toBe(10_737_418_240)
  expect([7, '2KiB', '1MiB'].map(sizeBytes)).toEqual([7, 2_048, 1_048_576])
  expect(['', 'KiB', '1', '-1KiB', '1.5MiB', '1 MiB'].map(sizeBytes)).toEqual(Array(6).fill(Number.NaN))
})
