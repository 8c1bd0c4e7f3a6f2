// The world outside, as tasks see it: a fetch that answers by script and remembers what it was asked. Nothing leaves the test.

import { vi } from 'vitest'

export interface Upstream {
  /** What arrived, in order. */
  readonly requests: { method: string; url: string; headers: Headers; body: string }[]
}

/** Answers every fetch of this test by `answer`, which also gets the number of the request, from 1. */
export function fakeUpstream(answer: (request: Request, number: number) => Response | Promise<Response>): Upstream {
  const requests: Upstream['requests'] = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input as RequestInfo, init as RequestInit)
    const { method, url, headers } = request
    const body = new TextDecoder().decode(await request.clone().arrayBuffer())
    requests.push({ method, url: url.replace(/#.*/, ''), headers: new Headers(headers), body })
    return answer(request, requests.length)
  })
  return { requests }
}

/** A body that gives `chunk` again and again and never ends; tells when it was cancelled. */
export function endlessBody(chunk: string): { body: ReadableStream<Uint8Array>; isCancelled(): boolean } {
  const bytes = new TextEncoder().encode(chunk)
  let cancelled = false
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(bytes),
    cancel: () => {
      cancelled = true
    },
  })
  return { body, isCancelled: () => cancelled }
}

/** A body that gives `chunk` once and then says nothing more. */
export function stalledBody(chunk: string): { body: ReadableStream<Uint8Array>; isCancelled(): boolean } {
  let cancelled = false
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode(chunk)),
    cancel: () => {
      cancelled = true
    },
  })
  return { body, isCancelled: () => cancelled }
}

/** A fetch that is never answered, and fails once its signal fires, as the real one does. */
export function silence(request: Request): Promise<Response> {
  return new Promise((_, reject) => {
    request.signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')))
  })
}
