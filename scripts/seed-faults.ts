// `npm run faults`: shows that the tests of the core can fail. Each fault is seeded into a copy of the project, the core's
// tests run against it, and the tests that caught it are named. A fault that none catches is an error.

import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

interface Fault {
  name: string
  file: string
  from: string
  to: string
}

const FAULTS: Fault[] = [
  {
    name: 'a task that has ended keeps its slot',
    file: 'src/workflow/task-moves.ts',
    from: '  run.slots.release(index)\n  run.doomed.delete(index)',
    to: '  run.doomed.delete(index)',
  },
  {
    name: 'a report counts whatever its token (R5)',
    file: 'src/workflow/run.ts',
    from: 'return state.token === token',
    to: 'return true',
  },
  {
    name: 'a task starts before the last of its dependencies',
    file: 'src/workflow/trigger-rule.ts',
    from: "return succeeded === total ? 'start' : 'wait'",
    to: "return succeeded + 1 >= total ? 'start' : 'wait'",
  },
  {
    name: 'time goes back with the clock (R2)',
    file: 'src/workflow/advance.ts',
    from: 'Math.max(now, run.at)',
    to: 'now',
  },
  {
    name: 'the deadline is a millisecond late',
    file: 'src/workflow/advance.ts',
    from: 'at >= run.deadlineAt',
    to: 'at > run.deadlineAt',
  },
  {
    name: 'one answer gives away more slots than are free',
    file: 'src/workflow/slot-start.ts',
    from: '} else free--',
    to: '}',
  },
  {
    name: 'the fifth interruption is forgiven',
    file: 'src/workflow/attempt-end.ts',
    from: 'interruptions < MAX_INTERRUPTIONS',
    to: 'interruptions <= MAX_INTERRUPTIONS',
  },
  {
    name: 'a deadlock ends as if all were done',
    file: 'src/workflow/run-end.ts',
    from: "if (isStuck && run.ending === null) return [stopped(run, at, 'deadlock')]",
    to: '',
  },
  {
    name: 'a skipped task does not pass the failure on',
    file: 'src/workflow/task-moves.ts',
    from: "return status === 'skipped' && skipReason !== 'upstream_failed' ? 'skipped' : 'failed'",
    to: "return status === 'skipped' ? 'skipped' : 'failed'",
  },
  {
    name: "a placeholder's end names the wrong start",
    file: 'src/workflow/slot-start.ts',
    from: 'token: run.events + events.length, output: null',
    to: 'token: run.events + events.length - 1, output: null',
  },
  {
    name: 'a retry comes sooner than the server asked',
    file: 'src/workflow/attempt-end.ts',
    from: 'Math.max(backoffMs, retryAfterMs ?? 0)',
    to: 'backoffMs',
  },
  {
    name: 'a poll is made again before its time',
    file: 'src/workflow/attempt-end.ts',
    from: 'const until = at + retryAfterMs!',
    to: 'const until = at',
  },
  {
    name: 'a policy gives one attempt too many',
    file: 'src/workflow/attempt-end.ts',
    from: 'attempt >= policy.max_attempts',
    to: 'attempt > policy.max_attempts',
  },
  {
    name: 'a pause does not keep tasks from starting',
    file: 'src/workflow/scheduler.ts',
    from: 'if (isPaused) return []',
    to: '',
  },
  {
    name: 'compensations run in the order of success',
    file: 'src/workflow/compensation.ts',
    from: 'run.undo.findLast(',
    to: 'run.undo.find(',
  },
  {
    name: 'a signal that was kept is taken twice',
    file: 'src/workflow/signals.ts',
    from: ' || taken.has(number)',
    to: '',
  },
  {
    name: 'a signal that comes goes to tasks that it does not match',
    file: 'src/workflow/signals.ts',
    from: 'if (matches(task, signal.data)) takers.push(task)',
    to: 'takers.push(task)',
  },
  {
    name: 'a task that a circuit holds back keeps its turn',
    file: 'src/workflow/apply.ts',
    from: "if (event.for === 'circuit') run.slots.release(event.task)",
    to: '',
  },
  {
    name: 'a wait for a circuit may end after the deadline',
    file: 'src/workflow/slot-start.ts',
    from: 'if (until >= deadline) {',
    to: 'if (until < 0) {',
  },
  {
    name: 'a refused retry is made all the same',
    file: 'src/workflow/attempt-end.ts',
    from: 'if (isRetryRefused && !isSnoozed) {',
    to: 'if (isRetryRefused && isSnoozed) {',
  },
  {
    name: 'when a waiting task is due is not written down',
    file: 'src/workflow/encoding.ts',
    from: 'event.for,\n        event.until,',
    to: 'event.for,',
  },
  {
    name: 'a map executes one item more than it may',
    file: 'src/workflow/map.ts',
    from: 'return roomOf(run, task) > 0',
    to: 'return roomOf(run, task) >= 0',
  },
  {
    name: 'one failure more than a map tolerates is forgiven',
    file: 'src/workflow/map.ts',
    from: 'items.failures.length > tolerated',
    to: 'items.failures.length > 1 + tolerated',
  },
  {
    name: 'a child that is started again is the same run',
    file: 'src/workflow/task-begin.ts',
    from: 'triesOf(run, task, item).attempts.length, at, item)',
    to: '0, 0, item)',
  },
]

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
