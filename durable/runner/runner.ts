// Runner: one Durable Object a shard (`tenant:shard`); executes many runs. This file is what it can be asked; how its parts are
// put together is runner-parts.ts, what moves runs is steps.ts, and what wakes it waking.ts. What happens next in a run is
// decided by src/workflow alone.

import { DurableObject } from 'cloudflare:workers'
import { AutoRouter, type IRequest } from 'itty-router'
import type { Env } from '../../src/env.ts'
import { WATCH_ROUTE, wantsEvents } from '../../src/watch-protocol.ts'
import type { TaskStatus } from '../../src/workflow/run/run.ts'
import type { CircuitView } from '../gate/gate-rpc.ts'
import { migrate } from '../migrate.ts'
import type { Counts } from './counts.ts'
import { listRuns } from './listing.ts'
import { assemble, type RunnerParts } from './runner-parts.ts'
import type {
  BulkAnswer,
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
import type { Accepted } from './starts.ts'

/** The Durable Object that executes the runs of one shard of a tenant. */
export class Runner extends DurableObject<Env> {
  readonly #parts: RunnerParts
  /** A WebSocket begins as an HTTP request; everything else that a Runner is asked is RPC. */
  readonly #router = AutoRouter()

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    migrate(ctx.storage.sql, RUNNER_MIGRATIONS)
    this.#parts = assemble(ctx, env)
    const { reading, waking, watchers } = this.#parts
    this.#router.get(WATCH_ROUTE, ({ params: { id = '' }, query }: IRequest) => {
      const last = reading.lastEvent(id)
      return last === null ? new Response(null, { status: 404 }) : watchers.accept(id, last, wantsEvents(query))
    })
    ctx.blockConcurrencyWhile(() => waking.restore())
  }

  /** Wakes the runs that are due. An alarm stands afterwards if a run is live, even if something throws (R4, R7). */
  override async alarm(info?: AlarmInvocationInfo): Promise<void> {
    return this.#parts.waking.onAlarm(info)
  }

  /** Starts a run, or finds the one that the same id or key has started, and waits for its end as long as asked. */
  async start(request: StartRequest): Promise<StartAnswer> {
    const { mark, starts } = this.#parts
    if (!mark.isSet) await mark.set()
    const outcome = await starts.accept(request)
    return outcome.kind === 'accepted' ? this.#started(outcome, request.waitMs) : outcome
  }

  /** Makes a run that has ended again: a new run, which takes over the outputs that still hold. */
  async retry(request: RetryRequest): Promise<RetryAnswer> {
    const { mark, retries } = this.#parts
    if (!mark.isSet) await mark.set()
    const outcome = await retries.accept(request)
    return outcome.kind === 'accepted' ? this.#started(outcome, 0) : outcome
  }

  async #started({ runId, replayed }: Accepted, waitMs: number): Promise<StartAnswer> {
    const { mark, reading } = this.#parts
    const answer = await reading.run(runId, waitMs)
    // A scrape may have come in between: what this answer tells has to be in the next one.
    if (!mark.isSet) await mark.set()
    return answer.kind === 'run' ? { ...answer, replayed } : { kind: 'run_deleted' }
  }

  /** A run as it stands; waits up to `waitMs` for its end first. */
  async get(runId: string, waitMs: number): Promise<RunAnswer | RunNotFound> {
    return this.#parts.reading.run(runId, waitMs)
  }

  /** The run as it stood right after the event with this number. */
  async at(runId: string, number: number): Promise<RunAnswer | RunNotFound | EventNotFound> {
    return this.#parts.reading.at(runId, number)
  }

  /** The graph of a run's workflow, with the status of each task, in the form asked for. */
  async graph(runId: string, form: GraphForm): Promise<{ kind: 'graph'; body: string } | RunNotFound> {
    return this.#parts.reading.graph(runId, form)
  }

  /** The explanation of a run, in the form asked for. Reads its whole history. */
  async explain(runId: string, form: ExplanationForm): Promise<{ kind: 'explanation'; body: string } | RunNotFound> {
    return this.#parts.reading.explain(runId, form)
  }

  /** Ends a run: what has not ended is cancelled. Cancelling, ending and timing out race; the first in the history wins. */
  async cancel(runId: string): Promise<RunAnswer | RunFinished | RunCompensating | RunNotFound> {
    return this.#parts.steering.cancel(runId)
  }

  /** Holds a run: attempts that execute end, nothing starts, and its deadline stands still. A paused run stays so. */
  async pause(runId: string): Promise<RunAnswer | RunFinished | RunNotFound> {
    return this.#parts.steering.pause(runId)
  }

  /** Lets a paused run go on, with what was left of its time. */
  async resume(runId: string): Promise<RunAnswer | RunFinished | RunNotPaused | RunNotFound> {
    return this.#parts.steering.resume(runId)
  }

  /** Deletes a run that has ended. Its Idempotency-Key stays as long as it would have. */
  async delete(runId: string): Promise<{ kind: 'deleted' } | RunNotFinished | RunNotFound> {
    return this.#parts.steering.delete(runId)
  }

  /** Tells a run something that its tasks may wait for. Told twice with one id, it is told once. */
  async signal(request: SignalRequest): Promise<SignalAnswer> {
    const { mark, signals } = this.#parts
    if (!mark.isSet) await mark.set()
    return signals.receive(request)
  }

  /** Answers the wait that a link is for, once. Whether the link is one of this object's is looked at before anything else. */
  async answerCallback(target: CallbackTarget, id: string, data: string): Promise<SignalAnswer | CallbackRefusal> {
    const { callbacks, mark, signals } = this.#parts
    if (!(await callbacks.isOurs(target))) return { kind: 'callback_not_found' }
    if (!mark.isSet) await mark.set()
    return signals.answer(target, id, data)
  }

  /** What a link is for. */
  async callback(target: CallbackTarget): Promise<CallbackView> {
    const { callbacks, signals } = this.#parts
    return (await callbacks.isOurs(target)) ? signals.show(target) : { kind: 'callback_not_found' }
  }

  /** A page of a run's tasks, of one status or all, from position `after` on. */
  async tasks(runId: string, status: TaskStatus | null, after: number, limit: number): Promise<TextPage | RunNotFound> {
    return this.#parts.reading.tasks(runId, status, after, limit)
  }

  /** One task of a run, by its id. */
  async task(runId: string, taskId: string): Promise<{ kind: 'task'; body: string } | RunNotFound | TaskNotFound> {
    return this.#parts.reading.task(runId, taskId)
  }

  async items(
    runId: string,
    taskId: string,
    status: TaskStatus | null,
    after: number,
    limit: number,
  ): Promise<TextPage | RunNotFound | TaskNotFound | NoMap> {
    return this.#parts.reading.items(runId, taskId, status, after, limit)
  }

  /** The output of one task alone, however large. */
  async output(runId: string, taskId: string): Promise<{ kind: 'output'; body: string } | RunNotFound | TaskNotFound> {
    return this.#parts.reading.output(runId, taskId)
  }

  /** A page of a run's history: at most `limit` events after number `after`. */
  async events(runId: string, after: number, limit: number): Promise<EventPage | RunNotFound> {
    return this.#parts.reading.events(runId, after, limit)
  }

  /** `GET /runs/{id}/watch` with an upgrade: a socket that tells when the run moves (watchers.ts). */
  override fetch(request: Request): Promise<Response> {
    return this.#router.fetch(request)
  }

  /** Closes the socket of a watcher that sends something: watchers only listen. */
  override async webSocketMessage(socket: WebSocket): Promise<void> {
    socket.close(1003, 'a watcher is told, and says nothing')
  }

  /** A page of this shard's runs, newest first, older than the ULID `before`. */
  async list(filter: ListFilter, before: string | null, limit: number): Promise<RunPage> {
    const { prefix, rows } = this.#parts
    return listRuns(rows, filter, prefix(), before, limit)
  }

  /**
   * Takes a bulk job, or finds the one that the same id or key has begun.
   * @param others the shards that this one has to tell of the job; empty if another shard told this one
   */
  async requestBulk(
    job: BulkJob,
    others: readonly number[],
    idempotency: StartRequest['idempotency'] = null,
  ): Promise<BulkAnswer> {
    const { bulkWork, waking } = this.#parts
    const outcome = bulkWork.accept(job, others, idempotency)
    waking.armBy(Date.now())
    return outcome
  }

  /** How far this shard is with a bulk job; null if it does not have it. */
  async bulk(id: string): Promise<BulkProgress | null> {
    return this.#parts.bulkJobs.progress(id)
  }

  /** How many runs a bulk job would act on now. */
  async countBulk(job: BulkJob): Promise<number> {
    return this.#parts.bulkWork.count(job)
  }

  /**
   * The Registry says that a name has moved. When this answers, no run of what was there before can start here any more:
   * starts that wait for their commit find their lease gone.
   */
  async recall(name: string): Promise<void> {
    this.#parts.workflows.recall(name)
  }

  /** A Gate says how a circuit stands that this Runner calls through: runs that waited for it to close go on. */
  async circuitChanged(target: string, view: CircuitView): Promise<void> {
    this.#parts.circuits.learn(target, view)
  }

  /** Absolute figures for the Metrics object. From now on a change has to be marked again, unless one is sure to come. */
  async counts(): Promise<{ counts: Counts; runsActive: number; tasksRunning: number; isSettled: boolean }> {
    const { attempts, children, counts, history, mark, starts } = this.#parts
    const isSettled = attempts.count === 0 && starts.isEmpty && children.starting === 0
    mark.hasBeenRead(!isSettled)
    return {
      counts: counts.all(),
      runsActive: history.liveRuns(),
      tasksRunning: attempts.count,
      isSettled,
    }
  }
}
