// In which turn something is made: at once while there is room, and in rotation of the runs when there is not.

import { expect, test } from 'vitest'
import { Turns } from '../../durable/runner/turns.ts'
import { STEPS_OF_A_TURN } from '../../src/workflow/expression/step-budget.ts'

const nextTurn = () => new Promise((resolve) => setTimeout(resolve, 0))

test('what costs little is made at once, however much there is of it, and plans no turn', async () => {
  const turns = new Turns()
  const made: number[] = []
  for (let i = 0; i < 1_000; i++) {
    turns.do('run', (budget) => {
      budget.spend(1)
      made.push(i)
    })
  }
  expect(made).toHaveLength(1_000)
})

test('what costs much waits for later turns, one of each run in rotation', async () => {
  const turns = new Turns()
  const made: string[] = []
  const costly = (name: string) =>
    turns.do(name[0]!, (budget) => {
      budget.spend(STEPS_OF_A_TURN / 2)
      made.push(name)
    })
  for (const name of ['a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'b2', 'c1']) costly(name)
  expect(made).toEqual(['a1', 'a2'])
  await nextTurn()
  expect(made.slice(2)).toEqual(['a3', 'b1'])
  await nextTurn()
  // What comes while others wait, and is of a run that waits, comes after what the run has.
  costly('a6')
  expect(made.slice(4)).toEqual(['c1', 'a4'])
  await nextTurn()
  await nextTurn()
  expect(made.slice(6)).toEqual(['b2', 'a5', 'a6'])
})

test('one that is spent is full again in the next turn, though nothing waited', async () => {
  const turns = new Turns()
  turns.do('a', (budget) => budget.spend(STEPS_OF_A_TURN))
  await nextTurn()
  let isMade = false
  turns.do('b', () => {
    isMade = true
  })
  expect(isMade).toBe(true)
})

test('runs have turns of about the same cost, not of the same count', async () => {
  const turns = new Turns()
  const made: string[] = []
  const work = (runId: string, steps: number) =>
    turns.do(runId, (budget) => {
      budget.spend(steps)
      made.push(runId)
    })
  work('first', STEPS_OF_A_TURN)
  for (let i = 0; i < 4; i++) work('dear', STEPS_OF_A_TURN / 2)
  for (let i = 0; i < 40; i++) work('cheap', STEPS_OF_A_TURN / 640)
  await nextTurn()
  expect(made.filter((runId) => runId === 'dear')).toHaveLength(2)
  expect(made.filter((runId) => runId === 'cheap')).toHaveLength(40)
})
