// Questions to models over real connections, against a fake of a server of models: what a stand-in for fetch cannot show.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Client, type HistoryEvent, type RunView } from './client.ts'
import { Server } from './harness.ts'
import { FakeModels } from './models.ts'

let server: Server
let client: Client
let models: FakeModels
let names = 0

beforeAll(async () => {
  server = await Server.start()
  client = new Client(server.url)
  models = await FakeModels.start()
})

afterAll(async () => {
  await server.end()
  await models.stop()
})

const TEXT = 'Grüße aus dem Süden, 你好 und 👋🏽!\n'

function task(config: object, rest: object = {}) {
  return { id: 'ask', type: 'inference', with: { base_url: models.baseUrl, model: 'm', ...config }, ...rest }
}

const asked = (config: object, rest: object = {}): Promise<RunView> =>
  client.runTasks(`models-${++names}`, [task(config, rest)], { timeout: '30s' })

const messages = [{ role: 'user', content: 'Hi' }]

describe('a server of models', () => {
  test('is asked for a conversation, a completion and vectors', async () => {
    const usage = { input_tokens: 11, output_tokens: 7 }
    const answer = { text: TEXT, finish_reason: 'stop', model: 'm', usage }
    expect(await asked({ messages, api_key: 'sk-test-key' })).toMatchObject({
      status: 'succeeded',
      output: { ask: answer },
    })
    expect(models.asked.at(-1)).toMatchObject({
      path: '/v1/chat/completions',
      key: 'Bearer sk-test-key',
      body: { messages },
    })
    expect((await asked({ prompt: 'Once' })).output).toMatchObject({ ask: answer })
    expect((await asked({ input: ['a', 'bcd'] })).output).toMatchObject({
      ask: {
        embeddings: [
          [1, 0.097],
          [3, 0.098],
        ],
        usage: { input_tokens: 2, output_tokens: 0 },
      },
    })
    expect(models.asked.map(({ path }) => path)).toEqual(['/v1/chat/completions', '/v1/completions', '/v1/embeddings'])
  })

  test('that is busy is waited for, and no attempt is spent', async () => {
    const run = await asked(
      { messages, model: 'busy-at-first' },
      { retry: { max_attempts: 2, initial_interval: '1ms' } },
    )
    expect(run).toMatchObject({ status: 'succeeded', output: { ask: { text: 'at last' } } })
    expect(run.tasks[0]!.attempts.map(({ number, status }) => `${number} ${status}`)).toEqual([
      '1 snoozed',
      '1 snoozed',
      '1 succeeded',
    ])
    const [first, second] = run.tasks[0]!.attempts
    expect(Date.parse(second!.started_at) - Date.parse(first!.finished_at!)).toBeGreaterThanOrEqual(150)
  })

  test('is shown what its answer lacks', async () => {
    const response_schema = { type: 'object', properties: { mood: { enum: ['happy', 'angry'] } }, required: ['mood'] }
    const run = await asked({ messages, model: 'learns', response_schema })
    expect(run.output).toMatchObject({ ask: { json: { mood: 'happy' }, repairs: 1, usage: { input_tokens: 22 } } })
  })

  test('that breaks off its stream is asked again', async () => {
    const run = await asked(
      { messages, model: 'breaks-off', stream: true },
      { retry: { max_attempts: 2, initial_interval: '1ms' } },
    )
    expect(run).toMatchObject({ status: 'succeeded', output: { ask: { text: 'whole' } } })
    expect(run.tasks[0]!.attempts[0]).toMatchObject({ status: 'failed', error: { code: 'http_network' } })
  })

  test('is heard while it speaks, in whatever pieces it comes, by all who watch', async () => {
    const name = `models-${++names}`
    await client.request('POST', '/v1/workflows', { name, timeout: '30s', tasks: [task({ messages, stream: true })] })
    const { body } = await client.request<RunView>('POST', '/v1/run', { workflow: name }, { prefer: 'respond-async' })
    const streams = await Promise.all([streamed(body.id), streamed(body.id)])
    for (const frames of streams) {
      const partials = frames.filter(({ event }) => event === 'task.partial')
      expect(partials.length).toBeGreaterThan(2)
      let text = ''
      for (const { id, data } of partials) {
        expect(id).toBe(0)
        expect(data).toMatchObject({ task: 'ask', attempt: 1 })
        // Who came late has missed the beginning, and is told how much.
        text = text.padEnd(data.offset as number, '?') + data.text
      }
      expect(text.length).toBeLessThanOrEqual(TEXT.length)
      expect(text.split('').every((unit, index) => unit === '?' || unit === TEXT[index])).toBe(true)
      const end = frames.find(({ event }) => event === 'attempt.succeeded')!
      expect(end.data).toMatchObject({ output: { text: TEXT }, usage: { input_tokens: 11, output_tokens: 7 } })
    }
    const { body: history } = await client.request<{ items: HistoryEvent[] }>('GET', `/v1/runs/${body.id}/history`)
    expect(history.items.map(({ event }) => event)).not.toContain('task.partial')
  })
})

async function streamed(runId: string): Promise<HistoryEvent[]> {
  const response = await fetch(`${server.url}/v1/runs/${runId}/events`, { headers: { accept: 'text/event-stream' } })
  return (await response.text()).split('\n\n').flatMap((frame) => {
    const [, id = '0', event, data] = /^(?:id: (\d+)\n)?event: (\S+)\ndata: (.*)$/.exec(frame) ?? []
    return event === undefined ? [] : [{ id: Number(id), event, data: JSON.parse(data!) }]
  })
}
