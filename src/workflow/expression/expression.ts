// Templates: JSON whose strings may hold `${{ CEL }}`. Finds the expressions, checks them against a workflow, fills them in.
// One pass: what an expression yields is data, even if it looks like an expression. The language itself is cel.ts.

import { EvaluationError } from '@marcbachmann/cel-js'
import { closest } from 'fastest-levenshtein'
import type { Fault } from '../codes.ts'
import type { InputShape } from '../definition/input-shape.ts'
import type { TaskError } from '../event.ts'
import type { Json } from '../json.ts'
import { evaluate, type Names } from './cel.ts'
import { toJson } from './cel-json.ts'
import { LimitReached, Lookup, MAX_NESTING, Meter, read, type Value } from './cel-values.ts'
import type { InputReference, NameFault, PlacedName, SecretReference, TaskReference } from './expression-names.ts'
import { clip, type Expression, segmentsOf } from './expression-source.ts'

/** What a template may name, for checking at registration. */
export interface ExpressionNames {
  /** Every task of the workflow: id -> whether it is a placeholder (output always null). */
  tasks: ReadonlyMap<string, { placeholder: boolean }>
  /** Whether the task with this id surely runs before (is transitively upstream). For a definition's `output` template: always true. */
  isUpstream(id: string): boolean
  /** What the workflow's `input_schema` says of the input; absent or null without one. */
  input?: InputShape | null
  /** Whether the expression is one of a map's items. */
  hasItem?: boolean
  /** Whether it is about what a call has answered. */
  hasResponse?: boolean
  /** Whether the executor fills in what is written here, so that it may name secrets. */
  takesSecrets?: boolean
}

/** The values an expression reads when it runs. Only what is named is asked for, and each at most once per template. */
export interface ExpressionScope {
  input(): Json
  run: { id: string; workflow: string; version: number; attempt: number }
  task(id: string): { status: string; output: Json }
  /** What has come from outside, where an expression judges it; absent elsewhere, and null to who asks. */
  event?(): Json
  /** What a call has answered, for an expression about that; absent elsewhere. */
  response?(): Json
  /** The item of a map that an expression is evaluated for; absent elsewhere. */
  item?(): { value: Json; index: number }
  /** What stands for a secret until the executor fills it in; absent where there is no executor. */
  secret?(name: string): string
  /** Hears how many steps each template has taken, so that many of them in a row can be bounded together. */
  spend?(steps: number): void
}

export type Rendered = { ok: true; value: Json } | { ok: false; error: TaskError }

/** Whether the template holds any expression. */
export function hasExpressions(template: Json): boolean {
  return holdsExpression(template, 0)
}

function holdsExpression(template: Json, depth: number): boolean {
  if (typeof template === 'string') return template.includes('${{')
  if (typeof template !== 'object' || template === null) return false
  // Deeper than anything can be rendered: say yes, so that rendering says what is wrong.
  if (depth > MAX_NESTING) return true
  return Object.values(template).some((part) => holdsExpression(part, depth + 1))
}

/**
 * What is wrong with a condition as it is written: one expression, bare or wrapped. With text or a second expression beside it
 * it would be a text, and never true or false.
 */
export function checkCondition(text: string, names: ExpressionNames, at: string): Fault[] {
  return checkWhole(text, names, at, 'a condition')
}

/** What is wrong with a field that is one expression, bare or wrapped. @param what it is, for people */
export function checkWhole(text: string, names: ExpressionNames, at: string, what: string): Fault[] {
  const template = fieldTemplate(text)
  const faults = checkTemplate(template, names, at)
  if (faults.length > 0 || segmentsOf(template).length === 1) return faults
  const message = `${what} is one expression: write all of it inside \${{ }}, or none (\`${clip(text)}\`)`
  return [{ path: at, code: 'expression_syntax', message }]
}

/**
 * Every fault of the template's expressions, in the order of the template.
 * @param at JSON Pointer of the template; the faults' paths continue it
 */
export function checkTemplate(template: Json, names: ExpressionNames, at: string): Fault[] {
  return faultsOf(template, names, at, 0)
}

