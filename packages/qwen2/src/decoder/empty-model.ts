import { emptyNf4Weight, isSkipped, type Nf4Weight } from "@kto/nf4";
import type { Device, FloatDtype, ParameterBucket, Tensor } from "@kto/tensor";
import type { QuantizeOnLoad } from "./load-weights.js";
import { bucketSpace, weightBuckets } from "./weight-buckets.js";
import { WeightSpace, type WeightForm } from "./weight-space.js";
import type { WeightSpec } from "./weight-specs.js";

/** How the weights that are still to come will be held; as in `FromPretrainedOptions`. */
export interface EmptyModelOptions {
  device: Device;
  /** `auto` is f16 where the device has it, and f32 for weights that are to be trained. */
  dtype?: FloatDtype | "auto" | undefined;
  quantization?: QuantizeOnLoad | undefined;
  /** Every weight is to be trained: all are in f32, in buckets. Default false. */
  trainable?: boolean | undefined;
}

/** Weights in the memory that they will have, with arbitrary contents. */
export interface EmptyWeights {
  weights: Map<string, Tensor>;
  quantized: Map<string, Nf4Weight>;
  buckets: ParameterBucket[] | undefined;
  dtype: FloatDtype;
}

/** Makes room for the weights of a model as loading them does. */
export function emptyWeights(
  specs: readonly WeightSpec[],
  { device, dtype = "auto", quantization, trainable = false }: EmptyModelOptions,
): EmptyWeights {
  const chosen = dtype === "auto" ? (device.capabilities.shaderF16 && !trainable ? "f16" : "f32") : dtype;
  const formOf = ({ linear }: WeightSpec): WeightForm => {
    if (!quantization || linear === undefined || isSkipped(linear, quantization.llmInt8SkipModules ?? null)) return "full";
    return quantization.bnb4bitUseDoubleQuant ? "fourBitNested" : "fourBit";
  };
  const buckets = trainable ? weightBuckets(device, specs) : undefined;
  const space = buckets ? bucketSpace(buckets) : new WeightSpace(device, specs, { dtype: chosen, formOf });
  const [weights, quantized] = [new Map<string, Tensor>(), new Map<string, Nf4Weight>()];
  for (const spec of specs) {
    const { name, shape, kind } = spec;
    const form = formOf(spec);
    const slabs = space.of(name);
    if (form === "full") weights.set(name, slabs.empty(shape, kind === "matrix" ? chosen : "f32", name));
    else {
      const matrix = { shape: shape as readonly [number, number], dtype: "bfloat16", label: name, slabs } as const;
      quantized.set(name, emptyNf4Weight(device, { ...matrix, doubleQuant: form === "fourBitNested" }));
    }
  }
  space.dispose();
  return { weights, quantized, buckets, dtype: chosen };
}
