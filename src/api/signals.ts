// Signals: what people and systems outside tell a run that waits for it.

import { z } from 'zod'
import type { SignalAnswer } from '../../durable/runner-rpc.ts'
import { didYouMeanOrAll, quoted } from '../workflow/nearest.ts'
import { soundness } from '../workflow/sound.ts'
import { readIdempotencyKey, sha256 } from './idempotency-key.ts'
import { ApiProblem, faultyBody } from './problem.ts'
import { type Route, route } from './route.ts'
import { askRunner } from './run-answers.ts'
import { anyJson } from './schemas.ts'

const MAX_SIGNAL_BYTES = 1024 * 1024

const SignalSchema = z
  .strictObject({
    id: z.string().meta({ examples: ['sig_5f2b7c9d1e3a4f6b8c0d2e4f6a'] }),
    delivered_to: z
      .array(z.string())
      .meta({ description: 'Ids of the tasks that got it; empty: it is kept for a task that begins to wait later.' }),
  })
  .meta({ id: 'Signal', description: 'What became of a signal.' })

function signalling(path: '/v1/runs/{id}/signals/{name}' | '/v1/runs/{id}/events/{name}'): Route {
  return route({
    method: 'POST',
    path,
    tag: 'Runs',
    summary: 'Send a signal to a run',
    description:
      'Any JSON of at most 1 MiB. It goes to every task that waits for this name and whose `match` is true, also in a paused run; what nobody takes is kept (1,000 a run), offered in the order of arrival to each task that begins to wait, and taken by the first that it matches. With `Idempotency-Key` a repeat is answered as the first was and changes nothing.',
    access: 'key',
    headers: ['Idempotency-Key'],
    body: { schema: anyJson, maxBytes: MAX_SIGNAL_BYTES, check: checkSignal },
    answers: {
      202: { description: 'The signal is recorded.', content: SignalSchema, headers: ['Idempotent-Replayed'] },
    },
    problems: [
      'run_not_found',
      'run_finished',
      'run_compensating',
      'unknown_signal',
      'signal_buffer_full',
      'invalid_idempotency_key',
      'idempotency_key_reused',
    ],
    async handle({ request, env, tenant, params: { id: runId, name }, body: data }) {
      const key = readIdempotencyKey(request.headers)
      const id = key === null ? crypto.randomUUID().replaceAll('-', '') : await sha256(key)
      const signal = { runId, id: `sig_${id.slice(0, 26)}`, name, data }
      return answered(name, await askRunner(env, tenant, runId, (runner) => runner.signal(signal)))
    },
  })
}

/** The signal as JSON text. */
function checkSignal(value: unknown): string {
  const faults = soundness(value)
  if (faults.length > 0) throw faultyBody(faults)
  return JSON.stringify(value)
}

/** The answer to whoever told a run something. */
function answered(name: string, answer: Exclude<SignalAnswer, { kind: 'run_not_found' }>): Response {
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

export const signalRoutes: readonly Route[] = [
  signalling('/v1/runs/{id}/signals/{name}'),
  signalling('/v1/runs/{id}/events/{name}'),
]
