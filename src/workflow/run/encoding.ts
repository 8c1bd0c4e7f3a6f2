// How a history is written down: one line of JSON text per commit, `[format, at, event, ...]`, each event a short tuple.
// Compact on purpose: the commits of a small run share one row, and rows are what Durable Objects bill and slow down by.
//
// The format is kept for ever (R9): a tag is never given a second meaning, fields are only added at the end of a tuple, and
// a tag that this release does not know decodes to null. test/workflow/golden holds histories of every release.

import type { CompiledWorkflow } from '../definition/definition.ts'
import {
  type AcceptedEvent,
  type FinalStatus,
  type LaterEvent,
  PayloadRef,
  type RunError,
  type RunEvent,
  type SkipReason,
  type StartOptions,
  type StoredValue,
  type TaskError,
  type Usage,
  type WaitingFor,
} from '../event.ts'
import type { Json } from '../json.ts'

const FORMAT = 1

/** A stored value inside a tuple: `[json]` is the value itself, `{n, bytes}` names a payload. */
type Encoded = [Json] | { n: number; bytes: number }
type Tuple = [tag: string, ...fields: unknown[]]

/** The line of one commit. All its events have one time. */
export function encodeCommit(at: number, events: readonly RunEvent[]): string {
  return JSON.stringify([FORMAT, at, ...events.map(toTuple)])
}

/** What a history does not hold itself: the definition is kept once for each version, and the id is the key of the row. */
export interface Restored {
  runId: string
  workflow: CompiledWorkflow
}

/** The events of one line; null stands for one that this release does not know. */
export function decodeCommit(line: string, restored: Restored): (RunEvent | null)[] {
  const [, at, ...tuples] = JSON.parse(line) as [format: number, at: number, ...Tuple[]]
  return tuples.map((tuple) => fromTuple(tuple, at, restored))
}

function toTuple(event: RunEvent): Tuple {
  switch (event.type) {
    case 'RunAccepted':
      return [
        'A',
        event.version,
        encodeValue(event.input),
        event.timeoutMs,
        ...(event.options === undefined ? [] : [event.options]),
      ]
    case 'RunQueued':
      return ['q', event.until]
    case 'RunStarted':
      return ['B']
    case 'AttemptStarted':
      return ['S', event.task, event.attempt, ...withoutTrailingGaps([event.item])]
    case 'ChildStarted':
      return ['C', event.task, event.attempt, event.child, ...withoutTrailingGaps([event.item])]
    case 'AttemptSucceeded':
      return [
        'K',
        event.task,
        event.token,
        encodeValue(event.output),
        ...withoutTrailingGaps([event.item, logsOut(event), usageOut(event)]),
      ]
    case 'AttemptFailed':
      return [
        'F',
        event.task,
        event.token,
        event.error,
        ...withoutTrailingGaps([
          event.retryAfterMs,
          flag(event.isRetryRefused),
          flag(event.wasRefusedStart),
          event.item,
          logsOut(event),
          usageOut(event),
        ]),
      ]
    case 'AttemptTimedOut':
      return [
        'T',
        event.task,
        event.token,
        event.error,
        ...withoutTrailingGaps([flag(event.isRetryRefused), event.item, logsOut(event), usageOut(event)]),
      ]
    case 'AttemptSnoozed':
      return ['z', event.task, event.token, event.afterMs, ...withoutTrailingGaps([event.item, logsOut(event)])]
    case 'AttemptInterrupted':
      return ['I', event.task, event.token, ...withoutTrailingGaps([event.item, flag(event.isUnreached)])]
    case 'TaskWaiting':
      return [
        'W',
        event.task,
        event.for,
        event.until,
        ...withoutTrailingGaps([
          flag(event.isPutOff) ?? (event.target === undefined ? undefined : 0),
          event.target,
          event.item,
          event.total,
          event.items === undefined ? undefined : encodeValue(event.items),
        ]),
      ]
    case 'TaskReused':
      return ['R', event.task, encodeValue(event.output)]
    case 'TaskFailed':
      return ['f', event.task, event.error, ...withoutTrailingGaps([event.item])]
    case 'TaskTimedOut':
      return ['t', event.task, ...withoutTrailingGaps([event.error, event.item])]
    case 'TaskSkipped':
      return ['s', event.task, event.reason, event.because]
    case 'TaskCancelled':
      return ['c', event.task]
    case 'RunTimedOut':
      return ['X']
    case 'RunCancelRequested':
      return ['Q']
    case 'RunPaused':
      return ['p']
    case 'RunResumed':
      return ['r']
    case 'ConditionMet':
      return ['M', event.task]
    case 'TaskSucceeded':
      return ['k', event.task, encodeValue(event.output), ...(event.signal === undefined ? [] : [event.signal])]
    case 'SignalReceived':
      return ['G', event.id, event.name, encodeValue(event.data), ...(event.task === undefined ? [] : [event.task])]
    case 'CompensationStarted':
      return ['U', event.status, event.error]
    case 'RunStopped':
      return ['P', event.error]
    case 'RunFinished':
      return ['Z', event.status, encodeValue(event.output), event.error]
    default:
      return event satisfies never
  }
}

