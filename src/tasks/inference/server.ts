// Who serves a model: an OpenAI-compatible server over HTTP, or the Workers AI binding. Both are asked the same questions and
// answer with a Response, whose errors are told here, so that the readers of answers need not know which server it was.

import type { Json, JsonObject } from '../../workflow/json.ts'
import { type Schema, subschemasOf } from '../../workflow/json-schema/json-schema.ts'
import { addCallHeaders, callHeaders } from '../call-headers.ts'
import { egressFault } from '../egress.ts'
import { failed } from '../failure.ts'
import { excerpt, readBody } from '../http/http-body.ts'
import type { AiBinding, PluginCall, PluginSurroundings, TaskResult } from '../plugin.ts'
import type { InferenceWith } from '../with/inference-with.ts'
import { errorIn } from './answer.ts'
import { requestedWaitMs } from './rate-limit-headers.ts'

/** An attempt that failed. */
export type Failure = Extract<TaskResult, { kind: 'failed' }>
/** One message of a conversation. */
export type Message = NonNullable<InferenceWith['messages']>[number]

/** What a model is asked in one call. */
export interface Question {
  kind: 'chat' | 'completion' | 'embeddings'
  /** What `messages` are now: with a repair they grow. */
  messages: readonly Message[]
  idempotencyKey: string
}

/** A server that a model can be asked at. */
export interface ModelServer {
  /** What messages to people call it: host and path, or the model at Workers AI. */
  readonly name: string
  /** null: there was no answer, whatever the cause. */
  send(question: Question): Promise<Response | null>
}

type Call = PluginCall<InferenceWith>

/** Enough of a refusal's body for what it says. */
const ERROR_BYTES = 4_096

/** The server that a task names, or why it cannot be asked. */
export function serverOf(call: Call, { egressAllow, ai }: PluginSurroundings): ModelServer | Failure {
  const { base_url, model } = call.config
  if (base_url === undefined) {
    return ai === undefined
      ? failed('binding_missing', 'This deployment has no binding AI (Workers AI); give a base_url, or add the binding')
      : { name: `Workers AI (${model})`, send: (question) => runBinding(ai, call, question) }
  }
  const fault = egressFault(new URL(base_url), egressAllow)
  const name = describeUrl(new URL(base_url))
  if (fault !== null) return failed('egress_denied', `${name} was not asked: ${fault}`)
  return { name, send: (question) => post(base_url, call, question) }
}

/** @returns null if the answer is one; else how the attempt has failed */
export async function failureOf(response: Response, name: string, { config, signal }: Call): Promise<Failure | null> {
  const { status, headers } = response
  if (status === 200) return null
  const { bytes } = await readBody(response, ERROR_BYTES, signal)
  const error = errorIn(parseErrorBody(bytes))
  // Azure refuses a question so that its policy forbids.
  if (status === 400 && error?.code === 'content_filter') {
    return failed('inference_refused', `${name} refused the question: its content filter forbids it`)
  }
  // Servers quote a wrong key, some in part.
  const said = status === 401 ? '' : withoutKey(error?.message ?? excerpt(bytes, headers.get('content-type')), config)
  const redirect = status >= 300 && status < 400 ? ', and no redirect is followed' : ''
  const failure = failed(`http_${status}`, `${name} answered ${status}${redirect}${said === '' ? '' : `: ${said}`}`)
  const retryAfterMs = requestedWaitMs(status, headers, Date.now())
  return retryAfterMs === null ? failure : { ...failure, retryAfterMs }
}

/** What a server says, for people: on one line, at most 200 characters, and without the key if it quotes it. */
export function withoutKey(text: string, { api_key }: InferenceWith): string {
  const masked = api_key === undefined ? text : text.replaceAll(api_key, '***')
  return excerpt(new TextEncoder().encode(masked), null)
}

const PATHS = { chat: 'chat/completions', completion: 'completions', embeddings: 'embeddings' } as const

