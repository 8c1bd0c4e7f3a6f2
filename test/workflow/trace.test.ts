import { describe, expect, test } from 'vitest'
import { readTrace, traceIdOf, traceOfAttempt } from '../../src/workflow/trace.ts'

const id = '4bf92f3577b34da6a3ce929d0e0e4736'
const parent = `00-${id}-00f067aa0ba902b7-01`

describe('the trace of a start', () => {
  test('is what its headers say', () => {
    expect(readTrace(parent, null)).toEqual({ traceparent: parent })
    expect(readTrace(` ${parent} `, 'a=1 ,\tb@c= 2,,')).toEqual({ traceparent: parent, tracestate: 'a=1,b@c= 2' })
    expect(traceIdOf({ traceparent: parent })).toBe(id)
  })

  test.each([
    [null],
    [''],
    ['nonsense'],
    [parent.toUpperCase()],
    [`ff${parent.slice(2)}`],
    [`${parent}-more`],
    [`00-${'0'.repeat(32)}-00f067aa0ba902b7-01`],
    [`00-${id}-${'0'.repeat(16)}-01`],
    [`00-${id}-00f067aa0ba902b7-1`],
    [`${parent},${parent}`],
  ])('is none if traceparent is %j', (traceparent) => {
    expect(readTrace(traceparent, 'a=1')).toBeNull()
  })

  test('of a later version is passed on as what is known of it', () => {
    const later = `cc-${id}-00f067aa0ba902b7-fd-what-comes`
    expect(readTrace(later, null)).toEqual({ traceparent: `00-${id}-00f067aa0ba902b7-01` })
  })

  test.each([
    ['a value with a control character', 'a=\u0001'],
    ['a member without a value', 'a'],
    ['a key twice', 'a=1,a=2'],
    ['a key in capitals', 'A=1'],
    ['more than 32 members', Array.from({ length: 33 }, (_, i) => `k${i}=1`).join(',')],
    ['more than 512 characters', `a=${'x'.repeat(250)},b=${'x'.repeat(250)},c=${'x'.repeat(50)}`],
    ['megabytes', 'a=1,'.repeat(1_000_000)],
  ])('has no tracestate if it has %s', (_, tracestate) => {
    expect(readTrace(parent, tracestate)).toEqual({ traceparent: parent })
  })
})

describe('the trace of an attempt', () => {
  test('has the trace id and flags of the run, its state, and a span of its own that a replay gives again', () => {
    const run = { traceparent: parent, tracestate: 'a=1' }
    const spans = ['run_1/a/3', 'run_1/a/7', 'run_1/b/3', 'run_2/a/3'].map((attempt) => traceOfAttempt(run, attempt))
    for (const { traceparent, tracestate } of spans) {
      expect(traceparent).toMatch(new RegExp(`^00-${id}-(?!0{16})[0-9a-f]{16}-01$`))
      expect(tracestate).toBe('a=1')
    }
    expect(new Set([parent, ...spans.map(({ traceparent }) => traceparent)]).size).toBe(5)
    expect(traceOfAttempt(run, 'run_1/a/3')).toEqual(spans[0])
  })
})
