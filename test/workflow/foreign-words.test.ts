// Words of other engines, and fields that stand at another's place: what registration says of them.

import { describe, expect, test } from 'vitest'
import { TASK_TYPES } from '../../src/tasks/schemas.ts'
import { parseDefinition } from '../../src/workflow/definition/parse.ts'

function told(definition: object): string[] {
  const parsed = parseDefinition({ name: 'wf', ...definition }, TASK_TYPES)
  return parsed.ok ? [] : parsed.faults.map(({ path, code, message }) => `${path} ${code} ${message}`)
}

const call = (rest: object) => ({ id: 'a', type: 'http', with: { url: 'https://api.example.com' }, ...rest })

test.each([
  ['steps', 'what a workflow does stands in "tasks", a list'],
  ['jobs', 'stands in "tasks"'],
  ['States', 'stands in "tasks"'],
  ['retry', 'stands in "defaults"'],
  ['timeout_seconds', '"timeout", a span such as "30s"'],
  ['parallelism', '"max_parallel"'],
])('a definition with %s', (name, words) => {
  const faults = told({ tasks: [call({})], [name]: [] })
  expect(faults).toEqual([expect.stringContaining(`/${name} unknown_field there is no field "${name}" here: `)])
  expect(faults[0]).toContain(words)
})

test.each([
  ['needs', 'what a task waits for stands in "depends_on"'],
  ['after', '"depends_on"'],
  ['Next', 'what comes after a task names it in its own "depends_on"'],
  ['if', 'a condition is "when", an expression'],
  ['run', 'of type "python" or "javascript"'],
  ['script', 'of type "python" or "javascript"'],
  ['name', 'its "id"'],
  ['uses', 'its "type"'],
  ['parameters', 'stands in "with"'],
  ['input', 'stands in "with"'],
  ['retries', '"retry": {"max_attempts": 3}'],
  ['startToCloseTimeout', '"timeout", a span'],
  ['withItems', 'of type "map"'],
  ['continue-on-error', '"on_failure": "continue"'],
])('a task with %s', (name, words) => {
  const faults = told({ tasks: [call({ [name]: 'x' })] })
  expect(faults).toEqual([expect.stringContaining(`/tasks/0/${name} unknown_field there is no field "${name}" here: `)])
  expect(faults[0]).toContain(words)
})

test('what stands in `with` of its type is told so first, and what is misspelt is proposed', () => {
  const [url, input, dependsOn] = told({
    tasks: [
      { id: 'a', type: 'http', url: 'https://api.example.com' },
      { id: 'b', type: 'python', input: 1, with: { code: 'def main(input): pass' } },
      call({ id: 'c', dependsOn: ['a'] }),
    ],
  })
  expect(url).toContain('put it in "with"')
  expect(input).toContain('put it in "with"')
  expect(dependsOn).toContain('did you mean "depends_on"?')
})

describe('what stands beside `with`', () => {
  test('is told so when it stands in it', () => {
    const config = { url: 'https://api.example.com', retry: {}, timeout: '5s', when: 'true', depends_on: [] }
    expect(told({ tasks: [{ id: 'a', type: 'http', with: config }] })).toEqual(
      ['retry', 'timeout', 'when', 'depends_on'].map(
        (name) => `/tasks/0/with/${name} unknown_field "${name}" stands beside "with", not in it`,
      ),
    )
  })

  test('of an item is less than of a task', () => {
    const item = { type: 'http', with: { url: 'https://api.example.com', timeout: '5s', when: 'true' } }
    const faults = told({ tasks: [{ id: 'm', type: 'map', with: { items: [1], task: item } }] })
    expect(faults[0]).toBe('/tasks/0/with/task/with/timeout unknown_field "timeout" stands beside "with", not in it')
    expect(faults[1]).toMatch(/^\/tasks\/0\/with\/task\/with\/when unknown_field there is no field "when" here/)
  })
})

test('a policy of retries, wherever it stands', () => {
  const words = { limit: 3, backoffRate: 2, delay: '1s' }
  const retries = told({
    tasks: [
      call({ retry: words }),
      { id: 'm', type: 'map', with: { items: [1], task: { ...call({}), id: undefined, retry: words } } },
    ],
    defaults: { retry: words },
  })
  for (const at of ['/defaults/retry', '/tasks/0/retry', '/tasks/1/with/task/retry']) {
    for (const [name, ours] of [
      ['limit', 'max_attempts'],
      ['backoffRate', 'multiplier'],
      ['delay', 'initial_interval'],
    ]) {
      expect(retries).toContainEqual(expect.stringMatching(`^${at}/${name} unknown_field .*"${ours}"`))
    }
  }
})

test('an object as the body of a call is told where JSON goes', () => {
  const tasks = [call({ with: { url: 'https://api.example.com', body: { amount: 12 } } })]
  expect(told({ tasks })).toEqual(['/tasks/0/with/body invalid_type must be a text; put a JSON value in "json"'])
})

test('the types of items that are described are those that are taken', () => {
  const { description } = TASK_TYPES.map.with.rendered.shape.task.shape.type.meta()!
  expect(description).toBe(
    'One of `http`, `javascript`, `python`, `grpc`, `inference`, `transform`, `workflow`; of `workflow` each item is a run.',
  )
})
