// Which requests wait for the end of which run. Nothing durable depends on them.

/** Requests that wait for the end of runs. */
export class Waiters {
  readonly #waiters = new Map<string, Set<() => void>>()

  /** Whether a request waits for the end of this run. */
  has(runId: string): boolean {
    return this.#waiters.has(runId)
  }

  /** Until the run has ended, at most so long, in ms. */
  async end(runId: string, waitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiters = this.#waiters.get(runId) ?? new Set()
    this.#waiters.set(runId, waiters.add(resolve))
    const timer = setTimeout(resolve, waitMs)
    await promise
    clearTimeout(timer)
    waiters.delete(resolve)
    if (waiters.size === 0 && this.#waiters.get(runId) === waiters) this.#waiters.delete(runId)
  }

  /** The run has ended. */
  wake(runId: string): void {
    const waiters = this.#waiters.get(runId) ?? []
    this.#waiters.delete(runId)
    for (const wake of waiters) wake()
  }
}
