// Scripts as tasks, from registration to the answer.

import { describe, expect, test } from 'vitest'
import { aName, get, post } from './client.ts'

/** Runs tasks to their end. */
async function ran(tasks: object[], rest: object = {}, input: object = {}) {
  const name = aName()
  const registered = await post('/v1/workflows', { name, tasks, timeout: '20s', ...rest })
  expect(registered.body.errors).toBeUndefined()
  const { body } = await post('/v1/runs', { workflow: name, input }, { Prefer: 'wait=20' })
  return body
}

const script = (type: 'javascript' | 'python', code: string, config: object = {}) => ({
  id: 'script',
  type,
  with: { code, ...config },
})

describe('a script', () => {
  test('of either language gets the input, what it depends on and its run, and gives its result', async () => {
    const before = { id: 'before', type: 'transform', with: { value: [1, 2, 3.5] } }
    const other = { id: 'other', type: 'transform', with: { value: 1 } }
    const js = `export default async ({ input, tasks, run }) =>
      ({ got: input, before: tasks.before.output.map((n) => n * 2), known: Object.keys(tasks), run })`
    const py = `def main(input, ctx):
    return {"got": input, "before": [n * 2 for n in ctx["tasks"]["before"]["output"]], "known": list(ctx["tasks"]), "run": ctx["run"]}`
    const input = { ключ: ['é', '\u{1F600}', 9007199254740991, -0.1, null, { __proto__: 1 }] }
    const run = await ran(
      [
        before,
        other,
        { ...script('javascript', js), id: 'js', depends_on: ['before'] },
        { ...script('python', py), id: 'py', depends_on: ['before'] },
      ],
      {},
      input,
    )
    expect(run).toMatchObject({ status: 'succeeded' })
    const expected = {
      got: input,
      before: [2, 4, 7],
      known: ['before'],
      run: { id: run.id, workflow: run.workflow, version: 1, attempt: 1 },
    }
    expect(run.output).toEqual({ other: 1, js: expected, py: expected })
  })

  test('can be handed something else as its input', async () => {
    const run = await ran([
      { id: 'one', type: 'transform', with: { value: 41 } },
      {
        ...script('python', 'def main(input):\n  return input["n"] + 1', { input: { n: '${{ tasks.one.output }}' } }),
        depends_on: ['one'],
      },
    ])
    expect(run.output).toEqual({ script: 42 })
  })

  test('is one for each item of a map', async () => {
    const code = 'export default ({ item, index }) => { console.log(item); return item * 10 + index }'
    const run = await ran([
      { id: 'each', type: 'map', with: { items: [1, 2, 3], task: { type: 'javascript', with: { code } } } },
    ])
    expect(run.output).toEqual({ each: [10, 21, 32] })
    const { body } = await get(`/v1/runs/${run.id}/tasks/each/items`)
    expect(body.items.map(({ logs }: { logs: object }) => logs)).toEqual(
      [1, 2, 3].map((item) => [{ level: 'info', text: String(item) }]),
    )
  })

  test('prints into its logs, also when it fails, and the history has them', async () => {
    const run = await ran([
      script('javascript', 'export default () => { console.warn("careful", { a: 1 }); throw new TypeError("no") }'),
    ])
    expect(run).toMatchObject({ status: 'failed', error: { code: 'script_error', task_id: 'script' } })
    const logs = [{ level: 'warn', text: 'careful {"a":1}' }]
    expect(run.tasks[0]).toMatchObject({ logs, attempts: [{ status: 'failed' }] })
    expect(run.tasks[0].error.message).toBe('TypeError: no\n    at default (script.js:1:78)')
    const { body } = await get(`/v1/runs/${run.id}/history`)
    expect(body.items.find(({ event }: { event: string }) => event === 'attempt.failed').data).toMatchObject({ logs })
  })

  test('that throws tells the trace in its own lines', async () => {
    const run = await ran([
      script('python', 'def f(x):\n  return 1 / x\n\ndef main(input):\n  print("hi")\n  return f(0)'),
    ])
    expect(run.tasks[0].error).toEqual({
      code: 'script_error',
      message:
        'Traceback (most recent call last):\n  File "script.py", line 6, in main\n  File "script.py", line 2, in f\nZeroDivisionError: divide by zero',
      retryable: false,
    })
    expect(run.tasks[0].logs).toEqual([{ level: 'info', text: 'hi' }])
  })

  test('that loops for ever is stopped, and others go on', async () => {
    const endless = await ran([script('python', 'def main(input):\n  while True: pass', { limits: { cpu: '50ms' } })])
    expect(endless.error).toMatchObject({ code: 'script_limit', retryable: false })
    expect((await ran([script('python', 'def main(input):\n  return 1')])).status).toBe('succeeded')
  })

  test('may be made again where its retry says so', async () => {
    const run = await ran([
      {
        ...script('javascript', 'export default () => { throw 1 }'),
        retry: { max_attempts: 3, initial_interval: '1ms', retry_on: ['script_error'] },
      },
    ])
    expect(run.tasks[0].attempts).toHaveLength(3)
  })
})

