// Why a run did not begin, as a problem: for a start, and for a run that is made again.

import type { Started } from '../../start.ts'
import { quoted } from '../../workflow/nearest.ts'
import { spanText } from '../../workflow/wording.ts'
import { ApiProblem, detailOf, faultyBody } from '../http/problem.ts'

/**
 * @param workflow its name, for people
 * @param near the known name that is most like it; null if none is
 */
export function startRefusal(
  started: Exclude<Started, { kind: 'run' }>,
  workflow: string,
  near: string | null = null,
): ApiProblem {
  switch (started.kind) {
    case 'workflow_not_found':
      return new ApiProblem(
        started.kind,
        `There is no workflow ${workflow}${near === null ? '' : `; did you mean ${quoted(near)}?`}`,
      )
    case 'version_not_found':
      return new ApiProblem(started.kind, `${workflow} has no such version; its newest is ${started.latest}`)
    case 'workflow_paused':
      return new ApiProblem(started.kind, `${workflow} takes no new runs until it is resumed`)
    case 'idempotency_key_reused':
      return new ApiProblem(started.kind, 'The first start with this Idempotency-Key had another body')
    case 'run_deleted':
      return new ApiProblem(started.kind, 'The run that this Idempotency-Key started was deleted')
    case 'timeout_too_long': {
      const message = `may only shorten the definition's, which is ${spanText(started.definitionMs)}`
      return faultyBody([{ path: '/timeout', code: 'out_of_bounds', message }])
    }
    case 'invalid_input':
      return new ApiProblem(started.kind, detailOf(started.faults), { errors: started.faults })
    case 'overloaded':
      return new ApiProblem('unavailable', 'The service is too slow at the moment; the start was not taken', {
        headers: { 'Retry-After': '1' },
      })
    case 'start_unconfirmed':
      return new ApiProblem(started.kind, `It is not known whether run ${started.runId} was started`, {
        headers: { Location: `/v1/runs/${started.runId}`, 'Retry-After': '1' },
      })
    default:
      return started satisfies never
  }
}