function fromTuple([tag, ...f]: Tuple, at: number, { runId, workflow }: Restored): RunEvent | null {
  const task = f[0] as number
  switch (tag) {
    case 'A':
      return {
        type: 'RunAccepted',
        at,
        runId,
        workflow,
        version: f[0] as number,
        input: decodeValue(f[1]),
        timeoutMs: f[2] as number,
        ...(f[3] === undefined ? {} : { options: f[3] as StartOptions }),
      }
    case 'q':
      return { type: 'RunQueued', at, until: f[0] as number }
    case 'B':
      return { type: 'RunStarted', at }
    case 'S':
      return { type: 'AttemptStarted', at, task, attempt: f[1] as number, ...itemIn(f[2]) }
    case 'C':
      return { type: 'ChildStarted', at, task, attempt: f[1] as number, child: f[2] as string, ...itemIn(f[3]) }
    case 'K':
      return {
        type: 'AttemptSucceeded',
        at,
        task,
        token: f[1] as number,
        output: decodeValue(f[2]),
        ...itemIn(f[3]),
        ...logsIn(f[4]),
        ...usageIn(f[5]),
      }
    case 'F':
      return {
        type: 'AttemptFailed',
        at,
        task,
        token: f[1] as number,
        error: f[2] as TaskError,
        ...(typeof f[3] === 'number' ? { retryAfterMs: f[3] } : {}),
        ...(f[4] === 1 ? { isRetryRefused: true } : {}),
        ...(f[5] === 1 ? { wasRefusedStart: true } : {}),
        ...itemIn(f[6]),
        ...logsIn(f[7]),
        ...usageIn(f[8]),
      }
    case 'T':
      return {
        type: 'AttemptTimedOut',
        at,
        task,
        token: f[1] as number,
        error: f[2] as TaskError,
        ...(f[3] === 1 ? { isRetryRefused: true } : {}),
        ...itemIn(f[4]),
        ...logsIn(f[5]),
        ...usageIn(f[6]),
      }
    case 'z':
      return {
        type: 'AttemptSnoozed',
        at,
        task,
        token: f[1] as number,
        afterMs: f[2] as number,
        ...itemIn(f[3]),
        ...logsIn(f[4]),
      }
    case 'I':
      return {
        type: 'AttemptInterrupted',
        at,
        task,
        token: f[1] as number,
        ...itemIn(f[2]),
        ...(f[3] === 1 ? { isUnreached: true } : {}),
      }
    case 'W':
      return {
        type: 'TaskWaiting',
        at,
        task,
        for: f[1] as WaitingFor,
        until: f[2] as number | null,
        isPutOff: f[3] === 1,
        ...(typeof f[4] === 'string' ? { target: f[4] } : {}),
        ...itemIn(f[5]),
        ...(typeof f[6] === 'number' ? { total: f[6], items: decodeValue(f[7]) } : {}),
      }
    case 'R':
      return { type: 'TaskReused', at, task, output: decodeValue(f[1]) }
    case 'f':
      return { type: 'TaskFailed', at, task, error: f[1] as TaskError, ...itemIn(f[2]) }
    case 't':
      return { type: 'TaskTimedOut', at, task, ...(f[1] == null ? {} : { error: f[1] as TaskError }), ...itemIn(f[2]) }
    case 's':
      return { type: 'TaskSkipped', at, task, reason: f[1] as SkipReason, because: f[2] as number | null }
    case 'c':
      return { type: 'TaskCancelled', at, task }
    case 'X':
      return { type: 'RunTimedOut', at }
    case 'Q':
      return { type: 'RunCancelRequested', at }
    case 'p':
      return { type: 'RunPaused', at }
    case 'r':
      return { type: 'RunResumed', at }
    case 'M':
      return { type: 'ConditionMet', at, task }
    case 'k':
      return {
        type: 'TaskSucceeded',
        at,
        task,
        output: decodeValue(f[1]),
        ...(typeof f[2] === 'number' ? { signal: f[2] } : {}),
      }
    case 'G':
      return {
        type: 'SignalReceived',
        at,
        id: f[0] as string,
        name: f[1] as string,
        data: decodeValue(f[2]),
        ...(typeof f[3] === 'number' ? { task: f[3] } : {}),
      }
    case 'U':
      return { type: 'CompensationStarted', at, status: f[0] as FinalStatus, error: f[1] as RunError | null }
    case 'P':
      return { type: 'RunStopped', at, error: f[0] as RunError }
    case 'Z':
      return {
        type: 'RunFinished',
        at,
        status: f[0] as FinalStatus,
        output: decodeValue(f[1]),
        error: f[2] as RunError | null,
      }
    default:
      return null
  }
}

