// What a service is: descriptors parsed and kept, so that the thousandth call of a task costs no parsing.

import {
  create,
  createFileRegistry,
  type DescMessage,
  type DescMethodUnary,
  type FileRegistry,
  fromBinary,
} from '@bufbuild/protobuf'
import { protoCamelCase } from '@bufbuild/protobuf/reflect'
import { base64Decode } from '@bufbuild/protobuf/wire'
import {
  type DescriptorProto,
  type FileDescriptorProto,
  FileDescriptorSetSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from '@bufbuild/protobuf/wkt'
import type { FaultCode } from '../../workflow/codes.ts'
import { didYouMeanOrAll, quoted } from '../../workflow/nearest.ts'
import type { GrpcWith } from '../with/grpc-with.ts'
import { NO_UNKNOWN, weightOf } from './decoded-weight.ts'

/** Messages, fields, values of enums, methods and options that descriptors may have: each takes memory, also one that is empty. */
export const MAX_PARTS = 50_000

/** Parts of all descriptors whose registries an isolate keeps, the one used last always among them. */
export const MAX_KEPT_PARTS = 60_000

/** What nearly every file imports, for sets that were written without their imports. */
const WELL_KNOWN = [
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
]

/** A unary method, and the descriptors that its messages are read with. */
export interface Method {
  method: DescMethodUnary
  registry: FileRegistry
}

/** A fault of the three fields that name a method. */
export interface MethodFault {
  field: 'descriptors' | 'service' | 'method'
  code: FaultCode
  message: string
}

/** The method that a configuration names, of what is known of its server. */
export function methodIn(registry: FileRegistry, config: Pick<GrpcWith, 'service' | 'method'>): Method | MethodFault {
  const service = registry.getService(config.service)
  if (service === undefined) {
    const known = [...registry].flatMap((one) => (one.kind === 'service' ? [one.typeName] : []))
    const message = `is no service of the descriptors${didYouMeanOrAll(config.service, known)}`
    return { field: 'service', code: 'invalid_value', message }
  }
  const method = service.methods.find(({ name }) => name === config.method)
  if (method === undefined) {
    const known = service.methods.map(({ name }) => name)
    const message = `is no method of ${quoted(config.service)}${didYouMeanOrAll(config.method, known)}`
    return { field: 'method', code: 'invalid_value', message }
  }
  if (method.methodKind !== 'unary') {
    return { field: 'method', code: 'invalid_value', message: 'is a stream; a task makes one call and has one answer' }
  }
  return { method: method as DescMethodUnary, registry }
}

/**
 * Where a message does not fit, without the value that stands there: it may be a secret. Of the library's words only what names
 * the descriptors is taken, and the key that a type does not have.
 */
export function describeMisfit(error: unknown): string {
  const said = error instanceof Error ? error.message : ''
  const [, kind, name, rest = ''] = /^cannot decode (field|message|enum) ([\w.]+) from JSON: (.*)$/s.exec(said) ?? []
  if (name === undefined) return 'does not fit its type'
  const key = /^key (".*") is unknown$/s.exec(rest)?.[1]
  if (key !== undefined) return `has a key ${quoted(key.slice(1, -1))}, which ${name} does not have`
  return kind === 'message'
    ? `does not fit: no ${name}`
    : `does not fit at ${kind === 'field' ? 'the field' : 'a value of'} ${name}`
}

/** Registries by the digest of the text that they were parsed from; the one used last stands at the end. */
const kept = new Map<string, Weighed>()

/**
 * The registry of descriptors, parsed at their first use in this isolate.
 * @param descriptors a FileDescriptorSet in base64
 * @returns a text that says what is wrong with them, if they cannot be used
 */
export async function registryOf(descriptors: string): Promise<FileRegistry | string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(descriptors))
  const key = String.fromCharCode(...new Uint8Array(digest))
  const known = kept.get(key)
  kept.delete(key)
  const weighed = known ?? parseDescriptors(descriptors)
  if (typeof weighed === 'string') return weighed
  kept.set(key, weighed)
  forgetOldest(kept)
  return weighed.registry
}

/** A registry, and of how many parts its descriptors are. */
export interface Weighed {
  registry: FileRegistry
  parts: number
}

/** Drops those used first until what is kept is few parts enough, or the last. */
export function forgetOldest(registries: Map<string, Weighed>): void {
  let parts = [...registries.values()].reduce((sum, one) => sum + one.parts, 0)
  for (const [oldest, one] of registries) {
    if (parts <= MAX_KEPT_PARTS || registries.size === 1) break
    registries.delete(oldest)
    parts -= one.parts
  }
}

function parseDescriptors(descriptors: string): Weighed | string {
  try {
    const bytes = base64Decode(descriptors)
    const parts = partsIn(FileDescriptorSetSchema, bytes)
    if (parts > MAX_PARTS) return `has more than ${MAX_PARTS} messages, fields, values of enums, methods and options`
    return { registry: registryFrom(fromBinary(FileDescriptorSetSchema, bytes, NO_UNKNOWN).file), parts }
  } catch (error) {
    // The library's words name files, messages and fields of the set: nothing that its author does not know.
    const said = error instanceof Error ? error.message.slice(0, 200) : ''
    return `is no FileDescriptorSet with all that it imports${said === '' ? '' : `: ${said}`}`
  }
}

/** How many parts descriptors have, counted before they are parsed. Counting ends soon after `MAX_PARTS`. */
export function partsIn(type: DescMessage, bytes: Uint8Array): number {
  return weightOf(type, bytes, { most: MAX_PARTS, registry: null, weighs: () => 1 })
}

/** Whether the file is one that Google defines and every registry here has. */
export function isWellKnown(file: string): boolean {
  return WELL_KNOWN.some(({ proto }) => proto.name === file)
}

/**
 * @param files each behind those that it imports
 * @throws if they are not what a compiler would have made
 */
export function registryFrom(files: readonly FileDescriptorProto[]): FileRegistry {
  for (const { messageType } of files) nameForJson(messageType)
  const names = new Set(files.map(({ name }) => name))
  const missing = WELL_KNOWN.map(({ proto }) => proto).filter(({ name }) => !names.has(name))
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [...missing, ...files] }))
}

/** Gives fields the names that they have in JSON, as protoc would: descriptors that servers hold often leave them out. */
function nameForJson(messages: readonly DescriptorProto[]): void {
  for (const { field, nestedType } of messages) {
    for (const one of field) if (one.jsonName === '') one.jsonName = protoCamelCase(one.name)
    nameForJson(nestedType)
  }
}
