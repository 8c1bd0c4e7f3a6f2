// What one Runner knows of the circuits of the targets that its tasks call. Admission works on it within a commit, without a
// hop; what calls say is told to the Gate in the background, and its answer is taken over. A Runner may open its own circuit;
// only the Gate lets anybody through one that is not closed (src/workflow/decide/circuit.ts, durable/gate/gate.ts).
//
// A circuit that is not closed is a row here (it outlives this instance), and so is each run that one holds back: when
// it closes, they are found. Runs of a circuit that has no row are still to be looked at, whatever cut that off. Everything about closed circuits is memory: lost, it only makes a circuit open later.

import {
  afterCall,
  type Circuit,
  CLOSED,
  type Outcome,
  type Trial,
  trialVerdictOf,
  verdictOf,
} from '../../src/workflow/decide/circuit.ts'
import { type BreakerPolicy, DEFAULT_BREAKER, MAX_WINDOW } from '../../src/workflow/definition/breaker.ts'
import type { LoadPayload } from '../../src/workflow/event.ts'
import type { StepBudget } from '../../src/workflow/expression/step-budget.ts'
import type { Run } from '../../src/workflow/run/run.ts'
import type { Gate } from '../gate/gate.ts'
import type { CircuitView } from '../gate/gate-rpc.ts'
import type { Rows } from '../rows.ts'
import { type Barrier, MAX_LEASE_MS, RunAdmission } from './run-admission.ts'

/** How often calls of one target are told to its Gate at most, in ms. */
const REPORT_MS = 1_000

/**
 * How often a Runner that makes many calls reports successes, which only complete the picture of the Gate. A Runner that makes
 * few calls reports successes as soon as failures: otherwise the Gate would hear of the failures first, and open a circuit although most calls succeed.
 */
const QUIET_REPORT_MS = 10_000

/** How soon a Gate that did not answer is asked again. */
const ASK_AGAIN_MS = 1_000

/** What is added to the time that a trial may take, for the way. */
const LEASE_MARGIN_MS = 5_000

/** Targets that are known at a time; the one that was called the longest ago is forgotten first. */
const MAX_TARGETS = 1_000

/** Runs that are looked at in one turn. */
const PAGE = 100

/** Runs whose notes a step of a sweep looks at. */
const SWEPT = 100

/** A run that a circuit holds back. */
export interface HeldRun {
  target: string
  run_id: string
}

/** A call through a circuit. */
export interface CircuitCall {
  target: string
  policy: BreakerPolicy
  /** The right with which it was made, if the circuit was not closed. */
  trial: Trial | null
}

interface Known {
  revision: number
  /** The window of this Runner's own calls. */
  own: Circuit
  /** null while the circuit is closed. */
  barrier: Barrier | null
  policy: BreakerPolicy
  unreported: Outcome[]
  hasOpened: boolean
  code: string | null
  reportedAt: number
  isReportPlanned: boolean
  asking: Promise<void> | null
}

/** What the Runner does for its circuits. */
export interface CircuitActions {
  gateOf(target: string): Pick<DurableObjectStub<Gate>, 'report' | 'trials' | 'endTrial'>
  shard(): number
  /** Awaited before runs are looked at: resolves once this Runner may commit. */
  ready(): Promise<void>
  /** Steps a run whose circuit may let it through now. */
  stepAgain(runId: string): void
  /** `release` has to be called then, ms since the epoch. */
  wakeBy(at: number): void
  fault(error: unknown): void
}

/** The circuits that one Runner knows: answers what they hold back, reports calls to their Gates, and lets runs go on when one closes. */
export class Circuits {
  readonly #rows: Rows
  readonly #actions: CircuitActions
  readonly #known = new Map<string, Known>()
  /** Circuits that hold nothing back any more, but some of their runs are still to be stepped. */
  readonly #released = new Set<string>()
  /** Those of them whose runs are being looked at. */
  readonly #releasing = new Set<string>()
  /** How many of the known circuits are not closed: while none is, no task is asked for its target. */
  #barriers = 0

