// The figures of all Runners as text that Prometheus reads.
// @see Prometheus text exposition format 0.0.4; OpenMetrics 1.0 (`# UNIT`, counters named without `_total` in `# TYPE`, `# EOF`)
//
// Written out rather than taken from a client library: those keep registries of live instruments in a process, and here the
// figures are sums of what sixteen objects have stored.

import packageJson from '../../package.json' with { type: 'json' }
import type { CircuitRecord } from '../gate/gate-rpc.ts'
import {
  BUCKETS,
  emptyHistogram,
  type Histogram,
  MAX_WORKFLOWS,
  noCounts,
  OTHER,
  type RouteCounts,
  type SourceFigures,
  type WorkflowCounts,
} from '../runner/counts.ts'

type Labels = Record<string, string>

/** One line of a family, without its name's prefix and base. */
interface Sample {
  suffix: string
  labels: Labels
  value: number
}

interface Family {
  name: string
  type: 'counter' | 'gauge' | 'histogram' | 'info'
  unit?: 'seconds'
  help: string
  samples: Sample[]
}

/** Targets that get a series of their own. */
const MAX_TARGETS = 200

const PREFIX = 'orchestrator_'

/** All that a scrape shows. */
export interface Figures {
  sources: readonly SourceFigures[]
  /** Answers of the API, by route. */
  requests: Readonly<Record<string, RouteCounts>>
  /** Those that are not closed first. */
  circuits: readonly CircuitRecord[]
}

/** The figures as text, in one of the two formats that Prometheus reads. */
export function render(figures: Figures, isOpenMetrics: boolean): string {
  const lines = familiesOf(figures).flatMap((family) => linesOf(family, isOpenMetrics))
  return `${[...lines, ...(isOpenMetrics ? ['# EOF'] : [])].join('\n')}\n`
}

function familiesOf({ sources, requests, circuits }: Figures): Family[] {
  const workflows = sumOverSources(sources)
  const total = (of: (counts: WorkflowCounts) => number) =>
    [...workflows.values()].reduce((sum, counts) => sum + of(counts), 0)
  const each = (of: (counts: WorkflowCounts, workflow: string) => Sample[]) =>
    [...workflows].flatMap(([workflow, counts]) => of(counts, workflow))
  const single = (value: number): Sample[] => [{ suffix: '', labels: {}, value }]

  const attempts: Record<string, number> = {}
  const retries: Record<string, number> = {}
  for (const counts of workflows.values()) {
    addAll(attempts, counts.attempts)
    addAll(retries, counts.retries)
  }

  return [
    counter(
      'runs',
      'Runs that have ended, by their final status.',
      each(({ runs }, workflow) => samplesOf(runs, (status) => ({ workflow, status }))),
    ),
    counter(
      'run_errors',
      'Runs that ended failed or timed out, by the code of their error.',
      each(({ errors }, workflow) => samplesOf(errors, (code) => ({ workflow, code }))),
    ),
    histogram(
      'run_duration_seconds',
      'From the start of a run to its end.',
      each(({ duration }, workflow) => bucketsOf(duration, { workflow })),
    ),
    histogram(
      'task_duration_seconds',
      'From the first attempt of a task to its end; placeholders are left out.',
      each(({ tasks }, workflow) => Object.entries(tasks).flatMap(([type, of]) => bucketsOf(of, { workflow, type }))),
    ),
    counter(
      'task_attempts',
      'Attempts of tasks in ended runs, by outcome.',
      samplesOf(attempts, (key) => ({ type: key.split('/')[0]!, outcome: key.split('/')[1]! })),
    ),
    counter(
      'task_retries',
      'Attempts of tasks in ended runs after which another was made, by the code that they ended with.',
      samplesOf(retries, (key) => ({ type: key.split('/')[0]!, code: key.split('/')[1]! })),
    ),
    counter(
      'inference_tokens',
      'Tokens of language models that the tasks of ended runs took: input (questions) and output (answers).',
      each(({ tokens }, workflow) =>
        Object.entries(tokens).flatMap(([direction, value]) =>
          value === 0 ? [] : [{ suffix: '', labels: { workflow, direction }, value }],
        ),
      ),
    ),
    counter('deadlocks', 'Runs that ended in a deadlock.', single(total(({ errors }) => errors.deadlock ?? 0))),
    counter(
      'run_timeouts',
      'Runs that were not done within their timeout.',
      single(total(({ runs }) => runs.timed_out ?? 0)),
    ),
    gauge(
      'runs_active',
      'Runs that have not ended.',
      single(sources.reduce((sum, { runsActive }) => sum + runsActive, 0)),
    ),
    gauge(
      'tasks_running',
      'Attempts under way.',
      single(sources.reduce((sum, { tasksRunning }) => sum + tasksRunning, 0)),
    ),
    gauge(
      'circuit_state',
      'Circuits that have opened in the last day: 0 closed, 1 half-open, 2 open.',
      circuitSamples(circuits),
    ),
    counter(
      'requests',
      'Answers of the API, by route and HTTP status.',
      Object.entries(requests).flatMap(([route, { codes }]) => samplesOf(codes, (code) => ({ route, code }))),
    ),
    histogram(
      'request_duration_seconds',
      'From the arrival of a request to its answer, waiting for the end of a run included.',
      Object.entries(requests).flatMap(([route, { duration }]) => bucketsOf(duration, { route })),
    ),
    counter(
      'rows_read',
      'Rows that Runners have read, up to their last ended run.',
      single(total(({ rows }) => rows.read)),
    ),
    counter(
      'rows_written',
      'Rows that Runners have written, moved alarms included, up to their last ended run.',
      single(total(({ rows }) => rows.written)),
    ),
    {
      name: 'build',
      type: 'info',
      help: 'The release that answers.',
      samples: [{ suffix: '_info', labels: { version: packageJson.version }, value: 1 }],
    },
  ]
}

