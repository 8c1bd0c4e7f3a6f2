// Whether the Metrics object knows that this Runner has figures which it has not seen. A Runner marks itself before it does
// what changes a figure; without the mark figures are late, and runs go on.

import type { Env } from '../../src/env.ts'
import { type Address, metricsOf } from '../../src/objects.ts'
import { logFault } from '../fault-log.ts'

/** The mark of one Runner at its tenant's Metrics object. */
export class FiguresMark {
  readonly #env: Pick<Env, 'METRICS'>
  readonly #address: () => Address
  #isSet = false

  constructor(env: Pick<Env, 'METRICS'>, address: () => Address) {
    this.#env = env
    this.#address = address
  }

  /** Whether the Metrics object knows already that there will be new figures here. */
  get isSet(): boolean {
    return this.#isSet
  }

  /** Tells the Metrics object that there will be new figures here. Does not reject. */
  async set(): Promise<void> {
    const { tenant, shard } = this.#address()
    try {
      await metricsOf(this.#env, tenant).mark(shard)
      this.#isSet = true
    } catch (error) {
      logFault('mark', error)
    }
  }

  /** The figures have been read. Only if more are sure to come is the mark still good. */
  hasBeenRead(moreAreSure: boolean): void {
    this.#isSet = moreAreSure
  }
}
