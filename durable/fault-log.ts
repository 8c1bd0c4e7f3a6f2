// What a Runner writes to the logs when something is wrong with itself.

/** Writes one line for a fault to the logs of the Worker. It holds no input, no output and no key. */
export function logFault(where: string, error: unknown, runId?: string): void {
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined }
  console.error(JSON.stringify({ event: 'runner_fault', where, run: runId, message, stack }))
}
