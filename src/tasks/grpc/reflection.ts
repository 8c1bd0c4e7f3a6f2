// What a service is, asked of its server (gRPC server reflection). It is a stream, so gRPC itself has to be spoken; here a stream
// of one question and one answer. What was learnt is kept for a minute, for callers with the same metadata.

import { type FileRegistry, fromBinary } from '@bufbuild/protobuf'
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire'
import { type FileDescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import type { GrpcWith } from '../with/grpc-with.ts'
import { NO_UNKNOWN } from './decoded-weight.ts'
import { forgetOldest, isWellKnown, MAX_PARTS, partsIn, registryFrom, type Weighed } from './descriptors.ts'
import { fieldsOf } from './details.ts'
import { type Exchange, MAX_MESSAGE_BYTES, type NoMessage, notGrpc } from './exchange.ts'
import { speakH2c } from './h2c.ts'
import { codeOfNumber } from './status.ts'

/** The newest first: servers have the one or the other, or both. */
const VERSIONS = ['grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection']
/** Fields of ServerReflectionRequest. */
const ASK = { file: 3, symbol: 4 } as const
/** Fields of ServerReflectionResponse. */
const SAID = { files: 4, error: 7 } as const

/** Most servers send all that a file imports with it; others are asked for each. */
const MAX_QUESTIONS = 50
const MAX_FILES = 500
const KEPT_MS = 60_000
const MAX_KEPT = 16

type Ask = (by: keyof typeof ASK, name: string) => Promise<Uint8Array[] | NoMessage>

/** By server, service and metadata, the one learnt last at the end. */
const kept = new Map<string, Weighed & { until: number }>()

/** @returns what the server tells of the service, or how asking for it ended */
export async function reflectService(
  config: GrpcWith,
  exchange: Pick<Exchange, 'metadata' | 'timeoutMs' | 'signal'>,
): Promise<FileRegistry | NoMessage> {
  const key = JSON.stringify([config.url, config.service, config.metadata ?? {}])
  const known = kept.get(key)
  if (known !== undefined && known.until > Date.now()) return known.registry
  const weighed = await learnService(reflectionClient(config.url.replace(/\/+$/, ''), exchange), config.service)
  if ('kind' in weighed) return weighed
  kept.delete(key)
  kept.set(key, { ...weighed, until: Date.now() + KEPT_MS })
  for (const oldest of kept.keys()) if (kept.size > MAX_KEPT) kept.delete(oldest)
  forgetOldest(kept)
  return weighed.registry
}

async function learnService(ask: Ask, service: string): Promise<Weighed | NoMessage> {
  const files = new Map<string, FileDescriptorProto>()
  let bytes = 0
  let parts = 0
  let missing: string | undefined
  for (let question = 0; question < MAX_QUESTIONS; question++) {
    const answer = await (missing === undefined ? ask('symbol', service) : ask('file', missing))
    if ('kind' in answer) return answer
    bytes += answer.reduce((sum, { byteLength }) => sum + byteLength, 0)
    if (bytes > MAX_MESSAGE_BYTES) return notGrpc(`describes the service in more than ${MAX_MESSAGE_BYTES} bytes`)
    for (const one of answer) parts += partsIn(FileDescriptorProtoSchema, one)
    if (parts > MAX_PARTS)
      return notGrpc(`describes the service in more than ${MAX_PARTS} messages, fields and other parts`)
    try {
      for (const one of answer) {
        const file = fromBinary(FileDescriptorProtoSchema, one, NO_UNKNOWN)
        files.set(file.name, file)
      }
      const before = missing
      missing = missingIn(files)
      if (missing === undefined) return { registry: registryFrom(inOrder(files)), parts }
      if (missing === before) return notGrpc('leaves out files that it imports when it describes the service')
    } catch {
      return notGrpc('describes the service by what are no descriptors')
    }
  }
  return notGrpc(`describes the service in more than ${MAX_QUESTIONS} answers`)
}

/** Asks one question of a server, of the version of reflection that it has. */
function reflectionClient(base: string, exchange: Pick<Exchange, 'metadata' | 'timeoutMs' | 'signal'>): Ask {
  let versions = VERSIONS
  return async (by, name) => {
    const message = new BinaryWriter()
      .uint32((ASK[by] << 3) | 2)
      .string(name)
      .finish() as Uint8Array<ArrayBuffer>
    for (;;) {
      const url = new URL(`${base}/${versions[0]}/ServerReflectionInfo`)
      const answer = await speakH2c({ ...exchange, url, message })
      if (answer.kind === 'message') return filesIn(answer.bytes)
      if (answer.kind === 'failed') return answer
      if (answer.code !== 'grpc_unimplemented' || versions.length === 1) {
        return { ...answer, message: `its reflection said: ${answer.message}` }
      }
      versions = versions.slice(1)
    }
  }
}

function filesIn(response: Uint8Array): Uint8Array[] | NoMessage {
  const [error] = fieldsOf(response, SAID.error)
  if (error !== undefined) return refusal(error)
  const [files] = fieldsOf(response, SAID.files)
  return files === undefined ? notGrpc('answered reflection with nothing') : fieldsOf(files, 1, MAX_FILES)
}

/** ErrorResponse: a number of the statuses of gRPC, and words. */
function refusal(error: Uint8Array): NoMessage {
  let status = 2
  try {
    const reader = new BinaryReader(error)
    const [field] = reader.tag()
    if (field === 1) status = reader.int32()
  } catch {
    // UNKNOWN then.
  }
  const [words] = fieldsOf(error, 2)
  const message = `its reflection said: ${new TextDecoder().decode(words)}`
  return { kind: 'refused', code: codeOfNumber(status), message, details: [], retryAfterMs: null }
}

/** The name of a file that one of these imports and that is missing; undefined if all are there. */
function missingIn(files: ReadonlyMap<string, FileDescriptorProto>): string | undefined {
  for (const { dependency } of files.values()) {
    const missing = dependency.find((name) => !files.has(name) && !isWellKnown(name))
    if (missing !== undefined) return missing
  }
  return undefined
}

/** Each file behind those that it imports. */
function inOrder(files: ReadonlyMap<string, FileDescriptorProto>): FileDescriptorProto[] {
  const ordered = new Set<FileDescriptorProto>()
  const seen = new Set<string>()
  const visit = (name: string) => {
    const file = files.get(name)
    if (file === undefined || seen.has(name)) return
    seen.add(name)
    for (const one of file.dependency) visit(one)
    ordered.add(file)
  }
  for (const name of files.keys()) visit(name)
  return [...ordered]
}
