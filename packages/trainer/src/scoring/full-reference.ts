import { ArgumentError } from "@kto/core";
import type { CausalLM, Device, ParameterBucket, TrainableWeights } from "@kto/tensor";
import type { MakeReference, Reference, ReferenceUse } from "./reference.js";

/** A model all of whose weights are trained. */
export interface FullModel {
  readonly device: Device;
  readonly base: CausalLM;
  readonly trainable: TrainableWeights;
}

/**
 * References of a model all of whose weights are trained. While they do not change it is its own reference; else a frozen copy of the weights is kept: on the
 * device, and on the host too for one that is made afterwards.
 */
export async function fullReferences({ device, base, trainable }: FullModel, uses: readonly ReferenceUse[]): Promise<MakeReference> {
  const { buckets } = trainable;
  const initial = uses.includes("afterwards") ? await device.readAll(buckets.map(({ flat }) => flat)) : undefined;
  return async (use) => {
    if (use === "unchanged") return reference(device, base, []);
    if (use === "afterwards" && !initial)
      throw new ArgumentError({
        operation: "reference",
        problem: "every weight has been trained, and what they were before was not kept",
        expected: "a trainer with an eval dataset",
        got: "one without",
        advice: "give the trainer its evalDataset before it trains, or load the model before again",
      });
    const copies: ParameterBucket[] = [];
    try {
      for (const [index, bucket] of buckets.entries()) {
        const copy = bucket.like("weights of the reference");
        copies.push(copy);
        const values = use === "afterwards" ? initial![index]! : undefined;
        if (values) device.writeBytes(copy.flat, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
        else device.copyInto(copy.flat, bucket.flat);
      }
    } catch (error) {
      for (const copy of copies) copy.dispose();
      throw error;
    }
    return reference(device, trainable.withWeights(copies), copies);
  };
}

function reference(device: Device, model: CausalLM, owned: readonly ParameterBucket[]): Reference {
  return {
    run: (body) => device.noGrad(() => body(model)),
    fingerprint: async () => {
      const bytes = await model.fingerprint?.();
      return bytes && [bytes];
    },
    [Symbol.dispose]: () => owned.forEach((bucket) => bucket.dispose()),
  };
}
