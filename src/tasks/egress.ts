// What an outgoing call may reach: the public network by http and https, and what EGRESS_ALLOW lists besides.
// It judges a URL before each request, each hop of a redirect included. Addresses are judged in their canonical form: the
// WHATWG URL parser has already turned decimal, hex, octal, full-width and percent-encoded spellings into one.
// It cannot check what a name resolves to: the runtime gives no resolver on the way of a fetch, so a public name that
// points to a private address passes here. On Cloudflare such a call ends at the edge; a self-hosted workerd has to be
// kept from private networks by its own `network` service (allow = ["public"]), which looks at the resolved address.

import ipaddr from 'ipaddr.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6

/** One entry of EGRESS_ALLOW. `port` is null for every port. */
type EgressRule = { kind: 'host'; host: string; port: string | null } | { kind: 'network'; network: [Address, number] }

/** Names that never leave the machine or the network they are used in: RFC 6761, 6762, 8375, and the clouds' own. */
const LOCAL_SUFFIXES = ['.localhost', '.local', '.localdomain', '.internal', '.home.arpa']

/** Public by its number, but Azure answers on it with the machine's secrets. */
const AZURE_METADATA = '168.63.129.16'

const GLOBAL_UNICAST: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3]

const FOUR_NUMBERS = /^[\d.]{7,15}$/

/** `[v6]`, `[v6]:port`, `host` or `host:port`; what it names is looked at afterwards. */
const HOST_AND_PORT = /^(\[[0-9a-f:.]+\]|[^\s:/?#@[\]\\%]+)(?::(\d{1,5}))?$/i

/**
 * Why a call to this URL is refused.
 * @param allow EGRESS_ALLOW
 * @returns one sentence without the query or credentials of the URL; null if the call may go out
 */
export function egressFault(url: URL, allow: string): string | null {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return `${url.protocol} is not spoken, only http: and https:`
  }
  if (url.username !== '' || url.password !== '') return 'a URL must not hold credentials; put them into a header'

  const host = canonicalHost(url.hostname)
  const address = toAddress(host)
  const reason = address === null ? localName(host) : specialAddress(address)
  if (reason === null || rulesOf(allow).some((rule) => permits(rule, host, address, portOf(url)))) return null
  return `${host} is ${reason}`
}

/** Parses EGRESS_ALLOW. An entry that cannot be read opens nothing. */
export function parseEgressAllow(text: string): EgressRule[] {
  return text.split(',').flatMap((entry) => parseRule(entry.trim()) ?? [])
}

function parseRule(entry: string): EgressRule | null {
  if (entry.includes('/')) {
    const isStrict =
      ipaddr.IPv4.isValidCIDRFourPartDecimal(entry) || (entry.includes(':') && ipaddr.IPv6.isValidCIDR(entry))
    return isStrict && !entry.includes('%') ? { kind: 'network', network: ipaddr.parseCIDR(entry) } : null
  }
  if (ipaddr.IPv6.isValid(entry) && !entry.includes('%')) return parseRule(`[${entry}]`)

  const [, written, port = null] = HOST_AND_PORT.exec(entry) ?? []
  if (written === undefined || Number(port) > 65_535) return null
  // The port is split off before: the URL parser drops a default one, and `host:80` would then open every port.
  const url = URL.parse(`http://${written}/`)
  if (url === null) return null
  const host = canonicalHost(url.hostname)
  // A bare number is an IPv4 address to the URL parser; `8080` was meant as something else.
  const isMisread = toAddress(host)?.kind() === 'ipv4' && !ipaddr.IPv4.isValidFourPartDecimal(written)
  if (isMisread || (toAddress(host) === null && !/^[a-z0-9._-]+$/.test(host))) return null
  return { kind: 'host', host, port: port === null ? null : String(Number(port)) }
}

function permits(rule: EgressRule, host: string, address: Address | null, port: string): boolean {
  switch (rule.kind) {
    case 'host':
      return rule.host === host && (rule.port === null || rule.port === port)
    case 'network':
      return address !== null && address.kind() === rule.network[0].kind() && address.match(rule.network)
    default:
      return rule satisfies never
  }
}

/** Why this address is not public; null if it is. An IPv6 address that embeds an IPv4 address (6to4, Teredo, NAT64) is not public. */
function specialAddress(address: Address): string | null {
  if (address.toString() === AZURE_METADATA) return 'a metadata address'
  const range = address.range()
  if (range !== 'unicast') return `not a public address (${range})`
  if (address.kind() === 'ipv6' && !address.match(GLOBAL_UNICAST)) return 'not a public address'
  return null
}

function localName(host: string): string | null {
  if (host === '') return 'no host'
  if (!host.includes('.')) return 'a name of the local network'
  return LOCAL_SUFFIXES.some((suffix) => host.endsWith(suffix)) ? 'a name of the local network' : null
}

/** Without trailing dots and brackets; an IPv6 address in its one form, one that maps an IPv4 address as that address. */
function canonicalHost(hostname: string): string {
  const host = hostname
    .replace(/\.+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
  return toAddress(host)?.toString() ?? host
}

function toAddress(host: string): Address | null {
  if (host.includes(':')) return ipaddr.IPv6.isValid(host) ? ipaddr.process(host) : null
  // Names are told apart first: for them the library throws and catches, which costs more than the whole rest.
  return FOUR_NUMBERS.test(host) && ipaddr.IPv4.isValidFourPartDecimal(host) ? ipaddr.IPv4.parse(host) : null
}

function portOf(url: URL): string {
  return url.port || (url.protocol === 'https:' ? '443' : '80')
}

/** The rules of the last text seen: the variable does not change while a Worker lives, so it is lastParsed once. */
let lastParsed: { text: string; rules: EgressRule[] } = { text: '', rules: [] }

function rulesOf(text: string): EgressRule[] {
  if (lastParsed.text !== text) lastParsed = { text, rules: parseEgressAllow(text) }
  return lastParsed.rules
}
