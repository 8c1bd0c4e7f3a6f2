// Thousands of random runs through a world that fails, crashes, repeats itself and sets its clock back. What holds for all:
// R1 (refolding gives the same run), R2 (deciding is deterministic, time never goes back), R3 (a crash between recording
// and sending loses nothing), R5 (only the current token counts), the slot bound, the order of dependencies, termination.
// A failure prints its seed; `SEED=<n> npx vitest run --project unit simulation` runs that one alone.

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { RetryPolicy } from '../../src/workflow/decide/retry.ts'
import { decide } from '../../src/workflow/decide/scheduler.ts'
import {
  compile,
  type TaskDefinition,
  type TaskPlan,
  type WorkflowDefinition,
} from '../../src/workflow/definition/definition.ts'
import type { LaterEvent } from '../../src/workflow/event.ts'
import { explain, explanationJson, explanationText } from '../../src/workflow/explain/explain.ts'
import { runWaiting, waitingIn } from '../../src/workflow/explain/waiting.ts'
import type { JsonObject } from '../../src/workflow/json.ts'
import { type Items, runsCutOff } from '../../src/workflow/run/items.ts'
import { isFinal, isSettled, RUN_STATUSES, type Run, TASK_STATUSES } from '../../src/workflow/run/run.ts'
import { spotAt, spotKey, spotOf } from '../../src/workflow/run/spot.ts'
import { judge, TRIGGER_RULES } from '../../src/workflow/run/trigger-rule.ts'
import { type Random, seeded } from '../support/random.ts'
import { SIGNAL_NAMES, SimulatedWorld, type Trouble } from '../support/simulated-world.ts'
import { stateDiagrams, Transitions } from '../support/transitions.ts'

const SEEDS = Number(process.env.SEEDS ?? 5_000)

const architecture = readFileSync('ARCHITECTURE.md', 'utf8')

/** What the runs of this file have done. */
const transitions = new Transitions()
const noPayloads = () => null
const FAILING = `\${{ input.nothing }}`

function randomDefinition(random: Random): { definition: WorkflowDefinition; isCyclic: boolean } {
  const size = random.chance(0.05) ? random.int(50, 200) : random.int(1, 25)
  const density = random.next() * (random.chance(0.5) ? 0.2 : 0.6)
  const isCyclic = size > 1 && random.chance(0.08)
  const retries = random.chance(0.4)
  const steered = random.chance(0.4)
  const waits = random.chance(0.3)
  const transforms = random.chance(0.3)
  const nests = random.chance(0.3)
  const maps = random.chance(0.3)
  const tasks = Array.from({ length: size }, (_, index) => {
    const depends_on: string[] = []
    for (let earlier = 0; earlier < index; earlier++) if (random.chance(density)) depends_on.push(`t${earlier}`)
    const base = { id: `t${index}`, type: 'http', depends_on, ...(steered ? randomSteering(random) : {}) }
    if (random.chance(0.3)) return base
    if (waits && random.chance(0.2)) {
      return { ...base, type: 'sleep', with: { for: `${random.int(1, 900)}ms` }, ...randomLimit(random) }
    }
    if (waits && random.chance(0.2)) return { ...base, ...randomWait(random) }
    if (transforms && random.chance(0.3)) return { ...base, ...randomTransform(random) }
    const retry = retries ? { retry: randomRetry(random) } : {}
    if (maps && random.chance(0.3)) return { ...base, ...randomMap(random, retry), ...randomLimit(random) }
    if (nests && random.chance(0.3)) return { ...base, type: 'workflow', with: { workflow: 'below' }, ...retry }
    return { ...base, with: { url: 'https://upstream.test' }, ...retry }
  })
  if (isCyclic) {
    const from = random.int(0, size - 2)
    const to = random.int(from + 1, size - 1)
    if (!tasks[to]!.depends_on.includes(`t${from}`)) tasks[to]!.depends_on.push(`t${from}`)
    tasks[from]!.depends_on.push(`t${to}`)
  }
  if (random.chance(0.3)) tasks.push(...compensations(tasks, random, retries))
  const shuffled = tasks.map((task) => ({ task, key: random.next() })).sort((a, b) => a.key - b.key)
  const definition: WorkflowDefinition = {
    name: 'simulated',
    max_parallel: random.int(1, 6),
    timeout: '5s',
    on_failure: random.chance(0.5) ? 'stop' : 'continue',
    placeholders: 'allow',
    tasks: shuffled.map(({ task }) => task),
    ...(random.chance(0.2) ? { output: { of: `\${{ tasks.t0.status }}` } } : {}),
  }
  return { definition, isCyclic }
}

