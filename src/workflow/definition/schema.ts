// The shape of a definition as schemas: what registration checks first, and what the OpenAPI document shows. One source of both.
// What a schema cannot see, faults between tasks, is found by parse.ts.

import { z } from 'zod'
import { CODES, type CodeEntry, type FaultCode } from '../codes.ts'
import type { RetryPolicy } from '../decide/retry.ts'
import type { Json, JsonObject } from '../json.ts'
import type { Schema } from '../json-schema/json-schema.ts'
import { TRIGGER_RULES } from '../run/trigger-rule.ts'
import { SPAN_PATTERN, spanMs } from '../span.ts'
import { type BreakerPolicy, DEFAULT_BREAKER, MAX_WINDOW } from './breaker.ts'
import { choice } from './choice.ts'
import { DEFAULT_RETENTION, type TaskDefinition, type WorkflowDefinition } from './definition.ts'

export const MAX_TASKS = 10_000
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/
export const TASK_ID_PATTERN = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/
/** Without ":" and "/", so that no name is the origin of a host. */
const BREAKER_NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/
const MAX_DESCRIPTION = 1_000

/** Fields of the contract that this release does not have yet. A field that is built leaves its list and enters the schema. */
export const LATER_FIELDS = {
  definition: ['queue_timeout', 'concurrency', 'adaptive', 'notify'],
  task: [],
} as const

/** `params` of a custom issue: the code that its fault gets. */
const fault = (code: FaultCode) => ({ code })

/** Any JSON. Not z.json(), which would walk values of megabytes only to find what JSON.parse has made sure of. */
const json = z.unknown() as unknown as z.ZodType<Json>

/** A span of time within bounds, both included. */
export function spanSchema(bounds: { min: string; max: string }) {
  return z
    .string({ error: ({ input }) => `must be a span, a text such as "5s"${proposedSpan(input)}` })
    .regex(SPAN_PATTERN, {
      abort: true,
      error: ({ input }) =>
        `must be a number (up to nine digits, three after the point) and a unit (ms, s, m, h, d), such as "5s"${proposedSpan(input)}`,
    })
    .refine((span) => spanMs(span) >= spanMs(bounds.min) && spanMs(span) <= spanMs(bounds.max), {
      params: fault('out_of_bounds'),
      error: `must be between "${bounds.min}" and "${bounds.max}"`,
    })
}

const UNITS: readonly [word: RegExp, unit: string][] = [
  [/^(ms|msecs?|millis|milliseconds?)$/, 'ms'],
  [/^(s|secs?|seconds?)$/, 's'],
  [/^(m|mins?|minutes?)$/, 'm'],
  [/^(h|hrs?|hours?)$/, 'h'],
  [/^(d|days?)$/, 'd'],
]

/** How a number, or a number and a word, is written as a span. A bare number of 1,000 and more is likely to be of milliseconds. */
function proposedSpan(input: unknown): string {
  const [, number, word] = /^\s*(\d{1,9}(?:\.\d{1,3})?)\s*([a-z]*)\s*$/i.exec(String(input)) ?? []
  if (number === undefined) return ''
  const unit = UNITS.find(([words]) => words.test(word!.toLowerCase()))?.[1]
  if (unit !== undefined) return `: write "${number}${unit}"`
  if (word !== '') return ''
  if (Number(number) < 1_000) return `: write "${number}s" for seconds`
  return `: write "${number}ms", or "${Number(number) / 1_000}s", for milliseconds`
}

/** The time limit of a run, in a definition and at a start. */
export const timeoutSchema = spanSchema({ min: '1ms', max: '365d' })

export const nameSchema = z
  .string()
  .regex(NAME_PATTERN, 'must have 1 to 64 of A-Z, a-z, 0-9, "_" and "-", a letter or digit first')

const taskIdSchema = z
  .string()
  .regex(TASK_ID_PATTERN, 'must have 1 to 64 of A-Z, a-z, 0-9, "_" and "-", a letter or "_" first')

const descriptionSchema = z
  .string()
  // Characters as JSON Schema counts them (code points), so that the document and the check agree on an emoji.
  .refine((text) => text.length <= MAX_DESCRIPTION || [...text].length <= MAX_DESCRIPTION, {
    params: fault('out_of_bounds'),
    error: `must have at most ${MAX_DESCRIPTION.toLocaleString('en-US')} characters`,
  })

/** What `retry_on` may say: a code that a task can end an attempt with, a hundred of HTTP statuses, or all. */
const retryCodes = z
  .array(
    z.string().refine(isRetryWord, {
      params: fault('invalid_value'),
      error: ({ input }) =>
        `${JSON.stringify(input)} is no code of an attempt; write http_503, http_5xx, timeout or "*"`,
    }),
  )
  .min(1)
  .max(50)

const interval = (span: string) => spanSchema({ min: '1ms', max: '30d' }).default(span)

