// What registration says of what a definition names and cannot have: workflows, hosts, and what scripts need.

import { afterEach, describe, expect, test, vi } from 'vitest'
import { Registry } from '../../durable/registry/registry.ts'
import { type Answer, aName, aWorkflow, post } from './client.ts'

afterEach(() => vi.restoreAllMocks())

const told = ({ body }: Answer): string[] =>
  (body.warnings ?? []).map(({ path, code, message }: Record<string, string>) => `${path} ${code} ${message}`)

const register = (tasks: object[], query = '') => post(`/v1/workflows${query}`, { name: aName(), timeout: '1m', tasks })

const starting = (workflow: string, id = 'a') => ({ id, type: 'workflow', with: { workflow } })

describe('a workflow that is started and not there', () => {
  test('is told with the nearest name, stored or not, at every place', async () => {
    const child = await aWorkflow()
    const near = `${child.slice(0, -1)}${child.endsWith('x') ? 'y' : 'x'}`
    const tasks = [
      starting(near),
      starting(child, 'b'),
      starting(`${child}@7`, 'c'),
      starting(`${child}@1`, 'd'),
      starting('no-workflow-of-that-name-at-all@latest', 'e'),
      starting('${{ input.workflow }}', 'f'),
      { id: 'm', type: 'map', with: { items: [1], task: { type: 'workflow', with: { workflow: near } } } },
    ]
    const nearly = `missing_workflow there is no workflow "${near}" yet; did you mean "${child}"? Until it is registered the task fails with unknown_workflow`
    const all = [
      `/tasks/0/with/workflow ${nearly}`,
      `/tasks/2/with/workflow missing_workflow "${child}@7": the newest version is 1; until then the task fails with unknown_workflow`,
      '/tasks/4/with/workflow missing_workflow there is no workflow "no-workflow-of-that-name-at-all" yet: until it is registered the task fails with unknown_workflow',
      `/tasks/6/with/task/with/workflow ${nearly}`,
    ]
    expect(told(await register(tasks, '?dry_run=true'))).toEqual(all)
    const body = { name: aName(), timeout: '1m', tasks }
    const created = await post('/v1/workflows', body)
    expect([created.status, told(created)]).toEqual([201, all])
    const unchanged = await post('/v1/workflows', body)
    expect([unchanged.status, told(unchanged)]).toEqual([200, all])
  })

  test('may be an older version of the workflow itself, which is there by then', async () => {
    const name = await aWorkflow()
    const again = await post('/v1/workflows', { name, tasks: [starting(`${name}@1`)] })
    expect([again.status, told(again)]).toEqual([201, []])
  })

  test('is not the workflow itself, whose registration a dry run looks ahead to', async () => {
    const name = aName()
    const body = { name, tasks: [starting(`${name}@1`), starting(`${name}@2`, 'c')] }
    const all = [
      `/tasks/1/with/workflow missing_workflow "${name}@2": the newest version is 1; until then the task fails with unknown_workflow`,
    ]
    const looked = await post('/v1/workflows?dry_run=true', body)
    expect([looked.status, told(looked)]).toEqual([200, all])
    expect(told(await post('/v1/workflows', body))).toEqual(all)
    expect(told(await post('/v1/workflows?dry_run=true', body))).toEqual(all)
    const changed = { ...body, description: 'another' }
    expect(told(await post('/v1/workflows?dry_run=true', changed))).toEqual([])
    expect(told(await post('/v1/workflows', changed))).toEqual([])
  })

  test('is told with the nearest name also where a run of it is asked for', async () => {
    const name = await aWorkflow()
    const { status, body } = await post('/v1/run', { workflow: `${name}x` })
    expect([status, body.code, body.detail]).toEqual([
      404,
      'workflow_not_found',
      `There is no workflow ${name}x; did you mean "${name}"?`,
    ])
  })

  test('costs no question of its own', async () => {
    const name = aName()
    const asked = (['register', 'missing', 'list', 'get'] as const).map((method) =>
      vi.spyOn(Registry.prototype, method),
    )
    const questions = () => asked.map((spy) => spy.mock.calls.length)
    await post('/v1/workflows', { name, tasks: [starting('nobody')] })
    expect(questions()).toEqual([1, 0, 0, 0])
    await post('/v1/workflows?dry_run=true', { name, tasks: [{ id: 'a', type: 'http' }] })
    expect(questions()).toEqual([1, 0, 0, 0])
  })
})

