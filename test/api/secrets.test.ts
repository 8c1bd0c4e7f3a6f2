// Secrets as clients see them: every answer of the routes, and every place where a run that gets them could show them.

import { abortAllDurableObjects, listDurableObjectIds, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Vault } from '../../durable/vault/vault.ts'
import { fakeUpstream } from '../support/fake-upstream.ts'
import { type Answer, aName, call, fetchRaw, get, post } from './client.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

const put = (name: string, body: unknown) => call('PUT', `/v1/secrets/${name}`, { body })
const remove = (name: string) => call('DELETE', `/v1/secrets/${name}`)

let secrets = 0

/** Keeps a secret under a name of its own. */
async function aSecret(value: string): Promise<string> {
  const name = `SECRET_${++secrets}`
  expect((await put(name, { value })).status).toBe(201)
  return name
}

describe('the routes', () => {
  test('keep, replace, list and delete, and never give a value back', async () => {
    const kept = await put('API_KEY', { value: 'the first value' })
    expect(kept.status).toBe(201)
    expect(kept.headers.get('Location')).toBe('/v1/secrets/API_KEY')
    expect(kept.body).toMatchObject({ name: 'API_KEY', key: 'current', created_at: kept.body.updated_at })
    const replaced = await put('API_KEY', { value: 'the second value' })
    expect(replaced).toMatchObject({ status: 200, body: { created_at: kept.body.created_at } })
    const listed = await get('/v1/secrets')
    expect(listed.body.items).toEqual([replaced.body])
    for (const { text } of [kept, replaced, listed]) expect(text).not.toContain('value')
    expect(await call('GET', '/v1/secrets/API_KEY')).toMatchObject({ status: 405 })
    expect(await remove('API_KEY')).toMatchObject({ status: 204, text: '' })
    expect(await remove('API_KEY')).toMatchObject({ status: 404, body: { code: 'secret_not_found' } })
    expect((await get('/v1/secrets')).body).toEqual({ items: [], next_cursor: null })
  })

  test('list page by page', async () => {
    for (const name of ['P1', 'P2', 'P3']) await put(name, { value: 'some value' })
    const first = await get('/v1/secrets?limit=2')
    expect(first.body.items.map(({ name }: { name: string }) => name)).toEqual(['P1', 'P2'])
    const second = await get(`/v1/secrets?limit=2&cursor=${first.body.next_cursor}`)
    expect(second.body).toMatchObject({ items: [{ name: 'P3' }], next_cursor: null })
    expect(await get('/v1/secrets?cursor=x')).toMatchObject({ status: 400, body: { code: 'bad_cursor' } })
    for (const name of ['P1', 'P2', 'P3']) await remove(name)
  })

  test.each<[string, unknown, string, string]>([
    ['nothing', {}, '/value', 'required'],
    ['a number', { value: 12345678 }, '/value', 'invalid_type'],
    ['no object', ['hunter2'], '', 'invalid_type'],
    ['what could not be masked', { value: 'hunter2' }, '/value', 'out_of_bounds'],
    ['blanks', { value: `   a  ${' '.repeat(100)}` }, '/value', 'out_of_bounds'],
    ['more than 32 KiB', { value: 'é'.repeat(16 * 1024 + 1) }, '/value', 'out_of_bounds'],
    ['half a character', { value: 'hunter2hunter2\ud800' }, '/value', 'invalid_value'],
    ['a field that there is not', { value: 'hunter2hunter2', vaule: 'hunter2' }, '/vaule', 'unknown_field'],
  ])('refuse %s, and quote nothing of it', async (_, body, path, code) => {
    const { status, text, body: problem } = await put('REFUSED', body)
    expect([status, problem.code]).toEqual([422, 'invalid_request'])
    expect(problem.errors).toMatchObject([{ path, code }])
    expect(text).not.toContain('hunter2')
    expect(await remove('REFUSED')).toMatchObject({ status: 404 })
  })

  test('take a value of 32 KiB, however its JSON is written', async () => {
    const text = `{"value":"${'\\u0041'.repeat(32 * 1024)}"}`
    expect(await put('LARGE', text)).toMatchObject({ status: 201 })
    expect(await put('LARGE', `{"value":"${'x'.repeat(200 * 1024)}"}`)).toMatchObject({ status: 413 })
    expect(await put('LARGE', '{"value":"hunter2')).toMatchObject({ status: 400, body: { code: 'malformed_json' } })
    await remove('LARGE')
  })

  test('refuse a name and a value in one answer', async () => {
    const { status, text, body } = await put('a-b', { value: 'hunter2' })
    expect([status, body.code]).toEqual([400, 'invalid_parameter'])
    expect(body.detail).toMatch(/^The name of a secret is .*; \/value: must have at least 8/)
    expect(body.errors).toMatchObject([{ path: '/value', code: 'out_of_bounds' }])
    expect(text).not.toContain('hunter2')
  })

  test.each(['a-b', '1a', 'a%20b', 'a.b', 'é', 'a'.repeat(65)])('refuse the name %s', async (name) => {
    expect(await put(name, { value: 'some value' })).toMatchObject({ status: 400, body: { code: 'invalid_parameter' } })
    expect(await remove(name)).toMatchObject({ status: 404, body: { code: 'secret_not_found' } })
  })

  test('say how many there may be', async () => {
    const vault = env.VAULT.get(env.VAULT.idFromName('default'))
    await runInDurableObject(vault, (_, state) => {
      for (let i = 0; i < 200; i++) {
        const insert = "INSERT INTO secrets VALUES (?, 1, 'x', x'00', 0, 0, x'00')"
        state.storage.sql.exec(insert, `FULL_${i}`)
      }
    })
    expect(await put('ONE_MORE', { value: 'some value' })).toMatchObject({
      status: 409,
      body: { code: 'too_many_secrets' },
    })
    expect(await post('/v1/secrets/rotate')).toMatchObject({ body: { rotated: 0, unreadable: { length: 200 } } })
    await runInDurableObject(vault, (_, state) => void state.storage.sql.exec("DELETE FROM secrets WHERE key_id = 'x'"))
  })

  test('need a key of the deployment, and say so', async () => {
    const withKey = (key: string | undefined) =>
      runInDurableObject(env.VAULT.get(env.VAULT.idFromName('default')), (instance: Vault) => {
        Object.assign(instance, { env: { ...env, SECRETS_KEY: key } })
      })
    for (const key of [undefined, 'hunter2']) {
      await abortAllDurableObjects()
      await withKey(key)
      for (const answer of [
        await put('KEY', { value: 'some value' }),
        await get('/v1/secrets'),
        await remove('KEY'),
        await post('/v1/secrets/rotate'),
      ]) {
        expect(answer).toMatchObject({ status: 503, body: { code: 'secrets_not_configured' } })
        expect(answer.body.detail).toContain('SECRETS_KEY')
        expect(answer.text).not.toContain('hunter2')
      }
    }
    await abortAllDurableObjects()
    expect((await get('/v1/secrets')).status).toBe(200)
  })

  test('are there for whoever has a key of the service, and for pages that may call', async () => {
    const closed = { env: { AUTH: 'required', ADMIN_KEY: 'k' } }
    for (const [method, path] of [
      ['PUT', '/v1/secrets/A'],
      ['GET', '/v1/secrets'],
      ['DELETE', '/v1/secrets/A'],
      ['POST', '/v1/secrets/rotate'],
    ] as const) {
      expect(await call(method, path, closed)).toMatchObject({ status: 401 })
    }
    const { headers } = await call('OPTIONS', '/v1/secrets/A', {
      headers: { Origin: 'https://app.test', 'Access-Control-Request-Method': 'PUT' },
      env: { CORS_ORIGINS: 'https://app.test' },
    })
    expect(headers.get('Access-Control-Allow-Methods')).toBe('PUT, DELETE, OPTIONS')
  })
})

