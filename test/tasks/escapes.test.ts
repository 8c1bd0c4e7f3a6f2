// What scripts try to get out of their sandboxes, or to make them do, and what becomes of it. Each attempt returns `ESCAPED` and
// what it got if it works. None may: each is refused, finds nothing, or is stopped. The reasons are printed.

import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { runJavaScript } from '../../src/tasks/script/javascript-engine.ts'
import type { ScriptLimits } from '../../src/tasks/script/limits.ts'
import type { ScriptOutcome } from '../../src/tasks/script/outcome.ts'
import { runPython } from '../../src/tasks/script/python-engine.ts'

const AT = Date.UTC(2026, 0, 2)
const LIMITS: ScriptLimits = { fuel: 2e7, memoryBytes: 16 * 1024 * 1024, outputBytes: 64 * 1024 }

const told: string[] = []
let globalsBefore = 0

beforeAll(() => {
  vi.spyOn(globalThis, 'fetch').mockImplementation(async () => {
    throw new Error('a script has reached the network')
  })
})

beforeEach(() => {
  globalsBefore = Reflect.ownKeys(globalThis).length
})

afterAll(() => console.log(told.join('\n')))

function judge(name: string, outcome: ScriptOutcome): void {
  told.push(
    `${name}: ${outcome.ok ? `found nothing (${JSON.stringify(outcome.output).slice(0, 60)})` : `${outcome.error.code}: ${outcome.error.message.split('\n').at(-1)!.slice(0, 90)}`}`,
  )
  expect(JSON.stringify(outcome)).not.toContain('ESCAPED')
  // Nothing of ours, and no place of the host, is in what the caller sees.
  expect(JSON.stringify(outcome)).not.toMatch(/\.ts\b|node_modules|wasm-function|prelude|_host/)
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  expect(Reflect.ownKeys(globalThis)).toHaveLength(globalsBefore)
  expect(globalThis.fetch).not.toHaveBeenCalled()
}

const found = (what: string) => `return typeof (${what}) === 'undefined' ? 'nothing' : 'ESCAPED'`

