// Starting a run: the request that everything else is there for, so what is not needed for it is not done on its way.

import { isLongerThan } from '../../bytes.ts'
import type { Env } from '../../env.ts'
import { registryOf } from '../../objects.ts'
import { type Start, startRun } from '../../start.ts'
import type { Fault } from '../../workflow/codes.ts'
import { parseWorkflowRef } from '../../workflow/definition/workflow-ref.ts'
import { checkShape } from '../../workflow/faults.ts'
import { isJsonObject, type JsonObject, MAX_VALUE_BYTES } from '../../workflow/json.ts'
import { isFinal } from '../../workflow/run/run.ts'
import { canonicalText, soundness } from '../../workflow/sound.ts'
import { spanMs } from '../../workflow/span.ts'
import { readTrace } from '../../workflow/trace.ts'
import { readIdempotency } from '../http/idempotency-key.ts'
import { MAX_WAIT, readPreference } from '../http/prefer.ts'
import { ApiProblem, faultyBody } from '../http/problem.ts'
import { withRepeats } from '../http/repeats.ts'
import { type Route, route } from '../http/route.ts'
import { runResponse } from './run-answers.ts'
import { LATER_START_FIELDS, RunSchema, StartRunSchema } from './run-schemas.ts'
import { startRefusal } from './start-refusal.ts'

/** Twice the largest input: written with escapes or line breaks it is longer than as it is kept. */
const MAX_BODY_BYTES = 2 * MAX_VALUE_BYTES

const MAX_AHEAD_MS = 365 * 24 * 3_600_000

function startRoute(path: '/v1/run' | '/v1/runs'): Route {
  return route({
    method: 'POST',
    path,
    tag: 'Runs',
    summary: 'Start a workflow',
    description:
      'Waits for the end of the run, 30 s at most, or `Prefer: wait=N`; `Prefer: respond-async` waits for nothing. A client that hangs up cancels nothing. With `Idempotency-Key` a repeat of the same start is answered with the first run, for 24 h; the same means the same JSON, however it is written.',
    access: 'key',
    headers: ['Prefer', 'Idempotency-Key', 'traceparent', 'tracestate'],
    body: { schema: StartRunSchema, maxBytes: MAX_BODY_BYTES, check: checkStart },
    answers: {
      200: {
        description: 'The run has ended, whatever its outcome: `status` tells.',
        content: RunSchema,
        headers: ['Run-Status', 'Preference-Applied', 'Idempotent-Replayed'],
      },
      202: {
        description: 'The run goes on; the body shows it so far.',
        content: RunSchema,
        headers: ['Location', 'Retry-After', 'Run-Status', 'Preference-Applied', 'Idempotent-Replayed'],
      },
    },
    problems: [
      'workflow_not_found',
      'version_not_found',
      'workflow_paused',
      'invalid_idempotency_key',
      'idempotency_key_reused',
      'run_deleted',
      'invalid_input',
      'not_available',
      'start_unconfirmed',
    ],
    async handle({ request, env, tenant, body }) {
      const preference = readPreference(request.headers)
      const { respondAsync, wait } = preference
      const longestMs = 1_000 * (wait ?? (respondAsync ? 0 : MAX_WAIT))
      // A run that starts later than anybody waits is not waited for.
      const startsInMs = (body.start.options?.startAt ?? 0) - Date.now()
      const waitMs = startsInMs < longestMs ? longestMs : 0
      const idempotency = await readIdempotency(request.headers, body.canonical)
      const trace = readTrace(request.headers.get('traceparent'), request.headers.get('tracestate'))
      // No part of the body, so a repeat with the same key may come from another trace.
      const options = trace === null ? body.start.options : { ...body.start.options, trace }
      const start = { ...body.start, ...(options === undefined ? {} : { options }), idempotency, waitMs }
      const started = await startRun(env, tenant, start)
      if (started.kind !== 'run') {
        const { name } = body.start.workflow
        const near = started.kind === 'workflow_not_found' ? await nearestWorkflow(env, tenant, name) : null
        throw startRefusal(started, name, near)
      }
      const isAsync = respondAsync && wait === null
      return runResponse(started, isFinal(started.status) && !isAsync ? 200 : 202, preference, started.replayed)
    },
  })
}

/** The known workflow whose name is most like this one; null if none is. */
async function nearestWorkflow(env: Env, tenant: string, name: string): Promise<string | null> {
  const [missing] = await withRepeats(() => registryOf(env, tenant).missing([{ name, version: null }]))
  return missing?.nearest ?? null
}

interface CheckedStart {
  start: Pick<Start, 'workflow' | 'input' | 'timeoutMs' | 'options'>
  /** The body as text that is equal for equal bodies; made only for a start with a key. */
  canonical(): string
}

function checkStart(value: unknown): CheckedStart {
  const unsound = soundness(value)
  const shape = checkShape(StartRunSchema, value, { notAvailable: () => LATER_START_FIELDS })
  const faults = [...unsound, ...(shape.ok ? [] : shape.faults), ...(isJsonObject(value) ? faultsOfValues(value) : [])]
  if (!shape.ok || faults.length > 0) throw faultyBody(faults)
  const { workflow, input, timeout, tags, start_at } = shape.value
  const text = JSON.stringify(input ?? null)
  if (isLongerThan(MAX_VALUE_BYTES, text)) {
    throw new ApiProblem('too_large', `The input may have at most ${MAX_VALUE_BYTES.toLocaleString('en-US')} bytes`)
  }
  const timeoutMs = timeout === undefined ? null : spanMs(timeout)
  const startAt = start_at === undefined ? undefined : Date.parse(start_at)
  const given = {
    ...(tags === undefined || tags.length === 0 ? {} : { tags }),
    ...(startAt === undefined ? {} : { startAt }),
  }
  const options = Object.keys(given).length === 0 ? {} : { options: given }
  return {
    start: { workflow: parseWorkflowRef(workflow) as Start['workflow'], input: text, timeoutMs, ...options },
    canonical: () => canonicalText(value),
  }
}

/** What is wrong with values whose form is right. Of a body that may have other faults, so that one answer lists them all. */
function faultsOfValues({ workflow, start_at }: JsonObject): Fault[] {
  const faults: Fault[] = []
  const ref = typeof workflow === 'string' ? parseWorkflowRef(workflow) : null
  if (ref !== null && 'alias' in ref) {
    const message = `names the alias ${JSON.stringify(ref.alias)}; aliases are part of the contract, but not of this release`
    faults.push({ path: '/workflow', code: 'not_available', message })
  }
  if (typeof start_at === 'string' && Date.parse(start_at) - Date.now() > MAX_AHEAD_MS) {
    faults.push({ path: '/start_at', code: 'out_of_bounds', message: 'may be at most 365 days ahead' })
  }
  return faults
}

/** The routes of this file, for app.ts. */
export const startRoutes: readonly Route[] = [startRoute('/v1/run'), startRoute('/v1/runs')]
