// Prepares the interpreters that run scripts: the wasm of two npm packages, rewritten so that it counts what it does.
//
// Each function and each turn of a loop takes 1 from the exported global `__fuel` and traps once that is below zero. No loop
// can do without one of the two, so every script ends: bytecode, native sort and search, a regular expression that backtracks,
// a big integer's power. It needs no clock (on Cloudflare clocks stand still while code computes), gives the same count
// each time, and nothing inside the sandbox can catch it.
//
// The form of the binary is that of the WebAssembly Core Specification 2.0, chapter 5. What it does not know it refuses.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

/** Each engine: where its wasm comes from, where it goes, and with how many pages of 64 KiB it begins (its package asks for more). */
const ENGINES = [
  { from: '@jitl/quickjs-wasmfile-release-sync/dist/emscripten-module.wasm', to: 'quickjs.wasm', pages: 96 },
  { from: '@micropython/micropython-webassembly-pyscript/micropython.wasm', to: 'micropython.wasm', pages: 32 },
]

const SECTION = { import: 2, memory: 5, global: 6, export: 7, code: 10 } as const
const I32 = 0x7f
const OP = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  call: 0x10,
  callIndirect: 0x11,
  selectTyped: 0x1c,
  localGet: 0x20,
  tableSet: 0x26,
  firstLoad: 0x28,
  lastStore: 0x3e,
  memorySize: 0x3f,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i64Const: 0x42,
  f32Const: 0x43,
  f64Const: 0x44,
  firstNumeric: 0x45,
  lastNumeric: 0xc4,
  i32LtS: 0x48,
  i32Sub: 0x6b,
  refNull: 0xd0,
  refIsNull: 0xd1,
  refFunc: 0xd2,
  globalGet: 0x23,
  globalSet: 0x24,
  prefixed: 0xfc,
} as const
const EMPTY_BLOCK = 0x40

interface Section {
  id: number
  body: Uint8Array
}

class Reader {
  readonly bytes: Uint8Array
  at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get isDone(): boolean {
    return this.at >= this.bytes.length
  }

  byte(): number {
    if (this.isDone) throw new Error('the wasm ends too early')
    return this.bytes[this.at++]!
  }

  /** A LEB128 number. Signed ones are read over the same way: their value is never needed. */
  number(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte()
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
  }

  skip(count: number): void {
    this.at += count
  }
}

/**
 * The same module with `__fuel`, a mutable i32 global that it exports.
 * @param pages with how many pages its memory begins, own or imported; unchanged if not given
 * @throws Error if the module holds an instruction or a section that this file does not know
 */
export function meter(wasm: Uint8Array, pages?: number): Uint8Array {
  const reader = new Reader(wasm)
  reader.skip(8)
  const sections: Section[] = []
  while (!reader.isDone) {
    const id = reader.byte()
    const size = reader.number()
    sections.push({ id, body: wasm.slice(reader.at, reader.at + size) })
    reader.skip(size)
  }
  const find = (id: number): Section => {
    const found = sections.find((section) => section.id === id)
    if (found === undefined) throw new Error(`the wasm has no section ${id}`)
    return found
  }
  const importedGlobals = readImports(find(SECTION.import).body, pages)
  const memory = sections.find(({ id }) => id === SECTION.memory)
  if (memory !== undefined && pages !== undefined) {
    const own = new Reader(memory.body)
    own.number()
    setMinimum(own, pages)
  }
  let fuel: number[] = []
  append(find(SECTION.global), (count) => {
    fuel = leb(importedGlobals + count)
    const isMutable = 1
    return [I32, isMutable, OP.i32Const, 0xff, 0xff, 0xff, 0xff, 0x07, OP.end] // 2^31 - 1
  })
  append(find(SECTION.export), () => {
    const name = Buffer.from('__fuel')
    const isGlobal = 3
    return [name.length, ...name, isGlobal, ...fuel]
  })
  const code = find(SECTION.code)
  code.body = meteredCode(code.body, fuel)
  const parts = sections.flatMap(({ id, body }) => [Uint8Array.from([id, ...leb(body.length)]), body])
  return Buffer.concat([wasm.subarray(0, 8), ...parts])
}

/** @returns how many globals are imported: the module's own are numbered after them */
function readImports(body: Uint8Array, pages: number | undefined): number {
  const reader = new Reader(body)
  let globals = 0
  for (let left = reader.number(); left > 0; left--) {
    reader.skip(reader.number())
    reader.skip(reader.number())
    const kind = reader.byte()
    if (kind === 0) reader.number()
    else if (kind === 1) {
      reader.skip(1)
      setMinimum(reader, undefined)
    } else if (kind === 2) setMinimum(reader, pages)
    else if (kind === 3) {
      reader.skip(2)
      globals++
    } else throw new Error(`the wasm imports something of kind ${kind}`)
  }
  return globals
}

