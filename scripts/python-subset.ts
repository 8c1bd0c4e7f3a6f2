// Writes docs/python.md, and test/tasks/python-facts.json from the machine's CPython.

import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PythonFacts } from '../test/support/python-subset.ts'

const ROOT = join(import.meta.dirname, '..')

// What the bundler makes of these files (wrangler.toml).
registerHooks({
  load(url, context, next) {
    if (url.endsWith('.py')) {
      const text = readFileSync(fileURLToPath(url), 'utf8')
      return { format: 'module', shortCircuit: true, source: `export default ${JSON.stringify(text)}` }
    }
    if (url.endsWith('.wasm')) {
      const path = JSON.stringify(fileURLToPath(url))
      const source = `import { readFileSync } from 'node:fs'; export default new WebAssembly.Module(readFileSync(${path}))`
      return { format: 'module', shortCircuit: true, source }
    }
    return next(url, context)
  },
})

const { COMPARED, DIFFERENCES, differenceCode, subsetDocument, TYPES } = await import(
  '../test/support/python-subset.ts'
)
const { runPython } = await import('../src/tasks/script/python-engine.ts')

const ASK = `
import builtins, importlib, json, platform, sys, types
asked = json.load(sys.stdin)
def names(module):
    module = importlib.import_module(module)
    public = getattr(module, "__all__", None)
    if public is None:
        public = [n for n in dir(module) if n[:1] != "_" and not isinstance(getattr(module, n), types.ModuleType)]
    return sorted(set(public))
def result(code):
    scope = {}
    exec(code, scope)
    return scope["main"](None)
json.dump({
    "version": ".".join(platform.python_version_tuple()[:2]),
    "modules": {m: names(m) for m in asked["modules"]},
    "types": {t: [n for n in dir(getattr(builtins, t)) if n[:1] != "_"] for t in asked["types"]},
    "builtins": [n for n in dir(builtins) if n[:1] != "_" and n not in ("copyright", "credits", "exit", "license", "quit")],
    "results": {e: result(c) for e, c in asked["results"].items()},
}, sys.stdout, indent=1, ensure_ascii=False)
`

const input = JSON.stringify({
  modules: COMPARED,
  types: TYPES,
  results: Object.fromEntries(DIFFERENCES.map((expression) => [expression, differenceCode(expression)])),
})
const asked = spawnSync('python3', ['-c', ASK], { input, encoding: 'utf8' })
if (asked.status !== 0) throw new Error(asked.stderr)
writeFileSync(join(ROOT, 'test/tasks/python-facts.json'), `${asked.stdout}\n`)

const limits = { fuel: 1_000_000_000, memoryBytes: 32 * 1024 * 1024, outputBytes: 1024 * 1024 }
const run = (code: string) => {
  const outcome = runPython(code, { input: null }, limits, 0)
  return { ...outcome, fuel: limits.fuel - outcome.fuelLeft }
}
mkdirSync(join(ROOT, 'docs'), { recursive: true })
writeFileSync(join(ROOT, 'docs/python.md'), subsetDocument(run, JSON.parse(asked.stdout) as PythonFacts))

for (const name of [null, ...COMPARED]) {
  const code = `${name === null ? '' : `import ${name}\n`}def main(input): return 1`
  const time = () => {
    const at = performance.now()
    run(code)
    return performance.now() - at
  }
  time()
  const times = Array.from({ length: 20 }, time).sort((a, b) => a - b)
  console.log(`${name ?? 'no module'}: a call takes ${times[10]!.toFixed(2)} ms once its modules have been loaded`)
}
