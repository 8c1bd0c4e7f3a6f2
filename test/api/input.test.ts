// Inputs against the schema of their workflow, as a client sees it.

import { describe, expect, test } from 'vitest'
import { aName, aWorkflow, post } from './client.ts'

const input_schema = {
  type: 'object',
  required: ['order'],
  additionalProperties: false,
  properties: { order: { type: 'integer' }, note: { type: 'string', pattern: '^[^<]*$' } },
}

describe('a start of a workflow with an input_schema', () => {
  test('runs with an input that fits', async () => {
    const workflow = await aWorkflow({ a: [] }, { input_schema })
    const { status, body } = await post('/v1/runs', { workflow, input: { order: 17, note: 'quick' } })
    expect([status, body.status]).toEqual([200, 'succeeded'])
  })

  test('is refused with every fault of its input, and nothing is recorded', async () => {
    const workflow = await aWorkflow({ a: [] }, { input_schema })
    const headers = { 'Idempotency-Key': `key-${workflow}` }
    const { status, body } = await post('/v1/runs', { workflow, input: { ordr: 1, note: '<b>' } }, headers)
    expect([status, body.code]).toEqual([422, 'invalid_input'])
    expect(body.errors).toEqual([
      { path: '/input/order', code: 'required', message: '"order" is missing' },
      {
        path: '/input/ordr',
        code: 'unknown_field',
        message: 'there is no field "ordr" here; did you mean "order"?',
      },
      { path: '/input/note', code: 'invalid_format', message: 'must match the pattern "^[^<]*$"' },
    ])
    // A refusal is not stored with the key: the mended start is the first.
    const mended = await post('/v1/runs', { workflow, input: { order: 1 } }, headers)
    expect([mended.status, mended.headers.get('Idempotent-Replayed')]).toEqual([200, null])
  })

  test('without an input is a start with null', async () => {
    const workflow = await aWorkflow({ a: [] }, { input_schema })
    const { body } = await post('/v1/run', { workflow })
    expect(body.errors).toEqual([{ path: '/input', code: 'invalid_type', message: 'must be an object, not null' }])
  })

  test('is judged by the version that it names', async () => {
    const workflow = await aWorkflow({ a: [] })
    const tasks = [{ id: 'a', type: 'http' }]
    expect((await post('/v1/workflows', { name: workflow, tasks, input_schema })).status).toBe(201)
    expect((await post('/v1/runs', { workflow: `${workflow}@1`, input: 5 })).status).toBe(200)
    expect((await post('/v1/runs', { workflow: `${workflow}@2`, input: 5 })).status).toBe(422)
  })
})

describe('a registration', () => {
  test('of a schema that refers to the network is refused, with its place', async () => {
    const { status, body } = await post('/v1/workflows', {
      name: aName(),
      tasks: [{ id: 'a', type: 'http' }],
      input_schema: { properties: { order: { $ref: 'https://schemas.example.com/order.json' } } },
    })
    expect([status, body.code]).toEqual([422, 'invalid_definition'])
    expect(body.errors).toMatchObject([{ path: '/input_schema/properties/order/$ref', code: 'remote_reference' }])
  })

  test('of an expression that misspells a field of the input is refused, with the nearest name', async () => {
    const { body } = await post('/v1/workflows', {
      name: aName(),
      tasks: [{ id: 'a', type: 'http', with: { url: 'https://upstream.test/${{ input.ordr }}' } }],
      input_schema,
    })
    expect(body.errors).toMatchObject([{ path: '/tasks/0/with/url', code: 'unknown_name' }])
    expect(body.errors[0].message).toContain('did you mean "order"?')
  })
})
