// How large the output of a task may be, no matter whether the executor or the scheduler makes it.

import { type Json, MAX_VALUE_BYTES } from '../json.ts'

/** UTF-8 bytes of its JSON text. */
export const MAX_OUTPUT_BYTES = MAX_VALUE_BYTES

/** Deeper than any answer meant for people, and shallow enough for all code that walks it by recursion, such as RPC and JSON.stringify. */
export const MAX_OUTPUT_DEPTH = 256

/** Whether lists and objects stand within each other more than `depth` times. */
export function isDeeper(value: Json, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return depth === 0 || Object.values(value).some((inner) => isDeeper(inner, depth - 1))
}
