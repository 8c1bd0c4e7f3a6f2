// Pure. Keeps secrets out of what an attempt reports: whatever a server or a script gives back is searched for the secrets that
// the call was given, as they are and encoded (base64 wherever it began, hex, percent, JSON, HTML), and `***` stands there instead.
// It guards against accidents and echoes. The author of a definition decides where a secret is sent, and a program that is
// handed a secret can disguise it so that nothing finds it.
//
// A text is looked through once for each encoding that it may be in, however many secrets there are, and one decoded text is
// held at a time.

import type { Json } from '../../workflow/json.ts'
import { viewsOf } from './encoded-texts.ts'
import { formsOf } from './secret-forms.ts'
import { GRAM, PartsOfTexts, type Span, WholeTexts } from './text-search.ts'

const MASK = '***'

/** The shortest text that is masked: shorter ones stand in many texts that hold no secret. Values of secrets are at least this long. */
export const MIN_SECRET_CHARACTERS = GRAM

/** UTF-8 bytes that all secrets of a call may have together. What is looked for takes up to 200 times as much memory. */
export const MAX_SECRETS_BYTES = 131_072

/** The secrets of one call, ready to be searched for. */
export class Masking {
  readonly #wholes: WholeTexts
  readonly #texts: readonly string[]
  readonly #hasNumber: boolean
  #parts: PartsOfTexts | null = null
  /** The longest text that is looked for, in characters. */
  readonly longest: number

  /** @param values secrets that the call was given, at most `MAX_SECRETS_BYTES` together */
  constructor(values: Iterable<string>) {
    const forms = new Map(
      [...values].flatMap((value) =>
        formsOf(value).flatMap((form) =>
          form.text.length < MIN_SECRET_CHARACTERS ? [] : [[form.text, form] as const],
        ),
      ),
    )
    const all = [...forms.values()]
    this.#wholes = new WholeTexts(all)
    this.#texts = all.flatMap(({ text, isInner }) => (isInner ? [] : [text]))
    this.longest = all.reduce((longest, { text }) => Math.max(longest, text.length), 0)
    this.#hasNumber = all.some(({ text }) => /^-?[\d.]+$/.test(text))
  }

  /** JSON without the secrets: in texts, in names of members, and numbers that a secret was read as. */
  maskValue(json: Json): Json {
    if (typeof json === 'string') return this.#cut(json, (text) => this.#wholes.in(text))
    if (typeof json === 'number') {
      return this.#hasNumber && this.#wholes.in(String(json)).length > 0 ? MASK : json
    }
    if (Array.isArray(json)) return json.map((part) => this.maskValue(part))
    if (typeof json !== 'object' || json === null) return json
    return Object.fromEntries(
      Object.entries(json).map(([key, part]) => [this.maskValue(key) as string, this.maskValue(part)] as const),
    )
  }

  /**
   * What people read, messages and logs, in which texts were cut off or shortened: parts of secrets go too, from 8 characters on.
   */
  maskMessage(json: Json): Json {
    if (typeof json === 'string') return this.#cut(json, (text) => [...this.#wholes.in(text), ...this.#partsIn(text)])
    if (Array.isArray(json)) return json.map((part) => this.maskMessage(part))
    if (typeof json !== 'object' || json === null) return this.maskValue(json)
    return Object.fromEntries(
      Object.entries(json).map(([key, part]) => [this.maskMessage(key) as string, this.maskMessage(part)] as const),
    )
  }

  #partsIn(text: string): Span[] {
    this.#parts ??= new PartsOfTexts(this.#texts)
    return this.#parts.in(text)
  }

  #cut(text: string, spansIn: (text: string) => Span[]): string {
    if (text.length < MIN_SECRET_CHARACTERS) return text
    const spans: Span[] = []
    for (const { text: decoded, places } of viewsOf(text)) {
      for (const [from, to] of spansIn(decoded)) spans.push(places === null ? [from, to] : [places[from]!, places[to]!])
    }
    return spans.length === 0 ? text : maskSpans(text, spans)
  }
}

/** The text with one mask for each of the spans; those that touch are one. */
function maskSpans(text: string, spans: Span[]): string {
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
