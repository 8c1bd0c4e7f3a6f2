// What a process uses, as the system sees it: memory, and processor time, which a busy machine distorts less than any clock.

import { readFileSync } from 'node:fs'

const SAMPLE_MS = 50

/** Linux tells processor time in hundredths of a second, whatever its kernel counts in. */
const TICK_MS = 10

/** Null stands for what the system does not tell (no /proc). */
export interface Usage {
  /** Resident memory in MiB. */
  memory: { before: number | null; peak: number | null; after: number | null }
  /** Processor time of all threads, in ms. */
  cpuMs: number | null
}

/** Watches a process until it is asked. */
export function watchUsage(pid: number): () => Usage {
  const before = residentOf(pid)
  const cpuBefore = cpuOf(pid)
  let peak = before
  const look = () => {
    const now = residentOf(pid)
    if (now !== null) peak = Math.max(now, peak ?? 0)
    return now
  }
  const timer = setInterval(look, SAMPLE_MS)
  return () => {
    clearInterval(timer)
    const cpu = cpuOf(pid)
    return {
      memory: { before, after: look(), peak },
      cpuMs: cpu === null || cpuBefore === null ? null : cpu - cpuBefore,
    }
  }
}

function residentOf(pid: number): number | null {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(textOf(pid, 'status'))?.[1]
  return kib === undefined ? null : Number(kib) / 1024
}

function cpuOf(pid: number): number | null {
  // The process's name stands in brackets and may hold blanks; behind it utime and stime are the 12th and 13th field.
  const fields = textOf(pid, 'stat').split(') ')[1]?.split(' ')
  return fields === undefined ? null : (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

function textOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return '' // Not Linux, or the process has ended, which others notice.
  }
}
