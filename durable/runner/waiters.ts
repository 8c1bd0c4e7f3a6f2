// Who waits for the end of which run. Requests wait here; nothing durable depends on them.

export class Waiters {
  readonly #waiters = new Map<string, Set<() => void>>()

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
