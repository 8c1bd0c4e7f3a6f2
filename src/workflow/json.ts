// JSON as a type. What enters a run, leaves a task or is written down is always this.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** The largest value that comes in or is handed on (an input, an output, a signal), in UTF-8 bytes of its JSON text: 1 MiB. */
export const MAX_VALUE_BYTES = 1_048_576

export type JsonObject = { [key: string]: Json }

/** Whether a value is an object, and neither a list nor null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
