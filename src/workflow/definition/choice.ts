// A union whose faults can be told: the schema library's own says only that no branch fits.

import { z } from 'zod'

interface ChoiceDef extends z.core.$ZodUnionDef {
  pick(value: unknown): number
}

const Choice = z.core.$constructor('Choice', (inst: z.ZodUnion, def: ChoiceDef) => {
  z.ZodUnion.init(inst, def)
  inst._zod.parse = (payload, ctx) => def.options[def.pick(payload.value)]!._zod.run(payload, ctx)
})

/**
 * A union whose branch the value itself picks, so that its faults are those of that branch, at their own paths;
 * z.union reports one opaque `invalid_union` instead. In JSON Schema it is the same `anyOf`.
 * @param pick the index of the option that judges this value
 */
export function choice<const Options extends readonly z.core.SomeType[]>(
  pick: (value: unknown) => number,
  options: Options,
): z.ZodUnion<Options> {
  const def: ChoiceDef = { type: 'union', options: options as unknown as z.core.$ZodType[], pick }
  return new Choice(def) as unknown as z.ZodUnion<Options>
}
