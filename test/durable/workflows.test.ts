// What a Runner asks the Registry when many starts need the same name at once.

import { reset, runDurableObjectAlarm } from 'cloudflare:test'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Registry } from '../../durable/registry/registry.ts'
import type { Rows } from '../../durable/rows.ts'
import { Workflows } from '../../durable/runner/workflows.ts'
import { aDefinition } from '../support/builders.ts'
import { aTenant, shown } from '../support/runner.ts'

type Reply = { kind: 'found'; version: number } | { kind: 'workflow_not_found' }

/** A Runner's workflows, and the questions that its Registry was asked and has not answered yet. */
function asking() {
  const questions: { answer(reply: Reply): void; fail(error: Error): void }[] = []
  const resolve = () => new Promise<Reply>((answer, fail) => questions.push({ answer, fail }))
  const registry = { resolve } as unknown as DurableObjectStub<Registry>
  const rows = { all: () => [] } as unknown as Rows
  return {
    workflows: new Workflows(
      rows,
      () => registry,
      () => 0,
    ),
    questions,
  }
}

const turn = () => scheduler.wait(0)

describe('starts that need a lease at once', () => {
  test('ask for it once', async () => {
    const { workflows, questions } = asking()
    const asked = Promise.all(Array.from({ length: 5_000 }, () => workflows.resolve('wf', null)))
    await turn()
    expect(questions).toHaveLength(1)
    questions[0]!.answer({ kind: 'found', version: 3 })
    expect(new Set((await asked).map(({ kind }) => kind))).toEqual(new Set(['leased']))
    expect(questions).toHaveLength(1)
    expect(workflows.lease('wf', null, Date.now())).toMatchObject({ version: 3 })
  })

  test('of another version ask on their own', async () => {
    const { workflows, questions } = asking()
    void workflows.resolve('wf', null)
    void workflows.resolve('wf', 2)
    void workflows.resolve('wf', 'latest')
    void workflows.resolve('other', null)
    await turn()
    expect(questions).toHaveLength(4)
    for (const { answer } of questions) answer({ kind: 'workflow_not_found' })
  })

  test('believe no refusal that was asked for before them: the name may be there by now', async () => {
    const { workflows, questions } = asking()
    const first = workflows.resolve('wf', null)
    const second = workflows.resolve('wf', null)
    questions[0]!.answer({ kind: 'workflow_not_found' })
    expect(await first).toEqual({ kind: 'workflow_not_found' })
    await turn()
    questions[1]!.answer({ kind: 'found', version: 1 })
    expect(await second).toEqual({ kind: 'leased' })
  })

  test('do not fail with the question of another', async () => {
    const { workflows, questions } = asking()
    const first = workflows.resolve('wf', null)
    const second = workflows.resolve('wf', null)
    questions[0]!.fail(new Error('the Registry was restarted'))
    await expect(first).rejects.toThrow('restarted')
    await turn()
    questions[1]!.answer({ kind: 'found', version: 1 })
    expect(await second).toEqual({ kind: 'leased' })
  })

  test('have it although another name moved meanwhile', async () => {
    const { workflows, questions } = asking()
    const asked = workflows.resolve('wf', null)
    await turn()
    workflows.recall('other')
    questions[0]!.answer({ kind: 'found', version: 1 })
    await asked
    expect(workflows.lease('wf', null, Date.now())).toMatchObject({ version: 1 })
  })

  test('have none if a question of before was answered when the name moved, and one of now was not', async () => {
    const { workflows, questions } = asking()
    const [first, second] = [workflows.resolve('wf', null), workflows.resolve('wf', 'latest')]
    await turn()
    questions[0]!.answer({ kind: 'found', version: 1 })
    await first
    workflows.recall('wf')
    questions[1]!.answer({ kind: 'found', version: 1 })
    await second
    expect(workflows.lease('wf', null, Date.now())).toBeNull()
    expect(workflows.lease('wf', 'latest', Date.now())).toBeNull()
  })

  test('have none if the name moved meanwhile, and ask again', async () => {
    const { workflows, questions } = asking()
    const both = Promise.all([workflows.resolve('wf', null), workflows.resolve('wf', null)])
    await turn()
    workflows.recall('wf')
    questions[0]!.answer({ kind: 'found', version: 1 })
    await both
    expect(workflows.lease('wf', null, Date.now())).toBeNull()
    const again = workflows.resolve('wf', null)
    await turn()
    expect(questions).toHaveLength(2)
    questions[1]!.answer({ kind: 'found', version: 2 })
    await again
    expect(workflows.lease('wf', null, Date.now())).toMatchObject({ version: 2 })
  })
})

describe('a start while the Registry takes as long to answer as a lease lasts', () => {
  afterEach(async () => {
    vi.restoreAllMocks()
    await reset()
  })

  test('is told to come again, and takes hold once answers are in time', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }))
    const { resolve } = Registry.prototype
    let [now, isSlow, asked] = [Date.now(), true, 0]
    vi.spyOn(Date, 'now').mockImplementation(() => now)
    vi.spyOn(Registry.prototype, 'resolve').mockImplementation(async function (this: Registry, ...question) {
      asked++
      const answer = await resolve.apply(this, question)
      if (isSlow) now += 950
      return answer
    })
    const start = tenant.start('wf')
    expect(await tenant.runner().start(start)).toEqual({ kind: 'overloaded' })
    expect(asked).toBe(5)
    expect(await tenant.runner().get(start.runId, 0)).toEqual({ kind: 'run_not_found' })
    isSlow = false
    expect(await tenant.runner().start(start)).toMatchObject({ kind: 'run', status: 'succeeded' })
    expect(asked).toBe(6)
  })

  test('is tried again when it is a task of another run', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }, { name: 'below' }))
    const top = aDefinition({ sub: [] }, { name: 'top', timeout: '1h' })
    Object.assign(top.tasks[0]!, { type: 'workflow', with: { workflow: 'below' } })
    await tenant.register(top)
    const { resolve } = Registry.prototype
    let [now, asked] = [Date.now(), 0]
    vi.spyOn(Date, 'now').mockImplementation(() => now)
    vi.spyOn(Registry.prototype, 'resolve').mockImplementation(async function (this: Registry, ...question) {
      const answer = await resolve.apply(this, question)
      if (question[0] === 'below' && ++asked <= 5) now += 950
      return answer
    })
    const start = tenant.start('top', { waitMs: 0 })
    await tenant.runner().start(start)
    const task = await vi.waitUntil(async () => {
      const [sub] = shown(await tenant.runner().get(start.runId, 0)).tasks
      return sub!.waiting?.for === 'retry' ? sub! : null
    })
    now = Date.parse(task.waiting!.until!)
    await runDurableObjectAlarm(tenant.runner())
    expect(shown(await tenant.runner().get(start.runId, 5_000)).status).toBe('succeeded')
  })
})
