// What a Registry is asked and answers: by the API, and by Runners, which hold leases on names. It crosses RPC between two
// adjacent releases, so fields are added, never changed (R9).

import type { WorkflowRef } from '../../src/workflow/definition/workflow-ref.ts'

/** How long a Runner may use a name's pointer without asking again, in ms. */
export const LEASE_MS = 1_000

/** A workflow as it is stored: the normalised definition as JSON text, and what the Registry adds. */
export interface StoredVersion {
  name: string
  version: number
  /** JSON text of the WorkflowDefinition; kept and handed on as text, so that nobody parses it without need. */
  definition: string
  createdAt: number
  /** Version that a start of the name takes. */
  live: number
  /** Newest version. */
  latest: number
  paused: boolean
}

export interface WorkflowSummary {
  name: string
  live: number
  latest: number
  description: string | null
  paused: boolean
  updatedAt: number
}

export interface VersionSummary {
  version: number
  createdAt: number
}

export type Missing = { kind: 'workflow_not_found' } | { kind: 'version_not_found'; latest: number }

/** A workflow that somebody wants to start, and why it cannot be. */
export interface MissingWorkflow {
  ref: WorkflowRef
  why: Missing
  /** The name that is most like it; null if no name is near. */
  nearest: string | null
}

export type Registered =
  | { kind: 'created' | 'unchanged'; stored: StoredVersion; missing: MissingWorkflow[] }
  /** `If-Match` named another version than the newest; `latest` is 0 when there is no version. */
  | { kind: 'version_conflict'; latest: number }

/** What a Runner needs to start a run. */
export type Resolved =
  | { kind: 'found'; version: number /** absent when the Runner said that it has this version */; definition?: string }
  | { kind: 'workflow_paused' }
  | Missing

export interface Page<Item, Cursor> {
  items: Item[]
  /** Handed back to get what follows; null at the end. */
  next: Cursor | null
}
