import { type ByteSink, excerpt, FormatError } from "@kto/core";
import type { TensorContent } from "@kto/safetensors";
import { type GgufMetadata, type GgufTensorSpec, planGguf } from "./header-writer.js";

/** A tensor to write: its bytes, or a function that makes them when its turn comes, whole or in pieces. */
export interface GgufTensorToWrite extends GgufTensorSpec {
  readonly data: TensorContent;
}

/** What a file holds, in the order of the file. */
export interface GgufContent {
  readonly metadata: GgufMetadata;
  readonly tensors: Iterable<GgufTensorToWrite>;
}

/** How to write. */
export interface WriteGgufOptions {
  /** Stops between tensors and pieces; the write then rejects with its reason. */
  signal?: AbortSignal;
  onProgress?: (progress: { writtenBytes: number; totalBytes: number }) => void;
}

/**
 * Writes a GGUF file of version 3. Keys, values, names, shapes and the length of arrays are checked before the first byte; tensors are made one after the
 * other, so that no more than one of them, or one piece, is in memory. `general.alignment` among the metadata is obeyed.
 *
 * @returns bytes written
 * @throws FormatError naming the key or tensor that is wrong
 */
export async function writeGguf(
  sink: ByteSink,
  { metadata, tensors }: GgufContent,
  { signal, onProgress }: WriteGgufOptions = {},
): Promise<number> {
  const plan = planGguf(metadata, tensors);
  for (const { tensor, byteLength } of plan.tensors) {
    if (typeof tensor.data !== "function") expectLength(tensor, byteLength, tensor.data.byteLength);
  }

  let writtenBytes = 0;
  const write = async (bytes: Uint8Array): Promise<void> => {
    signal?.throwIfAborted();
    await sink.write(bytes);
    writtenBytes += bytes.byteLength;
    onProgress?.({ writtenBytes, totalBytes: plan.totalBytes });
  };

  await write(plan.header);
  for (const { tensor, byteLength, padding } of plan.tensors) {
    signal?.throwIfAborted();
    let given = 0;
    for await (const piece of piecesOf(tensor.data)) {
      given += piece.byteLength;
      if (given > byteLength) expectLength(tensor, byteLength, given);
      if (piece.byteLength > 0) await write(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
    }
    expectLength(tensor, byteLength, given);
    if (padding > 0) await write(new Uint8Array(padding));
  }
  return writtenBytes;
}

/** The file as one array, for what fits in memory. Errors as `writeGguf`. */
export async function encodeGguf(content: GgufContent, options?: WriteGgufOptions): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  const file = new Uint8Array(await writeGguf({ write: async (bytes) => void pieces.push(bytes.slice()) }, content, options));
  let at = 0;
  for (const piece of pieces) {
    file.set(piece, at);
    at += piece.byteLength;
  }
  return file;
}

async function* piecesOf(data: TensorContent): AsyncGenerator<ArrayBufferView, void, undefined> {
  const content = typeof data === "function" ? data() : data;
  if (Symbol.asyncIterator in content) yield* content;
  else yield await content;
}

function expectLength({ name, type, shape }: GgufTensorSpec, expected: number, got: number): void {
  if (expected === got) return;
  throw new FormatError(
    `writeGguf: tensor ${excerpt(name, 120)}: shape and data differ; expected ${expected} bytes for ${type} [${shape.join(", ")}], got ${got}`,
    { tensor: name },
  );
}
