// Pure. The statuses of gRPC, and how each protocol says them.

import type { TaskCode } from '../../workflow/codes.ts'

/** A code of the contract that stands for a status of gRPC. */
export type GrpcCode = Extract<TaskCode, `grpc_${string}`>

/** By number, from 1; 0 is OK. @see https://grpc.io/docs/guides/status-codes */
export const GRPC_CODES = [
  'grpc_cancelled',
  'grpc_unknown',
  'grpc_invalid_argument',
  'grpc_deadline_exceeded',
  'grpc_not_found',
  'grpc_already_exists',
  'grpc_permission_denied',
  'grpc_resource_exhausted',
  'grpc_failed_precondition',
  'grpc_aborted',
  'grpc_out_of_range',
  'grpc_unimplemented',
  'grpc_internal',
  'grpc_unavailable',
  'grpc_data_loss',
  'grpc_unauthenticated',
] as const satisfies readonly GrpcCode[]

/** The code of a status that is not OK; a number that gRPC does not have counts as UNKNOWN. */
export function codeOfNumber(status: number): GrpcCode {
  return GRPC_CODES[status - 1] ?? 'grpc_unknown'
}

/** The code of the word in a Connect error; null if the word is unknown. Connect spells "canceled" with one l. */
export function codeOfWord(word: unknown): GrpcCode | null {
  const code = `grpc_${word === 'canceled' ? 'cancelled' : String(word)}`
  return GRPC_CODES.find((one) => one === code) ?? null
}

/**
 * What an HTTP status means that came instead of an answer of gRPC: mostly from a proxy.
 * @see https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md, whose table Connect's repeats
 */
export function codeOfHttpStatus(status: number): GrpcCode {
  switch (status) {
    case 400:
      return 'grpc_internal'
    case 401:
      return 'grpc_unauthenticated'
    case 403:
      return 'grpc_permission_denied'
    case 404:
      return 'grpc_unimplemented'
    case 429:
    case 502:
    case 503:
    case 504:
      return 'grpc_unavailable'
    default:
      return 'grpc_unknown'
  }
}

/** "INVALID_ARGUMENT", for people. */
export function nameOf(code: GrpcCode): string {
  return code.slice('grpc_'.length).toUpperCase()
}
