// What a run has done so far, in sentences: what ran, what failed and why, what was skipped because of what, how it ended.
// Pure. Says what the history says and nothing else. What has to happen next is outlook.ts.

import { handlerOf } from '../decide/outcome.ts'
import { findCycle } from '../definition/graph.ts'
import type { SkipReason, TaskIndex } from '../event.ts'
import { type Run, TASK_STATUSES, type Task } from '../run/run.ts'
import { timeText } from '../time.ts'
import { countText, errorText, joinWithAnd, spanText } from '../wording.ts'
import type { Timeline } from './timeline.ts'

/** A sentence, and the tasks that it is about. */
export interface Sentence {
  readonly text: string
  readonly tasks: readonly TaskIndex[]
}

/** How many sentences of a kind name one task each; the other tasks are only counted. */
const MAX_OF_A_KIND = 20

/** What the run has done so far, in sentences, from how it began to how it can be made again. Bounded: of many tasks of a kind only the first are named. */
export function storyOf(run: Run, timeline: Timeline): Sentence[] {
  return [
    ...beginning(run, timeline),
    ...origin(run),
    ...takenOver(run),
    ...signals(run),
    ...successes(run),
    ...children(run),
    ...maps(run),
    ...failures(run, timeline),
    ...interruptions(run),
    ...unreached(run),
    ...skips(run),
    ...ending(run, timeline),
    ...undoing(run),
    ...renewal(run),
  ]
}

function idOf(run: Run, task: TaskIndex): string {
  return run.workflow.definition.tasks[task]!.id
}

function names(run: Run, tasks: readonly TaskIndex[]): string {
  return joinWithAnd(tasks.map((task) => idOf(run, task)))
}

/** Positions of the tasks for which `holds` is true, in the order of the definition. */
function tasksThat(run: Run, holds: (task: Task, index: TaskIndex) => boolean): TaskIndex[] {
  return run.tasks.flatMap((task, index) => (holds(task, index) ? [index] : []))
}

/** One sentence each, of the first; the others are counted. */
function each(run: Run, tasks: readonly TaskIndex[], noun: string, tell: (task: TaskIndex) => string): Sentence[] {
  const told = tasks.slice(0, MAX_OF_A_KIND).map((task) => ({ text: tell(task), tasks: [task] }))
  const rest = tasks.slice(MAX_OF_A_KIND)
  if (rest.length === 0) return told
  return [
    ...told,
    {
      text: `So much for the first ${MAX_OF_A_KIND}; ${rest.length} more ${noun}: ${names(run, rest)}.`,
      tasks: rest,
    },
  ]
}

function beginning(run: Run, timeline: Timeline): Sentence[] {
  const { definition, placeholders } = run.workflow
  const started =
    run.startedAt === null
      ? 'and has not started'
      : `and started ${run.startedAt === run.createdAt ? 'at once' : `${spanText(run.startedAt - run.createdAt)} later`}`
  const sentences: Sentence[] = [
    {
      text: `The run of ${definition.name} version ${run.version}, ${countText(run.tasks.length, 'task')}, was accepted at ${timeText(run.createdAt)} ${started}.`,
      tasks: [],
    },
  ]
  if (placeholders > 0) {
    const of = tasksThat(run, (_, task) => run.workflow.plans[task]!.kind === 'placeholder')
    const are =
      placeholders === 1
        ? '1 of them is a placeholder, which does'
        : `${placeholders} of them are placeholders, which do`
    sentences.push({ text: `${are} nothing.`, tasks: of })
  }
  if (timeline.pauses.length > 0) {
    const ms = timeline.pauses.reduce((sum, { from, to }) => sum + to - from, 0)
    const times = timeline.pauses.length === 1 ? 'once' : `${timeline.pauses.length} times`
    sentences.push({ text: `It has been paused ${times}, for ${spanText(ms)} in all.`, tasks: [] })
  }
  return sentences
}

