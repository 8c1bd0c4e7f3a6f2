// The attempts that this instance has under way: sends calls to the executor, hears how they end, aborts them.
// Nothing here is durable. What an instance had under way when it died is found in the history and recorded as interrupted.

import { type Executor, letGo } from '../../src/tasks/executor-rpc.ts'
import type { SendPartial } from '../../src/tasks/partials.ts'
import type { TaskCall, TaskResult } from '../../src/tasks/plugin.ts'
import { TASK_TYPES } from '../../src/tasks/schemas.ts'
import type { PartialOfTask } from '../../src/watch-protocol.ts'
import { taskType } from '../../src/workflow/definition/task-types.ts'
import type { LoadPayload, TaskError, TaskIndex } from '../../src/workflow/event.ts'
import { limitScope, scopeValue } from '../../src/workflow/expression/handed-scope.ts'
import { renderConfig, responseScope } from '../../src/workflow/expression/response-fields.ts'
import { paidLoad, runScope, spotScope } from '../../src/workflow/expression/scope.ts'
import { SecretMarks } from '../../src/workflow/expression/secret-marks.ts'
import type { StepBudget } from '../../src/workflow/expression/step-budget.ts'
import type { JsonObject } from '../../src/workflow/json.ts'
import type { Fact } from '../../src/workflow/run/fact.ts'
import type { Run } from '../../src/workflow/run/run.ts'
import { configOf, planOf, type Spot } from '../../src/workflow/run/spot.ts'
import { triesOf } from '../../src/workflow/run/tries.ts'
import { traceOfAttempt } from '../../src/workflow/trace.ts'
import { logFault } from '../fault-log.ts'
import type { Outgoing, Right } from './outgoing.ts'
import type { Turns } from './turns.ts'

/** The executor gives up this long after the run's deadline: only the Runner declares that the deadline has passed. */
export const BACKSTOP_MS = 1_000

interface UnderWay {
  task: TaskIndex
  /** Stops it; of one that is still to be made, gives back what it holds. */
  abort(why: 'cancelled' | 'timed_out'): void
}

/** The attempts of one instance of a Runner, from their start to their report. */
export class Attempts {
  readonly #executor: Pick<Executor, 'start'>
  readonly #outgoing: Pick<Outgoing, 'begin' | 'end' | 'drop' | 'giveBack'>
  readonly #turns: Turns
  readonly #tenant: () => string
  readonly #report: (runId: string, fact: Fact) => void
  readonly #broken: (runId: string, error: unknown) => void
  readonly #tell: (runId: string, partial: PartialOfTask) => number
  /** Attempts under way, by run and token. */
  readonly #underWay = new Map<string, Map<number, UnderWay>>()
  #count = 0

  /**
   * @param outgoing hears of the calls that attempts make
   * @param turns in which attempts are made
   * @param tenant whose secrets these attempts may be given
   * @param report called once for each attempt that ends and was not aborted
   * @param broken called for an attempt that could not be made because of a bug
   * @param tell passes what attempts have so far to the watchers of the run; nothing of it is kept. Gives how many heard it
   */
  constructor(
    executor: Pick<Executor, 'start'>,
    outgoing: Pick<Outgoing, 'begin' | 'end' | 'drop' | 'giveBack'>,
    turns: Turns,
    tenant: () => string,
    report: (runId: string, fact: Fact) => void,
    broken: (runId: string, error: unknown) => void,
    tell: (runId: string, partial: PartialOfTask) => number,
  ) {
    this.#executor = executor
    this.#outgoing = outgoing
    this.#turns = turns
    this.#tenant = tenant
    this.#report = report
    this.#broken = broken
    this.#tell = tell
  }

  /** How many attempts are under way. */
  get count(): number {
    return this.#count
  }

  /** Runs that have an attempt under way here. */
  runs(): IterableIterator<string> {
    return this.#underWay.keys()
  }

  /** Whether the attempt with this token is under way here. */
  isUnderWay(runId: string, token: number): boolean {
    return this.#underWay.get(runId)?.has(token) === true
  }

  /** Whether the run has an attempt under way here. */
  hasRun(runId: string): boolean {
    return this.#underWay.has(runId)
  }

