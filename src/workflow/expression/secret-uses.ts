// Pure. Which secrets templates name, found by what is written.

import { pointer } from '../faults.ts'
import { isJsonObject } from '../json.ts'
import { MAX_NESTING } from './cel-values.ts'
import { segmentsOf } from './expression-source.ts'

export interface SecretUse {
  name: string
  /** JSON Pointer to the text that names it. */
  path: string
}

/** Every place of `template` that is filled by a secret, in its order. */
export function secretsIn(template: unknown, at: readonly PropertyKey[] = []): SecretUse[] {
  if (typeof template === 'string') {
    if (!(template.includes('${{') && template.includes('secrets'))) return []
    return segmentsOf(template).flatMap((segment) =>
      segment.kind === 'text' ? [] : segment.expression.secrets.map(({ name }) => ({ name, path: pointer(at) })),
    )
  }
  // Deeper than that nothing is rendered.
  if (at.length > MAX_NESTING) return []
  if (Array.isArray(template)) return template.flatMap((part, index) => secretsIn(part, [...at, index]))
  if (!isJsonObject(template)) return []
  return Object.entries(template).flatMap(([key, part]) => secretsIn(part, [...at, key]))
}
