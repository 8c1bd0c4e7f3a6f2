// Runs one script in MicroPython (micropython.ts): calls its `main`, takes its result and what it prints, and says how it ended.

import type { Json } from '../../workflow/json.ts'
import { nearest, quoted } from '../../workflow/nearest.ts'
import { checkLimits, FUEL_PER_LOG, MAX_MESSAGE_CHARACTERS, type ScriptLimits } from './limits.ts'
import { ScriptLogs } from './logs.ts'
import { type Exception, Forbidden, type Image, MicroPython } from './micropython.ts'
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
import { modulesFor, PYTHON_MODULE_NAMES, preludeFor } from './python-modules.ts'
import { importsOf, mayDefineMain } from './python-text.ts'

/** What `_host.py` puts before its answer. */
const ANSWER = 0x1e
const NEWLINE = 0x0a

/** Which modules draw random numbers. */
const DRAWS = /\b(?:random|uuid)\b/

/** For what is ours and runs before the script: enough for all modules at once. */
const PRELUDE_LIMITS = { fuel: 1_000_000_000, memoryBytes: 32 * 1024 * 1024 }

/** The longest line of the script's output that is taken in; the rest of it is dropped. */
const MAX_LINE_BYTES = 64 * 1_024

/** The most modules of a script that are not there that it is told of. */
const MAX_MODULE_WARNINGS = 10

/** The call itself ended, not the script. */
class Ended extends Error {
  readonly error: ScriptError

  constructor(error: ScriptError) {
    super(error.message)
    this.error = error
  }
}

/**
 * Calls the script's `main`.
 * @param argument `input` is what `main` is called with; all of it is its second argument, if it takes one
 * @param at what the script's clock shows, ms since the epoch
 */
export function runPython(code: string, argument: { input: Json }, limits: ScriptLimits, at: number): ScriptOutcome {
  const logs = new ScriptLogs()
  const output = new Output(logs, limits.outputBytes)
  // Ends the call at once where the fuel is used up: below the least that the counter holds it would begin anew from above.
  const charge = (cost: number) => {
    const left = (python.fuel.value as number) - cost
    python.fuel.value = Math.max(left, -1)
    if (left < 0) throw new Ended({ code: 'script_limit', message: LIMIT_MESSAGES.cpu })
  }
  const onText = (bytes: Uint8Array) => {
    charge(bytes.length)
    output.write(bytes, () => charge(FUEL_PER_LOG))
  }
  const python = new MicroPython(limits, at, modulesFor(code), onText, imageOf(preludeFor(code)))
  try {
    const result = resultOf(python, output, code, argument)
    return { ...result, logs: logs.all(), fuelLeft: python.fuel.value as number }
  } catch (error) {
    output.flush()
    return { ok: false, error: errorOf(error, python), logs: logs.all(), fuelLeft: python.fuel.value as number }
  }
}

/** Where the script cannot be read; and what it will end with, as far as its text tells. Nothing of it runs. */
export function checkPython(code: string): ScriptFindings {
  const fault = syntaxFaultIn(code)
  return { fault, warnings: fault === null ? [...mainWarnings(code), ...moduleWarnings(code)] : [] }
}

/** A warning and no fault: a script may make its `main` in a way that its text does not show. */
function mainWarnings(code: string): ScriptFindings['warnings'] {
  if (mayDefineMain(code)) return []
  return [{ code: 'missing_main', message: 'the script defines no `main(input)`, which is what is called' }]
}

/** Warnings and no faults: the line may never be reached. Modules are ours, so that importing them runs nothing of the script. */
function moduleWarnings(code: string): ScriptFindings['warnings'] {
  const unsure = importsOf(code).filter(({ module }) => !PYTHON_MODULE_NAMES.includes(module))
  if (unsure.length === 0) return []
  const python = new MicroPython(PRELUDE_LIMITS, 0, modulesFor(''), () => {}, imageOf(preludeFor('')))
  return unsure.slice(0, MAX_MODULE_WARNINGS).flatMap(({ module, line }): ScriptFindings['warnings'] => {
    if (python.exec(`__import__(${literal(module)})`) === null) return []
    const message = `line ${line}: there is no module ${quoted(module)}; ${whatThereIs(module)}`
    return [{ code: 'missing_module', message }]
  })
}