  /**
   * Makes the attempt that the history says has started, in this turn or, if much else is made in it, in one that follows; from
   * now on it is under way. The commit that says so holds the call back until it is durable (R3).
   * @param load gives what reads payloads in a turn: it remembers what it has read, which is not to be kept until a later one
   * @param right with which it may call although its circuit is not closed
   */
  start(run: Run, spot: Spot, load: () => LoadPayload, right: Right | null = null): void {
    const { token } = triesOf(run, spot)
    this.#remember(run.id, token, { task: spot.task, abort: () => this.#outgoing.giveBack(run, spot, right) })
    this.#turns.do(run.id, (budget) => {
      if (!this.isUnderWay(run.id, token)) return
      try {
        this.#make(run, spot, token, load(), right, budget)
      } catch (error) {
        this.#outgoing.giveBack(run, spot, right)
        this.#forget(run.id, token)
        this.#broken(run.id, error)
      }
    })
  }

  #make(run: Run, spot: Spot, token: number, load: LoadPayload, right: Right | null, budget: StepBudget): void {
    const now = Date.now()
    const tries = triesOf(run, spot)
    const read = paidLoad(load, budget)
    const { id } = run.workflow.definition.tasks[spot.task]!
    const { type, with: template } = configOf(run, spot)
    const marks = new SecretMarks(() => crypto.randomUUID())
    const scope = { ...runScope(run, load, budget), secret: (name: string) => marks.mark(name) }
    const known = taskType(TASK_TYPES, type)
    const fail = (error: TaskError) => {
      this.#outgoing.giveBack(run, spot, right)
      this.#forget(run.id, token)
      this.#report(run.id, { type: 'AttemptFailed', ...spot, token, error })
    }
    const rendered = renderConfig(known, template, spotScope(scope, run, spot, read))
    if (!rendered.ok) {
      fail(rendered.error)
      return
    }
    const takesScope = known?.takesScope === true
    const handed = limitScope(
      (from) => (takesScope ? scopeValue(run, spot, from) : responseScope(run, spot, known, template, from)),
      read,
      takesScope ? 'script_limit' : 'expression_limit',
    )
    if (!handed.ok) {
      fail(handed.error)
      return
    }
    const count = { nth: tries.polls + 1, elapsedMs: now - (tries.startedAt ?? now) }
    const { trace } = run.options
    const limit = attemptLimit(run, spot, now)
    const secrets = marks.asked(this.#tenant)
    const call: TaskCall = {
      type,
      with: rendered.value as JsonObject,
      ...(secrets === null ? {} : { secrets }),
      idempotencyKey: idempotencyKey(run, spot),
      ...(handed.scope === null ? {} : { scope: handed.scope, ...(takesScope ? {} : count) }),
      timeoutMs: limit.ms,
      ...(trace === undefined ? {} : { trace: traceOfAttempt(trace, `${run.id}/${id}/${token}`) }),
    }
    const attempt = taskType(TASK_TYPES, type)?.tellsPartials?.(call.with)
      ? this.#executor.start(call, this.#hearing(run, spot, token))
      : this.#executor.start(call)
    const outgoing = this.#outgoing.begin(run, spot, rendered.value, right?.trial ?? null, now)
    this.#underWay.get(run.id)?.set(token, {
      task: spot.task,
      abort: (why) => {
        void attempt.abort().catch(() => {})
        this.#outgoing.drop(run, outgoing, why, Date.now())
      },
    })
    const runId = run.id
    // An executor that has the attempt and does not answer may have died of it: that counts as a crash does.
    let isReached = false
    void attempt.then(
      () => {
        isReached = true
      },
      () => {},
    )
    // Pipelined: the result is asked for before the attempt's stub has arrived, so both take one trip.
    attempt
      .result()
      .then(
        (result): Fact => toFact(spot, token, result, limit),
        // The executor did not answer, or was itself cut off (a deploy, a crash of its isolate): the attempt is made again.
        // What cannot be sent today cannot be sent tomorrow, though: the platform names the error for it.
        (error: unknown): Fact =>
          error instanceof Error && error.name === 'DataCloneError'
            ? { type: 'AttemptFailed', ...spot, token, error: unsent(run.id, error) }
            : { type: 'AttemptInterrupted', ...spot, token, ...(isReached ? {} : { isUnreached: true as const }) },
      )
      .then((fact) => this.#outgoing.end(run, spot, outgoing, fact))
      .then((fact) => {
        letGo(attempt)
        if (this.#forget(runId, token)) this.#report(runId, fact)
      })
  }

  /** Hears what an attempt has so far, as long as it is under way. */
  #hearing(run: Run, spot: Spot, token: number): SendPartial {
    const about = {
      ...spot,
      task: run.workflow.definition.tasks[spot.task]!.id,
      attempt: triesOf(run, spot).attempts.at(-1)?.number ?? 1,
    }
    return async (partial) => (this.isUnderWay(run.id, token) ? this.#tell(run.id, { ...about, ...partial }) : 0)
  }

  /** Stops what a task has under way: its attempt, or those of its items. What they still report is not heard. */
  abort(runId: string, task: TaskIndex, why: 'cancelled' | 'timed_out' = 'cancelled'): void {
    this.#abort(runId, why, (attempt) => attempt.task === task)
  }

  /** Stops everything that a run has under way, as cancelled. */
  abortAll(runId: string): void {
    this.#abort(runId, 'cancelled', () => true)
  }

  #abort(runId: string, why: 'cancelled' | 'timed_out', isMeant: (attempt: UnderWay) => boolean): void {
    for (const [token, attempt] of [...(this.#underWay.get(runId) ?? [])]) {
      if (!isMeant(attempt)) continue
      attempt.abort(why)
      this.#forget(runId, token)
    }
  }

  #remember(runId: string, token: number, attempt: UnderWay): void {
    const attempts = this.#underWay.get(runId)
    if (attempts === undefined) this.#underWay.set(runId, new Map([[token, attempt]]))
    else attempts.set(token, attempt)
    this.#count++
  }

  #forget(runId: string, token: number): boolean {
    const attempts = this.#underWay.get(runId)
    if (attempts?.delete(token) !== true) return false
    if (attempts.size === 0) this.#underWay.delete(runId)
    this.#count--
    return true
  }
}