const CIRCUIT_STATES = { closed: 0, half_open: 1, open: 2 } as const

/** The first MAX_TARGETS by name; of the rest, the state of the one that is worst off. */
function circuitSamples(circuits: readonly CircuitRecord[]): Sample[] {
  const samples = circuits.slice(0, MAX_TARGETS).map(({ name, state }): Sample => {
    return { suffix: '', labels: { target: name }, value: CIRCUIT_STATES[state] }
  })
  const rest = circuits.slice(MAX_TARGETS).map(({ state }) => CIRCUIT_STATES[state])
  return rest.length === 0 ? samples : [...samples, { suffix: '', labels: { target: OTHER }, value: Math.max(...rest) }]
}

function counter(name: string, help: string, samples: Sample[]): Family {
  return { name, type: 'counter', help, samples: samples.map((sample) => ({ ...sample, suffix: '_total' })) }
}

function gauge(name: string, help: string, samples: Sample[]): Family {
  return { name, type: 'gauge', help, samples }
}

function histogram(name: string, help: string, samples: Sample[]): Family {
  return { name, type: 'histogram', unit: 'seconds', help, samples }
}

/** The text formats differ in the name that TYPE and HELP carry: Prometheus names the sample, OpenMetrics the family. */
function linesOf({ name, type, unit, help, samples }: Family, isOpenMetrics: boolean): string[] {
  const base = PREFIX + name
  const isPlainCounter = !isOpenMetrics && type === 'counter'
  const isPlainInfo = !isOpenMetrics && type === 'info'
  const named = isPlainCounter ? `${base}_total` : isPlainInfo ? `${base}_info` : base
  return [
    `# HELP ${named} ${help}`,
    `# TYPE ${named} ${isPlainInfo ? 'gauge' : type}`,
    ...(isOpenMetrics && unit !== undefined ? [`# UNIT ${named} ${unit}`] : []),
    ...samples.map(({ suffix, labels, value }) => `${base}${suffix}${labelText(labels)} ${value}`),
  ]
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function samplesOf(counts: Record<string, number>, labels: (key: string) => Labels): Sample[] {
  return Object.entries(counts).map(([key, value]) => ({ suffix: '', labels: labels(key), value }))
}

/** Buckets are cumulative in the text, single in the store. */
function bucketsOf({ buckets, sumMs }: Histogram, labels: Labels): Sample[] {
  let count = 0
  const samples = buckets.map((observed, index): Sample => {
    count += observed
    const le = index < BUCKETS.length ? String(BUCKETS[index]) : '+Inf'
    return { suffix: '_bucket', labels: { ...labels, le }, value: count }
  })
  return [...samples, { suffix: '_sum', labels, value: sumMs / 1_000 }, { suffix: '_count', labels, value: count }]
}

/** The sum over all Runners, by workflow; beyond MAX_WORKFLOWS the rest shares one name. */
function sumOverSources(sources: readonly SourceFigures[]): Map<string, WorkflowCounts> {
  const sums = new Map<string, WorkflowCounts>()
  for (const { counts } of sources) {
    for (const [workflow, figures] of Object.entries(counts)) {
      const key = sums.has(workflow) || sums.size < MAX_WORKFLOWS ? workflow : OTHER
      const sum = sums.get(key) ?? noCounts()
      sums.set(key, sum)
      addAll(sum.runs, figures.runs)
      addAll(sum.errors, figures.errors)
      addAll(sum.attempts, figures.attempts)
      addAll(sum.retries, figures.retries ?? {})
      sum.tokens.input += figures.tokens?.input ?? 0
      sum.tokens.output += figures.tokens?.output ?? 0
      addHistogram(sum.duration, figures.duration)
      for (const [type, histogram] of Object.entries(figures.tasks)) {
        sum.tasks[type] ??= emptyHistogram()
        addHistogram(sum.tasks[type], histogram)
      }
      sum.rows.read += figures.rows.read
      sum.rows.written += figures.rows.written
    }
  }
  return sums
}

function addAll(to: Record<string, number>, from: Record<string, number>): void {
  for (const [key, value] of Object.entries(from)) to[key] = (to[key] ?? 0) + value
}

function addHistogram(to: Histogram, from: Histogram): void {
  from.buckets.forEach((value, index) => {
    to.buckets[index] = (to.buckets[index] ?? 0) + value
  })
  to.sumMs += from.sumMs
}
