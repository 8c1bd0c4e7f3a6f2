// How long a client wants to wait for a run: the Prefer header (RFC 7240), and what of it was honoured.

/** What a client has asked for with Prefer. */
export interface Preference {
  /** Answer at once, without waiting. */
  respondAsync: boolean
  /** Seconds that were asked for, cut to the most there is; null when none were. */
  wait: number | null
}

/** The longest wait, in seconds, and what a start waits when nothing is said. */
export const MAX_WAIT = 30

/** One preference: token, then optionally a value, a token or a quoted text; parameters after `;` mean nothing to us. */
const PREFERENCE = /([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~\w-]*)))?(?:\s*;[^,]*)?/g

/**
 * Reads Prefer. Never refuses: a preference that is unknown or has a value it cannot have is ignored, as the RFC asks, and
 * of two with one name the first counts. Preference-Applied tells the client.
 */
export function readPreference(headers: Headers): Preference {
  const preference: Preference = { respondAsync: false, wait: null }
  const header = headers.get('Prefer')
  if (header === null) return preference
  for (const [, name, quoted, bare] of header.matchAll(PREFERENCE)) {
    const value = quoted ?? bare ?? ''
    if (/^respond-async$/i.test(name!)) preference.respondAsync = true
    else if (/^wait$/i.test(name!) && /^\d+$/.test(value)) preference.wait ??= Math.min(Number(value), MAX_WAIT)
  }
  return preference
}

/** The value of Preference-Applied; null if nothing was asked for. */
export function appliedText({ respondAsync, wait }: Preference): string | null {
  const applied = [...(respondAsync ? ['respond-async'] : []), ...(wait === null ? [] : [`wait=${wait}`])]
  return applied.length === 0 ? null : applied.join(', ')
}