/** A rule, and a condition that holds, does not, or cannot be told. */
function randomSteering(random: Random): Pick<TaskDefinition, 'trigger_rule' | 'when'> {
  return {
    ...(random.chance(0.5) ? { trigger_rule: random.pick(TRIGGER_RULES) } : {}),
    ...(random.chance(0.2) ? { when: random.pick(['true', 'false', 'run.id != ""', '1']) } : {}),
  }
}

/** A wait for one of few events, so that many wait for the same. */
function randomWait(random: Random): Pick<TaskDefinition, 'type' | 'with' | 'timeout'> {
  const match = random.chance(0.5)
    ? { match: random.pick(['event.n > 1', 'event.n == 0', 'event.m == 1', 'event.n']) }
    : {}
  return { type: 'wait_for_event', with: { event: random.pick(SIGNAL_NAMES), ...match }, ...randomLimit(random) }
}

/** A value that can be computed, or now and then none. */
function randomTransform(random: Random): Pick<TaskDefinition, 'type' | 'with'> {
  return { type: 'transform', with: { value: { is: random.chance(0.9) ? `\${{ run.id }}` : FAILING } } }
}

function randomLimit(random: Random): Pick<TaskDefinition, 'timeout'> {
  return random.chance(0.4) ? { timeout: `${random.int(1, 700)}ms` } : {}
}

/** What `randomWait` may have meant, told without the language of expressions. */
function isMatch({ match }: { match?: string }, { n }: { n: number }): boolean {
  if (match === undefined) return true
  return match === 'event.n > 1' ? n > 1 : match === 'event.n == 0' && n === 0
}

/** Tasks that undo some of the others. */
function compensations(tasks: TaskDefinition[], random: Random, retries: boolean): TaskDefinition[] {
  return tasks.flatMap((task, index) => {
    if (random.chance(0.6)) return []
    task.compensate = `undo${index}`
    const undo = { id: task.compensate, type: 'http', depends_on: [] }
    if (random.chance(0.3)) return [undo]
    return [{ ...undo, with: { url: 'https://upstream.test' }, ...(retries ? { retry: randomRetry(random) } : {}) }]
  })
}

/** A map of few items, some of which may fail. */
function randomMap(random: Random, retry: { retry?: RetryPolicy }): Pick<TaskDefinition, 'type' | 'with'> {
  const computed = { type: 'transform', with: { value: `\${{ index % 3 == 1 ? item : item / index }}` } }
  const call = { type: 'http', with: { url: 'https://upstream.test' } }
  const nested = { type: 'workflow', with: { workflow: 'below', input: `\${{ item }}` } }
  const config = {
    items: Array.from({ length: random.int(0, 9) }, (_, index) => index),
    task: random.pick([computed, { ...call, ...retry }, { ...call, ...retry }, { ...nested, ...retry }]),
    ...(random.chance(0.5) ? { max_parallel: random.int(1, 4) } : {}),
    ...(random.chance(0.5)
      ? { tolerated_failures: random.chance(0.5) ? random.int(0, 9) : `${random.int(0, 100)}%` }
      : {}),
  }
  return { type: 'map', with: config as unknown as JsonObject }
}

/** Items of all maps of a definition. */
function itemsIn({ tasks }: WorkflowDefinition): number {
  return tasks.reduce(
    (sum, { type, with: config }) => sum + (type === 'map' ? (config!.items as unknown[]).length : 0),
    0,
  )
}

function randomRetry(random: Random): RetryPolicy {
  return {
    max_attempts: random.int(1, 4),
    initial_interval: `${random.int(1, 300)}ms`,
    multiplier: random.int(1, 3),
    max_interval: '1s',
    jitter: random.chance(0.5) ? 'full' : 'none',
  }
}

