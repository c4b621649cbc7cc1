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
  /** The input embedding, which is the output head too where the model is tied. */
  isEmbedding?: boolean;
  /** The output head of a model that is not tied. */
  isHead?: boolean;
  /** Weights of the same name here lie in one buffer: those of layers with one input, which generation computes together. */
  together?: string;
}

/** Projections of one input. */
const neighbours: readonly (readonly (keyof DecoderArchitecture["layer"])[])[] = [
  ["qProj", "kProj", "vProj"],
  ["gateProj", "upProj"],
];

/** Every tensor of a checkpoint, in the order of the forward pass. */
export function decoderWeightSpecs(architecture: DecoderArchitecture, config: DecoderConfig): WeightSpec[] {
  const { vocabSize, hiddenSize, numHiddenLayers, tieWordEmbeddings } = config;
  const embedding = (path: string): WeightSpec => ({ name: `${path}.weight`, shape: [vocabSize, hiddenSize], kind: "matrix" });
  const norm = (path: string): WeightSpec => ({ name: `${path}.weight`, shape: [hiddenSize], kind: "norm" });
  const specs: WeightSpec[] = [{ ...embedding(architecture.embedding), isEmbedding: true }];
  for (let layer = 0; layer < numHiddenLayers; layer++) {
    for (const [key, part] of Object.entries<NormPart | Projection>({ ...architecture.layer })) {
      const path = `${architecture.layers}.${layer}.${part.path}`;
      if (!isProjection(part)) {
        specs.push(norm(path));
        continue;
      }
      const outFeatures = part.to(config);
      const group = neighbours.findIndex((keys) => keys.some((each) => each === key));
      const together = (kind: string): Pick<WeightSpec, "together"> => (group === -1 ? {} : { together: `${layer}.${group}.${kind}` });
      specs.push({ name: `${path}.weight`, shape: [outFeatures, part.from(config)], kind: "matrix", linear: path, ...together("weight") });
      if (part.hasBias) specs.push({ name: `${path}.bias`, shape: [outFeatures], kind: "bias", ...together("bias") });
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

/** Weights by the buffer that they lie in: those that lie together, and each other one alone. */
export function weightGroups(specs: readonly WeightSpec[]): WeightSpec[][] {
  const groups = new Map<string, WeightSpec[]>();
  for (const spec of specs) {
    const name = spec.together ?? spec.name;
    groups.set(name, [...(groups.get(name) ?? []), spec]);
  }
  return [...groups.values()];
}
