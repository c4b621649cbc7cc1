/**
 * A number in [0, 1) that depends on the keys alone, so that the same question gets the same luck in any batch: murmur3's mixing of 32-bit words.
 */
export function uniform(...keys: number[]): number {
  let hash = 0x9e3779b9;
  for (const key of keys) {
    hash = Math.imul(hash ^ mix(key + 0x7f4a7c15), 0x85ebca6b);
    hash = (hash << 13) | (hash >>> 19);
  }
  return mix(hash) / 2 ** 32;
}

/** A generator of standard normal numbers (Box and Muller). */
export function normals(seed: number): () => number {
  let count = 0;
  return () => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform(seed, count++)));
    return radius * Math.cos(2 * Math.PI * uniform(seed, count++));
  };
}

function mix(word: number): number {
  let hash = word | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
