// Pure. Which task types the contract has, and the schema of `with` of each that this release has: what registration
// checks, what the executor checks again once expressions are filled in, and what OpenAPI shows.
// A type writes its schema once, in its own file and for rendered values; the form for definitions is derived from it.
// Faults that zod has no word for are custom issues which carry their code in `params.code`.

import type { TaskType, TaskTypes } from '../workflow/definition/task-types.ts'
import { withTemplates } from './templates.ts'
import { grpcWith } from './with/grpc-with.ts'
import { httpHost, httpWith } from './with/http-with.ts'
import { inferenceHost, inferenceWith } from './with/inference-with.ts'
import { mapWithOf } from './with/map-with.ts'
import { javascriptWith, pythonWith } from './with/script-with.ts'
import { sleepWith } from './with/sleep-with.ts'
import { transformWith } from './with/transform-with.ts'
import { waitWith } from './with/wait-with.ts'
import { workflowInDefinition, workflowWith } from './with/workflow-with.ts'

/** Every task type but `map`, which names those of them that its items can be. */
const LONE_TYPES = {
  http: {
    mayBePlaceholder: true,
    hostOf: httpHost,
    hostFields: ['url'],
    with: { ...httpWith, notBuilt: [] },
    isForItems: true,
  },
  javascript: {
    mayBePlaceholder: true,
    with: { ...javascriptWith, notBuilt: [] },
    isForItems: true,
    takesScope: true,
    isChecked: true,
  },
  python: {
    mayBePlaceholder: true,
    with: { ...pythonWith, notBuilt: [] },
    isForItems: true,
    takesScope: true,
    isChecked: true,
  },
  grpc: {
    mayBePlaceholder: true,
    hostOf: httpHost,
    hostFields: ['url'],
    with: { rendered: grpcWith, inDefinition: withTemplates(grpcWith), notBuilt: [] },
    isForItems: true,
    isChecked: true,
  },
  inference: {
    mayBePlaceholder: true,
    hostOf: inferenceHost,
    hostFields: ['base_url', 'binding'],
    with: { ...inferenceWith, notBuilt: [] },
    isForItems: true,
    tellsPartials: ({ stream }) => stream === true,
  },
  transform: {
    mayBePlaceholder: false,
    isBuiltIn: true,
    isForItems: true,
    takesNo: ['retry', 'timeout'],
    with: { rendered: transformWith, inDefinition: transformWith, notBuilt: [] },
  },
  publish: { mayBePlaceholder: false },
  sleep: {
    mayBePlaceholder: false,
    isBuiltIn: true,
    takesNo: ['retry'],
    with: { ...sleepWith, expressions: ['until'], notBuilt: [] },
  },
  wait_for_event: {
    mayBePlaceholder: false,
    isBuiltIn: true,
    takesNo: ['retry'],
    with: { rendered: waitWith, inDefinition: waitWith, conditions: ['match'], notBuilt: ['correlate'] },
  },
  workflow: {
    mayBePlaceholder: false,
    isBuiltIn: true,
    isForItems: true,
    with: { rendered: workflowWith, inDefinition: workflowInDefinition, notBuilt: [] },
  },
} as const satisfies TaskTypes

const mapWith = mapWithOf(
  Object.entries<TaskType>(LONE_TYPES).flatMap(([name, type]) => (type.isForItems ? [name] : [])),
)

/** Every task type of the contract. Those without `with` are not built yet: they are taken as placeholders at most. */
export const TASK_TYPES = {
  ...LONE_TYPES,
  map: {
    mayBePlaceholder: false,
    isBuiltIn: true,
    takesNo: ['retry'],
    with: { rendered: mapWith, inDefinition: mapWith, expressions: ['items'], notBuilt: [] },
  },
} as const satisfies TaskTypes

/** Name of a task type of the contract, built or not. */
export type TaskTypeName = keyof typeof TASK_TYPES

/** The types that this release has and that the executor performs: each has a plugin in executor.ts. */
export type BuiltTaskType = {
  [T in TaskTypeName]: (typeof TASK_TYPES)[T] extends { isBuiltIn: true }
    ? never
    : (typeof TASK_TYPES)[T] extends { with: object }
      ? T
      : never
}[TaskTypeName]
