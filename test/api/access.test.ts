import { describe, expect, test } from 'vitest'
import { call, get, type Options, post } from './client.ts'

const CLOSED = { AUTH: 'required', ADMIN_KEY: 'k-123.~/+=' }
const withKey = (key: string, env: Options['env'] = CLOSED): Options => ({ env, headers: { Authorization: key } })
const OPEN = ['/healthz', '/health', '/readyz', '/openapi.json', '/docs', '/docs/errors']
const KEYED = ['/v1/workflows', '/v1/runs', '/metrics', '/v1/nothing', '/nothing', '/v1/limits']

describe('with AUTH required', () => {
  test.each(OPEN)('%s needs no key', async (path) => {
    expect((await get(path, { env: CLOSED })).status).toBe(200)
    expect((await call('HEAD', path, { env: CLOSED })).status).toBe(200)
  })

  test.each(KEYED)('%s needs a key, whether it is there or not', async (path) => {
    for (const method of ['GET', 'HEAD', 'POST', 'DELETE', 'PUT']) {
      const { status, headers, body } = await call(method, path, { env: CLOSED })
      expect([status, headers.get('WWW-Authenticate')]).toEqual([401, 'Bearer'])
      if (method !== 'HEAD') expect(body.code).toBe('unauthenticated')
    }
  })

  test('the key lets in, also where there is nothing', async () => {
    const key = withKey('Bearer k-123.~/+=')
    expect((await get('/v1/runs', key)).status).toBe(200)
    expect((await get('/nothing', key)).status).toBe(404)
    expect((await get('/v1/limits', key)).status).toBe(422)
    expect((await get('/v1/runs', withKey('bearer   k-123.~/+= '))).status).toBe(200)
  })

  test.each([
    'Bearer',
    'Bearer ',
    'k-123.~/+=',
    'Basic k-123.~/+=',
    'Bearer k-123.~/+= x',
    'Bearer k-123.~/+==',
    'Bearer K-123.~/+=',
    'Bearer k-123.~/+',
    'Bearer k',
    'Bearer é',
    'Bearer k-123.~/+=, Bearer k-123.~/+=',
  ])('%j does not let in', async (header) => {
    const refused = await get('/v1/runs', withKey(header))
    expect(refused).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
    expect(refused.headers.get('WWW-Authenticate')).toMatch(/^Bearer/)
    expect(refused.text).not.toContain('k-123')
  })

  test('a changed key holds at once', async () => {
    expect((await get('/v1/runs', withKey('Bearer old', { AUTH: 'required', ADMIN_KEY: 'old' }))).status).toBe(200)
    expect((await get('/v1/runs', withKey('Bearer old', { AUTH: 'required', ADMIN_KEY: 'new' }))).status).toBe(401)
    expect((await get('/v1/runs', withKey('Bearer new', { AUTH: 'required', ADMIN_KEY: 'new' }))).status).toBe(200)
  })

  test.each([undefined, ''])(
    'without a key configured (%j) nobody is let in, and the service is not ready',
    async (ADMIN_KEY) => {
      for (const AUTH of [undefined, '', 'required', 'None', 'off', 'false', 'none ']) {
        const env = { AUTH, ADMIN_KEY }
        for (const header of ['Bearer', 'Bearer undefined', 'Bearer x']) {
          expect(await get('/v1/runs', withKey(header, env))).toMatchObject({
            status: 503,
            body: { code: 'auth_not_configured' },
          })
        }
        const ready = await get('/readyz', { env })
        expect(ready).toMatchObject({ status: 503, body: { code: 'auth_not_configured' } })
        expect(ready.headers.get('Retry-After')).toBe('30')
        expect((await get('/healthz', { env })).status).toBe(200)
      }
    },
  )

  test('readyz says so', async () => {
    expect((await get('/readyz', { env: CLOSED })).body).toEqual({ auth: 'required' })
    expect((await get('/readyz')).body).toEqual({ auth: 'none' })
  })

  test('any host is served', async () => {
    const options = { ...withKey('Bearer k-123.~/+='), origin: 'https://orchestrator.example.com' }
    const { status, body } = await get('/v1/runs/x', options)
    expect([status, body.type]).toEqual([404, 'https://orchestrator.example.com/docs/errors#run_not_found'])
  })
})

