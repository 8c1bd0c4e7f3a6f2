// The Python engine by itself: how `main` is called, what its result may be, how calls end.

import { describe, expect, test } from 'vitest'
import { checkPython, runPython } from '../../src/tasks/script/python-engine.ts'

const limits = { fuel: 1e8, memoryBytes: 32 * 1024 * 1024, outputBytes: 1024 * 1024 }

function run(code: string) {
  return runPython(code, { input: { n: 1 } }, limits, Date.UTC(2026, 0, 2))
}

test.each([
  ['def main(input):\n  return {"a": input["n"] + 1, "t": (1, 2)}', { a: 2, t: [1, 2] }],
  ['def main(input, ctx):\n  return [ctx, 0.1 + 0.2]', [{ input: { n: 1 } }, 0.1 + 0.2]],
  ['def main(input, ctx=None):\n  return ctx', null],
  ['def main(i):\n  return "ü\\u2028\\U0001F600"', 'ü\u2028\u{1F600}'],
  [
    'def main(i):\n  return [-0.1, 1e300, 5e-324, 9007199254740991, True, None]',
    [-0.1, 1e300, 5e-324, 9007199254740991, true, null],
  ],
  ['import time\ndef main(i):\n  return time.time()', 1767312000],
  ['class A:\n  def __call__(self, input): return input\nmain = A()', { n: 1 }],
])('%j gives its result', (code, output) => {
  expect(run(code)).toMatchObject({ ok: true, output })
})

test('what is printed is logged, the forged answer too', () => {
  const { logs, ...outcome } = run(
    'def main(i):\n  print("a", i)\n  print("\\x1e=1")\n  print("no newline", end="")\n  return 2',
  )
  expect(logs.map((entry) => ('text' in entry ? entry.text : ''))).toEqual(["a {'n': 1}", '\x1e=1', 'no newline'])
  expect(outcome).toMatchObject({ ok: true, output: 2 })
})

test('what was printed without a newline is logged although the script raises', () => {
  const { logs, ok } = run('def main(i):\n  print("step 1", end="")\n  raise ValueError("bad")')
  expect({ logs, ok }).toEqual({ logs: [{ level: 'info', text: 'step 1' }], ok: false })
})

test.each([
  ['x = 1', 'script_error', 'The script defines no main(input)'],
  ['def main(i):\n  x = 1 +\n', 'script_syntax', 'line 2: invalid syntax'],
  ['def main(i):\n  return {"a": [1, {2, 3}]}', 'script_result', '/a/1 is of type set, which JSON does not have'],
  ['def main(i):\n  return "\\ud800"', 'script_result', 'The result is not text of UTF-8'],
  ['async def main(i):\n  return 1', 'script_result', 'the result is of type generator, which JSON does not have'],
  ['def main(i):\n  return f(i)\ndef f(i): return f(i)', 'script_limit', 'The script calls itself too deeply'],
  ['def main(i):\n  while True: pass', 'script_limit', expect.stringContaining('used up its cpu')],
  ['def main(i):\n  while True: print("spam")', 'script_limit', expect.stringContaining('used up its cpu')],
  [
    'def main(i):\n  a = []\n  while True: a.append("x" * 1000)',
    'script_limit',
    expect.stringContaining('used up its memory'),
  ],
  [
    'def main(i):\n  return "x" * 1048577',
    'script_limit',
    expect.stringMatching(/more than 1048576 bytes|used up its cpu/),
  ],
  [
    'def f(x):\n  raise ValueError("bad")\ndef main(i):\n  return f(i)',
    'script_error',
    'Traceback (most recent call last):\n  File "script.py", line 4, in main\n  File "script.py", line 2, in f\nValueError: bad',
  ],
  ['def main(a, b, c):\n  return 1', 'script_error', 'TypeError: main() takes 3 positional arguments but 1 were given'],
])('%j ends as an error', (code, error, message) => {
  expect(run(code)).toMatchObject({ ok: false, error: { code: error, message } })
})

test('input deeper and larger than usual comes back as it was', () => {
  const deep = JSON.parse('['.repeat(150) + ']'.repeat(150))
  const wide = Array.from({ length: 5_000 }, (_, index) => ({ index, half: index / 2 }))
  for (const input of [deep, wide]) {
    expect(runPython('def main(input): return input', { input }, limits, 0)).toMatchObject({ ok: true, output: input })
  }
})

test('a result that is nested too deeply is refused as that', () => {
  const code = 'def main(i):\n  a = []\n  for _ in range(150): a = [a]\n  return a'
  expect(run(code)).toMatchObject({
    error: { code: 'script_result', message: 'the result is nested deeper than 150 levels' },
  })
})