describe('a registration', () => {
  const naming = (...names: string[]) =>
    names.map((name, i) => ({
      id: `t${i}`,
      type: 'http',
      with: { url: 'https://upstream.test/', headers: { 'x-key': `a \${{ secrets.${name} }}` } },
    }))

  test('warns of secrets that are not there, place by place', async () => {
    const there = await aSecret('some value')
    const warned = await post('/v1/workflows', { name: aName(), tasks: naming('NOPE', there, 'NOPE') })
    expect(warned.status).toBe(201)
    expect(warned.body.warnings).toEqual(
      [0, 2].map((task) => ({
        path: `/tasks/${task}/with/headers/x-key`,
        code: 'missing_secret',
        message: 'there is no secret "NOPE" yet: until it is set the task fails with unknown_secret',
      })),
    )
    const dry = await call('POST', '/v1/workflows?dry_run=true', { body: { name: aName(), tasks: naming('NOPE') } })
    expect(dry.body.warnings).toMatchObject([{ code: 'missing_secret' }])
    const fine = await post('/v1/workflows', { name: aName(), tasks: naming(there) })
    expect(fine.body.warnings).toBeUndefined()
  })

  test('warns of a key of a model that is written out, which the definition shows', async () => {
    const name = await aSecret('some value')
    const ask = (api_key?: string) => ({
      type: 'inference',
      with: {
        base_url: 'https://upstream.test/v1',
        model: 'm',
        prompt: 'x',
        ...(api_key === undefined ? {} : { api_key }),
      },
    })
    const tasks = [
      { id: 'a', ...ask('sk-written-out') },
      { id: 'b', ...ask(`\${{ secrets.${name} }}`) },
      { id: 'c', ...ask() },
      { id: 'd', type: 'map', with: { items: [1], task: ask('sk-written-out-too') } },
    ]
    const { status, body } = await post('/v1/workflows', { name: aName(), tasks })
    expect(status).toBe(201)
    const message = 'is a key that whoever reads the definition sees; set a secret and write ${{ secrets.NAME }}'
    expect(body.warnings).toEqual(
      [0, 3].map((task) => ({
        path: `/tasks/${task}/with/${task === 3 ? 'task/with/' : ''}api_key`,
        code: 'literal_key',
        message,
      })),
    )
  })

  test('refuses what would be done with a secret outside of the executor', async () => {
    const { status, body } = await post('/v1/workflows', {
      name: aName(),
      tasks: [{ id: 'a', type: 'transform', with: { value: '${{ secrets.KEY }}' } }],
      output: '${{ secrets.KEY }}',
    })
    expect(status).toBe(422)
    expect(body.errors).toMatchObject([
      { path: '/tasks/0/with/value', code: 'secret_misplaced' },
      { path: '/output', code: 'secret_misplaced' },
    ])
  })
})

