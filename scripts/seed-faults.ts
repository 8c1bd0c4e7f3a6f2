// `npm run faults`: shows that the tests of the core can fail. Each fault is seeded into a copy of the project, the core's
// tests run against it, and the tests that caught it are named. A fault that none catches is an error.

import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { FAULTS, type Fault } from './seeded-faults.ts'

const root = resolve(import.meta.dirname, '..')
let missed = 0
for (const fault of FAULTS) {
  const caught = testsThatCatch(fault)
  if (caught.length === 0) missed++
  process.stdout.write(`${caught.length === 0 ? 'MISSED' : 'caught'}  ${fault.name}\n`)
  for (const test of caught.slice(0, 3)) process.stdout.write(`          by: ${test}\n`)
  if (caught.length > 3) process.stdout.write(`          and ${caught.length - 3} more\n`)
}
process.exitCode = missed > 0 ? 1 : 0

function testsThatCatch({ file, from, to }: Fault): string[] {
  const copy = mkdtempSync(join(tmpdir(), 'edge-orchestrator-fault-'))
  try {
    for (const part of ['src', 'test', 'package.json', 'tsconfig.json', 'ARCHITECTURE.md']) {
      cpSync(join(root, part), join(copy, part), { recursive: true })
    }
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    const text = readFileSync(join(copy, file), 'utf8')
    if (text.split(from).length !== 2) throw new Error(`${file} does not hold once: ${from}`)
    writeFileSync(join(copy, file), text.replace(from, to))
    const tests = ['scheduler', 'simulation', 'encoding', 'waits', 'steering', 'map', 'child'].map(
      (name) => `test/workflow/${name}.test.ts`,
    )
    const report = join(copy, 'report.json')
    const vitest = join(root, 'node_modules/vitest/vitest.mjs')
    writeFileSync(join(copy, 'vitest.config.ts'), 'export default {}\n')
    const options = ['--reporter=json', `--outputFile=${report}`]
    spawnSync(process.execPath, [vitest, 'run', ...options, ...tests], {
      cwd: copy,
      env: { ...process.env, SEEDS: '300' },
    })
    return failedIn(JSON.parse(readFileSync(report, 'utf8')) as Report)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

interface Report {
  testResults: { name: string; assertionResults: { fullName: string; status: string; failureMessages: string[] }[] }[]
}

function failedIn({ testResults }: Report): string[] {
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults)
  // A file that did not load catches nothing, and would hide that what it is there for goes unseen.
  const silent = testResults.filter(({ assertionResults }) => assertionResults.length === 0)
  if (silent.length > 0) throw new Error(`no test ran in ${silent.map(({ name }) => name).join(', ')}`)
  return tests
    .filter(({ status }) => status === 'failed')
    .map(({ fullName, failureMessages: [message = ''] }) => {
      const seed = /seed \d+/.exec(message)?.[0]
      return seed === undefined ? fullName : `${fullName} (${seed})`
    })
}