/** Reads over limits; a new minimum is written in as many bytes as the old one has. */
function setMinimum(reader: Reader, minimum: number | undefined): void {
  const hasMaximum = (reader.byte() & 1) === 1
  const from = reader.at
  reader.number()
  const width = reader.at - from
  if (minimum !== undefined) {
    if (minimum >= 2 ** (7 * width)) throw new Error(`${minimum} pages do not fit into ${width} bytes`)
    for (let index = 0, rest = minimum; index < width; index++, rest >>>= 7) {
      reader.bytes[from + index] = (rest & 127) | (index < width - 1 ? 128 : 0)
    }
  }
  if (hasMaximum) reader.number()
}

/** Adds an entry to a section that is a list. */
function append(section: Section, entryOf: (count: number) => number[]): void {
  const reader = new Reader(section.body)
  const count = reader.number()
  const rest = section.body.subarray(reader.at)
  section.body = Buffer.concat([Uint8Array.from(leb(count + 1)), rest, Uint8Array.from(entryOf(count))])
}

function meteredCode(body: Uint8Array, fuel: readonly number[]): Uint8Array {
  // fuel = fuel - 1; if (fuel < 0) unreachable
  const probe = Uint8Array.from([
    ...[OP.globalGet, ...fuel, OP.i32Const, 1, OP.i32Sub, OP.globalSet, ...fuel],
    ...[OP.globalGet, ...fuel, OP.i32Const, 0, OP.i32LtS, OP.if, EMPTY_BLOCK, OP.unreachable, OP.end],
  ])
  const reader = new Reader(body)
  const count = reader.number()
  const parts: Uint8Array[] = [Uint8Array.from(leb(count))]
  for (let left = count; left > 0; left--) {
    const size = reader.number()
    const metered = meteredFunction(body.subarray(reader.at, reader.at + size), probe)
    parts.push(Uint8Array.from(leb(metered.length)), metered)
    reader.skip(size)
  }
  return Buffer.concat(parts)
}

function meteredFunction(body: Uint8Array, probe: Uint8Array): Uint8Array {
  const reader = new Reader(body)
  for (let locals = reader.number(); locals > 0; locals--) {
    reader.number()
    reader.skip(1)
  }
  const parts = [body.subarray(0, reader.at), probe]
  let copied = reader.at
  while (!reader.isDone) {
    if (readInstruction(reader) !== OP.loop) continue
    parts.push(body.subarray(copied, reader.at), probe)
    copied = reader.at
  }
  return Buffer.concat([...parts, body.subarray(copied)])
}

/** Reads over one instruction with its immediates. @returns its first byte */
function readInstruction(reader: Reader): number {
  const op = reader.byte()
  switch (op) {
    case OP.block:
    case OP.loop:
    case OP.if:
    case OP.br:
    case OP.brIf:
    case OP.call:
    case OP.i32Const:
    case OP.i64Const:
    case OP.refFunc:
      reader.number()
      return op
    case OP.brTable:
      for (let targets = reader.number(); targets >= 0; targets--) reader.number()
      return op
    case OP.callIndirect:
      reader.number()
      reader.number()
      return op
    case OP.selectTyped:
      reader.skip(reader.number())
      return op
    case OP.memorySize:
    case OP.memoryGrow:
    case OP.refNull:
      reader.skip(1)
      return op
    case OP.f32Const:
      reader.skip(4)
      return op
    case OP.f64Const:
      reader.skip(8)
      return op
    case OP.prefixed: {
      // Saturating conversions (0 to 7) have no immediate; of the rest the even ones below 16 name two things, the odd ones one.
      const sub = reader.number()
      if (sub > 17) throw new Error(`the wasm holds the instruction 0xfc ${sub}`)
      if (sub >= 8) reader.number()
      if (sub >= 8 && sub % 2 === 0 && sub < 16) reader.number()
      return op
    }
    default:
  }
  if (op >= OP.localGet && op <= OP.tableSet) reader.number()
  else if (op >= OP.firstLoad && op <= OP.lastStore) {
    reader.number()
    reader.number()
  } else if (!hasNoImmediate(op)) throw new Error(`the wasm holds the instruction 0x${op.toString(16)}`)
  return op
}

function hasNoImmediate(op: number): boolean {
  // unreachable, nop, else, end, return, drop, select, and all that only computes.
  return (
    [OP.unreachable, 0x01, 0x05, OP.end, 0x0f, 0x1a, 0x1b, OP.refIsNull].includes(op) ||
    (op >= OP.firstNumeric && op <= OP.lastNumeric)
  )
}

function leb(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  do {
    const low = rest & 127
    rest >>>= 7
    bytes.push(rest === 0 ? low : low | 128)
  } while (rest !== 0)
  return bytes
}

/** The Workers' types, which this project is checked with, know of no compiling: in a Worker there is none. */
const validate = (wasm: Uint8Array) => new (WebAssembly.Module as unknown as new (bytes: Uint8Array) => object)(wasm)

if (import.meta.main) {
  const folder = join(ROOT, 'src/tasks/script/wasm')
  mkdirSync(folder, { recursive: true })
  for (const { from, to, pages } of ENGINES) {
    const metered = meter(readFileSync(join(ROOT, 'node_modules', from)), pages)
    validate(metered) // What is not valid must not get any further.
    writeFileSync(join(folder, to), metered)
  }
}
