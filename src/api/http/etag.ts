// Entity tags of workflows, and the conditions that rest on them (RFC 9110, section 13).

import type { StoredVersion } from '../../../durable/registry/registry-rpc.ts'
import { ApiProblem } from './problem.ts'

/**
 * `"3"` when version 3 is the newest, the one that starts take, and not paused. Else the tag also says what differs: the
 * body shows it, and one tag must not stand for two bodies.
 */
export function etagOf({ version, live, latest, paused }: Omit<StoredVersion, 'definition'>): string {
  if (version === live && live === latest && !paused) return `"${version}"`
  return `"${version}.${live}.${latest}${paused ? '.paused' : ''}"`
}

/** Whether the client has what would be sent. Weak tags count: proxies that compress make tags weak. */
export function isFresh(headers: Headers, etag: string): boolean {
  const header = headers.get('If-None-Match')
  if (header === null) return false
  return header.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag)
}

/**
 * The version that If-Match says is the newest: `"3"`, or any tag of version 3 that this service gave.
 * @throws ApiProblem `invalid_parameter`
 */
export function readIfMatch(headers: Headers): number | '*' | null {
  const header = headers.get('If-Match')?.trim() ?? null
  if (header === null || header === '*') return header
  const version = /^(?:W\/)?"([1-9]\d{0,14})(?:\.[\w.]*)?"$/.exec(header)?.[1]
  if (version === undefined) {
    throw new ApiProblem('invalid_parameter', 'If-Match takes one version, as "3" with its quotes, or *')
  }
  return Number(version)
}
