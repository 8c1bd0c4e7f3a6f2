// The JavaScript engine: what a script can do, how it ends, and that each bound holds.

import { describe, expect, test } from 'vitest'
import { checkJavaScript, runJavaScript } from '../../src/tasks/script/javascript-engine.ts'
import type { ScriptLimits } from '../../src/tasks/script/limits.ts'
import type { Json } from '../../src/workflow/json.ts'

const MEBIBYTE = 1024 * 1024
const AT = Date.UTC(2026, 0, 2, 3, 4, 5)
const LIMITS: ScriptLimits = { fuel: 1e8, memoryBytes: 32 * MEBIBYTE, outputBytes: MEBIBYTE }

const run = (code: string, argument: Json = {}, limits: Partial<ScriptLimits> = {}) =>
  runJavaScript(code, argument, { ...LIMITS, ...limits }, AT)

/** The result of an expression. */
async function resultOf(expression: string, argument: Json = {}) {
  const outcome = await run(`export default (argument) => ${expression}`, argument)
  return outcome.ok ? outcome.output : outcome.error
}

/** What a whole script ends with, its result or its error. */
async function endOf(code: string, limits: Partial<ScriptLimits> = {}) {
  const outcome = await run(code, {}, limits)
  return outcome.ok ? outcome.output : outcome.error
}

describe('values', () => {
  test('pass in and out unchanged', async () => {
    const value = {
      text: 'é\u2028\u{1F600}\u0000"\\',
      numbers: [0, -1, 0.1, 1e-7, 5e-324, 1.7976931348623157e308, 2 ** 53 - 1, -(2 ** 53 - 1)],
      nested: [[[{}]], [], null, true, false],
      __proto__: null,
    }
    expect(await resultOf('argument', value)).toEqual(value)
    const crafted = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":2}}') as Json
    expect(JSON.stringify(await resultOf('argument', crafted))).toBe(JSON.stringify(crafted))
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })

  test('undefined is null, and fields of it are left out; what has a JSON form of its own has that', async () => {
    expect(await resultOf('undefined')).toBeNull()
    expect(await resultOf('({ a: undefined, b: 1, d: new Date() })')).toEqual({ b: 1, d: '2026-01-02T03:04:05.000Z' })
  })

  test.each([
    ['NaN', 'the result is NaN, which JSON does not have'],
    ['({ a: [1, -Infinity] })', '/a/1 is -Infinity, which JSON does not have'],
    ['2 ** 53', 'the result is an integer beyond 2**53, which a number cannot hold exactly; give it as text'],
    ['[-(2 ** 53)]', '/0 is an integer beyond 2**53, which a number cannot hold exactly; give it as text'],
    ['({ id: 1e20 })', '/id is an integer beyond 2**53, which a number cannot hold exactly; give it as text'],
    ['({ x: { toJSON: () => ({ a: [NaN] }) } })', '/x/a/0 is NaN, which JSON does not have'],
    ['new (class { toJSON() { return { n: 1n } } })()', '/n is a bigint, which JSON does not have'],
    ['[new (class { toJSON() { return new Map() } })()]', '/0 is a Map, which JSON does not have'],
    ['({ x: new (class { toJSON() {} })() })', '/x is undefined, which JSON does not have'],
    [
      '({ d: new Date(NaN) , e: { toJSON: () => 2 ** 60 } })',
      '/e is an integer beyond 2**53, which a number cannot hold exactly; give it as text',
    ],
    ['({ "\\ud800": 1 })', 'the result has a key with half a character (a lone surrogate)'],
    ['1n', 'the result is a bigint, which JSON does not have'],
    ['[undefined]', '/0 is undefined, which JSON does not have'],
    ['({ "a/b~c": () => 1 })', '/a~1b~0c is a function, which JSON does not have'],
    ['new Map()', 'the result is a Map, which JSON does not have'],
    ['({ s: Symbol() })', '/s is a symbol, which JSON does not have'],
    ['({ [Symbol()]: 1 })', 'the result has a symbol as a key'],
    ['"\\ud800"', 'the result is text with half a character (a lone surrogate)'],
    ['(() => { const a = []; a.push(a); return a })()', '/0 holds itself'],
    [
      '(() => { let a = []; for (let i = 0; i < 1000; i++) a = [a]; return a })()',
      'the result is nested deeper than 500 levels',
    ],
  ])('%s is no result, and the message has its place', async (expression, message) => {
    expect(await resultOf(expression)).toEqual({ code: 'script_result', message })
  })

  test('a result that the script makes look like something else is its own, and no more', async () => {
    expect(await endOf('JSON.stringify = () => "{"; export default () => ({ a: 1 })')).toEqual({ a: 1 })
  })

  test.each([
    [
      'String.prototype.isWellFormed = () => true; String.prototype.replaceAll = () => ""',
      '["\\ud800"]',
      { code: 'script_result', message: '/0 is text with half a character (a lone surrogate)' },
    ],
    ['Array.prototype.includes = () => true; Array.prototype[Symbol.iterator] = null', '[1, [2]]', [1, [2]]],
    ['Number.isFinite = Number.isSafeInteger = () => true', '[NaN]', { code: 'script_result' }],
    [
      'Object.prototype.toJSON = function () { return this }; Array.prototype.toJSON = () => "\\ud800"',
      '({ a: 1 })',
      { a: 1 },
    ],
    [
      'Array.prototype.toJSON = () => ({ a: NaN })',
      '[1]',
      { code: 'script_result', message: '/a is NaN, which JSON does not have' },
    ],
    ['Object.defineProperty(Array.prototype, 0, { set() {} })', '[1, 2].map((n) => n)', [1, 2]],
    ['let n = 0', '({ get a() { return n++ === 0 ? "x" : "\\ud800" } })', { a: 'x' }],
    ['let n = 0', 'new Proxy([1], { get: (a, key) => (key === "0" && n++ > 0 ? NaN : a[key]) })', [1]],
    [
      '',
      '({ n: 1e21, m: -1e300, i: 2 ** 53 - 1, s: "9007199254740993" })',
      { n: 1e21, m: -1e300, i: 2 ** 53 - 1, s: '9007199254740993' },
    ],
    ['', 'Object.fromEntries([["toJSON", 1], ["__proto__", [2]]])', JSON.parse('{"toJSON":1,"__proto__":[2]}')],
  ])('%s; the result %s is what was looked at', async (before, result, expected) => {
    const end = await endOf(`${before}\nexport default () => (${result})`)
    if (typeof expected === 'object' && 'code' in expected) expect(end).toMatchObject(expected)
    else expect(JSON.stringify(end)).toBe(JSON.stringify(expected))
  })
})

