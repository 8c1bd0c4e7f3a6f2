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
import { AnswerTooLarge, PythonOutput } from './python-output.ts'
import { importsOf, mayDefineMain } from './python-text.ts'

/** Which modules draw random numbers. */
const DRAWS = /random|uuid/

/** For what is ours and runs before the script: enough for all modules at once. */
const PRELUDE_LIMITS = { fuel: 1_000_000_000, memoryBytes: 32 * 1024 * 1024 }

/** The most modules of a script that are not there that it is told of. */
const MAX_MODULE_WARNINGS = 10

/**
 * Calls the script's `main`.
 * @param argument `input` is what `main` is called with; all of it is its second argument, if it takes one
 * @param at what the script's clock shows, ms since the epoch
 */
export function runPython(code: string, argument: { input: Json }, limits: ScriptLimits, at: number): ScriptOutcome {
  const logs = new ScriptLogs()
  // Before the JSON of a result stands one character that says that it is one.
  const output = new PythonOutput(logs, 1 + limits.outputBytes, () => python.charge(FUEL_PER_LOG))
  const onText = (bytes: Uint8Array) => output.write(bytes)
  const python = new MicroPython(limits, at, modulesFor(code), onText, imageOf(preludeFor(code)))
  try {
    const result = resultOf(python, output, code, argument)
    if (!result.ok) output.flush() // What was written last without a newline, often right before the end.
    return { ...result, logs: logs.all(), fuelLeft: python.fuelLeft }
  } catch (error) {
    output.flush()
    const told =
      error instanceof AnswerTooLarge
        ? { code: 'script_limit' as const, message: `The result has more than ${limits.outputBytes} bytes of JSON` }
        : errorOf(error, python)
    return { ok: false, error: told, logs: logs.all(), fuelLeft: python.fuelLeft }
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
    const message = `line ${line}: there is no module ${quoted(module)}; ${listModules(module)}`
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
  output: PythonOutput,
  code: string,
  argument: Json,
): { ok: true; output: Json } | { ok: false; error: ScriptError } {
  // All that begin from one image would draw the same random numbers.
  if (DRAWS.test(code)) python.exec('__import__("urandom").seed()')
  const loaded = python.exec(code)
  if (loaded !== null) return { ok: false, error: errorOfException(loaded) }
  const called = python.exec(`__import__("_host").call(globals(), ${literal(JSON.stringify(argument))})`)
  if (called !== null) return { ok: false, error: errorOfException(called) }
  // Nothing that the script has written before can be taken for its answer, which is written now.
  output.beginAnswer()
  const given = python.exec('__import__("_host").give()')
  if (given !== null) return { ok: false, error: errorOfException(given) }
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
  return { code: 'script_error', message: missing ? `${message}; ${listModules(missing)}` : message }
}

/** The nearest name first, then all. */
function listModules(missing: string): string {
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
function errorOf(error: unknown, { fuelLeft }: MicroPython): ScriptError {
  if (fuelLeft < 0) return { code: 'script_limit', message: LIMIT_MESSAGES.cpu }
  if (error instanceof Forbidden) {
    return { code: 'script_error', message: `The script reached for what no sandbox has (${error.message})` }
  }
  if (error instanceof RangeError) return { code: 'script_limit', message: LIMIT_MESSAGES.stack }
  return { code: 'script_error', message: BROKEN_MESSAGE }
}
