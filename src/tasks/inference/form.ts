// Pure. An answer that has to be JSON of a certain form: read, checked, and sent back with its faults.

import type { Fault } from '../../workflow/codes.ts'
import type { Json } from '../../workflow/json.ts'
import type { Schema } from '../../workflow/json-schema/json-schema.ts'
import { Validator } from '../../workflow/json-schema/json-schema-validation.ts'
import { soundness } from '../../workflow/sound.ts'
import type { Message } from './server.ts'

/** Faults that are told, to the model and to people. */
const MAX_TOLD = 20

/** Whether an answer has the form that was asked for. */
export type Formed = { isFormed: true; json: Json } | { isFormed: false; faults: string[] }

/** Reads an answer as JSON and checks it against the schema. Faults name places and what is expected, never what was said. */
export function checkForm(text: string, schema: Schema): Formed {
  const json = parseAnswer(text)
  if (json === undefined) return { isFormed: false, faults: ['is no JSON'] }
  const unsound = soundness(json)
  const faults = unsound.length > 0 ? unsound : new Validator(schema).faultsOf(json, '')
  return faults.length === 0
    ? { isFormed: true, json }
    : { isFormed: false, faults: faults.slice(0, MAX_TOLD).map(describeFault) }
}

/** The conversation with the answer and what is wrong with it. */
export function withRepair(messages: readonly Message[], text: string, faults: readonly string[]): Message[] {
  const content = `Your answer does not have the form that was asked for:\n${faults.map((fault) => `- ${fault}`).join('\n')}\nAnswer again, with nothing but JSON of that form.`
  return [...messages, { role: 'assistant', content: text }, { role: 'user', content }]
}

function describeFault({ path, message }: Fault): string {
  return `${path === '' ? 'the whole' : path} ${message}`
}

/** Models that were not made to answer in JSON put it into a fenced block. */
const FENCED = /^```(?:json)?[ \t]*\r?\n([\s\S]*?)\r?\n?```$/

function parseAnswer(text: string): Json | undefined {
  const bare = text.trim()
  try {
    return JSON.parse(FENCED.exec(bare)?.[1] ?? bare) as Json
  } catch {
    return undefined // What the parser says quotes the text, so it is not told.
  }
}
