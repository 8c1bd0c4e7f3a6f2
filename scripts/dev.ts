// `npm run dev`: the Worker on this machine, port 8080, embedded storage, no account, no network, no question asked.
// Further arguments go to `wrangler dev`: `npm run dev -- --port 8090 --persist-to DIR`.
// It alone (with the demo, the bench and the tests) turns authentication off and opens loopback to tasks; wrangler.toml never does.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'

const given = process.argv.slice(2)
const isGiven = (option: string) => given.some((argument) => argument === option || argument.startsWith(`${option}=`))
const options = [
  ...(isGiven('--port') ? [] : ['--port', '8080']),
  ...(isGiven('--ip') ? [] : ['--ip', '127.0.0.1']),
  ...['--var', 'AUTH:none', '--var', 'EGRESS_ALLOW:localhost,127.0.0.0/8,::1/128'],
  '--show-interactive-dev-session=false',
]
const quiet = { WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true', CLOUDFLARE_CF_FETCH_ENABLED: 'false' }

/** Where wrangler finds the secrets of a machine; git ignores it. */
const SECRETS_FILE = '.dev.vars'

/** Secrets are encrypted with this key, so it is made once, and stays as long as what it has encrypted. */
function makeSecretsKey(): void {
  const present = existsSync(SECRETS_FILE) ? readFileSync(SECRETS_FILE, 'utf8') : ''
  if (/^\s*SECRETS_KEY\s*=/m.test(present)) return
  const before = present === '' || present.endsWith('\n') ? '' : '\n'
  const line = `SECRETS_KEY="${randomBytes(32).toString('base64')}"\n`
  appendFileSync(SECRETS_FILE, before + line, { mode: 0o600 })
}

makeSecretsKey()
const wrangler = spawn(process.execPath, ['node_modules/wrangler/bin/wrangler.js', 'dev', ...options, ...given], {
  stdio: 'inherit',
  env: { ...process.env, ...quiet },
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => wrangler.kill(signal))
wrangler.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 0)))
