// What every protocol of gRPC is given, and what it makes of the answer.

import type { TaskCode } from '../../workflow/codes.ts'
import { MAX_VALUE_BYTES } from '../../workflow/json.ts'
import type { GrpcCode } from './status.ts'

/** The largest message of an answer, in bytes: the output that it ends in may be no larger either. */
export const MAX_MESSAGE_BYTES = MAX_VALUE_BYTES
/** What an answer may hold beside its message. */
export const MAX_TRAILER_BYTES = 65_536

/** One call; its address has passed the egress policy. */
export interface Exchange {
  /** Address of the method. */
  url: URL
  /** Metadata, without what the protocol adds. */
  metadata: Headers
  message: Uint8Array<ArrayBuffer>
  /** The time limit that the server is told. The caller enforces it, by the signal. */
  timeoutMs: number
  signal: AbortSignal
}

/** Metadata as it came: names in lower case, which may stand twice. */
export type Metadata = readonly (readonly [name: string, value: string])[]

/** What a server says of an error beside its message: a message of the type named. */
export interface Detail {
  /** Full name, without the URL's part before it. */
  type: string
  bytes: Uint8Array
}

/** How a call ended, as its protocol tells it. */
export type Answer =
  | { kind: 'message'; bytes: Uint8Array; headers: Metadata; trailers: Metadata }
  /** The server, or a proxy before it, said no. */
  | { kind: 'refused'; code: GrpcCode; message: string; details: readonly Detail[]; retryAfterMs: number | null }
  /** No answer that could be read. @property what - a predicate: "had no answer" */
  | { kind: 'failed'; code: TaskCode; what: string }

/** An end of a call without a message. */
export type NoMessage = Exclude<Answer, { kind: 'message' }>

/** A protocol: makes one call. Never throws. */
export type Speak = (exchange: Exchange) => Promise<Answer>

/** The connection failed before anything came back. */
export const NO_ANSWER: NoMessage = {
  kind: 'failed',
  code: 'grpc_unavailable',
  what: 'had no answer: the connection failed',
}
/** The connection ended before the answer did. */
export const BROKEN_OFF: NoMessage = {
  kind: 'failed',
  code: 'grpc_unavailable',
  what: 'broke off in the middle of its answer',
}
/** The answer is larger than is taken. */
export const TOO_LARGE: NoMessage = {
  kind: 'failed',
  code: 'response_too_large',
  what: `answered with more than ${MAX_MESSAGE_BYTES} bytes`,
}

/** An answer against the rules of its protocol. */
export function notGrpc(what: string): NoMessage {
  return { kind: 'failed', code: 'grpc_internal', what }
}
