import { ArgumentError, DtypeError, excerpt, type Store } from "@kto/core";
import { nf4Contents } from "@kto/nf4";
import { toBfloat16, toFloat16, toFloat32, writeSafetensors, type TensorToWrite } from "@kto/safetensors";
import { byteSize, type Device, type FloatDtype, type Tensor } from "@kto/tensor";
import type { DecoderForCausalLM } from "./model.js";
import { configuredDtype, formatSavedConfig, type SaveDtype } from "./save-config.js";
import { bytesOnDisk, formatShardIndex, intoShards, weightFiles, type NamedTensor } from "./shards.js";
import { decoderWeightSpecs } from "./weight-specs.js";

/** How much of a model is written. */
export interface SaveProgress {
  writtenBytes: number;
  totalBytes: number;
  name: string;
}

/** Options of `savePretrained`. */
export interface SavePretrainedOptions {
  /** Dtype of all weights but those in four bits, which stay as they are; default what config.json says, else that of the model's matrices. */
  dtype?: SaveDtype | undefined;
  /** Most bytes of tensors in a file, unless one tensor alone is larger; default 5 GB. */
  maxShardBytes?: number | undefined;
  /** Stops between pieces; what was written by then has no config.json. */
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: SaveProgress) => void) | undefined;
}

/** Bytes of a tensor that are read from the device at a time: all that the host holds of a weight in 16 or 32 bits. */
const pieceBytes = 16 * 2 ** 20;

const onDisk = { f32: "F32", f16: "F16", bf16: "BF16" } as const;
const largest = { f32: "3.4e38", f16: "65504", bf16: "3.39e38" };

/**
 * Writes a model in Hugging Face layout: safetensors in files of at most `maxShardBytes` with their index, and config.json last, so that a folder that has
 * one is complete. Weights are as they are now: adapters are not in them unless they were merged. Rounds to nearest even. config.json says whether head and embedding are tied, whatever it said before. Weight files of an earlier
 * model in the store are removed. A tied head is not written.
 *
 * Throws ArgumentError for an unknown dtype or size, DtypeError for a value that `dtype` cannot hold, WriteError where the store refuses, `signal.reason` when cancelled.
 */
export async function savePretrained(
  model: DecoderForCausalLM,
  store: Store,
  { dtype = configuredDtype(model) ?? model.dtype, maxShardBytes = 5e9, signal, onProgress }: SavePretrainedOptions = {},
): Promise<void> {
  expectOptions(dtype, maxShardBytes);
  let writtenBytes = 0;
  const onBytes = (name: string, byteLength: number): void => {
    signal?.throwIfAborted();
    writtenBytes += byteLength;
    onProgress?.({ writtenBytes, totalBytes, name });
  };
  const tensors = tensorsOf(model, dtype, onBytes);
  const totalBytes = tensors.reduce((total, [, tensor]) => total + bytesOnDisk(tensor), 0);
  const shards = intoShards(tensors, maxShardBytes);

  signal?.throwIfAborted();
  await store.remove("config.json");
  for (const shard of shards) {
    await store.write(shard.fileName, async (sink) => void (await writeSafetensors(sink, shard.tensors, { metadata: { format: "pt" } })));
  }
  const written = new Set(shards.map(({ fileName }) => fileName));
  for (const { name } of await store.list()) if (weightFiles.test(name) && !written.has(name)) await store.remove(name);
  if (shards.length > 1) await store.write("model.safetensors.index.json", formatShardIndex(shards, model.numParameters));
  await store.write("config.json", formatSavedConfig(model, dtype));
}

function expectOptions(dtype: string, maxShardBytes: number): void {
  const operation = "savePretrained";
  if (!Object.hasOwn(onDisk, dtype)) {
    const expected = Object.keys(onDisk)
      .map((name) => JSON.stringify(name))
      .join(", ");
    throw new ArgumentError({ operation, problem: "dtype is none that a model is saved in", expected, got: excerpt(dtype) });
  }
  if (!(maxShardBytes > 0)) {
    throw new ArgumentError({
      operation,
      problem: "maxShardBytes is no size of a file",
      expected: "a number above 0",
      got: String(maxShardBytes),
    });
  }
}

/** What a checkpoint of the model holds, by the names on disk in the order of transformers, read from the device when its turn comes. */
function tensorsOf(model: DecoderForCausalLM, dtype: SaveDtype, onBytes: (name: string, byteLength: number) => void): NamedTensor[] {
  const { input, output } = model.embeddings;
  const embeddings = new Map([
    [`${model.architecture.outputEmbedding}.weight`, output],
    [`${model.architecture.embedding}.weight`, input],
  ]);
  const tensors = decoderWeightSpecs(model.architecture, { ...model.config, tieWordEmbeddings: model.isTied }).flatMap(
    ({ name, shape }): NamedTensor[] => {
      const quantized = model.quantizedWeights.get(name);
      if (quantized)
        return nf4Contents(name, quantized).map(([key, tensor]) => [key, { ...tensor, data: counted(tensor.data, key, onBytes) }]);
      const weight = embeddings.get(name)?.weight ?? model.weights.get(name)!;
      const data = counted(() => converted(weight, name, dtype), name, onBytes);
      return [[name, { dtype: onDisk[dtype], shape: [...shape], data } satisfies TensorToWrite]];
    },
  );
  return tensors.sort(([a], [b]) => (a < b ? -1 : 1));
}

function counted(
  data: () => Promise<Uint8Array> | AsyncIterable<Uint8Array>,
  name: string,
  onBytes: (name: string, byteLength: number) => void,
): () => AsyncGenerator<Uint8Array> {
  return async function* () {
    const content = data();
    for await (const piece of Symbol.asyncIterator in content ? content : [content]) {
      onBytes(name, piece.byteLength);
      yield piece;
    }
  };
}

/** The elements of a weight in a dtype of the file, piece by piece. */
async function* converted(weight: Tensor, name: string, dtype: SaveDtype): AsyncGenerator<Uint8Array> {
  const { device } = weight;
  const from = weight.dtype === "f16" ? "f16" : "f32";
  const step = pieceBytes / byteSize(from);
  for (let first = 0; first < weight.size; first += step) {
    const size = Math.min(step, weight.size - first);
    const bytes = await readPiece(device, weight, first, size);
    yield from === dtype ? bytes : convert(bytes, { from, to: dtype, name, first });
  }
}

async function readPiece(device: Device, weight: Tensor, first: number, size: number): Promise<Uint8Array> {
  const offset = weight.byteOffset + first * byteSize(weight.dtype);
  using piece = device.unscoped(() => device.viewOf(weight, [size], offset, weight.label));
  return device.readBytes(piece);
}

function convert(
  bytes: Uint8Array,
  { from, to, name, first }: { from: FloatDtype; to: SaveDtype; name: string; first: number },
): Uint8Array {
  const convertTo = { f32: toFloat32, f16: toFloat16, bf16: toBfloat16 }[to];
  const { values, overflow } = convertTo(bytes, onDisk[from]);
  if (overflow) {
    throw new DtypeError(
      `save: ${name}: element ${first + overflow.index} does not fit ${to}; expected at most ${largest[to]} in magnitude, got ${overflow.value}; save with dtype "f32"`,
      { dtype: to },
    );
  }
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
