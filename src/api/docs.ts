// The pages for people: /docs, which reads /openapi.json and tries routes, and /docs/errors, the table of codes.
// They load nothing from elsewhere, and their policy lets only this style and this script run, by their hashes.

import { toBase64 } from '../bytes.ts'
import { CODES, type CodeEntry } from '../workflow/codes.ts'
import page from './docs.html'

const style = between('<style>', '</style>')
const script = between('<script>', '</script>')

let policy: string | undefined

/** The page on which the API can be read and tried. */
export function docsPage(): Promise<Response> {
  return htmlResponse(page)
}

/** The page that explains every code of the service; each code is an anchor. */
export function errorsPage(): Promise<Response> {
  return htmlResponse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Codes of edge-orchestrator</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>Codes</h1>
<p>A code never changes its meaning; the words beside it may. <a href="/docs">All routes</a></p>
${KINDS.map(([kind, title]) => sectionHtml(kind, title)).join('\n')}
</main>
</body>
</html>
`)
}

const KINDS: readonly (readonly [CodeEntry['kind'], string])[] = [
  ['problem', 'Of answers'],
  ['fault', 'Of faults in a body'],
  ['warning', 'Of warnings'],
  ['task', 'Of tasks that failed'],
  ['run', 'Of runs that failed'],
]

/** The table's own words, which hold no markup. */
function sectionHtml(kind: CodeEntry['kind'], title: string): string {
  const entries = Object.entries<CodeEntry>(CODES).filter(([, entry]) => entry.kind === kind)
  const rows = entries.map(([code, entry]) => rowHtml(code, entry))
  if (kind === 'task') rows.unshift(rowHtml('http_<status>', HTTP_STATUS))
  return `<h2>${title}</h2>\n<table>\n${rows.join('\n')}\n</table>`
}

/** The family of codes of statuses that a task did not expect. */
const HTTP_STATUS = {
  kind: 'task',
  retryable: false,
  meaning: 'The server answered with a status that the task does not expect.',
} as const

function rowHtml(code: string, entry: CodeEntry): string {
  const { meaning } = entry
  const note = entry.kind === 'problem' ? entry.status : entry.kind === 'task' && entry.retryable ? 'retryable' : ''
  return `<tr id="${escapeHtml(code)}"><th><code>${escapeHtml(code)}</code></th><td>${note}</td><td>${escapeHtml(meaning)}</td></tr>`
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

async function htmlResponse(html: string): Promise<Response> {
  policy ??= [
    "default-src 'none'",
    `style-src '${await hashOf(style)}'`,
    `script-src '${await hashOf(script)}'`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
  return new Response(html, {
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': policy,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
    },
  })
}

/** A source of Content-Security-Policy: `sha256-...`. */
async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return `sha256-${toBase64(new Uint8Array(digest))}`
}

function between(start: string, end: string): string {
  const from = page.indexOf(start) + start.length
  return page.slice(from, page.indexOf(end, from))
}
