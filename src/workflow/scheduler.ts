// Decides what happens next in a run. Pure, and incremental: it reads what `apply` has marked, never the whole run.
// Level triggered: it looks at how the run stands, not at what came last, so no missed edge can leave a run stuck.
//
// What it decides is recorded as events and folded like any fact; recovery folds them and never decides again (R1, R2).
// Termination: every event it returns moves a task or the run forward, so asking until it returns nothing ends after at
// most 2 x tasks + 3 rounds (test/workflow/simulation.test.ts).

import type { Admission, Hold } from './admission.ts'
import { patienceMs } from './circuit.ts'
import { isPlaceholder } from './definition.ts'
import type { LaterEvent, LoadPayload, RunError, TaskError, TaskIndex } from './event.ts'
import { renderTemplate } from './expression.ts'
import { isRetried, MAX_INTERRUPTIONS, MAX_SNOOZES, restartDelayMs, retryDelayMs } from './retry.ts'
import type { Run } from './run.ts'
import { runScope } from './scope.ts'

/** Events of one answer, so that a run of 10,000 tasks can be settled in slices. */
const MAX_DECISIONS = 500

/** A history may not grow for ever (api.md "Codes", `history_limit`). */
export const HISTORY_LIMIT = 50_000

/** Tasks that a deadlock names; the others are counted. */
const MAX_NAMED_TASKS = 1_000

/**
 * What must be recorded now; [] when the run waits for the world, or has ended.
 * An `AttemptStarted` whose task is still running after the whole answer was applied has to be dispatched.
 * @param at the time that the decisions are made at and recorded with, ms since the epoch, not before `run.at`
 * @param load reads payloads that an expression needs
 * @param admission what holds tasks back that would call out; null while nothing does
 */
export function decide(run: Run, at: number, load: LoadPayload, admission: Admission | null = null): LaterEvent[] {
  if (run.finishedAt !== null) return []
  if (run.startedAt === null) return [{ type: 'RunStarted', at }]
  if (run.ending === null && run.events >= HISTORY_LIMIT) return [stopped(run, at, 'history_limit')]
  if (run.undecided.size > 0 && run.ending === null)
    return [...run.undecided].map((task) => afterAttempt(run, task, at))
  if (run.doomed.size > 0 && run.ending !== 'timed_out' && run.ending !== 'cancelled') return skipDoomed(run, at)
  if (run.ending !== null) return endRest(run, at) ?? [finish(run, at, load)]

  const starts = startReady(run, at, admission)
  if (starts.length > 0) return starts
  const { pending, waiting, running } = run.progress
  if (running > 0 || waiting > 0) return []
  return [pending > 0 ? stopped(run, at, 'deadlock') : finish(run, at, load)]
}

/** Tasks that a failure above them keeps from starting. Their own dependents come in the next round. */
function skipDoomed(run: Run, at: number): LaterEvent[] {
  return [...run.doomed]
    .slice(0, MAX_DECISIONS)
    .map(([task, because]) => ({ type: 'TaskSkipped', at, task, reason: 'upstream_failed', because }))
}

/** The run is ending: whatever has not ended is ended, as api.md's table "what happens" has it. Null when all has. */
function endRest(run: Run, at: number): LaterEvent[] | null {
  const events: LaterEvent[] = []
  for (let task = run.firstUnsettled; task < run.tasks.length && events.length < MAX_DECISIONS; task++) {
    const { status } = run.tasks[task]!
    // A task whose attempt has just ended without success has begun, so it ends like an executing one.
    const hasBegun = status === 'running' || status === 'waiting' || run.undecided.has(task)
    if (hasBegun && run.ending === 'timed_out') events.push({ type: 'TaskTimedOut', at, task })
    else if (hasBegun || (status === 'pending' && run.ending === 'cancelled'))
      events.push({ type: 'TaskCancelled', at, task })
    else if (status === 'pending') events.push({ type: 'TaskSkipped', at, task, reason: 'run_stopped', because: null })
  }
  return events.length > 0 ? events : null
}

/** An attempt ended without success: its task waits for another, or ends as the attempt did. */
function afterAttempt(run: Run, task: TaskIndex, at: number): LaterEvent {
  const { status, error } = run.tasks[task]!.attempts.at(-1)!
  if (status === 'interrupted') return afterInterruption(run, task, at)
  return (
    retry(run, task, error!, at) ??
    (status === 'timed_out' ? { type: 'TaskTimedOut', at, task } : { type: 'TaskFailed', at, task, error: error! })
  )
}

