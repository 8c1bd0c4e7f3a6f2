import { test } from 'vitest'
import { checkPython, runPython } from '../../src/tasks/script/python-engine.ts'

const limits = { fuel: 1e8, memoryBytes: 32 * 1024 * 1024, outputBytes: 1024 * 1024 }
test('x', () => {
  for (const code of [
    'def main(input):\n  return {"a": input["n"] + 1, "t": (1, 2)}',
    'def main(input, ctx):\n  print("hi", input)\n  print("yo")\n  return [ctx, 0.1 + 0.2]',
    'def main(input, ctx=None):\n  return ctx',
    'x = 1',
    'def main(i):\n  return {"a": [1, {2, 3}]}',
    'def main(i):\n  return 2**53',
    'def main(i):\n  return float("nan")',
    'def main(i):\n  return {1: 2}',
    'def main(i):\n  a = []\n  a.append(a)\n  return a',
    'def f(x):\n  raise ValueError("bad")\ndef main(i):\n  return f(i)',
    'def main(i):\n  return f(i)\ndef f(i): return f(i)',
    'import nope',
    'import js',
    'def main(i):\n  x = 1 +\n',
    'def main(i):\n  while True: pass',
    'def main(i):\n  a = []\n  while True: a.append("x" * 1000)',
    'def main(i):\n  return "x" * 2000000',
    'def main(i):\n  print("\\x1e=1"); return "ü\\u2028"',
    'def main(i):\n  while True: print("spam")',
    'def main(i):\n  return "\\ud800"',
    'import time\ndef main(i):\n  return time.time()',
    'def main(i):\n  exit()',
    'import uctypes\ndef main(i):\n  return str(uctypes.bytes_at(0, 10))',
    'import uctypes\ndef main(i):\n  return str(uctypes.bytearray_at(0, 1<<30)[1<<29])',
    'async def main(i):\n  return 1',
  ]) {
    const at = performance.now()
    const r = runPython(code, { input: { n: 1 } }, limits, Date.UTC(2026, 0, 2))
    console.log(
      code.slice(0, 70),
      '=>',
      JSON.stringify({ ...r, logs: r.logs.length > 5 ? r.logs.length : r.logs }),
      Math.round(performance.now() - at),
    )
  }
  console.log(
    checkPython('def main(i):\n  return 1', limits),
    checkPython('def main(i):\n  x = 1 +\n', limits),
    checkPython('('.repeat(20000), limits),
  )
})