function randomTrouble(random: Random): Trouble {
  const calm = {
    crash: 0,
    duplicate: 0,
    clockBack: 0,
    failure: 0,
    timedOut: 0,
    snooze: 0,
    lostDispatch: 0,
    cancel: 0,
    open: 0,
    refused: 0,
    pause: 0,
    signal: 0.1,
    tightBudget: 0,
  }
  if (random.chance(0.2)) return calm
  return {
    crash: random.next() * 0.15,
    duplicate: random.next() * 0.2,
    clockBack: random.next() * 0.2,
    failure: random.chance(0.5) ? 0 : random.next() * 0.2,
    timedOut: random.chance(0.7) ? 0 : random.next() * 0.1,
    snooze: random.chance(0.6) ? 0 : random.next() * 0.6,
    lostDispatch: random.next() * 0.1,
    cancel: random.chance(0.8) ? 0 : random.next() * 0.1,
    open: random.chance(0.6) ? 0 : random.next() * 0.6,
    refused: random.chance(0.7) ? 0 : random.next(),
    pause: random.chance(0.6) ? 0 : random.next() * 0.1,
    signal: random.chance(0.3) ? 0 : random.next() * 0.4,
    tightBudget: random.chance(0.5) ? 0 : random.next(),
  }
}

/** What `apply` keeps incrementally, worked out anew from the tasks alone. */
function scan(run: Run) {
  const { dependencies } = run.workflow.graph
  const { plans } = run.workflow
  const tasks = run.tasks.map((task, index) => ({ task, index }))
  const classOf = (index: number) => {
    const { status, skipReason } = run.tasks[index]!
    if (status === 'skipped') return skipReason === 'upstream_failed' ? 'failed' : 'skipped'
    return status === 'timed_out' ? 'failed' : status
  }
  const endedOf = (index: number) => {
    const ended = { succeeded: 0, failed: 0, skipped: 0, cancelled: 0 }
    for (const on of dependencies[index]!) {
      const how = classOf(on)
      if (how in ended) ended[how as keyof typeof ended]++
    }
    return ended
  }
  const verdictOf = (index: number) => judge(plans[index]!.rule, endedOf(index), dependencies[index]!.length)
  const pending = tasks.filter(({ task }) => task.status === 'pending').map(({ index }) => index)
  const progress: Record<string, number> = {}
  for (const { task } of tasks) progress[task.status] = (progress[task.status] ?? 0) + 1
  return {
    ended: run.tasks.map((_, index) => endedOf(index)),
    // Once a rule has let a task go it stays ready, whatever ends later; so what is ready must have been, at least once.
    ready: pending
      .filter((index) => run.tasks[index]!.isReady && run.tasks[index]!.attempts.length === 0)
      .filter((index) => plans[index]!.undoes === null),
    mustBeReady: pending.filter((index) => plans[index]!.undoes === null && verdictOf(index) === 'start'),
    mustBeDoomed: pending.filter((index) => !run.tasks[index]!.isReady && verdictOf(index) === 'upstream_failed'),
    running: tasks.flatMap(({ task, index }) => [
      ...(task.status === 'running' ? [index] : []),
      ...[...(task.items?.begun ?? [])].flatMap(([item, { status }]) =>
        status === 'running' ? [spotKey({ task: index, item })] : [],
      ),
    ]),
    sleeping: tasks.filter(({ task }) => task.status === 'waiting').map(({ index }) => index),
    maps: tasks.filter(({ task }) => task.waitingFor === 'items').map(({ index }) => index),
    nesting: tasks.flatMap(({ task, index }) => [
      ...(task.waitingFor === 'child' ? [index] : []),
      ...[...(task.items?.begun ?? [])].flatMap(([item, { waitingFor }]) =>
        waitingFor === 'child' ? [spotKey({ task: index, item })] : [],
      ),
    ]),
    firstUnsettled:
      (run.tasks.findIndex((task) => !isSettled(task.status)) + run.tasks.length + 1) % (run.tasks.length + 1),
    progress,
  }
}

const sorted = (items: Iterable<number>) => [...items].sort((a, b) => a - b)

