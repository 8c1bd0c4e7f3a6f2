// Spans: "500ms", "5s", "10m", "24h", "30d".

import { describe, expect, test } from 'vitest'
import { timeoutSchema } from '../../src/workflow/definition/schema.ts'
import { checkShape } from '../../src/workflow/faults.ts'
import { SPAN_PATTERN, spanMs } from '../../src/workflow/span.ts'

describe('spanMs', () => {
  test.each([
    ['1ms', 1],
    ['500ms', 500],
    ['5s', 5_000],
    ['1.5s', 1_500],
    ['0.001s', 1],
    ['10m', 600_000],
    ['24h', 86_400_000],
    ['30d', 2_592_000_000],
    ['365d', 31_536_000_000],
    ['0s', 0],
    ['0.4ms', 0],
    ['007s', 7_000],
  ])('%s is %d ms', (span, ms) => {
    expect(spanMs(span)).toBe(ms)
  })

  test.each(['', '5', 's', '5 s', ' 5s', '5s ', '5S', '5sec', '1h30m', '-5s', '+5s', '1e3s', '.5s', '5.s', '1.2345s'])(
    '%j is no span',
    (span) => {
      expect(spanMs(span)).toBeNaN()
      expect(SPAN_PATTERN.test(span)).toBe(false)
    },
  )

  test.each(['5s\n', '５s', '1234567890s', '5ms5s'])('%j is no span either', (span) => {
    expect(spanMs(span)).toBeNaN()
  })
})

describe('a time limit', () => {
  const faultOf = (value: unknown) => {
    const checked = checkShape(timeoutSchema, value)
    return checked.ok ? checked.value : checked.faults.map(({ code, message }) => [code, message])
  }

  test.each(['1ms', '5s', '0.001s', '365d', '8760h'])('may be %s', (span) => {
    expect(faultOf(span)).toBe(span)
  })

  test.each(['0s', '0.4ms', '366d', '365.001d', '999999999d'])('may not be %s', (span) => {
    expect(faultOf(span)).toEqual([['out_of_bounds', 'must be between "1ms" and "365d"']])
  })

  test('proposes seconds for a number without a unit', () => {
    expect(faultOf(1000)).toEqual([
      ['invalid_type', 'must be a span, a text such as "5s": write "1000ms", or "1s", for milliseconds'],
    ])
    expect(faultOf('5 minutes')[0]![1]).toMatch(/: write "5m"$/)
    expect(faultOf('2 Weeks')[0]![1]).toMatch(/such as "5s"$/)
    expect(faultOf(5)).toEqual([['invalid_type', 'must be a span, a text such as "5s": write "5s" for seconds']])
    expect(faultOf('7.5')).toEqual([['invalid_format', expect.stringContaining('write "7.5s" for seconds')]])
  })

  test.each([['5 minutes'], ['soon'], ['']])('says what a span is for %j', (text) => {
    expect(faultOf(text)).toEqual([['invalid_format', expect.stringContaining('such as "5s"')]])
  })

  test.each([[null], [[]], [{}], [true]])('refuses %j as the wrong type', (value) => {
    expect(faultOf(value)).toEqual([['invalid_type', 'must be a span, a text such as "5s"']])
  })
})
