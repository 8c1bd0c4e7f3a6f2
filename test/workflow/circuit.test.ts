// The breaker's transitions, case by case and by random walks.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  admit,
  afterCall,
  afterTrial,
  type Circuit,
  CLOSED,
  MAX_OPEN_MS,
  MAX_OUTCOME_AGE_MS,
  openCircuit,
  patienceMs,
  TRIALS,
  type Trial,
  trialVerdictOf,
  verdictOf,
} from '../../src/workflow/decide/circuit.ts'
import { type BreakerPolicy, DEFAULT_BREAKER } from '../../src/workflow/definition/breaker.ts'
import { spanMs } from '../../src/workflow/span.ts'

const LEASE_MS = 65_000

/** The circuit after calls at one a second, `F` failed and `s` succeeded. */
function circuitAfter(
  calls: string,
  policy: BreakerPolicy = DEFAULT_BREAKER,
  circuit: Circuit = CLOSED,
  from = 0,
): Circuit {
  return [...calls].reduce(
    (state, call, index) => afterCall(state, { at: from + index * 1_000, isFailure: call === 'F' }, policy),
    circuit,
  )
}

/** Asks for a trial and fails the test if there is none. */
function trial(circuit: Circuit, at: number): { circuit: Circuit; trial: Trial } {
  const { circuit: next, permission } = admit(circuit, at, LEASE_MS)
  if (permission.kind !== 'trial') throw new Error(`no trial: ${JSON.stringify(permission)}`)
  return { circuit: next, trial: permission.trial }
}

const retryAt = (circuit: Circuit) => (circuit.state === 'open' ? circuit.retryAt : Number.NaN)

describe('a closed circuit', () => {
  test.each([
    ['FFFFFFFFF', 'closed', 'nine calls say nothing'],
    ['FFFFFFFFFF', 'open', 'the tenth failure opens it'],
    ['sssssFFFFF', 'open', 'half of ten is enough'],
    ['ssssssFFFFF', 'closed', 'five of eleven are not'],
    [`${'F'.repeat(9)}s`, 'open', 'the tenth call counts, however it ended'],
    [`${'s'.repeat(30)}${'F'.repeat(9)}`, 'closed', 'nine of the last twenty'],
    [`${'s'.repeat(30)}${'F'.repeat(10)}`, 'open', 'ten of the last twenty'],
  ])('after %s is %s: %s', (calls, state) => {
    expect(circuitAfter(calls).state).toBe(state)
  })

  test('forgets calls that are a minute old', () => {
    const nine = circuitAfter('FFFFFFFFF')
    const late = afterCall(nine, { at: 8_000 + MAX_OUTCOME_AGE_MS, isFailure: true }, DEFAULT_BREAKER)
    expect(late).toEqual({ state: 'closed', outcomes: [{ at: 8_000 + MAX_OUTCOME_AGE_MS, isFailure: true }] })
  })

  test('puts what several Runners saw in the order of time', () => {
    const mixed = [5, 1, 3].reduce<Circuit>(
      (circuit, at) => afterCall(circuit, { at, isFailure: at === 3 }, DEFAULT_BREAKER),
      CLOSED,
    )
    expect(mixed.state === 'closed' && mixed.outcomes.map(({ at }) => at)).toEqual([1, 3, 5])
  })

  test('is judged by the policy of the task that called', () => {
    const strict: BreakerPolicy = { failure_rate: 1, minimum_calls: 3, window: 3, open_for: '2s' }
    expect(circuitAfter('FFsFF', strict).state).toBe('closed')
    expect(circuitAfter('sFFF', strict)).toMatchObject({ state: 'open', retryAt: 3_000 + 2_000 })
  })

  test('lets everybody through', () => {
    expect(admit(CLOSED, 0, LEASE_MS)).toEqual({ circuit: CLOSED, permission: { kind: 'free' } })
  })
})

