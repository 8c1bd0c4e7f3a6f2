// How a start becomes a run, exactly once: by its id, by its Idempotency-Key, and on a version that stands at that moment.
// Starts gather here between the request and the commit; the Runner commits them.

import type { TakenOver } from '../../src/workflow/decide/rerun.ts'
import type { CompiledWorkflow } from '../../src/workflow/definition/definition.ts'
import type { Json } from '../../src/workflow/json.ts'
import { logFault } from '../fault-log.ts'
import type { History } from './history.ts'
import type { IdempotencyKeys } from './idempotency-keys.ts'
import type { RetryRefused, RunAnswer, StartAnswer, StartRequest } from './runner-rpc.ts'
import type { Lease, Workflows } from './workflows.ts'

/**
 * Leases that one start may ask for. Each is over before it can be used while the Registry takes as long to answer as a lease lasts; the
 * caller is told to come again then, since a lease that is counted from its answer would let a start slip past a pause.
 */
const MAX_LEASES = 5

/** The start is recorded: this is its run, begun now or by an earlier request with the same id or key. */
export interface Accepted {
  kind: 'accepted'
  runId: string
  replayed: boolean
}

export type Refused = Exclude<StartAnswer, RunAnswer>

/** A run that is to be recorded. */
export interface Beginning {
  request: StartRequest
  workflow: CompiledWorkflow
  version: number
  timeoutMs: number
  takenOver: TakenOver
}

/** What is added to a start once its version stands, in the turn that records it: a run that is made again reads the one before. */
export type Addition = (workflow: CompiledWorkflow) => { kind: 'rerun'; takenOver: TakenOver } | RetryRefused

/** What surrounds the start of a run that is a task of another. */
export interface Surroundings {
  /** The longest that it may take, in ms, however long its definition lets it. */
  boundMs: number
  /** Asked in the moment of the commit, of the version that would start. */
  refusal(version: number): RefusedChild['kind'] | null
}

/** `unwanted`: nobody waits for the run any more. `workflow_cycle`: the version stands above it already. */
export interface RefusedChild {
  kind: 'unwanted' | 'workflow_cycle'
}

interface PendingStart {
  request: StartRequest
  surroundings: Surroundings | null
  lease: Lease
  add: Addition | null
  settle(outcome: Accepted | Refused | RetryRefused | RefusedChild | { kind: 'lease_lost' }): void
  fail(error: unknown): void
}

/** Gathers starts until the Runner commits them, and makes each happen once. */
export class Starts {
  readonly #workflows: Workflows
  readonly #keys: IdempotencyKeys
  readonly #history: History
  readonly #planFlush: () => void
  #pending: PendingStart[] = []

  constructor(workflows: Workflows, keys: IdempotencyKeys, history: History, planFlush: () => void) {
    this.#workflows = workflows
    this.#keys = keys
    this.#history = history
    this.#planFlush = planFlush
  }

  /** Whether no start waits to be committed. */
  get isEmpty(): boolean {
    return this.#pending.length === 0
  }

  /** Resolves once the start is recorded or refused. Rejects if recording it threw: then nothing of it is recorded. */
  accept(request: StartRequest): Promise<Accepted | Refused> {
    // Without an addition nothing of what only an addition refuses can come.
    return this.#accept(request, null, null) as Promise<Accepted | Refused>
  }

  /** Like `accept`, for a run that makes another one again: `add` gives what it takes over, in the turn that records it. */
  acceptRetry(request: StartRequest, add: Addition): Promise<Accepted | Refused | RetryRefused> {
    return this.#accept(request, add, null) as Promise<Accepted | Refused | RetryRefused>
  }

  /** Like `accept`, for a run that is a task of another one, which bounds its time and may refuse it. */
  acceptChild(request: StartRequest, surroundings: Surroundings): Promise<Accepted | Refused | RefusedChild> {
    return this.#accept(request, null, surroundings) as Promise<Accepted | Refused | RefusedChild>
  }