function faultsOf(template: Json, names: ExpressionNames, at: string, depth: number): Fault[] {
  if (typeof template === 'string') return textFaults(template, names, at)
  if (typeof template !== 'object' || template === null) return []
  if (depth > MAX_NESTING) return [{ path: at, code: 'expression_limit', message: `nested deeper than ${MAX_NESTING}` }]
  return Object.entries(template).flatMap(([key, part]) =>
    faultsOf(part, names, `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, depth + 1),
  )
}

function textFaults(text: string, names: ExpressionNames, path: string): Fault[] {
  const faults = segmentsOf(text).flatMap((segment) => {
    if (segment.kind === 'text') return []
    const expression = segment.expression
    const all = [
      ...expression.faults,
      ...expression.tasks.flatMap((task) => taskFaults(task, names)),
      ...expression.inputs.flatMap((read) => inputFaults(read, names)),
      ...expression.items.flatMap((given) => placeFaults(given, names)),
      ...(names.takesSecrets ? [] : expression.secrets.map(secretFault)),
    ]
    return all.map((fault) => ({
      path,
      code: fault.code,
      message: describe(fault.message, expression.text, fault.position),
    }))
  })
  // The same expression twice in a text has its faults once.
  return [...new Map(faults.map((fault) => [`${fault.code} ${fault.message}`, fault])).values()]
}

function taskFaults({ id, position, readsInside }: TaskReference, names: ExpressionNames): NameFault[] {
  const task = names.tasks.get(id)
  if (task === undefined) {
    return [{ code: 'unknown_name', message: `there is no task "${id}"${suggestion(id, names.tasks)}`, position }]
  }
  const faults: NameFault[] = []
  if (!names.isUpstream(id)) {
    const message = `the task "${id}" does not surely run before: add "${id}" to depends_on`
    faults.push({ code: 'not_upstream', message, position })
  }
  if (task.placeholder && readsInside) {
    faults.push({ code: 'unknown_name', message: `the task "${id}" is a placeholder: its output is null`, position })
  }
  return faults
}

/** Faults of a name that exists in some places only, such as `item` or `response`, and is used elsewhere. */
function placeFaults({ name, position }: PlacedName, { hasItem, hasResponse }: ExpressionNames): NameFault[] {
  if (name === 'response' ? hasResponse : hasItem) return []
  const where = name === 'response' ? 'where an answer is judged' : 'in a map over items'
  return [{ code: 'unknown_name', message: `"${name}" exists only ${where}`, position }]
}

function secretFault({ position }: SecretReference): NameFault {
  const message = 'secrets are filled in by the executor: they may stand in "with" of tasks that it performs, not here'
  return { code: 'secret_misplaced', message, position }
}

function inputFaults({ steps, positions }: InputReference, { input }: ExpressionNames): NameFault[] {
  const fault = input?.faultOf(steps) ?? null
  return fault === null ? [] : [{ code: 'unknown_name', message: fault.message, position: positions[fault.step]! }]
}

/** How often an id was suggested for a workflow: 10,000 unknown ids among 10,000 tasks would take a minute. */
const suggestions = new WeakMap<object, number>()
const MAX_SUGGESTIONS = 100

function suggestion(id: string, tasks: ExpressionNames['tasks']): string {
  const given = suggestions.get(tasks) ?? 0
  if (tasks.size === 0 || given >= MAX_SUGGESTIONS) return ''
  suggestions.set(tasks, given + 1)
  return `; the nearest id is "${closest(id, [...tasks.keys()])}"`
}

/**
 * The template with its expressions filled in. What no expression touches stays the same; nothing of the scope is copied
 * or changed, so parts of the result may be shared with it. Fails with `expression_error` or `expression_limit`, by the first
 * expression that does; throws only what `scope` throws.
 */
export function renderTemplate(template: Json, scope: ExpressionScope): Rendered {
  const meter = new Meter()
  const rendered = render(template, { names: namesIn(scope), meter }, 0)
  scope.spend?.(meter.steps)
  return rendered
}

/**
 * Fields that are expressions take them bare or wrapped.
 * @returns the text as a template
 */
export function fieldTemplate(text: string): string {
  return text.includes('${{') ? text.trim() : `\${{ ${text} }}`
}

/** The value of a field that is an expression. */
export function evaluateField(text: string, scope: ExpressionScope): Rendered {
  return renderTemplate(fieldTemplate(text), scope)
}

/** Ids of the tasks that a field which is an expression names. */
export function namedTasks(text: string): string[] {
  return segmentsOf(fieldTemplate(text)).flatMap((segment) =>
    segment.kind === 'text' ? [] : segment.expression.tasks.map(({ id }) => id),
  )
}

/** Whether a condition holds. One that yields neither true nor false is an error: nothing counts as true. */
export function evaluateCondition(
  text: string,
  scope: ExpressionScope,
): { ok: true; value: boolean } | { ok: false; error: TaskError } {
  const rendered = evaluateField(text, scope)
  if (!rendered.ok) return rendered
  if (typeof rendered.value === 'boolean') return { ok: true, value: rendered.value }
  return {
    ok: false,
    error: { code: 'expression_error', message: describe('a condition must be true or false', text), retryable: false },
  }
}

interface Rendering {
  names: Names
  meter: Meter
}

function render(template: Json, rendering: Rendering, depth: number): Rendered {
  if (typeof template === 'string') return renderText(template, rendering)
  if (typeof template !== 'object' || template === null) return { ok: true, value: template }
  if (depth > MAX_NESTING) return failure('expression_limit', `The template is nested deeper than ${MAX_NESTING}`)
  const entries: [string, Json][] = []
  for (const [key, part] of Object.entries(template)) {
    const rendered = render(part, rendering, depth + 1)
    if (!rendered.ok) return rendered
    entries.push([key, rendered.value])
  }
  // fromEntries defines properties, so a key `__proto__` stays a key.
  return { ok: true, value: Array.isArray(template) ? entries.map(([, part]) => part) : Object.fromEntries(entries) }
}

function renderText(text: string, rendering: Rendering): Rendered {
  const segments = segmentsOf(text)
  let inserted = ''
  for (const segment of segments) {
    if (segment.kind === 'text') {
      inserted += segment.text
      continue
    }
    const rendered = renderExpression(segment.expression, rendering)
    if (!rendered.ok || segments.length === 1) return rendered
    inserted += typeof rendered.value === 'string' ? rendered.value : JSON.stringify(rendered.value)
  }
  return { ok: true, value: inserted }
}

function renderExpression({ text, ast, faults }: Expression, { names, meter }: Rendering): Rendered {
  const [fault] = faults
  if (fault !== undefined || ast === null) {
    const code = fault?.code === 'expression_limit' ? 'expression_limit' : 'expression_error'
    return failure(code, describe(fault?.message ?? '', text, fault?.position))
  }
  meter.begin()
  try {
    return { ok: true, value: toJson(evaluate(ast, names, meter), ast, meter) }
  } catch (error) {
    if (error instanceof LimitReached) return failure('expression_limit', describe(error.message, text))
    if (error instanceof EvaluationError)
      return failure('expression_error', describe(error.summary, text, error.range?.start))
    throw error
  }
}

function failure(code: 'expression_error' | 'expression_limit', message: string): Rendered {
  return { ok: false, error: { code, message, retryable: false } }
}

/** ``there is no member "nam" (character 7 of `input.nam`)`` */
function describe(message: string, text: string, position?: number): string {
  const where = position === undefined ? '' : `character ${position + 1} of `
  return `${clip(message)} (${where}\`${clip(text)}\`)`
}

/** The names of a scope. Remembers what it was given: inputs and outputs may have to be read from where they are kept. */
function namesIn(scope: ExpressionScope): Names {
  const known = new Map<string, Value>()
  const once = (key: string, ask: () => Value) => {
    if (!known.has(key)) known.set(key, ask())
    return known.get(key)
  }
  const tasks = new Lookup((id) =>
    once(`tasks.${id}`, () => {
      const { status, output } = scope.task(id)
      return new Map<string, Value>([
        ['status', status],
        ['output', status === 'succeeded' ? read(output) : null],
      ])
    }),
  )
  return (name) => {
    switch (name) {
      case 'input':
        return once(name, () => read(scope.input()))
      case 'tasks':
        return tasks
      case 'run':
        return scope.run
      case 'event':
        return scope.event === undefined ? null : once(name, () => read(scope.event!()))
      case 'response':
        return scope.response === undefined ? undefined : once(name, () => read(scope.response!()))
      case 'item':
        return scope.item === undefined ? undefined : once(name, () => read(scope.item!().value))
      case 'index':
        return scope.item?.().index
      case 'secrets':
        return scope.secret === undefined ? undefined : new Lookup((secret) => scope.secret!(secret))
      default:
        return undefined
    }
  }
}
