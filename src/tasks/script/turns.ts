// Who runs when: one after the other, in the order in which they came. What waits is held in memory, so only so much may.
//
// Each waits by itself, with a timer of its own request: on Cloudflare nothing of a request may be run by another one, and whoever
// is cut off by the platform neither ends nor begins any more. Nobody may wait for such a one for ever.

/** So much waits already that one more is refused. */
export class TooMuchWaits extends Error {}

export class Turns {
  readonly #maxQuietMs: number
  readonly #maxWaiting: number
  /** Of those that wait, together. */
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
   * @throws TooMuchWaits at once, and later what the work throws
   */
  async take<T>(weight: number, work: () => Promise<T>): Promise<T> {
    if (this.#underWay === 0) {
      this.#movedAt = Date.now()
      return this.#follow(work())
    }
    if (this.#waiting + weight > this.#maxWaiting) throw new TooMuchWaits()
    return this.#follow(this.#come(this.#last, weight).then(work))
  }

  /** Makes whoever comes next wait for this one. */
  #follow<T>(mine: Promise<T>): Promise<T> {
    this.#underWay++
    const ended = mine.finally(() => {
      this.#underWay--
      this.#movedAt = Date.now()
    })
    this.#last = ended.catch(() => {}) // Whoever asked for it is told; the next one begins either way.
    return ended
  }

  /** Waits for the one before. */
  async #come(before: Promise<unknown>, weight: number): Promise<void> {
    this.#waiting += weight
    const isOver = before.then(() => true)
    for (let hasCome = false; !hasCome; ) {
      const leftMs = this.#movedAt + this.#maxQuietMs - Date.now()
      hasCome = leftMs <= 0 || (await Promise.race([isOver, scheduler.wait(leftMs).then(() => false)]))
    }
    this.#waiting -= weight
    this.#movedAt = Date.now()
  }
}
