// What of Python there is in a `python` task, found by running: which names of CPython's modules and types exist, which syntax is
// understood, where results differ. test/tasks/python-facts.json holds what CPython says (scripts/python-subset.ts asks it).

import { PYTHON_MODULE_NAMES } from '../../src/tasks/script/python-modules.ts'

export interface PythonFacts {
  version: string
  /** Public names of each module. */
  modules: Record<string, string[]>
  /** Methods of each built-in type. */
  types: Record<string, string[]>
  builtins: string[]
  /** What CPython makes of each of DIFFERENCES. */
  results: Record<string, string>
}

export interface ScriptRun {
  ok: boolean
  output?: unknown
  error?: { message: string }
  /** Fuel that it took. */
  fuel: number
}

export type RunScript = (code: string) => ScriptRun

export const TYPES = ['str', 'bytes', 'int', 'float', 'list', 'tuple', 'dict', 'set', 'frozenset']

/** Modules that CPython has too, so that there is something to compare. */
export const COMPARED = PYTHON_MODULE_NAMES.filter((name) => name !== 'urllib' && name !== 'sys' && name !== 'gc')

/** Statements, what they show. */
const SYNTAX: [what: string, code: string][] = [
  ['`match`', 'match 1:\n    case 1: pass'],
  ['`:=`', '(x := 1)'],
  ['f-strings, with formats', 'f"{1.5:>8.2f} {\'a\'!r} {1=}"'],
  ['positional-only parameters', 'def f(a, /, b): pass'],
  ['keyword-only parameters', 'def f(a, *, b=1): pass'],
  ['annotations', 'def f(a: int, *b: str) -> "list[int]":\n    x: int = 1'],
  ['generators, `yield from`', 'def f():\n    yield from [1]'],
  ['comprehensions', '[{a: b} for a, b in [(1, 2)] if a]'],
  ['decorators', '@staticmethod\ndef f(): pass'],
  ['any expression as decorator', '@(lambda f: f)\ndef f(): pass'],
  ['`a, *b = c`', 'a, *b = [1, 2, 3]'],
  ['`f(*a, **b)`', 'print(*[], **{})'],
  ['`[*a, *b]`', '[*[1], 2]'],
  ['`{**a, **b}`', '{**{1: 2}}'],
  ['`a | b` of dicts', '{1: 2} | {3: 4}'],
  ['`nonlocal`', 'def f():\n    x = 1\n    def g():\n        nonlocal x'],
  [
    'several managers in one `with`',
    'class C:\n    def __enter__(s): pass\n    def __exit__(s, *a): pass\nwith C(), C(): pass',
  ],
  [
    '`with` in parentheses',
    'class C:\n    def __enter__(s): pass\n    def __exit__(s, *a): pass\nwith (C(), C()): pass',
  ],
  ['`raise ... from`', 'try:\n    raise ValueError() from KeyError()\nexcept ValueError: pass'],
  ['`except*`', 'try: pass\nexcept* ValueError: pass'],
  ['`metaclass=`, in effect', 'class M(type):\n    def f(c): pass\nclass A(metaclass=M): pass\nA.f()'],
  ['properties', 'class A:\n    @property\n    def x(self): pass'],
  ['descriptors, `__set_name__`', 'class D:\n    def __set_name__(s, o, n): pass\nclass A:\n    d = D()'],
  ['`__init_subclass__`', 'n = []\nclass A:\n    def __init_subclass__(cls): n.append(1)\nclass B(A): pass\nn[0]'],
  ['`list[int]` outside of annotations', 'x = list[int]'],
  ['`int | None` outside of annotations', 'x = int | None'],
  ['attributes of functions', 'def f(): pass\nf.x = 1'],
  ['numbers with `_`', '1_000'],
  ['complex numbers', '1j * 2'],
  ['`async`, `await` within one another', 'async def f(): return 1\nasync def g(): return await f()'],
  ['type statements', 'type X = int'],
  ['`lambda`', 'lambda a, *b, c=1, **d: a'],
]

