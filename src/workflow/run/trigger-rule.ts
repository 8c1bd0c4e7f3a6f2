// When a task's dependencies let it start: Airflow's trigger rules, as a table over counts of how the dependencies have ended.
// Pure and incremental: a verdict is asked for each time a dependency ends, and costs the same however many there are.

export const TRIGGER_RULES = [
  'all_success',
  'all_failed',
  'all_done',
  'all_skipped',
  'none_failed',
  'none_failed_min_one_success',
  'none_skipped',
  'one_success',
  'one_failed',
  'one_done',
  'always',
] as const
export type TriggerRule = (typeof TRIGGER_RULES)[number]

/** How many dependencies of a task have ended in each way. Failed and timed out ones and those skipped for a failure above have `failed`. */
export interface EndedDependencies {
  succeeded: number
  failed: number
  skipped: number
  /** Ended, and neither success nor failure. */
  cancelled: number
}

/** `wait`: not decidable yet. The last two are reasons to skip the task. */
export type Verdict = 'wait' | 'start' | 'upstream_failed' | 'trigger_rule'

/** Rules that let a task start although a dependency failed: cleanup and alerts run also after a failure has stopped the run. */
const ACCEPTING: ReadonlySet<TriggerRule> = new Set([
  'all_failed',
  'all_done',
  'one_failed',
  'one_done',
  'none_skipped',
  'always',
])

/** Whether a task with this rule may start although a dependency failed. */
export function acceptsFailure(rule: TriggerRule): boolean {
  return ACCEPTING.has(rule)
}

/**
 * What a rule says when the dependencies stand so. A task without dependencies starts by any rule.
 * @param total how many dependencies there are
 * @see apache/airflow, ti_deps/deps/trigger_rule_dep.py (0642ae17): the code, which its documentation's table simplifies
 */
export function judge(
  rule: TriggerRule,
  { succeeded, failed, skipped, cancelled }: EndedDependencies,
  total: number,
): Verdict {
  const ended = succeeded + failed + skipped + cancelled
  const areAllEnded = ended === total
  if (total === 0) return 'start'
  switch (rule) {
    case 'all_success':
      if (failed > 0) return 'upstream_failed'
      if (skipped > 0) return 'trigger_rule'
      return succeeded === total ? 'start' : 'wait'
    case 'all_failed':
      if (ended > failed) return 'trigger_rule'
      return failed === total ? 'start' : 'wait'
    case 'all_done':
      return areAllEnded ? 'start' : 'wait'
    case 'all_skipped':
      if (ended > skipped) return 'trigger_rule'
      return skipped === total ? 'start' : 'wait'
    case 'none_failed':
      if (failed > 0) return 'upstream_failed'
      return areAllEnded ? 'start' : 'wait'
    case 'none_failed_min_one_success':
      if (failed > 0) return 'upstream_failed'
      if (!areAllEnded) return 'wait'
      return succeeded > 0 ? 'start' : 'trigger_rule'
    case 'none_skipped':
      if (skipped > 0) return 'trigger_rule'
      return areAllEnded ? 'start' : 'wait'
    case 'one_success':
      if (succeeded > 0) return 'start'
      if (!areAllEnded) return 'wait'
      return failed > 0 ? 'upstream_failed' : 'trigger_rule'
    case 'one_failed':
      if (failed > 0) return 'start'
      return areAllEnded ? 'trigger_rule' : 'wait'
    case 'one_done':
      if (succeeded + failed > 0) return 'start'
      return areAllEnded ? 'trigger_rule' : 'wait'
    case 'always':
      return 'start'
    default:
      return rule satisfies never
  }
}
