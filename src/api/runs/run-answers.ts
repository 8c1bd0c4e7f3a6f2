// How runs are found and answered with, for every route that does. Their bodies are the Runner's text, passed on unread.

import type { RunAnswer, RunNotFound, TaskNotFound } from '../../../durable/runner/runner-rpc.ts'
import type { Env } from '../../env.ts'
import { runnerOf } from '../../objects.ts'
import { parseRunId } from '../../workflow/run-id.ts'
import { appliedText, type Preference } from '../http/prefer.ts'
import { ApiProblem } from '../http/problem.ts'
import { withRepeats } from '../http/repeats.ts'

/** What a client that polls should wait, in seconds. */
const POLL_AFTER = '1'

/**
 * Asks the Runner that a run id belongs to.
 * @throws ApiProblem `run_not_found`, without a call if the id can be none
 */
export async function askRunner<Answer extends PromiseLike<{ kind: string }>>(
  env: Env,
  tenant: string,
  runId: string,
  ask: (runner: ReturnType<typeof runnerOf>) => Answer,
): Promise<Exclude<Awaited<Answer>, RunNotFound>> {
  const id = parseRunId(runId)
  if (id === null) throw new ApiProblem('run_not_found', 'No run can have such an id')
  const answer = await withRepeats(() => ask(runnerOf(env, tenant, id.shard)))
  if (answer.kind === 'run_not_found') throw new ApiProblem('run_not_found', `There is no run ${runId}`)
  return answer as Exclude<Awaited<Answer>, RunNotFound>
}

/** @throws ApiProblem `task_not_found` */
export function taskResponse(answer: { kind: 'task' | 'output'; body: string } | TaskNotFound): Response {
  if (answer.kind === 'task_not_found') throw new ApiProblem('task_not_found', 'The run has no such task')
  return new Response(answer.body, { headers: { 'Content-Type': 'application/json' } })
}

/** The run so far. 202 says that it goes on, and where to look. */
export function runResponse(run: RunAnswer, status: 200 | 202, preference: Preference, isReplay: boolean): Response {
  const headers: Record<string, string> = { 'Content-Type': 'application/json', 'Run-Status': run.status }
  const applied = appliedText(preference)
  if (applied !== null) headers['Preference-Applied'] = applied
  if (isReplay) headers['Idempotent-Replayed'] = 'true'
  if (status === 202) {
    headers.Location = `/v1/runs/${run.runId}`
    headers['Retry-After'] = POLL_AFTER
  }
  return new Response(run.body, { status, headers })
}