/** The Idempotency-Key of a task's calls: every attempt sends the same one, so that the server called can tell a repeat (R6). */
function idempotencyKey({ id, workflow }: Run, { task, item }: Spot): string {
  const { undoes } = workflow.plans[task]!
  const { tasks } = workflow.definition
  if (undoes !== null) return `${id}/${tasks[undoes]!.id}/undo`
  return item === undefined ? `${id}/${tasks[task]!.id}` : `${id}/${tasks[task]!.id}/${item}`
}

/** A call, or its result, is no JSON because of a bug: no attempt would do better. */
function unsent(runId: string, error: Error): TaskError {
  logFault('dispatch', error, runId)
  return { code: 'executor_error', message: 'The attempt could not be handed to what makes it', retryable: false }
}

interface Limit {
  ms: number
  /** Whether the task itself sets it, and not what the run has left. */
  isOwn: boolean
}

/** The longest that an attempt which starts now may take: its own limit, and what the run has left. */
function attemptLimit(run: Run, spot: Spot, now: number): Limit {
  const { deadlineAt } = run
  const own = planOf(run, spot).timeoutMs ?? Number.POSITIVE_INFINITY
  // Without a deadline a run compensates, and a compensation always has a limit of its own.
  const left = deadlineAt === null ? Number.POSITIVE_INFINITY : Math.max(1, deadlineAt - now) + BACKSTOP_MS
  return { ms: Math.min(own, left), isOwn: own <= left }
}

function toFact(spot: Spot, token: number, result: TaskResult, { isOwn }: Limit): Fact {
  const told = {
    ...(result.logs === undefined ? {} : { logs: result.logs }),
    ...(result.usage === undefined ? {} : { usage: result.usage }),
  }
  switch (result.kind) {
    case 'succeeded':
      return { type: 'AttemptSucceeded', ...spot, token, output: result.output, ...told }
    case 'failed':
      return {
        type: 'AttemptFailed',
        ...spot,
        token,
        error: { ...result.error, retryable: result.retryable },
        ...(result.retryAfterMs === undefined ? {} : { retryAfterMs: result.retryAfterMs }),
        ...told,
      }
    case 'snoozed':
      return { type: 'AttemptSnoozed', ...spot, token, afterMs: result.afterMs, ...told }
    case 'timed_out':
      // The run's deadline passes before the backstop does, unless a pause has moved it: then the attempt was cut off by what
      // had counted before, and is made again in the time that the run has now.
      if (!isOwn) return { type: 'AttemptInterrupted', ...spot, token }
      return { type: 'AttemptTimedOut', ...spot, token, error: { ...result.error, retryable: true }, ...told }
    default:
      return result satisfies never
  }
}
