import { describe, expect, test } from 'vitest'
import { aName, aWorkflow, get, post } from './client.ts'

const computed = { type: 'transform', with: { value: `\${{ item * index }}` } }

/** What is wrong with a workflow of one map. */
async function faultsOf(config: object, rest: object = {}): Promise<string[]> {
  const tasks = [{ id: 'each', type: 'map', with: { items: [], task: computed, ...config }, ...rest }]
  const { status, body } = await post('/v1/workflows?dry_run=true', { name: aName(), tasks })
  if (status === 200) return []
  return body.errors.map(({ path, code }: { path: string; code: string }) => `${path} ${code}`)
}

describe('a map is refused', () => {
  test.each<[string, object, string[]]>([
    ['without items', { items: undefined }, ['/tasks/0/with/items required']],
    ['with items that are no list', { items: 5 }, ['/tasks/0/with/items invalid_type']],
    ['without a task', { task: undefined }, ['/tasks/0/with/task required']],
    ['with an id in its task', { task: { id: 'x', ...computed } }, ['/tasks/0/with/task/id unknown_field']],
    ['of an unknown type', { task: { ...computed, type: 'htp' } }, ['/tasks/0/with/task/type unknown_task_type']],
    [
      'of maps',
      { task: { type: 'map', with: { items: [], task: computed } } },
      ['/tasks/0/with/task/type invalid_value'],
    ],
    ['of sleeps', { task: { type: 'sleep', with: { for: '1s' } } }, ['/tasks/0/with/task/type invalid_value']],
    [
      'of waits for events',
      { task: { type: 'wait_for_event', with: { event: 'go' } } },
      ['/tasks/0/with/task/type invalid_value'],
    ],
    [
      'of runs that nothing names',
      { task: { type: 'workflow', with: {} } },
      ['/tasks/0/with/task/with/workflow required'],
    ],
    [
      'of runs of an alias',
      { task: { type: 'workflow', with: { workflow: 'below@canary' } } },
      ['/tasks/0/with/task/with/workflow not_available'],
    ],
    ['of placeholders', { task: { type: 'http' } }, ['/tasks/0/with/task/with required']],
    ['of a type that is not built', { task: { type: 'publish', with: {} } }, ['/tasks/0/with/task/type not_available']],
    ['of calls without a url', { task: { type: 'http', with: {} } }, ['/tasks/0/with/task/with/url required']],
    ['that would run too much at once', { max_parallel: 65 }, ['/tasks/0/with/max_parallel out_of_bounds']],
    ['that tolerates a half', { tolerated_failures: 0.5 }, ['/tasks/0/with/tolerated_failures invalid_type']],
    ['that tolerates 101%', { tolerated_failures: '101%' }, ['/tasks/0/with/tolerated_failures invalid_format']],
    ['whose list reads an item', { items: 'item.orders' }, ['/tasks/0/with/items unknown_name']],
    [
      'whose items read what is not there',
      { task: { type: 'transform', with: { value: `\${{ items + tasks.no.output }}` } } },
      ['/tasks/0/with/task/with/value unknown_name', '/tasks/0/with/task/with/value unknown_name'],
    ],
  ])('%s', async (_, config, faults) => {
    expect(await faultsOf(config)).toEqual(faults)
  })

  test('with a retry of its own: that is its task’s', async () => {
    expect(await faultsOf({}, { retry: { max_attempts: 2 } })).toEqual(['/tasks/0/retry conflicting_fields'])
    expect(await faultsOf({ task: { ...computed, retry: { max_attempts: 2 } } })).toEqual([
      '/tasks/0/with/task/retry conflicting_fields',
    ])
    const call = { type: 'http', with: { url: 'https://upstream.test' }, retry: { max_attempts: 2 } }
    expect(await faultsOf({ task: call })).toEqual([])
  })

  test('whose items are runs of the workflow that it stands in', async () => {
    const name = aName()
    const map = (workflow: string) => ({ items: [1], task: { type: 'workflow', with: { workflow } } })
    const dry = (workflow: string) =>
      post('/v1/workflows?dry_run=true', { name, tasks: [{ id: 'each', type: 'map', with: map(workflow) }] })
    const { body } = await dry(name)
    expect(body.errors).toMatchObject([{ path: '/tasks/0/with/task/with/workflow', code: 'workflow_cycle' }])
    expect((await dry(`${name}@1`)).status).toBe(200)
    expect((await dry('another')).status).toBe(200)
  })

  test('whose items only wait, and says what to do instead', async () => {
    const task = { type: 'sleep', with: { for: '1s' } }
    const tasks = [{ id: 'each', type: 'map', with: { items: [], task } }]
    const { body } = await post('/v1/workflows?dry_run=true', { name: aName(), tasks })
    expect(body.errors[0].message).toContain('put that into a workflow, and map over it')
  })

  test('item and index elsewhere are names that are not there', async () => {
    const tasks = [{ id: 'a', type: 'transform', with: { value: `\${{ item + index }}` } }]
    const { body } = await post('/v1/workflows?dry_run=true', { name: aName(), tasks })
    expect(body.errors.map(({ code }: { code: string }) => code)).toEqual(['unknown_name', 'unknown_name'])
  })
})