/** Registers tasks and runs them to the end. */
async function ran(tasks: object[], input: object = {}, rest: object = {}): Promise<Answer['body']> {
  const workflow = aName()
  const registered = await post('/v1/workflows', { name: workflow, tasks, timeout: '20s', ...rest })
  expect(registered.body.errors).toBeUndefined()
  const { body } = await post('/v1/runs', { workflow, input }, { Prefer: 'wait=20' })
  return body
}

describe('a call', () => {
  test('gets the values, and no one else does', async () => {
    const [key, other] = [await aSecret('k3y-of-the-api'), await aSecret('second secret')]
    const upstream = fakeUpstream(() => Response.json({ fine: true }))
    const run = await ran(
      [
        {
          id: 'a',
          type: 'http',
          with: {
            url: `https://upstream.test/\${{ secrets.${key} }}/\${{ input.id }}`,
            query: { key: [`\${{ secrets.${key} }}`] },
            headers: {
              authorization: `Bearer \${{ secrets.${key} }}`,
              'x-pair': `\${{secrets.${key}}}:\${{secrets.${other}}}`,
            },
            json: { deep: [`\${{ secrets.${other} }}`], plain: 1 },
          },
        },
      ],
      { id: 7 },
    )
    expect(run).toMatchObject({ status: 'succeeded', output: { a: { status: 200, body: { fine: true } } } })
    const [{ url, headers, body }] = upstream.requests as [(typeof upstream.requests)[number]]
    expect(url).toBe('https://upstream.test/k3y-of-the-api/7?key=k3y-of-the-api')
    expect(headers.get('authorization')).toBe('Bearer k3y-of-the-api')
    expect(headers.get('x-pair')).toBe('k3y-of-the-api:second secret')
    expect(JSON.parse(body)).toEqual({ deep: ['second secret'], plain: 1 })
  })

  test('is made with what was set last, and with nothing that was deleted', async () => {
    const name = await aSecret('the first value')
    const upstream = fakeUpstream((request) => Response.json(request.headers.get('x-key')))
    const tasks = [
      {
        id: 'a',
        type: 'http',
        with: { url: 'https://upstream.test/', headers: { 'x-key': `\${{ secrets.${name} }}` } },
      },
    ]
    expect(await ran(tasks)).toMatchObject({ output: { a: { body: '***' } } })
    expect((await put(name, { value: 'the second value' })).status).toBe(200)
    expect(await ran(tasks)).toMatchObject({ output: { a: { body: '***' } } })
    expect((await remove(name)).status).toBe(204)
    const failed = await ran(tasks)
    expect(failed).toMatchObject({
      status: 'failed',
      error: { code: 'unknown_secret', message: `There is no secret ${name}`, task_id: 'a', retryable: false },
    })
    expect(upstream.requests.map(({ headers }) => headers.get('x-key'))).toEqual([
      'the first value',
      'the second value',
    ])
  })

  test('cannot be talked into a secret by data that looks like one', async () => {
    const name = await aSecret('some secret')
    const upstream = fakeUpstream(() => Response.json({}))
    const texts = [`\${{ secrets.${name} }}`, `{secret::${name}}`, `{secret:x:${name}}`, `{secret:.*:${name}}`]
    const run = await ran(
      [
        { id: 'before', type: 'transform', with: { value: '${{ input.texts }}' } },
        {
          id: 'a',
          type: 'http',
          depends_on: ['before'],
          with: {
            url: 'https://upstream.test/',
            headers: { 'x-key': `\${{ secrets.${name} }}` },
            json: ['${{ input.texts }}', '${{ tasks.before.output }}'],
          },
        },
      ],
      { texts },
    )
    expect(run.status).toBe('succeeded')
    expect(JSON.parse(upstream.requests[0]!.body)).toEqual([texts, texts])
  })

  test('that is only tried gets them too, and hides them', async () => {
    const name = await aSecret('some secret')
    const upstream = fakeUpstream((request) => Response.json(request.headers.get('x-key')))
    const config = { url: 'https://upstream.test/', headers: { 'x-key': `\${{ secrets.${name} }}` } }
    const { body } = await post('/v1/task-types/http/try', { with: config })
    expect(body).toMatchObject({ status: 'succeeded', output: { body: '***' } })
    expect(upstream.requests[0]!.headers.get('x-key')).toBe('some secret')
    const unknown = await post('/v1/task-types/http/try', { with: { ...config, body: '${{ secrets.NOPE }}' } })
    expect(unknown.body).toMatchObject({ status: 'failed', error: { code: 'unknown_secret' } })
    const pure = await post('/v1/task-types/transform/try', { with: { value: '${{ secrets.NOPE }}' } })
    expect(pure.body.errors).toMatchObject([{ path: '/with/value', code: 'secret_misplaced' }])
  })

  test('of each item of a map, and a script, gets them too', async () => {
    const name = await aSecret('some secret')
    const upstream = fakeUpstream(() => Response.json({}))
    const code = 'export default ({ input }) => input.key.length * 100 + input.n'
    const run = await ran([
      {
        id: 'calls',
        type: 'map',
        with: {
          items: [1, 2],
          task: {
            type: 'http',
            with: { url: 'https://upstream.test/', json: [`\${{ secrets.${name} }}`, '${{ item }}'] },
          },
        },
      },
      {
        id: 'scripts',
        type: 'map',
        with: {
          items: [3, 4],
          task: { type: 'javascript', with: { code, input: { key: `\${{ secrets.${name} }}`, n: '${{ item }}' } } },
        },
      },
    ])
    expect(run).toMatchObject({ status: 'succeeded', output: { scripts: [1103, 1104] } })
    expect(upstream.requests.map(({ body }) => body).sort()).toEqual(['["some secret",1]', '["some secret",2]'])
  })

  test('fails by a code of its own when the key that opens its secrets is gone', async () => {
    const name = await aSecret('some secret')
    const vault = env.VAULT.get(env.VAULT.idFromName('default'))
    await runInDurableObject(vault, (_, state) => {
      state.storage.sql.exec("UPDATE secrets SET key_id = '0123456789abcdef' WHERE name = ?", name)
    })
    const tasks = [{ id: 'a', type: 'http', with: { url: 'https://upstream.test/', body: `\${{ secrets.${name} }}` } }]
    const failed = await ran(tasks)
    expect(failed.error).toMatchObject({ code: 'secret_unreadable', retryable: false })
    expect(failed.error.message).toContain(name)
  })

  test('fails before it is made when its secrets are more than what can be masked', async () => {
    const upstream = fakeUpstream(() => new Response('ok'))
    const names = await Promise.all(Array.from({ length: 5 }, (_, i) => aSecret(String(i).repeat(32 * 1024))))
    const json = (some: string[]) => some.map((name) => `\${{ secrets.${name} }}`)
    const tasks = (some: string[]) => [
      { id: 'a', type: 'http', with: { url: 'https://upstream.test/', json: json(some) } },
    ]
    expect((await ran(tasks(names))).error).toMatchObject({ code: 'secrets_too_large', retryable: false })
    expect(upstream.requests).toEqual([])
    expect(await ran(tasks(names.slice(1)))).toMatchObject({ status: 'succeeded' })
  })

  test('takes no header with a secret to the next page, if that is of another origin', async () => {
    const name = await aSecret('some secret')
    const pages: Record<string, string | null> = {
      'https://upstream.test:8303/1': '/2',
      'https://upstream.test:8303/2': 'https://upstream.test:8304/3',
      'https://upstream.test:8304/3': null,
    }
    const upstream = fakeUpstream((request) => Response.json({ next: pages[request.url]! }))
    const headers = { 'x-key': `\${{ secrets.${name} }}` }
    const paginate = { next: 'response.body.next', limit: 5 }
    const config = { url: 'https://upstream.test:8303/1', headers, paginate }
    const run = await ran([{ id: 'a', type: 'http', with: config }])
    expect(run).toMatchObject({ status: 'succeeded', output: { a: { pages: 3 } } })
    const keys = upstream.requests.map(({ headers: sent }) => sent.get('x-key'))
    expect(keys).toEqual(['some secret', 'some secret', null])
  })

  describe('that is redirected', () => {
    const here = 'https://upstream.test:8301'
    const elsewhere = 'https://upstream.test:8302'

    async function redirectedTo(target: string, config: (secret: string) => object, value = 'some secret') {
      const name = await aSecret(value)
      const upstream = fakeUpstream((request) =>
        request.url.endsWith('/from')
          ? new Response(null, { status: 307, headers: { location: target } })
          : Response.json({}),
      )
      const tasks = [{ id: 'a', type: 'http', with: { url: `${here}/from`, ...config(`\${{ secrets.${name} }}`) } }]
      return { run: await ran(tasks), requests: upstream.requests }
    }

    test('takes no header with a secret to another origin', async () => {
      const config = (secret: string) => ({ headers: { 'x-key': `k ${secret}`, 'x-plain': 'plain' }, json: [1] })
      const { run, requests } = await redirectedTo(`${elsewhere}/to`, config)
      expect(run.status).toBe('succeeded')
      expect(requests.map(({ url }) => url)).toEqual([`${here}/from`, `${elsewhere}/to`])
      expect(requests.map(({ headers }) => headers.get('x-key'))).toEqual(['k some secret', null])
      expect(requests.map(({ headers }) => headers.get('x-plain'))).toEqual(['plain', 'plain'])
      expect(requests[1]!.body).toBe('[1]')
    })

    test.each([
      ['json', (secret: string) => ({ json: { key: secret } })],
      ['form', (secret: string) => ({ form: { key: secret } })],
      ['body', (secret: string) => ({ body: `key ${secret}` })],
      ['multipart', (secret: string) => ({ multipart: [{ name: 'key', text: secret }] })],
    ])('takes no %s with a secret to another origin: it fails', async (_, config) => {
      const { run, requests } = await redirectedTo(`${elsewhere}/to`, config)
      expect(run.error).toMatchObject({ code: 'egress_denied', retryable: false })
      expect(run.error.message).toBe(
        'POST upstream.test:8302/to was not sent: its body holds a secret, which is for the host that the task names',
      )
      expect(requests).toHaveLength(1)
    })

    test('takes no part that is a secret decoded to another origin', async () => {
      const config = (secret: string) => ({ multipart: [{ name: 'key', base64: secret }] })
      const { run, requests } = await redirectedTo(`${elsewhere}/to`, config, btoa('binary key of theirs'))
      expect(run.error).toMatchObject({ code: 'egress_denied' })
      expect(requests).toHaveLength(1)
    })

    test('within its origin goes on as it was', async () => {
      const { run, requests } = await redirectedTo('/to', (secret) => ({
        headers: { 'x-key': secret },
        json: [secret],
      }))
      expect(run.status).toBe('succeeded')
      expect(requests.map(({ headers }) => headers.get('x-key'))).toEqual(['some secret', 'some secret'])
      expect(requests[1]!.body).toBe('["some secret"]')
    })
  })

  test('is held back by the circuit of its host as any other', async () => {
    const name = await aSecret('some secret')
    fakeUpstream(() => new Response('', { status: 500 }))
    const workflow = aName()
    const config = { url: `https://upstream.test:8201/\${{ secrets.${name} }}` }
    await post('/v1/workflows', { name: workflow, timeout: '1h', tasks: [{ id: 'a', type: 'http', with: config }] })
    await vi.waitFor(async () => {
      const { body } = await post('/v1/run', { workflow }, { Prefer: 'wait=1' })
      expect(body.tasks[0]).toMatchObject({ status: 'waiting', waiting: { for: 'circuit' } })
    }, 10_000)
    expect((await get('/v1/circuits')).text).toContain('"https://upstream.test:8201"')
  })

  test('to a host that is a secret tells nobody the host: it has no circuit', async () => {
    const name = await aSecret('https://upstream.test:8443/hooks/T0/B0')
    fakeUpstream(() => new Response('gone', { status: 500 }))
    const before = (await listDurableObjectIds(env.GATE)).length
    const run = await ran([{ id: 'a', type: 'http', with: { url: `\${{ secrets.${name} }}` } }])
    expect(run.error).toEqual({
      code: 'http_500',
      message: 'POST *** answered 500: gone'.replace('POST', 'GET'),
      task_id: 'a',
      retryable: true,
    })
    expect(await listDurableObjectIds(env.GATE)).toHaveLength(before)
  })
})

