// Runs work one after the other, in the order of arrival. Work that waits is held in memory, so the amount is bounded.
//
// Each caller waits by itself, with a timer of its own request: on Cloudflare a request may not run anything of another request,
// and a request that the platform has cut off never ends its turn. So no caller waits for the one before for ever.

/** Thrown when one more would be too much for what may wait. */
export class TooMuchWaits extends Error {}

/** A queue of work of which one piece runs at a time. */
export class Turns {
  readonly #maxQuietMs: number
  readonly #maxWaiting: number
  /** The sum of the weights of those that wait. */
  #waiting = 0
  #underWay = 0
  /** Ends when the one that came last has ended. */
  #last: Promise<unknown> = Promise.resolve()
  /** When a turn last began or ended, ms since the epoch. */
  #movedAt = 0

  /**
   * @param maxQuietMs if no turn begins or ends for so long, the one before is taken for lost
   * @param maxWaiting the sum of weights that may wait
   */
  constructor(maxQuietMs: number, maxWaiting: number) {
    this.#maxQuietMs = maxQuietMs
    this.#maxWaiting = maxWaiting
  }

  /**
   * Does the work when its turn comes; at once if nobody is before it.
   * @param weight of what is held while it waits, in any unit
   * @param signal once it fires the work is not waited for any more: it is called at once, and sees that for itself
   * @throws TooMuchWaits at once, and later what the work throws
   */
  async take<T>(weight: number, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#underWay === 0) {
      this.#movedAt = Date.now()
      return this.#follow(work())
    }
    if (this.#waiting + weight > this.#maxWaiting) throw new TooMuchWaits()
    const before = this.#last
    const ended = this.#follow(this.#come(before, weight, signal).then(work))
    // Work that is given up may end before the one in front of it: the next one waits for that one too.
    this.#last = this.#last.then(() => (signal?.aborted === true ? before : undefined))
    return ended
  }

  /** Makes the next caller wait for this one. */
  #follow<T>(mine: Promise<T>): Promise<T> {
    this.#underWay++
    const ended = mine.finally(() => {
      this.#underWay--
      this.#movedAt = Date.now()
    })
    this.#last = ended.catch(() => {}) // The caller is told of the failure; the next one begins either way.
    return ended
  }

  /** Waits for the one before, or until the signal fires. */
  async #come(before: Promise<unknown>, weight: number, signal?: AbortSignal): Promise<void> {
    this.#waiting += weight
    const given = Promise.withResolvers<true>()
    let isWaiting = true
    const leave = () => {
      if (isWaiting) this.#waiting -= weight
      isWaiting = false
      given.resolve(true)
    }
    // What is given up is let go of in the moment that the signal fires: its request may be gone in the next.
    signal?.addEventListener('abort', leave, { once: true })
    const isOver = before.then(() => true)
    for (let hasCome = signal?.aborted === true; !hasCome; ) {
      const leftMs = this.#movedAt + this.#maxQuietMs - Date.now()
      hasCome = leftMs <= 0 || (await Promise.race([isOver, given.promise, scheduler.wait(leftMs).then(() => false)]))
    }
    signal?.removeEventListener('abort', leave)
    leave()
    if (signal?.aborted !== true) this.#movedAt = Date.now()
  }
}
