// JSON Schema, draft 2020-12, as a document: its keywords, the schemas within it, and what its references mean.
// One document: a reference leads within it or is a fault. Whether a schema is well formed is json-schema-check.ts, whether
// a value fits it json-schema-validation.ts.

import { isJsonObject, type Json, type JsonObject } from '../json.ts'

export type Schema = boolean | JsonObject

export const DIALECT = 'https://json-schema.org/draft/2020-12/schema'

/** What a keyword's value is made of: one schema, a list of them, or schemas by name. */
export type Holding = 'schema' | 'list' | 'map'

/** Keywords that hold schemas. `isInPlace`: they are about the same value as the schema that holds them. */
export const HOLDING: Readonly<Record<string, { holds: Holding; isInPlace: boolean }>> = {
  allOf: { holds: 'list', isInPlace: true },
  anyOf: { holds: 'list', isInPlace: true },
  oneOf: { holds: 'list', isInPlace: true },
  not: { holds: 'schema', isInPlace: true },
  if: { holds: 'schema', isInPlace: true },
  // biome-ignore lint/suspicious/noThenProperty: the keyword's name; nobody awaits this table
  then: { holds: 'schema', isInPlace: true },
  else: { holds: 'schema', isInPlace: true },
  dependentSchemas: { holds: 'map', isInPlace: true },
  properties: { holds: 'map', isInPlace: false },
  patternProperties: { holds: 'map', isInPlace: false },
  additionalProperties: { holds: 'schema', isInPlace: false },
  unevaluatedProperties: { holds: 'schema', isInPlace: false },
  propertyNames: { holds: 'schema', isInPlace: false },
  prefixItems: { holds: 'list', isInPlace: false },
  items: { holds: 'schema', isInPlace: false },
  contains: { holds: 'schema', isInPlace: false },
  unevaluatedItems: { holds: 'schema', isInPlace: false },
  contentSchema: { holds: 'schema', isInPlace: false },
  $defs: { holds: 'map', isInPlace: false },
  definitions: { holds: 'map', isInPlace: false },
}

export interface Subschema {
  schema: Json
  /** From the schema that holds it: `['properties', 'order']`. */
  steps: readonly (string | number)[]
  isInPlace: boolean
}

/** The schemas directly within a schema, whether they are well formed or not. */
export function* subschemasOf(schema: Schema): Generator<Subschema> {
  if (typeof schema === 'boolean') return
  for (const [keyword, value] of Object.entries(schema)) {
    const holding = Object.hasOwn(HOLDING, keyword) ? HOLDING[keyword]! : null
    if (holding === null) continue
    const { holds, isInPlace } = holding
    if (holds === 'schema') yield { schema: value, steps: [keyword], isInPlace }
    else if (holds === 'list' && Array.isArray(value)) {
      for (const [index, inner] of value.entries()) yield { schema: inner, steps: [keyword, index], isInPlace }
    } else if (holds === 'map' && isJsonObject(value)) {
      for (const [name, inner] of Object.entries(value)) yield { schema: inner, steps: [keyword, name], isInPlace }
    }
  }
}

/** Whether a value can be a schema: an object, true or false. */
export function isSchema(value: unknown): value is Schema {
  return typeof value === 'boolean' || isJsonObject(value)
}

/** Every schema of a document by where it stands, and what its references mean. */
export class SchemaDocument {
  readonly root: Schema
  /** The schemas of the document, by JSON Pointer. */
  readonly #schemas = new Map<string, Schema>()
  readonly #anchors = new Map<string, Schema>()

  constructor(root: Schema) {
    this.root = root
    const open: [at: string, schema: Schema][] = [['', root]]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const [at, schema] = next
      this.#schemas.set(at, schema)
      if (typeof schema === 'boolean') continue
      for (const anchor of [schema.$anchor, schema.$dynamicAnchor]) {
        if (typeof anchor === 'string') this.#anchors.set(anchor, schema)
      }
      for (const inner of subschemasOf(schema)) {
        if (isSchema(inner.schema)) open.push([`${at}${inner.steps.map(step).join('')}`, inner.schema])
      }
    }
  }

  /** The schema that a `$ref` or `$dynamicRef` means; null if it leads nowhere, undefined if it leads to another document. */
  resolve(reference: string): Schema | null | undefined {
    const cut = reference.indexOf('#')
    const base = cut === -1 ? reference : reference.slice(0, cut)
    if (base !== '' && (typeof this.root === 'boolean' || base !== this.root.$id)) return undefined
    const fragment = decodeFragment(cut === -1 ? '' : reference.slice(cut + 1))
    if (fragment === null) return null
    const schemas = fragment === '' || fragment.startsWith('/') ? this.#schemas : this.#anchors
    return schemas.get(fragment) ?? null
  }
}

function decodeFragment(fragment: string): string | null {
  try {
    return decodeURIComponent(fragment)
  } catch {
    return null // Not what percent-encoding looks like, so it names nothing.
  }
}

function step(name: string | number): string {
  return `/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

/**
 * The schemas that are about the same value as this one: those of `allOf`, `not` and so on, and what its references mean.
 * @returns never itself, unless a reference leads back at once
 */
export function inPlaceOf(schema: Schema, document: SchemaDocument): Schema[] {
  if (typeof schema === 'boolean') return []
  const found = [...subschemasOf(schema)].filter(({ isInPlace }) => isInPlace).map((inner) => inner.schema)
  for (const reference of [schema.$ref, schema.$dynamicRef]) {
    if (typeof reference === 'string') found.push(document.resolve(reference) ?? true)
  }
  return found.filter(isSchema)
}
