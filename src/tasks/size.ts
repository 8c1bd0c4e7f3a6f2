// Pure. Sizes in the `with` of task types: a number of bytes, or a text such as "512KiB".

import { z } from 'zod'
import { choice } from '../workflow/definition/choice.ts'

const SIZE = /^(\d{1,12})(KiB|MiB|GiB)$/

const UNIT_BYTES = { KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 } as const

/**
 * The schema of a size: a whole number of bytes, or a text of KiB, MiB or GiB.
 * @param max,min in bytes, both included
 */
export function sizeSchema({ min, max }: { min: number; max: number }) {
  const text = z
    .string()
    .regex(SIZE, { error: 'must be a number of bytes or a size such as "512KiB"', abort: true })
    .refine((value) => sizeBytes(value) >= min && sizeBytes(value) <= max, {
      params: { code: 'out_of_bounds' },
      error: `must be between ${sizeText(min)} and ${sizeText(max)}`,
    })
  return choice((value) => (typeof value === 'string' ? 0 : 1), [text, z.int().min(min).max(max)])
}

/** The bytes that a size stands for; NaN if the text is not a size. */
export function sizeBytes(size: number | string): number {
  if (typeof size === 'number') return size
  if (!SIZE.test(size)) return Number.NaN
  const [, count, unit] = SIZE.exec(size) ?? []
  return Number(count) * UNIT_BYTES[unit as keyof typeof UNIT_BYTES]
}

function sizeText(bytes: number): string {
  if (bytes % UNIT_BYTES.GiB === 0) return `${bytes / UNIT_BYTES.GiB} GiB`
  if (bytes % UNIT_BYTES.MiB === 0) return `${bytes / UNIT_BYTES.MiB} MiB`
  return bytes % 1_024 === 0 ? `${bytes / 1_024} KiB` : `${bytes} byte${bytes === 1 ? '' : 's'}`
}
