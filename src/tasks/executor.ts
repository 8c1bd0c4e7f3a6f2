// The entrypoint that runs tasks: finds the plugin, bounds its time and its output, classifies every ending.
// It remembers nothing and decides nothing: retries, circuits and history are the Runner's. Nothing throws across RPC.
// Reached over `ctx.exports`, so that it can be deployed as a Worker of its own.

import { RpcTarget, WorkerEntrypoint } from 'cloudflare:workers'
import type { z } from 'zod'
import { isLongerThan, utf8Length } from '../bytes.ts'
import type { Env } from '../env.ts'
import { vaultOf } from '../objects.ts'
import type { Fault } from '../workflow/codes.ts'
import { checkShape } from '../workflow/faults.ts'
import { isDeeper, MAX_OUTPUT_BYTES, MAX_OUTPUT_DEPTH } from '../workflow/run/output-bounds.ts'
import { spanText } from '../workflow/wording.ts'
import { egressFault } from './egress.ts'
import type { RefusedOrigin, TaskToCheck } from './executor-rpc.ts'
import { failed } from './failure.ts'
import { grpc } from './grpc/grpc.ts'
import { http } from './http/http.ts'
import { Partials, type SendPartial } from './partials.ts'
import type { Findings, PluginSurroundings, TaskCall, TaskPlugin, TaskResult } from './plugin.ts'
import { type BuiltTaskType, TASK_TYPES } from './schemas.ts'
import { javascript, python } from './script/script.ts'
import { type Opened, type Vaults, withSecrets } from './secrets/secrets.ts'

/** The plugin of each type that is built; its `with` is checked against the type's schema before it sees it. */
const PLUGINS: { [T in BuiltTaskType]: TaskPlugin<z.output<(typeof TASK_TYPES)[T]['with']['rendered']>> } = {
  http,
  javascript,
  python,
  grpc,
  // Its readers are loaded when the first question comes.
  inference: {
    type: 'inference',
    execute: async (...call) => (await import('./inference/inference.ts')).inference.execute(...call),
  },
}

/** The listener of the caller, as RPC hands it over. It is disposed of with the call unless `dup` keeps it. */
type PartialStub = SendPartial & Disposable & { dup(): PartialStub }

/** Above this setTimeout fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** The entrypoint that Runners and the API call; its methods are described in executor-rpc.ts. */
export class TaskExecutor extends WorkerEntrypoint<Env> {
  /**
   * Starts one attempt at once, whether or not anybody asks for its result.
   * `start(call).result()` is one trip: calls on a promise are pipelined.
   * @param partial hears what the attempt has so far, of types that can tell
   */
  start(call: TaskCall, partial?: PartialStub): Attempt {
    return new Attempt(call, surroundingsOf(this.env), vaultsOf(this.env), partial?.dup())
  }

  /**
   * What is wrong with configurations of tasks that only their plugins can see, such as the syntax of a script. Their schemas
   * have been checked, and they hold no expression where a plugin looks.
   * @returns faults and warnings in the order given
   */
  async check(tasks: readonly TaskToCheck[]): Promise<Findings> {
    const findings: Findings = { faults: [], warnings: [] }
    for (const { type, with: config, at } of tasks) {
      const found = isBuilt(type) ? await (PLUGINS[type] as TaskPlugin<unknown>).check?.(config, at) : undefined
      findings.faults.push(...(found?.faults ?? []))
      findings.warnings.push(...(found?.warnings ?? []))
    }
    return findings
  }

  /** Which of these origins the egress policy refuses, and why. No call is made. */
  async refused(origins: readonly string[]): Promise<RefusedOrigin[]> {
    const { egressAllow } = surroundingsOf(this.env)
    return origins.flatMap((origin) => {
      const url = URL.parse(origin)
      const why = url === null ? null : egressFault(url, egressAllow)
      return why === null ? [] : [{ origin, why }]
    })
  }
}

/** An attempt that has begun. It ends by its plugin, by its time or by `abort`, whichever is first; the rest is dropped. */
export class Attempt extends RpcTarget {
  readonly #controller = new AbortController()
  readonly #ending = Promise.withResolvers<TaskResult>()

  constructor(call: TaskCall, surroundings: PluginSurroundings, vaults: Vaults, partial?: PartialStub) {
    super()
    const timer = setTimeout(() => this.#stop(timeoutResult(call)), Math.min(call.timeoutMs, MAX_TIMER_MS))
    void endingOf(call, this.#controller.signal, surroundings, vaults, partial).then((result) => {
      clearTimeout(timer)
      this.#ending.resolve(result)
      partial?.[Symbol.dispose]()
    })
  }

