// Help with misspelt names: the nearest known one, and how a name from outside is quoted. For words only, no decision rests on it.

import { distance } from 'fastest-levenshtein'

/** A name from outside can be megabytes long; a message shows this much of it. */
const SHOWN = 64
/** Beyond this a name is not a misspelling of anything, and comparing it would cost its length times theirs. */
const MAX_COMPARED = 80
/** The most names that are listed when none is near. */
const MAX_LISTED = 20

/** A name within quotes, shortened, fit for any output (no raw control characters, no lone surrogates). */
export function quoted(name: string): string {
  return JSON.stringify(name.length > SHOWN ? `${name.slice(0, SHOWN)}...` : name)
}

/**
 * What to say after "there is no such name". Costs a comparison with each known name, so callers with thousands of names
 * ask a limited number of times.
 * @returns '; did you mean "depends_on"?' or ''
 */
export function didYouMean(name: string, known: Iterable<string>): string {
  const near = nearest(name, known)
  return near === null ? '' : `; did you mean ${quoted(near)}?`
}

/** Like `didYouMean`, but lists all known names if no name is near and there are at most MAX_LISTED: '; known are "a", "b"'. */
export function didYouMeanOrAll(name: string, known: readonly string[]): string {
  if (known.length === 0 || known.length > MAX_LISTED) return didYouMean(name, known)
  return didYouMean(name, known) || `; known ${known.length === 1 ? 'is' : 'are'} ${known.map(quoted).join(', ')}`
}

/** The known name with the fewest edits to the given one, upper and lower case alike; null if none is near. */
export function nearest(name: string, known: Iterable<string>): string | null {
  if (name.length > MAX_COMPARED) return null
  const wanted = name.toLowerCase()
  // Half of a name may differ ("depends" for "depends_on"), but two edits are always forgiven.
  let best = Math.max(2, Math.ceil(name.length / 2)) + 1
  let found: string | null = null
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) >= best) continue
    const edits = distance(wanted, candidate.toLowerCase())
    if (edits >= best || edits >= Math.max(name.length, candidate.length)) continue
    best = edits
    found = candidate
  }
  return found
}
