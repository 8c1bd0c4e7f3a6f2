// Composition root: the Worker's handler, its Durable Objects and its entrypoints. No logic.

import { app } from './api/app.ts'
import type { Env } from './env.ts'

export { Gate } from '../durable/gate/gate.ts'
export { Metrics } from '../durable/metrics/metrics.ts'
export { Registry } from '../durable/registry/registry.ts'
export { Runner } from '../durable/runner/runner.ts'
export { Vault } from '../durable/vault/vault.ts'
export { TaskExecutor } from './tasks/executor.ts'

export default { fetch: app.fetch } satisfies ExportedHandler<Env>
