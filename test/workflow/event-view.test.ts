// Events of histories as the API shows them: every name is the API's own, and nothing of how they are kept shows.

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { eventText } from '../../durable/runner/event-view.ts'
import { EventSchema } from '../../src/api/runs/run-schemas.ts'
import { compile, type WorkflowDefinition } from '../../src/workflow/definition/definition.ts'
import type { RunEvent, StartOptions } from '../../src/workflow/event.ts'
import { accept, apply } from '../../src/workflow/run/apply.ts'
import { decodeCommit, isAccepted, isLater } from '../../src/workflow/run/encoding.ts'
import { aDefinition } from '../support/builders.ts'

interface Shown {
  event: string
  data: { [key: string]: unknown }
}

/** Members whose value is a user's own. */
const VALUES = new Set(['input', 'output'])

/** Names of all members, but of values. */
function keysOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(keysOf)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]) => [key, ...(VALUES.has(key) ? [] : keysOf(member))])
}

function shownEvents(events: readonly (RunEvent | null)[]): Shown[] {
  const [first] = events
  if (!isAccepted(first)) throw new Error('no history begins otherwise')
  const run = accept(first)
  for (const event of events) if (isLater(event)) apply(run, event)
  return events.map((event, index) => JSON.parse(eventText(run, index + 1, event, () => 'a value')) as Shown)
}

const folder = `${import.meta.dirname}/golden`
const histories = readdirSync(folder).map((file) => {
  const { runId, definition, lines } = JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')) as {
    runId: string
    definition: WorkflowDefinition
    lines: string[]
  }
  return lines.flatMap((line) => decodeCommit(line, { runId, workflow: compile(definition) }))
})

const accepted = (options: Required<StartOptions>): RunEvent => ({
  type: 'RunAccepted',
  at: Date.UTC(2026, 9, 23, 12),
  runId: 'run_0101K2V5Q8W3N4M5P6R7S8T9V0WX',
  workflow: compile(aDefinition({ a: [] })),
  version: 3,
  input: { someKey: 1 },
  timeoutMs: 5_000,
  options,
})

const everyOption: Required<StartOptions> = {
  tags: ['eu'],
  startAt: Date.UTC(2026, 9, 24),
  trace: { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: 'a=b' },
  retry: { of: 'run_0101K2V5Q8W3N4M5P6R7S8T9V0WW', attempt: 2 },
  parent: { run_id: 'run_0101K2V5Q8W3N4M5P6R7S8T9V0WV', task_id: 'sub', item: 4, above: [['top', 1]] } as never,
}

describe('a public event', () => {
  test('of any kind has members in snake_case, as its schema has them', () => {
    const shown = [...histories, [accepted(everyOption)]].flatMap(shownEvents)
    expect(new Set(shown.map(({ event }) => event)).size).toBeGreaterThan(20)
    const odd = shown.flatMap(keysOf).filter((key) => !/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(key))
    expect(odd).toEqual([])
    for (const event of shown)
      expect(EventSchema.safeParse(event).error?.issues ?? [], JSON.stringify(event)).toEqual([])
  })

  test('of an accepted run says what the start said, by the names that the run has for it, and no more', () => {
    const [{ event, data }] = shownEvents([accepted(everyOption)]) as [Shown]
    expect(event).toBe('run.accepted')
    expect(data).toEqual({
      at: '2026-10-23T12:00:00.000Z',
      workflow: 'wf',
      version: 3,
      input: { someKey: 1 },
      timeout_ms: 5_000,
      tags: ['eu'],
      start_at: '2026-10-24T00:00:00.000Z',
      trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
      retry_of: 'run_0101K2V5Q8W3N4M5P6R7S8T9V0WW',
      attempt: 2,
      parent: { run_id: 'run_0101K2V5Q8W3N4M5P6R7S8T9V0WV', task_id: 'sub', item: 4 },
    })
    const misnamed = { id: 1, event, data: { ...data, startAt: 1 } }
    expect(EventSchema.safeParse(misnamed).success).toBe(false)
  })
})