describe('the language', () => {
  test('is ES2023, with promises that settle by themselves', async () => {
    const code = `
      class Order { #total = 0; add(n) { this.#total += n; return this } get total() { return this.#total } }
      const later = async (n) => { await null; return n }
      export default async ({ input }) => {
        const order = new Order()
        for await (const n of input.map(later)) order.add(n)
        const [first, ...others] = input
        return { total: order.total, last: input.at(-1), sorted: input.toSorted((a, b) => b - a), first, others,
          named: /(?<year>\\d{4})/u.exec('in 2026').groups.year, all: await Promise.all(input.map(later)) }
      }`
    const outcome = await run(code, { input: [3, 1, 2] })
    expect(outcome).toMatchObject({
      ok: true,
      output: { total: 6, last: 2, sorted: [3, 2, 1], first: 3, others: [1, 2], named: '2026', all: [3, 1, 2] },
    })
  })

  test('has a clock that stands at the moment of the call, and random numbers that differ', async () => {
    const clock =
      '[Date.now(), +new Date(), Date(), new Date(0).toISOString(), new Date(2020, 1, 1).constructor === Date]'
    expect(await resultOf(clock)).toEqual([AT, AT, expect.stringContaining('2026'), '1970-01-01T00:00:00.000Z', true])
    expect(await resultOf('Math.random()')).not.toBe(await resultOf('Math.random()'))
  })

  test('draws random numbers evenly from 0 to 1, with all the bits that a number has', async () => {
    const drawn = (await resultOf('Array.from({ length: 20_000 }, () => Math.random())')) as number[]
    const tenths = Array.from({ length: 10 }, (_, tenth) => drawn.filter((n) => Math.floor(n * 10) === tenth).length)
    // Of 2,000 in each, six standard deviations.
    for (const count of tenths) expect(Math.abs(count - 2_000)).toBeLessThan(6 * Math.sqrt(1_800))
    expect(new Set(drawn).size).toBe(drawn.length)
    expect(drawn.some((n) => !Number.isInteger(n * 2 ** 40))).toBe(true)
    expect(await resultOf('[typeof Math.random, Math.random.name, "prototype" in Math.random]')).toEqual([
      'function',
      'random',
      false,
    ])
  })

  test('keeps nothing from one call to the next', async () => {
    expect(await endOf('globalThis.kept = 1; Array.prototype.kept = 1; export default () => kept')).toBe(1)
    expect(await resultOf('[typeof kept, [].kept === undefined]')).toEqual(['undefined', true])
  })
})

