// Pure. The schema of `with` of an `inference` task: what a model is asked, and who serves it. Every default, bound and rule of
// such a call stands here; inference/ does what it says.

import { z } from 'zod'
import type { FaultCode } from '../../workflow/codes.ts'
import { choice } from '../../workflow/definition/choice.ts'
import type { Json, JsonObject } from '../../workflow/json.ts'
import { checkInputSchema } from '../../workflow/json-schema/json-schema-check.ts'
import { soundness } from '../../workflow/sound.ts'
import { isTemplate, withTemplates } from '../templates.ts'
import { HEADER_VALUE, httpHost, url } from './http-with.ts'

/** What circuits and retry budgets call the target of calls through the binding. */
const BINDING_HOST = 'workers-ai'

const MAX_MESSAGES = 1_000
const MAX_INPUTS = 2_048
const MAX_MODEL_LENGTH = 300
const MAX_TOKENS = 1_000_000

/** What is asked; exactly one of them stands. */
const QUESTIONS = ['messages', 'prompt', 'input'] as const

/** What an embedding has no use for. */
const OF_TEXT = ['response_schema', 'temperature', 'max_tokens', 'stream'] as const

const fault = (code: FaultCode) => ({ code })
const isText = (value: unknown) => (typeof value === 'string' ? 0 : 1)

const part = choice(
  (value) => ((value as { type?: unknown } | null)?.type === 'image_url' ? 1 : 0),
  [
    z.strictObject({ type: z.literal('text', 'must be "text" or "image_url"'), text: z.string() }),
    z.strictObject({
      type: z.literal('image_url'),
      image_url: z.strictObject({ url: z.string().min(1), detail: z.enum(['auto', 'low', 'high']).optional() }),
    }),
  ],
)

const message = z.strictObject({
  role: z.enum(['system', 'developer', 'user', 'assistant']),
  content: choice(isText, [z.string(), z.array(part).min(1).max(100)]),
})

const shape = {
  base_url: url.optional().meta({
    description:
      'Where an OpenAI-compatible server has its API, as in "https://api.openai.com/v1"; "/chat/completions", "/completions" or "/embeddings" is put behind its path. Private and local addresses are refused (EGRESS_ALLOW).',
    example: 'https://api.openai.com/v1',
  }),
  api_key: z.string().min(1).max(8_192).regex(HEADER_VALUE, 'must be visible ASCII on one line').optional().meta({
    description:
      'Sent as `Authorization: Bearer`. Write `${{ secrets.NAME }}`: a key that is written out is masked in messages, and the definition shows it.',
    example: 'sk-...',
  }),
  binding: z.literal('AI').optional().meta({
    description: 'Instead of `base_url`: the Workers AI binding of this name, which a deployment may have.',
    example: 'AI',
  }),
  model: z.string().min(1).max(MAX_MODEL_LENGTH).meta({
    description: 'The model, as its server names it.',
    example: 'gpt-4o-mini',
  }),
  messages: z
    .array(message)
    .min(1)
    .max(MAX_MESSAGES)
    .optional()
    .meta({
      description: 'A conversation, which the model goes on with (chat completion).',
      example: [{ role: 'user', content: 'Say hello.' }],
    }),
  prompt: z.string().min(1).optional().meta({
    description: 'A text, which the model goes on with (completion).',
    example: 'Once upon a time',
  }),
  input: choice(isText, [z.string().min(1), z.array(z.string().min(1)).min(1).max(MAX_INPUTS)])
    .optional()
    .meta({ description: 'Texts to be made vectors (embeddings).', example: ['first', 'second'] }),
  temperature: z.number().min(0).max(2).optional().meta({ description: 'How freely it chooses, 0 to 2.', example: 0 }),
  max_tokens: z.int().min(1).max(MAX_TOKENS).optional().meta({
    description: 'The longest answer, in tokens; one that is cut off there fails with `inference_truncated`.',
    example: 500,
  }),
  stream: z.boolean().default(false).meta({
    description:
      'Whether the text is sent as it comes: whoever watches the run sees it as `task.partial`. The output is the same.',
    example: true,
  }),
}