const JAVASCRIPT: [name: string, body: string][] = [
  [
    'the global object by Function',
    `const g = Function('return this')(); ${found('g.fetch ?? g.process ?? g.caches ?? g.navigator')}`,
  ],
  [
    'the global object by a constructor',
    `const g = [].constructor.constructor('return this')(); ${found('g.fetch ?? g.Response')}`,
  ],
  [
    'the constructor of async functions',
    `const g = await (async () => {}).constructor('return globalThis')(); ${found('g.fetch ?? g.WebSocket')}`,
  ],
  [
    'the constructor of generators',
    `const g = (function* () {}).constructor('yield globalThis')().next().value; ${found('g.fetch')}`,
  ],
  ['indirect eval', `const g = (0, eval)('this'); ${found('g.process ?? g.Deno ?? g.Bun ?? g.require')}`],
  ['fetch', found('globalThis.fetch')],
  ['WebSocket', found('globalThis.WebSocket ?? globalThis.EventSource ?? globalThis.XMLHttpRequest')],
  ['require', `return require('fs') && 'ESCAPED'`],
  ['process', `return process.env && 'ESCAPED'`],
  ['import of a module of Node', `return (await import('node:fs')) && 'ESCAPED'`],
  ['import of cloudflare:workers', `return (await import('cloudflare:workers')) && 'ESCAPED'`],
  ["import of the interpreter's os", `return (await import('os')) && 'ESCAPED'`],
  ["import of the interpreter's std", `return (await import('std')) && 'ESCAPED'`],
  ['import of an address', `return (await import('https://example.com/x.js')) && 'ESCAPED'`],
  ['import of data', `return (await import('data:text/javascript,export default 1')) && 'ESCAPED'`],
  ['import.meta', `return /ts|work|tmp/.test(String(import.meta.url)) ? 'ESCAPED' : 'nothing'`],
  [
    "the interpreter's own globals",
    found('globalThis.print ?? globalThis.scriptArgs ?? globalThis.loadScript ?? globalThis.bjson'),
  ],
  ['WebAssembly', found('globalThis.WebAssembly')],
  ['timers', found('globalThis.setTimeout ?? globalThis.setInterval ?? globalThis.setImmediate')],
  ['performance', found('globalThis.performance')],
  ['crypto', found('globalThis.crypto')],
  ['workers', found('globalThis.Worker ?? globalThis.MessageChannel ?? globalThis.BroadcastChannel')],
  ['waiting in Atomics', `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000); return 'nothing'`],
  ['what the prelude was given', found('globalThis.log ?? globalThis.random ?? globalThis.now ?? globalThis.__log')],
  ['the constructor of a host function', `const g = console.log.constructor('return this')(); ${found('g.fetch')}`],
  [
    'the constructor of Math.random, which is the host’s',
    `const g = Math.random.constructor('return this')(); ${found('g.fetch ?? g.process')}`,
  ],
  [
    'who called',
    `function f() { return f.caller } ; const c = f(); return c && String(c).includes('argument') ? 'ESCAPED' : 'nothing'`,
  ],
  ['arguments.callee', `return (function () { return arguments.callee.caller })() ? 'ESCAPED' : 'nothing'`],
  [
    'call sites of Error.prepareStackTrace',
    `let got; Error.prepareStackTrace = (_, sites) => { got = sites?.map((s) => s.getThis?.()) }; try { null.x } catch (e) { e.stack } return got?.some((x) => x?.fetch) ? 'ESCAPED' : 'nothing'`,
  ],
  [
    'the real Date behind the frozen one',
    `const Real = Object.getPrototypeOf(Date); return new Real.constructor('return Date.now()')() - Date.now() > 0 ? 'ESCAPED' : 'nothing'`,
  ],
  [
    'the real Date by a prototype',
    `const before = new Date().constructor.now(); for (let i = 0; i < 1e5; i++); return new Date().constructor.now() !== before ? 'ESCAPED' : 'nothing'`,
  ],
  [
    'the real Date by species',
    `class D extends Date {}; const a = +new D(); for (let i = 0; i < 1e5; i++); return +new D() !== a ? 'ESCAPED' : 'nothing'`,
  ],
  [
    'the real Date by Reflect.construct',
    `const a = +Reflect.construct(Date, []); for (let i = 0; i < 1e5; i++); return +Reflect.construct(Date, []) !== a ? 'ESCAPED' : 'nothing'`,
  ],
  [
    'the real Date by a replaced Date',
    `delete globalThis.Date; return typeof Date === 'undefined' ? 'nothing' : 'ESCAPED'`,
  ],
  ['pollution by a result', `return JSON.parse('{"__proto__": {"polluted": 1}}')`],
  ['pollution by a constructor in a result', `return { constructor: { prototype: { polluted: 1 } } }`],
  ['pollution of Object.prototype', `Object.prototype.polluted = 1; return 'nothing'`],
  [
    'a setter on Object.prototype that catches what the host sets',
    `let got; Object.defineProperty(Object.prototype, 'default', { set(v) { got = v }, get() { return 'ESCAPED' } }); return got ?? 'nothing'`,
  ],
  [
    'a replaced Promise.then that catches what the host waits for',
    `const { then } = Promise.prototype; let got; Promise.prototype.then = function (f) { got = f; return then.apply(this, arguments) }; await Promise.resolve(); return /native|argument/.test(String(got)) && got?.constructor('return this')().fetch ? 'ESCAPED' : 'nothing'`,
  ],
  [
    'a replaced Function.prototype.call',
    `let got = []; Function.prototype.call = function (...a) { got.push(this); return this.apply(a[0], a.slice(1)) }; console.log('x'); return got.some((f) => f.constructor('return this')().fetch) ? 'ESCAPED' : 'nothing'`,
  ],
  [
    'a proxy as the result',
    `return new Proxy({}, { ownKeys: () => ['a'], getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }), get: (_, k) => (k === 'toJSON' ? () => globalThis.fetch ?? 'nothing' : 1) })`,
  ],
  ['a getter that answers each time anew', `let n = 0; return { get a() { return n++ === 0 ? 1 : () => 'ESCAPED' } }`],
  ['a toJSON that gives something else', `return new (class { toJSON() { return globalThis.fetch ?? 'nothing' } })()`],
  ['a thenable as the result', `return { then(resolve) { resolve({ then(r) { r('nothing') } }) } }`],
  ['a thenable that never answers', `return { then() {} }`],
  ['an error with a message that is code', `throw { name: 'InternalError', message: { toString() { for (;;); } } }`],
  [
    'an error with a getter',
    `throw { get name() { return 'E' }, get message() { return globalThis.fetch ?? 'nothing' } }`,
  ],
  [
    'an error with a stack of its own',
    `const e = new Error('x'); e.stack = 'at /etc/passwd (script.js:1:1)\\n'.repeat(1e5); throw e`,
  ],
  ['a proxy that is thrown', `throw new Proxy(new Error('x'), { get() { for (;;); } })`],
  ['an error that holds itself', `const e = new Error('x'); e.cause = e; e.name = e; throw e`],
  ['a symbol that is thrown', `throw Symbol('x')`],
  ['a text of 2^30 characters', `return 'x'.repeat(2 ** 30)`],
  ['a text that doubles', `let s = 'x'; for (;;) s += s`],
  ['an array of 2^32 - 1 places', `return new Array(2 ** 32 - 1).fill(0).length`],
  ['a buffer of 2 GiB', `return new ArrayBuffer(2 ** 31).byteLength`],
  ['buffers without end', `const a = []; for (;;) a.push(new Uint8Array(1e6))`],
  ['a number without end', `let n = 2n; for (;;) n *= n`],
  ['a regular expression that explodes', `return /^(\\w+\\s?)*$/.test('word '.repeat(30) + '!')`],
  ['a regular expression with lookaround that explodes', `return /(?=(a+)+$)b/.test('a'.repeat(50))`],
  ['recursion', `const f = () => f() + 1; return f()`],
  ['recursion in a getter', `const o = { get a() { return o.a } }; return o.a`],
  ['recursion by JSON', `const o = { toJSON() { return JSON.stringify(o) } }; return JSON.stringify(o)`],
  ['recursion by a proxy', `const p = new Proxy({}, { get: (t, k, r) => r[k] }); return p.x`],
  ['deep JSON', `return JSON.parse('['.repeat(1e6))`],
  ['a generator without end', `function* g() { for (;;) yield 1 }; return [...g()].length`],
  ['an async generator without end', `async function* g() { for (;;) yield 1 }; for await (const _ of g());`],
  ['promises without end', `const f = () => Promise.resolve().then(f); await f()`],
  ['a loop that finally goes on', `for (;;) { try { return 1 } finally { continue } }`],
  ['a loop that catches everything', `for (;;) { try { for (;;); } catch {} }`],
  [
    'native sorting without end',
    `new Array(1e5).fill(0).sort(() => Math.random() - 0.5); for (;;) new Array(1e5).fill(0).sort()`,
  ],
  [
    'a finaliser',
    `let got = 'nothing'; new FinalizationRegistry(() => { got = 'ESCAPED' }).register({}, 1); for (let i = 0; i < 1e4; i++) ({}); await null; return got`,
  ],
  ['logs without end', `for (;;) console.log('x')`],
  ['one log of 8 MiB', `console.log('x'.repeat(2 ** 23)); return 'nothing'`],
  [
    'a log of an object that answers with code',
    `console.log({ toJSON() { return globalThis.fetch ?? 'nothing' } }, { toString() { for (;;); } }); return 'nothing'`,
  ],
  [
    'with and sloppy code',
    `return Function('with (globalThis) { return typeof fetch }')() === 'function' ? 'ESCAPED' : 'nothing'`,
  ],
  ['debugger', `debugger; return 'nothing'`],
  [
    'what the call before has left',
    `const was = globalThis.kept; globalThis.kept = 'ESCAPED'; return was ?? 'nothing'`,
  ],
]

