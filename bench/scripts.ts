// What scripts cost: a call beyond a placeholder, warm and cold; how long an endless script keeps others waiting; and how much
// slower the interpreters compute than without their meter, and than Node and CPython.

import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runInThisContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import release from '@jitl/quickjs-wasmfile-release-sync'
import { loadMicroPython } from '@micropython/micropython-webassembly-pyscript'
import { newQuickJSWASMModuleFromVariant, newVariant } from 'quickjs-emscripten-core'
import type { Aim } from './aims.ts'
import type { Bench } from './cases.ts'
import { call, median, quantile } from './drive.ts'

const WASM = join(import.meta.dirname, '../src/tasks/script/wasm')

/** Runs of each kind in one round. */
const CALLS = 50

const NOTHING = {
  javascript: 'export default () => null',
  python: 'def main(input):\n    return None',
}

/** Programs in both languages that do equal work; each gives a number, and the two must be equal. */
const PROGRAMS = {
  'recursion (fib 23)': {
    javascript: '(() => { const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2)); return fib(23) })()',
    python: 'def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\nanswer = fib(23)',
  },
  'sorting 20,000 numbers': {
    javascript:
      '(() => { let x = 1; const a = []; for (let i = 0; i < 20000; i++) { x = (x * 16807) % 2147483647; a.push(x) } a.sort((p, q) => p - q); return a[10000] })()',
    python:
      'x = 1\na = []\nfor i in range(20000):\n    x = (x * 16807) % 2147483647\n    a.append(x)\na.sort()\nanswer = a[10000]',
  },
  'JSON of 2,000 objects': {
    javascript:
      '(() => { const a = []; for (let i = 0; i < 2000; i++) a.push({ id: i, name: "item " + i, tags: ["a", "b"] }); return JSON.parse(JSON.stringify(a)).length })()',
    python:
      'import json\na = []\nfor i in range(2000):\n    a.append({"id": i, "name": "item " + str(i), "tags": ["a", "b"]})\nanswer = len(json.loads(json.dumps(a)))',
  },
}

/** What scripts cost, and how much slower the interpreters compute. */
export async function scriptAims(bench: Bench): Promise<Aim[]> {
  const { orchestrator, form } = bench
  const one = (name: string, type: string, config?: object) =>
    orchestrator.register({ name, timeout: '1m', tasks: [{ id: 'only', type, ...(config && { with: config }) }] } as {
      name: string
    })
  await one('script-none', 'javascript')
  await one('script-javascript', 'javascript', { code: NOTHING.javascript })
  await one('script-python', 'python', { code: NOTHING.python })
  await orchestrator.warm('script-none', 1)
  const aims: Aim[] = []
  for (const type of ['javascript', 'python'] as const) {
    const cold = await timed(() => orchestrator.run(`script-${type}`))
    await orchestrator.warm(`script-${type}`, 1)
    const over: number[] = []
    for (let round = 0; round < form.rounds; round++) {
      const none = await medianOf(() => orchestrator.run('script-none'))
      over.push((await medianOf(() => orchestrator.run(`script-${type}`))) - none)
    }
    aims.push(
      reached(
        `a ${type} task over a placeholder, warm`,
        '< 4 ms',
        median(over),
        4,
        `median of ${form.rounds} rounds of ${CALLS} runs each, in turns`,
      ),
      reached(
        `the first ${type} task after a start`,
        '< 120 ms',
        cold,
        120,
        'one run, as the client sees it; its definition was checked before',
      ),
    )
  }
  aims.push(await endlessAim(bench), ...(await slowdownAims(form.rounds)), bundleAim(bench), startAim(bench))
  return aims
}

/** One script computes for ever: how long until it is stopped, and the longest wait of runs that have nothing to do with it. */
async function endlessAim({ orchestrator, orchestratorUrl }: Bench): Promise<Aim> {
  const code = 'def main(input):\n    while True:\n        pass'
  const tasks = [{ id: 'only', type: 'python', with: { code, limits: { cpu: '1s' } } }]
  await orchestrator.register({ name: 'script-endless', timeout: '1m', tasks } as { name: string })
  const endless = { isOver: false, ms: 0, text: '' }
  const started = performance.now()
  const over = call('POST', `${orchestratorUrl}/v1/run`, '{"workflow":"script-endless"}').then(({ text }) => {
    Object.assign(endless, { isOver: true, ms: performance.now() - started, text })
  })
  const waits: number[] = []
  while (!endless.isOver) waits.push(await timed(() => orchestrator.run('script-none')))
  await over
  const { status, error } = JSON.parse(endless.text) as { status: string; error: { code: string } | null }
  if (error?.code !== 'script_limit')
    throw new Error(`the endless script ended ${status}: ${endless.text.slice(0, 300)}`)
  const longest = quantile(waits, 1)
  const idle = await medianOf(() => orchestrator.run('script-none'))
  return {
    figure: 'an endless script with 1 s of cpu',
    aim: 'ends as script_limit; no other run waits longer than it computes',
    measured: `ended after ${endless.ms.toFixed(0)} ms; ${waits.length} other runs meanwhile, all succeeded, the longest took ${longest.toFixed(0)} ms (${idle.toFixed(1)} ms when idle)`,
    // It waits for the whole script, and then does its own work, beside the client's.
    isReached: longest - 3 * idle <= endless.ms,
    how: 'locally all share one thread, so whoever comes while it computes waits for its end; on Cloudflare an isolate of its own is documented, not proven here',
  }
}