  /** How the attempt ended. Every call gives the same result, and none throws. */
  result(): Promise<TaskResult> {
    return this.#ending.promise
  }

  /** Ends the attempt with `executor_error`. Does nothing if it has ended already. */
  abort(): void {
    this.#stop(ABORTED)
  }

  #stop(result: TaskResult): void {
    // First the result: what the plugin makes of the signal comes too late then.
    this.#ending.resolve(result)
    this.#controller.abort()
  }
}

/** The end of an attempt that its Runner gave up. It must not be made again, although `executor_error` is retryable in the table. */
const ABORTED: TaskResult = {
  kind: 'failed',
  error: { code: 'executor_error', message: 'The attempt was aborted' },
  retryable: false,
}

function timeoutResult({ timeoutMs }: TaskCall): TaskResult {
  return {
    kind: 'timed_out',
    error: { code: 'timeout', message: `The attempt took longer than ${spanText(timeoutMs)}` },
  }
}

/** The one place that calls a plugin. Never rejects. */
async function endingOf(
  call: TaskCall,
  signal: AbortSignal,
  surroundings: PluginSurroundings,
  vaults: Vaults,
  hears?: SendPartial,
): Promise<TaskResult> {
  let partials: Partials | null = null
  try {
    if (!isBuilt(call.type)) return failed('executor_error', `This release has no task type "${call.type}"`)
    const { type, idempotencyKey, nth = 1, elapsedMs = 0, timeoutMs, trace, scope = {} } = call
    const prepared = await withSecrets(call, vaults)
    if (!prepared.ok) return prepared.end
    const checked = checkShape(TASK_TYPES[type].with.rendered, prepared.with, { at: '/with' })
    if (!checked.ok) return prepared.hide(failed('invalid_with', describeFaults(checked.faults)))
    const { holdsSecret } = prepared
    const attempt = { config: checked.value, scope, idempotencyKey, nth, elapsedMs, timeoutMs, signal }
    partials = hears === undefined ? null : new Partials(hears, prepared.mask)
    const result = await (PLUGINS[type] as TaskPlugin<unknown>).execute(
      {
        ...attempt,
        ...(holdsSecret === undefined ? {} : { holdsSecret }),
        ...(trace === undefined ? {} : { trace }),
        ...(partials === null ? {} : { partial: partials }),
      },
      surroundings,
    )
    // Bounded first: what is looked through for secrets is no larger than an output may be, and masks only make it smaller.
    return prepared.hide({ ...boundOutput(result), ...(result.usage === undefined ? {} : { usage: result.usage }) })
  } catch (error) {
    // A bug of a plugin. The log gets its name and place; its message may quote what was sent.
    const at = error instanceof Error ? error.stack?.replace(error.message, '') : undefined
    console.error(JSON.stringify({ event: 'executor_error', type: call.type, task: call.idempotencyKey, at }))
    return failed('executor_error', `The ${call.type} task broke down`)
  } finally {
    partials?.end()
  }
}

function surroundingsOf({ EGRESS_ALLOW = '', AI }: Env): PluginSurroundings {
  return { egressAllow: EGRESS_ALLOW, ...(AI === undefined ? {} : { ai: AI }) }
}

function vaultsOf(env: Env): Vaults {
  // The type of the stub is spelt out: through those of RPC the compiler does not end.
  return { open: (tenant, names) => vaultOf(env, tenant).open(names) as Promise<Opened> }
}

function isBuilt(type: string): type is BuiltTaskType {
  return Object.hasOwn(PLUGINS, type)
}

/** At most 20 faults, each with its JSON Pointer. Their texts name fields and what is expected, never what was given. */
function describeFaults(faults: readonly Fault[]): string {
  const texts = faults.slice(0, 20).map(({ path, message }) => `${path} ${message}`)
  if (faults.length > 20) texts.push(`and ${faults.length - 20} more`)
  return texts.join('; ')
}

function boundOutput(result: TaskResult): TaskResult {
  if (result.kind !== 'succeeded') return result
  if (isDeeper(result.output, MAX_OUTPUT_DEPTH)) {
    return failed('output_too_large', `The output is nested deeper than ${MAX_OUTPUT_DEPTH} levels`)
  }
  const text = JSON.stringify(result.output)
  if (!isLongerThan(MAX_OUTPUT_BYTES, text)) return result
  return failed('output_too_large', `The output has ${utf8Length(text)} bytes of JSON, more than ${MAX_OUTPUT_BYTES}`)
}