/** Statuses with which a server puts a caller off rather than failing it; with Retry-After they spend no attempt. */
const PUT_OFF: ReadonlySet<string> = new Set(['http_429', 'http_503'])

/** The wait for another attempt, or the failure that a wait which cannot end before the deadline is; null if there is none. */
function retry(run: Run, task: TaskIndex, error: TaskError, at: number): LaterEvent | null {
  const policy = run.workflow.definition.tasks[task]!.retry
  if (policy === undefined || policy.max_attempts === 1 || !isRetried(policy, error)) return null
  const { attempts, snoozes, retryAfterMs, isRetryRefused } = run.tasks[task]!
  const attempt = attempts.at(-1)!.number
  const isSnoozed = retryAfterMs !== null && PUT_OFF.has(error.code) && snoozes < MAX_SNOOZES
  if (attempt >= policy.max_attempts && !isSnoozed) return null
  if (isRetryRefused && !isSnoozed) {
    const message = `The host called has used up its budget of retries; attempt ${attempt} of ${policy.max_attempts} ended with ${error.code}`
    const refused = { code: 'retry_budget_exhausted', message, retryable: true, cause: error }
    return { type: 'TaskFailed', at, task, error: refused }
  }
  const backoffMs = retryDelayMs(policy, attempt, `${run.id}/${task}/${attempt}/${snoozes}`)
  // Never sooner than the server asked.
  const until = at + Math.max(backoffMs, retryAfterMs ?? 0)
  if (run.deadlineAt === null || until < run.deadlineAt) {
    return { type: 'TaskWaiting', at, task, for: 'retry', until, isSnoozed }
  }
  const code = retryAfterMs !== null && retryAfterMs > backoffMs ? 'retry_after_too_long' : 'deadline_before_retry'
  const message = `The next attempt would be due in ${until - at} ms, after the run's deadline; ${error.code} before`
  return { type: 'TaskFailed', at, task, error: { code, message, retryable: false, cause: error } }
}

/**
 * Whether a report of this error would lead to a retry that a budget has to grant: not what ends the task anyway, and not
 * what a server put off itself, since a caller that comes back when it was told to is no storm.
 */
export function wantsRetry(run: Run, task: TaskIndex, error: TaskError, retryAfterMs: number | null): boolean {
  const policy = run.workflow.definition.tasks[task]!.retry
  if (policy === undefined || !isRetried(policy, error)) return false
  const { attempts, snoozes } = run.tasks[task]!
  const isSnoozed = retryAfterMs !== null && PUT_OFF.has(error.code) && snoozes < MAX_SNOOZES
  return !isSnoozed && (attempts.at(-1)?.number ?? policy.max_attempts) < policy.max_attempts
}

/** A crash spends no attempt, but not without end. */
function afterInterruption(run: Run, task: TaskIndex, at: number): LaterEvent {
  const { interruptions } = run.tasks[task]!
  if (interruptions < MAX_INTERRUPTIONS) {
    const until = at + restartDelayMs(run.id, task, interruptions)
    return { type: 'TaskWaiting', at, task, for: 'retry', until, isSnoozed: false }
  }
  const message = `${MAX_INTERRUPTIONS} attempts of this task were cut off by a crash or a deploy`
  return { type: 'TaskFailed', at, task, error: { code: 'interrupted_too_often', message, retryable: false } }
}

/**
 * Gives the free slots away: first to tasks that had begun and are due, then to those that became ready, in that order.
 * A task that a circuit holds back gets none and leaves its turn to the next.
 */
function startReady(run: Run, at: number, admission: Admission | null): LaterEvent[] {
  const events: LaterEvent[] = []
  let free = run.slots.free
  const start = (task: TaskIndex) => {
    const isInstant = isPlaceholder(run.workflow.definition.tasks[task]!)
    const hold = isInstant ? null : (admission?.hold(task) ?? null)
    if (hold !== null) {
      events.push(heldBack(run, task, hold, at))
      return
    }
    events.push({ type: 'AttemptStarted', at, task, attempt: nextAttempt(run, task) })
    // A placeholder takes a slot and gives it back in one step. Its token is the number of the event just pushed.
    if (isInstant) {
      events.push({ type: 'AttemptSucceeded', at, task, token: run.events + events.length, output: null })
    } else free--
  }
  for (const task of dueSleepers(run, at, admission)) {
    if (free === 0 || events.length >= MAX_DECISIONS) return events
    start(task)
  }
  for (const task of run.slots.queue) {
    if (free === 0 || events.length >= MAX_DECISIONS) return events
    start(task)
  }
  return events
}

