// Which of the media types that can be given a client prefers (RFC 9110, section 12.5.1).

/**
 * The offered type with the highest weight, of equals the first offered; null if the client takes none of them.
 * No Accept header takes everything.
 */
export function preferredType<Type extends string>(headers: Headers, offered: readonly Type[]): Type | null {
  const header = headers.get('Accept')
  if (header === null || header.trim() === '') return offered[0] ?? null
  const ranges = header.split(',').map(toRange)
  let preferred: Type | null = null
  let highest = 0
  for (const type of offered) {
    // The most specific range that matches decides, whatever the others say.
    const [nearest] = ranges.filter(({ name }) => matches(name, type)).sort((a, b) => rank(b.name) - rank(a.name))
    if (nearest === undefined || nearest.weight <= highest) continue
    preferred = type
    highest = nearest.weight
  }
  return preferred
}

interface Range {
  name: string
  weight: number
}

function toRange(text: string): Range {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
  return { name, weight: weight === undefined ? 1 : Number(weight) || 0 }
}

function matches(range: string, type: string): boolean {
  return range === type || range === '*/*' || (range.endsWith('/*') && type.startsWith(range.slice(0, -1)))
}

function rank(range: string): number {
  if (range === '*/*') return 0
  return range.endsWith('/*') ? 1 : 2
}
