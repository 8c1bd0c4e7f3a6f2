// Pure. How the schema of `with` becomes the schema of a definition, in which any value may still be a template,
// a text that holds `${{ expression }}`. A type writes its schema once, for rendered values, in plain zod; its own checks
// stay and see templates only where a text of the same field would stand too.
// Knows of zod's kinds what the schemas of task types use: objects, records, lists, optionals, defaults and `choice`.

import { z } from 'zod'
import { choice } from '../workflow/definition/choice.ts'

/** Whether what stands here is known only when the task starts. */
export function isTemplate(value: unknown): value is string {
  return typeof value === 'string' && value.includes('${{')
}

const template = z
  .string()
  .regex(/\$\{\{/)
  .meta({ id: 'Template', description: 'A text that holds an expression, filled in when the task starts.' })

/**
 * The form for definitions of an object's schema: every value in it, at any depth, may be a template; unknown fields are
 * refused as before; defaults are described but not filled in, so that a definition stays as its author wrote it.
 */
export function withTemplates<Schema extends z.ZodObject>(schema: Schema): z.ZodType<Record<string, unknown>> {
  return allowTemplatesInside(schema) as z.ZodType<Record<string, unknown>>
}

function allowTemplates(schema: z.ZodType): z.ZodType {
  const meta = z.globalRegistry.get(schema) ?? {}
  if (schema instanceof z.ZodOptional)
    return allowTemplates(schema.unwrap() as z.ZodType)
      .optional()
      .meta(meta)
  if (schema instanceof z.ZodDefault) {
    return allowTemplates(schema.unwrap() as z.ZodType)
      .optional()
      .meta({ ...meta, default: schema.def.defaultValue })
  }
  if (schema instanceof z.ZodUnknown) return schema
  return choice((value) => (isTemplate(value) ? 0 : 1), [template, allowTemplatesInside(schema)]).meta(meta)
}

/** The schema itself takes no template here, what it holds does. Checks stay (they are part of `def`), metadata goes. */
function allowTemplatesInside(schema: z.ZodType): z.ZodType {
  const { def } = schema._zod
  if (schema instanceof z.ZodObject) {
    const shape = Object.fromEntries(
      Object.entries(schema.shape).map(([key, field]) => [key, allowTemplates(field as z.ZodType)]),
    )
    return schema.clone({ ...schema.def, shape })
  }
  if (schema instanceof z.ZodRecord) {
    return schema.clone({ ...schema.def, valueType: allowTemplates(schema.valueType as z.ZodType) })
  }
  if (schema instanceof z.ZodArray)
    return schema.clone({ ...schema.def, element: allowTemplates(schema.element as z.ZodType) })
  if (schema instanceof z.ZodUnion) {
    return schema.clone({
      ...schema.def,
      options: schema.options.map((option) => allowTemplatesInside(option as z.ZodType)),
    })
  }
  return z.core.clone(schema, def)
}