describe('at registration', () => {
  const faultsOf = async (tasks: unknown[]) => {
    const { status, body } = await post('/v1/workflows', { name: aName(), tasks })
    expect(status).toBe(422)
    return body.errors
  }

  test('code that cannot be read is a fault with its line, every one at once', async () => {
    const errors = await faultsOf([
      script('javascript', 'export default () => {\n  let x = ;\n}'),
      { ...script('python', 'def main(input):\n  return 1 +\n'), id: 'py' },
      { ...script('python', 'def main(input):\n  return 1\n'), id: 'fine' },
      {
        id: 'each',
        type: 'map',
        with: { items: [1], task: { type: 'javascript', with: { code: 'export default (' } } },
      },
    ])
    expect(errors).toEqual([
      {
        path: '/tasks/0/with/code',
        code: 'script_syntax',
        message: "line 2, column 11: unexpected token in expression: ';'",
      },
      { path: '/tasks/1/with/code', code: 'script_syntax', message: 'line 2: invalid syntax' },
      {
        path: '/tasks/3/with/task/with/code',
        code: 'script_syntax',
        message: expect.stringMatching(/^line 1, column \d+: /),
      },
    ])
  })

  test('a definition with other faults too has them all in one answer', async () => {
    const tasks = [script('python', 'def main(input)\n  return 1'), { id: 'x', type: 'http', with: {} }, 7]
    const errors = await faultsOf(tasks)
    expect(errors.map(({ path, code }: { path: string; code: string }) => `${path} ${code}`).sort()).toEqual([
      '/tasks/0/with/code script_syntax',
      '/tasks/1/with/url required',
      '/tasks/2 invalid_type',
    ])
  })

  test('a script that many tasks share is looked at once, and its fault told of each; too many different ones are refused', async () => {
    const many = (count: number, code: (n: number) => string) =>
      Array.from({ length: count }, (_, n) => ({ ...script('python', code(n), { input: n }), id: `t${n}` }))
    const same = await faultsOf(many(600, () => 'def main(input)'))
    expect(same).toHaveLength(600)
    expect(same[599]).toMatchObject({ path: '/tasks/599/with/code', code: 'script_syntax' })
    const different = many(501, (n) => `def main(input):\n  return ${n}`)
    expect(await faultsOf(different)).toMatchObject([{ path: '/tasks', code: 'out_of_bounds' }])
  })

  test('code that holds an expression is refused: it would be code that data can write', async () => {
    expect(await faultsOf([script('python', 'def main(i):\n  return "${{ input.x }}"')])).toMatchObject([
      { path: '/tasks/0/with/code', code: 'invalid_value' },
    ])
  })

  test('limits that are filled in when the task starts are no hindrance, and count then', async () => {
    const limits = { cpu: '${{ input.cpu }}', memory: '${{ input.memory }}' }
    const tasks = [
      { ...script('javascript', 'export default () => { for (;;); }', { limits }), id: 'js' },
      { ...script('python', 'def main(input):\n  return 1', { limits }), id: 'py' },
    ]
    const run = await ran(tasks, { on_failure: 'continue' }, { cpu: '10ms', memory: '16MiB' })
    expect(run.tasks.map(({ status }: { status: string }) => status)).toEqual(['failed', 'succeeded'])
    expect(run.error.code).toBe('script_limit')
  })

  test('limits beyond the largest are refused', async () => {
    const limits = { cpu: '11s', memory: '65MiB', output: '2MiB', time: '1s' }
    expect(await faultsOf([script('python', 'def main(i): return 1', { limits })])).toMatchObject([
      { path: '/tasks/0/with/limits/cpu', code: 'out_of_bounds' },
      { path: '/tasks/0/with/limits/memory', code: 'out_of_bounds' },
      { path: '/tasks/0/with/limits/output', code: 'out_of_bounds' },
      { path: '/tasks/0/with/limits/time', code: 'unknown_field' },
    ])
  })
})
