// The attempts that this instance has under way: sends calls to the executor, hears how they end, aborts them.
// Nothing here is durable. What an instance had under way when it died is found in the history and recorded as interrupted.

import type { TaskCall, TaskResult } from '../src/tasks/plugin.ts'
import type { Fact } from '../src/workflow/advance.ts'
import type { Trial } from '../src/workflow/circuit.ts'
import type { LoadPayload, TaskIndex } from '../src/workflow/event.ts'
import { hasExpressions, renderTemplate } from '../src/workflow/expression.ts'
import type { Json, JsonObject } from '../src/workflow/json.ts'
import type { Run } from '../src/workflow/run.ts'
import { runScope } from '../src/workflow/scope.ts'
import { traceOfAttempt } from '../src/workflow/trace.ts'
import type { Outgoing, OutgoingCall } from './outgoing.ts'

/** The executor gives up this long after the run's deadline: only the Runner declares that the deadline has passed. */
export const BACKSTOP_MS = 1_000

/** The executor as it is reached over RPC; spelt out, since the derived stub types of recursive JSON do not end. */
export interface Executor {
  start(call: TaskCall): AttemptStub
}

interface AttemptStub {
  result(): Promise<TaskResult>
  abort(): Promise<void>
  [Symbol.dispose](): void
}

interface UnderWay {
  token: number
  run: Run
  call: OutgoingCall | null
  abort(): void
}

export class Attempts {
  readonly #executor: Executor
  readonly #outgoing: Pick<Outgoing, 'begin' | 'end' | 'drop'>
  readonly #report: (runId: string, fact: Fact) => void
  readonly #underWay = new Map<string, Map<TaskIndex, UnderWay>>()
  #count = 0

  /**
   * @param outgoing hears of the calls that attempts make
   * @param report called once for each attempt that ends and was not aborted
   */
  constructor(
    executor: Executor,
    outgoing: Pick<Outgoing, 'begin' | 'end' | 'drop'>,
    report: (runId: string, fact: Fact) => void,
  ) {
    this.#executor = executor
    this.#outgoing = outgoing
    this.#report = report
  }

  get count(): number {
    return this.#count
  }

  /** Runs that have an attempt under way here. */
  runs(): IterableIterator<string> {
    return this.#underWay.keys()
  }

  isUnderWay(runId: string, task: TaskIndex, token: number): boolean {
    return this.#underWay.get(runId)?.get(task)?.token === token
  }

  hasRun(runId: string): boolean {
    return this.#underWay.has(runId)
  }

  /**
   * Makes the attempt that the history says has started. The commit that says so holds the call back until it is durable (R3).
   * @param right with which it may call although its circuit is not closed
   */
  start(run: Run, task: TaskIndex, now: number, load: LoadPayload, right: Trial | null = null): void {
    const { token } = run.tasks[task]!
    const definition = run.workflow.definition.tasks[task]!
    const template: Json = definition.with ?? {}
    const rendered = hasExpressions(template)
      ? renderTemplate(template, runScope(run, load))
      : { ok: true as const, value: template }
    if (!rendered.ok) {
      // Nothing that its expressions read has changed since its circuit was asked, so no right is lost here.
      this.#report(run.id, { type: 'AttemptFailed', task, token, error: rendered.error })
      return
    }
    const { trace } = run.options
    const attempt = this.#executor.start({
      type: definition.type,
      with: rendered.value as JsonObject,
      idempotencyKey: idempotencyKey(run, task),
      timeoutMs: attemptLimitMs(run, task, now),
      ...(trace === undefined ? {} : { trace: traceOfAttempt(trace, `${run.id}/${definition.id}/${token}`) }),
    })
    const call = this.#outgoing.begin(run, task, rendered.value, right, now)
    this.#remember(run.id, task, { token, run, call, abort: () => void attempt.abort().catch(() => {}) })
    const runId = run.id
    // Pipelined: the result is asked for before the attempt's stub has arrived, so both take one trip.
    attempt
      .result()
      .then(
        (result) => toFact(task, token, result),
        // The executor itself was cut off (a deploy, a crash of its isolate): the attempt is made again.
        (): Fact => ({ type: 'AttemptInterrupted', task, token }),
      )
      .then((fact) => this.#outgoing.end(run, task, call, fact))
      .then((fact) => {
        attempt[Symbol.dispose]()
        if (this.#forget(runId, task, token)) this.#report(runId, fact)
      })
  }

  /** Stops a task's attempt, if one is under way. What it still reports is not heard. */
  abort(runId: string, task: TaskIndex, why: 'cancelled' | 'timed_out' = 'cancelled'): void {
    const attempt = this.#underWay.get(runId)?.get(task)
    if (attempt === undefined) return
    attempt.abort()
    this.#outgoing.drop(attempt.run, attempt.call, why, Date.now())
    this.#forget(runId, task, attempt.token)
  }

  abortAll(runId: string): void {
    for (const task of [...(this.#underWay.get(runId)?.keys() ?? [])]) this.abort(runId, task)
  }

  #remember(runId: string, task: TaskIndex, attempt: UnderWay): void {
    const attempts = this.#underWay.get(runId)
    if (attempts === undefined) this.#underWay.set(runId, new Map([[task, attempt]]))
    else attempts.set(task, attempt)
    this.#count++
  }

  #forget(runId: string, task: TaskIndex, token: number): boolean {
    const attempts = this.#underWay.get(runId)
    if (attempts?.get(task)?.token !== token) return false
    attempts.delete(task)
    if (attempts.size === 0) this.#underWay.delete(runId)
    this.#count--
    return true
  }
}

/** The same on every attempt of a task, so that the server called can tell a repeat (R6). */
function idempotencyKey({ id, workflow }: Run, task: TaskIndex): string {
  const { undoes } = workflow.plans[task]!
  const { tasks } = workflow.definition
  return undoes === null ? `${id}/${tasks[task]!.id}` : `${id}/${tasks[undoes]!.id}/undo`
}

/** The longest that an attempt which starts now may take, in ms: its own limit, and what the run has left. */
function attemptLimitMs({ workflow, deadlineAt }: Run, task: TaskIndex, now: number): number {
  const own = workflow.plans[task]!.timeoutMs ?? Number.POSITIVE_INFINITY
  // Without a deadline a run compensates, and a compensation always has a limit of its own.
  const left = deadlineAt === null ? Number.POSITIVE_INFINITY : Math.max(1, deadlineAt - now) + BACKSTOP_MS
  return Math.min(own, left)
}

function toFact(task: TaskIndex, token: number, result: TaskResult): Fact {
  switch (result.kind) {
    case 'succeeded':
      return { type: 'AttemptSucceeded', task, token, output: result.output }
    case 'failed':
      return {
        type: 'AttemptFailed',
        task,
        token,
        error: { ...result.error, retryable: result.retryable },
        ...(result.retryAfterMs === undefined ? {} : { retryAfterMs: result.retryAfterMs }),
      }
    case 'timed_out':
      return { type: 'AttemptTimedOut', task, token, error: { ...result.error, retryable: true } }
    default:
      return result satisfies never
  }
}
