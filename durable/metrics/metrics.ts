// Metrics: one Durable Object a tenant. Knows which Runners have figures that it has not seen, asks just those when it is
// scraped, and sums. Figures are absolute, kept per Runner: one that is told twice counts once. Also lists the circuits that
// have opened, as their Gates told last.

import { DurableObject } from 'cloudflare:workers'
import { AutoRouter } from 'itty-router'
import type { Env } from '../../src/env.ts'
import { runnerOf } from '../../src/objects.ts'
import type { CircuitRecord } from '../gate/gate-rpc.ts'
import { migrate } from '../migrate.ts'
import { Rows } from '../rows.ts'
import {
  emptyHistogram,
  increment,
  observe,
  type RequestCount,
  type RouteCounts,
  type SourceFigures,
} from '../runner/counts.ts'
import { CIRCUIT_LIST_TABLE, CircuitList } from './circuit-list.ts'
import { render } from './exposition.ts'

const MIGRATIONS = [
  `CREATE TABLE sources (shard INTEGER PRIMARY KEY, figures TEXT NOT NULL);
   CREATE TABLE marks (shard INTEGER PRIMARY KEY);
   CREATE TABLE requests (route TEXT PRIMARY KEY, figures TEXT NOT NULL) WITHOUT ROWID;`,
  CIRCUIT_LIST_TABLE,
] as const

/** OpenMetrics is asked for by name; everything else gets the text format that every scraper reads. */
const OPEN_METRICS = 'application/openmetrics-text'

/** The Durable Object that sums the figures of a tenant's Runners and lists its circuits. */
export class Metrics extends DurableObject<Env> {
  readonly #rows: Rows
  readonly #circuits: CircuitList
  readonly #router = AutoRouter()

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    migrate(ctx.storage.sql, MIGRATIONS)
    this.#rows = new Rows(ctx.storage.sql)
    this.#circuits = new CircuitList(this.#rows)
    this.#router.get('/metrics', async ({ headers }: Request) => {
      const isOpen = (headers.get('accept') ?? '').includes(OPEN_METRICS)
      const contentType = isOpen
        ? `${OPEN_METRICS}; version=1.0.0; charset=utf-8`
        : 'text/plain; version=0.0.4; charset=utf-8'
      const figures = { sources: await this.#figures(), requests: this.#requests(), circuits: this.#circuits.all() }
      return new Response(render(figures, isOpen), { headers: { 'content-type': contentType } })
    })
  }

  /** Answers a scrape: asks the Runners that have new figures, and gives the sums as text. */
  override fetch(request: Request): Promise<Response> {
    return this.#router.fetch(request)
  }

  /** A Runner is about to have figures that were not seen here. Written before it answers, so a scrape finds it. */
  async mark(shard: number): Promise<void> {
    this.#rows.run('INSERT OR IGNORE INTO marks (shard) VALUES (?)', shard)
  }

  /** A Gate tells of a transition. A repeat, or news that was overtaken, changes nothing. */
  async circuitChanged(circuit: CircuitRecord): Promise<void> {
    this.#circuits.put(circuit, Date.now())
  }

  /** Circuits that have opened, by name, from the one after `after`. */
  async circuits(after: string | null, limit: number): Promise<{ items: CircuitRecord[]; next: string | null }> {
    const rows = this.#circuits.page(after ?? '', limit + 1)
    const items = rows.slice(0, limit)
    return { items, next: rows.length > limit ? items.at(-1)!.name : null }
  }

  /** Whether a circuit of this name is listed, so that it can be reset. */
  async hasCircuit(name: string): Promise<boolean> {
    return this.#circuits.has(name)
  }

  /** Adds what an isolate of the Worker has answered. One row a route that was called. */
  async countRequests(counts: readonly RequestCount[]): Promise<void> {
    const requests = this.#requests()
    const touched = new Set<string>()
    for (const { route, status, durationMs } of counts) {
      requests[route] ??= { codes: {}, duration: emptyHistogram() }
      increment(requests[route].codes, String(status))
      observe(requests[route].duration, durationMs)
      touched.add(route)
    }
    for (const route of touched) {
      this.#rows.run(
        'INSERT OR REPLACE INTO requests (route, figures) VALUES (?, ?)',
        route,
        JSON.stringify(requests[route]),
      )
    }
  }

  #requests(): Record<string, RouteCounts> {
    const rows = this.#rows.all<{ route: string; figures: string }>(
      'SELECT route, figures FROM requests ORDER BY route',
    )
    return Object.fromEntries(rows.map(({ route, figures }) => [route, JSON.parse(figures) as RouteCounts]))
  }

  async #figures(): Promise<SourceFigures[]> {
    const marked = this.#rows.all<{ shard: number }>('SELECT shard FROM marks')
    await Promise.all(marked.map(({ shard }) => this.#ask(shard)))
    const sources = this.#rows.all<{ figures: string }>('SELECT figures FROM sources ORDER BY shard')
    return sources.map(({ figures }) => JSON.parse(figures) as SourceFigures)
  }

  async #ask(shard: number): Promise<void> {
    // Taken away before the question: a mark that comes while the Runner answers is about something newer, and stays.
    this.#rows.run('DELETE FROM marks WHERE shard = ?', shard)
    try {
      const runner = runnerOf(this.env, this.ctx.id.name!, shard)
      const { isSettled, ...figures } = await runner.counts()
      this.#rows.run('INSERT OR REPLACE INTO sources (shard, figures) VALUES (?, ?)', shard, JSON.stringify(figures))
      if (!isSettled) await this.mark(shard)
    } catch (error) {
      // Last seen figures are shown; the mark asks again at the next scrape.
      await this.mark(shard)
      console.error(JSON.stringify({ event: 'metrics_source_failed', shard, message: String(error) }))
    }
  }
}
