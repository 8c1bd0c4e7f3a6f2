// The Durable Objects, by what they keep, and their names. The tenant is the first part of every name, so no object serves two (R8).
// A stub that broke stays broken, so a call that is repeated needs a new one.

import type { Env } from './env.ts'

/** Where a Runner is. */
export interface Address {
  tenant: string
  shard: number
}

/** What a Gate is for. */
export interface GateAddress {
  tenant: string
  /** Origin of a host, or the name of a circuit. */
  target: string
}

/** The Runner of a shard. */
export function runnerOf(env: Pick<Env, 'RUNNER'>, tenant: string, shard: number) {
  return env.RUNNER.get(env.RUNNER.idFromName(`${tenant}:${shard}`))
}

/** @throws Error if the object was not reached by a name that `runnerOf` gives */
export function addressOfRunner(name: string | undefined): Address {
  const [tenant, shard] = (name ?? '').split(':')
  if (tenant === undefined || shard === undefined) throw new Error('a Runner is reached by its name, tenant:shard')
  return { tenant, shard: Number(shard) }
}

/** The Gate of a target. A made-up target would make an object, so a name that a client gives is looked up in the list first. */
export function gateOf(env: Pick<Env, 'GATE'>, tenant: string, target: string) {
  return env.GATE.get(env.GATE.idFromName(`${tenant}:host:${target}`))
}

/** @throws Error if the object was not reached by a name that `gateOf` gives */
export function addressOfGate(name: string | undefined): GateAddress {
  const [, tenant, target] = /^([^:]+):host:(.+)$/.exec(name ?? '') ?? []
  if (tenant === undefined || target === undefined) throw new Error('a Gate is reached by its name, tenant:host:target')
  return { tenant, target }
}

/** The Registry of a tenant. */
export function registryOf(env: Pick<Env, 'REGISTRY'>, tenant: string) {
  return env.REGISTRY.get(env.REGISTRY.idFromName(tenant))
}

/** The Metrics object of a tenant. */
export function metricsOf(env: Pick<Env, 'METRICS'>, tenant: string) {
  return env.METRICS.get(env.METRICS.idFromName(tenant))
}

/** The Vault of a tenant. */
export function vaultOf(env: Pick<Env, 'VAULT'>, tenant: string) {
  return env.VAULT.get(env.VAULT.idFromName(tenant))
}
