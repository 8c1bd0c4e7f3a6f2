// What the scheduler asks of the world before a task calls out: is there anything that holds it back? The answer comes from
// what a Runner knows of circuits at that moment and enters the history only as the recorded decision (R2).

import type { Spot } from '../run/spot.ts'

/** A circuit that is not closed holds the task back. */
export interface Hold {
  /** The circuit: the origin of a host, or a name that tasks share. */
  target: string
  /** When asking again makes sense, ms since the epoch. */
  until: number
}

/** Within one step the answers about a task do not contradict each other: what is free is not held. */
export interface Admission {
  /** Asked of a task that would start now; null lets it. */
  hold(spot: Spot): Hold | null
  /** Whether the circuit that has held a waiting task back is closed again. */
  isFree(spot: Spot): boolean
}
