// Server-Sent Events as a client reads them, within bounds: the data of each event, as it comes.
// Knows nothing of models. @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream

/** What a stream may bring, in bytes: all of it, and one event. */
export interface StreamBounds {
  total: number
  event: number
}

/** Thrown where a stream goes beyond its bounds. */
export class StreamTooLarge extends Error {}

/**
 * The data of each event, in order. Ends with the stream; one that ends within an event still gives that event, since servers
 * forget the empty line behind the last one. A reader that stops early cancels the stream, and so does the signal.
 * @throws StreamTooLarge; whatever the stream fails with
 */
export async function* serverEvents(
  body: ReadableStream<Uint8Array>,
  bounds: StreamBounds,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const reader = body.getReader()
  const cancel = () => void reader.cancel().catch(() => {}) // It may have failed already: nothing is left to cancel.
  signal.addEventListener('abort', cancel, { once: true })
  const decoder = new TextDecoder()
  const lines = new Lines()
  const events = new Events()
  let bytes = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      bytes += value.byteLength
      if (bytes > bounds.total) throw new StreamTooLarge()
      for (const line of lines.push(decoder.decode(value, { stream: true }))) {
        const data = events.push(line)
        if (data !== null) yield data
      }
      if (lines.length + events.length > bounds.event) throw new StreamTooLarge()
    }
    for (const line of [...lines.push(decoder.decode()), lines.rest(), '']) {
      const data = events.push(line)
      if (data !== null) yield data
    }
  } finally {
    signal.removeEventListener('abort', cancel)
    cancel()
  }
}

/** Texts into lines, however they are cut: a line ends with CR, LF, or both, which may come apart. */
class Lines {
  #rest = ''
  #skipsLineFeed = false

  /** Characters of the line that has not ended. */
  get length(): number {
    return this.#rest.length
  }

  push(text: string): string[] {
    const fresh = this.#skipsLineFeed && text.startsWith('\n') ? text.slice(1) : text
    // A text without characters has not said what follows.
    if (text !== '') this.#skipsLineFeed = text.endsWith('\r')
    // Only what is new is searched: a long line in many parts would be searched again with each.
    const lines = fresh.split(/\r\n|\r|\n/)
    lines[0] = this.#rest + lines[0]!
    this.#rest = lines.pop()!
    return lines
  }

  rest(): string {
    return this.#rest
  }
}

/** Lines into events; of their fields only `data` is looked at. */
class Events {
  #data: string[] = []
  length = 0

  /** The data of the event that this line ends; null if it ends none, or one without data. */
  push(line: string): string | null {
    if (line === '') {
      const data = this.#data.length === 0 ? null : this.#data.join('\n')
      this.#data = []
      this.length = 0
      return data
    }
    const [, value] = /^data(?::[ ]?(.*))?$/s.exec(line) ?? []
    if (line === 'data' || value !== undefined) {
      this.#data.push(value ?? '')
      this.length += line.length
    }
    return null
  }
}
