// Pure. The schema of `multipart` of an `http` task: the parts of a form, files among them (RFC 7578).

import { z } from 'zod'
import { utf8Length } from '../../bytes.ts'
import type { FaultCode } from '../../workflow/codes.ts'
import { isTemplate } from '../templates.ts'

const MAX_PARTS = 100
/** Bytes of all parts. */
const MAX_TOTAL_BYTES = 4 * 1_048_576

/** `type/subtype` and parameters, visible ASCII: line ends would smuggle headers in. */
const MEDIA_TYPE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+\/[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[\t ]*;[\t\x20-\x7e]*)?$/

const fault = (code: FaultCode) => ({ code })
const isObject = { when: ({ value }: { value: unknown }) => typeof value === 'object' && value !== null }

const part = z
  .strictObject({
    name: z.string().min(1).max(256).meta({ description: 'Name of the field.', example: 'report' }),
    text: z
      .union([z.string(), z.number(), z.boolean()], 'must be a string, a number or a boolean')
      .optional()
      .meta({ description: 'Its content as text, sent as UTF-8; either this or `base64`.', example: 'a;b\n1;2\n' }),
    base64: z.base64().optional().meta({ description: 'Its content as base64.', example: 'AAEC' }),
    filename: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .meta({ description: 'Makes it a file of this name.', example: 'report.csv' }),
    content_type: z.string().max(256).regex(MEDIA_TYPE, 'must be a media type such as "text/csv"').optional().meta({
      description:
        'By default none of a text that is no file, text/plain of one that is, application/octet-stream of base64.',
      example: 'text/csv',
    }),
  })
  .superRefine((value, ctx) => {
    const add = (path: string, code: FaultCode, message: string) =>
      ctx.addIssue({ code: 'custom', path: [path], params: fault(code), message })
    if (value.text === undefined && value.base64 === undefined)
      add('text', 'required', 'either "text" or "base64" is needed')
    if (value.text !== undefined && value.base64 !== undefined) {
      add('base64', 'conflicting_fields', 'stands beside "text": a part has one of both')
    }
  }, isObject)

/** One part of a form, checked. */
export type Part = z.output<typeof part>

/** The schema of `multipart`. */
export const multipartSchema = z
  .array(part)
  .min(1)
  .max(MAX_PARTS)
  .refine((parts) => writtenBytes(parts) <= MAX_TOTAL_BYTES, {
    params: fault('out_of_bounds'),
    error: 'must have at most 4 MiB in all its parts',
  })
  .meta({
    description: `Body: parts, sent as multipart/form-data in this order; at most ${MAX_PARTS}, 4 MiB in all.`,
    example: [{ name: 'report', filename: 'report.csv', content_type: 'text/csv', text: 'a;b\n1;2\n' }],
  })

/** Bytes of the parts that are written out. A template counts as nothing, since only a run knows how long it becomes. */
function writtenBytes(parts: readonly Part[]): number {
  return parts.reduce((sum, { text, base64 }) => {
    const content: unknown = base64 ?? text ?? ''
    if (isTemplate(content)) return sum
    return sum + (base64 === undefined ? utf8Length(String(content)) : (base64.length * 3) / 4)
  }, 0)
}
