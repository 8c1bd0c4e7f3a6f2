// Which sockets watch which run: WebSockets of the Worker, one for each watcher, tagged by the run. They are told of each commit: the number of
// the run's last event, and its events where they are short (news.ts). Nothing is kept for them: a watcher that misses events reads a page.
//
// The sockets hibernate: an object that nothing else keeps awake sleeps with all of them open. So nothing here has a timer or a
// promise, and what memory knows is made anew from the sockets that are there when an instance begins.

import { type News, newsText, numberText, PING, PONG } from '../../src/watch-protocol.ts'

/** Bounds of watchers: each costs a message a commit, or a message and a page. */
export interface WatcherLimits {
  /** The most watchers of one run. */
  run: number
  /** The most watchers of all runs of this object. The platform takes 32,768 sockets, but the pages that watchers ask for cost more than the sockets. */
  object: number
}

const LIMITS: WatcherLimits = { run: 256, object: 2_048 }

/** Tag of the sockets whose Worker has asked for events. It outlives a release, as the sockets do. */
const WITH_EVENTS = 'events'

const ENDED = [1000, 'the run has ended'] as const

type Sockets = Pick<DurableObjectState, 'acceptWebSocket' | 'getWebSockets' | 'getTags' | 'setWebSocketAutoResponse'>

/** Partial texts that this object sends a second, to all watchers of all its runs: commits come first. */
const MAX_PARTIALS = 1_000

/** The sockets that watch this Runner's runs. */
export class Watchers {
  readonly #sockets: Sockets
  readonly #limits: WatcherLimits
  /** Runs that may be watched. A run that is not in it is not watched, so its commits cost one look. */
  readonly #watched = new Set<string>()

  /** Partial texts sent in the second that began then, ms since the epoch. */
  #partials = { since: 0, sent: 0 }

  constructor(sockets: Sockets, limits: WatcherLimits = LIMITS) {
    this.#sockets = sockets
    this.#limits = limits
    // Answered by the platform, without waking the object.
    sockets.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG))
    for (const socket of sockets.getWebSockets()) {
      const [runId] = sockets.getTags(socket)
      if (runId !== undefined) this.#watched.add(runId)
    }
  }

  /**
   * Answers the Worker's request for a socket, over which the number of the run's last event comes at once, and again each
   * time that it moves, with the events if they are wanted. 429: the run has as many watchers as it may have; 503: this object has.
   */
  accept(runId: string, last: number, withEvents: boolean): Response {
    if (this.#open(runId).length >= this.#limits.run) return refusal(429, this.#limits.run)
    if (this.#open().length >= this.#limits.object) return refusal(503, this.#limits.object)
    const { 0: theirs, 1: ours } = new WebSocketPair()
    this.#sockets.acceptWebSocket(ours, withEvents ? [runId, WITH_EVENTS] : [runId])
    this.#watched.add(runId)
    ours.send(numberText(last))
    return new Response(null, { status: 101, webSocket: theirs })
  }

  /**
   * The run has moved. Same turn as the commit, so it leaves when that is durable (R3). What there is to tell is made once for
   * all who watch, and not at all if nobody does.
   */
  tell(runId: string, newsOf: () => News): void {
    if (!this.#watched.has(runId)) return
    const open = this.#open(runId)
    // A watcher that leaves is not noted; the run's next commit finds that no socket is left.
    if (open.length === 0) {
      this.#watched.delete(runId)
      return
    }
    const news = newsOf()
    const [text, number] = [newsText(news), numberText(news.last)]
    for (const socket of open) {
      const hasEvents = this.#sockets.getTags(socket).includes(WITH_EVENTS)
      socket.send(hasEvents ? text : number)
      if (news.hasEnded && !hasEvents) socket.close(...ENDED)
    }
    // The Worker closes a socket once its client has the last event: closing all of them here would delay that event.
    if (news.hasEnded) this.#watched.delete(runId)
  }

  /**
   * What one of the run's tasks has so far, to those who are told events. Unlike a commit it may be lost.
   * @returns how many were told
   */
  tellPartial(runId: string, text: string): number {
    if (!this.#watched.has(runId)) return 0
    const open = this.#open(runId).filter((socket) => this.#sockets.getTags(socket).includes(WITH_EVENTS))
    const now = Date.now()
    if (now - this.#partials.since >= 1_000) this.#partials = { since: now, sent: 0 }
    // Text that is left out shows in the next offset; an executor that is told of more listeners sends less often.
    if (this.#partials.sent + open.length > MAX_PARTIALS) return Math.max(open.length, MAX_PARTIALS / 10)
    this.#partials.sent += open.length
    for (const socket of open) socket.send(text)
    return open.length
  }

  /** Closes the sockets of a run that will not move again: its watchers read what is left, and see that it has ended or is gone. */
  release(runId: string): void {
    if (!this.#watched.delete(runId)) return
    for (const socket of this.#open(runId)) socket.close(...ENDED)
  }

  /** A socket that was closed stays listed until its other end has agreed. */
  #open(runId?: string): WebSocket[] {
    return this.#sockets.getWebSockets(runId).filter(({ readyState }) => readyState === WebSocket.OPEN)
  }
}

function refusal(status: 429 | 503, limit: number): Response {
  return Response.json({ limit }, { status })
}
