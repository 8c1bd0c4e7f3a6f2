// The `http` task: a call, its answer as JSON; or the pages that follow it, or a call that is made again until its answer is the
// one that is waited for. Waiting is not done here: the attempt ends, and says when it wants to be made again.

import { evaluateCondition } from '../../workflow/expression/expression.ts'
import { scopeOfResponse } from '../../workflow/expression/handed-scope.ts'
import { spanMs } from '../../workflow/span.ts'
import { expressionFailure, failed } from '../failure.ts'
import type { PluginCall, PluginSurroundings, TaskPlugin, TaskResult } from '../plugin.ts'
import { type HttpWith, maxBytesOf } from '../with/http-with.ts'
import { type Answer, callHttp, responseOf } from './http-call.ts'
import { gatherPages } from './http-pages.ts'
import { describeRequest, firstRequest } from './http-request.ts'

/** The plugin of `http` tasks. */
export const http: TaskPlugin<HttpWith> = { type: 'http', execute }

async function execute(attempt: PluginCall<HttpWith>, { egressAllow }: PluginSurroundings): Promise<TaskResult> {
  const { config, signal, idempotencyKey, nth = 1 } = attempt
  if (config.paginate !== undefined) return gatherPages(attempt, config.paginate, egressAllow)
  const key = config.poll === undefined ? idempotencyKey : `${idempotencyKey}/p${nth}`
  const called = await callHttp(await firstRequest(attempt, key), config, {
    maxBytes: maxBytesOf(config),
    signal,
    egressAllow,
  })
  if (!called.ok) return called.result
  return config.poll === undefined ? successOf(called.answer) : pollResult(attempt, config.poll, called.answer)
}

function successOf({ status, headers, body }: Answer): TaskResult {
  return { kind: 'succeeded', output: { status, headers, body } }
}

/** Whether the answer is the one that is waited for; else when the next call is to be made, if there may be one. */
function pollResult(
  { scope, nth = 1, elapsedMs = 0 }: PluginCall<HttpWith>,
  { until, every, at_most }: NonNullable<HttpWith['poll']>,
  answer: Answer,
): TaskResult {
  const isThere = evaluateCondition(until, scopeOfResponse(scope, responseOf(answer)))
  if (!isThere.ok) return expressionFailure(isThere.error)
  if (isThere.value) return successOf(answer)
  const afterMs = Math.max(spanMs(every), answer.retryAfterMs ?? 0)
  const isLast = typeof at_most === 'number' ? nth >= at_most : elapsedMs + afterMs > spanMs(at_most)
  if (!isLast) return { kind: 'snoozed', afterMs }
  const most = typeof at_most === 'number' ? `${nth} calls` : `${nth} calls in ${at_most}`
  return failed(
    'poll_exhausted',
    `${describeRequest(answer.request)} did not give the answer that is waited for in ${most}`,
  )
}
