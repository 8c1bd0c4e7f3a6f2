// Pure. The forms in which a secret may come back: as it is, in other cases, line by line, in hex and in base64. Encodings
// character by character are undone in the text that is looked through instead (encoded-texts.ts).

import { hex, toBase64 } from '../../bytes.ts'
import type { Needle } from './text-search.ts'

/** Base64 mixes what stands beside a secret into its outermost characters: these go with it. */
const BASE64_DIGIT = /[A-Za-z0-9+/_-]/

/** `isInner`: another form contains all of this one, so that a search for parts of that one finds the parts of this one too. */
export type Form = Needle & { isInner: boolean }

/** The texts that are looked for, so that a secret is found in whatever form it comes back. */
export function formsOf(value: string): Form[] {
  const plain = (text: string): Form => ({ text, beside: null, isInner: false })
  const inner = (form: Form): Form => ({ ...form, isInner: true })
  // A value often ends in a line end that its user leaves out, and a value of several lines is often shown line by line.
  const trimmed = value.trim()
  const lines = trimmed.split(/[\r\n]+/).map((line) => line.trim())
  const unwrapped = value.replace(/[\r\n]/g, '')
  const onOneLine = trimmed.replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ')
  const number = /^\d+$/.test(trimmed) ? [plain(String(Number(trimmed)))] : []
  return [
    ...[trimmed, ...lines].map(plain).map(inner),
    ...encodedForms(trimmed).map(inner),
    // Of two with the same text the later one counts: what is whole in another form may be a form of its own.
    ...[value, unwrapped, onOneLine, trimmed.toLowerCase(), trimmed.toUpperCase()].map(plain),
    ...number,
    ...encodedForms(value),
  ]
}

function encodedForms(text: string): Form[] {
  const bytes = new TextEncoder().encode(text)
  const digits = hex(bytes)
  return [
    ...[digits, digits.toUpperCase()].map((one) => ({ text: one, beside: null, isInner: false })),
    ...[0, 1, 2].flatMap((offset) => base64Forms(bytes, offset)),
  ]
}

/**
 * The characters of a base64 text that these bytes alone decide, if they begin `offset` bytes after a multiple of three.
 * In both alphabets (RFC 4648, sections 4 and 5).
 */
function base64Forms(bytes: Uint8Array, offset: number): Form[] {
  const shifted = new Uint8Array(offset + bytes.length)
  shifted.set(bytes, offset)
  const first = Math.ceil((offset * 8) / 6)
  const end = Math.floor((shifted.length * 8) / 6)
  const text = toBase64(shifted).slice(first, end)
  return [text, text.replaceAll('+', '-').replaceAll('/', '_')].map((one) => ({
    text: one,
    beside: BASE64_DIGIT,
    isInner: false,
  }))
}
