// What a workflow is: the definition as it is stored, and the form of it that runs work with.

import type { RetryPolicy } from '../decide/retry.ts'
import type { Json, JsonObject } from '../json.ts'
import type { Schema } from '../json-schema/json-schema.ts'
import { Validator } from '../json-schema/json-schema-validation.ts'
import type { TriggerRule } from '../run/trigger-rule.ts'
import { spanMs } from '../span.ts'
import { type BreakerPolicy, DEFAULT_BREAKER } from './breaker.ts'
import { buildGraph, type Graph } from './graph.ts'

export interface TaskDefinition {
  id: string
  type: string
  depends_on: string[]
  /** What the task does. Without it the task is a placeholder: it does nothing and succeeds with null. */
  with?: JsonObject
  /** An expression, bare or wrapped; false skips the task when its turn has come. */
  when?: string
  /** How the dependencies have to end; `all_success` by default. */
  trigger_rule?: TriggerRule
  /** Time limit of one attempt, as a span; without it the run's alone bounds it. */
  timeout?: string
  /** Without it there is one attempt. */
  retry?: RetryPolicy
  /** The circuit that it calls through, or `false`; without it the default one of the host called. */
  breaker?: BreakerPolicy | false
  /** Id of the task that undoes this one when the run does not succeed. */
  compensate?: string
}

/** What tasks get that do not say it themselves. */
export interface TaskDefaults {
  retry?: RetryPolicy
  /** Applies only to tasks that make attempts: a wait has no default limit but the run's. */
  timeout?: string
  breaker?: BreakerPolicy | false
}

/** A definition after parsing: every default filled in, fields in one order, so that equal definitions are equal texts. */
export interface WorkflowDefinition {
  name: string
  description?: string
  /** Attempts of one run that execute at once, 1 to 64. */
  max_parallel: number
  /** The whole run's time limit, as a span ("5s"). */
  timeout: string
  /** How long a run is kept after its end, as a span; definitions of older releases have none. */
  retention?: string
  /** Whether the first failure stops the run, or branches that do not need the failed task go on. */
  on_failure: 'stop' | 'continue'
  /** Whether tasks without `with` are taken or refused. */
  placeholders: 'allow' | 'refuse'
  /** JSON Schema that the input of a run has to fit. */
  input_schema?: Schema
  /** Template of the run's output; without it, the outputs of the tasks that nothing depends on. */
  output?: Json
  defaults?: TaskDefaults
  tasks: TaskDefinition[]
}

/** How a task is executed: its type, and the definition's defaults, taken together. */
export interface TaskPlan {
  readonly kind: TaskKind
  readonly rule: TriggerRule
  readonly retry: RetryPolicy | null
  /** Settings of the circuit that it calls through; null if it has none. Whether it calls anybody, its type says. */
  readonly breaker: BreakerPolicy | null
  /** Limit of one attempt in ms; null when the run's own is the only one. */
  readonly timeoutMs: number | null
  /** The task that this one undoes. Such a task stands outside the graph's order and runs only after the others. */
  readonly undoes: number | null
  /** The task that undoes this one. */
  readonly undoneBy: number | null
  /** What is done for each item; null unless the task is a map. */
  readonly items: ItemPlan | null
}

/** How the items of a map are executed. */
export interface ItemPlan {
  readonly type: string
  readonly with: JsonObject
  readonly kind: TaskKind
  readonly retry: RetryPolicy | null
  /** Limit of one attempt in ms. */
  readonly timeoutMs: number | null
  /** Items that execute at once; those that are runs hold no slot, so this alone bounds them. */
  readonly maxParallel: number
  /** Failures that the map survives. */
  readonly tolerated: number | { readonly percent: number }
}

/** `with` of a map, as registration has checked it and filled in its defaults. */
export interface MapConfig {
  items: Json
  task: { type: string; with: JsonObject; retry?: RetryPolicy; timeout?: string }
  max_parallel?: number
  tolerated_failures?: number | string
}

/**
 * What has to happen for a task: `attempt`: the executor is called, in a slot; `placeholder`: nothing, in a slot for an
 * instant; `transform`: a value is computed, likewise; `sleep`: time has to pass, without a slot; `wait`: a signal has to
 * come, without a slot; `child`: another run has to end, without a slot; `map`: its items have to end, each an attempt in a slot, a value or a run.
 */
export type TaskKind = 'attempt' | 'placeholder' | 'transform' | 'sleep' | 'wait' | 'child' | 'map'

/** How long a run is kept whose definition does not say. */
export const DEFAULT_RETENTION = '30d'