describe('without authentication', () => {
  test.each([
    'http://localhost',
    'http://localhost:1',
    'https://127.0.0.1:8443',
    'http://[::1]:8080',
    'http://LOCALHOST',
  ])('%s is served', async (origin) => {
    expect((await get('/v1/runs', { origin })).status).toBe(200)
    expect((await get('/v1/runs', { headers: { Origin: origin } })).status).toBe(200)
  })

  test.each([
    'http://evil.test',
    'http://localhost.evil.test',
    'http://evil.test:8080',
    'http://127.0.0.1.evil.test',
    'http://127.0.0.2',
    'http://notlocalhost',
    'http://0.0.0.0',
    'http://192.168.1.5',
  ])('%s is not served, nor are its pages, on any path', async (origin) => {
    for (const path of ['/v1/runs', '/healthz', '/docs', '/nothing']) {
      for (const options of [{ origin }, { headers: { Origin: origin } }]) {
        expect(await get(path, options)).toMatchObject({ status: 403, body: { code: 'host_not_allowed' } })
      }
      expect((await call('OPTIONS', path, { headers: { Origin: origin } })).status).toBe(403)
    }
  })

  test('a page without an origin of its own is foreign', async () => {
    for (const origin of ['null', 'file://', 'localhost', 'http://localhost@evil.test']) {
      expect((await get('/v1/runs', { headers: { Origin: origin } })).status).toBe(403)
    }
  })

  test('a foreign page starts nothing', async () => {
    const refused = await post('/v1/run', { workflow: 'a' }, { Origin: 'https://evil.test' })
    expect(refused).toMatchObject({ status: 403, body: { code: 'host_not_allowed' } })
  })
})

describe('CORS', () => {
  const page = 'https://app.example.com'
  const listed = { CORS_ORIGINS: ` ${page} , https://other.example.com` }
  const preflight = { 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization' }

  test('is off unless origins are listed', async () => {
    for (const env of [{ ...CLOSED }, { ...CLOSED, CORS_ORIGINS: '' }, { ...CLOSED, CORS_ORIGINS: '*' }]) {
      const { status, headers } = await call('OPTIONS', '/v1/run', { env, headers: { Origin: page, ...preflight } })
      expect(status).toBe(204)
      expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
    }
  })

  test('a listed page may ask, call, and read what matters', async () => {
    const env = { ...CLOSED, ...listed }
    const asked = await call('OPTIONS', '/v1/run', { env, headers: { Origin: page, ...preflight } })
    expect(asked.status).toBe(204)
    expect(asked.headers.get('Access-Control-Allow-Origin')).toBe(page)
    expect(asked.headers.get('Access-Control-Allow-Methods')).toContain('POST')
    expect(asked.headers.get('Access-Control-Allow-Headers')).toContain('Authorization')
    expect(asked.headers.get('Vary')).toContain('Origin')
    const refused = await get('/v1/runs', { env, headers: { Origin: page } })
    expect([refused.status, refused.headers.get('Access-Control-Allow-Origin')]).toEqual([401, page])
    expect(refused.headers.get('Access-Control-Expose-Headers')).toContain('X-Request-Id')
  })

  test('a page that is not listed learns nothing, and caches are told that the origin matters', async () => {
    const env = { ...CLOSED, ...listed }
    const { headers } = await call('OPTIONS', '/v1/run', {
      env,
      headers: { Origin: 'https://evil.test', ...preflight },
    })
    expect([headers.get('Access-Control-Allow-Origin'), headers.get('Vary')]).toEqual([null, 'Origin'])
  })

  test('a listed page is not foreign without authentication; the host still has to be local', async () => {
    expect((await get('/v1/runs', { env: listed, headers: { Origin: page } })).status).toBe(200)
    expect((await get('/v1/runs', { env: listed, headers: { Origin: page }, origin: page })).status).toBe(403)
  })
})
