import { expect, test } from 'vitest'
import { linksIn } from '../../src/tasks/http/links.ts'

test.each([
  [null, {}],
  ['', {}],
  ['<https://a.test/?page=2>; rel="next"', { next: 'https://a.test/?page=2' }],
  ['<?page=2>; rel=next, <?page=9>; rel="last"', { next: '?page=2', last: '?page=9' }],
  ['</a,b;c>; title="x, <y>; rel=no"; REL="Next prev"', { next: '/a,b;c', prev: '/a,b;c' }],
  ['<a>; rel="next", <b>; rel="next"', { next: 'a' }],
  ['<a>; title="say \\"rel=x\\""; rel="next"', { next: 'a' }],
  ['<a>;crossorigin;rel=next', { next: 'a' }],
  ['<a>', {}],
  ['no link; rel=next', {}],
  ['<a>; rel="constructor"', { constructor: 'a' }],
])('%j links to %j', (header, links) => {
  expect(linksIn(header)).toEqual(links)
})

test.each(['<', '<>;', '<a>;a="', '<a>; ; ', `<a>${' '.repeat(50)}`, '\\"', '<a>;rel="'])(
  'reading %j again and again costs little',
  (piece) => {
    const begun = Date.now()
    linksIn(piece.repeat(Math.ceil(20_000 / piece.length)))
    expect(Date.now() - begun).toBeLessThan(500)
  },
)
