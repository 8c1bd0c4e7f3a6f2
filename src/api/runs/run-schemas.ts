// What is sent to start a run, and how runs, tasks and histories look.

import { z } from 'zod'
import { nameSchema, timeoutSchema } from '../../workflow/definition/schema.ts'
import { WORKFLOW_REF } from '../../workflow/definition/workflow-ref.ts'
import { SKIP_REASONS } from '../../workflow/event.ts'
import { WAITING_REASONS } from '../../workflow/explain/waiting.ts'
import { RUN_STATUSES, TASK_STATUSES } from '../../workflow/run/run.ts'
import { anyJson, milliseconds, pageOf, timestamp } from '../schemas.ts'

/** Fields of a start that the contract has and this release has not. */
export const LATER_START_FIELDS = ['priority', 'sticky_key'] as const

const MAX_TAGS = 20

/** One word by which a run can be found. */
export const tagSchema = z
  .string()
  .regex(/^[a-z0-9_.:-]{1,64}$/, 'must have 1 to 64 of a-z, 0-9, "_", ".", ":" and "-"')

const tagsSchema = z
  .array(tagSchema)
  .max(MAX_TAGS)
  .check((context) => {
    for (const [position, tag] of context.value.entries()) {
      if (context.value.indexOf(tag) === position) continue
      context.issues.push({ code: 'custom', input: tag, path: [position], message: 'stands twice', continue: true })
    }
  })

/** What can start a run, as its `trigger.type` says. */
export const TRIGGER_TYPES = ['api', 'workflow', 'retry'] as const

/** The others of the contract, which this release has not. */
export const LATER_TRIGGER_TYPES = ['cron', 'event', 'webhook', 'nats', 'kafka', 'queue'] as const

export const StartRunSchema = z
  .strictObject({
    workflow: z
      .string()
      .regex(WORKFLOW_REF, 'must be the name of a workflow, or name@3, or name@latest')
      .meta({
        description: 'Name of a workflow, `name@3` for a version, `name@latest` for the newest.',
        examples: ['orders'],
      }),
    input: anyJson.exactOptional().meta({
      description: 'Any JSON, at most 1 MiB; expressions read it as `input`. Without it the input is null.',
      examples: [{ order: 17 }],
    }),
    start_at: z.iso
      .datetime({ offset: true, error: 'must be a time as RFC 3339 writes it, such as 2026-10-23T12:00:00Z' })
      .exactOptional()
      .meta({
        description:
          'When the run starts, at most 365 days ahead; until then it is `queued`. A time that is past means at once. The run has been accepted: it starts on the version that its start named, also if the workflow is paused or deleted meanwhile.',
        examples: ['2026-12-24T18:00:00Z'],
      }),
    timeout: timeoutSchema
      .exactOptional()
      .meta({ description: "Shortens the definition's time limit for this run.", examples: ['2s'] }),
    tags: tagsSchema.exactOptional().meta({
      description: 'Words by which the run can be found, at most 20, each once.',
      examples: [['eu', 'customer:17']],
    }),
  })
  .meta({
    id: 'StartRun',
    description: 'A start of a workflow.',
    examples: [{ workflow: 'orders', input: { order: 17 } }],
  })

export const TaskErrorSchema = z
  .strictObject({
    code: z.string().meta({ examples: ['http_502'] }),
    message: z.string().meta({ examples: ['POST api.example.com answered 502'] }),
    retryable: z.boolean().meta({ description: 'Whether the same call may well succeed.' }),
    items: z
      .array(z.int().min(0))
      .exactOptional()
      .meta({ description: 'Indexes of items that failed, at most 100; with `map_failed`.' }),
    get cause() {
      return TaskErrorSchema.exactOptional().meta({ description: 'What the last attempt ended with.' })
    },
  })
  .meta({ id: 'TaskError', description: 'Why a task or an attempt failed.' })

const RunErrorSchema = TaskErrorSchema.extend({
  task_id: z.string().exactOptional().meta({ description: 'The task whose failure this is.' }),
  tasks: z.array(z.string()).exactOptional().meta({ description: 'Tasks that could never start; with `deadlock`.' }),
}).meta({ id: 'RunError', description: 'Why a run failed: the error of the first task that did, or one of its own.' })

const count = z.int().min(0)

