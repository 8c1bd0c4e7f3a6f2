// The form of the documents that no tool checks: GitHub shows a table of which a line is missing as text with bars in it.

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

const DOCUMENTS = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'docs/python.md']

interface Line {
  text: string
  number: number
}

/** Each run of lines that begin with a bar, outside code. */
function tablesOf(markdown: string): Line[][] {
  const tables: Line[][] = []
  let isCode = false
  let rows: Line[] | null = null
  for (const [index, text] of markdown.split('\n').entries()) {
    if (/^\s*```/.test(text)) isCode = !isCode
    if (isCode || !text.startsWith('|')) {
      rows = null
      continue
    }
    if (rows === null) {
      rows = []
      tables.push(rows)
    }
    rows.push({ text, number: index + 1 })
  }
  return tables
}

/** Cells of a row: a bar parts them also within code, unless a backslash stands before it. */
const cellsOf = (row: string) => row.replaceAll('\\|', '').split('|').length - 2

describe.each(DOCUMENTS)('every table of %s', (name) => {
  const tables = tablesOf(readFileSync(`${import.meta.dirname}/../../${name}`, 'utf8'))

  test('has a header and a line of dashes below it', () => {
    const without = tables.filter(([, dashes]) => !/^\|(?:\s*:?-+:?\s*\|)+\s*$/.test(dashes?.text ?? ''))
    expect(without.map(([first]) => `line ${first!.number}: ${first!.text.slice(0, 60)}`)).toEqual([])
  })

  test('has as many cells in each row as in its header', () => {
    const uneven = tables.flatMap((rows) => rows.filter(({ text }) => cellsOf(text) !== cellsOf(rows[0]!.text)))
    expect(uneven.map(({ text, number }) => `line ${number}: ${text.slice(0, 60)}`)).toEqual([])
  })
})

test('a table that a blank line cuts in two is seen', () => {
  expect(tablesOf('| a |\n| - |\n| 1 |\n\n| 2 |\n```\n| code |\n```').map((rows) => rows.length)).toEqual([3, 1])
})
