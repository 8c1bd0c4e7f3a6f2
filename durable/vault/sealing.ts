// How a tenant's secrets are encrypted: AES-256-GCM, by a key that HKDF-SHA-256 derives for this tenant alone from SECRETS_KEY.
// What a value belongs to (tenant, name, version) is authenticated with it, so that nobody who can write rows can pass one
// secret off as another. SECRETS_KEY_PREVIOUS still opens what was sealed with it, and seals nothing.

import { fromBase64, hex } from '../../src/bytes.ts'

/** A value as it is stored. */
export interface Sealed {
  /** Which SECRETS_KEY it was sealed with: a fingerprint of that key, which says nothing about it. */
  keyId: string
  /** 96 random bits, new for each value. */
  nonce: ArrayBuffer
  ciphertext: ArrayBuffer
}

/** What a sealed value belongs to. */
export interface Place {
  name: string
  version: number
}

interface Configured {
  SECRETS_KEY?: string
  SECRETS_KEY_PREVIOUS?: string
}

interface SealingKey {
  id: string
  key: CryptoKey
}

/** The keys of a tenant, or why it has no keys, in words. */
export type KeyRing = { ok: true; current: SealingKey; previous: SealingKey | null } | { ok: false; why: string }

const KEY_BYTES = 32
const NONCE_BYTES = 12
const encoder = new TextEncoder()

/** Derives the keys of a tenant. Never throws on what is configured, and never tells it. */
export async function keyRingOf(configured: Configured, tenant: string): Promise<KeyRing> {
  const { SECRETS_KEY: current = '', SECRETS_KEY_PREVIOUS: previous = '' } = configured
  if (current === '') {
    return { ok: false, why: 'Set the secret SECRETS_KEY to 32 random bytes as base64 (openssl rand -base64 32)' }
  }
  const bytes = keyBytes(current)
  const before = previous === '' ? null : keyBytes(previous)
  if (bytes === null) return { ok: false, why: notAKey('SECRETS_KEY') }
  if (previous !== '' && before === null) return { ok: false, why: notAKey('SECRETS_KEY_PREVIOUS') }
  return {
    ok: true,
    current: await derive(bytes, tenant),
    previous: before === null ? null : await derive(before, tenant),
  }
}

/** Encrypts a value for its place: unsealing it anywhere else fails. */
export async function seal({ id, key }: SealingKey, tenant: string, place: Place, value: string): Promise<Sealed> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES))
  const ciphertext = await crypto.subtle.encrypt(parameters(nonce, tenant, place), key, encoder.encode(value))
  return { keyId: id, nonce: nonce.buffer, ciphertext }
}

/** The value; null if it was sealed with another key, is no longer what was sealed, or belongs elsewhere. */
export async function unseal(
  ring: Extract<KeyRing, { ok: true }>,
  tenant: string,
  place: Place,
  sealed: Sealed,
): Promise<string | null> {
  const sealing = [ring.current, ring.previous].find((candidate) => candidate?.id === sealed.keyId)
  if (sealing == null) return null
  try {
    const nonce = new Uint8Array(sealed.nonce)
    const bytes = await crypto.subtle.decrypt(parameters(nonce, tenant, place), sealing.key, sealed.ciphertext)
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null // By GCM's tag: one answer for every reason.
  }
}

function parameters(iv: Uint8Array, tenant: string, { name, version }: Place): SubtleCryptoEncryptAlgorithm {
  // As JSON, in which no two places are written alike.
  return { name: 'AES-GCM', iv, additionalData: encoder.encode(JSON.stringify([tenant, name, version])) }
}

async function derive(bytes: Uint8Array, tenant: string): Promise<SealingKey> {
  const master = await crypto.subtle.importKey('raw', bytes, 'HKDF', false, ['deriveBits', 'deriveKey'])
  const id = await crypto.subtle.deriveBits(hkdf('key-id'), master, 64)
  const algorithm = { name: 'AES-GCM', length: 256 }
  const key = await crypto.subtle.deriveKey(hkdf(`tenant/${tenant}`), master, algorithm, false, ['encrypt', 'decrypt'])
  return { id: hex(new Uint8Array(id)), key }
}

function hkdf(purpose: string): SubtleCryptoDeriveKeyAlgorithm {
  const info = encoder.encode(`edge-orchestrator/secrets/v1/${purpose}`)
  return { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info }
}

/** A line end behind the key comes from how it was piped to where it is. */
function keyBytes(given: string): Uint8Array | null {
  const text = given.trim()
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) return null
  const bytes = fromBase64(text)
  return bytes.length === KEY_BYTES ? bytes : null
}

function notAKey(variable: string): string {
  return `${variable} is not 32 bytes as base64 (openssl rand -base64 32)`
}
