// The one alarm of a Durable Object. Callers tell when they have to be woken; the alarm stands there or earlier (R4).
// It is never moved later or deleted: an alarm too early costs one look, an alarm too late costs a promise (R7).
// Knows nothing about runs.

/** The alarm of one Durable Object: never moved later, never deleted. Call `restore` before anything else. */
export class Alarm {
  readonly #storage: DurableObjectStorage
  /** Where the alarm stands; Infinity when none is set. */
  #standsAt = Number.POSITIVE_INFINITY
  #lastWrite: Promise<void> = Promise.resolve()

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
  }

  /** Reads where the alarm stands. Has to be awaited before anything else, in `blockConcurrencyWhile`. */
  async restore(): Promise<void> {
    this.#standsAt = (await this.#storage.getAlarm()) ?? Number.POSITIVE_INFINITY
  }

  /**
   * Makes sure that the alarm fires at `at` or earlier. Written with the commit of the same turn (R3).
   * Moving the alarm makes a commit about three times dearer, so it moves only when the time is earlier than what stands.
   * @returns whether it had to be moved
   */
  armBy(at: number): boolean {
    if (at >= this.#standsAt) return false
    this.#standsAt = at
    this.#lastWrite = this.#storage.setAlarm(at)
    // A write that fails breaks the object's output gate, so nothing that depends on it leaves; `written` tells who must know.
    this.#lastWrite.catch(() => {})
    return true
  }

  /** Resolves once the alarm stands where it was last put; rejects if it could not be put there. */
  written(): Promise<void> {
    return this.#lastWrite
  }

  /** The alarm has fired: inside the handler none stands. */
  hasFired(): void {
    this.#standsAt = Number.POSITIVE_INFINITY
  }
}
