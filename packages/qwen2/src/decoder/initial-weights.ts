import { sizeOf, type Device, type Tensor } from "@kto/tensor";
import type { DecoderArchitecture } from "./architecture.js";
import type { DecoderConfig } from "./config.js";
import { decoderWeightSpecs } from "./weight-specs.js";

/** Options of a new model. */
export interface InitializeOptions {
  device: Device;
  /** A standard normal number. */
  random(): number;
  /** Standard deviation of matrices; default 0.02. */
  std?: number;
}

/** Weights of a new model by name, f32: N(0, std²) for matrices, ones for norms, zeros for biases. */
export function initialWeights(
  architecture: DecoderArchitecture,
  config: DecoderConfig,
  { device, random, std = 0.02 }: InitializeOptions,
): Map<string, Tensor> {
  const weights = new Map<string, Tensor>();
  for (const { name, shape, kind } of decoderWeightSpecs(architecture, config)) {
    const values = new Float32Array(sizeOf(shape));
    if (kind === "norm") values.fill(1);
    else if (kind === "matrix") for (let i = 0; i < values.length; i++) values[i] = random() * std;
    weights.set(
      name,
      device.unscoped(() => device.tensor(values, shape, "f32", name)),
    );
  }
  return weights;
}
