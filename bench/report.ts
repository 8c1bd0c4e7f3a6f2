// The figures as text for people.

import type { Aim } from './aims.ts'
import type { Row } from './cases.ts'

type Column = [heading: string, of: (row: Row) => string]

const COLUMNS: readonly Column[] = [
  ['workflow', ({ workflow }) => workflow],
  ['tasks', ({ tasks }) => String(tasks)],
  ['type', ({ calls }) => (calls ? 'http' : 'placeholder')],
  ['at once', ({ concurrency }) => String(concurrency)],
  ['runs', ({ runs }) => String(runs)],
  ['runs/s', ({ runsPerSecond }) => figure(runsPerSecond)],
  ['p50 ms', ({ p50Ms }) => figure(p50Ms)],
  ['p99 ms', ({ p99Ms }) => figure(p99Ms)],
  ['ms/task', ({ msPerTask }) => figure(msPerTask)],
  ['x floor', ({ toFloor }) => figure(toFloor)],
  ['cpu ms', ({ cpuMs }) => (cpuMs === null ? '-' : figure(cpuMs))],
  ['written', ({ rowsWritten }) => rowsWritten.toFixed(1)],
  ['read', ({ rowsRead }) => rowsRead.toFixed(1)],
  ['MiB before', ({ memory }) => mebibytes(memory.before)],
  ['peak', ({ memory }) => mebibytes(memory.peak)],
  ['after', ({ memory }) => mebibytes(memory.after)],
]

const LEGEND = `runs/s: median of the rounds. p50, p99: of all runs, as their client sees them. ms/task: p50 / tasks. x floor: runs/s over the
requests/s of the floor Worker (Hono route, one RPC to one Durable Object, one SQLite insert), measured in turns at the same concurrency.
cpu ms: processor time of the orchestrator's runtime per run. written, read: SQLite rows per run. MiB: resident memory of the runtime that serves the orchestrator. At most 4 tasks of a run at once.`

/** The table of all rows, for a terminal. */
export function tableText(rows: readonly Row[]): string {
  const lines = [COLUMNS.map(([heading]) => heading), ...rows.map((row) => COLUMNS.map(([, of]) => of(row)))]
  const widths = COLUMNS.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  const aligned = lines.map((line) =>
    line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))),
  )
  return `${aligned.map((line) => line.join('  ')).join('\n')}\n\n${LEGEND}\n`
}

/** The aims, each with what was measured and how. */
export function aimsText(aims: readonly Aim[]): string {
  return aims
    .map(
      ({ figure, aim, measured, isReached, how }) =>
        `${isReached ? 'reached' : 'MISSED '}  ${figure}\n         aim ${aim}; measured ${measured}\n         how: ${how}`,
    )
    .join('\n')
}

/** Three digits that mean something. */
function figure(value: number): string {
  if (!Number.isFinite(value)) return '-'
  return value >= 100
    ? value.toFixed(0)
    : value >= 10
      ? value.toFixed(1)
      : value >= 1
        ? value.toFixed(2)
        : value.toPrecision(2)
}

function mebibytes(value: number | null): string {
  return value === null ? '-' : value.toFixed(0)
}
