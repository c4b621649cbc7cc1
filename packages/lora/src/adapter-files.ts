import { toFloat32, type SafetensorsFile, type TensorContent, type TensorInfo, type TensorToWrite } from "@kto/safetensors";
import { adapterTensorName, embeddingTensorName } from "./adapter-names.js";
import { AdapterFileError } from "./errors.js";
import type { LoraWeights } from "./init.js";
import { expectEmbedding, noEmbeddings, readableDtypes, type SavedEmbeddings } from "./saved-embeddings.js";
import type { LoraTarget } from "./target-modules.js";

/** The header metadata that peft writes, and that other readers look for. */
export const ADAPTER_METADATA: Readonly<Record<string, string>> = { format: "pt" };

/** Dtypes that an adapter may be stored in; all become f32. */
/** Names spelled out in a message; the error's fields hold them all. */
const NAMES_IN_MESSAGE = 3;
/** Names that tell what else an adapter trained, for those who edited a config. */
const TELLTALES: readonly (readonly [part: string, what: string])[] = [
  ["lora_magnitude_vector", "use_dora"],
  ["lora_B.bias", "lora_bias"],
  ["lora_embedding_", "adapters on embeddings"],
  ["trainable_tokens_", "trainable_token_indices"],
  ["modules_to_save", "modules_to_save of an early peft"],
  ["lm_head.lora_", "an adapter on the head"],
  [".bias", "bias other than none"],
];

/** Matrices of a layer to be written: arrays, or functions that give them when their turn comes. */
export interface LoraContent {
  /** A: [r, inFeatures] f32 */
  readonly a: TensorContent;
  /** B: [outFeatures, r] f32 */
  readonly b: TensorContent;
}

/** Every tensor an adapter of these targets has, by its name in the file, with its shape: A [r, in], B [out, r]. */
export function adapterTensorShapes(targets: readonly LoraTarget[]): Map<string, readonly [number, number]> {
  return new Map(
    targets.flatMap(({ path, r, inFeatures, outFeatures }) => [
      [adapterTensorName(path, "A"), [r, inFeatures] as const] as const,
      [adapterTensorName(path, "B"), [outFeatures, r] as const] as const,
    ]),
  );
}

/**
 * Checks that a file holds exactly the tensors of the targets, in their shapes, as F32, F16 or BF16, and the embeddings that the adapter brings.
 *
 * Throws AdapterFileError naming what is missing, left over (peft only warns, which hides typing errors) and of another shape or dtype.
 *
 * @param embeddings  shapes by module path, of those that `expectedEmbeddings` found
 */
export function expectAdapterTensors(
  tensors: ReadonlyMap<string, Pick<TensorInfo, "dtype" | "shape">>,
  targets: readonly LoraTarget[],
  embeddings: ReadonlyMap<string, readonly number[]> = new Map(),
): void {
  const shapes = adapterTensorShapes(targets);
  const names = new Set([...shapes.keys(), ...Array.from(embeddings.keys(), embeddingTensorName)]);
  const missing = [...names].filter((name) => !tensors.has(name));
  const unexpected = [...tensors.keys()].filter((name) => !names.has(name));
  for (const [path, shape] of embeddings) {
    const info = tensors.get(embeddingTensorName(path));
    if (info) expectEmbedding(path, info, shape);
  }
  const mismatched: string[] = [];
  const mismatches: string[] = [];
  for (const [name, [rows, columns]] of shapes) {
    const info = tensors.get(name);
    if (info === undefined) continue;
    const sameShape = info.shape.length === 2 && info.shape[0] === rows && info.shape[1] === columns;
    if (sameShape && readableDtypes.includes(info.dtype)) continue;
    mismatched.push(name);
    const expected = sameShape ? readableDtypes.join(", ") : `[${rows}, ${columns}]`;
    mismatches.push(`${name} (expected ${expected}, got ${sameShape ? info.dtype : `[${info.shape.join(", ")}]`})`);
  }
  if (missing.length + unexpected.length + mismatched.length === 0) return;
  const faults = [listed("missing", missing), listed("not expected", unexpected), listed("of another kind", mismatches)].filter(Boolean);
  throw new AdapterFileError(
    `readAdapterWeights: the tensors are not those of this config on this model; expected ${names.size}, got ${tensors.size}; ${faults.join("; ")}${hintFor(unexpected)}`,
    { missing, unexpected, mismatched },
  );
}

/**
 * Reads every matrix of an adapter as f32 (exact from F16 and BF16), by module path.
 *
 * Throws as `expectAdapterTensors`, before the first read.
 */
export async function readAdapterWeights(
  file: SafetensorsFile,
  targets: readonly LoraTarget[],
  embeddings?: ReadonlyMap<string, readonly number[]>,
): Promise<Map<string, LoraWeights>> {
  expectAdapterTensors(file.tensors, targets, embeddings);
  const read = async (name: string): Promise<Float32Array> => {
    const { data, dtype } = await file.read(name);
    return toFloat32(data, dtype).values;
  };
  const weights = new Map<string, LoraWeights>();
  for (const { path } of targets)
    weights.set(path, { a: await read(adapterTensorName(path, "A")), b: await read(adapterTensorName(path, "B")) });
  return weights;
}

/** The tensors of an adapter for `writeSafetensors` or `encodeSafetensors`; with `ADAPTER_METADATA` the bytes are peft's. */
export function adapterTensors(
  targets: readonly LoraTarget[],
  weights: ReadonlyMap<string, LoraContent>,
  embeddings: SavedEmbeddings = noEmbeddings,
): [string, TensorToWrite][] {
  const brought = Array.from(embeddings, ([path, tensor]): [string, TensorToWrite] => [embeddingTensorName(path), tensor]);
  const matrices = targets.flatMap(({ path, r, inFeatures, outFeatures }): [string, TensorToWrite][] => {
    const layer = weights.get(path);
    if (layer === undefined)
      throw new AdapterFileError(
        `adapterTensors: a layer has no weights; expected those of ${targets.length} targets, got none for ${path}`,
        {
          missing: [path],
        },
      );
    return [
      [adapterTensorName(path, "A"), { dtype: "F32", shape: [r, inFeatures], data: layer.a }],
      [adapterTensorName(path, "B"), { dtype: "F32", shape: [outFeatures, r], data: layer.b }],
    ];
  });
  return [...matrices, ...brought];
}

function listed(what: string, names: readonly string[]): string {
  if (names.length === 0) return "";
  const rest = names.length - NAMES_IN_MESSAGE;
  return `${what}: ${names.slice(0, NAMES_IN_MESSAGE).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}

function hintFor(unexpected: readonly string[]): string {
  const telltale = TELLTALES.find(([part]) => unexpected.some((name) => name.includes(part)));
  return telltale === undefined ? "" : `; this adapter was trained with ${telltale[1]}, which is not supported; merge it with peft first`;
}
