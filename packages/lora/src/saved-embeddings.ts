import { excerpt } from "@kto/core";
import { toFloat16, toFloat32, type TensorData, type TensorInfo } from "@kto/safetensors";
import { isEmbeddingModule, sameShape, type Device, type EmbeddingModule, type ModuleTree, type Tensor } from "@kto/tensor";
import { embeddingTensorName } from "./adapter-names.js";
import type { LoraConfig } from "./config.js";
import { AdapterFileError, LoraConfigError } from "./errors.js";

/**
 * Embedding and head that an adapter brings, by module path, as they lie in its file. They stay on the host too, so that they are saved again as they came.
 * peft writes them when it is told to (`save_embedding_layers`) or when they were trained in full (`modules_to_save`).
 */
export type SavedEmbeddings = ReadonlyMap<string, TensorData>;

/** No embedding and no head, which is what most adapters bring. */
export const noEmbeddings: SavedEmbeddings = new Map();

/** Types that weights of an adapter may have. */
export const readableDtypes: readonly string[] = ["F32", "F16", "BF16"];

/** Elements that are converted at a time. */
const elementsAtOnce = 2 ** 20;

/** The embedding and the head of a model, by path. */
export function embeddingModules(model: ModuleTree): Map<string, EmbeddingModule> {
  return new Map(Array.from(model.namedModules()).filter((entry): entry is [string, EmbeddingModule] => isEmbeddingModule(entry[1])));
}

/**
 * The paths that `modulesToSave` names, by peft's rule: those that end with an entry. Throws LoraConfigError, naming the entry, for one that matches nothing
 * or a module that is neither embedding nor head.
 */
export function modulesInFull(model: ModuleTree, { modulesToSave }: LoraConfig, operation = "readAdapter"): string[] {
  const embeddings = embeddingModules(model);
  const paths = Array.from(model.namedModules(), ([path]) => path);
  return [modulesToSave ?? []].flat().flatMap((entry) => {
    const matched = paths.filter((path) => path.endsWith(entry));
    const other = matched.find((path) => !embeddings.has(path));
    if (matched.length > 0 && other === undefined) return matched;
    const found = other === undefined ? "no module" : `"${other}"`;
    throw new LoraConfigError(
      `${operation}: modules_to_save names ${excerpt(entry)}, which is ${found} here; expected the embedding or the head, ${[...embeddings.keys()].join(" or ") || "of which this model has none"}; merge such an adapter with peft first`,
      { field: "modules_to_save" },
    );
  });
}

/** The embeddings that a file holds, by path, with the shape that they must have. Throws as `modulesInFull`. */
export function expectedEmbeddings(
  tensors: ReadonlyMap<string, unknown>,
  model: ModuleTree,
  config: LoraConfig,
): Map<string, readonly number[]> {
  const inFull = new Set(modulesInFull(model, config));
  const present = [...embeddingModules(model)].filter(([path]) => inFull.has(path) || tensors.has(embeddingTensorName(path)));
  return new Map(present.map(([path, module]) => [path, module.own.shape]));
}

/** Throws AdapterFileError for an embedding of another shape than the model's, or of no plain float. */
export function expectEmbedding(path: string, { dtype, shape }: Pick<TensorInfo, "dtype" | "shape">, expected: readonly number[]): void {
  const name = embeddingTensorName(path);
  if (!sameShape(shape, expected))
    throw new AdapterFileError(
      `readAdapterWeights: the adapter brings a ${path} of another shape than the model's; expected [${expected.join(", ")}], got [${shape.join(", ")}]; it was trained on a model whose vocabulary had been resized: merge it there with peft, and load what comes out as a model`,
      { mismatched: [name] },
    );
  if (!readableDtypes.includes(dtype))
    throw new AdapterFileError(
      `readAdapterWeights: the adapter's ${path} is no plain float; expected ${readableDtypes.join(", ")}, got ${dtype}`,
      {
        mismatched: [name],
      },
    );
}

/** A saved embedding on the device in the dtype of the model's own. Throws AdapterFileError for a number that f16 cannot hold. */
export function embeddingOnDevice(device: Device, path: string, { dtype, shape, data }: TensorData, like: Tensor): Tensor {
  const isHalf = like.dtype === "f16";
  const elementBytes = dtype === "F32" ? 4 : 2;
  const tensor = device.unscoped(() => device.empty(shape, isHalf ? "f16" : "f32", `adapter's ${path}`));
  for (let first = 0; first * elementBytes < data.byteLength; first += elementsAtOnce) {
    const piece = data.subarray(first * elementBytes, (first + elementsAtOnce) * elementBytes);
    const { values, overflow } = isHalf ? toFloat16(piece, dtype) : toFloat32(piece, dtype);
    if (overflow) {
      tensor.dispose();
      throw new AdapterFileError(
        `addAdapter: the adapter's ${path}: element ${first + overflow.index} does not fit f16; expected at most 65504 in magnitude, got ${overflow.value}; load the model with dtype "f32"`,
        { mismatched: [embeddingTensorName(path)] },
      );
    }
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    device.writeBytes(tensor, bytes, first * (isHalf ? 2 : 4));
  }
  return tensor;
}