  constructor(rows: Rows, actions: CircuitActions) {
    this.#rows = rows
    this.#actions = actions
    for (const { target, data } of rows.all<{ target: string; data: string }>('SELECT target, data FROM circuits')) {
      const { revision, barrier, policy } = JSON.parse(data) as Pick<Known, 'revision' | 'barrier' | 'policy'>
      this.#known.set(target, { ...newCircuit(policy), revision, barrier })
      this.#barriers++
    }
    for (const target of this.#waitedTargets()) if (!this.#known.has(target)) this.#released.add(target)
  }

  /** When `release` has to be called, ms since the epoch; Infinity when no run is still to be looked at. */
  get nextReleaseAt(): number {
    return this.#released.size === 0 ? Number.POSITIVE_INFINITY : Date.now() + ASK_AGAIN_MS
  }

  /** Looks at the runs of circuits that hold them back no more, where that was cut off. Never rejects. */
  async release(): Promise<void> {
    await Promise.all([...this.#released].map((target) => this.#release(target)))
  }

  /**
   * One step of a sweep: deletes what stands here of runs that have ended.
   * @param after what the step before looked at last; null for the first
   * @returns what this one looked at last, when there is more
   */
  sweep(after: HeldRun | null): HeldRun | null {
    const found = this.#rows.all<HeldRun & { is_live: number }>(
      `SELECT target, run_id, EXISTS (SELECT 1 FROM runs WHERE id = run_id AND due_at IS NOT NULL) AS is_live
       FROM circuit_waits WHERE (target, run_id) > (?, ?) ORDER BY target, run_id LIMIT ?`,
      after?.target ?? '',
      after?.run_id ?? '',
      SWEPT,
    )
    for (const { target, run_id, is_live } of found) {
      if (is_live === 0) this.#forgetWait(target, run_id)
    }
    return found.length < SWEPT ? null : found.at(-1)!
  }

  /** What holds tasks of this run back; null while every circuit is closed. */
  admission(run: Run, load: LoadPayload, now: number, budget: StepBudget): RunAdmission | null {
    if (this.#barriers === 0) return null
    return new RunAdmission(run, load, now, budget, (target) => this.#known.get(target)?.barrier ?? null)
  }

  /** The commit that asked stands: trials are used, and runs that are held back are remembered. Belongs into its turn. */
  settle(runId: string, admission: RunAdmission, now: number): void {
    for (const { target, trial } of admission.trials.values()) {
      const barrier = this.#known.get(target)?.barrier
      if (barrier != null) barrier.trials = barrier.trials.filter(({ id }) => id !== trial.id)
    }
    for (const [target, leaseMs] of admission.held) {
      this.#rows.run('INSERT OR IGNORE INTO circuit_waits (target, run_id) VALUES (?, ?)', target, runId)
      const known = this.#known.get(target)
      if (known?.barrier != null && known.barrier.askAt <= now) void this.#ask(target, known, leaseMs)
    }
  }

  /** A call is about to be made. The first one to a target asks, while it is under way, how the circuit stands elsewhere. */
  recordStart({ target, policy }: CircuitCall): void {
    if (!this.#known.has(target)) this.#report(target, this.#get(target, policy))
  }

  /**
   * A call has ended.
   * @param code of the error that its attempt ended with; null if it succeeded
   */
  recordEnd({ target, policy, trial }: CircuitCall, code: string | null, at: number): void {
    const known = this.#get(target, policy)
    if (trial !== null) {
      this.#endTrial(target, known, trial, code)
      return
    }
    const verdict = verdictOf(code)
    if (verdict === 'none' || known.barrier !== null) return
    const outcome = { at, isFailure: verdict === 'failure' }
    known.policy = policy
    known.own = afterCall(known.own, outcome, policy)
    known.unreported = [...known.unreported, outcome].slice(-MAX_WINDOW)
    if (outcome.isFailure) known.code = code
    if (known.own.state === 'open') {
      known.hasOpened = true
      this.#raise(target, known, { state: 'open', askAt: known.own.retryAt, trials: [] })
      this.#report(target, known)
    } else
      this.#planReport(target, known, outcome.isFailure || isSeldom(known.own, policy) ? REPORT_MS : QUIET_REPORT_MS)
  }

  /** The Gate says how a circuit stands. Older news than what is known changes nothing. */
  learn(target: string, view: CircuitView): void {
    const known = this.#known.get(target)
    if (known === undefined && view.state === 'closed') return
    this.#learn(target, known ?? this.#get(target, null), view)
  }

  /** Asks the Gates of circuits whose time has come and that hold runs back. Resolves when all have answered. */
  async askDue(now: number): Promise<void> {
    if (this.#barriers === 0) return
    const due = [...this.#known].filter(([, { barrier }]) => barrier !== null && barrier.askAt <= now)
    const waited = due.filter(([target]) => this.#hasWaits(target))
    await Promise.all(waited.map(([target, known]) => this.#ask(target, known, MAX_LEASE_MS)))
  }

  #learn(target: string, known: Known, { revision, state, askAt }: CircuitView): void {
    if (revision < known.revision) return
    const isNews = revision > known.revision
    known.revision = revision
    if (state === 'closed') {
      // A closed circuit of the same revision is no answer to the one that was opened here and is still being told.
      if (known.barrier === null || (known.hasOpened && !isNews)) return
      this.#lower(target, known)
      return
    }
    known.hasOpened = false
    if (isNews || known.barrier === null || known.barrier.state !== state) {
      this.#raise(target, known, { state, askAt, trials: [] })
    } else known.barrier.askAt = askAt
  }

  #raise(target: string, known: Known, barrier: Barrier): void {
    if (known.barrier === null) this.#barriers++
    known.barrier = barrier
    // Runs that were not looked at yet are held back again, and are found when the circuit closes.
    this.#released.delete(target)
    known.own = CLOSED
    known.unreported = known.hasOpened ? known.unreported : []
    const { revision, policy } = known
    this.#rows.run(
      'INSERT OR REPLACE INTO circuits (target, data) VALUES (?, ?)',
      target,
      JSON.stringify({ revision, policy, barrier: { ...barrier, trials: [] } }),
    )
  }

  #lower(target: string, known: Known): void {
    known.barrier = null
    known.own = CLOSED
    known.unreported = []
    known.hasOpened = false
    this.#barriers--
    this.#rows.run('DELETE FROM circuits WHERE target = ?', target)
    void this.#release(target)
  }

  /**
   * Steps all runs that a circuit has held back whose row is gone. Until that is done an alarm stands, which goes on with what a
   * crash or an error has left. Never rejects.
   */
  async #release(target: string): Promise<void> {
    if (!this.#hasWaits(target)) {
      this.#released.delete(target)
      return
    }
    this.#released.add(target)
    this.#actions.wakeBy(this.nextReleaseAt)
    if (this.#releasing.has(target)) return
    this.#releasing.add(target)
    try {
      await this.#stepHeldRuns(target, () => !this.#released.has(target))
      // It may have opened and closed meanwhile: then runs wait that were passed already.
      if (!this.#hasWaits(target)) this.#released.delete(target)
    } catch (error) {
      this.#actions.fault(error)
    } finally {
      this.#releasing.delete(target)
    }
  }

  /** Asks for trials, once at a time; runs that wait are looked at with what was given. Never rejects. */
  #ask(target: string, known: Known, attemptMs: number): Promise<void> {
    known.asking ??= this.#askGate(target, known, attemptMs + LEASE_MARGIN_MS)
      .catch((error) => {
        if (known.barrier !== null) known.barrier.askAt = Date.now() + ASK_AGAIN_MS
        this.#actions.fault(error)
      })
      .finally(() => {
        known.asking = null
      })
    return known.asking
  }

  async #askGate(target: string, known: Known, leaseMs: number): Promise<void> {
    const gate = this.#actions.gateOf(target)
    const { view, trials } = await gate.trials(this.#actions.shard(), leaseMs)
    // A circuit that this Runner opened itself is past its time, so the Gate's word counts, also if it never heard of the opening.
    known.hasOpened = false
    this.#learn(target, known, view)
    if (trials.length === 0) return
    // The view can be older than what was pushed meanwhile; then its trials belong to an opening that has passed.
    if (known.barrier?.state === 'half_open' && known.revision === view.revision) known.barrier.trials.push(...trials)
    await this.#stepHeldRuns(target, () => (known.barrier?.trials.length ?? 0) === 0)
    const unused = known.barrier?.trials.splice(0) ?? []
    await Promise.all(unused.map(({ id }) => gate.endTrial(this.#actions.shard(), id, 'none', null)))
  }

  #endTrial(target: string, known: Known, { id }: Trial, code: string | null): void {
    const verdict = trialVerdictOf(code)
    const told = this.#actions.gateOf(target).endTrial(this.#actions.shard(), id, verdict, code)
    this.#background(
      told.then((view) => {
        this.#learn(target, known, view)
        // One of several trials has succeeded: a run that waits here may make the next one.
        if (known.barrier?.state === 'half_open' && this.#hasWaits(target)) void this.#ask(target, known, MAX_LEASE_MS)
      }),
    )
  }

  #planReport(target: string, known: Known, intervalMs: number): void {
    const now = Date.now()
    const isDue = now - known.reportedAt >= intervalMs
    if (isDue) this.#report(target, known)
    else if (intervalMs === REPORT_MS && !known.isReportPlanned) {
      known.isReportPlanned = true
      const inMs = Math.min(REPORT_MS, known.reportedAt + REPORT_MS - now)
      setTimeout(() => this.#report(target, known), inMs)
    }
  }

  #report(target: string, known: Known): void {
    const { policy, unreported: outcomes, hasOpened, code } = known
    known.isReportPlanned = false
    known.reportedAt = Date.now()
    known.unreported = []
    const report = { shard: this.#actions.shard(), policy, outcomes, hasOpened, code }
    const told = this.#actions.gateOf(target).report(report)
    this.#background(
      told.then(
        (view) => this.#learn(target, known, view),
        (error) => {
          // Told with the next report; a circuit that was opened here holds, and its Gate is asked when its time is up.
          known.unreported = [...outcomes, ...known.unreported].slice(-MAX_WINDOW)
          throw error
        },
      ),
    )
  }

  /** Looks at the runs that this circuit holds back, the oldest first, until it is enough. */
  async #stepHeldRuns(target: string, isEnough: () => boolean): Promise<void> {
    await this.#actions.ready()
    for (let after = ''; ; ) {
      const page = this.#rows.all<{ run_id: string }>(
        'SELECT run_id FROM circuit_waits WHERE target = ? AND run_id > ? ORDER BY run_id LIMIT ?',
        target,
        after,
        PAGE,
      )
      for (const { run_id } of page) {
        if (isEnough()) return
        // Deleted before the step, which remembers the run again if it is held back again.
        this.#forgetWait(target, run_id)
        this.#actions.stepAgain(run_id)
        after = run_id
      }
      if (page.length < PAGE) return
      await scheduler.wait(0)
    }
  }

  #forgetWait(target: string, runId: string): void {
    this.#rows.run('DELETE FROM circuit_waits WHERE target = ? AND run_id = ?', target, runId)
  }

  /** Targets whose circuits hold runs back: a seek for each, since of one there may be very many runs. */
  *#waitedTargets(): Generator<string, void> {
    const next = 'SELECT target FROM circuit_waits WHERE target > ? ORDER BY target LIMIT 1'
    for (let after = ''; ; ) {
      const row = this.#rows.one<{ target: string }>(next, after)
      if (row === null) return
      yield row.target
      after = row.target
    }
  }

  #hasWaits(target: string): boolean {
    return this.#rows.one('SELECT 1 AS found FROM circuit_waits WHERE target = ? LIMIT 1', target) !== null
  }

  #background(work: Promise<unknown>): void {
    work.catch((error) => this.#actions.fault(error))
  }

  #get(target: string, policy: BreakerPolicy | null): Known {
    const found = this.#known.get(target)
    const known = found ?? newCircuit(policy)
    this.#known.delete(target)
    this.#known.set(target, known)
    if (found === undefined && this.#known.size > MAX_TARGETS) this.#forgetOne()
    return known
  }

  /** Forgets one circuit, a closed one if there is one: a circuit that is forgotten lets calls through again. */
  #forgetOne(): void {
    const closed = [...this.#known].find(([, { barrier }]) => barrier === null)
    const [target] = closed ?? [...this.#known][0]!
    if (closed === undefined) {
      this.#barriers--
      this.#rows.run('DELETE FROM circuits WHERE target = ?', target)
      void this.#release(target)
    }
    this.#known.delete(target)
  }
}

/** Whether this Runner's own calls of late are too few to say anything by themselves. */
function isSeldom(own: Circuit, { minimum_calls }: BreakerPolicy): boolean {
  return own.state === 'closed' && own.outcomes.length < minimum_calls
}

function newCircuit(policy: BreakerPolicy | null): Known {
  return {
    revision: 0,
    own: CLOSED,
    barrier: null,
    policy: policy ?? DEFAULT_BREAKER,
    unreported: [],
    hasOpened: false,
    code: null,
    reportedAt: 0,
    isReportPlanned: false,
    asking: null,
  }
}
