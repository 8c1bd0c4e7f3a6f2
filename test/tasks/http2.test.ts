// HTTP/2 as the client of one request: the examples of its RFCs, and what hostile servers send.

import { describe, expect, test, vi } from 'vitest'
import { encodeHeaders, HeaderDecoder } from '../../src/tasks/grpc/hpack.ts'
import { Http2Request } from '../../src/tasks/grpc/http2.ts'
import { decodeHuffman } from '../../src/tasks/grpc/huffman.ts'
import { seeded } from '../support/random.ts'

const bytes = (hex: string) =>
  new Uint8Array((hex.replaceAll(/\s/g, '').match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16)))

describe('headers', () => {
  // RFC 7541, C.4: three requests of one connection, coded by Huffman.
  test('are decoded as the RFC shows for requests', () => {
    const decoder = new HeaderDecoder()
    const first = [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'www.example.com'],
    ]
    expect(decoder.decode(bytes('8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff'))).toEqual(first)
    expect(decoder.decode(bytes('8286 84be 5886 a8eb 1064 9cbf'))).toEqual([...first, ['cache-control', 'no-cache']])
    expect(decoder.decode(bytes('8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf'))).toEqual([
      [':method', 'GET'],
      [':scheme', 'https'],
      [':path', '/index.html'],
      [':authority', 'www.example.com'],
      ['custom-key', 'custom-value'],
    ])
  })

  // RFC 7541, C.6, whose table of 256 bytes is asked for here by a change of its size (C.6 has it in its settings).
  test('are decoded as the RFC shows for responses, with entries that go', () => {
    const decoder = new HeaderDecoder()
    const date = ['date', 'Mon, 21 Oct 2013 20:13:21 GMT']
    const location = ['location', 'https://www.example.com']
    const first =
      '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3'
    expect(decoder.decode(bytes(`3fe1 01 ${first}`))).toEqual([
      [':status', '302'],
      ['cache-control', 'private'],
      date,
      location,
    ])
    expect(decoder.decode(bytes('4883 640e ffc1 c0bf'))).toEqual([
      [':status', '307'],
      ['cache-control', 'private'],
      date,
      location,
    ])
    const third =
      '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07'
    expect(decoder.decode(bytes(third))).toEqual([
      [':status', '200'],
      ['cache-control', 'private'],
      ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
      location,
      ['content-encoding', 'gzip'],
      ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
    ])
  })

  test('come back as they were encoded, long ones too', () => {
    const headers = [
      ['a', ''],
      ['x-long', 'v'.repeat(20_000)],
      ['x-127', 'v'.repeat(127)],
      ['x-126', 'v'.repeat(126)],
    ] as const
    expect(new HeaderDecoder().decode(encodeHeaders(headers))).toEqual(headers)
  })

  test.each([
    ['an index that no table has', 'ff8001'],
    ['index 0', '80'],
    ['a text cut short', '0005 61'],
    ['an integer that never ends', 'ffff ffff ffff ffff'],
    ['padding that is not all ones', '0081 00 00'],
    ['padding of a whole byte', '0082 1fff 00'],
    ['the code of the end of a string', '0084 ffff ffff 00'],
    ['a table that is larger than allowed', '3fe2 1f'],
  ])('with %s are refused', (_, hex) => {
    expect(new HeaderDecoder().decode(bytes(hex))).toBeNull()
  })

  test('that a small block makes large are refused', () => {
    const large = encodeHeaders([['x', 'v'.repeat(3_000)]])
    large[0] = 0x40
    const block = new Uint8Array([...large, ...new Array(100).fill(0xbe)])
    expect(new HeaderDecoder().decode(block)).toBeNull()
  })

  test('of random bytes are decoded or refused, and never more', () => {
    const { next } = seeded(7)
    for (let n = 0; n < 5_000; n++) {
      const block = Uint8Array.from({ length: Math.floor(next() * 60) }, () => Math.floor(next() * 256))
      new HeaderDecoder().decode(block)
      decodeHuffman(block)
    }
  })
})

const SETTINGS = frame(4, 0, 0)
const OK = encodeHeaders([[':status', '200']])

function frame(type: number, flags: number, stream: number, payload: ArrayLike<number> = []): Uint8Array {
  const { length } = payload
  return new Uint8Array([
    length >> 16,
    (length >> 8) & 255,
    length & 255,
    type,
    flags,
    0,
    0,
    0,
    stream,
    ...Array.from(payload),
  ])
}

/** Frames that a client has sent, behind its preface. */
function framesOf(sent: Uint8Array): { type: number; flags: number; stream: number; length: number }[] {
  const frames = []
  for (let at = 0; at < sent.length; ) {
    const length = (sent[at]! << 16) | (sent[at + 1]! << 8) | sent[at + 2]!
    frames.push({ type: sent[at + 3]!, flags: sent[at + 4]!, stream: sent[at + 8]!, length })
    at += 9 + length
  }
  return frames
}

