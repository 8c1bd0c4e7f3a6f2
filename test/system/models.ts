// A fake of a server of models: it speaks the API over real connections, and says what it was asked to say. No model is in it.
// What it does is asked for by the name of the model, so that a definition alone says what its tasks will meet.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Asked {
  path: string
  key: string | undefined
  idempotencyKey: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: what tests sent
  body: any
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

export class FakeModels {
  readonly asked: Asked[] = []
  readonly #server: Server
  /** How often each model was asked. */
  readonly #counts = new Map<string, number>()

  private constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response))
  }

  static async start(): Promise<FakeModels> {
    const models = new FakeModels()
    models.#server.listen(0, '127.0.0.1')
    await once(models.#server, 'listening')
    return models
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = JSON.parse(Buffer.concat(chunks).toString())
    const { authorization } = request.headers
    const idempotencyKey = request.headers['idempotency-key'] as string | undefined
    this.asked.push({ path: request.url!, key: authorization, idempotencyKey, body })
    const count = (this.#counts.get(body.model) ?? 0) + 1
    this.#counts.set(body.model, count)

    if (request.url === '/v1/embeddings') {
      const texts = [body.input].flat() as string[]
      const data = texts.map((text, index) => ({ index, embedding: [text.length, text.charCodeAt(0) / 1_000] }))
      return json(response, 200, { model: body.model, data: data.reverse(), usage: { prompt_tokens: texts.length } })
    }
    switch (body.model) {
      case 'busy-at-first':
        if (count < 3) {
          response.setHeader('x-ratelimit-remaining-requests', '0')
          response.setHeader('x-ratelimit-reset-requests', '150ms')
          return json(response, 429, { error: { message: 'Rate limit reached', code: 'rate_limit_exceeded' } })
        }
        return this.#say(response, body, 'at last')
      case 'learns':
        return this.#say(response, body, body.messages.length === 1 ? 'Happy!' : '{"mood":"happy"}')
      case 'breaks-off':
        if (count > 1) return this.#say(response, body, 'whole')
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: 'Once upon' } }] })}\n\n`)
        await pause(20)
        response.destroy()
        return
      default:
        return this.#say(response, body, 'Grüße aus dem Süden, 你好 und 👋🏽!\n')
    }
  }

  /** The text as a whole, or as events whose bytes come in odd pieces, with either line end and comments in between. */
  async #say(response: ServerResponse, body: Asked['body'], text: string): Promise<void> {
    const usage = { prompt_tokens: 11, completion_tokens: text.split(' ').length }
    const { model } = body
    const isChat = body.messages !== undefined
    if (!body.stream) {
      const choice = isChat ? { message: { role: 'assistant', content: text } } : { text }
      return json(response, 200, { model, choices: [{ index: 0, ...choice, finish_reason: 'stop' }], usage })
    }
    const part = (content: string) => (isChat ? { delta: { content } } : { text: content })
    const events = [
      ...(text.match(/\S+\s*/g) ?? []).map((word) => ({ model, choices: [{ ...part(word), finish_reason: null }] })),
      { model, choices: [{ ...part(''), finish_reason: 'stop' }] },
      { model, choices: [], usage },
    ]
    const end = '\r\n'
    const bytes = Buffer.from(
      `: hello${end}${end}${events.map((event) => `data: ${JSON.stringify(event)}${end}${end}`).join('')}data: [DONE]${end}${end}`,
    )
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (let at = 0, length = 1; at < bytes.length; at += length, length = (length * 7 + 3) % 61 || 1) {
      response.write(bytes.subarray(at, at + length))
      await pause(15)
    }
    response.end()
  }
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
