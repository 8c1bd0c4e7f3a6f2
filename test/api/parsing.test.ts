import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { preferredType } from '../../src/api/http/accept.ts'
import { offsetDeeperThan, offsetOfSyntaxFault } from '../../src/api/http/json-text.ts'
import type { Env } from '../../src/env.ts'
import { startRun } from '../../src/start.ts'
import { parseRunId, SHARDS } from '../../src/workflow/run-id.ts'

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** JSON texts with blanks in them, so that faults fall everywhere. */
const jsonText = fc
  .tuple(fc.jsonValue({ maxDepth: 4 }), fc.nat(3))
  .map(([value, indent]) => JSON.stringify(value, null, indent))

describe('offsetOfSyntaxFault', () => {
  test('of JSON is its end', () => {
    fc.assert(fc.property(jsonText, (text) => offsetOfSyntaxFault(text) === text.length))
  })

  test('what is before the fault can go on to JSON, and with the character at it cannot', () => {
    const mutated = fc
      .tuple(
        jsonText,
        fc.nat(),
        fc.constantFrom('', '{', '}', '[', ']', ',', ':', '"', '\\', '0', '-', 'e', 'x', '\n', '\u0001'),
        fc.boolean(),
      )
      .map(([text, at, inserted, replaces]) => {
        const offset = at % (text.length + 1)
        return text.slice(0, offset) + inserted + text.slice(offset + (replaces ? 1 : 0))
      })
    /** Ways in which a text that breaks off inside a value can go on. */
    const endings = [
      '',
      '"',
      '0',
      'rue',
      'ue',
      'e',
      'alse',
      'lse',
      'se',
      'ull',
      'll',
      'l',
      '":0',
      ':0',
      '"a":0',
      '0000',
      '000',
      '00',
      '0000"',
      '000"',
      '00"',
      '0"',
      'n"',
      'u0000"',
      '"":0',
    ]
    fc.assert(
      fc.property(mutated, (text) => {
        if (isJson(text)) return
        const offset = offsetOfSyntaxFault(text)
        expect(offset).toBeLessThanOrEqual(text.length)
        const before = text.slice(0, offset)
        const open = openedIn(before)
        expect(
          ['', ...endings].some(
            (ending) => isJson(before + ending + closing(open)) || isJson(`${before}${ending}":0${closing(open)}`),
          ),
        ).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })
})

/** What is open at the end of a text, outermost first. */
function openedIn(text: string): string[] {
  const open: string[] = []
  let isInText = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!
    if (isInText && char === '\\') at++
    else if (char === '"') isInText = !isInText
    else if (!isInText && (char === '[' || char === '{')) open.push(char)
    else if (!isInText && (char === ']' || char === '}')) open.pop()
  }
  return open
}

function closing(open: string[]): string {
  return open
    .toReversed()
    .map((char) => (char === '[' ? ']' : '}'))
    .join('')
}

describe('offsetDeeperThan', () => {
  test('counts lists and objects within each other, and no brackets in texts', () => {
    expect(offsetDeeperThan('[[1],{"a":[2]}]', 2)).toBe(10)
    expect(offsetDeeperThan('[[1],{"a":[2]}]', 3)).toBe(-1)
    expect(offsetDeeperThan('["[[[\\"[[[",["x\\\\"]]', 2)).toBe(-1)
    expect(offsetDeeperThan('"', 0)).toBe(-1)
    expect(offsetDeeperThan('', 0)).toBe(-1)
  })
})

describe('preferredType', () => {
  const offered = ['a/one', 'a/two', 'b/three'] as const
  test.each([
    [null, 'a/one'],
    ['', 'a/one'],
    ['*/*', 'a/one'],
    ['a/two', 'a/two'],
    ['A/TWO', 'a/two'],
    ['a/*;q=0.1, b/*', 'b/three'],
    ['a/*, a/one;q=0', 'a/two'],
    ['*/*;q=0.5, a/two;q=0.6', 'a/two'],
    ['b/three;q=0.3;v=1, a/two ; q=0.2', 'b/three'],
    ['c/*', null],
    ['*/*;q=0', null],
    ['a/one;q=oops', null],
    ['garbage', null],
  ])('%s: %s', (accept, expected) => {
    const headers = new Headers(accept === null ? {} : { Accept: accept })
    expect(preferredType(headers, offered)).toBe(expected)
  })
})

describe('startRun', () => {
  const start = { workflow: { name: 'a', version: null }, input: 'null', timeoutMs: null, idempotency: null, waitMs: 0 }

  /** An environment, a fake, whose Runners take every start and say to whom it went. */
  function aTakingEnv(): { env: Env; taken: { name: string; runId: string }[] } {
    const taken: { name: string; runId: string }[] = []
    const get = (name: string) => ({
      start: async ({ runId }: { runId: string }) => {
        taken.push({ name, runId })
        return { kind: 'run', runId, status: 'running', body: '{}', replayed: false }
      },
    })
    return { env: { RUNNER: { idFromName: (name: string) => name, get } } as unknown as Env, taken }
  }

  test('spreads starts over all shards, and the id says which', async () => {
    const { env, taken } = aTakingEnv()
    for (let count = 0; count < 500; count++) await startRun(env, 'default', start)
    for (const { name, runId } of taken) expect(name).toBe(`default:${parseRunId(runId)!.shard}`)
    expect(new Set(taken.map(({ name }) => name)).size).toBe(SHARDS)
  })

  test('mints ids that grow, each once', async () => {
    const { env, taken } = aTakingEnv()
    for (let count = 0; count < 500; count++) await startRun(env, 'default', start)
    const ulids = taken.map(({ runId }) => parseRunId(runId)!.ulid)
    expect(ulids).toEqual([...new Set(ulids)].sort())
  })

  test('leads one key to one shard, whatever the run', async () => {
    const { env, taken } = aTakingEnv()
    for (let count = 0; count < 20; count++) {
      await startRun(env, 'default', { ...start, idempotency: { key: 'order-17', bodyHash: '' } })
    }
    expect(new Set(taken.map(({ name }) => name)).size).toBe(1)
    expect(new Set(taken.map(({ runId }) => runId)).size).toBe(20)
  })
})
