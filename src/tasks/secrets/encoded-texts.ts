// Pure. Texts as they look once an encoding is undone, with the place of each character in the text as it was: so that
// something can be looked for under any encoding, also one that was only needed for some of its characters, and be cut out
// of the original. Nothing here fails: what is no valid encoding stands for itself.

/** A text, and where in the original each of its characters begins; one place more for its end. */
export interface View {
  text: string
  /** null: character for character. */
  places: Uint32Array | null
}

/** How many encodings within each other are undone. */
const MAX_LAYERS = 2

const BACKSLASH: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', 0: '\0' }
const CODE = /^\\(?:u([0-9a-f]{4})|U([0-9a-f]{8})|x([0-9a-f]{2})|u\{([0-9a-f]{1,6})\})/i
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** One encoding: what is found at a place of the text, and how many characters of it that takes; null if nothing. */
interface Encoding {
  /** What it begins with, one of these characters. */
  leads: readonly string[]
  /** Without this character it is another encoding, which is undone by itself. */
  mark?: string
  at(text: string, place: number): { decoded: string; length: number } | null
}

const PERCENT: Encoding = {
  leads: ['%'],
  at(text, place) {
    const lead = byteAt(text, place)
    if (lead === null) return null
    if (lead < 0x80) return { decoded: String.fromCharCode(lead), length: 3 }
    const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i++) {
      const byte = byteAt(text, place + 3 * i)
      if (byte === null) return null
      bytes[i] = byte
    }
    return { decoded: new TextDecoder().decode(bytes), length: 3 * length }
  },
}

/** The encoding of queries and forms, in which a blank is a plus. */
const FORM: Encoding = {
  leads: ['+', '%'],
  mark: '+',
  at: (text, place) => (text[place] === '+' ? { decoded: ' ', length: 1 } : PERCENT.at(text, place)),
}

/** Escapes with a backslash, which JSON, JavaScript, Python and many others have. */
const ESCAPES: Encoding = {
  leads: ['\\'],
  at(text, place) {
    if (text[place] !== '\\' || place + 1 >= text.length) return null
    const next = text[place + 1]!
    const code = next === 'u' || next === 'U' || next === 'x' ? CODE.exec(text.slice(place, place + 10)) : null
    if (code !== null) return character(Number.parseInt(code[1] ?? code[2] ?? code[3] ?? code[4]!, 16), code[0].length)
    return { decoded: BACKSLASH[next] ?? next, length: 2 }
  },
}

/** Character references of HTML and XML. */
const MARKUP: Encoding = {
  leads: ['&'],
  at(text, place) {
    if (text[place] !== '&') return null
    const entity = /^&(?:([a-z]{2,4})|#(\d{1,7})|#x([0-9a-f]{1,6}));/i.exec(text.slice(place, place + 12))
    if (entity === null) return null
    const [whole, name, decimal, hex] = entity
    if (name === undefined)
      return character(Number.parseInt(decimal ?? hex!, decimal === undefined ? 16 : 10), whole.length)
    const decoded = ENTITIES[name.toLowerCase()]
    return decoded === undefined ? null : { decoded, length: whole.length }
  },
}

/** Broken into lines, as base64 in mails is. */
const LINES: Encoding = {
  leads: ['\n', '\r'],
  at: (text, place) => (text[place] === '\n' || text[place] === '\r' ? { decoded: '', length: 1 } : null),
}

const ENCODINGS: readonly Encoding[] = [PERCENT, FORM, ESCAPES, MARKUP, LINES]

/**
 * The text as it stands, and under each encoding that it may be in, at most two within each other. One after the other, since
 * each is as large as the text and its places are twice that: no more than one of each layer is there at a time.
 */
export function viewsOf(text: string): Generator<View> {
  return viewsWithin({ text, places: null }, MAX_LAYERS)
}

function* viewsWithin(view: View, layers: number): Generator<View> {
  yield view
  if (layers === 0) return
  for (const encoding of ENCODINGS) {
    const inner = decodeView(view, encoding)
    if (inner !== null) yield* viewsWithin(inner, layers - 1)
  }
}

/** The text with this encoding undone; null if it has nothing of it. */
function decodeView({ text, places }: View, encoding: Encoding): View | null {
  const { leads, mark } = encoding
  if (!(mark === undefined ? leads : [mark]).some((one) => text.includes(one))) return null
  const parts: string[] = []
  const from = new Uint32Array(text.length + 1)
  let length = 0
  // Everything up to `kept` is in the view already.
  let kept = 0
  const keepUntil = (end: number) => {
    parts.push(text.slice(kept, end))
    for (let place = kept; place < end; place++) from[length++] = place
  }
  const [first, second = first] = leads.map((lead) => lead.charCodeAt(0))
  for (let place = 0; place < text.length; place++) {
    // Most characters begin nothing, and this is all that they cost.
    const code = text.charCodeAt(place)
    if (code !== first && code !== second) continue
    const found = encoding.at(text, place)
    if (found === null) continue
    keepUntil(place)
    parts.push(found.decoded)
    for (let i = 0; i < found.decoded.length; i++) from[length++] = place
    kept = place + found.length
    place = kept - 1
  }
  if (kept === 0) return null
  keepUntil(text.length)
  from[length] = text.length
  const own = from.subarray(0, length + 1)
  return { text: parts.join(''), places: places === null ? own : own.map((place) => places[place]!) }
}

function byteAt(text: string, place: number): number | null {
  if (text[place] !== '%') return null
  const [high, low] = [digitAt(text, place + 1), digitAt(text, place + 2)]
  return high === -1 || low === -1 ? null : 16 * high + low
}

/** -1: no hexadecimal digit. */
function digitAt(text: string, place: number): number {
  const code = text.charCodeAt(place)
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = (code | 0x20) - 0x61
  return letter >= 0 && letter < 6 ? letter + 10 : -1
}

function character(code: number, length: number): { decoded: string; length: number } | null {
  return code > 0x10ffff ? null : { decoded: String.fromCodePoint(code), length }
}
