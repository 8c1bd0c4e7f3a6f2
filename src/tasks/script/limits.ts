// Pure. What one script may use. Every engine keeps these bounds by itself; none needs a clock.

/** Fuel of one millisecond. A unit is one turn of a loop, one call or 64 bytes copied inside the interpreter (scripts/meter-wasm.ts). */
const FUEL_PER_MS = 100_000

/** What one call of a script may use. */
export interface ScriptLimits {
  /** Loop turns and calls of the interpreter, and what is copied at once. */
  fuel: number
  /** All that the engine's memory may grow to: its own parts and what the script makes. */
  memoryBytes: number
  /** JSON text of the result, UTF-8. */
  outputBytes: number
}

/** Logs that are kept of one call: the first and the last of them, half each; in characters of text. */
export const MAX_LOG_CHARACTERS = 64 * 1024

/** What one log call costs beside its work, so that a script that only logs ends soon. */
export const FUEL_PER_LOG = 20_000

/** What the interpreter pays for each piece of text that it hands out or is handed, beside 1 for each byte. */
export const FUEL_PER_TRANSFER = 500

/** What it pays for each look for a file and for each one that it opens: the host reads paths out and hands texts of modules in. */
export const FUEL_PER_FILE_CALL = 2_000

/** What it pays for each random number of the host. */
export const FUEL_PER_RANDOM = 100
/** What it pays for each exception that it unwinds to, since the host throws and catches it. */
export const FUEL_PER_UNWINDING = 500

/** The longest message or trace that is kept, in characters. */
export const MAX_MESSAGE_CHARACTERS = 4_096

/** What reading a script may take, whatever it may use when it runs: a registration reads hundreds of them. */
export function checkLimits(code: string): Pick<ScriptLimits, 'fuel' | 'memoryBytes'> {
  return { fuel: 500_000 + 100 * code.length, memoryBytes: 32 * 1_024 * 1_024 }
}

/** The fuel that a span of computing is worth, on every machine the same. */
export function fuelOf(cpuMs: number): number {
  return cpuMs * FUEL_PER_MS
}
