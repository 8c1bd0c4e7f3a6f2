// Runner: one Durable Object a shard (`tenant:shard`); executes many runs. It gathers facts, commits them, sends what the
// commit says has started, wakes runs that are due, and answers. What happens next in a run it never decides itself.
//
// Keeps R3 (nothing is sent before the commit that says so: both happen in one turn, and the platform's output gate holds
// every message until the turn's writes are durable), R4 and R7 (`alarm`, `#armFor`), R5 (advance drops stale reports).

import { DurableObject } from 'cloudflare:workers'
import { AutoRouter } from 'itty-router'
import { ulid } from 'ulid'
import type { Env } from '../src/env.ts'
import type { Fact } from '../src/workflow/advance.ts'
import { isFinal, NEVER_DUE, type TaskStatus } from '../src/workflow/run.ts'
import { spotKey } from '../src/workflow/slots.ts'
import { Alarm } from './alarm.ts'
import { Attempts, type Executor } from './attempts.ts'
import { BulkJobs, boundedFilter } from './bulk-jobs.ts'
import { Callbacks } from './callbacks.ts'
import { Children } from './children.ts'
import { Circuits } from './circuits.ts'
import { type Committed, Committer } from './commit.ts'
import { type Counts, RunCounts } from './counts.ts'
import { logFault } from './fault-log.ts'
import type { CircuitView } from './gate.ts'
import { History } from './history.ts'
import { IdempotencyKeys, KEY_LIFETIME_MS } from './idempotency-keys.ts'
import { countRuns, listRuns } from './listing.ts'
import { migrate } from './migrate.ts'
import { Outgoing } from './outgoing.ts'
import { Reading } from './reading.ts'
import { Records } from './records.ts'
import { Recovery } from './recovery.ts'
import { Removal } from './removal.ts'
import { Retention } from './retention.ts'
import { Retries } from './retries.ts'
import { RetryBudgets } from './retry-budgets.ts'
import { Rows } from './rows.ts'
import type {
  BulkJob,
  BulkProgress,
  CallbackRefusal,
  CallbackTarget,
  CallbackView,
  EventNotFound,
  EventPage,
  ExplanationForm,
  GraphForm,
  ListFilter,
  NoMap,
  RetryAnswer,
  RetryRequest,
  RunAnswer,
  RunCompensating,
  RunFinished,
  RunNotFinished,
  RunNotFound,
  RunNotPaused,
  RunPage,
  SignalAnswer,
  SignalRequest,
  StartAnswer,
  StartRequest,
  TaskNotFound,
  TextPage,
} from './runner-rpc.ts'
import { RUNNER_MIGRATIONS } from './runner-tables.ts'
import { Signals } from './signals.ts'
import { type Accepted, type Beginning, Starts } from './starts.ts'
import { Waiters } from './waiters.ts'
import { Watchers } from './watchers.ts'
import { Workflows } from './workflows.ts'

/** While attempts are in flight the alarm stands no later than this, at most: that is when a crash is noticed (R4). */
const MAX_HEARTBEAT_MS = 10_000
const MIN_HEARTBEAT_MS = 500

/** Facts of a busy Runner are gathered for this long, since a commit costs the same for one and for many. */
const GATHER_MS = 1

/** From this many attempts under way on, a Runner counts as busy. */
const BUSY_ATTEMPTS = 8

/** How long one alarm works before it lets requests through and comes back. */
const MAX_ALARM_MS = 2_000

/** How soon a shard that could not be told of a bulk job is told again, in ms. */
const TELL_AGAIN_MS = 1_000

/** How long an alarm waits for the Gates of circuits whose time has come. */
const MAX_ASK_MS = 1_000

/** What a run ends with that broke its own commit. */
const BROKEN = { code: 'run_internal_error', message: 'A bug of this service ended the run', retryable: false } as const

