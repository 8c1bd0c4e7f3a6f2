// Query parameters, checked by the schema that the document shows.

import { z } from 'zod'
import { checkShape } from '../../workflow/faults.ts'
import { didYouMeanOrAll, quoted } from '../../workflow/nearest.ts'
import { ApiProblem } from './problem.ts'

/** Faults that one answer names. */
const MAX_DETAILED = 10

/** A whole number within bounds. */
export function integerParameter({ min, max, fallback }: { min: number; max: number; fallback?: number }) {
  const shown = { type: 'integer' as const, minimum: min, maximum: max }
  const number = z
    .string()
    .regex(/^\d{1,15}$/, { error: `must be a whole number from ${min} to ${max}`, abort: true })
    .transform(Number)
    .pipe(z.int().min(min).max(max))
  if (fallback === undefined) return number.exactOptional().meta({ override: shown })
  return number.prefault(String(fallback)).meta({ override: { ...shown, default: fallback } })
}

/**
 * The parameters of a URL as the schema has them.
 * @param later names that the contract has and this release has not
 * @throws ApiProblem `invalid_parameter` that names every fault, `not_available`
 */
export function readQuery<Schema extends z.ZodObject>(
  schema: Schema,
  url: string,
  later: readonly string[],
): z.output<Schema> {
  const start = url.indexOf('?')
  const given = new Map<string, string>()
  const faults: string[] = []
  for (const [name, value] of new URLSearchParams(start === -1 ? '' : url.slice(start))) {
    if (given.has(name)) faults.push(`${quoted(name)} stands twice`)
    else given.set(name, value)
  }
  const known = Object.keys(schema.shape)
  const unknown = [...given.keys()].filter((name) => !known.includes(name))
  for (const name of unknown) {
    if (later.includes(name)) continue
    faults.push(`there is no parameter ${quoted(name)} here${didYouMeanOrAll(name, known)}`)
  }
  const values = Object.fromEntries([...given].filter(([name]) => known.includes(name)))
  const checked = checkShape(schema, values)
  if (!checked.ok) faults.push(...checked.faults.map(({ path, message }) => `${quoted(path.slice(1))} ${message}`))
  if (!checked.ok || faults.length > 0)
    throw new ApiProblem('invalid_parameter', faults.slice(0, MAX_DETAILED).join('; '))
  if (unknown.length > 0) {
    const names = unknown.map(quoted).join(', ')
    throw new ApiProblem('not_available', `${names}: part of the contract, but not of this release`)
  }
  return checked.value
}