/** Forms of a secret that nothing may show. */
function formsOf(secret: string): string[] {
  const bytes = new TextEncoder().encode(secret)
  const base64 = (prefix: string) => btoa(prefix + String.fromCharCode(...bytes)).slice(4, -4)
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    JSON.stringify(JSON.stringify(secret).slice(1, -1)).slice(1, -1),
    encodeURIComponent(secret),
    new URLSearchParams({ secret }).toString().slice('secret='.length),
    ...['', 'a', 'ab'].map(base64),
    ...['', 'a', 'ab'].map((prefix) => base64(prefix).replaceAll('+', '-').replaceAll('/', '_')),
    [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(''),
    // Part of it, as where a message was cut off.
    secret.slice(0, 9),
    secret.slice(-9),
  ]
}

/** Every answer about a run, and about all else that could know something of it, by what was asked. */
async function everyAnswer({ id, workflow, tasks }: Answer['body']): Promise<Map<string, string>> {
  const texts = new Map<string, string>()
  const paths = [
    ...['', '/tasks', '/history?limit=200', '/events', '/explain', '/graph'].map((rest) => `/v1/runs/${id}${rest}`),
    ...tasks.flatMap((task: { id: string }) =>
      ['', '/output', '/items'].map((rest) => `/v1/runs/${id}/tasks/${task.id}${rest}`),
    ),
    `/v1/runs/${id}?at=9`,
    '/v1/runs',
    `/v1/workflows/${workflow}`,
    `/v1/workflows/${workflow}/versions/1/graph`,
    '/v1/circuits',
    '/v1/secrets',
    '/metrics',
    '/readyz',
    '/openapi.json',
  ]
  for (const path of paths) texts.set(path, (await get(path)).text)
  const stream = await fetchRaw('GET', `/v1/runs/${id}/history`, { headers: { Accept: 'text/event-stream' } })
  texts.set('the stream', await stream.text())
  return texts
}

