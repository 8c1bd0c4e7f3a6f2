import { describe, expect, test } from 'vitest'
import { egressFault, parseEgressAllow } from '../../src/tasks/egress.ts'

/** Whether a call to this URL may go out. */
function isAllowed(url: string, allow = ''): boolean {
  return egressFault(new URL(url), allow) === null
}

/** The same host in every place where a host can stand. */
function isHostAllowed(host: string, allow = ''): boolean {
  return isAllowed(`http://${host}/`, allow) || isAllowed(`https://${host}:8443/x?y#z`, allow)
}

describe('egress: what is public goes out', () => {
  test.each([
    'example.com',
    'api.example.com.',
    'xn--bcher-kva.example',
    'bücher.example',
    'localhost.example.com',
    'internal.example.com',
    'mylocalhost.com',
    'local.dev',
    '1.1.1.1',
    '8.8.8.8',
    '172.15.255.255',
    '172.32.0.1',
    '192.167.1.1',
    '100.63.255.255',
    '100.128.0.1',
    '169.253.1.1',
    '[2606:4700:4700::1111]',
    '[2a00:1450:4001::200e]',
    '[::ffff:8.8.8.8]',
    '10.example.com',
    '127.0.0.1.example.com',
  ])('to %s', (host) => {
    expect(isAllowed(`https://${host}/`)).toBe(true)
  })
})

describe('egress: addresses that are not public are refused in every spelling', () => {
  test.each([
    // Loopback.
    [
      '127.0.0.1',
      '127.1',
      '127.0.1',
      '127.255.255.254',
      '2130706433',
      '0x7f000001',
      '0x7f.1',
      '0177.0.0.1',
      '017700000001',
    ],
    ['127.0.0.1.', '①②⑦.⓪.⓪.①', '127。0。0。1', '%31%32%37.0.0.1', '0x7F.0X0.0.1', '[::1]', '[0:0:0:0:0:0:0:1]'],
    ['[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:ffff:7f00:0001]', '[::127.0.0.1]', '[::7f00:1]'],
    // Unspecified, broadcast, and what they reach on some systems.
    ['0.0.0.0', '0', '0x0', '0.1.2.3', '[::]', '[::0.0.0.0]', '[::ffff:0.0.0.0]', '255.255.255.255', '4294967295'],
    // Private, carrier-grade NAT, unique-local, site-local.
    [
      '10.0.0.1',
      '10.255.255.255',
      '012.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.0.1',
      '0xc0a80001',
      '3232235521',
    ],
    [
      '100.64.0.1',
      '100.127.255.255',
      '[fc00::1]',
      '[fdff:ffff::1]',
      '[fec0::1]',
      '[::ffff:10.0.0.1]',
      '[::ffff:c0a8:1]',
    ],
    // Link-local and cloud metadata.
    ['169.254.0.1', '169.254.169.254', '2852039166', '0xa9fea9fe', '0251.0376.0251.0376', '169.254.43518', '[fe80::1]'],
    [
      '[::ffff:169.254.169.254]',
      '[::ffff:a9fe:a9fe]',
      '[fd00:ec2::254]',
      '100.100.100.200',
      '168.63.129.16',
      '192.0.0.192',
    ],
    // Multicast, reserved, benchmarking, documentation.
    [
      '224.0.0.1',
      '239.255.255.255',
      '240.0.0.1',
      '198.18.0.1',
      '198.19.255.255',
      '192.0.2.1',
      '198.51.100.1',
      '203.0.113.1',
    ],
    ['[ff02::1]', '[2001:db8::1]', '[3fff::1]', '[2001:2::1]', '[100::1]', '[5f00::1]', '[4000::1]'],
    // Addresses that hold another: 6to4, NAT64 (well-known and local), Teredo, SIIT.
    ['[2002:7f00:1::]', '[2002:a9fe:a9fe::1]', '[64:ff9b::7f00:1]', '[64:ff9b::169.254.169.254]', '[64:ff9b:1::a00:1]'],
    ['[2001:0:4136:e378:8000:63bf:3fff:fdd2]', '[::ffff:0:127.0.0.1]', '[2001::1]'],
  ])('%s %s %s %s', (...hosts) => {
    expect(hosts.filter((host) => isHostAllowed(host))).toEqual([])
  })

  test('zone ids and malformed addresses are no URLs in the first place', () => {
    for (const host of [
      '[fe80::1%25eth0]',
      '[fe80::1%eth0]',
      '[::1',
      '256.256.256.256',
      '0x100000000',
      '1.2.3.4.5',
      '127.0.0.1..',
    ]) {
      expect(URL.canParse(`http://${host}/`) && isHostAllowed(host)).toBe(false)
    }
  })
})

describe('egress: names of the local network are refused', () => {
  test.each([
    'localhost',
    'LOCALHOST',
    'localhost.',
    'localhost..',
    'ｌocalhost',
    '%6cocalhost',
    'a.localhost',
    'a.b.localhost.',
    'printer.local',
    'box.localdomain',
    'metadata.google.internal',
    'metadata.google.internal.',
    'METADATA.GOOGLE.INTERNAL',
    'ip-10-0-0-1.ec2.internal',
    'nas.home.arpa',
    'redis',
    'metadata',
    'db_1',
    'com.',
  ])('%s is refused in every place of a host', (host) => {
    expect(isHostAllowed(host)).toBe(false)
  })
})