function checkIncrementalState(run: Run): void {
  const full = scan(run)
  const wanting = [...run.slots.queue].filter((task) => run.tasks[task]!.items === null)
  expect(sorted([...wanting, ...run.conditional, ...run.beginning])).toEqual(full.ready)
  expect(sorted(run.maps)).toEqual(full.maps)
  for (const [index, { items }] of run.tasks.entries()) if (items !== null) checkItems(run, index, items)
  for (const task of full.mustBeReady)
    expect(run.tasks[task]!.isReady || run.doomed.has(task), `t${task} is ready`).toBe(true)
  for (const task of full.mustBeDoomed) expect(run.doomed.has(task), `t${task} is doomed`).toBe(true)
  for (const task of run.doomed.keys()) expect(run.tasks[task]).toMatchObject({ status: 'pending', isReady: false })
  expect(run.tasks.map(({ ended }) => ended)).toEqual(full.ended)
  expect(sorted(run.slots.holders)).toEqual(sorted(full.running))
  expect(sorted(run.sleeping)).toEqual(full.sleeping)
  expect(sorted(run.nesting)).toEqual(sorted(full.nesting))
  expect(run.firstUnsettled).toBe(full.firstUnsettled)
  const counted = Object.fromEntries(Object.entries(run.progress).filter(([, count]) => count > 0))
  expect(counted).toEqual(full.progress)
}

/** Which signals nobody has taken, from the history alone; and nobody may wait for one of them. */
function checkSignals({ run, history }: SimulatedWorld): void {
  const kept = new Map<number, { name: string; data: { n: number } }>()
  history.forEach((event, position) => {
    if (event.type === 'SignalReceived') {
      kept.set(position + 1, { name: event.name, data: event.data as { n: number } })
    } else if (event.type === 'TaskSucceeded' && event.signal !== undefined) kept.delete(event.signal)
  })
  expect([...run.buffered]).toEqual([...kept.keys()])
  for (const number of kept.keys())
    expect(history[number - 1], 'one that is meant for a task is not kept').not.toHaveProperty('task')
  if (run.finishedAt !== null) return
  for (const task of run.sleeping) {
    const config = run.workflow.definition.tasks[task]!.with as { event: string; match?: string }
    if (run.tasks[task]!.waitingFor !== 'signal') continue
    for (const { name, data } of kept.values()) {
      expect(name === config.event && isMatch(config, data), 'no signal is missed').toBe(false)
    }
  }
}

function checkItems(run: Run, task: number, items: Items): void {
  const all = Array.from({ length: items.total }, (_, index) => items.begun.get(index))
  const rest = run.maps.has(task) ? 'pending' : 'skipped'
  const counted: Record<string, number> = {}
  for (const item of all) counted[item?.status ?? rest] = (counted[item?.status ?? rest] ?? 0) + 1
  expect(Object.fromEntries(Object.entries(items.progress).filter(([, count]) => count > 0))).toEqual(counted)
  const inStatus = (status: string) => all.flatMap((item, index) => (item?.status === status ? [index] : []))
  expect(sorted(items.running)).toEqual(inStatus('running'))
  expect(sorted([...items.waiting, ...items.nesting])).toEqual(inStatus('waiting'))
  for (const item of items.nesting) expect(items.begun.get(item)!.waitingFor).toBe('child')
  for (const item of items.waiting) expect(items.begun.get(item)!.wakeAt).not.toBeNull()
  expect(sorted(items.undecided)).toEqual(inStatus('pending'))
  expect(all.indexOf(undefined)).toBe(items.next === items.total ? -1 : items.next)
  const { kind, maxParallel } = run.workflow.plans[task]!.items!
  if (run.maps.has(task)) expect(run.slots.queue.has(task)).toBe(kind !== 'child' && items.next < items.total)
  expect(items.running.size + items.nesting.size, 'the bound of the map').toBeLessThanOrEqual(maxParallel)
  expect(kind === 'child' ? items.running.size : items.nesting.size).toBe(0)
}

