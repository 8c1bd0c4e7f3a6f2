// Which Runners may still start what a name meant a moment ago. In memory only: a lease is shorter than any restart is worth
// remembering, and whoever restarts waits one lease out instead.

export class Leases {
  readonly #durationMs: number
  // Two generations: when the younger is as old as a lease lasts, everything in the older has run out and is dropped whole.
  #younger = new Map<string, Map<number, number>>()
  #older = new Map<string, Map<number, number>>()
  #youngerSince = 0

  constructor(durationMs: number) {
    this.#durationMs = durationMs
  }

  grant(name: string, shard: number, now: number): void {
    if (now - this.#youngerSince >= this.#durationMs) {
      this.#older = this.#younger
      this.#younger = new Map()
      this.#youngerSince = now
    }
    const holders = this.#younger.get(name) ?? new Map<number, number>()
    this.#younger.set(name, holders.set(shard, now + this.#durationMs))
  }

  /** Shards that hold an unexpired lease on the name, each with its end. They are forgotten: whoever takes them, recalls them. */
  take(name: string, now: number): Map<number, number> {
    const holders = new Map([...(this.#older.get(name) ?? []), ...(this.#younger.get(name) ?? [])])
    this.#older.delete(name)
    this.#younger.delete(name)
    for (const [shard, until] of holders) if (until <= now) holders.delete(shard)
    return holders
  }
}
