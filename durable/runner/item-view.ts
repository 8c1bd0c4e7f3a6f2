// The items of a map as the API shows them. Pure; JSON text, as in view.ts.

import type { LoadPayload, TaskIndex } from '../../src/workflow/event.ts'
import { type Waits, waitingIn } from '../../src/workflow/explain/waiting.ts'
import { readValue } from '../../src/workflow/expression/scope.ts'
import type { Json } from '../../src/workflow/json.ts'
import { itemValue } from '../../src/workflow/run/item-values.ts'
import type { Run, TaskStatus } from '../../src/workflow/run/run.ts'
import { attemptsView, duration, logsView, timestamp, type ViewContext, waitingView } from './view.ts'

/** Indexes of a map's items, of one status or all, from an index on. */
export function itemsFrom(run: Run, task: TaskIndex, status: TaskStatus | null, from: number, limit: number): number[] {
  const { items } = run.tasks[task]!
  const found: number[] = []
  for (let index = from; items !== null && index < items.total && found.length < limit; index++) {
    if (status === null || statusOf(run, task, index) === status) found.push(index)
  }
  return found
}

/** The status of an item. One that has not begun is pending while its map goes on, and skipped once the map has ended. */
function statusOf(run: Run, task: TaskIndex, index: number): TaskStatus {
  const { items, finishedAt } = run.tasks[task]!
  return items!.begun.get(index)?.status ?? (finishedAt === null ? 'pending' : 'skipped')
}

/** What makes the JSON text of an item of a map. */
export function itemTexts(run: Run, task: TaskIndex, context: ViewContext): (index: number) => string {
  const waits = waitingIn(run, context.now)
  return (index) => JSON.stringify(itemView(run, task, index, waits, context.load))
}

function itemView(run: Run, task: TaskIndex, index: number, waits: Waits, load: LoadPayload): { [key: string]: Json } {
  const items = run.tasks[task]!.items!
  const item = items.begun.get(index)
  return {
    index,
    status: statusOf(run, task, index),
    item: itemValue(items, index, load),
    ...waitingView(waits.ofItem(task, index)),
    output: readValue(item?.output ?? null, load),
    ...logsView(item?.logs ?? null, false, load),
    error: (item?.error ?? null) as Json,
    ...(item?.childRun == null ? {} : { child_run: item.childRun }),
    started_at: timestamp(item?.startedAt ?? null),
    finished_at: timestamp(item?.finishedAt ?? null),
    duration_ms: duration(item?.startedAt ?? null, item?.finishedAt ?? null),
    attempts: attemptsView(item?.attempts ?? []),
  }
}
