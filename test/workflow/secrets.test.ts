// Where secrets may stand in a definition, and how they get into a rendered `with` without whoever renders it having them.

import { describe, expect, test } from 'vitest'
import { TASK_TYPES } from '../../src/tasks/schemas.ts'
import { httpHost } from '../../src/tasks/with/http-with.ts'
import { parseDefinition } from '../../src/workflow/definition/parse.ts'
import { renderTemplate } from '../../src/workflow/expression/expression.ts'
import { fillSecrets, SecretMarks } from '../../src/workflow/expression/secret-marks.ts'
import { secretsIn } from '../../src/workflow/expression/secret-uses.ts'
import type { Json, JsonObject } from '../../src/workflow/json.ts'

const url = 'https://api.test/'

/** `path code` of each fault of a definition of these tasks. */
function faultsOf(tasks: object[], rest: object = {}): string[] {
  const parsed = parseDefinition({ name: 'wf', timeout: '1h', tasks, ...rest }, TASK_TYPES)
  return parsed.ok ? [] : parsed.faults.map(({ path, code }) => `${path} ${code}`)
}

const http = (config: object) => [{ id: 'a', type: 'http', with: { url, ...config } }]

describe('a definition may name secrets', () => {
  test.each([
    ['as a value', { headers: { authorization: '${{ secrets.API_KEY }}' } }],
    ['within a text', { headers: { authorization: 'Basic ${{secrets["API_KEY"]}}, ${{ (secrets.other_1) }}' } }],
    ['in the URL, also as all of it', { url: '${{ secrets.HOOK }}', query: { key: ['${{ secrets.K }}'] } }],
    ['deep in a body', { json: { a: [{ b: '${{ secrets._ }}' }] } }],
  ])('%s', (_, config) => {
    expect(faultsOf(http(config))).toEqual([])
  })

  test('in the input of scripts, and in the tasks of a map', () => {
    const code = 'def main(input): return 1'
    const script = { id: 's', type: 'python', with: { code, input: { key: '${{ secrets.K }}' } } }
    const item = { type: 'http', with: { url, json: ['${{ item }}', '${{ secrets.K }}'] } }
    expect(faultsOf([script, { id: 'm', type: 'map', with: { items: [1], task: item } }])).toEqual([])
  })

  test.each([
    'secrets.KEY + "x"',
    '"Bearer " + secrets.KEY',
    'size(secrets.KEY)',
    'secrets.KEY == "x"',
    'true ? secrets.KEY : ""',
    'has(secrets.KEY)',
    '[secrets.KEY]',
    '{"a": secrets.KEY}',
    'secrets',
    'secrets[input.name]',
    'secrets["a" + "b"]',
    'secrets.?KEY',
    'secrets.KEY.length',
    'secrets.KEY[0]',
    'secrets.KEY.startsWith("a")',
    'cel.bind(s, secrets.KEY, s)',
    'dyn(secrets.KEY)',
    'secrets.map(s, s)',
    'tasks[secrets.KEY].output',
  ])('but not use them: %s', (expression) => {
    const faults = faultsOf(http({ body: `\${{ ${expression} }}` }))
    expect(faults).toContain('/tasks/0/with/body secret_misplaced')
    const rendered = renderTemplate(`\${{ ${expression} }}`, scopeWith(new SecretMarks(() => 'n')))
    expect(rendered).toMatchObject({ ok: false, error: { code: 'expression_error' } })
  })

  test('by names that secrets can have', () => {
    expect(faultsOf(http({ body: '${{ secrets["a-b"] }}' }))).toEqual(['/tasks/0/with/body unknown_name'])
    expect(faultsOf(http({ body: `\${{ secrets.${'a'.repeat(65)} }}` }))).toEqual(['/tasks/0/with/body unknown_name'])
  })

  test('32 of them in a task', () => {
    const naming = (count: number) =>
      http({ json: Array.from({ length: count }, (_, i) => `\${{ secrets.K${i % 33} }}`) })
    expect(faultsOf(naming(32))).toEqual([])
    expect(faultsOf(naming(99))).toEqual(['/tasks/0/with expression_limit'])
  })

  test('nowhere but where the executor fills them in', () => {
    const secret = '${{ secrets.KEY }}'
    const one = { id: 'one', type: 'transform', with: { value: 1 } }
    const cases: [object[], string, object?][] = [
      [[{ id: 'a', type: 'transform', with: { value: secret } }], '/tasks/0/with/value'],
      [[{ id: 'a', type: 'sleep', with: { until: secret } }], '/tasks/0/with/until'],
      [[{ id: 'a', type: 'sleep', with: { for: secret } }], '/tasks/0/with/for'],
      [[{ id: 'a', type: 'wait_for_event', with: { event: 'go', match: 'secrets.KEY' } }], '/tasks/0/with/match'],
      [[{ id: 'a', type: 'workflow', with: { workflow: 'other', input: [secret] } }], '/tasks/0/with/input/0'],
      [
        [{ id: 'a', type: 'map', with: { items: secret, task: { type: 'http', with: { url } } } }],
        '/tasks/0/with/items',
      ],
      [
        [{ id: 'a', type: 'map', with: { items: [secret], task: { type: 'http', with: { url } } } }],
        '/tasks/0/with/items/0',
      ],
      [
        [{ id: 'a', type: 'map', with: { items: [1], task: { type: 'transform', with: { value: secret } } } }],
        '/tasks/0/with/task/with/value',
      ],
      [[{ ...one, when: secret }], '/tasks/0/when'],
      [[one], '/output/key', { output: { key: secret } }],
    ]
    for (const [tasks, path, rest] of cases) expect(faultsOf(tasks, rest)).toContain(`${path} secret_misplaced`)
  })
})

