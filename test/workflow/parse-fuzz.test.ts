// parseDefinition against values that nobody thought of: any JSON, and definitions with a few things changed.
// Seeded: a failure names the value that caused it, shrunk.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TASK_TYPES } from '../../src/tasks/schemas.ts'
import { CODES } from '../../src/workflow/codes.ts'
import { buildGraph, findCycle } from '../../src/workflow/definition/graph.ts'
import { parseDefinition } from '../../src/workflow/definition/parse.ts'
import { canonicalText } from '../../src/workflow/sound.ts'

/** Follows a JSON Pointer; the last step may be missing in an object, since it may be what is required. */
function pointsInto(value: unknown, path: string): boolean {
  const steps = path.split('/').slice(1)
  let inner = value
  for (const [index, step] of steps.entries()) {
    if (typeof inner !== 'object' || inner === null) return false
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~')
    if (!Object.hasOwn(inner, key)) return index === steps.length - 1 && !Array.isArray(inner)
    inner = (inner as Record<string, unknown>)[key]
  }
  return path === '' || path.startsWith('/')
}

/** What holds of every answer, whatever the value. */
function check(value: unknown): void {
  const before = JSON.stringify(value)
  const parsed = parseDefinition(value, TASK_TYPES)
  expect(JSON.stringify(value)).toBe(before)
  if (!parsed.ok) {
    expect(parsed.faults.length).toBeGreaterThan(0)
    for (const { path, code, message } of parsed.faults) {
      expect([path, code, pointsInto(value, path)]).toEqual([path, code, true])
      expect(Object.keys(CODES)).toContain(code)
      expect(message).not.toMatch(/undefined|\[object|Invalid input/)
      expect(message.isWellFormed()).toBe(true)
    }
    return
  }
  // What is taken is sound, and is taken again as the very same.
  const { definition } = parsed
  expect(new Set(definition.tasks.map(({ id }) => id)).size).toBe(definition.tasks.length)
  expect(findCycle(buildGraph(definition.tasks))).toBe(null)
  const again = parseDefinition(JSON.parse(JSON.stringify(definition)), TASK_TYPES)
  expect(again.ok && JSON.stringify(again.definition)).toBe(JSON.stringify(definition))
  expect(again.ok && canonicalText(again.definition)).toBe(canonicalText(definition))
}

const NAMES = ['a', 'b', 'c-d', '__proto__', 'constructor', '9', '', 'a.b', '\ud800', '🙂']
const anyText = fc.oneof(
  fc.constantFrom(...NAMES, '5s', '5', 'http', 'python', 'sleep', 'stop', 'refuse', 'https://x.test/'),
  fc.constantFrom(
    '${{ tasks.a.output }}',
    '${{ input.x }}',
    '${{ tasks.b.status',
    '${{ 1 + }}',
    '${{ nope }}',
    '$${{ 1 }}',
  ),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)), maxLength: 4 }),
)
const anyKey = fc.oneof(
  fc.constantFrom('name', 'description', 'tasks', 'max_parallel', 'timeout', 'on_failure', 'output', 'placeholders'),
  fc.constantFrom('id', 'type', 'depends_on', 'with', 'url', 'headers', 'json', 'retry', 'retention', 'poll', 'urll'),
  anyText,
)
/** JSON in which the words of definitions stand in the wrong places. Parsed from text, as bodies are: `__proto__` is a member. */
const { json: anyJson } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, false, 0, 1, -1, 1.5, 4, 1e300, Number.MAX_SAFE_INTEGER),
    anyText,
    fc.array(tie('json'), { maxLength: 5 }),
    fc
      .array(fc.tuple(anyKey, tie('json')), { maxLength: 6 })
      .map((members) =>
        JSON.parse(`{${members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)}}`),
      ),
  ),
}))

