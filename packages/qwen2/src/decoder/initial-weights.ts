import { sizeOf, type Device, type ParameterBucket, type Tensor } from "@kto/tensor";
import type { DecoderArchitecture } from "./architecture.js";
import type { DecoderConfig } from "./config.js";
import { weightBuckets, weightsIn } from "./weight-buckets.js";
import { decoderWeightSpecs } from "./weight-specs.js";

/** Options of a new model. */
export interface InitializeOptions {
  device: Device;
  /** A standard normal number. */
  random(): number;
  /** Standard deviation of matrices, of all or of each by its name and shape; default 0.02. */
  std?: number | ((name: string, shape: readonly number[]) => number);
}

/** Weights of a new model by name, f32: N(0, std²) for matrices, ones for norms, zeros for biases. They lie in buckets, to be trained. */
export function initialWeights(
  architecture: DecoderArchitecture,
  config: DecoderConfig,
  { device, random, std = 0.02 }: InitializeOptions,
): { weights: Map<string, Tensor>; buckets: ParameterBucket[] } {
  const specs = decoderWeightSpecs(architecture, config);
  const buckets = weightBuckets(device, specs);
  const inBuckets = weightsIn(buckets);
  const weights = new Map(specs.map(({ name }) => [name, inBuckets.get(name)!]));
  for (const { name, shape, kind } of specs) {
    const values = new Float32Array(sizeOf(shape));
    const spread = typeof std === "number" ? std : std(name, shape);
    if (kind === "norm") values.fill(1);
    else if (kind === "matrix") for (let i = 0; i < values.length; i++) values[i] = random() * spread;
    device.writeBytes(weights.get(name)!, new Uint8Array(values.buffer));
  }
  return { weights, buckets };
}
