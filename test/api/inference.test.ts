// Questions to models as tasks, from registration to the answer and the figures.

import { afterEach, describe, expect, test, vi } from 'vitest'
import { hash32 } from '../../src/workflow/hash.ts'
import type { JsonObject } from '../../src/workflow/json.ts'
import { SHARDS } from '../../src/workflow/run-id.ts'
import { fakeUpstream } from '../support/fake-upstream.ts'
import { aName, call, fetchRaw, get, post } from './client.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

const ask = (config: object, rest: object = {}) => ({
  id: 'ask',
  type: 'inference',
  with: { base_url: 'https://models.test/v1', model: 'm', ...config },
  ...rest,
})

const completion = (content: string) => ({
  model: 'm-2026',
  choices: [{ message: { content }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 9, completion_tokens: 4 },
})

async function ran(tasks: object[], rest: object = {}, input: object = {}) {
  const name = aName()
  const registered = await post('/v1/workflows', { name, tasks, timeout: '20s', ...rest })
  expect(registered.body.errors).toBeUndefined()
  const { body } = await post('/v1/runs', { workflow: name, input }, { Prefer: 'wait=20' })
  return body
}

const tokens = async (workflow: string) =>
  (await get('/metrics')).text
    .split('\n')
    .filter((line) => line.startsWith('orchestrator_inference_tokens_total{') && line.includes(`"${workflow}"`))

/** The parts of an answer that comes piece by piece. */
function pieces(texts: readonly string[], everyMs: number): Response {
  const events = [
    ...texts.map((content) => JSON.stringify({ choices: [{ delta: { content } }] })),
    JSON.stringify({ choices: [{ delta: {}, finish_reason: 'stop' }] }),
    '[DONE]',
  ]
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const event = events.shift()
      if (event === undefined) return controller.close()
      controller.enqueue(new TextEncoder().encode(`data: ${event}\n\n`))
      await scheduler.wait(everyMs)
    },
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}

interface Frame {
  id: number | null
  event: string
  data: JsonObject
}

/** All that a run's stream gives. */
async function streamed(runId: string): Promise<Frame[]> {
  const response = await fetchRaw('GET', `/v1/runs/${runId}/events`, { headers: { Accept: 'text/event-stream' } })
  const text = await response.text()
  return text.split('\n\n').flatMap((frame) => {
    const [, id, event, data] = /^(?:id: (\d+)\n)?event: (\S+)\ndata: (.*)$/.exec(frame) ?? []
    return event === undefined ? [] : [{ id: id === undefined ? null : Number(id), event, data: JSON.parse(data!) }]
  })
}

const joined = (partials: readonly Frame[]) => partials.map(({ data }) => data.text).join('')

/** Starts a run, and follows it. */
async function followed(
  tasks: object[],
  headers: object = {},
): Promise<{ run: string; partials: Frame[]; events: Frame[] }> {
  const name = aName()
  expect((await post('/v1/workflows', { name, tasks, timeout: '20s' })).status).toBe(201)
  const { body } = await post('/v1/runs', { workflow: name }, { Prefer: 'respond-async', ...headers })
  const frames = await streamed(body.id)
  const isPartial = ({ event }: Frame) => event === 'task.partial'
  return { run: body.id, partials: frames.filter(isPartial), events: frames.filter((frame) => !isPartial(frame)) }
}

