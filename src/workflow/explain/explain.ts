// The explanation of a run: its story, the path that decided how long it took, and what it waits for; as data and as text.
// Pure; bounded however large the run is.

import type { RunEvent, TaskIndex } from '../event.ts'
import type { Json } from '../json.ts'
import type { Run } from '../run/run.ts'
import { timeText } from '../time.ts'
import { countText, percent, spanText } from '../wording.ts'
import { type CriticalPath, criticalPath, type PathStep, type Spent } from './critical-path.ts'
import { type Need, outlookOf } from './outlook.ts'
import { type Sentence, storyOf, summaryText } from './story.ts'
import { timelineOf } from './timeline.ts'

/** How many steps of the path are shown: those with the largest shares. */
const MAX_STEPS = 100

/** Steps of the path that its text has room for. */
const MAX_STEPS_OF_TEXT = 20

/** Tasks that a sentence names as data. */
const MAX_NAMES = 100

export interface Explanation {
  readonly summary: string
  readonly sentences: readonly Sentence[]
  readonly path: CriticalPath
  readonly needs: readonly Need[]
}

/**
 * The explanation of a run, from its whole history: costs about as much as folding it.
 * @param events the run's whole history, in order; null is an event that this release does not know
 * @param now ms since the epoch
 */
export function explain(run: Run, events: readonly (RunEvent | null)[], now: number): Explanation {
  const at = Math.max(now, run.at)
  const timeline = timelineOf(run, events, run.finishedAt ?? at)
  return {
    summary: summaryText(run, at),
    sentences: storyOf(run, timeline),
    path: criticalPath(run, timeline, at),
    needs: outlookOf(run, at),
  }
}

/** An explanation as the API shows it. */
export function explanationJson(run: Run, { summary, sentences, path, needs }: Explanation, now: number): Json {
  const end = run.finishedAt ?? Math.max(now, run.at)
  const total = run.startedAt === null ? null : end - run.startedAt
  const told = largest(path.steps, MAX_STEPS)
  const leftOut = path.steps.length - told.length
  return {
    run: run.id,
    workflow: run.workflow.definition.name,
    version: run.version,
    status: run.status,
    at: timeText(end),
    duration_ms: total,
    summary,
    sentences: sentences.map(({ text, tasks }) => ({ text, ...taskNames(run, tasks) })),
    critical_path: {
      tasks: told.map((step) => stepJson(run, step, total ?? 0)),
      ...(leftOut === 0 ? {} : { left_out: leftOut }),
      after_ms: path.afterMs,
    },
    needs: needs.map(({ for: reason, text, tasks, until }) => ({
      for: reason,
      text,
      ...taskNames(run, tasks),
      ...(until === null ? {} : { until: timeText(until) }),
    })),
  }
}

function idOf(run: Run, task: TaskIndex): string {
  return run.workflow.definition.tasks[task]!.id
}

function taskNames(run: Run, tasks: readonly TaskIndex[]): { tasks?: string[]; tasks_left_out?: number } {
  if (tasks.length === 0) return {}
  const shown = tasks.slice(0, MAX_NAMES).map((task) => idOf(run, task))
  return { tasks: shown, ...(tasks.length > MAX_NAMES ? { tasks_left_out: tasks.length - MAX_NAMES } : {}) }
}

/** The steps with the largest shares, in their order. */
function largest(steps: readonly PathStep[], most: number): readonly PathStep[] {
  if (steps.length <= most) return steps
  const order = steps.map((step, index) => ({ ms: step.to - step.from, index }))
  order.sort((a, b) => b.ms - a.ms || a.index - b.index)
  const kept = new Set(order.slice(0, most).map(({ index }) => index))
  return steps.filter((_, index) => kept.has(index))
}

function stepJson(run: Run, { task, from, to, spent }: PathStep, total: number): { [key: string]: Json } {
  const waited = [...spent].filter(([kind]) => kind !== 'executing')
  return {
    task: idOf(run, task),
    status: run.tasks[task]!.status,
    from: timeText(from),
    to: timeText(to),
    duration_ms: to - from,
    share: total === 0 ? 0 : Math.round((10_000 * (to - from)) / total) / 10_000,
    executing_ms: spent.get('executing') ?? 0,
    waited_ms: Object.fromEntries(waited),
  }
}

/** An explanation as text for people: the summary, the story, the path, what has to happen. */
export function explanationText(run: Run, { summary, sentences, path, needs }: Explanation, now: number): string {
  const lines = [summary, '', ...sentences.map(({ text }) => text)]
  if (path.steps.length > 0) lines.push('', ...pathLines(run, path, now))
  if (needs.length > 0) lines.push('', 'It waits for:', ...needs.map(({ text }) => `  ${text}`))
  return `${lines.join('\n')}\n`
}

function pathLines(run: Run, { steps, afterMs }: CriticalPath, now: number): string[] {
  const total = (run.finishedAt ?? Math.max(now, run.at)) - run.startedAt!
  const told = largest(steps, MAX_STEPS_OF_TEXT)
  const width = Math.max(...told.map(({ task }) => idOf(run, task).length))
  const lines = told.map((step) => {
    const ms = step.to - step.from
    const parts = [...step.spent]
      .sort((a, b) => b[1] - a[1])
      .map(([kind, spent]) => `${SPENT[kind]} ${spanText(spent)}`)
    const how = parts.length === 0 ? run.tasks[step.task]!.status : parts.join(', ')
    return `  ${idOf(run, step.task).padEnd(width)}  ${spanText(ms).padStart(9)}  ${percent(ms, total).padStart(5)}  ${how}`
  })
  const leftOut = steps.length - told.length
  if (leftOut > 0) lines.push(`  and ${countText(leftOut, 'task')} with smaller shares`)
  if (afterMs > 0) lines.push(`  then nothing was under way for ${spanText(afterMs)}`)
  const so = run.finishedAt === null ? ' so far' : ''
  const by = steps.length === 1 ? '1 task' : `${steps.length} tasks, each let go by the one before`
  return [`Its ${spanText(total)}${so} were decided by ${by}:`, ...lines]
}

/** What a share went to, in words. */
const SPENT: { readonly [Kind in Spent]: string } = {
  executing: 'executing',
  start: 'ready but not started',
  slot: 'ready while all slots were taken',
  paused: 'ready while the run was paused',
  retry: 'until its retry',
  poll: 'until its next call',
  circuit: 'its circuit open',
  time: 'sleeping',
  signal: 'waiting for its event',
  child: 'waiting for the run that it is',
  items: 'waiting for its items',
}
