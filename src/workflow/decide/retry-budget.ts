// How many retries a host may get, so that many tasks which try again do not storm a server that is broken: a fifth of the
// calls of the last minute, and ten a minute besides, so that a host which is called seldom is tried again at all. Pure data.
//
// The fifth is counted by each Runner for its own calls, which needs nobody else; the ten are shared by the whole tenant.
// @see retry budgets in Twitter's Finagle (RetryBudget.scala)

/** Retries per call. */
export const BUDGET_RATIO = 0.2

/** Retries a minute that a host gets even without any calls. */
export const BUDGET_PER_MINUTE = 10

const WINDOW_MS = 60_000

/** Calls are counted in steps of this length: the minute is as exact as that. */
const STEP_MS = 5_000

interface Step {
  /** Begin of the step, ms since the epoch. */
  from: number
  calls: number
  retries: number
}

/** Calls and retries of the last minute, oldest first. */
export type EarnedRetries = readonly Step[]

export const NO_CALLS: EarnedRetries = []

/** The steps after a call that is not a retry: it earns a part of a later retry. */
export function countCall(steps: EarnedRetries, at: number): EarnedRetries {
  return addCalls(steps, at, { calls: 1, retries: 0 })
}

/** The steps with one retry more; null if the calls of the last minute have not earned it. */
export function takeEarned(steps: EarnedRetries, at: number): EarnedRetries | null {
  const recent = recentOf(steps, at)
  const calls = recent.reduce((sum, step) => sum + step.calls, 0)
  const retries = recent.reduce((sum, step) => sum + step.retries, 0)
  return retries + 1 <= BUDGET_RATIO * calls ? addCalls(recent, at, { calls: 0, retries: 1 }) : null
}

function addCalls(steps: EarnedRetries, at: number, added: { calls: number; retries: number }): EarnedRetries {
  const recent = recentOf(steps, at)
  const last = recent.at(-1)
  // A clock that was set back counts into the newest step, so the steps stay in order.
  if (last === undefined || at >= last.from + STEP_MS) {
    return [...recent, { from: Math.floor(at / STEP_MS) * STEP_MS, ...added }]
  }
  const { from, calls, retries } = last
  return [...recent.slice(0, -1), { from, calls: calls + added.calls, retries: retries + added.retries }]
}

function recentOf(steps: EarnedRetries, at: number): EarnedRetries {
  return steps.filter(({ from }) => from > at - WINDOW_MS)
}

/** Times at which retries were given besides the earned ones, oldest first: those of the last minute. */
export type GivenRetries = readonly number[]

/** One of the ten of the minute, or when the next one will be free, ms since the epoch. */
export function takeGiven(
  given: GivenRetries,
  at: number,
): { given: GivenRetries; isGranted: true } | { given: GivenRetries; isGranted: false; freeAt: number } {
  const recent = given.filter((time) => time > at - WINDOW_MS)
  if (recent.length < BUDGET_PER_MINUTE) return { given: [...recent, at], isGranted: true }
  return { given: recent, isGranted: false, freeAt: recent[0]! + WINDOW_MS }
}
