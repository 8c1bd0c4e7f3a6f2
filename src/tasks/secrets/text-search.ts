// Pure. Looks for many texts at once: the whole ones, or any eight characters of them. Each place of a text is looked at once, by
// the hash of the eight characters that begin there; how many texts are looked for, and how they repeat themselves, costs
// next to nothing. Knows nothing of secrets.

/** Where something was found: from a place up to before another, in characters. */
export type Span = [from: number, to: number]

/** The shortest that can be looked for, and what makes a part. */
export const GRAM = 8

/** Hashes are polynomials modulo 2^32, so that the hash of a part follows from those of two beginnings. */
const BASE = 0x9e3779b1 | 0
const BASE_POWER_GRAM = powerOf(GRAM)

/** A text that is looked for. */
export interface Needle {
  text: string
  /** Characters of this kind right beside it belong to it, one on each side; null: none do. */
  beside: RegExp | null
}

/** What a lookup tells of all texts that begin with the same characters. */
interface Prefix {
  /** One of the texts that begin so. */
  of: string
  /** The longest of the texts that is no longer than these characters; null if all are longer. */
  longest: { length: number; beside: RegExp | null } | null
}

/**
 * Finds texts that are there from their first character to their last. The longest that begins at a place is found by a binary
 * search over the lengths of all texts, for which each of them has left marks at the lengths that lead to it.
 * @see M. Waldvogel and others, "Scalable High Speed IP Routing Lookups" (SIGCOMM 1997), for the search over lengths
 */
export class WholeTexts {
  readonly #lengths: readonly number[]
  readonly #powers: readonly number[]
  /** For each length, prefixes of this length by their hash. */
  readonly #prefixes: readonly Map<number, Prefix>[]
  /** A bit for each hash of eight characters that a text begins with; most places of most texts need nothing else. */
  readonly #beginnings: Uint8Array

  /** @param needles of at least eight characters each */
  constructor(needles: readonly Needle[]) {
    const sorted = [...needles].sort((a, b) => a.text.length - b.text.length)
    this.#lengths = [...new Set(sorted.map(({ text }) => text.length))]
    this.#powers = this.#lengths.map(powerOf)
    this.#prefixes = this.#lengths.map(() => new Map())
    this.#beginnings = new Uint8Array(2 ** Math.ceil(Math.log2(4 * sorted.length + 256)))
    for (const needle of sorted) this.#add(needle)
  }

