// What a definition says of circuits: when that of a target opens, and for how long. What then happens is circuit.ts.

/** When a circuit opens, and for how long. Spans are texts ("30s"), as definitions write them. */
export interface BreakerPolicy {
  /** The circuit's name; without it the circuit is that of the host called. */
  name?: string
  /** Share of the calls of the window that have to fail, above 0 and up to 1. */
  failure_rate: number
  /** Fewer calls than this say nothing, 1 to 100. */
  minimum_calls: number
  /** How many of the last calls are looked at, 1 to 100. */
  window: number
  /** The first time; each reopening doubles it, up to MAX_OPEN_MS. */
  open_for: string
}

export const DEFAULT_BREAKER: BreakerPolicy = { failure_rate: 0.5, minimum_calls: 10, window: 20, open_for: '30s' }

/** The largest window that a policy can ask for. */
export const MAX_WINDOW = 100
