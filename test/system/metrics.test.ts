// The figures at /metrics against what the API shows, across a crash; and the text against the tool that reads it.

import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { RunView } from './client.ts'
import { withServer } from './harness.ts'

const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0'

const { server, client, upstream } = await withServer()

async function scrape(accept = 'text/plain'): Promise<string> {
  const { status, body } = await client.request<string>('GET', '/metrics', undefined, { accept })
  expect(status).toBe(200)
  return body
}

/** Samples of a family by their labels' text. */
function samples(text: string, name: string): Record<string, number> {
  const lines = text.matchAll(new RegExp(`^orchestrator_${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))
  return Object.fromEntries([...lines].map(([, labels, value]) => [labels ?? '', Number(value)]))
}

/** The same figures, from the runs that the API shows. */
function countsOf(runs: readonly RunView[]): { runs: Record<string, number>; errors: Record<string, number> } {
  const counts: { runs: Record<string, number>; errors: Record<string, number> } = { runs: {}, errors: {} }
  const count = (of: Record<string, number>, key: string) => {
    of[key] = (of[key] ?? 0) + 1
  }
  for (const { workflow, status, error } of runs) {
    count(counts.runs, `workflow="${workflow}",status="${status}"`)
    if (error !== null) count(counts.errors, `workflow="${workflow}",code="${error.code}"`)
  }
  return counts
}

async function expectAgreement(): Promise<void> {
  const [text, runs] = [await scrape(), await client.runs()]
  const counts = countsOf(runs)
  expect(samples(text, 'runs_total')).toEqual(counts.runs)
  expect(samples(text, 'run_errors_total')).toEqual(counts.errors)
  const perWorkflow = Map.groupBy(runs, ({ workflow }) => workflow)
  for (const [workflow, of] of perWorkflow) {
    expect(samples(text, 'run_duration_seconds_count')[`workflow="${workflow}"`]).toBe(of.length)
  }
  expect(samples(text, 'runs_active')).toEqual({ '': 0 })
  expect(samples(text, 'tasks_running')).toEqual({ '': 0 })
}

/** Runs that end in every way there is, on many shards at once. */
async function load(): Promise<void> {
  const call = (id: string, path: string, depends_on: string[] = []) => ({
    id,
    type: 'http',
    depends_on,
    with: { url: upstream.at(path) },
    // Half of the calls fail on purpose; none is to be held back for that.
    breaker: false,
  })
  await client.register({ name: 'good', tasks: [call('a', 'ok'), call('b', 'ok', ['a'])] })
  await client.register({ name: 'bad', tasks: [call('a', 'status?code=503')] })
  await client.register({ name: 'late', timeout: '150ms', tasks: [call('a', 'hang')] })
  await client.register({ name: 'empty', tasks: [{ id: 'a', type: 'python' }] })
  const names = ['good', 'bad', 'late', 'empty']
  await Promise.all(Array.from({ length: 80 }, (_, n) => client.start({ workflow: names[n % names.length]! })))
}

describe('/metrics', () => {
  test('has its families before the first run', async () => {
    const text = await scrape()
    expect(samples(text, 'deadlocks_total')).toEqual({ '': 0 })
    expect(text).toContain('# TYPE orchestrator_runs_total counter')
  })

  test('agrees with the API, before and after a crash, and a scrape changes nothing', async () => {
    await load()
    await expectAgreement()
    await server.kill()
    await server.start()
    await expectAgreement()
    await load()
    await expectAgreement()
    await expectAgreement()
  })

  test('agrees when the crash came between the end of the runs and the scrape', async () => {
    await load()
    await server.kill()
    await server.start()
    await expectAgreement()
  })

  test('counts runs that were cut off by the crash once, when they have ended', async () => {
    await client.register({
      name: 'cut',
      timeout: '2s',
      tasks: [{ id: 'a', type: 'http', with: { url: upstream.at('hang') }, breaker: false }],
    })
    const from = upstream.calls.length
    const started = await Promise.all(
      Array.from({ length: 16 }, () => client.start({ workflow: 'cut' }, { prefer: 'respond-async' })),
    )
    await upstream.nextCall(({ path }) => path === '/hang', from)
    await server.kill()
    await server.start()
    await Promise.all(started.map(({ body }) => client.ended(body.id)))
    await expectAgreement()
    expect(samples(await scrape(), 'runs_total')['workflow="cut",status="timed_out"']).toBe(16)
  })

  const promtool = hasPromtool()
  if (!promtool)
    console.log('promtool is not there (Debian: apt-get install prometheus): its checks of the text are skipped')
  test.skipIf(!promtool)('is clean for promtool', async () => {
    expect(await toolSays(['check', 'metrics'], await scrape())).toEqual({ isContent: true, says: '' })
  })

  test.skipIf(!promtool)('is OpenMetrics that Prometheus reads', async () => {
    // `check metrics` knows the older format only; whoever imports OpenMetrics wants a time behind each sample.
    const text = (await scrape(OPEN_METRICS)).replaceAll(/^[^#].*$/gm, '$& 1700000000')
    const folder = mkdtempSync(join(tmpdir(), 'orchestrator-metrics-'))
    writeFileSync(join(folder, 'metrics.txt'), text)
    const importing = ['tsdb', 'create-blocks-from', 'openmetrics', join(folder, 'metrics.txt'), join(folder, 'blocks')]
    const { isContent, says } = await toolSays(importing)
    rmSync(folder, { recursive: true })
    expect({ isContent, says }).toMatchObject({ isContent: true, says: expect.stringContaining('NUM SAMPLES') })
  })

  test('is OpenMetrics when it is asked for, with its end and its units', async () => {
    const { headers, body } = await client.request<string>('GET', '/metrics', undefined, { accept: OPEN_METRICS })
    expect(headers.get('content-type')).toMatch(/^application\/openmetrics-text; *version=1\.0\.0/)
    expect(body.endsWith('# EOF\n')).toBe(true)
    expect(body).toContain('# UNIT orchestrator_run_duration_seconds seconds')
  })
})

function hasPromtool(): boolean {
  try {
    execFileSync('promtool', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** What promtool says, and by its exit code whether it found nothing. */
async function toolSays(args: string[], input = ''): Promise<{ isContent: boolean; says: string }> {
  const running = promisify(execFile)('promtool', args)
  running.child.stdin!.end(input)
  try {
    const { stdout, stderr } = await running
    return { isContent: true, says: stdout + stderr }
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    return { isContent: false, says: stdout + stderr }
  }
}
