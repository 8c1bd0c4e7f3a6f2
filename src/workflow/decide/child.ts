// Runs that are tasks of other runs: what such a task names, the id of its run, and what the run's end means to it. Pure;
// starting, ending and cancelling them is the Runner's (durable/runner/children.ts).

import { parseWorkflowRef, type WorkflowRef } from '../definition/workflow-ref.ts'
import type { Parent, TaskError } from '../event.ts'
import { hash32 } from '../hash.ts'
import { type Json, MAX_VALUE_BYTES } from '../json.ts'
import type { Fact } from '../run/fact.ts'
import type { Run } from '../run/run.ts'
import type { Spot } from '../run/spot.ts'
import { prefixOfRun } from '../run-id.ts'

/** How many runs may stand above a run. */
export const MAX_DEPTH = 16

/** How a run and those above it are named to a child: `name@version`. */
export function versionName(name: string, version: number): string {
  return `${name}@${version}`
}

/** What a child is told of the run that it is a task of, or an item of one. */
export function parentOf(run: Run, { task, item }: Spot): Parent {
  const above = [...(run.options.parent?.above ?? []), versionName(run.workflow.definition.name, run.version)]
  return {
    run_id: run.id,
    task_id: run.workflow.definition.tasks[task]!.id,
    ...(item === undefined ? {} : { item }),
    above,
  }
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/**
 * The id of the run that an attempt of a task, or of an item of it, is: of the parent's shard, with a ULID of the attempt's time and of a hash in
 * place of chance. Working it out again gives the same id, so that a start which a crash cut off is repeated and starts nothing
 * twice.
 * @param attempt how many attempts came before
 */
export function childRunId(parent: string, { task, item }: Spot, attempt: number, at: number): string {
  const of = `${parent}/${task}/${attempt}${item === undefined ? '' : `/${item}`}`
  let time = ''
  for (let rest = at, digit = 0; digit < 10; digit++, rest = Math.floor(rest / 32)) time = CROCKFORD[rest % 32]! + time
  let hash = ''
  // Three hashes of 30 bits that begin differently: a hash of this kind which has once met another stays with it.
  for (const part of ['a', 'b', 'c']) {
    let bits = hash32(`${part}/${of}`)
    for (let digit = 0; digit < 6; digit++, bits = Math.floor(bits / 32)) hash += CROCKFORD[bits % 32]!
  }
  return `${prefixOfRun(parent)}${time}${hash.slice(0, 16)}`
}

export type ChildCall = { ok: true; workflow: WorkflowRef; input: Json } | { ok: false; error: TaskError }

/** What a `workflow` task asks for, once its expressions are filled in. */
export function childCall(config: Json): ChildCall {
  const { workflow, input = null } = config as { workflow?: Json; input?: Json }
  const ref = typeof workflow === 'string' ? parseWorkflowRef(workflow) : null
  if (ref !== null && !('alias' in ref)) return { ok: true, workflow: ref, input }
  const message = '/with/workflow must be the name of a workflow, or name@3, or name@latest'
  return { ok: false, error: { code: 'invalid_with', message, retryable: false } }
}

export type ChildEnd =
  | { status: 'succeeded'; output: Json; bytes: number }
  | { status: 'failed' | 'timed_out' | 'cancelled'; error: TaskError | null }

/** What the end of a child is to the task, or the item of it, whose attempt it was. */
export function endOfChild(spot: Spot, token: number, child: string, end: ChildEnd): Fact {
  const about = { ...spot, token }
  if (end.status === 'succeeded') {
    if (end.bytes <= MAX_VALUE_BYTES) return { type: 'AttemptSucceeded', ...about, output: end.output }
    const message = `The output of ${child} has ${end.bytes} bytes of JSON, more than ${MAX_VALUE_BYTES}`
    return { type: 'AttemptFailed', ...about, error: { code: 'output_too_large', message, retryable: false } }
  }
  if (end.status === 'cancelled') {
    const message = `The child run ${child} was cancelled`
    return { type: 'AttemptFailed', ...about, error: { code: 'child_cancelled', message, retryable: false } }
  }
  if (end.status === 'timed_out') {
    const message = `The child run ${child} was not done in time`
    return { type: 'AttemptTimedOut', ...about, error: { code: 'timeout', message, retryable: true } }
  }
  const { code, message, retryable, cause } = end.error!
  const error = { code, message, retryable, ...(cause === undefined ? {} : { cause }) }
  return { type: 'AttemptFailed', ...about, error }
}