export const RetryPolicySchema = z
  .strictObject({
    max_attempts: z
      .int()
      .min(1)
      .max(100)
      .default(1)
      .meta({ description: 'The first attempt counts.', examples: [4] }),
    initial_interval: interval('1s').meta({ description: 'Wait before the second attempt.' }),
    multiplier: z
      .number()
      .min(1)
      .max(100)
      .default(2)
      .meta({ description: 'By how much each wait is longer than the last.' }),
    max_interval: interval('30s').meta({ description: 'The longest wait.' }),
    jitter: z.enum(['full', 'none']).default('full').meta({
      description: '`full`: each wait is drawn between 0 and its length, so that callers do not come back all at once.',
    }),
    retry_on: retryCodes.exactOptional().meta({
      description: 'Codes worth another attempt, instead of those that are by themselves.',
      examples: [['http_5xx', 'timeout']],
    }),
    never_retry_on: retryCodes
      .exactOptional()
      .meta({ description: 'Codes that end the task at once.', examples: [['http_501']] }),
  })
  .meta({
    id: 'RetryPolicy',
    description:
      'When an attempt that failed is made again. A `Retry-After` of the server called is obeyed, never sooner than asked; with 429 or 503 it spends no attempt (20 times at most). A wait that cannot end before the deadline of the run fails the task at once.',
    examples: [{ max_attempts: 4, initial_interval: '500ms' }],
  }) satisfies z.ZodType<RetryPolicy>

function isRetryWord(word: string): boolean {
  const known: Readonly<Record<string, CodeEntry>> = CODES
  return word === '*' || /^http_[1-5](?:\d\d|xx)$/.test(word) || known[word]?.kind === 'task'
}

export const BreakerPolicySchema = z
  .strictObject({
    name: z
      .string()
      .regex(BREAKER_NAME_PATTERN, 'must have 1 to 64 of A-Z, a-z, 0-9, "_", "." and "-", a letter or digit first')
      .exactOptional()
      .meta({
        description: 'The circuit, which tasks that give the same name share; without it that of the host called.',
        examples: ['payments'],
      }),
    failure_rate: z
      .number()
      .min(0.01)
      .max(1)
      .default(DEFAULT_BREAKER.failure_rate)
      .meta({
        description: 'Share of the calls of the window that have to fail for the circuit to open.',
        examples: [0.5],
      }),
    minimum_calls: z.int().min(1).max(MAX_WINDOW).default(DEFAULT_BREAKER.minimum_calls).meta({
      description: 'Fewer calls than this never open it. At most `window`.',
    }),
    window: z.int().min(1).max(MAX_WINDOW).default(DEFAULT_BREAKER.window).meta({
      description: 'How many of the last calls are looked at; none older than 60 s.',
    }),
    open_for: spanSchema({ min: '1s', max: '5m' }).default(DEFAULT_BREAKER.open_for).meta({
      description: 'How long it stays open; doubled at each reopening, up to "5m".',
    }),
  })
  .refine(({ minimum_calls, window }) => minimum_calls <= window, {
    path: ['minimum_calls'],
    params: fault('out_of_bounds'),
    error: 'must not be more than "window": so many calls are never looked at',
  })
  .meta({
    id: 'BreakerPolicy',
    description:
      'When calls to a server that fails are held back: after too many failures (no answer, a time-out, 5xx) the circuit opens, and tasks wait before an attempt is made. Then three trials are let through, and all must succeed. Tasks that share a circuit are each judged by their own settings.',
    examples: [{ failure_rate: 0.8, open_for: '1m' }],
  }) satisfies z.ZodType<BreakerPolicy>

const breakerSchema = choice(
  (value) => (typeof value === 'object' && value !== null ? 1 : 0),
  [z.literal(false, { error: 'must be false or an object' }), BreakerPolicySchema],
).meta({ description: 'Settings of the circuit that it calls through, or `false` for none; for types that call out.' })

