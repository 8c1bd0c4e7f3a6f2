// What this isolate has answered, for `requests_total` and `request_duration_seconds`. Gathered here and told to the Metrics
// object in the background once a second, so that counting costs a request nothing it would notice. What an isolate has not
// told when it dies is lost: these figures show load and latency; what runs did is counted exactly, where runs are.

import type { RequestCount } from '../../../durable/runner/counts.ts'
import type { Env } from '../../env.ts'
import { metricsOf } from '../../objects.ts'

/** How long counts gather, in ms. */
const GATHER_MS = 1_000

/** Counts that are kept at most, should the Metrics object not answer; more are dropped. */
const MAX_GATHERED = 10_000

let gathered: RequestCount[] = []
let isPlanned = false

/** Counts one answer. `background` keeps the request's context until the counts are told. */
export function countRequest(
  env: Env,
  tenant: string,
  count: RequestCount,
  background: (work: Promise<void>) => void,
): void {
  if (gathered.length < MAX_GATHERED) gathered.push(count)
  if (isPlanned) return
  isPlanned = true
  background(
    scheduler.wait(GATHER_MS).then(() => {
      isPlanned = false
      return tellRequests(env, tenant)
    }),
  )
}

/** Tells what has gathered. Never rejects: without it figures are too low, and requests are served. */
export async function tellRequests(env: Env, tenant: string): Promise<void> {
  if (gathered.length === 0) return
  const counts = gathered
  gathered = []
  try {
    await metricsOf(env, tenant).countRequests(counts)
  } catch (error) {
    console.error(JSON.stringify({ event: 'request_counts_lost', count: counts.length, message: String(error) }))
  }
}
