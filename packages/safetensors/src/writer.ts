import { type ByteSink, FormatError } from "@kto/core";
import { type TensorSpec, planHeader } from "./header-writer.js";
import { bytesWrittenBy, type TensorContent, writeTensors, type WriteTensorsOptions } from "./write-tensors.js";

/** A tensor to write. */
export interface TensorToWrite extends TensorSpec {
  readonly data: TensorContent;
}

/** Tensors by name; the order does not matter. */
export type TensorsToWrite = Readonly<Record<string, TensorToWrite>> | Iterable<readonly [string, TensorToWrite]>;

/** How to write. */
export interface WriteOptions extends WriteTensorsOptions {
  /** `__metadata__` of the file; peft and transformers look for `format: "pt"`. */
  metadata?: Readonly<Record<string, string>>;
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
  { metadata, ...options }: WriteOptions = {},
): Promise<number> {
  const entries: Iterable<readonly [string, TensorToWrite]> =
    Symbol.iterator in tensors ? (tensors as Iterable<readonly [string, TensorToWrite]>) : Object.entries(tensors);
  const plan = planHeader(entries, metadata);
  const planned = plan.tensors.map(({ name, tensor, byteLength }) => ({
    data: tensor.data,
    byteLength,
    lengthError: (got: number) => lengthError(name, tensor, byteLength, got),
  }));
  return writeTensors(sink, { header: plan.bytes, tensors: planned, totalBytes: plan.totalBytes }, options);
}

/** The file as one array, for what fits in memory (an adapter to download in a browser). Errors as `writeSafetensors`. */
export async function encodeSafetensors(tensors: TensorsToWrite, options?: WriteOptions): Promise<Uint8Array<ArrayBuffer>> {
  return bytesWrittenBy((sink) => writeSafetensors(sink, tensors, options));
}

function lengthError(name: string, { dtype, shape }: TensorSpec, expected: number, got: number): FormatError {
  return new FormatError(
    `writeSafetensors: tensor ${JSON.stringify(name)}: shape and data differ; expected ${expected} bytes for ${dtype} [${shape.join(", ")}], got ${got}`,
    { tensor: name },
  );
}
