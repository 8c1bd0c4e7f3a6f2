// What a definition may say of each task type. The types themselves are given from outside: the core knows none of them.

import type { z } from 'zod'
import type { JsonObject } from '../json.ts'

export interface TaskType {
  /** Whether a task of this type may leave out `with`; it then holds its place in the graph and does nothing. */
  readonly mayBePlaceholder: boolean
  /** Whether the scheduler itself performs tasks of this type, without an attempt and an executor. */
  readonly isBuiltIn?: true
  /** Fields of a task that would say nothing of one of this type. */
  readonly takesNo?: readonly ('retry' | 'timeout')[]
  /** The origin of the host that a task of this type calls, from its `with` after expressions were filled in. Absent: tasks of this type call no host. */
  readonly hostOf?: (rendered: JsonObject) => string | null
  /** The fields that `hostOf` reads. */
  readonly hostFields?: readonly string[]
  /** Whether the executor is handed what expressions see, beside `with`. */
  readonly takesScope?: true
  /** Whether a task of this type tells what it has so far, its expressions filled in. Absent: none does. */
  readonly tellsPartials?: (rendered: JsonObject) => boolean
  /** Whether the executor has to look at `with` at registration: at what no schema can see. */
  readonly isChecked?: true
  /** Whether the items of a map can be tasks of this type. */
  readonly isForItems?: true
  /** Absent while the contract has the type and this release has not. */
  readonly with?: {
    /** Schema of `with` in a definition, where any value may still be a template. */
    readonly inDefinition: z.ZodType
    /** Schema of `with` once its expressions are filled in; here only its field names count. */
    readonly rendered: z.ZodObject
    /** Fields that are expressions, bare or wrapped, rather than templates. */
    readonly expressions?: readonly string[]
    /** Fields that are expressions which have to be true or false. */
    readonly conditions?: readonly string[]
    /** Expressions over `response`, what a call has answered: the executor evaluates them, so nothing of them is filled in before. */
    readonly ofResponse?: readonly ResponseField[]
    /** Fields that the contract has and this release has not. */
    readonly notBuilt: readonly string[]
  }
}

/** A field of a member of `with`. */
export interface ResponseField {
  readonly path: readonly [string, string]
  /** Whether it has to be true or false. */
  readonly isCondition: boolean
}

/** Every task type of the contract, by its name. */
export type TaskTypes = Readonly<Record<string, TaskType>>

/** The type of this name; null if there is no such type. */
export function taskType(types: TaskTypes, name: unknown): TaskType | null {
  return typeof name === 'string' && Object.hasOwn(types, name) ? types[name]! : null
}

/** "http", and without `with`, as placeholders: "python", ...: what an author can write instead of a type that does not exist. */
export function usableTypes(types: TaskTypes): string {
  const named = (isUsable: (type: TaskType) => boolean) =>
    Object.keys(types)
      .filter((name) => isUsable(types[name]!))
      .map((name) => `"${name}"`)
      .join(', ')
  const placeholders = named((type) => type.with === undefined && type.mayBePlaceholder)
  return `${named((type) => type.with !== undefined)}${placeholders === '' ? '' : `, and as placeholders, without "with": ${placeholders}`}`
}
