import { BoundsError, type ByteSource, excerpt, FormatError, readExactly } from "@kto/core";
import { DEFAULT_CHUNK_BYTES } from "@kto/safetensors";
import { GGML_TYPES } from "../ggml-types.js";
import { HeaderBytes } from "./header-bytes.js";
import { MAX_KEYS, MAX_TENSORS } from "./limits.js";
import type { MetadataValue } from "./metadata.js";
import { alignmentOf, readMetadata } from "./read-metadata.js";
import { type GgufTensorInfo, readTensorInfos } from "./read-tensor-infos.js";

const MAGIC = 0x46554747; // "GGUF"
const VERSION = 3;

/** An open GGUF file. */
export interface GgufFile {
  readonly version: number;
  /** In the order of the file. */
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  /** Every tensor by name, in the order of the bytes. */
  readonly tensors: ReadonlyMap<string, GgufTensorInfo>;
  /** What the start of every tensor is a multiple of. */
  readonly alignment: number;
  /** All bytes of a tensor. Throws `FormatError` when there is none of this name. */
  read(name: string): Promise<Uint8Array>;
  /** Bytes [start, end) of a tensor. Throws `BoundsError` outside it. */
  readRange(name: string, start: number, end: number): Promise<Uint8Array>;
  /** A tensor in chunks of about `chunkBytes` (16 MiB by default), whole blocks each. */
  stream(name: string, chunkBytes?: number): AsyncGenerator<Uint8Array, void, undefined>;
  /** Gives back what the source holds. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose"); // not in every browser yet

/**
 * Reads and checks the header of a GGUF file of version 3, little-endian; tensors are read when asked for. The caller keeps owning `source` until
 * this resolves; then `dispose()` of the file disposes it.
 *
 * @throws FormatError when the bytes are no well-formed GGUF file, or one that llama.cpp would refuse: what was expected, what was found, and which tensor
 */
export async function openGguf(source: ByteSource): Promise<GgufFile> {
  const bytes = new HeaderBytes(source);
  if (source.byteLength < 24) throw bytes.fail(`too short for a GGUF file; expected at least 24 bytes, got ${source.byteLength}`);
  const magic = await bytes.u32("the first bytes");
  if (magic !== MAGIC) throw bytes.fail(`this is no GGUF file; expected it to begin with "GGUF", got ${firstBytes(magic)}`);
  const version = await bytes.u32("the version");
  if (version !== VERSION) throw bytes.fail(versionProblem(version));
  const tensorCount = await bytes.count("the number of tensors", MAX_TENSORS);
  const keyCount = await bytes.count("the number of keys", MAX_KEYS);
  const metadata = await readMetadata(bytes, keyCount);
  const alignment = alignmentOf(metadata, (problem) => bytes.fail(problem));
  const tensors = await readTensorInfos(bytes, tensorCount, alignment, source.byteLength);

  const find = (name: string): GgufTensorInfo => {
    const info = tensors.get(name);
    if (info) return info;
    const some = Array.from(tensors.keys()).slice(0, 3).join(", ");
    const where = source.name ?? "the file";
    throw new FormatError(
      `read: ${where} has no tensor ${excerpt(name, 120)}; expected one of its ${tensors.size}${some && ` (${some}, …)`}`,
      {
        source: source.name,
        tensor: name,
      },
    );
  };
  const readRange = async (name: string, start: number, end: number): Promise<Uint8Array> => {
    const { byteOffset, byteLength } = find(name);
    if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end && end <= byteLength)) {
      throw new BoundsError(
        `readRange: range outside tensor ${excerpt(name, 120)}; expected 0 ≤ start ≤ end ≤ ${byteLength} bytes, got [${start}, ${end})`,
      );
    }
    return readExactly(source, byteOffset + start, byteOffset + end);
  };
  const dispose = async (): Promise<void> => source.dispose?.();
  return {
    version,
    metadata,
    tensors,
    alignment,
    readRange,
    read: async (name) => readRange(name, 0, find(name).byteLength),
    async *stream(name, chunkBytes = DEFAULT_CHUNK_BYTES) {
      const { byteLength, type } = find(name);
      const { blockBytes } = GGML_TYPES[type];
      const step = Math.floor(chunkBytes / blockBytes) * blockBytes;
      if (!(step > 0)) {
        throw new BoundsError(`stream: chunkBytes is too small; expected at least ${blockBytes}, a block of ${type}, got ${chunkBytes}`);
      }
      for (let start = 0; start < byteLength; start += step) yield await readRange(name, start, Math.min(start + step, byteLength));
    },
    dispose,
    [asyncDispose]: dispose,
  };
}

function firstBytes(magic: number): string {
  return `bytes ${[0, 8, 16, 24].map((shift) => ((magic >>> shift) & 255).toString(16).padStart(2, "0")).join(" ")}`;
}

function versionProblem(version: number): string {
  if (version === VERSION * 2 ** 24)
    return "the file is big-endian; expected little-endian; convert the model again on a little-endian machine";
  return `another version of the format; expected ${VERSION}, got ${version}; convert the model again with a newer llama.cpp`;
}
