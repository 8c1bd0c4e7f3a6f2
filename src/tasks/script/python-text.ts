// What the text of a Python script tells without being run. It may tell too little, and then nothing is said of the script.

/** Texts over several lines, in which nothing is code. */
const LONG_TEXT = /("""|''')[\s\S]*?\1/g

/** Whether the name `main` stands anywhere but where it is called: what binds a name does not call it. */
export function mayDefineMain(code: string): boolean {
  const text = withoutLongTexts(code).replaceAll(/#.*/g, '')
  return /\bdef[ \t]+main\b/.test(text) || /\bmain\b(?![ \t]*\()/.test(text) || /\bimport[ \t]*\*/.test(text)
}

/** Modules that the script imports whatever happens before, each with its line from 1: not those which a `try` stands around. */
export function importsOf(code: string): { module: string; line: number }[] {
  const lines = withoutLongTexts(code).split('\n')
  return lines.flatMap((text, index) => {
    const [, indent = '', imported, from] =
      /^([ \t]*)(?:import[ \t]+([\w., \t]+)|from[ \t]+(\w[\w.]*)[ \t]+import\b)/.exec(text) ?? []
    const modules = (imported ?? from ?? '').split(',').flatMap((part) => part.trim().split(/[ \t]/)[0] || [])
    if (modules.length === 0 || isTried(lines, index, indent.length)) return []
    return modules.map((module) => ({ module, line: index + 1 }))
  })
}

/** Whether one of the blocks that a line stands in belongs to a `try`. */
function isTried(lines: readonly string[], index: number, indent: number): boolean {
  let within = indent
  for (let above = index - 1; above >= 0 && within > 0; above--) {
    const [, blanks = '', word] = /^([ \t]*)(\w+)/.exec(lines[above]!) ?? []
    if (word === undefined || blanks.length >= within) continue
    if (word === 'try' || word === 'except') return true
    within = blanks.length
  }
  return false
}

function withoutLongTexts(code: string): string {
  return code.replaceAll(LONG_TEXT, (text) => text.replaceAll(/[^\n]/g, ''))
}
