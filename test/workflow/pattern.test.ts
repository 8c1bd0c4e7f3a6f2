// Patterns of JSON Schema: the same answers as the engine's own matcher, without its time.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compilePattern } from '../../src/workflow/json-schema/pattern.ts'

function matches(source: string, text: string): boolean {
  const compiled = compilePattern(source)
  if (!compiled.ok) throw new Error(`${source} ${compiled.message}`)
  return compiled.pattern.test(text, () => {})
}

const refusal = (source: string) => {
  const compiled = compilePattern(source)
  return compiled.ok ? null : compiled.message
}

describe('a pattern', () => {
  test.each([
    ['^[a-z]{2,3}-\\d+$', 'ab-17', true],
    ['^[a-z]{2,3}-\\d+$', 'abcd-17', false],
    ['b', 'abc', true],
    ['^(?:a|bc)*?$', 'abca', true],
    ['^(?<year>\\d{4})$', '2026', true],
    ['^.$', '\u{1f600}', true],
    ['^.$', '\n', false],
    ['^\\ud83d\\ude00$', '\u{1f600}', true],
    ['^\\u{1f600}$', '\u{1f600}', true],
    ['^\\p{Lu}\\p{L}*$', 'Äpfel', true],
    ['\\bfoo\\b', 'a foo', true],
    ['\\bfoo\\b', 'afoo', false],
    ['\\Boo', 'foo', true],
    ['^[\\]\\-x]$', ']', true],
    ['a||b', '', true],
    ['', 'anything', true],
    ['^(){1000}$', '', true],
    ['^(a*)*$', 'aaab', false],
    ['^\\cJ\\x41\\0$', '\nA\0', true],
  ])('%s on %j: %s', (source, text, expected) => {
    expect(matches(source, text)).toBe(expected)
  })

  test('gives what the engine gives, for thousands of patterns and texts', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\w', '\\d', '^', '$', '\\b', '1', '\\u{62}')
    const { pattern } = fc.letrec<{ pattern: string }>((tie) => ({
      pattern: fc.oneof(
        { maxDepth: 4 },
        atom,
        fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => `${a}${b}`),
        fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => `(${a}|${b})`),
        fc
          .tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '{0,2}?', '{2,}'))
          .map(([a, quantifier]) => `(?:${a})${quantifier}`),
      ),
    }))
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '1', ' ', '\n', 'é'), maxLength: 8 })
    fc.assert(
      fc.property(pattern, text, (source, value) => {
        expect(matches(source, value)).toBe(new RegExp(source, 'u').test(value))
      }),
      { seed: 12, numRuns: 20_000 },
    )
  })

  test.each([
    ['(a', 'is no regular expression'],
    ['\\-', 'is no regular expression'],
    ['(a)\\1', 'backreference'],
    ['(?<a>x)\\k<a>', 'backreference'],
    ['(?=a)', 'looks ahead'],
    ['(?<!a)b', 'looks ahead or behind'],
    ['(a{1000}){1000}', '2,000 states'],
    ['((){2000}){2000}', '2,000 states'],
    ['a{9999999}', 'too often'],
    ['('.repeat(60) + ')'.repeat(60), '50 groups'],
    ['a'.repeat(1_001), '1000 characters'],
  ])('%s is refused', (source, reason) => {
    expect(refusal(source)).toContain(reason)
  })

  test('that would hold the engine for years takes steps in proportion to the text', () => {
    for (const source of ['^(a+)+$', '^(a|a)*$', '^(\\w*)*=']) {
      const compiled = compilePattern(source)
      let states = 0
      if (compiled.ok) {
        expect(compiled.pattern.test(`${'a'.repeat(50_000)}!`, (looked) => (states += looked))).toBe(false)
      }
      expect(states).toBeGreaterThan(50_000)
      expect(states).toBeLessThan(500_000)
    }
  })
})
