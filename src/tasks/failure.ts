// PURE. How a failed attempt is told: its code, and whether another attempt is worth it, which the table of codes decides.

import { CODES, type CodeEntry, isRetryableStatus, type TaskCode } from '../workflow/codes.ts'
import type { TaskError } from '../workflow/event.ts'
import type { TaskResult } from './plugin.ts'

const ENTRIES: Readonly<Record<string, CodeEntry>> = CODES

/** @param message for people: no header, query, secret or stack in it */
export function failed(code: TaskCode, message: string): Extract<TaskResult, { kind: 'failed' }> {
  return { kind: 'failed', error: { code, message }, retryable: isRetryable(code) }
}

/** Of an expression that was evaluated here. */
export function expressionFailure({ code, message }: TaskError): TaskResult {
  return failed(code === 'expression_limit' ? 'expression_limit' : 'expression_error', message)
}

function isRetryable(code: TaskCode): boolean {
  const entry = ENTRIES[code]
  if (entry !== undefined) return entry.kind === 'task' && entry.retryable
  return isRetryableStatus(Number(code.slice('http_'.length)))
}
