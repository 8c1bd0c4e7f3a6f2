// A workflow's graph as text for drawing programs. Arrows go from a task to those that wait for it.
// Ids come from outside: they are quoted, and never stand where either language has words of its own ("end", "node").

import { isPlaceholder, type TaskDefinition, type WorkflowDefinition } from './definition.ts'
import { buildGraph } from './graph.ts'

/**
 * Mermaid flowchart. Tasks are called by position and show id and type; placeholders have a dashed border.
 * @see https://mermaid.js.org/syntax/flowchart.html
 */
export function toMermaid(definition: WorkflowDefinition): string {
  const lines = ['flowchart TD']
  definition.tasks.forEach((task, index) => {
    lines.push(
      `  t${index}["${labelOf(task).map(mermaidText).join('<br/>')}"]${isPlaceholder(task) ? ':::placeholder' : ''}`,
    )
  })
  for (const [from, to] of edges(definition)) lines.push(`  t${from} --> t${to}`)
  if (definition.tasks.some(isPlaceholder)) lines.push('  classDef placeholder stroke-dasharray: 5 5')
  return `${lines.join('\n')}\n`
}

/**
 * Graphviz digraph. Tasks are called by their ids; placeholders have a dashed border.
 * @see https://graphviz.org/doc/info/lang.html
 */
export function toDot(definition: WorkflowDefinition): string {
  const lines = [`digraph ${dotText(definition.name)} {`, '  node [shape=box]']
  for (const task of definition.tasks) {
    const style = isPlaceholder(task) ? ', style=dashed' : ''
    lines.push(`  ${dotText(task.id)} [label=${dotText(labelOf(task).join('\n'))}${style}]`)
  }
  for (const [from, to] of edges(definition)) {
    lines.push(`  ${dotText(definition.tasks[from]!.id)} -> ${dotText(definition.tasks[to]!.id)}`)
  }
  return `${[...lines, '}'].join('\n')}\n`
}

function labelOf(task: TaskDefinition): string[] {
  return [task.id, task.type]
}

function edges({ tasks }: WorkflowDefinition): [from: number, to: number][] {
  return buildGraph(tasks).dependencies.flatMap((from, to) => from.map((index): [number, number] => [index, to]))
}

/** A label between double quotes takes any character as an entity `#code;`. */
function mermaidText(text: string): string {
  return text.replace(/[^\w .-]/gu, (character) => `#${character.codePointAt(0)};`)
}

function dotText(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}
