// How much memory a process has in use, as the system sees it.

import { readFileSync } from 'node:fs'

const SAMPLE_MS = 50

/** Resident memory in MiB; null where the system does not tell (no /proc). */
export function residentOf(pid: number): number | null {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kib === undefined ? null : Number(kib) / 1024
  } catch {
    return null // Not Linux, or the process has ended, which others notice.
  }
}

/** Watches a process until it is asked. */
export function watchMemory(pid: number): () => { before: number | null; peak: number | null; after: number | null } {
  const before = residentOf(pid)
  let peak = before
  const look = () => {
    const now = residentOf(pid)
    if (now !== null) peak = Math.max(now, peak ?? 0)
    return now
  }
  const timer = setInterval(look, SAMPLE_MS)
  return () => {
    clearInterval(timer)
    const after = look()
    return { before, peak, after }
  }
}
