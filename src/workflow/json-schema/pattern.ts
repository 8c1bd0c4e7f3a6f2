// Regular expressions of JSON Schema (`pattern`, `patternProperties`), matched in time linear in the text: all states of the
// pattern are followed at once (Thompson's construction). The engine's own matcher backtracks and cannot be interrupted, so
// `^(a+)+$` would hold an object for minutes. What cannot be matched so (backreferences, lookaround) is refused.
//
// The engine still says what is a pattern at all, and which characters a class holds: both take no backtracking.

/** Characters of a pattern. */
const MAX_LENGTH = 1_000
/** States that a pattern may have once its counted repetitions are written out, and the largest count. */
const MAX_STATES = 2_000
/** Groups within each other. */
const MAX_NESTING = 50

type Assertion = 'start' | 'end' | 'boundary' | 'no_boundary'

type Node =
  | { kind: 'characters'; source: string }
  | { kind: 'assertion'; assertion: Assertion }
  | { kind: 'sequence'; parts: Node[] }
  | { kind: 'choice'; options: Node[] }
  | { kind: 'repetition'; part: Node; min: number; max: number | null }

type State =
  | { op: 'characters'; has: (codePoint: number) => boolean; next: number }
  | { op: 'assertion'; assertion: Assertion; next: number }
  | { op: 'split'; next: number; other: number }
  | { op: 'match' }

export type CompiledPattern = { ok: true; pattern: Pattern } | { ok: false; message: string }

/** The pattern, or why it cannot be taken. As ECMA-262 has it with the flag `u`, without lookaround and backreferences. */
export function compilePattern(source: string): CompiledPattern {
  if (source.length > MAX_LENGTH) return { ok: false, message: `must have at most ${MAX_LENGTH} characters` }
  try {
    // Only parsed: a pattern that is never executed by the engine takes no time.
    new RegExp(source, 'u')
  } catch {
    return { ok: false, message: 'is no regular expression (ECMA-262, read with the flag u)' }
  }
  try {
    return { ok: true, pattern: new Pattern(new Assembly().of(new Parser(source).all())) }
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, message: error.message }
    throw error
  }
}

/** What a pattern has that this matcher does not take. */
class Refusal extends Error {}

/** Reads the structure of a pattern that the engine has found well formed. */
class Parser {
  readonly #source: string
  #at = 0
  #nesting = 0

  constructor(source: string) {
    this.#source = source
  }

