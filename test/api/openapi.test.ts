import { describe, expect, test } from 'vitest'
import { app, routes } from '../../src/api/app.ts'
import { problemsOf } from '../../src/api/http/route.ts'
import { CODES } from '../../src/workflow/codes.ts'
import { aWorkflow, call, get, post } from './client.ts'

// biome-ignore lint/suspicious/noExplicitAny: a document, looked at from outside
const document: any = (await get('/openapi.json')).body
// biome-ignore lint/suspicious/noExplicitAny: the same
const operations: { method: string; path: string; operation: any }[] = Object.entries<any>(document.paths).flatMap(
  ([path, members]) =>
    Object.entries(members).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
)

describe('the OpenAPI document', () => {
  test('describes every route that is mounted, and no other', () => {
    const mounted = app.routes.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
    expect(operations.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(mounted.sort())
  })

  test('is OpenAPI 3.1, every reference of which leads somewhere', () => {
    expect(document.openapi).toBe('3.1.0')
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference!)
    expect(references.length).toBeGreaterThan(20)
    for (const reference of references) {
      const found = reference
        .slice(2)
        .split('/')
        .reduce((value, step) => value?.[step], document)
      expect(found, reference).toBeDefined()
    }
  })

  test('names each operation once, and every part of its path', () => {
    const ids = operations.map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const { path, operation } of operations) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const described = (operation.parameters ?? []).filter((parameter: { in: string }) => parameter.in === 'path')
      expect(described.map(({ name }: { name: string }) => name)).toEqual(named)
    }
  })

  test('lists, for every operation, the problems that it can give, with an example each', () => {
    for (const { method, path, operation } of operations) {
      const route = routes.find((candidate) => candidate.method === method && candidate.path === path)!
      const listed = Object.entries<{ content?: Record<string, { examples?: object }> }>(operation.responses).flatMap(
        ([status, { content }]) =>
          Object.keys(content?.['application/problem+json']?.examples ?? {}).map((code) => `${status} ${code}`),
      )
      const given = [...problemsOf(route)].map((code) => `${CODES[code].status} ${code}`)
      expect(listed.sort()).toEqual(given.sort())
    }
  })

  test('says where a body may be left out, and what that means', () => {
    const optional = operations.filter(({ operation }) => operation.requestBody?.required === false)
    expect(optional.map(({ path, operation }) => `${path}: ${operation.requestBody.description}`).sort()).toEqual([
      '/v1/callbacks/{token}: Without a body it is `null`.',
      '/v1/runs/{id}/events/{signal}: Without a body it is `null`.',
      '/v1/runs/{id}/retry: Without a body it is `{}`.',
      '/v1/runs/{id}/signals/{signal}: Without a body it is `null`.',
    ])
    expect(document.components.schemas.RetryRun).toMatchObject({ properties: { from: { default: 'failed' } } })
    expect(document.components.schemas.RetryRun.required).toBeUndefined()
  })

  test('says which operations need a key', () => {
    expect(document.components.securitySchemes).toEqual({ bearer: { type: 'http', scheme: 'bearer' } })
    expect(document.security).toEqual([{ bearer: [] }])
    const open = operations.filter(({ operation }) => operation.security?.length === 0).map(({ path }) => path)
    // What a task that waits has given somebody is the key to that task.
    const byLink = ['/v1/callbacks/{token}', '/v1/callbacks/{token}']
    expect(open.sort()).toEqual(['/docs', '/docs/errors', '/health', '/healthz', '/openapi.json', '/readyz', ...byLink])
  })

  test('shows what is sent with examples that the service takes', async () => {
    const exampleOf = (name: string) => document.components.schemas[name].examples[0]
    const { status } = await post('/v1/workflows', exampleOf('WorkflowDefinition'))
    expect(status).toBe(201)
    expect((await post('/v1/run', exampleOf('StartRun'), { Prefer: 'respond-async' })).status).toBe(202)
  })

  test('closes what is sent, so that a client finds a misspelt field, and leaves answers open for new ones', () => {
    const { schemas } = document.components
    expect(schemas.StartRun.additionalProperties).toBe(false)
    expect(schemas.WorkflowDefinition.additionalProperties).toBe(false)
    expect(schemas.Run.additionalProperties).toBeUndefined()
    expect(schemas.HttpWith.properties.url).toBeDefined()
  })

  test('names the headers of every answer', () => {
    const headersOf = (method: string, path: string, status: number) =>
      Object.keys(document.paths[path][method].responses[status].headers ?? {})
    for (const { method, path, operation } of operations) {
      for (const [status, { headers }] of Object.entries<{ headers: object }>(operation.responses)) {
        expect(Object.keys(headers ?? {}), `${method} ${path} ${status}`).toContain('X-Request-Id')
        expect('WWW-Authenticate' in headers, `${method} ${path} ${status}`).toBe(status === '401')
      }
    }
    expect(headersOf('get', '/readyz', 503)).toContain('Retry-After')
    expect(headersOf('post', '/v1/runs/bulk', 429)).toContain('Retry-After')
    for (const path of ['/metrics', '/v1/runs/{id}/history', '/v1/runs/{id}/graph', '/v1/runs/{id}/explain']) {
      expect(headersOf('get', path, 200)).toContain('Vary')
    }
    const { MethodNotAllowed, NotFound } = document.components.responses
    expect(Object.keys(MethodNotAllowed.headers)).toEqual(['Allow', 'X-Request-Id'])
    expect(NotFound.content['application/problem+json'].examples).toHaveProperty('not_found')
  })

  test('uses every problem code but those that stand for calls which no route serves', () => {
    const given = new Set(routes.flatMap((route) => [...problemsOf(route)]))
    const problems = Object.entries(CODES).filter(([, { kind }]) => kind === 'problem')
    const unused = problems.map(([code]) => code).filter((code) => !given.has(code as never))
    expect(unused.sort()).toEqual(['method_not_allowed', 'not_found'])
  })
})

