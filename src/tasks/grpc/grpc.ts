// The `grpc` task. All that needs the library of Protocol Buffers is loaded when the first task of the type comes.

import type { TaskPlugin } from '../plugin.ts'
import type { GrpcWith } from '../with/grpc-with.ts'

/** The plugin of `grpc` tasks. */
export const grpc: TaskPlugin<GrpcWith> = {
  type: 'grpc',
  async execute(call, surroundings) {
    const { callGrpc } = await import('./call.ts')
    return callGrpc(call, surroundings)
  },
  async check(config, at) {
    const { faultsOf } = await import('./check.ts')
    return { faults: await faultsOf(config, at), warnings: [] }
  },
}
