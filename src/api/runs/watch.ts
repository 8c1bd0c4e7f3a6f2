// Following a run: its events as pages, one after the other, live to its end. What a stream and a socket for clients share.
//
// When the run moves, the Runner says so over a socket (durable/runner/watchers.ts), with the events if they are short: they are handed
// out as they come (inbox.ts). What did not come so is read by the method that serves pages, and only when the next update is
// asked for: a client that does not read costs no more than the little that is held for it.
// A socket or a read that breaks (a deploy, a crash of the object) is made anew, from the last event that was handed out.

import type { EventPage } from '../../../durable/runner/runner-rpc.ts'
import type { Env } from '../../env.ts'
import { runnerOf } from '../../objects.ts'
import { isRetryable } from '../../start.ts'
import { PING, watchUrl } from '../../watch-protocol.ts'
import { parseRunId } from '../../workflow/run-id.ts'
import { ApiProblem } from '../http/problem.ts'
import { Inbox } from './inbox.ts'
import { askRunner } from './run-answers.ts'
import { sharedPage } from './shared-pages.ts'

/** What happens next for the client of a watch. */
export type Update =
  /** JSON texts of events, in order, without a gap to those before. */
  | { kind: 'events'; items: readonly string[] }
  /** JSON texts of what tasks have so far: no events, and nobody keeps them. */
  | { kind: 'partials'; items: readonly string[] }
  /** Nothing has happened for as long as was asked. */
  | { kind: 'idle' }
  /** The run has ended, and all of it was handed out. */
  | { kind: 'ended' }
  /** The run is no longer there. */
  | { kind: 'purged' }
  /** There is more, and this watch cannot go on: its client has to come again with the last number that it got. */
  | { kind: 'lost' }

/** Where a Watch reads. */
export interface WatchSource {
  /**
   * @param known number of an event that the run is known to have: the page is no older than that; 0 asks for it as it is now
   * @throws ApiProblem `run_not_found`
   */
  page(after: number, known: number): Promise<EventPage>
  /**
   * A socket, not accepted yet, over which the number of the run's last event comes each time that it moves, and its events.
   * @throws ApiProblem `run_not_found`, `too_many_watchers`, `watchers_exhausted`
   */
  socket(): Promise<WebSocket>
}

/** Events of a page, at most; the Runner ends it sooner where they are large. */
const PAGE_EVENTS = 200

/** Calls that one watch makes to the Runner. A Worker's request may make a thousand, and then could do nothing any more. */
const MAX_CALLS = 900

/** How often in a row the Runner is tried again, and how long before the first, in ms; each wait is twice the one before. */
const MAX_FAILURES = 6
const FIRST_WAIT_MS = 25

/** How long the socket of a run that has ended is kept at most, in ms; a client that reads lets it go at once. */
const LINGER_MS = 1_000

/** The longest pause between two reads, in ms. */
const MAX_PAUSE_MS = 50

/** One client's view of one run: events in order, each once, across broken sockets and reads. */
export class Watch {
  readonly #source: WatchSource
  /** Number of the last event that was handed out. */
  #sent: number
  readonly #inbox = new Inbox()
  /** A page that was read and not handed out yet. */
  #page: EventPage | null = null
  #socket: WebSocket | null = null
  /** Whether the Runner has not answered what it was asked over the socket. */
  #isUnanswered = false
  #hasEnded = false
  #isClosed = false
  #calls = 0
  #failures = 0
  #readAt = 0
  #readMs = 0
  #wake: () => void = () => {}

  private constructor(source: WatchSource, after: number) {
    this.#source = source
    this.#sent = after
  }

  /**
   * A watch that begins after the event with this number; after one that the run does not have, from the beginning.
   * @throws ApiProblem `run_not_found`
   */
  static async after(source: WatchSource, number: number): Promise<Watch> {
    const watch = new Watch(source, number)
    watch.#page = await watch.#read()
    if (number > watch.#page.last) {
      watch.#sent = 0
      watch.#page = await watch.#read()
    }
    return watch
  }

  /** Whether the client has the whole history of a run that has ended. */
  get isOver(): boolean {
    return this.#page?.hasEnded === true && this.#page.items.length === 0
  }

  /** Number of the last event that was handed out. */
  get last(): number {
    return this.#sent
  }

