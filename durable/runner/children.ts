// Runs that are tasks of other runs, or items of their maps, on the shard of their parent: starts them, tells the parent how they end.
// Two commits of one turn are on disk together, so a child's end and its parent's report are one; a start may have to wait for
// a lease, so a crash can come in between: the id of a child follows from its parent, and recovery starts what is missing.

import { isLongerThan, utf8Length } from '../../src/bytes.ts'
import type { Fault, TaskCode } from '../../src/workflow/codes.ts'
import {
  type ChildEnd,
  childCall,
  endOfChild,
  MAX_DEPTH,
  parentOf,
  versionName,
} from '../../src/workflow/decide/child.ts'
import type { WorkflowRef } from '../../src/workflow/definition/workflow-ref.ts'
import type { LoadPayload, Parent, StartOptions, TaskError } from '../../src/workflow/event.ts'
import { renderTemplate } from '../../src/workflow/expression/expression.ts'
import { runScope, spotScope } from '../../src/workflow/expression/scope.ts'
import { STEPS_OF_A_TURN, type StepBudget } from '../../src/workflow/expression/step-budget.ts'
import { MAX_VALUE_BYTES } from '../../src/workflow/json.ts'
import type { Fact } from '../../src/workflow/run/fact.ts'
import { isCurrent, isFinal, type Run } from '../../src/workflow/run/run.ts'
import { configOf, planOf, type Spot, spotAt, spotOf } from '../../src/workflow/run/spot.ts'
import { triesOf } from '../../src/workflow/run/tries.ts'
import { traceOfAttempt } from '../../src/workflow/trace.ts'
import { logFault } from '../fault-log.ts'
import { BACKSTOP_MS } from './attempts.ts'
import type { History } from './history.ts'
import type { Records } from './records.ts'
import type { Accepted, Refused, RefusedChild, Starts } from './starts.ts'
import type { Turns } from './turns.ts'
import { outputOf } from './view.ts'

/** Faults of an input that an error names. */
const MAX_NAMED_FAULTS = 5

/**
 * What a start costs beside its expressions, so that 64 begin in one turn: those that end at once would else follow each other in
 * it, some thousand of them, and nothing else of this Runner would have one.
 */
const STEPS_OF_A_START = STEPS_OF_A_TURN / 64

/** Whose attempt a run is. */
type Place = Pick<Parent, 'run_id' | 'task_id' | 'item'>

/** What a Runner does for them. */
export interface ChildActions {
  /** Commits in this turn what is known of a run. */
  tell(runId: string, fact: Fact): void
  /** Commits it soon, with what else is reported. */
  report(runId: string, fact: Fact): void
  loader(runId: string): LoadPayload
}

/** Starts the runs that are attempts of tasks and items, and tells their parents how they end. */
export class Children {
  readonly #starts: Starts
  readonly #records: Records
  readonly #history: History
  readonly #turns: Turns
  readonly #actions: ChildActions
  #starting = 0

  constructor(starts: Starts, records: Records, history: History, turns: Turns, actions: ChildActions) {
    this.#starts = starts
    this.#records = records
    this.#history = history
    this.#turns = turns
    this.#actions = actions
  }

  /** How many are between their parent's commit and their own. */
  get starting(): number {
    return this.#starting
  }

