// A Runner under test: a fresh tenant of its own, so that tests of one file share no storage, and workflows registered in it.

import { env } from 'cloudflare:workers'
import type { Runner } from '../../durable/runner/runner.ts'
import type { StartRequest } from '../../durable/runner/runner-rpc.ts'
import type { WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import type { Json } from '../../src/workflow/json.ts'

let tenants = 0
let starts = 0

export interface TestTenant {
  name: string
  /** The Runner of a shard; asked again, it is the same object, though maybe a new instance of it. */
  runner(shard?: number): DurableObjectStub<Runner>
  register(definition: WorkflowDefinition): Promise<number>
  start(workflow: string, rest?: Partial<StartRequest>): StartRequest
}

export function aTenant(): TestTenant {
  const name = `tenant-${++tenants}`
  const registry = () => env.REGISTRY.get(env.REGISTRY.idFromName(name))
  return {
    name,
    runner: (shard = 0) => env.RUNNER.get(env.RUNNER.idFromName(`${name}:${shard}`)),
    async register(definition) {
      const registered = await registry().register(definition.name, JSON.stringify(definition), null)
      if (registered.kind === 'version_conflict') throw new Error('no condition was made')
      return registered.stored.version
    },
    start: (workflow, rest = {}) => ({
      runId: aRunId(),
      workflow: { name: workflow, version: null },
      input: 'null',
      timeoutMs: null,
      idempotency: null,
      waitMs: 10_000,
      ...rest,
    }),
  }
}

/** An id of shard 0. Later ids are greater, as those of a clock are. */
export function aRunId(): string {
  return `run_0001K${String(++starts).padStart(23, '0')}`
}

export interface RunView {
  id: string
  version: number
  status: string
  error: { code: string; task_id?: string; tasks?: string[] } | null
  input: Json
  output: Json
  progress: Record<string, number>
  tasks: TaskView[]
}

export interface TaskView {
  id: string
  status: string
  skip_reason?: string
  output: Json
  reused?: true
  output_omitted?: boolean
  placeholder?: boolean
  waiting?: { for: string; on?: string[]; position?: number; until?: string }
  attempts: { number: number; status: string }[]
}

/** The run that an answer shows; fails the test if it shows none. */
export function shown(answer: { kind: string }): RunView {
  if (!('body' in answer) || typeof answer.body !== 'string') throw new Error(`no run: ${JSON.stringify(answer)}`)
  return JSON.parse(answer.body) as RunView
}
