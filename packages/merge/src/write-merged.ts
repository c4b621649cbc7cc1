import { WriteError, type Store } from "@kto/core";
import {
  bytesOnDisk,
  configuredDtype,
  diskDtypes,
  expectSaveDtype,
  formatSavedConfig,
  modelTree,
  quantizationOf,
  savedBytes,
  writeCheckpoint,
  type NamedTensor,
  type SaveDtype,
} from "@kto/qwen2";
import type { MergedWeights } from "./merged-weights.js";
import { MergedQuantizer, type QuantizationLoss } from "./quantize-merged.js";
import { rowsInPieces } from "./rows-in-pieces.js";

/** How far a merge is: layers whose scales were found, or bytes that were written. */
export interface MergeProgress {
  readonly stage: "scales" | "weights";
  readonly done: number;
  readonly total: number;
  /** Of the tensor. */
  readonly name: string;
}

/** How merged weights are written. */
export interface WriteMergedOptions {
  /** The model's config.json, whose fields the new one keeps. */
  readonly configJson: Readonly<Record<string, unknown>>;
  /** Default what config.json says, else `bf16`; `nf4` quantises again. */
  readonly dtype?: SaveDtype | "nf4" | undefined;
  /** Files that belong to the model, by path: tokenizer, template, generation config, licence. */
  readonly files?: ReadonlyMap<string, string | Uint8Array> | undefined;
  /** Most bytes of tensors in a file; default 5 GB. */
  readonly maxShardBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called once the input was found good, before anything is written. */
  onPlan?: (() => void) | undefined;
  onProgress?: ((progress: MergeProgress) => void) | undefined;
}

/** A merged model that was written. */
export interface MergedModel {
  /** What was written, in that order. */
  readonly files: readonly string[];
  /** Of all of them. */
  readonly bytes: number;
  /** What the adapters were added to. */
  readonly base: MergedWeights["base"];
  /** Of the weights that are not in four bits. */
  readonly dtype: SaveDtype;
  /** Of a merge into four bits. */
  readonly loss: QuantizationLoss | undefined;
}

/** Bytes that the headers of the files may take for a tensor. */
const headerBytes = 256;

/**
 * Writes merged weights as a model in Hugging Face layout, each sum rounded once to nearest even, in files of at most `maxShardBytes` with their index; config.json, without the quantisation
 * that is no more, last, so that a folder that has one is complete.
 *
 * Throws, before anything is written, ArgumentError for an unknown dtype, WriteError (`ENOSPC`) where the store says that it has too little room; DtypeError naming a sum that
 * `dtype` cannot hold, WriteError where the store refuses, `signal.reason` when cancelled.
 */
export async function writeMerged(
  store: Store,
  weights: MergedWeights,
  { configJson, dtype: asked, files = new Map(), maxShardBytes, signal, onPlan, onProgress }: WriteMergedOptions,
): Promise<MergedModel> {
  const dtype = asked === undefined || asked === "nf4" ? (configuredDtype(configJson) ?? "bf16") : asked;
  expectSaveDtype(dtype);
  const onLayer = (done: number, total: number, name: string): void => onProgress?.({ stage: "scales", done, total, name });
  const quantizer = asked === "nf4" ? await MergedQuantizer.open(weights, { dtype, signal, onLayer }) : undefined;
  const states = quantizer?.states ?? new Map<string, never>();
  const plain = weights.specs.filter(({ linear }) => linear === undefined || !states.has(linear));
  const tensors = [
    ...plain.map(({ name, shape }): NamedTensor => [
      name,
      { dtype: diskDtypes[dtype], shape: [...shape], data: () => rounded(weights, name, dtype) },
    ]),
    ...(quantizer?.tensors() ?? []),
  ];
  const paths = weights.specs.flatMap(({ linear }) => linear ?? []);
  const quantization = quantizationOf(configJson, { paths, states, outputEmbedding: modelTree(weights.config).outputEmbedding! });
  const config = formatSavedConfig(configJson, { dtype, isTied: weights.config.tieWordEmbeddings, quantization });
  await expectRoom(store, tensors, files);
  onPlan?.();

  const written = new Set<string>();
  const recording: Store = { ...store, write: (path, content) => store.write(path, content).then(() => void written.add(path)) };
  await store.remove("config.json");
  for (const [name, content] of files) await recording.write(name, content);
  await writeCheckpoint(
    recording,
    { tensors, config, numParameters: weights.specs.reduce((total, { shape }) => total + sizeOf(shape), 0) },
    {
      maxShardBytes,
      signal,
      onProgress: ({ writtenBytes, totalBytes, name }) => onProgress?.({ stage: "weights", done: writtenBytes, total: totalBytes, name }),
    },
  );
  return {
    files: [...written],
    bytes: await bytesIn(store, written),
    base: weights.base,
    dtype,
    loss: quantizer?.loss,
  };
}

/** A merged weight in a dtype of the file, some rows at a time. */
async function* rounded(weights: MergedWeights, name: string, to: SaveDtype): AsyncGenerator<Uint8Array> {
  const { shape } = weights.tensors.get(name)!;
  const rowSize = sizeOf(shape.slice(1));
  for (const rows of rowsInPieces(shape)) {
    yield savedBytes(await weights.read(name, rows), { from: "f32", to, name, first: rows.from * rowSize });
  }
}

async function expectRoom(store: Store, tensors: readonly NamedTensor[], files: ReadonlyMap<string, string | Uint8Array>): Promise<void> {
  const free = await store.freeBytes?.();
  if (free === undefined) return;
  const ofTensors = tensors.reduce((total, [, tensor]) => total + bytesOnDisk(tensor) + headerBytes, 0);
  const needed = [...files.values()].reduce((total, content) => total + content.length, ofTensors);
  if (needed <= free) return;
  throw new WriteError(
    {
      operation: "writeMerged",
      problem: `there is no room for the model in ${store.name}`,
      expected: `${needed} bytes that are free`,
      got: String(free),
      advice: "free some space, or choose another disk; nothing was written",
    },
    { path: store.name, reason: "ENOSPC" },
  );
}

async function bytesIn(store: Store, files: Iterable<string>): Promise<number> {
  let bytes = 0;
  for (const name of files) {
    const source = await store.open(name);
    bytes += source?.byteLength ?? 0;
    await source?.dispose?.();
  }
  return bytes;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
