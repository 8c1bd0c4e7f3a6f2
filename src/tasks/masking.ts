// PURE. Keeps secrets out of what an attempt reports: whatever a server or a script gives back is searched for the secrets that
// the call was given, as they are and encoded (base64 wherever it began, hex, percent, JSON, HTML), and `***` stands there instead.
// It guards against what happens by accident and by echo. Whoever writes the definition decides whom a secret is sent to, and
// a program that is handed one can disguise it so that nothing finds it.

import type { Json } from '../workflow/json.ts'
import { toBase64 } from './base64.ts'
import { type View, viewsOf } from './encoded-texts.ts'

const MASK = '***'

/** Shorter than this nothing is looked for: it would hide what is no secret. Values are at least this long. */
export const MIN_SECRET_CHARACTERS = 8

/** Characters of secrets, in all their forms, whose parts are looked for; longer ones are found whole only. */
const MAX_PARTS = 100_000

/** Base64 mixes what stands beside a secret into its outermost characters: these go with it. */
const BASE64_DIGIT = /[A-Za-z0-9+/_-]/

interface Needle {
  text: string
  isBase64: boolean
}

/** Where to cut, in characters of a text. */
type Span = [from: number, to: number]

export class Masking {
  readonly #needles: readonly Needle[]
  readonly #hasNumber: boolean
  #parts: ReadonlySet<string> | null = null

  /** @param values secrets that the call was given */
  constructor(values: Iterable<string>) {
    const needles = new Map<string, Needle>()
    for (const value of values) {
      for (const needle of needlesOf(value)) {
        if (needle.text.length >= MIN_SECRET_CHARACTERS) needles.set(needle.text, needle)
      }
    }
    this.#needles = [...needles.values()]
    this.#hasNumber = this.#needles.some(({ text }) => /^-?[\d.]+$/.test(text))
  }

  /** The longest text that is looked for, in characters. */
  get longest(): number {
    return Math.max(0, ...this.#needles.map(({ text }) => text.length))
  }

  /** JSON without the secrets: in texts, in names of members, and numbers that a secret was read as. */
  value(json: Json): Json {
    if (typeof json === 'string') return this.#cut(json, (view) => this.#wholes(view))
    if (typeof json === 'number') {
      const text = String(json)
      return this.#hasNumber && this.#wholes({ text, places: null }).length > 0 ? MASK : json
    }
    if (Array.isArray(json)) return json.map((part) => this.value(part))
    if (typeof json !== 'object' || json === null) return json
    return Object.fromEntries(
      Object.entries(json).map(([key, part]) => [this.value(key) as string, this.value(part)] as const),
    )
  }

  /**
   * What people read, messages and logs, in which texts were cut off or shortened: parts of secrets go too, from 8 characters on.
   */
  told(json: Json): Json {
    if (typeof json === 'string') return this.#cut(json, (view) => [...this.#wholes(view), ...this.#fragments(view)])
    if (Array.isArray(json)) return json.map((part) => this.told(part))
    if (typeof json !== 'object' || json === null) return this.value(json)
    return Object.fromEntries(
      Object.entries(json).map(([key, part]) => [this.told(key) as string, this.told(part)] as const),
    )
  }

  #cut(text: string, spansOf: (view: View) => Span[]): string {
    if (text.length < MIN_SECRET_CHARACTERS) return text
    const spans = viewsOf(text).flatMap((view) => {
      const { places } = view
      const found = spansOf(view)
      return places === null ? found : found.map(([from, to]): Span => [places[from]!, places[to]!])
    })
    return spans.length === 0 ? text : without(text, spans)
  }

  #wholes({ text }: View): Span[] {
    const spans: Span[] = []
    for (const { text: needle, isBase64 } of this.#needles) {
      const ofNeedle: Span[] = []
      for (let from = text.indexOf(needle); from !== -1; from = text.indexOf(needle, from + 1)) {
        const to = from + needle.length
        const before = isBase64 && from > 0 && BASE64_DIGIT.test(text[from - 1]!) ? 1 : 0
        const after = isBase64 && to < text.length && BASE64_DIGIT.test(text[to]!) ? 1 : 0
        add(ofNeedle, from - before, to + after)
      }
      for (const span of ofNeedle) spans.push(span)
    }
    return spans
  }

  #fragments({ text }: View): Span[] {
    this.#parts ??= partsOf(this.#needles)
    const spans: Span[] = []
    for (let from = 0; from + MIN_SECRET_CHARACTERS <= text.length; from++) {
      const to = from + MIN_SECRET_CHARACTERS
      if (this.#parts.has(text.slice(from, to))) add(spans, from, to)
    }
    return spans
  }
}

/** The forms in which a secret is looked for; encodings character by character are undone in the text instead. */
function needlesOf(value: string): Needle[] {
  const plain = (text: string): Needle => ({ text, isBase64: false })
  // A value often ends in a line end that whoever uses it leaves out, and what has lines is shown line by line.
  const trimmed = value.trim()
  const lines = trimmed.split(/[\r\n]+/).map((line) => line.trim())
  const unwrapped = value.replace(/[\r\n]/g, '')
  const onOneLine = trimmed.replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ')
  const number = /^\d+$/.test(trimmed) ? [plain(String(Number(trimmed)))] : []
  return [
    ...[value, trimmed, ...lines, unwrapped, onOneLine, trimmed.toLowerCase(), trimmed.toUpperCase()].map(plain),
    ...number,
    ...[value, trimmed].flatMap((text) => {
      const bytes = new TextEncoder().encode(text)
      const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
      return [plain(hex), plain(hex.toUpperCase()), ...[0, 1, 2].flatMap((offset) => base64Needles(bytes, offset))]
    }),
  ]
}

/**
 * The characters of a base64 text that these bytes alone decide, if they begin `offset` bytes after a multiple of three.
 * In both alphabets (RFC 4648, sections 4 and 5).
 */
function base64Needles(bytes: Uint8Array, offset: number): Needle[] {
  const shifted = new Uint8Array(offset + bytes.length)
  shifted.set(bytes, offset)
  const first = Math.ceil((offset * 8) / 6)
  const end = Math.floor((shifted.length * 8) / 6)
  const text = toBase64(shifted).slice(first, end)
  return [text, text.replaceAll('+', '-').replaceAll('/', '_')].map((one) => ({ text: one, isBase64: true }))
}

function partsOf(needles: readonly Needle[]): Set<string> {
  const parts = new Set<string>()
  let left = MAX_PARTS
  for (const { text } of needles) {
    left -= text.length
    if (left < 0) break
    for (let from = 0; from + MIN_SECRET_CHARACTERS <= text.length; from++) {
      parts.add(text.slice(from, from + MIN_SECRET_CHARACTERS))
    }
  }
  return parts
}

/** Adds a span behind the others. A secret that repeats itself overlaps itself at each of its characters: that is one span. */
function add(spans: Span[], from: number, to: number): void {
  const last = spans.at(-1)
  if (last === undefined || from > last[1]) spans.push([from, to])
  else last[1] = to
}

/** The text with one mask for each of the spans; those that touch are one. */
function without(text: string, spans: Span[]): string {
  spans.sort(([a], [b]) => a - b)
  const parts: string[] = []
  let kept = 0
  let [from, to] = spans[0]!
  for (const [nextFrom, nextTo] of spans) {
    if (nextFrom > to) {
      parts.push(text.slice(kept, from), MASK)
      kept = to
      from = nextFrom
    }
    to = Math.max(to, nextTo)
  }
  parts.push(text.slice(kept, from), MASK, text.slice(to))
  return parts.join('')
}