describe('an open circuit', () => {
  const opened = circuitAfter('FFFFFFFFFF')

  test('holds everybody back for 30 s, then lets three trials through and no fourth', () => {
    expect(retryAt(opened)).toBe(9_000 + 30_000)
    expect(admit(opened, 38_999, LEASE_MS)).toEqual({ circuit: opened, permission: { kind: 'held', until: 39_000 } })
    let circuit = opened
    const ids = [1, 2, 3].map(() => {
      const granted = trial(circuit, 39_000)
      circuit = granted.circuit
      return granted.trial.id
    })
    expect(new Set(ids).size).toBe(TRIALS)
    expect(admit(circuit, 39_001, LEASE_MS).permission).toEqual({ kind: 'held', until: 39_000 + LEASE_MS })
  })

  test('does not hear what calls say that began before', () => {
    expect(afterCall(opened, { at: 10_000, isFailure: false }, DEFAULT_BREAKER)).toBe(opened)
    expect(openCircuit(opened, DEFAULT_BREAKER, 10_000)).toBe(opened)
    expect(afterTrial(opened, 1, 'success', 10_000)).toBe(opened)
  })

  test('can be opened by one who has seen enough', () => {
    expect(openCircuit(CLOSED, DEFAULT_BREAKER, 5)).toMatchObject({ state: 'open', openings: 1, retryAt: 30_005 })
  })
})

describe('a half-open circuit', () => {
  const half = () => trial(circuitAfter('FFFFFFFFFF'), 39_000)

  test('closes with an empty window when three trials have succeeded', () => {
    let { circuit, trial: granted } = half()
    for (let passed = 1; passed < TRIALS; passed++) {
      circuit = afterTrial(circuit, granted.id, 'success', 39_001)
      expect(circuit.state).toBe('half_open')
      ;({ circuit, trial: granted } = trial(circuit, 39_002))
    }
    expect(afterTrial(circuit, granted.id, 'success', 39_003)).toEqual(CLOSED)
  })

  test('opens for twice as long at each failed trial, five minutes at most', () => {
    let { circuit, trial: granted } = half()
    const lasted: number[] = []
    let at = 39_000
    for (let opening = 0; opening < 6; opening++) {
      circuit = afterTrial(circuit, granted.id, 'failure', at)
      lasted.push(retryAt(circuit) - at)
      at = retryAt(circuit)
      ;({ circuit, trial: granted } = trial(circuit, at))
    }
    expect(lasted).toEqual([60_000, 120_000, 240_000, MAX_OPEN_MS, MAX_OPEN_MS, MAX_OPEN_MS])
  })

  test('gives a trial that was not used, or was lost, to the next', () => {
    const { circuit, trial: granted } = half()
    const back = afterTrial(circuit, granted.id, 'none', 39_001)
    expect(back).toMatchObject({ state: 'half_open', passed: 0, trials: [] })
    const full = trial(trial(circuit, 39_000).circuit, 39_000).circuit
    expect(admit(full, 39_000 + LEASE_MS - 1, LEASE_MS).permission.kind).toBe('held')
    expect(admit(full, 39_000 + LEASE_MS, LEASE_MS).permission.kind).toBe('trial')
  })

  test('does not hear of a trial after its lease, nor twice', () => {
    const { circuit, trial: granted } = half()
    expect(afterTrial(circuit, granted.id, 'failure', granted.expiresAt)).toBe(circuit)
    const passed = afterTrial(circuit, granted.id, 'success', 39_001)
    expect(afterTrial(passed, granted.id, 'success', 39_002)).toBe(passed)
  })
})

