// How a run that has ended is made again: a start like any other, which takes over what the run before has given.
// What can't be started can't be made again either: a paused or deleted workflow, a version that is gone.

import { planRerun } from '../../src/workflow/decide/rerun.ts'
import type { LoadPayload } from '../../src/workflow/event.ts'
import { BYTES_PER_STEP, readValue } from '../../src/workflow/expression/scope.ts'
import { isFinal } from '../../src/workflow/run/run.ts'
import type { History, RunRecord } from './history.ts'
import type { Reading } from './reading.ts'
import type { Records } from './records.ts'
import type { RetryRefused, RetryRequest, StartRequest } from './runner-rpc.ts'
import type { Accepted, Refused, Starts } from './starts.ts'
import type { Turns } from './turns.ts'

const RUN_NOT_FOUND = { kind: 'run_not_found' } as const

/** Makes runs that have ended again, as new runs. */
export class Retries {
  readonly #starts: Starts
  readonly #history: History
  readonly #records: Records
  readonly #reading: Reading
  readonly #turns: Turns
  readonly #loader: (runId: string) => LoadPayload

  constructor(
    starts: Starts,
    history: History,
    records: Records,
    reading: Reading,
    turns: Turns,
    loader: (runId: string) => LoadPayload,
  ) {
    this.#starts = starts
    this.#history = history
    this.#records = records
    this.#reading = reading
    this.#turns = turns
    this.#loader = loader
  }

  /** Resolves once the new run is recorded or refused. */
  async accept(request: RetryRequest): Promise<Accepted | Refused | RetryRefused> {
    // Before all else: a repeat finds its run, even if the one before it was deleted since.
    const earlier = this.#starts.earlier(request)
    if (earlier !== null) return earlier
    const brief = this.#history.brief(request.of)
    if (brief === null) return RUN_NOT_FOUND
    if (!isFinal(brief.status)) {
      const run = await this.#reading.run(request.of, 0)
      return run.kind === 'run' ? { ...run, kind: 'run_not_finished' } : run
    }
    if (brief.is_unreadable === 1) return { kind: 'run_unreadable' }
    const bytes = this.#records.get(request.of)?.payloadBytes
    if (bytes === undefined) return RUN_NOT_FOUND
    await this.#turnFor(request.of, bytes)
    const old = this.#records.get(request.of)
    if (old === null) return RUN_NOT_FOUND
    return this.#starts.acceptRetry(this.#startOf(request, old), (workflow) => {
      // The run may have been deleted while the start waited for its version.
      const record = this.#records.get(request.of)
      return record === null ? RUN_NOT_FOUND : planRerun(record.run, workflow, request.from)
    })
  }

  /** Waits for a turn with room to copy that many bytes: otherwise many retries at once would copy the outputs of all their runs in one turn. */
  #turnFor(runId: string, bytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.#turns.do(runId, (budget) => {
        budget.spend(Math.ceil(bytes / BYTES_PER_STEP))
        resolve()
      })
    })
  }

  /** The start that the run before was, but for what makes the new one another. */
  #startOf({ runId, of, version, trace, idempotency }: RetryRequest, { run }: RunRecord): StartRequest {
    const { tags, retry } = run.options
    const wasShortened = run.timeoutMs < run.workflow.timeoutMs
    return {
      runId,
      workflow: { name: run.workflow.definition.name, version: version ?? run.version },
      input: JSON.stringify(readValue(run.input, this.#loader(of))),
      timeoutMs: wasShortened ? run.timeoutMs : null,
      options: {
        ...(tags === undefined ? {} : { tags }),
        ...(trace === undefined ? {} : { trace }),
        retry: { of, attempt: (retry?.attempt ?? 1) + 1 },
      },
      idempotency,
      waitMs: 0,
    }
  }
}
