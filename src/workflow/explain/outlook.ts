// What has to happen for a run to go on, one line for each thing that it waits for. Pure. Nothing for a run that has ended.

import type { TaskIndex } from '../event.ts'
import { isFinal, type Run } from '../run/run.ts'
import { planOf, type Spot, spotOf } from '../run/spot.ts'
import { triesOf } from '../run/tries.ts'
import { timeText } from '../time.ts'
import { countText, joinWithAnd, spanText } from '../wording.ts'
import { runWaiting, type Waiting, type WaitingReason, waitingIn } from './waiting.ts'

/** Something that the run waits for. */
export interface Need {
  readonly for: 'executing' | 'deadline' | WaitingReason
  readonly text: string
  readonly tasks: readonly TaskIndex[]
  /** When it happens by itself, ms since the epoch; null if no time brings it. */
  readonly until: number | null
}

/** How many tasks are described one by one; the others are only counted. */
const MAX_TOLD = 20

/**
 * What the run waits for, one entry for each thing; [] for a run that has ended.
 * @param now ms since the epoch, not before `run.at`
 */
export function outlookOf(run: Run, now: number): Need[] {
  if (isFinal(run.status)) return []
  const held = runWaiting(run)
  return [
    ...(held === null ? [] : [runNeed(run, held)]),
    ...executing(run, now),
    ...waits(run, now),
    ...deadline(run, now),
  ]
}

function runNeed(run: Run, { for: kind, detail, until = null }: Waiting): Need {
  const how = kind === 'paused' ? `: POST /v1/runs/${run.id}/resume lets it go on` : ''
  const due = until === null || until <= run.at ? '' : `, until ${timeText(until)}`
  return { for: kind, text: `${detail}${due}${how}`, tasks: [], until }
}

function idOf(run: Run, task: TaskIndex): string {
  return run.workflow.definition.tasks[task]!.id
}

function executing(run: Run, now: number): Need[] {
  const spots = [...run.slots.holders].map(spotOf)
  const nameOf = ({ task, item }: Spot) => `${idOf(run, task)}${item === undefined ? '' : `, item ${item},`}`
  const needs = spots.slice(0, MAX_TOLD).map((spot): Need => {
    const { number, startedAt } = triesOf(run, spot).attempts.at(-1)!
    const { timeoutMs } = planOf(run, spot)
    const limit = timeoutMs === null ? '' : `, at most ${spanText(timeoutMs)}`
    const text = `${nameOf(spot)} has to end: attempt ${number} has been executing for ${spanText(Math.max(0, now - startedAt))}${limit}`
    return { for: 'executing', text, tasks: [spot.task], until: timeoutMs === null ? null : startedAt + timeoutMs }
  })
  const rest = spots.slice(MAX_TOLD)
  if (rest.length === 0) return needs
  const tasks = [...new Set(rest.map(({ task }) => task))]
  const text = `${countText(rest.length, 'more attempt')} to end, of ${joinWithAnd(tasks.map((task) => idOf(run, task)))}`
  return [...needs, { for: 'executing', text, tasks, until: null }]
}

/** Tasks that are held back, by what holds them. */
function waits(run: Run, now: number): Need[] {
  const { ofTask } = waitingIn(run, now)
  const byReason = new Map<WaitingReason, TaskIndex[]>()
  const waiting = new Map<TaskIndex, Waiting>()
  for (let task = run.firstUnsettled; task < run.tasks.length; task++) {
    const found = ofTask(task)
    // Compensations that nothing needs so far hold nothing up.
    if (found === null || (run.compensation === null && run.workflow.plans[task]!.undoes !== null)) continue
    waiting.set(task, found)
    const together = byReason.get(found.for)
    if (together === undefined) byReason.set(found.for, [task])
    else together.push(task)
  }
  return [...byReason].flatMap(([reason, tasks]) => {
    // What holds the run is told already.
    const together = TOGETHER[reason]
    if (together !== undefined) {
      return { for: reason, text: together(run, tasks), tasks, until: null }
    }
    return describeNeeds(run, tasks, reason, `more tasks wait (${reason})`, (task) => {
      const { detail, until = null } = waiting.get(task)!
      const due = until === null ? '' : `, until ${timeText(until)}`
      return { text: `${idOf(run, task)}: ${detail}${due}`, until }
    })
  })
}

/** Waits that one sentence describes for all their tasks, since each of them waits for the same. */
const TOGETHER: { readonly [Reason in WaitingReason]?: (run: Run, tasks: readonly TaskIndex[]) => string } = {
  slot: (run, tasks) =>
    `${countText(tasks.length, 'task')} ready, for one of ${countText(run.slots.capacity, 'slot')}: ${joinWithAnd(tasks.map((task) => idOf(run, task)))}`,
  paused: (run, tasks) =>
    `${countText(tasks.length, 'task')} ready, for the end of the pause: ${joinWithAnd(tasks.map((task) => idOf(run, task)))}`,
}

function describeNeeds(
  run: Run,
  tasks: readonly TaskIndex[],
  reason: Need['for'],
  others: string,
  tell: (task: TaskIndex) => Pick<Need, 'text' | 'until'>,
): Need[] {
  const needs = tasks.slice(0, MAX_TOLD).map((task) => ({ for: reason, ...tell(task), tasks: [task] }))
  const rest = tasks.slice(MAX_TOLD)
  if (rest.length === 0) return needs
  const text = `${rest.length} ${others}: ${joinWithAnd(rest.map((task) => idOf(run, task)))}`
  return [...needs, { for: reason, text, tasks: rest, until: null }]
}

function deadline({ deadlineAt, remainingMs, compensation }: Run, now: number): Need[] {
  if (compensation !== null) return []
  if (remainingMs !== null) {
    return [
      {
        for: 'deadline',
        text: `its time stands still while it is paused: ${spanText(remainingMs)} are left`,
        tasks: [],
        until: null,
      },
    ]
  }
  if (deadlineAt === null) return []
  const left = deadlineAt > now ? `in ${spanText(deadlineAt - now)}` : 'now'
  return [
    {
      for: 'deadline',
      text: `all of it by ${timeText(deadlineAt)}, ${left}, or the run times out`,
      tasks: [],
      until: deadlineAt,
    },
  ]
}
