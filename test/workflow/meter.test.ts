// The meter of the sandboxes' interpreters (scripts/meter-wasm.ts), on modules that are written out here.

import { describe, expect, test } from 'vitest'
import { compile, meter } from '../../scripts/meter-wasm.ts'

const section = (id: number, ...bytes: number[]) => [id, bytes.length, ...bytes]
const name = (text: string) => [text.length, ...Buffer.from(text)]
const END = 0x0b

/** A module of one function of three numbers, `f`, with two pages of memory and a table. */
function moduleOf(...body: number[]): Uint8Array {
  const code = [0, ...body, END]
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, 1, 0x60, 3, 0x7f, 0x7f, 0x7f, 0),
    ...section(2, 0),
    ...section(3, 1, 0),
    ...section(4, 1, 0x70, 0, 1),
    ...section(5, 1, 0, 2),
    ...section(6, 0),
    ...section(7, 1, ...name('f'), 0, 0),
    ...section(10, 1, code.length, ...code),
  ])
}

function metered(...body: number[]) {
  const { exports } = new WebAssembly.Instance(compile(meter(moduleOf(...body))))
  return exports as unknown as { f(a: number, b: number, c: number): void; __fuel: WebAssembly.Global }
}

const ARGUMENTS = [0x20, 0, 0x20, 1, 0x20, 2]
const COPY = [...ARGUMENTS, 0xfc, 10, 0, 0]
const FILL = [...ARGUMENTS, 0xfc, 11, 0]

describe.each([
  ['a copy', COPY],
  ['a fill', FILL],
])('%s of memory', (_, body) => {
  test('costs 1 for 64 bytes, beside what the call costs', () => {
    const { f, __fuel } = metered(...body)
    for (const [bytes, cost] of [
      [0, 1],
      [63, 1],
      [64, 2],
      [65_536, 1_025],
    ] as const) {
      __fuel.value = 10_000
      f(65_536, 0, bytes)
      expect(__fuel.value).toBe(10_000 - cost)
    }
  })

  test('that nothing is left for does not happen', () => {
    const { f, __fuel } = metered(...body)
    __fuel.value = 1_024
    expect(() => f(65_536, 0, 65_536)).toThrow('unreachable')
    expect(__fuel.value).toBe(-1)
  })

  test('of all that a number can count does not make the fuel begin anew from above', () => {
    const { f, __fuel } = metered(...body)
    for (const fuel of [0, -1, 1_000_000]) {
      __fuel.value = fuel
      expect(() => f(0, 0, -1)).toThrow('unreachable')
      expect(__fuel.value).toBeLessThan(0)
    }
  })
})

test.each([
  ['table.copy', [0xfc, 14, 0, 0]],
  ['table.fill', [0xfc, 17, 0]],
  ['what is not known', [0xfd, 0]],
])('%s is refused', (_, instruction) => {
  expect(() => meter(moduleOf(...ARGUMENTS, ...instruction))).toThrow('the wasm holds the instruction')
})
