// The values of a map's items. A long list is kept outside the history, and what was read of it is remembered in texts. Pure.

import { type LoadPayload, PayloadRef } from '../event.ts'
import type { Json } from '../json.ts'
import type { Items } from './items.ts'

/** Bytes of the lists that are kept in memory, of all runs together. */
const MAX_LISTS_BYTES = 8 * 1024 * 1024

/**
 * Lists that are kept outside the history, read once for many of their items; the one that was read the longest ago goes first.
 * Each value is a text: as values a list may take thirteen times as much memory as its text does.
 */
const lists = new Map<PayloadRef, string[]>()
let listsBytes = 0

/** The value of one item. */
export function itemValue({ list }: Items, index: number, load: LoadPayload): Json {
  if (!(list instanceof PayloadRef)) return (list as Json[])[index]!
  return JSON.parse(textsOf(list, load)[index]!) as Json
}

function textsOf(list: PayloadRef, load: LoadPayload): string[] {
  const known = lists.get(list)
  const texts = known ?? (load(list) as Json[]).map((value) => JSON.stringify(value))
  if (known === undefined) listsBytes += sizeOf(list, texts)
  lists.delete(list)
  lists.set(list, texts)
  for (const [oldest, itsTexts] of lists) {
    if (listsBytes <= MAX_LISTS_BYTES) break
    lists.delete(oldest)
    listsBytes -= sizeOf(oldest, itsTexts)
  }
  return texts
}

/** What a list takes, in bytes: its characters, and about 24 for each text. */
function sizeOf({ bytes }: PayloadRef, texts: readonly string[]): number {
  return bytes + 24 * texts.length
}
