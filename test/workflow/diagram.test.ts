// diagram.ts: the graph as Mermaid and DOT.

import { describe, expect, test } from 'vitest'
import { toDot, toMermaid } from '../../src/workflow/explain/diagram.ts'
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

describe('of a run', () => {
  const definition = aDefinition({ done: [], 'bad?': ['done'], 'late?': ['bad'], next: ['done'] })
  const standing = ['succeeded', 'timed_out', 'skipped', 'succeeded'] as const

  test('Mermaid shows the status of each task, and makes it a class', () => {
    expect(toMermaid(definition, standing).split('\n').slice(1)).toEqual([
      '  t0["done<br/>http<br/>succeeded"]',
      '  t1["bad<br/>http<br/>timed_out"]:::placeholder',
      '  t2["late<br/>http<br/>skipped"]:::placeholder',
      '  t3["next<br/>http<br/>succeeded"]',
      '  t0 --> t1',
      '  t1 --> t2',
      '  t0 --> t3',
      '  classDef placeholder stroke-dasharray: 5 5',
      '  class t0,t3 succeeded',
      '  classDef succeeded fill:#dcfce7,stroke:#15803d,color:#111827',
      '  class t2 skipped',
      '  classDef skipped fill:#ffffff,stroke:#9ca3af,color:#111827',
      '  class t1 timed_out',
      '  classDef timed_out fill:#ffedd5,stroke:#c2410c,color:#111827',
      '',
    ])
  })

  test('DOT shows the status of each task, and fills it', () => {
    const lines = toDot(definition, standing).split('\n')
    expect(lines[2]).toBe(
      '  "done" [label="done\\nhttp\\nsucceeded", style=filled, fillcolor="#dcfce7", color="#15803d", fontcolor="#111827", class="succeeded"]',
    )
    expect(lines[3]).toContain('style="filled,dashed", fillcolor="#ffedd5"')
  })

  test('a run of which nothing is known is a graph without tasks', () => {
    expect(toMermaid({ name: 'wf', tasks: [] }, [])).toBe('flowchart TD\n')
    expect(toDot({ name: 'wf', tasks: [] }, [])).toBe('digraph "wf" {\n  node [shape=box]\n}\n')
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
