// Pure. What each task type gives and how it can fail, for people and for what writes workflows. The schemas of `with` are in
// schemas.ts; the compiler asks for an entry here for each type that is built.

import { CODES, isRetryableStatus, type TaskCode } from '../workflow/codes.ts'
import { GRPC_CODES } from './grpc/status.ts'
import type { TASK_TYPES, TaskTypeName } from './schemas.ts'

interface About {
  description: string
  /** What its output is. */
  gives: string
  /** Codes of its own, besides those that every task of its kind can end with. */
  codes: readonly (Exclude<TaskCode, `http_${number}`> | 'http_<status>')[]
}

type Abouts = {
  readonly [T in TaskTypeName]: (typeof TASK_TYPES)[T] extends { with: object } ? About : null
}

const SCRIPT_CODES = ['script_syntax', 'script_error', 'script_limit', 'script_result', 'executor_busy'] as const

/** The entry of each task type that is built; null for a type that is not. */
export const ABOUT: Abouts = {
  http: {
    description: 'Calls a server by HTTP.',
    gives:
      '`{status, headers, body}`: the status, the headers by their lower-case names, the body as `parse` says; with `paginate` also `pages` and `next`.',
    codes: [
      'http_<status>',
      'http_network',
      'egress_denied',
      'response_too_large',
      'invalid_response',
      'poll_exhausted',
    ],
  },
  javascript: {
    description: 'Runs JavaScript in a sandbox, without network and clock.',
    gives: 'What the function returns, as JSON; what it prints is in `logs`.',
    codes: SCRIPT_CODES,
  },
  python: {
    description: 'Runs Python in a sandbox, without network and clock: a subset (MicroPython).',
    gives: 'What `main` returns, as JSON; what it prints is in `logs`.',
    codes: SCRIPT_CODES,
  },
  grpc: {
    description: 'Makes one gRPC call: by Connect, by gRPC-Web, or by gRPC itself to servers without TLS.',
    gives:
      '`{message, headers, trailers}`: the message as ProtoJSON with its defaults written out, 64-bit integers as texts; metadata by lower-case names.',
    codes: [...GRPC_CODES, 'egress_denied', 'response_too_large', 'invalid_response'],
  },
  inference: {
    description: 'Asks a language model: an OpenAI-compatible server, or Workers AI.',
    gives:
      '`{text, finish_reason, model, usage}`, with `response_schema` also `json` and `repairs` (0 or 1); of `input` `embeddings` instead of a text. `usage` is `{input_tokens, output_tokens}`, null where the server does not count.',
    codes: [
      'http_<status>',
      'http_network',
      'egress_denied',
      'response_too_large',
      'invalid_response',
      'inference_refused',
      'inference_schema',
      'inference_truncated',
      'binding_missing',
    ],
  },
  transform: { description: 'Computes a value from what came before.', gives: 'The value.', codes: [] },
  publish: null,
  sleep: { description: 'Lets time pass, without a slot.', gives: '`null`.', codes: [] },
  wait_for_event: { description: 'Waits for a signal, without a slot.', gives: 'The data of the signal.', codes: [] },
  workflow: {
    description: 'Runs another workflow, and waits for its end without a slot.',
    gives: 'The output of that run; its failure is the one of the task.',
    codes: [
      'unknown_workflow',
      'paused_workflow',
      'invalid_child_input',
      'workflow_cycle',
      'nesting_too_deep',
      'child_cancelled',
    ],
  },
  map: {
    description: 'Does one task for each value of a list.',
    gives: 'The outputs, in the order of the items.',
    codes: ['map_failed', 'invalid_items'],
  },
}

/** With which every task can end whose `with` holds expressions. */
const EXPRESSION_CODES = ['expression_error', 'expression_limit', 'invalid_with'] as const
const OUTPUT_CODES = ['output_too_large'] as const
const ATTEMPT_CODES = [
  'unknown_secret',
  'secret_unreadable',
  'secrets_too_large',
  'timeout',
  'executor_error',
  'interrupted_too_often',
] as const
const CALL_CODES = ['circuit_open', 'retry_budget_exhausted', 'deadline_before_retry', 'retry_after_too_long'] as const

/** A code that tasks can fail with, as the list of task types shows it. */
export interface CodeAbout {
  code: string
  retryable: boolean
  meaning: string
}

/**
 * All codes that a task of the type can fail with.
 * @param kind whether the executor makes attempts for it, and whether those call a server
 */
export function codesOf({ codes }: About, kind: { makesAttempts: boolean; callsOut: boolean }): CodeAbout[] {
  const all = [
    ...codes,
    ...EXPRESSION_CODES,
    ...OUTPUT_CODES,
    ...(kind.makesAttempts ? ATTEMPT_CODES : []),
    ...(kind.callsOut ? CALL_CODES : []),
  ]
  return [...new Set(all)].map((code) => {
    if (code === 'http_<status>') return HTTP_STATUS
    const { retryable, meaning } = CODES[code]
    return { code, retryable, meaning }
  })
}

const RETRIED = Array.from({ length: 500 }, (_, index) => index + 100).filter(isRetryableStatus)

/** One code for each status. */
const HTTP_STATUS: CodeAbout = {
  code: 'http_<status>',
  retryable: false,
  meaning: `The server answered with a status that expect_status does not name; worth another attempt are ${RETRIED.join(', ')}.`,
}
