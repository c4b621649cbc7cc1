import { type ByteSource, excerpt, readExactly, BoundsError, FormatError } from "@kto/core";
import type { Dtype } from "./dtype.js";
import type { TensorInfo } from "./header.js";
import { DEFAULT_CHUNK_BYTES } from "./limits.js";

/** A tensor read into memory: `data` are its elements, little-endian and dense, beginning at a multiple of 8 of their buffer. Read, do not write. */
export interface TensorData {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** What one file and a checkpoint of many have in common. */
export interface TensorReader<Info extends TensorInfo = TensorInfo> {
  /** Every tensor by name, in the order of the bytes. */
  readonly tensors: ReadonlyMap<string, Info>;
  /** `__metadata__` of the file (of the first file of a checkpoint); an object without a prototype. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The whole tensor. Throws `FormatError` when there is none of this name. */
  read(name: string): Promise<TensorData>;
  /** Bytes [start, end) of the tensor. Throws `BoundsError` outside it. */
  readRange(name: string, start: number, end: number): Promise<Uint8Array>;
  /** The tensor in chunks of `chunkBytes` (rounded down to a multiple of 8, so no element is cut); 16 MiB by default. Nothing for an empty tensor. */
  stream(name: string, chunkBytes?: number): AsyncGenerator<Uint8Array, void, undefined>;
  /** Gives back what the sources hold. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose"); // not in every browser yet

/** A reader of tensors that lie in one source or in several. `where` names them in messages. */
export function makeReader<Info extends TensorInfo>(
  where: string,
  {
    tensors,
    metadata,
    sourceOf,
    sources,
  }: Pick<TensorReader<Info>, "tensors" | "metadata"> & { sourceOf: (info: Info) => ByteSource; sources: readonly ByteSource[] },
): TensorReader<Info> {
  const find = (name: string): Info => {
    const info = tensors.get(name);
    if (info) return info;
    const some = [...tensors.keys()].slice(0, 3).map((known) => excerpt(known, 120));
    throw new FormatError(
      `read: ${where} has no tensor ${excerpt(name, 120)}; expected one of its ${tensors.size} (${some.join(", ")}, …)`,
      { source: where, tensor: name },
    );
  };
  const readRange = async (name: string, start: number, end: number): Promise<Uint8Array> => {
    const info = find(name);
    if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end && end <= info.byteLength)) {
      throw new BoundsError(
        `readRange: range outside tensor ${excerpt(name, 120)}; expected 0 ≤ start ≤ end ≤ ${info.byteLength} bytes, got [${start}, ${end})`,
      );
    }
    return readExactly(sourceOf(info), info.byteOffset + start, info.byteOffset + end);
  };
  const dispose = async (): Promise<void> => {
    for (const source of sources) await source.dispose?.();
  };
  return {
    tensors,
    metadata,
    readRange,
    async read(name) {
      const { dtype, shape, byteLength } = find(name);
      return { dtype, shape, data: await readRange(name, 0, byteLength) };
    },
    async *stream(name, chunkBytes = DEFAULT_CHUNK_BYTES) {
      const step = Math.floor(chunkBytes / 8) * 8;
      if (!(step > 0)) throw new BoundsError(`stream: chunkBytes is too small; expected at least 8, got ${chunkBytes}`);
      const { byteLength } = find(name);
      for (let start = 0; start < byteLength; start += step) yield await readRange(name, start, Math.min(start + step, byteLength));
    },
    dispose,
    [asyncDispose]: dispose,
  };
}
