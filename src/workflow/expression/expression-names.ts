// What an expression names: the tasks and the parts of the input that it reads, and every name that no expression can have.
// Knows an expression alone, not the workflow around it, so what it finds is kept with the parsed expression.

import type { ASTNode } from '@marcbachmann/cel-js'
import type { FaultCode } from '../codes.ts'
import type { Step } from '../definition/input-shape.ts'
import { MAX_DEPTH, TYPE_NAMES } from './cel-builtins.ts'
import { type Call, callKind, nameOf } from './cel-calls.ts'
import { SECRET_NAME } from './secret-marks.ts'

export interface NameFault {
  code: FaultCode
  message: string
  /** Character of the expression, from 0. */
  position: number
}

export interface TaskReference {
  id: string
  position: number
  /** Whether a member of the output is read as if it had to be there. */
  readsInside: boolean
}

/** A part of the input that is read: `input.order.id` is two steps. */
export interface InputReference {
  steps: Step[]
  /** Position of each step in the text, in characters from 0. */
  positions: number[]
}

/** A name that exists in some places only: `item` and `index` in a map, `response` where an answer is judged. */
export interface PlacedName {
  name: string
  position: number
}

/** The secret that the expression is, and nothing else. */
export interface SecretReference {
  name: string
  position: number
}

export interface NamesFound {
  tasks: TaskReference[]
  inputs: InputReference[]
  items: PlacedName[]
  secrets: SecretReference[]
  faults: NameFault[]
}

const ROOTS = ['input', 'tasks', 'run', 'event']
const RUN_MEMBERS = ['id', 'workflow', 'version', 'attempt']
const TASK_MEMBERS = ['output', 'status']

/** Finds what `ast` names; `text` is what it was parsed from. */
export function namesOf(ast: ASTNode, text: string): NamesFound {
  const search = new NameSearch(ast, text)
  search.visit(ast, new Set(), 0)
  return search.found
}

class NameSearch {
  readonly found: NamesFound = { tasks: [], inputs: [], items: [], secrets: [], faults: [] }
  readonly #ast: ASTNode
  readonly #text: string
  /** Up to here the names belong to a task id with dashes, which was reported already. */
  #dashedUntil = 0

  constructor(ast: ASTNode, text: string) {
    this.#ast = ast
    this.#text = text
  }

  /** @param depth of `!` and `-`, the only nesting that the parser does not bound */
  visit(node: ASTNode, bound: ReadonlySet<string>, depth: number): void {
    switch (node.op) {
      case 'value':
        break
      case 'id':
      case '.':
      case '.?':
      case '[]':
      case '[?]':
        this.#visitPath(node, false, bound, depth)
        break
      case 'call':
      case 'rcall':
        this.#visitCall(node, bound, depth)
        break
      case '!_':
      case '-_':
        if (depth < MAX_DEPTH) this.visit(node.args, bound, depth + 1)
        else this.#refuse('expression_limit', `it is nested deeper than ${MAX_DEPTH}`, node)
        break
      case 'map':
        for (const part of node.args.flat()) this.visit(part, bound, depth)
        break
      default:
        for (const part of node.args) this.visit(part, bound, depth)
    }
  }

