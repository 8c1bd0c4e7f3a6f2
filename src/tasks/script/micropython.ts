// MicroPython as one instance of its wasm: a subset of Python 3. Each call of a script has an instance of its own, so whatever a
// script does to it ends with the call.
//
// The package's own glue is not used: it would hand the script the host's `globalThis`. Here the interpreter gets what it cannot
// do without (text out, a clock that stands still, random numbers, memory within bounds, our own modules as files that can be
// read); every other import ends the call. The bounds are kept by the metered wasm (cpu), by the memory that is granted and by
// the interpreter (stack).

import {
  FUEL_PER_FILE_CALL,
  FUEL_PER_RANDOM,
  FUEL_PER_TRANSFER,
  FUEL_PER_UNWINDING,
  type ScriptLimits,
} from './limits.ts'
import wasm from './wasm/micropython.wasm'

const PAGE_BYTES = 65_536

/** The interpreter's own stack, in bytes. Its stack in C bounds recursion before this one is full. */
const PYSTACK_BYTES = 64 * 1_024

/** What the interpreter was built with, and what it may use of the 64 KiB that it has. */
const CSTACK_BYTES = 32_768
const USED_CSTACK_BYTES = 57_344

/** How many bytes are kept of the beginning, and as many of the end, of an exception's type and trace. */
const MAX_END_BYTES = 16 * 1_024

/** Doubles while memory is granted. */
const FIRST_HEAP_BYTES = 1_024 * 1_024

const IMAGE_PART_BYTES = 16_384

const MAX_PATH_BYTES = 256

/** An import has one file open at a time; what a script makes of that is bounded all the same. */
const MAX_OPEN_FILES = 16

/** Random numbers that are asked of the host at once. */
const RANDOM_NUMBERS = 64

/** Error numbers of musl. Those that are used here have the same values in WASI. */
const ENOENT = 2
const EBADF = 8
const EACCES = 13
const EMFILE = 24
const ENOSYS = 52

interface Exports {
  memory: WebAssembly.Memory
  __fuel: WebAssembly.Global
  __indirect_function_table: WebAssembly.Table
  __wasm_call_ctors(): void
  emscripten_stack_init(): void
  emscripten_stack_get_current(): number
  _emscripten_stack_restore(at: number): void
  setThrew(threw: number, value: number): void
  malloc(bytes: number): number
  free(at: number): void
  mp_js_init(pystack: number, heap: number): void
  proxy_c_init(): void
  mp_js_do_exec(source: number, length: number, result: number): void
}

/** The script has reached for something that the sandbox does not have. */
export class Forbidden extends Error {}

/** What the host did for the script has cost more than was left. */
class OutOfFuel extends Error {}

/** How C code unwinds to where it was prepared for it (setjmp): an exception that every `invoke_` catches. */
const LONG_JUMP = { isLongJump: true }

const encoder = new TextEncoder()

/** What a script ended with: the name of the exception's class, and the trace as the interpreter prints it. */
export interface Exception {
  type: string
  trace: string
}

/** An interpreter as it stood, from which others begin: cheaper than to start one and to load modules. */
export interface Image {
  /** Its memory where that is not zero as it is in every instance, and how long it is altogether. */
  parts: readonly { at: number; bytes: Uint8Array }[]
  length: number
  stack: number
}

/** One instance of the interpreter, for one call. Nothing is disposed of: it goes with the instance. */
export class MicroPython {
  readonly #wasm: Exports
  readonly #maxBytes: number
  readonly #at: number
  /** Open files by their number, which begins after the standard ones. */
  readonly #files = new Map<number, { bytes: Uint8Array; at: number }>()
  #nextFile = 3
  readonly #modules: Readonly<Record<string, string>>
  /** Texts of modules as bytes: each is made once, however often it is opened. */
  readonly #encoded = new Map<string, Uint8Array>()
  /** The file that was found last: an import opens it next, and scripts get none but that. */
  #found: string | null = null
  readonly #random = new Uint32Array(RANDOM_NUMBERS)
  #randomLeft = 0
  /** Parts that are not zero in an instance from its beginning, so that an image has to say what they are. */
  readonly #born: ReadonlySet<number> = new Set()
  readonly #onText: (bytes: Uint8Array) => void