/** Drops absent fields at the end of a tuple; absent fields before them become null, so that the others keep their places. */
function withoutTrailingGaps(fields: readonly unknown[]): unknown[] {
  const said = fields.slice(0, fields.findLastIndex((field) => field !== undefined) + 1)
  return said.map((field) => field ?? null)
}

function flag(isSet: boolean | undefined): 1 | undefined {
  return isSet ? 1 : undefined
}

function itemIn(field: unknown): { item?: number } {
  return typeof field === 'number' ? { item: field } : {}
}

function logsOut({ logs }: { logs?: StoredValue }): Encoded | undefined {
  return logs === undefined ? undefined : encodeValue(logs)
}

function logsIn(field: unknown): { logs?: StoredValue } {
  return field == null ? {} : { logs: decodeValue(field) }
}

function usageOut({ usage }: { usage?: Usage }): [number, number] | undefined {
  return usage === undefined ? undefined : [usage.input_tokens, usage.output_tokens]
}

function usageIn(field: unknown): { usage?: Usage } {
  if (!Array.isArray(field)) return {}
  const [input_tokens, output_tokens] = field as [number, number]
  return { usage: { input_tokens, output_tokens } }
}

function encodeValue(value: StoredValue): Encoded {
  return value instanceof PayloadRef ? { n: value.n, bytes: value.bytes } : [value]
}

function decodeValue(encoded: unknown): StoredValue {
  if (Array.isArray(encoded)) return encoded[0] as Json
  const { n, bytes } = encoded as { n: number; bytes: number }
  return new PayloadRef(n, bytes)
}

/** Whether this is the first event of a run. */
export function isAccepted(event: RunEvent | null | undefined): event is AcceptedEvent {
  return event?.type === 'RunAccepted'
}

/** Whether this event can be folded into a run that exists: it is known to this release, and not the first one. */
export function isLater(event: RunEvent | null): event is LaterEvent {
  return event !== null && event.type !== 'RunAccepted'
}