function syntaxFaultIn(code: string): SyntaxFault | null {
  const python = new MicroPython(checkLimits(code), 0, {}, () => {}, imageOf(preludeFor('')))
  try {
    const thrown = python.exec(`compile(${literal(code)}, "script.py", "exec")`)
    return thrown === null ? null : syntaxFaultOf(thrown)
  } catch (error) {
    return { line: 1, message: errorOf(error, python).code === 'script_limit' ? UNREADABLE_MESSAGE : BROKEN_MESSAGE }
  }
}

/** What preludes left, the latest last: only what they load, nothing of any script. */
const images = new Map<string, Image>()

/** An image is about half a MB; scripts of one isolate name few sets of modules. */
const MAX_IMAGES = 16

/** The interpreter after a prelude. Loading modules takes ten times as long as starting from what that left. */
function imageOf(prelude: string): Image {
  const known = images.get(prelude)
  if (known !== undefined) {
    images.delete(prelude)
    images.set(prelude, known)
    return known
  }
  const python = new MicroPython(PRELUDE_LIMITS, 0, modulesFor(''), () => {})
  const thrown = python.exec(`${prelude}\n__import__("gc").collect()`)
  if (thrown !== null) throw new Error(`the prelude failed: ${thrown.trace}`)
  const image = python.image()
  images.set(prelude, image)
  if (images.size > MAX_IMAGES) images.delete(images.keys().next().value!)
  return image
}

function resultOf(
  python: MicroPython,
  output: Output,
  code: string,
  argument: Json,
): { ok: true; output: Json } | { ok: false; error: ScriptError } {
  // All that begin from one image would draw the same random numbers.
  if (DRAWS.test(code)) python.exec('__import__("urandom").seed()')
  const loaded = python.exec(code)
  if (loaded !== null) return { ok: false, error: errorOfException(loaded) }
  const called = python.exec(`__import__("_host").call(globals(), ${literal(JSON.stringify(argument))})`)
  if (called !== null) return { ok: false, error: errorOfException(called) }
  const answer = output.answer()
  if (answer === null)
    return { ok: false, error: { code: 'script_result', message: 'The result is not text of UTF-8' } }
  if (answer === 'n')
    return { ok: false, error: { code: 'script_error', message: 'The script defines no main(input)' } }
  if (answer.startsWith('r')) return { ok: false, error: { code: 'script_result', message: answer.slice(1) } }
  try {
    return { ok: true, output: JSON.parse(answer.slice(1)) as Json }
  } catch {
    // Only a script that has changed what JSON is written with gets here; what it wrote says nothing.
    return { ok: false, error: { code: 'script_result', message: 'The result is not JSON' } }
  }
}

/** What is written: lines of the script, and at the end the answer. */
class Output {
  readonly #logs: ScriptLogs
  readonly #maxAnswerBytes: number
  #parts: Uint8Array[] = []
  #bytes = 0
  #isAnswer = false

  constructor(logs: ScriptLogs, maxAnswerBytes: number) {
    this.#logs = logs
    this.#maxAnswerBytes = maxAnswerBytes
  }

