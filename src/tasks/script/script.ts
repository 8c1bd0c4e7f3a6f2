// The `javascript` and `python` tasks: the script's argument in, its end out. Engines are loaded when the first script comes.

import type { Json, JsonObject } from '../../workflow/json.ts'
import { failed } from '../failure.ts'
import type { Findings, PluginCall, TaskPlugin, TaskResult } from '../plugin.ts'
import { limitsOf, type ScriptWith } from '../script-with.ts'
import type { ScriptLimits } from './limits.ts'
import { type ScriptFindings, type ScriptOutcome, syntaxMessage } from './outcome.ts'

/** What a script is called with, as JSON text: in the sandbox it takes several times as much. */
const MAX_ARGUMENT_CHARACTERS = 8 * 1024 * 1024

interface Engine {
  run(code: string, argument: ScriptArgument, limits: ScriptLimits, at: number): ScriptOutcome | Promise<ScriptOutcome>
  check(code: string): ScriptFindings | Promise<ScriptFindings>
}

type ScriptArgument = JsonObject & { input: Json }

const ENGINES = {
  javascript: async (): Promise<Engine> => {
    const { runJavaScript, checkJavaScript } = await import('./javascript-engine.ts')
    return { run: runJavaScript, check: checkJavaScript }
  },
  python: async (): Promise<Engine> => {
    const { runPython, checkPython } = await import('./python-engine.ts')
    return { run: runPython, check: checkPython }
  },
}

export const javascript = pluginOf('javascript')
export const python = pluginOf('python')

function pluginOf(type: keyof typeof ENGINES): TaskPlugin<ScriptWith> {
  return {
    type,
    execute: (call) => oneAtATime(async () => resultOf(await ENGINES[type](), call)),
    check: (config, at) => oneAtATime(async () => findingsOf(await ENGINES[type](), config, at)),
  }
}

async function resultOf(engine: Engine, { config, scope, signal }: PluginCall<ScriptWith>): Promise<TaskResult> {
  if (signal.aborted) return failed('executor_error', 'The attempt was aborted before its turn came')
  const argument: ScriptArgument = {
    ...scope,
    input: config.input === undefined ? (scope.input ?? null) : config.input,
  }
  const length = JSON.stringify(argument).length
  if (length > MAX_ARGUMENT_CHARACTERS) {
    return failed(
      'script_limit',
      `The script is handed ${length} characters of JSON, more than ${MAX_ARGUMENT_CHARACTERS}`,
    )
  }
  const outcome = await engine.run(config.code, argument, limitsOf(config), Date.now())
  const logs = outcome.logs.length === 0 ? {} : { logs: outcome.logs as Json[] }
  if (outcome.ok) return { kind: 'succeeded', output: outcome.output, ...logs }
  return { ...failed(outcome.error.code, outcome.error.message), ...logs }
}

async function findingsOf(engine: Engine, { code }: ScriptWith, at: string): Promise<Findings> {
  const { fault, warnings } = await engine.check(code)
  const path = `${at}/code`
  return {
    faults: fault === null ? [] : [{ path, code: 'script_syntax', message: syntaxMessage(fault) }],
    warnings: warnings.map((warning) => ({ path, ...warning })),
  }
}

let last: Promise<unknown> = Promise.resolve()

/** How long a script waits for the one before: one whose request was cut off by the platform may never end. */
const MAX_WAIT_MS = 30_000

let underWay = 0

/** Scripts of one isolate run one after the other: they share its thread, and its memory is not that of many interpreters. */
function oneAtATime<T>(task: () => Promise<T>): Promise<T> {
  const isFree = underWay++ === 0
  const work = () => task().finally(() => underWay--)
  const mine = isFree ? work() : Promise.race([last, scheduler.wait(MAX_WAIT_MS)]).then(work)
  last = mine.catch(() => {}) // Whoever asked for it is told; the next one runs either way.
  return mine
}
