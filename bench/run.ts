// npm run bench [-- --quick] [-- --json FILE]: what the orchestrator does on this machine, beside the least that anything durable
// costs here. A slow machine never fails it; wrong answers, failed runs and dying processes do.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Aim, floorAims, growthAims, overheadAim, pastAim, rowAims, searchAim, slotsAim } from './aims.ts'
import { type Bench, casesOf, FULL, measure, QUICK, type Row } from './cases.ts'
import { mapAims } from './maps.ts'
import { Orchestrator } from './orchestrator.ts'
import { aimsText, tableText } from './report.ts'
import { scriptAims } from './scripts.ts'
import { type Served, serve, serveUpstream } from './serve.ts'
import { retryAim, sleepersAim, timersAim } from './waiting.ts'
import { watchingAim } from './watching.ts'

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, json: { type: 'string' } } })
const form = values.quick ? QUICK : FULL

/** Graphs of real runs stand beside the project (dags.ts). */
const GRAPHS = join(import.meta.dirname, '../../shared/dags')

const folder = mkdtempSync(join(tmpdir(), 'orchestrator-bench-'))
const started: Served[] = []
// A bench that is ended early must not leave its servers behind.
process.once('exit', () => {
  for (const { abandon } of started) abandon()
  rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
try {
  const startedAt = Date.now()
  const machine = machineText()
  console.log(machine)
  const orchestrator = await start(
    serve('wrangler.toml', join(folder, 'orchestrator'), { AUTH: 'none', EGRESS_ALLOW: '127.0.0.1' }),
  )
  const floor = await start(serve('bench/floor.toml', join(folder, 'floor'), {}))
  const upstream = await start(serveUpstream())
  const bench: Bench = {
    form,
    orchestrator: new Orchestrator(orchestrator.url),
    orchestratorUrl: orchestrator.url,
    orchestratorPid: orchestrator.pid,
    floorUrl: floor.url,
    upstreamUrl: upstream.url,
    workerFolder: join(folder, 'orchestrator', 'dist'),
    workerStartMs: orchestrator.startMs,
  }
  const died = started.map((served) => served.died)
  const measured = measureAll(bench).catch(async (error: unknown) => {
    await Promise.race([...died, later(500)]) // A connection that broke may be the first sign of a process that died, which says more.
    throw error
  })
  const { rows, aims } = await Promise.race([measured, ...died])
  console.log(`\n${tableText(rows)}\nagainst the aims\n\n${aimsText(aims)}\n`)
  console.log(
    `${aims.filter(({ isReached }) => isReached).length} of ${aims.length} reached, in ${Math.round((Date.now() - startedAt) / 1_000)} s. Figures of a shared machine: expect 10 to 20 % from run to run.`,
  )
  const complaints = orchestrator.complaints()
  if (complaints !== '') throw new Error(`the orchestrator complained:\n${complaints.slice(0, 4_000)}`)
  if (values.json !== undefined)
    writeFileSync(values.json, JSON.stringify({ at: new Date(startedAt), machine, rows, aims }, null, 2))
} finally {
  await Promise.all(started.map(({ stop }) => stop()))
}

async function start(served: Promise<Served>): Promise<Served> {
  started.push(await served)
  return served
}

async function measureAll(bench: Bench): Promise<{ rows: Row[]; aims: Aim[] }> {
  const { cases, leftOut } = casesOf(form, GRAPHS)
  for (const reason of leftOut) console.log(`left out: ${reason}`)
  const rows: Row[] = []
  for (const one of cases) {
    progress(one.workflow)
    rows.push(...(await measure(bench, one)))
  }
  progress('the aims')
  const overhead = await overheadAim(bench)
  const slots = await slotsAim(bench)
  const watching = await watchingAim(bench)
  const retries = await retryAim(bench)
  const sleepers = await sleepersAim(bench)
  const timers = await timersAim(bench)
  const maps = await mapAims(bench)
  const scripts = await scriptAims(bench)
  const past = await pastAim(bench)
  const search = await searchAim(bench)
  return {
    rows,
    aims: [
      ...floorAims(rows),
      overhead,
      slots,
      watching,
      retries,
      ...sleepers,
      ...timers,
      ...maps,
      ...scripts,
      ...rowAims(rows),
      ...growthAims(rows),
      past,
      search,
    ],
  }
}

/** Progress, for people at the terminal: it goes to stderr, so a file gets the results alone. */
function progress(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${what}`)
}

function machineText(): string {
  const [cpu, ...more] = cpus()
  const workerd = execFileSync('node_modules/.bin/workerd', ['--version']).toString().trim()
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  return `${new Date().toISOString()}, ${1 + more.length} x ${cpu?.model.trim()}, ${memory}, load ${loadavg()[0]!.toFixed(2)}, node ${process.version}, ${workerd}, ${values.quick ? 'short form' : 'full form'}`
}
