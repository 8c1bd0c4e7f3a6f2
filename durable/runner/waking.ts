// When a Runner is woken though nobody calls, and what it does then: recovers after a crash, moves the runs that are due, and
// tidies up with what time is left. Keeps R4 and R7: an alarm stands afterwards if a run is live, even if something throws.

import { NEVER_DUE } from '../../src/workflow/run/run.ts'
import { Alarm } from '../alarm.ts'
import { logFault } from '../fault-log.ts'
import type { Rows } from '../rows.ts'
import type { Attempts } from './attempts.ts'
import type { BulkJobs } from './bulk-jobs.ts'
import type { BulkWork } from './bulk-work.ts'
import type { Children } from './children.ts'
import type { Circuits } from './circuits.ts'
import type { CutOffs } from './cut-offs.ts'
import type { FiguresMark } from './figures-mark.ts'
import type { History } from './history.ts'
import type { Records } from './records.ts'
import type { Recovery } from './recovery.ts'
import type { Removal } from './removal.ts'
import type { Retention } from './retention.ts'
import type { Steps } from './steps.ts'

/** While attempts are in flight the alarm stands no later than this, at most: that is when a crash is noticed (R4). */
const MAX_HEARTBEAT_MS = 10_000
const MIN_HEARTBEAT_MS = 500

/** How long one alarm works before it lets requests through and comes back. */
const MAX_ALARM_MS = 2_000

/** Runs that are woken in one turn; between turns requests are answered. */
const PAGE = 20

/** How soon a shard that could not be told of a bulk job is told again, in ms. */
const TELL_AGAIN_MS = 1_000

/** How long an alarm waits for the Gates of circuits whose time has come. */
const MAX_ASK_MS = 1_000

/** The parts of a Runner that an alarm touches. Some of them arm it, so they are made after it. */
export interface WakingParts {
  rows: Rows
  history: History
  records: Records
  recovery: Recovery
  steps: Steps
  attempts: Attempts
  children: Children
  circuits: Circuits
  cutOffs: CutOffs
  removal: Removal
  retention: Retention
  bulkJobs: BulkJobs
  bulkWork: BulkWork
  mark: FiguresMark
  /** Keeps the object alive until that is done, without waiting for it. */
  waitUntil(work: Promise<unknown>): void
}

/** Sets and answers the alarm of a Runner. */
export class Waking {
  readonly #alarm: Alarm
  readonly #parts: () => WakingParts

  constructor(storage: DurableObjectStorage, parts: () => WakingParts) {
    this.#alarm = new Alarm(storage)
    this.#parts = parts
  }

  /** Belongs into `blockConcurrencyWhile`. Live runs without an alarm would wait for ever; one that stands is early enough. */
  async restore(): Promise<void> {
    await this.#alarm.restore()
    this.armBy(Math.max(this.#earliestDue(), Date.now()))
  }

  /** The alarm's handler. Rejects only if no new alarm could be set. */
  async onAlarm(info?: AlarmInvocationInfo): Promise<void> {
    const { bulkJobs, bulkWork, circuits, cutOffs, history, mark, recovery, steps, waitUntil } = this.#parts()
    this.#alarm.hasFired()
    const begunAt = Date.now()
    let hasMore = false
    try {
      if (!mark.isSet) await Promise.race([mark.set(), scheduler.wait(MAX_ASK_MS)])
      await recovery.run()
      if (bulkJobs.hasUntold) waitUntil(bulkWork.tell())
      // Runs that their circuits hold back are due now: with the Gate's answer they need no second wait. Not for long, though.
      const asked = Promise.all([circuits.askDue(begunAt), circuits.release()])
      await Promise.race([asked, scheduler.wait(MAX_ASK_MS)])
      // A clock that lags behind the alarm must not find its runs not yet due, or it would fire again at once, for ever.
      for (;;) {
        const now = Math.max(Date.now(), info?.scheduledTime ?? 0)
        // What is not wanted any more goes first: it may be due too.
        cutOffs.step()
        const due = history.due(now, PAGE)
        if (due.length === 0 && !cutOffs.hasMore) break
        for (const runId of due) steps.wake(runId, now)
        hasMore = Date.now() - begunAt > MAX_ALARM_MS
        if (hasMore) break
        await scheduler.wait(0)
      }
      while (!hasMore && (await this.#tidy(Math.max(Date.now(), info?.scheduledTime ?? 0)))) {
        await scheduler.wait(0)
        // What a run waits for comes before what nobody waits for.
        hasMore =
          Date.now() - begunAt > MAX_ALARM_MS || (history.earliestDue() ?? Number.POSITIVE_INFINITY) <= Date.now()
      }
    } catch (error) {
      logFault('alarm', error)
    } finally {
      this.#rearm(hasMore)
      // The one error that may leave: without it the platform would take the alarm for done (R7).
      await this.#alarm.written()
    }
  }

  /** Removes a batch of what has to go, or acts on a page of a bulk job. Returns whether there was any. */
  async #tidy(now: number): Promise<boolean> {
    const { bulkJobs, bulkWork, removal, retention } = this.#parts()
    if (removal.hasMore) {
      removal.step()
      return true
    }
    if (bulkJobs.nextAt <= now) {
      await bulkWork.step(now)
      return true
    }
    try {
      const over = retention.step(now)
      if (over !== null) removal.remove(over)
      return over !== null
    } catch (error) {
      retention.postpone(now)
      throw error
    }
  }

  /** When this Runner has to be woken though nobody calls; Infinity if never. */
  #earliestDue(): number {
    const { bulkJobs, circuits, cutOffs, history, removal, retention } = this.#parts()
    const now = Date.now()
    if (removal.hasMore || cutOffs.hasMore) return now
    return Math.min(
      history.earliestDue() ?? Number.POSITIVE_INFINITY,
      retention.nextAt,
      circuits.nextReleaseAt,
      Math.max(bulkJobs.nextAt, now),
      bulkJobs.hasUntold ? now + TELL_AGAIN_MS : Number.POSITIVE_INFINITY,
    )
  }

  /** The alarm fires then or earlier, ms since the epoch. */
  armBy(at: number): void {
    if (at >= NEVER_DUE) return
    if (this.#alarm.armBy(at)) this.#parts().rows.countWritten(1)
  }

  #rearm(hasMore: boolean): void {
    const { attempts, children, records } = this.#parts()
    const now = Date.now()
    this.armBy(hasMore ? now : this.#earliestDue())
    if (children.starting > 0) this.armBy(now + MAX_HEARTBEAT_MS)
    for (const runId of attempts.runs()) {
      this.armBy(now + heartbeatMs(records.get(runId)?.run.deadlineAt ?? null, now))
    }
  }
}

/** A quarter of the time that the run has left, so that a crash costs it no more than that; within bounds. */
export function heartbeatMs(deadlineAt: number | null, now: number): number {
  if (deadlineAt === null) return MAX_HEARTBEAT_MS
  return Math.min(MAX_HEARTBEAT_MS, Math.max(MIN_HEARTBEAT_MS, Math.floor((deadlineAt - now) / 4)))
}
