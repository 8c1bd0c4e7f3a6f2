// Signals: what people and systems outside tell a run that waits for it.

import type { SignalAnswer } from '../../../durable/runner/runner-rpc.ts'
import { MAX_VALUE_BYTES } from '../../workflow/json.ts'
import { didYouMeanOrAll, quoted } from '../../workflow/nearest.ts'
import { readIdempotencyKey, sha256 } from '../http/idempotency-key.ts'
import { ApiProblem } from '../http/problem.ts'
import { type Route, route } from '../http/route.ts'
import { anyJson } from '../schemas.ts'
import { askRunner } from './run-answers.ts'
import { checkSignal, SignalSchema, signalId } from './signal-bodies.ts'

function signalRoute(path: '/v1/runs/{id}/signals/{signal}' | '/v1/runs/{id}/events/{signal}'): Route {
  return route({
    method: 'POST',
    path,
    tag: 'Runs',
    summary: 'Send a signal to a run',
    description:
      'Any JSON of at most 1 MiB; without a body it is null. It goes to every task that waits for this name and whose `match` is true, also in a paused run; what nobody takes is kept (1,000 a run), offered in the order of arrival to each task that begins to wait, and taken by the first that it matches. A signal that costs more than 1,000,000 steps to match is refused and not kept. With `Idempotency-Key` a repeat is answered as the first was and changes nothing.',
    access: 'key',
    headers: ['Idempotency-Key'],
    body: { schema: anyJson, maxBytes: MAX_VALUE_BYTES, absent: null, check: checkSignal },
    answers: {
      202: { description: 'The signal is recorded.', content: SignalSchema, headers: ['Idempotent-Replayed'] },
    },
    problems: [
      'run_not_found',
      'run_finished',
      'run_compensating',
      'unknown_signal',
      'signal_too_costly',
      'signal_buffer_full',
      'invalid_idempotency_key',
      'idempotency_key_reused',
    ],
    async handle({ request, env, tenant, params: { id: runId, signal: name }, body: data }) {
      const key = readIdempotencyKey(request.headers)
      const id = key === null ? crypto.randomUUID().replaceAll('-', '') : await sha256(key)
      const signal = { runId, id: signalId(id), name, data }
      return signalResponse(name, await askRunner(env, tenant, runId, (runner) => runner.signal(signal)))
    },
  })
}

/** The answer to a client that has sent a signal. */
function signalResponse(name: string, answer: Exclude<SignalAnswer, { kind: 'run_not_found' }>): Response {
  switch (answer.kind) {
    case 'signal':
      return Response.json(
        { id: answer.id, delivered_to: answer.deliveredTo },
        { status: 202, headers: answer.replayed ? { 'Idempotent-Replayed': 'true' } : {} },
      )
    case 'unknown_signal': {
      const known = answer.names.length === 0 ? ': none waits for any' : didYouMeanOrAll(name, answer.names)
      throw new ApiProblem(answer.kind, `No task of the workflow waits for ${quoted(name)}${known}`)
    }
    case 'signal_too_costly':
      throw new ApiProblem(
        answer.kind,
        `To tell which of the tasks that wait for ${quoted(name)} it matches takes more than 1,000,000 steps; nothing was taken`,
      )
    case 'signal_buffer_full':
      throw new ApiProblem(answer.kind, 'Signals that no task has taken have filled what the run keeps of them')
    case 'idempotency_key_reused':
      throw new ApiProblem(answer.kind, 'The first signal with this Idempotency-Key had another name or body')
    case 'run_finished':
      throw new ApiProblem(answer.kind, `Run ${answer.runId} has ended: ${answer.status}`, {
        run: JSON.parse(answer.body),
      })
    case 'run_compensating':
      throw new ApiProblem(answer.kind, `Run ${answer.runId} only undoes what it did`, { run: JSON.parse(answer.body) })
    default:
      return answer satisfies never
  }
}

/** The routes of this file, for app.ts. */
export const signalRoutes: readonly Route[] = [
  signalRoute('/v1/runs/{id}/signals/{signal}'),
  signalRoute('/v1/runs/{id}/events/{signal}'),
]
