import { describe, expect, test } from 'vitest'
import { aName, aWorkflow, call, get, post } from './client.ts'

const definition = (name: string, rest: object = {}) => ({ name, tasks: [{ id: 'only', type: 'http' }], ...rest })

describe('registering a workflow', () => {
  test('answers 201 with the stored workflow, its address and its tag', async () => {
    const name = aName()
    const { status, headers, body } = await post('/v1/workflows', definition(name))
    expect(status).toBe(201)
    expect(headers.get('Location')).toBe(`/v1/workflows/${name}/versions/1`)
    expect(headers.get('ETag')).toBe('"1"')
    expect(body).toMatchObject({ name, max_parallel: 4, timeout: '5s', version: 1, live: 1, latest: 1, paused: false })
    expect(body.warnings).toMatchObject([{ path: '/tasks/0', code: 'placeholder' }])
    expect((await get(headers.get('Location')!)).body.created_at).toBe(body.created_at)
  })

  test('takes the definitions of the quick start as they are', async () => {
    for (const text of [
      '{"name":"wf1","tasks":[{"id":"t1","type":"http"},{"id":"t2","type":"http","depends_on":["t1"]}]}',
      '{"name":"wf1","tasks":[{"id":"fetch","type":"http"},{"id":"analyze","type":"python","depends_on":["fetch"]}]}',
    ]) {
      expect((await post('/v1/workflows', text)).status).toBe(201)
    }
    expect((await post('/v1/run', '{"workflow":"wf1"}')).body).toMatchObject({ status: 'succeeded', version: 2 })
    expect((await get('/v1/workflows?name=wf1')).body).toMatchObject({ name: 'wf1', version: 2 })
  })

  test('answers 200 for the definition that is the newest version, however it is written', async () => {
    const name = aName()
    await post('/v1/workflows', definition(name))
    const again = await post('/v1/workflows', {
      tasks: [{ type: 'http', id: 'only', depends_on: [] }],
      timeout: '5s',
      name,
    })
    expect(again).toMatchObject({ status: 200, body: { version: 1 } })
    expect(again.headers.get('ETag')).toBe('"1"')
  })

  test('makes a new version of a changed definition, also of an older one', async () => {
    const name = aName()
    await post('/v1/workflows', definition(name))
    expect(await post('/v1/workflows', definition(name, { timeout: '6s' }))).toMatchObject({
      status: 201,
      body: { version: 2 },
    })
    expect(await post('/v1/workflows', definition(name))).toMatchObject({ status: 201, body: { version: 3 } })
  })

  test('names every fault at once', async () => {
    const { status, body } = await post('/v1/workflows', {
      name: 'not a name',
      tsks: [],
      tasks: [
        { id: 'a', type: 'http', depends_on: ['b', 'a'], breaker: true },
        { id: 'b', type: 'htp', depends_on: ['c'] },
      ],
    })
    expect(status).toBe(422)
    expect(body.code).toBe('invalid_definition')
    const codes = body.errors.map(({ path, code }: { path: string; code: string }) => `${path} ${code}`)
    expect(codes).toEqual(
      expect.arrayContaining([
        '/name invalid_format',
        '/tsks unknown_field',
        '/tasks/0/depends_on/1 self_dependency',
        '/tasks/0/breaker invalid_value',
        '/tasks/1/type unknown_task_type',
        '/tasks/1/depends_on/0 unknown_dependency',
      ]),
    )
  })

  test('stores nothing on a dry run', async () => {
    const name = aName()
    const dry = await post('/v1/workflows?dry_run=true', definition(name))
    expect(dry).toMatchObject({ status: 200, body: { name, timeout: '5s', warnings: [{ code: 'placeholder' }] } })
    expect(dry.body).not.toHaveProperty('version')
    expect(await post('/v1/workflows?dry_run=true', { name })).toMatchObject({
      status: 422,
      body: { code: 'invalid_definition' },
    })
    expect((await get(`/v1/workflows/${name}`)).status).toBe(404)
    expect((await post('/v1/workflows?dry_run=false', definition(name))).status).toBe(201)
  })

  test.each(['', '?dry_run=true'])('compares If-Match with the newest version (%s)', async (query) => {
    const name = aName()
    const register = (timeout: string, match: string) =>
      post(`/v1/workflows${query}`, definition(name, { timeout }), { 'If-Match': match })
    expect(await register('1s', '*')).toMatchObject({ status: 412, body: { code: 'version_conflict' } })
    await post('/v1/workflows', definition(name))
    expect((await register('2s', '*')).status).toBeLessThan(300)
    const { latest } = (await get(`/v1/workflows/${name}`)).body
    expect((await register('3s', `"${latest + 1}"`)).body.code).toBe('version_conflict')
    expect((await register('3s', `"${latest}"`)).status).toBeLessThan(300)
    for (const wrong of ['1', '"one"', '"1", "2"', '""']) {
      expect(await register('4s', wrong)).toMatchObject({ status: 400, body: { code: 'invalid_parameter' } })
    }
  })

  test('refuses a body of more than 4 MiB, and takes one just below', async () => {
    const name = aName()
    const filled = (bytes: number) => {
      const text = JSON.stringify(definition(name))
      return text + ' '.repeat(bytes - text.length)
    }
    expect(await post('/v1/workflows', filled(4 * 1024 * 1024 + 1))).toMatchObject({
      status: 413,
      body: { code: 'too_large' },
    })
    expect((await post('/v1/workflows', filled(4 * 1024 * 1024))).status).toBe(201)
  })

  test('keeps texts of every script, and members that JavaScript treats specially', async () => {
    const name = aName()
    const body = JSON.stringify({ a: '\u{1F600} ñ \u0000 \u202e </script>' }).replace(
      '"a"',
      '"__proto__":1,"constructor":"x","a"',
    )
    const text = `{"name":"${name}","description":"日本語 \\ud83d\\ude00","tasks":[{"id":"t","type":"http","with":{"url":"https://upstream.test/","method":"POST","json":${body}}}]}`
    const registered = await post('/v1/workflows', text)
    expect(registered).toMatchObject({ status: 201, body: { description: '日本語 😀' } })
    const stored = (await get(`/v1/workflows/${name}`)).body.tasks[0].with.json
    expect(Object.keys(stored)).toEqual(['__proto__', 'constructor', 'a'])
    expect(stored.a).toBe('\u{1F600} ñ \u0000 \u202e </script>')
  })
})

