// `npm run demo`: boots the real Worker on embedded storage, registers three workflows, runs them, and shows what happened:
// each run as a table with a bar per task on a time axis, and the metrics that changed. Leaves nothing running or behind.

import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serve } from '../bench/serve.ts'

interface Task {
  id: string
  type: string
  status: string
  placeholder?: boolean
  started_at: string | null
  duration_ms: number | null
  attempts: unknown[]
}

interface Run {
  id: string
  workflow: string
  version: number
  status: string
  started_at: string
  duration_ms: number
  output: unknown
  error: unknown
  tasks: Task[]
}

const AXIS = 40

const folder = mkdtempSync(join(tmpdir(), 'edge-orchestrator-demo-'))
const api = await serveApi()
let worker: Awaited<ReturnType<typeof serve>> | undefined
try {
  say('Building the Worker and starting it on embedded storage ...')
  worker = await serve('wrangler.toml', folder, { AUTH: 'none', EGRESS_ALLOW: '127.0.0.0/8' })
  say(`It listens on ${worker.url}; a small JSON API for it to call on ${urlOf(api)}.\n`)
  const before = await metrics(worker.url)
  const input = { api: urlOf(api), customer: 'c-7' }
  for (const [file, start] of [
    ['examples/invoice.json', { workflow: 'invoice', input }],
    ['examples/analyze.json', { workflow: 'analyze', input }],
    ['examples/nightly-report.json', { workflow: 'nightly-report' }],
  ] as const) {
    const registered = await post<{ name: string; version: number; warnings?: unknown[] }>(
      `${worker.url}/v1/workflows`,
      readFileSync(file, 'utf8'),
    )
    const warned = registered.warnings === undefined ? '' : `, ${registered.warnings.length} warnings (placeholders)`
    say(`POST /v1/workflows  ${file}  ->  ${registered.name} version ${registered.version}${warned}`)
    const run = await post<Run>(`${worker.url}/v1/run`, JSON.stringify(start))
    say(`POST /v1/run        ${JSON.stringify({ workflow: run.workflow })}  ->  ${run.id}\n`)
    show(run)
    if (run.status !== 'succeeded') throw new Error(`the run of ${run.workflow} ended ${run.status}`)
  }
  say('Metrics that changed (GET /metrics):')
  const after = await metrics(worker.url)
  for (const [series, value] of after) {
    if (value !== (before.get(series) ?? 0)) say(`  ${series} ${value}`)
  }
} finally {
  await worker?.stop()
  api.close()
  rmSync(folder, { recursive: true, force: true })
}

function show(run: Run): void {
  const begun = Date.parse(run.started_at)
  const total = Math.max(1, run.duration_ms)
  const width = Math.max(...run.tasks.map(({ id }) => id.length))
  say(`  ${run.workflow}@${run.version}  ${run.status} in ${run.duration_ms} ms`)
  for (const task of run.tasks) {
    const from = task.started_at === null ? 0 : Math.round(((Date.parse(task.started_at) - begun) / total) * AXIS)
    const length = Math.max(1, Math.round(((task.duration_ms ?? 0) / total) * AXIS))
    const bar = `${' '.repeat(Math.min(from, AXIS - 1))}${'█'.repeat(Math.min(length, AXIS - Math.min(from, AXIS - 1)))}`
    const type = task.placeholder === true ? `${task.type} (placeholder)` : task.type
    const took = `${task.duration_ms ?? 0} ms`
    say(
      `  ${task.id.padEnd(width)}  ${type.padEnd(23)}  ${task.status.padEnd(9)} ${took.padStart(7)} |${bar.padEnd(AXIS)}|`,
    )
  }
  say(`  output: ${JSON.stringify(run.output)}\n`)
}

async function post<T>(url: string, body: string): Promise<T> {
  const response = await fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
  const answer = await response.text()
  if (!response.ok) throw new Error(`POST ${url} answered ${response.status}: ${answer}`)
  return JSON.parse(answer) as T
}

/** The counters and gauges by series; histograms show by their count. */
async function metrics(url: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#') && !line.includes('_bucket{'))
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at), Number(line.slice(at + 1))]
    }),
  )
}

/** What the first workflow calls: it takes its time, so that the bars show what ran beside what. */
async function serveApi(): Promise<Server> {
  const answers: Record<string, { after: number; status: number; body: unknown }> = {
    'GET /customers/c-7': { after: 60, status: 200, body: { id: 'c-7', email: 'ada@example.com' } },
    'GET /orders': {
      after: 120,
      status: 200,
      body: [
        { sku: 'keyboard', amount: 90 },
        { sku: 'cable', amount: 9 },
      ],
    },
    'GET /rates/EUR': { after: 40, status: 200, body: { currency: 'EUR', rate: 0.92 } },
    'GET /timings': {
      after: 30,
      status: 200,
      body: [41, 39, 44, 40, 38, 43, 41, 42, 40, 190].map((ms, n) => ({ path: `/items/${n}`, ms })),
    },
    'POST /invoices': { after: 80, status: 201, body: { id: 'inv-2041' } },
  }
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://api').pathname
    const answer = answers[`${request.method} ${path}`] ?? { after: 0, status: 404, body: { error: 'not found' } }
    request.resume()
    setTimeout(() => {
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body))
    }, answer.after)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
