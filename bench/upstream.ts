// The server that `http` tasks call while they are measured. A process of its own, so that it shares no event loop with the
// load driver. `/?delay=100` answers after that many milliseconds, `/?busy` puts the caller off with 429 and Retry-After: 0.
// Tells its port to its parent, and ends with it.

import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const BODY = '{"ok":true}'

function answer(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': BODY.length }).end(BODY)
}

const server = createServer((request, response) => {
  if (request.url?.endsWith('?busy')) {
    response.writeHead(429, { 'retry-after': '0', 'content-length': 0 }).end()
    return
  }
  const delay = Number(/[?&]delay=(\d+)/.exec(request.url ?? '')?.[1] ?? 0)
  if (delay === 0) answer(response)
  else setTimeout(answer, delay, response)
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.once('disconnect', () => process.exit())