export class Runner extends DurableObject<Env> {
  readonly #rows: Rows
  readonly #history: History
  readonly #keys: IdempotencyKeys
  readonly #counts: RunCounts
  readonly #workflows: Workflows
  readonly #circuits: Circuits
  readonly #attempts: Attempts
  readonly #records: Records
  readonly #committer: Committer
  readonly #starts: Starts
  readonly #retries: Retries
  readonly #children: Children
  readonly #reading: Reading
  readonly #callbacks: Callbacks
  readonly #recovery: Recovery
  readonly #removal: Removal
  readonly #bulk: BulkJobs
  readonly #retention: Retention
  readonly #signals: Signals
  readonly #alarm: Alarm
  readonly #waiters = new Waiters()
  readonly #watchers: Watchers
  /** A WebSocket begins as an HTTP request; everything else that a Runner is asked is RPC. */
  readonly #router = AutoRouter()
  #facts = new Map<string, Fact[]>()
  #isFlushPlanned = false
  /** Whether the Metrics object knows that this one has figures which it has not seen. */
  #isMarked = false
  #isTelling = false

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    migrate(ctx.storage.sql, RUNNER_MIGRATIONS)
    this.#rows = new Rows(ctx.storage.sql)
    this.#history = new History(this.#rows)
    this.#keys = new IdempotencyKeys(this.#rows)
    this.#counts = new RunCounts(this.#rows)
    const registry = () => env.REGISTRY.get(env.REGISTRY.idFromName(this.#address().tenant))
    this.#workflows = new Workflows(this.#rows, registry, () => this.#address().shard)
    const gateOf = (target: string) => env.GATE.get(env.GATE.idFromName(`${this.#address().tenant}:host:${target}`))
    this.#circuits = new Circuits(this.#rows, {
      gateOf,
      shard: () => this.#address().shard,
      ready: async () => {
        if (!this.#isMarked) await this.#mark()
      },
      look: (runId) => this.#look(runId),
      fault: (error) => logFault('circuit', error),
    })
    const budgets = new RetryBudgets(gateOf, (error) => logFault('retry_budget', error))
    this.#attempts = new Attempts(
      ctx.exports.TaskExecutor as unknown as Executor,
      new Outgoing(this.#circuits, budgets),
      (runId, fact) => this.#report(runId, fact),
    )
    const isBusy = (runId: string) => this.#attempts.hasRun(runId) || this.#waiters.has(runId)
    this.#records = new Records(this.#history, (name, version) => this.#workflows.get(name, version), isBusy)
    this.#retention = new Retention(this.#rows, this.#keys, (name, version) =>
      this.#workflows.retentionMs(name, version),
    )
    this.#committer = new Committer(this.#history, this.#counts, this.#retention, (run, load, now) =>
      this.#circuits.admission(run, load, now),
    )
    this.#starts = new Starts(this.#workflows, this.#keys, this.#history, () => this.#planFlush())
    this.#children = new Children(this.#starts, this.#records, this.#history, {
      tell: (runId, fact) => void this.#commitReported(runId, [fact]),
      report: (runId, fact) => this.#report(runId, fact),
      loader: (runId) => this.#committer.loader(runId),
    })
    this.#callbacks = new Callbacks(this.#rows, () => this.#address().tenant)
    this.#reading = new Reading(this.#history, this.#records, this.#committer, this.#waiters, this.#callbacks)
    this.#retries = new Retries(this.#starts, this.#history, this.#records, this.#reading, (runId) =>
      this.#committer.loader(runId),
    )
    this.#recovery = new Recovery(ctx.storage, this.#history, this.#records, this.#attempts, {
      commit: (runId, facts) => void this.#commit(runId, facts, Date.now()),
      recoverChildren: (run) => this.#children.recover(run, Date.now()),
      condemn: (runId, code, message) => this.#condemn(runId, code, message),
      fault: (error, runId) => logFault('recovery', error, runId),
    })
    this.#removal = new Removal(this.#rows)
    this.#bulk = new BulkJobs(this.#rows)
    this.#signals = new Signals(
      this.#history,
      this.#reading,
      (runId) => this.#committer.loader(runId),
      (runId, facts) => this.#commitReported(runId, facts),
    )
    this.#alarm = new Alarm(ctx.storage)
    this.#watchers = new Watchers(ctx)
    this.#router.get('/runs/:id/watch', ({ params: { id = '' } }) => {
      const last = this.#reading.lastEvent(id)
      return last === null ? new Response(null, { status: 404 }) : this.#watchers.accept(id, last)
    })
    ctx.blockConcurrencyWhile(async () => {
      await this.#alarm.restore()
      // Live runs without an alarm would wait for ever; an alarm that stands is early enough (R4, R7).
      this.#armBy(Math.max(this.#earliestDue(), Date.now()))
    })
  }

  /** Starts a run, or finds the one that the same id or key has started, and waits for its end as long as asked. */
  async start(request: StartRequest): Promise<StartAnswer> {
    if (!this.#isMarked) await this.#mark()
    const outcome = await this.#starts.accept(request)
    return outcome.kind === 'accepted' ? this.#started(outcome, request.waitMs) : outcome
  }

  /** Makes a run that has ended again: a new run, which takes over the outputs that still hold. */
  async retry(request: RetryRequest): Promise<RetryAnswer> {
    if (!this.#isMarked) await this.#mark()
    const outcome = await this.#retries.accept(request)
    return outcome.kind === 'accepted' ? this.#started(outcome, 0) : outcome
  }

  async #started({ runId, replayed }: Accepted, waitMs: number): Promise<StartAnswer> {
    const answer = await this.#reading.run(runId, waitMs)
    // A scrape may have come in between: what this answer tells has to be in the next one.
    if (!this.#isMarked) await this.#mark()
    return answer.kind === 'run' ? { ...answer, replayed } : { kind: 'run_deleted' }
  }

  async get(runId: string, waitMs: number): Promise<RunAnswer | RunNotFound> {
    return this.#reading.run(runId, waitMs)
  }

  /** The run as it stood right after the event with this number. */
  async at(runId: string, number: number): Promise<RunAnswer | RunNotFound | EventNotFound> {
    return this.#reading.at(runId, number)
  }

  async graph(runId: string, form: GraphForm): Promise<{ kind: 'graph'; body: string } | RunNotFound> {
    return this.#reading.graph(runId, form)
  }

  async explain(runId: string, form: ExplanationForm): Promise<{ kind: 'explanation'; body: string } | RunNotFound> {
    return this.#reading.explain(runId, form)
  }

  /**
   * Ends a run: attempts that execute are aborted, whatever has not ended is cancelled, in one commit. Cancelling, ending and
   * timing out race; the first in the history wins, and what was reported before the request comes before it.
   */
  async cancel(runId: string): Promise<RunAnswer | RunFinished | RunCompensating | RunNotFound> {
    const before = await this.#reading.run(runId, 0)
    if (before.kind === 'run_not_found') return before
    if (isFinal(before.status)) return { ...before, kind: 'run_finished' }
    if (!this.#isMarked) await this.#mark()
    this.#requestCancel(runId, Date.now())
    const after = await this.#reading.run(runId, 0)
    if (after.kind === 'run_not_found' || after.status === 'cancelled') return after
    const hasWon = this.#records.get(runId)?.run.cancelRequestedAt !== null
    if (hasWon) return after
    return { ...after, kind: isFinal(after.status) ? 'run_finished' : 'run_compensating' }
  }

  /** Holds a run: attempts that execute end, nothing starts, and its deadline stands still. A paused run stays so. */
  async pause(runId: string): Promise<RunAnswer | RunFinished | RunNotFound> {
    const before = await this.#reading.run(runId, 0)
    if (before.kind === 'run_not_found' || before.status === 'paused') return before
    return this.#steer(runId, 'RunPaused', before)
  }

  /** Lets a paused run go on, with what was left of its time. */
  async resume(runId: string): Promise<RunAnswer | RunFinished | RunNotPaused | RunNotFound> {
    const before = await this.#reading.run(runId, 0)
    if (before.kind === 'run_not_found') return before
    if (!isFinal(before.status) && before.status !== 'paused') {
      return this.#records.get(runId)?.run.wasPaused === true ? before : { ...before, kind: 'run_not_paused' }
    }
    return this.#steer(runId, 'RunResumed', before)
  }

  async #steer(
    runId: string,
    type: 'RunPaused' | 'RunResumed',
    before: RunAnswer,
  ): Promise<RunAnswer | RunFinished | RunNotFound> {
    if (isFinal(before.status)) return { ...before, kind: 'run_finished' }
    const committed = this.#commitReported(runId, [{ type }])
    // A run whose tasks have all ended while it was paused ends as soon as it is resumed: that is no refusal.
    const isDone = committed?.events.some((event) => event.type === type) === true
    const after = await this.#reading.run(runId, 0)
    return !isDone && after.kind === 'run' && isFinal(after.status) ? { ...after, kind: 'run_finished' } : after
  }

  /** Tells a run something that its tasks may wait for. Told twice with one id, it is told once. */
  async signal(request: SignalRequest): Promise<SignalAnswer> {
    if (!this.#isMarked) await this.#mark()
    return this.#signals.receive(request)
  }

  /** Answers the wait that a link is for, once. Whether the link is one of this object's is looked at before anything else. */
  async answerCallback(target: CallbackTarget, id: string, data: string): Promise<SignalAnswer | CallbackRefusal> {
    if (!(await this.#callbacks.isOurs(target))) return { kind: 'callback_not_found' }
    if (!this.#isMarked) await this.#mark()
    return this.#signals.answer(target, id, data)
  }

  /** What a link is for. */
  async callback(target: CallbackTarget): Promise<CallbackView> {
    return (await this.#callbacks.isOurs(target)) ? this.#signals.show(target) : { kind: 'callback_not_found' }
  }

  /** Commits facts of a run, after what was reported of it and not yet committed. */
  #commitReported(runId: string, facts: readonly Fact[]): Committed | null {
    return this.#commit(runId, [...this.#taken(runId), ...facts], Date.now())
  }

  /** Deletes a run that has ended. Its Idempotency-Key stays as long as it would have. */
  async delete(runId: string): Promise<{ kind: 'deleted' } | RunNotFinished | RunNotFound> {
    const before = this.#history.brief(runId)
    if (before === null) return { kind: 'run_not_found' }
    if (!isFinal(before.status)) {
      const run = await this.#reading.run(runId, 0)
      return run.kind === 'run' ? { ...run, kind: 'run_not_finished' } : run
    }
    this.#remove([runId])
    return { kind: 'deleted' }
  }

  async tasks(runId: string, status: TaskStatus | null, after: number, limit: number): Promise<TextPage | RunNotFound> {
    return this.#reading.tasks(runId, status, after, limit)
  }

  async task(runId: string, taskId: string): Promise<{ kind: 'task'; body: string } | RunNotFound | TaskNotFound> {
    return this.#reading.task(runId, taskId)
  }

  async items(
    runId: string,
    taskId: string,
    status: TaskStatus | null,
    after: number,
    limit: number,
  ): Promise<TextPage | RunNotFound | TaskNotFound | NoMap> {
    return this.#reading.items(runId, taskId, status, after, limit)
  }

  async output(runId: string, taskId: string): Promise<{ kind: 'output'; body: string } | RunNotFound | TaskNotFound> {
    return this.#reading.output(runId, taskId)
  }

  async events(runId: string, after: number, limit: number): Promise<EventPage | RunNotFound> {
    return this.#reading.events(runId, after, limit)
  }

  /** `GET /runs/{id}/watch` with an upgrade: a socket that tells when the run moves (watchers.ts). */
  override fetch(request: Request): Promise<Response> {
    return this.#router.fetch(request)
  }

  override async webSocketMessage(socket: WebSocket): Promise<void> {
    socket.close(1003, 'a watcher is told, and says nothing')
  }

  async list(filter: ListFilter, before: string | null, limit: number): Promise<RunPage> {
    return listRuns(this.#rows, filter, this.#prefix(), before, limit)
  }

  /** Takes a bulk job; `others` are the shards that this one has to tell of it, none when it was told itself. */
  async requestBulk(job: BulkJob, others: readonly number[]): Promise<'accepted' | 'too_many'> {
    const outcome = this.#bulk.accept(job, others)
    this.#armBy(Date.now())
    return outcome
  }

  /** How far this shard is with a bulk job; null if it does not have it. */
  async bulk(id: string): Promise<BulkProgress | null> {
    return this.#bulk.progress(id)
  }

  /** How many runs a bulk job would act on now. */
  async countBulk(job: BulkJob): Promise<number> {
    let sum = 0
    for (let before: string | null = null; ; ) {
      const { count, horizon } = countRuns(this.#rows, boundedFilter(job), this.#prefix(), before)
      sum += count
      if (horizon === null) return sum
      before = horizon
      await scheduler.wait(0)
    }
  }

  /**
   * The Registry says that a name has moved. When this answers, no run of what was there before can start here any more:
   * starts that wait for their commit find their lease gone.
   */
  async recall(name: string): Promise<void> {
    this.#workflows.recall(name)
  }

  /** A Gate says how a circuit stands that this Runner calls through: whoever waited for it to close goes on. */
  async circuitChanged(target: string, view: CircuitView): Promise<void> {
    this.#circuits.learn(target, view)
  }

  /** Absolute figures for the Metrics object. From now on a change has to be marked again, unless one is sure to come. */
  async counts(): Promise<{ counts: Counts; runsActive: number; tasksRunning: number; isSettled: boolean }> {
    const isSettled = this.#attempts.count === 0 && this.#starts.isEmpty && this.#children.starting === 0
    this.#isMarked = !isSettled
    return {
      counts: this.#counts.all(),
      runsActive: this.#history.liveRuns(),
      tasksRunning: this.#attempts.count,
      isSettled,
    }
  }

  /** Wakes the runs that are due. Whatever happens, an alarm stands afterwards if a run is live (R4, R7). */
  override async alarm(info?: AlarmInvocationInfo): Promise<void> {
    this.#alarm.hasFired()
    const begunAt = Date.now()
    let hasMore = false
    try {
      if (!this.#isMarked) await this.#mark()
      await this.#recovery.run()
      if (this.#bulk.hasUntold && !this.#isTelling) this.ctx.waitUntil(this.#tellShards())
      // Runs that their circuits hold back are due now: with the Gate's answer they need no second wait. Not for long, though.
      await Promise.race([this.#circuits.askDue(begunAt), scheduler.wait(MAX_ASK_MS)])
      // A clock that lags behind the alarm must not find its runs not yet due, or it would fire again at once, for ever.
      for (;;) {
        const now = Math.max(Date.now(), info?.scheduledTime ?? 0)
        const due = this.#history.due(now, 100)
        if (due.length === 0) break
        for (const runId of due) this.#wake(runId, now)
        hasMore = Date.now() - begunAt > MAX_ALARM_MS
        if (hasMore) break
        await scheduler.wait(0)
      }
      while (!hasMore && (await this.#tidy(Math.max(Date.now(), info?.scheduledTime ?? 0)))) {
        await scheduler.wait(0)
        // What a run waits for comes before what nobody waits for.
        hasMore =
          Date.now() - begunAt > MAX_ALARM_MS || (this.#history.earliestDue() ?? Number.POSITIVE_INFINITY) <= Date.now()
      }
    } catch (error) {
      logFault('alarm', error)
    } finally {
      this.#rearm(hasMore)
      // The one error that may leave: without it the platform would take the alarm for done (R7).
      await this.#alarm.written()
    }
  }

  /** Removes a batch of what has to go. Returns whether there was any. */
  async #tidy(now: number): Promise<boolean> {
    if (this.#removal.hasMore) {
      this.#removal.step()
      return true
    }
    if (this.#bulk.nextAt <= now) {
      try {
        await this.#bulk.step(
          now,
          (filter, before, limit) => listRuns(this.#rows, filter, this.#prefix(), before, limit),
          this.#actOn,
        )
      } catch (error) {
        this.#bulk.postpone(now)
        throw error
      }
      return true
    }
    try {
      const over = this.#retention.step(now)
      if (over !== null) this.#remove(over)
      return over !== null
    } catch (error) {
      this.#retention.postpone(now)
      throw error
    }
  }

  /** Acts on a page of runs for a bulk job. Returns how many it could not act on. */
  readonly #actOn = (
    action: BulkJob['action'],
    ulids: readonly string[],
    now: number,
    jobId: string,
  ): number | Promise<number> => {
    const runIds = ulids.map((ulid) => `${this.#prefix()}${ulid}`)
    if (action === 'delete') {
      this.#remove(runIds)
      return 0
    }
    if (action === 'retry') return this.#retryAll(runIds, jobId)
    return runIds.filter((runId) => !this.#requestCancel(runId, now)).length
  }

  /** Makes runs again, each once for a job: a key that no caller can send (it holds blanks) finds what was begun before a crash. */
  async #retryAll(runIds: readonly string[], jobId: string): Promise<number> {
    const outcomes = await Promise.allSettled(
      runIds.map((of) =>
        this.#retries.accept({
          runId: `${this.#prefix()}${ulid()}`,
          of,
          from: 'failed',
          version: null,
          idempotency: { key: `bulk ${jobId} ${of}`, bodyHash: '' },
        }),
      ),
    )
    return outcomes.filter((outcome) => outcome.status === 'rejected' || outcome.value.kind !== 'accepted').length
  }

  /** Returns whether the request came before the end. */
  #requestCancel(runId: string, now: number): boolean {
    const committed = this.#commit(runId, [...this.#taken(runId), { type: 'RunCancelRequested' }], now)
    return committed !== null && committed.record.run.cancelRequestedAt !== null
  }

  /** Tells other shards of the bulk jobs that this one has to tell them of. Not awaited: one that hangs must not hold the alarm. */
  async #tellShards(): Promise<void> {
    this.#isTelling = true
    const { tenant } = this.#address()
    try {
      for (const { job, shards } of this.#bulk.untoldJobs()) {
        const told = await Promise.allSettled(
          shards.map((shard) =>
            this.env.RUNNER.get(this.env.RUNNER.idFromName(`${tenant}:${shard}`)).requestBulk(job, []),
          ),
        )
        for (const outcome of told) if (outcome.status === 'rejected') logFault('bulk', outcome.reason)
        this.#bulk.setUntold(
          job.id,
          shards.filter((_, index) => told[index]!.status === 'rejected'),
        )
      }
    } finally {
      this.#isTelling = false
    }
  }

  #remove(runIds: readonly string[]): void {
    this.#removal.remove(runIds)
    for (const runId of runIds) this.#records.drop(runId)
    if (this.#removal.hasMore) this.#armBy(Date.now())
  }

  #wake(runId: string, now: number): void {
    const committed = this.#commit(runId, this.#taken(runId), now)
    // A run that is due and that nothing moves would be due for ever and keep all others waiting.
    if (committed !== null && !committed.hasMoved) {
      this.#condemn(runId, 'run_internal_error', 'The run was due and could not go on')
    }
  }

  /** Steps a run though nothing was reported: something outside may let it go on. */
  #look(runId: string): void {
    this.#commit(runId, this.#taken(runId), Date.now())
  }

  /** What was reported of a run and is not committed yet; whoever takes it commits it. */
  #taken(runId: string): Fact[] {
    const facts = this.#facts.get(runId) ?? []
    this.#facts.delete(runId)
    return facts
  }

  #report(runId: string, fact: Fact): void {
    const facts = this.#facts.get(runId)
    if (facts === undefined) this.#facts.set(runId, [fact])
    else facts.push(fact)
    this.#planFlush()
  }

  /** At once while the Runner is idle, so that a chain of tasks waits for nothing; gathered while it is busy. */
  #planFlush(): void {
    if (this.#isFlushPlanned) return
    this.#isFlushPlanned = true
    if (this.#attempts.count < BUSY_ATTEMPTS) queueMicrotask(() => this.#flush())
    else setTimeout(() => this.#flush(), GATHER_MS)
  }

  /** Commits all that has gathered: many runs, one turn, so one write to disk. */
  #flush(): void {
    this.#isFlushPlanned = false
    const now = Date.now()
    this.#starts.flush(now, (beginning) => this.#begin(beginning, now))
    const facts = this.#facts
    this.#facts = new Map()
    for (const [runId, reported] of facts) this.#commit(runId, reported, now)
  }

  /** Records a new run. If it throws, nothing of it is recorded. */
  #begin({ request, workflow, version, timeoutMs, takenOver }: Beginning, now: number): void {
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
      committed = this.ctx.storage.transactionSync(() => {
        if (idempotency !== null) {
          this.#keys.save(idempotency.key, idempotency.bodyHash, runId, now)
          this.#retention.expectKey(now + KEY_LIFETIME_MS)
        }
        return this.#committer.begin(accepted, now, takenOver)
      })
    } catch (error) {
      this.#counts.forget()
      this.#retention.forget()
      logFault('start', error, runId)
      throw error
    }
    this.#afterCommit(committed, now)
  }

  /** Commits what was reported of one run. A run whose part throws loses only its own part (R7). */
  #commit(runId: string, facts: readonly Fact[], now: number): Committed | null {
    try {
      const record = this.#records.get(runId)
      if (record === null) return null
      const committed = this.ctx.storage.transactionSync(() => this.#committer.append(record, facts, now))
      this.#afterCommit(committed, now)
      return committed
    } catch (error) {
      this.#records.drop(runId)
      this.#counts.forget()
      this.#retention.forget()
      logFault('commit', error, runId)
      this.#stopBroken(runId, facts)
      return null
    }
  }

  /** The run broke its commit: it ends with an error of its own, and if even that breaks, unread. */
  #stopBroken(runId: string, facts: readonly Fact[]): void {
    if (facts.some(({ type }) => type === 'RunStopped')) this.#condemn(runId, BROKEN.code, BROKEN.message)
    else this.#report(runId, { type: 'RunStopped', error: BROKEN })
  }

  /** What the commit asks for. Same turn, so nothing of it leaves before the commit is durable (R3). */
  #afterCommit({ record, admission, start, abort, nest, hasEnded, hasMoved, isCut }: Committed, now: number): void {
    const { run } = record
    this.#records.keep(record)
    for (const task of abort) {
      this.#attempts.abort(run.id, task, run.tasks[task]!.status === 'timed_out' ? 'timed_out' : 'cancelled')
      this.#cancelChild(run.tasks[task]!.childRun)
    }
    if (admission !== null) this.#circuits.settle(run.id, admission, now)
    for (const task of nest) this.#children.start(run, task, now)
    const load = this.#committer.loader(run.id)
    for (const spot of start) {
      try {
        this.#attempts.start(run, spot, now, load, admission?.trials.get(spotKey(spot.task, spot.item))?.trial)
      } catch (error) {
        logFault('dispatch', error, run.id)
        this.#report(run.id, { type: 'RunStopped', error: BROKEN })
      }
    }
    if (record.dueAt !== null) this.#armBy(record.dueAt)
    if (!this.#retention.isPassing) this.#armBy(this.#retention.nextAt)
    if (record.inFlight) this.#armBy(now + heartbeatMs(run.deadlineAt, now))
    if (hasMoved) this.#watchers.tell(run.id, run.events)
    if (hasEnded) {
      this.#waiters.wake(run.id)
      this.#watchers.release(run.id)
      this.#children.hasEnded(run)
    }
    if (isCut) setTimeout(() => this.#commit(run.id, [], Date.now()), 0)
  }

  /** Whose task it is has ended: so does the run, in the same turn, and the runs below it. */
  #cancelChild(runId: string | null): void {
    if (runId === null || isFinal(this.#history.brief(runId)?.status ?? 'cancelled')) return
    this.#requestCancel(runId, Date.now())
  }

  /** Ends a run without reading its history. */
  #condemn(runId: string, code: 'run_poisoned' | 'run_internal_error', message: string): void {
    const error = { code, message, retryable: false }
    const summary = this.#history.brief(runId)?.summary
    this.ctx.storage.transactionSync(() => this.#committer.condemn(runId, error, Date.now()))
    this.#armBy(this.#retention.nextAt)
    this.#records.drop(runId)
    this.#attempts.abortAll(runId)
    this.#waiters.wake(runId)
    this.#watchers.release(runId)
    for (const child of this.#history.liveChildren(runId)) this.#cancelChild(child)
    if (summary !== undefined) this.#children.hasBroken(runId, summary, error)
  }

  /** When this Runner has to be woken though nobody calls; Infinity if never. */
  #earliestDue(): number {
    const now = Date.now()
    if (this.#removal.hasMore) return now
    return Math.min(
      this.#history.earliestDue() ?? Number.POSITIVE_INFINITY,
      this.#retention.nextAt,
      Math.max(this.#bulk.nextAt, now),
      this.#bulk.hasUntold ? now + TELL_AGAIN_MS : Number.POSITIVE_INFINITY,
    )
  }

  #armBy(at: number): void {
    if (at >= NEVER_DUE) return
    if (this.#alarm.armBy(at)) this.#rows.countWritten(1)
  }

  #rearm(hasMore: boolean): void {
    const now = Date.now()
    this.#armBy(hasMore ? now : this.#earliestDue())
    if (this.#children.starting > 0) this.#armBy(now + MAX_HEARTBEAT_MS)
    for (const runId of this.#attempts.runs()) {
      this.#armBy(now + heartbeatMs(this.#records.get(runId)?.run.deadlineAt ?? null, now))
    }
  }

  /** Tells the Metrics object that there will be new figures here. Without it figures are late, and runs go on. */
  async #mark(): Promise<void> {
    const { tenant, shard } = this.#address()
    try {
      await this.env.METRICS.get(this.env.METRICS.idFromName(tenant)).mark(shard)
      this.#isMarked = true
    } catch (error) {
      logFault('mark', error)
    }
  }

  /** What the ids of this shard's runs begin with. */
  #prefix(): string {
    return `run_${this.#address().shard.toString(16).padStart(2, '0')}`
  }

  /** Tenant and shard are in the object's name (R8). */
  #address(): { tenant: string; shard: number } {
    const [tenant, shard] = (this.ctx.id.name ?? '').split(':')
    if (tenant === undefined || shard === undefined) throw new Error('a Runner is reached by its name, tenant:shard')
    return { tenant, shard: Number(shard) }
  }
}

/** A quarter of the time that the run has left, so that a crash costs it no more than that; within bounds. */
function heartbeatMs(deadlineAt: number | null, now: number): number {
  if (deadlineAt === null) return MAX_HEARTBEAT_MS
  return Math.min(MAX_HEARTBEAT_MS, Math.max(MIN_HEARTBEAT_MS, Math.floor((deadlineAt - now) / 4)))
}