/** A definition with all that can be derived from it. Shared by every run of that version, so it never changes. */
export interface CompiledWorkflow {
  readonly definition: WorkflowDefinition
  readonly graph: Graph
  readonly timeoutMs: number
  readonly retentionMs: number
  /** Plans of the tasks, by position. */
  readonly plans: readonly TaskPlan[]
  /** How many tasks undo others. */
  readonly compensations: number
  /** How many of its tasks are placeholders. */
  readonly placeholders: number
  /** Whether a task of it shows a link by which it is answered. */
  readonly hasCallbacks: boolean
  /** The tasks that wait for each event, by its name. */
  readonly events: ReadonlyMap<string, readonly number[]>
  /** Null when any input is taken. */
  readonly inputSchema: Validator | null
}

/** Limit of a compensation that sets none: the run's deadline does not bound it. */
const COMPENSATION_TIMEOUT = '30s'

/** Makes what a run needs of a definition that parse.ts has passed: graph, plan of each task, and validator of the input. Once for each version. */
export function compile(definition: WorkflowDefinition): CompiledWorkflow {
  const { tasks } = definition
  const positions = new Map(tasks.map(({ id }, index) => [id, index]))
  const undoes = new Map<number, number>()
  tasks.forEach(({ compensate }, index) => {
    const undo = compensate === undefined ? undefined : positions.get(compensate)
    if (undo !== undefined) undoes.set(undo, index)
  })
  const plans = tasks.map((task, index): TaskPlan => planOf(task, definition, undoes.get(index) ?? null, positions))
  return {
    definition,
    graph: buildGraph(tasks, (index) => undoes.has(index)),
    timeoutMs: spanMs(definition.timeout),
    retentionMs: spanMs(definition.retention ?? DEFAULT_RETENTION),
    inputSchema: definition.input_schema === undefined ? null : new Validator(definition.input_schema),
    plans,
    hasCallbacks: tasks.some(hasCallback),
    events: eventsOf(tasks),
    compensations: undoes.size,
    placeholders: tasks.filter(isPlaceholder).length,
  }
}

function planOf(
  task: TaskDefinition,
  { defaults, max_parallel: slots }: WorkflowDefinition,
  undoes: number | null,
  positions: ReadonlyMap<string, number>,
): TaskPlan {
  const kind = kindOf(task)
  const breaker = task.breaker ?? defaults?.breaker ?? DEFAULT_BREAKER
  const ofAttempts = kind === 'attempt' ? defaults?.timeout : undefined
  const timeout = task.timeout ?? ofAttempts ?? (undoes === null ? undefined : COMPENSATION_TIMEOUT)
  return {
    kind,
    rule: task.trigger_rule ?? 'all_success',
    // What a transform computes is the same each time.
    retry: kind === 'transform' ? null : (task.retry ?? defaults?.retry ?? null),
    breaker: breaker === false ? null : breaker,
    timeoutMs: timeout === undefined ? null : spanMs(timeout),
    undoes,
    undoneBy: task.compensate === undefined ? null : (positions.get(task.compensate) ?? null),
    items: kind === 'map' ? itemPlanOf(task.with as unknown as MapConfig, defaults, slots) : null,
  }
}

function itemPlanOf(config: MapConfig, defaults: TaskDefaults | undefined, slots: number): ItemPlan {
  const { type, with: inner, retry, timeout } = config.task
  const kind = KINDS[type] ?? 'attempt'
  const limit = timeout ?? (kind === 'attempt' ? defaults?.timeout : undefined)
  const tolerated = config.tolerated_failures ?? 0
  return {
    type,
    with: inner,
    kind,
    retry: kind === 'transform' ? null : (retry ?? defaults?.retry ?? null),
    timeoutMs: limit === undefined ? null : spanMs(limit),
    maxParallel: config.max_parallel ?? slots,
    tolerated: typeof tolerated === 'number' ? tolerated : { percent: Number.parseFloat(tolerated) },
  }
}

/** Types that the scheduler itself performs. */
const KINDS: Readonly<Record<string, TaskKind>> = {
  transform: 'transform',
  sleep: 'sleep',
  wait_for_event: 'wait',
  workflow: 'child',
  map: 'map',
}

/** How a task is performed: by an attempt of the executor, or by the scheduler in one of its ways. */
export function kindOf(task: Pick<TaskDefinition, 'type' | 'with'>): TaskKind {
  if (isPlaceholder(task)) return 'placeholder'
  return KINDS[task.type] ?? 'attempt'
}

/** Whether the task waits for an event that people can also send by a link (`with.callback`). */
export function hasCallback(task: TaskDefinition): boolean {
  return kindOf(task) === 'wait' && task.with!.callback === true
}

function eventsOf(tasks: readonly TaskDefinition[]): Map<string, number[]> {
  const events = new Map<string, number[]>()
  tasks.forEach((task, index) => {
    if (kindOf(task) !== 'wait') return
    const name = String(task.with!.event)
    events.set(name, [...(events.get(name) ?? []), index])
  })
  return events
}

/** Whether the task has no `with`: it does nothing, and succeeds with null. */
export function isPlaceholder(task: Pick<TaskDefinition, 'with'>): boolean {
  return task.with === undefined
}