async function slowdownAims(rounds: number): Promise<Aim[]> {
  const aims: Aim[] = []
  const quickjs = { metered: await quickJs(readFileSync(join(WASM, 'quickjs.wasm'))), plain: await quickJs(null) }
  const micropython = { metered: await microPython(join(WASM, 'micropython.wasm')), plain: await microPython() }
  for (const [name, { javascript, python }] of Object.entries(PROGRAMS)) {
    aims.push(
      await slowdown(`JavaScript, ${name}`, rounds, {
        metered: () => quickjs.metered(javascript),
        plain: () => quickjs.plain(javascript),
        native: () => runInThisContext(javascript) as number,
        nativeName: `Node ${process.version}`,
      }),
      await slowdown(`Python, ${name}`, rounds, {
        metered: () => micropython.metered(python),
        plain: () => micropython.plain(python),
        native: cpython(python),
        nativeName: 'CPython',
      }),
    )
  }
  return aims
}

interface Ways {
  metered: () => number
  plain: () => number
  /** null where it cannot be had; a function may give its own time in ms instead of the answer's. */
  native: (() => number | { answer: number; ms: number }) | null
  nativeName: string
}

async function slowdown(name: string, rounds: number, { metered, plain, native, nativeName }: Ways): Promise<Aim> {
  const times: Record<'metered' | 'plain' | 'native', number[]> = { metered: [], plain: [], native: [] }
  let answer: number | undefined
  for (let round = 0; round < rounds; round++) {
    for (const [way, run] of Object.entries({ metered, plain, native }) as [keyof typeof times, Ways['native']][]) {
      if (run === null) continue
      const at = performance.now()
      const result = run()
      const ms = performance.now() - at
      const given = typeof result === 'number' ? result : result.answer
      answer ??= given
      if (given !== answer) throw new Error(`${name} gave ${given} and ${answer}`)
      times[way].push(typeof result === 'number' ? ms : result.ms)
    }
  }
  const [inside, unmetered] = [median(times.metered), median(times.plain)]
  const against =
    times.native.length === 0
      ? `${nativeName} is not here`
      : `${(inside / median(times.native)).toFixed(0)} x ${nativeName}`
  return {
    figure: `${name}: slowdown in the sandbox`,
    aim: 'reported',
    measured: `${inside.toFixed(1)} ms; ${(inside / unmetered).toFixed(2)} x the interpreter unmetered; ${against}`,
    isReached: true,
    how: `median of ${rounds}; both interpreters in Node, so that only the meter differs`,
  }
}

/** @param wasm the metered module; null for the package's own */
async function quickJs(wasm: Uint8Array | null): Promise<(code: string) => number> {
  const Module = WebAssembly.Module as unknown as new (bytes: Uint8Array) => WebAssembly.Module
  const options = { initial: 256, maximum: 1_024 }
  const variant =
    wasm === null
      ? release
      : newVariant(release, { wasmModule: new Module(wasm), wasmMemory: new WebAssembly.Memory(options) })
  const vm = (await newQuickJSWASMModuleFromVariant(variant)).newContext()
  return (code) => vm.getNumber(vm.unwrapResult(vm.evalCode(code)))
}

/** @param url of the metered wasm; the package's own without */
async function microPython(url?: string): Promise<(code: string) => number> {
  const python = await loadMicroPython({ heapsize: 16 * 1024 * 1024, pystack: 64 * 1024, ...(url && { url }) })
  return (code) => {
    // The package keeps the instance that it works on in a global.
    Object.assign(globalThis, { Module: python._module })
    python.runPython(code)
    return python.globals.get('answer') as number
  }
}

/** Runs the program in CPython, timed by its own clock, since starting it takes longer; null if there is no CPython. */
function cpython(code: string): Ways['native'] {
  const program = `import time\nat = time.perf_counter()\n${code}\nprint(answer, (time.perf_counter() - at) * 1000)`
  const run = () => execFileSync('python3', ['-c', program], { stdio: ['ignore', 'pipe', 'ignore'] }).toString()
  try {
    run()
  } catch {
    return null
  }
  return () => {
    const [answer, ms] = run().trim().split(' ').map(Number)
    return { answer: answer!, ms: ms! }
  }
}

/** What a deployment uploads; the free plan takes 3 MB. */
function bundleAim({ workerFolder }: Bench): Aim {
  const uploaded = readdirSync(workerFolder).filter((name) => !/\.(map|md)$/.test(name))
  const output = uploaded.reduce((sum, name) => sum + gzipSync(readFileSync(join(workerFolder, name))).length, 0)
  return {
    figure: 'the Worker, gzipped',
    aim: '< 3 MB',
    measured: `${(output / 1e6).toFixed(2)} MB`,
    isReached: output < 3e6,
    how: 'all modules that are uploaded, together',
  }
}

function startAim({ workerStartMs }: Bench): Aim {
  return reached(
    'the start of the Worker',
    '< 400 ms',
    workerStartMs,
    400,
    'once: from the process to its first answer, the runtime itself included',
  )
}

async function medianOf(work: () => Promise<void>): Promise<number> {
  const times: number[] = []
  for (let left = CALLS; left > 0; left--) times.push(await timed(work))
  return median(times)
}

async function timed(work: () => Promise<void>): Promise<number> {
  const at = performance.now()
  await work()
  return performance.now() - at
}

function reached(figure: string, aim: string, ms: number, below: number, how: string): Aim {
  return { figure, aim, measured: `${ms.toFixed(1)} ms`, isReached: ms < below, how }
}