const WaitingSchema = z
  .strictObject({
    for: z.enum(WAITING_REASONS),
    detail: z.string().meta({ examples: ['waits for fetch'] }),
    on: z.array(z.string()).exactOptional().meta({ description: 'Ids of the tasks that it waits for.' }),
    position: z.int().nullable().exactOptional().meta({ description: 'Place in the queue for a slot.' }),
    until: timestamp.nullable().exactOptional(),
  })
  .meta({ id: 'Waiting', description: 'Why something that has not ended is not executing.' })

const AttemptSchema = z
  .strictObject({
    number: z
      .int()
      .min(1)
      .meta({ description: 'An interrupted or snoozed attempt shares its number with the one that follows.' }),
    status: z.enum(['running', 'succeeded', 'failed', 'timed_out', 'cancelled', 'interrupted', 'snoozed']),
    started_at: timestamp,
    finished_at: timestamp.nullable(),
    duration_ms: milliseconds.nullable(),
    error: TaskErrorSchema.exactOptional(),
    usage: z
      .strictObject({ input_tokens: count, output_tokens: count })
      .exactOptional()
      .meta({ description: 'Tokens of a language model that it took, whatever its outcome.' }),
  })
  .meta({ id: 'Attempt', description: 'One execution of a task.' })

const printed = {
  logs: z
    .array(
      z.union([
        z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']), text: z.string() }),
        z.strictObject({ omitted: count }),
      ]),
    )
    .exactOptional()
    .meta({
      description:
        'What its last attempt printed. Of more than 64 KiB the first and the last are kept; `omitted` says how many lines are not.',
      examples: [[{ level: 'info', text: 'fetched 12 orders' }, { omitted: 300 }, { level: 'warn', text: 'slow' }]],
    }),
  logs_omitted: z.literal(true).exactOptional().meta({ description: 'The answer would have become too large.' }),
}

const omitted = {
  output_omitted: z.literal(true).exactOptional().meta({ description: 'The answer would have become too large.' }),
  output_bytes: z.int().min(0).exactOptional(),
}

export const TaskSchema = z
  .strictObject({
    id: z.string().meta({ examples: ['fetch'] }),
    type: z.string().meta({ examples: ['http'] }),
    status: z.enum(TASK_STATUSES),
    skip_reason: z.enum(SKIP_REASONS).exactOptional(),
    skipped_because: z.string().exactOptional().meta({ description: 'The dependency whose end decided it.' }),
    depends_on: z.array(z.string()),
    waiting: WaitingSchema.exactOptional(),
    callback_url: z.string().exactOptional().meta({
      description:
        'By which somebody without a key answers the task, once; shown while it waits. A path, as `Location` is: put the origin before it under which that person reaches this service, which need not be the one that it was asked under.',
    }),
    output: anyJson.meta({ description: 'null unless the task succeeded.' }),
    ...omitted,
    error: TaskErrorSchema.nullable(),
    started_at: timestamp.nullable(),
    finished_at: timestamp.nullable(),
    duration_ms: milliseconds.nullable(),
    reused: z
      .literal(true)
      .exactOptional()
      .meta({ description: 'The output was taken over from the run that this one makes again.' }),
    items: z
      .strictObject({
        total: count,
        pending: count,
        waiting: count,
        running: count,
        succeeded: count,
        failed: count,
        skipped: count,
        cancelled: count,
        timed_out: count,
      })
      .exactOptional()
      .meta({ description: 'How the items of a map that has begun stand.' }),
    child_run: z.string().exactOptional().meta({ description: 'Id of the run that its last attempt is.' }),
    placeholder: z.literal(true).exactOptional().meta({ description: 'The task has no `with` and does nothing.' }),
    ...printed,
    attempts: z.array(AttemptSchema),
  })
  .meta({ id: 'Task', description: 'A task of a run.' })

