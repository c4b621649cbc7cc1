import { ArgumentError, excerpt, type Store } from "@kto/core";
import type { WeightSource } from "@kto/safetensors";
import type { MetadataValue } from "../container/metadata.js";
import { compareTensorNames } from "../container/tensor-order.js";
import { GGUF_FILE_TYPES, type GgufFileType } from "../file-types.js";
import { generalMetadata } from "../general/general-metadata.js";
import { ggmlByteLength } from "../ggml-types.js";
import type { ImportanceMatrix } from "../imatrix/imatrix.js";
import { type MixModel, tensorTypes } from "../mix.js";
import { hyperParameters } from "../qwen2/hyper-parameters.js";
import { type ModelTensor, modelTensors } from "../qwen2/model-tensors.js";
import { type TokenizerFiles, tokenizerMetadata } from "../qwen2/tokenizer-metadata.js";
import { expectUsable, importanceKeys, importanceOf } from "./importance.js";
import { outputPaths } from "./output-paths.js";
import { expectNew, expectRoom } from "./place.js";
import { openQuantizer, type Quantizer } from "../quantizer/quantizer.js";
import { planShards } from "./shards.js";
import { type FileToWrite, writeFiles } from "./write-files.js";

/** A Qwen2 model as its files have it. */
export interface GgufModel {
  /** Its folder, or its name on the hub: `general.name` where nothing else says one. */
  readonly name: string;
  /** Under transformers' names: those of a checkpoint, or of one that is merged on the way. */
  readonly weights: WeightSource;
  /** A parsed config.json. */
  readonly config: unknown;
  readonly tokenizer: Omit<TokenizerFiles, "config">;
  /** A parsed generation_config.json, the defaults of generation. */
  readonly generationConfig?: unknown;
  /** The front matter of README.md, parsed: licence, what the model comes from, tags. */
  readonly card?: unknown;
}

/** How a model is written. */
export interface ExportGgufOptions {
  readonly store: Store;
  /** Kinds of files to write, all from one read of the weights. */
  readonly types: readonly GgufFileType[];
  /** Path of the file in the store; of a folder where there are several `types`, whose files are named as llama.cpp's converter names them. */
  readonly out: string;
  /** Replace files that are there; else they are an error. */
  readonly overwrite?: boolean | undefined;
  /** Weighs the errors of quantised types. `name` is what the file says of where it is from. */
  readonly importance?: (ImportanceMatrix & { readonly name: string }) | undefined;
  /** Most bytes of tensors in one file: more make several, as llama.cpp's gguf-split cuts them. */
  readonly splitMaxSize?: number | undefined;
  /** Stays the caller's; by default one on as many threads as the machine has. */
  readonly quantizer?: Pick<Quantizer, "quantize"> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Is told what will be written once the model was found good, before the first byte. */
  onPlan?(files: readonly ExportedGguf[]): void;
  onProgress?(progress: { readonly writtenBytes: number; readonly totalBytes: number }): void;
}

/** A file that was written. */
export interface ExportedGguf {
  /** In the store. */
  readonly path: string;
  readonly type: GgufFileType;
  readonly bytes: number;
  /** Bits of a weight, over all tensors of the model in this kind. */
  readonly bpw: number;
}

/**
 * Writes a Qwen2 model as GGUF, in one kind or several from one read of its weights, which llama.cpp and Ollama load: metadata as llama.cpp's converter writes them, tensors in order and bytes of
 * its quantiser. Holds some pieces of 16 MiB of f32 at a time, whatever the model's size. Files appear whole or not at all.
 *
 * @throws before anything is written: FormatError for a model that a GGUF file cannot say or whose files do not fit together, DtypeError for an unknown kind, ArgumentError, WriteError
 *   for files that are there and for too small a disk (`reason: "ENOSPC"`); then WriteError of the store, FormatError for a weight that is not finite; the reason of `signal`
 */
