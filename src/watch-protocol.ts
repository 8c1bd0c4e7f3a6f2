// What a watch of the Worker and the Runner of the run that it watches say to each other over their socket: the Runner's half is
// durable/runner/watchers.ts, the Worker's src/api/runs/watch.ts. Pure: texts and what they mean. Two adjacent releases talk this way (R9),
// so what a reader does not know tells it nothing, and nothing here is given a second meaning.

import type { Partial } from './tasks/partials.ts'

/** Where a Runner takes watches, as its router spells it. */
export const WATCH_ROUTE = '/runs/:id/watch'

/** By this a Worker asks for events and for what tasks have so far. One that does not ask, of an older release, gets numbers alone. */
const EVENTS = 'events'

/** What the Worker sends to learn whether a silent socket still leads to the Runner. */
export const PING = 'ping'
/** What the platform answers to PING, without waking the Runner. */
export const PONG = 'pong'

const PARTIAL = 'partial '
const ENDED = ' ended'

/** A line `7` or `7 ended`; a newer release may have more to say of the number. */
const HEAD = /^(\d+)( .*)?$/

/** What is told of a commit. */
export interface News {
  /** Number of the run's last event. */
  last: number
  hasEnded: boolean
  /** JSON texts of the events up to `last` that are new, all of them or none. */
  items: readonly string[]
}

/** What a task, or an item of it, has so far. */
export interface PartialOfTask extends Partial {
  task: string
  item?: number
  attempt: number
}

/** What the Worker hears from the Runner. */
export type Message =
  | ({ kind: 'news' } & News)
  /** JSON text of a PartialOfTask, which clients get as it is. */
  | { kind: 'partial'; text: string }
  /** The answer to PING, or something of a newer release. */
  | { kind: 'nothing' }

/** The address of a watch that wants events. */
export function watchUrl(runId: string): string {
  return `https://runner${WATCH_ROUTE.replace(':id', runId)}?${EVENTS}=1`
}

/** @param query of the address that a watch was asked for by */
export function wantsEvents(query: Readonly<Record<string, unknown>>): boolean {
  return query[EVENTS] !== undefined
}

/** The message about a commit: the number of the last event, and then a line for each event, as JSON text holds no line breaks. */
export function newsText({ last, hasEnded, items }: News): string {
  return [hasEnded ? `${last}${ENDED}` : numberText(last), ...items].join('\n')
}

/** The text for a Worker that did not ask for events: the number alone. */
export function numberText(last: number): string {
  return String(last)
}

/** The message that shows what a task has said so far. */
export function partialText(partial: PartialOfTask): string {
  return PARTIAL + JSON.stringify(partial)
}

/** What a message of the Runner means. A message of a newer release that is not known here means nothing. */
export function readMessage(message: string): Message {
  if (message.startsWith(PARTIAL)) return { kind: 'partial', text: message.slice(PARTIAL.length) }
  const [head = '', ...items] = message.split('\n')
  const [, last, state] = HEAD.exec(head) ?? []
  if (last === undefined) return { kind: 'nothing' }
  return { kind: 'news', last: Number(last), hasEnded: state === ENDED, items }
}
