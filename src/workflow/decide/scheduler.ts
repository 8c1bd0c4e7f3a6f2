// Decides what happens next in a run. Pure, and incremental: it reads what `apply` has marked, never the whole run.
// Level triggered: it looks at how the run stands, not at what came last, so no missed edge can leave a run stuck.
//
// What it decides is recorded as events and folded like any fact; recovery folds them and never decides again (R1, R2).
// Termination: every event it returns moves a task or the run forward, so asking until it returns nothing ends after at
// most 2 x tasks + 3 rounds (test/workflow/simulation.test.ts).

import type { LaterEvent, LoadPayload } from '../event.ts'
import { StepBudget } from '../expression/step-budget.ts'
import { isStoppable, mayGoOn, type Run } from '../run/run.ts'
import type { Admission } from './admission.ts'
import { endedAttempts } from './attempt-end.ts'
import { compensate } from './compensation.ts'
import { historyLimit, MAX_DECISIONS } from './decision-bounds.ts'
import { endOfMap } from './map.ts'
import { afterLast, endRest, stopRun } from './run-end.ts'
import { startReady } from './slot-start.ts'
import { beginWaits, evaluateConditions } from './task-begin.ts'
import { waitedTooLong } from './waits.ts'

/**
 * What must be recorded now; [] when the run waits for the world, or has ended.
 * An `AttemptStarted` whose task is still running after the whole answer was applied has to be dispatched.
 * @param at the time that the decisions are made at and recorded with, ms since the epoch, not before `run.at`
 * @param load reads payloads that an expression needs
 * @param admission what holds tasks back that would call out; null while nothing does
 * @param budget of expressions; once it is spent the answer is not complete, and asked again with a new one
 */
export function decide(
  run: Run,
  at: number,
  load: LoadPayload,
  admission: Admission | null = null,
  budget = new StepBudget(),
): LaterEvent[] {
  if (run.finishedAt !== null) return []
  const isPaused = run.status === 'paused'
  if (run.startedAt === null && run.ending === null) return isPaused ? [] : begin(run, at)
  if (run.events >= historyLimit(run) && isStoppable(run)) return [stopRun(run, at, 'history_limit')]
  const ended = [...endedAttempts(run, at), ...skipDoomed(run, at), ...endedWaits(run, at), ...endedMaps(run, at, load)]
  if (ended.length > 0) return ended
  if (run.ending !== null) {
    const rest = endRest(run, at)
    if (rest.length > 0) return rest
  }
  // What is due waits, and the run does not end while somebody holds it.
  if (isPaused) return []
  const begun = [...evaluateConditions(run, at, load, budget), ...beginWaits(run, at, load, budget)]
  // A wait that the budget has kept from beginning begins in the next step; until then nothing may be taken to be stuck.
  if (begun.length > 0 || budget.isSpent) return begun
  const starts =
    run.compensation === null ? startReady(run, at, load, admission, budget) : compensate(run, at, admission)
  if (starts.length > 0) return starts
  if (run.progress.running > 0 || run.progress.waiting > 0) return []
  return afterLast(run, at, load)
}

/** A run starts at once, or at the time that its start has named. */
function begin({ options: { startAt }, queuedUntil }: Run, at: number): LaterEvent[] {
  if (startAt === undefined || startAt <= at) return [{ type: 'RunStarted', at }]
  return queuedUntil === null ? [{ type: 'RunQueued', at, until: startAt }] : []
}

/** Maps whose items have ended, or that need not wait for the rest. */
function endedMaps(run: Run, at: number, load: LoadPayload): LaterEvent[] {
  const events: LaterEvent[] = []
  for (const task of run.maps) {
    // Of a map about whose items something has still to be decided, the end is decided after that.
    if (!mayGoOn(run, task) || run.tasks[task]!.items!.undecided.size > 0) continue
    const end = endOfMap(run, task, at, load)
    if (end !== null) events.push(end)
  }
  return events
}

/** Tasks that their dependencies keep from starting. Their own dependents come in the next round. */
function skipDoomed(run: Run, at: number): LaterEvent[] {
  if (run.doomed.size === 0 || (run.ending !== null && run.ending !== 'task_failed' && run.ending !== 'stopped'))
    return []
  return [...run.doomed]
    .slice(0, MAX_DECISIONS)
    .map(([task, { reason, because }]) => ({ type: 'TaskSkipped', at, task, reason, because }))
}

/** Waits that time has ended. They need no slot and go on while the run is paused. */
function endedWaits(run: Run, at: number): LaterEvent[] {
  const events: LaterEvent[] = []
  for (const task of run.sleeping) {
    const { waitingFor, wakeAt } = run.tasks[task]!
    const isWait = waitingFor === 'time' || waitingFor === 'signal'
    if (!isWait || wakeAt === null || wakeAt > at || !mayGoOn(run, task)) continue
    const error = waitedTooLong(run, task)
    if (error === null) events.push({ type: 'TaskSucceeded', at, task, output: null })
    else events.push({ type: 'TaskTimedOut', at, task, error })
  }
  return events
}
