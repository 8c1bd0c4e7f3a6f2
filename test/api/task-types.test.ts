// What task types there are, and a try of one without a workflow.

import { afterEach, describe, expect, test, vi } from 'vitest'
import { ABOUT } from '../../src/tasks/about.ts'
import { TASK_TYPES } from '../../src/tasks/schemas.ts'
import { CODES } from '../../src/workflow/codes.ts'
import { aName, get, post } from './client.ts'

afterEach(() => vi.restoreAllMocks())

const tryOut = (type: string, body: unknown) => post(`/v1/task-types/${type}/try`, body)

describe('the list of task types', () => {
  test('has every type of the contract, and of those that are built all there is to know', async () => {
    const { status, body } = await get('/v1/task-types')
    expect([status, body.next_cursor]).toEqual([200, null])
    expect(body.items.map(({ type }: { type: string }) => type)).toEqual(Object.keys(TASK_TYPES))
    for (const item of body.items) {
      const isBuilt = 'with' in TASK_TYPES[item.type as keyof typeof TASK_TYPES]
      expect(item.built, item.type).toBe(isBuilt)
      expect(item.with === null, item.type).toBe(!isBuilt)
      if (isBuilt) expect(item.codes.length, item.type).toBeGreaterThan(3)
    }
  })

  test('gives a schema that stands by itself, with what may be a template', async () => {
    const { body } = await get('/v1/task-types')
    const http = body.items.find(({ type }: { type: string }) => type === 'http')
    expect(http.with).toMatchObject({ type: 'object', additionalProperties: false, required: ['url'] })
    expect(http.with.properties.parse.description).toContain('auto')
    for (const [, name] of JSON.stringify(http.with).matchAll(/"\$ref":"#\/\$defs\/([^"]+)"/g)) {
      expect(http.with.$defs[name!], name).toBeDefined()
    }
    expect(http.with.$defs.Template).toBeDefined()
  })

  test('names codes of tasks only, and says of a family which of it are worth another attempt', async () => {
    for (const about of Object.values(ABOUT)) {
      for (const code of about?.codes ?? []) {
        if (code !== 'http_<status>') expect(CODES[code].kind, code).toBe('task')
      }
    }
    const { body } = await get('/v1/task-types')
    const codesOf = (name: string) => body.items.find(({ type }: { type: string }) => type === name).codes
    expect(codesOf('http').find(({ code }: { code: string }) => code === 'http_<status>').meaning).toContain('429, 500')
    expect(codesOf('python').map(({ code }: { code: string }) => code)).toContain('script_limit')
    expect(codesOf('python').map(({ code }: { code: string }) => code)).not.toContain('circuit_open')
    expect(codesOf('sleep').map(({ code }: { code: string }) => code)).not.toContain('executor_error')
  })
})

describe('a try', () => {
  test('of a script gives its result and what it printed, and leaves no run', async () => {
    const code = 'def main(input, ctx):\n    print("adding")\n    return [sum(input["prices"]), ctx["run"]["id"]]'
    const before = (await get('/v1/runs')).body.items.length
    const { status, body } = await tryOut('python', { with: { code }, input: { prices: [3, 4.5] } })
    expect([status, body]).toEqual([
      200,
      {
        status: 'succeeded',
        output: [7.5, 'try'],
        error: null,
        logs: [{ level: 'info', text: 'adding' }],
        duration_ms: expect.any(Number),
      },
    ])
    expect((await get('/v1/runs')).body.items).toHaveLength(before)
  })

  test('takes `with` as a definition has it: expressions over the input and over outputs that are given', async () => {
    const config = {
      code: 'export default ({ input, tasks }) => [input, tasks]',
      input: '${{ tasks["get-it"].output.n + input.n }}',
    }
    const { body } = await tryOut('javascript', { with: config, input: { n: 2 }, tasks: { 'get-it': { n: 40 } } })
    expect(body.output).toEqual([42, { 'get-it': { status: 'succeeded', output: { n: 40 } } }])
  })

  test('of a script that throws is an attempt that failed', async () => {
    const { status, body } = await tryOut('javascript', {
      with: { code: 'export default () => { console.log(1); throw new Error("no") }' },
    })
    expect([status, body]).toMatchObject([
      200,
      { status: 'failed', output: null, error: { code: 'script_error', retryable: false }, logs: [{ text: '1' }] },
    ])
  })

  test('of a transform computes its value', async () => {
    const { body } = await tryOut('transform', {
      with: { value: { sum: '${{ input.a + input.b }}' } },
      input: { a: 1, b: 2 },
    })
    expect(body).toMatchObject({ status: 'succeeded', output: { sum: 3 }, error: null })
    const failed = await tryOut('transform', { with: { value: '${{ input.a.b }}' }, input: { a: 1 } })
    expect(failed.body).toMatchObject({ status: 'failed', output: null, error: { code: 'expression_error' } })
  })

  test('of a call makes it, with a key of its own and under the same egress policy', async () => {
    const fetched = vi.spyOn(globalThis, 'fetch').mockImplementation(async () => Response.json({ ok: true }))
    const called = await tryOut('http', { with: { url: 'https://api.example.com/${{ input.id }}' }, input: { id: 7 } })
    expect(called.body).toMatchObject({ status: 'succeeded', output: { status: 200, body: { ok: true } } })
    const [url, init] = fetched.mock.calls[0]!
    expect(url).toBe('https://api.example.com/7')
    expect(new Headers(init!.headers).get('idempotency-key')).toMatch(/^try_[0-9a-f-]{36}\/http$/)
    const denied = await tryOut('http', { with: { url: 'http://169.254.169.254/' } })
    expect(denied.body).toMatchObject({ status: 'failed', error: { code: 'egress_denied', retryable: false } })
    expect(fetched).toHaveBeenCalledOnce()
  })

  test('of a call that polls makes it once, and says that a run would wait now', async () => {
    const config = { url: 'https://api.example.com/', poll: { until: 'response.body.n > input.n' } }
    vi.spyOn(globalThis, 'fetch').mockImplementation(async () => Response.json({ n: 5 }))
    const waits = await tryOut('http', { with: config, input: { n: 5 } })
    expect(waits.body).toMatchObject({ status: 'snoozed', output: null, error: null })
    const there = await tryOut('http', { with: config, input: { n: 4 } })
    expect(there.body).toMatchObject({ status: 'succeeded', output: { body: { n: 5 } } })
  })

  test('ends at its time limit', async () => {
    vi.spyOn(globalThis, 'fetch').mockImplementation(() => new Promise(() => {}))
    const { status, body } = await tryOut('http', { with: { url: 'https://api.example.com/' }, timeout: '20ms' })
    expect([status, body]).toMatchObject([200, { status: 'timed_out', error: { code: 'timeout', retryable: true } }])
  })

  test('whose expressions yield what the type does not take fails as it would in a run', async () => {
    const { body } = await tryOut('http', { with: { url: '${{ input.url }}' }, input: { url: 'no url' } })
    expect(body).toMatchObject({
      status: 'failed',
      error: { code: 'invalid_with', message: expect.stringContaining('/with/url') },
    })
  })
})

