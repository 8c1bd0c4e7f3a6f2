// How graphs are asked for and answered with: Mermaid or Graphviz, by Accept.

import { z } from 'zod'
import { preferredType } from './accept.ts'
import { ApiProblem } from './problem.ts'

const MERMAID = 'text/vnd.mermaid'
const DOT = 'text/vnd.graphviz'
const PLAIN = 'text/plain'

/** The sentence of the document about the forms of a graph. */
export const GRAPH_FORMS = `Text for Mermaid (the default; ${MERMAID}, or ${PLAIN}) or Graphviz (${DOT}).`
/** The content of an answer that is a graph, by media type. */
export const GRAPH_CONTENT = { [MERMAID]: z.string(), [DOT]: z.string(), [PLAIN]: z.string() }

/** A media type that a graph can be asked for as. */
export type GraphType = typeof MERMAID | typeof DOT | typeof PLAIN

/**
 * The media type that the client prefers for a graph.
 * @throws ApiProblem `not_acceptable`
 */
export function graphType(headers: Headers): GraphType {
  const type = preferredType(headers, [MERMAID, DOT, PLAIN])
  if (type === null) throw new ApiProblem('not_acceptable', `A graph is ${MERMAID}, ${DOT} or ${PLAIN}`)
  return type
}

/** The language that a graph of this media type is written in. */
export function graphForm(type: GraphType): 'mermaid' | 'dot' {
  return type === DOT ? 'dot' : 'mermaid'
}

/** The answer with a graph, which browsers must not take for anything else than text. */
export function graphResponse(text: string, type: GraphType): Response {
  return new Response(text, {
    headers: { 'Content-Type': `${type}; charset=utf-8`, 'X-Content-Type-Options': 'nosniff', Vary: 'Accept' },
  })
}