describe('egress: what is not http, or holds credentials, is refused even where the host is allowed', () => {
  test.each([
    'file:///etc/passwd',
    'javascript:fetch("/")',
    'data:text/plain,x',
    'ftp://example.com/',
    'ws://example.com/',
    'blob:https://example.com/x',
    'gopher://example.com:70/',
    'about:blank',
    'https://user@example.com/',
    'https://user:secret@example.com/',
    'https://:secret@example.com/',
  ])('%s is refused, without a secret in the reason', (url) => {
    const fault = egressFault(new URL(url), 'example.com,0.0.0.0/0')
    expect(fault).not.toBeNull()
    expect(fault).not.toContain('secret')
  })
})

describe('EGRESS_ALLOW', () => {
  test('a host opens every port of it and nothing beside it', () => {
    expect(isAllowed('http://localhost/', 'localhost')).toBe(true)
    expect(isAllowed('https://localhost:9999/', ' localhost ')).toBe(true)
    expect(isAllowed('http://LOCALHOST.:80/', 'Localhost.')).toBe(true)
    expect(isAllowed('http://a.localhost/', 'localhost')).toBe(false)
    expect(isAllowed('http://127.0.0.1/', 'localhost')).toBe(false)
    expect(isAllowed('http://[::1]:3000/', '[::1]')).toBe(true)
    expect(isAllowed('http://[::1]:3000/', '::1')).toBe(true)
    expect(isAllowed('http://[::ffff:127.0.0.1]/', '127.0.0.1')).toBe(true)
    expect(isAllowed('http://2130706433/', '127.0.0.1')).toBe(true)
    expect(isAllowed('http://redis:6379/', 'redis')).toBe(true)
  })

  test('a host with a port opens that port only, default ports too', () => {
    expect(isAllowed('http://localhost:8080/', 'localhost:8080')).toBe(true)
    expect(isAllowed('http://localhost/', 'localhost:8080')).toBe(false)
    expect(isAllowed('http://localhost/', 'localhost:80')).toBe(true)
    expect(isAllowed('https://localhost/', 'localhost:80')).toBe(false)
    expect(isAllowed('http://localhost:3000/', 'localhost:80')).toBe(false)
    expect(isAllowed('https://localhost/', 'localhost:443')).toBe(true)
    expect(isAllowed('http://localhost:443/', 'localhost:443')).toBe(true)
    expect(isAllowed('http://localhost/', 'localhost:0080')).toBe(true)
    expect(isAllowed('http://[::1]:3000/', '[::1]:3000')).toBe(true)
    expect(isAllowed('http://[::1]:3001/', '[::1]:3000')).toBe(false)
  })

  test('a network opens its addresses, in every spelling, of its own family', () => {
    expect(isAllowed('http://127.8.9.1:81/', '127.0.0.0/8')).toBe(true)
    expect(isAllowed('http://0x7f000001/', '127.0.0.0/8')).toBe(true)
    expect(isAllowed('http://[::ffff:127.0.0.1]/', '127.0.0.0/8')).toBe(true)
    expect(isAllowed('http://10.0.0.1/', '127.0.0.0/8')).toBe(false)
    expect(isAllowed('http://[::1]/', '127.0.0.0/8')).toBe(false)
    expect(isAllowed('http://localhost/', '127.0.0.0/8')).toBe(false)
    expect(isAllowed('http://[fd12::1]/', 'fd00::/8')).toBe(true)
    expect(isAllowed('http://10.1.2.3/', '::/0')).toBe(false)
    expect(isAllowed('http://10.1.2.3/', '10.9.9.9/8')).toBe(true)
  })

  test('entries stand beside each other, and a bad one takes nothing from the others', () => {
    const allow = 'nonsense here, ,10.0.0.0/33,localhost:8080,,10.1.0.0/16'
    expect(isAllowed('http://localhost:8080/', allow)).toBe(true)
    expect(isAllowed('http://10.1.255.1/', allow)).toBe(true)
    expect(isAllowed('http://10.2.0.1/', allow)).toBe(false)
  })

  test.each([
    '',
    ',',
    '*',
    '*.localhost',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '/8',
    '10/8',
    '0x0a000000/8',
    '::/129',
    'fe80::1%eth0/64',
    'fe80::1%eth0',
    '8080',
    '0',
    '127.1',
    'localhost:',
    'localhost:http',
    'localhost:65536',
    'localhost:99999',
    'localhost:80:80',
    ':80',
    'http://localhost',
    'user@localhost',
    'localhost/',
    'localhost?',
    'localhost#',
    'local host',
    'local\thost',
    'localhost\\',
    '[::1',
    '::1]',
    '[localhost]',
    '.',
    '%6cocalhost',
  ])('%j opens nothing', (entry) => {
    expect(parseEgressAllow(entry)).toEqual([])
  })
})
