// What is hidden of a secret in what an attempt reports.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Masking } from '../../src/tasks/secrets/masking.ts'
import { formsOf } from '../../src/tasks/secrets/secret-forms.ts'
import { WholeTexts } from '../../src/tasks/secrets/text-search.ts'
import type { Json } from '../../src/workflow/json.ts'

const SECRET = 'pa$$ wörd/+"\\&<key>\n2'

const utf8 = (text: string) => new TextEncoder().encode(text)
const base64 = (text: string) => btoa(String.fromCharCode(...utf8(text)))
const hex = (text: string) => [...utf8(text)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
const everyByte = (text: string) => [...utf8(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')

/** How a server or a program may give back what it was sent. */
const FORMS: Record<string, (text: string) => string> = {
  'as it is': (text) => text,
  'in upper case': (text) => text.toUpperCase(),
  'in lower case': (text) => text.toLowerCase(),
  'as base64': base64,
  'as base64 of a text around it': (text) => base64(`user:${text}@host`),
  'as base64, one further': (text) => base64(`x${text}y`),
  'as base64, two further': (text) => base64(`xy${text}`),
  'as base64url': (text) => base64(`ab${text}~`).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', ''),
  'as base64 in lines': (text) => base64(`${'.'.repeat(50)}${text}`).replace(/.{20}/g, '$&\r\n'),
  'as hex': hex,
  'as HEX': (text) => hex(text).toUpperCase(),
  'percent-encoded': encodeURIComponent,
  'percent-encoded in every byte': everyByte,
  'percent-encoded in part': (text) => encodeURI(text),
  'percent-encoded twice': (text) => encodeURIComponent(encodeURIComponent(text)),
  'of a form': (text) => new URLSearchParams({ text }).toString().slice('text='.length),
  'in JSON': (text) => JSON.stringify(text),
  'in JSON with slashes escaped': (text) => JSON.stringify(text).replaceAll('/', '\\/'),
  'in JSON of ASCII alone': (text) =>
    JSON.stringify(text).replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
  'in JSON in JSON': (text) => JSON.stringify(JSON.stringify({ text })),
  'in a query in JSON': (text) => JSON.stringify(`?q=${encodeURIComponent(text)}`),
  'in base64 in JSON': (text) => JSON.stringify({ text: base64(text) }).replaceAll('/', '\\/'),
  'in HTML': (text) =>
    text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&#34;'),
  'in hexadecimal HTML': (text) => text.replace(/[^a-z0-9]/g, (c) => `&#x${c.codePointAt(0)!.toString(16)};`),
}

describe('a secret is hidden', () => {
  test.each(Object.keys(FORMS))('%s', (form) => {
    const given = FORMS[form]!(SECRET)
    const hidden = new Masking([SECRET]).maskValue(`before ${given} after`) as string
    expect(hidden).toMatch(/^before [\s\S]{0,80}\*\*\*[\s\S]{0,40} after$/)
    expect(hidden).not.toContain('rd/')
    const left = hidden.replaceAll('***', '')
    for (let at = 0; at + 6 <= given.length; at++) {
      const part = given.slice(at, at + 6)
      // What stands beside the secret within the form of both is nobody's secret.
      if (/base64|JSON in/.test(form) || part.trim().length < 6) continue
      expect([form, left.includes(part)]).toEqual([form, false])
    }
  })

  test('whatever it is, in every form, wherever it stands', () => {
    const secrets = fc
      .string({ unit: 'binary', minLength: 8, maxLength: 60 })
      .filter((text) => text.isWellFormed() && text.replace(/\s/g, '').length >= 8)
    const sides = fc.string({ unit: 'grapheme', maxLength: 6 }).filter((text) => text.isWellFormed())
    // Forms that lose something of some texts are told apart above.
    const exact = Object.keys(FORMS).filter((form) => !/case|in part|ASCII|hexadecimal/.test(form))
    fc.assert(
      fc.property(secrets, sides, sides, fc.constantFrom(...exact), (secret, before, after, form) => {
        const encoded = FORMS[form]!(secret)
        const output = { [`${before}${encoded}`]: [`${encoded}${after}`, { deep: encoded }] }
        const hidden = JSON.stringify(new Masking([secret]).maskValue(output))
        return !hidden.includes(JSON.stringify(encoded).slice(1, -1)) && hidden.split('***').length >= 4
      }),
      { numRuns: 2_000 },
    )
  })

  test('in names of members, in lists, in numbers, and of several each', () => {
    const masking = new Masking(['first-secret', '1234567890'])
    const output = { 'x-first-secret': ['a first-secret b first-secret', { n: 1234567890, m: 51234567890.5 }], ok: 17 }
    expect(masking.maskValue(output)).toEqual({ 'x-***': ['a *** b ***', { n: '***', m: '***' }], ok: 17 })
  })

  test('without the line end that it was set with, and line by line', () => {
    expect(new Masking(['the-secret\n']).maskValue('it is the-secret.')).toBe('it is ***.')
    expect(new Masking(['the-secret\n']).maskValue(base64('the-secret'))).toMatch(/^\*\*\*=*$/)
    const pem = '-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----\n'
    const masking = new Masking([pem])
    expect(masking.maskValue(`key: hkiG9w0BAQEFAASC`)).toBe('key: ***')
    expect(masking.maskValue(pem.replaceAll('\n', '\r\n'))).not.toMatch(/[a-z]{3}/)
    expect(masking.maskValue(pem.replaceAll('\n', ''))).toBe('***')
  })

  test('a number that JSON does not hold exactly, as what it became', () => {
    const masking = new Masking(['12345678901234567890'])
    expect(masking.maskValue(JSON.parse('[12345678901234567890]') as Json)).toEqual(['***'])
  })

  test('that repeats itself, in a text that is nothing else', () => {
    const masking = new Masking(['aaaaaaaa', 'abababab'])
    expect(masking.maskValue(`${'a'.repeat(1_000_000)}b${'ab'.repeat(100_000)}`)).toBe('***')
    expect(masking.maskMessage('aaaaaaa-aaaaaaaaa')).toBe('aaaaaaa-***')
  })

  test('beside others that overlap it', () => {
    const masking = new Masking(['abcdefghij', 'ghijklmnop', 'abcdefgh'])
    expect(masking.maskValue('<abcdefghijklmnop> <abcdefgh>')).toBe('<***> <***>')
  })
})

describe('in messages and logs', () => {
  const secret = 'correct-horse-battery-staple'
  const masking = new Masking([secret])

  test('parts of it go too, from eight characters on, wherever a text was cut off', () => {
    expect(masking.maskMessage('POST host/hooks/correct-hor answered 404')).toBe('POST host/hooks/*** answered 404')
    expect(masking.maskMessage('...ttery-staple')).toBe('...***')
    expect(masking.maskMessage(`it was ${base64(secret).slice(0, 20)}…`)).toBe('it was ***…')
    expect(masking.maskMessage({ level: 'info', text: 'corr correct' })).toEqual({
      level: 'info',
      text: 'corr correct',
    })
    expect(masking.maskMessage({ omitted: 3 })).toEqual({ omitted: 3 })
  })

  test('in outputs they stay: a secret that is a URL would take every other one of its host with it', () => {
    expect(masking.maskValue('correct-horse')).toBe('correct-horse')
  })

  test('parts go too of a secret that stands beside one of any length', () => {
    const key = 'sk-live-0123456789abcdef0123456789abcdef01234567'
    const lines = Array.from(
      { length: 480 },
      (_, i) =>
        `${btoa(String(i * 7_919))
          .repeat(16)
          .slice(0, 63)}\n`,
    )
    const beside = new Masking([`-----BEGIN KEY-----\n${lines.join('')}-----END KEY-----\n`, key])
    expect(beside.maskMessage(`it was ${key.slice(0, 40)}`)).toBe('it was ***')
    expect(beside.maskMessage(`it was ${lines[400]!.slice(3, 40)}`)).toBe('it was ***')
    expect(beside.maskMessage(base64(key).slice(0, 30))).toBe('***')
  })

  test('every part of eight characters, of every form, and nothing else', () => {
    const secrets = fc.array(fc.string({ unit: fc.constantFrom(...'ab1+ \n'), minLength: 8, maxLength: 40 }), {
      minLength: 1,
    })
    const texts = fc.string({ unit: fc.constantFrom(...'ab1'), maxLength: 60 })
    fc.assert(
      fc.property(secrets, texts, (values, text) => {
        const both = new Masking(values.filter((value) => value.trim().length >= 8))
        const forms = values.filter((value) => value.trim().length >= 8).flatMap((value) => formsOf(value))
        const isHidden = Array.from(text, () => false)
        for (let at = 0; at + 8 <= text.length; at++) {
          if (forms.some((form) => form.text.length >= 8 && form.text.includes(text.slice(at, at + 8)))) {
            isHidden.fill(true, at, at + 8)
          }
        }
        for (const { text: form, beside } of forms) {
          if (form.length < 8 || beside === null) continue
          for (let at = text.indexOf(form); at !== -1; at = text.indexOf(form, at + 1)) {
            isHidden.fill(true, Math.max(0, at - 1), at + form.length + 1)
          }
        }
        const expected = Array.from(text, (character, i) => (isHidden[i] ? '*' : character))
          .join('')
          .replace(/\*+/g, '***')
        expect(both.maskMessage(text)).toBe(expected)
      }),
      { numRuns: 500 },
    )
  })

  test('blanks that were made one are no way out', () => {
    const spaced = new Masking(['one  two\t\tthree'])
    expect(spaced.maskValue('x one two three')).toBe('x ***')
  })
})

test('what is no secret stays as it was', () => {
  const masking = new Masking([SECRET])
  const output: Json = { a: [1, -0.5, true, null, '', 'short', '%41%zz&amp;\\n\\u00', '***'], __proto__: 'x' }
  expect(masking.maskValue(output)).toEqual(output)
  fc.assert(
    fc.property(fc.json(), (text) => {
      const value = JSON.parse(text) as Json
      expect(masking.maskValue(value)).toEqual(value)
    }),
  )
})

test('the largest output is looked through to its end, whatever encodings it holds', () => {
  const masking = new Masking(Array.from({ length: 32 }, (_, i) => `secret-${i}-${'x'.repeat(1_000)}`))
  for (const unit of ['plain text ', '%41', '\\u0041', '&#x41;', '%25\\u0041&amp;+\n', '+', '\\\\']) {
    const text = unit.repeat(Math.floor(1_000_000 / unit.length))
    expect(masking.maskValue(`${text} secret-31-${'x'.repeat(1_000)}!`)).toBe(`${text} ***!`)
  }
})

test('all whole texts are found, however they begin, end and overlap', () => {
  const unit = fc.constantFrom('a', 'b')
  const needles = fc.uniqueArray(fc.string({ unit, minLength: 8, maxLength: 24 }), { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(
      needles,
      fc.array(fc.string({ unit, maxLength: 30 }), { maxLength: 6 }),
      fc.nat(),
      (all, parts, seed) => {
        const text = parts.map((part, i) => part + (i % 2 === 0 ? all[(seed + i) % all.length]! : '')).join('c')
        const expected = Array.from(text, () => '.')
        for (const needle of all) {
          for (let at = text.indexOf(needle); at !== -1; at = text.indexOf(needle, at + 1)) {
            expected.fill('x', at, at + needle.length)
          }
        }
        const found = Array.from(text, () => '.')
        for (const [from, to] of new WholeTexts(all.map((one) => ({ text: one, beside: null }))).in(text)) {
          found.fill('x', from, to)
        }
        expect(found.join('')).toBe(expected.join(''))
      },
    ),
    { numRuns: 1_000 },
  )
})