/** The run whose task this one is. */
function origin(run: Run): Sentence[] {
  const { parent } = run.options
  return parent === undefined
    ? []
    : [{ text: `It is ${itemText(parent.item)}the task ${parent.task_id} of the run ${parent.run_id}.`, tasks: [] }]
}

function itemText(item: number | undefined): string {
  return item === undefined ? '' : `item ${item} of `
}

/** What the run took over from the one that it makes again. */
function takenOver(run: Run): Sentence[] {
  const { retry } = run.options
  if (retry === undefined) return []
  const tasks = tasksThat(run, ({ isReused }) => isReused)
  const what =
    tasks.length === 0 ? 'no output' : `the outputs of ${countText(tasks.length, 'task')}: ${names(run, tasks)}`
  return [{ text: `It makes ${retry.of} again, and took over ${what}.`, tasks }]
}

/** How what did not succeed can be made again: a run that has ended does not go on. */
function renewal({ id, status }: Run): Sentence[] {
  if (status !== 'failed' && status !== 'timed_out' && status !== 'cancelled') return []
  return [
    { text: `It does not go on; POST /v1/runs/${id}/retry makes what did not succeed again, in a new run.`, tasks: [] },
  ]
}

/** What the run was told from outside. */
function signals({ signals, buffered }: Run): Sentence[] {
  if (signals.size === 0) return []
  const named = joinWithAnd([...new Set([...signals.values()].map(({ name }) => name))])
  const kept = buffered.size === 0 ? '' : `; no task has taken ${buffered.size} of them`
  return [{ text: `It was told of ${countText(signals.size, 'event')}: ${named}${kept}.`, tasks: [] }]
}

function successes(run: Run): Sentence[] {
  const done = tasksThat(
    run,
    ({ status, isReused }, task) => status === 'succeeded' && !isReused && run.workflow.plans[task]!.undoes === null,
  )
  if (done.length === 0) return []
  const isAll = done.length === run.tasks.length
  const sentences: Sentence[] = [
    {
      text: `${isAll && done.length > 1 ? `All ${done.length} tasks` : countText(done.length, 'task')} succeeded: ${names(run, done)}.`,
      tasks: done,
    },
  ]
  const again = done.filter((task) => countedAttempts(run, task).length > 0)
  sentences.push(
    ...each(run, again, 'succeeded after failed attempts', (task) => {
      const failed = countedAttempts(run, task)
      const codes = joinWithAnd([...new Set(failed.map(({ error }) => error?.code ?? 'timeout'))])
      return `${idOf(run, task)} succeeded at attempt ${run.tasks[task]!.attempts.at(-1)!.number}, after ${countText(failed.length, 'attempt')} that ended with ${codes}.`
    }),
  )
  return sentences
}

/** Attempts that ended against the task. */
function countedAttempts(run: Run, task: TaskIndex) {
  return run.tasks[task]!.attempts.filter(({ status, error }) => error !== null && status !== 'interrupted')
}

/** Tasks that are runs of other workflows. */
function children(run: Run): Sentence[] {
  const those = tasksThat(run, ({ childRun }) => childRun !== null)
  return each(
    run,
    those,
    'are runs of their own',
    (task) => `${idOf(run, task)} is the run ${run.tasks[task]!.childRun}.`,
  )
}

/** How the items of the maps stand that have begun. */
function maps(run: Run): Sentence[] {
  const those = tasksThat(run, ({ items }) => items !== null)
  return each(run, those, 'are maps', (task) => {
    const { progress, total } = run.tasks[task]!.items!
    const stands = TASK_STATUSES.filter((status) => progress[status] > 0).map(
      (status) => `${progress[status]} ${status.replace('_', ' ')}`,
    )
    const are = run.workflow.plans[task]!.items!.kind === 'child' ? ', each a run of its own' : ''
    return `${idOf(run, task)} has ${countText(total, 'item')}${are}${stands.length === 0 ? '' : `: ${stands.join(', ')}`}.`
  })
}

