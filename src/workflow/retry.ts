// When an attempt is made again. Pure: jitter is a hash of what is made again, so a replay waits as long (R2).

/** The longest wait before an interrupted attempt is made again, in ms. */
const RESTART_JITTER_MS = 1_000

/** The fifth interruption fails the task: what falls over five times would take its shard down for ever. */
export const MAX_INTERRUPTIONS = 5

/**
 * Wait before an attempt that a crash or a deploy cut off is made again. Spread over a second, so that the attempts of a
 * whole shard do not storm the servers that they call in the moment it returns.
 * @returns whole milliseconds, 0 to 999
 */
export function restartDelayMs(runId: string, task: number, interruption: number): number {
  return hash32(`${runId}/${task}/${interruption}`) % RESTART_JITTER_MS
}

/**
 * A 32 bit hash for spreading things evenly; no secret keeps behind it.
 * @see FNV-1a (Fowler, Noll, Vo), with the finalizer of MurmurHash3 (Appleby), since FNV's low bits alone are uneven
 */
export function hash32(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
