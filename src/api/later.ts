// Routes that the contract has and this release has not. A route that is built leaves this list.

import { patternOf } from './http/route.ts'

const LATER: readonly (readonly [methods: string, path: string])[] = [
  ['GET', '/v1/workflows/{name}/aliases'],
  ['GET PUT DELETE', '/v1/workflows/{name}/aliases/{alias}'],
  ['GET', '/v1/workflows/{name}/aliases/{alias}/history'],
  ['POST', '/v1/workflows/{name}/aliases/{alias}/promote'],
  ['POST', '/v1/workflows/{name}/aliases/{alias}/rollback'],
  ['GET', '/v1/workflows/{name}/diff'],
  ['POST', '/v1/plan'],
  ['GET', '/v1/triggers'],
  ['GET PUT DELETE', '/v1/triggers/{id}'],
  ['POST', '/v1/triggers/{id}/pause'],
  ['POST', '/v1/triggers/{id}/resume'],
  ['POST', '/v1/triggers/{id}/fire'],
  ['POST', '/v1/triggers/{id}/test'],
  ['POST', '/v1/triggers/{id}/backfill'],
  ['GET', '/v1/triggers/{id}/firings'],
  ['POST', '/v1/events'],
  ['POST', '/v1/hooks/{tenant}/{trigger}'],
  ['GET', '/v1/dead-letters'],
  ['DELETE', '/v1/dead-letters/{id}'],
  ['POST', '/v1/dead-letters/{id}/redeliver'],
  ['GET POST', '/v1/admin/tenants'],
  ['GET PATCH DELETE', '/v1/admin/tenants/{id}'],
  ['GET POST', '/v1/keys'],
  ['DELETE', '/v1/keys/{id}'],
  ['GET PUT DELETE', '/v1/policy'],
  ['POST', '/v1/policy/try'],
  ['GET', '/v1/audit'],
  ['GET', '/v1/audit/verify'],
  ['GET', '/v1/export'],
  ['POST', '/v1/import'],
  ['GET', '/v1/quotas'],
  ['GET', '/v1/limits'],
]

const patterns = LATER.map(([methods, path]) => ({ methods: new Set(methods.split(' ')), pattern: patternOf(path) }))

/** Whether the contract has this call although this release has not. HEAD counts as GET. */
export function isLater(method: string, path: string): boolean {
  const asked = method === 'HEAD' ? 'GET' : method
  return patterns.some(({ methods, pattern }) => methods.has(asked) && pattern.test(path))
}
