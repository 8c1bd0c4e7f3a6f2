// What every task type must do, whatever it calls: the conformance suite that a new plugin has to pass.
// It goes through the entrypoint, so that RPC, the schema and the executor's own bounds are part of what is tested.

import { exports } from 'cloudflare:workers'
import { describe, expect, test, vi } from 'vitest'
import { type AttemptStub, executorOf, letGo } from '../../src/tasks/executor-rpc.ts'
import type { TaskCall, TaskResult } from '../../src/tasks/plugin.ts'
import { CODES } from '../../src/workflow/codes.ts'
import type { Json, JsonObject } from '../../src/workflow/json.ts'

/** A world made ready for one attempt, and the `with` of the task that is to meet it. */
interface Scene {
  with: JsonObject
}

/** What a task type is held to. Each function arranges its own world. */
export interface PluginCases {
  /** The task succeeds with this output. */
  success(): Scene & { output: Json }
  /** The world refuses, in a way that is worth another attempt, and in one that is not. */
  refusals(): (Scene & { arrange(): void; code: string; retryable: boolean })[]
  /** The output would be larger than one may be. */
  flood(): Scene
  /** Of a type that calls nobody: null. */
  calls: CallingCases | null
  /** A `with` that the schema refuses, and the JSON Pointers of all its faults. */
  faulty: { with: JsonObject; pointers: string[] }
}

/** What a type is held to that calls out. */
export interface CallingCases {
  /** The world never answers; `isReached` once the plugin waits for it, `isLeft` once the plugin has let go. */
  silence(): Scene & { isReached(): boolean; isLeft(): boolean }
  /** The world succeeds and tells the headers of the calls that it got. */
  heard(): Scene & { headers(): Headers[] }
  /** The same of a task that says these headers itself; null where none can. */
  saying: ((own: Record<string, string>) => Scene) | null
  /** The world breaks the plugin itself: it throws. */
  breakdown(): Scene
  /** A text that the scenes of refusals keep where no message may show it: a header, a query, a body sent. */
  secret: string
}

/** Starts an attempt through the entrypoint, over RPC. */
export function start(
  call: Partial<TaskCall> & Pick<TaskCall, 'with'>,
): Pick<AttemptStub, 'result' | 'abort'> & Disposable {
  const whole: TaskCall = { type: 'http', idempotencyKey: 'run_1/task', timeoutMs: 10_000, ...call }
  const attempt = executorOf(exports).start(whole)
  return { result: () => attempt.result(), abort: () => attempt.abort(), [Symbol.dispose]: () => letGo(attempt) }
}

export async function attempt(call: Partial<TaskCall> & Pick<TaskCall, 'with'>): Promise<TaskResult> {
  using started = start(call)
  return await started.result()
}

export function describePlugin(type: string, cases: PluginCases): void {
  const run = (scene: Scene, call: Partial<TaskCall> = {}) => attempt({ type, with: scene.with, ...call })

  describe(`the contract of task types: ${type}`, () => {
    test('reports success with plain JSON', async () => {
      const scene = cases.success()
      const result = await run(scene)
      expect(result).toEqual({ kind: 'succeeded', output: scene.output })
      expect(JSON.parse(JSON.stringify(result))).toEqual(result)
    })

    test('classifies each refusal by a code of the table, and tells whether another attempt is worth it', async () => {
      for (const { arrange, code, retryable, with: config } of cases.refusals()) {
        arrange()
        const result = await run({ with: config })
        expect(result).toMatchObject({ kind: 'failed', error: { code }, retryable })
        expect(code in CODES || /^http_\d{3}$/.test(code)).toBe(true)
      }
    })

    test('bounds its output', async () => {
      const result = await run(cases.flood())
      expect(result.kind).toBe('failed')
      const code = result.kind === 'failed' ? result.error.code : ''
      expect(['output_too_large', 'response_too_large', 'script_limit']).toContain(code)
    })

    test('refuses a `with` that its schema refuses, and lists every fault', async () => {
      const result = await run(cases.faulty)
      expect(result).toMatchObject({ kind: 'failed', error: { code: 'invalid_with' }, retryable: false })
      for (const pointer of cases.faulty.pointers) {
        expect(result).toMatchObject({ error: { message: expect.stringContaining(`/with${pointer} `) } })
      }
    })

    test('never throws across RPC, whatever `with` is', async () => {
      for (const config of [null, [], 'text', 7, {}, { with: {} }]) {
        const result = await run({ with: config as unknown as JsonObject })
        expect(result).toMatchObject({ kind: 'failed', error: { code: 'invalid_with' } })
      }
    })
  })

  if (cases.calls !== null) describeCalls(type, cases, cases.calls)
}

