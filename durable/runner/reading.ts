// What a Runner answers about runs that it has: reads only, never changes a run.

import type { TaskIndex } from '../../src/workflow/event.ts'
import { toDot, toMermaid } from '../../src/workflow/explain/diagram.ts'
import { isFinal, type TaskStatus } from '../../src/workflow/run/run.ts'
import { type Callbacks, type Links, NO_LINKS } from './callbacks.ts'
import type { Committer } from './commit.ts'
import { eventText } from './event-view.ts'
import { explanationBody, unreadExplanationBody } from './explanation.ts'
import type { History, RunRecord } from './history.ts'
import { itemsFrom, itemTexts } from './item-view.ts'
import type { Records } from './records.ts'
import type {
  EventNotFound,
  EventPage,
  ExplanationForm,
  GraphForm,
  NoMap,
  RunAnswer,
  RunNotFound,
  TaskNotFound,
  TextPage,
} from './runner-rpc.ts'
import { pageOf } from './text-page.ts'
import { outputText, runText, tasksOf, taskTexts, unreadableText, type ViewContext } from './view.ts'
import type { Waiters } from './waiters.ts'

/** A page of events is full when it has become so long, in characters; the last one may be as long as an output. */
const MAX_EVENTS_LENGTH = 1024 * 1024

const RUN_NOT_FOUND: RunNotFound = { kind: 'run_not_found' }

/** Answers questions about a Runner's runs. A run that was ended unread is known by its row alone, and has no tasks or events to show. */
export class Reading {
  readonly #history: History
  readonly #records: Records
  readonly #committer: Committer
  readonly #waiters: Waiters
  readonly #callbacks: Callbacks

  constructor(history: History, records: Records, committer: Committer, waiters: Waiters, callbacks: Callbacks) {
    this.#callbacks = callbacks
    this.#history = history
    this.#records = records
    this.#committer = committer
    this.#waiters = waiters
  }

