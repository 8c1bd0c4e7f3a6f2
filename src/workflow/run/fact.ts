// What is reported to a run from outside: events that have no time yet, since the step that records them gives it (advance.ts).

import type { LaterEvent, TaskIndex } from '../event.ts'

type Untimed<E> = E extends unknown ? Omit<E, 'at'> : never

/** A signal with the tasks that get it. The Runner has found them (`takersOf`) in the run as it stands. */
export type SignalFact = Untimed<Extract<LaterEvent, { type: 'SignalReceived' }>> & { takers: readonly TaskIndex[] }

/** What the world can report of a run that was accepted. */
export type Fact =
  | SignalFact
  | Untimed<
      Extract<
        LaterEvent,
        {
          type:
            | 'AttemptSucceeded'
            | 'AttemptFailed'
            | 'AttemptTimedOut'
            | 'AttemptSnoozed'
            | 'AttemptInterrupted'
            | 'TaskReused'
            | 'RunCancelRequested'
            | 'RunPaused'
            | 'RunResumed'
            | 'RunStopped'
        }
      >
    >
