import type { ByteSink } from "@kto/core";
import { bytesOf } from "./typed-array.js";

/**
 * The elements of a tensor, little-endian and dense: an array, or a function that makes it when its turn comes (from a GPU, from another file),
 * whole or in pieces, so that no more than one tensor or piece is in memory.
 */
export type TensorContent = ArrayBufferView | (() => ArrayBufferView | Promise<ArrayBufferView> | AsyncIterable<ArrayBufferView>);

/** How to write tensors, in whatever format. */
export interface WriteTensorsOptions {
  /** Stops between tensors and pieces; the write then rejects with its reason. */
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: { writtenBytes: number; totalBytes: number }) => void) | undefined;
}

/** A tensor whose place in the file is known. */
export interface PlannedTensor {
  readonly data: TensorContent;
  readonly byteLength: number;
  /** Zeros after it; default none. */
  readonly padding?: number;
  /** The error of data of another length. */
  readonly lengthError: (got: number) => Error;
}

/** A file whose header is known, and what follows it. */
export interface PlannedFile {
  readonly header: Uint8Array;
  readonly tensors: readonly PlannedTensor[];
  /** Bytes of the whole file. */
  readonly totalBytes: number;
}

/**
 * Writes a header and the tensors after it, one after the other; the length of arrays is checked before the first byte.
 *
 * @returns bytes written
 * @throws `lengthError` of a tensor that gives more or fewer bytes
 */
export async function writeTensors(
  sink: ByteSink,
  { header, tensors, totalBytes }: PlannedFile,
  { signal, onProgress }: WriteTensorsOptions = {},
): Promise<number> {
  for (const { data, byteLength, lengthError } of tensors) {
    if (typeof data !== "function" && data.byteLength !== byteLength) throw lengthError(data.byteLength);
  }

  let writtenBytes = 0;
  const write = async (bytes: Uint8Array): Promise<void> => {
    signal?.throwIfAborted();
    await sink.write(bytes);
    writtenBytes += bytes.byteLength;
    onProgress?.({ writtenBytes, totalBytes });
  };

  await write(header);
  for (const { data, byteLength, padding = 0, lengthError } of tensors) {
    signal?.throwIfAborted();
    let given = 0;
    for await (const piece of piecesOf(data)) {
      given += piece.byteLength;
      if (given > byteLength) throw lengthError(given);
      if (piece.byteLength > 0) await write(bytesOf(piece));
    }
    if (given !== byteLength) throw lengthError(given);
    if (padding > 0) await write(new Uint8Array(padding));
  }
  return writtenBytes;
}

/** Everything that a writer gives to its sink, as one array. `write` returns the bytes written. */
export async function bytesWrittenBy(write: (sink: ByteSink) => Promise<number>): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  const all = new Uint8Array(await write({ write: async (bytes) => void pieces.push(new Uint8Array(bytes)) })); // a Buffer's own slice is no copy
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.byteLength;
  }
  return all;
}

async function* piecesOf(data: TensorContent): AsyncGenerator<ArrayBufferView, void, undefined> {
  const content = typeof data === "function" ? data() : data;
  if (Symbol.asyncIterator in content) yield* content;
  else yield await content;
}