function requesting(size = 5, most = 100_000): Http2Request {
  return new Http2Request([[':method', 'POST']], new Uint8Array(size), most)
}

function receiving(...frames: Uint8Array[]) {
  const request = requesting()
  for (const one of frames) request.receive(one)
  return request.end
}

describe('a request', () => {
  test('is sent at once, as far as the window of the server goes, and on when it opens', () => {
    const request = requesting(100_000)
    const first = request.takeOutput()
    expect(new TextDecoder().decode(first.subarray(0, 24))).toBe('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    const data = (sent: Uint8Array) => framesOf(sent).filter(({ type }) => type === 0)
    const size = (sent: Uint8Array) => data(sent).reduce((sum, { length }) => sum + length, 0)
    expect(size(first.subarray(24))).toBe(65_535)
    expect(Math.max(...data(first.subarray(24)).map(({ length }) => length))).toBe(16_384)
    // The stream may go on, the connection may not, until it is opened too.
    request.receive(new Uint8Array([...SETTINGS, ...frame(8, 0, 1, [0, 1, 0, 0])]))
    expect(framesOf(request.takeOutput())).toMatchObject([{ type: 4, flags: 1 }])
    request.receive(frame(8, 0, 0, [0, 0, 0x80, 0]))
    expect(size(request.takeOutput())).toBe(32_768)
    request.receive(frame(8, 0, 0, [0, 0, 0x80, 0]))
    const last = request.takeOutput()
    expect(size(last)).toBe(100_000 - 65_535 - 32_768)
    expect(data(last).at(-1)!.flags).toBe(1)
  })

  test('keeps a window that the server makes smaller than what is sent already', () => {
    const request = requesting(100_000)
    request.takeOutput()
    const opened = frame(8, 0, 0, [0, 1, 0, 0])
    request.receive(new Uint8Array([...frame(4, 0, 0, [0, 4, 0, 0, 0, 10]), ...opened]))
    expect(framesOf(request.takeOutput()).filter(({ type }) => type === 0)).toEqual([])
    request.receive(frame(4, 0, 0, [0, 4, 0, 1, 0xff, 0xff]))
    expect(framesOf(request.takeOutput()).filter(({ type }) => type === 0)).not.toEqual([])
  })

  test('with headers larger than a frame goes on in further ones', () => {
    const request = new Http2Request([['x', 'v'.repeat(40_000)]], new Uint8Array(5), 100_000)
    const sent = framesOf(request.takeOutput().subarray(24)).filter(({ type }) => type === 1 || type === 9)
    expect(sent.map(({ type, flags }) => [type, flags])).toEqual([
      [1, 0],
      [9, 0],
      [9, 4],
    ])
  })
})

describe('an answer', () => {
  const head = frame(1, 4, 1, OK)
  const late = frame(1, 5, 1, encodeHeaders([['grpc-status', '0']]))
  const answered = (body: number[], trailers = [['grpc-status', '0']]) => ({
    kind: 'answered',
    answer: { headers: [[':status', '200']], trailers, body: new Uint8Array(body) },
  })

  test('is its headers, its data and its trailers, however they are cut', () => {
    const whole = [SETTINGS, head, frame(0, 0, 1, [1, 2]), frame(0, 0, 1, [3]), late]
    expect(receiving(...whole)).toEqual(answered([1, 2, 3]))
    const stream = Uint8Array.from(whole.flatMap((one) => [...one]))
    expect(receiving(...[...stream].map((byte) => new Uint8Array([byte])))).toEqual(answered([1, 2, 3]))
    expect(receiving(stream)).toEqual(answered([1, 2, 3]))
  })

  test('may come in as many frames as it likes, if they say something', () => {
    const request = requesting(5, 1_048_576)
    const part = frame(0, 0, 1, new Uint8Array(40).fill(7))
    const parts = new Uint8Array(part.length * 26_214)
    for (let n = 0; n < 26_214; n++) parts.set(part, n * part.length)
    for (const one of [SETTINGS, head, parts, late]) request.receive(one)
    expect(request.end).toMatchObject({ kind: 'answered', answer: { body: { length: 26_214 * 40 } } })
  })

  test('that comes byte by byte is not copied with each of them', () => {
    const set = vi.spyOn(Uint8Array.prototype, 'set')
    const request = requesting()
    const stream = [SETTINGS, head, frame(0, 0, 1, new Uint8Array(16_000)), late].flatMap((one) => [...one])
    for (const byte of stream) request.receive(new Uint8Array([byte]))
    // Each byte is put with its frame's head, with its frame, and into the body.
    expect(set.mock.calls.length).toBeLessThan(4 * stream.length)
    set.mockRestore()
    expect(request.end).toMatchObject({ kind: 'answered', answer: { body: { length: 16_000 } } })
  })

  test('may have padding, priorities, 1xx before it, unknown frames and headers in parts', () => {
    const early = frame(1, 4, 1, encodeHeaders([[':status', '103']]))
    const padded = frame(1, 0x28, 1, [2, 0, 0, 0, 0, 9, ...OK.slice(0, 4), 0, 0])
    const rest = frame(9, 4, 1, OK.slice(4))
    const data = frame(0, 8, 1, [3, 7, 0, 0, 0])
    expect(receiving(SETTINGS, early, frame(99, 255, 7, [1]), padded, rest, data, frame(2, 0, 1, [1]), late)).toEqual(
      answered([7]),
    )
  })

  test('may be headers alone, or end with its data', () => {
    expect(receiving(SETTINGS, frame(1, 5, 1, OK))).toEqual(answered([], []))
    expect(receiving(SETTINGS, head, frame(0, 1, 1, [1]))).toEqual(answered([1], []))
  })

  test('gets its pings and settings answered', () => {
    const request = requesting()
    request.takeOutput()
    request.receive(
      new Uint8Array([
        ...SETTINGS,
        ...frame(6, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8]),
        ...frame(6, 1, 0, new Array(8).fill(0)),
      ]),
    )
    expect(framesOf(request.takeOutput())).toMatchObject([
      { type: 4, flags: 1, length: 0 },
      { type: 6, flags: 1, length: 8 },
    ])
  })

  test('that is given up says how; a farewell to later streams says nothing', () => {
    expect(receiving(SETTINGS, frame(3, 0, 1, [0, 0, 0, 8]))).toEqual({ kind: 'reset', error: 8 })
    expect(receiving(SETTINGS, frame(7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]))).toEqual({ kind: 'reset', error: 7 })
    expect(receiving(SETTINGS, frame(7, 0, 0, [0, 0, 0, 1, 0, 0, 0, 0]), head, late)).toEqual(answered([]))
  })

  test.each<[string, Uint8Array[]]>([
    ['speaks HTTP/1', [new TextEncoder().encode('HTTP/1.1 400 Bad Request\r\n\r\n')]],
    ['begins with something else', [head]],
    ['sends a frame too large', [SETTINGS, new Uint8Array([0, 64, 1, 0, 0, 0, 0, 0, 1])]],
    ['sends data before its headers', [SETTINGS, frame(0, 0, 1, [1])]],
    ['sends data of another stream', [SETTINGS, head, frame(0, 0, 3, [1])]],
    ['pads more than there is', [SETTINGS, head, frame(0, 8, 1, [9, 1])]],
    ['interrupts its headers', [SETTINGS, frame(1, 0, 1, OK), frame(0, 0, 1, [1])]],
    ['continues what has not begun', [SETTINGS, frame(9, 4, 1, OK)]],
    ['pushes', [SETTINGS, frame(5, 4, 1, [0, 0, 0, 2])]],
    ['sends two answers', [SETTINGS, head, head]],
    ['has no status', [SETTINGS, frame(1, 4, 1, encodeHeaders([['a', 'b']]))]],
    ['sends headers that cannot be decoded', [SETTINGS, frame(1, 4, 1, [0x80])]],
    ['opens its window too far', [SETTINGS, frame(8, 0, 1, [0x7f, 0xff, 0xff, 0xff])]],
    ['opens its window by nothing', [SETTINGS, frame(8, 0, 1, [0, 0, 0, 0])]],
    ['sets a window too large', [frame(4, 0, 0, [0, 4, 0xff, 0, 0, 0])]],
    ['sends half a setting', [frame(4, 0, 0, [0, 4, 1])]],
    ['sends half a ping', [SETTINGS, frame(6, 0, 0, [1])]],
    ['sends more than its window', [SETTINGS, head, ...new Array(7).fill(frame(0, 0, 1, new Uint8Array(16_000)))]],
    [
      'sends headers without end',
      [SETTINGS, frame(1, 0, 1), ...new Array(6).fill(frame(9, 0, 1, new Uint8Array(16_000)))],
    ],
    [
      'floods with frames that say next to nothing',
      [
        SETTINGS,
        head,
        new Uint8Array(new Array(22_000).fill([...frame(0, 8, 1, [8, 1, ...new Array(8).fill(0)])]).flat()),
      ],
    ],
    ['floods with frames that say nothing', [new Uint8Array(new Array(20_001).fill([...SETTINGS]).flat())]],
  ])('of a server that %s is none', (_, frames) => {
    expect(receiving(...frames)).toMatchObject({ kind: 'broken' })
  })

  test('of random frames never breaks the client', () => {
    const { next } = seeded(11)
    const number = (below: number) => Math.floor(next() * below)
    for (let n = 0; n < 2_000; n++) {
      const request = requesting()
      request.receive(SETTINGS)
      for (let m = 0; m < 10; m++) {
        const payload = Uint8Array.from({ length: number(40) }, () => number(256))
        request.receive(frame(number(10), number(256), number(3), number(3) === 0 ? OK : payload))
        request.takeOutput()
      }
    }
  })
})
