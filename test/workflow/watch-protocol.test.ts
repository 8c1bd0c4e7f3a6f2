// The words between a watch and the Runner of its run: what one side writes the other reads, of this release and of that before.

import { describe, expect, test } from 'vitest'
import {
  newsText,
  numberText,
  PING,
  PONG,
  partialText,
  readMessage,
  WATCH_ROUTE,
  wantsEvents,
  watchUrl,
} from '../../src/watch-protocol.ts'

describe('a message of the Runner is read as it was written', () => {
  test.each([
    { last: 7, hasEnded: false, items: [] },
    { last: 7, hasEnded: true, items: [] },
    { last: 12, hasEnded: false, items: ['{"seq":11,"text":"a\\nb"}', '{"seq":12}'] },
    { last: 12, hasEnded: true, items: ['{"seq":12,"type":"run_finished"}'] },
  ])('news %j', (news) => {
    expect(readMessage(newsText(news))).toEqual({ kind: 'news', ...news })
  })

  test('the number alone', () => {
    expect(readMessage(numberText(41))).toEqual({ kind: 'news', last: 41, hasEnded: false, items: [] })
  })

  test('what a task has so far, whatever its text is', () => {
    const partial = { task: 'ask', item: 3, attempt: 2, offset: 10, text: '7 ended\npartial {' }
    const message = readMessage(partialText(partial))
    expect(message.kind).toBe('partial')
    expect(message.kind === 'partial' && JSON.parse(message.text)).toEqual(partial)
  })
})

describe('between two releases', () => {
  test.each([
    ['5', { last: 5, hasEnded: false, items: [] }],
    ['6 ended', { last: 6, hasEnded: true, items: [] }],
    ['7\n{"seq":6}\n{"seq":7}', { last: 7, hasEnded: false, items: ['{"seq":6}', '{"seq":7}'] }],
    ['7 ended\n{"seq":7}', { last: 7, hasEnded: true, items: ['{"seq":7}'] }],
  ])('the message %j of the release before is news, and is written alike now', (text, news) => {
    expect(readMessage(text)).toEqual({ kind: 'news', ...news })
    expect(newsText(news)).toBe(text)
  })

  test('so is what it says of a task', () => {
    const text = 'partial {"task":"ask","attempt":1,"offset":0,"text":"Hi"}'
    expect(readMessage(text)).toEqual({ kind: 'partial', text: text.slice('partial '.length) })
    expect(partialText({ task: 'ask', attempt: 1, offset: 0, text: 'Hi' })).toBe(text)
  })

  test.each([PONG, PING, '', 'later {"a":1}', '-1', '1e3'])('%j tells nothing', (text) => {
    expect(readMessage(text)).toEqual({ kind: 'nothing' })
  })

  test('a word of a newer release leaves the number what it is', () => {
    expect(readMessage('7 resting')).toEqual({ kind: 'news', last: 7, hasEnded: false, items: [] })
  })

  test('the address, the question whether a socket lives and its answer stay', () => {
    expect([PING, PONG]).toEqual(['ping', 'pong'])
    expect(watchUrl('run_1')).toBe('https://runner/runs/run_1/watch?events=1')
    expect(WATCH_ROUTE).toBe('/runs/:id/watch')
  })
})

test('the address of a watch says that it wants events; one without that word does not', () => {
  const { searchParams } = new URL(watchUrl('run_1'))
  expect(wantsEvents(Object.fromEntries(searchParams))).toBe(true)
  expect(wantsEvents({})).toBe(false)
})
