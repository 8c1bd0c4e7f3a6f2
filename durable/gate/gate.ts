// Gate: one Durable Object for each target that tasks of a tenant call (`tenant:host:<origin>`, or the name that a breaker was
// given). It keeps the one circuit that all Runners of the tenant obey, grants half-open trials, and gives retries beyond
// those that a host's calls have earned. A target that never fails costs it no row: tables are made at the first write.
//
// A transition is written before anything is done about it, in the turn that decides it. What is told of it (to Runners that
// know the circuit, and to the tenant's list) is repeated by the alarm until it has arrived.

import { DurableObject } from 'cloudflare:workers'
import type { Env } from '../../src/env.ts'
import { addressOfGate, type GateAddress, metricsOf, runnerOf } from '../../src/objects.ts'
import {
  admit,
  afterCall,
  afterTrial,
  type Circuit,
  CLOSED,
  openCircuit,
  TRIALS,
  type Trial,
  type Verdict,
} from '../../src/workflow/decide/circuit.ts'
import { type GivenRetries, takeGiven } from '../../src/workflow/decide/retry-budget.ts'
import { Alarm } from '../alarm.ts'
import { logFault } from '../fault-log.ts'
import type { CircuitRecord, CircuitView, Report } from './gate-rpc.ts'
import { GateState } from './gate-state.ts'

/** How soon asking again makes sense while others hold all trials: their leases are longer than most calls. */
const BUSY_MS = 5_000

/** How soon what was told of a transition is told again, if it has not arrived. */
const REPEAT_MS = 5_000

/** Runners that have reported this lately are told of an opening. */
const RECENT_MS = 60_000

/** The Durable Object of one target: keeps its circuit, grants trials and retries, and tells Runners of transitions. */
export class Gate extends DurableObject<Env> {
  readonly #state: GateState
  readonly #alarm: Alarm
  #circuit: Circuit
  #given: GivenRetries
  #revision: number
  #changedAt: number
  #cause: string | null
  /** Runners that believe the circuit not closed. */
  readonly #told: Set<number>
  /** When each Runner was last heard of. */
  readonly #heard = new Map<number, number>()

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    this.#state = new GateState(ctx.storage.sql)
    this.#alarm = new Alarm(ctx.storage)
    const stored = this.#state.load()
    this.#circuit = stored?.circuit ?? CLOSED
    this.#given = stored?.given ?? []
    this.#revision = stored?.revision ?? 0
    this.#changedAt = stored?.changedAt ?? 0
    this.#cause = stored?.cause ?? null
    this.#told = new Set(stored?.told)
    ctx.blockConcurrencyWhile(() => this.#alarm.restore())
  }