export const RunSummarySchema = z
  .strictObject({
    id: z.string().meta({ examples: ['run_0b01K7ZB3V9QJ4X5Y6Z7A8B9C0D1'] }),
    workflow: nameSchema,
    version: z.int().min(1),
    status: z.enum(RUN_STATUSES),
    trigger: z.strictObject({ type: z.enum(TRIGGER_TYPES) }),
    retry_of: z.string().exactOptional().meta({ description: 'The run that this one makes again.' }),
    parent: z
      .strictObject({ run_id: z.string(), task_id: z.string(), item: count.exactOptional() })
      .exactOptional()
      .meta({ description: 'The run, the task of it and, of a map, the item, that this run is an attempt of.' }),
    tags: z.array(z.string()).meta({ description: 'As the start gave them.' }),
    trace_id: z
      .string()
      .exactOptional()
      .meta({
        description: "Of the start's `traceparent`; calls of `http` tasks carry it on.",
        examples: ['4bf92f3577b34da6a3ce929d0e0e4736'],
      }),
    error: RunErrorSchema.nullable(),
    placeholders: z.int().min(1).exactOptional().meta({ description: 'How many tasks do nothing.' }),
    waiting: WaitingSchema.exactOptional(),
    created_at: timestamp,
    started_at: timestamp.nullable(),
    finished_at: timestamp.nullable(),
    deadline_at: timestamp.nullable(),
    remaining_ms: milliseconds
      .exactOptional()
      .meta({ description: 'What is left of the time of a paused run; it gets a deadline again when it is resumed.' }),
    cancel_requested_at: timestamp.exactOptional(),
    duration_ms: milliseconds.nullable(),
    progress: z.strictObject({
      total: count,
      pending: count,
      waiting: count,
      running: count,
      succeeded: count,
      failed: count,
      skipped: count,
      cancelled: count,
      timed_out: count,
    }),
  })
  .meta({ id: 'RunSummary', description: 'A run as lists show it.' })

export const RunSchema = RunSummarySchema.extend({
  input: anyJson,
  output: anyJson.meta({ description: "By the definition's `output`, or those of the tasks that nothing depends on." }),
  ...omitted,
  tasks: z.array(TaskSchema),
  tasks_omitted: z
    .literal(true)
    .exactOptional()
    .meta({ description: 'The answer would have become too large even without outputs; read them page by page.' }),
}).meta({ id: 'Run', description: 'A run.' })

const eventNumber = z.int().min(1).meta({ description: "The event's number in its run, without gaps." })

/** The first event of every run: what the start said. Its members are those of the run, and no others. */
const AcceptedEventSchema = z
  .strictObject({
    id: eventNumber,
    event: z.literal('run.accepted'),
    data: z.strictObject({
      at: timestamp,
      workflow: nameSchema,
      version: z.int().min(1),
      input: anyJson,
      timeout_ms: milliseconds,
      ...RunSummarySchema.pick({ retry_of: true, parent: true, trace_id: true }).shape,
      tags: RunSummarySchema.shape.tags.exactOptional(),
      start_at: timestamp.exactOptional().meta({ description: 'When the start asked it to begin.' }),
      attempt: z.int().min(2).exactOptional().meta({ description: 'With `retry_of`: how many runs the chain has.' }),
    }),
  })
  .meta({ id: 'AcceptedEvent', description: 'The run was accepted.' })

const OtherEventSchema = z
  .strictObject({
    id: eventNumber,
    event: z
      .string()
      .regex(/^(?!run\.accepted$)/)
      .meta({ examples: ['attempt.started'] }),
    data: z.looseObject({ at: timestamp.exactOptional(), task: z.string().exactOptional() }),
  })
  .meta({ id: 'OtherEvent', description: 'Anything else that happened to a run.' })

export const EventSchema = z
  .union([AcceptedEventSchema, OtherEventSchema])
  .meta({ id: 'Event', description: 'Something that happened to a run. New names and members may come.' })

const ItemSchema = z
  .strictObject({
    index: count.meta({ description: 'Its place in the list, from 0.' }),
    status: z.enum(TASK_STATUSES),
    item: anyJson.meta({ description: 'Its value.' }),
    waiting: WaitingSchema.exactOptional(),
    output: anyJson.meta({ description: 'null unless it succeeded.' }),
    error: TaskErrorSchema.nullable(),
    child_run: z.string().exactOptional().meta({ description: 'Id of the run that its last attempt is.' }),
    started_at: timestamp.nullable(),
    finished_at: timestamp.nullable(),
    duration_ms: milliseconds.nullable(),
    logs: printed.logs,
    attempts: z.array(AttemptSchema),
  })
  .meta({ id: 'Item', description: 'An item of a map.' })

export const ItemPageSchema = pageOf(ItemSchema, 'ItemPage')
export const RunPageSchema = pageOf(RunSummarySchema, 'RunPage')
export const TaskPageSchema = pageOf(TaskSchema, 'TaskPage')
export const EventPageSchema = pageOf(EventSchema, 'EventPage')