  /**
   * @param at what its clock shows, ms since the epoch
   * @param modules sources that `import` finds, by path without `.py`; they come before most of what the interpreter brings itself
   * @param onText is given what is written, as a part of the memory: it must copy what it keeps. What it throws ends the call
   * @param image what it begins from, that of an interpreter between two calls of `exec`
   */
  constructor(
    limits: Pick<ScriptLimits, 'fuel' | 'memoryBytes'>,
    at: number,
    modules: Readonly<Record<string, string>>,
    onText: (bytes: Uint8Array) => void,
    image?: Image,
  ) {
    this.#maxBytes = limits.memoryBytes
    this.#at = at
    this.#modules = modules
    this.#onText = onText
    const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {}
    for (const { module, name } of WebAssembly.Module.imports(wasm)) {
      imports[module] ??= {}
      imports[module][name] = this.#import(name)
    }
    this.#wasm = new WebAssembly.Instance(wasm, imports).exports as unknown as Exports
    this.#wasm.emscripten_stack_init()
    if (image === undefined) {
      this.#born = new Set(this.#parts().map(({ at }) => at))
      this.#wasm.__wasm_call_ctors()
      this.#wasm.mp_js_init(PYSTACK_BYTES, FIRST_HEAP_BYTES)
      this.#useStack()
      this.#wasm.proxy_c_init()
    } else {
      const { memory } = this.#wasm
      memory.grow((image.length - memory.buffer.byteLength) / PAGE_BYTES)
      const memoryBytes = this.#bytes()
      for (const { at, bytes } of image.parts) memoryBytes.set(bytes, at)
      this.#wasm._emscripten_stack_restore(image.stack)
    }
    this.#wasm.__fuel.value = limits.fuel
  }

  /**
   * The interpreter uses half of its stack in C only, which ends recursion after 160 calls. Where it keeps that bound, beside where
   * the stack begins, is found by both; the rest is left for what does not look at the bound.
   * @throws if it is not found, as the wasm is another one then
   */
  #useStack(): void {
    const top = this.#wasm.emscripten_stack_get_current()
    const words = new Uint32Array(this.#wasm.memory.buffer)
    const found: number[] = []
    for (let at = words.indexOf(CSTACK_BYTES); at !== -1; at = words.indexOf(CSTACK_BYTES, at + 1)) {
      if (words[at - 1]! <= top && words[at - 1]! > top - 512) found.push(at)
    }
    if (found.length !== 1) throw new Error("the bound of the interpreter's stack was not found")
    words[found[0]!] = USED_CSTACK_BYTES
  }

  /** A copy from which others can begin: the memory, and where the stack stands, which the memory does not tell. */
  image(): Image {
    const parts = this.#parts((at) => this.#born.has(at)).map(({ at, bytes }) => ({ at, bytes: bytes.slice() }))
    return { parts, length: this.#wasm.memory.buffer.byteLength, stack: this.#wasm.emscripten_stack_get_current() }
  }

  /** Where its memory is not zero, and where it is wanted anyhow. */
  #parts(isWanted: (at: number) => boolean = () => false): { at: number; bytes: Uint8Array }[] {
    const memory = this.#bytes()
    return Array.from({ length: memory.length / IMAGE_PART_BYTES }, (_, index) => {
      const at = index * IMAGE_PART_BYTES
      return { at, bytes: memory.subarray(at, at + IMAGE_PART_BYTES) }
    }).filter(({ at, bytes }) => isWanted(at) || bytes.some((byte) => byte !== 0))
  }

  /** Fuel that is left; below zero if it has run out. */
  get fuelLeft(): number {
    return this.#wasm.__fuel.value as number
  }