/** Tasks that failed or timed out by themselves, with what was tried and whether somebody was there for it. */
function failures(run: Run, timeline: Timeline): Sentence[] {
  const own = tasksThat(run, ({ status }, task) => {
    if (run.workflow.plans[task]!.undoes !== null) return false
    return status === 'failed' || (status === 'timed_out' && !isCutOff(timeline, task))
  })
  // In the order of the history, which is that of causes.
  own.sort((a, b) => timeline.tasks[a]!.last - timeline.tasks[b]!.last)
  return each(run, own, 'failed', (task) => {
    const handler = handlerOf(run, task)
    const stopped = run.workflow.definition.on_failure === 'stop' && run.failures[0] === task
    const handled =
      handler === undefined
        ? ''
        : ` ${idOf(run, handler)}, which runs by ${run.workflow.plans[handler]!.rule}, succeeded, so the failure is handled.`
    return `${failureText(run, task)}.${handled}${stopped ? ' That stopped the run, since its on_failure is stop.' : ''}`
  })
}

/** "charge failed after 3 attempts: http_503 (...)". */
export function failureText(run: Run, task: TaskIndex): string {
  const { status, attempts, error } = run.tasks[task]!
  const how = status === 'timed_out' ? 'timed out' : 'failed'
  const { kind } = run.workflow.plans[task]!
  const isTried = kind === 'attempt' || kind === 'child'
  const tried = attempts.length === 0 ? 'before any attempt' : `after ${countText(attempts.length, 'attempt')}`
  return `${idOf(run, task)} ${how}${isTried ? ` ${tried}` : ''}${error === null ? '' : `: ${errorText(error)}`}`
}

/** Whether the task ended because its run did. */
function isCutOff({ tasks, cut }: Timeline, task: TaskIndex): boolean {
  return cut > 0 && tasks[task]!.last > cut
}

function interruptions(run: Run): Sentence[] {
  const cut = tasksThat(run, ({ interruptions }) => interruptions > 0)
  return each(run, cut, 'had attempts cut off', (task) => {
    const times = countText(run.tasks[task]!.interruptions, 'attempt')
    return `${times} of ${idOf(run, task)} ${run.tasks[task]!.interruptions === 1 ? 'was' : 'were'} cut off by a restart or a pause, which spends none of its attempts.`
  })
}

function unreached(run: Run): Sentence[] {
  const count = (task: TaskIndex) => run.tasks[task]!.attempts.filter(({ isUnreached }) => isUnreached).length
  const some = tasksThat(run, (_, task) => count(task) > 0)
  return each(run, some, 'had attempts that could not be made', (task) => {
    return `${countText(count(task), 'attempt')} of ${idOf(run, task)} could not be made, since what makes ${count(task) === 1 ? 'it' : 'them'} did not answer; that spends none of its attempts.`
  })
}

function skips(run: Run): Sentence[] {
  const groups = new Map<string, { tasks: TaskIndex[]; why: string }>()
  run.tasks.forEach(({ skipReason }, task) => {
    if (skipReason === null) return
    const why = skipText(run, task, skipReason)
    if (why === null) return
    const group = groups.get(why)
    if (group === undefined) groups.set(why, { tasks: [task], why })
    else group.tasks.push(task)
  })
  const all = [...groups.values()]
  const told = all.slice(0, MAX_OF_A_KIND).map(({ tasks, why }) => ({
    text: `${names(run, tasks)} ${tasks.length === 1 ? 'was' : 'were'} skipped ${why}.`,
    tasks,
  }))
  const rest = all.slice(MAX_OF_A_KIND).flatMap(({ tasks }) => tasks)
  if (rest.length === 0) return told
  return [
    ...told,
    {
      text: `${countText(rest.length, 'more task')} were skipped for other such reasons: ${names(run, rest)}.`,
      tasks: rest,
    },
  ]
}

