import type { Tensor } from "@kto/tensor";

/**
 * Writes pieces of any size to a tensor, one behind the other, and yields how many bytes each had. A tensor is written in whole words, so up to
 * three bytes wait for the next piece.
 */
export async function* streamInto(target: Tensor, pieces: AsyncIterable<Uint8Array>): AsyncGenerator<number, void, undefined> {
  let rest = new Uint8Array(0);
  let written = 0;
  const write = (bytes: Uint8Array): void => {
    target.device.writeBytes(target, bytes, written);
    written += bytes.byteLength;
  };
  for await (const piece of pieces) {
    let start = 0;
    if (rest.byteLength > 0) {
      const missing = Math.min(4 - rest.byteLength, piece.byteLength);
      rest = Uint8Array.of(...rest, ...piece.subarray(0, missing));
      start = missing;
      if (rest.byteLength === 4) {
        write(rest);
        rest = new Uint8Array(0);
      }
    }
    const end = start + Math.floor((piece.byteLength - start) / 4) * 4;
    if (end > start) write(piece.subarray(start, end));
    if (end < piece.byteLength) rest = Uint8Array.of(...rest, ...piece.subarray(end));
    yield piece.byteLength;
  }
  if (rest.byteLength > 0) write(rest);
}