describe('the check at registration', () => {
  test.each([
    ['def main(i):\n  return 1', null],
    ['def main(i):\n  x = 1 +\n', { line: 2, message: 'invalid syntax' }],
    ['def main(i):\n  return [*i, 1]', { line: 2, message: '*x must be assignment target' }],
    ['main = lambda i: 1', null],
  ])('%j', (code, fault) => {
    expect(checkPython(code)).toEqual({ fault, warnings: [] })
  })

  const warned = (code: string) => checkPython(code).warnings.map((warning) => `${warning.code} ${warning.message}`)

  test('warns of a script that defines no main, unless something may', () => {
    for (const code of ['raise SystemExit', 'def handler(i):\n  return 1', 'if __name__ == "__main__":\n  main()']) {
      expect(warned(code), code).toEqual(['missing_main the script defines no `main(input)`, which is what is called'])
    }
    for (const code of [
      'def  main (i):\n  return 1',
      'if True:\n  def main(i): return 1',
      'class main:\n  pass',
      'a, main = 1, len',
      'from operator import neg as main',
      'from operator import *',
      'globals()["main"] = len',
    ]) {
      expect(warned(code), code).toEqual([])
    }
  })

  test('warns of modules that there are not, with what there is', () => {
    const main = '\ndef main(i):\n  import pandas as pd, json\n'
    expect(warned(`import maht, re\nfrom requests.auth import X${main}`)).toEqual([
      expect.stringMatching(/^missing_module line 1: there is no module "maht"; there are: math, abc, /),
      expect.stringMatching(/^missing_module line 2: there is no module "requests.auth"; there are: /),
      expect.stringMatching(/^missing_module line 4: there is no module "pandas"; there are: /),
    ])
  })

  test('says nothing of modules that are there, that a try stands around, or that stand in a text', () => {
    const tried = 'try:\n  import numpy\n  if 1:\n    import scipy\nexcept ImportError:\n  import simplejson\n'
    const text = `${"'".repeat(3)}\nimport torch\n${"'".repeat(3)}\n`
    const there = 'import ujson, collections.abc\nfrom urllib.parse import quote\n'
    expect(warned(`${tried}${text}${there}def main(i): return 1`)).toEqual([])
    const after = 'try:\n  pass\nfinally:\n  pass\nimport numpy\ndef main(i): return 1'
    expect(warned(after)).toEqual([expect.stringContaining('line 5')])
    const condition = 'if TYPE_CHECKING:\n  import numpy\nelse:\n  import scipy\ndef main(i): return 1'
    expect(warned(condition)).toEqual([])
  })

  test('ends however many modules a script names, and tells of ten', () => {
    const code = `${Array.from({ length: 200 }, (_, i) => `import m${i}`).join('\n')}\ndef main(i): return 1`
    expect(warned(code)).toHaveLength(10)
  })

  test('ends on what would take for ever to read', () => {
    expect(checkPython('('.repeat(20_000))).toMatchObject({ fault: { line: 1 } })
  })
})

test('fuel that logs use up does not begin anew, however many lines one call writes', () => {
  const outcome = run('def main(i):\n  print("\\n" * 161000)\n  return 1')
  expect(outcome).toMatchObject({ ok: false, error: { code: 'script_limit' } })
  expect(outcome.fuelLeft).toBeLessThan(0)
  expect(outcome.logs.length).toBeLessThan(10_000)
})

test('what is raised is told by its ends, however large it is', () => {
  const outcome = run('def main(i):\n  raise Exception("\\n" * 3000000 + "x")')
  expect(outcome).toMatchObject({ ok: false })
  expect(JSON.stringify(outcome).length).toBeLessThan(20_000)
})

test('a script that names enums is read in time, whatever its lines are', () => {
  const blanks = `import enum\nclass A:\n  x${' '.repeat(100_000)}y\ndef main(i):\n  return 1`
  expect(run(blanks)).toMatchObject({ ok: false, error: { code: 'script_syntax' } })
  const statements = `import enum\nclass A:\n  x = 1${'; x = 1'.repeat(20_000)}\ndef main(i):\n  return 1`
  expect(['script_limit', undefined]).toContain((run(statements) as { error?: { code: string } }).error?.code)
  const classes = `import enum\n${'class A: pass\n'.repeat(5_000)}def main(i):\n  return 1`
  expect(['script_limit', undefined]).toContain((run(classes) as { error?: { code: string } }).error?.code)
})