describe('an answer that is streamed', () => {
  const words = ['One ', 'two ', 'thr\u{1F600}', 'ee ', 'four\n', 'five']

  test('is seen by who watches the run as it comes, and recorded once it is whole', async () => {
    fakeUpstream(() => pieces(words, 120))
    const { run, partials, events } = await followed([ask({ prompt: 'Count.', stream: true })])
    expect(partials.length).toBeGreaterThan(2)
    let offset = 0
    for (const { id, data } of partials) {
      expect(id).toBeNull()
      expect(data).toEqual({ task: 'ask', attempt: 1, offset, text: expect.any(String) })
      offset += String(data.text).length
    }
    expect(words.join('').startsWith(joined(partials))).toBe(true)
    const { body } = await get(`/v1/runs/${run}/history`)
    expect(events).toEqual(body.items)
    expect(events.map(({ event }) => event)).toEqual([
      'run.accepted',
      'run.started',
      'attempt.started',
      'attempt.succeeded',
      'run.finished',
    ])
    expect(events[3]!.data.output).toMatchObject({ text: words.join('') })
  })

  test('costs no row for what is seen', async () => {
    const written = async () => Number(/orchestrator_rows_written_total (\d+)/.exec((await get('/metrics')).text)?.[1])
    let tries = 0
    /** Keys lead to shards: here all to one, which has written whatever it writes once. */
    const keyOfOneShard = () => {
      do tries++
      while (hash32(`seen-${tries}`) % SHARDS !== 0)
      return `seen-${tries}`
    }
    // The least of three: what other runs of the tenant leave to an alarm counts too.
    const cost = async (everyMs: number, stream: boolean) => {
      const costs: number[] = []
      for (let time = 0; time < 3; time++) {
        const before = await written()
        fakeUpstream(() => pieces(words, everyMs))
        await followed([ask({ prompt: 'Count.', stream })], { 'Idempotency-Key': keyOfOneShard() })
        costs.push((await written()) - before)
      }
      return Math.min(...costs)
    }
    await cost(0, false)
    expect(await cost(110, true)).toBe(await cost(0, false))
  })

  test('of a second attempt, of an item and after a repair begins anew', async () => {
    let number = 0
    fakeUpstream(() => (number++ === 0 ? pieces(['not ', 'JSON'], 0) : pieces([...'{"a": 1}    '], 80)))
    const { partials, events } = await followed([
      {
        id: 'all',
        type: 'map',
        with: {
          items: [0],
          task: {
            type: 'inference',
            with: {
              base_url: 'https://models.test/v1',
              model: 'm',
              messages: [{ role: 'user', content: 'x' }],
              response_schema: { type: 'object' },
              stream: true,
            },
          },
        },
      },
    ])
    expect(events.at(-1)!.data).toMatchObject({ status: 'succeeded' })
    expect(partials.filter(({ data }) => data.offset === 0).length).toBeGreaterThanOrEqual(1)
    for (const { data } of partials) expect(data).toMatchObject({ task: 'all', item: 0, attempt: 1 })
  })

  test('shows no secret, however it is cut', async () => {
    const value = 'sk-streamed-0123456789'
    expect((await call('PUT', '/v1/secrets/STREAM_KEY', { body: { value } })).status).toBe(201)
    const said = `The key is ${value}, I was told. ${'And so on. '.repeat(40)}`
    const parts = said.match(/[\s\S]{1,5}/g)!
    fakeUpstream(() => pieces(parts, 12))
    const { run, partials, events } = await followed([ask({ prompt: `\${{ secrets.STREAM_KEY }}`, stream: true })])
    const hidden = said.replace(value, '***')
    expect(partials.length).toBeGreaterThan(2)
    expect(hidden.startsWith(joined(partials))).toBe(true)
    expect(events[3]!.data.output).toMatchObject({ text: hidden })
    expect(JSON.stringify([partials, events])).not.toContain('0123456789')
    expect((await get(`/v1/runs/${run}`)).text).not.toContain(value)
  })
})

