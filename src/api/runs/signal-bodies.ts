// What is sent to tell a run something, and what is answered.

import { z } from 'zod'
import { soundness } from '../../workflow/sound.ts'
import { faultyBody } from '../http/problem.ts'

export const SignalSchema = z
  .strictObject({
    id: z.string().meta({ examples: ['sig_5f2b7c9d1e3a4f6b8c0d2e4f6a'] }),
    delivered_to: z
      .array(z.string())
      .meta({ description: 'Ids of the tasks that got it; empty: it is kept for a task that begins to wait later.' }),
  })
  .meta({ id: 'Signal', description: 'What became of a signal.' })

/** The signal as JSON text. */
export function checkSignal(value: unknown): string {
  const faults = soundness(value)
  if (faults.length > 0) throw faultyBody(faults)
  return JSON.stringify(value)
}

/** The id of a signal, from hexadecimal digits that are random, or a hash of what says that two are the same. */
export function signalId(digits: string): string {
  return `sig_${digits.slice(0, 26)}`
}