/** Nobody has to ask in vain what a run or a task waits for, nor is told of a wait that is none. */
function checkWaiting(run: Run, now: number): void {
  expect(runWaiting(run) !== null).toBe(run.status === 'queued' || run.status === 'paused')
  const { ofTask, ofItem } = waitingIn(run, now)
  const { dependencies } = run.workflow.graph
  const wrong = run.tasks.flatMap(({ status }, task) => {
    const waiting = ofTask(task)
    const isHeld = status === 'pending' || status === 'waiting'
    if (waiting?.for !== 'dependency') return isHeld === (waiting !== null) ? [] : [{ task, status, waiting }]
    const known = dependencies[task]!.map((on) => run.workflow.definition.tasks[on]!.id)
    const isRight = run.workflow.plans[task]!.undoes !== null || waiting.on!.every((id) => known.includes(id))
    return isHeld && isRight && waiting.on!.length > 0 ? [] : [{ task, status, waiting }]
  })
  expect(wrong).toEqual([])
  for (const task of run.maps) {
    for (const [item, { status }] of run.tasks[task]!.items!.begun) {
      const isHeld = run.finishedAt === null && (status === 'pending' || status === 'waiting')
      expect(ofItem(task, item) !== null, `item ${item} of t${task} is ${status}`).toBe(isHeld)
    }
  }
}

