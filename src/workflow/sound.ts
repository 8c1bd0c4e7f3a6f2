// What every JSON value from outside must be, with any schema: not deeper than code that recurses can bear, and text that
// UTF-8 can hold. JSON itself allows more ("\ud800" is a lone half of a character, which would come back as another text).

import type { Fault } from './codes.ts'
import { MAX_FAULTS, pointer } from './faults.ts'
import { isJsonObject } from './json.ts'

/** Lists and objects within each other, the body itself counted. */
export const MAX_DEPTH = 100

/** Faults of the value's texts (`invalid_format`) and of its depth (`out_of_bounds`), wherever they are in it. */
export function soundness(value: unknown, at = ''): Fault[] {
  const faults: Fault[] = []
  const path: (string | number)[] = []
  const add = (code: Fault['code'], message: string) => {
    if (faults.length <= MAX_FAULTS) faults.push({ path: at + pointer(path), code, message })
  }
  const visit = (inner: unknown) => {
    if (typeof inner === 'string') {
      if (!inner.isWellFormed()) add('invalid_format', 'holds half of a character (a lone surrogate)')
    } else if (typeof inner === 'object' && inner !== null) {
      if (path.length >= MAX_DEPTH) return add('out_of_bounds', `stands deeper than ${MAX_DEPTH} levels`)
      for (const key of Array.isArray(inner) ? inner.keys() : Object.keys(inner)) {
        if (typeof key === 'string' && !key.isWellFormed()) {
          add('invalid_format', 'has a member whose name holds half of a character (a lone surrogate)')
        }
        path.push(key)
        visit((inner as Record<string | number, unknown>)[key])
        path.pop()
      }
    }
  }
  visit(value)
  return faults
}

/** The parts of a definition ("/output", "/tasks/3") that hold something too deep, so that nothing that recurses may look into them. */
export function tooDeepParts(faults: readonly Fault[]): ReadonlySet<string> {
  const parts = new Set<string>()
  for (const { path, code } of faults) {
    if (code !== 'out_of_bounds') continue
    const steps = path.split('/')
    parts.add(steps.slice(0, 2).join('/')).add(steps.slice(0, 3).join('/'))
  }
  return parts
}

/**
 * The value as text in which the order of members does not count: two values are equal when these texts are.
 * Only for values that are sound: it recurses.
 */
export function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`
  if (!isJsonObject(value)) return JSON.stringify(value)
  const members = Object.keys(value).sort()
  return `{${members.map((key) => `${JSON.stringify(key)}:${canonicalText(value[key])}`).join(',')}}`
}
