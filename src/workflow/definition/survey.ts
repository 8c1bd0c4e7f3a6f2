// What a definition's tasks are to each other, read leniently from a value that may have any fault: each task counts whose id
// is a text, so that one bad task does not hide the faults of the others, nor make up faults of theirs.

import type { Fault } from '../codes.ts'
import { components, findCycles, Upstream } from '../cycles.ts'
import type { ExpressionNames } from '../expression/expression.ts'
import { MAX_FAULTS, pointer } from '../faults.ts'
import { isJsonObject } from '../json.ts'
import { didYouMean, quoted } from '../nearest.ts'
import { buildGraph, type Graph } from './graph.ts'
import type { InputShape } from './input-shape.ts'
import { MAX_TASKS } from './schema.ts'

/** How many unknown dependencies get a proposal: each costs a comparison with every id. */
const MAX_PROPOSALS = 50
/** A cycle that is longer is shown by its first tasks and its end. */
const MAX_SHOWN_STEPS = 20

/** The ids, the graph and the names of a definition's tasks, for the checks that need more than one task. Takes any value as `tasks`. */
export class Survey {
  /** The entries of `tasks` that are looked at; beyond the bound only ids count. */
  readonly tasks: readonly unknown[]
  /** Position of each id in `tasks`; of its first task if there are several. */
  readonly #positions = new Map<string, number>()
  /** Node of each position that has an id, in a graph that holds no others. */
  readonly #nodeOf = new Map<number, number>()
  readonly #positionOf: number[] = []
  readonly #graph: Graph
  readonly #groups: number[][]
  readonly #names = new Map<string, { placeholder: boolean }>()
  readonly #input: InputShape | null
  /** For each task that undoes others, by id, the positions of those that name it. */
  readonly #undone = new Map<string, number[]>()
  #upstream: Upstream | null = null
  #proposals = 0

