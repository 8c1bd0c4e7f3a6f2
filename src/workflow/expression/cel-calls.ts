// Which calls there are: macros, whose arguments are evaluated in their own way, and built-ins, whose arguments come first.

import type { ASTNode } from '@marcbachmann/cel-js'
import { application, isBuiltin } from './cel-builtins.ts'

/** Macros that bind their first argument to one element after another, by name and number of arguments. */
const COMPREHENSIONS: ReadonlySet<string> = new Set(['all/2', 'exists/2', 'exists_one/2', 'filter/2', 'map/2', 'map/3'])
const OPTIONAL_METHODS: ReadonlySet<string> = new Set(['hasValue/0', 'value/0', 'or/1', 'orValue/1'])
const NAMESPACED: ReadonlySet<string> = new Set(['cel.bind/3', 'optional.of/1', 'optional.none/0'])

export type Call = Extract<ASTNode, { op: 'call' | 'rcall' }>

/** What a call is. Macros are known by their names alone, as in the library's parser. */
export type CallKind = 'has' | 'dyn' | 'comprehension' | 'optional' | 'bind' | 'namespaced' | 'builtin' | 'unknown'

/** How a call is evaluated; 'unknown' if there is no such function or method. */
export function callKind(node: Call): CallKind {
  if (node.op === 'call') {
    const [name, args] = node.args
    if (args.length === 1 && (name === 'has' || name === 'dyn')) return name
    return isBuiltin(application(name, false, args.length)) ? 'builtin' : 'unknown'
  }
  const [name, receiver, args] = node.args
  const spelled = `${name}/${args.length}`
  if (receiver.op === 'id' && NAMESPACED.has(`${receiver.args}.${spelled}`))
    return name === 'bind' ? 'bind' : 'namespaced'
  if (COMPREHENSIONS.has(spelled)) return 'comprehension'
  if (OPTIONAL_METHODS.has(spelled)) return 'optional'
  return isBuiltin(application(name, true, args.length)) ? 'builtin' : 'unknown'
}

/** The name that a macro binds. The parser has refused anything else. */
export function nameOf(node: ASTNode): string {
  return node.op === 'id' ? node.args : ''
}
