// Pure. How a failed attempt is reported: its code, and whether another attempt is worth it, which the table of codes decides.

import { CODES, type CodeEntry, isRetryableStatus, type TaskCode } from '../workflow/codes.ts'
import type { TaskError } from '../workflow/event.ts'
import type { TaskResult } from './plugin.ts'

const ENTRIES: Readonly<Record<string, CodeEntry>> = CODES

/**
 * The end of an attempt that failed with this code; the table of codes says whether another attempt is worth it.
 * @param message for people: no header, query, secret or stack in it
 */
export function failed(code: TaskCode, message: string): Extract<TaskResult, { kind: 'failed' }> {
  return { kind: 'failed', error: { code, message }, retryable: isRetryable(code) }
}

/** The end of an attempt whose expression over an answer could not be evaluated. */
export function expressionFailure({ code, message }: TaskError): TaskResult {
  return failed(code === 'expression_limit' ? 'expression_limit' : 'expression_error', message)
}

function isRetryable(code: TaskCode): boolean {
  const entry = ENTRIES[code]
  if (entry !== undefined) return entry.kind === 'task' && entry.retryable
  return isRetryableStatus(Number(code.slice('http_'.length)))
}
