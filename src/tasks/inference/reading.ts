// An answer as it is read, whole or streamed, into what the model said. Knows nothing of what was asked.

import { type Json, MAX_VALUE_BYTES } from '../../workflow/json.ts'
import { failed } from '../failure.ts'
import { readBody } from '../http/http-body.ts'
import type { InferenceWith } from '../with/inference-with.ts'
import { errorIn, type Said, saidIn } from './answer.ts'
import type { Failure } from './server.ts'
import { withoutKey } from './server.ts'
import { StreamTooLarge, serverEvents } from './server-events.ts'

/** The largest answer, in bytes; of one that is streamed, the longest text, in characters, and the largest event. */
const MAX_ANSWER = MAX_VALUE_BYTES

/** All that a stream may bring, in bytes: each of its events says a word and repeats some 200 characters around it. */
const MAX_STREAM_BYTES = 64 * 1_048_576

/** Data of the event behind the last one. */
const DONE = '[DONE]'

/** What of the surroundings reading needs. */
export interface Reading {
  /** Whose answer it is, for messages. */
  name: string
  config: InferenceWith
  signal: AbortSignal
  /** Told of each part of a text that is streamed. */
  onText: (text: string) => void
}

/** The JSON of a whole answer; what is no JSON is a failure. */
export async function readJson(response: Response, { name, signal }: Reading): Promise<{ json: Json } | Failure> {
  const { bytes, isCut, isBroken } = await readBody(response, MAX_ANSWER, signal)
  if (isBroken) return brokenOff(name)
  if (isCut) return tooLarge(name)
  try {
    return { json: JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)) as Json }
  } catch {
    return failed('invalid_response', `${name} answered with a body that is no JSON`)
  }
}

/** What the model said. A server that was asked to stream may answer as a whole. */
export async function readSaid(response: Response, reading: Reading): Promise<Said | Failure> {
  const type = response.headers.get('content-type') ?? ''
  if (/^\s*text\/event-stream\b/i.test(type)) return readStream(response, reading)
  const read = await readJson(response, reading)
  if ('kind' in read) return read
  return saidIn(read.json) ?? noAnswer(reading.name)
}

async function readStream(response: Response, reading: Reading): Promise<Said | Failure> {
  const { name, config, signal, onText } = reading
  if (response.body === null) return brokenOff(name)
  const parts: string[] = []
  const refusals: string[] = []
  const said: Said = { text: null, refusal: null, finishReason: null, model: null, usage: null }
  let length = 0
  let isDone = false
  try {
    for await (const data of serverEvents(response.body, { total: MAX_STREAM_BYTES, event: MAX_ANSWER }, signal)) {
      if (data.trim() === DONE) {
        isDone = true
        break
      }
      const event = parseEvent(data)
      if (event === undefined) return failed('invalid_response', `${name} streamed an event that is no JSON`)
      const error = errorEvent(event)
      if (error !== null) return streamError(error, name, config)
      const part = saidIn(event)
      if (part === null) continue // Such as the first one of some servers, which tells only of itself.
      if (part.text !== null) {
        parts.push(part.text)
        if (part.text !== '') onText(part.text)
      }
      if (part.refusal !== null) refusals.push(part.refusal)
      length += (part.text?.length ?? 0) + (part.refusal?.length ?? 0)
      if (length > MAX_ANSWER) return tooLarge(name)
      said.finishReason = part.finishReason ?? said.finishReason
      said.model = part.model ?? said.model
      said.usage = part.usage ?? said.usage
    }
  } catch (error) {
    // What else a stream fails with is the network's, and may hold the URL.
    return error instanceof StreamTooLarge ? tooLarge(name) : brokenOff(name)
  }
  if (!isDone && said.finishReason === null) return brokenOff(name)
  return { ...said, text: parts.length === 0 ? null : parts.join(''), refusal: refusals.join('') || null }
}

function parseEvent(data: string): Json | undefined {
  try {
    return JSON.parse(data) as Json
  } catch {
    return undefined // What the parser says quotes the data, so it is not told.
  }
}

function errorEvent(event: Json): ReturnType<typeof errorIn> {
  return typeof event === 'object' && event !== null && 'error' in event && event.error !== null ? errorIn(event) : null
}

/** The status had been sent when it went wrong, so the stream says it: as one that would have been a status, or as a break. */
function streamError(
  { status, message }: NonNullable<ReturnType<typeof errorIn>>,
  name: string,
  config: InferenceWith,
): Failure {
  const said = withoutKey(message ?? '', config)
  return failed(
    status === null ? 'http_network' : `http_${status}`,
    `${name} broke off its stream with an error${said === '' ? '' : `: ${said}`}`,
  )
}

function brokenOff(name: string): Failure {
  return failed('http_network', `${name} broke off in the middle of its answer`)
}

function tooLarge(name: string): Failure {
  return failed('response_too_large', `${name} answered with more than ${MAX_ANSWER} bytes`)
}

/** The end of an attempt whose answer is JSON of no known form. */
export function noAnswer(name: string): Failure {
  return failed('invalid_response', `${name} answered with JSON that is no answer of a model`)
}
