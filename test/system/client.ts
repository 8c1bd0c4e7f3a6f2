// A client of the HTTP API, as the tests need it: plain requests, and what every test does with them.

import { setTimeout as later } from 'node:timers/promises'

export interface Attempt {
  number: number
  status: string
  started_at: string
  finished_at: string | null
  error?: { code: string; message: string }
}

export interface TaskView {
  id: string
  status: string
  skip_reason?: string
  waiting?: { for: string; until?: string }
  output: unknown
  output_omitted?: true
  output_bytes?: number
  child_run?: string
  items?: Record<string, number>
  error: { code: string; message: string; retryable: boolean } | null
  attempts: Attempt[]
}

export interface RunView {
  id: string
  workflow: string
  version: number
  status: string
  error: { code: string; message: string; task_id?: string } | null
  output: unknown
  created_at: string
  started_at: string
  finished_at: string | null
  deadline_at: string | null
  duration_ms: number | null
  progress: Record<string, number>
  tasks: TaskView[]
}

export interface HistoryEvent {
  id: number
  event: string
  data: { at: string; task?: string; attempt?: number; [field: string]: unknown }
}

export interface Answer<T> {
  status: number
  headers: Headers
  body: T
}

const FINAL = new Set(['succeeded', 'failed', 'cancelled', 'timed_out'])

export function isFinal(run: { status: string }): boolean {
  return FINAL.has(run.status)
}

export class Client {
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  /** @throws if the server cannot be reached or goes away before its answer is whole */
  async request<T>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json') ?? false
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as T }
  }

  async register(definition: unknown): Promise<{ version: number }> {
    const { status, body } = await this.request<{ version: number }>('POST', '/v1/workflows', definition)
    if (status !== 201 && status !== 200)
      throw new Error(`registering answered ${status} ${JSON.stringify(body).slice(0, 2_000)}`)
    return body
  }

  start(body: Record<string, unknown>, headers: Record<string, string> = {}): Promise<Answer<RunView>> {
    return this.request('POST', '/v1/run', body, headers)
  }

  /** Registers a workflow of these tasks, runs it to its end and says how it ended. */
  async runTasks(name: string, tasks: unknown[], rest: Record<string, unknown> = {}): Promise<RunView> {
    await this.register({ name, tasks, ...rest })
    const { status, body } = await this.start({ workflow: name })
    if (status !== 200) throw new Error(`the start answered ${status} ${JSON.stringify(body)}`)
    return body
  }

  async run(id: string): Promise<RunView> {
    const { status, body } = await this.request<RunView>('GET', `/v1/runs/${id}`)
    if (status !== 200) throw new Error(`run ${id} answered ${status} ${JSON.stringify(body)}`)
    return body
  }

  async ended(id: string): Promise<RunView> {
    for (;;) {
      const { body } = await this.request<RunView>('GET', `/v1/runs/${id}`, undefined, { prefer: 'wait=10' })
      if (isFinal(body)) return body
    }
  }

  history(id: string): Promise<HistoryEvent[]> {
    return this.#pages(`/v1/runs/${id}/history?`)
  }

  /** Every run that the listing shows, newest first. */
  runs(filter = ''): Promise<RunView[]> {
    return this.#pages(`/v1/runs?${filter}`)
  }

  async #pages<T>(path: string): Promise<T[]> {
    const items: T[] = []
    for (let cursor = ''; ; ) {
      const page = await this.request<{ items: T[]; next_cursor: string | null }>('GET', `${path}&limit=200${cursor}`)
      if (page.status !== 200) throw new Error(`${path} answered ${page.status} ${JSON.stringify(page.body)}`)
      items.push(...page.body.items)
      if (page.body.next_cursor === null) return items
      cursor = `&cursor=${encodeURIComponent(page.body.next_cursor)}`
    }
  }
}

/** Within so long, or it throws: for events that have to come soon. */
export async function soon<T>(what: string, ms: number, event: Promise<T>): Promise<T> {
  const ended = new AbortController()
  const tooLate = later(ms, undefined, { signal: ended.signal }).then(() => {
    throw new Error(`${what} has not come within ${ms} ms`)
  })
  tooLate.catch(() => {}) // Called off below.
  try {
    return await Promise.race([event, tooLate])
  } finally {
    ended.abort()
  }
}