async function post(baseUrl: string, { config, signal, trace }: Call, question: Question): Promise<Response | null> {
  const url = new URL(baseUrl)
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${PATHS[question.kind]}`
  const headers = new Headers({
    'content-type': 'application/json',
    accept: config.stream ? 'text/event-stream' : 'application/json',
  })
  if (config.api_key !== undefined) headers.set('authorization', `Bearer ${config.api_key}`)
  addCallHeaders(headers, { idempotencyKey: question.idempotencyKey, trace })
  const body = JSON.stringify({ model: config.model, ...openAiBody(config, question) })
  try {
    return await fetch(url.href, { method: 'POST', headers, body, signal, redirect: 'manual', cache: 'no-store' })
  } catch {
    return null // It tells apart neither causes nor codes, and its text may quote the URL.
  }
}

async function runBinding(
  ai: AiBinding,
  { config, signal, trace }: Call,
  question: Question,
): Promise<Response | null> {
  const extraHeaders = callHeaders({ idempotencyKey: question.idempotencyKey, trace })
  try {
    return await ai.run(config.model, workersAiInputs(config, question), {
      returnRawResponse: true,
      signal,
      extraHeaders,
    })
  } catch {
    return null // The service was not reached; what it answers comes as a Response.
  }
}

function openAiBody(config: InferenceWith, { kind, messages }: Question): JsonObject {
  const schema = config.response_schema as Schema | undefined
  switch (kind) {
    case 'embeddings':
      return { input: config.input! }
    case 'completion':
      return { prompt: config.prompt!, ...options(config), ...(config.stream ? STREAMED : {}) }
    case 'chat':
      return {
        messages: messages as Json[] & readonly Message[],
        ...options(config),
        ...(config.stream ? STREAMED : {}),
        ...(schema === undefined
          ? {}
          : {
              response_format: {
                type: 'json_schema',
                json_schema: { name: 'answer', schema, strict: isStrict(schema) },
              },
            }),
      }
    default:
      return kind satisfies never
  }
}

/** Without the option a streamed answer says nothing of its tokens. */
const STREAMED = { stream: true, stream_options: { include_usage: true } }

/** @see https://developers.cloudflare.com/workers-ai/features/json-mode/: the schema stands there without a name around it */
function workersAiInputs(config: InferenceWith, { kind, messages }: Question): JsonObject {
  const stream = config.stream ? { stream: true } : {}
  switch (kind) {
    case 'embeddings':
      return { text: config.input! }
    case 'completion':
      return { prompt: config.prompt!, ...options(config), ...stream }
    case 'chat':
      return {
        messages: messages as Json[] & readonly Message[],
        ...options(config),
        ...stream,
        ...(config.response_schema === undefined
          ? {}
          : { response_format: { type: 'json_schema', json_schema: config.response_schema } }),
      }
    default:
      return kind satisfies never
  }
}

function options({ temperature, max_tokens }: InferenceWith): JsonObject {
  return { ...(temperature === undefined ? {} : { temperature }), ...(max_tokens === undefined ? {} : { max_tokens }) }
}

/**
 * Whether the schema is one that OpenAI takes as strict: an object at its root, every object closed and with all its members
 * required. Another one refuses the call there, so it is sent as what the answer should be rather than must: it is checked here.
 */
function isStrict(schema: Schema): boolean {
  if (typeof schema === 'boolean' || schema.type !== 'object') return false
  const pending: Schema[] = [schema]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (typeof next === 'boolean') return false
    if (next.type === 'object' || next.properties !== undefined) {
      const required = Array.isArray(next.required) ? next.required : []
      const isWhole = Object.keys((next.properties ?? {}) as JsonObject).every((name) => required.includes(name))
      if (next.additionalProperties !== false || !isWhole) return false
    }
    for (const { schema: inner, steps } of subschemasOf(next)) {
      if (steps[0] !== 'additionalProperties') pending.push(inner as Schema)
    }
  }
  return true
}

function parseErrorBody(bytes: Uint8Array): Json {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Json
  } catch {
    return null // Then it says nothing that can be read.
  }
}

/** A server in a message: its host and path, at most 300 characters. */
function describeUrl({ host, pathname }: URL): string {
  return `${host}${pathname}`.slice(0, 300)
}
