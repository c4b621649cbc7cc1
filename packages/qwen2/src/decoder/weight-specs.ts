import type { Shape } from "@kto/tensor";
import type { DecoderArchitecture, NormPart, Projection } from "./architecture.js";
import type { DecoderConfig } from "./config.js";

/** Where a weight is and what it must look like. */
export interface WeightSpec {
  name: string;
  shape: Shape;
  /** A matrix takes the model's dtype; norms and biases stay f32. */
  kind: "matrix" | "norm" | "bias";
  /** Path of the linear layer it is the weight of, which may hold it in four bits; undefined for all else. */
  linear?: string;
  /** The output head of a model that is not tied. */
  isHead?: boolean;
}

/** Every tensor of a checkpoint, in the order of the forward pass. */
export function decoderWeightSpecs(architecture: DecoderArchitecture, config: DecoderConfig): WeightSpec[] {
  const { vocabSize, hiddenSize, numHiddenLayers, tieWordEmbeddings } = config;
  const embedding = (path: string): WeightSpec => ({ name: `${path}.weight`, shape: [vocabSize, hiddenSize], kind: "matrix" });
  const norm = (path: string): WeightSpec => ({ name: `${path}.weight`, shape: [hiddenSize], kind: "norm" });
  const specs = [embedding(architecture.embedding)];
  for (let layer = 0; layer < numHiddenLayers; layer++) {
    for (const part of Object.values<NormPart | Projection>({ ...architecture.layer })) {
      const path = `${architecture.layers}.${layer}.${part.path}`;
      if (!isProjection(part)) {
        specs.push(norm(path));
        continue;
      }
      const outFeatures = part.to(config);
      specs.push({ name: `${path}.weight`, shape: [outFeatures, part.from(config)], kind: "matrix", linear: path });
      if (part.hasBias) specs.push({ name: `${path}.bias`, shape: [outFeatures], kind: "bias" });
    }
  }
  specs.push(norm(architecture.norm));
  if (!tieWordEmbeddings) specs.push({ ...embedding(architecture.outputEmbedding), isHead: true });
  return specs;
}

/** True for a linear layer, false for a norm. */
export function isProjection(part: NormPart | Projection): part is Projection {
  return "from" in part;
}
