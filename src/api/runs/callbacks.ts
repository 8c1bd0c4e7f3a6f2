// Links by which people without a key answer a task that waits for them. Open to all: the link itself is the key, for one
// answer of one task. Reading it never answers, since programs that preview links do that.

import { z } from 'zod'
import type { CallbackRefusal, CallbackTarget } from '../../../durable/runner/runner-rpc.ts'
import type { Env } from '../../env.ts'
import { runnerOf } from '../../objects.ts'
import { MAX_VALUE_BYTES } from '../../workflow/json.ts'
import { parseRunId, RUN_ID_FORM } from '../../workflow/run-id.ts'
import { DEFAULT_TENANT } from '../auth.ts'
import { ApiProblem } from '../http/problem.ts'
import { withRepeats } from '../http/repeats.ts'
import { type Route, route } from '../http/route.ts'
import { anyJson } from '../schemas.ts'
import { checkSignal, SignalSchema, signalId } from './signal-bodies.ts'

const PLAIN = 'text/plain'

/** `<tenant>.<run>.<task>.<wait>.<signature>` (durable/runner/callbacks.ts). */
const TOKEN = new RegExp(`^([a-z0-9-]{1,64})\\.(${RUN_ID_FORM})\\.(\\d{1,5})\\.(\\d{1,6})\\.([A-Za-z0-9_-]{43})$`)

const answer = route({
  method: 'POST',
  path: '/v1/callbacks/{token}',
  tag: 'Runs',
  summary: 'Answer a task by its link',
  description:
    'The `callback_url` of a task that waits, which needs no key. Any JSON of at most 1 MiB is what the task gives, null without a body; the link is good for one answer, and `match` of the task does not judge it: the holder of the link is trusted with the answer.',
  access: 'open',
  body: { schema: anyJson, maxBytes: MAX_VALUE_BYTES, absent: null, check: checkSignal },
  answers: { 202: { description: 'The answer is recorded.', content: SignalSchema } },
  problems: ['callback_not_found', 'callback_used', 'unavailable'],
  async handle({ env, params: { token }, body: data }) {
    const target = targetOf(token)
    const id = signalId(crypto.randomUUID().replaceAll('-', ''))
    const outcome = await withRepeats(() => runner(env, target).answerCallback(target, id, data))
    switch (outcome.kind) {
      case 'signal':
        return Response.json({ id: outcome.id, delivered_to: outcome.deliveredTo }, { status: 202 })
      case 'callback_not_found':
      case 'callback_used':
        throw refusal(outcome)
      default:
        // The rest is said of signals by name, and a link names none.
        throw new Error(`a callback was answered with ${outcome.kind}`)
    }
  },
})

const show = route({
  method: 'GET',
  path: '/v1/callbacks/{token}',
  tag: 'Runs',
  summary: 'What a link is for',
  description: 'A line for people. Opening the link answers nothing.',
  access: 'open',
  answers: { 200: { description: 'The link is good.', content: { [PLAIN]: z.string() } } },
  problems: ['callback_not_found', 'callback_used', 'unavailable'],
  async handle({ env, params: { token } }) {
    const target = targetOf(token)
    const view = await withRepeats(() => runner(env, target).callback(target))
    if (view.kind !== 'callback') throw refusal(view)
    const text = `This link answers the task "${view.task}" of the workflow "${view.workflow}" with the event "${view.event}", once. Send the answer as JSON by POST; opening the link changes nothing.\n`
    return new Response(text, { headers: { 'Content-Type': `${PLAIN}; charset=utf-8`, 'Cache-Control': 'no-store' } })
  },
})

/** @throws ApiProblem `callback_not_found` for what can be no link, without a call: made-up tenants and shards make no objects */
function targetOf(token: string): CallbackTarget {
  const [, tenant, runId = '', task, wait, signature = ''] = TOKEN.exec(token) ?? []
  if (tenant !== DEFAULT_TENANT || parseRunId(runId) === null) throw refusal({ kind: 'callback_not_found' })
  return { runId, task: Number(task), wait: Number(wait), signature }
}

/** The tenant of a link only finds the object; that the link is of that tenant, its signature shows (R8). */
function runner(env: Env, { runId }: CallbackTarget) {
  return runnerOf(env, DEFAULT_TENANT, parseRunId(runId)!.shard)
}

function refusal({ kind }: CallbackRefusal): ApiProblem {
  if (kind === 'callback_not_found') return new ApiProblem(kind, 'There is no such link')
  return new ApiProblem(kind, 'The link has been used, or its task waits no longer')
}

/** The routes of this file, for app.ts. */
export const callbackRoutes: readonly Route[] = [answer, show]