/** Why a task was skipped; null where the sentence about the end of the run says it. */
function skipText(run: Run, task: TaskIndex, reason: SkipReason): string | null {
  const { because } = run.tasks[task]!
  const { when } = run.workflow.definition.tasks[task]!
  const { rule } = run.workflow.plans[task]!
  const cause = because === null ? 'a dependency' : idOf(run, because)
  const end = because === null ? 'ended' : endText(run.tasks[because]!)
  switch (reason) {
    case 'condition':
      return `because its condition was false: ${(when ?? '').slice(0, 200)}`
    case 'upstream_failed':
      return `because ${cause} ${end} (upstream_failed)`
    case 'trigger_rule':
      return `because the rule ${rule} could not hold any more once ${cause} ${end} (trigger_rule)`
    case 'not_needed':
      return 'because there was nothing to undo (not_needed)'
    case 'run_stopped':
      return null
    default:
      return reason satisfies never
  }
}

/** How a task ended, as a predicate. */
function endText({ status }: Task): string {
  if (status === 'timed_out') return 'timed out'
  return status === 'skipped' || status === 'cancelled' ? `was ${status}` : status
}

/** What ended the run against its tasks, and who had what then. */
function ending(run: Run, timeline: Timeline): Sentence[] {
  const sentences: Sentence[] = []
  const [stopper] = run.failures
  if (run.workflow.definition.on_failure === 'stop' && stopper !== undefined) {
    const cut = tasksThat(run, (task, index) => isEndedWithRun(task) && !isCutOff(timeline, index))
    if (cut.length > 0) sentences.push(endedWith(run, timeline, cut, `When ${idOf(run, stopper)} stopped the run`))
  }
  if (timeline.cutAt === null || run.ending === null) return sentences
  const cut = tasksThat(run, (_, task) => isCutOff(timeline, task) && run.workflow.plans[task]!.undoes === null)
  const at = timeText(timeline.cutAt)
  switch (run.ending) {
    case 'timed_out':
      sentences.push(
        endedWith(run, timeline, cut, `The time of the run, ${spanText(run.timeoutMs)}, was over at ${at}`),
      )
      break
    case 'cancelled':
      sentences.push(endedWith(run, timeline, cut, `Somebody asked for the end of the run at ${at}`))
      break
    case 'stopped':
      sentences.push(...circle(run), endedWith(run, timeline, cut, `The run could not go on at ${at}${stopText(run)}`))
      break
    case 'task_failed':
      break
    default:
      run.ending satisfies never
  }
  return sentences
}

function stopText({ error, compensation }: Run): string {
  const stop = compensation === null ? error : compensation.error
  return stop === null ? '' : `, ${errorText(stop)}`
}

function isEndedWithRun({ status, skipReason }: Task): boolean {
  return status === 'cancelled' || skipReason === 'run_stopped'
}

function endedWith(run: Run, timeline: Timeline, tasks: TaskIndex[], what: string): Sentence {
  const executing = tasks.filter((task) => wasExecuting(run.tasks[task]!))
  const begun = (task: TaskIndex) => timeline.tasks[task]!.first !== timeline.tasks[task]!.last
  const waiting = tasks.filter((task) => begun(task) && !wasExecuting(run.tasks[task]!))
  const unbegun = tasks.filter((task) => !begun(task))
  const parts = [
    ['executing', executing],
    ['waiting', waiting],
    ['not begun', unbegun],
  ] as const
  const told = parts.flatMap(([how, those]) => (those.length === 0 ? [] : [`${how}: ${names(run, those)}`]))
  return { text: `${what}${told.length === 0 ? '' : `; what had not ended ended with it, ${told.join('; ')}`}.`, tasks }
}

/** Whether the end of the run cut an attempt off: such an attempt has no error of its own. */
function wasExecuting({ attempts, status }: Task): boolean {
  const last = attempts.at(-1)
  return last !== undefined && last.status === status && last.error === null
}