  /**
   * Takes fuel for what the host does on the script's behalf.
   * @throws an error that ends the call, if less is left: the counter then stands at -1, as below the least that it can hold it
   *   would begin anew from above
   */
  charge(cost: number): void {
    const left = this.fuelLeft - cost
    this.#wasm.__fuel.value = Math.max(left, -1)
    if (left < 0) throw new OutOfFuel()
  }

  /**
   * Runs Python in the main module.
   * @returns null, or the exception that it ended with
   * @throws Forbidden, and whatever a trap of the wasm is: then the instance must not be used any more
   */
  exec(source: string): Exception | null {
    const { malloc, mp_js_do_exec } = this.#wasm
    const bytes = encoder.encode(source)
    const at = malloc(bytes.length + 1)
    const result = malloc(12)
    if (at === 0 || result === 0) throw new RangeError('no memory for the source')
    const memory = this.#bytes()
    memory.set(bytes, at)
    memory[at + bytes.length] = 0
    mp_js_do_exec(at, bytes.length, result)
    const view = this.#view()
    if (view.getInt32(result, true) !== -1) return null
    const text = this.#ends(view.getUint32(result + 8, true), view.getUint32(result + 4, true))
    const [type = '', trace = ''] = text.split('\x04')
    return { type, trace }
  }

  #view(): DataView {
    return new DataView(this.#wasm.memory.buffer)
  }

  #bytes(): Uint8Array {
    return new Uint8Array(this.#wasm.memory.buffer)
  }

