// Runs one script in QuickJS, an interpreter compiled to wasm. Each call has an instance of its own: whatever a script does to
// it ends with the call. The sandbox has no network, no timers and no object of the host; what it gets and gives is text.
//
// The bounds are kept by the metered wasm (cpu), by the memory that the instance may grow to, by the engine (stack), and here
// (logs, result). None can be caught inside.

import release from '@jitl/quickjs-wasmfile-release-sync'
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSRuntime,
} from 'quickjs-emscripten-core'
import { isLongerThan } from '../../bytes.ts'
import type { Json } from '../../workflow/json.ts'
import { checkLimits, FUEL_PER_LOG, MAX_MESSAGE_CHARACTERS, type ScriptLimits } from './limits.ts'
import { type LogLevel, ScriptLogs } from './logs.ts'
import {
  BROKEN_MESSAGE,
  LIMIT_MESSAGES,
  type ScriptError,
  type ScriptFindings,
  type ScriptOutcome,
  type SyntaxFault,
  syntaxMessage,
  UNREADABLE_MESSAGE,
} from './outcome.ts'
import PRELUDE from './prelude.qjs'
import wasm from './wasm/quickjs.wasm'

/** As many pages as the metered wasm begins with (scripts/meter-wasm.ts). */
const INITIAL_PAGES = 96
const PAGE_BYTES = 65_536

/** What the interpreter needs of the memory before any script: its code, its stack and its own objects. */
const ENGINE_BYTES = INITIAL_PAGES * PAGE_BYTES

/** At 1 MiB the host's own stack would end first. */
const STACK_BYTES = 256 * 1_024

const SCRIPT_NAME = 'script.js'

/** A module that there never is. */
const NOTHING = 'nothing'

/** A module that runs before the script would, and its mark. */
const LINKED = 'linked'

const NO_DEFAULT =
  'the script has no default export; what is called is its `export default function ({ input }) { ... }`'

interface Engine {
  vm: QuickJSContext
  runtime: QuickJSRuntime
  fuel: WebAssembly.Global
  /** The prelude's function that shows a thrown object as text; null before the prelude has run. */
  showThrown: QuickJSHandle | null
}

/** The script ended otherwise than by its result. */
class Ended extends Error {
  readonly error: ScriptError

  constructor(code: ScriptError['code'], message: string) {
    super(message)
    this.error = { code, message: message.slice(0, MAX_MESSAGE_CHARACTERS).toWellFormed() }
  }
}

/**
 * Calls the script's default function.
 * @param argument what the function is called with
 * @param at what the script's clock shows, ms since the epoch
 */
export async function runJavaScript(
  code: string,
  argument: Json,
  limits: ScriptLimits,
  at: number,
): Promise<ScriptOutcome> {
  const logs = new ScriptLogs()
  const engine = await newEngine(limits)
  const ended = () => ({ logs: logs.all(), fuelLeft: engine.fuel.value as number })
  try {
    return withoutConsole(() => {
      // First the prelude: what the script does to the globals then changes nothing of it.
      const calling = prepareCall(engine, at, logs)
      const output = resultOf(engine, callOf(engine, calling, defaultExport(engine, code), argument), limits)
      return { ok: true, output, ...ended() }
    })
  } catch (error) {
    return { ok: false, error: errorOf(error, engine), ...ended() }
  }
}

/** Where the script cannot be read, imports something, or exports nothing to call; null if it can be called. */
export async function checkJavaScript(code: string): Promise<ScriptFindings> {
  return { fault: await faultOf(code), warnings: [] }
}

/** Nothing of the script runs: it is read as what a module imports whose second import fails, and modules run only once all of them are there. */
async function faultOf(code: string): Promise<SyntaxFault | null> {
  const engine = await newEngine(checkLimits(code))
  const { vm, runtime } = engine
  let missing: string | undefined
  runtime.setModuleLoader((name) => {
    if (name === SCRIPT_NAME) return code
    if (name === LINKED) return `globalThis.${LINKED} = true; throw 0`
    missing ??= name
    return { error: new Error(name) }
  })
  try {
    const { error } = vm.evalCode(`import '${SCRIPT_NAME}'; import '${NOTHING}'`, 'check.js', { type: 'module' })
    const thrown: unknown = error === undefined ? null : thrownIn(engine, error)
    if (isSyntaxError(thrown)) return syntaxFaultOf(thrown)
    if (missing === NOTHING) return hasDefault(engine) ? null : { line: 1, message: NO_DEFAULT }
    return { line: lineOf(code, String(missing)), message: `a script can import nothing, not even "${missing}"` }
  } catch (error) {
    // Whatever else ends it: what cannot be read within its bounds cannot be run either.
    return { line: 1, message: errorOf(error, engine).code === 'script_limit' ? UNREADABLE_MESSAGE : BROKEN_MESSAGE }
  }
}

