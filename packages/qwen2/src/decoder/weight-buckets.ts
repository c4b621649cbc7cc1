import { bucketShare, byteSize, ParameterBucket, type Device, type Tensor, type TensorSpace } from "@kto/tensor";
import type { WeightSpec } from "./weight-specs.js";

/** Weights that optimizers treat alike. */
interface WeightGroup {
  label: string;
  isMember(spec: WeightSpec): boolean;
  treatment: { decays: boolean; isEmbedding: boolean };
}

const groups: readonly WeightGroup[] = [
  { label: "embedding", isMember: (spec) => spec.isEmbedding === true, treatment: { decays: true, isEmbedding: true } },
  {
    label: "matrices",
    isMember: ({ kind, isEmbedding }) => kind === "matrix" && isEmbedding !== true,
    treatment: { decays: true, isEmbedding: false },
  },
  { label: "biases and norms", isMember: ({ kind }) => kind !== "matrix", treatment: { decays: false, isEmbedding: false } },
];

/**
 * Memory for all weights of a model in f32, zero, as something to train: the embedding, the matrices, and biases and norms, which transformers keeps out of
 * weight decay, each in as few buckets as the device can bind. The caller's to dispose.
 */
export function weightBuckets(device: Device, specs: readonly WeightSpec[]): ParameterBucket[] {
  const { maxBindingBytes, maxBufferBytes } = device.capabilities;
  const buckets: ParameterBucket[] = [];
  try {
    for (const { label, isMember, treatment } of groups)
      for (const part of withinBytes(specs.filter(isMember), Math.min(maxBindingBytes, maxBufferBytes)))
        buckets.push(new ParameterBucket(device, part, label, treatment));
    return buckets;
  } catch (error) {
    for (const bucket of buckets) bucket.dispose();
    throw error;
  }
}

/** Runs of weights of at most this many bytes together, a larger weight alone. */
function withinBytes(specs: readonly WeightSpec[], mostBytes: number): WeightSpec[][] {
  const parts: WeightSpec[][] = [];
  let room = -1;
  for (const spec of specs) {
    const byteLength = bucketShare(spec.shape) * byteSize("f32");
    if (byteLength > room) {
      parts.push([]);
      room = mostBytes;
    }
    parts.at(-1)!.push(spec);
    room -= byteLength;
  }
  return parts;
}

/** The weights of buckets by name. */
export function weightsIn(buckets: readonly ParameterBucket[]): Map<string, Tensor> {
  return new Map(buckets.flatMap(({ parameters }) => [...parameters]));
}

/** The memory of each weight in its bucket, for whoever loads them. */
export function bucketSpace(buckets: readonly ParameterBucket[]): { of(name: string): TensorSpace; dispose(): void } {
  const weights = weightsIn(buckets);
  return {
    of: (name) => ({ empty: () => weights.get(name)!, shares: () => true }),
    dispose: () => undefined,
  };
}