  /** @param input what the definition says of the input, for expressions that read it */
  constructor(tasks: unknown, input: InputShape | null = null) {
    this.#input = input
    const all: readonly unknown[] = Array.isArray(tasks) ? tasks : []
    this.tasks = all.slice(0, MAX_TASKS)
    all.forEach((task, position) => {
      const id = idOf(task)
      if (id === null || this.#positions.has(id)) return
      this.#positions.set(id, position)
      this.#names.set(id, { placeholder: (task as { with?: unknown }).with === undefined })
    })
    const nodes: { id: string; depends_on: string[] }[] = []
    this.tasks.forEach((task, position) => {
      const id = idOf(task)
      if (id === null) return
      this.#nodeOf.set(position, nodes.length)
      this.#positionOf.push(position)
      const compensation = compensationOf(task)
      if (compensation !== null) {
        this.#undone.set(compensation, [...(this.#undone.get(compensation) ?? []), position])
      }
      nodes.push({ id, depends_on: dependenciesOf(task).filter((name) => typeof name === 'string') })
    })
    this.#graph = buildGraph(nodes)
    this.#groups = components(this.#graph)
  }

  /** What is wrong with a task's id and dependencies. */
  faultsOf(position: number): Fault[] {
    const task = this.tasks[position]
    const id = idOf(task)
    const faults: Fault[] = []
    const first = id === null ? undefined : this.#positions.get(id)
    if (id !== null && first !== undefined && first !== position) {
      const message = `the task at ${pointer(['tasks', first])} has the id ${quoted(id)} already`
      faults.push({ path: pointer(['tasks', position, 'id']), code: 'duplicate_task', message })
    }
    const named = new Set<string>()
    for (const [index, name] of dependenciesOf(task).entries()) {
      if (faults.length > MAX_FAULTS) break
      if (typeof name !== 'string') continue
      const add = (code: Fault['code'], message: string) =>
        faults.push({ path: pointer(['tasks', position, 'depends_on', index]), code, message })
      if (named.has(name)) add('duplicate_dependency', `${quoted(name)} is named twice`)
      else if (name === id) add('self_dependency', 'a task cannot wait for itself')
      else if (!this.#positions.has(name)) {
        add('unknown_dependency', `there is no task ${quoted(name)}${this.#proposal(name)}`)
      } else if (this.#undone.has(name)) {
        const message = `${quoted(name)} undoes another task: it runs after all others, and nothing can wait for it`
        add('invalid_compensation', message)
      }
      named.add(name)
    }
    return faults
  }

  /**
   * What is wrong with the task that this one is to be undone by.
   * @param isBuiltIn whether the scheduler itself performs tasks of a type, which cannot undo another
   */
  compensationFaults(position: number, isBuiltIn: (type: unknown) => boolean): Fault[] {
    const name = compensationOf(this.tasks[position])
    if (name === null) return []
    const path = pointer(['tasks', position, 'compensate'])
    const undo = this.#positions.get(name)
    if (undo === undefined) {
      return [{ path, code: 'unknown_task', message: `there is no task ${quoted(name)}${this.#proposal(name)}` }]
    }
    const task = this.tasks[undo]
    const reasons = [
      undo === position ? 'a task cannot undo itself' : null,
      this.#undone.get(name)![0] === position ? null : `${quoted(name)} undoes another task already`,
      dependenciesOf(task).length > 0
        ? `${quoted(name)} must not depend on anything: its turn comes after all others`
        : null,
      ...['when', 'trigger_rule', 'compensate'].map((field) =>
        isJsonObject(task) && task[field] !== undefined
          ? `${quoted(name)} undoes a task, so it cannot have "${field}"`
          : null,
      ),
      isJsonObject(task) && isBuiltIn(task.type)
        ? `a task of type ${quoted(String(task.type))} cannot undo another`
        : null,
    ]
    return reasons
      .filter((reason) => reason !== null)
      .map((message) => ({ path, code: 'invalid_compensation', message }))
  }

  /** One fault for each group of tasks that wait for each other. */
  cycleFaults(): Fault[] {
    return findCycles(this.#graph, this.#groups).map((cycle) => {
      const [start, next] = cycle.map((node) => this.#positionOf[node]!)
      const ids = cycle.map((node) => idOf(this.tasks[this.#positionOf[node]!])!)
      const entry = dependenciesOf(this.tasks[start!]).indexOf(idOf(this.tasks[next!]))
      const path = pointer(['tasks', start!, 'depends_on', entry])
      return { path, code: 'cycle', message: `these tasks wait for each other: ${cyclePath(ids)}` }
    })
  }

  /** What expressions of a task may name; of the whole run's output without a position. */
  names(position?: number): ExpressionNames {
    const node = position === undefined ? undefined : this.#nodeOf.get(position)
    // Where dependencies cannot be read, any task might be upstream: that is a fault already, and makes no further ones.
    const isLenient = node === undefined || hasUnreadableDependencies(this.tasks[position!])
    // A compensation reads what the task that it undoes has read, and what that task has given.
    const undone = this.#undone.get(idOf(this.tasks[position ?? -1]) ?? '')?.[0]
    const origin = undone === undefined ? node : this.#nodeOf.get(undone)
    const isUndone = (id: string) => undone !== undefined && id === idOf(this.tasks[undone])
    return {
      tasks: this.#names,
      input: this.#input,
      isUpstream: (id) => isLenient || isUndone(id) || (origin !== undefined && this.#isUpstream(origin, id)),
    }
  }

  #isUpstream(node: number, id: string): boolean {
    const ancestor = this.#graph.indexOf.get(id)
    if (ancestor === undefined) return false
    if (this.#graph.dependencies[node]!.includes(ancestor)) return true
    this.#upstream ??= new Upstream(this.#graph, this.#groups)
    return this.#upstream.has(node, ancestor)
  }

  #proposal(name: string): string {
    if (this.#proposals >= MAX_PROPOSALS) return ''
    this.#proposals++
    return didYouMean(name, this.#positions.keys())
  }
}

function idOf(task: unknown): string | null {
  return isJsonObject(task) && typeof task.id === 'string' ? task.id : null
}

function compensationOf(task: unknown): string | null {
  return isJsonObject(task) && typeof task.compensate === 'string' ? task.compensate : null
}

function dependenciesOf(task: unknown): readonly unknown[] {
  return isJsonObject(task) && Array.isArray(task.depends_on) ? task.depends_on : []
}

function hasUnreadableDependencies(task: unknown): boolean {
  if (!isJsonObject(task) || task.depends_on === undefined) return false
  return !Array.isArray(task.depends_on) || task.depends_on.some((name) => typeof name !== 'string')
}

function cyclePath(ids: readonly string[]): string {
  const shown = ids.map((id) => (id.length > 64 ? quoted(id) : id))
  if (shown.length <= MAX_SHOWN_STEPS) return shown.join(' -> ')
  const left = shown.length - MAX_SHOWN_STEPS
  return `${shown.slice(0, MAX_SHOWN_STEPS - 1).join(' -> ')} -> (${left} more) -> ${shown.at(-1)}`
}
