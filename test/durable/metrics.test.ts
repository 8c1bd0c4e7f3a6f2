// Figures are exact: over all shards, after evictions and crashes, and whoever scrapes how often. And their text is what the
// two formats ask for; promtool has the last word on that (test/system/metrics.test.ts).

import { abortAllDurableObjects, evictAllDurableObjects } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { CircuitRecord } from '../../durable/gate/gate-rpc.ts'
import { render } from '../../durable/metrics/exposition.ts'
import { noCounts, type SourceFigures } from '../../durable/runner/counts.ts'
import { aDefinition } from '../support/builders.ts'
import { fakeUpstream, silence } from '../support/fake-upstream.ts'
import { aTenant, type TestTenant } from '../support/runner.ts'

afterEach(() => vi.restoreAllMocks())

async function scrape(tenant: TestTenant, accept = 'text/plain'): Promise<{ text: string; type: string | null }> {
  const metrics = env.METRICS.get(env.METRICS.idFromName(tenant.name))
  const response = await metrics.fetch('http://metrics/metrics', { headers: { accept } })
  return { text: await response.text(), type: response.headers.get('content-type') }
}

async function seriesValue(tenant: TestTenant, series: string): Promise<number | null> {
  const line = (await scrape(tenant)).text.split('\n').find((text) => text.startsWith(`orchestrator_${series} `))
  return line === undefined ? null : Number(line.slice(line.lastIndexOf(' ')))
}

const SUCCEEDED = 'runs_total{workflow="wf",status="succeeded"}'

describe('figures', () => {
  test('of no run at all are families at 0', async () => {
    const { text } = await scrape(aTenant())
    expect(text).toContain('# TYPE orchestrator_runs_total counter')
    expect(text).toContain('orchestrator_deadlocks_total 0\n')
    expect(text).toContain('orchestrator_runs_active 0\n')
  })

  test('are summed over shards, and a run whose end was answered is in the next scrape', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }))
    for (let run = 1; run <= 12; run++) {
      await tenant.runner(run % 3).start(tenant.start('wf'))
      expect(await seriesValue(tenant, SUCCEEDED)).toBe(run)
    }
  })

  test('outlive evictions and crashes of Runners and of Metrics', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ 'a?': [] }))
    for (let run = 1; run <= 6; run++) {
      await tenant.runner(run % 2).start(tenant.start('wf'))
      await (run % 3 === 0 ? abortAllDurableObjects() : evictAllDurableObjects())
    }
    expect(await seriesValue(tenant, SUCCEEDED)).toBe(6)
    await evictAllDurableObjects()
    expect(await seriesValue(tenant, SUCCEEDED)).toBe(6)
  })

  test('of a run that was live at a scrape are there after its end, though it was not marked again', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [] }))
    let isOpen = false
    const { requests } = fakeUpstream(async () => {
      while (!isOpen) await new Promise((resolve) => setTimeout(resolve, 1))
      return Response.json({})
    })
    const start = tenant.start('wf', { waitMs: 0 })
    await tenant.runner().start(start)
    await vi.waitFor(() => expect(requests).toHaveLength(1))
    expect(await seriesValue(tenant, 'runs_active')).toBe(1)
    expect(await seriesValue(tenant, 'tasks_running')).toBe(1)
    isOpen = true
    await tenant.runner().get(start.runId, 5_000)
    expect(await seriesValue(tenant, SUCCEEDED)).toBe(1)
    expect(await seriesValue(tenant, 'runs_active')).toBe(0)
    expect(await seriesValue(tenant, 'task_attempts_total{type="http",outcome="succeeded"}')).toBe(1)
    expect(await seriesValue(tenant, 'task_duration_seconds_count{workflow="wf",type="http"}')).toBe(1)
  })

  test('tell failures by code, deadlocks and time-outs', async () => {
    const tenant = aTenant()
    await tenant.register(aDefinition({ a: [] }))
    await tenant.register(aDefinition({ 'a?': ['a'] }, { name: 'stuck' }))
    await tenant.register(aDefinition({ a: [] }, { name: 'slow', timeout: '20ms' }))
    fakeUpstream(() => new Response('no', { status: 503 }))
    await tenant.runner().start(tenant.start('wf'))
    await tenant.runner().start(tenant.start('stuck'))
    fakeUpstream(silence)
    await tenant.runner().start(tenant.start('slow'))
    expect(await seriesValue(tenant, 'run_errors_total{workflow="wf",code="http_503"}')).toBe(1)
    expect(await seriesValue(tenant, 'deadlocks_total')).toBe(1)
    expect(await seriesValue(tenant, 'run_timeouts_total')).toBe(1)
    expect(await seriesValue(tenant, 'run_errors_total{workflow="slow",code="run_timeout"}')).toBe(1)
  })

  test('of requests are added up by route and status, and outlive the object', async () => {
    const tenant = aTenant()
    const metrics = () => env.METRICS.get(env.METRICS.idFromName(tenant.name))
    await metrics().countRequests([
      { route: '/v1/run', status: 200, durationMs: 3 },
      { route: '/v1/run', status: 404, durationMs: 1 },
    ])
    await evictAllDurableObjects()
    await metrics().countRequests([{ route: '/v1/run', status: 200, durationMs: 40 }])
    expect(await seriesValue(tenant, 'requests_total{route="/v1/run",code="200"}')).toBe(2)
    expect(await seriesValue(tenant, 'requests_total{route="/v1/run",code="404"}')).toBe(1)
    expect(await seriesValue(tenant, 'request_duration_seconds_bucket{route="/v1/run",le="0.005"}')).toBe(2)
    expect(await seriesValue(tenant, 'request_duration_seconds_sum{route="/v1/run"}')).toBe(0.044)
  })

  test('other paths of the object are none of its business', async () => {
    const metrics = env.METRICS.get(env.METRICS.idFromName(aTenant().name))
    expect((await metrics.fetch('http://metrics/other')).status).toBe(404)
  })
})