/** An explanation can be given at any moment; the shares of its path are the whole of the run, and what executed is what was recorded. */
function checkExplanation({ run, history, now }: SimulatedWorld): void {
  const at = Math.max(now, run.at)
  const explanation = explain(run, history, at)
  const { steps, afterMs } = explanation.path
  if (run.startedAt === null) {
    expect(steps).toEqual([])
    return
  }
  const end = run.finishedAt ?? at
  let from = run.startedAt
  for (const step of steps) {
    expect(step.from, 'a path without gaps').toBe(from)
    expect(step.to).toBeGreaterThanOrEqual(from)
    expect(Math.min(0, ...step.spent.values())).toBe(0)
    expect(
      [...step.spent.values()].reduce((sum, ms) => sum + ms, 0),
      'what a share went to is all of it',
    ).toBe(step.to - step.from)
    const executed = run.tasks[step.task]!.attempts.map(({ startedAt, finishedAt }) =>
      Math.max(0, Math.min(finishedAt ?? end, step.to) - Math.max(startedAt, step.from)),
    )
    const made = (step.spent.get('executing') ?? 0) + (step.spent.get('child') ?? 0)
    expect(made, 'an attempt executes here, or as a run of its own').toBe(executed.reduce((sum, ms) => sum + ms, 0))
    from = step.to
  }
  expect(new Set(steps.map(({ task }) => task)).size, 'no task comes twice').toBe(steps.length)
  expect(afterMs).toBe(end - from)
  expect(afterMs).toBeGreaterThanOrEqual(0)
  const text = explanationText(run, explanation, at)
  expect(text).not.toMatch(/undefined|NaN|\[object/)
  expect(explanation.needs.length > 0, 'a run that goes on waits for something, one that has ended for nothing').toBe(
    run.finishedAt === null,
  )
  const told = JSON.stringify(explanationJson(run, explanation, at))
  expect(told).not.toMatch(/undefined|NaN/)
  expect(explanation.sentences.length).toBeLessThan(150)
}

function checkEvent(world: SimulatedWorld, event: LaterEvent): void {
  const { history } = world
  const previous = history[history.length - 2]!
  expect(event.at).toBeGreaterThanOrEqual(previous.at)
}

function howEnded(event: LaterEvent) {
  switch (event.type) {
    case 'AttemptSucceeded':
    case 'TaskSucceeded':
    case 'TaskReused':
      return 'succeeded'
    case 'TaskCancelled':
      return 'cancelled'
    case 'TaskSkipped':
      return event.reason === 'upstream_failed' ? 'failed' : 'skipped'
    default:
      return 'failed'
  }
}

/** After these a task may go on. */
const OPEN_ENDINGS: ReadonlySet<string> = new Set([
  'ConditionMet',
  'AttemptFailed',
  'AttemptTimedOut',
  'AttemptSnoozed',
  'AttemptInterrupted',
  'TaskWaiting',
])

/** Walks the history from its start, with a state of its own, and holds each event against what may happen there. */
function checkHistory(world: SimulatedWorld): void {
  const { graph, definition } = world.run.workflow
  const running = new Map<number, number>()
  const { plans } = world.run.workflow
  const ended = new Map<number, 'succeeded' | 'failed' | 'skipped' | 'cancelled'>()
  const order: number[] = []
  const children = new Set<string>()
  /** The last child of each task and item. */
  const childAt = new Map<number, string>()
  let finished = false
  let isPaused = false
  let compensating = false
  let freshUntil = 0
  const takenSignals = new Set<number>()
  /** When a task that polls may be called again. */
  const notBefore = new Map<number, number>()
  const endedAmong = (tasks: readonly number[]) => {
    const counts = { succeeded: 0, failed: 0, skipped: 0, cancelled: 0 }
    for (const task of tasks) if (ended.has(task)) counts[ended.get(task)!]++
    return counts
  }
  world.history.forEach((event, position) => {
    expect(finished, 'nothing comes after RunFinished').toBe(false)
    if (event.type === 'AttemptStarted' || event.type === 'ChildStarted') {
      expect(ended.has(event.task), 'an ended task never starts again').toBe(false)
      expect(isPaused, 'nothing starts in a paused run').toBe(false)
      const { rule, undoes } = plans[event.task]!
      if (undoes === null) {
        const verdict = judge(rule, endedAmong(graph.dependencies[event.task]!), graph.dependencies[event.task]!.length)
        expect(verdict, 'dependencies come first, as the rule says').toBe('start')
        expect(compensating, 'when a run undoes what it did, nothing else runs').toBe(false)
      } else {
        expect(compensating).toBe(true)
        const left = order.filter((task) => plans[task]!.undoneBy !== null && !ended.has(plans[task]!.undoneBy!))
        expect(left.at(-1), 'the last success is undone first').toBe(undoes)
        expect(running.size, 'compensations run one after another').toBe(0)
      }
      const key = spotKey(event)
      expect(event.at, 'what polls is not called again before its time').toBeGreaterThanOrEqual(notBefore.get(key) ?? 0)
      notBefore.delete(key)
      expect(ended.has(key), 'an ended item never starts again').toBe(false)
      running.set(key, position + 1)
      const inSlots = [...running.keys()].filter((spot) => !isRun(plans, spot))
      expect(inSlots.length, 'the slot bound').toBeLessThanOrEqual(definition.max_parallel)
      if (event.type === 'ChildStarted')
        expect(children.has(event.child), 'each attempt is a run of its own').toBe(false)
      if (event.type === 'ChildStarted') children.add(event.child)
      if (event.type === 'ChildStarted') childAt.set(key, event.child)
    } else if (event.type === 'RunPaused') isPaused = true
    else if (event.type === 'CompensationStarted') compensating = true
    else if (event.type === 'RunResumed' || event.type === 'RunCancelRequested' || event.type === 'RunStopped') {
      isPaused = false
    } else if (event.type === 'RunFinished') {
      finished = true
      expect(isPaused, 'a paused run does not end by itself').toBe(false)
      expect(running.size).toBe(0)
      expect([...ended.keys()].filter((key) => spotOf(key).item === undefined).length).toBe(definition.tasks.length)
    } else if (event.type !== 'SignalReceived' && 'task' in event) {
      const key = spotKey(spotAt(event.task, 'item' in event ? event.item : undefined))
      if ('token' in event) expect(running.get(key), 'R5').toBe(event.token)
      if (event.type === 'AttemptSnoozed') notBefore.set(key, event.at + event.afterMs)
      if (event.type === 'TaskSucceeded' && event.signal !== undefined) {
        const signal = world.history[event.signal - 1]
        const config = definition.tasks[event.task]!.with as { event: string; match?: string }
        if (signal?.type !== 'SignalReceived') throw new Error('what a task took is no signal')
        if (signal.task === undefined) {
          expect(signal.name).toBe(config.event)
          expect(isMatch(config, signal.data as { n: number })).toBe(true)
        } else expect(event.task, 'a signal for one task is taken by no other').toBe(signal.task)
        // One that was kept goes to a single task; one that has just come, to all that wait for it.
        const isFresh = position === event.signal || freshUntil === position
        if (isFresh) freshUntil = position + 1
        expect(isFresh || !takenSignals.has(event.signal), 'a signal that was kept is taken once').toBe(true)
        takenSignals.add(event.signal)
      }
      running.delete(key)
      if (!OPEN_ENDINGS.has(event.type)) {
        expect(ended.has(key), 'a task ends once').toBe(false)
        ended.set(key, howEnded(event))
        // What a map has under way ends with it.
        if (key === event.task)
          for (const other of running.keys()) {
            if (spotOf(other).task !== key) continue
            running.delete(other)
            const child = childAt.get(other)
            if (child !== undefined)
              expect(runsCutOff(world.run, key), 'a run that is cut off is ended').toContain(child)
          }
        if (key === event.task && ended.get(key) === 'succeeded') order.push(event.task)
      }
    }
  })
}

function isRun(plans: readonly TaskPlan[], key: number): boolean {
  const { task, item } = spotOf(key)
  return (item === undefined ? plans[task]! : plans[task]!.items!).kind === 'child'
}

/** Tasks whose output a retry takes over: whatever stands above one of them is taken over too, and no compensation is. */
function randomReuse(definition: WorkflowDefinition, random: Random): number[] {
  const { graph, plans } = compile(definition)
  const again = new Set(definition.tasks.flatMap((_, task) => (random.chance(0.2) ? [task] : [])))
  for (const task of again) for (const dependent of graph.dependents[task]!) again.add(dependent)
  return definition.tasks.flatMap((_, task) => (again.has(task) || plans[task]!.undoes !== null ? [] : [task]))
}

function simulate(seed: number): void {
  const random = seeded(seed)
  const { definition, isCyclic } = randomDefinition(random)
  const trouble = randomTrouble(random)
  const timeoutMs = random.chance(0.3) ? random.int(1, 800) : random.int(5_000, 100_000)
  const reused = !isCyclic && random.chance(0.2) ? randomReuse(definition, random) : []
  const startsInMs = random.chance(0.2) ? random.int(-500, 3_000) : null
  const world = new SimulatedWorld(definition, timeoutMs, random, trouble, checkEvent, reused, startsInMs)
  const interruptions = () => world.history.filter(({ type }) => type === 'AttemptInterrupted').length
  for (let steps = 0; !isFinal(world.run.status); steps++) {
    checkIncrementalState(world.run)
    checkSignals(world)
    checkWaiting(world.run, world.now)
    // It costs as much as the history is long, so not after every step.
    if (steps % 8 === 0) checkExplanation(world)
    expect(world.refold(), 'R1').toEqual(world.run)
    const admission = world.admission()
    expect(decide(world.run, world.run.at, noPayloads, admission), 'R2: asked again, the answer is the same').toEqual(
      decide(world.refold(), world.run.at, noPayloads, admission),
    )
    expect(steps, 'every run ends').toBeLessThan(2_000 + 50 * (definition.tasks.length + itemsIn(definition)))
    world.step()
  }
  checkIncrementalState(world.run)
  checkSignals(world)
  const begun = world.history.find(({ type }) => type === 'RunStarted')
  const { startAt } = world.run.options
  if (begun !== undefined && startAt !== undefined) {
    expect(begun.at, 'no run starts before its time').toBeGreaterThanOrEqual(startAt)
  }
  checkHistory(world)
  checkExplanation(world)
  transitions.record(world.history)
  expect(world.refold(), 'R1').toEqual(world.run)

  const { run } = world
  // Rules such as `always` let a run through a circle.
  const isPlain = definition.tasks.every(({ when, trigger_rule }) => when === undefined && trigger_rule === undefined)
  if (run.error?.code === 'deadlock') expect(isCyclic).toBe(true)
  if (isCyclic && isPlain) expect(run.status).not.toBe('succeeded')
  if (run.status === 'succeeded') {
    const lost = run.tasks.filter(({ status }) => status !== 'succeeded' && status !== 'skipped')
    const isHandled =
      definition.on_failure === 'continue' && lost.every(({ status }) => status === 'failed' || status === 'timed_out')
    expect(lost.length === 0 || isHandled, 'a success has no failure, or one that was handled').toBe(true)
    expect(run.compensation).toBeNull()
  } else if (run.status === 'cancelled') expect(run.error).toBeNull()
  else expect(run.error).not.toBeNull()
  const undone = run.tasks.filter((_, task) => run.workflow.plans[task]!.undoes !== null)
  for (const { status, skipReason } of undone) {
    expect(status === 'skipped' ? skipReason : status, 'a compensation ends, or is not needed').toBeOneOf([
      'succeeded',
      'failed',
      'timed_out',
      'not_needed',
      ...(run.compensation?.isBroken === true ? ['run_stopped', 'cancelled'] : []),
    ])
  }
  if (run.compensation === null && run.status !== 'succeeded') expect(run.undo, 'what succeeded is undone').toEqual([])
  const isCalm =
    trouble.crash + trouble.lostDispatch + trouble.failure + trouble.timedOut + trouble.snooze + trouble.cancel === 0
  // Nobody may send what is waited for, and a wait may be given less time than it takes.
  const isSure = definition.tasks.every(
    ({ type, timeout, with: config }) =>
      type !== 'wait_for_event' &&
      // Some of what maps compute here has no value.
      type !== 'map' &&
      timeout === undefined &&
      (config?.value as { is: string } | undefined)?.is !== FAILING,
  )
  if (isCalm && isPlain && isSure && !isCyclic && timeoutMs > 4_999 + definition.tasks.length * 1_000)
    expect(run.status).toBe('succeeded')
  for (const task of reused) expect(world.calls.has(task), 'what was taken over is never called').toBe(false)
  for (const [key, calls] of world.calls) {
    const { task, item } = spotOf(key)
    const plan = run.workflow.plans[task]!
    const cutOff = world.history.filter(
      (event) =>
        (event.type === 'AttemptInterrupted' || event.type === 'AttemptSnoozed') &&
        event.task === task &&
        event.item === item,
    )
    expect(
      calls,
      'a task is called again only after an interruption, to poll, or as its policy says',
    ).toBeLessThanOrEqual(((item === undefined ? plan : plan.items!).retry?.max_attempts ?? 1) + cutOff.length)
  }
  const held = world.history.filter((event) => event.type === 'TaskWaiting' && event.for === 'circuit').length
  if (trouble.open === 0) expect(held).toBe(0)
  const snoozes = world.history.filter(({ type }) => type === 'AttemptSnoozed').length
  const bound =
    4 +
    12 * (definition.tasks.length + itemsIn(definition)) +
    3 * (interruptions() + snoozes) +
    held +
    world.signals +
    2
  expect(world.history.length, 'the history is bounded').toBeLessThanOrEqual(bound)
}

test(`${SEEDS} random runs hold every invariant and end`, { timeout: 300_000 }, () => {
  const only = process.env.SEED
  const seeds = only === undefined ? Array.from({ length: SEEDS }, (_, index) => index + 1) : [Number(only)]
  for (const seed of seeds) {
    try {
      simulate(seed)
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error })
    }
  }
})

