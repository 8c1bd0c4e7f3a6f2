// What the text of a Python script tells without being run. It may tell too little, and then nothing is said of the script.

/** Texts over several lines, in which nothing is code. */
const LONG_TEXT = /("""|''')[\s\S]*?\1/g

/** Whether the name `main` stands anywhere but where it is called: what binds a name does not call it. */
export function mayDefineMain(code: string): boolean {
  const text = withoutLongTexts(code).replaceAll(/#.*/g, '')
  return /\bdef[ \t]+main\b/.test(text) || /\bmain\b(?![ \t]*\()/.test(text) || /\bimport[ \t]*\*/.test(text)
}

/** Blocks whose imports may never be reached, or are expected to fail. */
const UNSURE = /^(?:try|except|if|elif|else)$/

/** Modules that the script imports, each with its line from 1; not those within a `try` or below a condition. */
export function importsOf(code: string): { module: string; line: number }[] {
  /** The lines that the present one is indented under. */
  const above: { indent: number; isUnsure: boolean }[] = []
  return withoutLongTexts(code)
    .split('\n')
    .flatMap((text, index) => {
      const [, blanks, word] = /^([ \t]*)(\w+)/.exec(text) ?? []
      if (blanks === undefined || word === undefined) return []
      while (above.length > 0 && above.at(-1)!.indent >= blanks.length) above.pop()
      const isUnsure = above.at(-1)?.isUnsure === true
      above.push({ indent: blanks.length, isUnsure: isUnsure || UNSURE.test(word) })
      return isUnsure ? [] : modulesIn(text.slice(blanks.length)).map((module) => ({ module, line: index + 1 }))
    })
}

/** The modules that a line without its indent imports. */
function modulesIn(line: string): string[] {
  const [, imported, from] = /^(?:import[ \t]+([\w., \t]+)|from[ \t]+(\w[\w.]*)[ \t]+import\b)/.exec(line) ?? []
  return (imported ?? from ?? '').split(',').flatMap((part) => part.trim().split(/[ \t]/)[0] || [])
}

function withoutLongTexts(code: string): string {
  return code.replaceAll(LONG_TEXT, (text) => text.replaceAll(/[^\n]/g, ''))
}
