// A hash of texts, wherever something has to be spread or drawn and come out the same each time. Pure.

/**
 * A 32 bit hash for spreading things evenly; no secret keeps behind it.
 * @see FNV-1a (Fowler, Noll, Vo), with the finalizer of MurmurHash3 (Appleby), since FNV's low bits alone are uneven
 */
export function hash32(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