/** Names are looked up before any module runs; the one that runs first tells that all were found, and lets no other run. */
function hasDefault({ vm }: Engine): boolean {
  vm.evalCode(`import '${LINKED}'; import main from '${SCRIPT_NAME}'`, 'link.js', { type: 'module' })
  return vm.dump(vm.getProp(vm.global, LINKED)) === true
}

/** The first line that has this text in it, from 1. */
function lineOf(code: string, text: string): number {
  return code.slice(0, Math.max(0, code.indexOf(text))).split('\n').length
}

/** Nothing of an engine is ever disposed: it goes with its instance, whatever state a script has left it in. */
async function newEngine(limits: Pick<ScriptLimits, 'fuel' | 'memoryBytes'>): Promise<Engine> {
  let fuel: WebAssembly.Global | undefined
  const variant = newVariant(release, {
    wasmMemory: new WebAssembly.Memory({
      initial: INITIAL_PAGES,
      maximum: Math.max(INITIAL_PAGES, Math.floor(limits.memoryBytes / PAGE_BYTES)),
    }),
    emscriptenModule: {
      instantiateWasm(imports: WebAssembly.Imports, ready: (instance: WebAssembly.Instance) => void) {
        const instance = new WebAssembly.Instance(wasm, imports)
        fuel = instance.exports.__fuel as WebAssembly.Global
        ready(instance)
        return instance.exports
      },
    },
  })
  const quickjs = await newQuickJSWASMModuleFromVariant(variant)
  if (fuel === undefined) throw new Error('the interpreter was not instantiated by its own import')
  const runtime = quickjs.newRuntime()
  runtime.setMemoryLimit(Math.max(PAGE_BYTES, limits.memoryBytes - ENGINE_BYTES))
  runtime.setMaxStackSize(STACK_BYTES)
  runtime.setModuleLoader((name) => ({ error: new Error(`a script can import nothing, not even "${name}"`) }))
  const vm = runtime.newContext()
  fuel.value = limits.fuel
  return { vm, runtime, fuel, showThrown: null }
}

function defaultExport(engine: Engine, code: string): QuickJSHandle {
  const { vm } = engine
  const evaluated = vm.evalCode(code, SCRIPT_NAME, { type: 'module' })
  if (evaluated.error !== undefined) {
    const thrown: unknown = thrownIn(engine, evaluated.error)
    if (isSyntaxError(thrown)) throw new Ended('script_syntax', syntaxMessage(syntaxFaultOf(thrown)))
    throw endOf(thrown)
  }
  return vm.getProp(settledValue(engine, evaluated.value), 'default')
}

/** The engine's library writes to the console what a call back into it ends with; a script that runs out is not worth a line. */
function withoutConsole<T>(work: () => T): T {
  const { error } = console
  console.error = () => {}
  try {
    return work()
  } finally {
    console.error = error
  }
}

/** The prelude's function that calls a script. */
function prepareCall(engine: Engine, at: number, logs: ScriptLogs): QuickJSHandle {
  const { vm, fuel } = engine
  const log = vm.newFunction('log', (level, text) => {
    const line = vm.getString(text)
    // A line may be as long as the memory is large, and is read out whole.
    fuel.value = Math.max((fuel.value as number) - FUEL_PER_LOG - line.length, -1)
    logs.add(vm.getString(level) as LogLevel, line)
  })
  const seed = Array.from(crypto.getRandomValues(new Int32Array(3)), (number) => vm.newNumber(number))
  const prepare = unwrap(engine, vm.evalCode(PRELUDE, 'prelude.js', { type: 'global' }))
  const functions = unwrap(engine, vm.callFunction(prepare, vm.undefined, log, vm.newNumber(at), ...seed))
  engine.showThrown = vm.getProp(functions, 'thrown')
  return vm.getProp(functions, 'call')
}

/** The text that the prelude makes of the result. */
function callOf(engine: Engine, calling: QuickJSHandle, main: QuickJSHandle, argument: Json): QuickJSHandle {
  const { vm } = engine
  const text = vm.newString(JSON.stringify(argument))
  return settledValue(engine, unwrap(engine, vm.callFunction(calling, vm.undefined, main, text)))
}

function resultOf({ vm }: Engine, result: QuickJSHandle, limits: ScriptLimits): Json {
  const tooLarge = () => new Ended('script_limit', `The result has more than ${limits.outputBytes} bytes of JSON`)
  // Before it is copied: in bytes it is no shorter.
  if (vm.getNumber(vm.getProp(result, 'length')) > limits.outputBytes + 1) throw tooLarge()
  const text = vm.getString(result)
  if (text === '!n') throw new Ended('script_error', 'The script has no default export that is a function')
  if (text.startsWith('!r')) throw new Ended('script_result', text.slice(2))
  if (isLongerThan(limits.outputBytes + 1, text)) throw tooLarge()
  try {
    return JSON.parse(text.slice(1)) as Json
  } catch {
    // Only a script that has changed what JSON is written with gets here; what it wrote says nothing.
    throw new Ended('script_result', 'The result is not JSON')
  }
}