  /**
   * Takes a place among those who watch the run; of one that has ended none is needed.
   * @throws ApiProblem `run_not_found`, `too_many_watchers`, `watchers_exhausted`
   */
  async join(): Promise<void> {
    if (this.#page?.hasEnded !== true) await this.#listen()
  }

  /** What happens next; `idle` after so long, in ms. Throws nothing. */
  async next(idleMs: number): Promise<Update> {
    while (!this.#isClosed) {
      const items = this.#takeEvents()
      if (items.length > 0) return { kind: 'events', items }
      if (this.#hasEnded) return this.#endWith('ended')
      if (this.#inbox.known <= this.#sent && this.#socket !== null) {
        const partials = this.#inbox.takePartials()
        if (partials.length > 0) return { kind: 'partials', items: partials }
        if (!(await this.#waitForNews(idleMs))) {
          this.#ask()
          return { kind: 'idle' }
        }
        continue
      }
      if (this.#calls >= MAX_CALLS) return this.#endWith('lost')
      try {
        await this.#pause()
        this.#page = await this.#read()
        if (this.#socket === null && !this.#page.hasEnded) await this.#listen()
        this.#failures = 0
      } catch (error) {
        if (error instanceof ApiProblem && error.code === 'run_not_found') return this.#endWith('purged')
        if (!isExpected(error)) reportFault(error)
        if (++this.#failures > MAX_FAILURES) return this.#endWith('lost')
        await scheduler.wait(FIRST_WAIT_MS * 2 ** (this.#failures - 1) * (0.5 + Math.random() / 2))
      }
    }
    return { kind: 'lost' }
  }

  /** Leaves. A call of `next` that is under way gives `lost`. */
  close(): void {
    this.#isClosed = true
    this.#drop(this.#socket)
    this.#wake()
  }

  #endWith(kind: 'ended' | 'purged' | 'lost'): Update {
    this.close()
    return { kind }
  }

  /** The events that follow on those handed out, from the page if there is one; what it brings need not be heard. */
  #takeEvents(): readonly string[] {
    const page = this.#page
    this.#page = null
    const items = page?.items ?? this.#inbox.take(this.#sent)
    this.#sent += items.length
    if (page === null) {
      if (this.#inbox.isEnd(this.#sent)) this.#hasEnded = true
      return items
    }
    this.#inbox.known = Math.max(this.#inbox.known, page.last)
    this.#hasEnded = page.hasEnded && page.next === null
    return items
  }

  async #read(): Promise<EventPage> {
    this.#calls++
    const begunAt = Date.now()
    const { known } = this.#inbox
    const page = await this.#source.page(this.#sent, known > this.#sent ? known : 0)
    this.#readAt = Date.now()
    this.#readMs = this.#readAt - begunAt
    return page
  }

  /**
   * Leaves the Runner alone for as long as it took to answer last, within bounds: the busier it is the less it is asked,
   * and what happened meanwhile comes in one page.
   */
  async #pause(): Promise<void> {
    const pauseMs = Math.min(this.#readMs, MAX_PAUSE_MS) - (Date.now() - this.#readAt)
    if (pauseMs > 0) await scheduler.wait(pauseMs)
  }

  async #listen(): Promise<void> {
    this.#calls++
    const socket = await this.#source.socket()
    socket.addEventListener('message', ({ data }) => {
      this.#isUnanswered = false
      this.#inbox.hear(String(data))
      // The Runner leaves that to its watchers, which give their clients the last event first.
      if (this.#inbox.hasEnd) setTimeout(() => this.#drop(socket), LINGER_MS)
      this.#wake()
    })
    for (const end of ['close', 'error'] as const) socket.addEventListener(end, () => this.#drop(socket))
    socket.accept()
    if (this.#isClosed) return close(socket)
    this.#socket = socket
    this.#isUnanswered = false
  }

  /** Whether the run has moved, or its socket has closed, within so long, in ms. */
  async #waitForNews(idleMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    this.#wake = () => resolve(true)
    const timer = setTimeout(() => resolve(false), idleMs)
    const hasMoved = await promise
    clearTimeout(timer)
    return hasMoved
  }

  /** A socket can be dead and not say so: one that has not answered the last question by now is given up. */
  #ask(): void {
    if (this.#isUnanswered) {
      this.#drop(this.#socket)
      return
    }
    this.#isUnanswered = true
    try {
      this.#socket?.send(PING)
    } catch {
      // It is closing, and the event that says so is on its way.
    }
  }

  #drop(socket: WebSocket | null): void {
    if (socket === null) return
    const isOurs = socket === this.#socket
    if (isOurs) this.#socket = null
    close(socket)
    if (isOurs) this.#wake()
  }
}

/** The Runner that keeps a run, as a Watch reads it. */
export function sourceOf(env: Env, tenant: string, runId: string): WatchSource {
  const read = (after: number) => askRunner(env, tenant, runId, (runner) => runner.events(runId, after, PAGE_EVENTS))
  return {
    page: (after, known) =>
      known === 0 ? read(after) : sharedPage(`${tenant}/${runId}`, after, known, () => read(after)),
    socket: () => openSocket(env, tenant, runId),
  }
}

async function openSocket(env: Env, tenant: string, runId: string): Promise<WebSocket> {
  const id = parseRunId(runId)
  if (id === null) throw new ApiProblem('run_not_found', 'No run can have such an id')
  const response = await runnerOf(env, tenant, id.shard).fetch(watchUrl(runId), {
    headers: { Upgrade: 'websocket' },
  })
  if (response.webSocket !== null) return response.webSocket
  if (response.status === 404) throw new ApiProblem('run_not_found', `There is no run ${runId}`)
  if (response.status !== 429 && response.status !== 503) throw new Error(`a watcher was answered ${response.status}`)
  const { limit } = (await response.json()) as { limit: number }
  // A client that leaves is seen to have left when its stream writes again, at the latest with its next heartbeat (tried: the
  // request's signal does not tell of it sooner).
  const headers = { 'Retry-After': '15' }
  if (response.status === 429) {
    throw new ApiProblem('too_many_watchers', `The run has ${limit} watchers, and may have no more`, { headers })
  }
  throw new ApiProblem('watchers_exhausted', `${limit} watchers are all that this part of the service takes`, {
    headers,
  })
}

/** What a deploy, a crash or too many watchers look like: no fault of this code. */
function isExpected(error: unknown): boolean {
  return error instanceof ApiProblem || isRetryable(error)
}

function reportFault(error: unknown): void {
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined }
  console.error(JSON.stringify({ event: 'watch_fault', message, stack }))
}

function close(socket: WebSocket): void {
  try {
    socket.close(1000)
  } catch {
    // It is closed already, which is what was wanted.
  }
}
