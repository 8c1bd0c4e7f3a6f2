// Links by which people without a key answer a task that waits: `<tenant>.<run>.<task>.<wait>.<signature>`. The signature is an
// HMAC-SHA-256 under a secret that this object alone has, made at first use; so a link of one tenant is of no use in another (R8).
// A link is shown while its task waits and is good for that wait alone. Whether it was used, the run itself says.

import { fromBase64Url, toBase64Url } from '../../src/bytes.ts'
import { hasCallback } from '../../src/workflow/definition/definition.ts'
import type { TaskIndex } from '../../src/workflow/event.ts'
import type { Run } from '../../src/workflow/run/run.ts'
import type { Rows } from '../rows.ts'
import type { CallbackTarget } from './runner-rpc.ts'

const HMAC = { name: 'HMAC', hash: 'SHA-256' } as const
const SECRET_BYTES = 32

const encoder = new TextEncoder()

/** Links by the task that shows them. */
export type Links = ReadonlyMap<TaskIndex, string>

export const NO_LINKS: Links = new Map()

/** Makes and checks the links of one Runner's waiting tasks. */
export class Callbacks {
  readonly #rows: Rows
  readonly #tenant: () => string
  #key: CryptoKey | null = null

  constructor(rows: Rows, tenant: () => string) {
    this.#rows = rows
    this.#tenant = tenant
  }

  /** Links of the tasks that wait now, as paths of the API. */
  async linksOf(run: Run): Promise<Links> {
    if (!run.workflow.hasCallbacks) return NO_LINKS
    const waiting = [...run.sleeping].filter((task) => hasCallback(run.workflow.definition.tasks[task]!))
    const links = waiting.map(async (task) => {
      const target = { runId: run.id, task, wait: run.tasks[task]!.waitNumber }
      const signature = await crypto.subtle.sign(HMAC, await this.#signingKey(), this.#signed(target))
      const token = `${this.#tenant()}.${target.runId}.${task}.${target.wait}.${toBase64Url(new Uint8Array(signature))}`
      return [task, `/v1/callbacks/${token}`] as const
    })
    return new Map(await Promise.all(links))
  }

  /** Whether this object has given the link. Takes as long for a wrong signature as for a right one. */
  async isOurs(target: CallbackTarget): Promise<boolean> {
    const key = await this.#storedKey()
    const signature = signatureIn(target.signature)
    if (key === null || signature === null) return false
    return crypto.subtle.verify(HMAC, key, signature, this.#signed(target))
  }

  #signed({ runId, task, wait }: Omit<CallbackTarget, 'signature'>): Uint8Array {
    return encoder.encode(`callback/${this.#tenant()}/${runId}/${task}/${wait}`)
  }

  async #signingKey(): Promise<CryptoKey> {
    const stored = await this.#storedKey()
    if (stored !== null) return stored
    // Two that ask at once must not make two: the first that is written stays.
    this.#rows.run(
      'INSERT OR IGNORE INTO callback_secret (one, secret) VALUES (1, ?)',
      crypto.getRandomValues(new Uint8Array(SECRET_BYTES)).buffer,
    )
    return (await this.#storedKey())!
  }

  async #storedKey(): Promise<CryptoKey | null> {
    if (this.#key !== null) return this.#key
    const row = this.#rows.one<{ secret: ArrayBuffer }>('SELECT secret FROM callback_secret')
    if (row === null) return null
    this.#key = await crypto.subtle.importKey('raw', row.secret, HMAC, false, ['sign', 'verify'])
    return this.#key
  }
}

/** The bytes of a signature; null if the text does not have its form. */
function signatureIn(text: string): Uint8Array<ArrayBuffer> | null {
  return /^[A-Za-z0-9_-]{43}$/.test(text) ? fromBase64Url(text) : null
}
