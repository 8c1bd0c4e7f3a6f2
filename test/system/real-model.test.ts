// Questions to a real model: llama.cpp with Gemma 3 270M, an engine of another make behind the same API. What it says is its own,
// so these tests hold what has to be true of any answer. Skipped where scripts/model-engine.sh has not installed it.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Client, type HistoryEvent, type RunView } from './client.ts'
import { Server } from './harness.ts'

const folder = resolve('.model-engine')
const python = `${folder}/bin/python`
const isThere = existsSync(python)
if (!isThere) console.warn('no model engine is installed (scripts/model-engine.sh): its tests are skipped')

interface Said {
  text: string
  json?: unknown
  embeddings?: number[][]
  finish_reason: string
  model: string
  usage: { input_tokens: number; output_tokens: number }
}

/** A port that nobody has: the engine cannot tell which one it took by itself. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

class Engine {
  readonly #process: ChildProcess
  readonly baseUrl: string

  private constructor(process: ChildProcess, port: number) {
    this.#process = process
    this.baseUrl = `http://127.0.0.1:${port}/v1`
  }

  static async start(...options: string[]): Promise<Engine> {
    const port = await freePort()
    const args = ['test/system/model-engine.py', folder, String(port), ...options]
    const process = spawn(python, args, { stdio: ['pipe', 'pipe', 'ignore'] })
    let text = ''
    for await (const chunk of process.stdout!) {
      text += chunk
      if (text.includes('READY')) break
    }
    if (!text.includes('READY')) throw new Error('the model engine did not start')
    return new Engine(process, port)
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGKILL')
    if (this.#process.exitCode === null && this.#process.signalCode === null) await once(this.#process, 'exit')
  }
}

describe.skipIf(!isThere)('a real model', () => {
  let server: Server
  let client: Client
  let engine: Engine
  let names = 0

  beforeAll(async () => {
    server = await Server.start()
    client = new Client(server.url)
    engine = await Engine.start()
  })

  afterAll(async () => {
    await server?.end()
    await engine?.stop()
  })

  const task = (config: object) => ({
    id: 'ask',
    type: 'inference',
    with: { base_url: engine.baseUrl, model: 'gemma', ...config },
  })
  const asked = async (config: object): Promise<RunView> =>
    client.runTasks(`real-${++names}`, [task(config)], { timeout: '100s' })
  const said = (run: RunView) => {
    expect(run).toMatchObject({ status: 'succeeded', error: null })
    return (run.output as { ask: Said }).ask
  }

  test('answers in the form that it is asked for', async () => {
    const response_schema = {
      type: 'object',
      properties: { mood: { enum: ['happy', 'angry'] }, stars: { type: 'integer', minimum: 1, maximum: 5 } },
      required: ['mood', 'stars'],
      additionalProperties: false,
    }
    const messages = [
      { role: 'user', content: 'How does its writer feel, and how many stars? It broke on the first day.' },
    ]
    const run = await asked({ messages, response_schema, temperature: 0, max_tokens: 100 })
    expect(run.error).toBeNull()
    const { json, usage, finish_reason } = said(run)
    expect(json).toEqual({ mood: expect.stringMatching(/^(happy|angry)$/), stars: expect.any(Number) })
    expect(usage.input_tokens).toBeGreaterThan(10)
    expect(usage.output_tokens).toBeGreaterThan(5)
    expect(finish_reason).toBe('stop')
  })

  test('that is cut off says so, with what it has cost', async () => {
    const run = await asked({ prompt: 'One, two, three, four,', max_tokens: 5, temperature: 0 })
    expect(run.error).toMatchObject({ code: 'inference_truncated' })
    expect(run.tasks[0]!.attempts).toMatchObject([{ usage: { output_tokens: 5 } }])
  })

  test('that streams is heard while it speaks, and says the same', async () => {
    const response_schema = {
      type: 'object',
      properties: { numbers: { type: 'array', items: { type: 'integer', maximum: 99 }, minItems: 12, maxItems: 12 } },
      required: ['numbers'],
      additionalProperties: false,
    }
    const messages = [{ role: 'user', content: 'Name twelve numbers.' }]
    const question = { messages, response_schema, temperature: 0, max_tokens: 400, stream: true }
    const name = `real-${++names}`
    await client.request('POST', '/v1/workflows', { name, timeout: '100s', tasks: [task(question)] })
    const { body } = await client.request<RunView>('POST', '/v1/run', { workflow: name }, { prefer: 'respond-async' })
    const response = await fetch(`${server.url}/v1/runs/${body.id}/events`, {
      headers: { accept: 'text/event-stream' },
    })
    const frames = (await response.text()).split('\n\n')
    const partials = frames.flatMap((frame) => {
      const [, data] = /^event: task\.partial\ndata: (.*)$/.exec(frame) ?? []
      return data === undefined ? [] : [JSON.parse(data) as { offset: number; text: string }]
    })
    const { body: history } = await client.request<{ items: HistoryEvent[] }>('GET', `/v1/runs/${body.id}/history`)
    const { output, usage } = history.items.find(({ event }) => event === 'attempt.succeeded')!.data as unknown as {
      output: Said
      usage: Said['usage']
    }
    expect((output.json as { numbers: number[] }).numbers).toHaveLength(12)
    expect(usage.output_tokens).toBeGreaterThan(12)
    expect(partials.length).toBeGreaterThan(2)
    for (const { offset, text } of partials) expect(output.text.slice(offset, offset + text.length)).toBe(text)
  })

  test('gives vectors, alike for what is alike', async () => {
    const embedding = await Engine.start('embedding')
    try {
      const input = [
        'The cat sleeps on the sofa.',
        'A cat is sleeping on a couch.',
        'Interest rates rose by half a percent.',
      ]
      const run = await client.runTasks(
        `real-${++names}`,
        [{ ...task({ input }), with: { base_url: embedding.baseUrl, model: 'gemma', input } }],
        { timeout: '100s' },
      )
      const { embeddings, usage } = said(run)
      const [first, second, third] = embeddings!
      expect(new Set(embeddings!.map(({ length }) => length)).size).toBe(1)
      expect(cosine(first!, second!)).toBeGreaterThan(cosine(first!, third!))
      expect(usage.input_tokens).toBeGreaterThan(15)
    } finally {
      await embedding.stop()
    }
  })
})

function cosine(a: number[], b: number[]): number {
  const dot = (x: number[], y: number[]) => x.reduce((sum, value, index) => sum + value * y[index]!, 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}