describe('JavaScript', () => {
  test('at least 60 attempts', () => expect(JAVASCRIPT.length).toBeGreaterThanOrEqual(60))

  test.each(JAVASCRIPT)('gets nowhere by %s, the second time neither', async (name, body) => {
    // Twice: what the first leaves behind must not reach the second.
    for (let call = 0; call < 2; call++) {
      judge(`javascript, ${name}`, await runJavaScript(`export default async () => {\n${body}\n}`, {}, LIMITS, AT))
    }
  })
})

const PYTHON: [name: string, source: string][] = [
  ['the bridge to JavaScript', 'import js\nx = js.globalThis\nreturn "ESCAPED"'],
  [
    'the bridge by another name',
    'import jsffi\nx = jsffi.to_js({"a": 1})\nreturn "ESCAPED" if x.constructor.constructor else ""',
  ],
  ['the bridge by __import__', 'return "ESCAPED" if __import__("js").fetch else ""'],
  [
    'the bridge behind sys.modules',
    'import sys\nsys.modules.pop("js", None)\nimport js\nreturn "ESCAPED" if js.fetch else ""',
  ],
  [
    'the event loop of the host',
    'import asyncio\nasync def f():\n    return 1\nreturn "ESCAPED" if asyncio.run(f()) else ""',
  ],
  ['asyncio.sleep', 'import asyncio\nasyncio.run(asyncio.sleep(5))\nreturn "ESCAPED"'],
  ['a file of the machine', 'return "ESCAPED" if open("/etc/passwd").read() else ""'],
  ['a file by its path', 'return "ESCAPED" if open("../../../etc/passwd").read() else ""'],
  ['writing a file', 'f = open("x.txt", "w")\nf.write("x")\nreturn "ESCAPED"'],
  [
    'writing a module of ours',
    'f = open("_host.py", "w")\nf.write("x")\nf.close()\nreturn "ESCAPED" if open("_host.py").read() == "x" else ""',
  ],
  ['a list of files', 'import os\nreturn "ESCAPED" if os.listdir("/") else ""'],
  [
    'a file system that is mounted',
    'import vfs\nvfs.mount(vfs.VfsPosix("/"), "/m")\nreturn "ESCAPED" if open("/m/etc/passwd").read() else ""',
  ],
  ['removing files', 'import os\nos.remove("_host.py")\nreturn "ESCAPED"'],
  ['os.system', 'import os\nos.system("id")\nreturn "ESCAPED"'],
  ['environment', 'import os\nreturn "ESCAPED" if os.environ else ""'],
  ['getenv', 'import os\nreturn "ESCAPED" if os.getenv("PATH") else ""'],
  ['subprocess', 'import subprocess\nreturn "ESCAPED"'],
  ['socket', 'import socket\nreturn "ESCAPED"'],
  ['urllib.request', 'import urllib.request\nreturn "ESCAPED"'],
  ['ctypes', 'import ctypes\nreturn "ESCAPED"'],
  ['threads', 'import _thread\nreturn "ESCAPED"'],
  ['pickle', 'import pickle\nreturn "ESCAPED"'],
  ['machine', 'import machine\nreturn "ESCAPED"'],
  [
    'memory that is the interpreter’s',
    'from _patch import uctypes\nb = uctypes.bytearray_at(1024, 1 << 20)\nfor i in range(len(b)):\n    b[i] = 0\nreturn "survived"',
  ],
  ['memory beyond the end', 'from _patch import uctypes\nreturn uctypes.bytearray_at(0, 1 << 31)[(1 << 31) - 1]'],
  ['machine code', '@micropython.native\ndef f():\n    return 1\nreturn "ESCAPED" if f() == 2 else "nothing"'],
  [
    'viper',
    'import micropython\nexec("@micropython.viper\\ndef f():\\n    p = ptr8(0)\\n    return p[0]\\nx = f()")\nreturn "nothing"',
  ],
  ['assembler', 'exec("@micropython.asm_thumb\\ndef f():\\n    nop()")\nreturn "ESCAPED"'],
  ['heap that is locked', 'import micropython\nmicropython.heap_lock()\nreturn [1, 2]'],
  ['exit', 'import sys\nsys.exit(0)'],
  ['SystemExit', 'raise SystemExit("ESCAPE" "D" if False else "bye")'],
  ['KeyboardInterrupt', 'raise KeyboardInterrupt()'],
  ['standard input', 'import sys\nreturn "ESCAPED" if sys.stdin.read(1) else "nothing"'],
  ['input()', 'return "ESCAPED" if input() else "nothing"'],
  ['a forged answer', 'print("\\x1e=" + "\\"forged\\"", end="")\nraise ValueError("after")'],
  ['a forged answer by sys.stdout', 'import sys\nsys.stdout.write("\\x1e=1")\nreturn {"mine": True}'],
  [
    'bytes that are no text as a log',
    'import sys\nsys.stdout.buffer.write(b"\\xff\\xfe\\n") if hasattr(sys.stdout, "buffer") else None\nreturn "nothing"',
  ],
  [
    'the builtins of the host module',
    'import builtins\nbuiltins.len = lambda x: 0\nbuiltins.isinstance = lambda *a: True\nreturn {1, 2}',
  ],
  ['a replaced print', 'import builtins\nbuiltins.print = lambda *a, **k: None\nreturn 1'],
  ['a replaced json', 'import json\njson.dumps = lambda x: "{"\nreturn 1'],
  ['subclasses of object', 'return "ESCAPED" if [c for c in object.__subclasses__() if "Popen" in str(c)] else ""'],
  ['bases of a tuple', 'return "ESCAPED" if ().__class__.__bases__[0].__subclasses__() else ""'],
  [
    'globals of a function',
    'def f(): pass\nreturn "ESCAPED" if f.__globals__["__builtins__"]["open"]("/etc/passwd") else ""',
  ],
  ['a format gadget', 'return "ESCAPED" if "{0.__class__.__init__.__globals__}".format(ValueError()) else ""'],
  ['eval', 'return "ESCAPED" if eval("__import__(\'js\').fetch") else ""'],
  ['exec of compiled code', 'exec(compile("import js\\njs.fetch(\'http://x\')", "x", "exec"))\nreturn "ESCAPED"'],
  [
    'the clock',
    'import time\na = time.time(), time.time_ns(), time.ticks_us()\nfor i in range(100000):\n    pass\nreturn "ESCAPED" if (time.time(), time.time_ns(), time.ticks_us()) != a else "nothing"',
  ],
  [
    'the clock by datetime',
    'import datetime\na = datetime.datetime.now()\nfor i in range(100000):\n    pass\nreturn "ESCAPED" if datetime.datetime.now() != a else "nothing"',
  ],
  ['sleep', 'import time\ntime.sleep(10)\nreturn "nothing"'],
  ['a loop', 'while True:\n    pass'],
  [
    'a loop that catches everything',
    'while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass',
  ],
  ['native search without end', 's = "a" * 1000000\nwhile True:\n    s.find("b")'],
  ['native sorting without end', 'a = list(range(10000))\nwhile True:\n    a.sort(key=lambda x: -x)'],
  ['a number without end', 'return len(str(7 ** 10 ** 7))'],
  ['a regular expression that explodes', 'import re\nreturn bool(re.match("(a+)+$", "a" * 40 + "b"))'],
  ['a text of 1 GB', 'return len("x" * 10 ** 9)'],
  ['a text that doubles', 's = "x"\nwhile True:\n    s += s'],
  ['a bytearray of 1 GiB', 'return len(bytearray(1 << 30))'],
  ['a list without end', 'a = []\nwhile True:\n    a.append([0] * 1000)'],
  ['memory without a collector', 'import gc\ngc.disable()\na = None\nwhile True:\n    a = [a] * 10'],
  ['recursion', 'def f():\n    return f()\nreturn f()'],
  ['recursion in repr', 'class A:\n    def __repr__(self):\n        return repr(self)\nreturn repr(A())'],
  ['a result that holds itself', 'a = {}\na["a"] = a\nreturn a'],
  ['deep JSON', 'import json\nreturn json.loads("[" * 1000000)'],
  ['a deep literal', 'return eval("(" * 20000)'],
  ['a generator without end', 'def g():\n    while True:\n        yield 1\nreturn list(g())'],
  ['a generator that yields for ever from itself', 'def g():\n    yield from g()\nreturn list(g())'],
  [
    'a finaliser',
    'import gc\nclass A:\n    def __del__(self):\n        while True:\n            pass\nA()\ngc.collect()\nreturn "nothing"',
  ],
  [
    'packed data that unpacks without end',
    'import deflate, io\nd = deflate.DeflateIO(io.BytesIO(b"\\x4b" * 100000))\nreturn len(d.read())',
  ],
  ['logs without end', 'while True:\n    print("x")'],
  ['one log of 2 MB', 'print("x" * 2000000)\nreturn "nothing"'],
  ['keys of a crafted object', 'return {"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}'],
  [
    'what the call before has left',
    'import sys\nwas = getattr(sys.modules["__main__"], "kept", None) if "__main__" in sys.modules else None\nimport builtins\nwas = was or getattr(builtins, "kept", None)\nbuiltins.kept = "ESCAPED"\nreturn was or "nothing"',
  ],
]