export async function exportGguf(model: GgufModel, options: ExportGgufOptions): Promise<{ files: ExportedGguf[] }> {
  const { store, signal, importance, onPlan, onProgress } = options;
  const { metadata, tensors, sizes } = describeModel(model);
  const types = expectKinds(options);
  if (importance) expectUsable(importance, tensors);
  const paths = outputPaths(options.out, types, metadata);
  const tensorsBySource = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const planned = types.map((type, index) => {
    const chosen = tensorTypes(type, tensors, sizes, { hasImportance: importance !== undefined });
    const specs = Array.from(chosen, ([name, tensorType]) => ({ name, type: tensorType, shape: tensorsBySource.get(name)!.shape }));
    const keys = [...metadata, ...fileKeys(type), ...(importance ? importanceKeys(importance) : [])];
    const shards = planShards(paths[index]!, keys, specs, options.splitMaxSize);
    const numBytes = specs.reduce((sum, spec) => sum + ggmlByteLength(spec.type, spec.shape)!, 0);
    return { type, shards, types: chosen, bpw: (8 * numBytes) / countValues(tensors) };
  });
  const files = planned.flatMap(({ type, shards, bpw }) =>
    shards.map(({ path, plan }): ExportedGguf => ({ path, type, bytes: plan.totalBytes, bpw })),
  );
  if (!options.overwrite)
    await expectNew(
      "exportGguf",
      store,
      files.map(({ path }) => path),
    );
  signal?.throwIfAborted();
  onPlan?.(files);
  const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  await expectRoom("exportGguf", store, totalBytes, options.out);
  let writtenBytes = 0;
  const own = options.quantizer ? undefined : await openQuantizer();
  try {
    await writeFiles(planned satisfies FileToWrite[], {
      store,
      weights: model.weights,
      tensors: tensors.toSorted((a, b) => compareTensorNames(a.name, b.name)),
      quantizer: options.quantizer ?? own!,
      importance: importance ? importanceOf(importance) : new Map(),
      signal,
      onWritten: (bytes) => onProgress?.({ writtenBytes: (writtenBytes += bytes), totalBytes }),
    });
  } finally {
    own?.dispose();
  }
  return { files };
}

/** What every kind of file says of a model, and its tensors in the order of the checkpoint. Throws FormatError. */
function describeModel({ name, weights, config, tokenizer, generationConfig, card }: GgufModel): {
  metadata: [string, MetadataValue][];
  tensors: ModelTensor[];
  sizes: MixModel;
} {
  const { sizes, metadata } = hyperParameters(config);
  const tensors = modelTensors(weights, sizes);
  const text = (value: string): MetadataValue => ({ type: "string", value });
  return {
    sizes,
    tensors,
    metadata: [
      ["general.architecture", text("qwen2")],
      ["general.type", text("model")],
      ...generalMetadata({ name, card, config, generationConfig, numParameters: countValues(tensors) }),
      ...metadata,
      ...tokenizerMetadata({ ...tokenizer, config }, sizes.vocabSize),
    ],
  };
}

/** The two keys that llama.cpp's quantiser moves to the end. */
function fileKeys(type: GgufFileType): [string, MetadataValue][] {
  return [
    ["general.quantization_version", { type: "u32", value: 2 }],
    ["general.file_type", { type: "u32", value: GGUF_FILE_TYPES[type].id }],
  ];
}

function expectKinds({ types, splitMaxSize }: ExportGgufOptions): readonly GgufFileType[] {
  const operation = "exportGguf";
  const twice = types.find((type, index) => types.indexOf(type) !== index);
  if (types.length === 0 || twice !== undefined)
    throw new ArgumentError({ operation, problem: "{types} is not usable", expected: "one kind of file or several, each once", got: twice === undefined ? "none" : `${twice} twice`, fields: ["types"] }); // prettier-ignore
  if (splitMaxSize !== undefined && !(Number.isSafeInteger(splitMaxSize) && splitMaxSize > 0))
    throw new ArgumentError({ operation, problem: "{splitMaxSize} is not usable", expected: "bytes, a whole number from 1", got: excerpt(splitMaxSize), fields: ["splitMaxSize"] }); // prettier-ignore
  return types;
}

function countValues(tensors: readonly ModelTensor[]): number {
  return tensors.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
}
