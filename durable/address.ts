// Which Runner this is: tenant and shard are in the object's name (R8).

export interface Address {
  tenant: string
  shard: number
}

/** @throws Error if the object was not reached by a name of the form `tenant:shard` */
export function addressOf(name: string | undefined): Address {
  const [tenant, shard] = (name ?? '').split(':')
  if (tenant === undefined || shard === undefined) throw new Error('a Runner is reached by its name, tenant:shard')
  return { tenant, shard: Number(shard) }
}

/** What the ids of a shard's runs begin with. */
export function runPrefix(shard: number): string {
  return `run_${shard.toString(16).padStart(2, '0')}`
}
