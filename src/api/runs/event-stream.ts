// A watch as Server-Sent Events. The stream has no buffer of its own: it asks the watch for more when its client reads.

import type { Watch } from './watch.ts'

/** The longest silence of a stream or socket, in ms: proxies close silent connections, and only a write finds a dead one. */
export const HEARTBEAT_MS = 15_000

/** The name of the event that shows what a task has said so far. */
export const PARTIAL_EVENT = 'task.partial'

/** How long a browser waits before it connects again, in ms. */
const RETRY_MS = 1_000

const encoder = new TextEncoder()

/** @see https://html.spec.whatwg.org/multipage/server-sent-events.html */
export const EVENT_STREAM = 'text/event-stream'

/** Headers of every answer that is a stream; proxies neither keep it nor hold it back. */
export const STREAM_HEADERS: Readonly<Record<string, string>> = {
  'Content-Type': EVENT_STREAM,
  'Cache-Control': 'no-store, no-transform',
  'X-Accel-Buffering': 'no',
  Vary: 'Accept',
}

/** A body of Server-Sent Events, to the end of the watch. Cancelling it closes the watch. */
export function eventStream(watch: Watch, heartbeatMs = HEARTBEAT_MS): ReadableStream<Uint8Array> {
  let isCancelled = false
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        controller.enqueue(encoder.encode(`retry: ${RETRY_MS}\n\n`))
      },
      async pull(controller) {
        const update = await watch.next(heartbeatMs)
        if (isCancelled) return
        switch (update.kind) {
          case 'events':
            return controller.enqueue(encoder.encode(update.items.map(frameOf).join('')))
          case 'partials':
            // Without an id: a client that comes again goes on after the last event.
            return controller.enqueue(
              encoder.encode(update.items.map((item) => `event: ${PARTIAL_EVENT}\ndata: ${item}\n\n`).join('')),
            )
          case 'idle':
            return controller.enqueue(encoder.encode(':\n\n'))
          case 'purged':
            controller.enqueue(encoder.encode('event: purged\ndata: {}\n\n'))
            return controller.close()
          case 'ended':
          case 'lost': // A browser comes again by itself, and says what it has.
            return controller.close()
          default:
            return update satisfies never
        }
      },
      cancel() {
        isCancelled = true
        watch.close()
      },
    },
    { highWaterMark: 0 },
  )
}

/** The number of the last event that a client says it has; whatever is no number stands for the beginning. */
export function lastEventId(headers: Headers): number | null {
  const header = headers.get('Last-Event-ID')
  if (header === null) return null
  return /^\d{1,15}$/.test(header.trim()) ? Number(header) : 0
}

/** `{"id":7,"event":"run.started","data":{...}}` as the Runner writes it; JSON text holds no line breaks. */
function frameOf(item: string): string {
  const end = item.indexOf(',"data":')
  const { id, event } = JSON.parse(`${item.slice(0, end)}}`) as { id: number; event: string }
  return `id: ${id}\nevent: ${event}\ndata: ${item.slice(end + ',"data":'.length, -1)}\n\n`
}
