// What a workflow is: the definition as it is stored, and the form of it that runs work with.

import { buildGraph, type Graph } from './graph.ts'
import type { Json, JsonObject } from './json.ts'
import type { Schema } from './json-schema.ts'
import { Validator } from './json-schema-validation.ts'
import type { RetryPolicy } from './retry.ts'
import { spanMs } from './span.ts'

export interface TaskDefinition {
  id: string
  type: string
  depends_on: string[]
  /** What the task does. Without it the task is a placeholder: it does nothing and succeeds with null. */
  with?: JsonObject
  /** Without it there is one attempt. */
  retry?: RetryPolicy
}

/** A definition after parsing: every default filled in, fields in one order, so that equal definitions are equal texts. */
export interface WorkflowDefinition {
  name: string
  description?: string
  /** Attempts of one run that execute at once, 1 to 64. */
  max_parallel: number
  /** The whole run's time limit, as a span ("5s"). */
  timeout: string
  /** Whether the first failure stops the run, or branches that do not need the failed task go on. */
  on_failure: 'stop' | 'continue'
  /** Whether tasks without `with` are taken or refused. */
  placeholders: 'allow' | 'refuse'
  /** JSON Schema that the input of a run has to fit. */
  input_schema?: Schema
  /** Template of the run's output; without it, the outputs of the tasks that nothing depends on. */
  output?: Json
  tasks: TaskDefinition[]
}

/** A definition with all that can be derived from it. Shared by every run of that version, so it never changes. */
export interface CompiledWorkflow {
  readonly definition: WorkflowDefinition
  readonly graph: Graph
  readonly timeoutMs: number
  /** How many of its tasks are placeholders. */
  readonly placeholders: number
  /** Null when any input is taken. */
  readonly inputSchema: Validator | null
}

export function compile(definition: WorkflowDefinition): CompiledWorkflow {
  return {
    definition,
    graph: buildGraph(definition.tasks),
    timeoutMs: spanMs(definition.timeout),
    placeholders: definition.tasks.filter(isPlaceholder).length,
    inputSchema: definition.input_schema === undefined ? null : new Validator(definition.input_schema),
  }
}

export function isPlaceholder(task: TaskDefinition): boolean {
  return task.with === undefined
}