describe('fetching workflows', () => {
  test('finds a workflow by name and by path, and a version of it', async () => {
    const name = aName()
    await post('/v1/workflows', definition(name))
    await post('/v1/workflows', definition(name, { timeout: '6s' }))
    const second = (await get(`/v1/workflows/${name}`)).body
    expect(second).toMatchObject({ version: 2, live: 2, latest: 2, timeout: '6s' })
    expect((await get(`/v1/workflows?name=${name}`)).body).toEqual(second)
    const first = (await get(`/v1/workflows/${name}/versions/1`)).body
    expect(first).toMatchObject({ version: 1, live: 2, latest: 2, timeout: '5s' })
    expect((await get(`/v1/workflows?name=${name}&version=1`)).body).toEqual(first)
  })

  test.each([
    ['/v1/workflows/nobody', 'workflow_not_found'],
    ['/v1/workflows?name=nobody', 'workflow_not_found'],
    ['/v1/workflows?name=', 'workflow_not_found'],
    ['/v1/workflows/no%20name', 'workflow_not_found'],
    ['/v1/workflows/%F0%9F%98%80', 'workflow_not_found'],
    ['/v1/workflows/%ff%00', 'workflow_not_found'],
    ['/v1/workflows/nobody/versions', 'workflow_not_found'],
    ['/v1/workflows/nobody/versions/1', 'workflow_not_found'],
    ['/v1/workflows/nobody/versions/1/graph', 'workflow_not_found'],
  ])('answers 404 at %s', async (path, code) => {
    expect(await get(path)).toMatchObject({ status: 404, body: { code } })
  })

  test.each(['2', '0', '-1', '1.5', 'latest', '99999999999999999999'])('has no version %s', async (version) => {
    const name = await aWorkflow()
    for (const path of [
      `/v1/workflows/${name}/versions/${version}`,
      `/v1/workflows/${name}/versions/${version}/graph`,
    ]) {
      expect(await get(path)).toMatchObject({ status: 404, body: { code: 'version_not_found' } })
    }
  })

  test('refuses parameters that do not go together', async () => {
    for (const query of [
      'version=1',
      'name=a&cursor=b',
      'name=a&limit=3',
      'name=a&version=0',
      'name=a&name=b',
      'nme=a',
    ]) {
      expect(await get(`/v1/workflows?${query}`)).toMatchObject({ status: 400, body: { code: 'invalid_parameter' } })
    }
    expect((await get('/v1/workflows?nme=a')).body.detail).toContain('did you mean "name"?')
  })

  test('answers 304 to a client that has it, and no longer once anything that it shows has changed', async () => {
    const name = await aWorkflow()
    const path = `/v1/workflows/${name}/versions/1`
    const etag = (await get(path)).headers.get('ETag')!
    for (const match of [etag, `W/${etag}`, `"9", ${etag}`, '*']) {
      expect((await get(path, { headers: { 'If-None-Match': match } })).status).toBe(304)
    }
    await post(`/v1/workflows/${name}/pause`)
    expect((await get(path, { headers: { 'If-None-Match': etag } })).body.paused).toBe(true)
    const paused = (await get(path)).headers.get('ETag')!
    expect((await post('/v1/workflows', definition(name, { timeout: '7s' }), { 'If-Match': paused })).status).toBe(201)
  })

  test('lists workflows by name, a page at a time', async () => {
    const made = [await aWorkflow(), await aWorkflow(), await aWorkflow()]
    const seen: string[] = []
    let path: string | null = '/v1/workflows?limit=2'
    while (path !== null) {
      const { body, headers } = await get(path)
      seen.push(...body.items.map(({ name }: { name: string }) => name))
      const link: string | null = headers.get('Link')
      expect(link === null).toBe(body.next_cursor === null)
      path = link === null ? null : /^<(.*)>; rel="next"$/.exec(link)![1]!
    }
    expect(seen).toEqual([...seen].sort())
    expect(seen).toEqual(expect.arrayContaining(made))
    expect(new Set(seen).size).toBe(seen.length)
  })

  test('lists versions, newest first', async () => {
    const name = aName()
    for (const timeout of ['1s', '2s', '3s']) await post('/v1/workflows', definition(name, { timeout }))
    const first = (await get(`/v1/workflows/${name}/versions?limit=2`)).body
    expect(first.items.map(({ version }: { version: number }) => version)).toEqual([3, 2])
    const second = (await get(`/v1/workflows/${name}/versions?cursor=${first.next_cursor}`)).body
    expect(second).toMatchObject({ items: [{ version: 1 }], next_cursor: null })
  })

  test('refuses a cursor that it did not give for this list', async () => {
    const name = aName()
    for (const timeout of ['1s', '2s']) await post('/v1/workflows', definition(name, { timeout }))
    const { next_cursor: cursor } = (await get(`/v1/workflows/${name}/versions?limit=1`)).body
    const other = await aWorkflow()
    for (const path of [
      `/v1/workflows/${other}/versions?cursor=${cursor}`,
      `/v1/workflows?cursor=${cursor}`,
      `/v1/workflows?cursor=`,
      `/v1/workflows?cursor=%F0%9F%98%80`,
      `/v1/workflows?cursor=${btoa('{"a":1}')}`,
      `/v1/workflows?cursor=${cursor.slice(2)}`,
    ]) {
      expect(await get(path)).toMatchObject({ status: 400, body: { code: 'bad_cursor' } })
    }
  })
})

