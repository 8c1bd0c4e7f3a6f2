// Every binding and variable of the Worker, typed. Types only.

import type { Gate } from '../durable/gate/gate.ts'
import type { Metrics } from '../durable/metrics/metrics.ts'
import type { Registry } from '../durable/registry/registry.ts'
import type { Runner } from '../durable/runner/runner.ts'
import type { Vault } from '../durable/vault/vault.ts'
import type { AiBinding } from './tasks/plugin.ts'

declare global {
  namespace Cloudflare {
    /** Types `ctx.exports`: the loopback bindings to the entrypoints that src/index.ts exports. */
    interface GlobalProps {
      mainModule: typeof import('./index.ts')
      durableNamespaces: 'Registry' | 'Runner' | 'Metrics' | 'Gate' | 'Vault'
    }
    interface Env {
      /** Workflows and versions, one object a tenant. */
      REGISTRY: DurableObjectNamespace<Registry>
      /** Runs, SHARDS objects a tenant. */
      RUNNER: DurableObjectNamespace<Runner>
      /** Sums of the Runners' counts, one object a tenant. */
      METRICS: DurableObjectNamespace<Metrics>
      /** Circuits and retry budgets, one object for each target that a tenant calls. */
      GATE: DurableObjectNamespace<Gate>
      /** Secrets, one object a tenant. */
      VAULT: DurableObjectNamespace<Vault>
      /** Secret: 32 bytes as base64, which secrets are encrypted with. Without it none can be kept. */
      SECRETS_KEY?: string
      /** Secret: the key before, as long as secrets are encrypted with it. */
      SECRETS_KEY_PREVIOUS?: string
      /** `required` (the default) or `none`; `none` is set by local scripts alone, never in wrangler.toml. */
      AUTH?: string
      /** Secret: the one key that is let in, as Bearer, until keys can be made. */
      ADMIN_KEY?: string
      /** Comma-separated `host`, `host:port` or CIDR that tasks may call although they are not public. */
      EGRESS_ALLOW?: string
      /** Workers AI, for tasks of type inference that ask for `binding: "AI"`. */
      AI?: AiBinding
      /** Comma-separated origins that browsers may call from; none by default. */
      CORS_ORIGINS?: string
    }
  }
}

/** The environment of the Worker, as handlers and objects get it. */
export type Env = Cloudflare.Env