  /** A text, of a long one its beginning and its end: what a script raises may be as large as its memory. */
  #ends(at: number, length: number): string {
    if (length <= 2 * MAX_END_BYTES) return this.#text(at, length)
    return `${this.#text(at, MAX_END_BYTES)}…${this.#text(at + length - MAX_END_BYTES, MAX_END_BYTES)}`
  }

  #text(at: number, length: number): string {
    return new TextDecoder().decode(this.#bytes().slice(at, at + length))
  }

  /** A path, or nothing of one that is too long to be that of a module. */
  #path(at: number): string {
    const length = this.#bytes()
      .subarray(at, at + MAX_PATH_BYTES)
      .indexOf(0)
    return length === -1 ? '' : this.#text(at, length)
  }

  /** The module whose file a path names. */
  #moduleAt(path: string): string | undefined {
    const [, name] = /^(?:\.?\/)?([\w/]+)\.py$/.exec(path) ?? []
    return name !== undefined && Object.hasOwn(this.#modules, name) ? name : undefined
  }

  #isPackage(path: string): boolean {
    const [, name] = /^(?:\.?\/)?(\w+)$/.exec(path) ?? []
    return name !== undefined && Object.hasOwn(this.#modules, `${name}/__init__`)
  }

  #bytesOf(module: string): Uint8Array {
    const known = this.#encoded.get(module)
    if (known !== undefined) return known
    const bytes = encoder.encode(this.#modules[module])
    this.#encoded.set(module, bytes)
    return bytes
  }

  #drawRandom(): number {
    this.charge(FUEL_PER_RANDOM)
    if (this.#randomLeft === 0) {
      crypto.getRandomValues(this.#random)
      this.#randomLeft = this.#random.length
    }
    return this.#random[--this.#randomLeft]!
  }

  #import(name: string): (...args: number[]) => number | undefined {
    switch (name) {
      case '_emscripten_throw_longjmp':
        return () => {
          throw LONG_JUMP
        }
      case 'emscripten_resize_heap':
        return (bytes) => this.#grow(bytes! >>> 0)
      case 'mp_js_random_u32':
        return () => this.#drawRandom()
      case 'mp_js_ticks_ms':
        return () => this.#at & 0x3f_ff_ff_ff
      case 'mp_js_time_ms':
        return () => this.#at
      case 'fd_write':
        return (_file, vectors, count, written) => this.#write(vectors!, count!, written!)
      case 'fd_read':
        return (file, vectors, count, read) => this.#read(file!, vectors!, count!, read!)
      case 'fd_close':
        return (file) => (this.#files.delete(file!) ? 0 : EBADF)
      case '__syscall_openat':
        return (_folder, path) => this.#open(path!)
      case '__syscall_stat64':
        return (path, into) => this.#stat(path!, into!)
      case 'js_check_existing':
        return () => -1
      case 'proxy_js_free_obj':
        return () => undefined
      default:
    }
    if (name.startsWith('invoke_')) return (index, ...args) => this.#invoke(index!, args)
    if (name.startsWith('__syscall') || name.startsWith('fd_')) return () => (name.startsWith('fd_') ? ENOSYS : -ENOSYS)
    return () => {
      throw new Forbidden(name)
    }
  }

  #invoke(index: number, args: number[]): number | undefined {
    const { emscripten_stack_get_current, _emscripten_stack_restore, setThrew, __indirect_function_table } = this.#wasm
    const stack = emscripten_stack_get_current()
    try {
      return (__indirect_function_table.get(index) as (...args: number[]) => number | undefined)(...args)
    } catch (error) {
      _emscripten_stack_restore(stack)
      if (error !== LONG_JUMP) throw error
      this.charge(FUEL_PER_UNWINDING)
      setThrew(1, 0)
      return undefined
    }
  }

  #grow(bytes: number): number {
    if (bytes > this.#maxBytes) return 0
    try {
      this.#wasm.memory.grow(Math.ceil((bytes - this.#wasm.memory.buffer.byteLength) / PAGE_BYTES))
      return 1
    } catch {
      return 0 // The host has none left: to the script it is the same as its own bound.
    }
  }

  #write(vectors: number, count: number, written: number): number {
    let total = 0
    for (const { at, length } of this.#vectors(vectors, count)) {
      total += length
      this.charge(FUEL_PER_TRANSFER + length)
      this.#onText(this.#bytes().subarray(at, at + length))
    }
    this.#view().setUint32(written, total, true)
    return 0
  }

  #read(file: number, vectors: number, count: number, read: number): number {
    const open = this.#files.get(file)
    if (open === undefined) return EBADF
    let total = 0
    for (const { at, length } of this.#vectors(vectors, count)) {
      this.charge(FUEL_PER_TRANSFER + length)
      const part = open.bytes.subarray(open.at, open.at + length)
      this.#bytes().set(part, at)
      open.at += part.length
      total += part.length
    }
    this.#view().setUint32(read, total, true)
    return 0
  }

  #vectors(at: number, count: number): { at: number; length: number }[] {
    const view = this.#view()
    return Array.from({ length: count }, (_, index) => ({
      at: view.getUint32(at + 8 * index, true),
      length: view.getUint32(at + 8 * index + 4, true),
    }))
  }

  /** A script that opens a file by itself is refused: it has none. */
  #open(at: number): number {
    this.charge(FUEL_PER_FILE_CALL)
    const module = this.#moduleAt(this.#path(at))
    const isImport = module !== undefined && module === this.#found
    this.#found = null
    if (!isImport) return -EACCES
    if (this.#files.size >= MAX_OPEN_FILES) return -EMFILE
    this.#files.set(this.#nextFile, { bytes: this.#bytesOf(module), at: 0 })
    return this.#nextFile++
  }

  /** Emscripten's `struct stat`: only kind and size are looked at. */
  #stat(at: number, into: number): number {
    this.charge(FUEL_PER_FILE_CALL)
    const path = this.#path(at)
    const isPackage = this.#isPackage(path)
    const module = this.#moduleAt(path)
    this.#found = module ?? null
    if (module === undefined && !isPackage) return -ENOENT
    this.#bytes().fill(0, into, into + 96)
    const view = this.#view()
    view.setUint32(into + 4, isPackage ? 0o040_555 : 0o100_444, true)
    view.setBigUint64(into + 24, BigInt(module === undefined ? 0 : this.#bytesOf(module).length), true)
    return 0
  }
}
