// Prepares the interpreters that run scripts: the wasm of two npm packages, rewritten so that it counts what it does.
//
// Each function and each turn of a loop takes 1 from the exported global `__fuel` and traps once that is below zero. No loop
// can do without one of the two, so every script ends: bytecode, native sort and search, a regular expression that backtracks,
// a big integer's power. It needs no clock (on Cloudflare clocks stand still while code computes), gives the same count
// each time, and nothing inside the sandbox can catch it.
//
// Three instructions do as much work as a number on the stack says: they copy or fill memory. Each takes 1 for 64 bytes beside.
// Those that do the same to tables are refused, as no interpreter here needs them.
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
  i32ShrU: 0x76,
  refNull: 0xd0,
  refIsNull: 0xd1,
  refFunc: 0xd2,
  globalGet: 0x23,
  globalSet: 0x24,
  prefixed: 0xfc,
} as const
const EMPTY_BLOCK = 0x40

/** Instructions after the prefix 0xfc: the first ones convert numbers, the last one that is known fills a table. */
const PREFIXED = {
  firstBulk: 8,
  memoryInit: 8,
  memoryCopy: 10,
  memoryFill: 11,
  tableInit: 12,
  tableCopy: 14,
  tableGrow: 15,
  tableFill: 17,
} as const

/** Whose work grows with the topmost number on the stack. */
const BULK_ON_MEMORY: readonly number[] = [PREFIXED.memoryInit, PREFIXED.memoryCopy, PREFIXED.memoryFill]
const BULK_ON_TABLES: readonly number[] = [
  PREFIXED.tableInit,
  PREFIXED.tableCopy,
  PREFIXED.tableGrow,
  PREFIXED.tableFill,
]

/**
 * So many bytes that are copied or filled cost 1, as the power of two. Memory is filled with about 14 GB/s and copied with
 * about 8 GB/s, which would be 140 and 80 bytes for each hundred-thousandth of a millisecond.
 */
const BULK_SHIFT = 6

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
  const isMutable = 1
  let fuel: number[] = []
  append(find(SECTION.global), (count) => {
    fuel = leb(importedGlobals + count)
    return [I32, isMutable, OP.i32Const, 0xff, 0xff, 0xff, 0xff, 0x07, OP.end] // 2^31 - 1
  })
  // Holds how much a bulk instruction works on while that is paid for. It is not exported.
  let amount: number[] = []
  append(find(SECTION.global), (count) => {
    amount = leb(importedGlobals + count)
    return [I32, isMutable, OP.i32Const, 0, OP.end]
  })
  append(find(SECTION.export), () => {
    const name = Buffer.from('__fuel')
    const isGlobal = 3
    return [name.length, ...name, isGlobal, ...fuel]
  })
  const code = find(SECTION.code)
  code.body = meteredCode(code.body, probesOf(fuel, amount))
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

interface Probes {
  /** Takes 1. */
  turn: Uint8Array
  /** Takes what the bytes that the topmost number counts cost, and leaves that number where it was. */
  bulk: Uint8Array
}

/**
 * Neither can make the fuel wrap around: it is at least -1 before, and the largest number of bytes costs 2^26.
 * @param fuel the index of its global, as it is encoded
 * @param amount of the global that a bulk instruction's number is kept in
 */
function probesOf(fuel: readonly number[], amount: readonly number[]): Probes {
  // if (fuel < 0) unreachable
  const check = [OP.globalGet, ...fuel, OP.i32Const, 0, OP.i32LtS, OP.if, EMPTY_BLOCK, OP.unreachable, OP.end]
  return {
    turn: Uint8Array.from([OP.globalGet, ...fuel, OP.i32Const, 1, OP.i32Sub, OP.globalSet, ...fuel, ...check]),
    bulk: Uint8Array.from([
      ...[OP.globalSet, ...amount],
      ...[OP.globalGet, ...fuel, OP.globalGet, ...amount, OP.i32Const, BULK_SHIFT, OP.i32ShrU, OP.i32Sub],
      ...[OP.globalSet, ...fuel, ...check, OP.globalGet, ...amount],
    ]),
  }
}

