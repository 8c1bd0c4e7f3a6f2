// Which Runners may still start what a name meant a moment ago. In memory only: a lease is shorter than any restart is worth
// remembering, and an object that restarts waits for the length of one lease instead.

/** The leases that this instance has given, by name and shard. */
export class Leases {
  readonly #durationMs: number
  // Two generations: when the younger is as old as a lease lasts, everything in the older has run out and is dropped whole.
  #younger = new Map<string, Map<number, number>>()
  #older = new Map<string, Map<number, number>>()
  #youngerSince = 0

  constructor(durationMs: number) {
    this.#durationMs = durationMs
  }

  /** Notes that the Runner of a shard holds a lease on the name from `now` on (ms since the epoch); a later one replaces it. */
  grant(name: string, shard: number, now: number): void {
    if (now - this.#youngerSince >= this.#durationMs) {
      this.#older = this.#younger
      this.#younger = new Map()
      this.#youngerSince = now
    }
    const holders = this.#younger.get(name) ?? new Map<number, number>()
    this.#younger.set(name, holders.set(shard, now + this.#durationMs))
  }

  /** Takes the unexpired leases on the name: shards, each with the end of its lease. They are forgotten here, so the caller has to recall them. */
  take(name: string, now: number): Map<number, number> {
    const holders = new Map([...(this.#older.get(name) ?? []), ...(this.#younger.get(name) ?? [])])
    this.#older.delete(name)
    this.#younger.delete(name)
    for (const [shard, until] of holders) if (until <= now) holders.delete(shard)
    return holders
  }
}
