// What watchers are told of a commit: the number of the run's last event, whether the run has ended, and the new events
// themselves where they are short. How it is written is src/watch-protocol.ts.

import type { News } from '../../src/watch-protocol.ts'
import type { LoadPayload, RunEvent } from '../../src/workflow/event.ts'
import type { Run } from '../../src/workflow/run/run.ts'
import { eventText } from './event-view.ts'

/** Events of one message, in characters altogether; of a commit that brings more, watchers get the number and read a page. */
const MAX_LENGTH = 16 * 1024

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