describe('the text', () => {
  const figures = (workflow: string): SourceFigures => {
    const counts = noCounts()
    counts.runs.succeeded = 2
    counts.duration.buckets[0] = 1
    counts.duration.buckets[3] = 1
    counts.duration.sumMs = 8
    return { counts: { [workflow]: counts }, runsActive: 1, tasksRunning: 0 }
  }

  test('of histograms is cumulative, in seconds, and ends with +Inf', () => {
    const text = render({ sources: [figures('wf'), figures('wf')], requests: {}, circuits: [] }, false)
    const lines = text.split('\n').filter((line) => line.startsWith('orchestrator_run_duration_seconds_'))
    expect(lines[0]).toBe('orchestrator_run_duration_seconds_bucket{workflow="wf",le="0.001"} 2')
    expect(lines).toContain('orchestrator_run_duration_seconds_bucket{workflow="wf",le="0.01"} 4')
    expect(lines.slice(-3)).toEqual([
      'orchestrator_run_duration_seconds_bucket{workflow="wf",le="+Inf"} 4',
      'orchestrator_run_duration_seconds_sum{workflow="wf"} 0.016',
      'orchestrator_run_duration_seconds_count{workflow="wf"} 4',
    ])
  })

  test('differs between the formats where they differ', async () => {
    const open = render({ sources: [figures('wf')], requests: {}, circuits: [] }, true)
    expect(open).toContain('# TYPE orchestrator_runs counter\n')
    expect(open).toContain('# UNIT orchestrator_run_duration_seconds seconds\n')
    expect(open).toContain('# TYPE orchestrator_build info\n')
    expect(open.endsWith('# EOF\n')).toBe(true)
    const plain = render({ sources: [figures('wf')], requests: {}, circuits: [] }, false)
    expect(plain).toContain('# TYPE orchestrator_runs_total counter\n')
    expect(plain).not.toContain('# UNIT')
    expect(plain).not.toContain('# EOF')
    const tenant = aTenant()
    expect((await scrape(tenant)).type).toBe('text/plain; version=0.0.4; charset=utf-8')
    const asked = await scrape(tenant, 'application/openmetrics-text; version=1.0.0, text/plain;q=0.5')
    expect(asked.type).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
  })

  test('gives at most 200 workflows a name of their own', () => {
    const sources = Array.from({ length: 300 }, (_, index) => figures(`wf${index}`))
    const names = new Set(
      [
        ...render({ sources: sources, requests: {}, circuits: [] }, false).matchAll(/runs_total\{workflow="([^"]+)"/g),
      ].map(([, name]) => name),
    )
    expect(names.size).toBe(201)
    expect(names).toContain('_other')
  })

  test('shows circuits as numbers, 200 by name and the worst of the rest', () => {
    const record = (name: string, state: CircuitRecord['state']): CircuitRecord => {
      return { revision: 1, name, state, openings: 1, retryAt: null, changedAt: 0, cause: null }
    }
    const few = [record('https://a.test', 'open'), record('b', 'half_open'), record('c', 'closed')]
    expect(render({ sources: [], requests: {}, circuits: few }, false)).toContain(
      `${['https://a.test"} 2', 'b"} 1', 'c"} 0'].map((end) => `orchestrator_circuit_state{target="${end}`).join('\n')}\n`,
    )
    const many = Array.from({ length: 250 }, (_, index) => record(`t${index}`, index === 249 ? 'half_open' : 'closed'))
    const text = render({ sources: [], requests: {}, circuits: many }, false)
    expect(text.match(/circuit_state\{/g)).toHaveLength(201)
    expect(text).toContain('orchestrator_circuit_state{target="_other"} 1\n')
  })

  test('escapes what a label may not hold as it is', () => {
    expect(render({ sources: [figures('a"b\\c\nd')], requests: {}, circuits: [] }, false)).toContain(
      'workflow="a\\"b\\\\c\\nd"',
    )
  })
})
