// Pages of a list: `{items, next_cursor}`, the cursor's form, and the Link header. Knows nothing of what is listed.

import { z } from 'zod'
import { fromBase64Url, toBase64Url } from '../../bytes.ts'
import { hash32 } from '../../workflow/hash.ts'
import { ApiProblem } from './problem.ts'
import { integerParameter } from './query.ts'

/** Query parameters that every list has. */
export const PAGE_QUERY = {
  limit: integerParameter({ min: 1, max: 200, fallback: 50 }).meta({ description: 'The most items of a page.' }),
  cursor: z.string().exactOptional().meta({ description: '`next_cursor` of the page before.' }),
}

/** Which of the parameters that only lists have a URL gives. */
export function pagingOf(url: string): string[] {
  const { searchParams } = new URL(url)
  return Object.keys(PAGE_QUERY).filter((name) => searchParams.has(name))
}

/** A list that is being read: its address and its filters, which a cursor is bound to. */
export interface Listing {
  path: string
  /** Parameters that decide what is in the list; not `limit`, which may change from page to page. */
  filters: Readonly<Record<string, string | number | undefined>>
  limit: number
}

type Position = string | number

/**
 * The position that a cursor names in this list, null at its beginning.
 * A cursor is opaque, not secret: it holds a form, a hash of list and filters, and a position.
 * @throws ApiProblem `bad_cursor`, also for a cursor of another list or of other filters, which would skip items silently
 */
export function positionOf<P extends Position>(
  listing: Listing,
  cursor: string | undefined,
  isPosition: (position: unknown) => position is P,
): P | null {
  if (cursor === undefined) return null
  const [form, bound, position, ...rest] = decodeCursor(cursor)
  const isOurs = form === 1 && bound === bindingOf(listing) && isPosition(position) && rest.length === 0
  if (!isOurs) throw new ApiProblem('bad_cursor', 'Take `next_cursor` of the page before, with the same filters')
  return position
}

/** Whether a cursor's position is a text, for lists that are ordered by names or ids. */
export const isText = (position: unknown): position is string => typeof position === 'string'
/** Whether a cursor's position is a number from 0, for lists that are ordered by number. */
export const isIndex = (position: unknown): position is number =>
  Number.isSafeInteger(position) && Number(position) >= 0

/**
 * The answer with one page of a list, and with the Link header if another page follows.
 * @param items JSON texts
 * @param next position at which the next page begins; null at the end
 */
export function pageResponse(listing: Listing, items: readonly string[], next: Position | null): Response {
  const headers = new Headers({ 'Content-Type': 'application/json' })
  const cursor = next === null ? null : encodeCursor([1, bindingOf(listing), next])
  if (cursor !== null) headers.set('Link', `<${addressOf(listing, cursor)}>; rel="next"`)
  return new Response(`{"items":[${items.join(',')}],"next_cursor":${JSON.stringify(cursor)}}`, { headers })
}

function addressOf({ path, filters, limit }: Listing, cursor: string): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(filters)) if (value !== undefined) query.set(name, String(value))
  query.set('limit', String(limit))
  query.set('cursor', cursor)
  return `${path}?${query}`
}

function bindingOf({ path, filters }: Listing): string {
  const entries = Object.entries(filters).filter(([, value]) => value !== undefined)
  return hash32(JSON.stringify([path, ...entries.sort(([a], [b]) => (a < b ? -1 : 1))])).toString(36)
}

/** JSON as base64url, which stands in a URL as it is. */
function encodeCursor(value: readonly [number, string, Position]): string {
  return toBase64Url(new TextEncoder().encode(JSON.stringify(value)))
}

/** What the cursor holds; an empty list if this service did not make it. */
function decodeCursor(cursor: string): unknown[] {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(fromBase64Url(cursor)))
    return Array.isArray(value) ? value : []
  } catch {
    // Not base64, or not JSON in it: not one of ours, which is all that the caller needs to know.
    return []
  }
}
