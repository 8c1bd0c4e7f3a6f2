// PURE. Bytes as base64 (RFC 4648, section 4).

export function toBase64(bytes: Uint8Array): string {
  const parts: string[] = []
  // In steps: the arguments of one call are limited.
  for (let at = 0; at < bytes.byteLength; at += 8_192) {
    parts.push(String.fromCharCode(...bytes.subarray(at, at + 8_192)))
  }
  return btoa(parts.join(''))
}