/** What a promise has become; nothing from outside can settle it, so what is left waiting would wait for ever. */
function settledValue(engine: Engine, promise: QuickJSHandle): QuickJSHandle {
  const { vm, runtime } = engine
  const jobs = runtime.executePendingJobs()
  if (jobs.error !== undefined) throw endOf(thrownIn(engine, jobs.error))
  const state = vm.getPromiseState(promise)
  switch (state.type) {
    case 'fulfilled':
      return state.value
    case 'rejected':
      throw endOf(thrownIn(engine, state.error))
    case 'pending':
      throw new Ended('script_error', 'The script waits for a promise that nothing will ever settle')
  }
}

function unwrap<T>(engine: Engine, result: { value: T } | { error: QuickJSHandle }): T {
  if ('error' in result && result.error !== undefined) throw endOf(thrownIn(engine, result.error))
  return (result as { value: T }).value
}

interface Thrown {
  name: string
  message: string
  stack?: string
  cause?: unknown
}

/** Longer texts are not taken out of the sandbox: what a script throws may be as large as its memory. */
const MAX_TAKEN = 64 * 1_024

/** How many causes of an error are told, each the cause of the one before. */
const MAX_CAUSES = 4

/** What was thrown, as far as it is needed to tell it: an error's texts and its cause, or a value. */
function thrownIn(engine: Engine, handle: QuickJSHandle, causes = MAX_CAUSES): unknown {
  const { vm } = engine
  const type = vm.typeof(handle)
  if (type === 'string') return textIn(vm, handle)
  if (type === 'function') return new Shown('a function')
  if (type === 'bigint') return shownInside(engine, handle)
  if (type !== 'object' || vm.sameValue(handle, vm.null)) return vm.dump(handle)
  const [name, message, stack] = ['name', 'message', 'stack'].map((key) => textIn(vm, vm.getProp(handle, key)))
  if (name == null || message == null) return shownInside(engine, handle)
  const cause = vm.getProp(handle, 'cause')
  return {
    name,
    message,
    ...(stack == null ? {} : { stack }),
    ...(causes === 0 || vm.sameValue(cause, vm.undefined) ? {} : { cause: thrownIn(engine, cause, causes - 1) }),
  }
}

/** A thrown object that is no error, or a huge number, as the sandbox itself shows it: fields may be functions of the script. */
function shownInside({ vm, showThrown }: Engine, handle: QuickJSHandle): Shown {
  const result = showThrown === null ? null : vm.callFunction(showThrown, vm.undefined, handle)
  const text = result === null || result.error !== undefined ? null : textIn(vm, result.value)
  return new Shown(text ?? 'an object that is no Error')
}

/** A value that is told by this text. */
class Shown {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

/** null if it is no text. */
function textIn(vm: QuickJSContext, handle: QuickJSHandle): string | null {
  if (vm.typeof(handle) !== 'string') return null
  const length = vm.getNumber(vm.getProp(handle, 'length'))
  return length <= MAX_TAKEN ? vm.getString(handle) : `(a text of ${length} characters)`
}

function isThrown(value: unknown): value is Thrown {
  return typeof value === 'object' && value !== null && 'name' in value && 'message' in value
}

function isSyntaxError(thrown: unknown): thrown is Thrown {
  return isThrown(thrown) && thrown.name === 'SyntaxError'
}

/** What was thrown inside, as an end. */
function endOf(thrown: unknown): Ended {
  if (!isThrown(thrown)) return new Ended('script_error', `The script threw ${showValue(thrown)}`)
  const { name, message, stack } = thrown
  if (name === 'InternalError' && message === 'out of memory') return new Ended('script_limit', LIMIT_MESSAGES.memory)
  if (name === 'InternalError' && message === 'stack overflow') return new Ended('script_limit', LIMIT_MESSAGES.stack)
  const own = String(stack ?? '')
    .split('\n')
    .filter((line) => line.includes(SCRIPT_NAME))
  const causes = 'cause' in thrown ? [`Caused by: ${endOf(thrown.cause).error.message}`] : []
  return new Ended('script_error', [`${String(name)}: ${String(message)}`, ...own, ...causes].join('\n'))
}

function showValue(value: unknown): string {
  if (value instanceof Shown) return String(value)
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
}

function syntaxFaultOf(thrown: unknown): SyntaxFault {
  const { message, stack = '' } = isThrown(thrown) ? thrown : { message: showValue(thrown) }
  const [, line = '1', column] = /script\.js:(\d+)(?::(\d+))?/.exec(stack) ?? []
  return { line: Number(line), ...(column === undefined ? {} : { column: Number(column) }), message: String(message) }
}

/** What ended the call from outside: the fuel, the host's own stack, or a fault of the interpreter. */
function errorOf(error: unknown, { fuel }: Engine): ScriptError {
  if (error instanceof Ended) return error.error
  if ((fuel.value as number) < 0) return { code: 'script_limit', message: LIMIT_MESSAGES.cpu }
  if (error instanceof RangeError) return { code: 'script_limit', message: LIMIT_MESSAGES.stack }
  return { code: 'script_error', message: BROKEN_MESSAGE }
}
