// How a Runner is put together: its parts, each once, and what each may ask of the others. No behaviour of its own.

import type { Env } from '../../src/env.ts'
import { addressOfRunner, gateOf, registryOf, runnerOf } from '../../src/objects.ts'
import { executorOf } from '../../src/tasks/executor-rpc.ts'
import { partialText } from '../../src/watch-protocol.ts'
import { runPrefix } from '../../src/workflow/run-id.ts'
import { logFault } from '../fault-log.ts'
import { Rows } from '../rows.ts'
import { Attempts } from './attempts.ts'
import { BulkJobs } from './bulk-jobs.ts'
import { BulkWork } from './bulk-work.ts'
import { Callbacks } from './callbacks.ts'
import { Children } from './children.ts'
import { Circuits } from './circuits.ts'
import { Committer } from './commit.ts'
import { RunCounts } from './counts.ts'
import { CutOffs } from './cut-offs.ts'
import { FiguresMark } from './figures-mark.ts'
import { History } from './history.ts'
import { IdempotencyKeys } from './idempotency-keys.ts'
import { Outgoing } from './outgoing.ts'
import { Reading } from './reading.ts'
import { Records } from './records.ts'
import { Recovery } from './recovery.ts'
import { Removal } from './removal.ts'
import { Retention } from './retention.ts'
import { Retries } from './retries.ts'
import { RetryBudgets } from './retry-budgets.ts'
import { Signals } from './signals.ts'
import { Starts } from './starts.ts'
import { Steering } from './steering.ts'
import { type StepParts, Steps } from './steps.ts'
import { Turns } from './turns.ts'
import { Waiters } from './waiters.ts'
import { Waking, type WakingParts } from './waking.ts'
import { Watchers } from './watchers.ts'
import { Workflows } from './workflows.ts'

export type RunnerParts = ReturnType<typeof assemble>

/** Makes the parts of one Runner; its tables have to be there. */
export function assemble(ctx: DurableObjectState, env: Env) {
  // Read when it is needed: an object can be made without a name, and is of no use then.
  const address = () => addressOfRunner(ctx.id.name)
  const shard = () => address().shard
  const prefix = () => runPrefix(shard())
  const gate = (target: string) => gateOf(env, address().tenant, target)
  const registry = () => registryOf(env, address().tenant)
  const loader = (runId: string) => committer.loader(runId)

  const rows = new Rows(ctx.storage.sql)
  const history = new History(rows)
  const keys = new IdempotencyKeys(rows)
  const counts = new RunCounts(rows)
  const waiters = new Waiters()
  const watchers = new Watchers(ctx)
  const mark = new FiguresMark(env, address)
  const workflows = new Workflows(rows, registry, shard)

  const steps = new Steps((): StepParts => stepParts)
  const waking = new Waking(ctx.storage, (): WakingParts => wakingParts)

  const circuits = new Circuits(rows, {
    gateOf: gate,
    shard,
    ready: async () => {
      if (!mark.isSet) await mark.set()
    },
    stepAgain: (runId) => steps.stepAgain(runId),
    wakeBy: (at) => waking.armBy(at),
    fault: (error) => logFault('circuit', error),
  })
  const budgets = new RetryBudgets(gate, (error) => logFault('retry_budget', error))
  const turns = new Turns()
  const attempts = new Attempts(
    executorOf(ctx.exports),
    new Outgoing(circuits, budgets),
    turns,
    () => address().tenant,
    (runId, fact) => steps.report(runId, fact),
    (runId, error) => steps.stopUnmade(runId, error),
    (runId, partial) => watchers.tellPartial(runId, partialText(partial)),
  )
  const isBusy = (runId: string) => attempts.hasRun(runId) || waiters.has(runId) || steps.isGoingOn(runId)
  const records = new Records(history, (name, version) => workflows.get(name, version), isBusy)
  const retention = new Retention(rows, keys, workflows, circuits)
  const committer = new Committer(history, counts, retention, (run, load, now, budget) =>
    circuits.admission(run, load, now, budget),
  )
  const starts = new Starts(workflows, keys, history, () => steps.planFlush())
  const children = new Children(starts, records, history, turns, {
    tell: (runId, fact) => void steps.commitReported(runId, [fact]),
    report: (runId, fact) => steps.report(runId, fact),
    loader,
  })
  const callbacks = new Callbacks(rows, () => address().tenant)
  const reading = new Reading(history, records, committer, waiters, callbacks)
  const retries = new Retries(starts, history, records, reading, turns, loader)
  const recovery = new Recovery(ctx.storage, history, records, attempts, {
    commit: (runId, facts) => void steps.commit(runId, facts, Date.now()),
    recoverChildren: (run) => children.recover(run, Date.now()),
    condemn: (runId, code, message) => steps.condemn(runId, code, message),
    fault: (error, runId) => logFault('recovery', error, runId),
  })
  const cutOffs = new CutOffs(rows, {
    cancel: (runId) => steps.cutOff(runId),
    wake: () => waking.armBy(Date.now()),
  })
  const removal = new Removal(rows, {
    drop: (runId) => records.drop(runId),
    wake: () => waking.armBy(Date.now()),
  })
  const bulkJobs = new BulkJobs(rows)
  const bulkWork = new BulkWork(bulkJobs, keys, retention, rows, prefix, steps, retries, removal, (other, job) =>
    runnerOf(env, address().tenant, other).requestBulk(job, []),
  )
  const signals = new Signals(history, reading, loader, (runId, facts) => steps.commitReported(runId, facts))
  const steering = new Steering(steps, reading, records, history, removal, mark)

  const shared = { history, records, retention, children, attempts, circuits, cutOffs }
  const stepParts: StepParts = {
    ...shared,
    storage: ctx.storage,
    keys,
    counts,
    committer,
    starts,
    waiters,
    watchers,
    waking,
  }
  const wakingParts: WakingParts = {
    ...shared,
    rows,
    recovery,
    steps,
    removal,
    bulkJobs,
    bulkWork,
    mark,
    waitUntil: (work) => ctx.waitUntil(work),
  }
  return {
    ...shared,
    prefix,
    rows,
    counts,
    mark,
    workflows,
    waking,
    watchers,
    starts,
    callbacks,
    reading,
    retries,
    bulkJobs,
    bulkWork,
    signals,
    steering,
  }
}
