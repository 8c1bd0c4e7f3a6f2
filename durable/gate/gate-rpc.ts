// What Runners tell a Gate, and what it tells them and the tenant's list. It crosses RPC between two adjacent releases, so
// fields are added, never changed (R9).

import type { Circuit, Outcome } from '../../src/workflow/decide/circuit.ts'
import type { BreakerPolicy } from '../../src/workflow/definition/breaker.ts'

/** A circuit as Runners are told of it. */
export interface CircuitView {
  /** Grows with every transition: a Runner that holds a newer view drops this one. */
  revision: number
  state: Circuit['state']
  /** While it is not closed: when asking for a trial makes sense, ms since the epoch. */
  askAt: number
}

/** A circuit as the tenant's list shows it. */
export interface CircuitRecord {
  revision: number
  name: string
  state: Circuit['state']
  /** How often it has opened since it was last closed. */
  openings: number
  /** When the first trial of an open circuit may be made, ms since the epoch; null while it is not open. */
  retryAt: number | null
  changedAt: number
  /** Code of the error that opened it last; null if it was reset or its trials succeeded. */
  cause: string | null
}

/** What a Runner has seen of a target since it last told. */
export interface Report {
  shard: number
  /** Settings of the task that called last. */
  policy: BreakerPolicy
  outcomes: readonly Outcome[]
  /** The Runner has opened its own circuit. */
  hasOpened: boolean
  /** Code of the last failure. */
  code: string | null
}
