// Pure. What servers of models answer, as JSON: the forms of OpenAI's API, which others follow more or less, and of Workers AI.
// Reads what it finds and nothing by force: a member of another type than expected is as good as none.

import type { Usage } from '../../workflow/event.ts'
import { isJsonObject, type Json, type JsonObject } from '../../workflow/json.ts'

/** What a model said, or one part of it as it streams. */
export interface Said {
  /** null: nothing that is text. */
  text: string | null
  refusal: string | null
  finishReason: string | null
  model: string | null
  usage: Usage | null
}

/** What an answer, or an event of one, says; null if it is no answer of a model. */
export function saidIn(answer: Json): Said | null {
  if (!isJsonObject(answer)) return null
  const choice = Array.isArray(answer.choices) ? (answer.choices[0] ?? null) : null
  const chosen = isJsonObject(choice) ? choice : {}
  const message = objectIn(chosen, 'message') ?? objectIn(chosen, 'delta') ?? {}
  const { response } = answer
  const isAnswer = Array.isArray(answer.choices) || response !== undefined || isJsonObject(answer.usage)
  if (!isAnswer) return null
  return {
    text: textOf(message.content) ?? textIn(chosen, 'text') ?? responseText(response),
    refusal: textIn(message, 'refusal') || null,
    finishReason: textIn(chosen, 'finish_reason'),
    model: textIn(answer, 'model'),
    usage: usageIn(answer),
  }
}

/** Workers AI gives the value itself where a schema was asked for, and streams digits as numbers. */
function responseText(response: Json | undefined): string | null {
  if (typeof response === 'string') return response
  return isJsonObject(response) || typeof response === 'number' ? JSON.stringify(response) : null
}

/** The text of a message: itself, or the text parts of a list joined. null if it is neither. */
function textOf(content: Json | undefined): string | null {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return null
  return content.map((part) => (isJsonObject(part) ? (textIn(part, 'text') ?? '') : '')).join('')
}

/** Tokens of question and answer, if both can be read; an embedding has no answer. */
export function usageIn(answer: JsonObject): Usage | null {
  const { usage } = answer
  if (!isJsonObject(usage)) return null
  const input = countIn(usage, 'prompt_tokens') ?? countIn(usage, 'input_tokens')
  const output = countIn(usage, 'completion_tokens') ?? countIn(usage, 'output_tokens') ?? 0
  return input === null ? null : { input_tokens: input, output_tokens: output }
}

/** An answer to a question for embeddings. */
export interface Vectors {
  embeddings: number[][]
  model: string | null
  usage: Usage | null
}

/** One vector for each text, in their order; null if the answer has others. */
export function vectorsIn(answer: Json, count: number): Vectors | null {
  if (!isJsonObject(answer) || !Array.isArray(answer.data) || answer.data.length !== count) return null
  const embeddings: (number[] | undefined)[] = new Array(count).fill(undefined)
  for (const [position, entry] of answer.data.entries()) {
    // Workers AI gives the vectors bare.
    const vector = isJsonObject(entry) ? entry.embedding : entry
    const index = isJsonObject(entry) && entry.index !== undefined ? entry.index : position
    if (!isVector(vector) || typeof index !== 'number' || embeddings[index] !== undefined || !(index in embeddings))
      return null
    embeddings[index] = vector
  }
  return { embeddings: embeddings as number[][], model: textIn(answer, 'model'), usage: usageIn(answer) }
}

function isVector(value: Json | undefined): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'number')
}

/** What a server says of an error, in the forms that there are; null if it says nothing. */
export function errorIn(answer: Json): { message: string | null; code: string | null; status: number | null } | null {
  if (!isJsonObject(answer)) return null
  const error = objectIn(answer, 'error') ?? answer
  const message =
    textIn(error, 'message') ?? textIn(answer, 'error') ?? textIn(answer, 'detail') ?? textIn(answer, 'description')
  const code = textIn(error, 'code')
  const status = [error.code, error.status, error.status_code]
    .map(Number)
    .find((one) => Number.isInteger(one) && one >= 400 && one <= 599)
  return message === null && code === null ? null : { message, code, status: status ?? null }
}

function objectIn(object: JsonObject, key: string): JsonObject | null {
  const value = object[key]
  return value !== undefined && isJsonObject(value) ? value : null
}

function textIn(object: JsonObject, key: string): string | null {
  const value = object[key]
  return typeof value === 'string' ? value : null
}

function countIn(object: JsonObject, key: string): number | null {
  const value = object[key]
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null
}