  /** All that is found, in order; what overlaps is one. */
  in(text: string): Span[] {
    const spans: Span[] = []
    let sums: Int32Array | null = null
    eachGram(text, (place, hash) => {
      if (!this.#isBeginning(hash)) return
      sums ??= sumsOf(text)
      const found = this.#longestAt(text, sums, place)
      if (found === null) return
      const to = place + found.length
      const before = found.beside !== null && place > 0 && found.beside.test(text[place - 1]!) ? 1 : 0
      const after = found.beside !== null && to < text.length && found.beside.test(text[to]!) ? 1 : 0
      addSpan(spans, place - before, to + after)
    })
    return spans
  }

  /** The shorter ones are there already. */
  #add({ text, beside }: Needle): void {
    const sums = sumsOf(text)
    const bit = mixHash(sums[GRAM]!) & (this.#beginnings.length * 8 - 1)
    this.#beginnings[bit >> 3]! |= 1 << (bit & 7)
    const own = this.#lengths.indexOf(text.length)
    const shorter = this.#longestAt(text, sums, 0)
    for (let low = 0, high = this.#lengths.length - 1; low <= high; ) {
      const middle = (low + high) >> 1
      const length = this.#lengths[middle]!
      if (length > text.length) {
        high = middle - 1
        continue
      }
      const prefixes = this.#prefixes[middle]!
      const hash = sums[length]!
      if (middle === own) {
        prefixes.set(hash, { of: text, longest: { length, beside: beside ?? shorter?.beside ?? null } })
        return
      }
      if (!prefixes.has(hash)) {
        prefixes.set(hash, { of: text, longest: this.#longestAt(text.slice(0, length), sums, 0) })
      }
      low = middle + 1
    }
  }

  #isBeginning(hash: number): boolean {
    const bit = mixHash(hash) & (this.#beginnings.length * 8 - 1)
    return (this.#beginnings[bit >> 3]! & (1 << (bit & 7))) !== 0
  }

  #longestAt(text: string, sums: Int32Array, place: number): Prefix['longest'] {
    let longest: Prefix['longest'] = null
    for (let low = 0, high = this.#lengths.length - 1; low <= high; ) {
      const middle = (low + high) >> 1
      const length = this.#lengths[middle]!
      const end = place + length
      const hash = end > text.length ? 0 : (sums[end]! - Math.imul(sums[place]!, this.#powers[middle]!)) | 0
      const prefix = end > text.length ? undefined : this.#prefixes[middle]!.get(hash)
      // Its first and its last characters are compared too, so that a hash that is the same by chance leads nowhere.
      if (
        prefix !== undefined &&
        isGram(text, place, prefix.of, 0) &&
        isGram(text, end - GRAM, prefix.of, length - GRAM)
      ) {
        longest = prefix.longest ?? longest
        low = middle + 1
      } else high = middle - 1
    }
    return longest
  }
}

/** Finds parts of eight characters and more. */
export class PartsOfTexts {
  readonly #characters: Uint16Array
  /** Places of parts among the characters, plus one, where the hash of the part says or behind it; 0: none. */
  readonly #places: Int32Array

  constructor(texts: readonly string[]) {
    const length = texts.reduce((sum, text) => sum + text.length, 0)
    this.#characters = new Uint16Array(length)
    this.#places = new Int32Array(2 ** Math.ceil(Math.log2(1.4 * length + GRAM)))
    let start = 0
    for (const text of texts) {
      for (let i = 0; i < text.length; i++) this.#characters[start + i] = text.charCodeAt(i)
      eachGram(text, (place, hash) => {
        const slot = this.#slotOf(text, place, hash)
        if (this.#places[slot] === 0) this.#places[slot] = start + place + 1
      })
      start += text.length
    }
  }

  /** All that is found, in order; what overlaps is one. */
  in(text: string): Span[] {
    const spans: Span[] = []
    eachGram(text, (place, hash) => {
      if (this.#places[this.#slotOf(text, place, hash)] !== 0) addSpan(spans, place, place + GRAM)
    })
    return spans
  }

  /** Where the part is, or where it would be. */
  #slotOf(text: string, at: number, hash: number): number {
    const last = this.#places.length - 1
    let slot = mixHash(hash) & last
    for (; this.#places[slot] !== 0; slot = (slot + 1) & last) {
      const place = this.#places[slot]! - 1
      let same = 0
      while (same < GRAM && this.#characters[place + same] === text.charCodeAt(at + same)) same++
      if (same === GRAM) break
    }
    return slot
  }
}

/** Adds a span behind the others, which begin no later. */
export function addSpan(spans: Span[], from: number, to: number): void {
  const last = spans.at(-1)
  if (last === undefined || from > last[1]) spans.push([from, to])
  else if (to > last[1]) last[1] = to
}

function eachGram(text: string, take: (place: number, hash: number) => void): void {
  let hash = 0
  for (let end = 0; end < text.length; end++) {
    hash = (Math.imul(hash, BASE) + text.charCodeAt(end) + 1) | 0
    const place = end + 1 - GRAM
    if (place > 0) hash = (hash - Math.imul(text.charCodeAt(place - 1) + 1, BASE_POWER_GRAM)) | 0
    if (place >= 0) take(place, hash)
  }
}

/** The hashes of all beginnings of a text, by their length. */
function sumsOf(text: string): Int32Array {
  const sums = new Int32Array(text.length + 1)
  let sum = 0
  for (let i = 0; i < text.length; i++) {
    sum = (Math.imul(sum, BASE) + text.charCodeAt(i) + 1) | 0
    sums[i + 1] = sum
  }
  return sums
}

function powerOf(exponent: number): number {
  let power = 1
  for (let square = BASE, left = exponent; left > 0; left >>= 1, square = Math.imul(square, square)) {
    if ((left & 1) === 1) power = Math.imul(power, square)
  }
  return power
}

/** The lower bits of a polynomial hash depend on the lower bits of its characters alone. */
function mixHash(hash: number): number {
  const half = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return half ^ (half >>> 13)
}

function isGram(text: string, at: number, other: string, otherAt: number): boolean {
  for (let i = 0; i < GRAM; i++) if (text.charCodeAt(at + i) !== other.charCodeAt(otherAt + i)) return false
  return true
}