/** The task waits until its circuit may let it through, or fails at once if that comes too late. */
function heldBack(run: Run, task: TaskIndex, { target, until }: Hold, at: number): LaterEvent {
  const { attempts, circuitWaits } = run.tasks[task]!
  const deadline = run.deadlineAt ?? Number.POSITIVE_INFINITY
  if (until >= deadline) {
    const message = `The circuit of ${target} is open for ${until - at} ms more, beyond the run's deadline`
    const cause = attempts.findLast(({ error }) => error !== null)?.error
    const error = { code: 'circuit_open', message, retryable: true, ...(cause == null ? {} : { cause }) }
    return { type: 'TaskFailed', at, task, error }
  }
  const patient = at + patienceMs(circuitWaits)
  const later = patient > until && patient < deadline ? patient : until
  return { type: 'TaskWaiting', at, task, for: 'circuit', until: Math.max(later, at + 1), isSnoozed: false, target }
}

/** Waiting tasks whose time has come, the earliest first; those that a circuit held as soon as it is closed. */
function dueSleepers(run: Run, at: number, admission: Admission | null): TaskIndex[] {
  const due = [...run.sleeping].filter((task) => {
    const { wakeAt, circuit } = run.tasks[task]!
    return wakeAt! <= at || (circuit !== null && (admission?.isFree(task) ?? true))
  })
  return due.sort((a, b) => run.tasks[a]!.wakeAt! - run.tasks[b]!.wakeAt! || a - b)
}

/** An attempt that failed or timed out counts; one that was interrupted or snoozed shares its number with the next. */
function nextAttempt(run: Run, task: TaskIndex): number {
  const counted = run.tasks[task]!.attempts.filter(({ status }) => status === 'failed' || status === 'timed_out')
  return counted.length + 1
}

function stopped(run: Run, at: number, code: 'deadlock' | 'history_limit'): LaterEvent {
  if (code === 'history_limit') {
    const message = `The history of the run has reached ${HISTORY_LIMIT} events`
    return { type: 'RunStopped', at, error: { code, message, retryable: false } }
  }
  const { tasks } = run.workflow.definition
  const stuck = tasks.filter((_, index) => run.tasks[index]!.status === 'pending').map(({ id }) => id)
  const named = stuck.slice(0, MAX_NAMED_TASKS)
  const message = `${stuck.length} task${stuck.length === 1 ? '' : 's'} left, none executing, none able to start: ${named.slice(0, 10).join(', ')}${stuck.length > 10 ? ', ...' : ''}`
  return { type: 'RunStopped', at, error: { code, message, retryable: false, tasks: named } }
}

/** Every task has ended. */
function finish(run: Run, at: number, load: LoadPayload): LaterEvent {
  if (run.ending === 'cancelled') return { type: 'RunFinished', at, status: 'cancelled', output: null, error: null }
  const error = runError(run)
  if (run.ending === 'timed_out') return { type: 'RunFinished', at, status: 'timed_out', output: null, error }
  if (error !== null) return { type: 'RunFinished', at, status: 'failed', output: null, error }
  const template = run.workflow.definition.output
  // Without a template the output is that of the last tasks, which the history holds already: it is not written twice.
  if (template === undefined) return { type: 'RunFinished', at, status: 'succeeded', output: null, error: null }
  const rendered = renderTemplate(template, runScope(run, load))
  if (rendered.ok) return { type: 'RunFinished', at, status: 'succeeded', output: rendered.value, error: null }
  return { type: 'RunFinished', at, status: 'failed', output: null, error: rendered.error }
}

function runError(run: Run): RunError | null {
  if (run.ending === 'stopped') return run.error
  if (run.ending === 'timed_out') {
    const message = `The run was not done within ${run.timeoutMs} ms`
    return { code: 'run_timeout', message, retryable: true }
  }
  if (run.firstFailure === null) return null
  const failed = run.tasks[run.firstFailure]!
  const task_id = run.workflow.definition.tasks[run.firstFailure]!.id
  const error = failed.error ?? { code: 'timeout', message: 'The task timed out', retryable: true }
  return { ...error, task_id }
}
