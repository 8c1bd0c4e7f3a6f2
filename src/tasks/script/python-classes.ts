// Pure. What MicroPython forgets of a Python class and its `dataclasses`, `enum` and `typing` (python/) need: the names of its body
// in their order, and which have an annotation. It is read from the script's text; the text itself is never changed.

/** A name, its annotation as it is written, and whether it has a value. */
export type ClassMember = [name: string, annotation: string | null, hasValue: boolean]

/** A class statement, and the names that its body binds. */
export type ClassBody = [name: string, members: ClassMember[]]

interface Line {
  indent: number
  /** Without comments, joined over brackets; of strings only the places are kept. */
  text: string
  /** The line with its strings as they are written; each character stands where it does in `text`. */
  raw: string
}

/** Every class statement of the script, also those within functions, in order. */
export function classesOf(code: string): ClassBody[] {
  const lines = [...logicalLines(code)]
  return lines.flatMap((line, at) => {
    const name = /^class\s+([\w\u0080-\u{10ffff}]+)/u.exec(line.text)?.[1]
    return name === undefined ? [] : [[name, bodyOf(lines, at).flatMap(membersOf)] as ClassBody]
  })
}

/** The statements directly within the class that begins at a line. */
function bodyOf(lines: readonly Line[], at: number): Line[] {
  const head = lines[at]!
  const colon = indexOutsideBrackets(head.text, ':')
  if (colon !== -1 && head.text.slice(colon + 1).trim() !== '') return [cutLine(head, colon + 1)]
  let end = at + 1
  while (end < lines.length && lines[end]!.indent > head.indent) end++
  const body = lines.slice(at + 1, end)
  return body.filter(({ indent }) => indent === body[0]!.indent)
}

function membersOf(line: Line): ClassMember[] {
  return statementsOf(line).flatMap(membersOfStatement)
}

/** A line at its semicolons, read once however many there are. */
function statementsOf(line: Line): Line[] {
  const statements: Line[] = []
  let from = 0
  let depth = 0
  for (let at = 0; at < line.text.length; at++) {
    const one = line.text[at]!
    if ('([{'.includes(one)) depth++
    if (')]}'.includes(one)) depth--
    if (one !== ';' || depth !== 0) continue
    statements.push(cutLine(line, from, at))
    from = at + 1
  }
  return [...statements, cutLine(line, from)]
}

function membersOfStatement(line: Line): ClassMember[] {
  const { text, raw } = line
  const made = /^(?:class|def|async\s+def)\s+([\w\u0080-\u{10ffff}]+)/u.exec(text)?.[1]
  if (made !== undefined) return [[made, null, true]]
  const annotated = /^([\w\u0080-\u{10ffff}]+)\s*:(?!=)/u.exec(text)
  if (annotated !== null) {
    const name = annotated[1]!
    if (['else', 'try', 'finally'].includes(name)) return []
    const from = annotated[0].length
    const equals = indexOutsideBrackets(text, '=', from)
    const annotation = cutLine(line, from, equals === -1 ? text.length : equals).raw.trim()
    return [[name, annotation.replace(/^(["'])(.*)\1$/, '$2'), equals !== -1]]
  }
  const targets = /^(?:[\w\u0080-\u{10ffff}]+\s*(?:,\s*|=(?!=)\s*))*[\w\u0080-\u{10ffff}]+\s*(?:,\s*)?=(?!=)/u.exec(
    text,
  )?.[0]
  if (targets === undefined || raw === '') return []
  return (targets.match(/[\w\u0080-\u{10ffff}]+/gu) ?? []).map((name) => [name, null, true] as ClassMember)
}

function cutLine({ indent, text, raw }: Line, from: number, to = text.length): Line {
  return { indent, text: text.slice(from, to).trim(), raw: raw.slice(from, to).trim() }
}

/** Where a character first stands outside of brackets; -1 if nowhere. */
function indexOutsideBrackets(text: string, wanted: string, from = 0): number {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const one = text[at]!
    if (one === wanted && depth === 0) return at
    if ('([{'.includes(one)) depth++
    if (')]}'.includes(one)) depth--
  }
  return -1
}

function* logicalLines(code: string): Generator<Line> {
  let text = ''
  let raw = ''
  let depth = 0
  const token = /([rRbBfFuU]{0,2})("""|'''|"|')|#[^\n]*|\\\r?\n|\r?\n|./gs
  for (let found = token.exec(code); ; found = token.exec(code)) {
    const one = found?.[0] ?? '\n'
    if (found?.[2] !== undefined) {
      const end = endOfString(code, token.lastIndex, found[2])
      // A string may hold anything, so only its place is kept; blanks at a line's beginning are left as they are.
      text += '"'.repeat(end - found.index)
      raw += code.slice(found.index, end)
      token.lastIndex = end
    } else if (one === '\n' || one === '\r\n') {
      if (depth === 0 || found === null) {
        if (text.trim() !== '') yield { indent: widthOf(/^\s*/.exec(text)![0]), text: text.trim(), raw: raw.trim() }
        text = ''
        raw = ''
        depth = 0
      } else {
        text += ' '
        raw += ' '
      }
    } else if (one.startsWith('\\') && one.length > 1) {
      text += ' '
      raw += ' '
    } else if (!one.startsWith('#')) {
      if ('([{'.includes(one)) depth++
      if (')]}'.includes(one)) depth = Math.max(0, depth - 1)
      text += one
      raw += one
    }
    if (found === null) return
  }
}

function endOfString(code: string, from: number, quote: string): number {
  for (let at = from; at < code.length; at++) {
    if (code[at] === '\\') at++
    else if (code.startsWith(quote, at)) return at + quote.length
    else if (quote.length === 1 && code[at] === '\n') return at
  }
  return code.length
}

function widthOf(blanks: string): number {
  let width = 0
  for (const one of blanks) width = one === '\t' ? (Math.floor(width / 8) + 1) * 8 : width + 1
  return width
}
