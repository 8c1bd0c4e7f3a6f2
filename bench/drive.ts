// Drives load, and says how long it took. Knows nothing of what it drives: work is a function that throws when its answer is wrong.

import { Agent, type IncomingHttpHeaders, request } from 'node:http'

/** One request, or whatever counts as one. */
export type Work = () => Promise<void>

/** An answer with its body read as text. */
export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  text: string
}

/** What one worker of the load did in a round. */
export interface Burst {
  /** Works done per second. */
  rate: number
  /** How long each took, in ms. */
  latencies: number[]
}

/** How much load, and for how long. */
export interface Pace {
  concurrency: number
  rounds: number
  /** A round begins no new work after this many milliseconds, */
  ms: number
  /** unless it has done less than this many pieces of work. */
  atLeast: number
}

// The server closes connections that were idle for 5 s; one that is taken up in that moment would break.
const agent = new Agent({ keepAlive: true, maxSockets: 64, timeout: 4_000 })

/** Node's plain client: `fetch` costs the load driver several times as much of a machine that the server needs too. */
export function call(
  method: string,
  url: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const typed =
    body === undefined
      ? headers
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers }
  const sent = request(url, { agent, method, headers: typed }, (response) => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.on('error', reject)
    response.on('end', () => {
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() })
    })
  })
  sent.on('error', reject)
  sent.end(body)
  return promise
}

/**
 * Measures works in turns, a round of each after the other, so that a machine that slows down slows all of them.
 * @returns the rounds of each work, in the order of `works`
 */
export async function inTurns(works: readonly Work[], { concurrency, rounds, ms, atLeast }: Pace): Promise<Burst[][]> {
  const measured = works.map((): Burst[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, work] of works.entries()) measured[index]!.push(await burst(work, concurrency, ms, atLeast))
  }
  return measured
}

async function burst(work: Work, concurrency: number, ms: number, atLeast: number): Promise<Burst> {
  const latencies: number[] = []
  let begun = 0
  const startedAt = performance.now()
  const client = async () => {
    while (begun < atLeast || performance.now() - startedAt < ms) {
      begun++
      const at = performance.now()
      await work()
      latencies.push(performance.now() - at)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, client))
  return { rate: (latencies.length * 1_000) / (performance.now() - startedAt), latencies }
}

/** The middle of the values; NaN if there are none. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/**
 * The value at this part of the sorted values (nearest rank); NaN if there are none.
 * @param q 0.5 is the median, 0.99 what one in a hundred exceeds
 */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
}

/** Works per second: the median of the rounds. */
export function rateOf(bursts: readonly Burst[]): number {
  return median(bursts.map(({ rate }) => rate))
}

/** The rate of one work over the rate of another: the median of the rounds. Both had the same machine in each round. */
export function ratioOf(bursts: readonly Burst[], to: readonly Burst[]): number {
  return median(bursts.map(({ rate }, round) => rate / to[round]!.rate))
}

/** How long each piece of work of all rounds took, in ms. */
export function latenciesOf(bursts: readonly Burst[]): number[] {
  return bursts.flatMap(({ latencies }) => latencies)
}
