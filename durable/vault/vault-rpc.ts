// What a Vault answers to the API, which is never a value. What it lends to the executor is `Opened` (src/tasks/secrets/secrets.ts).

/** A secret as lists show it. */
export interface SecretInfo {
  name: string
  createdAt: number
  updatedAt: number
  /** Which of the configured keys opens it; `unknown` for neither. */
  key: 'current' | 'previous' | 'unknown'
}

export interface NotConfigured {
  kind: 'not_configured'
  why: string
}

export type Kept = { kind: 'kept'; isNew: boolean; secret: SecretInfo } | { kind: 'too_many' } | NotConfigured