describe('items', () => {
  test('that are runs are shown with them, and those with the item', async () => {
    const [name, below] = [aName(), aName()]
    await post('/v1/workflows', {
      name: below,
      tasks: [{ id: 'a', type: 'transform', with: { value: `\${{ input }}` } }],
    })
    const task = { type: 'workflow', with: { workflow: below, input: `\${{ item }}` } }
    await post('/v1/workflows', { name, tasks: [{ id: 'each', type: 'map', with: { items: [7, 8], task } }] })
    const { body: run } = await post('/v1/run', { workflow: name })
    expect(run).toMatchObject({ status: 'succeeded', output: { each: [{ a: 7 }, { a: 8 }] } })
    const { body: page } = await get(`/v1/runs/${run.id}/tasks/each/items`)
    const { body: child } = await get(`/v1/runs/${page.items[1].child_run}`)
    expect(child).toMatchObject({ input: 8, parent: { run_id: run.id, task_id: 'each', item: 1 } })
    const { body: children } = await get(`/v1/runs?parent=${run.id}`)
    expect(children.items.map(({ id }: { id: string }) => id).sort()).toEqual(
      page.items.map((item: { child_run: string }) => item.child_run).sort(),
    )
    const again = await post(`/v1/runs/${run.id}/retry`, { from: 'start' })
    const { body: repeated } = await get(`/v1/runs/${again.body.id}/tasks/each/items`)
    expect(repeated.items[1].child_run).not.toBe(page.items[1].child_run)
  })

  test('are listed page by page, by status, with their attempts', async () => {
    const name = aName()
    const value = `\${{ item == 3 ? input.nothing : item * 10 }}`
    const config = { items: 'input.list', task: { type: 'transform', with: { value } }, tolerated_failures: 1 }
    await post('/v1/workflows', { name, tasks: [{ id: 'each', type: 'map', with: config }] })
    const { body: run } = await post('/v1/run', { workflow: name, input: { list: [1, 2, 3, 4, 5] } })
    expect(run).toMatchObject({ status: 'succeeded', output: { each: [10, 20, null, 40, 50] } })
    expect(run.tasks[0]).toMatchObject({ attempts: [], items: { total: 5, succeeded: 4, failed: 1 } })
    const path = `/v1/runs/${run.id}/tasks/each/items`
    const first = await get(`${path}?limit=2`)
    expect(first.body.items).toMatchObject([
      { index: 0, status: 'succeeded', item: 1, output: 10, attempts: [{ number: 1, status: 'succeeded' }] },
      { index: 1, status: 'succeeded', item: 2, output: 20 },
    ])
    const second = await get(`${path}?limit=2&cursor=${first.body.next_cursor}`)
    expect(second.body.items.map(({ index }: { index: number }) => index)).toEqual([2, 3])
    const failed = await get(`${path}?status=failed`)
    expect(failed.body).toMatchObject({
      items: [
        { index: 2, item: 3, output: null, error: { code: 'expression_error' }, attempts: [{ status: 'failed' }] },
      ],
      next_cursor: null,
    })
    expect((await get(`${path}?status=succeeded&cursor=${first.body.next_cursor}`)).body.code).toBe('bad_cursor')
  })

  test('are 404 of a task that is no map, or not there', async () => {
    const { body: run } = await post('/v1/run', { workflow: await aWorkflow() })
    expect((await get(`/v1/runs/${run.id}/tasks/only/items`)).body).toMatchObject({
      status: 404,
      code: 'task_not_a_map',
    })
    expect((await get(`/v1/runs/${run.id}/tasks/none/items`)).body.code).toBe('task_not_found')
  })
})
