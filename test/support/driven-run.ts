// A run with its whole history, driven by hand: each call is one commit at a time that the test says.

import type { EndCode } from '../../src/workflow/codes.ts'
import { advance } from '../../src/workflow/decide/advance.ts'
import { compile, type TaskDefinition, type WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import type { AcceptedEvent, RunEvent, TaskError } from '../../src/workflow/event.ts'
import { accept } from '../../src/workflow/run/apply.ts'
import type { Fact } from '../../src/workflow/run/fact.ts'
import type { Run } from '../../src/workflow/run/run.ts'
import { aDefinition, type Shape } from './builders.ts'

export class DrivenRun {
  readonly events: RunEvent[]
  readonly run: Run

  constructor(definition: WorkflowDefinition, timeoutMs: number) {
    const workflow = compile(definition)
    const base = { type: 'RunAccepted', at: 0, runId: 'run_00A', workflow, version: 1, input: null } as const
    const accepted: AcceptedEvent = { ...base, timeoutMs }
    this.events = [accepted]
    this.run = accept(accepted)
    this.at(0)
  }

  /** A commit at this time, ms since the epoch. */
  at(now: number, ...facts: Fact[]): this {
    this.events.push(...advance(this.run, facts, now, () => null).events)
    return this
  }

  done(id: string): Fact {
    return { type: 'AttemptSucceeded', ...this.#token(id), output: null }
  }

  failed(id: string, code: EndCode = 'http_500'): Fact {
    const error: TaskError = { code, message: `GET ${id} answered`, retryable: true }
    return { type: 'AttemptFailed', ...this.#token(id), error }
  }

  interrupted(id: string): Fact {
    return { type: 'AttemptInterrupted', ...this.#token(id) }
  }

  unreached(id: string): Fact {
    return { type: 'AttemptInterrupted', ...this.#token(id), isUnreached: true }
  }

  #token(id: string) {
    const task = this.run.workflow.graph.indexOf.get(id)!
    return { task, token: this.run.tasks[task]!.token }
  }
}

/**
 * Starts a run at time 0, with a minute of time.
 * @param tasks what some of the tasks are besides HTTP calls
 */
export function drive(
  shape: Shape,
  tasks: Record<string, Partial<TaskDefinition>> = {},
  rest: Partial<WorkflowDefinition> = {},
): DrivenRun {
  const definition = aDefinition(shape, rest)
  return new DrivenRun(
    { ...definition, tasks: definition.tasks.map((task) => ({ ...task, ...tasks[task.id] })) },
    60_000,
  )
}
