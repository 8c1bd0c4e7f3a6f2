// Pure. The schema of `with` of `javascript` and `python` tasks. Every default and bound of a script stands here; how each is
// kept is its engine's (script/).

import { z } from 'zod'
import { isLongerThan } from '../../bytes.ts'
import type { FaultCode } from '../../workflow/codes.ts'
import { spanSchema } from '../../workflow/definition/schema.ts'
import { type Json, MAX_VALUE_BYTES } from '../../workflow/json.ts'
import { spanMs } from '../../workflow/span.ts'
import { fuelOf, type ScriptLimits } from '../script/limits.ts'
import { sizeBytes, sizeSchema } from '../size.ts'
import { isTemplate, withTemplates } from '../templates.ts'

const MAX_CODE_BYTES = 256 * 1_024
const MEBIBYTE = 1_048_576

const DEFAULT_LIMITS = { cpu: '1s', memory: 32 * MEBIBYTE, output: MAX_VALUE_BYTES } as const

const fault = (code: FaultCode) => ({ code })

const limits = z.strictObject({
  cpu: spanSchema({ min: '1ms', max: '10s' }).optional().meta({
    description:
      'How much it may compute, at most 10 s, 1 s by default. Counted in loop turns and calls inside the interpreter, so it is the same each time and on every machine; about that time.',
    example: '500ms',
  }),
  memory: sizeSchema({ min: 8 * MEBIBYTE, max: 64 * MEBIBYTE })
    .optional()
    .meta({
      description: 'What the interpreter and all that the script makes may take, 8 to 64 MiB, 32 MiB by default.',
      example: '16MiB',
    }),
  output: sizeSchema({ min: 1, max: MAX_VALUE_BYTES })
    .optional()
    .meta({ description: 'The largest result, in bytes of JSON; 1 MiB by default, and at most.', example: '64KiB' }),
})

const rest = {
  input: (z.unknown() as unknown as z.ZodType<Json>).optional().meta({
    description: "What the script gets as `input`; the run's input by default.",
    example: { orders: '${{ tasks.fetch.output.body }}' },
  }),
  limits: limits.optional(),
}

function codeSchema(description: string, example: string) {
  return z
    .string()
    .min(1)
    .refine((text) => !isLongerThan(MAX_CODE_BYTES, text), {
      params: fault('out_of_bounds'),
      error: 'must have at most 256 KiB',
    })
    .refine((text): boolean => !isTemplate(text), {
      params: fault('invalid_value'),
      error:
        'holds an expression, but code is taken as it is written: hand values over by "input". If it is part of the code, write "$" and "{{" apart',
    })
    .meta({ description, example })
}

function scriptWith(code: ReturnType<typeof codeSchema>, about: { description: string; example: object }) {
  const templated = withTemplates(z.strictObject(rest)) as z.ZodObject
  return {
    rendered: z.strictObject({ code, ...rest }).meta(about),
    // Only what is handed over may hold templates: code that is put together from data would be code that data can write.
    inDefinition: templated.extend({ code }) as z.ZodType<Record<string, unknown>>,
  }
}

const javascriptExample = 'export default ({ input }) => ({ total: input.orders.length })'

/** The schemas of `with` of a `javascript` task. */
export const javascriptWith = scriptWith(
  codeSchema(
    'A module whose default export is a function, async or not, of `{input, tasks, run}`; what it returns is the output. ES2023 without imports, timers, network and Web APIs.',
    javascriptExample,
  ),
  { description: 'JavaScript in a sandbox.', example: { code: javascriptExample } },
)

const pythonExample = 'def main(input):\n    return {"total": len(input["orders"])}'

/** The schemas of `with` of a `python` task. */
export const pythonWith = scriptWith(
  codeSchema(
    'Defines `main(input)` or `main(input, ctx)`; what it returns is the output. A subset of Python 3 (MicroPython, no pip).',
    pythonExample,
  ),
  { description: 'Python in a sandbox: a subset (MicroPython, no pip).', example: { code: pythonExample } },
)

/** `with` of a script of either language, checked. */
export type ScriptWith = z.output<typeof javascriptWith.rendered>

/** The limits of a script in fuel and bytes, with the defaults for what is not given. */
export function limitsOf({ limits: given = {} }: Pick<ScriptWith, 'limits'>): ScriptLimits {
  return {
    fuel: fuelOf(spanMs(given.cpu ?? DEFAULT_LIMITS.cpu)),
    memoryBytes: sizeBytes(given.memory ?? DEFAULT_LIMITS.memory),
    outputBytes: sizeBytes(given.output ?? DEFAULT_LIMITS.output),
  }
}