const TRACE = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=1' }

/** Of these headers those that every call carries. */
function carried(headers: Headers): Record<string, string> {
  const names = ['idempotency-key', 'traceparent', 'tracestate', 'user-agent']
  return Object.fromEntries(names.flatMap((name) => (headers.has(name) ? [[name, headers.get(name)!]] : [])))
}

function describeCalls(type: string, cases: PluginCases, calls: CallingCases): void {
  const run = (scene: Scene, call: Partial<TaskCall> = {}) => attempt({ type, with: scene.with, ...call })

  describe(`the contract of task types that call out: ${type}`, () => {
    test('says nothing in a message that could be a secret, and keeps it short', async () => {
      for (const { arrange, with: config } of cases.refusals()) {
        arrange()
        expect(JSON.stringify(config)).toContain(calls.secret)
        const result = await run({ with: config })
        const message = result.kind === 'failed' ? result.error.message : ''
        expect(message).not.toBe('')
        expect(message).not.toContain(calls.secret)
        expect(message.length).toBeLessThan(1_000)
      }
    })

    test('stops when it is aborted, and lets go of what it called', async () => {
      const scene = calls.silence()
      using started = start({ type, with: scene.with, timeoutMs: 60_000 })
      const result = started.result()
      await vi.waitFor(() => expect(scene.isReached()).toBe(true))
      await started.abort()
      expect(await result).toMatchObject({ kind: 'failed', error: { code: 'executor_error' }, retryable: false })
      await vi.waitFor(() => expect(scene.isLeft()).toBe(true))
    })

    test('times out, and lets go of what it called', async () => {
      const scene = calls.silence()
      const result = await run(scene, { timeoutMs: 30 })
      expect(result).toMatchObject({ kind: 'timed_out', error: { code: 'timeout' } })
      await vi.waitFor(() => expect(scene.isLeft()).toBe(true))
    })

    test('hands the idempotency key on, the same on every attempt (R6)', async () => {
      const scene = calls.heard()
      await run(scene, { idempotencyKey: 'run_7/pay' })
      await run(scene, { idempotencyKey: 'run_7/pay' })
      expect(scene.headers().map((headers) => headers.get('idempotency-key'))).toEqual(['run_7/pay', 'run_7/pay'])
    })

    test('hands the trace on, and says who calls', async () => {
      const scene = calls.heard()
      await run(scene, { trace: TRACE })
      await run(scene, { trace: { traceparent: TRACE.traceparent } })
      await run(scene)
      expect(scene.headers().map(carried)).toEqual([
        { 'idempotency-key': 'run_1/task', ...TRACE, 'user-agent': 'edge-orchestrator' },
        { 'idempotency-key': 'run_1/task', traceparent: TRACE.traceparent, 'user-agent': 'edge-orchestrator' },
        { 'idempotency-key': 'run_1/task', 'user-agent': 'edge-orchestrator' },
      ])
    })

    test.runIf(calls.saying !== null)('replaces nothing of this that the task says itself', async () => {
      const scene = calls.heard()
      const own = { 'idempotency-key': 'mine', traceparent: 'of mine', 'user-agent': 'me' }
      await run(calls.saying!(own), { trace: TRACE })
      expect(scene.headers().map(carried)).toEqual([own])
    })

    test('ends with executor_error when it breaks down, and shows no stack', async () => {
      const log = vi.spyOn(console, 'error').mockImplementation(() => {})
      const result = await run(calls.breakdown())
      expect(result).toMatchObject({ kind: 'failed', error: { code: 'executor_error' }, retryable: true })
      expect(JSON.stringify(result)).not.toMatch(/\.ts|\bat \w+/)
      expect(log).toHaveBeenCalledOnce()
    })
  })
}
