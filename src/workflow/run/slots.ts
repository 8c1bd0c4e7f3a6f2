// The semaphore of a run: `max_parallel` slots, who holds them, and who gets the next one.
// A slot is held by an executing attempt and by nothing else. Slots are part of the run's state, so a restart keeps them (R1).

/**
 * A counting semaphore with a queue. First come, first served: tasks get slots in the order in which they became ready,
 * so no branch of a run can starve another.
 */
export class Slots {
  readonly capacity: number
  readonly #holders = new Set<number>()
  // A Set keeps insertion order and forgets in O(1): the queue of a task that is skipped while it waits costs no search.
  readonly #queue = new Set<number>()

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** How many slots nobody holds. */
  get free(): number {
    return this.capacity - this.#holders.size
  }

  /** Keys (spot.ts) of the tasks and items that hold a slot. */
  get holders(): ReadonlySet<number> {
    return this.#holders
  }

  /** Tasks that are ready and want a slot, in the order in which they get one. */
  get queue(): ReadonlySet<number> {
    return this.#queue
  }

  /** A task has become ready. */
  request(task: number): void {
    this.#queue.add(task)
  }

  /** An attempt of the task starts: it leaves the queue and holds a slot. */
  acquire(task: number): void {
    this.#queue.delete(task)
    this.#holders.add(task)
  }

  /** The task no longer executes or wants to: it gives back what it holds, and leaves the queue. */
  release(task: number): void {
    this.#queue.delete(task)
    this.#holders.delete(task)
  }
}
