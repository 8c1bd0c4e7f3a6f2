// The explanation of a run as the API shows it, in the form asked for. Pure.

import type { RunError, RunEvent } from '../../src/workflow/event.ts'
import { explain, explanationJson, explanationText } from '../../src/workflow/explain/explain.ts'
import type { Json } from '../../src/workflow/json.ts'
import type { Run } from '../../src/workflow/run/run.ts'
import { errorText } from '../../src/workflow/wording.ts'
import type { ExplanationForm } from './runner-rpc.ts'

/**
 * The explanation of a run as the body of an answer: JSON text, or text for people.
 * @param events the run's whole history
 * @param now ms since the epoch
 */
export function explanationBody(
  run: Run,
  events: readonly (RunEvent | null)[],
  now: number,
  form: ExplanationForm,
): string {
  const explanation = explain(run, events, now)
  return form === 'text'
    ? explanationText(run, explanation, now)
    : JSON.stringify(explanationJson(run, explanation, now))
}

/** What can be told of a run that was ended unread: what its row says. */
export function unreadExplanationBody(summary: string, form: ExplanationForm): string {
  const { id, workflow, version, status, error, finished_at } = JSON.parse(summary) as { [field: string]: Json } & {
    error: RunError
  }
  const text = `The run was ended without reading its history: ${errorText(error)}. What its tasks did cannot be told.`
  if (form === 'text') return `${text}\n`
  return JSON.stringify({
    run: id,
    workflow,
    version,
    status,
    at: finished_at,
    duration_ms: null,
    summary: text,
    sentences: [],
    critical_path: { tasks: [], after_ms: 0 },
    needs: [],
  })
}
