// What our own modules and amendments promise beyond what CPython does alike (python-programs.test.ts).

import { describe, expect, inject, test } from 'vitest'
import { classesOf } from '../../src/tasks/script/python-classes.ts'
import { runPython } from '../../src/tasks/script/python-engine.ts'
import { PYTHON_MODULE_NAMES } from '../../src/tasks/script/python-modules.ts'
import { type PythonFacts, subsetDocument } from '../support/python-subset.ts'
import facts from './python-facts.json'

const limits = { fuel: 1e9, memoryBytes: 32 * 1024 * 1024, outputBytes: 1024 * 1024 }

function run(code: string, input: null | number = null) {
  return runPython(code, { input }, limits, Date.UTC(2026, 0, 2))
}

function outputOf(code: string) {
  const outcome = run(code)
  return outcome.ok ? outcome.output : outcome.error
}

describe('an import of what is missing', () => {
  test('says what there is, the nearest name first', () => {
    const { message } = outputOf('import statistic\ndef main(i): return 1') as { message: string }
    expect(message).toMatch(
      /^Traceback .*\n {2}File "script.py", line 1, in <module>\nImportError: no module named 'statistic'; there are: statistics, abc, /,
    )
    for (const name of PYTHON_MODULE_NAMES) expect(message).toContain(name)
  })

  test.each(['js', 'jsffi', 'asyncio', 'asyncio.core', 'uctypes', 'select', 'vfs', 'socket', 'numpy'])(
    'of %s fails, however it is made',
    (name) => {
      const direct = outputOf(`import ${name}\ndef main(i): return 1`)
      const dynamic = outputOf(`def main(i):\n  import sys\n  sys.modules.clear()\n  return __import__("${name}")`)
      for (const error of [direct, dynamic]) {
        expect(error).toMatchObject({
          code: 'script_error',
          message: expect.stringMatching(/ImportError: no module named '[\w.]+'; there are: /),
        })
      }
    },
  )

  test('can be caught', () => {
    const code = 'try:\n  import numpy\nexcept ImportError:\n  numpy = None\ndef main(i): return numpy'
    expect(run(code)).toMatchObject({ ok: true, output: null })
  })

  test.each(PYTHON_MODULE_NAMES)('%s is there', (name) => {
    expect(run(`import ${name}\ndef main(i): return 1`)).toMatchObject({ ok: true })
  })
})

test('sleeping is refused with what to do instead', () => {
  expect(outputOf('import time\ndef main(i): time.sleep(1)')).toMatchObject({
    message: expect.stringContaining('task of type sleep'),
  })
})

test('frames of our own modules are left out of a trace', () => {
  const code = 'import functools\ndef main(i):\n  return sorted([1, 2], key=functools.lru_cache(lambda x: 1 / 0))'
  expect(outputOf(code)).toEqual({
    code: 'script_error',
    message:
      'Traceback (most recent call last):\n  File "script.py", line 3, in main\n  File "script.py", line 3, in <lambda>\nZeroDivisionError: divide by zero',
  })
})

describe('calls that begin from one image', () => {
  test('draw different random numbers, also while the script is loaded', () => {
    const code = 'import random, uuid\nx = random.random()\ndef main(i): return [x, random.random(), str(uuid.uuid4())]'
    const drawn = [1, 2, 3].flatMap(() => outputOf(code) as unknown[])
    expect(new Set(drawn).size).toBe(9)
  })

  test('leave nothing to one another', () => {
    const spoil =
      'import builtins, json, re, sys\njson.dumps = re.findall = None\nbuiltins.sorted = builtins.len = None\nre.kept = 1\ndef main(i): return 1'
    const look =
      'import builtins, json, re, sys\ndef main(i): return [json.dumps(len([1])), re.findall("a", "a"), sorted([2, 1]), hasattr(re, "kept")]'
    expect(outputOf(spoil)).toBe(1)
    expect(outputOf(look)).toEqual(['1', ['a'], [1, 2], false])
  })

  test('take the same fuel each time, the first one too', () => {
    const code = `import re, statistics, textwrap\ndef main(i): return re.findall("a+", "aab") # ${Math.random()}`
    const fuel = [1, 2, 3].map(() => run(code).fuelLeft)
    expect(new Set(fuel).size).toBe(1)
    expect(limits.fuel - fuel[0]!).toBeLessThan(100_000)
  })

  test('do the same as one whose modules are loaded on the way', () => {
    const work = 're.sub(r"(\\w)-(\\w)", r"\\2\\1", "a-b c-d")'
    expect(outputOf(`import re\ndef main(i): return ${work}`)).toBe('ba dc')
    expect(outputOf(`def main(i):\n  re = __import__("re")\n  return ${work}`)).toBe('ba dc')
  })
})

