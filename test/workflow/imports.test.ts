// Who may import what, as ARCHITECTURE.md says in the table of its map, held against every import there is. A folder that needs
// more needs another row there, which is a decision and no slip.

import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'

interface Import {
  /** Path from the root without `.ts`, or the name of a package. */
  from: string
  /** Of what is imported nothing is there when the code runs. */
  isType: boolean
}

interface Allowed {
  values: string[]
  types: string[]
}

/** Names in the table's last column that are not places of the map. */
const BY_NAME: { [name: string]: string } = {
  zod: 'zod',
  'the CEL parser': '@marcbachmann/cel-js',
  'one edit distance': 'fastest-levenshtein',
}

/** What may import packages, by what runs where; `src/workflow` has its own in the table. */
const PACKAGES: { [place: string]: string[] } = {
  'src/tasks': ['zod', 'cloudflare:', '@bufbuild/protobuf', 'ipaddr.js', 'quickjs-emscripten-core', '@jitl/'],
  'src/api': ['zod', 'cloudflare:workers', 'hono', 'zod-openapi', 'ulid'],
  durable: ['cloudflare:workers', 'itty-router', 'ulid'],
  'src/start': ['ulid'],
}

const table = rowsOf(readFileSync('ARCHITECTURE.md', 'utf8'))
const rooms = roomsOf(readFileSync('ARCHITECTURE.md', 'utf8'))
const files = globSync(['src/**/*.ts', 'durable/**/*.ts']).filter((file) => !file.endsWith('.d.ts'))

describe('the table of the map', () => {
  test('has a place for every file of the source, and a file for every place', () => {
    expect(files.filter((file) => placeOf(file) === null)).toEqual([])
    expect([...table.keys()].filter((place) => !existsSync(place) && !existsSync(`${place}.ts`))).toEqual([])
  })

  test('names in its last column what there is', () => {
    for (const { values, types } of table.values()) {
      const named = [...values, ...types].filter((name) => name.startsWith('src/') || name.startsWith('durable'))
      expect(named.filter((name) => !existsSync(name) && !existsSync(`${name}.ts`))).toEqual([])
    }
  })
})

describe.each([...table])('%s imports', (place, allowed) => {
  test('values and types of places that the table names, and no others', () => {
    const mine = files.filter((file) => placeOf(file) === place)
    expect(mine).not.toEqual([])
    const broken = mine.flatMap((file) =>
      importsOf(readFileSync(file, 'utf8'), dirname(file))
        .filter((found) => !isAllowed(found, place, allowed))
        .map(({ from, isType }) => `${file} imports ${isType ? 'types' : 'values'} of ${from}`),
    )
    expect(broken).toEqual([])
  })
})

describe('a room imports values only from those above it', () => {
  test.each(['src/workflow', 'durable'])('in %s', (place) => {
    const order = rooms.filter((room) => room === place || room.startsWith(`${place}/`))
    expect(order.length).toBeGreaterThan(5)
    const mine = files.filter((file) => file.startsWith(`${place}/`))
    expect([...new Set(mine.map(dirname))].sort(), 'each room is in the table').toEqual([...order].sort())
    const broken = mine.flatMap((file) =>
      importsOf(readFileSync(file, 'utf8'), dirname(file))
        .filter(({ from, isType }) => !isType && order.indexOf(dirname(from)) > order.indexOf(dirname(file)))
        .map(({ from }) => `${file} imports values of ${from}`),
    )
    expect(broken).toEqual([])
  })
})

test.each([
  ['src/api', { from: 'durable/runner-rpc', isType: true }, true],
  ['src/api', { from: 'durable/runner-rpc', isType: false }, false],
  ['src/api', { from: 'src/tasks/schemas', isType: false }, true],
  ['src/api', { from: 'src/tasks/egress', isType: false }, false],
  ['src/api', { from: 'src/tasks/plugin', isType: true }, true],
  ['durable', { from: 'src/tasks/http', isType: false }, false],
  ['durable', { from: 'src/api/page', isType: true }, false],
  ['durable', { from: 'hono', isType: false }, false],
  ['src/start', { from: 'durable/runner-rpc', isType: false }, false],
  ['src/start', { from: 'src/api/prefer', isType: true }, false],
  ['src/tasks', { from: 'durable/rows', isType: true }, false],
  ['src/workflow', { from: 'src/start', isType: true }, false],
  ['src/workflow', { from: 'node:crypto', isType: false }, false],
  ['src/env', { from: 'durable/runner', isType: false }, false],
])('to %s, %o is allowed: %s', (place, found, expected) => {
  expect(isAllowed(found, place, table.get(place)!)).toBe(expected)
})

