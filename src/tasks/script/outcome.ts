// Pure. How a script ended, whatever language it is in.

import type { Json } from '../../workflow/json.ts'
import type { LogEntry } from './logs.ts'

/** Why a script gave no result. */
export interface ScriptError {
  code: 'script_syntax' | 'script_error' | 'script_limit' | 'script_result'
  /** For people: what and where; of an exception its trace, in the script's own lines. */
  message: string
}

/** How a call ended, what it printed, and what it has left. */
export type ScriptOutcome = ({ ok: true; output: Json } | { ok: false; error: ScriptError }) & {
  logs: LogEntry[]
  /** Fuel that was left; below zero if it ran out. */
  fuelLeft: number
}

/** Where a script cannot be read: lines and columns count from 1. */
export interface SyntaxFault {
  line: number
  column?: number
  message: string
}

/** What can be told of a script without running it: why it cannot be called, and what it will probably end with. */
export interface ScriptFindings {
  fault: SyntaxFault | null
  warnings: { code: 'missing_main' | 'missing_module'; message: string }[]
}

/** The fault in words: its place, then what is wrong. */
export function syntaxMessage({ line, column, message }: SyntaxFault): string {
  return `line ${line}${column === undefined ? '' : `, column ${column}`}: ${message}`
}

/** What a task says of each limit that ended it. */
export const LIMIT_MESSAGES = {
  cpu: 'The script used up its cpu; it may loop for ever, or needs a larger limits.cpu',
  memory: 'The script used up its memory; it needs a larger limits.memory, or less at a time',
  stack: 'The script calls itself too deeply',
} as const

/** What registration says of a script that is too large or too deep for its parser. */
export const UNREADABLE_MESSAGE = 'the script is too deep or too long to be read'

/** What a task says when the interpreter itself failed. */
export const BROKEN_MESSAGE = 'The script broke its interpreter, which ended with it'