  /** @param onLine called for each line that is logged */
  write(bytes: Uint8Array, onLine: () => void): void {
    let from = 0
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] !== NEWLINE && bytes[at] !== ANSWER) continue
      this.#take(bytes.subarray(from, at))
      if (bytes[at] === NEWLINE || this.#bytes > 0) {
        onLine()
        this.#log()
      }
      this.#isAnswer = bytes[at] === ANSWER
      from = at + 1
    }
    this.#take(bytes.subarray(from))
  }

  /** What the script wrote last and did not end with a newline. */
  flush(): void {
    if (this.#bytes > 0) this.#log()
  }

  /** @returns null if it is no text */
  answer(): string | null {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(joined(this.#parts))
    } catch {
      return null
    }
  }

  #take(part: Uint8Array): void {
    if (this.#isAnswer && this.#bytes + part.length > this.#maxAnswerBytes + 1) {
      const message = `The result has more than ${this.#maxAnswerBytes} bytes of JSON`
      throw new Ended({ code: 'script_limit', message })
    }
    if (!this.#isAnswer && this.#bytes >= MAX_LINE_BYTES) return
    if (part.length > 0) this.#parts.push(part)
    this.#bytes += part.length
  }

  #log(): void {
    this.#logs.add('info', new TextDecoder().decode(joined(this.#parts)))
    this.#parts = []
    this.#bytes = 0
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** A text as Python spells it: as JSON does. */
function literal(text: string): string {
  return JSON.stringify(text)
}

/** What an exception means. */
function errorOfException({ type, trace }: Exception): ScriptError {
  if (type === 'SyntaxError') {
    return { code: 'script_syntax', message: syntaxMessage(syntaxFaultOf({ type, trace })) }
  }
  if (type === 'MemoryError') return { code: 'script_limit', message: LIMIT_MESSAGES.memory }
  if (type === 'RuntimeError' && trace.trimEnd().endsWith('maximum recursion depth exceeded')) {
    return { code: 'script_limit', message: LIMIT_MESSAGES.stack }
  }
  const missing = type === 'ImportError' && /no module named '([^']*)'\s*$/.exec(trace)?.[1]
  const message = ownTrace(trace)
  return { code: 'script_error', message: missing ? `${message}; ${whatThereIs(missing)}` : message }
}

/** The nearest name first, then all. */
function whatThereIs(missing: string): string {
  const near = nearest(missing, PYTHON_MODULE_NAMES)
  return `there are: ${(near === null ? PYTHON_MODULE_NAMES : [near, ...PYTHON_MODULE_NAMES.filter((name) => name !== near)]).join(', ')}`
}

/** The trace in the script's own lines, repeats said once; how it got to `main` and where it went through modules is left out. */
function ownTrace(trace: string): string {
  const all = trace.trimEnd().split('\n')
  const host = all.findLastIndex((line) => line.startsWith('  File "_host.py"'))
  const lines = all.filter((line, index) => {
    return line.startsWith('  File ') ? index > host && line.startsWith('  File "<') : index === 0 || index > host
  })
  const told: string[] = []
  let repeats = 0
  for (const [index, line] of lines.entries()) {
    const isFrame = line.startsWith('  File ')
    if (isFrame && line === lines[index - 1]) repeats++
    else {
      if (repeats > 0) told.push(`  [Previous line repeated ${repeats} more times]`)
      repeats = 0
      told.push(isFrame ? line.replace('"<stdin>"', '"script.py"') : line)
    }
  }
  const isWithoutFrames = told[1] === undefined || !told[1].startsWith('  File ')
  return (isWithoutFrames ? told.slice(1) : told).join('\n').slice(0, MAX_MESSAGE_CHARACTERS).toWellFormed()
}

function syntaxFaultOf({ trace }: Exception): SyntaxFault {
  const lines = trace.trimEnd().split('\n')
  const line = lines.flatMap((text) => /^ {2}File "(?:script\.py|<stdin>)", line (\d+)/.exec(text)?.[1] ?? []).at(-1)
  return { line: Number(line ?? 1), message: lines.at(-1)!.replace(/^\w+: /, '') }
}

/** What ended the call from outside. */
function errorOf(error: unknown, { fuel }: MicroPython): ScriptError {
  if (error instanceof Ended) return error.error
  if ((fuel.value as number) < 0) return { code: 'script_limit', message: LIMIT_MESSAGES.cpu }
  if (error instanceof Forbidden) {
    return { code: 'script_error', message: `The script reached for what no sandbox has (${error.message})` }
  }
  if (error instanceof RangeError) return { code: 'script_limit', message: LIMIT_MESSAGES.stack }
  return { code: 'script_error', message: BROKEN_MESSAGE }
}