test('random walks: never a fourth trial, never a call before its time, never stuck, closed only by three successes', () => {
  const stepArbitrary = fc.record({
    wait: fc.integer({ min: 0, max: 40_000 }),
    act: fc.constantFrom('call', 'fail', 'ask', 'pass', 'break', 'give back', 'lose'),
  })
  fc.assert(
    fc.property(fc.array(stepArbitrary, { maxLength: 200 }), (steps) => {
      let circuit: Circuit = CLOSED
      let at = 0
      let held: Trial[] = []
      let passed = 0
      for (const { wait, act } of steps) {
        at += wait
        const before: Circuit = circuit
        const current = held.filter(({ expiresAt }) => expiresAt > at)
        if (act === 'call' || act === 'fail') {
          circuit = afterCall(circuit, { at, isFailure: act === 'fail' }, DEFAULT_BREAKER)
          expect(circuit.state).not.toBe('half_open')
          if (before.state !== 'closed') expect(circuit).toBe(before)
        } else if (act === 'ask') {
          const answer = admit(circuit, at, LEASE_MS)
          circuit = answer.circuit
          if (before.state === 'open' && at < before.retryAt) expect(answer.permission.kind).toBe('held')
          if (before.state === 'open') {
            held = []
            passed = 0
          }
          if (answer.permission.kind === 'trial') {
            held = [...held.filter(({ expiresAt }) => expiresAt > at), answer.permission.trial]
            expect(held.length + passed).toBeLessThanOrEqual(TRIALS)
          }
          if (answer.permission.kind === 'held') expect(answer.permission.until).toBeGreaterThan(at)
        } else if (current[0] !== undefined && circuit.state === 'half_open') {
          const [{ id }] = current as [Trial]
          held = held.filter((other) => other.id !== id)
          if (act === 'lose') continue
          const verdict = ({ pass: 'success', break: 'failure', 'give back': 'none' } as const)[act]
          circuit = afterTrial(circuit, id, verdict, at)
          if (verdict === 'success') passed++
          expect(circuit.state).toBe(verdict === 'failure' ? 'open' : passed === TRIALS ? 'closed' : 'half_open')
        }
        if (circuit.state === 'open' && before.state !== 'open') {
          const lasts = Math.min(spanMs('30s') * 2 ** (circuit.openings - 1), MAX_OPEN_MS)
          expect(circuit.retryAt - at).toBe(lasts)
        }
        // Whatever was lost: an hour later somebody may call.
        if (circuit.state !== 'closed') expect(admit(circuit, at + 3_600_000, LEASE_MS).permission.kind).toBe('trial')
      }
    }),
    { numRuns: 500 },
  )
})

describe('the end of a call', () => {
  test.each([
    [null, 'success', 'success'],
    ['http_500', 'failure', 'failure'],
    ['http_503', 'failure', 'failure'],
    ['http_network', 'failure', 'failure'],
    ['timeout', 'failure', 'failure'],
    ['http_404', 'none', 'success'],
    ['http_429', 'none', 'none'],
    ['http_302', 'success', 'success'],
    ['invalid_response', 'success', 'success'],
    ['grpc_unavailable', 'failure', 'failure'],
    ['grpc_deadline_exceeded', 'failure', 'failure'],
    ['grpc_internal', 'failure', 'failure'],
    ['grpc_unknown', 'failure', 'failure'],
    ['grpc_data_loss', 'failure', 'failure'],
    ['grpc_invalid_argument', 'none', 'success'],
    ['grpc_not_found', 'none', 'success'],
    ['grpc_unimplemented', 'none', 'success'],
    ['grpc_aborted', 'none', 'success'],
    ['grpc_resource_exhausted', 'none', 'none'],
    ['egress_denied', 'none', 'none'],
    ['expression_error', 'none', 'none'],
    ['executor_error', 'none', 'none'],
  ])('with %s is a %s in the window, a %s of a trial', (code, inWindow, ofTrial) => {
    expect(verdictOf(code)).toBe(inWindow)
    expect(trialVerdictOf(code)).toBe(ofTrial)
  })
})

test('patience doubles from a second to an hour, and stays a number', () => {
  expect([0, 1, 5, 11, 12, 10_000].map(patienceMs)).toEqual([1_000, 2_000, 32_000, 2_048_000, 3_600_000, 3_600_000])
})
