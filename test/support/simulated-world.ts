// A Runner and the world around it, in memory: history, dispatch, crashes, a clock that jumps, reports that come late or twice.
// What it does beside calling the pure core is what durable/runner/runner.ts does with a database and an executor.

import type { Admission } from '../../src/workflow/decide/admission.ts'
import { advance } from '../../src/workflow/decide/advance.ts'
import { takersOf } from '../../src/workflow/decide/signals.ts'
import type { WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import { compile } from '../../src/workflow/definition/definition.ts'
import type { AcceptedEvent, LaterEvent, TaskError } from '../../src/workflow/event.ts'
import { StepBudget } from '../../src/workflow/expression/step-budget.ts'
import { hash32 } from '../../src/workflow/hash.ts'
import { accept, apply } from '../../src/workflow/run/apply.ts'
import type { Fact } from '../../src/workflow/run/fact.ts'
import { dueAt, isCurrent, NEVER_DUE, type Run } from '../../src/workflow/run/run.ts'
import { type Spot, spotIn, spotKey, spotOf } from '../../src/workflow/run/spot.ts'
import { triesOf } from '../../src/workflow/run/tries.ts'
import type { Random } from './random.ts'

const noPayloads = () => {
  throw new Error('the simulation keeps no payloads outside the history')
}

/** An attempt that is under way outside. `owner` is the instance that dispatched it; after a crash nobody waits for it. */
interface Outside {
  fact: Fact
  endsAt: number
  owner: number
}

/** Whoever answers for a child: no instance that dies. */
const DURABLE = 0

/** Chances of what goes wrong, per step. */
export interface Trouble {
  crash: number
  duplicate: number
  clockBack: number
  failure: number
  timedOut: number
  /** An answer that is not the one waited for, so that the call is made again later. */
  snooze: number
  lostDispatch: number
  cancel: number
  /** Share of the targets whose circuit is open at any moment; 0: nobody knows of any. */
  open: number
  /** Share of the failures of which the budget allows no retry. */
  refused: number
  pause: number
  /** Somebody tells the run something. */
  signal: number
  /** How likely a step may spend next to nothing on expressions. */
  tightBudget: number
}

/** What the run may be told. */
export const SIGNAL_NAMES = ['go', 'stop'] as const

/** Answers of a task that is called again, before the one that is waited for. */
export const MAX_POLLS = 4

/** Circuits change their state in steps of this length. */
const CIRCUIT_MS = 300

export class SimulatedWorld {
  readonly history: [AcceptedEvent, ...LaterEvent[]]
  run: Run
  now: number
  readonly #random: Random
  readonly #trouble: Trouble
  readonly #outside: Outside[] = []
  #reported: Fact[] = []
  #instance = 1
  /** How often the outside saw an attempt of each task, and of each item of a map, begin. */
  readonly calls = new Map<number, number>()
  /** Signals sent. */
  signals = 0
  #check: (world: SimulatedWorld, event: LaterEvent) => void

  constructor(
    definition: WorkflowDefinition,
    timeoutMs: number,
    random: Random,
    trouble: Trouble,
    check: (world: SimulatedWorld, event: LaterEvent) => void,
    reused: readonly number[] = [],
    startsInMs: number | null = null,
  ) {
    this.#random = random
    this.#trouble = trouble
    this.#check = check
    this.now = 1_000_000
    const accepted: AcceptedEvent = {
      type: 'RunAccepted',
      at: this.now,
      runId: `run_00SIM${random.int(0, 1e9)}`,
      workflow: compile(definition),
      version: 1,
      input: null,
      timeoutMs,
      ...(startsInMs === null ? {} : { options: { startAt: this.now + startsInMs } }),
    }
    this.history = [accepted]
    this.run = accept(accepted)
    this.commit(reused.map((task): Fact => ({ type: 'TaskReused', task, output: { from: task } })))
  }

  /** The state that the history alone gives (R1). */
  refold(): Run {
    const [first, ...later] = this.history
    const run = accept(first)
    for (const event of later) apply(run, event)
    return run
  }

  commit(facts: Fact[]): void {
    for (;;) {
      // Now and then a step may cost so little that it is cut between any two expressions.
      const budget = new StepBudget(
        this.#random.chance(this.#trouble.tightBudget) ? this.#random.int(1, 40) : undefined,
      )
      const step = advance(this.run, facts, this.now, noPayloads, this.admission(), undefined, budget)
      for (const event of step.events) {
        this.history.push(event)
        this.#check(this, event)
      }
      facts = []
      // A crash here is the worst moment: recorded, and nothing of it sent.
      if (this.#random.chance(this.#trouble.lostDispatch)) {
        this.crash()
        return
      }
      this.#dispatch(step.events)
      if (step.isComplete) return
    }
  }

  /** Each task calls a target of its own, open or closed by a hash of the moment: asked twice, the answer is the same. */
  admission(): Admission | null {
    if (this.#trouble.open === 0) return null
    const moment = Math.floor(Math.max(this.now, this.run.at) / CIRCUIT_MS)
    const isOpen = (task: number) => hash32(`${this.run.id}/${task}/${moment}`) / 2 ** 32 < this.#trouble.open
    return {
      hold: ({ task }) => (isOpen(task) ? { target: `target-${task}`, until: (moment + 1) * CIRCUIT_MS } : null),
      isFree: ({ task }) => !isOpen(task),
    }
  }

  #dispatch(events: LaterEvent[]): void {
    for (const event of events) {
      if (event.type !== 'AttemptStarted' && event.type !== 'ChildStarted') continue
      const { token } = triesOf(this.run, event)
      if (token === 0 || !isCurrent(this.run, event, token)) continue
      if (this.history[token - 1] !== event) continue
      this.#call(spotIn(event), token, event.type === 'ChildStarted' ? DURABLE : this.#instance)
    }
  }

  #call(spot: Spot, token: number, owner: number): void {
    const key = spotKey(spot)
    this.calls.set(key, (this.calls.get(key) ?? 0) + 1)
    const mayPoll = owner !== DURABLE && triesOf(this.run, spot).polls < MAX_POLLS
    const fact = { ...this.#outcome(spot.task, token, mayPoll), ...spot } as Fact
    this.#outside.push({ fact, endsAt: this.now + this.#random.int(1, 400), owner })
  }

  /** Children live on; one whose start was lost is started by the next instance, once. */
  #recoverChildren(): void {
    for (const spot of [...this.run.nesting].map(spotOf)) {
      const { token } = triesOf(this.run, spot)
      const isThere = this.#outside.some(
        ({ fact, owner }) => owner === DURABLE && 'token' in fact && fact.token === token,
      )
      if (!isThere) this.#call(spot, token, DURABLE)
    }
  }

  #outcome(task: number, token: number, mayPoll: boolean): Fact {
    if (mayPoll && this.#random.chance(this.#trouble.snooze)) {
      return { type: 'AttemptSnoozed', task, token, afterMs: this.#random.int(1, 600) }
    }
    const error: TaskError = { code: 'http_500', message: 'answered 500', retryable: true }
    const refused = this.#random.chance(this.#trouble.refused) ? { isRetryRefused: true as const } : {}
    if (this.#random.chance(this.#trouble.failure)) return { type: 'AttemptFailed', task, token, error, ...refused }
    if (this.#random.chance(this.#trouble.timedOut))
      return { type: 'AttemptTimedOut', task, token, error: { ...error, code: 'timeout' }, ...refused }
    // Some tell what they took; by the token, so that no draw is spent on it.
    const usage = token % 3 === 0 ? { usage: { input_tokens: token, output_tokens: 1 } } : {}
    return { type: 'AttemptSucceeded', task, token, output: { from: task }, ...usage }
  }

  /** The instance dies; the next one knows the history and that it started none of the attempts in it. */
  crash(): void {
    this.#instance++
    this.run = this.refold()
    const cutOff: Fact[] = [...this.run.slots.holders].map((key) => {
      const spot = spotOf(key)
      const { token } = triesOf(this.run, spot)
      // Some were never made; by the token, so that no draw is spent on it.
      return { type: 'AttemptInterrupted', token, ...spot, ...(token % 3 === 0 ? { isUnreached: true } : {}) }
    })
    this.#recoverChildren()
    if (this.run.finishedAt === null) this.commit(cutOff)
  }

  /** Lets something happen: a report, an alarm, a crash. */
  step(): void {
    if (this.#random.chance(this.#trouble.crash)) this.crash()
    else if (this.#random.chance(this.#trouble.cancel)) this.commit([{ type: 'RunCancelRequested' }])
    else if (this.#random.chance(this.#trouble.pause)) this.commit([{ type: 'RunPaused' }])
    else if (this.#random.chance(this.#trouble.signal)) this.#signal()
    else if (this.run.status === 'paused' && this.#random.chance(0.3)) this.commit([{ type: 'RunResumed' }])
    else if (this.#random.chance(this.#trouble.duplicate) && this.#reported.length > 0) {
      this.commit([this.#random.pick(this.#reported)])
    } else this.commit(this.#happening())
  }

  /** Tells the run something, early or late, now and then twice. */
  #signal(): void {
    const id = this.#random.chance(0.2) ? `sig_${this.signals}` : `sig_${++this.signals}`
    const data = { n: this.#random.int(0, 3) }
    // Now and then it is meant for one task, which may wait for something else, or not at all.
    const to = this.#random.chance(0.2) ? { task: this.#random.int(0, this.run.tasks.length - 1) } : {}
    const signal = { type: 'SignalReceived', id, name: this.#random.pick(SIGNAL_NAMES), data, ...to } as const
    const takers = takersOf(this.run, signal, noPayloads)
    if (takers === null) throw new Error('so cheap a match cannot be too costly')
    this.commit([{ ...signal, takers }])
  }

  /** What is reported next; nothing when an alarm comes first, on time or late. */
  #happening(): Fact[] {
    if (this.#random.chance(this.#trouble.clockBack)) this.now -= this.#random.int(1, 50)
    this.#outside.sort((a, b) => a.endsAt - b.endsAt)
    const next = this.#outside[0]
    const due = dueAt(this.run, this.now)
    if (next !== undefined && (due === null || next.endsAt <= due || this.#random.chance(0.1))) {
      this.now = Math.max(this.now, next.endsAt)
      const together = this.#outside.splice(0, this.#random.int(1, 3))
      // A dead instance's calls end outside all the same, but nobody hears of it; now and then a late report gets through.
      const heard = together.filter(
        ({ owner }) => owner === this.#instance || owner === DURABLE || this.#random.chance(0.5),
      )
      this.#reported.push(...heard.map(({ fact }) => fact))
      return heard.map(({ fact }) => fact)
    }
    // Of a run that nothing moves on, time passes all the same.
    const until = due === null || due === NEVER_DUE ? this.now : due
    this.now = Math.max(this.now, until) + this.#random.int(0, 20)
    return []
  }
}
