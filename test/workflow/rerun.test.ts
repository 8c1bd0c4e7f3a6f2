// What a new run of an ended one makes again, and what it takes over.

import { describe, expect, test } from 'vitest'
import { advance } from '../../src/workflow/decide/advance.ts'
import { planRerun, type RetryFrom } from '../../src/workflow/decide/rerun.ts'
import { compile, type WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import type { TaskError } from '../../src/workflow/event.ts'
import type { Fact } from '../../src/workflow/run/fact.ts'
import type { Run } from '../../src/workflow/run/run.ts'
import { aDefinition, aRun, type Shape } from '../support/builders.ts'

const load = () => null

/** The run, ended: tasks in `failing` fail, the others succeed with their id. */
function ended(definition: WorkflowDefinition, failing: string[] = []): Run {
  const run = aRun(definition)
  advance(run, [], 0, load)
  for (let turn = 1; run.finishedAt === null; turn++) {
    const facts = [...run.slots.holders].map((task): Fact => {
      const { id } = definition.tasks[task]!
      const { token } = run.tasks[task]!
      const error: TaskError = { code: 'http_500', message: 'answered 500', retryable: false }
      if (failing.includes(id)) return { type: 'AttemptFailed', task, token, error }
      return { type: 'AttemptSucceeded', task, token, output: id }
    })
    expect(facts.length, 'the run goes on').toBeGreaterThan(0)
    advance(run, facts, turn, load)
  }
  return run
}

function takenOver(run: Run, from: RetryFrom, definition = run.workflow.definition): unknown {
  const workflow = definition === run.workflow.definition ? run.workflow : compile(definition)
  const plan = planRerun(run, workflow, from)
  if (plan.kind === 'unfit_retry') return plan.faults.map(({ path, code }) => `${path} ${code}`)
  return plan.kind === 'rerun' ? plan.takenOver.map(({ task }) => definition.tasks[task]!.id) : plan.kind
}

//  a - b - d
//    \ c /     e
const diamond: Shape = { a: [], b: ['a'], c: ['a'], d: ['b', 'c'], e: [] }

describe('a run that failed', () => {
  const run = ended(aDefinition(diamond, { on_failure: 'continue' }), ['b'])

  test.each<[string, RetryFrom, unknown]>([
    ['from what failed', 'failed', ['a', 'c', 'e']],
    ['from its start', 'start', []],
    ['from a task, and what failed too', ['c'], ['a', 'e']],
    ['from a task that is above all', ['a'], ['e']],
    ['from a task that stands alone', ['e'], ['a', 'c']],
    ['from tasks that are not there', ['a', 'bb', 'zzzzzz'], ['/from/1 unknown_task', '/from/2 unknown_task']],
  ])('is made again %s', (_, from, expected) => {
    expect(takenOver(run, from)).toEqual(expected)
  })

  test('proposes the nearest name of a task that is not there', () => {
    const plan = planRerun(ended(aDefinition({ fetch: [] }), ['fetch']), compile(aDefinition({ fetch: [] })), ['fetsh'])
    expect(plan).toMatchObject({ faults: [{ message: 'the workflow has no task "fetsh"; did you mean "fetch"?' }] })
  })

  test('hands over the outputs themselves', () => {
    const plan = planRerun(run, run.workflow, 'failed')
    expect(plan).toMatchObject({
      takenOver: [
        { task: 0, output: 'a' },
        { task: 2, output: 'c' },
        { task: 4, output: 'e' },
      ],
    })
  })
})

describe('a run that succeeded', () => {
  const run = ended(aDefinition(diamond))

  test('has nothing to be made again, unless somebody says what', () => {
    expect(takenOver(run, 'failed')).toBe('nothing_to_retry')
    expect(takenOver(run, ['b'])).toEqual(['a', 'c', 'e'])
    expect(takenOver(run, 'start')).toEqual([])
  })
})

describe('another version', () => {
  const run = ended(aDefinition(diamond, { on_failure: 'continue' }), ['b'])
  const next = (change: (definition: WorkflowDefinition) => void) => {
    const definition = structuredClone(run.workflow.definition)
    change(definition)
    return definition
  }

  test('may change what is made again', () => {
    const changed = next(({ tasks }) => {
      tasks[1]!.with = { url: 'https://upstream.test/other' }
    })
    expect(takenOver(run, 'failed', changed)).toEqual(['a', 'c', 'e'])
  })

  test('may not change what is taken over, unless it is named', () => {
    const changed = next(({ tasks }) => {
      tasks[2]!.with = { url: 'https://upstream.test/other' }
    })
    expect(takenOver(run, 'failed', changed)).toEqual(['/version task_differs'])
    expect(takenOver(run, ['c'], changed)).toEqual(['a', 'e'])
  })

  test('may have other tasks, in another order', () => {
    const changed = next((definition) => {
      definition.tasks.reverse()
      definition.tasks.pop()
      definition.tasks.push(
        { ...run.workflow.definition.tasks[0]! },
        { id: 'f', type: 'http', depends_on: [], with: { url: 'https://upstream.test/f' } },
      )
    })
    expect(takenOver(run, 'failed', changed)).toEqual(['e', 'c', 'a'])
  })

  test('of a run that succeeded has its new tasks made', () => {
    const done = ended(aDefinition({ a: [] }))
    expect(takenOver(done, 'failed', aDefinition({ a: [], b: ['a'] }))).toEqual(['a'])
  })
})

describe('what was undone', () => {
  test('does not hold, nor does the compensation; what was not undone does', () => {
    const definition = aDefinition({ book: [], note: [], pay: ['book', 'note'], unbook: [] })
    definition.tasks[0]!.compensate = 'unbook'
    const run = ended(definition, ['pay'])
    expect(run.tasks[3]!.status).toBe('succeeded')
    expect(takenOver(run, 'failed')).toEqual(['note'])
  })

  test('of a run that succeeded nothing was, and its compensation is nothing to be made', () => {
    const definition = aDefinition({ book: [], unbook: [] })
    definition.tasks[0]!.compensate = 'unbook'
    expect(takenOver(ended(definition), 'failed')).toBe('nothing_to_retry')
    expect(takenOver(ended(definition), ['unbook'])).toEqual(['book'])
  })
})
