// How large the output of a task may be, whoever makes it.

import { type Json, MAX_VALUE_BYTES } from '../json.ts'

/** UTF-8 bytes of its JSON text. */
export const MAX_OUTPUT_BYTES = MAX_VALUE_BYTES

/** Deeper than any answer meant for people; shallow enough for whatever walks it by recursion, RPC and JSON.stringify too. */
export const MAX_OUTPUT_DEPTH = 256

/** Whether lists and objects stand within each other more than `depth` times. */
export function isDeeper(value: Json, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return depth === 0 || Object.values(value).some((inner) => isDeeper(inner, depth - 1))
}