describe('the state diagrams of ARCHITECTURE.md', () => {
  const diagrams = stateDiagrams(architecture)
  const kinds = [
    ['runs', 'run', ['queued'], RUN_STATUSES.filter(isFinal)],
    ['tasks', 'task', ['pending'], TASK_STATUSES.filter(isSettled)],
  ] as const

  test.each(kinds.map((kind, position) => [...kind, position] as const))(
    'of %s draw what the simulated runs did, and nothing else',
    (name, of, first, last, position) => {
      const { edges, begins, ends } = diagrams[position]!
      const seen = transitions[of]
      const missing = [...seen].filter((edge) => !edges.has(edge))
      expect(missing, `add these edges to the diagram of ${name} ("Statuses" in ARCHITECTURE.md)`).toEqual([])
      const unseen = [...edges].filter((edge) => !seen.has(edge))
      // One run, or a few, cannot show every edge.
      if (process.env.SEED === undefined && SEEDS >= 1_000) {
        expect(unseen, `take these edges out of the diagram of ${name}, or let the simulation do them`).toEqual([])
      }
      expect(sortedText(begins)).toEqual(sortedText(first))
      expect(sortedText(ends)).toEqual(sortedText(last))
    },
  )
})

function sortedText(items: Iterable<string>): string[] {
  return [...items].sort()
}