/** @param isLeft whether a value is looked at only later */
function responseSchema(isLeft: (value: unknown) => boolean) {
  return (z.unknown() as unknown as z.ZodType<Json>)
    .optional()
    .superRefine((value, ctx) => {
      if (value === undefined || isLeft(value)) return
      for (const { path, code, message: text } of faultsOfSchema(value)) {
        ctx.addIssue({ code: 'custom', path: stepsOf(path), params: fault(code), message: text })
      }
    })
    .meta({
      description:
        'JSON Schema (2020-12) of the answer to `messages`. The server is asked for JSON of this form, and its answer is checked; one that does not fit is sent back once, with its faults.',
      example: { type: 'object', properties: { mood: { enum: ['good', 'bad'] } }, required: ['mood'] },
    })
}

function faultsOfSchema(value: Json) {
  const unsound = soundness(value)
  // What is too deep cannot be walked.
  return unsound.length > 0 ? unsound : checkInputSchema(value, '').faults
}

function stepsOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** What no field can see alone. Looks at which fields are there, not at what they hold: that may be a template. */
function withRules<Schema extends z.ZodType>(schema: Schema): Schema {
  return schema.superRefine(
    (value, ctx) => {
      const has = (field: string) => (value as JsonObject)[field] !== undefined
      const refuse = (field: string, code: FaultCode, text: string) =>
        ctx.addIssue({ code: 'custom', path: [field], params: fault(code), message: text })
      if (!has('base_url') && !has('binding')) refuse('base_url', 'required', 'is required, or "binding"')
      if (has('binding')) {
        for (const field of ['base_url', 'api_key']) {
          if (has(field)) refuse(field, 'conflicting_fields', 'stands beside "binding", which needs none')
        }
      }
      const [question, ...others] = QUESTIONS.filter(has)
      if (question === undefined) refuse('messages', 'required', 'is required, or "prompt", or "input"')
      for (const field of others) {
        refuse(
          field,
          'conflicting_fields',
          `stands beside "${question}"; only one of ${QUESTIONS.join(', ')} may be there`,
        )
      }
      if (question === 'input') {
        for (const field of OF_TEXT) {
          // `stream: false` is its default, which a checked value has always.
          if (has(field) && (value as JsonObject)[field] !== false) {
            refuse(field, 'conflicting_fields', 'stands beside "input", which gives vectors and no text')
          }
        }
      }
      if (question === 'prompt' && has('response_schema')) {
        refuse(
          'response_schema',
          'conflicting_fields',
          'stands beside "prompt"; only an answer to "messages" can have a form',
        )
      }
    },
    // Also beside other faults, so that one answer lists them all.
    { when: ({ value }) => typeof value === 'object' && value !== null },
  ) as Schema
}

const about = {
  description: 'A question to a language model.',
  example: {
    base_url: 'https://api.openai.com/v1',
    model: 'gpt-4o-mini',
    messages: [{ role: 'user', content: 'Say hello.' }],
  },
}

/** The schemas of `with` of an `inference` task. */
export const inferenceWith = {
  rendered: withRules(z.strictObject({ ...shape, response_schema: responseSchema(() => false) })).meta(about),
  // A schema with templates in it is looked at when they are filled in.
  inDefinition: withRules(
    (withTemplates(z.strictObject(shape)) as z.ZodObject).extend({ response_schema: responseSchema(holdsTemplate) }),
  ) as z.ZodType<Record<string, unknown>>,
}

/** `with` of an `inference` task, checked and with its defaults. */
export type InferenceWith = z.output<typeof inferenceWith.rendered>

function holdsTemplate(value: unknown): boolean {
  if (isTemplate(value)) return true
  // Not by recursion: how deep it is has not been looked at yet.
  return typeof value === 'object' && value !== null && isTemplate(JSON.stringify(value))
}

/** The target of a call, for circuits and retry budgets: the origin of its server, or the binding. null if it names none. */
export function inferenceHost({ base_url, binding }: JsonObject): string | null {
  return binding === undefined ? httpHost({ url: base_url ?? null }) : BINDING_HOST
}
