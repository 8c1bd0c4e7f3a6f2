// The only writer of history: facts of one run in, one transaction, and what follows from it (R3).
// Durability and bookkeeping of a single run; gathering, waking and answering are runner.ts.

import { utf8Length } from '../../src/bytes.ts'
import { advance } from '../../src/workflow/decide/advance.ts'
import type { TakenOver } from '../../src/workflow/decide/rerun.ts'
import { DEFAULT_RETENTION } from '../../src/workflow/definition/definition.ts'
import type { LoadPayload, RunError, RunEvent } from '../../src/workflow/event.ts'
import { type AcceptedEvent, PayloadRef, type StoredValue, type TaskIndex } from '../../src/workflow/event.ts'
import { StepBudget } from '../../src/workflow/expression/step-budget.ts'
import type { Json } from '../../src/workflow/json.ts'
import { accept } from '../../src/workflow/run/apply.ts'
import type { Fact } from '../../src/workflow/run/fact.ts'
import { dueAt, isCurrent, isStoppable, type Run } from '../../src/workflow/run/run.ts'
import { type Spot, spotIn } from '../../src/workflow/run/spot.ts'
import { spanMs } from '../../src/workflow/span.ts'
import type { RunCounts } from './counts.ts'
import type { History, RunRecord } from './history.ts'
import type { Retention } from './retention.ts'
import type { RunAdmission } from './run-admission.ts'
import { condemnedSummary, MAX_INLINE, summaryOf } from './view.ts'

/** History (in characters, which are nearly all ASCII) and payloads (in bytes) of one run together: api.md, `run_too_large`. */
const MAX_RUN_BYTES = 64 * 1024 * 1024

/** The history alone, in characters: it is in memory as long as the run is, and the isolate has 128 MB for all its runs. */
const MAX_HISTORY = 16 * 1024 * 1024

/** A history that has become so long holds small values only: the others are kept outside, like large ones. */
const LONG_HISTORY = 4 * 1024 * 1024

/** The longest value that a long history holds, in characters of JSON text. */
const MAX_INLINE_OF_LONG = 1024

/** What a list or an object takes in memory beside its text: measured 40 to 56 bytes. */
const CONTAINER_BYTES = 48

/** When the rest of a step that was cut is due, in ms: only a crash lets it come to that. */
const CUT_STEP_MS = 1_000

/** What a commit asks its Runner to do, once it is durable. */
export interface Committed {
  record: RunRecord
  /** What was asked of circuits that are not closed; null if all were. */
  admission: RunAdmission | null
  /** Tasks, and items of maps, whose attempt has started and is to be made. */
  start: Spot[]
  /** Tasks whose attempt, if one is under way, is of no more use. */
  abort: TaskIndex[]
  /** Tasks, and items of maps, whose attempt is a run that is to be started. */
  nest: Spot[]
  hasEnded: boolean
  /** What was recorded. */
  events: readonly RunEvent[]
  /** The step was cut: the run has to be stepped again soon. */
  isCut: boolean
  hasMoved: boolean
}

/** @param budget pays for what is evaluated to know */
type Admit = (run: Run, load: LoadPayload, now: number, budget: StepBudget) => RunAdmission | null

/** Writes what happens to one run: events, due time, large values and figures, in the transaction of its caller. */
export class Committer {
  readonly #history: History
  readonly #counts: RunCounts
  readonly #retention: Retention
  readonly #admit: Admit

  /** @param admit what holds tasks of a run back at this moment */
  constructor(history: History, counts: RunCounts, retention: Retention, admit: Admit) {
    this.#history = history
    this.#counts = counts
    this.#retention = retention
    this.#admit = admit
  }

