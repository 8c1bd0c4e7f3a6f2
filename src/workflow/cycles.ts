// What is known of a graph as a whole: its cycles, and which task surely runs before which other.
// For registration, which asks about every task; a run asks about single ones and uses graph.ts. Iterative throughout, so
// that a chain of 10,000 tasks does not end the stack.

import type { Graph } from './definition/graph.ts'

/**
 * Groups of tasks that reach each other (strongly connected components), each after all groups that it depends on.
 * A task in no cycle is a group of its own.
 * @see Tarjan, "Depth-first search and linear graph algorithms" (1972)
 */
export function components(graph: Graph): number[][] {
  const size = graph.dependencies.length
  const order = new Int32Array(size).fill(-1)
  const low = new Int32Array(size)
  const isOpen = new Uint8Array(size)
  const open: number[] = []
  const groups: number[][] = []
  let seen = 0
  for (let start = 0; start < size; start++) {
    if (order[start] !== -1) continue
    const path: number[] = []
    const nextEdge: number[] = []
    const enter = (node: number) => {
      order[node] = low[node] = seen++
      isOpen[node] = 1
      open.push(node)
      path.push(node)
      nextEdge.push(0)
    }
    enter(start)
    while (path.length > 0) {
      const node = path.at(-1)!
      const dependency = graph.dependencies[node]![nextEdge[nextEdge.length - 1]!++]
      if (dependency !== undefined) {
        if (order[dependency] === -1) enter(dependency)
        else if (isOpen[dependency] === 1) low[node] = Math.min(low[node]!, order[dependency]!)
        continue
      }
      path.pop()
      nextEdge.pop()
      const parent = path.at(-1)
      if (parent !== undefined) low[parent] = Math.min(low[parent]!, low[node]!)
      if (low[node] !== order[node]) continue
      const group = open.splice(open.lastIndexOf(node))
      for (const member of group) isOpen[member] = 0
      groups.push(group)
    }
  }
  return groups
}

/**
 * One cycle of each group of tasks that wait for each other, the shortest through the group's first task, as positions in
 * the order of "waits for": `[a, b, a]`. A task that names itself is not a cycle here: it is a fault of its own.
 */
export function findCycles(graph: Graph, groups: readonly (readonly number[])[] = components(graph)): number[][] {
  return groups
    .filter((group) => group.length > 1)
    .map((group) =>
      shortestCycle(
        graph,
        new Set(group),
        group.reduce((a, b) => Math.min(a, b)),
      ),
    )
    .sort((a, b) => a[0]! - b[0]!)
}

/** Breadth-first from `start` over the group, until an edge leads back. */
function shortestCycle(graph: Graph, group: ReadonlySet<number>, start: number): number[] {
  const cameFrom = new Map<number, number>()
  const queue = [start]
  for (const node of queue) {
    for (const dependency of graph.dependencies[node]!) {
      if (dependency === start && node !== start) {
        const back = [start]
        for (let step = node; step !== start; step = cameFrom.get(step)!) back.push(step)
        return [...back, start].reverse()
      }
      if (dependency === start || !group.has(dependency) || cameFrom.has(dependency)) continue
      cameFrom.set(dependency, node)
      queue.push(dependency)
    }
  }
  throw new Error(`task ${start} is in a group of ${group.size} that has no cycle`)
}

/**
 * Which task surely runs before which other, for all tasks at once: a bit for each pair, made in one pass over the edges. At 10,000 tasks
 * that is 12.5 MB and some ten milliseconds; a search for each question would be quadratic.
 */
export class Upstream {
  readonly #rows: (Uint32Array | undefined)[]

  constructor(graph: Graph, groups: readonly (readonly number[])[] = components(graph)) {
    const size = graph.dependencies.length
    this.#rows = new Array(size)
    // Groups come after those they depend on, so the rows that a group takes over are complete.
    for (const group of groups) {
      const row = new Uint32Array(Math.ceil(size / 32))
      for (const member of group) {
        for (const dependency of graph.dependencies[member]!) {
          row[dependency >>> 5]! |= 1 << (dependency & 31)
          const above = this.#rows[dependency]
          if (above !== undefined) for (let word = 0; word < row.length; word++) row[word]! |= above[word]!
        }
      }
      for (const member of group) this.#rows[member] = row
    }
  }

  /** Whether `ancestor` surely runs before `task`, both given by position. Costs one look at a bit. */
  has(task: number, ancestor: number): boolean {
    return (this.#rows[task]![ancestor >>> 5]! & (1 << (ancestor & 31))) !== 0
  }
}
