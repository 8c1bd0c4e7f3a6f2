// The names of objects: with another name all that an object keeps would be lost, so they are written out here.

import { env } from 'cloudflare:workers'
import { expect, test } from 'vitest'
import { addressOfGate, addressOfRunner, gateOf, metricsOf, registryOf, runnerOf, vaultOf } from '../../src/objects.ts'

test('every object has the tenant as the first part of its name', () => {
  const objects = {
    runner: runnerOf(env, 'acme', 15),
    gate: gateOf(env, 'acme', 'https://api.example.com:8443'),
    registry: registryOf(env, 'acme'),
    metrics: metricsOf(env, 'acme'),
    vault: vaultOf(env, 'acme'),
  }
  const names = Object.entries(objects).map(([object, { id }]) => [object, id.name])
  expect(Object.fromEntries(names)).toEqual({
    runner: 'acme:15',
    gate: 'acme:host:https://api.example.com:8443',
    registry: 'acme',
    metrics: 'acme',
    vault: 'acme',
  })
})

test('an object knows by its name what it is for', () => {
  expect(addressOfRunner(runnerOf(env, 'acme', 15).id.name)).toEqual({ tenant: 'acme', shard: 15 })
  const target = 'https://api.example.com:8443'
  expect(addressOfGate(gateOf(env, 'acme', target).id.name)).toEqual({ tenant: 'acme', target })
})

test('one that was made without such a name is of no use', () => {
  for (const name of [undefined, '', 'acme']) {
    expect(() => addressOfRunner(name)).toThrow('tenant:shard')
    expect(() => addressOfGate(name)).toThrow('tenant:host:target')
  }
})