/** The circle that a deadlock is made of, if there is one. */
function circle(run: Run): Sentence[] {
  const error = run.compensation === null ? run.error : run.compensation.error
  if (error?.code !== 'deadlock') return []
  const cycle = findCycle(run.workflow.graph)
  if (cycle === null) return []
  const shown = cycle.slice(0, MAX_OF_A_KIND)
  const left = cycle.length - shown.length
  const links = shown.map((task) => idOf(run, task)).join(' waits for ')
  return [
    {
      text: `${links}${left > 0 ? `, and so on over ${left} more` : ''}: a circle, so none of them could ever start.`,
      tasks: cycle.slice(0, -1),
    },
  ]
}

/** How far what succeeded has been undone. */
function undoing(run: Run): Sentence[] {
  const { compensation, undo } = run
  if (compensation === null) return []
  const inOrder = [...undo].reverse()
  const those = (holds: (task: Task) => boolean) => inOrder.filter((task) => holds(run.tasks[task]!))
  const pairs = (tasks: readonly TaskIndex[]) =>
    joinWithAnd(tasks.map((task) => `${idOf(run, run.workflow.plans[task]!.undoes!)} by ${idOf(run, task)}`))
  const done = those(({ status }) => status === 'succeeded')
  const left = those(({ status, skipReason }) => status === 'cancelled' || skipReason === 'run_stopped')
  const sentences: Sentence[] = [
    {
      text:
        run.finishedAt === null
          ? `What had succeeded is undone one by one, the last success first, ${countText(undo.length, 'task')}; the run ends ${compensation.status} then.`
          : `What had succeeded was undone, the last success first, ${countText(undo.length, 'task')}, before the run ended.`,
      tasks: inOrder,
    },
  ]
  if (done.length > 0) sentences.push({ text: `Undone: ${pairs(done)}.`, tasks: done })
  sentences.push(
    ...each(
      run,
      compensation.failed,
      'failed',
      (task) => `${failureText(run, task)}, so ${idOf(run, run.workflow.plans[task]!.undoes!)} is not undone.`,
    ),
  )
  if (left.length > 0)
    sentences.push({ text: `The run broke while it undid this; not undone: ${pairs(left)}.`, tasks: left })
  return sentences
}

/** How the run stands, or ended, in one sentence. */
export function summaryText(run: Run, now: number): string {
  const { progress, error } = run
  const { length } = run.tasks
  const took = run.startedAt === null ? '' : spanText((run.finishedAt ?? now) - run.startedAt)
  const done = `${progress.succeeded} of ${countText(length, 'task')} succeeded`
  const others = (['failed', 'timed_out', 'skipped', 'cancelled', 'running', 'waiting', 'pending'] as const)
    .filter((status) => progress[status] > 0)
    .map((status) => `, ${progress[status]} ${status.replace('_', ' ')}`)
    .join('')
  const figures = `${done}${others}`
  const why =
    error === null ? '' : ` ${error.task_id === undefined ? '' : `${error.task_id} ended with `}${errorText(error)}.`
  switch (run.status) {
    case 'queued':
      return `The run is queued: ${figures}.`
    case 'running':
      return run.compensation === null
        ? `The run has been going for ${took}: ${figures}.`
        : `The run undoes what it did, and ends ${run.compensation.status} then: ${figures}.`
    case 'paused':
      return `The run is paused: ${figures}.`
    case 'succeeded':
      return `The run succeeded in ${took}: ${figures}.`
    case 'failed':
      return `The run failed${took === '' ? '' : ` after ${took}`}: ${figures}.${why}`
    case 'timed_out':
      return `The run timed out after ${took}: ${figures}.`
    case 'cancelled':
      return `The run was cancelled${took === '' ? ' before it started' : ` after ${took}`}: ${figures}.`
    default:
      return run.status satisfies never
  }
}
