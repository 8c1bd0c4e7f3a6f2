// The graphs that are measured, as tasks with dependencies; nothing about how they are run.

import { existsSync, readFileSync } from 'node:fs'

/** Dependencies of each task, by position. */
export type Dag = readonly (readonly number[])[]

const REAL_GRAPHS = ['epigenomics-41', 'montage-58', 'soykb-96', 'montage-472', 'seismology-901']

/** Layers of tasks, each task depending on what `onto` chooses of the layers before. */
function layered(sizes: readonly number[], onto: (layers: readonly number[][]) => readonly number[]): Dag {
  const layers: number[][] = []
  const dag: (readonly number[])[] = []
  for (const size of sizes) {
    const dependencies = onto(layers)
    layers.push(Array.from({ length: size }, (_, index) => dag.length + index))
    for (let i = 0; i < size; i++) dag.push(dependencies)
  }
  return dag
}

const onLayerBefore = (layers: readonly number[][]) => layers.at(-1) ?? []
const onAllBefore = (layers: readonly number[][]) => layers.flat()

/** Fans of 10 tasks (1-8-1) beside each other: whatever the size, a task has the same surroundings. */
function fans(count: number): Dag {
  const fan = layered([1, 8, 1], onLayerBefore)
  return Array.from({ length: count }, (_, n) => fan.map((on) => on.map((task) => task + 10 * n))).flat()
}

/** The graphs that are measured, by the name of their workflow. */
export const DAGS = {
  one: layered([1], onLayerBefore),
  chain10: layered(new Array(10).fill(1), onLayerBefore),
  fan10: layered([1, 10, 1], onLayerBefore),
  layers50: layered(new Array(5).fill(10), onAllBefore),
  wide500: layered([500], onLayerBefore),
  grow10: fans(1),
  grow1000: fans(100),
  grow10000: fans(1_000),
} as const satisfies Record<string, Dag>

/**
 * Graphs of real runs (Pegasus, by way of WfCommons), which are data beside the project and not part of it.
 * @returns null when the folder is not there
 */
export function realGraphs(folder: string): Record<string, Dag> | null {
  if (!existsSync(folder)) return null
  return Object.fromEntries(REAL_GRAPHS.map((name) => [name, realGraph(`${folder}/${name}.json`)]))
}

function realGraph(file: string): Dag {
  const { tasks } = JSON.parse(readFileSync(file, 'utf8')) as { tasks: { id: string; parents: string[] }[] }
  const positions = new Map(tasks.map(({ id }, index) => [id, index]))
  return tasks.map(({ parents }) => parents.map((id) => positions.get(id)!))
}

/**
 * A definition of that shape.
 * @param url what every task calls; null makes placeholders
 */
export function definitionOf(name: string, dag: Dag, url: string | null) {
  const tasks = dag.map((dependencies, index) => ({
    id: `t${index}`,
    type: 'http',
    depends_on: dependencies.map((dependency) => `t${dependency}`),
    ...(url === null ? {} : { with: { url } }),
  }))
  return { name, timeout: '10m', tasks }
}
