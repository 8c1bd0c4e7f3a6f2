// Decides what happens next in a run. Pure, and incremental: it reads what `apply` has marked, never the whole run.
// Level triggered: it looks at how the run stands, not at what came last, so no missed edge can leave a run stuck.
//
// What it decides is recorded as events and folded like any fact; recovery folds them and never decides again (R1, R2).
// Termination: every event it returns moves a task or the run forward, so asking until it returns nothing ends after at
// most 2 x tasks + 3 rounds (test/workflow/simulation.test.ts).

import type { Admission, Hold } from './admission.ts'
import { childRunId } from './child.ts'
import { patienceMs } from './circuit.ts'
import type { FinalStatus, Held, LaterEvent, LoadPayload, RunError, SkipReason, TaskError, TaskIndex } from './event.ts'
import { evaluateCondition, renderTemplate } from './expression.ts'
import { beginMap, endOfMap, hasRoom, itemScope, nextItem } from './map.ts'
import { isRetried, MAX_INTERRUPTIONS, MAX_SNOOZES, type RetryPolicy, restartDelayMs, retryDelayMs } from './retry.ts'
import { isSettled, isStoppable, mayGoOn, type Run } from './run.ts'
import { runScope } from './scope.ts'
import { StepBudget } from './step-budget.ts'
import { transform } from './transform.ts'
import { triesOf } from './tries.ts'
import { acceptsFailure } from './trigger-rule.ts'
import { beginWait, waitedTooLong } from './waits.ts'

/** Events of one answer, so that a run of 10,000 tasks can be settled in slices. */
const MAX_DECISIONS = 500

/** Bytes of JSON that one answer may compute: they are in memory until they are recorded, and only then kept elsewhere. */
const MAX_DECIDED_BYTES = 4 * 1024 * 1024

/** A history may not grow for ever (api.md "Codes", `history_limit`). */
export const HISTORY_LIMIT = 50_000

/** The longest that a server which a compensation calls may ask it to wait, in ms. */
const MAX_ASKED_WHILE_UNDOING_MS = 3_600_000

/** Tasks that a deadlock names; the others are counted. */
const MAX_NAMED_TASKS = 1_000

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
  if (run.events >= historyLimit(run) && isStoppable(run)) return [stopped(run, at, 'history_limit')]
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
  const starts = startReady(run, at, load, admission, budget)
  if (starts.length > 0) return starts
  if (run.progress.running > 0 || run.progress.waiting > 0) return []
  return afterLast(run, at, load)
}

/** How long the history may grow. What a run undoes has as much room again, so that one which has grown too long is undone. */
function historyLimit({ compensation }: Run): number {
  return compensation === null ? HISTORY_LIMIT : 2 * HISTORY_LIMIT
}

/** A run starts at once, or at the time that its start has named. */
function begin({ options: { startAt }, queuedUntil }: Run, at: number): LaterEvent[] {
  if (startAt === undefined || startAt <= at) return [{ type: 'RunStarted', at }]
  return queuedUntil === null ? [{ type: 'RunQueued', at, until: startAt }] : []
}

