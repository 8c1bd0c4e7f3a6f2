// graph.ts and cycles.ts: adjacency, cycles, and who surely runs before whom.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { components, findCycles, Upstream } from '../../src/workflow/cycles.ts'
import { buildGraph, findCycle, type Graph, isUpstream } from '../../src/workflow/definition/graph.ts'

/** Graph of single-letter tasks: "a", "b>a" (b waits for a), "c>ab". */
function graphOf(...tasks: string[]): Graph {
  return buildGraph(
    tasks.map((task) => {
      const [id, dependencies = ''] = task.split('>')
      return { id: id!, depends_on: [...dependencies] }
    }),
  )
}

/** Random tasks, which may wait for any other or themselves. */
const anyGraph = fc
  .integer({ min: 1, max: 12 })
  .chain((size) => fc.array(fc.array(fc.nat(size - 1), { maxLength: 3 }), { minLength: size, maxLength: size }))
  .map((edges) => buildGraph(edges.map((edge, id) => ({ id: `${id}`, depends_on: edge.map(String) }))))

/** A chain of 10,000 tasks, the last first; `closed` makes the first wait for the last. */
function chain(closed: boolean): Graph {
  const size = 10_000
  const ids = Array.from({ length: size }, (_, index) => `t${index}`)
  const tasks = ids.map((id, index) => ({
    id,
    depends_on: index + 1 < size ? [ids[index + 1]!] : closed ? [ids[0]!] : [],
  }))
  return buildGraph(tasks)
}

describe('buildGraph', () => {
  test('knows both directions of every edge, roots and leaves, in the order of the definition', () => {
    const graph = graphOf('c>ab', 'a', 'b>a', 'd')
    expect(graph.dependencies).toEqual([[1, 2], [], [1], []])
    expect(graph.dependents).toEqual([[], [0, 2], [0], []])
    expect([graph.roots, graph.leaves]).toEqual([
      [1, 3],
      [0, 3],
    ])
    expect(graph.indexOf.get('b')).toBe(2)
  })

  test('counts a repeated edge once and leaves out what does not exist', () => {
    expect(graphOf('a', 'b>aaz').dependencies).toEqual([[], [0]])
  })

  test('takes the first of two tasks with one id', () => {
    expect(graphOf('a', 'a', 'b>a').dependencies).toEqual([[], [], [0]])
  })

  test('takes ids that objects have a meaning for', () => {
    const ids = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
    const graph = buildGraph(ids.map((id, index) => ({ id, depends_on: ids.slice(0, index) })))
    expect(graph.dependencies).toEqual([[], [0], [0, 1], [0, 1, 2]])
  })
})

describe('findCycle', () => {
  test('finds none in a graph that ends', () => {
    expect(findCycle(graphOf('a', 'b>a', 'c>ab'))).toBe(null)
  })

  test('names a cycle from a task back to itself, in the order of waiting', () => {
    expect(findCycle(graphOf('x>b', 'a>c', 'b>a', 'c>b'))).toEqual([2, 1, 3, 2])
  })

  test('takes a task that waits for itself as the shortest cycle', () => {
    expect(findCycle(graphOf('a>a'))).toEqual([0, 0])
  })

  test('bears a chain of 10,000', () => {
    expect(findCycle(chain(false))).toBe(null)
    expect(findCycle(chain(true))!.length).toBe(10_001)
  })
})

describe('findCycles', () => {
  test('finds one cycle of each group of tasks that wait for each other', () => {
    expect(findCycles(graphOf('f', 'a>b', 'b>a', 'c>d', 'd>ec', 'e>c', 'g>acf'))).toEqual([
      [1, 2, 1],
      [3, 4, 3],
    ])
  })

  test('leaves tasks that wait only for themselves to a fault of their own', () => {
    expect(findCycles(graphOf('a>a', 'b>bc', 'c'))).toEqual([])
  })

  test('names the shortest cycle through the first task of a group', () => {
    expect(findCycles(graphOf('a>b', 'b>c', 'c>da', 'd>a'))).toEqual([[0, 1, 2, 0]])
  })

  test('bears a chain of 10,000', () => {
    expect(findCycles(chain(false))).toEqual([])
    expect(findCycles(chain(true))[0]!.length).toBe(10_001)
  })

  test('finds cycles exactly where findCycle does, and each edge of them exists', () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        const cycles = findCycles(graph)
        const isSelfish = graph.dependencies.some((dependencies, task) => dependencies.includes(task))
        if (!isSelfish) expect(cycles.length > 0).toBe(findCycle(graph) !== null)
        for (const cycle of cycles) {
          expect(cycle[0]).toBe(cycle.at(-1))
          expect(new Set(cycle).size).toBe(cycle.length - 1)
          for (let i = 1; i < cycle.length; i++) expect(graph.dependencies[cycle[i - 1]!]).toContain(cycle[i])
        }
      }),
      { seed: 3, numRuns: 2_000 },
    )
  })
})

describe('components', () => {
  test('holds every task once, each group after those that it depends on', () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        const groups = components(graph)
        expect(groups.flat().sort((a, b) => a - b)).toEqual(graph.dependencies.map((_, task) => task))
        const placeOf = new Map(groups.flatMap((group, place) => group.map((task) => [task, place])))
        graph.dependencies.forEach((dependencies, task) => {
          for (const dependency of dependencies) expect(placeOf.get(dependency)).toBeLessThanOrEqual(placeOf.get(task)!)
        })
      }),
      { seed: 4, numRuns: 2_000 },
    )
  })
})

describe('upstream', () => {
  test('is whoever is reached by following dependencies', () => {
    const graph = graphOf('a', 'b>a', 'c>b', 'd')
    const upstream = new Upstream(graph)
    expect([0, 1, 2, 3].map((ancestor) => isUpstream(graph, 2, ancestor))).toEqual([true, true, false, false])
    expect([0, 1, 2, 3].map((ancestor) => upstream.has(2, ancestor))).toEqual([true, true, false, false])
  })

  test('is the same asked one by one and for all tasks at once, in cycles too', () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        const upstream = new Upstream(graph)
        for (const [task] of graph.dependencies.entries()) {
          for (const [ancestor] of graph.dependencies.entries()) {
            expect([task, ancestor, upstream.has(task, ancestor)]).toEqual([
              task,
              ancestor,
              isUpstream(graph, task, ancestor),
            ])
          }
        }
      }),
      { seed: 5, numRuns: 500 },
    )
  })

  test('bears a chain of 10,000', () => {
    const graph = chain(false)
    const upstream = new Upstream(graph)
    expect([upstream.has(0, 9_999), upstream.has(9_999, 0), isUpstream(graph, 0, 9_999)]).toEqual([true, false, true])
  })
})
