// What registration finds wrong with a `grpc` task: what its descriptors say of its service, method and message.

import { fromJson } from '@bufbuild/protobuf'
import type { Fault } from '../../workflow/codes.ts'
import { hasExpressions } from '../../workflow/expression/expression.ts'
import type { Json } from '../../workflow/json.ts'
import type { GrpcWith } from '../with/grpc-with.ts'
import { describeMisfit, methodIn, registryOf } from './descriptors.ts'

/** @param config of a definition: every field may still hold expressions, and is then looked at when the task starts */
export async function faultsOf(config: Partial<GrpcWith>, at: string): Promise<Fault[]> {
  const { descriptors, service = '', method = '', message = {} } = config
  // What only the server knows is not asked for here: a registration calls nobody.
  if (descriptors === undefined || hasExpressions([descriptors, service, method])) return []
  const registry = await registryOf(descriptors)
  if (typeof registry === 'string') return [{ path: `${at}/descriptors`, code: 'invalid_value', message: registry }]
  const found = methodIn(registry, { service, method })
  if ('field' in found) return [{ path: `${at}/${found.field}`, code: found.code, message: found.message }]
  if (hasExpressions(message)) return []
  const { input } = found.method
  try {
    fromJson(input, message as Json, { registry })
    return []
  } catch (error) {
    return [{ path: `${at}/message`, code: 'invalid_value', message: describeMisfit(error) }]
  }
}
