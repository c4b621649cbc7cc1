import { ArgumentError, DtypeError, excerpt, type Store } from "@kto/core";
import { toBfloat16, toFloat16, toFloat32, writeSafetensors, type TensorToWrite } from "@kto/safetensors";
import type { FloatDtype } from "@kto/tensor";
import type { SaveDtype } from "./save-config.js";
import { bytesOnDisk, formatShardIndex, intoShards, weightFiles, type NamedTensor } from "./shards.js";

/** How much of a model is written. */
export interface SaveProgress {
  writtenBytes: number;
  totalBytes: number;
  name: string;
}

/** How a checkpoint is written. */
export interface WriteCheckpointOptions {
  /** Most bytes of tensors in a file, unless one tensor alone is larger; default 5 GB. */
  maxShardBytes?: number | undefined;
  /** Stops between pieces; what was written by then has no config.json. */
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: SaveProgress) => void) | undefined;
}

/** What a checkpoint is made of. */
export interface CheckpointToWrite {
  /** Their data come piece by piece when their turn comes. */
  readonly tensors: readonly NamedTensor[];
  readonly numParameters: number;
  /** The text of config.json. */
  readonly config: string;
}

/** The name in a file of a dtype that weights are saved in. */
export const diskDtypes = { f32: "F32", f16: "F16", bf16: "BF16" } as const;

const largest = { f32: "3.4e38", f16: "65504", bf16: "3.39e38" };

/**
 * Writes a model in Hugging Face layout: safetensors in files of at most `maxShardBytes` with their index, in the order of names, and config.json last, so
 * that a folder that has one is complete. Weight files of an earlier model in the store are removed.
 *
 * Throws ArgumentError for an unusable size, WriteError where the store refuses, `signal.reason` when cancelled, and what the tensors throw.
 */
export async function writeCheckpoint(
  store: Store,
  { tensors, numParameters, config }: CheckpointToWrite,
  { maxShardBytes = 5e9, signal, onProgress }: WriteCheckpointOptions = {},
): Promise<void> {
  expectShardSize(maxShardBytes);
  const totalBytes = tensors.reduce((total, [, tensor]) => total + bytesOnDisk(tensor), 0);
  let writtenBytes = 0;
  const onBytes = (name: string, byteLength: number): void => {
    signal?.throwIfAborted();
    writtenBytes += byteLength;
    onProgress?.({ writtenBytes, totalBytes, name });
  };
  const shards = intoShards(
    tensors.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, tensor]) => [name, counted(name, tensor, onBytes)]),
    maxShardBytes,
  );
  signal?.throwIfAborted();
  await store.remove("config.json");
  for (const shard of shards) {
    await store.write(shard.fileName, async (sink) => void (await writeSafetensors(sink, shard.tensors, { metadata: { format: "pt" } })));
  }
  const written = new Set(shards.map(({ fileName }) => fileName));
  for (const { name } of await store.list()) if (weightFiles.test(name) && !written.has(name)) await store.remove(name);
  if (shards.length > 1) await store.write("model.safetensors.index.json", formatShardIndex(shards, numParameters));
  await store.write("config.json", config);
}

/** Throws ArgumentError for a dtype that no model is saved in. */
export function expectSaveDtype(dtype: string): asserts dtype is SaveDtype {
  if (Object.hasOwn(diskDtypes, dtype)) return;
  const expected = Object.keys(diskDtypes)
    .map((name) => JSON.stringify(name))
    .join(", ");
  throw new ArgumentError({
    operation: "savePretrained",
    problem: "dtype is none that a model is saved in",
    expected,
    got: excerpt(dtype),
  });
}

function expectShardSize(maxShardBytes: number): void {
  if (maxShardBytes > 0) return;
  throw new ArgumentError({
    operation: "savePretrained",
    problem: "maxShardBytes is no size of a file",
    expected: "a number above 0",
    got: String(maxShardBytes),
  });
}

/** A tensor whose pieces are told as they are taken. */
function counted(name: string, tensor: TensorToWrite, onBytes: (name: string, byteLength: number) => void): TensorToWrite {
  const { data } = tensor;
  if (typeof data !== "function") return tensor;
  return {
    ...tensor,
    data: async function* () {
      const content = data();
      for await (const piece of Symbol.asyncIterator in content ? content : [content]) {
        onBytes(name, piece.byteLength);
        yield piece;
      }
    },
  };
}

/** Elements of a weight in a dtype of the file, rounded once to nearest even; `first` of them came before. Throws DtypeError naming one that does not fit. */
export function savedBytes(
  values: ArrayBufferView,
  { from, to, name, first }: { from: FloatDtype; to: SaveDtype; name: string; first: number },
): Uint8Array {
  const convertTo = { f32: toFloat32, f16: toFloat16, bf16: toBfloat16 }[to];
  const converted = convertTo(values, diskDtypes[from]);
  if (converted.overflow) {
    throw new DtypeError(
      `save: ${name}: element ${first + converted.overflow.index} does not fit ${to}; expected at most ${largest[to]} in magnitude, got ${converted.overflow.value}; save with dtype "f32"`,
      { dtype: to },
    );
  }
  return new Uint8Array(converted.values.buffer, converted.values.byteOffset, converted.values.byteLength);
}