  async #accept(
    request: StartRequest,
    add: Addition | null,
    surroundings: Surroundings | null,
  ): Promise<Accepted | Refused | RetryRefused | RefusedChild> {
    const { name, version } = request.workflow
    for (let leases = 0; ; ) {
      // A key that is known needs no version; whether the id is known, the commit sees.
      const earlier = request.idempotency === null ? null : this.earlier(request)
      if (earlier !== null) return earlier
      const lease = this.#workflows.lease(name, version, Date.now())
      if (lease === null) {
        if (leases++ === MAX_LEASES) break
        const asked = this.#workflows.resolve(name, version)
        const resolved = await (surroundings === null ? asked : asked.catch(registryFailure))
        if (resolved.kind !== 'leased') return resolved
        continue
      }
      const outcome = await new Promise<Parameters<PendingStart['settle']>[0]>((settle, fail) => {
        this.#pending.push({ request, lease, add, surroundings, settle, fail })
        this.#planFlush()
      })
      if (outcome.kind !== 'lease_lost') return outcome
    }
    return { kind: 'overloaded' }
  }

  /** Settles all that has gathered, each on its own: one that throws fails alone. */
  flush(now: number, begin: (beginning: Beginning) => void): void {
    const pending = this.#pending
    this.#pending = []
    for (const start of pending) {
      try {
        start.settle(this.#settled(start, now, begin))
      } catch (error) {
        start.fail(error)
      }
    }
  }

  #settled(
    { request, lease, add, surroundings }: PendingStart,
    now: number,
    begin: (beginning: Beginning) => void,
  ): Accepted | Refused | RetryRefused | RefusedChild | { kind: 'lease_lost' } {
    const { name, version: ref } = request.workflow
    // The lease may have run out, or the name may have moved, while the start stood in the queue.
    if (this.#workflows.lease(name, ref, now)?.version !== lease.version) return { kind: 'lease_lost' }
    const earlier = this.earlier(request)
    if (earlier !== null) return earlier
    const refusal = surroundings?.refusal(lease.version) ?? null
    if (refusal !== null) return { kind: refusal }
    const workflow = this.#workflows.get(name, lease.version)
    const added = add?.(workflow) ?? { kind: 'rerun', takenOver: [] }
    if (added.kind !== 'rerun') return added
    const { takenOver } = added
    // A run that is made again on another version stays as short as it was, and gets no longer than that allows.
    const asked = Math.min(request.timeoutMs ?? workflow.timeoutMs, surroundings?.boundMs ?? Number.POSITIVE_INFINITY)
    const timeoutMs = add === null ? asked : Math.min(asked, workflow.timeoutMs)
    if (timeoutMs > workflow.timeoutMs) return { kind: 'timeout_too_long', definitionMs: workflow.timeoutMs }
    const faults = workflow.inputSchema?.faultsOf(JSON.parse(request.input) as Json, '/input') ?? []
    if (faults.length > 0) return { kind: 'invalid_input', faults }
    begin({ request, workflow, version: lease.version, timeoutMs, takenOver })
    return { kind: 'accepted', runId: request.runId, replayed: false }
  }

  /** The run that this id or key has started already; null when this start is the first. */
  earlier({
    runId,
    idempotency,
  }: Pick<StartRequest, 'runId' | 'idempotency'>):
    | Accepted
    | { kind: 'idempotency_key_reused' | 'run_deleted' }
    | null {
    if (idempotency !== null) {
      const known = this.#keys.find(idempotency.key, Date.now())
      if (known !== null && known.bodyHash !== idempotency.bodyHash) return { kind: 'idempotency_key_reused' }
      // A key outlives its run, or a repeat after the deletion would do all the work once more.
      if (known !== null && this.#history.brief(known.runId) === null) return { kind: 'run_deleted' }
      if (known !== null) return { kind: 'accepted', runId: known.runId, replayed: known.runId !== runId }
    }
    return this.#history.brief(runId) === null ? null : { kind: 'accepted', runId, replayed: false }
  }
}

/** The Registry could not be asked. A start from outside fails with the error, and its caller can repeat it; for a child the Runner has to ask again itself. */
function registryFailure(error: unknown): { kind: 'overloaded' } {
  logFault('resolve', error)
  return { kind: 'overloaded' }
}
