// Tasks that compute a value and nothing else: `transform` is evaluated here and not by the executor, which would cost a call
// and a commit. In the history it is an attempt like any other, begun and ended in one step.

import type { LaterEvent, TaskError } from '../event.ts'
import { jsonBytes } from '../expression/cel-json.ts'
import { type ExpressionScope, renderTemplate } from '../expression/expression.ts'
import type { Json } from '../json.ts'
import { isDeeper, MAX_OUTPUT_BYTES, MAX_OUTPUT_DEPTH } from '../run/output-bounds.ts'
import type { Run } from '../run/run.ts'
import { configOf, type Spot } from '../run/spot.ts'

/**
 * What a transform computes, or why it computes nothing that may be an output.
 * @param value its template
 * @returns the output, and its bytes as JSON
 */
export function evaluateTransform(
  value: Json,
  scope: ExpressionScope,
): { ok: true; output: Json; bytes: number } | { ok: false; error: TaskError } {
  const rendered = renderTemplate(value, scope)
  if (!rendered.ok) return { ok: false, error: { ...rendered.error, retryable: false } }
  const output = rendered.value
  const tooLarge = (message: string) =>
    ({ ok: false, error: { code: 'output_too_large', message, retryable: false } }) as const
  if (isDeeper(output, MAX_OUTPUT_DEPTH)) {
    return tooLarge(`The output is nested deeper than ${MAX_OUTPUT_DEPTH} levels`)
  }
  const bytes = jsonBytes(output)
  if (bytes <= MAX_OUTPUT_BYTES) return { ok: true, output, bytes }
  return tooLarge(`The output has ${bytes} bytes of JSON, more than ${MAX_OUTPUT_BYTES}`)
}

/**
 * How the attempt of a transform ends.
 * @param token number of its AttemptStarted
 * @returns the end, and the bytes of JSON that it brings
 */
export function transform(
  run: Run,
  spot: Spot,
  token: number,
  at: number,
  scope: ExpressionScope,
): { event: LaterEvent; bytes: number } {
  const result = evaluateTransform(configOf(run, spot).with.value!, scope)
  if (!result.ok) return { event: { type: 'AttemptFailed', at, ...spot, token, error: result.error }, bytes: 0 }
  const { output, bytes } = result
  return { event: { type: 'AttemptSucceeded', at, ...spot, token, output }, bytes }
}
