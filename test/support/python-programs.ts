// Runs each of test/tasks/python-programs under CPython, so that the tests of the `python` task can compare what they get. Where there
// is no python3 they are skipped.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'

const FOLDER = join(import.meta.dirname, '../tasks/python-programs')

/** Runs a program as a module of its own and writes what its `main` returns. */
const RUN = `
import json, sys, types
module = sys.modules["script"] = types.ModuleType("script")
exec(compile(open(sys.argv[1], encoding="utf-8").read(), "script.py", "exec"), module.__dict__)
sys.stdout.write("\\x1e" + json.dumps(module.main(None)))
`

export interface PythonProgram {
  name: string
  code: string
  /** JSON of what CPython gives. */
  expected: string
}

declare module 'vitest' {
  export interface ProvidedContext {
    pythonPrograms: PythonProgram[]
    /** docs/python.md as it is. */
    pythonDocument: string
  }
}

export default function setup(project: TestProject): void {
  const document = join(import.meta.dirname, '../../docs/python.md')
  project.provide('pythonDocument', existsSync(document) ? readFileSync(document, 'utf8') : '')
  const python = spawnSync('python3', ['--version'], { encoding: 'utf8' })
  if (python.status !== 0) {
    console.warn('There is no python3 on this machine: the programs of test/tasks/python-programs are not compared.')
    project.provide('pythonPrograms', [])
    return
  }
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.py'))
  project.provide('pythonPrograms', names.sort().map(run))
}

function run(name: string): PythonProgram {
  const path = join(FOLDER, name)
  const { status, stdout, stderr } = spawnSync('python3', ['-c', RUN, path], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${name} fails in CPython: ${stderr}`)
  return { name, code: readFileSync(path, 'utf8'), expected: stdout.slice(stdout.lastIndexOf('\x1e') + 1) }
}