  /**
   * Starts the run that the history says an attempt of a task, or of an item of it, is; in a later turn if much else begins in
   * this one. A repeat starts nothing twice.
   */
  start(run: Run, spot: Spot, now: number): void {
    const { token, childRun } = triesOf(run, spot)
    const refuse = (error: TaskError) =>
      this.#actions.report(run.id, { type: 'AttemptFailed', ...spot, token, error, wasRefusedStart: true })
    const parent = parentOf(run, spot)
    if (parent.above.length > MAX_DEPTH) {
      refuse(failure('nesting_too_deep', `${MAX_DEPTH} runs stand above this one: ${parent.above.join(' > ')}`))
      return
    }
    this.#starting++
    this.#turns.do(run.id, (budget) => {
      // It may have been cancelled, or its run may have ended, while it stood in the queue.
      if (!isCurrent(run, spot, token)) {
        this.#starting--
        return
      }
      budget.spend(STEPS_OF_A_START)
      this.#accept(run, spot, childRun!, parent, now, budget)
        .then(
          (outcome) => {
            if (outcome === 'unreached') {
              this.#actions.report(run.id, { type: 'AttemptInterrupted', ...spot, token, isUnreached: true })
            } else if (outcome !== null) refuse(outcome)
          },
          (fault: unknown) => {
            logFault('child', fault, run.id)
            this.#actions.report(run.id, { type: 'AttemptInterrupted', ...spot, token })
          },
        )
        .finally(() => this.#starting--)
    })
  }

  /** Resolves with why no run was started: null if one was, `unreached` if what its workflow means could not be told. */
  async #accept(
    run: Run,
    spot: Spot,
    runId: string,
    parent: Parent,
    now: number,
    budget: StepBudget,
  ): Promise<TaskError | 'unreached' | null> {
    const call = this.#callOf(run, spot, budget)
    if (!call.ok) return call.error
    const input = JSON.stringify(call.input)
    if (isLongerThan(MAX_VALUE_BYTES, input)) {
      return failure('invalid_child_input', `The input has more than ${MAX_VALUE_BYTES} bytes of JSON`)
    }
    const request = {
      runId,
      workflow: call.workflow,
      input,
      timeoutMs: null,
      options: { parent, ...traceOf(run, spot) },
      idempotency: null,
      waitMs: 0,
    }
    const outcome = await this.#starts.acceptChild(request, {
      boundMs: boundMs(run, spot, now),
      refusal: (version) => {
        if (this.#spotOf(parent, runId) === null) return 'unwanted'
        return parent.above.includes(versionName(call.workflow.name, version)) ? 'workflow_cycle' : null
      },
    })
    return outcome.kind === 'overloaded' ? 'unreached' : refusalOf(outcome, call.workflow, parent)
  }

  /** What the task or item says of the run that it starts. */
  #callOf(run: Run, spot: Spot, budget: StepBudget) {
    const load = this.#actions.loader(run.id)
    const scope = spotScope(runScope(run, load, budget), run, spot, load)
    const rendered = renderTemplate(configOf(run, spot).with, scope)
    return rendered.ok ? childCall(rendered.value) : rendered
  }

  /** Tells the parent of a run that has just ended; in the same turn, so that both are on disk or neither is. */
  hasEnded(run: Run): void {
    const { parent } = run.options
    if (parent !== undefined) this.#tell(parent, run.id, endOf(run, this.#actions.loader(run.id)))
  }

  /** Tells the parent of a run that has just been ended unread, as `hasEnded` does; the parent is found in the summary that the row had. */
  hasBroken(runId: string, summary: string, error: TaskError): void {
    const { parent } = JSON.parse(summary) as { parent?: Place }
    if (parent !== undefined) this.#tell(parent, runId, { status: 'failed', error })
  }

  /** After a crash: the run that the attempt of a waiting task or item is may not have been started. */
  recover(run: Run, now: number): void {
    for (const spot of [...run.nesting].map(spotOf)) {
      const { childRun } = triesOf(run, spot)
      const brief = this.#history.brief(childRun!)
      if (brief === null) this.start(run, spot, now)
      else if (isFinal(brief.status)) this.#recoverEnd(run, spot, childRun!)
    }
  }

  /** An end that its parent was not told of: a run that its Runner ended unread just before the crash. */
  #recoverEnd(run: Run, spot: Spot, runId: string): void {
    const record = this.#records.get(runId)
    const broken = failure('run_internal_error', `The child run ${runId} was ended unread`)
    const end: ChildEnd =
      record === null ? { status: 'failed', error: broken } : endOf(record.run, this.#actions.loader(runId))
    this.#actions.report(run.id, endOfChild(spot, triesOf(run, spot).token, runId, end))
  }

  #tell(parent: Place, runId: string, end: ChildEnd): void {
    const found = this.#spotOf(parent, runId)
    if (found !== null) this.#actions.tell(parent.run_id, endOfChild(found.spot, found.token, runId, end))
  }

  /** The task or item that waits for this run; null if nothing waits for it any more. */
  #spotOf({ run_id, task_id, item }: Place, runId: string): { spot: Spot; token: number } | null {
    const brief = this.#history.brief(run_id)
    if (brief === null || isFinal(brief.status)) return null
    const run = this.#records.get(run_id)?.run
    const task = run?.workflow.graph.indexOf.get(task_id)
    if (run === undefined || task === undefined) return null
    const tries = item === undefined ? run.tasks[task] : run.tasks[task]!.items?.begun.get(item)
    if (tries?.childRun !== runId || tries.waitingFor !== 'child') return null
    return { spot: spotAt(task, item), token: tries.token }
  }
}