/** Expressions that may come out differently. */
export const DIFFERENCES = [
  'list({"b": 1, "a": 2, "zz": 3, "c": 4})',
  '"abc"[::-1]',
  '(1, 2, 3)[::2]',
  '[1, 2, 3][::-1]',
  '"é".upper()',
  '"é".isalpha()',
  'int("ff", base=16)',
  '(2.0).is_integer()',
  'dict(__import__("collections").Counter("aab"))',
  'dict(__import__("collections").Counter("aab").items())',
  '__import__("collections").OrderedDict(a=1) == {"a": 1}',
  '__import__("json").loads("[1,]")',
  '{"a": 1}.keys() & {"a"}',
  'list(zip([1], [1, 2], strict=True))',
  'list(reversed({"a": 1}))',
  'f"{__import__(\'datetime\').date(2024, 1, 2):%Y}"',
  'repr(5e-324)',
  'b"".hex()',
  'hash("a") == hash("a")',
  '(lambda: None).__name__',
  'type("A", (), {})().__doc__',
  'round(2.675, 2)',
  '"x".join(map(str, range(3)))',
  'sorted(["b", "a"], key=str.lower, reverse=True)',
  '__import__("re").findall(rb"a", b"aa")',
  '__import__("re").findall(r"(?i)É", "é")',
  '__import__("re").findall(r"\\d", "٣")',
  '__import__("hashlib").sha512(b"a").hexdigest()',
  '__import__("hashlib").sha256(b"a").hexdigest()[:8]',
]

export function differenceCode(expression: string): string {
  return `def main(input):
    try:
        return repr(${expression})
    except Exception as error:
        return type(error).__name__
`
}

