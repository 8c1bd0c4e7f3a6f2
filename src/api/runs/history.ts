// The history of a run: as pages of JSON or live as Server-Sent Events, by Accept; live as a WebSocket, by upgrade.

import { z } from 'zod'
import { preferredType } from '../http/accept.ts'
import { isIndex, PAGE_QUERY, pageResponse, pagingOf, positionOf } from '../http/page.ts'
import { ApiProblem } from '../http/problem.ts'
import { integerParameter } from '../http/query.ts'
import { type Route, route } from '../http/route.ts'
import { socketResponse, wantsSocket } from './event-socket.ts'
import { EVENT_STREAM, eventStream, lastEventId, STREAM_HEADERS } from './event-stream.ts'
import { askRunner } from './run-answers.ts'
import { EventPageSchema } from './run-schemas.ts'
import { sourceOf, Watch } from './watch.ts'

const JSON_TYPE = 'application/json'

function historyRoute(path: '/v1/runs/{id}/history' | '/v1/runs/{id}/events'): Route {
  return route({
    method: 'GET',
    path,
    tag: 'Runs',
    summary: 'List or watch what happens to a run',
    description: `Oldest first. As JSON a page; at the end of a run that goes on, take the last page again later. As \`${EVENT_STREAM}\` all events so far and then each as it happens, until the run has ended: \`id\` is the event's number, \`event\` its name, \`data\` its data. A client that lost its stream goes on where it was with \`Last-Event-ID\`, which browsers send by themselves; a number that the run does not have starts from the beginning. \`event: task.partial\` shows what a task has said so far (\`stream\` of \`inference\`): \`{task, item?, attempt, offset, text}\`, where \`offset\` counts the characters before it and 0 begins anew; it has no \`id\`, is kept nowhere, and parts may be missing. \`event: purged\` says that the run was deleted meanwhile; a comment comes every 15 s when nothing else does. With \`Upgrade: websocket\` the same over a WebSocket: each event a text message \`{id, event, data}\`, as in a page, and \`task.partial\`, \`purged\` and \`heartbeat\` without \`id\`. It closes with 1000 when there is nothing more to come; 1012 and 1013 ask to connect again with \`?after=\` and the last \`id\`.`,
    access: 'key',
    query: z.strictObject({
      after: integerParameter({ min: 0, max: 999_999_999 }).meta({
        description: 'Only events after the one with this number; of a stream `Last-Event-ID` counts before it.',
      }),
      ...PAGE_QUERY,
    }),
    headers: ['Accept', 'Last-Event-ID'],
    answers: {
      101: { description: 'The WebSocket.' },
      200: {
        description: 'A page, or the stream.',
        content: {
          [JSON_TYPE]: EventPageSchema,
          [EVENT_STREAM]: z.string().meta({
            examples: ['id: 2\nevent: run.started\ndata: {"at":"2026-10-23T12:00:00.000Z"}\n\n'],
          }),
        },
        headers: ['Link'],
      },
      204: { description: 'The client has all events of a run that has ended, and need not come again.' },
    },
    problems: ['run_not_found', 'not_acceptable', 'bad_cursor', 'too_many_watchers', 'watchers_exhausted'],
    async handle({ request, env, tenant, path: listed, params: { id }, query: { after = 0, limit, cursor } }) {
      if (wantsSocket(request.headers)) {
        refusePaging(request.url)
        const watch = await Watch.after(sourceOf(env, tenant, id), lastEventId(request.headers) ?? after)
        await watch.join()
        return socketResponse(watch)
      }
      const type = preferredType(request.headers, [JSON_TYPE, EVENT_STREAM])
      if (type === null) throw new ApiProblem('not_acceptable', `A history is ${JSON_TYPE} or ${EVENT_STREAM}`)
      if (type === EVENT_STREAM) {
        refusePaging(request.url)
        const watch = await Watch.after(sourceOf(env, tenant, id), lastEventId(request.headers) ?? after)
        return streamResponse(watch, request.method)
      }
      const listing = { path: listed, filters: { after: after === 0 ? undefined : after }, limit }
      const from = positionOf(listing, cursor, isIndex) ?? after
      const page = await askRunner(env, tenant, id, (runner) => runner.events(id, from, limit))
      const response = pageResponse(listing, page.items, page.next)
      response.headers.set('Vary', 'Accept')
      return response
    },
  })
}

async function streamResponse(watch: Watch, method: string): Promise<Response> {
  if (watch.isOver) return new Response(null, { status: 204, headers: { 'Cache-Control': 'no-store' } })
  // Nobody reads the body of a HEAD, so nobody would end its watch.
  if (method === 'HEAD') return new Response(null, { headers: STREAM_HEADERS })
  await watch.join()
  return new Response(eventStream(watch), { headers: STREAM_HEADERS })
}

/** A stream has no pages. */
function refusePaging(url: string): void {
  const given = pagingOf(url)
  if (given.length > 0) throw new ApiProblem('invalid_parameter', `A stream has no ${given.join(' and no ')}`)
}

/** The routes of this file, for app.ts. */
export const historyRoutes: readonly Route[] = [
  historyRoute('/v1/runs/{id}/history'),
  historyRoute('/v1/runs/{id}/events'),
]