  #visitCall(node: Call, bound: ReadonlySet<string>, depth: number): void {
    const [name, receiver, args] = node.op === 'call' ? [node.args[0], null, node.args[1]] : node.args
    const kind = callKind(node)
    if (kind === 'unknown') this.#refuseCall(node, name, args.length)
    if (receiver !== null && kind !== 'bind' && kind !== 'namespaced') this.visit(receiver, bound, depth)
    if (kind === 'has') {
      if (args[0]!.op === '.') this.#visitPath(args[0]!, true, bound, depth)
      else this.#refuse('expression_syntax', 'has() takes a member, as in has(input.name)', node)
    } else if (kind === 'comprehension' || kind === 'bind') {
      const [variable, first, ...rest] = args
      const inner: ReadonlySet<string> = new Set([...bound, nameOf(variable!)])
      this.visit(first!, kind === 'bind' ? bound : inner, depth)
      for (const arg of rest) this.visit(arg, inner, depth)
    } else {
      for (const arg of args) this.visit(arg, bound, depth)
    }
  }

  /** A name and the members that are read from it, as far as they are written out. @param guarded by has() */
  #visitPath(node: ASTNode, guarded: boolean, bound: ReadonlySet<string>, depth: number): void {
    const members: Member[] = []
    let root = node
    while (root.op === '.' || root.op === '.?' || root.op === '[]' || root.op === '[?]') {
      const [holder, key]: [ASTNode, string | ASTNode] = root.args
      if (typeof key !== 'string') this.visit(key, bound, depth)
      const optional = root.op === '.?' || root.op === '[?]' || (guarded && root === node)
      members.unshift({ name: literal(key), item: itemPosition(key), optional, node: root })
      root = holder
    }
    if (root.op !== 'id') this.visit(root, bound, depth)
    else if (!bound.has(root.args) && root.start >= this.#dashedUntil) this.#checkRoot(root, root.args, members, node)
  }

  /** @param path the root with its members */
  #checkRoot(root: ASTNode, name: string, members: Member[], path: ASTNode): void {
    if (name === 'tasks') {
      this.#checkTask(root, members)
    } else if (name === 'input') {
      const steps = members.map(({ name: member, item, optional }) => ({ key: member ?? item, isOptional: optional }))
      if (steps.length > 0) this.found.inputs.push({ steps, positions: members.map(({ node }) => node.pos) })
    } else if (name === 'run') {
      const [field] = members
      if (field?.name === undefined || RUN_MEMBERS.includes(field.name)) return
      this.#refuse('unknown_name', `a run has ${list(RUN_MEMBERS)}, not "${field.name}"`, field.node)
    } else if (name === 'secrets') {
      this.#checkSecret(root, members, path === this.#ast)
    } else if (name === 'item' || name === 'index' || name === 'response') {
      this.found.items.push({ name, position: root.pos })
    } else if (!ROOTS.includes(name) && !TYPE_NAMES.has(name)) {
      this.#refuse('unknown_name', `there is no "${name}" here, only ${list(ROOTS)}`, root)
    }
  }

  /** The value is filled in after the expression, so there is nothing that an expression could do with it. */
  #checkSecret(root: ASTNode, [member, inside]: Member[], isWhole: boolean): void {
    if (member === undefined) {
      this.#refuse('secret_misplaced', 'name one secret, as in secrets.API_KEY', root)
    } else if (member.name === undefined) {
      this.#refuse('secret_misplaced', 'the name of a secret has to be written out', member.node)
    } else if (!isWhole || inside !== undefined || member.optional) {
      const message =
        'a secret is an expression of its own, nothing can be done with it here: write text beside it, as in Bearer ${{ secrets.API_KEY }}'
      this.#refuse('secret_misplaced', message, root)
    } else if (!SECRET_NAME.test(member.name)) {
      this.#refuse('unknown_name', 'no secret can have this name: letters, digits and _, at most 64', member.node)
    } else {
      this.found.secrets.push({ name: member.name, position: root.pos })
    }
  }

  #checkTask(root: ASTNode, [task, member, inside]: Member[]): void {
    const dashed = /^tasks\s*\.\s*(\w+(?:-+\w+)+)/.exec(this.#text.slice(root.start))
    if (task === undefined) {
      this.#refuse('unknown_name', 'name one task, as in tasks.fetch.output', root)
    } else if (task.name === undefined) {
      this.#refuse('unknown_name', 'the id of a task has to be written out, so that it can be checked', task.node)
    } else if (member === undefined && dashed !== null) {
      this.#dashedUntil = root.start + dashed[0].length
      this.#refuse('unknown_name', `tasks.${dashed[1]} is a subtraction: write tasks["${dashed[1]}"]`, task.node)
    } else {
      const readsInside = member?.name === 'output' && inside !== undefined && !inside.optional
      this.found.tasks.push({ id: task.name, position: task.node.pos, readsInside })
      if (member?.name !== undefined && TASK_MEMBERS.includes(member.name)) return
      const instead = member?.name === undefined ? '' : `, not "${member.name}"`
      this.#refuse('unknown_name', `a task has ${list(TASK_MEMBERS)}${instead}`, (member ?? task).node)
    }
  }

  #refuseCall(node: Call, name: string, argumentCount: number): void {
    if (name === 'matches') {
      const instead = 'use contains(), startsWith() or endsWith()'
      this.#refuse(
        'not_available',
        `matches() is not available, since a pattern could run without end; ${instead}`,
        node,
      )
    } else {
      const call = `${name}() with ${argumentCount} ${argumentCount === 1 ? 'argument' : 'arguments'}`
      this.#refuse('unknown_name', `there is no ${node.op === 'rcall' ? 'method' : 'function'} ${call}`, node)
    }
  }

  #refuse(code: FaultCode, message: string, node: ASTNode): void {
    this.found.faults.push({ code, message, position: node.pos })
  }
}

interface Member {
  /** Undefined when only evaluation can tell. */
  name: string | undefined
  /** Position in a list, if it is written out. */
  item: number | null
  optional: boolean
  node: ASTNode
}

function literal(key: string | ASTNode): string | undefined {
  if (typeof key === 'string') return key
  return key.op === 'value' && typeof key.args === 'string' ? key.args : undefined
}

function itemPosition(key: string | ASTNode): number | null {
  if (typeof key === 'string' || key.op !== 'value') return null
  const position = Number(key.args)
  return typeof key.args !== 'string' && Number.isSafeInteger(position) && position >= 0 ? position : null
}

function list(names: readonly string[]): string {
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}