describe('results', () => {
  test.each([
    [
      'a namedtuple',
      'from collections import namedtuple\nP = namedtuple("P", "x y")',
      '[P(1, [P(2, 3)])]',
      [[1, [[2, 3]]]],
    ],
    ['an IntEnum', 'from enum import IntEnum\nclass L(IntEnum):\n  A = 1', '{"k": L.A}', { k: 1 }],
    ['a Counter', 'from collections import Counter', 'Counter("aab")', { a: 2, b: 1 }],
    ['a subclass of str', 'class S(str): pass', '[S("x"), 1]', ['x', 1]],
  ])('%s is what JSON has for it', (_, before, value, expected) => {
    expect(outputOf(`${before}\ndef main(i): return ${value}`)).toEqual(expected)
  })

  test.each([
    ['{"a": [1, {2}]}', '/a/1 is of type set, which JSON does not have'],
    ['{"a/b~": {1: 2}}', '/a~1b~0 has the key 1, which is no text'],
    ['[2**53]', '/0 is an integer beyond 2**53, which JSON cannot hold exactly; give it as text'],
    ['float("nan")', 'the result is nan, which JSON does not have'],
    ['[a.append(a) for a in [[]]] and (lambda a: (a.append(a), a)[1])([])', '/0 holds itself'],
  ])('%s is refused', (value, message) => {
    expect(outputOf(`def main(i): return ${value}`)).toEqual({ code: 'script_result', message })
  })
})

describe('classes', () => {
  test('two that look alike in name and in names are told apart by nothing, and it says so', () => {
    const code = `from dataclasses import dataclass
def one():
  @dataclass
  class P:
    x: int
def two():
  @dataclass
  class P:
    x: str
def main(i): one()`
    expect(outputOf(code)).toMatchObject({ message: expect.stringContaining('there are two classes P in the script') })
  })

  test('one that is not in the text is refused', () => {
    const code = 'import dataclasses\ndef main(i): dataclasses.dataclass(type("Q", (), {"x": 1}))'
    expect(outputOf(code)).toMatchObject({ message: expect.stringContaining('the text of class Q was not found') })
  })

  test('their names are read from the text in every form of writing', () => {
    const code = `
class A: pass
class B(Base, metaclass=M): x: int; y = 1
class C(
    Base,  # a comment: with = and class X:
):
    """A doc: string
class Not: in = it
    """
    first: Dict[str, int] = {"a": 1, "b": [
        2]}
    second : 'ClassVar[int]'
    third = fourth = 3
    e, f = 1, 2
    @property
    def method(self, a: int = 1):
        inside: int = 3
        return "x: y"
    if True:
        nested: int = 1
    else:
        pass
    g \\
        : int = 5
    text = 'it\\'s # no: comment'
    r = r"\\"
    h: "a = b" = f"{x}: {y}"
    value[0] = 1
    value.x = 2
    count += 1
    async def run(self): pass
    class Inner:
\t    z: int
    x == y
def f():
    class D:
        d: int
    return D
`
    expect(classesOf(code)).toEqual([
      ['A', []],
      [
        'B',
        [
          ['x', 'int', false],
          ['y', null, true],
        ],
      ],
      [
        'C',
        [
          ['first', 'Dict[str, int]', true],
          ['second', 'ClassVar[int]', false],
          ['third', null, true],
          ['fourth', null, true],
          ['e', null, true],
          ['f', null, true],
          ['method', null, true],
          ['g', 'int', true],
          ['text', null, true],
          ['r', null, true],
          ['h', 'a = b', true],
          ['run', null, true],
          ['Inner', null, true],
        ],
      ],
      ['Inner', [['z', 'int', false]]],
      ['D', [['d', 'int', false]]],
    ])
  })

  test.each([
    '',
    'class',
    'class A',
    'class A:',
    'class A(:\n x',
    '"""',
    "'",
    'class A:\n  x: "',
    '\\',
    '((((',
    '\u0000',
    'class A:\r\n  x: int\r\n',
  ])('text that is no Python gives no error: %j', (code) => {
    expect(classesOf(code).length).toBeLessThan(2)
  })
})

test('docs/python.md is up to date', () => {
  const measured = (code: string) => {
    const outcome = run(code)
    return { ...outcome, fuel: limits.fuel - outcome.fuelLeft }
  }
  expect(subsetDocument(measured, facts as PythonFacts), 'run `node scripts/python-subset.ts`').toBe(
    inject('pythonDocument'),
  )
})