describe('a try is refused', () => {
  const faultsOf = async (type: string, body: unknown) => {
    const { status, body: problem } = await tryOut(type, body)
    expect([status, problem.code]).toEqual([422, 'invalid_request'])
    return problem.errors.map(({ path, code }: { path: string; code: string }) => [path, code])
  }

  test('with every fault of `with`, each with its pointer', async () => {
    const config = { url: 'ftp://x', methd: 'GET', json: 1, form: {}, headers: { host: 'x' }, body: '${{ inptu.x }}' }
    expect(await faultsOf('http', { with: config })).toEqual([
      ['/with/url', 'invalid_format'],
      ['/with/headers/host', 'invalid_value'],
      ['/with/methd', 'unknown_field'],
      ['/with/form', 'conflicting_fields'],
      ['/with/body', 'conflicting_fields'],
      ['/with/body', 'unknown_name'],
    ])
  })

  test('with the faults of `with` beside those of the rest of the body', async () => {
    const { status, body } = await tryOut('python', { with: { code: 'def main(:', inptu: 1 }, timeout: '1h', tgas: [] })
    expect([status, body.code]).toEqual([422, 'invalid_request'])
    expect(body.errors.map(({ path, code }: { path: string; code: string }) => `${path} ${code}`)).toEqual([
      '/timeout out_of_bounds',
      '/tgas unknown_field',
      '/with/inptu unknown_field',
    ])
    const script = await tryOut('python', { with: { code: 'def main(:' }, tgas: [] })
    expect(script.body.errors.map(({ code }: { code: string }) => code)).toEqual(['unknown_field', 'script_syntax'])
    const half = await tryOut('http', { with: { url: 'https://upstream.test', mehtod: 'PUT' }, input: '\ud800' })
    expect(half.body.errors.map(({ path }: { path: string }) => path)).toEqual(['/input', '/with/mehtod'])
  })

  test('with the syntax fault of a script', async () => {
    expect(await faultsOf('python', { with: { code: 'def main(input):\n  return 1 +' } })).toEqual([
      ['/with/code', 'script_syntax'],
    ])
  })

  test('for what a try has not: other tasks, items, a longer time', async () => {
    const config = { value: '${{ tasks.a.output + item }}' }
    expect(await faultsOf('transform', { with: config })).toEqual([
      ['/with/value', 'unknown_name'],
      ['/with/value', 'unknown_name'],
    ])
    expect(await faultsOf('transform', { with: { value: 1 }, timeout: '31s' })).toEqual([['/timeout', 'out_of_bounds']])
    expect(await faultsOf('transform', { input: 1, extra: 1 })).toEqual([
      ['/with', 'required'],
      ['/extra', 'unknown_field'],
    ])
    expect(await faultsOf('transform', { with: { value: '\ud800' } })).toEqual([['/with/value', 'invalid_format']])
  })

  test('of what nests too deep to be looked at', async () => {
    let value: unknown = 1
    for (let depth = 0; depth < 200; depth++) value = [value]
    expect(await faultsOf('transform', { with: { value } })).toMatchObject([[expect.any(String), 'out_of_bounds']])
  })

  test('of a type that does nothing by itself, is not built, or does not exist', async () => {
    for (const type of ['sleep', 'wait_for_event', 'workflow', 'map']) {
      expect(await tryOut(type, { with: {} })).toMatchObject({ status: 422, body: { code: 'task_type_not_tried' } })
    }
    expect(await tryOut('publish', { with: {} })).toMatchObject({ status: 422, body: { code: 'not_available' } })
    const unknown = await tryOut('pyton', { with: {} })
    expect(unknown).toMatchObject({ status: 404, body: { code: 'task_type_not_found' } })
    expect(unknown.body.detail).toContain('"python"')
    expect((await tryOut('constructor', { with: {} })).status).toBe(404)
  })

  test('of more than 4 MiB', async () => {
    const { status, body } = await tryOut('transform', { with: { value: 'x'.repeat(4 * 1024 * 1024) } })
    expect([status, body.code]).toEqual([413, 'too_large'])
  })
})

test('what a try takes, a definition takes too', async () => {
  const config = { url: 'https://api.example.com/', query: { q: '${{ input.q }}' } }
  expect(
    (await post('/v1/workflows', { name: aName(), tasks: [{ id: 'a', type: 'http', with: config }] })).status,
  ).toBe(201)
})