describe('an end that is no result', () => {
  test.each([
    ['throw new TypeError("no\\nway")', 'TypeError: no\nway\n    at default (script.js:2:22)'],
    ['throw "text"', 'The script threw text'],
    ['throw { a: 1, b: [true, null] }', 'The script threw {"a":1,"b":[true,null]}'],
    ['throw { get a() { throw 1 } }', 'The script threw an object that cannot be shown'],
    ['throw { toJSON() { throw 1 }, toString() { throw 2 } }', 'The script threw an object that cannot be shown'],
    ['throw new Map([[1, 2]])', 'The script threw {}'],
    ['throw { code: "E1", message: "no name" }', 'The script threw {"code":"E1","message":"no name"}'],
    ['throw null', 'The script threw null'],
    ['throw 5n', 'The script threw 5n'],
    ['await Promise.reject(5n)', 'The script threw 5n'],
    ['throw [5n]', 'The script threw an object that cannot be shown'],
    ['throw 7n ** 90_000n', 'The script threw (a text of 76060 characters)'],
    ['throw Object.assign(new Error("x"), { stack: "", cause: 5n })', 'Error: x\nCaused by: The script threw 5n'],
    [
      'throw new Error("outer", { cause: new TypeError("inner", { cause: { code: 7 } }) })',
      /^Error: outer\n {4}at default \(script\.js:2:\d+\)\nCaused by: TypeError: inner\n {4}at default \(script\.js:2:\d+\)\nCaused by: The script threw \{"code":7\}$/,
    ],
    [
      'const e = new Error("round"); e.cause = e; throw e',
      /^Error: round(\n {4}at .*\n?(Caused by: Error: round)?){5}$/,
    ],
    ['await new Promise(() => {})', 'The script waits for a promise that nothing will ever settle'],
    ['await Promise.reject(new Error("late"))', /^Error: late\n {4}at default \(script\.js:2:\d+\)$/],
    ['await import("fs")', /^Error: a script can import nothing, not even "fs"/],
    ['missing()', /^ReferenceError: 'missing' is not defined\n {4}at default \(script\.js:2:\d+\)$/],
  ])('of %s is told in words', async (body, message) => {
    const error = await endOf(`export default async () => {\n  ${body}\n}`)
    expect(error).toEqual({
      code: 'script_error',
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    })
  })

  test.each([
    'const a = []; let b = a; for (let i = 0; i < 25; i++) b = [b, b]; throw b',
    'const e = new Error("x"); e.stack = "\\n".repeat(1e6); throw e',
    'throw "x".repeat(5e6)',
    'throw () => 1',
    'throw { text: "x".repeat(5e6) }',
  ])('of a size that need not be taken out: %s', async (body) => {
    const outcome = await run(`export default () => { ${body} }`)
    expect(outcome).toMatchObject({ ok: false, error: { code: 'script_error' } })
    expect(JSON.stringify(outcome).length).toBeLessThan(10_000)
  })

  test('a trace has the lines of the script alone, and is bounded', async () => {
    const error = await endOf('export default () => { throw new Error("x".repeat(100_000)) }')
    expect((error as { message: string }).message.length).toBeLessThanOrEqual(4_096)
  })

  test.each(['export const main = () => 1', 'export default 5', ''])(
    'without a function to call (%j)',
    async (code) => {
      const message = 'The script has no default export that is a function'
      expect(await endOf(code)).toEqual({ code: 'script_error', message })
    },
  )
})

