// What moves runs: facts are gathered, committed many at a time, and what a commit says has started is sent. The only place
// where a run is stepped, so also the one where a run that breaks its own commit is ended without harm to the others (R7).
//
// Keeps R3 (nothing is sent before the commit that says so: both happen in one turn, and the platform's output gate holds
// every message until the turn's writes are durable) and R5 (advance drops stale reports).

import type { LoadPayload } from '../../src/workflow/event.ts'
import type { Fact } from '../../src/workflow/run/fact.ts'
import { runsCutOff } from '../../src/workflow/run/items.ts'
import { isFinal, NEVER_DUE } from '../../src/workflow/run/run.ts'
import { spotKey } from '../../src/workflow/run/spot.ts'
import { logFault } from '../fault-log.ts'
import type { Attempts } from './attempts.ts'
import type { Children } from './children.ts'
import type { Circuits } from './circuits.ts'
import type { Committed, Committer } from './commit.ts'
import type { RunCounts } from './counts.ts'
import type { CutOffs } from './cut-offs.ts'
import type { History } from './history.ts'
import { type IdempotencyKeys, KEY_LIFETIME_MS } from './idempotency-keys.ts'
import { newsOf } from './news.ts'
import type { Records } from './records.ts'
import type { Retention } from './retention.ts'
import type { Beginning, Starts } from './starts.ts'
import type { Waiters } from './waiters.ts'
import { heartbeatMs, type Waking } from './waking.ts'
import type { Watchers } from './watchers.ts'

/** Facts of a busy Runner are gathered for this long, since a commit costs the same for one and for many. */
const GATHER_MS = 1

/** From this many attempts under way on, a Runner counts as busy. */
const BUSY_ATTEMPTS = 8

/** What a run ends with that broke its own commit. */
const BROKEN = { code: 'run_internal_error', message: 'A bug of this service ended the run', retryable: false } as const

/** The parts of a Runner that a step of a run touches. They call back into `Steps`, so they are made after it. */
export interface StepParts {
  storage: Pick<DurableObjectStorage, 'transactionSync'>
  history: History
  records: Records
  keys: IdempotencyKeys
  counts: RunCounts
  retention: Retention
  committer: Committer
  starts: Starts
  children: Children
  attempts: Attempts
  circuits: Circuits
  cutOffs: CutOffs
  waiters: Waiters
  watchers: Watchers
  waking: Waking
}

/** Gathers facts, commits them, and does what the commits ask for. */
export class Steps {
  readonly #parts: () => StepParts
  #facts = new Map<string, Fact[]>()
  #isFlushPlanned = false
  /** Runs whose step was cut, and for which another step is planned. */
  readonly #plannedSteps = new Set<string>()

  constructor(parts: () => StepParts) {
    this.#parts = parts
  }

