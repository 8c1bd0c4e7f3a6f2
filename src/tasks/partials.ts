// What a task says while it is still at it, on its way to whoever watches: gathered into few messages, and best effort. A message
// that is lost or left out leaves a gap, which its `offset` shows; the output has all of it.

/** A part of a text that is still being said. */
export interface Partial {
  /** Characters before it, those that were left out too; 0 says that the text begins, or begins anew. */
  offset: number
  text: string
}

/** Hands a part to whoever watches. @returns how many heard it */
export type SendPartial = (partial: Partial) => Promise<number>

/** Where a plugin says what it has so far. */
export interface PartialText {
  add(text: string): void
  /** What was said is void, and the text begins anew. */
  restart(): void
}

/** Keeps secrets out of a part of a text. */
export interface PartialMask {
  told(text: string): string
  /** The longest text that is looked for, in characters: so much is held back, since more of it may be to come. */
  longest: number
}

/** Between two messages of one task, in ms: ten a second for a few, fewer for many, so that no run floods its object. */
const INTERVAL_MS = 100
const INTERVAL_MS_EACH = 10

/** While nobody watches: how soon somebody who comes sees something. */
const UNHEARD_MS = 500

/** What is gathered at most, in characters; beyond it the oldest is left out. */
const MAX_LENGTH = 8_192

export class Partials implements PartialText {
  readonly #send: SendPartial
  readonly #mask: PartialMask | null
  #text = ''
  #offset = 0
  #isSending = false
  #timer: ReturnType<typeof setTimeout> | null = null
  #nextAt = 0
  #isOver = false

  /** @param mask null if the call was given no secret */
  constructor(send: SendPartial, mask: PartialMask | null) {
    this.#send = send
    this.#mask = mask
  }

  add(text: string): void {
    if (this.#isOver) return
    this.#text += text
    const tooMuch = this.#text.length - MAX_LENGTH - (this.#mask?.longest ?? 0)
    if (tooMuch > 0) {
      this.#text = this.#text.slice(tooMuch)
      this.#offset += tooMuch
    }
    this.#plan()
  }

  restart(): void {
    this.#text = ''
    this.#offset = 0
  }

  /** The text is whole: what was not sent yet is in the output. */
  end(): void {
    this.#isOver = true
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #plan(): void {
    if (this.#isOver || this.#isSending || this.#timer !== null || this.#text === '') return
    const waitMs = this.#nextAt - Date.now()
    if (waitMs <= 0) {
      this.#flush()
      return
    }
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#flush()
    }, waitMs)
  }

  #flush(): void {
    const text = this.#take()
    if (text === '') {
      // Looked at again when there is more, and no sooner than a message would follow.
      this.#nextAt = Date.now() + INTERVAL_MS
      return
    }
    const partial = { offset: this.#offset, text }
    this.#offset += text.length
    this.#isSending = true
    this.#send(partial).then(
      (heard) => {
        this.#nextAt = Date.now() + (heard === 0 ? UNHEARD_MS : Math.max(INTERVAL_MS, INTERVAL_MS_EACH * heard))
        this.#isSending = false
        this.#plan()
      },
      () => this.end(), // Whoever asked for the attempt is gone, and with it all who would hear.
    )
  }

  /** What can be sent of the text; of one that may hold secrets nothing that could be a part of one which goes on. */
  #take(): string {
    const end = this.#text.length - (this.#mask?.longest ?? 0)
    if (end <= 0) return ''
    const whole = wholeCharacters(this.#text, end)
    const [part, rest] = [this.#text.slice(0, whole), this.#text.slice(whole)]
    const told = this.#mask === null ? part : this.#mask.told(part)
    // Masked apart and together they differ where a secret stands across the cut, which comes again when there is more.
    if (this.#mask !== null && told + this.#mask.told(rest) !== this.#mask.told(this.#text)) return ''
    this.#text = rest
    return told
  }
}

/** Not between the halves of a character, which JSON text for people cannot hold. */
function wholeCharacters(text: string, end: number): number {
  const code = text.charCodeAt(end - 1)
  return code >= 0xd800 && code <= 0xdbff ? end - 1 : end
}
