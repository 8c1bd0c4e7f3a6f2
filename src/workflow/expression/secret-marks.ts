// Pure. Where secrets go in a task's rendered `with`. The renderer never has a value: it puts a mark in its place, which only
// the executor replaces. A mark holds a nonce that is made while rendering, after all data that the template reads was there,
// so no data can hold a mark of its own; and what is filled in is not looked at again.

import { isJsonObject, type Json } from '../json.ts'
import { MAX_BYTES } from './cel-values.ts'

/** What a secret can be named. */
export const SECRET_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/

/** Which secrets a call needs, and how they are marked in its `with`. Crosses RPC between releases (R9). */
export interface SecretsAsked {
  tenant: string
  /** Stands in every mark of this call, and in no other text. */
  nonce: string
  /** Each once. */
  names: string[]
}

/** Makes the marks of one rendering. */
export class SecretMarks {
  readonly #names = new Set<string>()
  readonly #mint: () => string
  #nonce: string | null = null

  /** @param mint gives a nonce that cannot be foreseen, at the first mark: most templates have none */
  constructor(mint: () => string) {
    this.#mint = mint
  }

  /**
   * What stands in a rendered text until the executor puts the value there. Where a URL has its host no mark can be part of
   * one (the `:`), so a rendered URL with a mark for its host has no host, instead of a made-up one.
   */
  mark(name: string): string {
    this.#nonce ??= this.#mint()
    this.#names.add(name)
    return `{secret:${this.#nonce}:${name}}`
  }

  /** What the executor has to be told; null if no secret was named. */
  asked(tenant: () => string): SecretsAsked | null {
    return this.#nonce === null ? null : { tenant: tenant(), nonce: this.#nonce, names: [...this.#names] }
  }
}

/**
 * The value with its marks replaced, also within texts; names of members hold none.
 * @param values by name; every name that was asked for is there
 * @returns null if more than 1 MiB would be filled in
 */
export function fillSecrets(value: Json, nonce: string, values: ReadonlyMap<string, string>): Json | null {
  const pattern = new RegExp(`\\{secret:${nonce}:(\\w+)\\}`, 'g')
  let left = MAX_BYTES
  const filled = (part: Json): Json => {
    if (typeof part === 'string') {
      if (!part.includes(nonce)) return part
      return part.replaceAll(pattern, (mark, name: string) => {
        const secret = values.get(name) ?? mark
        left -= secret.length
        return left < 0 ? '' : secret
      })
    }
    if (Array.isArray(part)) return part.map(filled)
    if (!isJsonObject(part)) return part
    return Object.fromEntries(Object.entries(part).map(([key, member]) => [key, filled(member)]))
  }
  const whole = filled(value)
  return left < 0 ? null : whole
}