export const TaskDefinitionSchema = z
  .strictObject({
    id: taskIdSchema.meta({ description: 'Unique within the workflow.', examples: ['fetch'] }),
    type: z.string().meta({
      description: 'One of the task types; `GET /v1/task-types` lists them.',
      examples: ['http'],
    }),
    depends_on: z
      .array(z.string())
      .default([])
      .meta({
        description: 'Ids of the tasks that this one waits for; how they have to end, `trigger_rule` says.',
        examples: [['fetch']],
      }),
    with: (z.record(z.string(), json) as z.ZodType<JsonObject>).exactOptional().meta({
      description: `What the task does, by the schema of its type; any text in it may hold \`\${{ expressions }}\`. Without it the task is a placeholder: it does nothing and succeeds with null.`,
      examples: [{ url: `https://api.example.com/orders/\${{ input.order }}` }],
    }),
    when: z
      .string()
      .exactOptional()
      .meta({
        description:
          'An expression, evaluated when nothing else holds the task; false: it is skipped with the reason `condition`.',
        examples: ['tasks.fetch.output.status == 200'],
      }),
    trigger_rule: z
      .enum(TRIGGER_RULES)
      .exactOptional()
      .meta({
        description:
          'How the dependencies have to end, as in Airflow; `all_success` by default. Tasks with `all_failed`, `all_done`, `one_failed`, `one_done`, `none_skipped` or `always` run also after a failure has stopped the run: cleanup and alerts.',
        examples: ['all_done'],
      }),
    timeout: timeoutSchema
      .exactOptional()
      .meta({ description: 'Time limit of one attempt; for a task that waits, of the wait.', examples: ['2s'] }),
    retry: RetryPolicySchema.exactOptional(),
    breaker: breakerSchema.exactOptional(),
    compensate: z
      .string()
      .exactOptional()
      .meta({
        description:
          'Id of the task that undoes this one. When the run fails, times out or is cancelled, what succeeded is undone, one after the other, the last first; the deadline does not bound it, the `timeout` of the compensation does ("30s" by default).',
        examples: ['refund'],
      }),
  })
  .meta({
    id: 'TaskDefinition',
    description: 'One task of a workflow.',
    examples: [{ id: 'store', type: 'http', depends_on: ['fetch'], with: { url: 'https://api.example.com/store' } }],
  }) satisfies z.ZodType<TaskDefinition>

export const WorkflowDefinitionSchema = z
  .strictObject({
    name: nameSchema.meta({ description: 'What the workflow is started by.', examples: ['nightly-report'] }),
    description: descriptionSchema
      .exactOptional()
      .meta({ description: 'For people.', maxLength: MAX_DESCRIPTION, examples: ['Fetches orders and reports them.'] }),
    max_parallel: z
      .int()
      .min(1)
      .max(64)
      .default(4)
      .meta({ description: 'The most attempts of one run that execute at once.', examples: [8] }),
    timeout: timeoutSchema
      .default('5s')
      .meta({ description: 'Time limit of the whole run, from its start: "1ms" to "365d".', examples: ['30s'] }),
    retention: spanSchema({ min: '1m', max: '400d' })
      .default(DEFAULT_RETENTION)
      .meta({
        description:
          'How long a run is kept after its end, at least: "1m" to "400d". It is deleted by the pass that follows, within a tenth of that time and a day; a minute, where that is more, and longer in a shard of very many runs.',
        examples: ['90d'],
      }),
    on_failure: z
      .enum(['stop', 'continue'])
      .default('stop')
      .meta({
        description:
          '`stop`: when a task fails, executing attempts are cancelled and nothing more starts but tasks whose `trigger_rule` accepts a failure. `continue`: branches that do not need it go on.',
        examples: ['continue'],
      }),
    placeholders: z
      .enum(['allow', 'refuse'])
      .default('allow')
      .meta({
        description: 'Whether tasks without `with` are taken, each with a warning, or refused.',
        examples: ['refuse'],
      }),
    input_schema: (json as unknown as z.ZodType<Schema>).exactOptional().meta({
      description:
        'JSON Schema (draft 2020-12) of the input: a start whose input does not fit is refused with `invalid_input`, and expressions that read an undeclared field of the input are faults. One document without remote references, at most 256 KiB; `pattern` without lookaround and backreferences; `format` is not checked.',
      override: { type: ['object', 'boolean'] },
      examples: [{ type: 'object', required: ['order'], properties: { order: { type: 'integer' } } }],
    }),
    defaults: z
      .strictObject({
        retry: RetryPolicySchema.exactOptional(),
        timeout: timeoutSchema.exactOptional(),
        breaker: breakerSchema.exactOptional(),
      })
      .exactOptional()
      .meta({
        description:
          'What tasks get that do not say it themselves; `timeout` counts for tasks that make attempts, `breaker` for those that call out.',
        examples: [{ timeout: '2s', retry: { max_attempts: 3 } }],
      }),
    output: json.exactOptional().meta({
      description:
        "Template of the run's output. Without it the output is that of the tasks that nothing depends on, by their ids.",
      examples: [{ total: `\${{ tasks.report.output.body.total }}` }],
    }),
    tasks: z
      .array(TaskDefinitionSchema)
      .min(1)
      .max(MAX_TASKS)
      .meta({ description: 'In any order; they run as `depends_on` says.' }),
  })
  .meta({
    id: 'WorkflowDefinition',
    description: 'A workflow: tasks, and what each waits for.',
    examples: [
      {
        name: 'orders',
        timeout: '30s',
        tasks: [
          { id: 'fetch', type: 'http', with: { url: `https://api.example.com/orders/\${{ input.order }}` } },
          {
            id: 'store',
            type: 'http',
            depends_on: ['fetch'],
            with: { method: 'POST', url: 'https://api.example.com/store', json: `\${{ tasks.fetch.output.body }}` },
          },
        ],
      },
    ],
  }) satisfies z.ZodType<WorkflowDefinition>