test('the places that name secrets are found, each with its pointer', () => {
  const template = { 'a/b': ['x', '${{ secrets.A }} ${{ input.secrets }} ${{secrets["B"]}}'], c: '${{ secrets.A }}' }
  expect(secretsIn(template, ['tasks', 0, 'with'])).toEqual([
    { name: 'A', path: '/tasks/0/with/a~1b/1' },
    { name: 'B', path: '/tasks/0/with/a~1b/1' },
    { name: 'A', path: '/tasks/0/with/c' },
  ])
  expect(secretsIn('secrets.A ${{ "secrets.A" }}')).toEqual([])
})

function scopeWith(marks: SecretMarks, input: Json = null) {
  return {
    input: () => input,
    run: { id: 'run_1', workflow: 'wf', version: 1, attempt: 1 },
    task: () => ({ status: 'succeeded', output: input }),
    secret: (name: string) => marks.mark(name),
  }
}

function rendered(template: Json, marks: SecretMarks, input: Json = null): Json {
  const result = renderTemplate(template, scopeWith(marks, input))
  if (!result.ok) throw new Error(result.error.message)
  return result.value
}

describe('filling in', () => {
  test('puts values where they were named, and nowhere else', () => {
    const marks = new SecretMarks(() => 'nonce')
    const template = {
      headers: { a: 'Bearer ${{ secrets.A }}', b: '${{ secrets.B }}${{ secrets.A }}' },
      list: ['${{ input }}', 1, null],
    }
    const config = rendered(template, marks, 'plain')
    expect(JSON.stringify(config)).not.toContain('first')
    expect(marks.asked(() => 't')).toEqual({ tenant: 't', nonce: 'nonce', names: ['A', 'B'] })
    // What a value looks like does not matter: neither a pattern of replacement, nor a mark, nor a template is read again.
    const values = new Map([
      ['A', '$& first $1 ${{ secrets.B }}'],
      ['B', '{secret:nonce:A}'],
    ])
    expect(fillSecrets(config, 'nonce', values)).toEqual({
      headers: {
        a: 'Bearer $& first $1 ${{ secrets.B }}',
        b: '{secret:nonce:A}$& first $1 ${{ secrets.B }}',
      },
      list: ['plain', 1, null],
    })
  })

  test('asks for nothing and mints nothing where no secret is named', () => {
    const marks = new SecretMarks(() => {
      throw new Error('nobody needs a nonce')
    })
    rendered({ a: '${{ input }}' }, marks)
    expect(marks.asked(() => 't')).toBeNull()
  })

  test('data that looks like a mark stays data: the nonce is made after it', () => {
    const input = ['{secret:guess:A}', '{secret::A}', '{secret:*:A}', '{secret:.*:A}']
    const marks = new SecretMarks(() => 'unforeseen')
    const config = rendered({ data: '${{ input }}', key: '${{ secrets.A }}' }, marks, input)
    expect(fillSecrets(config, 'unforeseen', new Map([['A', 'value']]))).toEqual({ data: input, key: 'value' })
  })

  test('is bounded: many names of a long value are not many times its length', () => {
    const marks = new SecretMarks(() => 'nonce')
    const config = rendered(
      Array.from({ length: 33 }, () => '${{ secrets.A }}'),
      marks,
    )
    expect(fillSecrets(config, 'nonce', new Map([['A', 'x'.repeat(32 * 1024)]]))).toBeNull()
    expect(fillSecrets(config, 'nonce', new Map([['A', 'x'.repeat(31 * 1024)]]))).not.toBeNull()
  })

  test('a member named __proto__ stays one', () => {
    const config = JSON.parse('{"__proto__": "{secret:n:A}"}') as JsonObject
    expect(JSON.stringify(fillSecrets(config, 'n', new Map([['A', 'value']])))).toBe('{"__proto__":"value"}')
  })
})

test('a URL whose host holds a secret has no host for whoever has only the marks', () => {
  const hostOf = (template: string) => httpHost({ url: rendered(template, new SecretMarks(() => '5e1f')) })
  for (const template of [
    '${{ secrets.URL }}',
    'https://${{ secrets.HOST }}/x',
    'https://api.${{ secrets.NAME }}.test/x',
    'https://api.test${{ secrets.SUFFIX }}/x',
    'https://${{ secrets.PREFIX }}api.test/x',
    'https://api.test:${{ secrets.PORT }}/x',
    'https:${{ secrets.REST }}',
    'http${{ secrets.REST }}',
  ]) {
    expect([template, hostOf(template)]).toEqual([template, null])
  }
  expect(hostOf('https://api.test/${{ secrets.PATH }}?key=${{ secrets.KEY }}')).toBe('https://api.test')
})
