// What a Runner has told a watch that its client has not taken yet: the number of the run's last event and, where they are
// short, the events. Bounded: what does not fit, or does not follow on what is held, is read as a page.

import { readMessage } from '../../watch-protocol.ts'

/** What tasks have so far that is held for a client that does not read, in characters; beyond it the oldest goes. */
const MAX_PARTIALS_LENGTH = 32 * 1024

/** Events that are held for a client that does not read, in characters; one message may have 16 KiB. */
const MAX_LENGTH = 64 * 1024

/** The messages of one watch that wait to be handed out. */
export class Inbox {
  /** Number of the last event that the run is known to have; 0 if none. */
  known = 0
  /** Number of the run's very last event; null while it is not known to have ended. */
  #end: number | null = null
  /** Events that follow on number `#after`, without a gap. */
  #items: string[] = []
  #after = 0
  #length = 0
  #partials: string[] = []
  #partialsLength = 0

  /** Takes a message of the Runner. */
  hear(text: string): void {
    const message = readMessage(text)
    switch (message.kind) {
      case 'nothing':
        break
      case 'partial':
        this.#holdPartial(message.text)
        break
      case 'news': {
        // What tasks had before a commit may be of attempts that it ends.
        this.#forgetPartials()
        const { last, hasEnded, items } = message
        this.known = Math.max(this.known, last)
        if (hasEnded) this.#end = last
        if (items.length > 0) this.#hold(last - items.length, items, text.length)
        break
      }
      default:
        message satisfies never
    }
  }

  /** Takes the events after this number out of the inbox. Empty if the next event is not held. */
  take(after: number): readonly string[] {
    // What lies beyond a gap is kept: a page may close it.
    if (this.#items.length === 0 || this.#after > after) return []
    const items = this.#items.slice(after - this.#after)
    this.#forget()
    return items
  }

  /** Takes out the JSON texts of what tasks have said since the last commit. */
  takePartials(): readonly string[] {
    const partials = this.#partials
    this.#forgetPartials()
    return partials
  }

  /** Whether the run is known to have ended. */
  get hasEnd(): boolean {
    return this.#end !== null
  }

  /** Whether an event is the run's very last. */
  isEnd(number: number): boolean {
    return number === this.#end
  }

  #holdPartial(text: string): void {
    this.#partials.push(text)
    this.#partialsLength += text.length
    while (this.#partialsLength > MAX_PARTIALS_LENGTH) this.#partialsLength -= this.#partials.shift()!.length
  }

  #forgetPartials(): void {
    this.#partials = []
    this.#partialsLength = 0
  }

  #hold(after: number, items: readonly string[], length: number): void {
    const isNext = this.#after + this.#items.length === after
    if (!isNext || this.#length + length > MAX_LENGTH) this.#forget()
    if (this.#items.length === 0) this.#after = after
    this.#items.push(...items)
    this.#length += length
  }

  #forget(): void {
    this.#items = []
    this.#length = 0
  }
}
