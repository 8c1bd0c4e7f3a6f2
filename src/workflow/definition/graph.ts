// The graph of a workflow, by position: which task waits for which other, in which order, and where there is a cycle.
// Built once for a definition and shared by all its runs, so nothing in it may change.

/** What the graph needs of a task. */
export interface GraphNode {
  id: string
  depends_on: readonly string[]
}

export interface Graph {
  /** Position of each id. */
  readonly indexOf: ReadonlyMap<string, number>
  /** For each task the tasks that it waits for. */
  readonly dependencies: readonly (readonly number[])[]
  /** For each task the tasks that wait for it. */
  readonly dependents: readonly (readonly number[])[]
  /** Tasks that wait for nothing, in the order of the definition, without those that stand apart. */
  readonly roots: readonly number[]
  /** Tasks that nothing waits for, in the order of the definition, without those that stand apart: their outputs are the run's by default. */
  readonly leaves: readonly number[]
}

/**
 * Derives adjacency from `depends_on`. Total: ids that do not exist are left out and cycles are kept, since faults are
 * found by `findCycle` and by registration, and a run of a faulty graph must end as a deadlock, not as an exception.
 * @param standsApart whether the task at a position has no place in the order (a compensation)
 */
export function buildGraph(nodes: readonly GraphNode[], standsApart: (index: number) => boolean = () => false): Graph {
  const indexOf = new Map<string, number>()
  nodes.forEach((node, index) => {
    if (!indexOf.has(node.id)) indexOf.set(node.id, index)
  })
  const dependencies: number[][] = nodes.map(() => [])
  const dependents: number[][] = nodes.map(() => [])
  nodes.forEach((node, index) => {
    for (const id of new Set(node.depends_on)) {
      const dependency = indexOf.get(id)
      if (dependency === undefined) continue
      dependencies[index]!.push(dependency)
      dependents[dependency]!.push(index)
    }
  })
  const all = nodes.map((_, index) => index)
  return {
    indexOf,
    dependencies,
    dependents,
    roots: all.filter((index) => dependencies[index]!.length === 0 && !standsApart(index)),
    leaves: all.filter((index) => dependents[index]!.length === 0 && !standsApart(index)),
  }
}

/**
 * One cycle of the graph, as positions in the order of "waits for": `[a, b, a]` when a waits for b and b for a.
 * Null if there is no cycle. Iterative, so that a chain of 10,000 tasks does not end the stack.
 * @see Cormen et al., Introduction to Algorithms, depth-first search: a back edge closes a cycle
 */
export function findCycle(graph: Graph): number[] | null {
  const UNSEEN = 0
  const ON_PATH = 1
  const DONE = 2
  const mark = new Uint8Array(graph.dependencies.length)
  for (let start = 0; start < mark.length; start++) {
    if (mark[start] !== UNSEEN) continue
    const path = [start]
    const nextEdge = [0]
    mark[start] = ON_PATH
    while (path.length > 0) {
      const node = path[path.length - 1]!
      const dependency = graph.dependencies[node]![nextEdge[nextEdge.length - 1]!++]
      if (dependency === undefined) {
        mark[node] = DONE
        path.pop()
        nextEdge.pop()
      } else if (mark[dependency] === ON_PATH) {
        return [...path.slice(path.indexOf(dependency)), dependency]
      } else if (mark[dependency] === UNSEEN) {
        mark[dependency] = ON_PATH
        path.push(dependency)
        nextEdge.push(0)
      }
    }
  }
  return null
}

/**
 * Whether `ancestor` surely runs before `task`: it is reached by following dependencies.
 * Costs at most the edges above `task`; direct dependencies, the usual case, are found at once.
 */
export function isUpstream(graph: Graph, task: number, ancestor: number): boolean {
  const seen = new Set<number>([task])
  const queue = [task]
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const direct = graph.dependencies[next]!
    if (direct.includes(ancestor)) return true
    for (const dependency of direct) {
      if (seen.has(dependency)) continue
      seen.add(dependency)
      queue.push(dependency)
    }
  }
  return false
}
