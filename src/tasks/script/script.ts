// The `javascript` and `python` tasks: the script's argument in, its end out. Engines are loaded when the first script comes.

import type { Json, JsonObject } from '../../workflow/json.ts'
import { failed } from '../failure.ts'
import type { Findings, PluginCall, TaskPlugin, TaskResult } from '../plugin.ts'
import { limitsOf, type ScriptWith } from '../with/script-with.ts'
import type { ScriptLimits } from './limits.ts'
import { type ScriptFindings, type ScriptOutcome, syntaxMessage } from './outcome.ts'
import { TooMuchWaits, Turns } from './turns.ts'

/** What a script is called with, as JSON text: in the sandbox it takes several times as much. */
const MAX_ARGUMENT_CHARACTERS = 8 * 1024 * 1024

/** How much the code and arguments of waiting scripts may be together, in characters of JSON: as objects they take several times as much. */
const MAX_WAITING_CHARACTERS = 16 * 1024 * 1024

/** How long a script waits while nothing moves: one whose request was cut off by the platform may never end. */
const MAX_QUIET_MS = 30_000

/** What is told to a script that is refused for all that waits: a script may take 10 s, most take milliseconds. */
const BUSY_RETRY_MS = 1_000

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

/** Scripts of one isolate run one after the other: they share its thread, and its memory is not that of many interpreters. */
const turns = new Turns(MAX_QUIET_MS, MAX_WAITING_CHARACTERS)

/** The plugin of `javascript` tasks. */
export const javascript = pluginOf('javascript')
/** The plugin of `python` tasks. */
export const python = pluginOf('python')

function pluginOf(type: keyof typeof ENGINES): TaskPlugin<ScriptWith> {
  return {
    type,
    execute: (call) => execute(ENGINES[type], call),
    // What a definition holds has a bound of its own, and is held by its request anyway.
    check: (config, at) => turns.take(0, async () => findingsOf(await ENGINES[type](), config, at)),
  }
}

async function execute(
  engine: () => Promise<Engine>,
  { config, scope, signal }: PluginCall<ScriptWith>,
): Promise<TaskResult> {
  const argument: ScriptArgument = {
    ...scope,
    input: config.input === undefined ? (scope.input ?? null) : config.input,
  }
  const { length } = JSON.stringify(argument)
  if (length > MAX_ARGUMENT_CHARACTERS) {
    return failed(
      'script_limit',
      `The script is handed ${length} characters of JSON, more than ${MAX_ARGUMENT_CHARACTERS}`,
    )
  }
  try {
    const run = async () => {
      if (signal.aborted) return failed('executor_error', 'The attempt was aborted before its turn came')
      return resultOf(await engine(), config, argument)
    }
    return await turns.take(config.code.length + length, run, signal)
  } catch (error) {
    if (!(error instanceof TooMuchWaits)) throw error
    const message = `Scripts with ${MAX_WAITING_CHARACTERS} characters of code and input wait for their turn already`
    return { ...failed('executor_busy', message), retryAfterMs: BUSY_RETRY_MS }
  }
}

async function resultOf(engine: Engine, config: ScriptWith, argument: ScriptArgument): Promise<TaskResult> {
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
