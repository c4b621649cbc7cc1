import { ArgumentError, FormatError } from "@kto/core";
import { AdapterFileError, openAdapterTensors, type AdapterReader, type LoraConfig, type LoraTarget } from "@kto/lora";
import { byteSizeOf, toFloat32, type SafetensorsFile } from "@kto/safetensors";
import type { ModuleTree } from "@kto/tensor";
import type { LowRankProduct } from "./low-rank.js";

/** An adapter to merge: its config and its open file. */
export interface AdapterToMerge {
  readonly config: LoraConfig;
  /** Of `adapter_model.safetensors`. */
  readonly tensors: SafetensorsFile;
  /** Factor of all that it adds; default 1. */
  readonly weight?: number | undefined;
  /** For messages; default its place in the list. */
  readonly name?: string | undefined;
}

/** An embedding or a head that an adapter brings. */
export interface BroughtMatrix {
  readonly file: SafetensorsFile;
  readonly tensor: string;
  /** Trained in full (`modules_to_save`): it stands in for that module alone, also in a tied model. */
  readonly isInFull: boolean;
}

/** Adapters as they fit a model. */
export interface FittedAdapters {
  /** By module path, in the order of the adapters. */
  readonly layers: ReadonlyMap<string, readonly { adapter: AdapterReader; target: LoraTarget; weight: number }[]>;
  /** By module path. */
  readonly brought: ReadonlyMap<string, BroughtMatrix>;
}

/** Elements that are looked at a time. */
const elementsAtOnce = 2 ** 20;

/**
 * Checks adapters against a model, and every number in them. Throws ArgumentError for a weight that is none, LoraConfigError, LoraTargetError,
 * AdapterFileError for an adapter that does not fit, holds NaN or an infinity, or brings a matrix that another brings too.
 */
export async function fitAdapters(
  adapters: readonly AdapterToMerge[],
  model: ModuleTree,
  signal: AbortSignal | undefined,
): Promise<FittedAdapters> {
  const layers = new Map<string, { adapter: AdapterReader; target: LoraTarget; weight: number }[]>();
  const brought = new Map<string, BroughtMatrix & { name: string }>();
  for (const [index, { config, tensors, weight = 1, name = `adapter ${index + 1}` }] of adapters.entries()) {
    if (!Number.isFinite(weight))
      throw new ArgumentError(`mergedWeights: the weight of ${name} is no number to multiply with; expected a finite one, got ${weight}`);
    const adapter = openAdapterTensors(tensors, model, config);
    await expectFinite(tensors, name, signal);
    for (const target of adapter.targets) layers.set(target.path, [...(layers.get(target.path) ?? []), { adapter, target, weight }]);
    for (const [path, { tensor, isInFull }] of adapter.embeddings) {
      const other = brought.get(path);
      if (other)
        throw new AdapterFileError(
          `mergedWeights: two adapters bring the ${path} in full; expected one at most, got ${other.name} and ${name}; merge one of them alone`,
          { mismatched: [tensor] },
        );
      if (weight !== 1)
        throw new AdapterFileError(
          `mergedWeights: ${name} brings the ${path} in full, which has no weight; expected weight 1 for this adapter, got ${weight}`,
          { mismatched: [tensor] },
        );
      brought.set(path, { file: tensors, tensor, isInFull, name });
    }
  }
  return { layers, brought };
}

/** What adapters add to a layer, read. */
export function readProducts(
  adapted: FittedAdapters["layers"] extends ReadonlyMap<string, infer Layers> ? Layers : never,
): Promise<LowRankProduct[]> {
  return Promise.all(
    adapted.map(async ({ adapter, target: { path, r, scale }, weight }) => ({ ...(await adapter.read(path)), r, factor: scale * weight })),
  );
}

/** Throws AdapterFileError for a NaN or an infinity: in a merged weight it would be everybody's. */
async function expectFinite(file: SafetensorsFile, name: string, signal: AbortSignal | undefined): Promise<void> {
  for (const [tensor, { dtype, byteLength }] of file.tensors) {
    const step = elementsAtOnce * byteSizeOf(dtype);
    for (let start = 0; start < byteLength; start += step) {
      signal?.throwIfAborted();
      const { values } = toFloat32(await file.readRange(tensor, start, Math.min(start + step, byteLength)), dtype);
      const index = values.findIndex((value) => !Number.isFinite(value));
      if (index < 0) continue;
      throw new AdapterFileError(
        `mergedWeights: ${name}: element ${start / byteSizeOf(dtype) + index} of ${tensor} is ${values[index]}; expected finite numbers; its training diverged: take an earlier checkpoint`,
        { mismatched: [tensor] },
      );
    }
  }
}

/** Throws FormatError where a sum is no number any more. */
export function expectFiniteSums(values: Float32Array, name: string, first: number): void {
  const index = values.findIndex((value) => !Number.isFinite(value));
  if (index < 0) return;
  throw new FormatError(
    `mergedWeights: ${name}: element ${first + index} is ${values[index]}; expected finite sums of base and adapter; repair the base`,
    { tensor: name },
  );
}
