import type { BytePiece } from "./pieces.js";

/** Inflates gzip with the platform's own decoder. Rejects with the platform's error for what is no gzip. */
export async function* inflateGzip(pieces: AsyncIterable<BytePiece>): AsyncGenerator<BytePiece> {
  const source = pieces[Symbol.asyncIterator]();
  let loadedBytes = 0;
  const compressed = new ReadableStream<BufferSource>({
    async pull(controller) {
      const { done, value } = await source.next();
      if (done) return controller.close();
      loadedBytes = value.loadedBytes;
      controller.enqueue(value.bytes as Uint8Array<ArrayBuffer>);
    },
  });
  const reader = compressed.pipeThrough(new DecompressionStream("gzip")).getReader();
  try {
    for (let step = await reader.read(); !step.done; step = await reader.read()) {
      yield { bytes: step.value, loadedBytes };
    }
  } finally {
    await reader.cancel().catch(() => undefined); // one that has failed has nothing to give back
  }
}
