// What an operator asks of one run: cancel, pause, resume, delete. Each is a fact among others, so it races with what the run
// does by itself, and the order of history decides; the answer tells what came first.

import { isFinal } from '../../src/workflow/run/run.ts'
import type { FiguresMark } from './figures-mark.ts'
import type { History } from './history.ts'
import type { Reading } from './reading.ts'
import type { Records } from './records.ts'
import type { Removal } from './removal.ts'
import type {
  RunAnswer,
  RunCompensating,
  RunFinished,
  RunNotFinished,
  RunNotFound,
  RunNotPaused,
} from './runner-rpc.ts'
import type { Steps } from './steps.ts'

/** Cancels, pauses, resumes and deletes runs. */
export class Steering {
  readonly #steps: Steps
  readonly #reading: Reading
  readonly #records: Records
  readonly #history: History
  readonly #removal: Removal
  readonly #mark: FiguresMark

  constructor(steps: Steps, reading: Reading, records: Records, history: History, removal: Removal, mark: FiguresMark) {
    this.#steps = steps
    this.#reading = reading
    this.#records = records
    this.#history = history
    this.#removal = removal
    this.#mark = mark
  }

  /**
   * Ends a run: attempts that execute are aborted, and every task that has not ended is cancelled, in one commit. Cancelling, ending and
   * timing out race; the first in the history wins, and what was reported before the request comes before it.
   */
  async cancel(runId: string): Promise<RunAnswer | RunFinished | RunCompensating | RunNotFound> {
    const before = await this.#reading.run(runId, 0)
    if (before.kind === 'run_not_found') return before
    if (isFinal(before.status)) return { ...before, kind: 'run_finished' }
    if (!this.#mark.isSet) await this.#mark.set()
    this.#steps.requestCancel(runId, Date.now())
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
    const committed = this.#steps.commitReported(runId, [{ type }])
    // A run whose tasks have all ended while it was paused ends as soon as it is resumed: that is not a refusal.
    const isDone = committed?.events.some((event) => event.type === type) === true
    const after = await this.#reading.run(runId, 0)
    return !isDone && after.kind === 'run' && isFinal(after.status) ? { ...after, kind: 'run_finished' } : after
  }

  /** Deletes a run that has ended. Its Idempotency-Key stays as long as it would have. */
  async delete(runId: string): Promise<{ kind: 'deleted' } | RunNotFinished | RunNotFound> {
    const before = this.#history.brief(runId)
    if (before === null) return { kind: 'run_not_found' }
    if (!isFinal(before.status)) {
      const run = await this.#reading.run(runId, 0)
      return run.kind === 'run' ? { ...run, kind: 'run_not_finished' } : run
    }
    this.#removal.remove([runId])
    return { kind: 'deleted' }
  }
}