/** Every row of every object that there is, by object and table. */
async function everyRow(): Promise<Map<string, string>> {
  const texts = new Map<string, string>()
  const decoder = new TextDecoder('latin1')
  for (const [kind, namespace] of Object.entries({
    registry: env.REGISTRY,
    runner: env.RUNNER,
    metrics: env.METRICS,
    gate: env.GATE,
    vault: env.VAULT,
  })) {
    for (const id of await listDurableObjectIds(namespace as unknown as DurableObjectNamespace)) {
      const stub = (namespace as unknown as DurableObjectNamespace).get(id)
      await runInDurableObject(stub, (_, { storage: { sql } }) => {
        const tables = sql
          .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '_cf_%'")
          .toArray()
        for (const { name } of tables) {
          const rows = sql.exec(`SELECT * FROM "${name}"`).toArray()
          const text = rows
            .flatMap((row) => Object.values(row))
            .map((cell) => (cell instanceof ArrayBuffer ? decoder.decode(cell) : String(cell)))
            .join('\n')
          texts.set(`${kind} ${id} ${name}`, text)
        }
      })
    }
  }
  return texts
}

/** Where an answer, a row or the Worker's own log shows any form of a secret. */
async function placesOf(run: Answer['body'], secret: string, logs: () => string): Promise<string[]> {
  const texts = new Map([...(await everyAnswer(run)), ...(await everyRow())])
  texts.set('the log', logs())
  expect(texts.size).toBeGreaterThan(25)
  return [...texts].flatMap(([place, text]) =>
    formsOf(secret)
      .filter((form) => text.includes(form))
      .map((form) => `${place}: ${form}`),
  )
}

