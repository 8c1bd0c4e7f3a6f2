// One gRPC call: message in, protocol chosen, answer made an output. Loaded when the first task of the type comes, since the
// library of Protocol Buffers is most of what it needs.

import { type FileRegistry, fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf'
import type { Json, JsonObject } from '../../workflow/json.ts'
import { addCallHeaders } from '../call-headers.ts'
import { egressFault } from '../egress.ts'
import { failed } from '../failure.ts'
import type { PluginCall, PluginSurroundings, TaskResult } from '../plugin.ts'
import type { GrpcWith } from '../with/grpc-with.ts'
import { isTooHeavy, NO_UNKNOWN } from './decoded-weight.ts'
import { describeMisfit, type Method, methodIn, registryOf } from './descriptors.ts'
import { retryDelayOf } from './details.ts'
import type { Detail, Metadata, NoMessage, Speak } from './exchange.ts'
import { speakH2c } from './h2c.ts'
import { isLongerAsJson } from './json-size.ts'
import { speakConnect, speakGrpcWeb } from './over-http.ts'
import { reflectService } from './reflection.ts'
import { nameOf } from './status.ts'

const PROTOCOLS: { [P in GrpcWith['protocol']]: Speak } = {
  connect: speakConnect,
  grpc_web: speakGrpcWeb,
  grpc_h2c: speakH2c,
}

/** The longest message of a server that an error quotes, in characters; bodies of HTTP are cut at the same length. */
const MAX_SAID = 200
const MAX_DETAILS_SAID = 400

/** Characters that the names of fields may take as JSON. Beyond it the output would be too large in any case. */
const MAX_JSON_CHARACTERS = 4 * 1_048_576

/** Makes one attempt of a `grpc` task. Whatever the server and the network do ends as a TaskResult. */
export async function callGrpc(call: PluginCall<GrpcWith>, { egressAllow }: PluginSurroundings): Promise<TaskResult> {
  const { config, timeoutMs, signal } = call
  const url = urlOf(config)
  const told = `${url.host}${url.pathname}`.slice(0, 300)
  const refusal = egressFault(url, egressAllow)
  if (refusal !== null) return failed('egress_denied', `${told} was not called: ${refusal}`)

  const metadata = metadataOf(call)
  const registry =
    config.descriptors === undefined
      ? await reflectService(config, { metadata, timeoutMs, signal })
      : await registryOf(config.descriptors)
  if (typeof registry === 'string') return failed('invalid_with', `/with/descriptors ${registry}`)
  if (registry.kind !== 'registry') return failure(registry, null, told)
  const found = methodIn(registry, config)
  if ('field' in found) return failed('invalid_with', `/with/${found.field} ${found.message}`)
  const message = encodeMessage(found, config.message)
  if (typeof message === 'string') return failed('invalid_with', `/with/message ${message}`)

  const answer = await PROTOCOLS[config.protocol]({ url, metadata, message, timeoutMs, signal })
  if (answer.kind !== 'message') return failure(answer, registry, told)
  const read = readMessage(found, answer.bytes)
  if (typeof read === 'string') return failed(read, `${told} answered with a message that ${UNREADABLE[read]}`)
  const headers = metadataJson(answer.headers)
  return { kind: 'succeeded', output: { message: read.message, headers, trailers: metadataJson(answer.trailers) } }
}

/** @param registry what is known of the details of errors; null if nothing is */
function failure(answer: NoMessage, registry: FileRegistry | null, told: string): TaskResult {
  if (answer.kind === 'failed') return failed(answer.code, `${told} ${answer.what}`)
  const said = [oneLine(answer.message, MAX_SAID), describeDetails(answer.details, registry)].filter(
    (text) => text !== '',
  )
  const result = failed(answer.code, [`${told} ended with ${nameOf(answer.code)}`, ...said].join(': '))
  const retryAfterMs = retryDelayOf(answer.details) ?? answer.retryAfterMs
  return retryAfterMs === null ? result : { ...result, retryAfterMs }
}

const UNREADABLE = {
  invalid_response: 'is not of the type that the descriptors give',
  output_too_large: 'is too large as JSON',
  response_too_large: 'is too large once it is decoded',
} as const

function readMessage(
  { method: { output }, registry }: Method,
  bytes: Uint8Array,
): { message: Json } | keyof typeof UNREADABLE {
  try {
    if (isTooHeavy(output, bytes, registry)) return 'response_too_large'
    const message = fromBinary(output, bytes, NO_UNKNOWN)
    if (isLongerAsJson(output, message, registry, MAX_JSON_CHARACTERS)) return 'output_too_large'
    // Fields that hold their default are written out: an expression that reads a count of 0 has to find it.
    return { message: toJson(output, message, { registry, alwaysEmitImplicit: true }) as Json }
  } catch {
    return 'invalid_response' // The library's text may quote what the server sent.
  }
}

/** The address of the method: what the URL says, then the path that gRPC prescribes. */
function urlOf({ url, service, method }: GrpcWith): URL {
  const base = new URL(url)
  return new URL(`${base.origin}${base.pathname.replace(/\/+$/, '')}/${service}/${method}`)
}

/** @returns the bytes of the message, or a text that says why it does not fit its type */
function encodeMessage({ method, registry }: Method, message: Json): Uint8Array<ArrayBuffer> | string {
  try {
    return toBinary(method.input, fromJson(method.input, message as JsonValue, { registry })) as Uint8Array<ArrayBuffer>
  } catch (error) {
    return describeMisfit(error)
  }
}

function metadataOf(call: PluginCall<GrpcWith>): Headers {
  const headers = new Headers()
  for (const [name, values] of Object.entries(call.config.metadata ?? {})) {
    for (const value of [values].flat()) headers.append(name, value)
  }
  addCallHeaders(headers, call)
  return headers
}

/** What the protocols put into headers for themselves. */
const OF_PROTOCOL =
  /^(?:grpc-|connect-|content-(?:type|length|encoding)$|transfer-encoding$|connection$|keep-alive$|trailer$)/

/** Metadata that the server sent, values of one name joined by ", "; those of names that end in "-bin" are base64. */
function metadataJson(metadata: Metadata): JsonObject {
  const values = new Map<string, string>()
  for (const [name, value] of metadata) {
    if (OF_PROTOCOL.test(name)) continue
    const before = values.get(name)
    values.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return Object.fromEntries(values)
}

/** "BadRequest {...}, QuotaFailure": the details of an error, with what is in them where the descriptors know their types. */
function describeDetails(details: readonly Detail[], registry: FileRegistry | null): string {
  const texts = details.map(({ type, bytes }) => {
    const value = detailOf(type, bytes, registry)
    const name = type.slice(type.lastIndexOf('.') + 1)
    return value === undefined ? name : `${name} ${JSON.stringify(value)}`
  })
  return oneLine(texts.join(', '), MAX_DETAILS_SAID)
}

function oneLine(text: string, length: number): string {
  const line = text
    .slice(0, length * 4)
    .replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ')
    .trim()
  return Array.from(line).slice(0, length).join('')
}

/** undefined: of a type that is not known, not what that type says, or too long to be told. */
function detailOf(type: string, bytes: Uint8Array, registry: FileRegistry | null): JsonValue | undefined {
  const known = registry?.getMessage(type)
  if (registry === null || known === undefined) return undefined
  try {
    if (isTooHeavy(known, bytes, registry)) return undefined
    const message = fromBinary(known, bytes, NO_UNKNOWN)
    return isLongerAsJson(known, message, registry, MAX_JSON_CHARACTERS)
      ? undefined
      : toJson(known, message, { registry })
  } catch {
    return undefined // The error stands without it.
  }
}