test('types are told from values, in whatever form they are imported', () => {
  const text = `import type { A } from './a.ts'
import { type B, type C } from './b.ts'
import { type D, e } from './c.ts'
import {
  type F,
  g,
} from '../g.ts'
import * as h from 'h'
import './i.ts'
export { j } from './j.ts'
export type { K } from './k.ts'
const l = await import('./l.ts')
type M = typeof import('./m.ts')
`
  expect(importsOf(text, 'src/x').map(({ from, isType }) => `${from}${isType ? ' type' : ''}`)).toEqual([
    'src/x/a type',
    'src/x/b type',
    'src/x/c',
    'src/g',
    'h',
    'src/x/i',
    'src/x/j',
    'src/x/k type',
    'src/x/l',
    'src/x/m type',
  ])
})

describe('the core', () => {
  /** What would make a replay differ from the first time (R2). Calls alone: types and texts may name them. */
  const IMPURE =
    /\b(?:Math\.random|Date\.now|new Date\(\)|performance\.|crypto\.|fetch\(|setTimeout\(|setInterval\(|scheduler\.(?:wait|yield)|console\.|process\.|globalThis)/

  test.each(files.filter((file) => placeOf(file) === 'src/workflow'))(
    '%s asks no clock, no chance and no platform',
    (file) => {
      const code = readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => !/^\s*(?:\/\/|\/?\*)/.test(line))
      expect(code.filter((line) => IMPURE.test(line))).toEqual([])
    },
  )
})

/** The rows of the table whose places hold the source, each with what it may import. */
function rowsOf(text: string): Map<string, Allowed> {
  const [, map = ''] = text.split('\n| place | what it is | may import |\n')
  const rows = map.split('\n\n')[0]!.split('\n').slice(1)
  const places = rows.map((row) => row.split(' | '))
  const known = new Map(places.map(([first = '']) => [/`([^`]+)`/.exec(first)![1]!.replace(/\.ts$|\/$/, ''), '']))
  return new Map(
    places.flatMap(([first = '', , last = '']) => {
      const place = /`([^`]+)`/.exec(first)![1]!.replace(/\.ts$|\/$/, '')
      if (!/^(?:src|durable)/.test(place)) return []
      return [[place, allowedBy(last.replace(/ \|$/, ''), place, [...known.keys()])] as const]
    }),
  )
}

/** The rooms of the second table, in its order: their folders. */
function roomsOf(text: string): string[] {
  const [, table = ''] = text.split('\n| room | what is in it |\n')
  const rows = table.split('\n\n')[0]!.split('\n').slice(1)
  return rows.map((row) => /`([^`]+)\/`/.exec(row)![1]!)
}

/** "`workflow`, `tasks/schemas`; other `tasks` as types" */
function allowedBy(cell: string, place: string, places: readonly string[]): Allowed {
  const allowed: Allowed = { values: [place], types: [] }
  if (cell === 'everything') return { values: places.slice(), types: [] }
  if (cell === 'types only') return { values: [], types: places.slice() }
  for (const clause of cell.split('; ')) {
    const into = clause.endsWith(' as types') ? allowed.types : allowed.values
    for (const name of clause.replace(/ as types$/, '').split(/, | and /)) {
      const plain = name.replace(/^other /, '').replaceAll('`', '')
      if (plain === 'itself') continue
      into.push(BY_NAME[plain] ?? (plain === 'durable' ? plain : `src/${plain}`))
    }
  }
  return allowed
}

function placeOf(file: string): string | null {
  return [...table.keys()].find((place) => file === `${place}.ts` || file.startsWith(`${place}/`)) ?? null
}

function isAllowed({ from, isType }: Import, place: string, { values, types }: Allowed): boolean {
  const isIn = (names: readonly string[]) => names.some((name) => from === name || from.startsWith(`${name}/`))
  // The types of bindings are known wherever they are handed on.
  if (from === 'src/env' && isType) return place !== 'src/workflow'
  if (from === 'package.json') return true
  if (isIn(values) || (isType && isIn(types))) return true
  return !/^(?:src|durable)/.test(from) && (PACKAGES[place] ?? []).some((name) => from.startsWith(name))
}

function importsOf(text: string, folder: string): Import[] {
  const names = /\{[^}]*\}|\*(?: as \w+)?|\w+(?:, \{[^}]*\})?/.source
  const pattern = new RegExp(
    `^(?:import|export) (type )?(?:(${names}) from )?'([^']+)'|(typeof )?\\bimport\\('([^']+)'\\)`,
    'gm',
  )
  return [...text.matchAll(pattern)].map(([, type, names = '', path, typeOf, lazily]) => {
    const said = path ?? lazily!
    const inner =
      /^\{([\s\S]*)\}/
        .exec(names.trim())?.[1]
        ?.split(',')
        .map((name) => name.trim())
        .filter(Boolean) ?? []
    const allTypes = inner.length > 0 && inner.every((name) => name.startsWith('type '))
    const from = said.startsWith('.') ? join(folder, said).replace(/\.ts$/, '') : said
    return { from, isType: type !== undefined || typeOf !== undefined || allTypes }
  })
}
