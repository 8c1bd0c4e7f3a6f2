// Which statuses followed which in a history, for a run and for its tasks, event by event.

import type { AcceptedEvent, LaterEvent } from '../../src/workflow/event.ts'
import { accept, apply } from '../../src/workflow/run/apply.ts'

/** Changes of status, each written as a state diagram writes it: "pending --> running". */
export class Transitions {
  readonly run = new Set<string>()
  readonly task = new Set<string>()

  record([first, ...later]: readonly [AcceptedEvent, ...LaterEvent[]]): void {
    const run = accept(first)
    for (const event of later) {
      const task = 'task' in event && event.task !== undefined ? run.tasks[event.task] : undefined
      const before = { run: run.status, task: task?.status }
      apply(run, event)
      if (before.run !== run.status) this.run.add(`${before.run} --> ${run.status}`)
      if (task !== undefined && before.task !== task.status) this.task.add(`${before.task} --> ${task.status}`)
    }
  }
}

/** The edges of the state diagrams of a text, in order; those from and to `[*]` apart. */
export function stateDiagrams(markdown: string): { edges: Set<string>; begins: Set<string>; ends: Set<string> }[] {
  return [...markdown.matchAll(/```mermaid\nstateDiagram-v2\n(.*?)```/gs)].map(([, body = '']) => {
    const arrows = [...body.matchAll(/^ *(\S+) --> (\w+|\[\*\])/gm)].map(([, from = '', to = '']) => ({ from, to }))
    const inner = arrows.filter(({ from, to }) => from !== '[*]' && to !== '[*]')
    return {
      edges: new Set(inner.map(({ from, to }) => `${from} --> ${to}`)),
      begins: new Set(arrows.filter(({ from }) => from === '[*]').map(({ to }) => to)),
      ends: new Set(arrows.filter(({ to }) => to === '[*]').map(({ from }) => from)),
    }
  })
}
