// Who watches which run: WebSockets of the Worker, one a watcher, tagged by the run. They are told the number of the run's last
// event and nothing more; the events themselves are read as pages, when whoever watches is ready for them.
//
// The sockets hibernate: an object that nothing else keeps awake sleeps with all of them open. So nothing here has a timer or a
// promise, and what memory knows is made anew from the sockets that are there when an instance begins.

/** Bounds of watchers: each costs a message a commit, and then a page. */
export interface WatcherLimits {
  /** Of one run. */
  run: number
  /** Of all runs of this object. The platform takes 32,768 sockets; the pages that they ask for are what it comes to. */
  object: number
}

const LIMITS: WatcherLimits = { run: 256, object: 2_048 }

/** What the Worker asks to learn whether a silent socket still leads here. The platform answers, without waking the object. */
const PING = 'ping'
const PONG = 'pong'

type Sockets = Pick<DurableObjectState, 'acceptWebSocket' | 'getWebSockets' | 'getTags' | 'setWebSocketAutoResponse'>

export class Watchers {
  readonly #sockets: Sockets
  readonly #limits: WatcherLimits
  /** Runs that may be watched. A run that is not in it is not watched, so its commits cost one look. */
  readonly #watched = new Set<string>()

  constructor(sockets: Sockets, limits: WatcherLimits = LIMITS) {
    this.#sockets = sockets
    this.#limits = limits
    sockets.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG))
    for (const socket of sockets.getWebSockets()) {
      for (const runId of sockets.getTags(socket)) this.#watched.add(runId)
    }
  }

  /**
   * Answers the Worker's request for a socket, over which the number of the run's last event comes at once, and again each
   * time that it moves. 429: the run has as many watchers as it may have; 503: this object has.
   */
  accept(runId: string, last: number): Response {
    if (this.#open(runId).length >= this.#limits.run) return refusal(429, this.#limits.run)
    if (this.#open().length >= this.#limits.object) return refusal(503, this.#limits.object)
    const { 0: theirs, 1: ours } = new WebSocketPair()
    this.#sockets.acceptWebSocket(ours, [runId])
    this.#watched.add(runId)
    ours.send(String(last))
    return new Response(null, { status: 101, webSocket: theirs })
  }

  /** The run has moved: `last` is the number of its last event. Same turn as the commit, so it leaves when that is durable (R3). */
  tell(runId: string, last: number): void {
    if (!this.#watched.has(runId)) return
    const open = this.#open(runId)
    // Who leaves is not noted; the run's next commit finds that nobody is there any more.
    if (open.length === 0) this.#watched.delete(runId)
    const text = String(last)
    for (const socket of open) socket.send(text)
  }

  /** Nothing more will come of this run: whoever watches it reads what is left, and sees that it has ended or is gone. */
  release(runId: string): void {
    if (!this.#watched.delete(runId)) return
    for (const socket of this.#open(runId)) socket.close(1000, 'the run has ended')
  }

  /** A socket that was closed stays listed until its other end has agreed. */
  #open(runId?: string): WebSocket[] {
    return this.#sockets.getWebSockets(runId).filter(({ readyState }) => readyState === WebSocket.OPEN)
  }
}

function refusal(status: 429 | 503, limit: number): Response {
  return Response.json({ limit }, { status })
}