/** What the Worker logs during a test. */
function log(): () => string {
  const lines: unknown[] = []
  for (const level of ['log', 'info', 'warn', 'error', 'debug'] as const) {
    vi.spyOn(console, level).mockImplementation((...args) => void lines.push(args))
  }
  return () => JSON.stringify(lines)
}

describe('a run that tries to give its secret away does not', () => {
  const SECRET = 'S3cr3t-key/+"quoted" & wörd\\~the-end-of-it'
  const base64 = (text: string) => btoa(String.fromCharCode(...new TextEncoder().encode(text)))
  const withSecret = (name: string, rest: object = {}) => ({
    url: `https://upstream.test/hooks/\${{ secrets.${name} }}?key=\${{ secrets.${name} }}`,
    json: { key: `\${{ secrets.${name} }}` },
    ...rest,
  })

  const ECHOES: [string, (secret: string) => Response, string][] = [
    ['whole', (secret) => Response.json({ secret, [secret]: [secret] }), 'succeeded'],
    ['as text', (secret) => new Response(`you sent ${secret}.`), 'succeeded'],
    ['as base64', (secret) => Response.json({ got: base64(`user:${secret}`), url: base64(secret) }), 'succeeded'],
    ['as bytes', (secret) => new Response(secret, { headers: { 'content-type': 'image/png' } }), 'succeeded'],
    [
      'in headers',
      (secret) =>
        new Response('', {
          headers: [
            ['x-echo', encodeURIComponent(secret)],
            ['set-cookie', `k=${base64(secret)}; Path=/`],
            ['set-cookie', `l=${encodeURIComponent(secret)}`],
          ],
        }),
      'succeeded',
    ],
    ['in JSON in JSON', (secret) => Response.json({ text: JSON.stringify({ secret }) }), 'succeeded'],
    ['in a refusal', (secret) => new Response(`no key ${secret} here`, { status: 403 }), 'failed'],
    ['cut off in a refusal', (secret) => new Response(`${'x'.repeat(185)} ${secret}`, { status: 500 }), 'failed'],
    [
      'blanks around it in a refusal',
      (secret) => new Response(`${' '.repeat(995)}${secret}`, { status: 500 }),
      'failed',
    ],
    [
      'as base64 in a refusal',
      (secret) => new Response(`${'x'.repeat(180)} ${base64(secret)}`, { status: 400 }),
      'failed',
    ],
    [
      'in an answer that is no JSON',
      (secret) => new Response(`{"a": "${secret}`, { headers: { 'content-type': 'application/json' } }),
      'failed',
    ],
    [
      'in a redirect',
      (secret) => new Response(null, { status: 307, headers: { location: `ftp://x/${encodeURIComponent(secret)}` } }),
      'failed',
    ],
  ]

  test.each(ECHOES)('a server that echoes it %s', async (_, answer, status) => {
    const logs = log()
    const name = await aSecret(SECRET)
    const upstream = fakeUpstream(() => answer(SECRET))
    const run = await ran([{ id: 'call', type: 'http', with: withSecret(name) }])
    expect(run.status).toBe(status)
    expect(JSON.parse(upstream.requests[0]!.body)).toEqual({ key: SECRET })
    expect(await placesOf(run, SECRET, logs)).toEqual([])
  })

  test('a server that cannot be reached, or breaks the plugin', async () => {
    const logs = log()
    const name = await aSecret(SECRET)
    fakeUpstream((_, number) => {
      if (number === 1) throw new TypeError(`no route to ${SECRET}`)
      return {
        get headers(): Headers {
          throw new Error(SECRET)
        },
      } as Response
    })
    const call = { type: 'http', with: withSecret(name) }
    const run = await ran([
      { id: 'one', ...call },
      { id: 'two', ...call, depends_on: ['one'], trigger_rule: 'all_done' },
    ])
    expect(run.tasks.map((task: { error: { code: string } }) => task.error.code)).toEqual([
      'http_network',
      'executor_error',
    ])
    expect(await placesOf(run, SECRET, logs)).toEqual([])
  })

  test('a configuration that its type refuses once it is filled in', async () => {
    const logs = log()
    const name = await aSecret(SECRET)
    const headers = { 'x-key': `\${{ secrets.${name} }}` }
    const run = await ran([
      {
        id: 'call',
        type: 'http',
        with: { url: `\${{ secrets.${name} }}`, headers, method: `\${{ secrets.${name} }}` },
      },
    ])
    expect(run.error.code).toBe('invalid_with')
    expect(await placesOf(run, SECRET, logs)).toEqual([])
  })

  test('what it gave, handed on to other tasks, children, items and the output of the run', async () => {
    const logs = log()
    const name = await aSecret(SECRET)
    fakeUpstream(async (request) => new Response(await request.text()))
    const child = aName()
    const value = '${{ input }}'
    await post('/v1/workflows', { name: child, tasks: [{ id: 'a', type: 'transform', with: { value } }] })
    const got = '${{ tasks.call.output.body }}'
    const following = (task: object) => ({ depends_on: ['call'], ...task })
    const run = await ran(
      [
        { id: 'call', type: 'http', with: withSecret(name) },
        following({ id: 'kept', type: 'transform', with: { value: { got } } }),
        following({ id: 'child', type: 'workflow', with: { workflow: child, input: got } }),
        following({
          id: 'each',
          type: 'map',
          with: { items: [got], task: { type: 'transform', with: { value: '${{ item }}' } } },
        }),
        following({ id: 'sent', type: 'http', with: { url: 'https://upstream.test/', body: got } }),
      ],
      {},
      { output: got },
    )
    expect(run).toMatchObject({ status: 'succeeded', output: '{"key":"***"}' })
    expect(await placesOf(run, SECRET, logs)).toEqual([])
  })

  const SCRIPTS: [string, 'javascript' | 'python', string][] = [
    [
      'returns it',
      'javascript',
      'export default ({ input: { key } }) => ({ [key]: [key, JSON.stringify(key), encodeURIComponent(key)] })',
    ],
    [
      'prints it',
      'javascript',
      'export default ({ input }) => { console.log(input, input.key); console.error("x".repeat(8180) + input.key) }',
    ],
    ['throws it', 'javascript', 'export default ({ input }) => { throw new Error("x".repeat(300) + input.key) }'],
    ['throws it bare', 'javascript', 'export default ({ input }) => { throw input }'],
    ['returns what is no JSON', 'javascript', 'export default ({ input }) => ({ [input.key]: () => 1 })'],
    [
      'returns it',
      'python',
      'def main(input):\n  k = input["key"]\n  return {k: [k, repr(k), k.encode().hex() if hasattr(bytes, "hex") else k]}',
    ],
    ['prints it', 'python', 'def main(input):\n  print(input)\n  print("x" * 8180 + input["key"])'],
    ['raises it', 'python', 'def main(input):\n  raise ValueError("x" * 300 + input["key"])'],
    ['stumbles over it', 'python', 'def main(input):\n  return {}[input["key"]]'],
  ]

  test.each(SCRIPTS)('a script that %s (%s)', async (_, type, code) => {
    const logs = log()
    const name = await aSecret(SECRET)
    const config = { code, input: { key: `\${{ secrets.${name} }}` } }
    const run = await ran([{ id: 'script', type, with: config }])
    expect(['succeeded', 'failed']).toContain(run.status)
    expect(JSON.stringify(run)).toMatch(/\*\*\*|script_result|no Error/)
    expect(await placesOf(run, SECRET, logs)).toEqual([])
  })

  test('and the search finds what is there: a secret that was sent as input', async () => {
    const logs = log()
    const run = await ran([{ id: 'a', type: 'transform', with: { value: '${{ input.key }}' } }], { key: SECRET })
    const places = (await placesOf(run, SECRET, logs)).join('\n')
    expect(places).toContain(`/v1/runs/${run.id}: `)
    expect(places).toContain('the stream: ')
    expect(places).toMatch(/^runner \w+ runs: /m)
  })
})
