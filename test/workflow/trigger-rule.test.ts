import { describe, expect, test } from 'vitest'
import { type EndedDependencies, judge, TRIGGER_RULES, type TriggerRule } from '../../src/workflow/run/trigger-rule.ts'

const ended = (rest: Partial<EndedDependencies>): EndedDependencies => ({
  succeeded: 0,
  failed: 0,
  skipped: 0,
  cancelled: 0,
  ...rest,
})

/** Of three dependencies: what each rule says, from Airflow's code. */
const TABLE: [TriggerRule, Partial<EndedDependencies>, string][] = [
  ['all_success', { succeeded: 2 }, 'wait'],
  ['all_success', { succeeded: 3 }, 'start'],
  ['all_success', { succeeded: 1, failed: 1 }, 'upstream_failed'],
  ['all_success', { skipped: 1 }, 'trigger_rule'],
  ['all_success', { skipped: 1, failed: 1 }, 'upstream_failed'],
  ['all_success', { succeeded: 2, cancelled: 1 }, 'wait'],
  ['all_failed', { failed: 2 }, 'wait'],
  ['all_failed', { failed: 3 }, 'start'],
  ['all_failed', { failed: 2, succeeded: 1 }, 'trigger_rule'],
  ['all_failed', { skipped: 1 }, 'trigger_rule'],
  ['all_done', { succeeded: 1, failed: 1 }, 'wait'],
  ['all_done', { succeeded: 1, failed: 1, skipped: 1 }, 'start'],
  ['all_done', { cancelled: 3 }, 'start'],
  ['all_skipped', { skipped: 2 }, 'wait'],
  ['all_skipped', { skipped: 3 }, 'start'],
  ['all_skipped', { skipped: 2, succeeded: 1 }, 'trigger_rule'],
  ['all_skipped', { failed: 1 }, 'trigger_rule'],
  ['none_failed', { succeeded: 1, skipped: 1 }, 'wait'],
  ['none_failed', { succeeded: 1, skipped: 2 }, 'start'],
  ['none_failed', { skipped: 3 }, 'start'],
  ['none_failed', { failed: 1 }, 'upstream_failed'],
  ['none_failed_min_one_success', { skipped: 3 }, 'trigger_rule'],
  ['none_failed_min_one_success', { succeeded: 1, skipped: 2 }, 'start'],
  ['none_failed_min_one_success', { succeeded: 1, failed: 1 }, 'upstream_failed'],
  ['none_skipped', { succeeded: 1, failed: 2 }, 'start'],
  ['none_skipped', { succeeded: 1, failed: 1 }, 'wait'],
  ['none_skipped', { skipped: 1 }, 'trigger_rule'],
  ['one_success', { succeeded: 1 }, 'start'],
  ['one_success', { failed: 2 }, 'wait'],
  ['one_success', { failed: 2, skipped: 1 }, 'upstream_failed'],
  ['one_success', { skipped: 3 }, 'trigger_rule'],
  ['one_failed', { failed: 1 }, 'start'],
  ['one_failed', { succeeded: 2 }, 'wait'],
  ['one_failed', { succeeded: 2, skipped: 1 }, 'trigger_rule'],
  ['one_done', { skipped: 2 }, 'wait'],
  ['one_done', { skipped: 2, failed: 1 }, 'start'],
  ['one_done', { succeeded: 1 }, 'start'],
  ['one_done', { skipped: 3 }, 'trigger_rule'],
  ['always', {}, 'start'],
]

describe('of three dependencies', () => {
  test.each(TABLE)('%s with %j: %s', (rule, counts, verdict) => {
    expect(judge(rule, ended(counts), 3)).toBe(verdict)
  })

  test('every rule is decided once all have ended without a cancel', () => {
    for (const rule of TRIGGER_RULES) {
      for (let failed = 0; failed <= 3; failed++) {
        for (let skipped = 0; skipped + failed <= 3; skipped++) {
          const counts = ended({ failed, skipped, succeeded: 3 - failed - skipped })
          expect(judge(rule, counts, 3), `${rule} ${JSON.stringify(counts)}`).not.toBe('wait')
        }
      }
    }
  })
})

test('without dependencies a task starts by any rule', () => {
  for (const rule of TRIGGER_RULES) expect(judge(rule, ended({}), 0)).toBe('start')
})
