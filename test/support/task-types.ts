// Task types for tests of registration: every kind there can be, whatever the release has built.

import { z } from 'zod'
import type { TaskTypes } from '../../src/workflow/definition/task-types.ts'

const call = z.strictObject({
  url: z.string(),
  times: z.int().min(1).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  json: z.unknown().optional(),
})
const text = z.strictObject({ value: z.string() })

/** `call` and `text` are built, `text` needs `with`; `script` and `wait` are not built, `script` may be a placeholder. */
export const TEST_TYPES: TaskTypes = {
  call: {
    mayBePlaceholder: true,
    hostOf: ({ url }) => String(url),
    with: { inDefinition: call, rendered: call, notBuilt: ['poll'] },
  },
  text: { mayBePlaceholder: false, with: { inDefinition: text, rendered: text, notBuilt: [] } },
  script: { mayBePlaceholder: true },
  wait: { mayBePlaceholder: false },
}