  /** Commits facts of a run, after what was reported of it and not yet committed. */
  commitReported(runId: string, facts: readonly Fact[]): Committed | null {
    return this.commit(runId, [...this.#takeFacts(runId), ...facts], Date.now())
  }

  /** Records that a run is to be cancelled. Returns whether the request came before the end. */
  requestCancel(runId: string, now: number): boolean {
    const committed = this.commit(runId, [...this.#takeFacts(runId), { type: 'RunCancelRequested' }], now)
    return committed !== null && committed.record.run.cancelRequestedAt !== null
  }

  /** Steps a run that is due, and ends it unread if it stays due all the same. */
  wake(runId: string, now: number): void {
    const committed = this.commit(runId, this.#takeFacts(runId), now)
    // A run that is due and that nothing moves would be due for ever and keep all others waiting. It may be no longer due: what
    // was woken before it in this turn, a run above it or below, may have ended or moved it.
    const isStuck =
      committed === null
        ? this.#parts().history.brief(runId)?.is_unreadable === 1
        : !committed.hasMoved && (committed.record.dueAt ?? NEVER_DUE) <= now
    if (isStuck) this.condemn(runId, 'run_internal_error', 'The run was due and could not go on')
  }

  /** Steps a run though nothing was reported: something outside may let it go on. */
  stepAgain(runId: string): void {
    this.commit(runId, this.#takeFacts(runId), Date.now())
  }

  /** Takes a fact of a run, to be committed soon with what else is reported. */
  report(runId: string, fact: Fact): void {
    const facts = this.#facts.get(runId)
    if (facts === undefined) this.#facts.set(runId, [fact])
    else facts.push(fact)
    this.planFlush()
  }

  /** At once while the Runner is idle, so that a chain of tasks waits for nothing; gathered while it is busy. */
  planFlush(): void {
    const { attempts } = this.#parts()
    if (this.#isFlushPlanned) return
    this.#isFlushPlanned = true
    if (attempts.count < BUSY_ATTEMPTS) queueMicrotask(() => this.#flush())
    else setTimeout(() => this.#flush(), GATHER_MS)
  }

  /** Ends a run without reading its history. One that is live no more has ended already, and no end is undone. */
  condemn(runId: string, code: 'run_poisoned' | 'run_internal_error', message: string): void {
    const { attempts, children, committer, cutOffs, history, records, retention, storage, waiters, waking, watchers } =
      this.#parts()
    const before = history.brief(runId)
    if (before?.due_at == null) return
    const error = { code, message, retryable: false }
    storage.transactionSync(() => committer.condemn(runId, error, Date.now()))
    waking.armBy(retention.nextAt)
    records.drop(runId)
    this.#facts.delete(runId)
    attempts.abortAll(runId)
    waiters.wake(runId)
    watchers.release(runId)
    for (const child of history.liveChildren(runId)) cutOffs.add(child)
    children.hasBroken(runId, before.summary, error)
  }

  /** Takes what was reported of a run and is not committed yet. The caller has to commit it. */
  #takeFacts(runId: string): Fact[] {
    const facts = this.#facts.get(runId) ?? []
    this.#facts.delete(runId)
    return facts
  }

  /** Commits all that has gathered: many runs, one turn, so one write to disk. */
  #flush(): void {
    const { starts } = this.#parts()
    this.#isFlushPlanned = false
    const now = Date.now()
    starts.flush(now, (beginning) => this.#begin(beginning, now))
    const facts = this.#facts
    this.#facts = new Map()
    for (const [runId, reported] of facts) this.commit(runId, reported, now)
  }

  /** Records a new run. If it throws, nothing of it is recorded. */
  #begin({ request, workflow, version, timeoutMs, takenOver }: Beginning, now: number): void {
    const { committer, counts, history, keys, retention, storage } = this.#parts()
    const { runId, input: inputText, options, idempotency } = request
    const accepted = {
      type: 'RunAccepted',
      at: now,
      runId,
      workflow,
      version,
      inputText,
      timeoutMs,
      ...(options === undefined ? {} : { options }),
    } as const
    let committed: Committed
    try {
      committed = storage.transactionSync(() => {
        if (idempotency !== null) {
          keys.save(idempotency.key, idempotency.bodyHash, runId, now)
          retention.expectKey(now + KEY_LIFETIME_MS)
        }
        if (options?.retry !== undefined) history.markRetried(options.retry.of)
        return committer.begin(accepted, now, takenOver)
      })
    } catch (error) {
      counts.forget()
      retention.forget()
      logFault('start', error, runId)
      throw error
    }
    this.#afterCommit(committed, now)
  }

  /** Commits what was reported of one run. A run whose part throws loses only its own part (R7). */
  commit(runId: string, facts: readonly Fact[], now: number): Committed | null {
    const { committer, counts, records, retention, storage } = this.#parts()
    try {
      const record = records.get(runId)
      if (record === null) return null
      const committed = storage.transactionSync(() => committer.append(record, facts, now))
      this.#afterCommit(committed, now)
      return committed
    } catch (error) {
      records.drop(runId)
      counts.forget()
      retention.forget()
      logFault('commit', error, runId)
      this.#stopBroken(runId, facts)
      return null
    }
  }

  /** The run broke its commit: it ends with an error of its own, and if even that breaks, unread. */
  #stopBroken(runId: string, facts: readonly Fact[]): void {
    if (facts.some(({ type }) => type === 'RunStopped')) this.condemn(runId, BROKEN.code, BROKEN.message)
    else this.report(runId, { type: 'RunStopped', error: BROKEN })
  }

  /** What the commit asks for. Same turn, so nothing of it leaves before the commit is durable (R3). */
  #afterCommit(
    { record, admission, start, abort, nest, events, hasEnded, hasMoved, isCut }: Committed,
    now: number,
  ): void {
    const { attempts, children, circuits, committer, cutOffs, records, retention, waiters, waking, watchers } =
      this.#parts()
    const { run } = record
    // A run that goes on soon has to stay in memory: what its cut step has tried so far is nowhere else.
    if (isCut) this.#goOnSoon(run.id)
    records.keep(record)
    for (const task of abort) {
      attempts.abort(run.id, task, run.tasks[task]!.status === 'timed_out' ? 'timed_out' : 'cancelled')
      for (const child of runsCutOff(run, task)) cutOffs.add(child)
    }
    if (admission !== null) circuits.settle(run.id, admission, now)
    for (const spot of nest) children.start(run, spot, now)
    let loader: LoadPayload | null = null
    const load = () => {
      if (loader === null) {
        loader = committer.loader(run.id)
        queueMicrotask(() => {
          loader = null
        })
      }
      return loader
    }
    for (const spot of start) attempts.start(run, spot, load, admission?.trials.get(spotKey(spot)))
    if (record.dueAt !== null) waking.armBy(record.dueAt)
    if (!retention.isPassing) waking.armBy(retention.nextAt)
    if (record.inFlight) waking.armBy(now + heartbeatMs(run.deadlineAt, now))
    if (hasMoved) watchers.tell(run.id, () => newsOf(run, events))
    if (hasEnded) {
      waiters.wake(run.id)
      children.hasEnded(run)
    }
  }

  /** An attempt of the run could not be made, because of a bug: the run ends. */
  stopUnmade(runId: string, error: unknown): void {
    logFault('dispatch', error, runId)
    this.report(runId, { type: 'RunStopped', error: BROKEN })
  }

  /** Whether another step of the run is about to be made. */
  isGoingOn(runId: string): boolean {
    return this.#plannedSteps.has(runId)
  }

  /** Another step of a run that was cut, once others have had their turn; one, however many have asked for it meanwhile. */
  #goOnSoon(runId: string): void {
    if (this.#plannedSteps.has(runId)) return
    this.#plannedSteps.add(runId)
    setTimeout(() => {
      this.#plannedSteps.delete(runId)
      this.commit(runId, [], Date.now())
    }, 0)
  }

  /** Cancels a run because the task that it was has ended. Does nothing if the run has ended itself. */
  cutOff(runId: string): void {
    const { history } = this.#parts()
    if (!isFinal(history.brief(runId)?.status ?? 'cancelled')) this.requestCancel(runId, Date.now())
  }
}
