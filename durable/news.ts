// What watchers are told of a commit: the number of the run's last event, whether the run has ended, and the new events
// themselves where they are short. Read by src/api/news.ts.

import type { LoadPayload, RunEvent } from '../src/workflow/event.ts'
import type { Run } from '../src/workflow/run.ts'
import type { PartialOfTask } from './attempts.ts'
import { eventText } from './event-view.ts'

/** Events of one message, in characters altogether; of a commit that brings more, watchers get the number and read a page. */
const MAX_LENGTH = 16 * 1024

/** Tag of the sockets whose Worker has asked for events. One of a release before this has not, and gets numbers alone. */
export const WITH_EVENTS = 'events'

export interface News {
  /** Number of the run's last event. */
  last: number
  hasEnded: boolean
  /** JSON texts of the events up to `last` that are new, all of them or none. */
  items: readonly string[]
}

/** What a commit that recorded these events, the run's last, has to tell. Reads nothing, and makes no long text. */
export function newsOf(run: Run, events: readonly RunEvent[]): News {
  const { events: last, finishedAt } = run
  return { last, hasEnded: finishedAt !== null, items: shortTexts(run, events) }
}

function shortTexts(run: Run, events: readonly RunEvent[]): string[] {
  let isLong = false
  // A value that is kept outside the history is longer than a message.
  const load: LoadPayload = () => {
    isLong = true
    return null
  }
  const texts: string[] = []
  let length = 0
  for (const event of events) {
    const text = eventText(run, run.events - events.length + texts.length + 1, event, load)
    length += text.length
    if (isLong || length > MAX_LENGTH) return []
    texts.push(text)
  }
  return texts
}

/** A line that begins with this says what a task has so far; a Worker of a release before takes it for no news. */
const PARTIAL = 'partial '

export function partialText(partial: PartialOfTask): string {
  return PARTIAL + JSON.stringify(partial)
}

/** A line `7`, or `7 ended`, then a line an event: JSON text holds no line breaks. */
export function newsText({ last, hasEnded, items }: News): string {
  return [hasEnded ? `${last} ended` : String(last), ...items].join('\n')
}
