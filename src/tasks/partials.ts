// The text that a task has produced so far, on its way to those who watch the run: gathered into few messages, without any
// guarantee. A lost message leaves a gap, which the `offset` of the next one shows; the output of the task has all of it.

/** A part of a text that is still being said. */
export interface Partial {
  /** Characters before it, those that were left out too; 0 says that the text begins, or begins anew. */
  offset: number
  text: string
}

/** Hands a part to those who watch the run. @returns how many they are */
export type SendPartial = (partial: Partial) => Promise<number>

/** Where a plugin says what it has so far. */
export interface PartialText {
  /** Adds text behind what was said before. */
  add(text: string): void
  /** What was said is void, and the text begins anew. */
  restart(): void
}

/** Keeps secrets out of a part of a text. */
export interface PartialMask {
  mask(text: string): string
  /** The longest text that is looked for, in characters. As many are held back at the end, since a secret may go on there. */
  longest: number
}

/** Between two messages of one task, in ms: ten a second for a few, fewer for many, so that no run floods its object. */
const INTERVAL_MS = 100
const INTERVAL_MS_EACH = 10

/** While nobody watches: how soon somebody who comes sees something. */
const UNHEARD_MS = 500

/** What is gathered at most, in characters; beyond it the oldest is left out. */
const MAX_LENGTH = 8_192

/** Gathers what one attempt says, masks it, and sends it at a bounded rate. Sending is never waited for and never fails. */
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

  /** Adds text behind what was said. Beyond the bound the oldest text that was not sent is dropped. */
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

  /** Drops what was not sent; the next message has offset 0. */
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
      () => this.end(), // The Runner that asked for the attempt is gone, and with it everybody who would hear.
    )
  }

  /** What can be sent of the text; of one that may hold secrets nothing that could be a part of one which goes on. */
  #take(): string {
    const end = this.#text.length - (this.#mask?.longest ?? 0)
    if (end <= 0) return ''
    const whole = wholeCharacters(this.#text, end)
    const [part, rest] = [this.#text.slice(0, whole), this.#text.slice(whole)]
    const told = this.#mask === null ? part : this.#mask.mask(part)
    // Masked apart and together they differ where a secret stands across the cut, which comes again when there is more.
    if (this.#mask !== null && told + this.#mask.mask(rest) !== this.#mask.mask(this.#text)) return ''
    this.#text = rest
    return told
  }
}

/** Not between the halves of a character, which JSON text for people cannot hold. */
function wholeCharacters(text: string, end: number): number {
  const code = text.charCodeAt(end - 1)
  return code >= 0xd800 && code <= 0xdbff ? end - 1 : end
}