function meteredCode(body: Uint8Array, probes: Probes): Uint8Array {
  const reader = new Reader(body)
  const count = reader.number()
  const parts: Uint8Array[] = [Uint8Array.from(leb(count))]
  for (let left = count; left > 0; left--) {
    const size = reader.number()
    const metered = meteredFunction(body.subarray(reader.at, reader.at + size), probes)
    parts.push(Uint8Array.from(leb(metered.length)), metered)
    reader.skip(size)
  }
  return Buffer.concat(parts)
}

function meteredFunction(body: Uint8Array, probes: Probes): Uint8Array {
  const reader = new Reader(body)
  for (let locals = reader.number(); locals > 0; locals--) {
    reader.number()
    reader.skip(1)
  }
  const parts = [body.subarray(0, reader.at), probes.turn]
  let copied = reader.at
  const insert = (at: number, probe: Uint8Array) => {
    parts.push(body.subarray(copied, at), probe)
    copied = at
  }
  while (!reader.isDone) {
    const from = reader.at
    const kind = readInstruction(reader)
    if (kind === 'loop') insert(reader.at, probes.turn)
    else if (kind === 'bulk') insert(from, probes.bulk)
  }
  return Buffer.concat([...parts, body.subarray(copied)])
}

/** Reads over one instruction with its immediates. @returns what it costs: as what begins a loop, by a number, or nothing */
function readInstruction(reader: Reader): 'loop' | 'bulk' | 'other' {
  const op = reader.byte()
  switch (op) {
    case OP.loop:
      reader.number()
      return 'loop'
    case OP.block:
    case OP.if:
    case OP.br:
    case OP.brIf:
    case OP.call:
    case OP.i32Const:
    case OP.i64Const:
    case OP.refFunc:
      reader.number()
      return 'other'
    case OP.brTable:
      for (let targets = reader.number(); targets >= 0; targets--) reader.number()
      return 'other'
    case OP.callIndirect:
      reader.number()
      reader.number()
      return 'other'
    case OP.selectTyped:
      reader.skip(reader.number())
      return 'other'
    case OP.memorySize:
    case OP.memoryGrow:
    case OP.refNull:
      reader.skip(1)
      return 'other'
    case OP.f32Const:
      reader.skip(4)
      return 'other'
    case OP.f64Const:
      reader.skip(8)
      return 'other'
    case OP.prefixed:
      return readPrefixed(reader)
    default:
  }
  if (op >= OP.localGet && op <= OP.tableSet) reader.number()
  else if (op >= OP.firstLoad && op <= OP.lastStore) {
    reader.number()
    reader.number()
  } else if (!hasNoImmediate(op)) throw new Error(`the wasm holds the instruction 0x${op.toString(16)}`)
  return 'other'
}

function readPrefixed(reader: Reader): 'bulk' | 'other' {
  const op = reader.number()
  if (op > PREFIXED.tableFill || BULK_ON_TABLES.includes(op))
    throw new Error(`the wasm holds the instruction 0xfc ${op}`)
  // Conversions have no immediate; of the rest the even ones below 16 name two things, the odd ones one.
  if (op >= PREFIXED.firstBulk) reader.number()
  if (op >= PREFIXED.firstBulk && op % 2 === 0 && op < 16) reader.number()
  return BULK_ON_MEMORY.includes(op) ? 'bulk' : 'other'
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

/**
 * The types of Workers, with which this project is checked, have no way to compile wasm, because a Worker may not.
 * @throws WebAssembly.CompileError if it is not valid
 */
export function compile(wasm: Uint8Array): WebAssembly.Module {
  return new (WebAssembly.Module as unknown as new (bytes: Uint8Array) => WebAssembly.Module)(wasm)
}

if (import.meta.main) {
  const folder = join(ROOT, 'src/tasks/script/wasm')
  mkdirSync(folder, { recursive: true })
  for (const { from, to, pages } of ENGINES) {
    const metered = meter(readFileSync(join(ROOT, 'node_modules', from)), pages)
    compile(metered) // What is not valid must not get any further.
    writeFileSync(join(folder, to), metered)
  }
}