  /** A run as it stands; waits up to `waitMs` for its end first. */
  async run(runId: string, waitMs: number): Promise<RunAnswer | RunNotFound> {
    const before = this.#records.cached(runId)?.run ?? this.#history.brief(runId)
    if (before === null) return RUN_NOT_FOUND
    if (!isFinal(before.status) && waitMs > 0) await this.#waiters.end(runId, waitMs)
    const links = await this.#linksOf(runId)
    const record = this.#readable(runId)
    if (record !== null) {
      const body = runText(record.run, this.#viewContext(runId, Date.now(), links))
      return { kind: 'run', runId, status: record.run.status, body }
    }
    const brief = this.#history.brief(runId)
    if (brief === null) return RUN_NOT_FOUND
    return { kind: 'run', runId, status: brief.status, body: unreadableText(brief.summary) }
  }

  /** The run as it stood right after an event. Folded anew each time: the past is asked for rarely, and never changes. */
  at(runId: string, number: number): RunAnswer | RunNotFound | EventNotFound {
    const record = this.#readable(runId)
    if (record === null)
      return this.#history.brief(runId) === null ? RUN_NOT_FOUND : { kind: 'event_not_found', events: 0 }
    const { workflow, events } = record.run
    if (number > events) return { kind: 'event_not_found', events }
    const run = this.#history.past(runId, workflow, number)
    return { kind: 'run', runId, status: run.status, body: runText(run, this.#viewContext(runId, run.at, NO_LINKS)) }
  }

  /** The graph of the run's workflow, with how its tasks stand. Of a run that was ended unread no task is known. */
  graph(runId: string, form: GraphForm): { kind: 'graph'; body: string } | RunNotFound {
    const draw = form === 'dot' ? toDot : toMermaid
    const record = this.#readable(runId)
    if (record !== null) {
      const { workflow, tasks } = record.run
      const standing = tasks.map(({ status }) => status)
      return { kind: 'graph', body: draw(workflow.definition, standing) }
    }
    const brief = this.#history.brief(runId)
    if (brief === null) return RUN_NOT_FOUND
    return { kind: 'graph', body: draw({ name: brief.workflow, tasks: [] }, []) }
  }

  /** The story of a run, from its whole history: asked for rarely, so nothing of it is kept. */
  explain(runId: string, form: ExplanationForm): { kind: 'explanation'; body: string } | RunNotFound {
    const record = this.#readable(runId)
    if (record !== null) {
      const { run } = record
      const events = [...this.#history.events(runId, run.workflow)]
      return { kind: 'explanation', body: explanationBody(run, events, Date.now(), form) }
    }
    const brief = this.#history.brief(runId)
    if (brief === null) return RUN_NOT_FOUND
    return { kind: 'explanation', body: unreadExplanationBody(brief.summary, form) }
  }

  /** A page of a run's tasks, of one status or all, from position `after` on. */
  async tasks(runId: string, status: TaskStatus | null, after: number, limit: number): Promise<TextPage | RunNotFound> {
    const links = await this.#linksOf(runId)
    const record = this.#readable(runId)
    if (record === null) return this.#emptyPage(runId)
    const rest = tasksOf(record.run, status).filter((index) => index >= after)
    return pageOf(rest, limit, taskTexts(record.run, this.#viewContext(runId, Date.now(), links)))
  }

  /** One task of a run, by its id. */
  async task(runId: string, taskId: string): Promise<{ kind: 'task'; body: string } | RunNotFound | TaskNotFound> {
    const links = await this.#linksOf(runId)
    const found = this.#task(runId, taskId)
    if ('kind' in found) return found
    const textOf = taskTexts(found.record.run, this.#viewContext(runId, Date.now(), links))
    return { kind: 'task', body: textOf(found.index) }
  }

  /** Items of a map, of one status or all, from an index on. */
  items(
    runId: string,
    taskId: string,
    status: TaskStatus | null,
    after: number,
    limit: number,
  ): TextPage | RunNotFound | TaskNotFound | NoMap {
    const found = this.#task(runId, taskId)
    if ('kind' in found) return found
    const { record, index } = found
    const { run } = record
    if (run.workflow.plans[index]!.items === null) return { kind: 'no_map' }
    const rest = itemsFrom(run, index, status, after, limit + 1)
    return pageOf(rest, limit, itemTexts(run, index, this.#viewContext(runId, Date.now(), NO_LINKS)))
  }

  /** The output of one task alone, however large. */
  output(runId: string, taskId: string): { kind: 'output'; body: string } | RunNotFound | TaskNotFound {
    const found = this.#task(runId, taskId)
    if ('kind' in found) return found
    return { kind: 'output', body: outputText(found.record.run, found.index, this.#committer.loader(runId)) }
  }

  /** At most `limit` events after number `after`, and fewer where their outputs are large. */
  events(runId: string, after: number, limit: number): EventPage | RunNotFound {
    const record = this.#readable(runId)
    if (record === null) {
      const empty = this.#emptyPage(runId)
      return empty.kind === 'page' ? { ...empty, last: 0, hasEnded: true } : empty
    }
    const { run } = record
    const load = this.#committer.loader(runId)
    const items: string[] = []
    let length = 0
    for (const event of this.#history.eventsAfter(record, after)) {
      if (items.length === limit || length >= MAX_EVENTS_LENGTH) break
      const text = eventText(run, after + items.length + 1, event, load)
      items.push(text)
      length += text.length
    }
    const shown = after + items.length
    return {
      kind: 'page',
      items,
      next: shown < run.events ? shown : null,
      last: run.events,
      hasEnded: run.finishedAt !== null,
    }
  }

  /** Number of the run's last event; null if there is no such run. */
  lastEvent(runId: string): number | null {
    const record = this.#readable(runId)
    if (record !== null) return record.run.events
    return this.#history.brief(runId) === null ? null : 0
  }

  #viewContext(runId: string, now: number, links: Links): ViewContext {
    return { now, load: this.#committer.loader(runId), links }
  }

  #task(runId: string, taskId: string): { record: RunRecord; index: TaskIndex } | RunNotFound | TaskNotFound {
    const record = this.#readable(runId)
    if (record === null) return this.#history.brief(runId) === null ? RUN_NOT_FOUND : { kind: 'task_not_found' }
    const index = record.run.workflow.graph.indexOf.get(taskId)
    return index === undefined ? { kind: 'task_not_found' } : { record, index }
  }

  /** An empty page for a run that was ended unread: it exists, but nothing of it can be shown. */
  #emptyPage(runId: string): TextPage | RunNotFound {
    return this.#history.brief(runId) === null ? RUN_NOT_FOUND : { kind: 'page', items: [], next: null }
  }

  /** The links of a run's waiting tasks, made before the answer since signing is asynchronous. Nearly all runs have no links, and nothing is awaited for them. */
  async #linksOf(runId: string): Promise<Links> {
    const run = this.#readable(runId)?.run
    return run?.workflow.hasCallbacks === true ? this.#callbacks.linksOf(run) : NO_LINKS
  }

  /** The run itself; null if there is no such run, or if it was ended unread. */
  record(runId: string): RunRecord | null {
    return this.#readable(runId)
  }

  /** A run whose history may be read; null also for one that was ended unread, which must not be folded. */
  #readable(runId: string): RunRecord | null {
    return this.#records.cached(runId) ?? this.#records.get(runId)
  }
}
