// How a workflow is named where it is started: `name`, `name@3`, `name@latest`, or `name@alias`.

export const WORKFLOW_REF = /^([A-Za-z0-9][A-Za-z0-9_-]{0,63})(?:@(?:([1-9]\d{0,8})|([A-Za-z][A-Za-z0-9_-]{0,63})))?$/

export interface WorkflowRef {
  name: string
  /** Null: what a start of the name takes. */
  version: number | 'latest' | null
}

/** The parts of a reference to a workflow; null if the text does not have its form. */
export function parseWorkflowRef(text: string): WorkflowRef | { name: string; alias: string } | null {
  const match = WORKFLOW_REF.exec(text)
  if (match === null) return null
  const [, name = '', number, alias] = match
  if (number !== undefined) return { name, version: Number(number) }
  if (alias === undefined) return { name, version: null }
  return alias === 'latest' ? { name, version: alias } : { name, alias }
}