describe('the pages for people', () => {
  test.each(['/docs', '/docs/errors'])(
    '%s loads nothing from elsewhere and runs nothing but its own script',
    async (path) => {
      const { headers, text } = await get(path)
      expect(headers.get('Content-Type')).toBe('text/html; charset=utf-8')
      const policy = headers.get('Content-Security-Policy')!
      expect(policy).toContain("default-src 'none'")
      expect(policy).not.toContain('unsafe')
      expect(text).not.toMatch(/(?:src|href)="(?:https?:)?\/\//)
      expect(text).not.toMatch(/ on\w+=| style=/)
      for (const [, tag, content] of text.matchAll(/<(script|style)>([\s\S]*?)<\/\1>/g)) {
        const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(content))
        const hash = btoa(String.fromCharCode(...new Uint8Array(digest)))
        expect(policy).toContain(`${tag}-src 'sha256-${hash}'`)
      }
    },
  )

  test('every code has an anchor, which the type of a problem leads to', async () => {
    const { text } = await get('/docs/errors')
    for (const code of Object.keys(CODES)) expect(text).toContain(`<tr id="${code}">`)
    const { type } = (await get('/v1/runs/nobody')).body
    const url = new URL(type)
    expect((await get(url.pathname)).text).toContain(`<tr id="${url.hash.slice(1)}">`)
  })
})

describe('the service', () => {
  test.each(['/healthz', '/health'])('%s answers', async (path) => {
    const { status, headers, body } = await get(path)
    expect([status, headers.get('Cache-Control'), body]).toEqual([200, 'no-store', { status: 'ok' }])
  })

  test('metrics count what this isolate has answered, by the template of the route and the status', async () => {
    await get('/v1/runs/run_00nothing')
    await get('/nothing')
    const { text } = await get('/metrics')
    expect(text).toContain('orchestrator_requests_total{route="/v1/runs/{id}",code="404"}')
    expect(text).toContain('orchestrator_requests_total{route="_unrouted",code="404"}')
    expect(text).not.toContain('run_00nothing')
  })

  test('metrics are text, or OpenMetrics if Accept asks for it', async () => {
    await post('/v1/run', { workflow: await aWorkflow() })
    const plain = await get('/metrics')
    expect(plain.headers.get('Content-Type')).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(plain.text).toContain('# TYPE orchestrator_runs_total counter')
    // What Prometheus sends.
    const Accept =
      'application/openmetrics-text;version=1.0.0;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2'
    const open = await get('/metrics', { headers: { Accept } })
    expect(open.headers.get('Content-Type')).toMatch(/^application\/openmetrics-text; version=1\.0\.0/)
    for (const { headers } of [plain, open]) expect(headers.get('Vary')).toBe('Accept')
    expect(open.text.trimEnd().endsWith('# EOF')).toBe(true)
    expect(await call('HEAD', '/metrics')).toMatchObject({ status: 200, text: '' })
  })

  test('no route takes a parameter that it does not know', async () => {
    for (const { method, path } of routes.filter((route) => route.method === 'GET')) {
      const refused = await call(method, `${path.replaceAll(/\{\w+\}/g, 'x')}?verbose=1`)
      expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_parameter' } })
    }
  })
})