  /** Takes in how calls have ended, and tells how the circuit stands. Writes a row only if a call failed. */
  async report({ shard, policy, outcomes, hasOpened, code }: Report): Promise<CircuitView> {
    const now = Date.now()
    this.#heard.set(shard, now)
    let next = outcomes.reduce((circuit, outcome) => afterCall(circuit, outcome, policy), this.#circuit)
    if (hasOpened) next = openCircuit(next, policy, now)
    const hasFailed = outcomes.some(({ isFailure }) => isFailure)
    if (next.state !== this.#circuit.state) this.#become(next, code, now)
    else if (next !== this.#circuit) {
      this.#circuit = next
      // A window without a failure is not worth a row: lost, it only makes the circuit open later.
      if (hasFailed) this.#save()
    }
    return this.#view(shard, now)
  }

  /**
   * Asks for the right to call through a circuit that is not closed.
   * @param leaseMs how long a trial may take at most
   * @returns the trials granted, TRIALS at most; none while it is open, or others are trying
   */
  async trials(shard: number, leaseMs: number): Promise<{ view: CircuitView; trials: Trial[] }> {
    const now = Date.now()
    this.#heard.set(shard, now)
    const before = this.#circuit
    const trials: Trial[] = []
    let until = now
    let circuit = before
    while (trials.length < TRIALS) {
      const answer = admit(circuit, now, leaseMs)
      circuit = answer.circuit
      if (answer.permission.kind === 'held') {
        until = circuit.state === 'open' ? answer.permission.until : Math.min(answer.permission.until, now + BUSY_MS)
      }
      if (answer.permission.kind !== 'trial') break
      trials.push(answer.permission.trial)
    }
    if (circuit.state !== before.state) this.#become(circuit, this.#cause, now)
    else if (trials.length > 0) {
      this.#circuit = circuit
      this.#save()
    }
    return { view: { ...this.#view(shard, now), askAt: until }, trials }
  }

  /** A trial has ended, or is given back unused (`none`). */
  async endTrial(shard: number, id: number, verdict: Verdict, code: string | null): Promise<CircuitView> {
    const now = Date.now()
    this.#heard.set(shard, now)
    const next = afterTrial(this.#circuit, id, verdict, now)
    if (next.state !== this.#circuit.state) this.#become(next, code, now)
    else if (next !== this.#circuit) {
      this.#circuit = next
      this.#save()
    }
    return this.#view(shard, now)
  }

  /** Closes the circuit from any state; a circuit that is closed already forgets its window. Safe to repeat. */
  async reset(): Promise<CircuitRecord> {
    const now = Date.now()
    if (this.#circuit.state !== 'closed') this.#become(CLOSED, null, now)
    else if (this.#circuit.outcomes.length > 0) {
      this.#circuit = CLOSED
      this.#save()
    }
    await this.#tell()
    return this.#record()
  }

  /** One of the retries that this host gets besides those that its calls have earned, or when the next will be free. */
  async giveRetry(): Promise<{ isGranted: boolean; freeAt: number }> {
    const now = Date.now()
    const answer = takeGiven(this.#given, now)
    this.#given = answer.given
    if (!answer.isGranted) return { isGranted: false, freeAt: answer.freeAt }
    this.#save()
    return { isGranted: true, freeAt: now }
  }

  override async alarm(): Promise<void> {
    this.#alarm.hasFired()
    await this.#tell()
    await this.#alarm.written()
  }

  /** Takes on another state: written first, then told. */
  #become(circuit: Circuit, cause: string | null, now: number): void {
    const wasClosed = this.#circuit.state === 'closed'
    this.#circuit = circuit
    this.#revision++
    this.#changedAt = now
    this.#cause = circuit.state === 'closed' ? null : cause
    // Runners that call this target should hear that it opened; Runners that heard so must hear that it closed.
    if (wasClosed) for (const [shard, at] of this.#heard) if (at > now - RECENT_MS) this.#told.add(shard)
    this.#state.setUntold(true)
    this.#save()
    this.#alarm.armBy(now + REPEAT_MS)
    this.ctx.waitUntil(this.#tell())
  }

  /** Tells the list and the Runners how the circuit stands; what does not arrive is told again by the alarm. */
  async #tell(): Promise<void> {
    if (!this.#state.isUntold) return
    const revision = this.#revision
    const { tenant, target } = this.#address()
    const view = { revision, state: this.#circuit.state, askAt: this.#askAt(Date.now()) }
    const shards = [...this.#told]
    const { env } = this
    const tells = [
      metricsOf(env, tenant).circuitChanged(this.#record()),
      ...shards.map((shard) => runnerOf(env, tenant, shard).circuitChanged(target, view)),
    ]
    const faults = (await Promise.allSettled(tells)).filter((told) => told.status === 'rejected')
    // If the circuit has changed meanwhile, the call that changed it tells of the change.
    if (revision !== this.#revision) return
    if (faults.length > 0) {
      logFault('gate_tell', faults[0]!.reason)
      this.#alarm.armBy(Date.now() + REPEAT_MS)
      return
    }
    if (this.#circuit.state === 'closed') for (const shard of shards) this.#told.delete(shard)
    this.#state.setUntold(false)
    this.#save()
  }

  #view(shard: number, now: number): CircuitView {
    if (this.#circuit.state !== 'closed' && !this.#told.has(shard)) {
      this.#told.add(shard)
      this.#save()
    }
    return { revision: this.#revision, state: this.#circuit.state, askAt: this.#askAt(now) }
  }

  #askAt(now: number): number {
    return this.#circuit.state === 'open' ? this.#circuit.retryAt : now
  }

  #record(): CircuitRecord {
    const circuit = this.#circuit
    return {
      revision: this.#revision,
      name: this.#address().target,
      state: circuit.state,
      openings: circuit.state === 'closed' ? 0 : circuit.openings,
      retryAt: circuit.state === 'open' ? circuit.retryAt : null,
      changedAt: this.#changedAt,
      cause: this.#cause,
    }
  }

  #save(): void {
    this.#state.save({
      circuit: this.#circuit,
      given: this.#given,
      revision: this.#revision,
      changedAt: this.#changedAt,
      cause: this.#cause,
      told: [...this.#told],
    })
  }

  /** Tenant and target are in the object's name (R8). */
  #address(): GateAddress {
    return addressOfGate(this.ctx.id.name)
  }
}
