// The `inference` task: one question to a model, and one more if the answer lacks the form that was asked for. Tools are not
// offered, so a model has nothing to do but to answer. Whatever server and network do ends as a TaskResult.

import type { Usage } from '../../workflow/event.ts'
import type { Schema } from '../../workflow/json-schema/json-schema.ts'
import { failed } from '../failure.ts'
import type { PluginCall, PluginSurroundings, TaskPlugin, TaskResult } from '../plugin.ts'
import type { InferenceWith } from '../with/inference-with.ts'
import { type Said, vectorsIn } from './answer.ts'
import { checkForm, withRepair } from './form.ts'
import { noAnswer, type Reading, readJson, readSaid } from './reading.ts'
import { type Failure, failureOf, type ModelServer, type Question, serverOf, withoutKey } from './server.ts'

type Call = PluginCall<InferenceWith>

/** The plugin of `inference` tasks. */
export const inference: TaskPlugin<InferenceWith> = { type: 'inference', execute }

async function execute(call: Call, surroundings: PluginSurroundings): Promise<TaskResult> {
  const server = serverOf(call, surroundings)
  if ('kind' in server) return server
  const asked: Asked = { call, server, usage: null }
  const result = await resultOf(asked)
  // An attempt that fails has cost its tokens as well.
  return asked.usage === null ? result : { ...result, usage: asked.usage }
}

/** One attempt, and what it has cost so far. */
interface Asked {
  readonly call: Call
  readonly server: ModelServer
  /** null while no answer has said how many tokens it took. */
  usage: Usage | null
}

function resultOf(asked: Asked): Promise<TaskResult> {
  const { config, idempotencyKey } = asked.call
  const question = { messages: config.messages ?? [], idempotencyKey }
  if (config.input !== undefined) return embed(asked, { ...question, kind: 'embeddings' })
  if (config.messages === undefined) return complete(asked, { ...question, kind: 'completion' })
  return converse(asked, { ...question, kind: 'chat' })
}

async function embed(asked: Asked, question: Question): Promise<TaskResult> {
  const { call, server } = asked
  const response = await ask(asked, question)
  if ('kind' in response) return response
  const read = await readJson(response, readingOf(asked))
  if ('kind' in read) return read
  const { input, model } = call.config
  const vectors = vectorsIn(read.json, [input].flat().length)
  if (vectors === null) {
    return failed('invalid_response', `${server.name} answered with JSON that is not one vector for each text`)
  }
  const { embeddings } = vectors
  spend(asked, vectors.usage)
  const output = { text: null, embeddings, finish_reason: null, model: vectors.model ?? model, usage: usageJson(asked) }
  return { kind: 'succeeded', output }
}

async function complete(asked: Asked, question: Question): Promise<TaskResult> {
  const said = await answerTo(asked, question)
  return 'kind' in said ? said : { kind: 'succeeded', output: outputOf(asked, said) }
}

async function converse(asked: Asked, question: Question): Promise<TaskResult> {
  const schema = asked.call.config.response_schema as Schema | undefined
  const said = await answerTo(asked, question)
  if ('kind' in said) return said
  if (schema === undefined) return { kind: 'succeeded', output: outputOf(asked, said) }
  const first = checkForm(said.text, schema)
  if (first.isFormed) return { kind: 'succeeded', output: { ...outputOf(asked, said), json: first.json, repairs: 0 } }

  asked.call.partial?.restart()
  const again = await answerTo(asked, {
    ...question,
    messages: withRepair(question.messages, said.text, first.faults),
    // Another question: a server that keeps answers by their key would give the first one again.
    idempotencyKey: `${question.idempotencyKey}/repair`,
  })
  if ('kind' in again) return again
  const second = checkForm(again.text, schema)
  if (second.isFormed)
    return { kind: 'succeeded', output: { ...outputOf(asked, again), json: second.json, repairs: 1 } }
  return failed(
    'inference_schema',
    `${asked.server.name} answered twice without the form of response_schema: ${second.faults.join('; ').slice(0, 500)}`,
  )
}

/** What a model said, with a text. */
type Answer = Said & { text: string }

/** A text that the model has said to its end, or the failure that the attempt ends with. */
async function answerTo(asked: Asked, question: Question): Promise<Answer | Failure> {
  const { call, server } = asked
  const response = await ask(asked, question)
  if ('kind' in response) return response
  const said = await readSaid(response, readingOf(asked))
  if ('kind' in said) return said
  const { text, refusal, finishReason, usage } = said
  spend(asked, usage)
  if (refusal !== null) return failed('inference_refused', `The model refused: ${withoutKey(refusal, call.config)}`)
  if (finishReason === 'content_filter') {
    return failed('inference_refused', `The content filter of ${server.name} cut the answer off`)
  }
  if (finishReason === 'length') {
    const tokens = usage === null ? '' : ` after ${usage.output_tokens} tokens`
    return failed(
      'inference_truncated',
      `The answer was cut off${tokens}: max_tokens, or what the model can hold, is used up`,
    )
  }
  return text === null ? noAnswer(server.name) : { ...said, text }
}

async function ask({ call, server }: Asked, question: Question): Promise<Response | Failure> {
  const response = await server.send(question)
  if (response === null) return failed('http_network', `${server.name} had no answer: the connection failed`)
  return (await failureOf(response, server.name, call)) ?? response
}

function readingOf({ call: { config, signal, partial }, server: { name } }: Asked): Reading {
  return { name, config, signal, onText: (text) => partial?.add(text) }
}

function outputOf(asked: Asked, { text, finishReason, model }: Answer) {
  return { text, finish_reason: finishReason, model: model ?? asked.call.config.model, usage: usageJson(asked) }
}

/** What all answers have cost; of a server that does not count tokens null. */
function usageJson({ usage }: Asked) {
  return usage === null ? null : { ...usage }
}

function spend(asked: Asked, usage: Usage | null): void {
  if (usage === null) return
  asked.usage = {
    input_tokens: (asked.usage?.input_tokens ?? 0) + usage.input_tokens,
    output_tokens: (asked.usage?.output_tokens ?? 0) + usage.output_tokens,
  }
}
