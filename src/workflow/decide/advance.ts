// One step of a run: facts in, events out. What a Runner records in one commit is what this returns (R3).
// Pure; the Runner adds durability, dispatch and the clock.

import { type LaterEvent, type LoadPayload, PayloadRef, type StoredValue, type TaskIndex } from '../event.ts'
import { StepBudget } from '../expression/step-budget.ts'
import type { Json } from '../json.ts'
import { apply } from '../run/apply.ts'
import type { Fact } from '../run/fact.ts'
import { isCurrent, isEndOpen, type Run } from '../run/run.ts'
import type { Admission } from './admission.ts'
import { decide } from './scheduler.ts'
import { hearsSignals, waitsForSignal } from './signals.ts'

export interface Step {
  /** What has to be recorded, in order; the run has it folded in already. */
  events: LaterEvent[]
  /** False when the step was cut because it grew too large: another one has to follow soon, without any fact. */
  isComplete: boolean
}

/** Events of one step, so that one commit stays small and other runs get their turn. */
const MAX_STEP_EVENTS = 1_000

/** Bytes that one step may keep outside the history, so that a step which computes many large values is cut too. */
const MAX_STEP_BYTES = 8 * 1024 * 1024

/** Keeps a value outside the history if it is large; else gives it back. */
export type KeepPayload = (value: Json) => StoredValue

/**
 * Applies the facts that still count and everything that follows from them.
 * Dropped without a trace: reports with another token than the current one (R5), and facts that come after the run's end.
 * A step whose time has reached the deadline times the run out before its facts: late results do not count.
 * @param now the clock, ms since the epoch; the step happens at max(now, run.at), so time never goes back in a run (R2)
 * @param admission what holds tasks back that would call out; null while nothing does
 * @param keep puts a large value elsewhere; by default the history holds all
 * @param budget what the expressions that follow from the facts may cost
 */
export function advance(
  run: Run,
  facts: readonly Fact[],
  now: number,
  load: LoadPayload,
  admission: Admission | null = null,
  keep: KeepPayload = (value) => value,
  budget = new StepBudget(),
): Step {
  const at = Math.max(now, run.at)
  const events: LaterEvent[] = []
  let keptBytes = 0
  const hold = (value: StoredValue): StoredValue => {
    // Only what is recorded is kept: what a late report brought must not lie about for ever.
    const holds = value instanceof PayloadRef ? value : keep(value)
    if (holds instanceof PayloadRef) keptBytes += holds.bytes
    return holds
  }
  const record = (event: LaterEvent) => {
    const recorded = withStoredValues(event, hold)
    apply(run, recorded)
    events.push(recorded)
  }
  const isOverdue = run.deadlineAt !== null && at >= run.deadlineAt
  // What runs after a failure has stopped the run is bounded by its deadline too.
  const canTimeOut = run.finishedAt === null && isEndOpen(run.ending)
  if (isOverdue && canTimeOut) record({ type: 'RunTimedOut', at })
  for (const fact of facts) {
    if (!isRelevant(run, fact)) continue
    if (fact.type !== 'SignalReceived') {
      record({ ...fact, at })
      continue
    }
    const { takers, ...received } = fact
    record({ ...received, at })
    // What nobody gets is offered to tasks that begin to wait later (waits.ts).
    const signal = run.events
    for (const task of takers) {
      if (waitsForSignal(run, task)) record({ type: 'TaskSucceeded', at, task, output: null, signal })
    }
  }
  while (events.length < MAX_STEP_EVENTS && keptBytes < MAX_STEP_BYTES && !budget.isSpent) {
    const decisions = decide(run, at, load, admission, budget)
    if (decisions.length === 0) return { events, isComplete: !budget.isSpent }
    for (const decision of decisions) record(decision)
  }
  return { events, isComplete: false }
}

/** Whether the task that a signal is meant for waits for one; a signal for nobody in particular is kept if nobody does. */
function isAwaited(run: Run, task: TaskIndex | undefined): boolean {
  return task === undefined || waitsForSignal(run, task)
}

/** The event with each of its values replaced by what the history stores for it. */
function withStoredValues(event: LaterEvent, hold: (value: StoredValue) => StoredValue): LaterEvent {
  switch (event.type) {
    case 'AttemptSucceeded': {
      const { output, logs } = event
      return { ...event, output: hold(output), ...(logs === undefined ? {} : { logs: hold(logs) }) }
    }
    case 'AttemptFailed':
    case 'AttemptTimedOut':
    case 'AttemptSnoozed':
      return event.logs === undefined ? event : { ...event, logs: hold(event.logs) }
    case 'TaskSucceeded':
      return event.output === null ? event : { ...event, output: hold(event.output) }
    case 'SignalReceived':
      return { ...event, data: hold(event.data) }
    case 'TaskWaiting':
      return event.items === undefined ? event : { ...event, items: hold(event.items) }
    default:
      return event
  }
}

function isRelevant(run: Run, fact: Fact): boolean {
  if (run.finishedAt !== null) return false
  switch (fact.type) {
    case 'RunStopped':
      return run.compensation === null ? run.ending !== 'stopped' : !run.compensation.isBroken
    case 'RunCancelRequested':
      return run.compensation === null && isEndOpen(run.ending)
    case 'RunPaused':
      // A run that is about to end can't be held, unless it is about to undo something or its cleanup still runs.
      return run.status !== 'paused' && (isEndOpen(run.ending) || run.compensation !== null)
    case 'RunResumed':
      return run.status === 'paused'
    case 'SignalReceived':
      return hearsSignals(run) && !run.signalIds.has(fact.id) && isAwaited(run, fact.task)
    case 'TaskReused':
      return run.startedAt === null && run.tasks[fact.task]?.status === 'pending'
    default:
      // Of a run that has timed out no result counts any more, but what its compensations report.
      return (run.ending !== 'timed_out' || run.compensation !== null) && isCurrent(run, fact, fact.token)
  }
}