  /** Records a new run and its first step. Belongs into a transaction. */
  begin(
    accepted: Omit<AcceptedEvent, 'input'> & { inputText: string },
    now: number,
    takenOver: TakenOver = [],
  ): Committed {
    const { inputText, ...event } = accepted
    const isLarge = !isInline(inputText, 0)
    const bytes = isLarge ? utf8Length(inputText) : 0
    const input = isLarge ? new PayloadRef(1, bytes) : (JSON.parse(inputText) as StoredValue)
    if (isLarge) this.#history.savePayload(event.runId, 1, inputText)
    const first: AcceptedEvent = { ...event, input }
    const record: RunRecord = {
      run: accept(first),
      head: '',
      headFrom: 1,
      spilled: 0,
      rowStarts: [],
      payloads: isLarge ? 1 : 0,
      historyLength: 0,
      payloadBytes: bytes,
      dueAt: null,
      inFlight: false,
    }
    const facts = takenOver.map(({ task, output }): Fact => {
      return { type: 'TaskReused', task, output: this.#copyOutput(record, event.options?.retry?.of ?? '', output) }
    })
    const load = this.loader(event.runId)
    const budget = new StepBudget()
    const admission = this.#admit(record.run, load, now, budget)
    const step = advance(record.run, facts, now, load, admission, this.#keeper(record), budget)
    return { ...this.#write(record, [first, ...step.events], step.isComplete, now, true), admission }
  }

  /** Records facts of a run and what follows from them. Belongs into a transaction; if it throws, the record is spoilt. */
  append(record: RunRecord, facts: readonly Fact[], now: number): Committed {
    const { run } = record
    const load = this.loader(run.id)
    const budget = new StepBudget()
    const admission = this.#admit(run, load, now, budget)
    const keep = this.#keeper(record)
    const step = advance(run, facts, now, load, admission, keep, budget)
    // As with the number of events, what the run undoes has as much room again.
    const limit = run.compensation === null ? MAX_RUN_BYTES : 2 * MAX_RUN_BYTES
    const isHistoryFull = record.historyLength > (run.compensation === null ? MAX_HISTORY : 2 * MAX_HISTORY)
    if ((isHistoryFull || record.historyLength + record.payloadBytes > limit) && isStoppable(run)) {
      const message = isHistoryFull
        ? `The history of the run has reached ${record.historyLength} characters`
        : `History and outputs of the run have reached ${limit} bytes`
      const stop: Fact = { type: 'RunStopped', error: { code: 'run_too_large', message, retryable: false } }
      const stopped = advance(run, [stop], now, load, admission, keep)
      step.events.push(...stopped.events)
      step.isComplete = stopped.isComplete
    }
    return { ...this.#write(record, step.events, step.isComplete, now, false), admission }
  }

  /** Ends a run unread: the last resort for one whose history cannot be folded (R7). Belongs into a transaction. */
  condemn(runId: string, error: RunError, now: number): void {
    const brief = this.#history.brief(runId)
    if (brief === null) return
    this.#history.condemn(runId, condemnedSummary(brief.summary, error, now))
    this.#counts.countCondemned(brief.workflow, error.code)
    this.#retention.expectRun(now, spanMs(DEFAULT_RETENTION))
  }

  /** Reads payloads of a run. It remembers the last one: a value that many tasks read is read for all of them at once. */
  loader(runId: string): LoadPayload {
    let last: { n: number; value: Json } | null = null
    return (ref) => {
      if (last?.n !== ref.n) last = { n: ref.n, value: this.#history.loadPayload(runId, ref) }
      return last.value
    }
  }

  /** An output of another run, as this run's own: a payload has its number within its run, and goes when its run does. */
  #copyOutput(record: RunRecord, from: string, output: StoredValue): StoredValue {
    if (!(output instanceof PayloadRef)) return output
    const n = ++record.payloads
    record.payloadBytes += output.bytes
    this.#history.copyPayload({ runId: from, n: output.n }, { runId: record.run.id, n })
    return new PayloadRef(n, output.bytes)
  }

  /** Gives what keeps a large value outside the history, where it is read only when it is needed. */
  #keeper(record: RunRecord): (value: Json) => StoredValue {
    return (value) => {
      if (value === null || typeof value === 'number' || typeof value === 'boolean') return value
      const text = JSON.stringify(value)
      if (isInline(text, record.historyLength)) return value
      const n = ++record.payloads
      const bytes = utf8Length(text)
      record.payloadBytes += bytes
      this.#history.savePayload(record.run.id, n, text)
      return new PayloadRef(n, bytes)
    }
  }

  #write(
    record: RunRecord,
    events: readonly RunEvent[],
    isComplete: boolean,
    now: number,
    isNew: boolean,
  ): Omit<Committed, 'admission'> {
    const { run } = record
    // A step that was cut goes on at once; should the instance die before, the alarm goes on with it.
    const due = isComplete ? dueAt(run, now) : now + CUT_STEP_MS
    const hasNewDue = due !== record.dueAt
    const hasEnded = run.finishedAt !== null
    record.dueAt = due
    record.inFlight = run.slots.holders.size > 0 || run.nesting.size > 0
    if (events.length > 0) {
      const summary = JSON.stringify(summaryOf(run))
      if (isNew) this.#history.insert(record, events, summary)
      else this.#history.append(record, events, summary, hasNewDue)
      if (hasEnded) {
        this.#counts.countEnd(run)
        this.#retention.expectRun(run.finishedAt!, run.workflow.retentionMs)
      }
    }
    if (hasNewDue && !isNew && events.length === 0) this.#history.setDue(record)
    const start: Spot[] = []
    const abort: TaskIndex[] = []
    const nest: Spot[] = []
    events.forEach((event, index) => {
      const number = run.events - events.length + index + 1
      const isStart = event.type === 'AttemptStarted' || event.type === 'ChildStarted'
      if (isStart && isCurrent(run, event, number)) {
        if (event.type === 'AttemptStarted') start.push(spotIn(event))
        else nest.push(spotIn(event))
      }
      if (mayCutOff(event)) abort.push(event.task)
    })
    return {
      record,
      start,
      abort,
      nest,
      hasEnded,
      events,
      isCut: !isComplete,
      hasMoved: events.length > 0 || hasNewDue,
    }
  }
}

/** Whether a task ends while attempts of it may be under way. A task that fails has no attempt any more, but items of a map may have. */
function mayCutOff(
  event: RunEvent,
): event is Extract<RunEvent, { type: 'TaskCancelled' | 'TaskTimedOut' | 'TaskFailed' }> {
  if (event.type === 'TaskCancelled') return true
  return (event.type === 'TaskTimedOut' || event.type === 'TaskFailed') && event.item === undefined
}

/**
 * Whether the history holds a value itself. Not one of many lists and objects within each other, which is small as a text and
 * large in memory.
 */
function isInline(text: string, historyLength: number): boolean {
  const most = historyLength > LONG_HISTORY ? MAX_INLINE_OF_LONG : MAX_INLINE
  if (text.length > most) return false
  // Most values are too short for that.
  if (text.length * CONTAINER_BYTES <= 8 * most) return true
  let containers = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === 0x5b || code === 0x7b) containers++
  }
  return text.length + CONTAINER_BYTES * containers <= 4 * most
}
