// Pure. Where an answer says that related things are: the Link header (RFC 8288), by which many APIs name the next page.

import type { JsonObject } from '../../workflow/json.ts'

/** Longer ones are cut: a header has few links, and reading it must cost little. */
const MAX_LENGTH = 8_192

const LINK = /<([^<>]*)>((?:\s*;\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s",;]+))?)*)/g
const PARAMETER = /;\s*([^\s;=]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",;]+)))?/g

/** Targets as they are written, by their relation in lower case. Where a relation stands twice, the first target counts. */
export function linksIn(header: string | null): JsonObject {
  const links: JsonObject = {}
  for (const [, target = '', parameters = ''] of (header ?? '').slice(0, MAX_LENGTH).matchAll(LINK)) {
    for (const relation of relationsIn(parameters)) {
      if (relation !== '' && !Object.hasOwn(links, relation)) links[relation] = target
    }
  }
  return links
}

/** The relations that `rel` lists. Where it stands twice, the first counts (RFC 8288, section 3.3). */
function relationsIn(parameters: string): string[] {
  for (const [, name = '', quoted, token] of parameters.matchAll(PARAMETER)) {
    if (name.toLowerCase() === 'rel') return (quoted ?? token ?? '').toLowerCase().split(/\s+/)
  }
  return []
}
