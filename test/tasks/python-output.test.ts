// What a Python script writes, as lines and as its answer: what is kept is a copy within bounds.

import { describe, expect, test } from 'vitest'
import { ScriptLogs } from '../../src/tasks/script/logs.ts'
import { AnswerTooLarge, PythonOutput } from '../../src/tasks/script/python-output.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)

function outputWith(maxAnswerBytes = 100) {
  const logs = new ScriptLogs()
  let lines = 0
  const output = new PythonOutput(logs, maxAnswerBytes, () => lines++)
  return { output, texts: () => logs.all().map((entry) => ('text' in entry ? entry.text : '…')), lines: () => lines }
}

describe('lines', () => {
  test('end where a newline is, however the text is cut into pieces', () => {
    const { output, texts, lines } = outputWith()
    for (const part of ['a', 'b\nc', '', '\n', '\n', 'd\ne\nf']) output.write(bytesOf(part))
    expect(texts()).toEqual(['ab', 'c', '', 'd', 'e'])
    output.flush()
    output.flush()
    expect(texts()).toEqual(['ab', 'c', '', 'd', 'e', 'f'])
    expect(lines()).toBe(5)
  })

  test('are copies: the memory that they were written from may change', () => {
    const { output, texts } = outputWith()
    const memory = bytesOf('text')
    output.write(memory)
    memory.fill(0x78)
    output.write(bytesOf('\n'))
    expect(texts()).toEqual(['text'])
  })

  test.each([
    ['one piece', [bytesOf('é'.repeat(1e6))]],
    ['single bytes', Array.from({ length: 200_000 }, () => bytesOf('x'))],
  ])('are taken in up to 64 KiB, in %s', (_, parts) => {
    const { output, texts } = outputWith()
    for (const part of parts) output.write(part)
    output.write(bytesOf('end\nnext\n'))
    expect(texts()).toEqual([expect.stringMatching(/^(é+|x+)…$/), 'next'])
  })
})

describe('the answer', () => {
  test('is what is written after the host has asked for it, newlines too', () => {
    const { output, texts } = outputWith()
    output.write(bytesOf('log \x1e=1'))
    output.beginAnswer()
    for (const part of ['=[1,', '\n', '2]']) output.write(bytesOf(part))
    output.flush()
    expect(output.answer()).toBe('=[1,\n2]')
    expect(texts()).toEqual(['log \x1e=1'])
  })

  test('may be as large as it may be', () => {
    const { output } = outputWith(5_000)
    output.beginAnswer()
    output.write(bytesOf('x'.repeat(4_999)))
    output.write(bytesOf('y'))
    expect(output.answer()).toBe(`${'x'.repeat(4_999)}y`)
    expect(() => output.write(bytesOf('z'))).toThrow(AnswerTooLarge)
  })

  test('that is no text of UTF-8 is none', () => {
    const { output } = outputWith()
    output.beginAnswer()
    output.write(Uint8Array.of(0xed, 0xa0, 0x80))
    expect(output.answer()).toBeNull()
  })
})