test('a host that no call may reach is told, where it is written out', async () => {
  const http = (url: string, id: string) => ({ id, type: 'http', with: { url } })
  const answer = await register([
    http('http://169.254.169.254/latest/meta-data', 'a'),
    http('http://2130706433/${{ input.path }}', 'b'),
    http('https://upstream.test/allowed', 'c'),
    http('https://api.example.com/', 'd'),
    http('https://${{ input.host }}/', 'e'),
    http('https://${{input.host}}/', 'f'),
    {
      id: 'g',
      type: 'grpc',
      with: { url: 'http://10.0.0.1:50051', service: 's.S', method: 'M', protocol: 'grpc_h2c' },
    },
    { id: 'h', type: 'inference', with: { base_url: 'http://localhost:11434/v1', model: 'm', prompt: 'p' } },
    { id: 'm', type: 'map', with: { items: [1], task: { type: 'http', with: { url: 'http://db.internal/' } } } },
    { id: 'p', type: 'http' },
  ])
  expect(answer.status, answer.text).toBe(201)
  const end = 'the task fails with egress_denied unless EGRESS_ALLOW lists it'
  expect(told(answer).filter((text) => !text.includes('placeholder'))).toEqual([
    `/tasks/0/with/url url_not_allowed 169.254.169.254 is not a public address (linkLocal): ${end}`,
    `/tasks/1/with/url url_not_allowed 127.0.0.1 is not a public address (loopback): ${end}`,
    `/tasks/6/with/url url_not_allowed 10.0.0.1 is not a public address (private): ${end}`,
    `/tasks/7/with/base_url url_not_allowed localhost is a name of the local network: ${end}`,
    `/tasks/8/with/task/with/url url_not_allowed db.internal is a name of the local network: ${end}`,
  ])
})

describe('a script', () => {
  test('without what is called, or with imports that there are not, is told at each of its places', async () => {
    const script = (id: string, code: string) => ({ id, type: 'python', with: { code, input: id } })
    const answer = await register([
      script('a', 'import numpy\ndef handler(event): return 1'),
      script('b', 'import numpy\ndef handler(event): return 1'),
      script('c', 'def main(input): return 1'),
    ])
    expect([answer.status, told(answer)]).toMatchObject([201, { length: 4 }])
    expect(answer.body.warnings.map(({ path, code }: Record<string, string>) => `${path} ${code}`)).toEqual([
      '/tasks/0/with/code missing_main',
      '/tasks/1/with/code missing_main',
      '/tasks/0/with/code missing_module',
      '/tasks/1/with/code missing_module',
    ])
  })

  test('of JavaScript without a default export can never be called, so it is refused', async () => {
    const { status, body } = await register([{ id: 'a', type: 'javascript', with: { code: 'export const main = 1' } }])
    expect([status, body.errors]).toMatchObject([422, [{ path: '/tasks/0/with/code', code: 'script_syntax' }]])
  })
})

test.each([
  ['2026-12-24', 422],
  ['2026-13-01', 422],
  ['2026-12-24T09:00:00', 422],
  ['2026-12-24T09:00:00Z', 201],
  ['input.wake_at', 201],
])('a sleep until %j is answered %i', async (until, expected) => {
  const tasks = [{ id: 'a', type: 'sleep', with: { until } }]
  const { status, body } = await post('/v1/workflows', { name: aName(), timeout: '365d', tasks })
  expect([status, status === 201 ? undefined : body.errors]).toEqual([
    expected,
    expected === 201
      ? undefined
      : expect.arrayContaining([
          {
            path: '/tasks/0/with/until',
            code: 'invalid_format',
            message: expect.stringContaining('2027-01-31T09:00:00Z'),
          },
        ]),
  ])
})
