// What a service is: descriptors parsed and kept, so that the thousandth call of a task costs no parsing.

import { create, createFileRegistry, type DescMethodUnary, type FileRegistry, fromBinary } from '@bufbuild/protobuf'
import { base64Decode } from '@bufbuild/protobuf/wire'
import {
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
import type { GrpcWith } from '../grpc-with.ts'

/** Characters of base64 whose registries an isolate keeps, the one used last always among them. */
const MAX_KEPT = 2_097_152

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
export function unfit(error: unknown): string {
  const said = error instanceof Error ? error.message : ''
  const [, kind, name, rest = ''] = /^cannot decode (field|message|enum) ([\w.]+) from JSON: (.*)$/s.exec(said) ?? []
  if (name === undefined) return 'does not fit its type'
  const key = /^key (".*") is unknown$/s.exec(rest)?.[1]
  if (key !== undefined) return `has a key ${quoted(key.slice(1, -1))}, which ${name} does not have`
  return kind === 'message'
    ? `does not fit: no ${name}`
    : `does not fit at ${kind === 'field' ? 'the field' : 'a value of'} ${name}`
}

/** By the digest of their text, the one used last at the end. */
const kept = new Map<string, { registry: FileRegistry; characters: number }>()

/** @returns the parsed descriptors, or what is wrong with them */
export async function registryOf(descriptors: string): Promise<FileRegistry | string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(descriptors))
  const key = String.fromCharCode(...new Uint8Array(digest))
  const known = kept.get(key)
  kept.delete(key)
  const registry = known?.registry ?? parsed(descriptors)
  if (typeof registry === 'string') return registry
  kept.set(key, { registry, characters: descriptors.length })
  let characters = [...kept.values()].reduce((sum, one) => sum + one.characters, 0)
  for (const [oldest, one] of kept) {
    if (characters <= MAX_KEPT || oldest === key) break
    kept.delete(oldest)
    characters -= one.characters
  }
  return registry
}

function parsed(descriptors: string): FileRegistry | string {
  try {
    return registryFrom(fromBinary(FileDescriptorSetSchema, base64Decode(descriptors)).file)
  } catch (error) {
    // The library's words name files, messages and fields of the set: nothing that its author does not know.
    const said = error instanceof Error ? error.message.slice(0, 200) : ''
    return `is no FileDescriptorSet with all that it imports${said === '' ? '' : `: ${said}`}`
  }
}

export function isWellKnown(file: string): boolean {
  return WELL_KNOWN.some(({ proto }) => proto.name === file)
}

/**
 * @param files each behind those that it imports
 * @throws if they are not what a compiler would have made
 */
export function registryFrom(files: readonly FileDescriptorProto[]): FileRegistry {
  const names = new Set(files.map(({ name }) => name))
  const missing = WELL_KNOWN.map(({ proto }) => proto).filter(({ name }) => !names.has(name))
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [...missing, ...files] }))
}