function endedAttempts(run: Run, at: number): LaterEvent[] {
  const events: LaterEvent[] = []
  for (const task of run.undecided) if (mayGoOn(run, task)) events.push(afterAttempt(run, task, at))
  for (const task of run.maps) {
    if (!mayGoOn(run, task)) continue
    for (const item of run.tasks[task]!.items!.undecided) events.push(afterAttempt(run, task, at, item))
  }
  return events
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

/** The run is ending: whatever has not ended and may not go on is ended, as api.md's table "what happens" has it. */
function endRest(run: Run, at: number): LaterEvent[] {
  const events: LaterEvent[] = []
  for (let task = run.firstUnsettled; task < run.tasks.length && events.length < MAX_DECISIONS; task++) {
    const { status } = run.tasks[task]!
    if (isSettled(status) || mayGoOn(run, task) || awaitsCompensation(run, task)) continue
    // A task whose attempt has just ended without success has begun, so it ends like an executing one.
    const hasBegun = status === 'running' || status === 'waiting' || run.undecided.has(task)
    if (hasBegun && run.ending === 'timed_out') events.push({ type: 'TaskTimedOut', at, task })
    else if (hasBegun || run.ending === 'cancelled') events.push({ type: 'TaskCancelled', at, task })
    else events.push({ type: 'TaskSkipped', at, task, reason: 'run_stopped', because: null })
  }
  return events
}

/** Whether the task is a compensation about which nothing is decided before the run's outcome is. */
function awaitsCompensation(run: Run, task: TaskIndex): boolean {
  const { status, attempts } = run.tasks[task]!
  return run.workflow.plans[task]!.undoes !== null && status === 'pending' && attempts.length === 0
}

function evaluateConditions(run: Run, at: number, load: LoadPayload, budget: StepBudget): LaterEvent[] {
  if (run.conditional.size === 0) return []
  const scope = runScope(run, load, budget)
  const events: LaterEvent[] = []
  for (const task of run.conditional) {
    if (budget.isSpent || events.length >= MAX_DECISIONS) break
    const held = evaluateCondition(run.workflow.definition.tasks[task]!.when!, scope)
    if (!held.ok) events.push({ type: 'TaskFailed', at, task, error: held.error })
    else if (held.value) events.push({ type: 'ConditionMet', at, task })
    else events.push({ type: 'TaskSkipped', at, task, reason: 'condition', because: null })
  }
  return events
}

/** Tasks that need no slot, and whose turn has come. */
function beginWaits(run: Run, at: number, load: LoadPayload, budget: StepBudget): LaterEvent[] {
  const children = dueChildren(run, at)
  if (children.length > 0 || run.beginning.size === 0) return children
  // A signal that was kept goes to the first of them that it matches.
  const taken = new Set<number>()
  const events: LaterEvent[] = []
  for (const task of run.beginning) {
    if (budget.isSpent || events.length >= MAX_DECISIONS) break
    const event = beginTask(run, task, at, load, taken, budget)
    if (event === null) break
    if (event.type === 'TaskSucceeded' && event.signal !== undefined) taken.add(event.signal)
    events.push(event)
  }
  return events
}

function beginTask(
  run: Run,
  task: TaskIndex,
  at: number,
  load: LoadPayload,
  taken: ReadonlySet<number>,
  budget: StepBudget,
): LaterEvent | null {
  if (isChild(run, task)) return startChild(run, task, at)
  if (run.workflow.plans[task]!.kind === 'map') return beginMap(run, task, at, load, budget)
  return beginWait(run, task, at, load, taken, budget)
}

/** Tasks whose next attempt is due, and is another run. */
function dueChildren(run: Run, at: number): LaterEvent[] {
  const events: LaterEvent[] = []
  for (const task of run.sleeping) {
    const { waitingFor, wakeAt } = run.tasks[task]!
    if (waitingFor !== 'retry' || wakeAt === null || wakeAt > at || !isChild(run, task)) continue
    events.push(startChild(run, task, at))
    if (events.length >= MAX_DECISIONS) break
  }
  return events
}

function isChild(run: Run, task: TaskIndex): boolean {
  return run.workflow.plans[task]!.kind === 'child'
}

function startChild(run: Run, task: TaskIndex, at: number): LaterEvent {
  const child = childRunId(run.id, task, run.tasks[task]!.attempts.length, at)
  return { type: 'ChildStarted', at, task, attempt: nextAttempt(run, task), child }
}

/** An attempt ended without success: its task waits for another, or ends as the attempt did. */
function afterAttempt(run: Run, task: TaskIndex, at: number, item?: number): LaterEvent {
  const { status, error } = triesOf(run, task, item).attempts.at(-1)!
  if (status === 'interrupted') return afterInterruption(run, task, at, item)
  const again = retry(run, task, error!, at, item)
  if (again !== null) return again
  return status === 'timed_out'
    ? { type: 'TaskTimedOut', at, task, ...about(item) }
    : { type: 'TaskFailed', at, task, error: error!, ...about(item) }
}

function policyOf(run: Run, task: TaskIndex, item: number | undefined): RetryPolicy | null {
  const plan = run.workflow.plans[task]!
  return item === undefined ? plan.retry : plan.items!.retry
}

/** What waits and delays of an item are drawn from; of a task as it was before there were items. */
function seedOf(run: Run, item: number | undefined): string {
  return item === undefined ? run.id : `${run.id}/${item}`
}

function about(item: number | undefined): { item?: number } {
  return item === undefined ? {} : { item }
}

/** Statuses with which a server puts a caller off rather than failing it; with Retry-After they spend no attempt. */
const PUT_OFF: ReadonlySet<string> = new Set(['http_429', 'http_503'])

/** The wait for another attempt, or the failure that a wait which cannot end before the deadline is; null if there is none. */
function retry(run: Run, task: TaskIndex, error: TaskError, at: number, item?: number): LaterEvent | null {
  const policy = policyOf(run, task, item)
  if (policy === null || policy.max_attempts === 1 || !isRetried(policy, error)) return null
  const { attempts, snoozes, retryAfterMs, isRetryRefused } = triesOf(run, task, item)
  const attempt = attempts.at(-1)!.number
  const isSnoozed = retryAfterMs !== null && PUT_OFF.has(error.code) && snoozes < MAX_SNOOZES
  if (attempt >= policy.max_attempts && !isSnoozed) return null
  if (isRetryRefused && !isSnoozed) {
    const message = `The host called has used up its budget of retries; attempt ${attempt} of ${policy.max_attempts} ended with ${error.code}`
    const refused = { code: 'retry_budget_exhausted', message, retryable: true, cause: error }
    return { type: 'TaskFailed', at, task, error: refused, ...about(item) }
  }
  const backoffMs = retryDelayMs(policy, attempt, `${seedOf(run, item)}/${task}/${attempt}/${snoozes}`)
  // Never sooner than the server asked.
  const until = at + Math.max(backoffMs, retryAfterMs ?? 0)
  if (until < latestRetry(run, at + backoffMs, at)) {
    return { type: 'TaskWaiting', at, task, for: 'retry', until, isSnoozed, ...about(item) }
  }
  const code = retryAfterMs !== null && retryAfterMs > backoffMs ? 'retry_after_too_long' : 'deadline_before_retry'
  const bound = run.compensation === null ? "after the run's deadline" : 'longer than a compensation waits for a server'
  const message = `The next attempt would be due in ${until - at} ms, ${bound}; ${error.code} before`
  return { type: 'TaskFailed', at, task, error: { code, message, retryable: false, cause: error }, ...about(item) }
}

/**
 * Until when a retry has to be due. A paused run has no deadline, and one that undoes what it did never will have: then its
 * policy bounds the wait, and what a server asks for is bounded here, since nobody could cancel it.
 */
function latestRetry({ deadlineAt, compensation }: Run, byPolicy: number, at: number): number {
  if (compensation !== null) return Math.max(byPolicy, at + MAX_ASKED_WHILE_UNDOING_MS) + 1
  return deadlineAt ?? Number.POSITIVE_INFINITY
}

/**
 * Whether a report of this error would lead to a retry that a budget has to grant: not what ends the task anyway, and not
 * what a server put off itself, since a caller that comes back when it was told to is no storm.
 */
export function wantsRetry(
  run: Run,
  task: TaskIndex,
  error: TaskError,
  retryAfterMs: number | null,
  item?: number,
): boolean {
  const policy = policyOf(run, task, item)
  if (policy === null || !isRetried(policy, error)) return false
  const { attempts, snoozes } = triesOf(run, task, item)
  const isSnoozed = retryAfterMs !== null && PUT_OFF.has(error.code) && snoozes < MAX_SNOOZES
  return !isSnoozed && (attempts.at(-1)?.number ?? policy.max_attempts) < policy.max_attempts
}

/** A crash spends no attempt, but not without end. */
function afterInterruption(run: Run, task: TaskIndex, at: number, item?: number): LaterEvent {
  const { interruptions } = triesOf(run, task, item)
  if (interruptions < MAX_INTERRUPTIONS) {
    const until = at + restartDelayMs(seedOf(run, item), task, interruptions)
    return { type: 'TaskWaiting', at, task, for: 'retry', until, isSnoozed: false, ...about(item) }
  }
  const message = `${MAX_INTERRUPTIONS} attempts of this task were cut off by a crash or a deploy`
  const error = { code: 'interrupted_too_often', message, retryable: false }
  return { type: 'TaskFailed', at, task, error, ...about(item) }
}

/**
 * Gives the free slots away: first to tasks that had begun and are due, then to those that became ready, in that order.
 * A task that a circuit holds back gets none and leaves its turn to the next.
 */
function startReady(
  run: Run,
  at: number,
  load: LoadPayload,
  admission: Admission | null,
  budget: StepBudget,
): LaterEvent[] {
  if (run.compensation !== null) return compensate(run, at, admission)
  const events: LaterEvent[] = []
  let free = run.slots.free
  let bytesLeft = MAX_DECIDED_BYTES
  const isDone = () => free === 0 || bytesLeft <= 0 || budget.isSpent || events.length >= MAX_DECISIONS
  const scope = runScope(run, load, budget)
  const start = (task: TaskIndex, item?: number) => {
    const plan = run.workflow.plans[task]!
    const { kind } = item === undefined ? plan : plan.items!
    const isInstant = kind === 'placeholder' || kind === 'transform'
    const hold = isInstant ? null : (admission?.hold(task, item) ?? null)
    if (hold !== null) {
      events.push(heldBack(run, task, hold, at, item))
      return
    }
    events.push({ type: 'AttemptStarted', at, task, attempt: nextAttempt(run, task, item), ...about(item) })
    // An instant task takes a slot and gives it back in one step. Its token is the number of the event just pushed.
    if (kind === 'placeholder') {
      events.push({ type: 'AttemptSucceeded', at, task, token: run.events + events.length, output: null })
    } else if (kind === 'transform') {
      const seen = item === undefined ? scope : itemScope(scope, run.tasks[task]!.items!, item, load)
      const { event, bytes } = transform(run, task, run.events + events.length, at, seen, item)
      events.push(event)
      bytesLeft -= bytes
    } else free--
  }
  for (const task of dueToStart(run, at, admission)) {
    if (isDone()) return events
    start(task)
  }
  // What a map may still start is known again only when what it starts now is recorded.
  const served = new Set<TaskIndex>()
  for (const { task, item } of dueItems(run, at, admission)) {
    if (isDone()) return events
    start(task, item)
    served.add(task)
  }
  for (const task of run.slots.queue) {
    if (isDone()) return events
    const { items } = run.tasks[task]!
    const next = items === null || served.has(task) ? null : nextItem(run, task)
    if (items === null) start(task)
    else if (next !== null) {
      // A map takes its turn with the others, one item each time, but for items that need a slot for an instant only.
      const isInstant = run.workflow.plans[task]!.items!.kind === 'transform'
      const last = isInstant ? items.total : next + 1
      for (let item = next; item < last && !isDone(); item++) start(task, item)
    }
  }
  return events
}

/** The task waits until its circuit may let it through, or fails at once if that comes too late. */
function heldBack(run: Run, task: TaskIndex, { target, until }: Hold, at: number, item?: number): LaterEvent {
  const { attempts, circuitWaits } = triesOf(run, task, item)
  const deadline = run.deadlineAt ?? Number.POSITIVE_INFINITY
  if (until >= deadline) {
    const message = `The circuit of ${target} is open for ${until - at} ms more, beyond the run's deadline`
    const cause = attempts.findLast(({ error }) => error !== null)?.error
    const error = { code: 'circuit_open', message, retryable: true, ...(cause == null ? {} : { cause }) }
    return { type: 'TaskFailed', at, task, error, ...about(item) }
  }
  const patient = at + patienceMs(circuitWaits)
  const later = patient > until && patient < deadline ? patient : until
  const due = Math.max(later, at + 1)
  return { type: 'TaskWaiting', at, task, for: 'circuit', until: due, isSnoozed: false, target, ...about(item) }
}

/** Of each map the item whose next attempt is due first, if there is room for one more. */
function dueItems(run: Run, at: number, admission: Admission | null): { task: TaskIndex; item: number }[] {
  const due: { task: TaskIndex; item: number; wakeAt: number }[] = []
  for (const task of run.maps) {
    if (!hasRoom(run, task)) continue
    const { waiting, held, begun } = run.tasks[task]!.items!
    let first: { item: number; wakeAt: number } | null = null
    for (const item of waiting) {
      const wakeAt = begun.get(item)!.wakeAt!
      const isDue = wakeAt <= at || (held.has(item) && (admission?.isFree(task, item) ?? true))
      if (isDue && (first === null || wakeAt < first.wakeAt)) first = { item, wakeAt }
    }
    if (first !== null) due.push({ task, ...first })
  }
  return due.sort((a, b) => a.wakeAt - b.wakeAt || a.task - b.task)
}

/** Waiting tasks whose next attempt is due, the earliest first; those that a circuit held as soon as it is closed. */
function dueToStart(run: Run, at: number, admission: Admission | null): TaskIndex[] {
  const due = [...run.sleeping].filter((task) => {
    const { waitingFor, wakeAt, circuit } = run.tasks[task]!
    if ((waitingFor !== 'retry' && waitingFor !== 'circuit') || isChild(run, task)) return false
    return (wakeAt !== null && wakeAt <= at) || (circuit !== null && (admission?.isFree(task) ?? true))
  })
  return due.sort((a, b) => run.tasks[a]!.wakeAt! - run.tasks[b]!.wakeAt! || a - b)
}

/** One compensation after the other, from the last success to the first; [] while one is under way or waits. */
function compensate(run: Run, at: number, admission: Admission | null): LaterEvent[] {
  if (run.compensation!.isBroken || run.progress.running > 0) return []
  const [due] = dueToStart(run, at, admission)
  const next = () => run.undo.findLast((task) => run.tasks[task]!.status === 'pending')
  const task = due ?? (run.progress.waiting > 0 ? undefined : next())
  if (task === undefined) return []
  const isInstant = run.workflow.plans[task]!.kind === 'placeholder'
  const hold = isInstant ? null : (admission?.hold(task) ?? null)
  if (hold !== null) return [heldBack(run, task, hold, at)]
  const start = { type: 'AttemptStarted', at, task, attempt: nextAttempt(run, task) } as const
  return isInstant ? [start, { type: 'AttemptSucceeded', at, task, token: run.events + 1, output: null }] : [start]
}

/** An attempt that failed or timed out counts; one that was interrupted or snoozed shares its number with the next. */
function nextAttempt(run: Run, task: TaskIndex, item?: number): number {
  const counted = triesOf(run, task, item).attempts.filter(
    ({ status }) => status === 'failed' || status === 'timed_out',
  )
  return counted.length + 1
}

function stopped(run: Run, at: number, code: 'deadlock' | 'history_limit'): LaterEvent {
  if (code === 'history_limit') {
    const message = `The history of the run has reached ${historyLimit(run)} events`
    return { type: 'RunStopped', at, error: { code, message, retryable: false } }
  }
  const { tasks } = run.workflow.definition
  const isStuck = (index: TaskIndex) =>
    run.tasks[index]!.status === 'pending' && run.workflow.plans[index]!.undoes === null
  const stuck = tasks.filter((_, index) => isStuck(index)).map(({ id }) => id)
  const named = stuck.slice(0, MAX_NAMED_TASKS)
  const message = `${stuck.length} task${stuck.length === 1 ? '' : 's'} left, none executing, none able to start: ${named.slice(0, 10).join(', ')}${stuck.length > 10 ? ', ...' : ''}`
  return { type: 'RunStopped', at, error: { code, message, retryable: false, tasks: named } }
}

/** Nothing executes, waits or can start: the run ends, after what it did is undone if it did not succeed. */
function afterLast(run: Run, at: number, load: LoadPayload): LaterEvent[] {
  const isStuck = run.compensation === null && run.progress.pending > run.workflow.compensations
  if (isStuck && run.ending === null) return [stopped(run, at, 'deadlock')]
  if (isStuck) return skipPending(run, at, (task) => (run.workflow.plans[task]!.undoes === null ? 'run_stopped' : null))
  const outcome = run.compensation ?? outcomeOf(run, load)
  if (run.compensation === null && outcome.status !== 'succeeded' && run.undo.length > 0) {
    return [{ type: 'CompensationStarted', at, status: outcome.status, error: outcome.error }]
  }
  if (run.progress.pending > 0) {
    const notUndone = new Set(run.compensation?.isBroken === true ? run.undo : [])
    return skipPending(run, at, (task) => (notUndone.has(task) ? 'run_stopped' : 'not_needed'))
  }
  const { status, error } = run.compensation === null ? outcome : afterCompensation(run)
  return [{ type: 'RunFinished', at, status, output: 'output' in outcome ? outcome.output : null, error }]
}

/** Ends tasks that never started: those stuck in a run that was stopped, or the compensations that nothing needs any more. */
function skipPending(run: Run, at: number, reasonOf: (task: TaskIndex) => SkipReason | null): LaterEvent[] {
  const events: LaterEvent[] = []
  for (let task = run.firstUnsettled; task < run.tasks.length && events.length < MAX_DECISIONS; task++) {
    const reason = run.tasks[task]!.status === 'pending' ? reasonOf(task) : null
    if (reason !== null) events.push({ type: 'TaskSkipped', at, task, reason, because: null })
  }
  return events
}

interface Outcome {
  status: FinalStatus
  output: Held
  error: RunError | null
}

/** How the run ends, by what its tasks did and what was asked of it. */
function outcomeOf(run: Run, load: LoadPayload): Outcome {
  const error = run.ending === 'stopped' ? run.error : taskError(run)
  if (error !== null) return { status: 'failed', output: null, error }
  if (run.ending === 'cancelled') return { status: 'cancelled', output: null, error: null }
  if (run.ending === 'timed_out') {
    const message = `The run was not done within ${run.timeoutMs} ms`
    return { status: 'timed_out', output: null, error: { code: 'run_timeout', message, retryable: true } }
  }
  const template = run.workflow.definition.output
  // Without a template the output is that of the last tasks, which the history holds already: it is not written twice.
  if (template === undefined) return { status: 'succeeded', output: null, error: null }
  const rendered = renderTemplate(template, runScope(run, load))
  if (rendered.ok) return { status: 'succeeded', output: rendered.value, error: null }
  return { status: 'failed', output: null, error: rendered.error }
}

/** The outcome that was decided before the compensations, unless one of them went wrong. */
function afterCompensation(run: Run): { status: FinalStatus; error: RunError | null } {
  const { status, error, failed, isBroken } = run.compensation!
  if (isBroken) return { status: 'failed', error: run.error }
  if (failed.length === 0) return { status, error }
  const names = failed.map((task) => run.workflow.definition.tasks[task]!.id)
  const message = `What these tasks were to undo is not undone: ${names.slice(0, 10).join(', ')}${names.length > 10 ? ', ...' : ''}`
  const cause = error ?? run.tasks[failed[0]!]!.error
  return {
    status: 'failed',
    error: {
      code: 'compensation_failed',
      message,
      retryable: false,
      task_id: names[0]!,
      ...(cause === null ? {} : { cause: { code: cause.code, message: cause.message, retryable: cause.retryable } }),
    },
  }
}

/** The failure that makes the run fail; null if there is none, or if the run ended for another reason before its last task. */
function taskError(run: Run): RunError | null {
  // A run that a failure has stopped is failed, whatever came after: the first end in the history counts.
  const isDecided = run.ending === null || run.workflow.definition.on_failure === 'stop'
  const failure = isDecided ? run.failures.find((task) => handlerOf(run, task) === undefined) : undefined
  if (failure === undefined) return null
  const task_id = run.workflow.definition.tasks[failure]!.id
  const error = run.tasks[failure]!.error ?? { code: 'timeout', message: 'The task timed out', retryable: true }
  return { ...error, task_id }
}

/** Where branches go on after a failure, one that a dependent was there for, and which that dependent survived, is handled: by it. */
export function handlerOf({ workflow, tasks }: Run, failed: TaskIndex): TaskIndex | undefined {
  if (workflow.definition.on_failure === 'stop') return undefined
  return workflow.graph.dependents[failed]!.find(
    (dependent) => tasks[dependent]!.status === 'succeeded' && acceptsFailure(workflow.plans[dependent]!.rule),
  )
}