  /** Reads the whole pattern. Throws Refusal for what this matcher does not take. */
  all(): Node {
    const node = this.#choice()
    if (this.#at < this.#source.length) throw new Error(`a pattern was read to ${this.#at} only`)
    return node
  }

  #choice(): Node {
    if (++this.#nesting > MAX_NESTING) throw new Refusal(`has more than ${MAX_NESTING} groups within each other`)
    const options = [this.#sequence()]
    while (this.#takes('|')) options.push(this.#sequence())
    this.#nesting--
    return options.length === 1 ? options[0]! : { kind: 'choice', options }
  }

  #sequence(): Node {
    const parts: Node[] = []
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at]!)) parts.push(this.#quantified())
    return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts }
  }

  #quantified(): Node {
    const part = this.#term()
    const quantifier = /[*+?]|\{(\d+)(,?)(\d*)\}/y
    quantifier.lastIndex = this.#at
    const found = quantifier.exec(this.#source)
    if (found === null) return part
    this.#at += found[0].length
    // A lazy quantifier matches the same texts.
    this.#takes('?')
    const [text, min, comma, max] = found
    if (text === '*') return { kind: 'repetition', part, min: 0, max: null }
    if (text === '+') return { kind: 'repetition', part, min: 1, max: null }
    if (text === '?') return { kind: 'repetition', part, min: 0, max: 1 }
    const most = comma === '' ? Number(min) : max === '' ? null : Number(max)
    if (Number(min) > MAX_STATES || (most ?? 0) > MAX_STATES) throw new Refusal('repeats something too often')
    return { kind: 'repetition', part, min: Number(min), max: most }
  }

  #term(): Node {
    if (this.#takes('^')) return { kind: 'assertion', assertion: 'start' }
    if (this.#takes('$')) return { kind: 'assertion', assertion: 'end' }
    if (this.#takes('\\b')) return { kind: 'assertion', assertion: 'boundary' }
    if (this.#takes('\\B')) return { kind: 'assertion', assertion: 'no_boundary' }
    if (this.#takes('(')) return this.#group()
    // One character, an escape, or a class: each matches one character of a text.
    const characters =
      /\[(?:\\[\s\S]|[^\]\\])*\]|\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|\\u\{[^}]*\}|\\u.{4}|\\x..|\\c.|\\[pP]\{[^}]*\}|\\[\s\S]|[\s\S]/uy
    characters.lastIndex = this.#at
    const source = characters.exec(this.#source)![0]
    if (/^\\[1-9k]/.test(source)) throw new Refusal('has a backreference, which cannot be matched in bounded time')
    this.#at += source.length
    return { kind: 'characters', source }
  }

  #group(): Node {
    if (this.#takes('?')) {
      const name = /<[^=!>][^>]*>/y
      name.lastIndex = this.#at
      const found = name.exec(this.#source)
      if (found !== null) this.#at += found[0].length
      else if (!this.#takes(':')) {
        throw new Refusal('looks ahead or behind, or changes flags, which cannot be matched in bounded time')
      }
    }
    const inner = this.#choice()
    this.#takes(')')
    return inner
  }

  #takes(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }
}

/** Builds the states of a pattern from its end to its start. */
class Assembly {
  readonly #states: State[] = [{ op: 'match' }]
  readonly #classes = new Map<string, (codePoint: number) => boolean>()
  #built = 0

  /** The states of a whole pattern, and the first of them. Throws Refusal when they become too many. */
  of(node: Node): { states: readonly State[]; start: number } {
    const start = this.#before(0, node)
    return { states: this.#states, start }
  }

  /** The state from which `node` and then `next` is matched. */
  #before(next: number, node: Node): number {
    // Counts what makes no state too: an empty group can be repeated as often as any.
    if (++this.#built > 10 * MAX_STATES) throw tooLarge()
    switch (node.kind) {
      case 'characters':
        return this.#add({ op: 'characters', has: this.#class(node.source), next })
      case 'assertion':
        return this.#add({ op: 'assertion', assertion: node.assertion, next })
      case 'sequence':
        return node.parts.reduceRight((after, part) => this.#before(after, part), next)
      case 'choice':
        return node.options
          .map((option) => this.#before(next, option))
          .reduceRight((other, option) => this.#add({ op: 'split', next: option, other }))
      case 'repetition':
        return this.#repeated(next, node)
      default:
        return node satisfies never
    }
  }

  #repeated(next: number, { part, min, max }: Extract<Node, { kind: 'repetition' }>): number {
    let start = next
    if (max === null) {
      const loop: State = { op: 'split', next: 0, other: next }
      start = this.#add(loop)
      loop.next = this.#before(start, part)
    } else {
      for (let copy = min; copy < max; copy++) {
        start = this.#add({ op: 'split', next: this.#before(start, part), other: next })
      }
    }
    for (let copy = 0; copy < min; copy++) start = this.#before(start, part)
    return start
  }

  #add(state: State): number {
    if (this.#states.length >= MAX_STATES) throw tooLarge()
    return this.#states.push(state) - 1
  }

  #class(source: string): (codePoint: number) => boolean {
    const known = this.#classes.get(source)
    if (known !== undefined) return known
    const one = new RegExp(`^${source}$`, 'u')
    const ascii = Array.from({ length: 128 }, (_, code) => one.test(String.fromCharCode(code)))
    const has = (codePoint: number) => ascii[codePoint] ?? one.test(String.fromCodePoint(codePoint))
    this.#classes.set(source, has)
    return has
  }
}

function tooLarge(): Refusal {
  return new Refusal(`has more than ${MAX_STATES.toLocaleString('en-US')} states once its repetitions are written out`)
}

/**
 * A regular expression as a machine of states, which reads a text once: it takes no longer for hostile patterns, unlike one that backtracks.
 * @see Thompson, "Regular Expression Search Algorithm" (1968)
 */
export class Pattern {
  readonly #states: readonly State[]
  readonly #start: number

  constructor({ states, start }: { states: readonly State[]; start: number }) {
    this.#states = states
    this.#start = start
  }

  /**
   * Whether the text holds a match anywhere.
   * @param spend told how many states were looked at, for each character of the text; may throw to give up
   */
  test(text: string, spend: (states: number) => void): boolean {
    const seen = new Uint32Array(this.#states.length)
    let active: number[] = []
    for (let at = 0, turn = 1; ; turn++) {
      // A match may begin at every character.
      if (this.#enter(this.#start, text, at, active, seen, turn)) return true
      spend(active.length + 1)
      if (at >= text.length) return false
      const codePoint = text.codePointAt(at)!
      at += codePoint > 0xffff ? 2 : 1
      const next: number[] = []
      for (const index of active) {
        const state = this.#states[index]!
        if (state.op !== 'characters' || !state.has(codePoint)) continue
        if (this.#enter(state.next, text, at, next, seen, turn + 1)) return true
      }
      active = next
    }
  }

  /** Adds the states that are reached from one without reading a character. True if the match is among them. */
  #enter(first: number, text: string, at: number, active: number[], seen: Uint32Array, turn: number): boolean {
    const open = [first]
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      if (seen[index] === turn) continue
      seen[index] = turn
      const state = this.#states[index]!
      if (state.op === 'match') return true
      if (state.op === 'characters') active.push(index)
      else if (state.op === 'split') open.push(state.next, state.other)
      else if (holds(state.assertion, text, at)) open.push(state.next)
    }
    return false
  }
}

function holds(assertion: Assertion, text: string, at: number): boolean {
  if (assertion === 'start') return at === 0
  if (assertion === 'end') return at === text.length
  const isBoundary = isWord(text[at - 1]) !== isWord(text[at])
  return isBoundary === (assertion === 'boundary')
}

function isWord(character: string | undefined): boolean {
  return character !== undefined && /^\w$/.test(character)
}
