// One step of a run: facts in, events out. What a Runner records in one commit is what this returns (R3).
// Pure; the Runner adds durability, dispatch and the clock.

import type { Admission } from './admission.ts'
import type { LaterEvent, LoadPayload } from './event.ts'
import { apply, isCurrent, type Run } from './run.ts'
import { decide } from './scheduler.ts'

type Untimed<E> = E extends unknown ? Omit<E, 'at'> : never

/** What the world can report of a run that was accepted. */
export type Fact = Untimed<
  Extract<
    LaterEvent,
    {
      type:
        | 'AttemptSucceeded'
        | 'AttemptFailed'
        | 'AttemptTimedOut'
        | 'AttemptInterrupted'
        | 'RunCancelRequested'
        | 'RunPaused'
        | 'RunResumed'
        | 'RunStopped'
    }
  >
>

export interface Step {
  /** What has to be recorded, in order; the run has it folded in already. */
  events: LaterEvent[]
  /** False when the step was cut because it grew too large: another one has to follow soon, without any fact. */
  isComplete: boolean
}

/** Events of one step, so that one commit stays small and other runs get their turn. */
const MAX_STEP_EVENTS = 1_000

/**
 * Applies the facts that still count and everything that follows from them.
 * Dropped without a trace: reports with another token than the current one (R5), and whatever comes after the run's end.
 * A step whose time has reached the deadline times the run out before its facts: late results do not count.
 * @param now the clock, ms since the epoch; the step happens at max(now, run.at), so time never goes back in a run (R2)
 * @param admission what holds tasks back that would call out; null while nothing does
 */
export function advance(
  run: Run,
  facts: readonly Fact[],
  now: number,
  load: LoadPayload,
  admission: Admission | null = null,
): Step {
  const at = Math.max(now, run.at)
  const events: LaterEvent[] = []
  const record = (event: LaterEvent) => {
    apply(run, event)
    events.push(event)
  }
  const isOverdue = run.deadlineAt !== null && at >= run.deadlineAt
  // What runs after a failure has stopped the run is bounded by its deadline too.
  const canTimeOut = run.finishedAt === null && (run.ending === null || run.ending === 'task_failed')
  if (isOverdue && canTimeOut) record({ type: 'RunTimedOut', at })
  for (const fact of facts) {
    if (counts(run, fact)) record({ ...fact, at })
  }
  while (events.length < MAX_STEP_EVENTS) {
    const decisions = decide(run, at, load, admission)
    if (decisions.length === 0) return { events, isComplete: true }
    for (const decision of decisions) record(decision)
  }
  return { events, isComplete: false }
}

function counts(run: Run, fact: Fact): boolean {
  if (run.finishedAt !== null) return false
  switch (fact.type) {
    case 'RunStopped':
      return run.compensation === null ? run.ending !== 'stopped' : !run.compensation.isBroken
    case 'RunCancelRequested':
      return run.compensation === null && (run.ending === null || run.ending === 'task_failed')
    case 'RunPaused':
      // A run that is about to end can't be held, unless it is about to undo something or its cleanup still runs.
      return (
        run.status !== 'paused' && (run.ending === null || run.ending === 'task_failed' || run.compensation !== null)
      )
    case 'RunResumed':
      return run.status === 'paused'
    default:
      // Of a run that has timed out no result counts any more, but what its compensations report.
      return (run.ending !== 'timed_out' || run.compensation !== null) && isCurrent(run, fact.task, fact.token)
  }
}