/** A child belongs to the trace of its parent, as a call of the task would. */
function traceOf(run: Run, spot: Spot): Pick<StartOptions, 'trace'> {
  const { trace } = run.options
  if (trace === undefined) return {}
  const { token } = triesOf(run, spot)
  return { trace: traceOfAttempt(trace, `${run.id}/${run.workflow.definition.tasks[spot.task]!.id}/${token}`) }
}

/**
 * The longest that a child which starts now may take, in ms: what its task or item gives an attempt, and what the run has left. Beyond
 * that it gets a moment more, since only the run declares that its own deadline has passed.
 */
function boundMs(run: Run, spot: Spot, now: number): number {
  const { deadlineAt, remainingMs } = run
  const own = planOf(run, spot).timeoutMs ?? Number.POSITIVE_INFINITY
  const left = remainingMs ?? (deadlineAt === null ? Number.POSITIVE_INFINITY : Math.max(1, deadlineAt - now))
  return Math.min(own, left + BACKSTOP_MS)
}

function endOf(run: Run, load: LoadPayload): ChildEnd {
  if (run.status !== 'succeeded') {
    return { status: run.status as 'failed' | 'timed_out' | 'cancelled', error: run.error }
  }
  const { output, output_bytes } = outputOf(run, load)
  if (typeof output_bytes === 'number') return { status: 'succeeded', output: null, bytes: output_bytes }
  return { status: 'succeeded', output: output!, bytes: utf8Length(JSON.stringify(output)) }
}

/** Why no run was started; null if one was, or if nobody waits for it any more. */
function refusalOf(
  outcome: Accepted | Refused | RefusedChild,
  { name, version }: WorkflowRef,
  { above }: Parent,
): TaskError | null {
  switch (outcome.kind) {
    case 'accepted':
    case 'unwanted':
      return null
    case 'workflow_not_found':
      return failure('unknown_workflow', `There is no workflow ${name}`)
    case 'version_not_found':
      return failure('unknown_workflow', `${name} has no version ${version}; its newest is ${outcome.latest}`)
    case 'workflow_paused':
      return failure('paused_workflow', `${name} takes no new runs until it is resumed`, true)
    case 'workflow_cycle':
      return failure('workflow_cycle', `The workflow would start itself: ${above.join(' > ')} > ${name}`)
    case 'invalid_input':
      return failure('invalid_child_input', `The input does not fit ${name}: ${faultsText(outcome.faults)}`)
    default:
      // A child has no key and asks for no time of its own.
      throw new Error(`a child cannot be refused by ${outcome.kind}`)
  }
}

function faultsText(faults: readonly Fault[]): string {
  const texts = faults.slice(0, MAX_NAMED_FAULTS).map(({ path, message }) => `${path} ${message}`)
  const more = faults.length - texts.length
  return `${texts.join('; ')}${more > 0 ? `; and ${more} more` : ''}`
}

function failure(code: TaskCode | 'run_internal_error', message: string, retryable = false): TaskError {
  return { code, message, retryable }
}