describe('a question to a model', () => {
  test('is asked with what came before it, and shows what it took on its attempt, its history and in the figures', async () => {
    const upstream = fakeUpstream(() => Response.json(completion('{"mood":"good"}')))
    const schema = { type: 'object', properties: { mood: { enum: ['good', 'bad'] } }, required: ['mood'] }
    const run = await ran(
      [
        { id: 'before', type: 'transform', with: { value: ['one', 'two'] } },
        ask(
          {
            messages: [{ role: 'user', content: `How is \${{ tasks.before.output[1] }}, \${{ input.who }}?` }],
            response_schema: schema,
          },
          { depends_on: ['before'] },
        ),
        { id: 'after', type: 'transform', with: { value: `\${{ tasks.ask.output.json.mood }}` }, depends_on: ['ask'] },
      ],
      {},
      { who: 'Ada' },
    )
    const usage = { input_tokens: 9, output_tokens: 4 }
    expect(run).toMatchObject({ status: 'succeeded', output: { after: 'good' } })
    expect(JSON.parse(upstream.requests[0]!.body).messages).toEqual([{ role: 'user', content: 'How is two, Ada?' }])
    expect(upstream.requests[0]!.headers.get('idempotency-key')).toBe(`${run.id}/ask`)
    const { body: task } = await get(`/v1/runs/${run.id}/tasks/ask`)
    expect(task).toMatchObject({
      output: { json: { mood: 'good' }, repairs: 0, usage },
      attempts: [{ status: 'succeeded', usage }],
    })
    const { body: history } = await get(`/v1/runs/${run.id}/history`)
    const { data } = history.items.find(
      ({ event, data: { task: id } }: { event: string; data: { task?: string } }) =>
        event === 'attempt.succeeded' && id === 'ask',
    )
    expect(data).toMatchObject({ usage })
    expect(await tokens(run.workflow)).toEqual([
      `orchestrator_inference_tokens_total{workflow="${run.workflow}",direction="input"} 9`,
      `orchestrator_inference_tokens_total{workflow="${run.workflow}",direction="output"} 4`,
    ])
  })

  test('that fails has cost its tokens all the same, and so has each attempt', async () => {
    fakeUpstream(() => Response.json(completion('no JSON')))
    const run = await ran([
      ask(
        { messages: [{ role: 'user', content: 'x' }], response_schema: {} },
        { retry: { max_attempts: 2, initial_interval: '1ms' } },
      ),
    ])
    expect(run).toMatchObject({ status: 'failed', error: { code: 'inference_schema' } })
    const usage = { input_tokens: 18, output_tokens: 8 }
    expect(run.tasks[0].attempts).toMatchObject([{ usage }, { usage }])
    expect(await tokens(run.workflow)).toMatchObject([/ 36$/, / 16$/].map((end) => expect.stringMatching(end)))
  })

  test('waits for a busy server as long as its limits say, and spends no attempt', async () => {
    const upstream = fakeUpstream((_, number) =>
      number < 3
        ? Response.json(
            { error: { message: 'Rate limit reached' } },
            { status: 429, headers: { 'x-ratelimit-reset-requests': '20ms' } },
          )
        : Response.json(completion('at last')),
    )
    const run = await ran([ask({ prompt: 'x' }, { retry: { max_attempts: 2, initial_interval: '1ms' } })])
    expect(run).toMatchObject({ status: 'succeeded', output: { ask: { text: 'at last' } } })
    expect(run.tasks[0].attempts).toMatchObject([
      { number: 1, status: 'snoozed', error: { code: 'http_429' } },
      { number: 1, status: 'snoozed' },
      { number: 1, status: 'succeeded' },
    ])
    expect(upstream.requests).toHaveLength(3)
  })

  test('is sent with the key that a secret holds, which nothing shows', async () => {
    const value = 'sk-0123456789abcdef'
    expect((await call('PUT', '/v1/secrets/MODEL_KEY', { body: { value } })).status).toBe(201)
    const upstream = fakeUpstream((request) =>
      Response.json(completion(`your header was ${request.headers.get('authorization')}`)),
    )
    const run = await ran([ask({ prompt: 'x', api_key: `\${{ secrets.MODEL_KEY }}` })])
    expect(upstream.requests[0]!.headers.get('authorization')).toBe(`Bearer ${value}`)
    expect(run.output.ask.text).toBe('your header was Bearer ***')
    for (const path of ['', '/history', '/tasks/ask']) {
      expect((await get(`/v1/runs/${run.id}${path}`)).text).not.toContain(value)
    }
  })

  test('can be asked of each item of a map', async () => {
    fakeUpstream(async (request) => Response.json(completion(`${(await request.json<{ prompt: string }>()).prompt}!`)))
    const run = await ran([
      {
        id: 'all',
        type: 'map',
        with: {
          items: ['a', 'b', 'c'],
          task: { type: 'inference', with: { base_url: 'https://models.test/v1', model: 'm', prompt: `\${{ item }}` } },
        },
      },
    ])
    expect(run.output.all.map(({ text }: { text: string }) => text)).toEqual(['a!', 'b!', 'c!'])
    const { body } = await get(`/v1/runs/${run.id}/tasks/all/items`)
    expect(body.items[2].attempts).toMatchObject([{ usage: { input_tokens: 9, output_tokens: 4 } }])
    expect(await tokens(run.workflow)).toMatchObject([/ 27$/, / 12$/].map((end) => expect.stringMatching(end)))
  })

  test('of faults is refused at registration, each at its place', async () => {
    const tasks = [ask({ prompt: 'x', input: 'y', temperature: 3, response_schema: { type: 'objekt' }, binding: 'AI' })]
    const { status, body } = await post('/v1/workflows', { name: aName(), tasks })
    expect(status).toBe(422)
    expect(body.errors.map(({ path, code }: { path: string; code: string }) => `${path} ${code}`).sort()).toEqual([
      '/tasks/0/with/base_url conflicting_fields',
      '/tasks/0/with/input conflicting_fields',
      '/tasks/0/with/response_schema conflicting_fields',
      '/tasks/0/with/response_schema/type invalid_value',
      '/tasks/0/with/temperature out_of_bounds',
    ])
  })

  test('can be tried without a workflow', async () => {
    fakeUpstream(() => Response.json(completion('Hello')))
    const { body } = await post('/v1/task-types/inference/try', {
      with: { base_url: 'https://models.test/v1', model: 'm', prompt: `\${{ input }}` },
      input: 'Hi',
    })
    expect(body).toMatchObject({ status: 'succeeded', output: { text: 'Hello' } })
    const missing = await post('/v1/task-types/inference/try', { with: { binding: 'AI', model: 'm', prompt: 'x' } })
    expect(missing.body).toMatchObject({ status: 'failed', error: { code: 'binding_missing', retryable: false } })
  })
})
