// What registration finds wrong with a `grpc` task: what its descriptors say of its service, method and message.

import { fromJson } from '@bufbuild/protobuf'
import type { Fault } from '../../workflow/codes.ts'
import { hasExpressions } from '../../workflow/expression.ts'
import type { Json } from '../../workflow/json.ts'
import type { GrpcWith } from '../grpc-with.ts'
import { methodOf, unfit } from './descriptors.ts'

/** @param config of a definition: every field may still hold expressions, and is then looked at when the task starts */
export async function faultsOf(config: Partial<GrpcWith>, at: string): Promise<Fault[]> {
  const { descriptors = '', service = '', method = '', message = {} } = config
  if (hasExpressions([descriptors, service, method])) return []
  const found = await methodOf({ descriptors, service, method })
  if ('field' in found) return [{ path: `${at}/${found.field}`, code: found.code, message: found.message }]
  if (hasExpressions(message)) return []
  const { input } = found.method
  try {
    fromJson(input, message as Json, { registry: found.registry })
    return []
  } catch (error) {
    return [{ path: `${at}/message`, code: 'invalid_value', message: unfit(error) }]
  }
}
