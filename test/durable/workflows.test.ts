// What a Runner asks the Registry when many starts need the same name at once.

import { describe, expect, test } from 'vitest'
import type { Registry } from '../../durable/registry.ts'
import type { Rows } from '../../durable/rows.ts'
import { Workflows } from '../../durable/workflows.ts'

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
