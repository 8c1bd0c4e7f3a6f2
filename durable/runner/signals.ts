// Signals as they reach a Runner: which are taken, which refused, and what a repeat is told. The core decides which tasks get one.

import { hasRoom, hearsSignals, takersOf } from '../../src/workflow/decide/signals.ts'
import type { LoadPayload, RunEvent } from '../../src/workflow/event.ts'
import { readValue } from '../../src/workflow/expression/scope.ts'
import type { Json } from '../../src/workflow/json.ts'
import type { Fact } from '../../src/workflow/run/fact.ts'
import { isFinal, type Run } from '../../src/workflow/run/run.ts'
import { canonicalText } from '../../src/workflow/sound.ts'
import type { Committed } from './commit.ts'
import type { History, RunRecord } from './history.ts'
import type { Reading } from './reading.ts'
import type { CallbackRefusal, CallbackTarget, CallbackView, SignalAnswer, SignalRequest } from './runner-rpc.ts'

/** Takes the signals and the answers by links that come for this Runner's runs. */
export class Signals {
  readonly #history: History
  readonly #reading: Reading
  readonly #loader: (runId: string) => LoadPayload
  readonly #commit: (runId: string, facts: readonly Fact[]) => Committed | null

  /** @param commit records facts of a run, and what follows from them, after everything that was reported of it before */
  constructor(
    history: History,
    reading: Reading,
    loader: (runId: string) => LoadPayload,
    commit: (runId: string, facts: readonly Fact[]) => Committed | null,
  ) {
    this.#history = history
    this.#reading = reading
    this.#loader = loader
    this.#commit = commit
  }

  /** Tells a run something: one turn, so nothing comes between looking and recording. */
  async receive({ runId, id, name, data: text }: SignalRequest): Promise<SignalAnswer> {
    // What was reported before comes before it, and a deadline that has passed counts.
    if (this.#reading.record(runId)?.run.finishedAt === null) this.#commit(runId, [])
    const record = this.#reading.record(runId)
    if (record === null) return this.#refusal(runId)
    const { run } = record
    const data = JSON.parse(text) as Json
    if (run.signalIds.has(id)) return this.#repeat(record, id, name, data)
    if (!hearsSignals(run)) return this.#refusal(runId)
    const names = run.workflow.events
    if (!names.has(name)) return { kind: 'unknown_signal', names: [...names.keys()] }
    const takers = takersOf(run, { name, data }, this.#loader(runId))
    if (takers === null) return { kind: 'signal_too_costly' }
    if (takers.length === 0 && !hasRoom(run, text.length)) return { kind: 'signal_buffer_full' }
    const committed = this.#commit(runId, [{ type: 'SignalReceived', id, name, data, takers }])
    if (committed === null) throw new Error('the signal could not be recorded')
    if (!isRecorded(committed.events, id)) return this.#refusal(runId)
    return { kind: 'signal', id, deliveredTo: deliveries(run, committed.events, id), replayed: false }
  }

  /** Answers one wait of one task, whose link has been checked. */
  answer(target: CallbackTarget, id: string, text: string): SignalAnswer | CallbackRefusal {
    const { runId, task } = target
    if (this.#reading.record(runId)?.run.finishedAt === null) this.#commit(runId, [])
    const record = this.#reading.record(runId)
    const run = record?.run ?? null
    const name = run === null ? null : this.#eventOf(run, target)
    const data = JSON.parse(text) as Json
    // The same call again, whose answer was lost on its way.
    if (record?.run.signalIds.has(id)) {
      const event = record.run.workflow.definition.tasks[task]!.with!.event
      return this.#repeat(record, id, String(event), data)
    }
    if (run === null || name === null) return { kind: 'callback_used' }
    const committed = this.#commit(runId, [{ type: 'SignalReceived', id, name, data, task, takers: [task] }])
    if (committed === null) throw new Error('the answer could not be recorded')
    if (!isRecorded(committed.events, id)) return { kind: 'callback_used' }
    return { kind: 'signal', id, deliveredTo: deliveries(run, committed.events, id), replayed: false }
  }

  /** What a link that has been checked is for, while it is good. */
  show(target: CallbackTarget): CallbackView {
    const run = this.#reading.record(target.runId)?.run ?? null
    const event = run === null ? null : this.#eventOf(run, target)
    if (run === null || event === null) return { kind: 'callback_used' }
    const { name, tasks } = run.workflow.definition
    return { kind: 'callback', workflow: name, task: tasks[target.task]!.id, event }
  }

  /** The event that a wait is for; null if the task waits no longer. */
  #eventOf(run: Run, { task, wait }: CallbackTarget): string | null {
    const state = run.tasks[task]
    if (state?.waitingFor !== 'signal' || state.waitNumber !== wait || !hearsSignals(run)) return null
    return String(run.workflow.definition.tasks[task]!.with!.event)
  }

  /** The run has ended, or does nothing more than undo what it did. */
  async #refusal(runId: string): Promise<SignalAnswer> {
    const answer = await this.#reading.run(runId, 0)
    if (answer.kind === 'run_not_found') return answer
    return { ...answer, kind: isFinal(answer.status) ? 'run_finished' : 'run_compensating' }
  }

  /** The answer that the signal had the first time. */
  #repeat(record: RunRecord, id: string, name: string, data: Json): SignalAnswer {
    const { run } = record
    const signal = run.signals.get(run.signalIds.get(id)!)!
    const isSame =
      signal.name === name && canonicalText(readValue(signal.data, this.#loader(run.id))) === canonicalText(data)
    if (!isSame) return { kind: 'idempotency_key_reused' }
    const events = this.#history.eventsAfter(record, run.signalIds.get(id)! - 1)
    return { kind: 'signal', id, deliveredTo: deliveries(run, events, id), replayed: true }
  }
}

/** Whether a signal is in the history: what else was reported in the turn may have ended the run before it. */
function isRecorded(events: readonly RunEvent[], id: string): boolean {
  return events.some((event) => event.type === 'SignalReceived' && event.id === id)
}

/** Ids of the tasks that got a signal when it came: their ends stand right after it. */
function deliveries(run: Run, events: Iterable<RunEvent | null>, id: string): string[] {
  const tasks: string[] = []
  let hasCome = false
  for (const event of events) {
    if (!hasCome) hasCome = event?.type === 'SignalReceived' && event.id === id
    else if (event?.type === 'TaskSucceeded' && event.signal !== undefined) {
      tasks.push(run.workflow.definition.tasks[event.task]!.id)
    } else break
  }
  return tasks
}
