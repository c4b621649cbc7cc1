import { type ByteSink, excerpt, FormatError } from "@kto/core";
import { bytesWrittenBy, type TensorContent, writeTensors, type WriteTensorsOptions } from "@kto/safetensors";
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
export type WriteGgufOptions = WriteTensorsOptions;

/**
 * Writes a GGUF file of version 3. Keys, values, names, shapes and the length of arrays are checked before the first byte; tensors are made one after the
 * other, so that no more than one of them, or one piece, is in memory. `general.alignment` among the metadata is obeyed.
 *
 * @returns bytes written
 * @throws FormatError naming the key or tensor that is wrong
 */
export async function writeGguf(sink: ByteSink, { metadata, tensors }: GgufContent, options?: WriteGgufOptions): Promise<number> {
  const plan = planGguf(metadata, tensors);
  const planned = plan.tensors.map(({ tensor, byteLength, padding }) => ({
    data: tensor.data,
    byteLength,
    padding,
    lengthError: (got: number) => lengthError(tensor, byteLength, got),
  }));
  return writeTensors(sink, { header: plan.header, tensors: planned, totalBytes: plan.totalBytes }, options);
}

/** The file as one array, for what fits in memory. Errors as `writeGguf`. */
export async function encodeGguf(content: GgufContent, options?: WriteGgufOptions): Promise<Uint8Array<ArrayBuffer>> {
  return bytesWrittenBy((sink) => writeGguf(sink, content, options));
}

function lengthError({ name, type, shape }: GgufTensorSpec, expected: number, got: number): FormatError {
  return new FormatError(
    `writeGguf: tensor ${excerpt(name, 120)}: shape and data differ; expected ${expected} bytes for ${type} [${shape.join(", ")}], got ${got}`,
    { tensor: name },
  );
}
