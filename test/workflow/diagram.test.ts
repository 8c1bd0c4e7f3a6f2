// diagram.ts: the graph as Mermaid and DOT.

import { describe, expect, test } from 'vitest'
import { toDot, toMermaid } from '../../src/workflow/diagram.ts'
import { aDefinition } from '../support/builders.ts'

describe('toMermaid', () => {
  test('draws tasks by position, with id and type, and an arrow to each that waits', () => {
    expect(toMermaid(aDefinition({ fetch: [], 'get-user?': ['fetch'], end: ['fetch', 'get-user'] }))).toBe(
      [
        'flowchart TD',
        '  t0["fetch<br/>http"]',
        '  t1["get-user<br/>http"]:::placeholder',
        '  t2["end<br/>http"]',
        '  t0 --> t1',
        '  t0 --> t2',
        '  t1 --> t2',
        '  classDef placeholder stroke-dasharray: 5 5',
        '',
      ].join('\n'),
    )
  })

  test('escapes what a definition that was never checked may hold', () => {
    const text = toMermaid(aDefinition({ '"]; click t0 href "javascript:x"\n%%': [] }))
    expect(text.split('\n')[1]).toBe('  t0["#34;#93;#59; click t0 href #34;javascript#58;x#34;#10;#37;#37;<br/>http"]')
  })
})

describe('toDot', () => {
  test('draws tasks by id, and an arrow to each that waits', () => {
    expect(toDot(aDefinition({ node: [], 'get-user?': ['node'] }, { name: 'my-flow' }))).toBe(
      [
        'digraph "my-flow" {',
        '  node [shape=box]',
        '  "node" [label="node\\nhttp"]',
        '  "get-user" [label="get-user\\nhttp", style=dashed]',
        '  "node" -> "get-user"',
        '}',
        '',
      ].join('\n'),
    )
  })

  test('escapes what a definition that was never checked may hold', () => {
    expect(toDot(aDefinition({ 'a"\\\n': [] })).split('\n')[2]).toBe('  "a\\"\\\\\\n" [label="a\\"\\\\\\n\\nhttp"]')
  })
})

test('ids that objects have a meaning for are drawn', () => {
  const definition = aDefinition({ constructor: [] })
  definition.tasks.push({ id: '__proto__', type: 'http', depends_on: ['constructor'] })
  expect(toDot(definition)).toContain('"constructor" -> "__proto__"')
  expect(toMermaid(definition)).toContain('t0 --> t1')
})