const anyTask = fc.record(
  {
    id: fc.constantFrom('a', 'b', 'c', 'd', 'e', '__proto__'),
    type: fc.constantFrom('http', 'http', 'http', 'python', 'sleep', 'htp'),
    depends_on: fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', '__proto__'), { maxLength: 3 }),
    with: fc.record(
      {
        url: fc.oneof(fc.constant('https://x.test/'), anyText),
        headers: anyJson,
        json: anyJson,
        expect_status: anyJson,
      },
      { requiredKeys: ['url'] },
    ),
  },
  { requiredKeys: ['id', 'type'] },
)
const nearDefinition = fc.record(
  {
    name: fc.constantFrom('wf', 'my-flow', '-'),
    max_parallel: fc.constantFrom(1, 64, 0, 65),
    timeout: fc.constantFrom('5s', '1ms', '365d', '5', '0s'),
    on_failure: fc.constantFrom('stop', 'continue', 'halt'),
    placeholders: fc.constantFrom('allow', 'refuse'),
    output: anyJson,
    tasks: fc.array(anyTask, { maxLength: 6 }),
  },
  { requiredKeys: ['name', 'tasks'] },
)
/** A definition without any fault. Tasks wait for some of those before them, and stand in the reverse order. */
const goodDefinition = fc
  .record(
    {
      name: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/),
      description: fc.string({ unit: 'grapheme', maxLength: 200 }),
      max_parallel: fc.integer({ min: 1, max: 64 }),
      timeout: fc
        .tuple(fc.integer({ min: 1, max: 365 }), fc.constantFrom('ms', 's', 'm', 'h', 'd'))
        .map((span) => span.join('')),
      on_failure: fc.constantFrom('stop', 'continue'),
      output: fc.constantFrom(null, { x: '${{ input.x }}' }, '${{ tasks.__proto__.status }}'),
      tasks: fc.array(fc.record({ edges: fc.array(fc.nat(1_000), { maxLength: 4 }), isPlaceholder: fc.boolean() }), {
        minLength: 2,
        maxLength: 30,
      }),
    },
    { requiredKeys: ['name', 'tasks'] },
  )
  .map(({ tasks, ...rest }) => {
    const idOf = (index: number) => ['__proto__', 'constructor'][index] ?? `t-${index}`
    const listed = tasks.map(({ edges, isPlaceholder }, index) => {
      const depends_on = index === 0 ? [] : [...new Set(edges.map((edge) => idOf(edge % index)))]
      const [read] = depends_on
      const json = read === undefined ? null : `\${{ tasks["${read}"].output }}`
      const given = isPlaceholder ? {} : { with: { url: 'https://x.test/', json } }
      return { id: idOf(index), type: 'http', depends_on, ...given }
    })
    return { ...rest, tasks: listed.reverse() }
  })

/** The same, with something somewhere in it replaced by any JSON. */
const brokenDefinition = fc
  .tuple(goodDefinition, fc.array(fc.nat(30), { minLength: 1, maxLength: 5 }), anyJson)
  .map(([good, way, json]) => {
    const definition = JSON.parse(JSON.stringify(good))
    let place = definition
    for (const [index, step] of way.entries()) {
      const keys = Object.keys(place)
      const key = keys[step % keys.length]
      if (key === undefined) break
      if (index === way.length - 1 || typeof place[key] !== 'object' || place[key] === null) {
        place[key] = json
        break
      }
      place = place[key]
    }
    return definition
  })

test('any JSON is answered, and every fault points into it', () => {
  fc.assert(fc.property(anyJson, check), { seed: 1, numRuns: 2_000 })
})

test('what looks like a definition is answered, and every fault points into it', () => {
  fc.assert(fc.property(nearDefinition, check), { seed: 2, numRuns: 2_000 })
})

test('a definition in which anything is replaced is answered, and every fault points into it', () => {
  fc.assert(fc.property(brokenDefinition, check), { seed: 3, numRuns: 2_000 })
})

test('a definition without faults is taken, and as the very same when it comes back', () => {
  const property = fc.property(goodDefinition, (definition) => {
    expect(parseDefinition(definition, TASK_TYPES)).toMatchObject({ ok: true })
    check(definition)
  })
  fc.assert(property, { seed: 4, numRuns: 500 })
})
