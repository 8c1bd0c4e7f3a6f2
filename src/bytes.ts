// Bytes as texts, texts as bytes. Everything here is a plain function of what it is given; no bound of the service is known here.
// It stands outside of src/workflow because the encoders belong to the platform, which the core does not know.

const encoder = new TextEncoder()

/** Two lower-case hexadecimal digits for each byte. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Base64 with its padding (RFC 4648, section 4). */
export function toBase64(bytes: Uint8Array): string {
  const parts: string[] = []
  // In steps, because the number of arguments of one call is limited.
  for (let at = 0; at < bytes.byteLength; at += 8_192) {
    parts.push(String.fromCharCode(...bytes.subarray(at, at + 8_192)))
  }
  return btoa(parts.join(''))
}

/** @throws DOMException if the text is not base64; padding may be missing and blanks are skipped */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}

/** The alphabet of base64 that URLs and file names can hold, without padding (RFC 4648, section 5). */
export function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** @throws DOMException if the text is neither base64url nor base64 */
export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  return fromBase64(text.replaceAll('-', '+').replaceAll('_', '/'))
}

/** The chunks one after the other, in a buffer of their own. */
export function concatBytes(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((sum, { byteLength }) => sum + byteLength, 0))
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return bytes
}

/** How many bytes the text has in UTF-8. */
export function utf8Length(text: string): number {
  return encoder.encode(text).byteLength
}

/** Whether the text has more than `most` bytes in UTF-8. Most texts are short enough to be judged without encoding them. */
export function isLongerThan(most: number, text: string): boolean {
  // One unit of a string takes between one and three bytes.
  return text.length > most || (text.length * 3 > most && utf8Length(text) > most)
}
