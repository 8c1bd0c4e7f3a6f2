// The faults that `npm run faults` seeds. A test of its own says at once when a change of the code has moved one's place.

/** One change of one place in the code that a test of the core has to notice. `from` stands in `file` exactly once. */
export interface Fault {
  name: string
  file: string
  from: string
  to: string
}

/** Every fault that is seeded; the tests have to find each of them. */
export const FAULTS: Fault[] = [
  {
    name: 'a task that has ended keeps its slot',
    file: 'src/workflow/run/task-moves.ts',
    from: '  run.slots.release(index)\n  run.doomed.delete(index)',
    to: '  run.doomed.delete(index)',
  },
  {
    name: 'a report counts whatever its token (R5)',
    file: 'src/workflow/run/run.ts',
    from: 'return state.token === token',
    to: 'return true',
  },
  {
    name: 'a task starts before the last of its dependencies',
    file: 'src/workflow/run/trigger-rule.ts',
    from: "return succeeded === total ? 'start' : 'wait'",
    to: "return succeeded + 1 >= total ? 'start' : 'wait'",
  },
  {
    name: 'time goes back with the clock (R2)',
    file: 'src/workflow/decide/advance.ts',
    from: 'Math.max(now, run.at)',
    to: 'now',
  },
  {
    name: 'the deadline is a millisecond late',
    file: 'src/workflow/decide/advance.ts',
    from: 'at >= run.deadlineAt',
    to: 'at > run.deadlineAt',
  },
  {
    name: 'one answer gives away more slots than are free',
    file: 'src/workflow/decide/slot-start.ts',
    from: '} else free--',
    to: '}',
  },
  {
    name: 'the fifth interruption is forgiven',
    file: 'src/workflow/decide/attempt-end.ts',
    from: 'interruptions < MAX_INTERRUPTIONS',
    to: 'interruptions <= MAX_INTERRUPTIONS',
  },
  {
    name: 'a deadlock ends as if all were done',
    file: 'src/workflow/decide/run-end.ts',
    from: "if (isStuck && run.ending === null) return [stopRun(run, at, 'deadlock')]",
    to: '',
  },
  {
    name: 'a skipped task does not pass the failure on',
    file: 'src/workflow/run/task-moves.ts',
    from: "return status === 'skipped' && skipReason !== 'upstream_failed' ? 'skipped' : 'failed'",
    to: "return status === 'skipped' ? 'skipped' : 'failed'",
  },
  {
    name: "a placeholder's end names the wrong start",
    file: 'src/workflow/decide/slot-start.ts',
    from: 'token: run.events + events.length, output: null',
    to: 'token: run.events + events.length - 1, output: null',
  },
  {
    name: 'a retry comes sooner than the server asked',
    file: 'src/workflow/decide/attempt-end.ts',
    from: 'Math.max(backoffMs, retryAfterMs ?? 0)',
    to: 'backoffMs',
  },
  {
    name: 'a poll is made again before its time',
    file: 'src/workflow/decide/attempt-end.ts',
    from: '(run.compensation === null ? retryAfterMs! :',
    to: '(run.compensation === null ? 0 :',
  },
  {
    name: 'a policy gives one attempt too many',
    file: 'src/workflow/decide/attempt-end.ts',
    from: 'attempt >= policy.max_attempts',
    to: 'attempt > policy.max_attempts',
  },
  {
    name: 'a pause does not keep tasks from starting',
    file: 'src/workflow/decide/scheduler.ts',
    from: 'if (isPaused) return []',
    to: '',
  },
  {
    name: 'compensations run in the order of success',
    file: 'src/workflow/decide/compensation.ts',
    from: 'run.undo.findLast(',
    to: 'run.undo.find(',
  },
  {
    name: 'a signal that was kept is taken twice',
    file: 'src/workflow/decide/signals.ts',
    from: ' || taken.has(number)',
    to: '',
  },
  {
    name: 'a signal that comes goes to tasks that it does not match',
    file: 'src/workflow/decide/signals.ts',
    from: 'if (matches(task, signal.data)) takers.push(task)',
    to: 'takers.push(task)',
  },
  {
    name: 'a task that a circuit holds back keeps its turn',
    file: 'src/workflow/run/apply.ts',
    from: "if (event.for === 'circuit') run.slots.release(event.task)",
    to: '',
  },
  {
    name: 'a wait for a circuit may end after the deadline',
    file: 'src/workflow/decide/slot-start.ts',
    from: 'if (until >= deadline) {',
    to: 'if (until < 0) {',
  },
  {
    name: 'a refused retry is made all the same',
    file: 'src/workflow/decide/attempt-end.ts',
    from: 'if (isRetryRefused && !isPutOff) {',
    to: 'if (isRetryRefused && isPutOff) {',
  },
  {
    name: 'when a waiting task is due is not written down',
    file: 'src/workflow/run/encoding.ts',
    from: 'event.for,\n        event.until,',
    to: 'event.for,',
  },
  {
    name: 'a map executes one item more than it may',
    file: 'src/workflow/decide/map.ts',
    from: 'return roomOf(run, task) > 0',
    to: 'return roomOf(run, task) >= 0',
  },
  {
    name: 'one failure more than a map tolerates is forgiven',
    file: 'src/workflow/decide/map.ts',
    from: 'items.failures.length > tolerated',
    to: 'items.failures.length > 1 + tolerated',
  },
  {
    name: 'a child that is started again is the same run',
    file: 'src/workflow/decide/task-begin.ts',
    from: 'triesOf(run, spot).attempts.length, at)',
    to: '0, 0)',
  },
]
