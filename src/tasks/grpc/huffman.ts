// Pure. The Huffman code of HPACK (RFC 7541, appendix B). It is canonical, so the lengths of its codes are all of it.

/** Bits of the code of each byte, and of the end of a string as number 256. */
const LENGTHS =
  '13,23,28,28,28,28,28,28,28,24,30,28,28,30,28,28,28,28,28,28,28,28,30,28,28,28,28,28,28,28,28,28,6,10,10,12,13,6,8,11,10,10,8,11,8,6,6,6,5,5,5,6,6,6,6,6,6,6,7,8,15,6,12,10,13,6,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,8,7,8,13,19,13,14,6,15,5,6,5,6,5,6,6,6,5,7,7,6,6,6,5,6,7,6,5,5,6,7,7,7,7,7,15,11,14,13,28,20,22,20,20,22,22,22,23,22,23,23,23,23,23,24,23,24,24,22,23,24,23,23,23,23,21,22,23,22,23,23,24,22,21,20,22,22,23,23,21,23,22,22,24,21,22,23,23,21,21,22,21,23,22,23,23,20,22,22,22,23,22,22,23,26,26,20,19,22,23,22,25,26,26,26,27,27,26,24,25,19,21,26,27,27,26,27,24,21,21,26,26,28,27,27,27,20,24,20,21,22,21,21,23,22,22,25,25,24,24,26,23,26,27,26,26,27,27,27,27,27,28,27,27,27,27,27,26,30'
    .split(',')
    .map(Number)

const LONGEST = 30
const END_OF_STRING = 256

/** Symbols in the order of their codes; for each length its first code, how many there are, and where they stand. */
const { symbols, levels } = tableOf()

function tableOf() {
  const symbols: number[] = []
  const levels: { first: number; count: number; at: number }[] = [{ first: 0, count: 0, at: 0 }]
  let code = 0
  for (let length = 1; length <= LONGEST; length++) {
    code *= 2
    const at = symbols.length
    for (const [symbol, bits] of LENGTHS.entries()) if (bits === length) symbols.push(symbol)
    levels.push({ first: code, count: symbols.length - at, at })
    code += symbols.length - at
  }
  return { symbols, levels }
}

/** The bytes that were encoded; null if they were not: padding that is too long or is not the beginning of the end's code. */
export function decodeHuffman(encoded: Uint8Array): Uint8Array | null {
  const bytes: number[] = []
  let code = 0
  let length = 0
  for (const byte of encoded) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1)
      const level = levels[++length]
      if (level === undefined) return null
      if (code - level.first >= level.count) continue
      const symbol = symbols[level.at + code - level.first]!
      if (symbol === END_OF_STRING) return null
      bytes.push(symbol)
      code = 0
      length = 0
    }
  }
  return length < 8 && code === 2 ** length - 1 ? new Uint8Array(bytes) : null
}
