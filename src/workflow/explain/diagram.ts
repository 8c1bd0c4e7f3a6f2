// The graph of a workflow, or of a run with how its tasks stand, as text for drawing programs. Arrows go from a task to
// those that wait for it.
// Ids come from outside: they are quoted, and never stand where either language has words of its own ("end", "node").

import { isPlaceholder, type TaskDefinition, type WorkflowDefinition } from '../definition/definition.ts'
import { buildGraph } from '../definition/graph.ts'
import { TASK_STATUSES, type TaskStatus } from '../run/run.ts'

/** What of a definition is drawn. */
export type Drawn = Pick<WorkflowDefinition, 'name' | 'tasks'>

/** How each task of a run stands, in the order of the definition. */
export type Standing = readonly TaskStatus[]

/** Fill and border. The label names the status too: colours alone do not reach everybody. */
const COLOURS: Readonly<Record<TaskStatus, readonly [fill: string, border: string]>> = {
  pending: ['#f3f4f6', '#6b7280'],
  waiting: ['#fef3c7', '#b45309'],
  running: ['#dbeafe', '#1d4ed8'],
  succeeded: ['#dcfce7', '#15803d'],
  failed: ['#fee2e2', '#b91c1c'],
  skipped: ['#ffffff', '#9ca3af'],
  cancelled: ['#e5e7eb', '#4b5563'],
  timed_out: ['#ffedd5', '#c2410c'],
}

/** Text on a filled task; without it a dark theme writes white on light colours. */
const INK = '#111827'

/**
 * Mermaid flowchart. Tasks are called by position and show id and type, of a run also their status, which is their class;
 * placeholders have a dashed border.
 * @see https://mermaid.js.org/syntax/flowchart.html
 */
export function toMermaid(definition: Drawn, standing?: Standing): string {
  const lines = ['flowchart TD']
  definition.tasks.forEach((task, index) => {
    const label = labelOf(task, standing?.[index]).map(mermaidText).join('<br/>')
    lines.push(`  t${index}["${label}"]${isPlaceholder(task) ? ':::placeholder' : ''}`)
  })
  for (const [from, to] of edges(definition)) lines.push(`  t${from} --> t${to}`)
  if (definition.tasks.some(isPlaceholder)) lines.push('  classDef placeholder stroke-dasharray: 5 5')
  if (standing !== undefined) lines.push(...mermaidClasses(standing))
  return `${lines.join('\n')}\n`
}

/**
 * Graphviz digraph. Tasks are called by their ids and, of a run, filled by their status; placeholders have a dashed border.
 * @see https://graphviz.org/doc/info/lang.html
 */
export function toDot(definition: Drawn, standing?: Standing): string {
  const lines = [`digraph ${dotText(definition.name)} {`, '  node [shape=box]']
  definition.tasks.forEach((task, index) => {
    const status = standing?.[index]
    const label = dotText(labelOf(task, status).join('\n'))
    lines.push(`  ${dotText(task.id)} [label=${label}${dotStyle(isPlaceholder(task), status)}]`)
  })
  for (const [from, to] of edges(definition)) {
    lines.push(`  ${dotText(definition.tasks[from]!.id)} -> ${dotText(definition.tasks[to]!.id)}`)
  }
  return `${[...lines, '}'].join('\n')}\n`
}

function labelOf(task: TaskDefinition, status: TaskStatus | undefined): string[] {
  return status === undefined ? [task.id, task.type] : [task.id, task.type, status]
}

/** A class for each status that occurs, and the tasks that have it. */
function mermaidClasses(standing: Standing): string[] {
  return TASK_STATUSES.flatMap((status) => {
    const tasks = standing.flatMap((one, index) => (one === status ? [`t${index}`] : []))
    if (tasks.length === 0) return []
    const [fill, border] = COLOURS[status]
    return [`  class ${tasks.join(',')} ${status}`, `  classDef ${status} fill:${fill},stroke:${border},color:${INK}`]
  })
}

function dotStyle(isDashed: boolean, status: TaskStatus | undefined): string {
  if (status === undefined) return isDashed ? ', style=dashed' : ''
  const [fill, border] = COLOURS[status]
  const style = isDashed ? '"filled,dashed"' : 'filled'
  return `, style=${style}, fillcolor="${fill}", color="${border}", fontcolor="${INK}", class="${status}"`
}

function edges({ tasks }: Drawn): [from: number, to: number][] {
  return buildGraph(tasks).dependencies.flatMap((from, to) => from.map((index): [number, number] => [index, to]))
}

/** A label between double quotes takes any character as an entity `#code;`. */
function mermaidText(text: string): string {
  return text.replace(/[^\w .-]/gu, (character) => `#${character.codePointAt(0)};`)
}

function dotText(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}