/** @returns docs/python.md */
export function subsetDocument(run: RunScript, facts: PythonFacts): string {
  const base = run('def main(input):\n    return 1').fuel
  // `dir` does not tell all.
  const namesIn = (expression: string, names: readonly string[], before = '') => {
    const asked = `def main(input):\n    return [n for n in ${JSON.stringify(names)} if hasattr(${expression}, n)]`
    const { ok, output, error } = run(`${before}\n${asked}`)
    if (!ok) throw new Error(error?.message)
    return new Set(output as string[])
  }
  const modules = COMPARED.map((name) => {
    const theirs = facts.modules[name] ?? []
    const here = namesIn(name, theirs, `import ${name}`)
    const missing = theirs.filter((one) => !here.has(one))
    const load = run(`def main(input):\n    return [__import__("${name}"), 1][1]`).fuel - base
    const there = theirs.filter((one) => here.has(one))
    return `| \`${name}\` | ${there.length} of ${theirs.length} | ${listed(missing, 30)} | ${roundedFuel(load)} |`
  })
  const types = TYPES.map((name) => {
    const theirs = facts.types[name] ?? []
    const here = namesIn(name, theirs, '# title: the methods that are supplied')
    const missing = theirs.filter((one) => !here.has(one))
    return `| \`${name}\` | ${theirs.length - missing.length} of ${theirs.length} | ${listed(missing)} |`
  })
  const exists = `def exists(name):
    try:
        eval(name)
    except NameError:
        return False
    return True
def main(input):
    return [n for n in ${JSON.stringify(facts.builtins)} if exists(n)]`
  const builtins = new Set(run(exists).output as string[])
  const syntax = SYNTAX.map(([what, code]) => {
    const { ok, error } = run(`${code}\ndef main(input):\n    return 1`)
    return `| ${what.replaceAll('|', '\\|')} | ${ok ? 'yes' : `no: ${lastLine(error!.message)}`} |`
  })
  const differences = DIFFERENCES.map((expression) => {
    const { ok, output, error } = run(differenceCode(expression))
    const here = ok ? String(output) : lastLine(error!.message)
    const theirs = facts.results[expression] ?? ''
    return `| ${code(expression)} | ${code(theirs)} | ${here === theirs ? 'the same' : code(here)} |`
  })
  return `# Python in a \`python\` task

A \`python\` task runs MicroPython 1.27, a **subset of Python 3**, with modules of this project beside its own. There is no pip, no
network, no file and no process. This page is made by running (\`node scripts/python-subset.ts\`) and compared with CPython
${facts.version}; a test fails when it is out of date. What is listed as there is tested against CPython on the same programs
(test/tasks/python-programs).

Read first:

- **Dictionaries have no order of insertion**, unlike those of CPython, and no error tells: \`for key in d\`, \`list(d)\`, \`d.items()\`,
  \`json.dumps(d)\`, the keys of \`input\` and those of the result come in any order. Use \`sorted()\`, a list of pairs, or
  \`collections.OrderedDict\` for up to about 1,000 keys (it looks through its keys one by one) where order matters. Sets have none
  either. (\`Counter.most_common\` tells ties apart as CPython does.)
- **Letters are those of ASCII** to \`upper\`, \`lower\`, \`isalpha\` and the like. Regular expressions take others for \`\\w\` by ranges.
- **Strings, tuples and bytes take slices with step 1 only**: write \`"".join(reversed(s))\` for \`s[::-1]\`. Lists take any.
- \`dataclasses\`, \`enum\` and \`typing.NamedTuple\` read the order of a class's names from the script's text: the class must be written
  out in it, and two different classes of one name need different names.
- The clock stands still while a script runs; \`time.sleep\` is refused: put a \`sleep\` task before or after.
- Calls nest ${depthOf(run)} deep (CPython: 1,000); beyond it a script ends as \`script_limit\`. A result nests 150 levels.
- An integer beyond 2**53 in the result is refused (\`script_result\`), as JSON cannot hold it exactly; give it as text.
- Sorting is stable, as in CPython; \`sorted\` and \`list.sort\` are amended for it.

## Modules

"Load" is what loading takes the first time, in units of fuel (100,000 are one millisecond of \`limits.cpu\`). It is paid once for each
set of modules in an isolate and not charged to the script.

| module | names of CPython | missing | load |
| --- | --- | --- | --- |
${modules.join('\n')}

\`sys\`, \`gc\` and \`urllib\` (a package that holds \`urllib.parse\`) are there too. The import of any other module is an \`ImportError\` that lists
these.

## Methods of built-in types

| type | methods of CPython | missing |
| --- | --- | --- |
${types.join('\n')}

Built-in names that are missing: ${listed(facts.builtins.filter((name) => !builtins.has(name)))}.

Exceptions that are another name for a wider one here: \`RecursionError\` (\`RuntimeError\`), \`ModuleNotFoundError\` (\`ImportError\`),
\`UnicodeDecodeError\` and \`UnicodeEncodeError\` (\`UnicodeError\`), \`FileNotFoundError\`, \`PermissionError\`, \`TimeoutError\` and \`ConnectionError\`
(\`OSError\`).

## Syntax

| what | there |
| --- | --- |
${syntax.join('\n')}

## Results that differ, or might be thought to

| expression | CPython | here |
| --- | --- | --- |
${differences.join('\n')}

Further: no class of classes (\`abc\` and \`metaclass=ABCMeta\` are taken, but abstract classes can be instantiated); annotations are not kept
(\`__annotations__\`); members of an enumeration that are strings or integers behave like their values but are not instances to native
functions (\`"".join\`; use \`.value\`); \`json.loads\` accepts some malformed texts (\`[1,]\`, \`01\`) and its errors do not tell the place;
\`re\` has no possessive repeats, no patterns over bytes, and ignores case among ASCII only; \`functools.wraps\` copies nothing, as
functions take no attributes; \`decimal\` and \`fractions\` are not there.
`
}

/** How deep a function can call itself, rounded down. */
function depthOf(run: RunScript): number {
  const call = (depth: number) => run(`def f(n):\n    return n and f(n - 1)\ndef main(input):\n    return f(${depth})`)
  let depth = 10
  while (depth < 1000 && call(depth + 10).ok) depth += 10
  return depth
}

function listed(names: readonly string[], most = Number.POSITIVE_INFINITY): string {
  if (names.length === 0) return 'none'
  const shown = names.slice(0, most).map((name) => `\`${name}\``)
  return `${shown.join(', ')}${names.length > most ? ` and ${names.length - most} more` : ''}`
}

function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``
}

/** Two digits: it changes with every line of a module. */
function roundedFuel(fuel: number): string {
  return Number(fuel.toPrecision(1)).toLocaleString('en')
}

function lastLine(message: string): string {
  return message.split('\n').at(-1)!
}
