import { toFloat32, type SafetensorsFile } from "@kto/safetensors";
import type { ModuleTree } from "@kto/tensor";
import { expectAdapterTensors } from "./adapter-files.js";
import { adapterTensorName, embeddingTensorName } from "./adapter-names.js";
import type { LoraConfig } from "./config.js";
import type { LoraWeights } from "./init.js";
import { expectedEmbeddings, modulesInFull } from "./saved-embeddings.js";
import { resolveTargets, type LoraTarget } from "./target-modules.js";

/** An adapter's file as it fits a model, read a layer at a time: for those who do without a device. */
export interface AdapterReader {
  readonly config: LoraConfig;
  readonly targets: readonly LoraTarget[];
  /** Of embedding and head that it brings, by module path: the name of the tensor in the file, and whether it was trained in full (`modules_to_save`) or saved beside the adapter. */
  readonly embeddings: ReadonlyMap<string, { readonly tensor: string; readonly isInFull: boolean }>;
  /** The matrices of a layer, f32. */
  read(path: string): Promise<LoraWeights>;
}

/**
 * Checks an adapter against a model: every tensor there, none left over, all of the right shape.
 *
 * Throws as `resolveTargets`, and AdapterFileError naming the tensors that are wrong.
 */
export function openAdapterTensors(file: SafetensorsFile, model: ModuleTree, adapter: LoraConfig): AdapterReader {
  const { config, targets } = resolveTargets(model, adapter, { isSaved: true });
  const expected = expectedEmbeddings(file.tensors, model, config);
  expectAdapterTensors(file.tensors, targets, expected);
  const inFull = new Set(modulesInFull(model, config));
  const matrix = async (path: string, which: "A" | "B"): Promise<Float32Array> => {
    const { data, dtype } = await file.read(adapterTensorName(path, which));
    return toFloat32(data, dtype).values;
  };
  return {
    config,
    targets,
    embeddings: new Map(Array.from(expected.keys(), (path) => [path, { tensor: embeddingTensorName(path), isInFull: inFull.has(path) }])),
    read: async (path) => ({ a: await matrix(path, "A"), b: await matrix(path, "B") }),
  };
}