describe('the graph of a version', () => {
  test('is Mermaid or DOT, as Accept says', async () => {
    const name = await aWorkflow({ a: [], b: ['a'] })
    const path = `/v1/workflows/${name}/versions/1/graph`
    const as = async (accept?: string) => {
      const { headers, text } = await get(path, accept === undefined ? {} : { headers: { Accept: accept } })
      return [headers.get('Content-Type'), text.split(/\s/)[0]]
    }
    const mermaid = ['text/vnd.mermaid; charset=utf-8', 'flowchart']
    const dot = ['text/vnd.graphviz; charset=utf-8', 'digraph']
    expect(await as()).toEqual(mermaid)
    expect(await as('*/*')).toEqual(mermaid)
    expect(await as('text/vnd.graphviz')).toEqual(dot)
    expect(await as('text/*;q=0.5, text/vnd.graphviz')).toEqual(dot)
    expect(await as('text/vnd.mermaid;q=0, text/vnd.graphviz;q=0.1')).toEqual(dot)
    expect(await as('text/plain')).toEqual(['text/plain; charset=utf-8', 'flowchart'])
    const refused = await get(path, { headers: { Accept: 'image/png' } })
    expect(refused).toMatchObject({ status: 406, body: { code: 'not_acceptable' } })
  })
})

describe('pausing and deleting', () => {
  test('a paused workflow takes no starts until it is resumed', async () => {
    const name = await aWorkflow()
    for (let twice = 0; twice < 2; twice++) {
      expect(await post(`/v1/workflows/${name}/pause`)).toMatchObject({ status: 200, body: { paused: true } })
    }
    expect(await post('/v1/run', { workflow: name })).toMatchObject({ status: 409, body: { code: 'workflow_paused' } })
    expect(await post(`/v1/workflows/${name}/resume`)).toMatchObject({ status: 200, body: { paused: false } })
    expect((await post('/v1/run', { workflow: name })).status).toBe(200)
    expect(await post('/v1/workflows/nobody/pause')).toMatchObject({
      status: 404,
      body: { code: 'workflow_not_found' },
    })
  })

  test('a deleted workflow is gone, its runs stay, and its numbers are not given again', async () => {
    const name = await aWorkflow()
    const run = (await post('/v1/run', { workflow: name })).body
    expect((await call('DELETE', `/v1/workflows/${name}`)).status).toBe(204)
    expect(await call('DELETE', `/v1/workflows/${name}`)).toMatchObject({ status: 404 })
    expect(await post('/v1/run', { workflow: name })).toMatchObject({
      status: 404,
      body: { code: 'workflow_not_found' },
    })
    expect((await get(`/v1/runs/${run.id}`)).body.status).toBe('succeeded')
    expect((await post('/v1/workflows', definition(name))).body.version).toBe(2)
  })
})
