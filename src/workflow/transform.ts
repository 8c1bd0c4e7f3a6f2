// Tasks that compute a value and nothing else: `transform` is evaluated here and not by the executor, which would cost a call
// and a commit. In the history it is an attempt like any other, begun and ended in one step.

import { jsonBytes } from './cel-json.ts'
import type { LaterEvent, TaskIndex } from './event.ts'
import { type ExpressionScope, renderTemplate } from './expression.ts'
import { isDeeper, MAX_OUTPUT_BYTES, MAX_OUTPUT_DEPTH } from './output-bounds.ts'
import type { Run } from './run.ts'

/**
 * How the attempt of a transform ends.
 * @param token number of its AttemptStarted
 * @returns the end, and the bytes of JSON that it brings
 */
export function transform(
  run: Run,
  task: TaskIndex,
  token: number,
  at: number,
  scope: ExpressionScope,
  item?: number,
): { event: LaterEvent; bytes: number } {
  const about = item === undefined ? {} : { item }
  const failed = (code: string, message: string) => {
    const error = { code, message, retryable: false }
    return { event: { type: 'AttemptFailed', at, task, token, error, ...about } as const, bytes: 0 }
  }
  const config = item === undefined ? run.workflow.definition.tasks[task]!.with! : run.workflow.plans[task]!.items!.with
  const rendered = renderTemplate(config.value!, scope)
  if (!rendered.ok) return failed(rendered.error.code, rendered.error.message)
  const output = rendered.value
  if (isDeeper(output, MAX_OUTPUT_DEPTH)) {
    return failed('output_too_large', `The output is nested deeper than ${MAX_OUTPUT_DEPTH} levels`)
  }
  const bytes = jsonBytes(output)
  if (bytes > MAX_OUTPUT_BYTES) {
    return failed('output_too_large', `The output has ${bytes} bytes of JSON, more than ${MAX_OUTPUT_BYTES}`)
  }
  return { event: { type: 'AttemptSucceeded', at, task, token, output, ...about }, bytes }
}
