import { type ByteSink, FormatError } from "@kto/core";
import { type TensorSpec, planHeader } from "./header-writer.js";
import { bytesOf } from "./typed-array.js";

/**
 * The elements of a tensor, little-endian and dense: an array, or a function that makes it when its turn comes (from a GPU, from another file),
 * whole or in pieces, so that no more than one tensor or piece is in memory.
 */
export type TensorContent = ArrayBufferView | (() => ArrayBufferView | Promise<ArrayBufferView> | AsyncIterable<ArrayBufferView>);

/** A tensor to write. */
export interface TensorToWrite extends TensorSpec {
  readonly data: TensorContent;
}

/** Tensors by name; the order does not matter. */
export type TensorsToWrite = Readonly<Record<string, TensorToWrite>> | Iterable<readonly [string, TensorToWrite]>;

/** How to write. */
export interface WriteOptions {
  /** `__metadata__` of the file; peft and transformers look for `format: "pt"`. */
  metadata?: Readonly<Record<string, string>>;
  /** Stops between tensors and pieces; the write then rejects with its reason. */
  signal?: AbortSignal;
  onProgress?: (progress: { writtenBytes: number; totalBytes: number }) => void;
}

/**
 * Writes a safetensors file, the same bytes as Python's `safetensors` for the same tensors. Names, dtypes, shapes and the length of arrays are checked before the first byte.
 *
 * @returns bytes written
 * @throws FormatError naming the tensor that is wrong
 */
export async function writeSafetensors(
  sink: ByteSink,
  tensors: TensorsToWrite,
  { metadata, signal, onProgress }: WriteOptions = {},
): Promise<number> {
  const entries: Iterable<readonly [string, TensorToWrite]> =
    Symbol.iterator in tensors ? (tensors as Iterable<readonly [string, TensorToWrite]>) : Object.entries(tensors);
  const plan = planHeader(entries, metadata);
  for (const { name, tensor, byteLength } of plan.tensors) {
    if (typeof tensor.data !== "function") expectLength(name, tensor, byteLength, tensor.data.byteLength);
  }

  let writtenBytes = 0;
  const write = async (bytes: Uint8Array): Promise<void> => {
    signal?.throwIfAborted();
    await sink.write(bytes);
    writtenBytes += bytes.byteLength;
    onProgress?.({ writtenBytes, totalBytes: plan.totalBytes });
  };

  await write(plan.bytes);
  for (const { name, tensor, byteLength } of plan.tensors) {
    signal?.throwIfAborted();
    let given = 0;
    for await (const piece of piecesOf(tensor.data)) {
      given += piece.byteLength;
      if (given > byteLength) expectLength(name, tensor, byteLength, given);
      if (piece.byteLength > 0) await write(bytesOf(piece));
    }
    expectLength(name, tensor, byteLength, given);
  }
  return writtenBytes;
}

/** The file as one array, for what fits in memory (an adapter to download in a browser). Errors as `writeSafetensors`. */
export async function encodeSafetensors(tensors: TensorsToWrite, options?: WriteOptions): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  const byteLength = await writeSafetensors({ write: async (bytes) => void pieces.push(bytes.slice()) }, tensors, options);
  const file = new Uint8Array(byteLength);
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

function expectLength(name: string, { dtype, shape }: TensorSpec, expected: number, got: number): void {
  if (expected === got) return;
  throw new FormatError(
    `writeSafetensors: tensor ${JSON.stringify(name)}: shape and data differ; expected ${expected} bytes for ${dtype} [${shape.join(", ")}], got ${got}`,
    { tensor: name },
  );
}
