// A watch as a WebSocket: each event one text message, `{"id": 7, "event": "run.started", "data": {...}}`.
//
// The platform does not tell how much of what was sent a client has taken. So a connection carries a bounded amount and is then
// closed, behind what it carried. A client that reads sees the close after all of it and connects again; for a client that does
// not read no more than that amount is held.

import { HEARTBEAT_MS, PARTIAL_EVENT } from './event-stream.ts'
import type { Watch } from './watch.ts'

/** What one connection carries, in characters; a page (1 MiB) may go beyond. */
const MAX_LENGTH = 8 * 1024 * 1024

/** Close codes (RFC 6455, section 7.4, and the IANA registry of them). */
const ENDED = 1000
const UNSUPPORTED = 1003
const RESTART = 1012
const TRY_AGAIN = 1013

/** How long a socket may be silent, in ms, and how much it carries, in characters. */
export interface SocketBounds {
  heartbeatMs: number
  maxLength: number
}

const BOUNDS: SocketBounds = { heartbeatMs: HEARTBEAT_MS, maxLength: MAX_LENGTH }

/** Whether the request asks to become a WebSocket (RFC 6455, section 4.1). */
export function wantsSocket(headers: Headers): boolean {
  return headers.get('Upgrade')?.toLowerCase() === 'websocket'
}

/** The answer that makes the request a WebSocket; the watch ends with it. */
export function socketResponse(watch: Watch, bounds: SocketBounds = BOUNDS): Response {
  const { 0: theirs, 1: ours } = new WebSocketPair()
  ours.accept()
  ours.addEventListener('message', () => {
    end(ours, UNSUPPORTED, 'this socket tells, and is told nothing')
    watch.close()
  })
  for (const gone of ['close', 'error'] as const) ours.addEventListener(gone, () => watch.close())
  void carry(watch, ours, bounds)
  return new Response(null, { status: 101, webSocket: theirs })
}

/** Sends what the watch gives, to its end. Throws nothing: a socket that closes ends its watch. */
async function carry(watch: Watch, socket: WebSocket, { heartbeatMs, maxLength }: SocketBounds): Promise<void> {
  let length = 0
  for (;;) {
    const update = await watch.next(heartbeatMs)
    if (socket.readyState !== WebSocket.OPEN) return
    switch (update.kind) {
      case 'events':
        for (const item of update.items) {
          socket.send(item)
          length += item.length
        }
        if (length < maxLength) break
        watch.close()
        return end(socket, TRY_AGAIN, `go on with ?after=${watch.last}`)
      case 'partials':
        for (const item of update.items) {
          const text = `{"event":"${PARTIAL_EVENT}","data":${item}}`
          socket.send(text)
          length += text.length
        }
        if (length < maxLength) break
        watch.close()
        return end(socket, TRY_AGAIN, `go on with ?after=${watch.last}`)
      case 'idle':
        socket.send('{"event":"heartbeat","data":{}}')
        break
      case 'purged':
        socket.send('{"event":"purged","data":{}}')
        return end(socket, ENDED, 'the run was deleted')
      case 'ended':
        return end(socket, ENDED, 'the run has ended')
      case 'lost':
        return end(socket, RESTART, `go on with ?after=${watch.last}`)
      default:
        update satisfies never
    }
  }
}

function end(socket: WebSocket, code: number, reason: string): void {
  try {
    socket.close(code, reason)
  } catch {
    // The client has closed it first.
  }
}