describe('a bound', () => {
  test.each([
    'for (;;);',
    'while (true) try { for (;;); } catch {} finally { continue }',
    'for (;;) await null',
    'const s = "a".repeat(1e6); for (;;) s.indexOf("b")',
    '/(a+)+$/.test("a".repeat(40) + "b")',
    '(7n ** (10n ** 6n)) ** 10n',
    'new Array(1e6).fill(0).map((_, i) => -i).sort(() => { for (;;); })',
    'const f = async () => f(); await f()',
    'function* g() { for (;;) yield 1 }; for (const _ of g());',
    'for (;;) console.log("spam")',
    'JSON.parse("[".repeat(1e5) + "]".repeat(1e5)); for (;;);',
    'const o = { get a() { for (;;); } }; return o',
    'return new (class { toJSON() { for (;;); } })()',
    'throw { get name() { for (;;); }, get message() { return 1 } }',
  ])('of cpu ends %s', async (body) => {
    const code = `export default async () => {\n  ${body}\n}`
    expect(await endOf(code, { fuel: 5e6 })).toMatchObject({ code: 'script_limit' })
  })

  test('of cpu is the same each time', async () => {
    const code = 'export default () => { let n = 0; for (let i = 0; i < 1000; i++) n += i; return n }'
    const first = await run(code)
    expect((await run(code)).fuelLeft).toBe(first.fuelLeft)
  })

  test.each([
    'const a = []; for (;;) a.push(new Array(1_000).fill(1))',
    'new ArrayBuffer(1e9)',
    'const a = []; for (;;) try { for (;;) a.push("x".repeat(1e6) + a.length) } catch { throw new Error("caught") }',
  ])('of memory ends %s', async (body) => {
    const error = await endOf(`export default () => { ${body} }`, { fuel: 1e9 })
    expect(error).toMatchObject({ code: expect.stringMatching(/^script_(limit|error)$/) })
  })

  test('of the stack ends what calls itself for ever', async () => {
    const error = { code: 'script_limit', message: 'The script calls itself too deeply' }
    expect(await endOf('export default function f() { return f() + 1 }')).toEqual(error)
    expect(await endOf('export default () => JSON.parse("[".repeat(1e6))')).toMatchObject({
      code: expect.any(String),
    })
  })

  test('of the result ends one that is too large, in bytes', async () => {
    const code = 'export default () => "é".repeat(600_000)'
    expect(await endOf(code)).toEqual({
      code: 'script_limit',
      message: 'The result has more than 1048576 bytes of JSON',
    })
    expect(await endOf('export default () => "x".repeat(9)', { outputBytes: 11 })).toBe('x'.repeat(9))
    expect(await endOf('export default () => "x".repeat(10)', { outputBytes: 11 })).toMatchObject({
      code: 'script_limit',
    })
  })

  test('of the logs keeps the first and the last', async () => {
    const { logs } = await run(
      'export default () => { for (let i = 0; i < 4000; i++) console.log("line", i) }',
      {},
      { fuel: 1e9 },
    )
    expect(logs[0]).toEqual({ level: 'info', text: 'line 0' })
    expect(logs.at(-1)).toEqual({ level: 'info', text: 'line 3999' })
    const omitted = logs.flatMap((entry) => ('omitted' in entry ? [entry.omitted] : []))
    expect(omitted).toEqual([4000 - (logs.length - 1)])
    expect(JSON.stringify(logs).length).toBeLessThan(200_000)
  })
})

describe('reading a script', () => {
  test.each<[string, object | null]>([
    ['export default () => 1', null],
    ['throw 1; for (;;); export { f as default }; function f() {}', null],
    [
      'throw 1; for (;;);',
      { line: 1, message: expect.stringMatching(/^the script has no default export; what is called/) },
    ],
    ['export const main = () => 1', { line: 1, message: expect.stringContaining('no default export') }],
    ['', { line: 1, message: expect.stringContaining('no default export') }],
    ['export default await (async () => 1)()', null],
    ['export default () => {\n  let x = ;\n}', { line: 2, column: 11, message: "unexpected token in expression: ';'" }],
    ['\n\nimport fs from "fs"', { line: 3, message: 'a script can import nothing, not even "fs"' }],
    ['export * from "./other.js"', { line: 1, message: 'a script can import nothing, not even "other.js"' }],
  ])('%j', async (code, fault) => {
    expect(await checkJavaScript(code)).toEqual({ fault, warnings: [] })
  })

  test('of a size that would take for ever ends by its fuel', async () => {
    expect(await checkJavaScript('('.repeat(200_000))).toMatchObject({ fault: { line: 1 } })
  })
})