describe('Python', () => {
  test('at least 60 attempts', () => expect(PYTHON.length).toBeGreaterThanOrEqual(60))

  test.each(PYTHON)('gets nowhere by %s, the second time neither', (name, source) => {
    const code = `def main(input):\n${source.replace(/^/gm, '    ')}`
    for (let call = 0; call < 2; call++) judge(`python, ${name}`, runPython(code, { input: null }, LIMITS, AT))
  })
})

// Each works on megabytes by one step of the interpreter. Unless that is paid for by the byte, 10 ms of cpu last many seconds.
const MUCH_AT_ONCE: [name: string, body: string][] = [
  ['filling', 'const a = new Uint8Array(16e6); for (;;) a.fill(1)'],
  ['copying within an array', 'const a = new Uint8Array(16e6); for (;;) a.copyWithin(1, 0)'],
  ['slices of an array of bytes', 'const a = new Uint8Array(8e6); for (;;) a.slice(1)'],
  ['slices of a buffer', 'const a = new ArrayBuffer(8e6); for (;;) a.slice(1)'],
  ['setting one array into another', 'const a = new Uint8Array(8e6), b = a.slice(); for (;;) a.set(b)'],
  ['new arrays of zeros', 'for (;;) new Uint8Array(16e6)'],
]

test.each(MUCH_AT_ONCE)('%s for ever ends about when its cpu does', async (_, body) => {
  const limits = { ...LIMITS, fuel: 1e6, memoryBytes: 64 * 1024 * 1024 }
  const from = Date.now()
  const outcome = await runJavaScript(`export default () => { ${body} }`, {}, limits, AT)
  expect(outcome).toMatchObject({ ok: false, error: { message: expect.stringContaining('used up its cpu') } })
  expect(Date.now() - from).toBeLessThan(2_000)
})

