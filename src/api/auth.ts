// Who calls. The only source of a tenant (R8): nothing else makes a Principal.
// `AUTH` is closed by default: anything but exactly `none` requires a key.

import type { Env } from '../env.ts'
import { ApiProblem } from './http/problem.ts'

/** A caller that was let in. */
export interface Principal {
  readonly tenant: string
}

/** Until tenants can be made there is one. */
export const DEFAULT_TENANT = 'default'

const DEFAULT: Principal = { tenant: DEFAULT_TENANT }

const BEARER = /^Bearer +([A-Za-z0-9\-._~+/]+=*) *$/i

const encoder = new TextEncoder()

/** Whether calls need a key. Everything but exactly `none` means that they do. */
export function authMode(env: Env): 'required' | 'none' {
  return env.AUTH === 'none' ? 'none' : 'required'
}

/** Whether the deployment could let anybody in. */
export function isAuthConfigured(env: Env): boolean {
  return authMode(env) === 'none' || (env.ADMIN_KEY ?? '') !== ''
}

/**
 * Who makes this request. Whether the host may be called at all is hosts.ts's question.
 * @throws ApiProblem `auth_not_configured`, `unauthenticated`
 */
export async function authenticate(headers: Headers, env: Env): Promise<Principal> {
  if (authMode(env) === 'none') return DEFAULT
  const { ADMIN_KEY: key = '' } = env
  if (key === '') throw authNotConfigured()
  const header = headers.get('Authorization')
  if (header === null) throw unauthenticated('The call has no key', 'Bearer')
  const token = BEARER.exec(header)?.[1]
  if (token === undefined) throw unauthenticated('The Authorization header is not of the form Bearer <key>', 'Bearer')
  if (!(await isKey(token, key))) throw unauthenticated('The key is not known', 'Bearer error="invalid_token"')
  return DEFAULT
}

/** The problem of a deployment that has no key yet, with what to do about it. */
export function authNotConfigured(headers: Record<string, string> = {}): ApiProblem {
  const detail = 'Set the secret ADMIN_KEY (wrangler secret put ADMIN_KEY); until then nobody is let in'
  return new ApiProblem('auth_not_configured', detail, { headers })
}

function unauthenticated(detail: string, challenge: string): ApiProblem {
  return new ApiProblem('unauthenticated', detail, { headers: { 'WWW-Authenticate': challenge } })
}

/** Compares hashes, so that neither the length of the key nor how much of it was right shows in the time taken. */
async function isKey(given: string, key: string): Promise<boolean> {
  if (expected?.key !== key) expected = { key, hash: await sha256(key) }
  return crypto.subtle.timingSafeEqual(await sha256(given), expected.hash)
}

/** The key's own hash, which is the same for every request. */
let expected: { key: string; hash: ArrayBuffer } | null = null

function sha256(text: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest('SHA-256', encoder.encode(text))
}
