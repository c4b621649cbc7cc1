/**
 * Token ids as bytes, seven bits in each, the low ones first; the highest bit says that another byte follows. Ids of a vocabulary of 150,000 take two or three
 * bytes. Any integer from 0 to 2⁵³ − 1 comes back as it was.
 */
export function encodeIds(lists: readonly (readonly number[])[]): Uint8Array {
  const count = lists.reduce((sum, ids) => sum + ids.length, 0);
  let bytes = new Uint8Array(3 * count + 8);
  let at = 0;
  for (const ids of lists) {
    for (const id of ids) {
      if (at + 8 > bytes.length) {
        const larger = new Uint8Array(2 * bytes.length);
        larger.set(bytes);
        bytes = larger;
      }
      let rest = id;
      while (rest >= 128) {
        bytes[at++] = (rest % 128) | 128;
        rest = Math.floor(rest / 128);
      }
      bytes[at++] = rest;
    }
  }
  return bytes.subarray(0, at);
}

/** The ids of bytes, as lists of these lengths. */
export function decodeIds(bytes: Uint8Array, lengths: readonly number[]): number[][] {
  let at = 0;
  return lengths.map((length) => {
    const ids: number[] = [];
    for (let index = 0; index < length; index++) {
      let byte = bytes[at++]!;
      let id = byte & 127;
      for (let scale = 128; byte >= 128; scale *= 128) {
        byte = bytes[at++]!;
        id += (byte & 127) * scale;
      }
      ids.push(id);
    }
    return ids;
  });
}