// Most of what Python does with much memory looks at it step by step, which costs enough; these do not.
test.each([
  ['a bytearray that is written over', 'a = bytearray(4000000)\nb = bytes(4000000)', 'a[:] = b'],
  ['a list that is written over', 'a = [1] * 1000000\nb = a[:]', 'a[:] = b'],
  ['a bytearray that is moved', 'a = bytearray(4000000)', 'a[0:3999999] = memoryview(a)[1:]'],
])('%s (Python) costs by its bytes', (_, prepare, work) => {
  const used = (times: number) => {
    const body = `${prepare}\nfor i in range(${times}):\n    ${work}`.replace(/^/gm, '    ')
    const limits = { ...LIMITS, fuel: 1e8, memoryBytes: 64 * 1024 * 1024 }
    const outcome = runPython(`def main(input):\n${body}`, { input: null }, limits, AT)
    expect(outcome).toMatchObject({ ok: true })
    return limits.fuel - outcome.fuelLeft
  }
  const bytes = 4_000_000
  expect((used(11) - used(1)) / 10).toBeGreaterThan(bytes / 64 - 10)
})

// What the host does on a script's behalf is paid for too.
test.each([
  ['random numbers', 'javascript', 'for (;;) Math.random()'],
  ['logs of nothing', 'javascript', 'for (;;) console.log()'],
  ['seeds of the host', 'python', 'import urandom\nwhile True:\n    urandom.seed()'],
  ['writing by single bytes', 'python', 'import sys\nwhile True:\n    sys.stdout.write("x")'],
  [
    'writing by single bytes after what looks like an answer',
    'python',
    'print("\\x1e", end="")\nwhile True:\n    print("x", end="")',
  ],
  [
    'looking for files',
    'python',
    'import os\nwhile True:\n    try:\n        os.stat("re.py")\n    except OSError:\n        pass',
  ],
  ['opening files', 'python', 'while True:\n    try:\n        open("re.py")\n    except OSError:\n        pass'],
  [
    'imports of nothing',
    'python',
    'while True:\n    try:\n        import nothing\n    except ImportError:\n        pass',
  ],
  ['exceptions', 'python', 'while True:\n    try:\n        int("x")\n    except ValueError:\n        pass'],
] as const)('%s for ever (%s) end about when the cpu does', async (_, language, source) => {
  const limits = { ...LIMITS, fuel: 1e7 }
  const from = Date.now()
  const outcome =
    language === 'javascript'
      ? await runJavaScript(`export default () => { ${source} }`, {}, limits, AT)
      : runPython(`def main(input):\n${source.replace(/^/gm, '    ')}`, { input: null }, limits, AT)
  expect(outcome).toMatchObject({ ok: false, error: { message: expect.stringContaining('used up its cpu') } })
  expect(Date.now() - from).toBeLessThan(2_000)
})

test('a Python script has no files, not even those of the modules that it may import', () => {
  const refused = runPython(
    'def main(input):\n    import re\n    return open("re.py").read()',
    { input: null },
    LIMITS,
    AT,
  )
  expect(refused).toMatchObject({ ok: false, error: { message: expect.stringContaining('EACCES') } })
  // What it looks for first it can read; so few at once that they weigh nothing.
  const body =
    'import os\nfiles = []\ntry:\n    while True:\n        os.stat("re.py")\n        files.append(open("re.py"))\nexcept OSError as error:\n    return [len(files), error.errno]'
  const opened = runPython(`def main(input):\n${body.replace(/^/gm, '    ')}`, { input: null }, LIMITS, AT)
  expect(opened).toMatchObject({ ok: true, output: [16, 24] })
})
