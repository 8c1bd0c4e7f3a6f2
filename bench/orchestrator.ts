// The orchestrator as the bench uses it: through its HTTP API, as a client would.
// Whatever is not as promised is thrown: a figure of wrong answers is worth nothing.

import { hash32 } from '../src/workflow/hash.ts'
import { SHARDS } from '../src/workflow/run-id.ts'
import { type Answer, call } from './drive.ts'

/** The counters of the service at one moment. */
export interface RowCounts {
  written: number
  read: number
  /** Runs that have ended. */
  runs: number
}

interface RunView {
  id: string
  status: string
  duration_ms: number
  tasks: { status: string; attempts: { status: string }[] }[]
}

/** A client of the orchestrator that throws at every answer which is not as promised. */
export class Orchestrator {
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  /** Registers a workflow. */
  async register(definition: { name: string }): Promise<void> {
    const answer = await call('POST', `${this.#url}/v1/workflows`, JSON.stringify(definition))
    if (answer.status !== 201) throw new Error(`registering ${definition.name} answered ${said(answer)}`)
  }

  /** Starts a run and waits until it has succeeded. Looks at the answer's head only, since reading costs the measured machine. */
  async run(workflow: string, key?: string): Promise<void> {
    const answer = await this.#start(workflow, key)
    if (!/^\{"id":"run_.{0,300}?"status":"succeeded"/.test(answer.text))
      throw new Error(`a run of ${workflow} answered ${said(answer)}`)
  }

  /** Starts a run, waits until it has succeeded, and looks at every task. */
  async checkedRun(workflow: string, tasks: number, key?: string): Promise<RunView> {
    const answer = await this.#start(workflow, key)
    const run = JSON.parse(answer.text) as RunView
    const isWhole =
      run.tasks.length === tasks &&
      run.tasks.every(({ status, attempts }) => status === 'succeeded' && attempts.length === 1)
    if (run.status !== 'succeeded' || !isWhole) throw new Error(`a run of ${workflow} is not whole: ${said(answer)}`)
    return run
  }

  async #start(workflow: string, key?: string): Promise<Answer> {
    const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key }
    let answer = await call('POST', `${this.#url}/v1/run`, `{"workflow":"${workflow}"}`, headers)
    // A run that takes longer than a start may wait.
    while (answer.status === 202 || (answer.status === 200 && answer.text.includes('"status":"running"'))) {
      answer = await call('GET', `${this.#url}/v1/runs/${JSON.parse(answer.text).id}`, undefined, { prefer: 'wait=30' })
    }
    if (answer.status !== 200) throw new Error(`a start of ${workflow} answered ${said(answer)}`)
    return answer
  }

  /** The first page of a list. */
  async page(query: string): Promise<void> {
    const answer = await call('GET', `${this.#url}/v1/runs?limit=50&${query}`)
    if (answer.status !== 200 || !answer.text.startsWith('{"items":['))
      throw new Error(`a list answered ${said(answer)}`)
  }

  /** One run on each shard, so that none has to learn the workflow while it is measured. */
  async warm(workflow: string, tasks: number): Promise<void> {
    for (let shard = 0; shard < SHARDS; shard++) {
      const [key] = keysOf(shard, 1, `warm-${workflow}-${Date.now()}`)
      const { id } = await this.checkedRun(workflow, tasks, key)
      if (Number.parseInt(id.slice(4, 6), 16) !== shard)
        throw new Error(`${id} should be on shard ${shard}: keysOf no longer agrees with the API`)
    }
  }

  /** The counters of /metrics, summed over their labels. */
  async rows(): Promise<RowCounts> {
    const { text } = await call('GET', `${this.#url}/metrics`)
    const total = (family: string) =>
      [...text.matchAll(new RegExp(`^orchestrator_${family}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].reduce(
        (sum, [, value]) => sum + Number(value),
        0,
      )
    return { written: total('rows_written_total'), read: total('rows_read_total'), runs: total('runs_total') }
  }
}

/** Idempotency keys whose starts go to one shard: found by search, since the shard is the key's hash. */
export function keysOf(shard: number, count: number, prefix: string): string[] {
  const keys: string[] = []
  for (let n = 0; keys.length < count; n++) {
    const key = `${prefix}-${n}`
    if (hash32(key) % SHARDS === shard) keys.push(key)
  }
  return keys
}

function said({ status, text }: Answer): string {
  return `${status} ${text.slice(0, 500)}`
}
